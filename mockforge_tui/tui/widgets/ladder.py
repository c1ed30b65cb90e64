"""The ladder: what a client and the broker sent each other, drawn as it goes on."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import title_of
from mockforge_brokers.snapshots import ConnectionView
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from ...console.ladder.drawing import LETTERS, LINES, arrow, fact, lifelines
from ...console.ladder.rungs import MOST, Ladder, Rung
from ...console.ladder.wording import is_lost, label_of, notes_of, taken
from ...feed import Feed
from ...text import clean, fit
from ..drawing import Piece, cells, cut, strip
from ..keys import LADDER
from ..palette import UNICODE
from ..rows import clock_text
from ..searching import is_in
from .flow import spaced
from .pane import Jump, Pane

_AT_HAND: Final = 4_096
"""Rows of the flow that are looked through at once: so many are not packed."""
_OF_A_TICK: Final = 512
_FURTHEST: Final = 1 << 16
"""Rows of the flow, from the newest back, in which a connection's are looked for."""
_KEPT_LABELS: Final = 2 * MOST
"""A text is sought in all arrows, and those that grew are kept as they were as well."""
_SLOW: Final = 1.0
"""Seconds without anything that are worth a look."""


class LadderPane(Pane):
    """Live (the newest arrow is the last line) or paused at what is chosen, as the flow is."""

    label: ClassVar[str] = "Ladder"
    place: ClassVar[str] = LADDER

    class Chosen(Message):
        """Another arrow is chosen, or none."""

    class Opened(Message):
        """A click on the chosen arrow."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed
        self.follow = True
        self.noise = False
        self.folded = True
        self.rungs: list[Rung] = []
        self.sought = ""
        """Only arrows with this text are shown."""
        self._all = 0
        """How many there would be without it."""
        self.ladder = Ladder((), feed.row)
        self.views: Sequence[ConnectionView] = ()
        self._older: list[Row] = []
        """The connection's rows, newest first, while they are looked for."""
        self._begun: set[int] = set()
        """Connections whose first row was found."""
        self._looked_at = 0
        """The oldest row of the flow that was looked at; 0 once nothing more is looked for."""
        self._opened_at = self._seen = 0
        self._chosen: int | None = None
        """The first row of the chosen arrow."""
        self._top = 0
        self._need = 0
        """Cells of the longest note that was shown."""
        self._new = 0
        self._labels: OrderedDict[tuple[int, int, int], tuple[str, str]] = OrderedDict()

    def open(self, views: Sequence[ConnectionView]) -> None:
        """Show these connections, all of one client, from the newest frame on."""
        self.views = views
        self._older, self._looked_at = [], self.feed.newest + 1
        self._begun = set()
        self._opened_at = self._seen = self.feed.newest
        self._need = 0
        self._look_back(_AT_HAND)
        self._begin()
        self.go_live()

    # What is shown -----------------------------------------------------------------------

    def tick(self) -> None:
        """Take in what the flow got since, and a little of what it had before."""
        if self.feed.newest - self._seen > _AT_HAND:
            # It was out of sight for long: to look at all that came since would take its time.
            self.open(self.views)
        elif self._looked_at and self._look_back(_OF_A_TICK):
            self._begin()
        before, seen = len(self.ladder) + self.ladder.left, self._seen
        for row in self.feed.since(seen):
            self.ladder.meet(row)
        self._seen = self.feed.newest
        if self._seen != seen:
            met = len(self.ladder) + self.ladder.left - before
            self._new += 0 if self.follow else met
            self._draw_anew()

    def _look_back(self, most: int) -> bool:
        """Look at so many older rows; True where that was the last of it."""
        wanted = {each.id for each in self.views} - self._begun
        oldest = max(self.feed.oldest, self.feed.newest - _FURTHEST)
        until = max(oldest, self._looked_at - most)
        for number in range(self._looked_at - 1, until - 1, -1):
            row = self.feed.row(number)
            if row is not None and row.connection in wanted:
                self._older.append(row)
                if row.kind == "event" and row.operation == "connected":
                    # Nothing of it is older.
                    self._begun.add(row.connection)
                    wanted.discard(row.connection)
        self._looked_at = until
        if wanted and until > oldest and len(self._older) < MOST:
            return False
        self._looked_at = 0
        return True

    def _begin(self) -> None:
        """Make the ladder of what was found so far."""
        self.ladder = Ladder([each.id for each in self.views], self.feed.row)
        for row in reversed(self._older):
            self.ladder.meet(row)
        # What came while older ones were looked for is counted as new already.
        for row in self.feed.since(self._opened_at):
            if row.seq > self._seen:
                break
            self.ladder.meet(row)
        if not self._looked_at:
            self._older = []
        self._draw_anew()

    def _draw_anew(self) -> None:
        rungs = self.ladder.rungs(noise=self.noise, folded=self.folded)
        self._all = len(rungs)
        self.rungs = self._those_sought(rungs) if self.sought else rungs
        if self.follow:
            self._top = max(0, len(self.rungs) - self.page_lines())
        else:
            self._keep_in_view()
        self.refresh()

    def seek(self, text: str) -> None:
        """Show only arrows with a text, in any case where it has no capital."""
        self.sought = text
        self._draw_anew()

    def _those_sought(self, rungs: Sequence[Rung]) -> list[Rung]:
        found: list[Rung] = []
        for rung in rungs:
            if is_in(self.sought, self._said(rung)):
                # What is between two of them is not shown, so that nothing seems to have come.
                quiet = max(0.0, rung.first.time - found[-1].last.time) if found else None
                found.append(replace(rung, after=quiet))
        return found

    def _said(self, rung: Rung) -> str:
        """What stands on the arrow and beside it, without times, which change."""
        label, error = self._words(rung)
        frame = rung.first
        if not (error or frame.held or frame.fault or len(self.views) > 1):
            return label
        notes = notes_of(rung, error, self.feed.kind_of, frame.time)
        said = (text for role, text in notes if role not in ("time", "waits"))
        return " ".join((label, f"c{frame.connection}", *said))

    @property
    def at(self) -> int | None:
        """Where the chosen arrow stands; the one that it became part of counts too."""
        if self._chosen is None:
            return None
        for at in range(len(self.rungs) - 1, -1, -1):
            if self.rungs[at].first.number <= self._chosen:
                return at
        return 0 if self.rungs else None

    @property
    def chosen(self) -> Row | None:
        """The first row of the chosen arrow; while live of the newest."""
        at = self.at
        if at is None and self.follow and self.rungs:
            at = len(self.rungs) - 1
        return self.feed.row(self.rungs[at].first.number) if at is not None else None

    # Moves -------------------------------------------------------------------------------

    def go_live(self) -> None:
        self.follow, self._chosen, self._new = True, None, 0
        self._draw_anew()
        self.post_message(self.Chosen())

    def pause(self) -> None:
        self.follow = False
        self.refresh()

    def move(self, lines: int) -> None:
        at = self.at
        if at is None:
            last = self._top + self.page_lines() - 1
            self._go_to(min(len(self.rungs) - 1, last) if self.follow or lines < 0 else self._top)
        else:
            self._go_to(at + lines)

    def to_top(self) -> None:
        self._go_to(0)

    def to_end(self) -> None:
        self.go_live()

    def page_lines(self) -> int:
        return max(1, self.body_height - 1)

    def partner(self) -> str:
        """Go to what answers the chosen arrow, or to what it answers; or say why not."""
        at = self.at
        frame = self.rungs[at].first if at is not None else None
        other = (frame.answered or frame.asked) if frame is not None else None
        if other is None:
            return "nothing here belongs to it"
        if not any(each.first.number <= other.number <= each.last.number for each in self.rungs):
            return f"#{other.number} {other.operation} is not among the arrows shown"
        self._choose(other.number)
        return ""

    def toggle_folded(self) -> None:
        self.folded = not self.folded
        self._draw_anew()

    def toggle_noise(self) -> None:
        self.noise = not self.noise
        self._draw_anew()

    def _go_to(self, at: int) -> None:
        if self.rungs:
            self._choose(self.rungs[max(0, min(at, len(self.rungs) - 1))].first.number)

    def _choose(self, number: int) -> None:
        self.follow, self._chosen = False, number
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Chosen())

    def _keep_in_view(self) -> None:
        height, at = self.page_lines(), self.at
        if at is not None:
            self._top = min(max(self._top, at - height + 1), at)
        self._top = max(0, min(self._top, len(self.rungs) - height))

    def on_resize(self, event: events.Resize) -> None:
        self._draw_anew()

    def jumps(self) -> list[Jump]:
        shown = range(self._top, min(self._top + self.page_lines(), len(self.rungs)))
        return [Jump(0, 1 + at - self._top, partial(self._go_to, at)) for at in shown]

    # Drawing -----------------------------------------------------------------------------

    def restyled(self) -> None:
        self._labels.clear()
        super().restyled()

    def body_line(self, y: int, width: int) -> Strip:
        palette = self.palette
        if y == 0:
            self._measure()
            time, after, note = self._columns(width)
            room = width - time - after - note - 2
            name = clean(self.views[0].client, 40) or f"c{self.views[0].id}" if self.views else ""
            pieces: list[Piece] = [
                (" " * (2 + time + after), palette.plain),
                (lifelines(name, "broker", room), palette.strong),
            ]
            return strip(pieces, width, palette.plain)
        at = self._top + y - 1
        if at >= len(self.rungs):
            shown = self._nothing() if not self.rungs and y == 1 else ""
            return strip([(shown, palette.muted)], width, palette.plain)
        chosen = at == self.at
        drawn = strip(self._rung_pieces(self.rungs[at], width, chosen), width, palette.plain)
        if not chosen:
            return drawn
        return Strip(
            [Segment(text, (style or palette.plain) + palette.cursor) for text, style, _ in drawn],
            width,
        )

    def _nothing(self) -> str:
        if self._looked_at:
            return "  looking …"
        if self.sought:
            return f"  nothing with {clean(self.sought, 40)}"
        return "  nothing passed here yet"

    def _columns(self, width: int) -> tuple[int, int, int]:
        """Cells of the time, of what passed since the arrow above, and of the notes: what these
        need, up to half of the room."""
        if width < 70:
            time, after, least = 7, 0, 14
        elif width < 100:
            time, after, least = 10, 0, 18
        else:
            time, after, least = (13, 9, 26) if width >= 112 else (10, 9, 20)
        return time, after, max(least, min(self._need, (width - time - after - 2) // 2))

    def _measure(self) -> None:
        """Widen the notes for arrows that are new on the page; only another ladder narrows them."""
        for rung in self.rungs[self._top : self._top + self.page_lines()]:
            notes = self._notes(rung, self._words(rung)[1])
            self._need = max(self._need, cells(notes) + 1)

    def _rung_pieces(self, rung: Rung, width: int, chosen: bool) -> list[Piece]:
        palette, frame = self.palette, rung.first
        time, after, room = self._columns(width)
        label, error = self._words(rung)
        signs = LINES if self.glyphs is UNICODE else LETTERS
        within = width - time - after - room - 2
        kind_of = self.feed.kind_of
        lead = self.glyphs.cursor if chosen else " "
        if frame.number in self.feed.marks and not chosen:
            lead = self.glyphs.mark
        pieces: list[Piece] = [
            (f"{lead} ", palette.key if chosen else palette.warning),
            (fit(clock_text(frame.time, time - 1), time), palette.faintest),
        ]
        if after:
            pieces.append(self._after(rung, after))
        style = palette.muted if frame.is_event else self._style(rung)
        if frame.is_event:
            drawn = fact(label, within, signs)
        else:
            drawn = arrow(label, frame.direction, within, signs, lost=is_lost(frame, kind_of))
        loud = palette.muted if frame.is_event else palette.strong
        if frame.is_event and frame.error:
            loud = palette.error
        pieces += [(drawn.begin, style), (drawn.label, loud), (drawn.end, style)]
        return [*pieces, (" ", palette.plain), *cut(self._notes(rung, error), room - 1)]

    def _after(self, rung: Rung, cells: int) -> Piece:
        palette, after = self.palette, rung.after or 0.0
        text = f"+{taken(after)}" if after >= 0.001 else ""
        return f"{text.rjust(cells - 1)} ", palette.warning if after >= _SLOW else palette.faintest

    def _style(self, rung: Rung) -> Style:
        palette, frame = self.palette, rung.first
        if frame.held:
            return palette.holding
        if frame.fault:
            return palette.faulty
        return palette.error if frame.error else palette.protocol(self.views[0].protocol)

    def _notes(self, rung: Rung, error: str) -> list[Piece]:
        palette, session = self.palette, self.console_app.session
        styles = {
            "held": palette.holding,
            "fault": palette.faulty,
            "error": palette.error,
            "waits": palette.warning,
        }
        signs = {
            "held": f"{self.glyphs.held} ",
            "fault": f"{self.glyphs.fault} ",
            "error": f"{self.glyphs.error} ",
        }
        now = session.runtime.clock.wall()
        pieces: list[Piece] = []
        if len(self.views) > 1:
            pieces.append((f"c{rung.first.connection} ", palette.faintest))
        for role, text in notes_of(rung, error, self.feed.kind_of, now):
            pieces.append((signs.get(role, "") + text + "  ", styles.get(role, palette.muted)))
        return pieces

    def _words(self, rung: Rung) -> tuple[str, str]:
        """What stands on its arrow, and its error; kept, since old rows are packed."""
        key = rung.first.number, rung.count, rung.messages
        found = self._labels.get(key)
        if found is None:
            row = self.feed.row(rung.first.number)
            found = (clean(rung.first.operation, 80), "")
            if row is not None:
                found = (label_of(row, rung), row.error)
            self._labels[key] = found
            if len(self._labels) > _KEPT_LABELS:
                self._labels.popitem(last=False)
        return found

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        palette, glyphs = self.palette, self.glyphs
        left: list[Piece] = [(f"{self.label}  ", self.title_style)]
        if self.views:
            view = self.views[0]
            numbers = " ".join(f"c{each.id}" for each in self.views[:4])
            left.append((f"{numbers} {clean(view.client, 40)}  ", palette.protocol(view.protocol)))
            left.append((title_of(view.protocol), palette.muted))
        if self.sought:
            left.append((f"  / {clean(self.sought, 40)}", palette.accented))
        right: list[Piece] = []
        if self.follow:
            right.append((f"live {glyphs.live}", palette.ok))
        else:
            right.append(("paused", palette.warning))
            if self._new:
                right.append((f"  {glyphs.newer} {spaced(self._new)} new", palette.key))
        if self._looked_at:
            right.append(("  looking", palette.muted))
        if self.feed.one_of > 1:
            right.append((f"  shown 1 of {self.feed.one_of}", palette.warning))
        waiting = self.ladder.waiting
        if waiting:
            right.append((f"  {spaced(len(waiting))} without answer", palette.warning))
        shown = spaced(len(self.rungs))
        count = f"{shown}/{spaced(self._all)}" if self.sought else shown
        right.append((f"  {count}", palette.muted))
        return left, right

    def foot_pieces(self) -> list[Piece]:
        palette = self.palette
        pieces: list[Piece] = []
        if not self.folded:
            pieces.append(("each frame  ", palette.warning))
        if self.noise:
            pieces.append(("with noise", palette.muted))
        return pieces

    def scroll_range(self) -> tuple[float, float] | None:
        total, height = len(self.rungs), self.page_lines()
        return None if total <= height else (self._top / total, (self._top + height) / total)

    def scrolled_to(self, share: float) -> None:
        self._show_from(int(share * len(self.rungs)))

    def scroll_lines(self, lines: int) -> None:
        self._show_from(self._top + lines)

    def _show_from(self, top: int) -> None:
        self.follow = False
        self._top = max(0, min(top, len(self.rungs) - self.page_lines()))
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        at = self._top + self.body_y(event.y) - 1
        if self.body_y(event.y) >= 1 and at < len(self.rungs):
            if at == self.at:
                self.post_message(self.Opened())
            self._go_to(at)
