"""The inspector: all that is known of what somebody chose, in tabs."""

from typing import ClassVar

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import letter_of
from rich.segment import Segment
from textual import events
from textual.strip import Strip

from ...console.kafka_tables import rights
from ...feed.values import TopicValues
from ...text import clean
from ..documents import Document, Line, Plain, Wrapped
from ..drawing import Piece, cells, cut, strip
from ..inspection import TABS, Inspection, JsonDocument
from ..jsontree import JsonLine
from ..keys import INSPECTOR
from ..rows import destination_text, operation_text
from ..searching import Search
from ..subjects import Sheet, Subject, guarded, identity, row_of, topic_of
from .pane import Pane

_LOOKING = 0.004
"""Seconds of a snapshot in which a topic's values are looked for."""
_LOOKING_BACK = 0.02
"""The same, once, for what came before it was chosen."""
_SPLIT_FROM = 84
"""Cells from which headers stand beside the body."""


class Inspector(Pane):
    """Shows what it was given until it is given something else; the cursor is on a line."""

    label: ClassVar[str] = "Inspect"
    place: ClassVar[str] = INSPECTOR

    def __init__(self) -> None:
        super().__init__()
        self.subject: Subject | None = None
        self.live = True
        self.search = Search()
        self._tab = 0
        self._inspection: Inspection | None = None
        self._sheet: Sheet | None = None
        self._values: TopicValues | None = None
        self._charted = 0
        self._shown: tuple[object, Wrapped] | None = None
        self._top = 0
        self._cursor = 0

    @property
    def row(self) -> Row | None:
        """The row that is inspected: a message, or a frame that is held."""
        return row_of(self.subject)

    def show(self, subject: Subject | None, *, live: bool = False) -> None:
        """Open something at its first line; the tab stays. New figures of it change no place."""
        self.live = live
        if subject is not self.subject:
            if identity(subject) != identity(self.subject):
                self._top = self._cursor = 0
                self.search.clear()
            self.subject = subject
            row = row_of(subject)
            if self._inspection is None or row is not self._inspection.row:
                self._inspection = Inspection(row) if row is not None else None
            self._sheet = self._sheet_of(subject) if row is None else None
            self._shown = None
        self.refresh()

    def _sheet_of(self, subject: Subject | None) -> Sheet | None:
        """The facts of what is no row; of an MQTT topic with the values that came until now."""
        if subject is None or isinstance(subject, Row):
            return None
        topic = topic_of(subject)
        if not topic:
            about = guarded(subject)
            if about is None:
                return Sheet(subject)
            return Sheet(subject, tables=rights(self.console_app.session.runtime.access, *about))
        if self._values is None or self._values.topic != topic:
            self._values, self._charted = None, 0
            journal = self.console_app.session.runtime.journal
            if journal is not None:
                self._values = TopicValues(journal, topic)
                self._values.look(_LOOKING_BACK)
        if self._values is None:
            return Sheet(subject)
        self._values.look(_LOOKING)
        return Sheet(subject, tuple(self._values.values))

    @property
    def tabs(self) -> tuple[str, ...]:
        if self._inspection is not None:
            return self._inspection.tabs
        return self._sheet.tabs if self._sheet is not None else ("Facts",)

    @property
    def tab(self) -> int:
        return self._tab if self._tab < len(self.tabs) else 0

    def next_tab(self, step: int) -> None:
        self.show_tab((self.tab + step) % len(self.tabs))

    def show_tab(self, tab: int) -> None:
        self._tab = tab
        self._top = self._cursor = 0
        self.search.clear()
        self._shown = None
        self.refresh()

    def show_wire(self) -> None:
        self.show_tab(TABS.index("Wire"))

    def node(self) -> JsonLine | None:
        """The JSON value under the cursor, if it can go into a filter."""
        line = self._json_line()
        found = line is not None and line.value is not None and line.path
        return line if self.has_focus and found else None

    # Moves -------------------------------------------------------------------------------

    def move(self, lines: int) -> None:
        last = max(0, len(self._rows) - 1)
        self._go_to(min(last, max(0, self._cursor + lines)))

    def to_top(self) -> None:
        self._go_to(0)

    def to_end(self) -> None:
        self._go_to(max(0, len(self._rows) - 1))

    def page_lines(self) -> int:
        return max(1, self.body_height - 1)

    def fold(self) -> bool:
        """Fold or unfold at the cursor, or show more members; False if there is nothing to fold."""
        document, line = self._rows.document, self._json_line()
        if self._sheet is not None and self.tabs[self.tab] == "Chart":
            self._charted += 1
            self._shown = None
            self.refresh()
            return True
        if line is None or not isinstance(document, JsonDocument):
            return False
        if not document.tree.toggle(line):
            return False
        self._shown = None
        self._go_to(min(self._cursor, len(self._rows) - 1))
        return True

    def find(self, text: str, step: int = 1) -> str:
        """Go to the next place of a text; returns what to say about it."""
        found = self.search.go(text, step, self._rows.document, self._rows.number(self._cursor))
        if found is None:
            self.refresh()
            return f"{text!r} is not in here" if text else ""
        self._shown = None
        self._go_to(self._rows.row_of(found))
        return self.search.where

    def _go_to(self, row: int) -> None:
        self._cursor = row
        height = max(1, self.body_height)
        self._top = min(max(self._top, row - height + 1), row)
        self.refresh()

    # Lines -------------------------------------------------------------------------------

    @property
    def _rows(self) -> Wrapped:
        """The tab's lines, wrapped to the width that is there."""
        width = self._body_cells(self.body_width)
        key = (self.tab, width, self.body_height)
        if self._shown is None or self._shown[0] != key:
            self._shown = (key, Wrapped(self._document(width), width - 1))
        return self._shown[1]

    def _document(self, width: int) -> Document:
        if self._inspection is not None:
            return self._inspection.document(self.tab, width - 1)
        if self._sheet is None:
            return Plain(())
        room = (width - 2, self.body_height)
        return Plain(self._sheet.lines(self.tab, *room, self.glyphs.bars, self._charted))

    def _json_line(self) -> JsonLine | None:
        document = self._rows.document
        if not isinstance(document, JsonDocument):
            return None
        number = self._rows.number(self._cursor)
        return document.tree.lines[number] if number < len(document) else None

    def _is_split(self, width: int) -> bool:
        return self._inspection is not None and self.tab == 0 and width >= _SPLIT_FROM

    def _body_cells(self, width: int) -> int:
        return (width - 1) * 11 // 20 if self._is_split(width) else width

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        if self.subject is None:
            return self._hint_line(y, width)
        if not self._is_split(width):
            return strip(self._main_pieces(y, width), width, palette.plain)
        left = self._body_cells(width)
        right = width - 1 - left
        body = strip(self._main_pieces(y, left), left, palette.plain)
        assert self._inspection is not None
        headers = self._inspection.headers
        at = y + (self._top if len(headers) > self.body_height else 0)
        beside = self._styled(headers[at]) if at < len(headers) else []
        aside = strip([(" ", palette.plain), *cut(beside, right - 1)], right, palette.plain)
        return Strip([*body, Segment(self.glyphs.ladder, palette.border), *aside], width)

    def _main_pieces(self, y: int, width: int) -> list[Piece]:
        palette, rows = self.palette, self._rows
        at = self._top + y
        if at >= len(rows):
            return []
        pieces = self._styled(self.search.lit(rows.row(at)))
        if not isinstance(rows.document, JsonDocument):
            pieces = [(" ", palette.plain), *pieces]
        pieces = cut(pieces, width)
        if at != self._cursor or not self.has_focus:
            return pieces
        pieces.append((" " * (width - cells(pieces)), palette.plain))
        # What was searched for keeps its own ground, which is what makes it readable.
        found = palette.roles["found"]
        return [
            (text, style if style is found else style + palette.cursor) for text, style in pieces
        ]

    def _styled(self, line: Line) -> list[Piece]:
        palette, roles, glyphs = self.palette, self.palette.roles, self.glyphs
        signs = {"-": glyphs.open, "+": glyphs.folded}
        return [
            (signs.get(text, text), palette.muted) if role == "fold" else (text, roles[role])
            for text, role in line
        ]

    def _hint_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        text = {
            0: "The newest message shows here while the flow is live.",
            2: "j k select a message and pause   enter opens it   / filters   : commands",
        }.get(y, "")
        return strip([(f" {text}", palette.faintest)], width, palette.plain)

    # Edges -------------------------------------------------------------------------------

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        if self.subject is None:
            return [(self.label, self.title_style)], []
        left = self._title()
        right = self._tab_pieces()
        if cells(left) + cells(right) + 8 > self.outer_size.width:
            right = [right[self.tab]]
        return cut(left, max(12, self.outer_size.width - cells(right) - 8)), right

    def _title(self) -> list[Piece]:
        palette, glyphs, row = self.palette, self.glyphs, self.row
        if row is None:
            assert self._sheet is not None
            protocol, title = self._sheet.title
            letter = f"{letter_of(protocol)} " if protocol else ""
            return [(letter, palette.protocol(protocol)), (title, self.title_style)]
        left: list[Piece] = [
            (f"#{row.seq} " if row.seq else "", self.title_style),
            (f"{letter_of(row.protocol)} ", palette.protocol(row.protocol)),
            (f"{clean(row.client, 24)} ", palette.plain),
            (f"{operation_text(row)} ", palette.strong),
            (destination_text(row)[:48], palette.plain),
        ]
        if row.key is not None:
            left.append((f"  key {clean(row.key.decode('utf-8', 'replace'), 24)}", palette.muted))
        if row.held:
            left.append((f"  {glyphs.held} held h{row.held}", palette.holding))
        if row.fault:
            left.append((f"  {glyphs.fault} fault {row.fault}", palette.faulty))
        if self.live:
            left.append(("  newest", palette.muted))
        return left

    def _tab_pieces(self) -> list[Piece]:
        palette = self.palette
        return [
            (f"[{name}]", palette.title_focused) if at == self.tab else (f" {name} ", palette.muted)
            for at, name in enumerate(self.tabs)
        ]

    def foot_pieces(self) -> list[Piece]:
        palette = self.palette
        pieces: list[Piece] = []
        if self.search.where:
            pieces = [
                ("/ ", palette.key),
                (self.search.where, palette.accented),
                ("  ", palette.plain),
            ]
        node = self.node()
        if node is not None:
            shown = f" json.{clean(node.path, 60)}:{clean(node.value or '', 30)}"
            pieces += [("+", palette.key), (shown, palette.accented)]
        return pieces

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = len(self._rows), self.body_height
        if total <= height:
            return None
        return self._top / total, (self._top + height) / total

    def scrolled_to(self, share: float) -> None:
        self._show_from_line(int(share * len(self._rows)))

    def _show_from_line(self, top: int) -> None:
        self._top = max(0, min(top, len(self._rows) - self.body_height))
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._go_to(min(self._cursor, max(0, len(self._rows) - 1)))

    # Mouse -------------------------------------------------------------------------------

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._show_from_line(self._top - 3)
        event.stop()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._show_from_line(self._top + 3)
        event.stop()

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self.next_tab(1)
            return
        at = self._top + self.body_y(event.y)
        if 0 <= at < len(self._rows):
            again = at == self._cursor
            self._cursor = at
            if again:
                self.fold()
            self.refresh()
