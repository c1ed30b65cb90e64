"""`fault`: make the brokers misbehave on purpose."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.misbehaviour.actions import (
    ACTIONS,
    ActionKind,
    Delay,
    find,
    make_action,
    resolve_code,
)
from mockforge_brokers.misbehaviour.rules import Match, Rule, Trigger

from ... import units
from ...filters import FilterError
from ..asking import BadArgument
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, count, done, duration, on_off, table
from ..types import COUNT, DURATION, SHARE, TEXT, choice, of_text
from ..types import duration as duration_of

if TYPE_CHECKING:
    from ..session import Session

_KIND = choice("kind", *(name for kind in ACTIONS.values() for name in (kind.name, *kind.aliases)))
_SCOPE = Type("scope", of_text(str), "filter")
_ID = Type("id", of_text(str), "faults")
_WAYS = {"in": 0, "out": 1}


@command(
    "fault add",
    group="faults",
    examples=(
        "fault add delay client:billing 250ms --jitter 50ms",
        "fault add disconnect proto:mqtt client:dev-* --p 10% --for 2m",
        "fault add drop topic:sensors/+/hum --times 5",
        "fault add refuse topic:orders op:Produce NOT_LEADER_OR_FOLLOWER --p 10% --for 30s",
        "fault add refuse op:PUBLISH client:dev-* QUOTA_EXCEEDED --times 3",
        "fault add refuse op:basic.publish topic:orders NACK --times 20",
    ),
)
def fault_add(
    session: "Session",
    kind: Annotated[str, Arg(_KIND, "delay, disconnect, drop or refuse")],
    scope: Annotated[str, Arg(_SCOPE, "a filter; last a duration or code", tail=True)] = "",
    *,
    share: Annotated[float, Opt(("--p",), SHARE, "how likely: 10%", "P")] = 1.0,
    lifetime: Annotated[float | None, Opt(("--for",), DURATION, "ends after this")] = None,
    times: Annotated[int | None, Opt(("--times",), COUNT, "fires so often at most")] = None,
    every: Annotated[int, Opt(("--every",), COUNT, "only each n-th match")] = 1,
    first: Annotated[int, Opt(("--first",), COUNT, "lets so many matches pass before")] = 0,
    start: Annotated[float, Opt(("--start",), DURATION, "begins after this")] = 0.0,
    window: Annotated[float | None, Opt(("--window",), DURATION, "then rests after this")] = None,
    jitter: Annotated[float, Opt(("--jitter",), DURATION, "more or less delay")] = 0.0,
    way: Annotated[
        str | None, Opt(("--dir",), choice("dir", "in", "out"), "from or to the client")
    ] = None,
    reset: Annotated[bool, Opt(("--rst",), None, "disconnect with a TCP reset")] = False,
    after: Annotated[bool, Opt(("--after",), None, "let the frame take effect first")] = False,
    text: Annotated[str, Opt(("--text",), TEXT, "the words of a refusal")] = "",
) -> Result:
    """Add a fault: delay, disconnect, drop or refuse what a filter matches.

    The scope is a filter over frames; without one the fault is for all of them. A delay takes its
    duration behind the scope, refuse the code (a Kafka error, an MQTT reason code, an AMQP reply
    code or NACK, by name or number). A rule counts its hits; `fault ls` shows them.
    """
    named = find(kind)
    assert named is not None
    values: dict[str, object] = {}
    if any(parameter.leading for parameter in named.parameters):
        values, scope = _leading(session, named, scope)
    given = {"jitter": jitter, "reset": reset, "after": after, "text": text}
    values |= {name: value for name, value in given.items() if value}
    try:
        matches = session.filter_of(scope).matches
    except FilterError as error:
        raise BadArgument("scope", error.text, (error.start, error.end)) from None
    rule = session.runtime.faults.add(
        Rule(
            Match(scope, matches, None if way is None else _WAYS[way]),
            make_action(named, values),
            Trigger(first, every, times, share, start, window),
            lifetime,
        )
    )
    return done(f"fault {rule.id}: {rule.kind} {rule.scope or 'everything'}", {"id": rule.id})


@command("fault ls", group="faults", aliases=("faults",), examples=("fault ls",))
def fault_ls(session: "Session") -> Result:
    """List faults with their hits."""
    now = session.runtime.clock.now()
    rows = [
        {
            "id": rule.id,
            "name": rule.name,
            "on": rule.enabled,
            "kind": rule.kind,
            "scope": rule.scope or "everything",
            "value": value_of(rule),
            "hits": rule.hits,
            "seen": rule.seen,
            "left": None if rule.expires is None else max(0.0, rule.expires - now),
        }
        for rule in session.runtime.faults.rules.values()
    ]
    return table(
        rows,
        Column("id", "id", right=True),
        Column("name", "name"),
        Column("on", "on", on_off),
        Column("kind", "kind"),
        Column("scope", "scope"),
        Column("value", "value"),
        Column("hits", "hits", count, right=True),
        Column("seen", "seen", count, right=True),
        Column("left", "left", duration, right=True),
        empty="no faults",
    )


@command("fault on", group="faults", examples=("fault on 1",))
def fault_on(
    session: "Session", number: Annotated[str, Arg(_ID, "a fault's number or name")]
) -> Result:
    """Put a fault into force again."""
    return _switched(session, _number(session, number), on=True)


@command("fault off", group="faults", examples=("fault off 1",))
def fault_off(
    session: "Session", number: Annotated[str, Arg(_ID, "a fault's number or name")]
) -> Result:
    """Let a fault rest; it keeps its number and hits."""
    return _switched(session, _number(session, number), on=False)


@command("fault rm", group="faults", examples=("fault rm 1",))
def fault_rm(
    session: "Session", number: Annotated[str, Arg(_ID, "a fault's number or name")]
) -> Result:
    """Remove a fault."""
    found = _number(session, number)
    session.runtime.faults.remove(found)
    return done(f"fault {found} removed", {"id": found})


@command("fault clear", group="faults", examples=("fault clear",))
def fault_clear(session: "Session") -> Result:
    """Remove all faults."""
    gone = session.runtime.faults.clear()
    return done(f"{gone} faults removed", {"removed": gone})


def _leading(session: "Session", kind: ActionKind, scope: str) -> tuple[dict[str, object], str]:
    """The value that stands behind the scope, and the scope without it."""
    rest, _, last = scope.rstrip().rpartition(" ")
    place = (len(rest) + 1 if rest else 0, len(scope))
    if kind.action is Delay:
        try:
            return {"duration": duration_of(last)}, rest.strip()
        except ValueError as error:
            text = "a delay's duration comes last: fault add delay client:billing 250ms"
            if last.replace(".", "").isdecimal():
                text = str(error)
            raise BadArgument("scope", text, place) from None
    if not last or ":" in last:
        text = "the code comes last: fault add refuse op:Produce NOT_LEADER_OR_FOLLOWER"
        raise BadArgument("scope", text, place)
    try:
        codes = resolve_code(last, session.refusals)
    except InvalidInput as error:
        raise BadArgument("scope", str(error), place) from None
    return {"code": last, "codes": codes}, rest.strip()


def value_of(rule: Rule) -> str:
    """How a rule acts and when, in few words."""
    parts = []
    for parameter in ACTIONS[rule.kind].parameters:
        value = getattr(rule.action, parameter.name)
        if not value:
            continue
        if parameter.kind == "duration":
            sign = "" if parameter.leading else "±"
            parts.append(f"{sign}{units.format_duration(value)}")
        else:
            parts.append(parameter.name if parameter.kind == "flag" else str(value))
    if rule.match.direction is not None:
        parts.append(("in", "out")[rule.match.direction])
    return " ".join([*parts, *_when(rule.trigger)])


def _when(trigger: Trigger) -> Iterator[str]:
    if trigger.probability < 1:
        yield f"{trigger.probability * 100:.3g}%"
    if trigger.first:
        yield f"after {trigger.first}"
    if trigger.every > 1:
        yield f"1 of {trigger.every}"
    if trigger.times is not None:
        yield f"{trigger.times} times"
    if trigger.after:
        yield f"from {units.format_duration(trigger.after)} on"
    if trigger.window is not None:
        yield f"for {units.format_duration(trigger.window)}"


def _switched(session: "Session", number: int, *, on: bool) -> Result:
    session.runtime.faults.enable(number, on)
    return done(f"fault {number} is {'on' if on else 'off'}", {"id": number, "on": on})


def _number(session: "Session", name: str) -> int:
    """Of a fault by its number or a fixture file's name for it."""
    for rule in session.runtime.faults.rules.values():
        if name in (str(rule.id), rule.name):
            return rule.id
    raise BadArgument("number", f"no fault {name}; fault ls lists them")


COMMANDS = (fault_add, fault_ls, fault_on, fault_off, fault_rm, fault_clear)
