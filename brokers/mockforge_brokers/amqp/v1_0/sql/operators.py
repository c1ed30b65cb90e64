"""What the operators make of values, of which None is the unknown one (SQL's NULL).

Texts, symbols and binaries are all bytes; True and False are no numbers.
"""

import re
from collections.abc import Callable
from math import isfinite
from operator import add, ge, gt, le, lt, mul, sub, truediv
from typing import Any, Final, NamedTuple

from .tokens import Malformed, is_control

Value = bool | int | float | bytes | None
Test = Callable[[bytes], bool | None]


def _number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _alike(left: Value, right: Value) -> bool:
    """Whether they can be ordered: two numbers, or two of bytes."""
    return (_number(left) and _number(right)) or (
        isinstance(left, bytes) and isinstance(right, bytes)
    )


def equal(left: Value, right: Value) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {">": gt, "<": lt, ">=": ge, "<=": le}
_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": truediv,
}
COMPARISONS: Final = ("=", "<>", *_ORDER)


def compare(operator: str, left: Value, right: Value) -> bool | None:
    """What is of unlike types is not equal, and in no order."""
    if left is None or right is None:
        return None
    if operator == "=":
        return equal(left, right)
    if operator == "<>":
        return not equal(left, right)
    return _alike(left, right) and _ORDER[operator](left, right)


def calculate(operator: str, left: Value, right: Value) -> Value:
    """Unknown for what is no number, a division by zero, and what no float holds."""
    if not _number(left) or not _number(right):
        return None
    assert isinstance(left, (int, float))
    assert isinstance(right, (int, float))
    if operator == "%":
        return _remainder(left, right)
    try:
        found: float = _ARITHMETIC[operator](left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return found if isinstance(found, int) or isfinite(found) else None


def _remainder(left: float, right: float) -> int | None:
    """Of whole numbers alone, with the sign of the left one."""
    if not isinstance(left, int) or not isinstance(right, int) or not right:
        return None
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def signed(operator: str, value: Value) -> Value:
    if not _number(value):
        return None
    assert isinstance(value, (int, float))
    return -value if operator == "-" else value


def both(left: Value, right: Value) -> bool | None:
    """AND; what is no boolean counts as unknown (Jakarta Messaging 3.1, tables 3-4 to 3-6)."""
    if left is False or right is False:
        return False
    return True if left is True and right is True else None


def either(left: Value, right: Value) -> bool | None:
    if left is True or right is True:
        return True
    return False if left is False and right is False else None


def negate(value: Value) -> bool | None:
    return not value if isinstance(value, bool) else None


def like(pattern: str, escape: str | None) -> Test:
    """`%` is any text, `_` one character; a binary that is no UTF-8 matches only plain texts.

    RabbitMQ compares texts without `_` and with at most one `%` by their bytes, and all others by
    an expression that wants UTF-8, for which such a binary is unknown.
    """
    pieces = _pieces(pattern, escape)
    if pieces.count(_ANY) <= 1 and _ONE not in pieces:
        return _affixes(pieces)
    first, *others = _runs(pieces)

    def matches(subject: bytes) -> bool | None:
        try:
            text = subject.decode()
        except UnicodeDecodeError:
            return None
        found = first.wanted.match(text)
        return found is not None and _follow(others, text, found.end())

    return matches


class _Run(NamedTuple):
    """What stands between two `%`; `width` is how many characters it matches."""

    wanted: re.Pattern[str]
    width: int


def _runs(pieces: list[str]) -> list[_Run]:
    runs: list[list[str]] = [[]]
    for piece in pieces:
        if piece == _ANY:
            runs.append([])
        else:
            runs[-1].append("." if piece == _ONE else re.escape(piece))
    return [_Run(re.compile("".join(run)), len(run)) for run in runs]


def _follow(runs: list[_Run], text: str, at: int) -> bool:
    """Whether these follow each other from `at` to the end of the text.

    Each is taken where it first occurs, which leaves the most for those behind it: nothing is
    tried twice, where one expression for all of them would try each with each. As in RabbitMQ's
    expression neither wildcard stands for the end of a line.
    """
    if not runs:
        return at == len(text)
    *between, last = runs
    for run in between:
        found = run.wanted.search(text, at)
        if found is None or "\n" in text[at : found.start()]:
            return False
        at = found.end()
    start = len(text) - last.width
    ends = start >= at and last.wanted.fullmatch(text, start) is not None
    return ends and "\n" not in text[at:start]


_ANY: Final = "any"
_ONE: Final = "one"


def _pieces(pattern: str, escape: str | None) -> list[str]:
    """Characters of the pattern, and `_ANY` and `_ONE` for its wildcards."""
    found = []
    characters = iter(pattern)
    for character in characters:
        piece = {"%": _ANY, "_": _ONE}.get(character, character)
        if character == escape:
            piece = next(characters, "")
            if not piece:
                raise Malformed("the pattern of a LIKE ends with its escape character")
        if len(piece) == 1 and is_control(piece):
            raise Malformed("the pattern of a LIKE holds a control character")
        found.append(piece)
    return found


def _affixes(pieces: list[str]) -> Test:
    if _ANY not in pieces:
        whole = "".join(pieces).encode()
        return lambda subject: subject == whole
    at = pieces.index(_ANY)
    prefix, suffix = "".join(pieces[:at]).encode(), "".join(pieces[at + 1 :]).encode()
    least = len(prefix) + len(suffix)
    return lambda subject: (
        len(subject) >= least and subject.startswith(prefix) and subject.endswith(suffix)
    )
