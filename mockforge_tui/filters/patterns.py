"""Globs and regular expressions of filters, kept from running away.

A pattern runs in the brokers' loop, and Python's engine backtracks: nested repeats are refused,
and what is searched is the shorter the more open repeats a pattern has.
"""

import re
from re import _constants as _sre  # type: ignore[attr-defined]
from re import _parser as _sre_parser  # type: ignore[attr-defined]
from typing import Any

SEARCHED = 65_536
"""Bytes of a body that a filter looks at."""

_BY_OPEN_REPEATS = (SEARCHED, 16_384, 1_024, 256)
_LONGEST = 1_000
_FEW = 10
"""A repeat of at most so many counts as a choice, not as open."""
_MOST_CHOICES = 12


def regex_reach(pattern: str) -> int:
    """Returns how many characters of a text the pattern may be given; raises ValueError."""
    if len(pattern) > _LONGEST:
        raise ValueError(f"a pattern of more than {_LONGEST} characters")
    try:
        re.compile(pattern)
        tree = _sre_parser.parse(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error.msg}") from None
    except (RecursionError, OverflowError):
        raise ValueError("not a regular expression: too deep") from None
    census = _Census()
    census.walk(tree, inside=False)
    if census.choices > _MOST_CHOICES:
        raise ValueError(f"more than {_MOST_CHOICES} optional parts; write two filters")
    return _BY_OPEN_REPEATS[min(census.open, 3)]


class _Census:
    """Counts what makes the engine try again."""

    def __init__(self) -> None:
        self.open = 0
        self.choices = 0

    def walk(self, tree: Any, *, inside: bool) -> None:
        """Counts the repeats of a parsed pattern; raises ValueError for one within another."""
        items = list(tree)
        for at, (kind, value) in enumerate(items):
            if kind in (_sre.MAX_REPEAT, _sre.MIN_REPEAT, _sre.POSSESSIVE_REPEAT):
                following = items[at + 1] if at + 1 < len(items) else None
                self.repeat(value, inside, settled=at > 0 and _disjoint(value[2], following))
            elif kind is _sre.BRANCH:
                self.branch(value[1], inside)
            elif kind is _sre.GROUPREF:
                # What it refers to is compared once more, whatever length it had: one repeat more.
                self.open += 1
            else:
                for part in _parts(kind, value):
                    self.walk(part, inside=inside)

    def repeat(self, value: Any, inside: bool, *, settled: bool) -> None:
        least, most, body = value
        if least != most:
            if inside:
                raise ValueError("a repeat within a repeat may run for ever; write it flat")
            if most > _FEW:
                self.open += not settled
            else:
                self.choices += 1
        self.walk(body, inside=inside or most > 1)

    def branch(self, branches: Any, inside: bool) -> None:
        if inside:
            raise ValueError("a choice within a repeat may run for ever; write [ab] or flat")
        self.choices += 1
        for branch in branches:
            self.walk(branch, inside=inside)


def _parts(kind: Any, value: Any) -> list[Any]:
    if kind is _sre.SUBPATTERN:
        return [value[3]]
    if kind in (_sre.ASSERT, _sre.ASSERT_NOT):
        return [value[1]]
    if kind is _sre.ATOMIC_GROUP:
        return [value]
    if kind is _sre.GROUPREF_EXISTS:
        return [part for part in value[1:] if part is not None]
    return []


def _disjoint(body: Any, following: Any) -> bool:
    """Whether what follows a repeat cannot be part of it (`[^"]*"`): no way to backtrack."""
    if following is None or following[0] is not _sre.LITERAL or len(body) != 1:
        return False
    kind, value = body[0]
    if kind is _sre.LITERAL:
        return bool(value != following[1])
    if kind is _sre.NOT_LITERAL:
        return bool(value == following[1])
    return kind is _sre.IN and not _admits(value, following[1])


def _admits(members: Any, code: int) -> bool:
    negated = members[0][0] is _sre.NEGATE
    for kind, value in members:
        if kind is _sre.LITERAL and value == code:
            return not negated
        if kind is _sre.RANGE and value[0] <= code <= value[1]:
            return not negated
        if kind is _sre.CATEGORY and _in_category(value, chr(code)):
            return not negated
    return bool(negated)


def _in_category(category: Any, character: str) -> bool:
    letter = {
        _sre.CATEGORY_DIGIT: r"\d",
        _sre.CATEGORY_NOT_DIGIT: r"\D",
        _sre.CATEGORY_SPACE: r"\s",
        _sre.CATEGORY_NOT_SPACE: r"\S",
        _sre.CATEGORY_WORD: r"\w",
        _sre.CATEGORY_NOT_WORD: r"\W",
    }.get(category)
    return letter is None or re.match(letter, character) is not None


def is_glob(text: str) -> bool:
    return "*" in text or "?" in text


def is_topic_filter(text: str) -> bool:
    """Whether a text uses MQTT's wildcards, each a level of its own and # last."""
    levels = text.split("/")
    return ("+" in levels or levels[-1] == "#") and "#" not in levels[:-1]


def glob_regex(text: str, *, topic_filter: bool = False) -> str:
    """Returns the regex of a glob; with `topic_filter`, + and # count as in MQTT."""
    if not topic_filter:
        return _glob_part(text)
    *levels, last = text.split("/")
    parts = ["[^/]*" if level == "+" else _glob_part(level) for level in levels]
    if last != "#":
        return "/".join([*parts, "[^/]*" if last == "+" else _glob_part(last)])
    # [MQTT-4.7.1-2]: sport/# matches sport too.
    return "/".join(parts) + "(?:/.*)?" if parts else ".*"


def _glob_part(text: str) -> str:
    # Runs of stars are one star; each is atomic up to its next literal, so nothing runs away.
    pieces = re.split(r"\*+", text)
    quoted = [re.escape(piece).replace(r"\?", ".") for piece in pieces]
    if len(quoted) == 1:
        return quoted[0]
    middle = "".join(f"(?>.*?{piece})" for piece in quoted[1:-1])
    return f"{quoted[0]}{middle}.*{quoted[-1]}"
