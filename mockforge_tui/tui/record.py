"""What was done at this screen and what came of it, for the log pane."""

from collections import deque
from dataclasses import dataclass

from ..text import clean

_MOST = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; `kind` is command, result, problem, note, row, or more. The text is clean."""

    kind: str
    text: str
    time: float


class Record:
    """The newest lines; `added` counts all there ever were."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=_MOST)
        self.added = 0

    def add(self, kind: str, text: str, time: float) -> None:
        lines = text.split("\n")
        if len(lines) > 1 and kind == "result":
            kind = "more"
        for line in lines:
            self.entries.append(Entry(kind, clean(line), time))
            self.added += 1
