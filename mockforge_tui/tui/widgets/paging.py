"""Which rows of the flow are on its page: the newest while live, the same ones while paused."""

import asyncio
from collections.abc import Callable

from mockforge_brokers.journal import Row
from textual import events
from textual.message import Message

from ...feed import Feed, Selection
from ...filters import Filter
from ..rows import Need, fields
from .pane import Pane

_SLICE = 0.002
_APART = 0.004
"""Seconds for everybody else between two slices of a search."""
_PATIENCE = 4
_NEVER_SHOWN = "noise"


class PagedFlow(Pane):
    """Live (the newest row is the last line) or paused (the same rows stay where they are).

    To select or to scroll leaves live; only `go_live` goes back. What came meanwhile is counted,
    and a row that has left the ring leaves a mark in its place.
    """

    class Selected(Message, namespace="flow_pane"):
        """Another row is selected; None when the pane went live."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    class Opened(Message, namespace="flow_pane"):
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
        self.need = Need()
        self.waiting_at = 0
        self._selection: Selection = feed.select(self._matcher())
        self._page: list[int] = []
        self._line = 0
        self._edges_shown: object = None
        self._settled = True
        self._found = 0
        """How many had matched when the page was turned last."""
        self._search: asyncio.TimerHandle | None = None
        self._complete = True
        """Whether all was looked at when the page was turned last: then nothing matches if it is
        empty."""
        self._measured = range(0)

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
        self.need, self._measured = Need(), range(0)
        if with_noise is not None:
            self.with_noise = with_noise
        if only_marked is not None:
            self.only_marked = only_marked
        self._selection = self.feed.select(self._matcher())
        self._selection.tick(_SLICE)
        self._found = self._selection.found
        self._settled = False
        self._complete = self._all_looked_at()
        self._search_later()
        self._turn_page()
        self.refresh()

    def tick(self) -> None:
        """Take in what the feed has got since; asks for a repaint only where lines change."""
        self._selection.tick(_SLICE)
        changed = self._selection.found != self._found
        self._found = self._selection.found
        if self.follow:
            if changed or (not self._page and self._complete != self._all_looked_at()):
                self._turn_page()
                self.refresh()
            else:
                self._refresh_counts()
            self._complete = self._all_looked_at()
            return
        if not self._settled:
            self._settled = self._all_looked_at()
            self._turn_page()
            self.refresh()
        elif changed and len(self._page) < self.rows_shown:
            self._page += self._selection.at_or_after(
                (self._page[-1] + 1) if self._page else 1, self.rows_shown - len(self._page)
            )
            self.refresh()
        self._refresh_counts()

    def _search_later(self, late: float = 0.0) -> None:
        """Go on through old rows between frames too: half a million take minutes else.

        A loop that is late has others to serve, and is left alone for longer.
        """
        if self._search is not None:
            self._search.cancel()
            self._search = None
        if self.is_running and not self._all_looked_at():
            loop = asyncio.get_running_loop()
            due = loop.time() + _APART + _PATIENCE * late
            self._search = loop.call_at(due, self._search_on, due)

    def _search_on(self, due: float) -> None:
        late = max(0.0, asyncio.get_running_loop().time() - due)
        self._selection.tick(_SLICE)
        self._search_later(late)

    def _all_looked_at(self) -> bool:
        return self._selection.progress >= 1

    def _refresh_counts(self) -> None:
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

    def select_row(self, number: int) -> None:
        """Select a row that matches, also one that the selection has not come to yet."""
        self._select(number)

    def shows(self, row: Row) -> bool:
        """Whether the filter lets a row through."""
        matcher = self._matcher()
        return matcher is None or matcher(row)

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
        self.field = (self.field + step) % len(fields(self.body_width, self.need))
        self.refresh()

    @property
    def field_name(self) -> str:
        known = fields(self.body_width, self.need)
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
        if len(above) + len(below) < height:
            above = self._selection.before(anchor, height - len(below))
        self._page = above + below

    def on_resize(self, event: events.Resize) -> None:
        if not self.follow and self.cursor is not None and self.rows_shown:
            self._line = min(self._line, self.rows_shown - 1)
        self._turn_page()
        self.refresh()

    def _edges(self) -> object:
        return (self.follow, self.waiting, self.overwritten, self.feed.one_of,
                self._selection.count, self.feed.newest,
                round(self._selection.progress, 2))  # fmt: skip
