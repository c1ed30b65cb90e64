"""A payload as its single values by path, for tables of changes and for charts."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from .decoding import look
from .text import decode

MOST: Final = 500
"""Values of one payload that are looked at."""
_TEXT: Final = 400
_LARGEST: Final = 1e300
"""Numbers beyond are none to chart: a sum or a difference of two may be infinite."""

_FIRST: Final = tuple("+-.0123456789")

Leaf = bool | int | float | str | None


class Change(NamedTuple):
    """What is different at a path; MISSING where it is not there."""

    path: str
    before: Any
    after: Any


class _Missing:
    def __repr__(self) -> str:
        return "–"


MISSING: Final = _Missing()


def leaves(payload: bytes, destination: str = "") -> dict[str, Leaf]:
    """`{"t": 21, "at": [1, 2]}` as `t`, `at[0]` and `at[1]`; what is no object has the path "".

    Of CBOR, Sparkplug B and the like too, and of Avro where there is a schema for its destination.
    At most MOST of them.
    """
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        decoded = look(payload, destination)
        if decoded is None:
            return {"": decode(payload, _TEXT)}
        value = decoded.value
    found: dict[str, Leaf] = {}
    for path, leaf in _walk(value):
        found[path] = leaf
        if len(found) == MOST:
            break
    return found


def _walk(value: Any) -> Iterator[tuple[str, Leaf]]:
    # Not recursive: hostile JSON is deep. In reverse, since the last one put there comes next.
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, found = waiting.pop()
        match found:
            case dict():
                names = [(f"{path}.{name}" if path else str(name), each)
                         for name, each in found.items()]  # fmt: skip
                waiting += reversed(names)
            case list():
                waiting += reversed([(f"{path}[{at}]", each) for at, each in enumerate(found)])
            case _:
                yield path, found


def numbers(payload: bytes, destination: str = "") -> dict[str, float]:
    """Its values that are numbers, or texts that are one."""
    return {
        path: number
        for path, leaf in leaves(payload, destination).items()
        if (number := _number(leaf)) is not None
    }


def _number(leaf: Leaf) -> float | None:
    if isinstance(leaf, bool | None) or (isinstance(leaf, str) and leaf[:1] not in _FIRST):
        return None
    try:
        # JSON's integers have any number of digits.
        number = float(leaf)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < _LARGEST else None


def changes(before: bytes, after: bytes, destination: str = "") -> list[Change]:
    """What differs between two payloads, in the order of the older one; new paths last."""
    old, new = leaves(before, destination), leaves(after, destination)
    found = [
        Change(path, value, new.get(path, MISSING))
        for path, value in old.items()
        if path not in new or not _same(value, new[path])
    ]
    return found + [Change(path, MISSING, value) for path, value in new.items() if path not in old]


def _same(one: Leaf, other: Leaf) -> bool:
    # True is 1 to Python, and not to a device.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def describe(found: list[Change]) -> str:
    """`t 21 → 22, on gone, mode new`; "same" where nothing differs."""
    if not found:
        return "same"
    parts = []
    for path, before, after in found[:6]:
        name = f"{path} " if path else ""
        if before is MISSING:
            parts.append(f"{name}new: {shown(after)}")
        elif after is MISSING:
            parts.append(f"{name}gone")
        else:
            parts.append(f"{name}{shown(before)} → {shown(after)}")
    more = len(found) - 6
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def shown(value: Any) -> str:
    """A value as JSON spells it; a text without its quotes."""
    if value is MISSING:
        return "–"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
