"""How a broker's connections end when it is stopped, and what is left of them."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from .contract import Peer
from .storage.store import Store, still

T = TypeVar("T")


class Ending(Protocol):
    @property
    def peer(self) -> Peer: ...

    def shutdown(self) -> None: ...


def ended(
    connections: Iterable[Ending], dump: Callable[[], T], *, hard: bool, store: Store | None = None
) -> T:
    """End all connections; returns what outlives that.

    `hard` is a kill: nobody gets a word, and what their ends bring about is not kept.
    """
    if not hard:
        for connection in connections:
            connection.shutdown()
        if store is not None:
            store.catch_up()
        return dump()
    if store is not None:
        store.catch_up()
    values = dump()
    with still(store):
        for connection in connections:
            connection.peer.abort("the broker was killed")
    return values
