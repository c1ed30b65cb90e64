"""What becomes of a transfer: its delivery is put together, read, and routed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...errors import ProtocolError
from ..records import Headers
from ..state.dead_letters import VERY_WIDE
from . import mapping
from .addresses import LONGEST_NAME, BadAddress, target_v2
from .failures import (
    DECODE_ERROR,
    INVALID_FIELD,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    PRECONDITION_FAILED,
    RESOURCE_LIMIT,
    UNAUTHORIZED,
    LinkFailed,
    error,
    too_large,
)
from .links import Incoming, Partial
from .terms import term
from .wire import message
from .wire.message import Sections
from .wire.performatives import Composite
from .wire.values import Symbol, UInt

if TYPE_CHECKING:
    from ..state.routing import Route
    from .session import Session

_T = TypeVar("_T")
Outcomes = Generator[None, None, Composite | None]
"""Steps that end with an outcome."""
_SECOND: Final = 1
_RELEASED: Final = Composite("released", {})
_MODES: Final = ("unsettled", "settled", "mixed")
_MIXED: Final = 2


def collect(
    link: Incoming, fields: dict[str, Any], payload: bytes
) -> tuple[int, bool, bytes] | None:
    """Delivery id, settled or not, and the bytes of a delivery that is whole now.

    None while more of it is to come, or it was aborted. Raises LinkFailed or SessionFailed.
    """
    partial = link.partial
    if fields.get("aborted"):
        # "Aborted messages SHOULD be discarded by the recipient" (2.7.5).
        link.partial = None
        return None
    if partial is None:
        link.tag = fields.get("delivery_tag", b"")
        delivery = fields.get("delivery_id")
        if delivery is None:
            raise LinkFailed(INVALID_FIELD, "delivery-id is not set on the first transfer")
        partial = Partial(delivery, bool(fields.get("settled")), [], 0)
    else:
        _check_same(partial, fields)
    # A transfer of nothing costs its sender next to nothing: it is not kept.
    if payload:
        partial.pieces.append(payload)
    partial.size += len(payload)
    if partial.size > link.max_message:
        raise too_large(partial.size, link.max_message)
    if fields.get("more"):
        link.partial = partial
        return None
    settled = partial.settled
    if link.settles != _MIXED and settled != bool(link.settles):
        raise LinkFailed(
            INVALID_FIELD,
            f"sender settle mode is '{_MODES[link.settles]}' but transfer settled flag is "
            f"interpreted as being '{str(settled).lower()}'",
        )
    if fields.get("rcv_settle_mode") == _SECOND and not settled:
        raise LinkFailed(NOT_IMPLEMENTED, "rcv-settle-mode second not supported")
    return partial.delivery_id, settled, b"".join(partial.pieces)


def _check_same(partial: Partial, fields: dict[str, Any]) -> None:
    delivery = fields.get("delivery_id", partial.delivery_id)
    if delivery != partial.delivery_id:
        raise LinkFailed(
            INVALID_FIELD,
            f"delivery-id of continuation transfer ({term(UInt(delivery))}) differs from "
            f"delivery-id on first transfer ({partial.delivery_id})",
        )
    settled = fields.get("settled", partial.settled)
    if settled != partial.settled:
        raise LinkFailed(
            INVALID_FIELD,
            f"field 'settled' of continuation transfer ({str(settled).lower()}) differs from "
            "(interpreted) field 'settled' on first transfer "
            f"({str(partial.settled).lower()})",
        )


def publish(session: Session, link: Incoming, data: bytes, *, settled: bool) -> Outcomes:
    """Route a whole message; its outcome comes with the last step, None if it is accepted.

    Of one that is `settled` its client hears nothing but the end of its link.

    Raises LinkFailed, SessionFailed or RequestRefused, all of them before the first step.
    """
    try:
        sections = message.read(data)
    except ProtocolError as failure:
        raise LinkFailed(DECODE_ERROR, f"failed to parse message: {failure.text}") from None
    if session.vhost.profile.reserves_annotations:
        _check_annotations(sections)
    try:
        exchange, key = _place(session, link, sections)
    except Returned as returned:
        if settled:
            raise returned.failed(link.tag) from None
        return _at_once(Composite("rejected", {"error": error(returned.condition, returned.text)}))
    connection, vhost = session.connection, session.vhost
    _check_user(session, sections)
    keys = _more_keys(sections)
    properties = mapping.properties_of(sections)
    content = mapping.to_content(sections, properties, connection.max_payload)
    route = None if keys else vhost.route(exchange, key)
    if route is None or not route.valid:
        headers = Headers(properties.get("headers", {}), properties)
        route = vhost.route(exchange, key, headers, keys)
    vhost.topic_permissions.check(connection.user, "write", route.exchange, key)
    size, expiring = len(sections.body), "ttl" in sections.header
    if len(route.queues) > VERY_WIDE:
        steps = vhost.publishing(route, content, size, connection.client, expiring=expiring)
    else:
        deliver = vhost.publish_expiring if expiring else vhost.publish
        steps = _at_once(deliver(route, content, size, connection.client))
    return _reached(session, steps, route, data, (exchange, key))


def _check_annotations(sections: Sections) -> None:
    """Names that do not begin with x- are reserved (3.2.10)."""
    for name in (*sections.delivery, *sections.annotations):
        if not (isinstance(name, Symbol) and name.startswith("x-")):
            text = f"failed to parse message: {{reserved_annotation_key,{term(name)}}}"
            raise LinkFailed(DECODE_ERROR, text)


def _at_once(value: _T) -> Generator[None, None, _T]:
    """The steps of what is done already."""
    yield from ()
    return value


def _reached(
    session: Session,
    steps: Generator[None, None, int],
    route: Route,
    data: bytes,
    place: tuple[str, str],
) -> Outcomes:
    """What becomes of a message by the number of queues that it reaches."""
    reached = yield from steps
    connection = session.connection
    connection.published += 1
    if reached < 0 and not route.queues:
        # It was to be held for later, on a disk that takes nothing now.
        return _RELEASED
    if reached < 0:
        queue = route.queues[0].name
        info = {Symbol("queue"): queue, Symbol("reason"): Symbol("maxlen")}
        text = f"queue '{queue}' exceeded maximum length"
        return Composite("rejected", {"error": error(RESOURCE_LIMIT, text, info)})
    if reached or route.held:
        connection.unroutable.routed(data, b"", *place)
        return None
    connection.unroutable.add(data, b"", *place, returned=False)
    return _RELEASED


class Returned(Exception):
    """A message with an address of its own that leads nowhere: its link lives on."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text

    def failed(self, tag: bytes) -> LinkFailed:
        """As the end of its link, which says whose fault it was (2.2.2)."""
        return LinkFailed(self.condition, self.text, {Symbol("delivery-tag"): tag})


def _place(session: Session, link: Incoming, sections: Sections) -> tuple[str, str]:
    """Exchange and routing key of a message."""
    target = link.target
    if target.anonymous:
        return _anonymous(session, sections.properties.get("to"))
    if target.exchange not in session.vhost.exchanges:
        raise LinkFailed(
            NOT_FOUND, f"no exchange '{target.exchange}' in vhost '{session.vhost.name}'"
        )
    if target.routing_key is None:
        subject = str(sections.properties.get("subject", ""))
        if len(subject.encode()) > LONGEST_NAME:
            text = f"subject is no routing key: it has more than {LONGEST_NAME} bytes"
            raise LinkFailed(INVALID_FIELD, text)
        return target.exchange, subject
    return target.exchange, target.routing_key


def _anonymous(session: Session, to: Any) -> tuple[str, str]:
    """See OASIS' "Using the AMQP Anonymous Terminus", 2.2.2 on routing errors."""
    if not isinstance(to, str):
        raise Returned(PRECONDITION_FAILED, "anonymous terminus requires 'to' address to be set")
    try:
        found = target_v2(to)
    except BadAddress:
        raise Returned(PRECONDITION_FAILED, f"bad 'to' address string: {to}") from None
    session.connection.permit("write", "exchange", found.exchange)
    exchange = session.vhost.exchanges.get(found.exchange)
    if exchange is None:
        text = f"no exchange '{found.exchange}' in vhost '{session.vhost.name}'"
        raise Returned(NOT_FOUND, text)
    if exchange.internal:
        raise LinkFailed(UNAUTHORIZED, _internal(session, found.exchange))
    return found.exchange, found.routing_key or ""


def _internal(session: Session, exchange: str) -> str:
    return f"forbidden to publish to internal exchange '{exchange}' in vhost '{session.vhost.name}'"


def check_not_internal(session: Session, exchange: str) -> None:
    found = session.vhost.exchanges.get(exchange)
    if found is not None and found.internal:
        raise LinkFailed(UNAUTHORIZED, _internal(session, exchange))


def _check_user(session: Session, sections: Sections) -> None:
    claimed = sections.properties.get("user_id")
    user = session.connection.user
    if claimed is None or claimed == user.encode() or session.connection.impersonates:
        return
    raise LinkFailed(
        UNAUTHORIZED,
        f"user_id property set to '{claimed.decode(errors='replace')}' but authenticated user "
        f"was '{user}'",
    )


def _more_keys(sections: Sections) -> tuple[str, ...]:
    found: Any = sections.annotations.get(Symbol("x-cc"), [])
    if isinstance(found, list) and all(isinstance(key, str) for key in found):
        return tuple(map(str, found))
    raise LinkFailed(INVALID_FIELD, f"bad value for 'x-cc' message-annotation: {term(found)}")
