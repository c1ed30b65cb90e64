"""A framed part of the screen that draws itself line by line."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ..drawing import Piece, cells, cut, strip
from ..keys import FLOW
from ..palette import Glyphs, Palette

if TYPE_CHECKING:
    from ..app import ConsoleApp


class Drawn(Widget):
    """A widget of whole lines in the app's palette and glyphs.

    It has no border or padding of Textual's, so its `outer_size` is its size; `size` itself is
    worked out anew, from the whole layout, each time that it is asked for.
    """

    @property
    def console_app(self) -> "ConsoleApp":
        return cast("ConsoleApp", self.app)

    @property
    def palette(self) -> Palette:
        return self.console_app.palette

    @property
    def glyphs(self) -> Glyphs:
        return self.console_app.glyphs

    def drawn(self, pieces: Sequence[Piece]) -> Strip:
        return strip(pieces, self.outer_size.width, self.palette.plain)

    def restyled(self) -> None:
        """The palette or the glyphs changed."""
        self.refresh()


_WHEEL = 3
"""Lines that one notch of the mouse's wheel is."""


class Jump(NamedTuple):
    """A place in a pane's body, and what goes there."""

    x: int
    y: int
    go: Callable[[], object]


class Pane(Drawn, can_focus=True):
    """A frame with a title, a body of lines, and a scrollbar on its right edge.

    Where cells are few (`framed` False) only a rule above the body is drawn. A subclass gives
    `body_line`, `title_pieces`, `foot_pieces` and what to scroll.
    """

    framed: reactive[bool] = reactive(True, init=False)
    label: ClassVar[str] = ""
    place: ClassVar[str] = FLOW
    """Which keys of `keys.py` are its own."""
    _thumb: range | None = None
    _letters: Mapping[int, Sequence[tuple[int, str]]] = MappingProxyType({})
    """Letters to jump by, over what stands there: for each line their columns."""

    # What a subclass has ---------------------------------------------------------------

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        """Left and right parts of the upper edge."""
        return [(self.label, self.title_style)], []

    def foot_pieces(self) -> list[Piece]:
        """What stands in the lower edge."""
        return []

    def body_line(self, y: int, width: int) -> Strip:
        """One line of the body, exactly `width` cells."""
        return Strip.blank(width, self.palette.plain)

    def scroll_range(self) -> tuple[float, float] | None:
        """The shown part of all there is as shares of 1, or None if all is shown."""
        return None

    def scrolled_to(self, share: float) -> None:
        """The scrollbar was dragged to a share of the whole."""

    def scroll_lines(self, lines: int) -> None:
        """The wheel was turned: show what is so many lines further down, or up if negative."""

    def jumps(self) -> list[Jump]:
        """What can be gone to in the body."""
        return []

    def show_labels(self, labels: Mapping[int, Sequence[tuple[int, str]]]) -> None:
        """Put letters over lines of the widget; none take them away."""
        if labels or self._letters:
            self._letters = labels
            self.refresh()

    # Sizes -------------------------------------------------------------------------------

    @property
    def body_width(self) -> int:
        return max(0, self.outer_size.width - (2 if self.framed else 0))

    @property
    def body_height(self) -> int:
        return max(0, self.outer_size.height - (2 if self.framed else 1))

    @property
    def title_style(self) -> Style:
        return self.palette.title_focused if self.has_focus else self.palette.title

    @property
    def edge_style(self) -> Style:
        return self.palette.border_focused if self.has_focus else self.palette.border

    def refresh_edges(self) -> None:
        """Draw the title and the foot again, and nothing else."""
        width, height = self.outer_size
        if width and height:
            self.refresh(Region(0, 0, width, 1))
            if self.framed:
                self.refresh(Region(0, height - 1, width, 1))

    # Drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        line = self._bare_line(y)
        for x, label in self._letters.get(y, ()):
            width = self.outer_size.width
            end = min(width, x + len(label))
            shown = Segment(label, self.palette.roles["found"])
            line = Strip([*line.crop(0, x), shown, *line.crop(end, width)], width)
        return line

    def _bare_line(self, y: int) -> Strip:
        width, height = self.outer_size
        if not self.framed:
            return self._upper(width) if y == 0 else self.body_line(y - 1, width)
        if y == 0:
            return self._upper(width)
        if y == height - 1:
            return self._lower(width)
        return self._with_sides(y - 1, width)

    def _with_sides(self, y: int, width: int) -> Strip:
        side = self.glyphs.box[3]
        edge = self.edge_style
        inner = self.body_line(y, width - 2)
        right = Segment(side, edge)
        if y in self._thumb_lines():
            right = Segment(self.glyphs.thumb, self.palette.muted)
        segments = [Segment(side, edge), *inner, right]
        return Strip(segments, width)

    def _thumb_lines(self) -> range:
        """The lines that the scrollbar's thumb covers, worked out once for each painting."""
        if self._thumb is None:
            shown, height = self.scroll_range(), self.body_height
            self._thumb = range(0)
            if shown is not None:
                start = min(height - 1, int(shown[0] * height))
                self._thumb = range(start, max(start + 1, round(shown[1] * height)))
        return self._thumb

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        # Whatever is painted anew may have scrolled.
        self._thumb = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _upper(self, width: int) -> Strip:
        box = self.glyphs.box
        return self._edge(*self.title_pieces(), box[0], box[1], box[2], width)

    def _lower(self, width: int) -> Strip:
        return self._edge(self.foot_pieces(), [], *self._lower_box(), width)

    def _lower_box(self) -> tuple[str, str, str]:
        box = self.glyphs.box
        return box[4], box[1], box[5]

    def _edge(
        self,
        left: list[Piece],
        right: list[Piece],
        corner: str,
        across: str,
        other: str,
        width: int,
    ) -> Strip:
        edge = self.edge_style
        begin = corner if self.framed else across
        end = other if self.framed else across
        room = width - 4
        if left:
            left = [(" ", edge), *cut(left, max(0, room - 2)), (" ", edge)]
        right = list(right)
        while right and cells(left) + cells(right) + 3 > room:
            right.pop()
        if right:
            right = [(" ", edge), *right, (" ", edge)]
        middle = max(0, width - 4 - cells(left) - cells(right))
        pieces = [(begin + across, edge), *left, (across * middle, edge), *right]
        return strip([*pieces, (across + end, edge)], width, edge)

    # Focus and mouse ---------------------------------------------------------------------

    def on_focus(self, event: events.Focus) -> None:
        self.refresh()

    def on_blur(self, event: events.Blur) -> None:
        self.refresh()

    def body_y(self, y: int) -> int:
        """The body's line at a line of the widget."""
        return y - 1

    def on_mouse_down(self, event: events.MouseDown) -> None:
        on_bar = self.framed and event.x == self.outer_size.width - 1
        if on_bar and not self._letters and self.scroll_range() is not None:
            self.capture_mouse()
            self._drag_to(event.y)
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is self:
            self._drag_to(event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self.app.mouse_captured is self:
            self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._turn_wheel(-_WHEEL)
        event.stop()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._turn_wheel(_WHEEL)
        event.stop()

    def _turn_wheel(self, lines: int) -> None:
        # A letter stands beside the line that it goes to.
        if not self._letters:
            self.scroll_lines(lines)

    def _drag_to(self, y: int) -> None:
        self.scrolled_to(min(1.0, max(0.0, (y - 1) / max(1, self.body_height - 1))))
