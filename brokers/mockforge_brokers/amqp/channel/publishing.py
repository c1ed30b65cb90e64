"""What a channel publishes: examined, routed, and confirmed or returned."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps
from ..codes import ReplyCode
from ..lint import CONFIRM_LOST
from ..state.dead_letters import VERY_WIDE
from ..state.routing import Route
from ..wire.frames import METHOD
from ..wire.methods import BY_NAME, decode
from ..wire.properties import FLAG_REPLY_TO
from .headers import Extra, examine, read_headers
from .permissions import permit
from .publication import Publication, Uncommitted
from .transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..records import Alike, Parts
    from .channel import Channel

_PUBLISH: Final = BY_NAME["basic.publish"]
_ACK: Final = BY_NAME["basic.ack"].prefix
_ack: Final = struct.Struct(">BHI4sQB1s")

_WIDE: Final = 8
"""Queues of a publish that is looked at by itself, since it takes its time."""


class Publishing:
    """The publisher's side of one channel.

    `confirming`: the channel is in confirm mode. `confirms` is the number of the last publish that
    was confirmed, `unconfirmed` counts those behind it: all of a burst are confirmed as one.
    """

    __slots__ = (
        "_channel",
        "_last",
        "_line",
        "_out",
        "_source",
        "_vhost",
        "confirming",
        "confirms",
        "unconfirmed",
    )

    def __init__(self, channel: Channel) -> None:
        line = channel.line
        self._channel = channel
        self._line = line
        self._out = line.out
        self._vhost = line.vhost
        self._source = line.client
        self.confirming = False
        self.confirms = 0
        self.unconfirmed = 0
        self._last: Publication | None = None

    def repeats(self, frame: bytes) -> bool:
        """Whether it is what `publication` was asked of last, and needs no decoding."""
        return self._last is not None and self._last.frame == frame

    def publication(self, frame: bytes) -> Publication:
        """What a basic.publish frame asks for; raises RequestRefused or ProtocolError."""
        if self._last is not None and self.repeats(frame):
            return self._last
        values = decode(_PUBLISH, frame[7:-1])
        if values["immediate"]:
            raise ProtocolError("immediate=true", ReplyCode.NOT_IMPLEMENTED)
        exchange, routing_key = values["exchange"], values["routing_key"]
        made = Publication(frame, self._channel, exchange, routing_key, values["mandatory"])
        self._last = made
        return made

    def examine(self, publication: Publication, header: bytes, flags: int) -> Extra | None:
        """Check a content header's frame, for `publish`; raises RequestRefused or ProtocolError."""
        route = publication.route
        if route is None or not route.valid:
            route = self._route(publication)
        reply_to = self._channel.reply_to if flags & FLAG_REPLY_TO else ""
        line = self._line
        user = None if line.agreement.impersonates else line.user
        profile = self._vhost.profile
        return examine(header, flags, user, reply_to, profile, read_headers=not route.valid)

    def publish(
        self, publication: Publication, content: bytes, size: int, extra: Extra | None
    ) -> None:
        """Take a message: `content` its raw frames, `size` its body's bytes.

        `extra` is what `examine` said of its header. Raises RequestRefused.
        """
        transaction = self._channel.transaction
        if transaction is not None:
            # What may not be published is refused now, not by tx.commit.
            way, made = self._read(publication, content, extra)
            self._keep(transaction, Uncommitted(publication, way, content, made, size, extra))
            return
        route = publication.route
        came = content
        if extra is not None or route is None or not route.valid:
            route, content = self._read(publication, content, extra)
        elif route.alone is not None and not publication.unroutable:
            # As `_hand_on` and `VirtualHost.publish`, written out for the way of most messages.
            route.exchange.published += 1
            route.alone.enqueue(route, content, size)
            if self._vhost.rejected:
                self._vhost.rejected = False
                self._rejected()
            elif self.confirming:
                self.unconfirmed = count = self.unconfirmed + 1
                if count == 1:
                    self._line.unconfirmed.append(self)
            return
        if len(route.queues) > VERY_WIDE:
            # Also where its own header led it there: who reads the burst looks at the time now,
            # and hands nothing on before what there was no time for.
            publication.wide = True
            self._line.begin(self._publishing(publication, route, came, content, size, extra))
        else:
            self._hand_on(publication, route, came, content, size, extra)

    def takes_all(self, publication: Publication) -> bool:
        """Whether the next ones are for `publish_all`: each goes the way of most messages."""
        route = publication.route
        return (
            self._channel.transaction is None
            and route is not None
            and route.valid
            and route.alone is not None
            and route.alone.takes_all
            and not publication.unroutable
        )

    def takes_parts(self, publication: Publication) -> bool:
        """Whether the next ones are for `publish_parts`, where they are large."""
        route = publication.route
        return (
            self.takes_all(publication)
            and route is not None
            and route.alone is not None
            and route.alone.takes_parts
        )

    def publish_all(self, publication: Publication, alike: Alike, size: int) -> None:
        """`publish` each of these, of which the headers ask for nothing."""
        route = publication.route
        assert route is not None
        assert route.alone is not None
        route.alone.enqueue_all(route, alike, size)
        self._published_all(route, len(alike.contents))

    def publish_parts(self, publication: Publication, contents: Sequence[Parts], size: int) -> None:
        """As `publish_all`, of what nobody copied yet."""
        route = publication.route
        assert route is not None
        assert route.alone is not None
        route.alone.enqueue_parts(route, contents, size)
        self._published_all(route, len(contents))

    def _published_all(self, route: Route, count: int) -> None:
        route.exchange.published += count
        if self.confirming:
            if not self.unconfirmed:
                self._line.unconfirmed.append(self)
            self.unconfirmed += count

    def _keep(self, transaction: Transaction, uncommitted: Uncommitted) -> None:
        """Raises RequestRefused where all publishers would wait for commits, and these for them.

        Who waits is not read, so no commit of theirs either: what all open transactions have
        together must leave the half that lets publishers go on.
        """
        memory = self._vhost.memory
        weight = memory.uncommitted + uncommitted.weight
        if weight > memory.limit // 2:
            raise RequestRefused(
                ReplyCode.PRECONDITION_FAILED,
                f"the publishes of all open transactions take {weight} bytes, more than half of "
                f"amqp_memory ({memory.limit}): commit more often, or raise the limit",
            )
        transaction.add(uncommitted, memory)

    def committing(self, transaction: Transaction) -> Steps:
        """Take the messages of a transaction, each one after all queues have the one before."""
        while transaction.publishes:
            yield from self._committing(transaction.take(self._vhost.memory))
            yield

    def _committing(self, uncommitted: Uncommitted) -> Steps:
        """Take one (asked of RabbitMQ 3.10.8).

        It goes where the bindings led when it was published, to those queues that are there now;
        the default exchange has no bindings, and looks for its queue now.
        """
        publication, before, came, content, size, extra = uncommitted
        if publication.exchange:
            route = before.to(self._vhost.queues)
        else:
            # The right to it was asked when it was published: nothing is refused in a commit.
            more = (extra.headers, extra.keys) if extra is not None and extra.keys else ()
            route = self._vhost.route("", publication.routing_key, *more)
        if len(route.queues) > VERY_WIDE:
            yield from self._publishing(publication, route, came, content, size, extra)
        else:
            self._hand_on(publication, route, came, content, size, extra)

    def _hand_on(
        self,
        publication: Publication,
        route: Route,
        came: bytes,
        content: bytes,
        size: int,
        extra: Extra | None,
    ) -> None:
        if extra is not None and extra.expiration >= 0:
            reached = self._vhost.publish_expiring(route, content, size, self._source)
        else:
            reached = self._vhost.publish(route, content, size, self._source)
        self._published(publication, route, reached, came, content)

    def _publishing(
        self,
        publication: Publication,
        route: Route,
        came: bytes,
        content: bytes,
        size: int,
        extra: Extra | None,
    ) -> Steps:
        """To so many queues that others must come between."""
        expiring = extra is not None and extra.expiration >= 0
        steps = self._vhost.publishing(route, content, size, self._source, expiring=expiring)
        reached = yield from steps
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
            self._line.unroutable.routed(publication.frame, came, exchange, routing_key)
        if self.confirming:
            self.unconfirmed += 1
            if self.unconfirmed == 1:
                self._line.unconfirmed.append(self)

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
            route = self._vhost.route(exchange, routing_key, extra.headers, extra.keys)
        return route, extra.header + content[extra.taken :] if extra.header else content

    def _route(self, publication: Publication) -> Route:
        route = publication.route
        if route is None or not route.valid:
            if self._line.guard is not None:
                permit(self._line, "write", "exchange", publication.exchange)
            route = self._vhost.route(publication.exchange, publication.routing_key)
            if route.exchange.internal:
                name = route.exchange.name
                raise RequestRefused(
                    ReplyCode.ACCESS_REFUSED,
                    f"cannot publish to internal exchange '{name}' in vhost '{self._vhost.name}'",
                )
            keys = self._vhost.topic_permissions
            keys.check(self._line.user, "write", route.exchange, publication.routing_key)
            publication.route = route
            if self._is_reply(publication):
                publication.unroutable = True
            publication.wide = not route.valid or len(route.queues) > _WIDE
        return route

    def _is_reply(self, publication: Publication) -> bool:
        return not publication.exchange and publication.routing_key in self._vhost.replies

    def _rejected(self) -> None:
        """A queue refused the message for its length: the publisher gets a nack, if anything."""
        if self.confirming:
            self.confirm()
            self.confirms += 1
            # RabbitMQ's own bits: all before it were confirmed, and requeue has no meaning here.
            self._channel.send(
                "basic.nack", delivery_tag=self.confirms, multiple=True, requeue=True
            )

    def _unroutable(self, publication: Publication, came: bytes, content: bytes) -> None:
        """Nobody gets it: return it to its publisher, if that was asked for."""
        exchange, routing_key = publication.exchange, publication.routing_key
        publication.unroutable = True
        unroutable = self._line.unroutable
        unroutable.add(
            publication.frame, came, exchange, routing_key, returned=publication.mandatory
        )
        lost = self.confirming and not publication.mandatory
        if lost and unroutable.confirmed(exchange, routing_key):
            what = f"a message to exchange '{exchange}' with key '{routing_key}' reached no queue"
            self._channel.lint(CONFIRM_LOST, f"{what} and was confirmed")
        if publication.mandatory:
            self._return(publication, content)

    def _return(self, publication: Publication, content: bytes) -> None:
        self._channel.send(
            "basic.return",
            reply_code=ReplyCode.NO_ROUTE,
            reply_text="NO_ROUTE",
            exchange=publication.exchange,
            routing_key=publication.routing_key,
        )
        self._out.append(content)

    def confirm(self) -> None:
        """Send the confirms that are owed, as one."""
        count = self.unconfirmed
        if count and not self._channel.closing:
            self.confirms += count
            self.unconfirmed = 0
            self._out.append(_acknowledgement(self._channel.number, self.confirms, count > 1))
            self._line.counts.confirmed += 1


def _acknowledgement(channel: int, tag: int, multiple: bool) -> bytes:
    return _ack.pack(METHOD, channel, 13, _ACK, tag, multiple, b"\xce")
