"""A JSON text as lines to look at: numbers as they were written, folds, the path of each line."""

import json
import re
from dataclasses import dataclass
from typing import Final

from ..text import clean

LARGEST: Final = 65_536
"""Bytes of a body that are laid out; a longer one shows its beginning as text."""
_DEEPEST: Final = 200
_WIDEST: Final = 2_000
_TOKEN = re.compile(
    r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([{}\[\],:]))'
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w\-$]*")

Part = tuple[str, str]
"""Clean text and its role: key, string, number, word or mark."""


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line; `last` is the index of the line that closes what this one opens (else its own).

    `path` and `value` are what a filter takes (`json.lines[0].sku:A-1`); `count` says how many
    members a fold hides.
    """

    depth: int
    parts: tuple[Part, ...]
    path: str
    value: str | None
    last: int
    count: int = 0


def json_lines(payload: bytes) -> list[JsonLine] | None:
    """The lines of a JSON object or array; None for anything else, or for too much of it."""
    if len(payload) > LARGEST or payload.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        text = payload.decode("utf-8")
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    try:
        return _Layout(text).lines()
    except RecursionError:
        return None


class _Layout:
    def __init__(self, text: str) -> None:
        self._tokens = [
            (found[found.lastindex or 0], found.lastindex or 0) for found in _TOKEN.finditer(text)
        ]
        self._at = 0
        self._lines: list[JsonLine] = []

    def lines(self) -> list[JsonLine]:
        self._value(0, (), "")
        return self._lines

    def _next(self) -> tuple[str, int]:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _value(self, depth: int, before: tuple[Part, ...], path: str) -> None:
        text, kind = self._next()
        if text not in ("{", "["):
            role = {1: "string", 2: "number", 3: "word"}[kind]
            shown: Part = (clean(text, _WIDEST), role)
            start = len(self._lines)
            self._lines.append(JsonLine(depth, (*before, shown), path, _bare(text, kind), start))
            return
        if depth > _DEEPEST:
            raise RecursionError
        self._members(text, depth, before, path)

    def _members(self, opening: str, depth: int, before: tuple[Part, ...], path: str) -> None:
        closing = "}" if opening == "{" else "]"
        start, count = len(self._lines), 0
        if self._peek() == closing:
            self._next()
            self._lines.append(
                JsonLine(depth, (*before, (opening + closing, "mark")), path, None, start)
            )
            return
        self._lines.append(JsonLine(depth, (*before, (opening, "mark")), path, None, start))
        while True:
            name: tuple[Part, ...] = ()
            inner = f"{path}[{count}]"
            if opening == "{":
                key, _ = self._next()
                self._next()
                name = ((clean(key, 200), "key"), (": ", "mark"))
                inner = _joined(path, key)
            count += 1
            self._value(depth + 1, name, inner)
            separator, _ = self._next()
            if separator == closing:
                break
            self._with_comma()
        end = len(self._lines)
        self._lines.append(JsonLine(depth, ((closing, "mark"),), path, None, end))
        opened = self._lines[start]
        self._lines[start] = JsonLine(depth, opened.parts, path, None, end, count)

    def _with_comma(self) -> None:
        line = self._lines[-1]
        self._lines[-1] = JsonLine(
            line.depth, (*line.parts, (",", "mark")), line.path, line.value, line.last, line.count
        )


def _joined(path: str, key: str) -> str:
    name = json.loads(key)
    if not _PLAIN_NAME.fullmatch(name):
        return path
    return f"{path}.{name}" if path else name


def _bare(text: str, kind: int) -> str:
    return str(json.loads(text)) if kind == 1 else text
