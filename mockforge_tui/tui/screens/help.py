"""Help over the screen: keys, commands and the filter language, searched while typing."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input

from ...console.registry import Registry
from ...filters import MESSAGES
from ...text import clean, fit, width
from ..drawing import Piece, cut, strip
from ..keys import GROUPS_OF_KEYS, KEYS, PANE_NAMES
from ..widgets.pane import Pane
from ..widgets.prompt import Sign

Entry = tuple[str, str, str]
"""Section, what is typed, what it does."""


def help_entries(registry: Registry, pane: str) -> list[Entry]:
    """All there is to know, in the order in which it is shown: first this pane's own keys."""
    own = [key for key in KEYS if key.panes and key.acts_in(pane)]
    entries = [(f"Keys in {PANE_NAMES[pane]}", key.shown, key.says) for key in own]
    everywhere = [key for key in KEYS if not key.panes]
    entries += [
        (f"Keys: {group}", key.shown, key.says)
        for group in GROUPS_OF_KEYS
        for key in everywhere
        if key.group == group
    ]
    entries += [("Commands", each.usage, each.summary) for each in registry.commands]
    fields = {field.name: field for field in MESSAGES.fields.values()}
    entries += [
        ("Filter fields", field.name + ("." if field.path else ":"), field.help)
        for field in fields.values()
    ]
    return entries + [("Filter", typed, says) for typed, says in _FILTERS]


_FILTERS = (
    ("proto:kafka topic:orders.*", "both must hold; * ? are globs, + # MQTT's own in topic:"),
    ("has:error or size>1k", "or between terms; > < >= <= with units: 1k, 250ms"),
    ("-op:PUBACK not client:dev-*", "- or not turns a term around; ( ) group"),
    ('body~"err(or)?" key^=o-', "~ a regular expression, = exactly, ^= begins with"),
    ("json.customer.tier:gold", "a value inside of a JSON body; header.NAME, prop.NAME"),
    ('"free text" word', "looks in topic, client, operation, key and body"),
    ("@held @fault @error @marked", "rows in that state; #1840..1850 by number"),
)


class HelpPane(Pane):
    """The entries that match what is typed, by section."""

    label = "Help"

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__()
        self._entries = entries
        self._top = 0
        self._lines: list[Entry | str] = []
        self._first: dict[str, int] = {}
        self.search("")

    def search(self, text: str) -> None:
        words = text.lower().split()
        self._lines, section = [], ""
        shown = [
            entry for entry in self._entries
            if all(word in " ".join(entry).lower() for word in words)
        ]  # fmt: skip
        for head, typed, says in shown:
            if head != section:
                if self._lines:
                    self._lines.append("")
                self._lines.append(head)
                section = head
            self._lines.append((head, typed, says))
        self._first = {
            head: min(34, max(width(typed) for each, typed, _ in shown if each == head))
            for head in {entry[0] for entry in shown}
        }
        self._top = 0
        self.refresh()

    def move(self, lines: int) -> None:
        self._top = max(0, min(self._top + lines, len(self._lines) - self.body_height))
        self.refresh()

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        right = [("type to search", self.palette.muted)]
        return [(self.label, self.palette.title_focused)], right

    def foot_pieces(self) -> list[Piece]:
        palette = self.palette
        return [("esc", palette.key), (" close  ", palette.muted), ("↑↓", palette.key),
                (" scroll", palette.muted)]  # fmt: skip

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        at = self._top + y
        if at >= len(self._lines):
            text = " nothing matches" if not self._lines and y == 0 else ""
            return strip([(text, palette.muted)], width, palette.plain)
        line = self._lines[at]
        if isinstance(line, str):
            return strip([(f" {line}", palette.title_focused)], width, palette.plain)
        head, typed, says = line
        first = min(self._first[head], max(10, width // 2))
        pieces: list[Piece] = [
            ("  ", palette.plain),
            (fit(clean(typed), first), palette.strong),
            (f"  {clean(says)}", palette.plain),
        ]
        return strip(cut(pieces, width), width, palette.plain)

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = len(self._lines), self.body_height
        return None if total <= height else (self._top / total, (self._top + height) / total)

    def scrolled_to(self, share: float) -> None:
        self._top = 0
        self.move(int(share * len(self._lines)))

    def scroll_lines(self, lines: int) -> None:
        self.move(lines)


class HelpScreen(ModalScreen[None]):
    """A search box and what it finds."""

    BINDINGS: ClassVar = [
        Binding("escape,f1", "dismiss", "close", show=False),
        Binding("down", "scroll_by(1)", "down", show=False, priority=True),
        Binding("up", "scroll_by(-1)", "up", show=False, priority=True),
        Binding("pagedown,ctrl+d", "scroll_by(15)", "down", show=False, priority=True),
        Binding("pageup,ctrl+u", "scroll_by(-15)", "up", show=False, priority=True),
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
        self._pane.search(event.value)

    def action_scroll_by(self, lines: int) -> None:
        self._pane.move(lines)
