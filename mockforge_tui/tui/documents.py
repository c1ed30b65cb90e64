"""Lines of any number, made when they are drawn, and wrapped to the width of a pane."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from rich.cells import cell_len

Line = tuple[tuple[str, str], ...]
"""Pieces of clean text with their role."""

HEX_WIDE: Final = 72
"""Cells of a line of hex with sixteen bytes and their characters; less takes eight bytes."""

MOST_FOUND: Final = 10_000
_KEPT: Final = 64
"""Wrapped lines that stay wrapped while they are on the screen."""


_HEX = re.compile(r"(?:[0-9a-fA-F]{2} ?)+")


class Document(Protocol):
    """Lines by their number; `indent` is where a line goes on that had to be wrapped."""

    def __len__(self) -> int: ...

    def line(self, number: int) -> Line: ...

    def indent(self, number: int) -> int: ...

    @property
    def wrapping(self) -> int:
        """How many lines, from the first on, may be too long for a row; none behind them is."""
        ...

    def find(self, text: str) -> list[int]:
        """Lines with this text, in any case where it has no capital; at most `MOST_FOUND`."""
        ...


class Plain:
    """Lines that are there already."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self.wrapping = len(lines)

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, number: int) -> Line:
        return self._lines[number]

    def indent(self, number: int) -> int:
        return 0

    def find(self, text: str) -> list[int]:
        folds = text == text.lower()
        found = []
        for number, line in enumerate(self._lines):
            shown = "".join(piece for piece, _ in line)
            if text in (shown.lower() if folds else shown):
                found.append(number)
        return found[:MOST_FOUND]


class Hex:
    """`0010  71 2e ...  q.`: sixteen bytes a line, or eight where there is less room."""

    wrapping = 0

    def __init__(self, data: bytes, width: int) -> None:
        self._data = data
        self._row = 16 if width >= HEX_WIDE else 8
        self._digits = max(4, len(f"{len(data):x}"))

    def __len__(self) -> int:
        return -(-len(self._data) // self._row)

    def line(self, number: int) -> Line:
        at = number * self._row
        row = self._data[at : at + self._row]
        halves = [row[:8].hex(" ").ljust(23)]
        if self._row == 16:
            halves.append(row[8:].hex(" ").ljust(23))
        shown = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        return (
            (f"{at:0{self._digits}x}  ", "comment"),
            ("  ".join(halves), "string"),
            (f"  {shown}", "mark"),
        )

    def indent(self, number: int) -> int:
        return 0

    def find(self, text: str) -> list[int]:
        """Lines in which these characters begin, or these bytes where the text is hex."""
        found = self._places(text.encode(), folds=text == text.lower())
        if _HEX.fullmatch(text):
            found |= self._places(bytes.fromhex(text), folds=False)
        return sorted(found)[:MOST_FOUND]

    def _places(self, needle: bytes, *, folds: bool) -> set[int]:
        data = self._data.lower() if folds else self._data
        found: set[int] = set()
        at = data.find(needle)
        while at >= 0 and len(found) < MOST_FOUND:
            found.add(at // self._row)
            at = data.find(needle, at + 1)
        return found


class Joined:
    """Documents below each other; hex comes last."""

    def __init__(self, *documents: Document) -> None:
        self._documents = documents
        self.wrapping = sum(each.wrapping for each in documents)

    def __len__(self) -> int:
        return sum(len(each) for each in self._documents)

    def line(self, number: int) -> Line:
        document, number = self._at(number)
        return document.line(number)

    def indent(self, number: int) -> int:
        document, number = self._at(number)
        return document.indent(number)

    def find(self, text: str) -> list[int]:
        found, before = [], 0
        for document in self._documents:
            found += [before + number for number in document.find(text)]
            before += len(document)
        return found[:MOST_FOUND]

    def _at(self, number: int) -> tuple[Document, int]:
        for document in self._documents:
            if number < len(document):
                return document, number
            number -= len(document)
        raise IndexError(number)


class Wrapped:
    """A document as rows of at most `width` cells."""

    def __init__(self, document: Document, width: int) -> None:
        self.document = document
        self._width = max(8, width)
        self._ends = array("L")
        self._long: dict[int, list[Line]] = {}
        # Where each line ends in rows, once: any row is found by bisection, however long the
        # document. What does not wrap (hex) has a row for each line behind that.
        total = 0
        for number in range(document.wrapping):
            total += sum(1 for _ in self._parts(number))
            self._ends.append(total)
        self._added = total - document.wrapping
        """Rows more than lines."""

    def __len__(self) -> int:
        return len(self.document) + self._added

    def number(self, row: int) -> int:
        """The line that a row is of."""
        number = bisect_right(self._ends, row)
        return number if number < len(self._ends) else row - self._added

    def row_of(self, number: int) -> int:
        """The first row of a line."""
        if number > len(self._ends):
            return number + self._added
        return self._ends[number - 1] if number else 0

    def row(self, row: int) -> Line:
        number = self.number(row)
        if number >= len(self._ends):
            return self.document.line(number)
        parts = self._long.get(number)
        if parts is None:
            parts = list(self._parts(number))
            if len(parts) > 1:
                if len(self._long) >= _KEPT:
                    self._long.clear()
                self._long[number] = parts
        return parts[row - self.row_of(number)]

    def _parts(self, number: int) -> Iterator[Line]:
        line = self.document.line(number)
        size = sum(_cells(text) for text, _ in line)
        if size <= self._width:
            yield line
            return
        indent = min(self.document.indent(number), self._width // 2)
        part: list[tuple[str, str]] = []
        room = self._width
        for text, role in line:
            while text:
                head, text = _split(text, room)
                if head:
                    part.append((head, role))
                    room -= _cells(head)
                if text:
                    yield tuple(part)
                    part = [(" " * indent, "mark")] if indent else []
                    room = self._width - indent
        if part:
            yield tuple(part)


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _split(text: str, cells: int) -> tuple[str, str]:
    """As much of a text as fits, and the rest; at least nothing of it."""
    if text.isascii():
        return text[:cells], text[cells:]
    used = 0
    for at, character in enumerate(text):
        used += cell_len(character)
        if used > cells:
            return text[:at], text[at:]
    return text, ""
