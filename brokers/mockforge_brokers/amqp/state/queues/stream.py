"""Streams: a log that consumers read from any offset, and that acknowledging does not shorten."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from msgspec import Struct

from ....errors import ProtocolError, RequestRefused
from ....fairness import Steps
from ...codes import ReplyCode
from ...records import INTEGER_TYPES, Field, Table
from ..memory import COST
from ..message import Message
from ..policies import max_age
from .queue import Queue
from .store import Log

if TYPE_CHECKING:
    from ..consumer import Consumer
    from ..routing import Route
    from .host import Host

_SEGMENT: Final = 500_000_000
_DIGITS: Final = 18
_AT_ONCE: Final = 16
"""Messages that a consumer's filter may leave out in one step."""
_INTERVAL: Final = re.compile(r"(\d+)([YMDhms])", re.ASCII)
OFFSET: Final = "x-stream-offset"
FILTER: Final = "x-stream-filter"
FILTER_VALUE: Final = "x-stream-filter-value"
UNFILTERED: Final = "x-stream-match-unfiltered"


class Retention(Struct, frozen=True):
    """What is dropped, in whole segments, whenever a new one begins. Seconds and bytes."""

    max_bytes: float = inf
    max_age: float = inf
    segment: int = _SEGMENT


def retention_of(arguments: Table, definition: Mapping[str, Any]) -> Retention:
    """Of an argument and a policy the lower one holds."""

    def lower(name: str) -> Any:
        given = [arguments[f"x-{name}"].value] if f"x-{name}" in arguments else []
        given += [definition[name]] if name in definition else []
        return given

    ages = [max_age(age) or 0 for age in lower("max-age")]
    return Retention(
        min(lower("max-length-bytes"), default=inf),
        min(ages, default=inf),
        min(lower("stream-max-segment-size-bytes"), default=_SEGMENT),
    )


class StreamMessage(Message, eq=False, gc=False):
    """`position` is its offset, `moment` the wall time when it came; `marked`: it says its offset.

    What a consumer has is a copy: many have the same one at a time.
    """

    moment: float = 0.0
    marked: bool = False


class StreamQueue(Queue):
    """Each consumer stands at an offset of its own; credit comes back with its acks.

    A consumer may have a million messages before it, and a filter may leave out as many: what it
    wants is looked for in steps (`_looking`), and it gets all of it in its order.
    """

    __slots__ = ("_cursors", "_filters", "_looking", "_segments", "_total", "_waiting", "retention")
    kind: ClassVar[str] = "stream"
    plain: ClassVar[bool] = False

    def __init__(self, *args: Any, host: Host, retention: Retention, **flags: Any) -> None:
        super().__init__(*args, **flags)
        self.host = host
        self.retention = retention
        self.messages = cast("deque[Message]", Log())
        self._cursors: dict[Consumer, int] = {}
        self._filters: dict[Consumer, Filter] = {}
        self._looking: set[Consumer] = set()
        """For whom steps go on to look for what they want."""
        self._waiting: dict[Consumer, None] = {}
        """Who had all that there was when last looked at, and gets what comes."""
        self._segments: deque[list[int]] = deque()
        """Of each segment its first offset and its bytes; the newest one is last."""
        self._total = 0

    @property
    def log(self) -> Log:
        return cast("Log", self.messages)

    # Messages in.

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        self.published += 1
        self._append(route, content, size, self.host.clock.wall())
        # Others have no credit or are not there yet: they come by themselves, and may be thousands.
        waiting, self._waiting = self._waiting, {}
        for consumer in waiting:
            self.refresh(consumer)

    def restore(
        self, route: Route, content: bytes, size: int, redelivered: bool, failures: int = 0
    ) -> None:
        self._append(route, content, size, self.host.clock.wall())

    def restore_at(self, route: Route, content: bytes, offset: int, moment: float) -> None:
        """As `restore`, with the offset and the time that it had."""
        # Its rows begin where retention had come to.
        if not self.log:
            self.log.begin(offset)
        self._append(route, content, self.host.contents.size(content), moment)

    def _append(self, route: Route, content: bytes, size: int, moment: float) -> None:
        log, weight = self.log, len(content)
        if not self._segments or self._segments[-1][1] >= self.retention.segment:
            self._segments.append([log.end, 0])
            self._retain()
        log.append(StreamMessage(self, route, content, size, log.end, moment=moment))
        self._segments[-1][1] += weight
        self._total += weight
        self.memory.used += size + COST

    def _retain(self) -> None:
        """Drop the oldest segments, but never the one that is written."""
        oldest = self.host.clock.wall() - self.retention.max_age
        while len(self._segments) > 1:
            _, weight = self._segments[0]
            first_of_next = self._segments[1][0]
            newest = self.log[first_of_next - 1]
            if self._total <= self.retention.max_bytes and newest.moment >= oldest:
                return
            self._segments.popleft()
            self._total -= weight
            self.memory.release(deque[Message](self.log.drop_before(first_of_next)))

    def take_all(self) -> deque[Message]:
        """It is deleted: purging a stream is refused."""
        gone = deque[Message](self.log.drop_before(self.log.end))
        self._segments.clear()
        self._total = 0
        return gone

    # What consumers have.

    def acknowledge(self, message: Message) -> None:
        self.unacked -= 1
        self.acknowledged += 1

    def acknowledge_all(self, messages: Sequence[Message], size: int) -> None:
        self.unacked -= len(messages)
        self.acknowledged += len(messages)

    def requeuing(self, unacked: Sequence[Message], *, ended: bool, failed: bool) -> Steps:
        if not ended:
            raise self.unsupported("basic.nack and basic.reject")
        self.unacked -= len(unacked)
        yield

    def take(self, no_ack: bool) -> Message | None:
        raise self.unsupported("basic.get")

    def discard(self, message: Message) -> None:
        raise self.unsupported("basic.nack and basic.reject")

    def unsupported(self, what: str) -> ProtocolError:
        return ProtocolError(
            f"{what} not supported by stream queues queue '{self.name}' in vhost "
            f"'{self.host.name}'",
            ReplyCode.NOT_IMPLEMENTED,
        )

    # Consumers.

    def check(self, consumer: Consumer) -> None:
        """What a stream asks of its consumers. Raises RequestRefused or ProtocolError."""
        what = f"queue '{self.name}' in vhost '{self.host.name}'"
        # Arguments are looked at before the stream itself is asked, as in RabbitMQ.
        if "x-priority" in consumer.arguments:
            raise _refused(f"invalid arg 'x-priority' for {what} of queue type rabbit_stream_queue")
        if not consumer.prefetch:
            named = f"stream {what}" if self.host.profile.names_a_stream_queue else f"'{what}'"
            raise _refused(f"consumer prefetch count is not set for {named}")
        if consumer.no_ack:
            if self.host.profile.names_a_stream_queue:
                text = f"automatic acknowledgement not supported by stream {what}"
                raise ProtocolError(text, ReplyCode.NOT_IMPLEMENTED)
            raise self.unsupported("automatic acknowledgement")
        self._start(consumer.arguments.get(OFFSET))

    def add(self, consumer: Consumer) -> None:
        self.check(consumer)
        super().add(consumer)
        self._cursors[consumer] = self._start(consumer.arguments.get(OFFSET))
        wanted = filter_of(consumer.arguments)
        if wanted is not None:
            self._filters[consumer] = wanted

    def remove(self, consumer: Consumer) -> None:
        super().remove(consumer)
        self._cursors.pop(consumer, None)
        self._filters.pop(consumer, None)
        self._waiting.pop(consumer, None)

    def refresh(self, consumer: Consumer) -> None:
        if consumer not in self._looking and self._read(consumer):
            self._looking.add(consumer)
            self.memory.do(self._look_for(consumer))

    def is_looking_for(self, consumer: Consumer) -> bool:
        """Whether it may get more than it has by now."""
        return consumer in self._looking

    def _look_for(self, consumer: Consumer) -> Steps:
        try:
            while self._read(consumer):
                yield
        finally:
            self._looking.discard(consumer)

    def _read(self, consumer: Consumer) -> bool:
        """Send it what comes next and is wanted; True where that is so much that it has to wait."""
        log, left = self.log, _AT_ONCE
        while consumer.credit > 0 and not consumer.paused:
            # What retention dropped under a slow consumer is passed over.
            offset = max(self._cursors.get(consumer, log.end), log.start)
            if offset >= log.end:
                self._waiting[consumer] = None
                break
            if not left:
                return True
            # Before it is sent: a sink may have its consumers refreshed, which leads back here.
            self._cursors[consumer] = offset + 1
            message = log[offset]
            if self._wants(consumer, message):
                self._send(consumer, self._copy(message))
            left -= 1
        return False

    def _wants(self, consumer: Consumer, message: StreamMessage) -> bool:
        wanted = self._filters.get(consumer)
        if wanted is not None and not wanted.passes(self.host, message):
            return False
        return consumer.wants is None or consumer.wants(message)

    def drain(self) -> None:
        for consumer in tuple(self.consumers):
            self.refresh(consumer)

    def _send(self, consumer: Consumer, message: Message) -> None:
        message.consumer = consumer
        self.unacked += 1
        consumer.delivered += 1
        consumer.credit -= 1
        consumer.sink.deliver(message.route, message.content, message.size, False, message)

    def _copy(self, message: StreamMessage) -> Message:
        # The header with its offset is put in once, when the first consumer gets the message.
        if not message.marked:
            contents = self.host.contents
            offset = {OFFSET: Field("l", message.position)}
            message.content = contents.with_headers(message.content, offset)
            message.marked = True
        return Message(self, message.route, message.content, message.size, message.position)

    def behind(self, consumer: Consumer) -> int:
        """How many messages it has not been sent."""
        log = self.log
        return max(0, log.end - max(self._cursors.get(consumer, log.end), log.start))

    def _start(self, field: Field | None) -> int:
        """The offset that x-stream-offset means; raises RequestRefused.

        RabbitMQ up to 4.3.0 crashes (541) on text that begins with no digit. That was a bug: what
        4.3.1 answers is answered in every profile.
        """
        log = self.log
        match field:
            case None | Field("S", "next"):
                return log.end
            case Field("S", "first"):
                return log.start
            case Field("S", "last"):
                return max(log.start, log.end - 1)
            case Field("T", seconds):
                return log.first_since(float(seconds))
            case Field("S", text) if found := _INTERVAL.fullmatch(str(text)):
                # So many digits reach back to before there was any stream, and to no float's end.
                age = max_age(found[0]) or 0 if len(found[1]) <= _DIGITS else inf
                return log.first_since(self.host.clock.wall() - age)
            case Field(kind, number) if kind in INTEGER_TYPES:
                return max(0, int(number))
        raise _refused(
            f"invalid arg '{OFFSET}' for queue '{self.name}' in vhost '{self.host.name}': "
            f"{{invalid_stream_offset_arg,{{{field.type_name},{_term(field)}}}}}"
        )


class Filter(Struct, frozen=True):
    """Which messages a consumer wants, by their header x-stream-filter-value (RabbitMQ 3.13).

    RabbitMQ drops whole chunks that have none of the values, and clients sort out the rest; here
    a consumer gets just what it wants.
    """

    values: frozenset[str]
    unfiltered: bool

    def passes(self, host: Host, message: Message) -> bool:
        field = host.contents.header(message.content, FILTER_VALUE)
        return self.unfiltered if field is None else str(field.value) in self.values


def filter_of(arguments: Table) -> Filter | None:
    field = arguments.get(FILTER)
    if field is None:
        return None
    values = [item.value for item in field.value] if field.type == "A" else [field.value]
    unfiltered = arguments.get(UNFILTERED)
    return Filter(frozenset(map(str, values)), bool(unfiltered and unfiltered.value))


def _term(field: Field) -> str:
    """As Erlang prints it."""
    if field.type == "S":
        return f'<<"{field.value}">>' if field.value else "<<>>"
    return str(field.value).lower()


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
