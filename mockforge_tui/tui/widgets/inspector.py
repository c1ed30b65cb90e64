"""The inspector: one row's payload, headers, bytes and decoded fields."""

from typing import ClassVar

from mockforge_brokers.journal import Row
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from ...text import clean
from ..drawing import Piece, cells, cut, strip
from ..inspection import TABS, Inspection, Line
from ..jsonlines import JsonLine
from ..palette import LETTERS
from ..rows import destination_text, operation_text
from .pane import Pane

_SPLIT_FROM = 84
"""Cells from which headers stand beside the body."""


class Inspector(Pane):
    """Shows one row until it is given another; knows the JSON node under its cursor."""

    label: ClassVar[str] = "Inspect"

    class Closed(Message):
        """Esc."""

    def __init__(self) -> None:
        super().__init__()
        self.tab = 0
        self.live = True
        self._inspection: Inspection | None = None
        self._folded: set[int] = set()
        self._top = 0
        self._cursor = 0

    @property
    def row(self) -> Row | None:
        return self._inspection.row if self._inspection is not None else None

    def show(self, row: Row | None, *, live: bool = False) -> None:
        """Open a row at its first line; the tab stays."""
        self.live = live
        if row is not self.row:
            self._inspection = Inspection(row) if row is not None else None
            self._folded.clear()
            self._top = self._cursor = 0
        self.refresh()

    def next_tab(self, step: int) -> None:
        self.show_tab((self.tab + step) % len(TABS))

    def show_tab(self, tab: int) -> None:
        self.tab = tab
        self._top = self._cursor = 0
        self.refresh()

    def node(self) -> JsonLine | None:
        """The JSON value under the cursor, if it can go into a filter."""
        visible = self._visible_json()
        if visible is None or not self.has_focus or self._cursor >= len(visible):
            return None
        line = visible[self._cursor][1]
        return line if line.value is not None and line.path else None

    # Moves -------------------------------------------------------------------------------

    def move(self, lines: int) -> None:
        last = max(0, self._count() - 1)
        self._cursor = min(last, max(0, self._cursor + lines))
        height = max(1, self.body_height)
        self._top = min(max(self._top, self._cursor - height + 1), self._cursor)
        self.refresh()

    def to_top(self) -> None:
        self.move(-self._count())

    def to_end(self) -> None:
        self.move(self._count())

    def page_lines(self) -> int:
        return max(1, self.body_height - 1)

    def fold(self) -> bool:
        """Fold or unfold the JSON node under the cursor; False if there is none."""
        visible = self._visible_json()
        if visible is None or self._cursor >= len(visible):
            return False
        index, line = visible[self._cursor]
        if not line.count:
            return False
        self._folded.symmetric_difference_update({index})
        self.refresh()
        return True

    # Lines -------------------------------------------------------------------------------

    def _visible_json(self) -> list[tuple[int, JsonLine]] | None:
        lines = self._inspection.json if self._inspection is not None and not self.tab else None
        if lines is None:
            return None
        visible, index = [], 0
        while index < len(lines):
            visible.append((index, lines[index]))
            index = lines[index].last + 1 if index in self._folded else index + 1
        return visible

    def _count(self) -> int:
        if self._inspection is None:
            return 0
        visible = self._visible_json()
        return len(visible if visible is not None else self._inspection.lines(TABS[self.tab]))

    def _is_split(self, width: int) -> bool:
        return self.tab == 0 and width >= _SPLIT_FROM

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        if self._inspection is None:
            return self._hint_line(y, width)
        if not self._is_split(width):
            return strip(self._main_pieces(y, width), width, palette.plain)
        left = (width - 1) * 11 // 20
        right = width - 1 - left
        body = strip(self._main_pieces(y, left), left, palette.plain)
        headers = self._inspection.headers
        at = y + (self._top if len(headers) > self.body_height else 0)
        beside = self._styled(headers[at]) if at < len(headers) else []
        aside = strip([(" ", palette.plain), *cut(beside, right - 1)], right, palette.plain)
        return Strip([*body, Segment(self.glyphs.ladder, palette.border), *aside], width)

    def _main_pieces(self, y: int, width: int) -> list[Piece]:
        palette = self.palette
        at = self._top + y
        chosen = at == self._cursor and self.has_focus
        visible = self._visible_json()
        assert self._inspection is not None
        if visible is not None:
            if at >= len(visible):
                return []
            pieces = self._json_pieces(*visible[at])
        else:
            lines = self._inspection.lines(TABS[self.tab])
            if at >= len(lines):
                return []
            pieces = [(" ", palette.plain), *self._styled(lines[at])]
        pieces = cut(pieces, width)
        if not chosen:
            return pieces
        pieces.append((" " * (width - cells(pieces)), palette.plain))
        return [(text, style + palette.cursor) for text, style in pieces]

    def _json_pieces(self, index: int, line: JsonLine) -> list[Piece]:
        palette, glyphs, roles = self.palette, self.glyphs, self.palette.roles
        folded = index in self._folded
        sign = (glyphs.folded if folded else glyphs.open) if line.count else " "
        pieces: list[Piece] = [(sign, palette.muted), ("  " * line.depth, palette.plain)]
        pieces += [(text, roles[role]) for text, role in line.parts]
        if folded:
            opening = line.parts[-1][0]
            closing = "}" if opening == "{" else "]"
            pieces.append((f" {glyphs.more} {line.count} ", palette.muted))
            pieces.append((closing, palette.muted))
        return pieces

    def _styled(self, line: Line) -> list[Piece]:
        roles = self.palette.roles
        return [(text, roles[role]) for text, role in line]

    def _hint_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        text = {
            0: "The newest message shows here while the flow is live.",
            2: "j k select a message and pause   enter opens it   / filters   : commands",
        }.get(y, "")
        return strip([(f" {text}", palette.faintest)], width, palette.plain)

    # Edges -------------------------------------------------------------------------------

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        palette, glyphs, row = self.palette, self.glyphs, self.row
        if row is None or self._inspection is None:
            return [(self.label, self.title_style)], []
        left: list[Piece] = [
            (f"#{row.seq} ", self.title_style),
            (f"{LETTERS.get(row.protocol, '?')} ", palette.protocol(row.protocol)),
            (f"{clean(row.client, 24)} ", palette.plain),
            (f"{operation_text(row)} ", palette.strong),
            (destination_text(row)[:48], palette.plain),
        ]
        if row.key is not None:
            left.append((f"  key {clean(row.key.decode('utf-8', 'replace'), 24)}", palette.muted))
        if row.held:
            left.append((f"  {glyphs.held} held {row.held}", palette.holding))
        if row.fault:
            left.append((f"  {glyphs.fault} fault {row.fault}", palette.faulty))
        if self.live:
            left.append(("  newest", palette.muted))
        right = self._tab_pieces(self._inspection.body_name)
        if cells(left) + cells(right) + 8 > self.outer_size.width:
            right = [right[self.tab]]
        return cut(left, max(12, self.outer_size.width - cells(right) - 8)), right

    def _tab_pieces(self, body_name: str) -> list[Piece]:
        palette = self.palette
        return [
            (f"[{name}]", palette.title_focused) if at == self.tab else (f" {name} ", palette.muted)
            for at, name in enumerate((body_name, *TABS[1:]))
        ]

    def foot_pieces(self) -> list[Piece]:
        palette = self.palette
        node = self.node()
        if node is not None:
            return [
                ("+", palette.key),
                (f" json.{clean(node.path, 60)}:{clean(node.value or '', 30)}", palette.accented),
            ]
        return []

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = self._count(), self.body_height
        if total <= height:
            return None
        return self._top / total, (self._top + height) / total

    def scrolled_to(self, share: float) -> None:
        self._show_from_line(int(share * self._count()))

    def _show_from_line(self, top: int) -> None:
        self._top = max(0, min(top, self._count() - self.body_height))
        self.refresh()

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
        if 0 <= at < self._count():
            if at == self._cursor:
                self.fold()
            self._cursor = at
            self.refresh()
