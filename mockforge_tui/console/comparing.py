"""What differs between two messages: their properties, headers and payloads.

Payloads are compared by fields where both have some (JSON, or a binary form that is known), else
by lines where both are text, else by bytes. Where a message stands (offset, packet identifier,
delivery tag, time) differs always, and is no difference.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Final

from mockforge_brokers.journal import Row

from ..decoding import look
from .results import to_json

_PLACES: Final = frozenset(
    {"offset", "timestamp", "packet_id", "delivery_tag", "channel", "topic_alias", "delivery_id"}
)
"""Fields of a frame that say where or when it was."""
_LARGEST: Final = 1 << 20
"""Bytes of a payload that is compared by fields or lines."""
_LINES: Final = 500
"""Lines among which moved ones are looked for; more are compared one by one."""
_ROW: Final = 16
_MARKS: Final = frozenset('.["')
"""What a path is made of."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field of one message or both, as text; None where a message has none.

    `part` is message, property, header or payload.
    """

    part: str
    field: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> str:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


def changes(before: Row, after: Row) -> Iterator[Change]:
    """All differences in order: the message's own fields, properties, headers, the payload."""
    yield from _by_name("message", _facts(before), _facts(after))
    yield from _by_name("property", *(dict(_leaves(_properties(row))) for row in (before, after)))
    yield from _by_name("header", _headers(before), _headers(after))
    yield from _payloads(before, after)


def _by_name(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        one = _spelled(before[name]) if name in before else None
        other = _spelled(after[name]) if name in after else None
        if one != other:
            yield Change(part, name, one, other)


def _facts(row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {"operation": row.operation, "client": row.client}
    facts["destination"] = row.destination
    # A routing key is among the frame's own fields, too.
    if row.key is not None and "routing_key" not in row.detail:
        facts["key"] = row.key
    left_out = {*_PLACES, "properties"}
    facts |= {
        name: value
        for name, value in row.detail.items()
        if name not in left_out and value is not None
    }
    if row.error:
        facts["error"] = row.error
    return facts


def _properties(row: Row) -> Mapping[str, Any]:
    found = row.detail.get("properties")
    return {} if not isinstance(found, Mapping) else {
        name: each for name, each in found.items() if name != "headers"
    }  # fmt: skip


def _headers(row: Row) -> dict[str, Any]:
    """By name; a name that comes again has its number behind it."""
    times: Counter[str] = Counter()
    found: dict[str, Any] = {}
    for name, value in row.headers:
        times[name] += 1
        again = f"{name} ({times[name]})" if times[name] > 1 else str(name)
        found |= dict(_leaves({again: value}))
    return found


def _payloads(before: Row, after: Row) -> Iterator[Change]:
    one, other = before.payload, after.payload
    if one == other:
        return
    if one is None or other is None:
        yield Change("payload", "", *(None if each is None else _spelled(each)
                                      for each in (one, other)))  # fmt: skip
        return
    fields = [_value(row) for row in (before, after)]
    if all(each is not None for each in fields):
        yield from _fields(*(dict(each) for each in fields if each is not None))
        return
    texts = [_text(each) for each in (one, other)]
    if texts[0] is not None and texts[1] is not None:
        yield from _lines(texts[0].split("\n"), texts[1].split("\n"))
    else:
        yield from _bytes(one, other)


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    found = False
    for path in dict.fromkeys((*before, *after)):
        one = to_json(before[path]) if path in before else None
        other = to_json(after[path]) if path in after else None
        if one != other:
            found = True
            yield Change("payload", path, one, other)
    if not found:
        yield Change("payload", "", "the same values", "spelled otherwise")


def _value(row: Row) -> Iterator[tuple[str, Any]] | None:
    """The fields of a payload by their paths; None where it has no fields that are known."""
    payload = row.payload or b""
    if not payload or len(payload) > _LARGEST:
        return None
    decoded = look(payload, row.destination)
    if decoded is not None and decoded.sure:
        return _leaves(decoded.value)
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return _leaves(value) if isinstance(value, dict | list) else None


def _leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Each value that has nothing inside, by its path: `lines[0].sku`, `lines[0]."sku.old"`."""
    left = [("", value)]
    while left:
        path, value = left.pop()
        match value:
            case dict() if value:
                left += [
                    (f"{path}.{_quoted(name)}" if path else _quoted(name), each)
                    for name, each in reversed(value.items())
                ]
            case list() | tuple() if value:
                numbered = [(f"{path}[{number}]", each) for number, each in enumerate(value)]
                left += reversed(numbered)
            case _:
                yield path, value


def _quoted(name: object) -> str:
    """As a part of a path, in which no other name is written like it."""
    text = str(name)
    return text if text and not _MARKS.intersection(text) else to_json(text)


def _text(payload: bytes) -> str | None:
    try:
        text = payload.decode() if len(payload) <= _LARGEST else None
    except UnicodeDecodeError:
        return None
    return None if text is None or "\0" in text else text


def _lines(before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    """Lines by their number: in the message where it is, in the older one where it was."""
    start = 0
    least = min(len(before), len(after))
    while start < least and before[start] == after[start]:
        start += 1
    end = 0
    while end < least - start and before[-1 - end] == after[-1 - end]:
        end += 1
    one, other = before[start : len(before) - end], after[start : len(after) - end]
    spans = [("replace", 0, len(one), 0, len(other))]
    if max(len(one), len(other)) <= _LINES:
        spans = list(SequenceMatcher(None, one, other, autojunk=False).get_opcodes())
    for what, a, a_end, b, b_end in spans:
        if what != "equal":
            for at, pair in enumerate(zip_longest(one[a:a_end], other[b:b_end])):
                number = start + (b if b + at < b_end else a) + at + 1
                if pair[0] != pair[1]:
                    yield Change("payload", f"line {number}", *pair)


def _bytes(before: bytes, after: bytes) -> Iterator[Change]:
    """Rows of sixteen bytes, by where they begin."""
    for at in range(0, max(len(before), len(after)), _ROW):
        one, other = before[at : at + _ROW], after[at : at + _ROW]
        if one != other:
            yield Change("payload", f"{at:04x}", one.hex(" ") or None, other.hex(" ") or None)


def _spelled(value: Any) -> str:
    match value:
        case str():
            return value
        case bytes():
            text = _text(value)
            return f"hex:{value.hex()}" if text is None else text
    return to_json(value)
