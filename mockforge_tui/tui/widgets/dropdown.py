"""What may stand at the prompt's cursor, in a list above it."""

from textual import events
from textual.message import Message
from textual.strip import Strip

from ...console.completing import Completion
from ...text import clean, fit, width
from ..drawing import Piece, strip
from .pane import Drawn

_MOST_LINES = 8
_WIDEST_NAME, _WIDEST_NOTE = 40, 48


class DropDown(Drawn):
    """Open while there are completions; nothing is chosen until somebody moves into it."""

    class Taken(Message):
        """A completion was clicked on."""

        def __init__(self, completion: Completion) -> None:
            super().__init__()
            self.completion = completion

    def __init__(self) -> None:
        super().__init__()
        self.completions: list[Completion] = []
        self._at: int | None = None
        self._top = 0
        self._widths = (0, 0)

    @property
    def is_open(self) -> bool:
        return bool(self.completions)

    @property
    def chosen(self) -> Completion | None:
        return self.completions[self._at] if self._at is not None else None

    def show(self, completions: list[Completion], margin: int) -> None:
        """Show these, beginning under the column of the word that they replace."""
        self.completions = completions
        self._at, self._top = None, 0
        self.display = bool(completions)
        if not completions:
            return
        lines = min(_MOST_LINES, len(completions))
        self._widths = (
            min(_WIDEST_NAME, max(width(clean(each.text, 60)) for each in completions)),
            min(_WIDEST_NOTE, max(width(clean(each.note, 80)) for each in completions)),
        )
        cells = sum(self._widths) + 3
        room = self.screen.size.width
        self.styles.height = lines
        self.styles.width = min(cells, room)
        self.styles.offset = (max(0, min(completions[0].start + margin, room - cells)), 0)
        self.refresh(layout=True)

    def close(self) -> None:
        self.completions = []
        self._at = None
        self.display = False

    def move(self, step: int) -> None:
        if not self.completions:
            return
        self._at = ((0 if step > 0 else -1) if self._at is None else self._at + step) % len(
            self.completions
        )
        height = max(1, self.outer_size.height)
        self._top = min(max(self._top, self._at - height + 1), self._at)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        at = self._top + event.y
        if at < len(self.completions):
            self.post_message(self.Taken(self.completions[at]))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scroll(-1, event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scroll(1, event)

    def _scroll(self, lines: int, event: events.Event) -> None:
        event.stop()
        last = max(0, len(self.completions) - self.outer_size.height)
        self._top = max(0, min(self._top + lines, last))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        palette = self.palette
        at = self._top + y
        ground = palette.style(palette.text, on=palette.raised)
        if at >= len(self.completions):
            return Strip.blank(self.outer_size.width, ground)
        each, (names, notes) = self.completions[at], self._widths
        chosen = at == self._at
        on = palette.chosen if chosen else palette.raised
        name = palette.style(palette.bright if chosen else palette.accent, on=on)
        note = palette.style(palette.dim, on=on)
        pieces: list[Piece] = [
            (f"{self.glyphs.cursor if chosen else ' '}{fit(clean(each.text, 60), names)} ", name),
            (f"{fit(clean(each.note, 80), notes)} ", note),
        ]
        return strip(pieces, self.outer_size.width, note)
