"""The flow of messages: follows the newest, or stands still where somebody looks."""

from collections import OrderedDict
from collections.abc import Callable
from typing import ClassVar

from mockforge_brokers.journal import Row
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from ...feed import Feed, Selection
from ...filters import Filter
from ...text import clean, fit
from ..drawing import Piece, cut, strip
from ..rows import columns, fields, heading, row_pieces
from .pane import Pane

_KEPT_STRIPS = 512
_SLICE = 0.002
_NEVER_SHOWN = "noise"


class FlowPane(Pane):
    """Live (the newest row is the last line) or paused (the same rows stay where they are).

    To select or to scroll leaves live; only `go_live` goes back. What came meanwhile is counted,
    and a row that has left the ring leaves a mark in its place.
    """

    label: ClassVar[str] = "1 Flow"

    class Selected(Message):
        """Another row is selected; None when the pane went live."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    class Opened(Message):
        """The selected row is to be inspected."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.follow = True
        self.cursor: int | None = None
        self.selected: Row | None = None
        self.filter: Filter | None = None
        self.with_noise = False
        self.only_marked = False
        self.field = 0
        self.waiting_at = 0
        self._selection: Selection = feed.select(self._matcher())
        self._page: list[int] = []
        self._line = 0
        self._strips: OrderedDict[tuple[object, ...], Strip] = OrderedDict()
        self._edges_shown: object = None
        self._settled = True

    # What is shown -----------------------------------------------------------------------

    def show(
        self,
        shown: Filter | None,
        *,
        with_noise: bool | None = None,
        only_marked: bool | None = None,
    ) -> None:
        """Show other rows; the selected one stays selected while it matches."""
        self.filter = shown
        if with_noise is not None:
            self.with_noise = with_noise
        if only_marked is not None:
            self.only_marked = only_marked
        self._selection = self.feed.select(self._matcher())
        self._selection.tick(_SLICE)
        self._settled = False
        self._turn_page()
        self.refresh()

    def tick(self) -> None:
        """Take in what the feed has got since; asks for a repaint only where lines change."""
        changed = self._selection.tick(_SLICE)
        if self.follow:
            if changed:
                self._turn_page()
                self.refresh()
            return
        if not self._settled:
            self._settled = self._selection.progress >= 1
            self._turn_page()
            self.refresh()
        elif changed and len(self._page) < self.rows_shown:
            self._page += self._selection.at_or_after(
                (self._page[-1] + 1) if self._page else 1, self.rows_shown - len(self._page)
            )
            self.refresh()
        if self._edges() != self._edges_shown:
            self.refresh_edges()

    @property
    def rows_shown(self) -> int:
        """Rows of one page: the first line is the heading."""
        return max(0, self.body_height - 1)

    @property
    def waiting(self) -> int:
        """Shown rows that came since live was left."""
        return 0 if self.follow else self._selection.after(self.waiting_at)

    @property
    def overwritten(self) -> int:
        """Rows of the paused page that have left the ring."""
        return 0 if self.follow else sum(number < self.feed.oldest for number in self._page)

    def live_row(self) -> Row | None:
        """The newest message while live."""
        for number in reversed(self._page):
            row = self.feed.row(number)
            if row is not None and row.kind == "message":
                return row
        return None

    # Moves -------------------------------------------------------------------------------

    def go_live(self) -> None:
        self.follow = True
        self.cursor = self.selected = None
        self._turn_page()
        self.refresh()
        self.post_message(self.Selected(None))

    def pause(self) -> None:
        """Stand still at what is shown."""
        if self.follow:
            self.follow = False
            self.waiting_at = self.feed.newest
            self._settled = True
            self.refresh()

    def move(self, lines: int) -> None:
        """Move the cursor; from live it begins at the newest row."""
        if not self._page:
            return
        if self.cursor is None:
            self._select(self._page[-1 if lines < 0 or self.follow else 0])
            return
        if lines < 0:
            found = self._selection.before(self.cursor, -lines)
            self._select(found[0] if found else self.cursor)
        else:
            found = self._selection.at_or_after(self.cursor + 1, lines)
            self._select(found[-1] if found else self.cursor)

    def to_top(self) -> None:
        found = self._selection.at_or_after(1, 1)
        if found:
            self._select(found[0])

    def to_number(self, number: int) -> bool:
        """Select a row by its number, or the nearest one that is shown."""
        nearest = self._selection.nearest(number)
        if nearest is None:
            return False
        self._select(nearest)
        return nearest == number

    def scroll_lines(self, lines: int) -> None:
        """Move the page; the cursor stays with its row."""
        self.pause()
        if not self._page:
            return
        if lines < 0:
            found = self._selection.before(self._page[0], -lines)
            self._show_from(found[0] if found else self._page[0])
        else:
            found = self._selection.at_or_after(self._page[0], lines + self.rows_shown)
            if len(found) > self.rows_shown or len(found) > len(self._page):
                self._show_from(found[min(lines, len(found) - self.rows_shown)])
        self.refresh()

    def next_field(self, step: int) -> None:
        """Choose the column that `+` and `-` take their value from."""
        self.field = (self.field + step) % len(fields(self.body_width))
        self.refresh()

    @property
    def field_name(self) -> str:
        known = fields(self.body_width)
        return known[self.field % len(known)].name

    def mark(self) -> None:
        """Mark the selected row, or take its mark away."""
        if self.selected is not None and self.cursor is not None:
            self.feed.mark(self.cursor, not self.selected.marked)
            self.refresh()

    # Inside ------------------------------------------------------------------------------

    def _matcher(self) -> Callable[[Row], bool] | None:
        matches = self.filter.matches if self.filter is not None and self.filter.text else None
        marked = self.only_marked
        if matches is None and self.with_noise and not marked:
            return None
        noise = "" if self.with_noise else _NEVER_SHOWN

        def shown(row: Row) -> bool:
            if row.kind == noise or (marked and not row.marked):
                return False
            return matches is None or bool(matches(row))

        return shown

    def _select(self, number: int) -> None:
        self.pause()
        row = self.feed.row(number)
        if row is None:
            return
        self.cursor, self.selected = number, row
        if number not in self._page:
            if self._page and number > self._page[-1]:
                above = self._selection.before(number + 1, self.rows_shown)
                self._page = above
            else:
                self._show_from(number)
        self._line = self._page.index(number) if number in self._page else 0
        self.refresh()
        self.post_message(self.Selected(row))

    def _show_from(self, number: int) -> None:
        self._page = self._selection.at_or_after(number, self.rows_shown)

    def _turn_page(self) -> None:
        """The page for the place where the person is: the end, or around the selected row."""
        height = self.rows_shown
        if self.follow:
            self._page = self._selection.last(height)
            return
        anchor = self.cursor if self.cursor is not None else (self._page or [1])[-1]
        above = self._selection.before(anchor, min(self._line, height - 1))
        below = self._selection.at_or_after(anchor, height - len(above))
        if len(above) + len(below) < height and not self._line:
            above = self._selection.before(anchor, height - len(below))
        self._page = above + below

    def on_resize(self, event: events.Resize) -> None:
        if not self.follow and self.cursor is not None and self.rows_shown:
            self._line = min(self._line, self.rows_shown - 1)
        self._turn_page()
        if not self.follow and self.cursor is not None and self.cursor not in self._page:
            self._show_from(self.cursor)
        self.refresh()

    def restyled(self) -> None:
        self._strips.clear()
        super().restyled()

    # Drawing -----------------------------------------------------------------------------

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        if y == 0:
            return self._heading(width)
        y -= 1
        if y >= len(self._page):
            pieces = self._nothing(y - 1) if not self._page else []
            return strip(cut(pieces, width), width, palette.plain)
        number = self._page[y]
        chosen = number == self.cursor
        row = self.feed.row(number)
        if row is None:
            if chosen and self.selected is not None:
                row = self.selected
            else:
                text = f"  {number:>{columns(width).number}}  has left the ring"
                return strip([(fit(text, width), palette.faintest)], width, palette.plain)
        key = (number, width, chosen, row.held, row.fault, row.marked, self.field if chosen else 0)
        found = self._strips.get(key)
        if found is None:
            found = self._strips[key] = self._row_strip(row, width, chosen)
            if len(self._strips) > _KEPT_STRIPS:
                self._strips.popitem(last=False)
        return found

    def _row_strip(self, row: Row, width: int, chosen: bool) -> Strip:
        pieces = row_pieces(row, width, self.palette, self.glyphs, chosen=chosen)
        drawn = strip(pieces, width, self.palette.plain)
        if not chosen:
            return drawn
        cursor = self.palette.cursor
        lit = Strip([Segment(text, (style + cursor) if style else cursor)
                     for text, style, _ in drawn], width)  # fmt: skip
        known = fields(width)
        place = known[self.field % len(known)]
        before, cell, after = (
            lit.crop(0, place.start), lit.crop(place.start, place.end), lit.crop(place.end, width),
        )  # fmt: skip
        under = [Segment(text, (style or cursor) + self.palette.underlined)
                 for text, style, _ in cell]  # fmt: skip
        return Strip([*before, *under, *after], width)

    def _heading(self, width: int) -> Strip:
        return strip([(heading(width), self.palette.faintest)], width, self.palette.plain)

    def _nothing(self, y: int) -> list[Piece]:
        """What an empty flow says; the first time, where clients find the brokers."""
        palette = self.palette
        if self.filter is not None and self.filter.text:
            done = self._selection.progress >= 1
            text = "  no row matches the filter" if done else "  looking …"
            return [(text, palette.muted)] if y == 0 else []
        lines: list[list[Piece]] = [
            [("  Waiting for traffic. Point a client at", palette.muted)],
            [],
        ]
        for protocol, address in self.console_app.addresses.items():
            name = (f"    {protocol:<6} ", palette.protocol(protocol))
            lines.append([name, (address, palette.strong)])
        lines += [[], [("  or publish from here:  ", palette.muted),
                       (": pub mqtt:hello/world 21.5", palette.accented)]]  # fmt: skip
        return lines[y] if 0 <= y < len(lines) else []

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        self._edges_shown = self._edges()
        palette, glyphs = self.palette, self.glyphs
        right: list[Piece] = []
        if self.follow:
            right.append((f"live {glyphs.live}", palette.ok))
        else:
            right.append(("paused", palette.warning))
            if self.waiting:
                right.append((f"  {glyphs.newer} {spaced(self.waiting)} new", palette.key))
            gone = self.overwritten
            if gone:
                right.append((f"  {spaced(gone)} of these left the ring", palette.error))
        progress = self._selection.progress
        if progress < 1:
            right.append((f"  looking {progress:.0%}", palette.muted))
        one_of = self.feed.one_of
        if one_of > 1:
            right.append((f"  shown 1 of {one_of}", palette.warning))
        right.append(
            (f"  {spaced(self._selection.count)}/{spaced(self.feed.newest)}", palette.muted)
        )
        left = [(self.label, self.title_style)]
        if not self.framed and self.filter is not None and self.filter.text:
            left.append((f"  / {clean(self.filter.text, 60)}", palette.accented))
        return left, right

    def foot_pieces(self) -> list[Piece]:
        palette = self.palette
        pieces: list[Piece] = []
        if self.filter is not None and self.filter.text:
            pieces += [("/ ", palette.key), (clean(self.filter.text, 200), palette.accented)]
        if self.only_marked:
            pieces.append(("  only marked", palette.warning))
        if self.with_noise:
            pieces.append(("  with noise", palette.muted))
        return pieces

    def _edges(self) -> object:
        return (self.follow, self.waiting, self.overwritten, self.feed.one_of,
                self._selection.count, self.feed.newest)  # fmt: skip

    def scroll_range(self) -> tuple[float, float] | None:
        total = self._selection.count
        if total <= self.rows_shown or not self._page:
            return None
        below = self._selection.after(self._page[-1])
        above = total - below - len(self._page)
        return max(0.0, above / total), 1 - below / total

    def scrolled_to(self, share: float) -> None:
        total = self._selection.count
        wanted = int(share * max(0, total - self.rows_shown))
        self.pause()
        numbers = self._selection.before(self.feed.newest + 1, total - wanted)
        if numbers:
            self._show_from(numbers[0])
            self.refresh()

    # Mouse -------------------------------------------------------------------------------

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.scroll_lines(-3)
        event.stop()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.scroll_lines(3)
        event.stop()

    def on_click(self, event: events.Click) -> None:
        line = self.body_y(event.y) - 1
        if 0 <= line < len(self._page) and event.x < self.outer_size.width - 1:
            number = self._page[line]
            if number == self.cursor:
                self.post_message(self.Opened())
            else:
                self._line = line
                self._select(number)


def spaced(number: int) -> str:
    """`16 384`."""
    return f"{number:,}".replace(",", " ")
