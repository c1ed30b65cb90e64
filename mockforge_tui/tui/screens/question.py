"""Asks for a yes before something is done that cannot be undone."""

import textwrap
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.strip import Strip

from ...text import clean
from ..drawing import Piece, cut, strip
from ..widgets.pane import Pane

_LONGEST: Final = 500
_WIDEST: Final = 64
_FRAME: Final = 4
"""Cells of a line that are frame and margin."""


class QuestionPane(Pane):
    """The question, all of it, with its two answers."""

    label = "Sure?"

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = clean(question, _LONGEST)
        self._lines: list[str] = []

    def on_mount(self) -> None:
        self._fit()

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        room, most = self.screen.size
        cells = max(8, min(_WIDEST, room) - _FRAME)
        # Half as many characters where some of them take two cells.
        self._lines = textwrap.wrap(
            self._question, cells if self._question.isascii() else cells // 2
        )
        self.styles.height = min(len(self._lines) + 5, most)
        self.refresh()

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        # The answers stand below the question, whatever of it there is room for.
        answers = min(len(self._lines) + 2, self.body_height - 1)
        pieces: list[Piece] = []
        if y == answers:
            pieces = [
                (" y", palette.key), (" yes   ", palette.plain),
                ("n", palette.key), (" no", palette.plain),
            ]  # fmt: skip
        elif 1 <= y <= len(self._lines) and y < answers:
            pieces = [(f" {self._lines[y - 1]}", palette.strong)]
        return strip(cut(pieces, width), width, palette.plain)


class Question(ModalScreen[bool]):
    """Dismissed with the answer; esc is a no."""

    BINDINGS: ClassVar = [
        Binding("y,Y,enter", "answer(True)", "yes", show=False),
        Binding("n,N,escape,q", "answer(False)", "no", show=False),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        yield QuestionPane(self._question)

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
