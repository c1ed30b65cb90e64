"""A JSON text as lines to look at: numbers as they were written, folds, the path of each line.

Nothing is laid out before it is open, so that a body of many megabytes opens at once: the text of
a member is cut out of its container by msgspec (`Raw`) when somebody unfolds that.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from ..text import clean
from .documents import Line

Place = tuple[int, ...]
"""Which member of which member: (2, 0) is the first member of the root's third."""

_OPEN_UP_TO: Final = 65_536
"""Bytes of a document that opens whole; of a larger one only the root is open."""
_OPEN_DEPTH: Final = 60
_DEEPEST: Final = 200
_STEP: Final = 1_000
"""Members shown of one container before somebody asks for more."""
_WIDEST: Final = 65_536
_MOST_FOUND: Final = 10_000
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w\-$]*")
_CLOSING = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line: a value, the opening or closing of a container, or what is not shown of it.

    `path` and the value are what a filter takes (`json.lines[0].sku:A-1`).
    """

    place: Place
    path: str
    name: str | None
    raw: msgspec.Raw
    comma: bool = False
    is_closing: bool = False
    hidden: int = 0

    @property
    def opening(self) -> str:
        """`{` or `[` for a container, else empty."""
        first = bytes(memoryview(self.raw)[:1])
        return first.decode() if first in (b"{", b"[") else ""

    @property
    def value(self) -> str | None:
        """A plain value as text without quotes."""
        if self.opening or self.is_closing or self.hidden:
            return None
        text = decode_raw(self.raw)
        if not text.startswith('"'):
            return text
        try:
            return str(json.loads(text))
        except ValueError:
            return text.strip('"')


def decode_raw(raw: msgspec.Raw) -> str:
    return bytes(memoryview(raw)[:_WIDEST]).decode("utf-8", "replace")


class JsonTree:
    """The open part of one document. It raises ValueError where a payload is no JSON container."""

    def __init__(self, payload: bytes) -> None:
        if payload.lstrip()[:1] not in (b"{", b"["):
            raise ValueError("no JSON object or array")
        try:
            self._root = msgspec.json.decode(payload, type=msgspec.Raw)
            # `Raw` passes over strings: a name that is no UTF-8 would fail only when it is drawn.
            payload.decode("utf-8")
            if len(payload) <= _OPEN_UP_TO:
                json.loads(payload)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(str(error)) from None
        self._opens_whole = len(payload) <= _OPEN_UP_TO
        self._toggled: set[Place] = set()
        self._more: dict[Place, int] = {}
        self._members: dict[Place, list[tuple[str | None, msgspec.Raw]]] = {}
        self._lines: list[JsonLine] | None = None

    @property
    def lines(self) -> list[JsonLine]:
        """The lines that are not folded away."""
        if self._lines is None:
            self._lines = list(self._laid_out((), "", None, self._root, comma=False))
        return self._lines

    def toggle(self, line: JsonLine) -> bool:
        """Fold, unfold or show more; False where the line has nothing to fold."""
        if line.hidden:
            self._more[line.place] = self._more.get(line.place, _STEP) + _STEP
        elif line.opening and not line.is_closing and self._count(line.place, line.raw):
            # Remembered are those that are other than they open by themselves: see `is_open`.
            self._toggled ^= {line.place}
        else:
            return False
        self._lines = None
        return True

    def is_open(self, place: Place) -> bool:
        opens = not place or (self._opens_whole and len(place) < _OPEN_DEPTH)
        return len(place) < _DEEPEST and opens != (place in self._toggled)

    def find(self, text: str) -> list[Place]:
        """Places of values and names with this text, in their order; case counts if it has any."""
        folds = text == text.lower()
        needle = text.encode()
        found: list[Place] = []
        for place in self._found((), self._root, needle, folds=folds):
            found.append(place)
            if len(found) == _MOST_FOUND:
                break
        return found

    def reveal(self, place: Place) -> int:
        """Unfold what a place is in; returns the number of its line."""
        for depth in range(len(place)):
            around, at = place[:depth], place[depth]
            if not self.is_open(around):
                self._toggled ^= {around}
            if at >= self._more.get(around, _STEP):
                self._more[around] = at + _STEP
        self._lines = None
        for number, line in enumerate(self.lines):
            if line.place == place and not line.hidden:
                return number
        return 0

    def parts(self, line: JsonLine) -> Line:
        """What stands in a line, with the roles of its pieces."""
        comma = ((",", "mark"),) if line.comma else ()
        if line.hidden:
            text = f"… {line.hidden:,} more (enter shows the next {_STEP:,})"
            return ((text, "comment"),)
        opening = line.opening
        if line.is_closing:
            return ((_CLOSING[opening], "mark"), *comma)
        name: Line = ()
        if line.name is not None:
            shown = json.dumps(line.name, ensure_ascii=False)
            name = ((clean(shown, 400), "key"), (": ", "mark"))
        if not opening:
            text = decode_raw(line.raw)
            role = "string" if text[0] == '"' else "word" if text[0] in "tfn" else "number"
            return (*name, (clean(text), role), *comma)
        count = self._count(line.place, line.raw)
        if not count:
            return (*name, (opening + _CLOSING[opening], "mark"), *comma)
        if self.is_open(line.place):
            return (*name, (opening, "mark"))
        return (*name, (opening, "mark"), (f" … {count:,} ", "comment"),
                (_CLOSING[opening], "mark"), *comma)  # fmt: skip

    # Inside ------------------------------------------------------------------------------

    def _laid_out(
        self, place: Place, path: str, name: str | None, raw: msgspec.Raw, *, comma: bool
    ) -> Iterator[JsonLine]:
        line = JsonLine(place, path, name, raw, comma)
        yield line
        opening = line.opening
        if not opening or not self.is_open(place):
            return
        members = self._members_of(place, raw)
        if not members:
            return
        shown = self._more.get(place, _STEP)
        for at, (inner, value) in enumerate(members[:shown]):
            along = _joined(path, inner) if inner is not None else f"{path}[{at}]"
            yield from self._laid_out(
                (*place, at), along, inner, value, comma=at + 1 < len(members)
            )  # fmt: skip
        if len(members) > shown:
            yield JsonLine(place, path, None, raw, hidden=len(members) - shown)
        yield JsonLine(place, path, None, raw, comma, is_closing=True)

    def _members_of(self, place: Place, raw: msgspec.Raw) -> list[tuple[str | None, msgspec.Raw]]:
        found = self._members.get(place)
        if found is None:
            found = self._members[place] = _cut(raw)
        return found

    def _count(self, place: Place, raw: msgspec.Raw) -> int:
        return len(self._members_of(place, raw))

    def _found(
        self, place: Place, raw: msgspec.Raw, needle: bytes, *, folds: bool
    ) -> Iterator[Place]:
        if not JsonLine(place, "", None, raw).opening:
            if _holds(bytes(memoryview(raw)), needle, folds=folds):
                yield place
            return
        # What does not hold the text as it was written is not cut up to look inside.
        if len(place) >= _DEEPEST or not _holds(bytes(memoryview(raw)), needle, folds=folds):
            return
        for at, (name, value) in enumerate(_cut(raw)):
            inner = (*place, at)
            if name is not None and _holds(name.encode(), needle, folds=folds):
                yield inner
                if not JsonLine(inner, "", None, value).opening:
                    continue
            yield from self._found(inner, value, needle, folds=folds)


def _cut(raw: msgspec.Raw) -> list[tuple[str | None, msgspec.Raw]]:
    """The members of an object (by name) or array as they were written; none for the rest."""
    first = bytes(memoryview(raw)[:1])
    if first == b"[":
        return [(None, each) for each in msgspec.json.decode(raw, type=list[msgspec.Raw])]
    if first == b"{":
        return list(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items())
    return []


def _holds(text: bytes, needle: bytes, *, folds: bool) -> bool:
    return needle in (text.lower() if folds else text)


def _joined(path: str, name: str) -> str:
    if not _PLAIN_NAME.fullmatch(name):
        return path
    return f"{path}.{name}" if path else name
