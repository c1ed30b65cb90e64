"""Whether a rule can act at all: asked when it is made, by the kinds of frames that it matches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ..errors import InvalidInput
from ..journal import IN, OUT, Row
from ..protocols import PROTOCOLS, title_of
from .actions import (
    NAMES,
    Action,
    Blackhole,
    Block,
    Delay,
    Disconnect,
    Duplicate,
    Inject,
    Partition,
    Refuse,
    SetFields,
)

if TYPE_CHECKING:
    from .rules import Match

OPEN: Final = "open"
"""The operation of a connection's beginning, which only rules that name it are asked about."""
CLOSE: Final = "close"
"""The same of its end: the client's (IN) or ours."""
AT_AN_END: Final[Mapping[str, tuple[type[Action], ...]]] = {
    OPEN: (Delay, Disconnect, Blackhole, Partition),
    CLOSE: (Delay,),
}
"""What can be done at a connection's beginning and end, where there is no frame."""
_ENDS: Final = {OPEN: "beginning", CLOSE: "end"}
NO_MESSAGE: Final = ("key", "body", "json", "header")
NOTHING_NAMED: Final = (
    *NO_MESSAGE,
    *("topic", "queue", "partition", "offset", "group", "txn", "qos", "retain", "channel", "rkey"),
    "redelivered",
)
"""What filters ask for of a frame that is about something."""
_NOBODY_YET: Final = (*NOTHING_NAMED, "client", "user", "vhost")
"""Who has just connected has not said who it is."""


def no_fields() -> Collection[str]:
    """Of a frame that has none, or none that anybody can set."""
    return ()


def any_value(name: str, text: str) -> object:
    """Of a field that takes whatever it is given."""
    return None


def any_code(code: int) -> bool:
    """Of what can be refused with each of its protocol's codes."""
    return True


class FrameKind(Struct, frozen=True):
    """Frames with one operation, one way: what rules can do to them.

    `fields`: the names of those that can be set, of whatever version; asked late, since few want
    to know; `check` raises InvalidInput where one of them cannot have a value, given as text.
    `refusable`: there is an answer with this code. `lacks`: the fields that filters ask for and it
    never has; asked late, too. `malformed`: the packets by whose names something can be injected
    behind them. `usual`: correct peers send it. `frame`: it is one, and no beginning or end of a
    connection. `notified`: its client can be told that it is blocked, and why. `datagram`: it comes
    by listeners alone that take datagrams, any other by none of these.
    """

    protocol: str
    direction: int
    operation: str
    fields: Callable[[], Collection[str]] = no_fields
    malformed: Collection[str] = ()
    usual: bool = True
    frame: bool = True
    check: Callable[[str, str], object] = any_value
    refusable: Callable[[int], bool] = any_code
    lacks: Callable[[], Collection[str]] = no_fields
    notified: bool = False
    datagram: bool = False


def kinds_of(
    protocol: str,
    operation: str,
    fields: Callable[[], Collection[str]] = no_fields,
    malformed: Collection[str] = (),
    *,
    sender: int | None = None,
) -> Iterator[FrameKind]:
    """Both ways' kinds of an operation, which alone its `sender` sends: clients (IN) or we (OUT).

    What clients alone send never goes out; what comes from a client may be anything.
    """
    yield FrameKind(protocol, IN, operation, fields, malformed, usual=sender != OUT)
    if sender != IN:
        yield FrameKind(protocol, OUT, operation, fields, malformed)


def ends_of(protocol: str) -> Iterator[FrameKind]:
    """A connection's beginning, which is the client's, and its end, which is either's."""
    yield FrameKind(protocol, IN, OPEN, frame=False, lacks=lambda: _NOBODY_YET)
    for way in (IN, OUT):
        yield FrameKind(protocol, way, CLOSE, frame=False, lacks=lambda: NOTHING_NAMED)


def check_possible(match: Match, action: object) -> None:
    """Raises InvalidInput where the action can be done to nothing that matches.

    `action` may be a hold's decision too; one that is none waits for frames.
    """
    if isinstance(action, Inject) and match.direction == IN:
        raise InvalidInput("inject: it goes to the client, behind what that gets: dir is out")
    if isinstance(action, Refuse) and match.direction == OUT:
        raise InvalidInput("refuse: only what a client sends can be refused: dir is in")
    if match.kinds is None:
        return
    ways = (IN, OUT) if match.direction is None else (match.direction,)
    if not any(each.direction in ways and _acts(action, each) for each in match.kinds()):
        matched = list(match.kinds())
        kinds = [each for each in matched if each.direction in ways]
        what = _what(match, kinds or matched)
        raise InvalidInput(
            f"{NAMES.get(type(action), 'hold')}: {_reason(action, what, kinds, matched)}"
        )


def applicable(action: object, parts: list[Row]) -> list[Row]:
    """Only what a client sends can be refused, and only with a code that its protocol has; what is
    injected goes to the client, behind what it gets."""
    if isinstance(action, Refuse):
        codes = action.codes
        return [part for part in parts if part.direction == IN and part.protocol in codes]
    if isinstance(action, Inject):
        return [part for part in parts if part.direction == OUT]
    return parts


def _acts(action: object, kind: FrameKind) -> bool:
    if not kind.frame:
        return isinstance(action, AT_AN_END[kind.operation])
    match action:
        case Refuse(codes=codes):
            code = codes.get(kind.protocol)
            if code is None or not kind.usual or kind.direction != IN:
                return False
            return kind.refusable(code)
        case Duplicate(dup=True):
            return kind.protocol == "mqtt" and kind.operation == "PUBLISH"
        case Block(reason=reason) if reason != Block().reason:
            return kind.notified
        case Inject(packet=packet):
            named = packet.startswith("0x") or packet in kind.malformed
            return named and kind.direction == OUT
        case SetFields(fields=fields):
            return fields.keys() <= set(kind.fields()) and not _misfit(fields, kind)
        case _:
            return True


def _misfit(fields: Mapping[str, str], kind: FrameKind) -> str:
    """Why a frame of this kind cannot have one of these values."""
    for name, text in fields.items():
        try:
            kind.check(name, text)
        except InvalidInput as error:
            why = str(error)
            return f"{kind.operation}: {why if name in why else f'{name} is not {text!r}: {why}'}"
    return ""


def _reason(action: object, what: str, kinds: list[FrameKind], matched: list[FrameKind]) -> str:
    """Why it can be done to none of these kinds, and what to ask for instead."""
    frames = [each for each in kinds if each.frame]
    if not kinds:
        return _why_nothing(what, matched)
    if not frames:
        operation = kinds[0].operation
        able = ", ".join(NAMES[each] for each in AT_AN_END[operation])
        return f"{what} is a connection's {_ENDS[operation]}, which is no frame: it takes {able}"
    match action:
        case Refuse():
            return _why_not_refused(action, what, frames)
        case Inject(packet=packet) if any(each.direction == OUT for each in frames):
            whose = " and ".join(
                each.title for each in PROTOCOLS.values() if packet in each.malformed
            )
            return f"{packet} is a packet of {whose}, not one for {what}: give the bytes (0xC000)"
        case Inject():
            return f"{what} is what a client sends, and it goes behind what that gets: name that"
        case SetFields(fields=fields):
            return _why_not_set(fields, what, frames)
        case Duplicate():
            return f"dup is a flag of MQTT's PUBLISH, and {what} is none: leave it out"
        case Block():
            return f"only AMQP 0-9-1 tells clients a reason, and {what} is none of it: leave it out"
        case _:
            return f"nothing of {what} takes it"


def _why_nothing(what: str, matched: list[FrameKind]) -> str:
    """Of a rule with a direction that none of what it matches has."""
    if not matched:
        return f"no frame is {what}: it would never fire"
    if any(each.direction == IN for each in matched):
        return f"{what} is only what a client sends: dir is in, or it would never fire"
    return f"{what} is only what a client gets: dir is out, or it would never fire"


def _why_not_refused(action: Refuse, what: str, frames: list[FrameKind]) -> str:
    asked = dict.fromkeys(
        f"{title_of(each.protocol)}'s" for each in frames if each.direction == IN and each.usual
    )
    if not asked:
        return f"{what} is what a client gets, and only what it sends can be refused: name that"
    for each in frames:
        if each.protocol in action.codes and each.direction == IN and each.usual:
            return f"{what} cannot be answered with {action.code}: use drop or disconnect for it"
    whose = " and ".join(map(title_of, action.codes))
    return f"{action.code} is a code of {whose}, not of {what}: give one of {' or '.join(asked)}"


def _why_not_set(fields: Mapping[str, str], what: str, frames: list[FrameKind]) -> str:
    known = set().union(*(each.fields() for each in frames))
    missing = [name for name in fields if name not in known]
    if not missing:
        for each in frames:
            if fields.keys() <= set(each.fields()) and (why := _misfit(fields, each)):
                return why
        return f"no frame of {what} has all of {', '.join(fields)}: a fault for each"
    if len({each.operation for each in frames}) == 1:
        hint = f"it has {', '.join(sorted(known)) or 'none'}"
    else:
        from difflib import get_close_matches  # only for a mistake

        near = get_close_matches(missing[0][:100], sorted(known), n=3)
        hint = f"nearest: {', '.join(near)}" if near else "name the operation (op:)"
    return (
        f"{what} has no field {missing[0]}; {hint}"
        if what
        else f"no frame has a field {missing[0]}; {hint}"
    )


def _what(match: Match, kinds: list[FrameKind]) -> str:
    """The operation where it is one, else the filter."""
    operations = {each.operation for each in kinds}
    if len(operations) == 1 and all(each.frame for each in kinds):
        return operations.pop()
    return match.scope
