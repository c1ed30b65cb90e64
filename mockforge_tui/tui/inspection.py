"""What the inspector says of one row: its tabs as lines of roles, made when they are looked at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mockforge_brokers.journal import OUT, Row

from ..text import clean, decode
from ..units import format_size
from .jsonlines import LARGEST, JsonLine, json_lines
from .rows import clock_text, is_binary, short

Line = tuple[tuple[str, str], ...]
"""Pieces of clean text with their role."""

TABS = ("JSON", "Headers", "Hex", "Wire")
_HEX_WIDTH = 16
_MOST_LINES = 2_000


@dataclass
class Inspection:
    """One row opened for reading; each tab is laid out once."""

    row: Row

    @cached_property
    def json(self) -> list[JsonLine] | None:
        return json_lines(self.row.payload) if self.row.payload else None

    @property
    def body_name(self) -> str:
        """What the first tab is called for this row."""
        if self.json is not None or not self.row.payload:
            return "JSON"
        return "Bytes" if is_binary(self.row.payload) else "Text"

    @cached_property
    def text(self) -> list[Line]:
        """A body that is not JSON: text, or hex; or why there is none."""
        row = self.row
        if "body" in row.detail:
            return [((clean(str(row.detail["body"])), "comment"),)]
        if row.payload is None:
            return self._no_body()
        if not row.payload:
            return [(("an empty payload", "comment"),)]
        if is_binary(row.payload):
            return list(hex_lines(row.payload, 0, len(row.payload)))
        lines: list[Line] = [
            ((clean(line.expandtabs(4)), "argument"),)
            for line in row.payload[:LARGEST].decode("utf-8", "replace").split("\n")[:_MOST_LINES]
        ]
        if len(row.payload) > LARGEST:
            rest = format_size(len(row.payload) - LARGEST)
            lines.append(((f"… {rest} more: save it with export, or look at Hex", "comment"),))
        return lines

    def _no_body(self) -> list[Line]:
        row = self.row
        text = row.detail.get("text")
        if isinstance(text, str):
            return [((clean(text), "argument"),)]
        what = "no payload: Wire has what this frame says"
        return [*([((clean(row.error), "error"),)] if row.error else []), ((what, "comment"),)]

    @cached_property
    def headers(self) -> list[Line]:
        """Who, when and where, then the protocol's properties, then the message's headers."""
        row = self.row
        lines = [_pair(name, value) for name, value in self._facts() if value]
        for name, value in row.headers:
            shown = decode(value, 400) if isinstance(value, bytes) else short(value)
            lines.append((("h:", "mark"), (clean(str(name), 80).ljust(14), "key"), (" ", "mark"),
                          (clean(shown, 400), "string")))  # fmt: skip
        return lines

    def _facts(self) -> Iterator[tuple[str, str]]:
        row = self.row
        yield "time", clock_text(row.time, 12)
        way = "to the client" if row.direction == OUT else "from the client"
        yield "frame", f"{clean(row.protocol)} {clean(row.operation)} {way}"
        yield "client", f"{clean(row.client, 200)} (c{row.connection})" if row.connection else ""
        yield "destination", clean(row.destination, 400)
        if row.key is not None:
            yield "key", short(row.key)
        yield "size", f"{row.size} B" if row.size else ""
        for name, value in row.detail.items():
            if not isinstance(value, dict | list | tuple) and name not in ("text", "body"):
                yield name, clean(short(value), 400)
        properties = row.detail.get("properties")
        if isinstance(properties, dict):
            for name, value in properties.items():
                if name != "headers":
                    yield str(name), clean(short(value), 400)
        yield "error", clean(row.error, 400)

    @cached_property
    def hex(self) -> list[Line]:
        """The whole frame; the payload's bytes stand out."""
        row = self.row
        frame = row.frame or row.payload or b""
        if not frame:
            return [(("the bytes are no longer kept", "comment"),)]
        start = frame.find(row.payload) if row.payload else -1
        end = start + len(row.payload or b"") if start >= 0 else -1
        lines = list(hex_lines(frame[:LARGEST], start, end))
        if len(frame) > LARGEST:
            lines.append(((f"… {format_size(len(frame) - LARGEST)} more", "comment"),))
        return lines

    @cached_property
    def wire(self) -> list[Line]:
        """The decoded fields of the frame under their specification's names."""
        row = self.row
        head = f"{clean(row.operation)}  {len(row.frame) or row.size} B"
        lines: list[Line] = [((head, "command"),)]
        if row.error:
            lines.append((("error  ", "error"), (clean(row.error, 400), "error")))
        for name, value in row.detail.items():
            lines += _tree(str(name), value, 1)
        if row.payload is not None:
            lines.append((("  payload ", "key"), (f"{len(row.payload)} B", "number")))
        return lines[:_MOST_LINES]

    def lines(self, tab: str) -> list[Line]:
        readers: dict[str, Callable[[], list[Line]]] = {
            "JSON": lambda: self.text,
            "Headers": lambda: self.headers,
            "Hex": lambda: self.hex,
            "Wire": lambda: self.wire,
        }
        return readers[tab]()


def hex_lines(data: bytes, start: int, end: int) -> Iterator[Line]:
    """`0010  71 2e ...  q.`: bytes from `start` to `end` have another role than the rest."""
    for at in range(0, len(data), _HEX_WIDTH):
        row = data[at : at + _HEX_WIDTH]
        pieces: list[tuple[str, str]] = [(f"{at:04x}  ", "comment")]
        low = min(max(start - at, 0), len(row))
        high = min(max(end - at, 0), len(row))
        for first, last, role in ((0, low, "mark"), (low, high, "string"), (high, 16, "mark")):
            text = "".join(_byte(row, index) for index in range(first, last))
            if text:
                pieces.append((text, role))
        shown = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        pieces.append((f" {shown}", "comment"))
        yield tuple(pieces)


def _byte(row: bytes, index: int) -> str:
    gap = "  " if index == _HEX_WIDTH // 2 - 1 else " "
    return (f"{row[index]:02x}" if index < len(row) else "  ") + gap


def _pair(name: str, value: str) -> Line:
    return ((clean(name, 40).ljust(16), "key"), (" ", "mark"), (value, "argument"))


def _tree(name: str, value: Any, depth: int) -> list[Line]:
    """A field of the detail, and what is inside of it, indented."""
    indent = "  " * depth
    label = (f"{indent}{clean(name, 60)} ", "key")
    if depth < 8 and isinstance(value, dict) and value:
        lines: list[Line] = [(label,)]
        for key, inner in list(value.items())[:200]:
            lines += _tree(str(key), inner, depth + 1)
        return lines
    if (
        depth < 8
        and isinstance(value, list | tuple)
        and any(isinstance(each, dict | list | tuple) for each in value)
    ):
        lines = [(label, (f"{len(value)}", "comment"))]
        for index, inner in enumerate(value[:200]):
            lines += _tree(f"[{index}]", inner, depth + 1)
        return lines
    return [(label, (clean(short(value), 400), _role(value)))]


def _role(value: Any) -> str:
    match value:
        case bool() | None:
            return "word"
        case int() | float():
            return "number"
        case str() | bytes():
            return "string"
    return "argument"
