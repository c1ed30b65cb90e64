"""What the inspector says of one row, tab by tab."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from mockforge_brokers.journal import OUT, Row
from msgspec import Struct
from msgspec.structs import asdict

from ..console.cells import is_binary, short
from ..decoding import Decoded, look
from ..feed.exchange import Exchange
from ..text import clean, decode
from ..units import format_duration, format_size
from .documents import Document, Hex, Joined, Line, Plain
from .field_types import NO_TYPES, Types, types_of
from .jsontree import JsonTree
from .rows import clock_text

TABS = ("JSON", "Headers", "Hex", "Wire")
_MOST_LINES = 2_000
_MOST_TEXT = 1 << 20
_LONGEST = 4_096
"""Characters of a line of text; what is longer goes on as another line."""


@dataclass
class Inspection:
    """One row opened for reading; what a tab shows is laid out when somebody looks at it."""

    row: Row
    exchange: Exchange | None = None

    def look(self) -> bool:
        """Whether an answer came since; then the headers say so."""
        if self.exchange is None or not self.exchange.look():
            return False
        self.__dict__.pop("headers", None)
        return True

    @cached_property
    def decoded(self) -> Decoded | None:
        """What a binary payload says, where it is of a form that is known."""
        return look(self.row.payload, self.row.destination) if self.row.payload else None

    @cached_property
    def json(self) -> JsonTree | None:
        if not self.row.payload:
            return None
        try:
            return JsonTree(self.row.payload)
        except ValueError:
            return self._decoded_json()

    def _decoded_json(self) -> JsonTree | None:
        if self.decoded is None:
            return None
        return JsonTree(msgspec.json.encode(self.decoded.value))

    @property
    def tabs(self) -> tuple[str, ...]:
        """Their names; the first one's is what the payload is."""
        first = "JSON"
        if self.decoded is not None:
            # Of what could be anything else too: Protobuf needs no schema to look like it.
            first = self.decoded.form if self.decoded.sure else f"{self.decoded.form}?"
        elif self.json is None and self.row.payload:
            first = "Bytes" if is_binary(self.row.payload) else "Text"
        return (first, *TABS[1:])

    def document(self, tab: int, width: int) -> Document:
        """What a tab shows, for so many cells."""
        match TABS[tab]:
            case "JSON":
                payload = self.row.payload
                if self.json is not None:
                    return JsonDocument(self.json)
                if payload and is_binary(payload):
                    return Hex(payload, width)
                return Plain(self.text)
            case "Headers":
                return Plain(self.headers)
            case "Hex":
                if self.row.payload:
                    return Hex(self.row.payload, width)
                return Plain([(("no payload: the frame's bytes are in Wire", "comment"),)])
        return Joined(Plain(self.wire), Hex(self.row.frame, width))

    @cached_property
    def text(self) -> list[Line]:
        """A body that is not JSON, as text; or why there is none."""
        row = self.row
        if "body" in row.detail:
            return [((clean(str(row.detail["body"])), "comment"),)]
        if row.payload is None:
            return self._no_body()
        if not row.payload:
            return [(("an empty payload", "comment"),)]
        lines: list[Line] = []
        for line in row.payload[:_MOST_TEXT].decode("utf-8", "replace").split("\n"):
            shown = clean(line.expandtabs(4))
            starts = range(0, max(1, len(shown)), _LONGEST)
            lines += [((shown[at : at + _LONGEST], "argument"),) for at in starts]
        if len(row.payload) > _MOST_TEXT:
            rest = format_size(len(row.payload) - _MOST_TEXT)
            lines.append(((f"… {rest} more: Hex has all of it, export saves it", "comment"),))
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
        lines = [pair(name, value) for name, value in self._facts() if value]
        for name, value in row.headers:
            shown = decode(value, 400) if isinstance(value, bytes) else short(value)
            lines.append((("h:", "mark"), (clean(str(name), 80).ljust(14), "key"), (" ", "mark"),
                          (clean(shown, 400), "string")))  # fmt: skip
        return lines

    def _facts(self) -> Iterator[tuple[str, str]]:
        row = self.row
        # What is stored may be known without when it came, and was no frame.
        yield "time", clock_text(row.time, 12) if row.time else ""
        if row.time or row.connection:
            way = "to the client" if row.direction == OUT else "from the client"
            yield "frame", f"{clean(row.protocol)} {clean(row.operation)} {way}"
        yield "client", f"{clean(row.client, 200)} (c{row.connection})" if row.connection else ""
        yield "destination", clean(row.destination, 400)
        if row.key is not None:
            yield "key", short(row.key)
        yield "size", f"{row.size} B" if row.size else ""
        yield from self._exchanged()
        # In front of the fields of the frame, which may be many: a sheet shows a dozen lines.
        yield "error", clean(row.error, 400)
        for name, value in row.detail.items():
            if not isinstance(value, dict | list | tuple) and name not in ("text", "body"):
                yield name, clean(short(value), 400)
        properties = row.detail.get("properties")
        if isinstance(properties, dict):
            for name, value in properties.items():
                if name != "headers":
                    yield str(name), clean(short(value), 400)
        previous = self.exchange.previous if self.exchange is not None else None
        yield "previous", step(row, previous) if previous is not None else ""

    def _exchanged(self) -> Iterator[tuple[str, str]]:
        """How long each step took; that no answer came yet stands in the pane's frame."""
        if self.exchange is not None:
            yield from (("answers", step(self.row, each)) for each in self.exchange.asked)
            yield from (("answered", step(self.row, each)) for each in self.exchange.answered)

    @cached_property
    def wire(self) -> list[Line]:
        """The decoded fields of the frame under their specification's names."""
        row = self.row
        head = f"{clean(row.operation)}  {len(row.frame) or row.size} B"
        lines: list[Line] = [((head, "command"),)]
        if row.error:
            lines.append((("error  ", "error"), (clean(row.error, 400), "error")))
        types = types_of(row)
        for name, value in row.detail.items():
            lines += tree(str(name), value, 1, types)
        if row.headers and types:
            # With their types: the Headers tab has the values alone.
            lines += tree("headers", dict(row.headers), 1, types)
        if row.payload is not None:
            lines.append((("  payload ", "key"), (f"{len(row.payload)} B", "number")))
        lines = lines[:_MOST_LINES]
        if row.kind == "event":
            return [*lines, (("an event: it has no bytes", "comment"),)]
        if not row.frame:
            return [*lines, (("the frame's bytes are no longer kept", "comment"),)]
        return [*lines, (("", "mark"),), ((f"the frame, {len(row.frame):,} B", "comment"),)]


def step(row: Row, other: Row) -> str:
    """`+1.2ms #9 PUBACK QUOTA_EXCEEDED`, or -1.2ms of what came before."""
    seconds = other.time - row.time
    # What came with one read has one time.
    milliseconds = abs(seconds) < 0.01
    took = f"{abs(seconds) * 1000:.1f}ms" if milliseconds else format_duration(abs(seconds))
    sign = "+" if other.seq > row.seq else "-"
    return clean(f"{sign}{took} #{other.seq} {other.operation} {other.error}", 400).rstrip()


class JsonDocument:
    """The unfolded lines of a JSON text, each behind the sign of its fold."""

    def __init__(self, tree: JsonTree) -> None:
        self.tree = tree

    @property
    def wrapping(self) -> int:
        return len(self.tree.lines)

    def __len__(self) -> int:
        return len(self.tree.lines)

    def line(self, number: int) -> Line:
        line = self.tree.lines[number]
        folds = bool(line.opening) and not line.is_closing and len(memoryview(line.raw)) > 2
        fold = ("-" if self.tree.is_open(line.place) else "+") if folds else " "
        depth = len(line.place) + (1 if line.hidden else 0)
        return ((fold, "fold"), ("  " * depth, "mark"), *self.tree.parts(line))

    def find(self, text: str) -> list[int]:
        """Only among what is unfolded; `JsonTree.find` looks everywhere."""
        return [
            number for number, line in enumerate(self.tree.lines)
            if text in "".join(piece for piece, _ in self.tree.parts(line))
        ]  # fmt: skip

    def indent(self, number: int) -> int:
        return 2 * len(self.tree.lines[number].place) + 3


def pair(name: str, value: str) -> Line:
    """A fact's name and its clean value."""
    return ((clean(name, 40).ljust(16), "key"), (" ", "mark"), (value, "argument"))


def tree(
    name: str, value: Any, depth: int, types: Types = NO_TYPES, path: tuple[str, ...] = ()
) -> list[Line]:
    """A field of the detail, and what is inside of it, indented; behind it its type, if known."""
    path = (*path, name)
    kind: Line = ((f"  {types[path]}", "comment"),) if path in types else ()
    indent = "  " * depth
    value = _plain(value)
    label = (f"{indent}{clean(name, 60)} ", "key")
    if depth < 8 and isinstance(value, dict) and value:
        lines: list[Line] = [(label, *kind)]
        for key, inner in list(value.items())[:200]:
            lines += tree(str(key), inner, depth + 1, types, path)
        return lines
    if (
        depth < 8
        and isinstance(value, list | tuple)
        and any(isinstance(each, dict | list | tuple) for each in value)
    ):
        lines = [(label, (f"{len(value)}", "comment"), *kind)]
        for index, inner in enumerate(value[:200]):
            lines += tree(f"[{index}]", inner, depth + 1, types, path)
        return lines
    return [(label, (clean(short(value), 400), _role(value)), *kind)]


def _plain(value: Any) -> Any:
    """Views of the brokers as mappings."""
    if isinstance(value, Struct):
        return asdict(value)
    if isinstance(value, list | tuple) and any(isinstance(each, Struct) for each in value):
        return [_plain(each) for each in value]
    return value


def _role(value: Any) -> str:
    match value:
        case bool() | None:
            return "word"
        case int() | float():
            return "number"
        case str() | bytes():
            return "string"
    return "argument"
