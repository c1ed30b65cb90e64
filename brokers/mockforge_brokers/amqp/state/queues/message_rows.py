"""What a durable queue has on disk: its messages as rows, and what is known of who got them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct, msgpack

from ....storage.facts import row_number
from ....storage.parts import Piece
from ....storage.runs import Run, run_of
from ....storage.store import Store
from ...records import Alike, packed
from ..message import Message
from .quorum import RANKS, QuorumMessage

if TYPE_CHECKING:
    from ..consumer import Consumer
    from ..routing import Route

OWNER: Final = "amqp"
_NEVER: Final = b"\xff"
"""No content begins so: it begins with a header frame (2), or as what is packed (records.py)."""
_MANY: Final = 8
"""Messages from which on it is worth to ask whether all are alike."""
Marks = dict[int, tuple[int, int]]
"""By priority what a Keeping has as `delivered` and `bound`."""
Around = tuple["Route | None", int, int, bytes, bytes]
"""What stands before and behind a content, for messages of this route, body size and length."""


class MessageRow(Struct, array_like=True):
    """A message on disk; `expires` and `moment` are wall times.

    `reason` is that for which it died, where its dead letter is in no queue yet.
    """

    exchange: bytes
    routing_key: bytes
    content: bytes
    size: int
    expires: float | None = None
    moment: float | None = None
    reason: str = ""
    failures: int = 0


class Mark(Struct, eq=False):
    """As a Keeping's of the same names, of the messages of one priority."""

    delivered: int = 0
    bound: int = 0
    noted: int = 0
    sure: int = 0


class Burst(Struct, eq=False):
    """Messages that came one behind the other and are alike, in a queue of which nobody takes any.

    `pieces` have their contents, each `stride` bytes behind the one before.
    """

    stride: int
    length: int
    messages: list[Message]
    pieces: list[Piece]

    def goes_on(self, first: Message, stride: int, length: int) -> bool:
        """Whether this one is alike, too, and the next."""
        last = self.messages[-1]
        return (
            last.position + 1 == first.position
            and last.route is first.route
            and last.size == first.size
            and (self.stride, self.length) == (stride, length)
        )


class Keeping(Struct, eq=False):
    """Where the messages of one queue go; a `store.Source` of what came to a plain one.

    `fresh` are those, by position, that came since the last group and are not done with: what is
    acknowledged meanwhile is never written. So are those in `bursts`, until somebody may have to do
    with one of them (`spread`). `head` is the header of the last persistent one
    (`head_of`): publishers send the same many times. `changed` writes the queue's own row.
    """

    store: Store
    number: int
    is_persistent: Callable[[bytes], bool]
    head_of: Callable[[bytes], bytes]
    changed: Callable[[], object]
    delivered: int = 0
    """The last position of which a consumer got something, or might have."""
    bound: int = -1
    """No consumer got anything behind this one, as the group `noted` says; -1: that is not written.
    Before that is on disk the one there is `sure`, and who gets something behind it waits."""
    noted: int = 0
    sure: int = 0
    waiting: dict[Consumer, int] = {}
    """The last group that a consumer of a quorum queue was made to wait for."""
    returns: int = 0
    """The log of what came back to a quorum queue, by its rows; 0 as long as nothing did."""
    marks: dict[int, Mark] | None = None
    """Of a queue that hands out by priority: `delivered` and `bound` are the furthest of them."""
    under_way: set[Message] = set()
    """Those of a quorum queue whose dead letters are not where they go yet."""
    fresh: dict[int, Message] = {}
    bursts: list[Burst] = []
    head: bytes = _NEVER
    around: Around = (None, -1, -1, b"", b"")
    """Of the last message of which a row was made."""

    def stand_on(
        self, number: int, delivered: int, bound: int, marks: Marks, returns: int = 0
    ) -> None:
        """Its rows are on disk already, in this log, and what came back of them in `returns`."""
        for log in (number, returns) if returns else (number,):
            self.store.known_log(log, OWNER)
        self.number, self.delivered, self.returns = number, delivered, returns
        if self.bound >= 0:
            self.bound = bound
        if self.marks is not None:
            # A folder in which priorities were not told apart has one mark for all.
            if bound and not marks:
                marks = dict.fromkeys(range(RANKS), (delivered, bound))
            self.marks = {rank: Mark(*mark) for rank, mark in marks.items()}

    @property
    def by_priority(self) -> Marks:
        """Of `marks` what is to be known after a start."""
        marks = self.marks or {}
        return {rank: (mark.delivered, mark.bound) for rank, mark in marks.items()}

    def add_burst(self, messages: list[Message], alike: Alike) -> None:
        """They came just now; `alike` are their contents."""
        stride, length = alike.stride, len(alike.contents[0])
        # A copy would be one of each message, and of new memory.
        piece = memoryview(alike.data)[alike.at :][: stride * (len(messages) - 1) + length]
        bursts = self.bursts
        if bursts and bursts[-1].goes_on(messages[0], stride, length):
            bursts[-1].messages += messages
            bursts[-1].pieces.append(piece)
        else:
            bursts.append(Burst(stride, length, messages, [piece]))

    def spread(self) -> None:
        """Let each of them be by itself."""
        bursts, self.bursts = self.bursts, []
        for burst in bursts:
            self.fresh.update((message.position, message) for message in burst.messages)

    def forget_fresh(self) -> None:
        """None of them is wanted any more."""
        self.fresh.clear()
        self.bursts.clear()

    def catch_up(self) -> None:
        fresh, bursts = self.fresh, self.bursts
        runs = [self._run_of_burst(burst) for burst in bursts]
        if len(fresh) >= _MANY and (run := _run_of(self.number, fresh)):
            runs.append(run)
        elif fresh:
            self._fill_each(fresh)
        for run in runs:
            self.store.fill_run(run)
        # Only now: what could not be written down is asked for again.
        self.fresh, self.bursts = {}, []

    def _run_of_burst(self, burst: Burst) -> Run:
        first, count = burst.messages[0], len(burst.messages)
        number = row_number(self.number, first.position)
        around = _around(first.route, first.size, burst.length)
        numbers = range(number, number + count)
        return Run(numbers, *around, burst.length, burst.stride, burst.pieces)

    def _fill_each(self, fresh: dict[int, Message]) -> None:
        rows: dict[int, bytes] = {}
        route, size, length, before, after = self.around
        for number, message in enumerate_rows(self.number, fresh):
            content = packed(message.content)
            if message.route is not route or message.size != size or len(content) != length:
                # What stands around the content is the same for messages that are alike.
                route, size, length = message.route, message.size, len(content)
                before, after = _around(route, size, length)
            rows[number] = b"%b%b%b" % (before, content, after)
        self.around = route, size, length, before, after
        self.store.fill(rows)


_encode = msgpack.Encoder().encode


def enumerate_rows(log: int, messages: dict[int, Message]) -> Iterator[tuple[int, Message]]:
    """Each with the number of its row."""
    first = row_number(log, 0)
    return zip(map(first.__or__, messages), messages.values(), strict=True)


def _run_of(log: int, messages: dict[int, Message]) -> Run | None:
    """All of them, where they are alike and none is missing."""
    first, last = next(iter(messages)), next(reversed(messages))
    if last - first >= len(messages):
        return None
    one = messages[first]
    route, size = one.route, one.size
    contents = [
        message.content
        for message in messages.values()
        if message.route is route and message.size == size
    ]
    if (
        len(contents) < len(messages)
        or set(map(type, contents)) != {bytes}
        or len(set(map(len, contents))) > 1
    ):
        return None
    numbers = range(row_number(log, first), row_number(log, last) + 1)
    return run_of(numbers, contents, *_around(route, size, len(contents[0])))


def _around(route: Route, size: int, length: int) -> tuple[bytes, bytes]:
    """What `live_row` has before and behind a content of `length` bytes."""
    whole = _encode((*_names(route), bytes(length), size, None, None))
    behind = len(_encode(size)) + 2
    return whole[: len(whole) - behind - length], whole[len(whole) - behind :]


def live_row(
    route: Route, content: bytes, size: int, expires: float | None, failures: int = 0
) -> bytes:
    """Of a message that is over at this wall time; None: never."""
    if failures:
        row = MessageRow(*_names(route), packed(content), size, expires, failures=failures)
        return _encode(row)
    # As a MessageRow, without the object.
    return _encode((*_names(route), packed(content), size, expires, None))


def dead_row(message: Message, reason: str) -> bytes:
    """Of one that died for this reason, and whose dead letter is in no queue yet."""
    names = _names(message.route)
    content, failures = packed(message.stored), message.failures
    return _encode(MessageRow(*names, content, message.size, reason=reason, failures=failures))


def returned_row(message: QuorumMessage) -> bytes:
    """Of one that came back, and that has its own row already."""
    return _encode(message.returned())


def stream_row(route: Route, content: bytes, size: int, moment: float) -> bytes:
    """Of a message that came at this wall time."""
    return _encode(MessageRow(*_names(route), packed(content), size, None, moment))


def _names(route: Route) -> tuple[bytes, bytes]:
    return raw(route.exchange.name), raw(route.routing_key)


def raw(name: str) -> bytes:
    """A name as it is on the wire, whatever bytes it has."""
    return name.encode("utf-8", "surrogateescape")
