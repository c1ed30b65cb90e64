"""A channel: publishes in, deliveries unacked, acknowledgements back, confirms owed."""

import struct
from typing import Any, Final

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps
from ..codes import ReplyCode
from ..events import ConsumerEnded, MessagesRequeued
from ..state.consumer import Consumer
from ..state.message import Message
from ..state.queues.queue import Queue, by_queue, requeue_all
from ..state.queues.stream import StreamQueue
from ..state.queues.timed_out import TimedOut
from ..state.routing import Route
from ..wire.frames import METHOD, method
from ..wire.methods import BY_NAME, decode
from .headers import Extra, examine, read_headers
from .line import Line
from .publication import Publication
from .transaction import Transaction

AMQP: Final = "amqp"
_PUBLISH: Final = BY_NAME["basic.publish"]
_ack = struct.Struct(">BHI4sQB1s")

_WIDE: Final = 8
"""Queues of a publish that is looked at by itself, since it takes its time."""
_VERY_WIDE: Final = 256
"""Queues of a publish that may take several turns of the loop."""


class Channel:
    """One channel of one connection. Method handlers (methods.py) and deliveries act on it.

    `closing`: our channel.close is sent, all but its answer is ignored (AMQP 1.5.2.5).
    `assembling`: a publish came without all of its content.
    `limit` is the common prefetch of all consumers, `prefetch` that of consumers to come; `unacked`
    counts the unacknowledged deliveries to consumers (not basic.get's), while there is a limit.
    """

    __slots__ = (
        "assembling",
        "closing",
        "confirming",
        "confirms",
        "consumers",
        "last_queue",
        "last_served",
        "last_tag",
        "limit",
        "line",
        "number",
        "out",
        "outstanding",
        "prefetch",
        "replies",
        "source",
        "transaction",
        "unacked",
        "unconfirmed",
        "vhost",
    )

    def __init__(self, number: int, line: Line) -> None:
        self.number = number
        self.line = line
        self.out = line.out
        self.vhost = line.vhost
        self.source = line.client
        self.closing = False
        self.assembling = False
        self.consumers: dict[str, Consumer] = {}
        self.unacked: dict[int, Message] = {}
        self.last_tag = 0
        self.last_queue = ""
        self.prefetch = 0
        self.limit = 0
        self.outstanding = 0
        self.last_served: Consumer | None = None
        self.confirming = False
        self.confirms = 0
        self.unconfirmed = 0
        self.transaction: Transaction | None = None
        self.replies: Consumer | None = None

    @property
    def ready(self) -> bool:
        """It may take a method."""
        return not (self.closing or self.assembling)

    @property
    def reply_to(self) -> str:
        """What direct reply-to stands for on this channel, while it consumes its replies."""
        replies = self.replies
        return replies.queue.name if replies is not None and not replies.queue.gone else ""

    def send(self, name: str, **values: Any) -> None:
        """Append a method's frame to the connection's output."""
        self.out.append(method(self.number, name, **values))

    # Publishing.

    def publication(self, frame: bytes) -> Publication:
        """What a basic.publish frame asks for; raises RequestRefused or ProtocolError."""
        values = decode(_PUBLISH, frame[7:-1])
        if values["immediate"]:
            raise ProtocolError("immediate=true", ReplyCode.NOT_IMPLEMENTED)
        return Publication(
            frame, self, values["exchange"], values["routing_key"], values["mandatory"]
        )

    def examine(self, publication: Publication, header: bytes, flags: int) -> Extra | None:
        """Check a content header's frame, for `publish`; raises RequestRefused or ProtocolError."""
        route = self._route(publication)
        headers = not route.valid
        return examine(header, flags, self.line.user, self.reply_to, read_headers=headers)

    def publish(
        self, publication: Publication, content: bytes, size: int, extra: Extra | None
    ) -> None:
        """Take a message: `content` its raw frames, `size` its body's bytes.

        `extra` is what `examine` said of its header. Raises RequestRefused.
        """
        if self.transaction is not None:
            self._route(publication)
            self.transaction.publishes.append((publication, content, size, extra))
            return
        route = publication.route
        came = content
        if extra is not None or route is None or not route.valid:
            route, content = self._read(publication, content, extra)
        if extra is not None and extra.expiration >= 0:
            reached = self.vhost.publish_expiring(route, content, size, self.source)
        elif len(route.queues) > _VERY_WIDE:
            self.line.begin(self._publishing(publication, route, came, content, size))
            return
        else:
            reached = self.vhost.publish(route, content, size, self.source)
        self._published(publication, route, reached, came, content)

    def _publishing(
        self, publication: Publication, route: Route, came: bytes, content: bytes, size: int
    ) -> Steps:
        """To so many queues that others must come between."""
        reached = yield from self.vhost.publishing(route, content, size, self.source)
        self._published(publication, route, reached, came, content)

    def _published(
        self, publication: Publication, route: Route, reached: int, came: bytes, content: bytes
    ) -> None:
        if reached <= 0:
            if reached:
                # Below 0: a queue refused it.
                self._rejected()
                return
            if publication.mandatory or not route.held:
                self._unroutable(publication, came, content)
        elif publication.unroutable and self._is_reply(publication):
            # To RabbitMQ a reply is never routed: it is delivered, and a mandatory one returned.
            if publication.mandatory:
                self._return(publication, content)
        elif publication.unroutable:
            publication.unroutable = False
            exchange, routing_key = publication.exchange, publication.routing_key
            self.line.unroutable.routed(publication.frame, came, exchange, routing_key)
        if self.confirming:
            self.unconfirmed += 1
            if self.unconfirmed == 1:
                self.line.unconfirmed.append(self)

    def _read(
        self, publication: Publication, content: bytes, extra: Extra | None
    ) -> tuple[Route, bytes]:
        """The route of a message whose properties have a say in it."""
        route = self._route(publication)
        if extra is None:
            if route.valid:
                return route, content
            extra = Extra(read_headers(content))
        if extra.keys or not route.valid:
            exchange, routing_key = publication.exchange, publication.routing_key
            route = self.vhost.route(exchange, routing_key, extra.headers, extra.keys)
        return route, extra.header + content[extra.taken :] if extra.header else content

    def _route(self, publication: Publication) -> Route:
        route = publication.route
        if route is None or not route.valid:
            if self.line.guard is not None:
                self.permit("write", "exchange", publication.exchange)
            route = self.vhost.route(publication.exchange, publication.routing_key)
            if route.exchange.internal:
                name = route.exchange.name
                raise RequestRefused(
                    ReplyCode.ACCESS_REFUSED,
                    f"cannot publish to internal exchange '{name}' in vhost '{self.vhost.name}'",
                )
            keys = self.vhost.topic_permissions
            keys.check(self.line.user, "write", route.exchange, publication.routing_key)
            publication.route = route
            if self._is_reply(publication):
                publication.unroutable = True
            publication.wide = not route.valid or len(route.queues) > _WIDE
        return route

    def _is_reply(self, publication: Publication) -> bool:
        return not publication.exchange and publication.routing_key in self.vhost.replies

    def _rejected(self) -> None:
        """A queue refused the message for its length: the publisher gets a nack, if anything."""
        if self.confirming:
            self.confirm()
            self.confirms += 1
            # RabbitMQ's own bits: all before it were confirmed, and requeue has no meaning here.
            self.send("basic.nack", delivery_tag=self.confirms, multiple=True, requeue=True)

    def _unroutable(self, publication: Publication, came: bytes, content: bytes) -> None:
        """Nobody gets it: return it to its publisher, if that was asked for."""
        exchange, routing_key = publication.exchange, publication.routing_key
        publication.unroutable = True
        self.line.unroutable.add(
            publication.frame, came, exchange, routing_key, returned=publication.mandatory
        )
        if publication.mandatory:
            self._return(publication, content)

    def _return(self, publication: Publication, content: bytes) -> None:
        self.send(
            "basic.return",
            reply_code=ReplyCode.NO_ROUTE,
            reply_text="NO_ROUTE",
            exchange=publication.exchange,
            routing_key=publication.routing_key,
        )
        self.out.append(content)

    def confirm(self) -> None:
        """Send the confirms that are owed, as one."""
        count = self.unconfirmed
        if count and not self.closing:
            self.confirms += count
            self.unconfirmed = 0
            self.out.append(_acknowledgement(self.number, self.confirms, count > 1))

    def lint(self, name: str, what: str) -> None:
        """Report what some release of RabbitMQ does not take (profiles.OUTDATED)."""
        self.line.lint.report(self.line.id, self.line.client, name, what)

    def permit(self, operation: str, kind: str, name: str) -> None:
        """Raise RequestRefused (403) where the user may not do this with a queue or exchange."""
        guard, vhost = self.line.guard, self.vhost.name
        name = name or "amq.default"
        if guard is not None and guard.denial(operation, f"{vhost}:{name}"):
            user = self.line.user
            raise RequestRefused(
                ReplyCode.ACCESS_REFUSED,
                f"access to {kind} '{name}' in vhost '{vhost}' refused for user '{user}'",
            )

    # Deliveries and what comes back.

    def await_ack(self, tag: int, message: Message) -> None:
        """A message goes out under this delivery tag and must be acknowledged."""
        self.unacked[tag] = message
        if self.limit and message.consumer is not None:
            self.outstanding += 1
            self.last_served = message.consumer
            if self.outstanding >= self.limit:
                self.refresh()

    def holds(self, consumer: Consumer) -> bool:
        """Whether this consumer has deliveries that are not settled, or only until tx.commit."""
        if any(message.consumer is consumer for message in self.unacked.values()):
            return True
        settled = self.transaction.settled if self.transaction is not None else ()
        return any(message.consumer is consumer for _, message, _, _ in settled)

    def take_unacked(self, tag: int, multiple: bool) -> list[tuple[int, Message]]:
        """What was unacked under one tag, or up to it (0: all); raises RequestRefused (406)."""
        unacked = self.unacked
        if not multiple:
            message = unacked.pop(tag, None)
            if message is None:
                raise _unknown(tag)
            back = [(tag, message)]
        elif tag and tag not in unacked:
            raise _unknown(tag)
        # Tags only grow, so the newest one means all of them: no search.
        elif not tag or next(reversed(unacked)) == tag:
            back = list(unacked.items())
            unacked.clear()
        else:
            keys = []
            for key in unacked:
                keys.append(key)
                if key == tag:
                    break
            back = [(key, unacked.pop(key)) for key in keys]
        return back

    def settle(self, tag: int, multiple: bool, *, acknowledged: bool, requeue: bool) -> None:
        """basic.ack, nack and reject."""
        back = self.take_unacked(tag, multiple)
        if not acknowledged:
            for _, message in back:
                if isinstance(message.queue, StreamQueue):
                    raise message.queue.unsupported("basic.nack and basic.reject")
        if self.transaction is not None:
            # Out of the unacked from here on, and back among them by tx.rollback: who rolls back
            # may acknowledge them once more, as with RabbitMQ.
            for key, message in back:
                self.transaction.settled.append((key, message, acknowledged, requeue))
            return
        if requeue:
            self.refill([message for _, message in back])
            requeue_all([message for _, message in back])
            return
        if acknowledged:
            self._done_with(back)
            return
        for _, message in back:
            message.queue.discard(message)
        self.refill([message for _, message in back])

    def _done_with(self, back: list[tuple[int, Message]]) -> None:
        """These are acknowledged: counted by queue and consumer, of which there are few."""
        groups: dict[tuple[Queue, Consumer | None], list[Message]] = {}
        for _, message in back:
            key = message.queue, message.consumer
            group = groups.get(key)
            if group is None:
                groups[key] = [message]
            else:
                group.append(message)
        for (queue, consumer), messages in groups.items():
            number = len(messages)
            queue.acknowledge_all(messages, sum([message.size for message in messages]))
            if consumer is not None:
                consumer.credit += number
                if self.limit:
                    self.outstanding -= number
                if consumer.credit <= number:
                    self.line.refilled.append(consumer)
        if self.limit:
            self.line.relieved.append(self)

    def acknowledge(self, tags: list[int]) -> None:
        """basic.ack of single deliveries, the frequent case."""
        if self.transaction is not None:
            for tag in tags:
                self.settle(tag, False, acknowledged=True, requeue=False)
            return
        take = self.unacked.pop
        outstanding = self.outstanding
        for tag in tags:
            message = take(tag, None)
            if message is None:
                raise _unknown(tag)
            message.queue.acknowledge(message)
            consumer = message.consumer
            if consumer is not None:
                outstanding -= 1
                consumer.credit = credit = consumer.credit + 1
                # It was out of the rotation. It goes back at the end of the burst, when all its
                # acknowledgements are counted.
                if credit == 1:
                    self.line.refilled.append(consumer)
        if self.limit:
            self.outstanding = outstanding
            self.line.relieved.append(self)

    def recover(self) -> None:
        """Put all that is unacknowledged back into its queue."""
        messages = list(self.unacked.values())
        self.unacked.clear()
        self.refill(messages)
        requeue_all(messages)

    def refill(self, messages: list[Message]) -> None:
        """The consumers of these messages have credit again, from the end of this burst on."""
        outstanding = self.outstanding
        for message in messages:
            consumer = message.consumer
            if consumer is not None:
                outstanding -= 1
                consumer.credit += 1
                if consumer.credit == 1:
                    self.line.refilled.append(consumer)
        if self.limit:
            self.outstanding = outstanding
            self.line.relieved.append(self)

    def refresh(self) -> None:
        """Let the consumers go on, or stop them, as connection and common prefetch want it."""
        for consumer in self._in_turn():
            if self.line.flowing and not (self.limit and self.outstanding >= self.limit):
                consumer.queue.resume(consumer)
            else:
                consumer.queue.pause(consumer)

    def set_limit(self, limit: int) -> None:
        """Change the common prefetch; 0 lifts it.

        What basic.get took and is unacked when it begins counts for good, as at RabbitMQ, whose
        source calls that "pretty obscure though"; what it takes later does not.
        """
        if not self.limit:
            self.outstanding = len(self.unacked)
        self.limit = limit
        self.refresh()

    def _in_turn(self) -> list[Consumer]:
        """The consumers, so that room under the common limit goes round: after the last served."""
        consumers = list(self.consumers.values())
        if self.limit and self.last_served in consumers:
            after = consumers.index(self.last_served) + 1
            return consumers[after:] + consumers[:after]
        return consumers

    # Names and ends.

    def queue_name(self, name: str) -> str:
        """A queue's name as the client gave it; empty means the one it declared last."""
        if name:
            return name
        if not self.last_queue:
            raise RequestRefused(ReplyCode.NOT_FOUND, "no previously declared queue")
        return self.last_queue

    def queue(self, name: str) -> Queue:
        return self.vhost.queue(self.queue_name(name), self.line.id)

    def new_name(self, prefix: str) -> str:
        """`amq.gen-` or `amq.ctag-` with 22 random characters, as RabbitMQ makes them."""
        return self.vhost.new_name(prefix)

    def consumer_cancelled(self, tag: str, reason: str) -> None:
        """The broker ended a consumer: tell the client if it wants to know."""
        consumer = self.consumers.pop(tag)
        if self.line.cancel_notify and not self.closing:
            if not self.out:
                self.line.peer.wake()
            self.send("basic.cancel", consumer_tag=tag, no_wait=True)
        self.ended(consumer, reason)

    def ended(self, consumer: Consumer, reason: str) -> None:
        queue = consumer.queue.name
        self.line.spine.emit(
            ConsumerEnded(AMQP, self.line.id, self.number, queue, consumer.tag, reason)
        )

    def outstanding_messages(self) -> list[Message]:
        """What it has unacked, also what it settled in a transaction that is not committed.

        What timed out is its queue's again.
        """
        messages = list(self.unacked.values())
        if self.transaction is not None:
            messages += [message for _, message, _, _ in self.transaction.settled]
        return [each for each in messages if not isinstance(each.queue, TimedOut)]

    def stop(self) -> None:
        """Its consumers get nothing any more; `ending` does the rest."""
        self.closing = True
        for consumer in self.consumers.values():
            consumer.queue.pause(consumer)

    def end(self, reason: str) -> None:
        """The channel is over: its consumers end, what it has unacked is ready again."""
        self.stop()
        self.line.chores.do(self.ending(reason))

    def ending(self, reason: str) -> Steps:
        """The steps of `end`: there may be thousands of consumers and of messages."""
        messages = self.outstanding_messages()
        self.unacked.clear()
        while self.consumers:
            # A queue that ends with its last consumer takes others of this channel along.
            consumer = self.consumers.pop(next(iter(self.consumers)))
            self.vhost.cancel(consumer)
            self.ended(consumer, reason)
            yield
        for queue, group in by_queue(messages).items():
            yield from queue.requeuing(group, ended=True)
            self.line.spine.emit(MessagesRequeued(AMQP, queue.name, len(group), reason))


_ACK: Final = BY_NAME["basic.ack"].prefix


def _acknowledgement(channel: int, tag: int, multiple: bool) -> bytes:
    return _ack.pack(METHOD, channel, 13, _ACK, tag, multiple, b"\xce")


def _unknown(tag: int) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, f"unknown delivery tag {tag}")
