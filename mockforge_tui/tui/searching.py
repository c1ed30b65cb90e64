"""Finding a text in what the inspector shows."""

import re

from .documents import MOST_FOUND, Document, Line
from .inspection import JsonDocument
from .jsontree import Place


def is_in(sought: str, words: str) -> bool:
    """Whether a text is among words; one without capitals is found in any case."""
    return sought in (words.lower() if sought == sought.lower() else words)


class Search:
    """Places of a text in one document, gone through one by one and around its end."""

    def __init__(self) -> None:
        self.text = ""
        self._at = 0
        self._places: list[int] | list[Place] = []

    @property
    def where(self) -> str:
        """`sku  3 of 17`, empty while nothing is searched."""
        if not self.text:
            return ""
        count = len(self._places)
        if not count:
            return f"{self.text}  not in here"
        return f"{self.text}  {self._at + 1} of {count}{'+' if count >= MOST_FOUND else ''}"

    def clear(self) -> None:
        self.text = ""
        self._places = []

    def go(self, text: str, step: int, document: Document, line: int) -> int | None:
        """The line of the next place from `line` on (or of the one before); None if there is none.

        A text without capitals is found in any case.
        """
        fresh = text != self.text
        if fresh:
            self.text = text
            self._places = _places(text, document) if text else []
        if not self._places:
            return None
        self._at = self._first_from(document, line) if fresh else self._at + step
        self._at %= len(self._places)
        place = self._places[self._at]
        if isinstance(place, tuple):
            assert isinstance(document, JsonDocument)
            return document.tree.reveal(place)
        return place

    def lit(self, line: Line) -> Line:
        """A line in which the text that is searched stands out."""
        if not self.text or not self._places:
            return line
        flags = re.IGNORECASE if self.text == self.text.lower() else 0
        pattern = re.compile(f"({re.escape(self.text)})", flags)
        lit: list[tuple[str, str]] = []
        for text, role in line:
            for at, part in enumerate(pattern.split(text)):
                if part:
                    lit.append((part, "found" if at % 2 else role))
        return tuple(lit)

    def _first_from(self, document: Document, line: int) -> int:
        if isinstance(document, JsonDocument):
            lines = document.tree.lines
            here: Place = lines[line].place if line < len(lines) else ()
            return next((at for at, each in enumerate(self._places) if each >= here), 0)  # type: ignore[operator]
        return next((at for at, each in enumerate(self._places) if each >= line), 0)  # type: ignore[operator]


def _places(text: str, document: Document) -> list[int] | list[Place]:
    if isinstance(document, JsonDocument):
        return document.tree.find(text)
    return document.find(text)
