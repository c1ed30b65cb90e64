"""A table that changes twice a second, drawn line by line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from ...text import clean, fit
from ..drawing import Piece, strip
from ..palette import Glyphs, Palette
from ..rows import fit_middle
from ..searching import is_in
from .pane import Jump, Pane

R = TypeVar("R")


_READABLE = 32
"""Cells that a column which takes what is left has at least, while others can give some."""


@dataclass(frozen=True)
class Column(Generic[R]):
    """`read` gives a cell's clean text and style; `cells` 0 takes what is left.

    A column shows from `least` cells of the whole table on, and `when` the records have something
    for it; `keep_end` cuts in the middle. One with a `floor` shrinks to that where those that take
    what is left would not be readable.
    """

    title: str
    cells: int
    read: Callable[[R, Palette, Glyphs], tuple[str, Style]]
    right: bool = False
    least: int = 0
    keep_end: bool = False
    when: Callable[[Sequence[R]], bool] | None = None
    floor: int = 0


class LiveTable(Pane, Generic[R]):
    """Records by an identity: the cursor stays with its record while others come and go."""

    columns: ClassVar[Sequence[Column[Any]]] = ()
    nothing: str = "none"

    class Chosen(Message):
        """The cursor is on another record, or on the same one with new figures."""

    class Opened(Message):
        """A click on the chosen record."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[R] = []
        self.sought = ""
        """Only records that have this text are shown."""
        self._given: Sequence[R] = ()
        self.pinned: Sequence[Any] = ()
        """Records above the others, with the same columns; they stay, and are not chosen."""
        self._shown = self._columns_of(())
        self._chosen: object = None
        self._was_at = 0
        """Where the chosen record stood when it was seen last."""
        self._top = 0
        self._drawn: object = None

    def identity(self, record: R) -> object:
        """What a record is known by from one snapshot to the next."""
        raise NotImplementedError

    def sort_key(self, record: R) -> Any:
        """The order of records; it should not change with every count, or lines would jump."""
        return self.identity(record)

    def spans(self, record: R) -> bool:
        """Whether the first column without a width takes the rest of this record's line."""
        return False

    def words(self, record: R) -> str:
        """What a record is found by; empty where the pane is not searched."""
        return ""

    def seek(self, text: str) -> None:
        """Show only records with a text, in any case where it has no capital."""
        self.sought = text
        self.show_again()
        self.refresh()

    def show_again(self) -> None:
        """The last snapshot, for another `sought`."""
        self.show(self._given)

    def show(self, records: Sequence[R]) -> None:
        """Take a new snapshot; repaints only if it differs."""
        self._given = records
        if self.sought:
            records = [each for each in records if is_in(self.sought, self.words(each))]
        # Views are new objects twice a second; most are equal to those before, and cost no paint.
        ordered = sorted(records, key=self.sort_key)
        if ordered != self.records or self._drawn != len(ordered):
            self.records = ordered
            self._shown = self._columns_of(ordered)
            self._drawn = len(ordered)
            self._keep_in_view()
            self.refresh()
            if self._chosen is not None:
                self.post_message(self.Chosen())

    @property
    def chosen(self) -> R | None:
        at = self._position()
        return self.records[at] if at is not None else None

    def move(self, lines: int) -> None:
        if not self.records:
            return
        at = self._position()
        if at is not None:
            self._go_to(at + lines)
        elif self._chosen is not None:
            # What was chosen has gone: what took its place is the next, what was above it the one
            # before.
            self._go_to(self._was_at + (lines - 1 if lines > 0 else lines))
        else:
            self._go_to(0 if lines > 0 else len(self.records) - 1)

    def leave(self) -> None:
        """The chosen record goes: choose the one behind it, or the one before where it is last."""
        at = self._position()
        if at is not None and len(self.records) > 1:
            self._go_to(at + 1 if at + 1 < len(self.records) else at - 1)

    def _go_to(self, at: int) -> None:
        if self.records:
            self._choose(self.records[min(len(self.records) - 1, max(0, at))])
            self._keep_in_view()

    def _choose(self, record: R) -> None:
        self._chosen = self.identity(record)
        self.refresh()
        self.post_message(self.Chosen())

    def to_top(self) -> None:
        self._go_to(0)

    def to_end(self) -> None:
        self._go_to(len(self.records) - 1)

    def page_lines(self) -> int:
        return max(1, self.body_height - 1 - len(self.pinned))

    def _position(self) -> int | None:
        if self._chosen is None:
            return None
        for at, record in enumerate(self.records):
            if self.identity(record) == self._chosen:
                self._was_at = at
                return at
        return None

    def _keep_in_view(self) -> None:
        height = self.page_lines()
        at = self._position()
        if at is not None:
            self._top = min(max(self._top, at - height + 1), at)
        self._top = max(0, min(self._top, len(self.records) - height))

    def on_resize(self, event: events.Resize) -> None:
        self._keep_in_view()
        self.refresh()

    def jumps(self) -> list[Jump]:
        first = 1 + len(self.pinned)
        shown = self.records[self._top : self._top + self.page_lines()]
        return [Jump(0, first + at, partial(self._choose, one)) for at, one in enumerate(shown)]

    # Drawing -----------------------------------------------------------------------------

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        if self.sought:
            # The pane's number is enough beside it, where a pane is narrow.
            left = [(f"{self.label.split(' ')[0]} ", self.title_style)]
            left.append((f"/ {clean(self.sought, 40)}", self.palette.accented))
            return left, [(f"{len(self.records)}/{len(self._given)}", self.palette.muted)]
        count = str(len(self.records)) if self.records else ""
        return [(self.label, self.title_style)], [(count, self.palette.muted)] if count else []

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        plan = self._plan(width)
        if y == 0:
            titles = [
                (self._cell(column.title, size, column.right), palette.faintest)
                for column, size in plan
            ]
            return strip([(" ", palette.plain), *titles], width, palette.plain)
        if y <= len(self.pinned):
            return strip(self._pieces(self.pinned[y - 1], plan, width), width, palette.plain)
        y -= len(self.pinned)
        at = self._top + y - 1
        if at >= len(self.records):
            if not self.records and y == 1:
                said = f"nothing with {clean(self.sought, 40)}" if self.sought else self.nothing
                return strip([(f" {said}", palette.faintest)], width, palette.plain)
            return Strip.blank(width, palette.plain)
        record = self.records[at]
        drawn = strip(self._pieces(record, plan, width), width, palette.plain)
        if self._chosen is None or self.identity(record) != self._chosen:
            return drawn
        return Strip(
            [Segment(text, (style or palette.plain) + palette.cursor) for text, style, _ in drawn],
            width,
        )

    def _pieces(self, record: Any, plan: list[tuple[Column[Any], int]], width: int) -> list[Piece]:
        pieces: list[Piece] = [(" ", self.palette.plain)]
        for column, size in self._spanned(plan, width) if self.spans(record) else plan:
            text, style = column.read(record, self.palette, self.glyphs)
            if column.keep_end:
                text = fit_middle(text, size, self.glyphs)
            pieces.append((self._cell(text, size, column.right), style))
        return pieces

    def _columns_of(self, records: Sequence[R]) -> list[Column[Any]]:
        return [each for each in self.columns if each.when is None or each.when(records)]

    def _plan(self, width: int) -> list[tuple[Column[Any], int]]:
        shown = [column for column in self._shown if width >= column.least]
        fixed = sum(column.cells + 1 for column in shown if column.cells)
        free = [column for column in shown if not column.cells]
        room = width - 1 - fixed - len(free)
        sizes = {id(column): column.cells for column in shown}
        for column in shown:
            if column.floor and (lacking := _READABLE * len(free) - room) > 0:
                given = min(lacking, column.cells - column.floor)
                sizes[id(column)] -= given
                room += given
        each = max(0, room) // len(free) if free else 0
        return [(column, sizes[id(column)] or each) for column in shown]

    @staticmethod
    def _spanned(
        plan: Sequence[tuple[Column[Any], int]], width: int
    ) -> list[tuple[Column[Any], int]]:
        """The columns up to the one without a width, which gets what is left of the line."""
        before = next(at for at, (column, _) in enumerate(plan) if not column.cells)
        used = 1 + sum(size + 1 for _, size in plan[:before])
        return [*plan[:before], (plan[before][0], max(0, width - used))]

    @staticmethod
    def _cell(text: str, size: int, right: bool) -> str:
        fitted = fit(text, size)
        if right:
            fitted = fitted.rstrip()
            fitted = " " * (size - len(fitted)) + fitted
        return fitted + " "

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = len(self.records), self.page_lines()
        if total <= height:
            return None
        return self._top / total, (self._top + height) / total

    def scrolled_to(self, share: float) -> None:
        self._show_from_line(int(share * len(self.records)))

    def _show_from_line(self, top: int) -> None:
        height = self.page_lines()
        self._top = max(0, min(top, len(self.records) - height))
        self.refresh()

    # Mouse -------------------------------------------------------------------------------

    def scroll_lines(self, lines: int) -> None:
        self._show_from_line(self._top + lines)

    def on_click(self, event: events.Click) -> None:
        line = self.body_y(event.y) - 1 - len(self.pinned)
        at = self._top + line
        if line >= 0 and at < len(self.records):
            identity = self.identity(self.records[at])
            if identity == self._chosen:
                self.post_message(self.Opened())
            self._choose(self.records[at])
