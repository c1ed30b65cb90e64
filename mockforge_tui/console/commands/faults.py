"""`fault`: make the brokers misbehave on purpose."""

import re
from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.misbehaviour.actions import (
    ACTIONS,
    ActionKind,
    Parameter,
    find,
    make_action,
)
from mockforge_brokers.misbehaviour.codes import resolve_code
from mockforge_brokers.misbehaviour.rules import Match, Rule, Trigger
from msgspec.structs import fields

from ... import units
from ...fault_values import frame_match, read_quantity
from ...filters import FilterError
from ...units import counted
from ..language import Kind, lex
from ..lookup import BadArgument, nobody_to_hit
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, count, done, duration, on_off, table
from ..types import COUNT, DURATION, RATE, SHARE, TEXT, choice, of_text
from ..types import duration as read_duration

if TYPE_CHECKING:
    from ..session import Session

_SUMMARIES = {
    name: kind.summary for kind in ACTIONS.values() for name in (kind.name, *kind.aliases)
}
_KIND = choice("kind", *_SUMMARIES, notes=_SUMMARIES)
_SCOPE = Type("scope", attrgetter("text"), "filter")
"""As it is typed: its quotes are the filter's."""
_ID = Type("id", of_text(str), "faults")
_WAYS = {"in": 0, "out": 1}
_WORD = re.compile(r"[\w.%+-]+")
"""No term of a filter but a text to search for, and rather a value that was mistyped."""


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
        "fault add throttle client:reporting-* 64k",
        "fault add blackhole client:dev-* 30s --first 100",
        "fault add partition client:dev-* 20s",
        "fault add duplicate op:PUBLISH --dup --p 5%",
        "fault add reorder op:basic.deliver --behind 2",
        "fault add corrupt op:Fetch payload --dir out --once",
        "fault add truncate op:PUBACK 2 --nth 3",
        "fault add slice client:dev-* 3 --dir out --wait 5ms",
        "fault add join op:PUBLISH 5 --dir out --wait 50ms",
        "fault add disconnect proto:mqtt op:open --rst --for 5s",
        "fault add set op:CONNACK session_present=true --dir out",
        "fault add set op:Produce throttle_time_ms=2000 --dir out --p 10%",
        "fault add watch op:CONNECT client:dev-*",
        "fault add inject op:PUBACK client:dev-7 bad-varint --once",
        "fault add inject op:PUBLISH 0xD000 --instead --nth 3",
        "fault add block op:basic.publish 10s --once",
    ),
)
def fault_add(
    session: "Session",
    kind: Annotated[str, Arg(_KIND, "what to do: help faults")],
    scope: Annotated[str, Arg(_SCOPE, "a filter; last a duration or code", tail=True)] = "",
    *,
    share: Annotated[float, Opt(("--p",), SHARE, "how likely: 10%", "P")] = 1.0,
    lifetime: Annotated[float | None, Opt(("--for",), DURATION, "ends after this")] = None,
    times: Annotated[int | None, Opt(("--times",), COUNT, "fires so often at most")] = None,
    once: Annotated[bool, Opt(("--once",), None, "fires once")] = False,
    nth: Annotated[int | None, Opt(("--nth",), COUNT, "only the n-th match")] = None,
    every: Annotated[int, Opt(("--every",), COUNT, "only each n-th match")] = 1,
    first: Annotated[int, Opt(("--first",), COUNT, "lets so many matches pass before")] = 0,
    start: Annotated[float, Opt(("--start",), DURATION, "begins after this")] = 0.0,
    window: Annotated[float | None, Opt(("--window",), DURATION, "then rests after this")] = None,
    until: Annotated[float | None, Opt(("--until",), DURATION, "not after this")] = None,
    jitter: Annotated[float | None, Opt(("--jitter",), DURATION, "more or less delay")] = None,
    log_normal: Annotated[bool, Opt(("--log-normal",), None, "few are very late")] = False,
    messages: Annotated[float | None, Opt(("--messages",), RATE, "throttle: 5/s")] = None,
    way: Annotated[
        str | None, Opt(("--dir",), choice("dir", "in", "out"), "from or to the client")
    ] = None,
    reset: Annotated[bool, Opt(("--rst",), None, "disconnect with a TCP reset")] = False,
    after: Annotated[bool, Opt(("--after",), None, "let the frame take effect first")] = False,
    mid: Annotated[bool, Opt(("--mid",), None, "disconnect in the midst of the frame")] = False,
    text: Annotated[str, Opt(("--text",), TEXT, "the words of a refusal")] = "",
    copies: Annotated[int | None, Opt(("--copies",), COUNT, "duplicate: how many more")] = None,
    dup: Annotated[bool, Opt(("--dup",), None, "duplicate: with MQTT's DUP flag")] = False,
    behind: Annotated[int | None, Opt(("--behind",), COUNT, "reorder: behind how many")] = None,
    wait: Annotated[float | None, Opt(("--wait",), DURATION, "reorder, slice, join")] = None,
    instead: Annotated[bool, Opt(("--instead",), None, "inject: in the frame's place")] = False,
    reason: Annotated[str, Opt(("--reason",), TEXT, "block: its words")] = "",
    bits: Annotated[int | None, Opt(("--bits",), COUNT, "corrupt: how many")] = None,
) -> Result:
    """Add a fault: do something to the frames that a filter matches.

    The scope is a filter over frames; without one the fault is for all of them. Behind it stands
    a delay's duration, the code of refuse (a Kafka error, an MQTT reason code, an AMQP reply code
    or NACK, by name or number), the bytes a second of throttle, how long a blackhole or partition
    lasts, which part to corrupt, how many bytes truncate keeps or a piece of slice has, how many
    frames to join, the fields to set (NAME=VALUE,...), or the malformed packet to inject (its name,
    or 0x and hex).
    A rule counts its hits: `fault ls`.
    """
    named = find(kind)
    assert named is not None
    values: dict[str, object] = {}
    if any(parameter.leading for parameter in named.parameters):
        values, scope = _leading(session, named, scope)
    given = {"jitter": jitter, "log_normal": log_normal, "messages": messages, "reset": reset,
             "after": after, "mid": mid, "text": text, "copies": copies, "dup": dup,
             "behind": behind, "wait": wait, "bits": bits, "reason": reason,
             "instead": instead}  # fmt: skip
    values |= {name: value for name, value in given.items() if _is_given(value)}
    first, times = _once(first, times, once=once, nth=nth)
    rule = session.runtime.faults.add(
        Rule(
            match_of(session, "scope", scope, way),
            make_action(named, values),
            Trigger(first, every, times, share, start, window, until, last=nth),
            lifetime,
        )
    )
    text = f"fault {rule.id}: {rule.kind} {rule.scope or 'everything'}"
    return done(text + nobody_to_hit(session), {"id": rule.id})


def _is_given(value: object) -> bool:
    """A duration of 0 was asked for; a flag that is off, or a text of nothing, was not."""
    return value is not None and value is not False and value != ""


def _once(first: int, times: int | None, *, once: bool, nth: int | None) -> tuple[int, int | None]:
    """A trigger's `first` and `times`; raises BadArgument for options that gainsay each other."""
    if not once and nth is None:
        return first, times
    if times is not None:
        raise BadArgument("times", "--once and --nth fire once: leave --times out")
    if nth is None:
        return first, 1
    if first:
        raise BadArgument("first", "either --first or --nth")
    return nth - 1, 1


def match_of(
    session: "Session", argument: str, scope: str, way: str | None, *, journaled: bool = False
) -> Match:
    """What the filter of an argument matches of frames; raises BadArgument."""
    direction, wall = None if way is None else _WAYS[way], session.runtime.clock.wall
    try:
        text = session.filter_of(scope).text
        return frame_match(
            text,
            direction,
            name=scope,
            wall=wall,
            journaled=journaled,
            listeners=session.runtime.listeners,
        )
    except FilterError as error:
        raise BadArgument(argument, error.text, (error.start, error.end)) from None


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
            "closest": closest(rule, now),
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
        Column("closest", "closest"),
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
    return done(f"{counted(gone, 'fault')} removed", {"removed": gone})


def _leading(session: "Session", kind: ActionKind, scope: str) -> tuple[dict[str, object], str]:
    """The value that stands behind the scope, and the scope without it."""
    leading = next(each for each in kind.parameters if each.leading)
    rest, last, place = _last_word(scope, leading)
    if leading.kind == "code":
        return _code(session, last, rest, place)
    if leading.kind == "packet":
        return _packet(leading, last, rest, place)
    try:
        if last:
            read = read_duration if leading.kind == "duration" else partial(read_quantity, leading)
            return {leading.name: read(last)}, rest.strip()
    except ValueError as error:
        if not leading.optional or _WORD.fullmatch(last):
            raise BadArgument("scope", _misread(leading, last, error), place) from None
    if not leading.optional:
        raise BadArgument("scope", f"{kind.name} needs its {leading.name} behind the scope", place)
    return {}, scope


def _last_word(scope: str, leading: Parameter) -> tuple[str, str, tuple[int, int]]:
    """What stands before the last word, that word, and where it is; in quotes it may be a text to
    search for where no value is needed."""
    # Behind a space no # begins a comment.
    tokens = lex(f" {scope}")
    if not tokens:
        return "", "", (0, 0)
    token = tokens[-1]
    text = token.text if leading.optional and token.kind is Kind.STRING else token.value
    start = token.start - 1
    return scope[:start].rstrip(), text, (start, token.end - 1)


def _misread(leading: Parameter, last: str, error: ValueError) -> str:
    """What is wrong with a word that stands where the value of an action does."""
    if leading.optional and not last.replace(".", "").isdecimal():
        return f'{error}; to search text, write it in "quotes"'
    if leading.kind == "duration" and not last.replace(".", "").isdecimal():
        return "a delay's duration comes last: fault add delay client:billing 250ms"
    if leading.kind == "fields":
        return f"the fields come last: {error}: fault add set op:CONNACK session_present=true"
    return str(error)


def _code(
    session: "Session", last: str, rest: str, place: tuple[int, int]
) -> tuple[dict[str, object], str]:
    if not last or ":" in last:
        text = "the code comes last: fault add refuse op:Produce NOT_LEADER_OR_FOLLOWER"
        raise BadArgument("scope", text, place)
    try:
        codes = resolve_code(last, session.refusals)
    except InvalidInput as error:
        raise BadArgument("scope", str(error), place) from None
    return {"code": last, "codes": codes}, rest.strip()


def _packet(
    leading: Parameter, last: str, rest: str, place: tuple[int, int]
) -> tuple[dict[str, object], str]:
    try:
        return {leading.name: read_quantity(leading, last)}, rest.strip()
    except ValueError as error:
        raise BadArgument("scope", str(error), place) from None


def closest(rule: Rule, now: float) -> str:
    """Of a rule that never fired: what came nearest, and why it was not that."""
    if rule.hits:
        return ""
    trigger, age = rule.trigger, now - rule.added
    if age < trigger.after:
        # Until then nothing is counted, whatever comes.
        return f"begins in {units.format_duration(trigger.after - age)}"
    if rule.seen:
        return "matched, but its trigger has not let it fire"
    ends = [] if trigger.until is None else [trigger.until]
    if trigger.window is not None:
        ends.append(trigger.after + trigger.window)
    if ends and age >= min(ends):
        return "over: nothing that matches came in its time"
    if rule.near is None:
        return "" if not rule.missed else "nothing like it passed"
    row = rule.near.row
    what = " ".join(part for part in (row.operation, row.destination) if part)
    who = f" of {row.client}" if row.client else ""
    return f"{what}{who}: not {', '.join(rule.near.failed)}"


def value_of(rule: Rule) -> str:
    """How a rule acts and when, in few words."""
    parts = []
    for parameter in ACTIONS[rule.kind].parameters:
        value = getattr(rule.action, parameter.name)
        if value and (parameter.leading or value != _default(rule, parameter.name)):
            parts.append(_shown(parameter, value))
    if rule.match.direction is not None:
        parts.append(("in", "out")[rule.match.direction])
    return " ".join([*parts, *_when(rule.trigger)])


def _default(rule: Rule, name: str) -> Any:
    return next(each.default for each in fields(rule.action) if each.name == name)


def _shown(parameter: Parameter, value: Any) -> str:
    match parameter.kind:
        case "duration":
            text = units.format_duration(value)
            if parameter.leading:
                return text
            return f"±{text}" if parameter.name == "jitter" else f"{parameter.name} {text}"
        case "flag":
            return parameter.name
        case "size":
            return units.format_size(value) + ("/s" if parameter.name == "bytes" else "")
        case "rate":
            return units.format_rate(value)
        case "count":
            return f"{parameter.name} {value}"
        case "fields":
            return ",".join(f"{name}={text}" for name, text in value.items())
        case _:
            return str(value)


def _when(trigger: Trigger) -> Iterator[str]:
    if trigger.probability < 1:
        yield f"{trigger.probability * 100:.3g}%"
    if trigger.last is not None:
        yield f"match {trigger.last} alone"
    elif trigger.first:
        yield f"after {trigger.first}"
    if trigger.every > 1:
        yield f"1 of {trigger.every}"
    if trigger.times is not None and trigger.last is None:
        yield f"{trigger.times} times"
    if trigger.after:
        yield f"from {units.format_duration(trigger.after)} on"
    if trigger.window is not None:
        yield f"for {units.format_duration(trigger.window)}"
    if trigger.until is not None:
        yield f"until {units.format_duration(trigger.until)}"
    if trigger.lasts is not None:
        low, high = map(units.format_duration, trigger.lasts)
        yield f"lasts {low}" if low == high else f"lasts {low}..{high}"


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
