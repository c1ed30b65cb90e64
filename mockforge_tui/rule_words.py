"""The words that the filter of a rule may ask for: one with a word that no frame has never acts."""

import re
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import chain, product
from typing import Any, Final

from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.misbehaviour.possible import CLOSE, OPEN, FrameKind, ends_of, kinds_of
from mockforge_brokers.outer_frames import OPERATIONS as OUTER
from mockforge_brokers.protocols import PROTOCOLS, title_of

from .filters import Asked, FilterError, terms_about
from .nearest import get_close_matches

_FRAMES: Final = {
    "proto": [Row(name, IN, "") for name in PROTOCOLS],
    "dir": [Row("", IN, ""), Row("", OUT, "")],
    "kind": [Row("", IN, "", kind=kind) for kind in ("message", "control", "noise")],
}
"""Of fields that can be one of few words: a frame for each of them."""
_EVENT: Final = Row("", IN, "", kind="event")
"""Rows have one kind more than frames."""
_ABOUT: Final = frozenset((*_FRAMES, "op", "code"))
_CODE: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
"""How codes are spelled; other texts are what an error says."""
_NUMBER: Final = re.compile("[0-9]+")
_ANY_NUMBERS: Final = ("9", "99", "100")
_KINDS: Final = "it is an API (Produce), a packet (PUBLISH) or a method (basic.publish)"
_WORDS: Final = {
    "proto": ", ".join(PROTOCOLS),
    "dir": "in, out",
    "kind": "message, control, noise",
}


def check_words(
    text: str, is_about: Callable[[Row], bool] | None, *, journaled: bool = False
) -> None:
    """Raises FilterError where some word of a filter is none that a frame can have.

    `is_about` says of which protocols the filter is; None: of all. `journaled`: the frames around
    a protocol's own count, which the journal has and no rule sees.
    """
    for asked in terms_about(text, _ABOUT):
        if asked.field == "op":
            if not (journaled and any(asked.matches(Row("", IN, name)) for name in OUTER)):
                _check_operation(asked, is_about)
        elif asked.field == "code":
            _check_code(asked)
        elif asked.denied and asked.matches(_EVENT):
            # True of each frame.
            continue
        elif not any(map(asked.matches, _FRAMES[asked.field])):
            words = _WORDS[asked.field]
            raise _wrong(asked, f"no frame's {asked.field} is {asked.term.value}: {words}")


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
    values = [asked.term.value for asked in terms_about(text, frozenset(("op",)))]
    for name in PROTOCOLS:
        if is_of is None or is_of(Row(name, IN, "")):
            unread = dict.fromkeys(each for value in values for each in _numbered(name, value))
            unreadable = (kind for each in unread for kind in kinds_of(name, each))
            for kind in chain(_words(name).frame_kinds(), unreadable, ends_of(name)):
                if is_about is None or is_about(Row(name, kind.direction, kind.operation)):
                    yield kind


def _words(protocol: str) -> Any:
    # Where somebody asks: a run without rules need not know a protocol that it does not serve.
    return import_module(f"mockforge_brokers.{protocol}.words")


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
