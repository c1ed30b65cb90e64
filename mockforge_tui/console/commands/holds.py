"""`hold`, `release` and `drop`: stop frames on their way and decide about them."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.misbehaviour.actions import Refuse
from mockforge_brokers.misbehaviour.codes import resolve_code
from mockforge_brokers.misbehaviour.decisions import Decision, Edit, Release
from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule

from ...filters import Filter, compile_filter
from ...units import counted
from ..client_timeouts import patience_with
from ..language import Token
from ..lookup import BadArgument, nobody_to_hit
from ..payloads import Payload
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, count, done, duration, size, table
from ..types import CODE, COUNT, DURATION, FILTER, PAYLOAD, TEXT, choice, of_text
from .changing import Fields, Headers, Key, Null, Properties, Wanted, Without, changes_of
from .faults import match_of

if TYPE_CHECKING:
    from ..session import Session

_NUMBERS = re.compile(r"h?(\d+)(?:\.\.h?(\d+))?")
_ID = Type("id", of_text(str), "hold-rules")

Selector = range | Filter | None


def _selector(token: Token) -> Selector:
    """`h3`, `h3..5`, `@held` (all: None) or a (filter)."""
    if token.text in ("@held", "@all", "all"):
        return None
    numbers = _NUMBERS.fullmatch(token.text)
    if numbers is not None:
        first = int(numbers[1])
        return range(first, int(numbers[2] or first) + 1)
    if token.text.startswith("("):
        return compile_filter(token.text)
    if token.text.startswith("#"):
        raise ValueError(f"{token.text} is a row of the flow; held frames are h1, h2, ...: held")
    raise ValueError(f"{token.text!r} is none of h3, h3..5, @held or a (filter)")


SELECTOR = Type("sel", _selector, "held")


def one_held(token: Token) -> int:
    """`h3`; raises ValueError."""
    found = _selector(token) if _NUMBERS.fullmatch(token.text) else None
    if not isinstance(found, range) or len(found) != 1:
        raise ValueError(f"{token.text!r} is no held frame: h1, h2, ... as held lists them")
    return found[0]


@command(
    "hold",
    group="faults",
    aliases=("hold add",),
    examples=(
        "hold topic:orders.created size>200 --timeout 25s",
        "hold op:basic.ack --max 1",
        'hold op:Produce topic:orders --payload {"total": 0} -H by=hold',
        "hold op:PUBLISH topic:t --timeout 2s --refuse QUOTA_EXCEEDED",
        "hold op:CONNACK --set session_present=true --timeout 5s",
    ),
)
def hold(
    session: "Session",
    where: Annotated[Filter, Arg(FILTER, "which frames", tail=True)],
    *,
    way: Annotated[
        str | None, Opt(("--dir",), choice("dir", "in", "out"), "from or to the client")
    ] = None,
    most: Annotated[int | None, Opt(("--max",), COUNT, "hold so many at most")] = None,
    timeout: Annotated[float | None, Opt(("--timeout",), DURATION, "let go after this")] = None,
    lifetime: Annotated[float | None, Opt(("--for",), DURATION, "the rule ends after this")] = None,
    payload: Annotated[Payload | None, Opt(("--payload",), PAYLOAD, "the new payload")] = None,
    key: Key = None,
    headers: Headers = (),
    properties: Properties = (),
    without: Without = (),
    null: Null = False,
    fields: Fields = (),
    code: Annotated[str | None, Opt(("--refuse",), CODE, "answer with this error code")] = None,
    text: Annotated[str, Opt(("--text",), TEXT, "the words of a refusal")] = "",
) -> Result:
    """Hold frames that a filter matches, until they are released or dropped.

    What its connection sends behind a held frame waits too, so order is kept. With something to
    change, or --refuse, nobody need decide: it is done at once, or after the --timeout.
    """
    wanted = Wanted(payload, key, headers, properties, without, null, fields)
    decision = _decision(session, wanted, code, text)
    match = match_of(session, "where", where.text, way)
    rule = session.runtime.holds.add(HoldRule(match, most, timeout, decision, lifetime=lifetime))
    return done(f"hold {rule.id}: {rule.scope}{nobody_to_hit(session)}", {"id": rule.id})


def _decision(session: "Session", wanted: Wanted, code: str | None, text: str) -> Decision | None:
    if code is not None:
        if wanted.anything:
            raise BadArgument("code", "a refused message goes nowhere: --refuse or changes")
        return Refuse(code, codes_of(session, code, "code"), text)
    if text:
        raise BadArgument("text", "--text are the words of a refusal: give --refuse CODE too")
    return Edit(changes_of(session, wanted)) if wanted.anything else None


def codes_of(session: "Session", code: str, argument: str) -> dict[str, int]:
    """What a code stands for, by protocol; raises BadArgument."""
    try:
        return resolve_code(code, session.refusals)
    except InvalidInput as error:
        raise BadArgument(argument, str(error)) from None


def decision_of(rule: HoldRule) -> str:
    """What a rule does with what it holds, in few words."""
    match rule.decision:
        case Refuse(code):
            return f"refuse {code}"
        case Edit():
            return "edit"
    return ""


@command("hold ls", group="faults", aliases=("holds",), examples=("hold ls",))
def hold_ls(session: "Session") -> Result:
    """List hold rules."""
    now = session.runtime.clock.now()
    rows = [
        {
            "id": rule.id,
            "name": rule.name,
            "scope": rule.scope,
            "decision": decision_of(rule),
            "dir": "once" if rule.match.direction is None else ("in", "out")[rule.match.direction],
            "hits": rule.hits,
            "max": rule.most,
            "timeout": rule.timeout,
            "left": None if rule.expires is None else max(0.0, rule.expires - now),
        }
        for rule in session.runtime.holds.rules.values()
    ]
    return table(
        rows,
        Column("id", "id", right=True),
        Column("name", "name"),
        Column("scope", "scope"),
        Column("decision", "does"),
        Column("dir", "dir"),
        Column("hits", "held", count, right=True),
        Column("max", "max", count, right=True),
        Column("timeout", "timeout", duration, right=True),
        Column("left", "left", duration, right=True),
        empty="no hold rules",
    )


@command("hold rm", group="faults", examples=("hold rm 1",))
def hold_rm(
    session: "Session", number: Annotated[str, Arg(_ID, "a rule's number or name")]
) -> Result:
    """End a hold rule; what it held goes on."""
    holds = session.runtime.holds
    for rule in tuple(holds.rules.values()):
        if number in (str(rule.id), rule.name):
            holds.remove(rule.id)
            return done(f"hold {rule.id} ended", {"id": rule.id})
    raise BadArgument("number", f"no hold rule {number}; hold ls lists them")


@command("hold off", group="faults", examples=("hold off",))
def hold_off(session: "Session") -> Result:
    """End all hold rules; what they held goes on."""
    freed = session.runtime.holds.clear()
    return done(f"holds ended, {counted(freed, 'frame')} released", {"released": freed})


@command("held", group="faults", examples=("held",))
def held(session: "Session") -> Result:
    """List the frames that are held right now.

    `gives up in` counts down what the client said that it waits, and `by` names it: Kafka's
    request.timeout.ms, an AMQP expiration, MQTT 5's expiry, a keep alive or heartbeat. No client
    says its delivery.timeout.ms: until then a producer tries again.
    """
    runtime = session.runtime
    now = runtime.clock.now()
    rows = []
    for frame in runtime.holds.held.values():
        first, age = frame.rows[0], now - frame.since
        patience = patience_with(frame, runtime.brokers, runtime.journal)
        rows.append(
            {
                "id": frame.id,
                "rule": frame.rule,
                "age": age,
                "left": None if patience is None else patience.seconds - age,
                "by": "" if patience is None else patience.name,
                "protocol": first.protocol,
                "client": first.client,
                "operation": first.operation,
                "destination": first.destination,
                "size": first.size,
            }
        )
    return table(
        rows,
        Column("id", "held", lambda number: f"h{number}", right=True),
        Column("age", "age", duration, right=True),
        Column("left", "gives up in", left_text, right=True),
        Column("by", "by"),
        Column("protocol", "broker"),
        Column("client", "client"),
        Column("operation", "op"),
        Column("destination", "topic · queue"),
        Column("size", "size", size, right=True),
        empty="nothing is held",
        fields=("rule",),
    )


def left_text(seconds: Any) -> str:
    """How long its client still waits for a held frame."""
    if seconds is None:
        return ""
    return duration(seconds) if seconds > 0 else "gave up"


@command(
    "release",
    group="faults",
    examples=(
        "release",
        "release h3",
        "release (client:billing)",
        "release @held --delay 2s",
        "release @held --behind 1",
    ),
)
def release(
    session: "Session",
    which: Annotated[Selector, Arg(SELECTOR, "h3, h3..5, @held (all) or a (filter)")] = None,
    *,
    delay: Annotated[float | None, Opt(("--delay",), DURATION, "go on after this")] = None,
    behind: Annotated[int | None, Opt(("--behind",), COUNT, "go behind so many others")] = None,
    wait: Annotated[float | None, Opt(("--wait",), DURATION, "--behind: at most so long")] = None,
) -> Result:
    """Let held frames go on; without a selector all of them.

    With --behind each goes on behind the next ones of its connection, which so overtake it.
    """
    if delay is not None and behind is not None:
        raise BadArgument("behind", "either --delay or --behind")
    how = Release(delay or 0.0, behind or 0, 1.0 if wait is None else wait)
    return _settled(
        session, which, lambda number: session.runtime.holds.release(number, how), how.outcome
    )


@command("drop", group="faults", examples=("drop h3", "drop @held"))
def drop(
    session: "Session",
    which: Annotated[Selector, Arg(SELECTOR, "h3, h3..5, @held (all) or a (filter)")],
) -> Result:
    """Make held frames vanish: nobody ever gets them."""
    return _settled(session, which, session.runtime.holds.drop, "dropped")


def _settled(
    session: "Session", which: Selector, settle: Callable[[int], bool], what: str
) -> Result:
    frames = chosen(session, which)
    numbers = [frame.id for frame in frames if settle(frame.id)]
    name = "dropped" if what == "dropped" else "released"
    if not numbers:
        return done(f"nothing to be {what}", {name: []})
    shown = ", ".join(f"h{number}" for number in numbers[:10])
    return done(f"{len(numbers)} {what}: {shown}", {name: numbers})


def chosen(session: "Session", which: Selector) -> list[HeldFrame]:
    """The held frames of a selector; raises BadArgument for numbers that are not held."""
    frames = list(_chosen(session.runtime.holds.held.values(), which))
    if not frames and isinstance(which, range):
        name = f"h{which[0]}" if len(which) == 1 else f"h{which[0]}..{which[-1]}"
        raise BadArgument("which", f"{name} is not held; held lists what is")
    return frames


def _chosen(frames: Iterable[HeldFrame], which: Selector) -> Iterable[HeldFrame]:
    for frame in frames:
        if which is None:
            yield frame
        elif isinstance(which, range):
            if frame.id in which:
                yield frame
        elif any(which(row) for row in frame.rows):
            yield frame


COMMANDS = (hold, hold_ls, hold_rm, hold_off, held, release, drop)
