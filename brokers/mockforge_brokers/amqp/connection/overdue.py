"""Deliveries that nobody acknowledges for too long (consumer_timeout).

Their channel is closed; as RabbitMQ 4.3 they go back to their quorum queue instead, and their
consumer is cancelled.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from math import inf
from operator import sub
from typing import Final, NamedTuple

from ...errors import RequestRefused
from ..channel.channel import Channel
from ..codes import ReplyCode
from ..events import AMQP, MessagesRequeued
from ..lint import UNACKED_LEAK
from ..state.arguments import CONSUMER_TIMEOUT
from ..state.consumer import UNLIMITED, Consumer
from ..state.message import Message
from ..state.queues.queue import Queue
from ..state.queues.quorum import QuorumQueue
from ..state.queues.timed_out import TimedOut
from ..state.virtual_host import VirtualHost
from .connection import Connection
from .phase import Phase

_FINENESS: Final = 64
LEAKS_AFTER: Final = 60.0
"""Seconds that a delivery may be unacked while later ones are settled."""


class Marks:
    """When which delivery was the newest one of a channel or session; times of the clock.

    A delivery costs nothing: what is remembered is which one was the last one when, the more
    coarsely, the longer ago the oldest one was. A delivery may seem younger than it is.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def __iter__(self) -> Iterator[tuple[float, int]]:
        return iter(self._marks)

    def note(self, now: float, last: int) -> None:
        marks = self._marks
        if marks and marks[-1][1] == last:
            return
        if len(marks) > 2 and marks[-1][0] - marks[-2][0] < (now - marks[0][0]) / _FINENESS:
            marks.pop()
        marks.append((now, last))

    def forget(self, moment: float, settled: Callable[[int], bool]) -> None:
        """Marks of what is settled, and those that a later one makes needless at that moment."""
        marks = self._marks
        while len(marks) > 1 and (marks[1][0] <= moment or settled(marks[0][1])):
            marks.popleft()

    def newest(self, moment: float) -> int | None:
        """The newest delivery that was there at a moment which `forget` was given."""
        return self._marks[0][1] if self._marks and self._marks[0][0] <= moment else None

    def since(self, number: int, ahead: Callable[[int, int], int] = sub) -> float | None:
        """When this delivery was there for certain; None if it came after the last look."""
        return next((time for time, last in self._marks if ahead(last, number) >= 0), None)


class _Oldest(NamedTuple):
    """The oldest unacked delivery of a channel, as it was when it was first found to be that.

    `settled` counts what its consumer had settled by then; `named`: lint has named it.
    """

    tag: int
    settled: int
    named: bool = False


class Channels:
    """Those of AMQP 0-9-1: a late one is closed, or its consumers are cancelled."""

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self._marks: dict[Channel, Marks] = {}
        self._oldest: dict[Channel, _Oldest] = {}

    def look(self, now: float, timeout: float) -> None:
        before, self._marks = self._marks, {}
        oldest, self._oldest = self._oldest, {}
        shortest = Shortest(timeout)
        for connection in tuple(self._connections.values()):
            if connection.phase is Phase.OPEN:
                for channel in tuple(connection.channels.open.values()):
                    if channel.unacked and not channel.closing:
                        marks = self._marks[channel] = before.get(channel) or Marks()
                        marks.note(now, channel.last_tag)
                        # Of what is being settled right now nothing is late.
                        if channel.settling:
                            continue
                        # Queues have timeouts of their own: only what is settled is needless.
                        marks.forget(-inf, next(iter(channel.unacked)).__gt__)
                        self._find_leak(channel, Ages(marks, now), oldest.get(channel))
                        ages = Ages(marks, now)
                        if channel.vhost.profile.deliveries_time_out:
                            _release(connection, channel, ages, timeout, shortest[channel.vhost])
                        else:
                            _close(connection, channel, ages, timeout)

    def _find_leak(self, channel: Channel, ages: "Ages", known: _Oldest | None) -> None:
        """Report what stays unacked while what came after it is settled: it was forgotten.

        Who merely is slow settles in the order of deliveries, or nothing.
        """
        tag, message = next(iter(channel.unacked.items()))
        if known is None or known.tag != tag:
            known = _Oldest(tag, _settled(channel, tag, message.consumer))
        self._oldest[channel] = known
        if known.named or ages[tag] < LEAKS_AFTER:
            return
        settled = _settled_later(channel, known, message)
        if settled <= 0:
            return
        self._oldest[channel] = known._replace(named=True)
        queue = message.queue.name
        what = f"delivery tag {tag} of channel {channel.number}, from queue '{queue}', is unacked"
        channel.lint(
            UNACKED_LEAK, f"{what} for {LEAKS_AFTER:g} s, and later ones are settled ({settled})"
        )

    def since(self, channel: Channel, tag: int) -> float | None:
        marks = self._marks.get(channel)
        return None if marks is None else marks.since(tag)


class Ages:
    """How long ago what was delivered, asked for in the order of deliveries."""

    def __init__(self, marks: Marks, now: float, ahead: Callable[[int, int], int] = sub) -> None:
        self._marks = iter(marks)
        self._now = now
        self._ahead = ahead
        self._since, self._last = next(self._marks, (now, 0))

    def __getitem__(self, number: int) -> float:
        """Seconds; 0 for what came after the last look."""
        while self._ahead(number, self._last) > 0:
            self._since, self._last = next(self._marks, (self._now, number))
        return self._now - self._since


def _settled_later(channel: Channel, known: _Oldest, message: Message) -> int:
    """How many deliveries of the same consumer (or of basic.get) that came later are settled.

    Tags are the channel's: others' are among them, and those of deliveries that needed no ack.
    """
    consumer = message.consumer
    if isinstance(message.queue, TimedOut):
        return 0
    if consumer is None:
        if channel.gets != channel.last_tag:
            return 0
        waiting = channel.transaction.settled if channel.transaction is not None else ()
        unsettled = len(channel.unacked) + sum(each.tag > known.tag for each in waiting)
    elif consumer.delivered == channel.last_tag:
        unsettled = _unsettled(channel, known.tag, consumer)
    else:
        # Which tags are its own nobody knows: what it settled since then were later ones.
        return _settled(channel, known.tag, consumer) - known.settled
    # No other has a tag of this channel.
    return channel.last_tag - known.tag + 1 - unsettled


def _settled(channel: Channel, tag: int, consumer: Consumer | None) -> int:
    """All that its consumer settled, a delivery of an earlier tag also before tx.commit."""
    if consumer is None:
        return 0
    return consumer.delivered - _unsettled(channel, tag, consumer)


def _unsettled(channel: Channel, tag: int, consumer: Consumer) -> int:
    """From this tag on: what it has unacked, or settled in a transaction still open.

    That is the credit it lacks, but for earlier tags, which only wait for tx.commit.
    """
    waiting = channel.transaction.settled if channel.transaction is not None else ()
    earlier = sum(each.tag < tag and each.message.consumer is consumer for each in waiting)
    return (consumer.prefetch or UNLIMITED) - consumer.credit - earlier


def timeout_of(vhost: VirtualHost, queue: Queue, default: float) -> float:
    """Seconds that a delivery of this queue may take: argument or policy, the lower one."""
    if not vhost.profile.queues_have_timeouts:
        return default
    definition = vhost.policies.effective(queue.kind, queue.name).definition
    field = queue.arguments.get(CONSUMER_TIMEOUT)
    given = [field.value] if field is not None else []
    given += [definition["consumer-timeout"]] if "consumer-timeout" in definition else []
    return min((value / 1000 for value in given if isinstance(value, int)), default=default)


def _close(connection: Connection, channel: Channel, ages: Ages, default: float) -> None:
    """Up to 4.2: the channel ends if the oldest delivery is late; RabbitMQ looks at no other."""
    tag, message = next(iter(channel.unacked.items()))
    timeout = timeout_of(channel.vhost, message.queue, default)
    if ages[tag] >= timeout:
        _refuse(connection, channel, f"{timeout * 1000:.0f}")


def _refuse(connection: Connection, channel: Channel, milliseconds: str) -> None:
    text = (
        f"delivery acknowledgement on channel {channel.number} timed out. Timeout value "
        f"used: {milliseconds} ms. This timeout value can be configured, see "
        "consumers doc guide to learn more"
    )
    if not connection.out:
        connection.peer.wake()
    refusal = RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
    connection.channels.refuse(channel, refusal, None)


def _release(
    connection: Connection, channel: Channel, ages: Ages, default: float, shortest: float
) -> None:
    """From 4.3 on: late deliveries of quorum queues go back, and their consumers are cancelled."""
    shortest = min(shortest, channel.shortest_timeout)
    late: dict[Consumer | None, list[int]] = {}
    timeouts: dict[tuple[Consumer | None, Queue], float] = {}
    for tag, message in channel.unacked.items():
        age = ages[tag]
        if not age or age < shortest:
            # Those behind it are as young: of a million none is looked at.
            break
        if isinstance(message.queue, QuorumQueue):
            key = consumer, queue = message.consumer, message.queue
            if key not in timeouts:
                timeouts[key] = timeout_of_consumer(channel.vhost, consumer, queue, default)
            if age >= timeouts[key]:
                late.setdefault(consumer, []).append(tag)
    for consumer in late:
        if consumer is None or channel.consumers.get(consumer.tag) is not consumer:
            # Nobody could be cancelled for it; RabbitMQ has this number in its answer.
            _refuse(connection, channel, "-1")
            return
    for consumer, tags in late.items():
        if consumer is not None:
            _cancel(connection, channel, consumer, tags)


class Shortest(dict[VirtualHost, float]):
    """Before so many seconds no delivery of a virtual host is late, as far as its queues say.

    Found out once in each look; consumers may have shorter ones of their own.
    """

    def __init__(self, default: float) -> None:
        self._default = default

    def __missing__(self, vhost: VirtualHost) -> float:
        given = [
            field.value
            for queue in vhost.queues.values()
            if (field := queue.arguments.get(CONSUMER_TIMEOUT)) is not None
        ]
        for policies in (vhost.policies.of_users, vhost.policies.of_operators):
            given += [each.definition.get("consumer-timeout") for each in policies.values()]
        seconds = (value / 1000 for value in given if isinstance(value, int))
        found = self[vhost] = min((self._default, *seconds))
        return found


def timeout_of_consumer(
    vhost: VirtualHost, consumer: Consumer | None, queue: Queue, default: float
) -> float:
    """The consumer's own x-consumer-timeout holds, whatever its queue says."""
    own = consumer.arguments.get(CONSUMER_TIMEOUT) if consumer is not None else None
    if own is not None:
        return float(own.value) / 1000
    return timeout_of(vhost, queue, default)


def _cancel(connection: Connection, channel: Channel, consumer: Consumer, tags: list[int]) -> None:
    """The client hears that its consumer ended, and may still settle what it has."""
    queue = consumer.queue
    assert isinstance(queue, QuorumQueue), "others do not time out"
    if not connection.cancel_notify:
        _refuse(connection, channel, "-1")
        return
    back = [channel.unacked[tag] for tag in tags]
    stand_in = TimedOut(consumer, queue).stand_in
    # The tags stay known, in their order.
    channel.unacked.update(
        (tag, stand_in(message)) for tag, message in zip(tags, back, strict=True)
    )
    channel.refill(back)
    if not connection.out:
        connection.peer.wake()
    channel.send("basic.cancel", consumer_tag=consumer.tag, no_wait=True)
    reason = f"consumer {consumer.tag} did not acknowledge in time"
    connection.spine.emit(MessagesRequeued(AMQP, queue.name, len(back), reason))
    queue.time_out(consumer, back)
