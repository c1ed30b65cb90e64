"""Who consumes what, with what it still may get and what it has not acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from .channel.channel import Channel
from .connection.connection import Connection
from .connection.overdue import Channels
from .state.consumer import UNLIMITED, Consumer
from .state.queues.governed import GovernedQueue
from .state.queues.queue import Queue
from .state.queues.quorum import QuorumQueue

if TYPE_CHECKING:
    from .v1_0.connection import Connection as LaterConnection
    from .v1_0.overdue import Sessions


class ConsumerView(Struct, frozen=True):
    """`credit`: how many more messages it may get before it acknowledges one (None: any number).

    `oldest`: seconds since it got the oldest message that it has not acknowledged, to about a
    second (None: it has none). `channel` is the number of a channel or session.
    """

    vhost: str
    queue: str
    tag: str
    connection: int
    client: str
    channel: int
    state: str
    prefetch: int
    credit: int | None
    unacked: int
    oldest: float | None
    delivered: int
    priority: int
    no_ack: bool
    exclusive: bool


def views(
    now: float,
    connections: Mapping[int, Connection],
    channels: Channels,
    later_connections: Mapping[int, LaterConnection],
    sessions: Sessions,
    queue: Queue | None = None,
) -> Iterator[ConsumerView]:
    """Of one queue, or of all; what nobody asks for is not counted."""
    for connection in connections.values():
        for channel in connection.channels.open.values():
            own = [each for each in channel.consumers.values() if queue in (None, each.queue)]
            held = _held(channel) if own else {}
            for consumer in own:
                count, tag = held.get(consumer, (0, 0))
                age = age_of(now, channels.since(channel, tag)) if count else None
                credit = _credit(channel, consumer)
                place = connection.vhost.name, connection.client, channel.number
                yield _view(consumer, place, credit, count, age)
    for other in later_connections.values():
        for session in other.sessions.open.values():
            outgoing = session.links.outgoing.values()
            links = [each for each in outgoing if queue in (None, each.consumer.queue)]
            sent = session.deliveries.by_link() if links else {}
            for link in links:
                count, number = sent.get(link, (0, 0))
                age = age_of(now, sessions.since(session, number)) if count else None
                credit = max(0, link.consumer.credit)
                place = other.vhost.name, other.client, session.number
                yield _view(link.consumer, place, credit, count, age)


def _held(channel: Channel) -> dict[Consumer, tuple[int, int]]:
    """How many unacked messages each consumer has, and the tag of the oldest one."""
    found: dict[Consumer, tuple[int, int]] = {}
    for tag, message in channel.unacked.items():
        if message.consumer is not None:
            count, oldest = found.get(message.consumer, (0, tag))
            found[message.consumer] = count + 1, oldest
    return found


def age_of(now: float, since: float | None) -> float:
    """What came after the last look is as good as new."""
    return 0.0 if since is None else max(0.0, now - since)


def _credit(channel: Channel, consumer: Consumer) -> int | None:
    """The lower one of its own prefetch and what its channel's common one leaves."""
    found = consumer.credit
    if channel.limit and not consumer.no_ack:
        found = min(found, channel.limit - channel.outstanding)
    return None if found >= UNLIMITED >> 1 else max(0, found)


def _view(
    consumer: Consumer,
    place: tuple[str, str, int],
    credit: int | None,
    unacked: int,
    oldest: float | None,
) -> ConsumerView:
    vhost, client, channel = place
    return ConsumerView(
        vhost,
        consumer.queue.name,
        consumer.tag,
        consumer.connection,
        client,
        channel,
        _state(consumer, credit),
        consumer.prefetch,
        credit,
        unacked,
        oldest,
        consumer.delivered,
        consumer.priority,
        consumer.no_ack,
        consumer.exclusive,
    )


def _state(consumer: Consumer, credit: int | None) -> str:
    queue = consumer.queue
    if stands_by(consumer):
        return "standby"
    if timed_out(consumer):
        return "timed out"
    if credit == 0:
        return "no credit"
    if consumer.paused:
        return "not reading"
    return "waiting" if not queue.messages else "ready"


def stands_by(consumer: Consumer) -> bool:
    """Whether another consumer is the single active one of its queue."""
    queue = consumer.queue
    if not isinstance(queue, GovernedQueue) or not queue.policy.single_active:
        return False
    return consumer is not queue.active


def timed_out(consumer: Consumer) -> bool:
    """Whether it gets no more before it settled deliveries that were late (RabbitMQ 4.3)."""
    queue = consumer.queue
    return isinstance(queue, QuorumQueue) and consumer in queue.timed_out
