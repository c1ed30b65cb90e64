"""Connections that ended, for people who come late: as they were last, and why they went."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from .clock import Clock
from .limits import MIB, Limits
from .snapshots import ConnectionView

ENDED: Final = "ended"
"""The state of a connection that is over."""

_ROOM: Final = 4 * MIB
"""Bytes for all of them; a client's name alone may have 64 KiB."""
_BASE: Final = 1_000
_ITEM: Final = 100
_PLAIN: Final = frozenset({int, float, bool, type(None)})
_FLAT: Final = _PLAIN | {str}
_LITTLE: Final = 1024
"""Bytes that a client sent of which no text in a detail can be large: to look at each of them would
cost more than all the rest of a short connection."""


class EndedConnection(Struct, frozen=True):
    """`view` is the last one, its state `ended`; `at` is wall time, `reason` is in words."""

    view: ConnectionView
    at: float
    reason: str


class EndedConnections:
    """The newest ones of all protocols, bounded by number and by what they weigh.

    `total` counts all there ever were.
    """

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.total = 0
        self._wall = clock.wall
        self._most = limits.ended_connections
        # What it is made of: most are never looked at.
        self._kept: deque[tuple[int, ConnectionView, float, str]] = deque()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[EndedConnection]:
        """The newest first."""
        return (
            EndedConnection(replace(view, state=ENDED), at, reason)
            for _, view, at, reason in reversed(self._kept)
        )

    @property
    def forgotten(self) -> int:
        """How many had to leave."""
        return self.total - len(self._kept)

    def add(self, view: ConnectionView, reason: str) -> None:
        self.total += 1
        kept, weight = self._kept, _weight(view) + len(reason)
        kept.append((weight, view, self._wall(), reason))
        weight += self._weight
        if len(kept) > self._most:
            weight -= kept.popleft()[0]
        while weight > _ROOM and len(kept) > 1:
            weight -= kept.popleft()[0]
        self._weight = weight

    def find(self, number: int) -> EndedConnection | None:
        """The connection of this number."""
        return next((one for one in self if one.view.id == number), None)

    def of_client(self, client: str, protocol: str = "") -> Iterator[EndedConnection]:
        """A client's connections, the newest first."""
        return (
            one for one in self if one.view.client == client and protocol in ("", one.view.protocol)
        )


def _weight(view: ConnectionView) -> int:
    detail = view.detail
    size = _BASE + _ITEM * (1 + len(detail)) + len(view.client) + len(view.software)
    values = detail.values()
    # A few bytes may ask for all that was named before: a list is looked at whatever it sent.
    if view.bytes_in <= _LITTLE and _FLAT.issuperset(map(type, filter(None, values))):
        return size
    return size + sum(map(_size, values))


def _size(value: Any) -> int:
    """About how many bytes a detail takes."""
    inner: Iterable[Any]
    match value:
        case str() | bytes():
            return _ITEM + len(value)
        case dict():
            inner = value.values()
        case list() | tuple():
            inner = value
        case Mapping():
            inner = value.values()
        case _:
            return _ITEM
    size = _ITEM
    for each in inner:
        # Most are plain, and to ask for an abstract class costs more than all the rest.
        kind = type(each)
        if kind is str:
            size += _ITEM + len(each)
        else:
            size += _ITEM if kind in _PLAIN or not each else _size(each)
    return size
