"""Help over the screen: keys, commands and the filter language; searched, chosen and done."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input

from ...console.registry import Registry
from ...filters import MESSAGES
from ...text import clean, fit, width
from ..drawing import Piece, cut, strip
from ..keys import GROUPS_OF_KEYS, KEYS, PANE_NAMES, Key
from ..widgets.pane import Pane
from ..widgets.prompt import COMMAND, FILTER, Sign


@dataclass(frozen=True, slots=True)
class Entry:
    """What is typed and what it does; chosen, it presses `key`, or begins `line` at the prompt."""

    section: str
    typed: str
    says: str
    key: str = ""
    line: str = ""
    mode: str = COMMAND

    def has(self, words: list[str]) -> bool:
        text = f"{self.section} {self.typed} {self.says}".lower()
        return all(word in text for word in words)


def help_entries(registry: Registry, pane: str) -> list[Entry]:
    """All there is to know, in the order in which it is shown: first this pane's own keys."""
    own = [key for key in KEYS if key.panes and key.acts_in(pane)]
    entries = [_of_key(f"Keys in {PANE_NAMES[pane]}", key) for key in own]
    everywhere = [key for key in KEYS if not key.panes]
    entries += [
        _of_key(f"Keys: {group}", key)
        for group in GROUPS_OF_KEYS
        for key in everywhere
        if key.group == group
    ]
    entries += [
        Entry("Commands", each.usage, each.summary, line=f"{each.name} ")
        for each in registry.commands
    ]
    fields = {field.name: field for field in MESSAGES.fields.values()}
    for field in fields.values():
        typed = field.name + ("." if field.path else ":")
        entries.append(Entry("Filter fields", typed, field.help, line=typed, mode=FILTER))
    return entries + [
        Entry("Filter", typed, says, line=typed, mode=FILTER) for typed, says in _FILTERS
    ]


def _of_key(section: str, key: Key) -> Entry:
    return Entry(section, key.shown, key.says, key=key.keys.split(",")[0])


_FILTERS = (
    ("proto:kafka topic:orders.*", "both must hold; * ? are globs, + # MQTT's own in topic:"),
    ("has:error or size>1k", "or between terms; > < >= <= with units: 1k, 250ms"),
    ("-op:PUBACK not client:dev-*", "- or not turns a term around; ( ) group"),
    ('body~"err(or)?" key^=o-', "~ a regular expression, = exactly, ^= begins with"),
    ("json.customer.tier:gold", "a value inside of a JSON body; header.NAME, prop.NAME"),
    ('"free text" word', "looks in topic, client, operation, key and body"),
    ("@held @fault @error @marked", "rows in that state; #1840..1850 by number"),
)


class HelpPane(Pane, can_focus=False):
    """The entries that match what is typed, by section; one is chosen once it is searched."""

    label = "Help"

    class Taken(Message):
        """The chosen entry was clicked on again."""

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__()
        self._entries = entries
        self._top = 0
        self._lines: list[Entry | str] = []
        self._places: list[int] = []
        """The lines that are entries."""
        self._chosen: int | None = None
        self._first: dict[str, int] = {}
        self.search("")

    @property
    def chosen(self) -> Entry | None:
        line = self._lines[self._chosen] if self._chosen is not None else None
        return line if isinstance(line, Entry) else None

    def search(self, text: str) -> None:
        words = text.lower().split()
        self._lines, self._places, section = [], [], ""
        shown = [entry for entry in self._entries if entry.has(words)]
        for entry in shown:
            if entry.section != section:
                if self._lines:
                    self._lines.append("")
                self._lines.append(entry.section)
                section = entry.section
            self._places.append(len(self._lines))
            self._lines.append(entry)
        self._first = {
            head: min(34, max(width(each.typed) for each in shown if each.section == head))
            for head in {entry.section for entry in shown}
        }
        self._top, self._chosen = 0, None
        if words and shown:
            # What begins like this is meant more often than what has it somewhere.
            typed = text.strip()
            begins = (at for at, each in enumerate(shown) if each.typed.startswith(typed))
            self._choose(self._places[next(begins, 0)])
        self.refresh()

    def move(self, entries: int) -> None:
        """Choose another entry; the first time one that is on the screen."""
        if not self._places:
            return
        if self._chosen is None:
            at = bisect_left(self._places, self._top)
        else:
            at = bisect_left(self._places, self._chosen) + entries
        self._choose(self._places[max(0, min(at, len(self._places) - 1))])

    def _choose(self, line: int) -> None:
        self._chosen = line
        height = max(1, self.body_height)
        # With the heading of a section's first entry.
        above = line - 1 if line and isinstance(self._lines[line - 1], str) else line
        self._top = min(max(self._top, line - height + 1), above)
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        if self._chosen is not None:
            self._choose(self._chosen)

    def on_click(self, event: events.Click) -> None:
        line = self._top + self.body_y(event.y)
        if line not in self._places:
            return
        if line == self._chosen:
            self.post_message(self.Taken())
        self._choose(line)

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        right = [("type to search", self.palette.muted)]
        return [(self.label, self.palette.title_focused)], right

    def foot_pieces(self) -> list[Piece]:
        palette = self.palette
        return [("esc", palette.key), (" close  ", palette.muted), ("↑↓", palette.key),
                (" choose  ", palette.muted), ("enter", palette.key),
                (" does it, or begins it at the prompt", palette.muted)]  # fmt: skip

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        at = self._top + y
        if at >= len(self._lines):
            text = " nothing matches" if not self._lines and y == 0 else ""
            return strip([(text, palette.muted)], width, palette.plain)
        line = self._lines[at]
        if isinstance(line, str):
            return strip([(f" {line}", palette.title_focused)], width, palette.plain)
        first = min(self._first[line.section], max(10, width // 2))
        chosen = at == self._chosen
        pieces: list[Piece] = [
            (f"{self.glyphs.cursor} " if chosen else "  ", palette.key),
            (fit(clean(line.typed), first), palette.strong),
            (f"  {clean(line.says)}", palette.plain),
        ]
        drawn = strip(cut(pieces, width), width, palette.plain)
        if not chosen:
            return drawn
        return Strip(
            [Segment(text, (style or palette.plain) + palette.cursor) for text, style, _ in drawn],
            width,
        )

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = len(self._lines), self.body_height
        return None if total <= height else (self._top / total, (self._top + height) / total)

    def scrolled_to(self, share: float) -> None:
        self._show_from_line(int(share * len(self._lines)))

    def scroll_lines(self, lines: int) -> None:
        self._show_from_line(self._top + lines)

    def _show_from_line(self, top: int) -> None:
        self._top = max(0, min(top, len(self._lines) - self.body_height))
        self.refresh()


class HelpScreen(ModalScreen[Entry]):
    """A search box and what it finds; dismissed with the entry that is to be done."""

    BINDINGS: ClassVar = [
        Binding("escape,f1,ctrl+p,ctrl+c", "leave", "close", show=False, priority=True),
        Binding("down,ctrl+n", "choose(1)", "down", show=False, priority=True),
        Binding("up", "choose(-1)", "up", show=False, priority=True),
        Binding("pagedown,ctrl+d", "choose(15)", "down", show=False, priority=True),
        Binding("pageup,ctrl+u", "choose(-15)", "up", show=False, priority=True),
        Binding("enter", "take", "do it", show=False, priority=True),
    ]

    def __init__(self, registry: Registry, pane: str) -> None:
        super().__init__()
        self._pane = HelpPane(help_entries(registry, pane))

    def compose(self) -> ComposeResult:
        yield self._pane
        with Horizontal():
            sign = Sign()
            sign.mode = "filter"
            sign.lit = True
            yield sign
            box = Input(compact=True, select_on_focus=False)
            box.cursor_blink = False
            yield box

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value == "?":
            # The key that opened it closes it again.
            self.dismiss(None)
        self._pane.search(event.value)

    def on_help_pane_taken(self, message: HelpPane.Taken) -> None:
        self.action_take()

    def action_choose(self, entries: int) -> None:
        self._pane.move(entries)

    def action_take(self) -> None:
        self.dismiss(self._pane.chosen)

    def action_leave(self) -> None:
        self.dismiss(None)
