"""confirm.* and tx.*, of which a channel can have one, channel.flow and access.request."""

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps
from ..codes import ReplyCode
from ..state.message import Message
from ..state.queues.queue import requeue_all
from ..state.settlements import SETTLEMENTS, Settlement
from .channel import Channel
from .transaction import Transaction


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
    by_settlement: dict[Settlement, list[Message]] = {each: [] for each in SETTLEMENTS}
    for _, message, acknowledged, requeue in done.settled:
        if acknowledged:
            by_settlement["acknowledged"].append(message)
            message.queue.acknowledge(message)
        elif requeue:
            by_settlement["requeued"].append(message)
        else:
            by_settlement["rejected"].append(message)
            message.queue.discard(message)
    for settlement, messages in by_settlement.items():
        channel.note(settlement, messages)
    channel.refill([message for _, message, _, _ in done.settled])
    requeue_all(by_settlement["requeued"])
    channel.send("tx.commit-ok")


def tx_rollback(channel: Channel) -> None:
    undone = _transaction(channel)
    channel.transaction = Transaction()
    undone.forget(channel.vhost.memory)
    channel.unsettle((tag, message) for tag, message, _, _ in undone.settled)
    channel.send("tx.rollback-ok")


def _transaction(channel: Channel) -> Transaction:
    if channel.transaction is None:
        raise _refused("channel is not transactional")
    return channel.transaction


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
