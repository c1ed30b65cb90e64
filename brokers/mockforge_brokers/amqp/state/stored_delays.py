"""What a durable delayed exchange holds, on disk as well: each message is a row until it is due."""

from typing import Final

from msgspec import Struct, msgpack

from ...clock import Clock
from ...storage.store import Store
from ..records import packed
from .plugin_exchanges import Held, Shelf
from .queues.message_rows import OWNER, raw

_encode: Final = msgpack.Encoder().encode


class HeldRow(Struct, array_like=True):
    """`delay` is what its header asked for, in milliseconds; `due` a wall time.

    `more_keys` are those of CC and BCC; rows of old have none.
    """

    exchange: bytes
    routing_key: bytes
    content: bytes
    delay: int
    due: float
    more_keys: tuple[bytes, ...] = ()


class StoredShelf(Shelf):
    """The rows of one exchange, at the numbers of what it holds.

    All of it is kept, whatever its delivery mode, as RabbitMQ's plugin does it.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._number = store.new_log(OWNER)

    @property
    def number(self) -> int:
        return self._number

    def stand_on(self, number: int) -> None:
        self._store.known_log(number, OWNER)
        self._number = number

    def put(self, number: int, held: Held) -> None:
        self._store.append_late(self._number, number, (self._row, (held,)))

    def _row(self, held: Held) -> bytes:
        clock, route = self._clock, held.route
        due = clock.wall() + held.due - clock.now()
        row = HeldRow(
            raw(route.exchange.name),
            raw(route.routing_key),
            packed(held.content),
            held.delay,
            due,
            tuple(map(raw, held.more_keys)),
        )
        return _encode(row)

    def take(self, number: int) -> None:
        self._store.remove(self._number, number)

    def end(self) -> None:
        self._store.drop(self._number)
