"""The inspector: all that is known of what somebody chose, in tabs."""

from functools import partial
from typing import ClassVar

from mockforge_brokers.protocols import letter_of
from rich.segment import Segment
from textual import events
from textual.strip import Strip

from ...console.beside import beside
from ...console.cells import destination_text, operation_text
from ...text import clean
from ..documents import Line, Wrapped
from ..drawing import Piece, cells, cut, strip
from ..inspection import JsonDocument, step
from ..jsontree import JsonLine
from ..keys import INSPECTOR
from ..opened import WIRE_TAB, Opened
from ..searching import Search
from ..subjects import Subject
from .pane import Pane

_SPLIT_FROM = 84
"""Cells from which headers stand beside the body."""
_AROUND = 9
"""Cells of the upper edge that neither title nor tabs may have."""
_LEAST_TITLE = 40
"""Cells of a title for which tabs give way, all but the one that is shown."""


class Inspector(Pane):
    """Shows what it was given until it is given something else; the cursor is on a line."""

    label: ClassVar[str] = "Inspect"
    place: ClassVar[str] = INSPECTOR

    def __init__(self) -> None:
        super().__init__()
        self.opened = Opened()
        self.live = True
        self.search = Search()
        self._shown: tuple[object, Wrapped] | None = None
        self._top = 0
        self._cursor = 0

    @property
    def subject(self) -> Subject | None:
        return self.opened.subject

    def show(self, subject: Subject | None, *, live: bool = False) -> None:
        """Open something at its first line; the tab stays. New figures of it change no place."""
        self.live = live
        if subject is not self.subject:
            runtime = self.console_app.session.runtime
            if self.opened.show(
                subject,
                runtime.journal,
                partial(beside, runtime.brokers, runtime.access),
                self.console_app.feed.ring,
            ):
                self._top = self._cursor = 0
                self.search.clear()
            self._shown = None
        else:
            self.look()
        self.refresh()

    def look(self) -> None:
        """Show the answer that came to what is open since."""
        if self.opened.look():
            self._shown = None
            self.refresh()

    def next_tab(self, step: int) -> None:
        self.show_tab((self.opened.tab + step) % len(self.opened.tabs))

    def show_tab(self, tab: int) -> None:
        self.opened.tab = tab
        self._top = self._cursor = 0
        self.search.clear()
        self._shown = None
        self.refresh()

    def show_wire(self) -> None:
        self.show_tab(WIRE_TAB)

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
        if self.opened.chart_next():
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
        width, height = self._body_cells(self.body_width), self.body_height
        key = (self.opened.tab, width, height)
        if self._shown is None or self._shown[0] != key:
            document = self.opened.document(width, height, self.glyphs.bars)
            self._shown = (key, Wrapped(document, width - 1))
        return self._shown[1]

    def _json_line(self) -> JsonLine | None:
        document = self._rows.document
        if not isinstance(document, JsonDocument):
            return None
        number = self._rows.number(self._cursor)
        return document.tree.lines[number] if number < len(document) else None

    def _beside(self, width: int) -> list[Line] | None:
        """What is shown beside the body at this width; None: the body has it all."""
        return self.opened.beside if width >= _SPLIT_FROM else None

    def _body_cells(self, width: int) -> int:
        return width if self._beside(width) is None else (width - 1) * 11 // 20

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        if self.subject is None:
            return self._hint_line(y, width)
        headers = self._beside(width)
        if headers is None:
            return strip(self._main_pieces(y, width), width, palette.plain)
        left = self._body_cells(width)
        right = width - 1 - left
        body = strip(self._main_pieces(y, left), left, palette.plain)
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
        # The flow has what is cut here; that there are other tabs nothing else says.
        if min(cells(left), _LEAST_TITLE) + cells(right) + _AROUND > self.outer_size.width:
            right = [right[self.opened.tab]]
        return cut(left, max(12, self.outer_size.width - cells(right) - _AROUND)), right

    def _title(self) -> list[Piece]:
        palette, glyphs, row = self.palette, self.glyphs, self.opened.row
        if row is None:
            assert self.opened.sheet is not None
            protocol, title = self.opened.sheet.title
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
        if not self.framed:
            # Without a frame there is no line below for it.
            left += [("  ", palette.plain), *self._exchange_pieces()]
        return left

    def _tab_pieces(self) -> list[Piece]:
        palette = self.palette
        return [
            (f"[{name}]", palette.title_focused)
            if at == self.opened.tab
            else (f" {name} ", palette.muted)
            for at, name in enumerate(self.opened.tabs)
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
        pieces += self._exchange_pieces()
        node = self.node()
        if node is not None:
            shown = f" json.{clean(node.path, 60)}:{clean(node.value or '', 30)}"
            pieces += [("+", palette.key), (shown, palette.accented)]
        return pieces

    def _exchange_pieces(self) -> list[Piece]:
        """Where `o` leads, and how long that took."""
        exchange = self.opened.exchange
        if exchange is None:
            return []
        found = next(iter(exchange.answered or exchange.asked), None)
        if found is None:
            return [(" not answered yet ", self.palette.muted)] if exchange.waits else []
        shown = f" {clean(step(exchange.row, found), 40)}  "
        return [("o", self.palette.key), (shown, self.palette.accented)]

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

    def scroll_lines(self, lines: int) -> None:
        self._show_from_line(self._top + lines)

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
