"""Asks for a yes before something is done that cannot be undone."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.strip import Strip

from ...text import clean
from ..drawing import Piece, cut, strip
from ..widgets.pane import Pane


class QuestionPane(Pane):
    """The question with its two answers."""

    label = "Sure?"

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = clean(question, 300)

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        pieces: list[Piece] = []
        if y == 1:
            pieces = [(f" {self._question}", palette.strong)]
        elif y == 3:
            pieces = [
                (" y", palette.key), (" yes   ", palette.plain),
                ("n", palette.key), (" no", palette.plain),
            ]  # fmt: skip
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
