"""`fault`: make the brokers misbehave on purpose."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.faults import FaultKind, Rule, Trigger

from ... import units
from ...filters import FilterError
from ..asking import BadArgument
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, count, done, duration, on_off, table
from ..types import COUNT, DURATION, SHARE, choice, integer, of_text
from ..types import duration as duration_of

if TYPE_CHECKING:
    from ..session import Session

_KINDS: dict[str, FaultKind] = {
    "delay": "delay",
    "latency": "delay",
    "disconnect": "disconnect",
    "drop": "drop",
}
_KIND = choice("kind", *_KINDS)
_SCOPE = Type("scope", of_text(str), "filter")
_RULE = integer("id", 1)
_ID = Type("id", _RULE.parse, "faults", schema=_RULE.schema)
_WAYS = {"in": 0, "out": 1}


@command(
    "fault add",
    group="faults",
    examples=(
        "fault add delay client:billing 250ms --jitter 50ms",
        "fault add disconnect proto:mqtt client:dev-* --p 10% --for 2m",
        "fault add drop topic:sensors/+/hum --times 5",
    ),
)
def fault_add(
    session: "Session",
    kind: Annotated[str, Arg(_KIND, "delay, disconnect or drop")],
    scope: Annotated[str, Arg(_SCOPE, "a filter; a delay ends with its duration", tail=True)] = "",
    *,
    share: Annotated[float, Opt(("--p",), SHARE, "how likely: 10%", "P")] = 1.0,
    lifetime: Annotated[float | None, Opt(("--for",), DURATION, "ends after this")] = None,
    times: Annotated[int | None, Opt(("--times",), COUNT, "fires so often at most")] = None,
    every: Annotated[int, Opt(("--every",), COUNT, "only each n-th match")] = 1,
    first: Annotated[int, Opt(("--first",), COUNT, "lets so many matches pass before")] = 0,
    jitter: Annotated[float, Opt(("--jitter",), DURATION, "more or less delay")] = 0.0,
    way: Annotated[
        str | None, Opt(("--dir",), choice("dir", "in", "out"), "from or to the client")
    ] = None,
    reset: Annotated[bool, Opt(("--rst",), None, "disconnect with a TCP reset")] = False,
    after: Annotated[bool, Opt(("--after",), None, "let the frame take effect first")] = False,
) -> Result:
    """Add a fault: delay, disconnect or drop what a filter matches.

    The scope is a filter over frames; without one the fault is for all of them. A delay takes its
    duration behind the scope. A rule counts its hits; `fault ls` shows them.
    """
    fault = _KINDS[kind]
    delay = 0.0
    if fault == "delay":
        delay, scope = _delay(scope)
    try:
        matches = session.filter_of(scope).matches
    except FilterError as error:
        raise BadArgument("scope", error.text, (error.start, error.end)) from None
    rule = session.runtime.faults.add(
        Rule(
            kind=fault,
            scope=scope,
            matches=matches,
            direction=None if way is None else _WAYS[way],
            delay=delay,
            jitter=jitter,
            reset=reset,
            after=after,
            trigger=Trigger(first=first, every=every, times=times, probability=share),
            lifetime=lifetime,
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
            "on": rule.enabled,
            "kind": rule.kind,
            "scope": rule.scope or "everything",
            "value": _value(rule),
            "hits": rule.hits,
            "seen": rule.seen,
            "left": None if rule.expires is None else max(0.0, rule.expires - now),
        }
        for rule in session.runtime.faults.rules.values()
    ]
    return table(
        rows,
        Column("id", "id", right=True),
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
def fault_on(session: "Session", number: Annotated[int, Arg(_ID, "a fault's number")]) -> Result:
    """Put a fault into force again."""
    return _switched(session, number, on=True)


@command("fault off", group="faults", examples=("fault off 1",))
def fault_off(session: "Session", number: Annotated[int, Arg(_ID, "a fault's number")]) -> Result:
    """Let a fault rest; it keeps its number and hits."""
    return _switched(session, number, on=False)


@command("fault rm", group="faults", examples=("fault rm 1",))
def fault_rm(session: "Session", number: Annotated[int, Arg(_ID, "a fault's number")]) -> Result:
    """Remove a fault."""
    if not session.runtime.faults.remove(number):
        raise _unknown(number)
    return done(f"fault {number} removed", {"id": number})


@command("fault clear", group="faults", examples=("fault clear",))
def fault_clear(session: "Session") -> Result:
    """Remove all faults."""
    gone = session.runtime.faults.clear()
    return done(f"{gone} faults removed", {"removed": gone})


def _delay(scope: str) -> tuple[float, str]:
    rest, _, last = scope.rstrip().rpartition(" ")
    try:
        return duration_of(last), rest.strip()
    except ValueError as error:
        place = (len(rest) + 1 if rest else 0, len(scope))
        text = "a delay's duration comes last: fault add delay client:billing 250ms"
        if last.replace(".", "").isdecimal():
            text = str(error)
        raise BadArgument("scope", text, place) from None


def _value(rule: Rule) -> str:
    parts = []
    if rule.kind == "delay":
        parts.append(units.format_duration(rule.delay))
        if rule.jitter:
            parts.append(f"±{units.format_duration(rule.jitter)}")
    if rule.direction is not None:
        parts.append(("in", "out")[rule.direction])
    if rule.reset:
        parts.append("reset")
    trigger = rule.trigger
    if trigger.probability < 1:
        parts.append(f"{trigger.probability * 100:.3g}%")
    if trigger.first:
        parts.append(f"after {trigger.first}")
    if trigger.every > 1:
        parts.append(f"1 of {trigger.every}")
    if trigger.times is not None:
        parts.append(f"{trigger.times} times")
    return " ".join(parts)


def _switched(session: "Session", number: int, *, on: bool) -> Result:
    if not session.runtime.faults.enable(number, on):
        raise _unknown(number)
    return done(f"fault {number} is {'on' if on else 'off'}", {"id": number, "on": on})


def _unknown(number: int) -> BadArgument:
    return BadArgument("number", f"no fault {number}; fault ls lists them")


COMMANDS = (fault_add, fault_ls, fault_on, fault_off, fault_rm, fault_clear)
