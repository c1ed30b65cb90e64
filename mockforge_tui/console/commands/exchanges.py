"""`exchange`, `bind` and `unbind`: how AMQP's messages find their queues."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.amqp.records import plain as plain_fields
from mockforge_brokers.amqp.state.exchanges import Exchange
from mockforge_brokers.amqp.state.plugin_exchanges import EXCHANGE_TYPES
from mockforge_brokers.amqp.verbs import DestinationKind

from ..lookup import BadArgument, amqp, host_with, known, matching, named
from ..registry import Arg, Opt, command
from ..results import Column, Result, count, done, table
from ..targets import at_host
from ..types import EXCHANGE, GLOB, PAIR, QUEUE, TEXT, choice, text
from .queues import typed

if TYPE_CHECKING:
    from mockforge_brokers.amqp.state.virtual_host import VirtualHost

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
    """List AMQP's exchanges, those of other virtual hosts as //VHOST/NAME."""
    exchanges = _all(session)
    rows = [
        {
            "name": name,
            "type": exchanges[name].type,
            "messages_in": exchanges[name].published,
            "bindings": len(exchanges[name].bindings),
        }
        for name in matching(exchanges, pattern)
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
    """Show which queues and exchanges an exchange is bound to."""
    _, exchange = _known(session, name)
    rows = [
        {
            "binding_key": each.routing_key,
            "queue": each.destination.name,
            "kind": each.kind,
            "arguments": plain_fields(each.arguments),
        }
        for each in exchange.bindings.values()
    ]
    return table(
        rows,
        Column("binding_key", "binding key"),
        Column("kind", "to"),
        Column("queue", "name"),
        Column("arguments", "arguments", _pairs),
        empty="no bindings",
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
    """Declare an AMQP exchange; `//shop/events` is one of the virtual host shop."""
    given = {name: typed(value) for name, value in arguments}
    vhost, bare = named("name", name)
    vhost = known("name", vhost or "/", amqp(session).vhosts, "virtual host")
    amqp(session).declare_exchange(
        bare, kind, durable=durable, internal=internal, arguments=given, vhost=vhost
    )
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
    vhost, exchange = _known(session, name)
    amqp(session).delete_exchange(exchange.name, vhost=vhost)
    return done(f"exchange {name} deleted", {"name": name})


_TO_EXCHANGE = Opt(("--to-exchange",), None, "QUEUE is the name of an exchange")


def _kind(to_exchange: bool) -> DestinationKind:
    return "exchange" if to_exchange else "queue"


@command(
    "bind",
    group="queues",
    examples=(
        "bind events q.inv order.*",
        "bind events amq.fanout order.# --to-exchange",
    ),
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
    """Bind a queue, or another exchange, to an exchange.

    Both are in one virtual host, and one of them may say which: `//shop/events`. Where none does,
    it is the only one that has both, `/` before the others.
    """
    given = {name: typed(value) for name, value in arguments}
    kind = _kind(to_exchange)
    vhost, source, destination = _ends(session, exchange, queue, kind)
    amqp(session).bind(source, destination, key, given, kind=kind, vhost=vhost)
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
    kind = _kind(to_exchange)
    vhost, source, destination = _ends(session, exchange, queue, kind)
    amqp(session).unbind(source, destination, key, given, kind=kind, vhost=vhost)
    return done(f"{exchange} → {queue} by {key or 'an empty key'} undone")


def _all(session: "Session") -> dict[str, Exchange]:
    """All but the default ones, by what they are called here: //shop/events in a virtual host."""
    return {
        at_host(vhost, exchange.name): exchange
        for vhost, host in amqp(session).vhosts.items()
        for exchange in host.exchanges.values()
        if exchange.name
    }


def _known(session: "Session", name: str) -> tuple[str, Exchange]:
    """An exchange and its virtual host. Raises BadArgument with the nearest one."""
    vhost, bare = named("name", name)
    vhost = host_with(session, "name", bare, vhost, lambda host: bare in host.exchanges)
    exchanges = _all(session)
    return vhost, exchanges[known("name", at_host(vhost, bare), exchanges, "exchange")]


def _ends(
    session: "Session", exchange: str, destination: str, kind: DestinationKind
) -> tuple[str, str, str]:
    """The virtual host of a binding, and its ends there."""
    (one, source), (other, to) = named("exchange", exchange), named("queue", destination)
    if one is not None and other is not None and one != other:
        text = f"a binding stays in one virtual host: {exchange} and {destination} are in two"
        raise BadArgument("queue", text)
    argument, vhost = ("exchange", one) if one is not None else ("queue", other)

    def has_both(host: "VirtualHost") -> bool:
        return source in host.exchanges and to in (
            host.queues if kind == "queue" else host.exchanges
        )

    return host_with(session, argument, destination, vhost, has_both), source, to


def _pairs(arguments: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in arguments.items())


COMMANDS = (exchange_ls, exchange_show, exchange_add, exchange_rm, bind, unbind)
