"""basic.*: consume, cancel, get, qos, and what becomes of deliveries."""

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps
from ..codes import ReplyCode
from ..events import AMQP, ConsumerStarted
from ..lint import NO_PREFETCH, SINGLE_ACTIVE
from ..profiles import GLOBAL_QOS
from ..records import Table
from ..state.arguments import CONSUMER_TIMEOUT, check_consumer, check_foreign, check_timeout
from ..state.consumer import Consumer
from ..state.direct_replies import REPLY_TO
from ..state.queues.governed import GovernedQueue
from ..state.queues.queue import Queue
from .channel import Channel
from .delivery import Delivery, get_ok


def basic_qos(
    channel: Channel, *, prefetch_size: int, prefetch_count: int, is_global: bool
) -> None:
    """RabbitMQ's meaning of global: false is for consumers to come, true for the channel.

    Whichever came last holds: one for consumers lifts the channel's. Releases that know the
    channel's no more take it for one of consumers.
    """
    if prefetch_size:
        raise ProtocolError(f"prefetch_size!=0 ({prefetch_size})", ReplyCode.NOT_IMPLEMENTED)
    channel.send("basic.qos-ok")
    if is_global:
        channel.lint(GLOBAL_QOS, f"prefetch {prefetch_count} is set for the whole channel")
    if is_global and not channel.vhost.profile.refuses(GLOBAL_QOS):
        channel.set_limit(prefetch_count)
        return
    channel.prefetch = prefetch_count
    if channel.limit:
        channel.set_limit(0)


def basic_consume(
    channel: Channel,
    *,
    queue: str,
    consumer_tag: str,
    no_local: bool,
    no_ack: bool,
    exclusive: bool,
    no_wait: bool,
    arguments: Table,
) -> None:
    """`no_local` is not looked at, as in RabbitMQ."""
    direct = queue == REPLY_TO
    known = channel.consumers.get(consumer_tag)
    if known is not None and not (direct and known is channel.replies):
        raise ProtocolError(
            f"attempt to reuse consumer tag '{consumer_tag}'", ReplyCode.NOT_ALLOWED
        )
    # Nothing is refused behind it: a queue for replies ends with its consumer.
    found = _replies(channel, no_ack) if direct else channel.queue(queue)
    if channel.limit and found.kind == "quorum":
        raise ProtocolError(
            f"queue '{found.name}' in vhost '{channel.vhost.name}' does not support global qos",
            ReplyCode.NOT_IMPLEMENTED,
        )
    tag = consumer_tag or channel.new_name("amq.ctag-")
    what = f"queue '{found.name}' in vhost '{channel.vhost.name}'"
    if channel.vhost.profile.deliveries_time_out and not direct:
        check_timeout(what, found.kind, arguments)
        if (asked := arguments.get(CONSUMER_TIMEOUT)) is not None:
            channel.shortest_timeout = min(channel.shortest_timeout, asked.value / 1000)
    priority = 0 if direct or found.kind == "stream" else check_consumer(what, arguments)
    if not direct:
        check_foreign(what, found.kind, arguments, channel.vhost.profile)
    consumer = Consumer(
        tag,
        found,
        Delivery(channel, tag),
        connection=channel.line.id,
        no_ack=no_ack,
        exclusive=exclusive,
        prefetch=channel.prefetch,
        priority=priority,
        arguments=arguments,
    )
    channel.vhost.consume(consumer)
    channel.cancelled.replace(consumer, channel.unacked.values())
    channel.without_ack |= no_ack
    channel.streaming |= found.kind == "stream"
    if not direct:
        _lint(channel, consumer, what)
    channel.consumers[tag] = consumer
    if direct:
        channel.replies = consumer
    line = channel.line
    line.name_queue(tag, found.name)
    line.spine.emit(ConsumerStarted(AMQP, line.id, channel.number, found.name, tag))
    if not no_wait:
        channel.send("basic.consume-ok", consumer_tag=tag)
    channel.refresh()


def _lint(channel: Channel, consumer: Consumer, what: str) -> None:
    if not (consumer.no_ack or consumer.prefetch or channel.limit):
        channel.lint(NO_PREFETCH, f"a consumer of {what} has no prefetch")
    queue = consumer.queue
    if isinstance(queue, GovernedQueue) and queue.policy.single_active:
        # From another connection a second one is there to take over, which is what it is for.
        mine = [each for each in queue.consumers if each.connection == consumer.connection]
        if len(mine) > 1:
            channel.lint(SINGLE_ACTIVE, f"{len(mine)} consumers of one connection share {what}")


def _replies(channel: Channel, no_ack: bool) -> Queue:
    """Direct reply-to: a queue of no name that anyone could declare, for this channel."""
    if not no_ack:
        raise _refused("reply consumer cannot acknowledge")
    if channel.reply_to:
        raise _refused("reply consumer already set")
    return channel.vhost.open_replies(channel.line.id)


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)


def basic_cancel(channel: Channel, *, consumer_tag: str, no_wait: bool) -> None:
    consumer = channel.consumers.pop(consumer_tag, None)
    if consumer is not None:
        channel.vhost.cancel(consumer)
        if channel.holds(consumer):
            channel.cancelled.add(consumer)
        channel.ended(consumer, "cancelled by the client")
    if not no_wait:
        channel.send("basic.cancel-ok", consumer_tag=consumer_tag)


def basic_get(channel: Channel, *, queue: str, no_ack: bool) -> None:
    found = channel.queue(queue)
    if found.plain:
        _get(channel, found, no_ack)
    else:
        channel.line.begin(_getting(channel, found, no_ack))


def _getting(channel: Channel, queue: Queue, no_ack: bool) -> Steps:
    """What is over goes before, in steps: the queue may end meanwhile, or the channel."""
    yield from queue.expiring()
    if not channel.closing:
        _get(channel, queue, no_ack)


def _get(channel: Channel, queue: Queue, no_ack: bool) -> None:
    message = queue.take(no_ack)
    if message is None:
        channel.send("basic.get-empty")
        return
    channel.last_tag += 1
    line = channel.line
    frames = get_ok(
        channel.number, channel.last_tag, message, len(queue.messages), line.max_payload
    )
    channel.out += frames
    line.counts.sent["basic.get-ok"] += 1
    tracer = channel.vhost.tracer
    if tracer is not None:
        route, content = message.route, message.content
        place = line.id, channel.number
        tracer.delivered(queue.name, route, content, message.redelivered, *place)
    if no_ack:
        channel.without_ack = True
    else:
        channel.gets += 1
        channel.await_ack(channel.last_tag, message)


def basic_ack(channel: Channel, *, delivery_tag: int, multiple: bool) -> None:
    channel.settle(delivery_tag, multiple, "acknowledged")


def basic_nack(channel: Channel, *, delivery_tag: int, multiple: bool, requeue: bool) -> None:
    channel.settle(delivery_tag, multiple, "requeued" if requeue else "rejected")


def basic_reject(channel: Channel, *, delivery_tag: int, requeue: bool) -> None:
    """From RabbitMQ 4.3 on it says that the message could not be processed, as nack does not."""
    channel.settle(delivery_tag, False, "requeued" if requeue else "rejected", failed=True)


def basic_recover(channel: Channel, *, requeue: bool) -> None:
    _check_recover(channel, requeue)
    channel.send("basic.recover-ok")
    channel.recover()


def basic_recover_async(channel: Channel, *, requeue: bool) -> None:
    _check_recover(channel, requeue)
    channel.recover()


def _check_recover(channel: Channel, requeue: bool) -> None:
    if not requeue:
        raise ProtocolError("requeue=false", ReplyCode.NOT_IMPLEMENTED)
    channel.check_recovery()
