"""confirm.* and tx.*, of which a channel can have one, channel.flow and access.request."""

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps, to_their_end
from ..codes import ReplyCode
from ..state.message import Message
from ..state.queues.settling import DISCARDED_AT_ONCE, requeuing
from ..state.settlements import SETTLEMENTS, Settlement
from .channel import Channel
from .transaction import SettledDelivery, Transaction


def access_request(channel: Channel, **asked: object) -> None:
    """AMQP 0-8's realms: RabbitMQ hands every asker the same ticket, and never looks at it."""
    channel.send("access.request-ok", ticket=1)


def channel_flow(channel: Channel, *, active: bool) -> None:
    if not active:
        raise ProtocolError("active=false", ReplyCode.NOT_IMPLEMENTED)
    channel.send("channel.flow-ok", active=True)


def channel_flow_ok(channel: Channel, *, active: bool) -> None:
    """We never send channel.flow, and RabbitMQ does not mind the answer."""


def confirm_select(channel: Channel, *, no_wait: bool) -> None:
    if channel.transaction is not None:
        raise _refused("cannot switch from tx to confirm mode")
    channel.publishing.confirming = True
    if not no_wait:
        channel.send("confirm.select-ok")


def tx_select(channel: Channel) -> None:
    if channel.publishing.confirming:
        raise _refused("cannot switch from confirm to tx mode")
    if channel.transaction is None:
        channel.transaction = Transaction()
    channel.send("tx.select-ok")


def tx_commit(channel: Channel) -> None:
    channel.line.begin(_committing(channel, _transaction(channel)))


def _committing(channel: Channel, done: Transaction) -> Steps:
    # Before what is rejected becomes a dead letter, which may go to the same queue.
    yield from channel.publishing.committing(done)
    if channel.closing:
        return
    channel.transaction = Transaction()
    settling = channel.vhost.memory.making_room(_settling(channel, done.settled))
    yield from to_their_end(settling, channel.line.chores)
    channel.send("tx.commit-ok")


def _settling(channel: Channel, settled: list[SettledDelivery]) -> Steps:
    """What was settled in a transaction takes effect; of its client it is no longer."""
    by_settlement: dict[Settlement, list[Message]] = {each: [] for each in SETTLEMENTS}
    channel.refill([each.message for each in settled])
    left = DISCARDED_AT_ONCE
    for each in settled:
        message = each.message
        by_settlement[each.settlement].append(message)
        if each.settlement == "acknowledged":
            message.queue.acknowledge(message)
        elif each.settlement == "rejected":
            message.failures += each.failed
            message.queue.discard(message)
            # Nothing else dies here.
            left -= message.queue.reach - 1
        left -= 1
        if left <= 0:
            left = DISCARDED_AT_ONCE
            yield
    for settlement, messages in by_settlement.items():
        channel.note(settlement, messages)
    back = [each for each in settled if each.settlement == "requeued"]
    for failed in (False, True):
        yield from requeuing(
            (each.message for each in back if each.failed is failed), failed=failed
        )


def tx_rollback(channel: Channel) -> None:
    undone = _transaction(channel)
    channel.transaction = Transaction()
    undone.forget(channel.vhost.memory)
    channel.unsettle((each.tag, each.message) for each in undone.settled)
    channel.send("tx.rollback-ok")


def _transaction(channel: Channel) -> Transaction:
    if channel.transaction is None:
        raise _refused("channel is not transactional")
    return channel.transaction


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
