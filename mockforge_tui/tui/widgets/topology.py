"""The topology: who sends to whom, drawn live, with something that moves where messages do."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import ClassVar, Final

from mockforge_brokers.fairness import Stepped
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from ...console.topology.building import Views, build
from ...console.topology.drawing import LETTERS, LINES, Line, Part, draw
from ...console.topology.flows import RECENT, WINDOW, Flows
from ...console.topology.graph import Edge, End, Graph, Hub, Inner
from ...feed import Feed
from ...text import clean, width
from ..drawing import Piece, strip
from ..keys import TOPOLOGY
from ..palette import UNICODE
from ..points import line_of
from ..searching import is_in
from ..subjects import Subject
from .pane import Jump, Pane

_AT_HAND: Final = 4_096
"""Rows of the flow that are met at once: so many are not packed."""
_STEPS: Final = 4
"""Pictures of a second in which something moves."""
_FAST: Final = ((100.0, 3), (10.0, 2), (0.0, 1))
"""Cells of a step, by messages a second."""
_MIDDLE: Final = 1


@dataclass(frozen=True, slots=True)
class _Spot:
    """Something that can be chosen: where it stands, and what it is known by."""

    begin: int
    end: int
    side: int
    """Senders, places, consumers: 0 to 2; in a list all are one column."""
    what: Hub | Inner | End
    identity: Hashable


class TopologyPane(Pane):
    """Made anew with each snapshot, unless frozen; `sought` leaves what has to do with a name."""

    label: ClassVar[str] = "Topology"
    place: ClassVar[str] = TOPOLOGY

    class Chosen(Message):
        """Something else is chosen."""

    class Opened(Message):
        """A click on what is chosen."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.frozen = False
        self.quiet = False
        """With places that nobody has to do with."""
        self.sought = ""
        self.graph = Graph()
        self._flows = Flows(0.0)
        self._seen = 0
        self._lines: list[Line] = []
        self._spots: list[list[_Spot]] = []
        self._protocols: list[str] = []
        """Whose box a line is in."""
        self._chosen: Hashable = None
        self._top = 0
        self._step = 0
        self._making: Stepped[None] | None = None
        """The next graph, as long as it is not whole."""

    # What is shown -----------------------------------------------------------------------

    def open(self) -> None:
        """Begin with what the flow has of the last minute."""
        self.frozen = False
        since = self.console_app.session.runtime.clock.wall() - WINDOW
        first = max(self.feed.oldest - 1, self.feed.newest - _AT_HAND, 0)
        oldest = self.feed.row(first + 1)
        whole = first < self.feed.oldest or oldest is None or oldest.time <= since
        self._flows = Flows(since if whole or oldest is None else oldest.time)
        # A sample of these may stand for more or less than one of now.
        self._meet(first, 1)
        self._look_anew()

    def tick(self) -> None:
        """Take in what the flow got since; move what moves."""
        self._meet(max(self._seen, self.feed.newest - _AT_HAND), self.feed.one_of)
        step = int(self.console_app.now() * _STEPS)
        if step != self._step and self.app.animation_level != "none":
            self._step = step
            self._move()

    def _meet(self, first: int, weight: int) -> None:
        for row in self.feed.since(first):
            self._flows.meet(row, weight)
        self._seen = self.feed.newest

    def look(self) -> None:
        """Make the graph of this moment, unless one is being made."""
        if not self.frozen and self._making is None:
            self._look_anew()

    def _look_anew(self) -> None:
        self._leave_it()
        if not self.frozen:
            self._making = making = self._steps()
            self.console_app.session.runtime.chores.do(making)

    def _leave_it(self) -> None:
        """A graph that is half made is not wanted any more."""
        making, self._making = self._making, None
        if making is not None:
            making.close()

    def _steps(self) -> Stepped[None]:
        try:
            self.graph = yield from self._made()
        finally:
            self._making = None
        # It is drawn in a turn of its own.
        yield
        if self.is_attached:
            self._draw_anew()

    def _made(self) -> Stepped[Graph]:
        session = self.console_app.session
        runtime, snapshot = session.runtime, self.console_app.snapshot
        now = runtime.clock.wall()
        self._flows.forget(now)
        connections = session.connections()
        yield
        views = Views(
            connections,
            [each.view for each in snapshot.destinations],
            snapshot.groups,
            list(chain.from_iterable(each.rows[:1] for each in runtime.holds.held.values())),
        )
        return (yield from build(views, self._flows, now, quiet=self.quiet))

    def _draw_anew(self) -> None:
        graph, room = self.graph, self.body_width
        if self.sought:
            graph = graph.only(lambda name: is_in(self.sought, clean(name)))
        signs = LINES if self.glyphs is UNICODE else LETTERS
        lines = draw(graph, room, signs, airy=True)
        if len(lines) > self.body_height:
            lines = draw(graph, room, signs)
        self._lines = lines
        self._protocols, self._spots = _read(lines)
        self._keep_in_view()
        self.refresh()

    def _move(self) -> None:
        """Only lines on which something moves are drawn again."""
        shown = self._lines[self._top : self._top + self.body_height]
        for y, line in enumerate(shown):
            if any(part.edge is not None for part in line):
                self.refresh(Region(0, y + 1, self.outer_size.width, 1))

    def seek(self, text: str) -> None:
        """Show only what has to do with a name, in any case where it has no capital."""
        self.sought = text
        self._top = 0
        self._draw_anew()

    def only_chosen(self) -> None:
        """Show only what has to do with what is chosen; all again where it is so."""
        found = self._found()
        if self.sought or found is None:
            self.seek("")
        else:
            what = found[1].what
            self.seek(clean(what.name if isinstance(what, End) else what.place.name))

    def toggle_frozen(self) -> None:
        self.frozen = not self.frozen
        self._look_anew()
        self.refresh()

    def toggle_noise(self) -> None:
        self.quiet = not self.quiet
        self._look_anew()

    # What is chosen ------------------------------------------------------------------------

    @property
    def chosen(self) -> Subject | None:
        found = self._found()
        return line_of(self.console_app.snapshot, found[1].what) if found is not None else None

    def _found(self) -> tuple[int, _Spot] | None:
        if self._chosen is None:
            return None
        for at, spots in enumerate(self._spots):
            for spot in spots:
                if spot.identity == self._chosen:
                    return at, spot
        return None

    def move(self, lines: int) -> None:
        found = self._found()
        if found is None:
            self.begin()
            return
        at, chosen = found
        step = 1 if lines > 0 else -1
        last, spot = at, chosen
        for _ in range(abs(lines)):
            last, spot = self._next(last, chosen.side, step) or (last, spot)
        self._choose(spot)

    def begin(self) -> None:
        """Choose the first place, or else the first thing there is, where nothing is chosen."""
        if self._found() is not None:
            return
        every = list(chain.from_iterable(self._spots))
        first = next((spot for spot in every if spot.side == _MIDDLE), next(iter(every), None))
        if first is not None:
            self._choose(first)

    def _next(self, at: int, side: int, step: int) -> tuple[int, _Spot] | None:
        """The next line that has something on this side."""
        at += step
        while 0 <= at < len(self._spots):
            for spot in self._spots[at]:
                if spot.side == side:
                    return at, spot
            at += step
        return None

    def to_side(self, step: int) -> None:
        """To who sends to it, or gets it from there: beside it, or further down."""
        found = self._found()
        if found is None:
            self.begin()
            return
        at, chosen = found
        for line in (at, *range(at + 1, len(self._spots)), *range(at - 1, -1, -1)):
            for spot in self._spots[line]:
                if spot.side == chosen.side + step:
                    self._choose(spot)
                    return

    def _choose(self, spot: _Spot) -> None:
        self._chosen = spot.identity
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Chosen())

    def to_top(self) -> None:
        self._chosen = None
        self._top = 0
        self.begin()

    def to_end(self) -> None:
        self.move(len(self._lines) or 1)

    def page_lines(self) -> int:
        return max(1, self.body_height)

    def _keep_in_view(self) -> None:
        found, height = self._found(), self.page_lines()
        if found is not None:
            # With the edge of its box, where it is the first in it.
            self._top = min(max(self._top, found[0] - height + 2), max(0, found[0] - 1))
        self._top = max(0, min(self._top, len(self._lines) - height))

    def on_unmount(self) -> None:
        self._leave_it()

    def on_resize(self, event: events.Resize) -> None:
        self._draw_anew()

    def restyled(self) -> None:
        self._draw_anew()

    def jumps(self) -> list[Jump]:
        shown = self._spots[self._top : self._top + self.page_lines()]
        return [
            Jump(spot.begin, y, partial(self._choose, spot))
            for y, spots in enumerate(shown)
            for spot in spots
        ]

    # Drawing -----------------------------------------------------------------------------

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        at = self._top + y
        if at >= len(self._lines):
            said = self._nothing(y) if not self._lines else ""
            return strip([(said, palette.muted)], width, palette.plain)
        pieces: list[Piece] = []
        for part in self._lines[at]:
            pieces += self._pieces(part, self._protocols[at])
        line = strip(pieces, width, palette.plain)
        spot = next((each for each in self._spots[at] if each.identity == self._chosen), None)
        return line if spot is None else _lit(line, spot, width, palette.plain, palette.cursor)

    def _nothing(self, y: int) -> str:
        if self.sought:
            return f"  nothing with {clean(self.sought, 40)}" if not y else ""
        addresses = self.console_app.addresses
        if y == 0:
            return "  nobody is connected yet; clients appear here as they come:"
        if 0 <= y - 2 < len(addresses):
            listener, address = addresses[y - 2]
            return f"    {listener.protocol:<6} {address}"
        return ""

    def _pieces(self, part: Part, protocol: str) -> list[Piece]:
        style = self._style(part.role, protocol)
        if part.edge is None or not part.text:
            return [(part.text, style)]
        at = self._step * _speed(part.edge) % len(part.text)
        dot = "•" if self.glyphs is UNICODE else "o"
        return [
            (part.text[:at], style),
            (dot, self.palette.strong),
            (part.text[at + 1 :], style),
        ]

    def _style(self, role: str, protocol: str) -> Style:
        palette = self.palette
        kind, _, which = role.partition(":")
        if kind == "protocol":
            return palette.protocol(which)
        if kind == "edge":
            states = {"held": palette.holding, "failing": palette.error, "none": palette.faintest}
            return states.get(which, palette.protocol(protocol))
        styles = {
            "strong": palette.strong,
            "muted": palette.muted,
            "faint": palette.faintest,
            "border": palette.muted,
            "warning": palette.warning,
        }
        return styles.get(role, palette.plain)

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        palette = self.palette
        left: list[Piece] = [(f"{self.label}  ", self.title_style)]
        if self.sought:
            left.append((f"/ {clean(self.sought, 40)}", palette.accented))
        else:
            left.append((f"rates of {RECENT} s", palette.muted))
        right: list[Piece] = [("frozen", palette.warning)] if self.frozen else [
            (f"live {self.glyphs.live}", palette.ok)
        ]  # fmt: skip
        if self.feed.one_of > 1:
            right.append((f"  from 1 of {self.feed.one_of} frames", palette.warning))
        if self.quiet:
            right.append(("  quiet ones too", palette.muted))
        return left, right

    def foot_pieces(self) -> list[Piece]:
        state = LINES if self.glyphs is UNICODE else LETTERS
        palette = self.palette
        return [
            (
                f"{state.busy * 2} busy  {state.idle * 2} some  {state.none * 2} none  ",
                palette.muted,
            ),
            (f"{state.failing} fails  ", palette.error),
            (f"{state.held} held", palette.holding),
        ]

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = len(self._lines), self.page_lines()
        return None if total <= height else (self._top / total, (self._top + height) / total)

    def scrolled_to(self, share: float) -> None:
        self._show_from(int(share * len(self._lines)))

    def scroll_lines(self, lines: int) -> None:
        self._show_from(self._top + lines)

    def _show_from(self, top: int) -> None:
        self._top = max(0, min(top, len(self._lines) - self.page_lines()))
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        at = self._top + self.body_y(event.y)
        x = event.x - (1 if self.framed else 0)
        if event.y < 1 or at >= len(self._spots):
            return
        for spot in self._spots[at]:
            if spot.begin <= x < spot.end:
                if spot.identity == self._chosen:
                    self.post_message(self.Opened())
                self._choose(spot)


def _speed(edge: Edge) -> int:
    return next(cells for least, cells in _FAST if edge.rate >= least)


def _read(lines: Sequence[Line]) -> tuple[list[str], list[list[_Spot]]]:
    """The protocol of each line, and what can be chosen in it."""
    protocols: list[str] = []
    found: list[list[_Spot]] = []
    protocol, hub = "", None
    for line in lines:
        head = next((part.of for part in line if isinstance(part.of, Hub)), None)
        hub = head or hub
        named = next((part.role for part in line if part.role.startswith("protocol:")), "")
        protocol = named.partition(":")[2] or protocol
        protocols.append(protocol)
        found.append(_spots(line, hub))
    return protocols, found


def _spots(line: Line, hub: Hub | None) -> list[_Spot]:
    spots: list[_Spot] = []
    at, within = 0, 0
    for part in line:
        size = width(part.text)
        if part.role == "border":
            within += 1
        if part.of is not None:
            spots.append(_Spot(at, at + size, within, part.of, _identity(part.of, hub)))
        at += size
    return spots


def _identity(what: Hub | Inner | End, hub: Hub | None) -> Hashable:
    place = hub.place if hub is not None else None
    match what:
        case Hub():
            return "hub", what.place
        case Inner():
            return "inner", place, what.place, what.by
        case End():
            sends = hub is not None and any(each is what for each in hub.sources)
            return "end", place, what.of, what.protocol, what.name, sends


def _lit(line: Strip, spot: _Spot, width: int, plain: Style, cursor: Style) -> Strip:
    """With what is chosen lit."""
    # The pane may have become narrower since it was drawn.
    begin, end = min(spot.begin, width), min(spot.end, width)
    lit = [Segment(text, (style or plain) + cursor) for text, style, _ in line.crop(begin, end)]
    return Strip([*line.crop(0, begin), *lit, *line.crop(end, width)], width)
