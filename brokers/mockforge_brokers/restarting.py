"""How a broker's connections end when it is stopped, and what is left of them."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from .contract import Peer
from .storage.facts import Kept
from .storage.store import Store, still

T = TypeVar("T")


class Ending(Protocol):
    @property
    def peer(self) -> Peer: ...

    def shutdown(self) -> None: ...


def ended(
    connections: Iterable[Ending],
    dump: Callable[[], T],
    *,
    hard: bool,
    store: Store | None = None,
    protocol: str = "",
) -> T | Kept:
    """End all connections; returns what outlives that, or what is on disk where it is that.

    `hard` is a kill: nobody gets a word, what their ends bring about is not kept, and what no group
    on disk has yet was confirmed to nobody and is gone.
    """
    if not hard:
        for connection in connections:
            connection.shutdown()
        if store is not None:
            store.catch_up()
        return dump()
    values: T | Kept | None = None
    if store is not None:
        values = store.lose(protocol)
        store.catch_up()
    if values is None:
        values = dump()
    with still(store):
        for connection in connections:
            connection.peer.abort("the broker was killed")
    return values
