"""The flow of messages, drawn: a line for each row of its page."""

from collections import OrderedDict
from functools import partial
from typing import ClassVar

from mockforge_brokers.journal import Row
from rich.segment import Segment
from textual import events
from textual.strip import Strip

from ...feed import Feed
from ...text import clean, fit
from ..drawing import Piece, cut, strip
from ..rows import columns, fields, heading, need, row_pieces
from .paging import PagedFlow
from .pane import Jump

_KEPT_STRIPS = 512


class FlowPane(PagedFlow):
    """Rows in columns, the selected one lit, strips of rows kept while they do not change."""

    label: ClassVar[str] = "1 Flow"

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self._strips: OrderedDict[tuple[object, ...], Strip] = OrderedDict()

    def restyled(self) -> None:
        self._strips.clear()
        super().restyled()

    def jumps(self) -> list[Jump]:
        return [
            Jump(0, at + 1, partial(self.select_row, number))
            for at, number in enumerate(self._page)
        ]

    # Drawing -----------------------------------------------------------------------------

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        if y == 0:
            self._measure()
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
                text = f"  {number:>{columns(width, self.need).number}}  has left the ring"
                return strip([(fit(text, width), palette.faintest)], width, palette.plain)
        key = (
            number,
            width,
            self.need,
            chosen,
            row.held,
            row.fault,
            row.marked,
            self.field if chosen else 0,
        )
        # A row never changes but for these marks: scrolled by one line, a page is one new strip.
        found = self._strips.get(key)
        if found is None:
            found = self._strips[key] = self._row_strip(row, width, chosen)
            if len(self._strips) > _KEPT_STRIPS:
                self._strips.popitem(last=False)
        return found

    def _row_strip(self, row: Row, width: int, chosen: bool) -> Strip:
        pieces = row_pieces(row, width, self.palette, self.glyphs, chosen=chosen, wanted=self.need)
        drawn = strip(pieces, width, self.palette.plain)
        if not chosen:
            return drawn
        cursor = self.palette.cursor
        # The whole line is lit, and on it the field that + and - are about is underlined.
        lit = Strip([Segment(text, (style + cursor) if style else cursor)
                     for text, style, _ in drawn], width)  # fmt: skip
        known = fields(width, self.need)
        place = known[self.field % len(known)]
        before, cell, after = (
            lit.crop(0, place.start), lit.crop(place.start, place.end), lit.crop(place.end, width),
        )  # fmt: skip
        under = [Segment(text, (style or cursor) + self.palette.underlined)
                 for text, style, _ in cell]  # fmt: skip
        return Strip([*before, *under, *after], width)

    def _measure(self) -> None:
        """Widen columns for rows that are new on the page; only another filter narrows them."""
        for number in self._page:
            if number in self._measured:
                continue
            row = self.feed.row(number)
            if row is not None:
                self.need = self.need.grown(need(row, self.glyphs))
        if self._page:
            self._measured = range(self._page[0], self._page[-1] + 1)

    def _heading(self, width: int) -> Strip:
        return strip(
            [(heading(width, self.need), self.palette.faintest)], width, self.palette.plain
        )

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
        for listener, address in self.console_app.addresses:
            name = (f"    {listener.service:<9} ", palette.protocol(listener.protocol))
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
