"""The words that the filter of a rule may ask for: one with a word that no frame has never acts."""

import re
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from functools import cache
from importlib import import_module
from itertools import chain, product
from typing import Any, Final

from mockforge_brokers.contract import names_of
from mockforge_brokers.journal import IN, OUT, Origin, Row
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.possible import (
    CLOSE,
    NOTHING_NAMED,
    OPEN,
    FrameKind,
    ends_of,
    kinds_of,
)
from mockforge_brokers.outer_frames import OPERATIONS as OUTER
from mockforge_brokers.protocols import PROTOCOLS, title_of
from msgspec.structs import replace

from .filters import MESSAGES, Asked, Filter, FilterError, conditions, reduced, terms_about
from .nearest import get_close_matches

_FRAMES: Final = {
    "proto": [Row(name, IN, "") for name in PROTOCOLS],
    "dir": [Row("", IN, ""), Row("", OUT, "")],
    "kind": [Row("", IN, "", kind=kind) for kind in ("message", "control", "noise")],
    "qos": [Row("mqtt", IN, "PUBLISH", detail={"qos": qos}) for qos in range(3)],
}
"""Of fields that can be one of few words: a frame for each of them."""
_EVENT: Final = Row("", IN, "", kind="event")
"""Rows have one kind more than frames."""
_ABOUT: Final = frozenset((*_FRAMES, "op", "code", "topic", "age"))
_ABOUT_WHOM: Final = frozenset(("proto", "dir", "op", "conn", "address", "listener"))
"""What all frames have."""
_LISTENER: Final = frozenset(("listener",))
_LATER: Final = frozenset(("@held", "@fault", "@marked", "has:held", "has:fault", "has:mark"))
"""What becomes of a frame once rules have seen it."""
_INSIDE: Final = frozenset(("@mine", "@auto"))
"""What the prompt and fixtures publish: it is in the journal, and comes by no connection."""
_MOST_NAMED: Final = 4
_WILD: Final = frozenset("+#")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
"""How codes are spelled; other texts are what an error says."""
_NUMBER: Final = re.compile("[0-9]+")
_ANY_NUMBERS: Final = ("9", "99", "100")
_KINDS: Final = "it is an API (Produce), a packet (PUBLISH) or a method (basic.publish)"
_WORDS: Final = {
    "proto": ", ".join(PROTOCOLS),
    "dir": "in, out",
    "kind": "message, control, noise",
    "qos": "0, 1, 2",
}


def check_words(
    text: str,
    is_about: Callable[[Row], bool] | None,
    is_of: Callable[[Row], bool] | None = None,
    *,
    journaled: bool = False,
) -> None:
    """Raises FilterError where some word of a filter is none that a frame can have.

    `is_about` says of which protocols the filter is, `is_of` by operation and direction too; None:
    of all. `journaled`: the frames around a protocol's own count, which the journal has and no rule
    sees.
    """
    if not journaled:
        _check_later(text)
    for asked in terms_about(text, _ABOUT):
        match asked.field:
            case "op":
                if not (journaled and any(asked.matches(Row("", IN, name)) for name in OUTER)):
                    _check_operation(asked, is_about)
            case "code":
                _check_code(asked)
            case "topic":
                _check_topic(asked, is_of)
            case "age":
                if not journaled:
                    _check_age(asked)
            case _:
                _check_word(asked)


def operations_of(protocol: str) -> tuple[str, ...]:
    """What its frames, and the beginning and end of its connections, are called."""
    return *_words(protocol).OPERATIONS, OPEN, CLOSE


def codes_of(protocol: str) -> tuple[str, ...]:
    """The names of the codes that its frames bear."""
    found: tuple[str, ...] = _words(protocol).CODES
    return found


def kinds_about(
    text: str,
    is_of: Callable[[Row], bool] | None,
    is_about: Callable[[Row], bool] | None,
) -> Iterator[FrameKind]:
    """The kinds of frames that a filter can match.

    `is_of` says so by the protocol, `is_about` by operation and direction too; None: of all.
    """
    terms = conditions(text)
    for kind in _kinds(text, is_of):
        if _is_about(kind, None, is_about) and not _lacks(terms, kind):
            yield kind


def protocols_about(
    text: str,
    is_of: Callable[[Row], bool] | None,
    is_about: Callable[[Row], bool] | None,
) -> frozenset[str]:
    """Those that have frames, or ends of connections, of such operations."""
    kinds = _kinds(text, is_of)
    return frozenset(each.protocol for each in kinds if _is_about(each, None, is_about))


def _kinds(text: str, is_of: Callable[[Row], bool] | None) -> Iterator[FrameKind]:
    """All of the protocols that a filter is about."""
    values = [asked.term.value for asked in terms_about(text, frozenset(("op",)))]
    for name in PROTOCOLS:
        if is_of is None or is_of(Row(name, IN, "")):
            unread = dict.fromkeys(each for value in values for each in _numbered(name, value))
            unreadable = (
                replace(kind, lacks=lambda: NOTHING_NAMED)
                for each in unread
                for kind in kinds_of(name, each)
            )
            yield from chain(_kinds_of(name), unreadable, ends_of(name))


@cache
def _kinds_of(protocol: str) -> tuple[FrameKind, ...]:
    # A rule asks several times, and of AMQP there are some hundred.
    return tuple(_words(protocol).frame_kinds())


def _lacks(terms: Iterable[Filter], kind: FrameKind) -> bool:
    """Whether a filter asks for what no frame of a kind has."""
    frame = Row(kind.protocol, kind.direction, kind.operation)
    return any(
        each.fields is not None
        and all(_is_without(kind, name) for name in each.fields)
        and not each.matches(frame)
        for each in terms
    )


def _is_without(kind: FrameKind, name: str) -> bool:
    protocol = MESSAGES.fields[name].protocol
    return protocol not in ("", kind.protocol) or name in kind.lacks()


def check_served(
    text: str,
    direction: int | None,
    is_of: Callable[[Row], bool] | None,
    is_about: Callable[[Row], bool] | None,
    listeners: Collection[Listener],
) -> None:
    """As `check_fields`, where `listeners` are all that are open.

    MQTT-SN has packets of the same names as MQTT, with other fields.
    """
    meant = reduced(conditions(text), _LISTENER)
    ways = {
        (each.protocol, each.datagram)
        for each in listeners
        if meant is None
        or meant(Row(each.protocol, IN, "", origin=Origin(listener=names_of(each))))
    }

    def is_served(kind: FrameKind) -> bool:
        return (kind.protocol, kind.datagram) in ways

    kinds = [each for each in _kinds(text, is_of) if _is_about(each, direction, is_about)]
    for term in _terms_of_frames(text) if any(map(is_served, kinds)) else ():
        having = [each for each in kinds if not _lacks((term,), each)]
        if having and not any(map(is_served, having)):
            protocols = {each.protocol for each in kinds if is_served(each)}
            near = _having(term, direction, protocols, lambda each: not each.datagram)
            what = _listed(list(dict.fromkeys(each.operation for each in having)))
            start = text.index(term.text)
            raise FilterError(
                f"only {what} of MQTT-SN has a {_field_of(term)}, and this filter is about no open "
                f"listener of that: name {near}",
                start,
                start + len(term.text),
            )


def _terms_of_frames(text: str) -> Iterator[Filter]:
    """The terms that ask for what not all frames have."""
    return (
        term
        for term in conditions(text)
        if term.fields is not None and not term.fields <= _ABOUT_WHOM
    )


def check_fields(
    text: str,
    direction: int | None,
    is_of: Callable[[Row], bool] | None,
    is_about: Callable[[Row], bool] | None,
) -> None:
    """Raises FilterError where all that a filter can be about lacks what one of its terms asks for.

    `is_of` says so by the protocol, `is_about` by operation and direction too; None: of all.
    """
    for term in _terms_of_frames(text):
        protocols = set()
        for kind in _kinds(text, is_of):
            if _is_about(kind, direction, is_about):
                protocols.add(kind.protocol)
                if not _lacks((term,), kind):
                    break
        else:
            if protocols:
                start = text.index(term.text)
                near = _having(term, direction, protocols)
                why = f"what this filter is about has no {_field_of(term)}: name {near}"
                raise FilterError(why, start, start + len(term.text))


def _field_of(term: Filter) -> str:
    assert term.fields is not None
    return min(term.fields)


def _having(
    term: Filter,
    direction: int | None,
    protocols: Container[str],
    is_meant: Callable[[FrameKind], bool] = lambda kind: True,
) -> str:
    """What of these protocols has what a term asks for, else what of all."""
    having = [
        each
        for each in _kinds("", None)
        if each.frame and each.usual and is_meant(each) and not _lacks((term,), each)
    ]
    near = [each for each in having if each.protocol in protocols] or having
    same = [each for each in near if direction in (None, each.direction)]
    names = list(dict.fromkeys(each.operation for each in same or near))
    some = [*names[:_MOST_NAMED], *(["others"] if len(names) > _MOST_NAMED else [])]
    way = "" if same else f" with dir {'in' if direction else 'out'}"
    return f"{_listed(some)}{way}"


def _is_about(
    kind: FrameKind, direction: int | None, is_about: Callable[[Row], bool] | None
) -> bool:
    if direction not in (None, kind.direction):
        return False
    return is_about is None or is_about(Row(kind.protocol, kind.direction, kind.operation))


def _check_later(text: str) -> None:
    for each in conditions(text):
        start = text.find(each.text)
        place = start, start + len(each.text)
        if each.text in _LATER or re.fullmatch(r"#[0-9]+", each.text):
            why = f"{each.text}: no frame is that before the rules have seen it: leave it out"
            raise FilterError(why, *place)
        if each.text in _INSIDE:
            raise FilterError(
                f"{each.text}: what the prompt and fixtures publish passes no rule: name clients",
                *place,
            )


def _check_age(asked: Asked) -> None:
    if not asked.denied and not asked.matches(Row("", IN, "", time=time.time())):
        raise _wrong(asked, "no frame has an age as it comes: use --start, or leave it out")


def _check_topic(asked: Asked, is_of: Callable[[Row], bool] | None) -> None:
    """What MQTT's topics cannot be called, where the filter is about these alone."""
    value, levels = asked.term.value, asked.term.value.split("/")
    wild = "+" in value or "#" in value
    if asked.term.op not in (":", "=") or not (wild or levels[0] == "$share"):
        return
    named = [
        (protocol, operation)
        for protocol in PROTOCOLS
        for operation in operations_of(protocol)
        if is_of is None or any(is_of(Row(protocol, way, operation)) for way in (IN, OUT))
    ]
    if {protocol for protocol, _ in named} != {"mqtt"}:
        return
    subscribing = any(operation in ("SUBSCRIBE", "UNSUBSCRIBE") for _, operation in named)
    if levels[0] == "$share" and len(levels) > 2 and not subscribing:
        topic = "/".join(levels[2:])
        raise _wrong(asked, f"what is published for {value} goes to {topic}: name that")
    if "#" in levels[:-1] or any(level not in ("+", "#") and _WILD & {*level} for level in levels):
        raise _wrong(asked, f"no topic is {value}: + stands for a whole level, # for the last ones")


def _words(protocol: str) -> Any:
    # Where somebody asks: a run without rules need not know a protocol that it does not serve.
    return import_module(f"mockforge_brokers.{protocol}.words")


def _check_word(asked: Asked) -> None:
    if asked.denied and asked.matches(_EVENT):
        # True of each frame.
        return
    if not any(map(asked.matches, _FRAMES[asked.field])):
        words = _WORDS[asked.field]
        raise _wrong(asked, f"no frame's {asked.field} is {asked.term.value}: {words}")


def _check_code(asked: Asked) -> None:
    value = asked.term.value
    known = [code for name in PROTOCOLS for code in codes_of(name)]
    if asked.term.op in (":", "=", "!=") and _CODE.fullmatch(value) and value not in known:
        close = get_close_matches(value, known, 3)
        hint = f"; did you mean {_listed(close)}?" if close else ""
        raise _wrong(asked, f"no code {value}{hint}")


def _check_operation(asked: Asked, is_about: Callable[[Row], bool] | None) -> None:
    value = asked.term.value
    meant = [name for name in PROTOCOLS if is_about is None or is_about(Row(name, IN, ""))] or list(
        PROTOCOLS
    )
    if any(_has(name, asked) for name in meant):
        return
    others = [name for name in PROTOCOLS if name not in meant and _has(name, asked)]
    if others:
        whose, here = _titles(others), _titles(meant)
        raise _wrong(asked, f"{value} is an operation of {whose}, this filter is about {here}")
    near = _nearest(value, [each for name in meant for each in operations_of(name)])
    hint = f"did you mean {near}?" if near else _KINDS
    raise _wrong(asked, f"no operation {value}; {hint}")


def _has(protocol: str, asked: Asked) -> bool:
    names = chain(operations_of(protocol), _numbered(protocol, asked.term.value))
    return any(asked.matches(Row(protocol, IN, name)) for name in names)


def _numbered(protocol: str, value: str) -> Iterator[str]:
    """What frames of a protocol are called by their numbers: those in `value`, and some others,
    since a pattern may stand for any."""
    numbers = (*_ANY_NUMBERS, *_NUMBER.findall(value))
    for name in _words(protocol).NUMBERED:
        for chosen in product(numbers, repeat=name.count("{}")):
            yield name.format(*chosen)


def _titles(protocols: Iterable[str]) -> str:
    return " and ".join(map(title_of, protocols))


def _nearest(value: str, operations: Iterable[str]) -> str:
    """Of basic.publish people type publish too."""
    known: dict[str, str] = {}
    for name in operations:
        known.setdefault(name.lower(), name)
        known.setdefault(name.rpartition(".")[2].lower(), name)
    close = get_close_matches(value.strip("*").lower(), known, 3)
    return _listed(list(dict.fromkeys(known[each] for each in close)))


def _listed(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _wrong(asked: Asked, text: str) -> FilterError:
    return FilterError(text, asked.term.value_start, asked.term.end)
