"""`tail` and `sub`: messages as they come, at the prompt."""

import re
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.mqtt.state.topics import filter_problem

from ...filters import Filter
from ..language import Kind, PlacedError, Token
from ..lookup import BadArgument, resolved
from ..registry import Arg, Opt, Type, command
from ..results import Result, done
from ..stored import open_store
from ..tailing import Tail, described, past
from ..targets import SCHEMES, MqttTarget, Target, parse_target
from ..types import COUNT, FILTER, OFFSET, TEXT, text

if TYPE_CHECKING:
    from ..session import Session


def _source(token: Token) -> Target | Filter:
    """A target, or a filter in parentheses."""
    if token.kind is Kind.GROUP:
        found: Filter = FILTER.parse(token)
        return found
    value = token.value
    if not value.startswith(SCHEMES) and re.match(r"[a-z_]+[:~=<>^!]", value):
        text = "a target comes first, or a filter in parentheses: tail (proto:kafka)"
        raise PlacedError(text, 0, len(token.text))
    return parse_target(value)


_SOURCE = Type("target", _source, "sources")
_MQTT_FILTER = text("filter", "mqtt-topics")
_FORMAT = Opt(("-f", "--format"), TEXT, "%T %t %p %o %k %v %h %s %c", "FORMAT")
_MOST = Opt(("-n", "--count"), COUNT, "stop after so many")


@command(
    "tail",
    group="messages",
    streams=True,
    aliases=("consume",),
    examples=(
        "tail kafka:orders --from begin -n 5",
        "tail mqtt:sensors/# size>10",
        "tail (proto:amqp) -f '%T %t %r %v'",
        "tail kafka:orders[0]@-5m",
        "tail kafka:orders --from begin -n 3 > three.jsonl",
    ),
)
def tail(
    session: "Session",
    source: Annotated[
        Target | Filter | None, Arg(_SOURCE, "a target, or a (filter) over all traffic")
    ] = None,
    where: Annotated[Filter | None, Arg(FILTER, "only what matches", tail=True)] = None,
    *,
    start: Annotated[
        str | None, Opt(("--from",), OFFSET, "Kafka: 118, begin, end, @-5m, @12:00:05")
    ] = None,
    form: Annotated[str | None, _FORMAT] = None,
    most: Annotated[int | None, _MOST] = None,
) -> Result:
    """Show messages as they come.

    With a target, messages as they enter a broker. Without one, or with a (filter), all traffic
    that the flow pane shows: requests and deliveries too. Only so many lines are shown at a time;
    the rest is counted (narrow it with a filter); a file behind > gets them all: JSON lines if
    its name says so, else text. `tail stop` ends it.
    """
    if not session.is_heard:
        raise InvalidInput("tail needs a console that shows rows as they come")
    if isinstance(source, Filter):
        if where is not None:
            raise BadArgument("where", "one filter is enough; write both in the parentheses")
        where, source = source, None
    target = resolved(session, source, "source") if source is not None else None
    before = past(session, target, start)
    following = Tail(session, where, form, most)
    if before is not None and target is not None:
        following.catch_up(*before, target)
    else:
        following.follow(target)
    return _following(following, described(target, where))


def _following(following: Tail, what: str) -> Result:
    job = following.job
    if job.stopped:
        return done(f"{following.shown} of {what}", {"shown": following.shown})
    return done(f"tailing {what} (job {job.id}; tail stop ends it)", {"job": job.id})


@command(
    "sub",
    group="mqtt",
    streams=True,
    examples=("sub sensors/#", "sub sensors/+/temp -n 10", "sub '#' -f '%t %v' --new"),
)
def sub(
    session: "Session",
    topic_filter: Annotated[str, Arg(_MQTT_FILTER, "+ and # as in MQTT", "FILTER")],
    where: Annotated[Filter | None, Arg(FILTER, "only what matches", tail=True)] = None,
    *,
    form: Annotated[str | None, _FORMAT] = None,
    most: Annotated[int | None, _MOST] = None,
    new: Annotated[bool, Opt(("--new",), None, "without what is retained")] = False,
) -> Result:
    """Show what an MQTT client with this subscription would get.

    What is retained comes first, then messages as they are published. `tail stop` ends it.
    """
    if not session.is_heard:
        raise InvalidInput("sub needs a console that shows rows as they come")
    problem = filter_problem(topic_filter)
    if problem:
        raise BadArgument("topic_filter", problem)
    target = MqttTarget(topic_filter.removeprefix("mqtt:"))
    following = Tail(session, where, form, most)
    if new:
        following.follow(target)
    else:
        store = open_store(session, target)
        following.catch_up(store, store.forward(None), target)
    return _following(following, described(target, where))


@command("tail stop", group="messages", examples=("tail stop",))
def tail_stop(session: "Session") -> Result:
    """End all tails."""
    return done(f"{session.jobs.stop_all('tail')} stopped")


COMMANDS = (tail, sub, tail_stop)
