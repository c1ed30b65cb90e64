"""What the operators make of values, of which None is the unknown one (SQL's NULL).

Texts, symbols and binaries are all bytes; True and False are no numbers.
"""

from collections.abc import Callable
from itertools import cycle, groupby
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


_MOST_LOOKS: Final = 100_000


class Looks:
    """How often all of an expression's LIKE together may still look into one message.

    A pattern may have dozens of runs, and an expression dozens of patterns.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.left = _MOST_LOOKS


def like(pattern: str, escape: str | None, looks: Looks) -> Test:
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
        # RabbitMQ's expression ends with `$`, which leaves the end of a last line alone; no
        # wildcard stands for any other one, and no pattern has one.
        text = text.removesuffix("\n")
        return "\n" not in text and _match(first, others, text, looks)

    return matches


class _Run(NamedTuple):
    """What stands between two `%`: texts at their places in it, and `_` between them.

    `width` is how many characters it matches.
    """

    texts: tuple[tuple[int, str], ...]
    width: int

    def is_at(self, start: int, text: str) -> bool:
        return len(text) - start >= self.width and all(
            text.startswith(each, start + at) for at, each in self.texts
        )


def _runs(pieces: list[str]) -> list[_Run]:
    runs: list[list[str]] = [[]]
    for piece in pieces:
        if piece == _ANY:
            runs.append([])
        else:
            runs[-1].append(piece)
    return [_run(run) for run in runs]


def _run(pieces: list[str]) -> _Run:
    texts, at = [], 0
    for is_one, group in groupby(pieces, _ONE.__eq__):
        text = "".join("_" if is_one else each for each in group)
        if not is_one:
            texts.append((at, text))
        at += len(text)
    return _Run(tuple(texts), at)


def _match(first: _Run, others: list[_Run], text: str, looks: Looks) -> bool:
    """Whether these follow each other from the start of the text to its end.

    Each is taken where it first occurs, which leaves the most for those behind it: nothing is
    tried twice, where one expression for all of them would try each with each.
    """
    if not first.is_at(0, text):
        return False
    at = first.width
    if not others:
        return at == len(text)
    *between, last = others
    for run in between:
        start = _find(run, text, at, looks)
        if start < 0:
            return False
        at = start + run.width
    start = len(text) - last.width
    return start >= at and last.is_at(start, text)


def _find(run: _Run, text: str, start: int, looks: Looks) -> int:
    """Where a run first occurs from `start` on; -1 for nowhere.

    Each of its texts is looked for from where it would have to be, and moves the run on: what was
    passed over once is not looked at again. Of texts that nearly match everywhere it is given up
    at some time, as RabbitMQ's expression is (PCRE's match limit), and does not match.
    """
    end = len(text) - run.width
    agreed = 0
    for at, wanted in cycle(run.texts):
        found = text.find(wanted, start + at)
        looks.left -= 1
        if found < 0 or looks.left < 0:
            return -1
        agreed = agreed + 1 if found == start + at else 1
        start = found - at
        if start > end or agreed == len(run.texts):
            break
    return start if start <= end else -1


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
