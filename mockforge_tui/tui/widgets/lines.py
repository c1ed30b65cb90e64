"""The lines below the prompt, and the log of what was done."""

from typing import ClassVar

from textual import events
from textual.message import Message
from textual.strip import Strip

from ...text import clean
from ..drawing import Piece, cells, cut, strip
from ..keys import FLOW, LOG, brief_keys
from ..palette import Glyphs, Palette
from ..record import Entry, Record
from ..rows import clock_text
from .pane import Drawn, Pane

_FRESH = 8.0
"""Seconds that a result stays where it shares its line with the keys."""
SIGN_WIDTH = 3


def entry_pieces(entry: Entry, palette: Palette, glyphs: Glyphs) -> list[Piece]:
    sign, sign_style = {
        "command": (glyphs.prompt, palette.key),
        "result": (glyphs.ok, palette.ok),
        "problem": (glyphs.error, palette.error),
        "note": (glyphs.event, palette.muted),
    }.get(entry.kind, (" ", palette.muted))
    text_style = {
        "command": palette.strong,
        "problem": palette.error,
        "row": palette.muted,
    }.get(entry.kind, palette.plain)
    return [(f" {sign} ", sign_style), (entry.text, text_style)]


class ResultLine(Drawn):
    """The last command with what came of it; while typing, what is wrong with the line."""

    def __init__(self) -> None:
        super().__init__()
        self._command = ""
        self._kind = "note"
        self._text = ""
        self._warning = ""
        self._at = 0.0

    @property
    def text(self) -> str:
        return self._warning or self._text

    @property
    def is_blank(self) -> bool:
        return not (self._warning or self._text or self._command)

    @property
    def is_fresh(self) -> bool:
        """Whether it shows something that somebody may still want to read."""
        fresh = not self.is_blank and self.console_app.now() - self._at < _FRESH
        return fresh or bool(self._warning)

    def show(self, kind: str, text: str, command: str = "") -> None:
        """Show a result; only its first line fits."""
        self._at = self.console_app.now()
        first, _, rest = text.partition("\n")
        self._kind, self._command = kind, clean(command, 200)
        self._text = clean(first, 400)
        if rest and kind == "result":
            self._text = "the answer is in the log"
        self.refresh()

    def warn(self, text: str) -> None:
        """What is wrong with the line being typed; empty takes it back."""
        if text != self._warning:
            self._warning = text
            self.refresh()

    def clear(self) -> None:
        self._text = self._command = self._warning = ""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        palette, glyphs = self.palette, self.glyphs
        if self._warning:
            pieces: list[Piece] = [
                (f"  {glyphs.error} ", palette.error),
                (clean(self._warning, 400), palette.error),
            ]
            return self.drawn(cut(pieces, self.outer_size.width))
        signs = {"result": (glyphs.ok, palette.ok), "problem": (glyphs.error, palette.error)}
        sign, style = signs.get(self._kind, (glyphs.event, palette.muted))
        if self.is_blank:
            return self.drawn([])
        pieces = [(f"  {sign} ", style)]
        wanted = cells([*pieces, (self._command, palette.plain), (self._text, palette.plain)]) + 2
        # What came of it matters more than the command, which the log has too.
        if self._command and wanted <= self.outer_size.width:
            pieces.append((self._command, palette.muted))
            pieces.append(("  ", palette.plain))
        text_style = palette.error if self._kind == "problem" else palette.plain
        pieces.append((self._text, text_style))
        return self.drawn(cut(pieces, self.outer_size.width))


class KeyLine(Drawn):
    """The keys that help where the person is; a click is the key."""

    class Clicked(Message):
        """A key was clicked on; by Textual's name."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    pane = FLOW
    states: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self._ends: list[tuple[int, str]] = []
        """Where each key's part of the line ends, and the key."""

    def show(self, pane: str, states: set[str]) -> None:
        if pane != self.pane or states != self.states:
            self.pane, self.states = pane, frozenset(states)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        palette = self.palette
        pieces: list[Piece] = [(" ", palette.plain)]
        self._ends = []
        for key in brief_keys(self.pane, set(self.states)):
            each: list[Piece] = [
                (key.shown.split(" ")[0], palette.accented),
                (f" {key.brief}  ", palette.muted),
            ]
            if cells(pieces) + cells(each) > self.outer_size.width:
                break
            pieces += each
            self._ends.append((cells(pieces) - 2, key.keys.split(",")[0]))
        return self.drawn(pieces)

    def on_click(self, event: events.Click) -> None:
        key = next((key for end, key in self._ends if event.x < end), None)
        if key is not None and event.x:
            self.post_message(self.Clicked(key))


class LogPane(Pane):
    """Commands with their results, notices, tailed rows; follows until somebody scrolls."""

    label: ClassVar[str] = "6 Log"
    place: ClassVar[str] = LOG

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record
        self._from_end = 0
        self._seen = 0
        self._first: int | None = None
        """What `show_from` put on the first line, until something else is looked at."""

    def tick(self) -> None:
        """Draw what was added; a page that was scrolled back stays where it is."""
        self._fit()
        added = self.record.added - self._seen
        if not added:
            return
        self._seen = self.record.added
        if self._from_end:
            # The oldest lines leave a full record.
            most = max(0, len(self.record.entries) - self.body_height)
            self._from_end = min(most, self._from_end + added)
        else:
            self._first = None
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        """Wrap anew for another width, with the same answer on the screen."""
        before = len(self.record.entries)
        if not self.record.fit(self.body_width - SIGN_WIDTH):
            return
        if self._first is not None:
            self.show_from(self._first)
        elif self._from_end:
            self._from_end = self._from_end * len(self.record.entries) // max(1, before)
        self.refresh()

    def show_from(self, number: int) -> None:
        """Scroll so that a command or an answer, by its number in the record, comes first."""
        self._seen = self.record.added
        entries = self.record.entries
        first = next((at for at, each in enumerate(entries) if each.said >= number), len(entries))
        self._from_end = max(0, len(entries) - first - self.body_height)
        self._first = number
        self.refresh()

    def move(self, lines: int) -> None:
        self._first = None
        most = max(0, len(self.record.entries) - self.body_height)
        self._from_end = max(0, min(most, self._from_end - lines))
        self.refresh()

    def to_top(self) -> None:
        self.move(-len(self.record.entries))

    def to_end(self) -> None:
        self.move(len(self.record.entries))

    def page_lines(self) -> int:
        return max(1, self.body_height - 1)

    def body_line(self, y: int, width: int) -> Strip:
        palette, entries = self.palette, self.record.entries
        first = max(0, len(entries) - self.body_height - self._from_end)
        if first + y >= len(entries):
            return Strip.blank(width, palette.plain)
        entry = entries[first + y]
        pieces = entry_pieces(entry, palette, self.glyphs)
        if entry.kind == "command":
            pieces = [pieces[0], (f"{clock_text(entry.time, 12)} ", palette.faintest), *pieces[1:]]
        return strip(cut(pieces, width), width, palette.plain)

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        right: list[Piece] = []
        if self._from_end:
            right = [(f"{self.glyphs.newer} {self._from_end} more", self.palette.key)]
        return [(self.label, self.title_style)], right

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = len(self.record.entries), self.body_height
        if total <= height:
            return None
        first = total - height - self._from_end
        return first / total, (first + height) / total

    def scrolled_to(self, share: float) -> None:
        total = len(self.record.entries)
        self._first = None
        self._from_end = max(0, total - self.body_height - int(share * total))
        self.refresh()

    def scroll_lines(self, lines: int) -> None:
        self.move(lines)
