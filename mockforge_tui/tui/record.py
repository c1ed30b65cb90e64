"""What was done at this screen and what came of it, for the log pane."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ..console.results import Result
from ..text import clean

_MOST: Final = 5_000
_LAID_OUT_AGAIN: Final = 200
"""Lines of an answer that is wrapped anew when the log's width changes; longer ones are tables."""
_WIDTH: Final = 76


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; `kind` is command, result, problem, note, row, or more. The text is clean.

    Lines of one answer have the same number `said`.
    """

    kind: str
    text: str
    time: float
    said: int


@dataclass(frozen=True, slots=True)
class _Said:
    """Something to be laid out in lines of a width."""

    number: int
    kind: str
    text: Callable[[int], str]
    time: float

    def entries(self, width: int) -> Iterator[Entry]:
        lines = self.text(width).split("\n")
        kind = "more" if len(lines) > 1 and self.kind == "result" else self.kind
        return (Entry(kind, clean(line), self.time, self.number) for line in lines)


class Record:
    """The newest lines, in lines of `width` cells; `added` counts all there ever were."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=_MOST)
        self.added = 0
        self.width = _WIDTH
        self._said: deque[_Said] = deque(maxlen=_MOST)
        self._number = 0

    def add(self, kind: str, text: str, time: float) -> int:
        """What is shown as it is, a line for each; returns its number."""
        return self._add(kind, lambda width: text, time)

    def add_result(self, result: Result, time: float) -> int:
        """What came of a command, wrapped to the width; returns its number."""
        # Of its data only a table's rows are needed to lay it out again.
        shown = replace(result, data=result.data if result.columns else None)

        def text(width: int) -> str:
            return shown.as_text(width).removeprefix("× ")

        kind = "result" if result.ok else "problem"
        laid_out = text(self.width)
        if laid_out.count("\n") < _LAID_OUT_AGAIN:
            return self._add(kind, text, time)
        return self._add(kind, lambda width: laid_out, time)

    def fit(self, width: int) -> bool:
        """Lay all out in another width; False if it is the same."""
        if width == self.width or width <= 0:
            return False
        self.width = width
        self.entries.clear()
        for said in self._said:
            self.entries.extend(said.entries(width))
        return True

    def _add(self, kind: str, text: Callable[[int], str], time: float) -> int:
        self._number += 1
        said = _Said(self._number, kind, text, time)
        self._said.append(said)
        lines = list(said.entries(self.width))
        self.entries.extend(lines)
        self.added += len(lines)
        return self._number
