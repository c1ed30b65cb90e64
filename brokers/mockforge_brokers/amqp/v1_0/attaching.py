"""How links come about: a terminus is looked up, or made, and answered as RabbitMQ 4 answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..profiles import ADDRESS_V1
from ..records import Field, Table
from ..state.consumer import Consumer
from ..state.queues.queue import Queue
from ..state.queues.quorum import QuorumQueue
from . import addresses
from .addresses import MANAGEMENT, BadAddress, Source, Target
from .failures import (
    INVALID_FIELD,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    LinkFailed,
    SessionFailed,
)
from .filters import read as read_filters
from .links import LINK_CREDIT, Incoming, Outgoing
from .management_links import attach as attach_management
from .publishing import check_not_internal
from .terms import term
from .wire.performatives import Composite
from .wire.values import Described, Symbol, UInt, array_of_symbols

if TYPE_CHECKING:
    from .session import Session

_FILTERS: Final = ("AMQP_FILTEX_PROP_V1_0", "AMQP_FILTEX_SQL_V1_0")
"""What RabbitMQ 4.2 says of a stream's receivers: both kinds of filter expressions are read."""
_SETTLED: Final = 1
_MIXED: Final = 2
_SECOND: Final = 1
OUTCOMES: Final = (
    "amqp:accepted:list",
    "amqp:rejected:list",
    "amqp:released:list",
    "amqp:modified:list",
)
_TEMPORARY: Final = "temporary-queue"
_VOLATILE: Final = "rabbitmq:volatile-queue"
"""The capability of direct reply-to (RabbitMQ 4.2): a name for replies, and no queue."""
_LONG_NAMES: Final = 150


def attach(session: Session, fields: dict[str, Any]) -> None:
    """Raises LinkFailed, RequestRefused or SessionFailed."""
    _check(fields)
    receives = fields["role"]
    terminus = fields.get("source" if receives else "target")
    managing = terminus is not None and terminus.get("address") == MANAGEMENT
    if managing and (receives or fields.get("snd_settle_mode") == _SETTLED):
        attach_management(session, fields)
    elif receives:
        _attach_outgoing(session, fields)
    else:
        _attach_incoming(session, fields)


def _check(fields: dict[str, Any]) -> None:
    target = fields.get("target")
    if isinstance(target, Composite) and target.name == "coordinator":
        raise LinkFailed(NOT_IMPLEMENTED, "Transactions not supported")
    if fields.get("unsettled") or fields.get("incomplete_unsettled"):
        raise LinkFailed(NOT_IMPLEMENTED, "Link recovery not supported")
    for name in ("source", "target"):
        found = fields.get(name)
        if found is not None and not (isinstance(found, Composite) and found.name == name):
            raise LinkFailed(INVALID_FIELD, f"Attach refused: {name} is none")
    if fields.get("snd_settle_mode", _MIXED) > _MIXED:
        raise LinkFailed(INVALID_FIELD, "Attach refused: snd-settle-mode is none of 0, 1 and 2")
    second = fields.get("rcv_settle_mode") == _SECOND
    if second and fields.get("snd_settle_mode") != _SETTLED:
        raise LinkFailed(NOT_IMPLEMENTED, "rcv-settle-mode second not supported")


# The client sends.


def _attach_incoming(session: Session, fields: dict[str, Any]) -> None:
    asked = fields.get("target") or Composite("target", {})
    dynamic = ""
    if asked.get("dynamic"):
        dynamic = _make_temporary(session, fields["name"], asked, "target")
        target = Target("", dynamic, dynamic)
        asked = Composite("target", _temporary(dynamic))
    else:
        target = _target(session, asked)
    settles = fields.get("snd_settle_mode", _MIXED)
    count = fields.get("initial_delivery_count", 0)
    most = session.connection.max_message
    link = Incoming(fields["name"], fields["handle"], target, settles, count, most)
    link.dynamic = dynamic
    link.address = asked.get("address")
    session.links.incoming[link.handle] = link
    session.connection.name_link(session.number, link.handle, _shown(target), incoming=True)
    session.reply(
        "attach",
        name=link.name,
        handle=link.handle,
        role=True,
        snd_settle_mode=fields.get("snd_settle_mode"),
        rcv_settle_mode=0,
        source=fields.get("source"),
        target=asked,
        max_message_size=most,
        offered_capabilities=_FILTERS if _is_stream(session, target) else None,
    )
    session.send_flow(handle=link.handle, delivery_count=count, link_credit=LINK_CREDIT)


def _is_stream(session: Session, target: Target) -> bool:
    queue = session.vhost.queues.get(target.queue)
    return queue is not None and queue.kind == "stream"


def _shown(target: Target) -> tuple[str, str]:
    """Exchange and routing key, as rows show them; a message's own address is not known here."""
    return target.exchange, target.routing_key or ""


def _target(session: Session, asked: Composite) -> Target:
    address = asked.get("address")
    try:
        target = addresses.target(address, version_1=_takes_version_1(session, address))
    except BadAddress as bad:
        raise LinkFailed(INVALID_FIELD, f"Attach refused: {bad}") from None
    if target.anonymous:
        return target
    if target.queue:
        _find_queue(session, target.queue, asked, declare=target.declare)
    session.connection.permit("write", "exchange", target.exchange)
    if target.exchange not in session.vhost.exchanges:
        raise _missing(session, "exchange", target.exchange)
    check_not_internal(session, target.exchange)
    return target


def _takes_version_1(session: Session, address: Any) -> bool:
    """Whether an address of version 1 would be taken; lint hears of one."""
    if address is not None and not addresses.is_v2(address):
        session.connection.lint(ADDRESS_V1, f"a link's address is {address!r}")
    return not session.vhost.profile.refuses(ADDRESS_V1)


def _missing(session: Session, kind: str, name: str) -> LinkFailed:
    return LinkFailed(NOT_FOUND, f"no {kind} '{name}' in vhost '{session.vhost.name}'")


def _find_queue(session: Session, name: str, asked: Composite, *, declare: bool) -> None:
    """It is there, or, by an address of version 1, is made."""
    if name in session.vhost.queues or name in session.vhost.replies:
        return
    if not declare:
        raise _missing(session, "queue", name)
    session.connection.permit("configure", "queue", name)
    session.vhost.declare_queue(
        name, durable=bool(asked.get("durable")), connection=session.connection.id
    )


def _make_temporary(session: Session, link: str, asked: Composite, what: str) -> str:
    """A dynamic node is an exclusive queue that ends with its link; other kinds are not served."""
    if _TEMPORARY not in asked.get("capabilities", ()) or asked.get("address") is not None:
        raise LinkFailed(
            NOT_IMPLEMENTED,
            f"Dynamic {what} not supported: it needs capability {_TEMPORARY}, and no address",
        )
    container = session.connection.handshake.container
    names = f"{container}-{link}"
    prefix = f"amq.dyn-{names}-" if len(names.encode()) < _LONG_NAMES else "amq.dyn.gen-"
    name = session.vhost.new_name(prefix)
    session.connection.permit("configure", "queue", name)
    if what == "source":
        session.connection.permit("read", "queue", name)
    session.vhost.declare_queue(
        name, exclusive=True, connection=session.connection.id, server_named=True
    )
    return name


def _replies(session: Session, asked: Composite, *, settled: bool) -> Queue | None:
    """Where the replies to one link go; None where it asks for another node than that."""
    if _VOLATILE not in asked.get("capabilities", ()) or not settled:
        return None
    kept = asked.get("durable") or asked.get("timeout") or asked.get("address") is not None
    if kept or asked.get("expiry_policy") != "link-detach":
        return None
    replies = session.vhost.open_replies(session.connection.id)
    try:
        session.connection.permit("read", "queue", replies.name)
    except SessionFailed:
        session.vhost.close_replies(replies)
        raise
    return replies


def _temporary(queue: str, capability: str = _TEMPORARY) -> dict[str, Any]:
    """The fields of a terminus that was made for its link (figure 2.34)."""
    return {
        "address": addresses.queue_address(queue),
        "durable": 0,
        "expiry_policy": "link-detach",
        "timeout": 0,
        "dynamic": True,
        "dynamic_node_properties": {
            Symbol("lifetime-policy"): Described(Symbol("amqp:delete-on-close:list"), []),
            Symbol("supported-dist-modes"): array_of_symbols(("move",)),
        },
        "capabilities": (capability,),
    }


# The client receives.


def _attach_outgoing(session: Session, fields: dict[str, Any]) -> None:
    asked = fields.get("source")
    if asked is None:
        raise LinkFailed(INVALID_FIELD, "Attach refused: source_required")
    # All that may refuse the link is asked before there is anything of it.
    outcomes = _outcomes(asked)
    filters = read_filters(
        asked.get("filter"),
        session.vhost.clock.wall,
        undescribed=session.vhost.profile.takes_undescribed_filters,
    )
    arguments = filters.arguments | _arguments(fields.get("properties") or {})
    settled = fields.get("snd_settle_mode") == _SETTLED
    queue, terminus, dynamic = _node(session, fields["name"], asked, settled=settled)
    most = fields.get("max_message_size", 0)
    link = Outgoing(session, fields["name"], fields["handle"], settled=settled, max_message=most)
    link.dynamic = dynamic
    link.address, link.filters = terminus.get("address"), filters.kept
    if filters.malformed:
        who = f"receiver '{link.name}' of queue '{queue.name}' in vhost '{session.vhost.name}'"
        what = f"its SQL filter is not in force, it gets all messages: {filters.malformed}"
        session.vhost.warned.report(who, what)
    consumer = link.consumer = Consumer(
        link.name,
        queue,
        link,
        connection=session.connection.id,
        no_ack=settled,
        # A stream wants a limit, which here is the link's credit.
        prefetch=int(queue.kind == "stream"),
        priority=int(arguments["x-priority"].value) if "x-priority" in arguments else 0,
        arguments=arguments,
        wants=filters.expression.passes if filters.expression else None,
    )
    consumer.credit = 0
    session.vhost.consume(consumer)
    session.links.outgoing[link.handle] = link
    session.connection.consumer_started(session, link)
    session.reply(
        "attach",
        name=link.name,
        handle=link.handle,
        role=False,
        initial_delivery_count=0,
        snd_settle_mode=_SETTLED if settled else 0,
        rcv_settle_mode=fields.get("rcv_settle_mode"),
        source=Composite(
            "source",
            terminus
            | {
                "default_outcome": Composite("released", {}),
                "outcomes": outcomes,
                "filter": filters.kept,
                "distribution_mode": "copy" if queue.kind == "stream" else "move",
            },
        ),
        max_message_size=fields.get("max_message_size"),
        offered_capabilities=_FILTERS if queue.kind == "stream" else None,
    )
    if isinstance(queue, QuorumQueue):
        waiting = queue.policy.single_active and queue.active is not consumer
        session.tell_active(link, active=not waiting)


def _node(
    session: Session, link: str, asked: Composite, *, settled: bool
) -> tuple[Queue, dict[str, Any], str]:
    """The queue that a source stands for, the source as it is then, and what ends with its link."""
    vhost, connection = session.vhost, session.connection
    if not asked.get("dynamic"):
        name = _source(session, asked)
        connection.permit("read", "queue", name)
        kept = {field: value for field, value in asked.fields.items() if field != "capabilities"}
        return vhost.queue(name, connection.id), kept, ""
    replies = _replies(session, asked, settled=settled)
    if replies is not None:
        return replies, _temporary(replies.name, _VOLATILE), ""
    name = _make_temporary(session, link, asked, "source")
    made = _temporary(name)
    del made["capabilities"]
    return vhost.queue(name, connection.id), made, name


def _outcomes(asked: Composite) -> tuple[str, ...]:
    wanted = asked.get("outcomes", OUTCOMES)
    unknown = [term(outcome) for outcome in wanted if outcome not in OUTCOMES]
    if unknown:
        raise LinkFailed(NOT_IMPLEMENTED, f"Outcomes not supported: [{','.join(unknown)}]")
    return tuple(wanted) or OUTCOMES


def _source(session: Session, asked: Composite) -> str:
    """The name of the queue that a source stands for."""
    address = asked.get("address")
    try:
        source = addresses.source(address, version_1=_takes_version_1(session, address))
    except BadAddress as bad:
        raise LinkFailed(INVALID_FIELD, f"Attach refused: {bad}") from None
    if not source.exchange and not source.declare:
        _find_queue(session, source.queue, asked, declare=False)
        return source.queue
    return _source_v1(session, source, asked)


def _source_v1(session: Session, source: Source, asked: Composite) -> str:
    """Version 1 declares the queue, and binds it where the address is that of an exchange."""
    connection = session.connection
    name = source.queue or session.vhost.new_name("amq.gen-")
    if source.exchange and source.exchange not in session.vhost.exchanges:
        raise _missing(session, "exchange", source.exchange)
    if name not in session.vhost.queues:
        connection.permit("configure", "queue", name)
        session.vhost.declare_queue(
            name,
            durable=bool(asked.get("durable")),
            connection=connection.id,
            server_named=not source.queue,
        )
    if source.exchange:
        connection.permit("write", "queue", name)
        connection.permit("read", "exchange", source.exchange)
        session.vhost.bind_queue(name, source.exchange, source.binding_key, {})
    return name


def _arguments(properties: dict[Any, Any]) -> Table:
    """What a consumer of 0-9-1 says in its arguments, as RabbitMQ reads it of an attach."""
    found: Table = {}
    priority = properties.get(Symbol("rabbitmq:priority"))
    if isinstance(priority, int):
        found["x-priority"] = Field("I", int(priority))
    timeout = properties.get(Symbol("rabbitmq:consumer-timeout"))
    if isinstance(timeout, UInt):
        found["x-consumer-timeout"] = Field("i", int(timeout))
    return found
