"""`exchange`, `bind` and `unbind`: how AMQP's messages find their queues."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.amqp.state.plugin_exchanges import EXCHANGE_TYPES
from mockforge_brokers.amqp.verbs import DestinationKind

from ..lookup import amqp, known, matching
from ..registry import Arg, Opt, command
from ..results import Column, Result, count, done, table
from ..types import EXCHANGE, GLOB, PAIR, QUEUE, TEXT, choice, text
from .queues import typed

if TYPE_CHECKING:
    from ..session import Session

Pairs = tuple[tuple[str, str], ...]
_TYPES = choice("type", *EXCHANGE_TYPES)


@command(
    "exchange ls",
    group="queues",
    aliases=("exchanges", "list exchanges"),
    examples=("exchange ls", "exchange ls amq.*"),
)
def exchange_ls(
    session: "Session", pattern: Annotated[str | None, Arg(GLOB, "a glob: amq.*")] = None
) -> Result:
    """List AMQP's exchanges."""
    kinds = dict(amqp(session).exchanges())
    used = {each.name: each for each in session.destinations() if each.kind == "exchange"}
    rows = [
        {
            "name": name,
            "type": kinds[name],
            "messages_in": used[name].messages_in if name in used else 0,
            "bindings": sum(name == exchange for exchange, _, _ in amqp(session).bindings()),
        }
        for name in matching(kinds, pattern)
    ]
    return table(
        rows,
        Column("name", "exchange"),
        Column("type", "type"),
        Column("messages_in", "in", count, right=True),
        Column("bindings", "bindings", count, right=True),
        empty="no exchanges",
    )


@command(
    "exchange show",
    group="queues",
    aliases=("describe exchange", "exchange describe"),
    examples=("exchange show amq.topic",),
)
def exchange_show(session: "Session", name: Annotated[str, Arg(EXCHANGE, "an exchange")]) -> Result:
    """Show which queues an exchange is bound to."""
    admin = amqp(session)
    _known(session, name)
    rows = [
        {"binding_key": key, "queue": queue}
        for exchange, queue, key in admin.bindings()
        if exchange == name
    ]
    return table(
        rows, Column("binding_key", "binding key"), Column("queue", "queue"), empty="no bindings"
    )


@command(
    "exchange add",
    group="queues",
    aliases=("exchange declare", "declare exchange", "create exchange"),
    examples=(
        "exchange add events --type topic",
        "exchange add later --type x-delayed-message --arg x-delayed-type=topic",
    ),
)
def exchange_add(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the new exchange's name")],
    *,
    kind: Annotated[str, Opt(("--type",), _TYPES, "exchange type")] = "direct",
    durable: Annotated[bool, Opt(("--durable",), None, "survives a restart")] = False,
    internal: Annotated[
        bool, Opt(("--internal",), None, "gets messages of other exchanges only")
    ] = False,
    arguments: Annotated[Pairs, Opt(("--arg",), PAIR, "any x-argument", repeat=True)] = (),
) -> Result:
    """Declare an AMQP exchange."""
    given = {name: typed(value) for name, value in arguments}
    amqp(session).declare_exchange(name, kind, durable=durable, internal=internal, arguments=given)
    return done(f"{kind} exchange {name} declared", {"name": name, "type": kind})


@command(
    "exchange rm",
    group="queues",
    aliases=("exchange delete", "drop exchange"),
    examples=("exchange rm events -y",),
    asks="Delete exchange {name} with its bindings?",
)
def exchange_rm(session: "Session", name: Annotated[str, Arg(EXCHANGE, "an exchange")]) -> Result:
    """Delete an exchange with its bindings."""
    amqp(session).delete_exchange(_known(session, name))
    return done(f"exchange {name} deleted", {"name": name})


_TO_EXCHANGE = Opt(("--to-exchange",), None, "QUEUE is the name of an exchange")


def _kind(to_exchange: bool) -> DestinationKind:
    return "exchange" if to_exchange else "queue"


@command(
    "bind",
    group="queues",
    examples=("bind events q.inv order.*", "bind events amq.fanout order.# --to-exchange"),
)
def bind(
    session: "Session",
    exchange: Annotated[str, Arg(EXCHANGE, "from this exchange")],
    queue: Annotated[str, Arg(QUEUE, "to this queue")],
    key: Annotated[str, Arg(TEXT, "binding key; * one word, # any words", "KEY")] = "",
    *,
    arguments: Annotated[Pairs, Opt(("--arg",), PAIR, "for headers exchanges", repeat=True)] = (),
    to_exchange: Annotated[bool, _TO_EXCHANGE] = False,
) -> Result:
    """Bind a queue, or another exchange, to an exchange."""
    given = {name: typed(value) for name, value in arguments}
    amqp(session).bind(exchange, queue, key, given, kind=_kind(to_exchange))
    return done(f"{exchange} → {queue} by {key or 'an empty key'}")


@command(
    "unbind",
    group="queues",
    examples=("unbind events q.inv order.*",),
)
def unbind(
    session: "Session",
    exchange: Annotated[str, Arg(EXCHANGE, "from this exchange")],
    queue: Annotated[str, Arg(QUEUE, "to this queue")],
    key: Annotated[str, Arg(TEXT, "binding key", "KEY")] = "",
    *,
    arguments: Annotated[Pairs, Opt(("--arg",), PAIR, "for headers exchanges", repeat=True)] = (),
    to_exchange: Annotated[bool, _TO_EXCHANGE] = False,
) -> Result:
    """Undo a binding."""
    given = {name: typed(value) for name, value in arguments}
    amqp(session).unbind(exchange, queue, key, given, kind=_kind(to_exchange))
    return done(f"{exchange} → {queue} by {key or 'an empty key'} undone")


def _known(session: "Session", name: str) -> str:
    return known("name", name, (each for each, _ in amqp(session).exchanges()), "exchange")


COMMANDS = (exchange_ls, exchange_show, exchange_add, exchange_rm, bind, unbind)
