"""`route` and `exchange tree`: where AMQP's messages go, and their dead letters."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.amqp.records import table as field_table
from mockforge_brokers.amqp.state.message_paths import DEFAULT_EXCHANGE, Way, from_exchange

from ..lookup import amqp, host_with, known, matching, named
from ..registry import Arg, Opt, command
from ..results import Result, table
from ..routing import WAYS, drawn
from ..types import EXCHANGE, GLOB, PAIR, TEXT, text
from .queues import typed

if TYPE_CHECKING:
    from ..session import Session

Pairs = tuple[tuple[str, str], ...]
_VHOST = text("vhost")


@command(
    "route",
    group="queues",
    examples=(
        "route events order.new",
        "route (default) q.mail",
        "route amq.headers KEY --header kind=big",
    ),
)
def route(
    session: "Session",
    exchange: Annotated[str, Arg(EXCHANGE, "an exchange, or (default)")],
    key: Annotated[str, Arg(TEXT, "the message's routing key", "KEY")] = "",
    *,
    headers: Annotated[Pairs, Opt(("--header",), PAIR, "one of its headers", repeat=True)] = (),
    vhost: Annotated[str | None, Opt(("--vhost",), _VHOST, "another virtual host")] = None,
) -> Result:
    """Show where an AMQP message would go, without publishing one.

    Each binding that takes it is followed to its queues, and from these to where their dead letters
    go. An exchange that decides by chance may decide otherwise the next time.
    """
    broker = amqp(session)
    named_host, bare = named("exchange", exchange)
    name = "" if bare == DEFAULT_EXCHANGE else bare
    place = host_with(
        session, "exchange", bare, named_host or vhost, lambda host: name in host.exchanges
    )
    if name:
        names = [each for each, _ in broker.exchanges(vhost=place)]
        known("exchange", name, names, "exchange")
    given = field_table({header: typed(value) for header, value in headers})
    found = from_exchange(broker.vhost(place), name, key, given)
    return _table([found])


@command(
    "exchange tree",
    group="queues",
    aliases=("list bindings",),
    examples=("exchange tree", "exchange tree events*"),
)
def exchange_tree(
    session: "Session",
    pattern: Annotated[str | None, Arg(GLOB, "a glob: events*")] = None,
    *,
    vhost: Annotated[str, Opt(("--vhost",), _VHOST, "another virtual host")] = "/",
) -> Result:
    """Draw AMQP's exchanges, what is bound to them, and where dead letters go.

    Queues that no binding leads to stand under (default). Exchanges that every virtual host has
    are shown if something is bound to them.
    """
    broker = amqp(session)
    host = broker.vhost(vhost)
    shown = [
        name
        for name in matching((each for each, _ in broker.exchanges(vhost=vhost)), pattern)
        if pattern is not None or host.exchanges[name].bindings or not name.startswith("amq.")
    ]
    found = [from_exchange(host, name, None) for name in shown]
    if pattern is None:
        bound = {each.name for way in found for each in _all(way)}
        lone = [name for name in host.queues if name not in bound]
        if lone:
            ahead = tuple(from_exchange(host, "", name).ahead[0] for name in lone)
            found.append(Way("exchange", DEFAULT_EXCHANGE, "", "direct", ahead))
    return _table(found)


def _all(way: Way) -> Iterator[Way]:
    yield way
    for each in way.ahead:
        yield from _all(each)


def _table(ways: list[Way]) -> Result:
    return table(
        drawn(ways),
        *WAYS,
        empty="no exchanges but RabbitMQ's own, and no queues",
        fields=("kind", "name", "depth"),
    )


COMMANDS = (route, exchange_tree)
