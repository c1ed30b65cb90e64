"""The first line: listeners, clients, traffic, what is held and what misbehaves."""

from mockforge_brokers.protocols import letter_of
from textual import events
from textual.message import Message
from textual.strip import Strip

from ... import units
from ...listening import ports_text
from ..drawing import Piece, cells, sparkline, spread
from .pane import Drawn

_TABS = ("Flow", "Conn", "Topic", "Grp", "Flt", "Log", "Lint")


class Header(Drawn):
    """Draws the last snapshot; tells which pane is shown where there is room for one only."""

    class TabClicked(Message):
        """The number of a pane was clicked on."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    narrow = False
    tab = 0

    def on_click(self, event: events.Click) -> None:
        tabs = self._tabs() if self.narrow else []
        if len(tabs) < len(_TABS):
            return
        end = self.outer_size.width
        for number in range(len(tabs), 0, -1):
            start = end - cells(tabs[number - 1 : number])
            if start <= event.x < end:
                self.post_message(self.TabClicked(number))
            end = start

    def update(self, narrow: bool | None = None, tab: int | None = None) -> None:
        if narrow is not None:
            self.narrow = narrow
        if tab is not None:
            self.tab = tab
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, traffic = self.outer_size.width, self._traffic()
        right = self._tabs() if self.narrow else self._cost()
        left = self._listeners(whole=True) + traffic
        if cells(left) + cells(right) >= width:
            left = self._listeners(whole=False) + traffic
        return self.drawn(spread(left, right, width, self.palette.plain))

    def _listeners(self, *, whole: bool) -> list[Piece]:
        """Each protocol with its clients and its ports: all of them, or the first of each."""
        palette, glyphs, app = self.palette, self.glyphs, self.console_app
        pieces: list[Piece] = [] if self.narrow else [(" mockforge ", palette.strong)]
        for protocol, count in app.snapshot.totals.connections.items():
            style = palette.protocol(protocol)
            if self.narrow:
                pieces.append((f" {glyphs.on}{letter_of(protocol)}", style))
                pieces.append((f"{count}", palette.plain if count else palette.muted))
                continue
            pieces.append((f"  {glyphs.on} {protocol}", style))
            pieces.append((ports_text(app.listeners, protocol, whole=whole), palette.muted))
            pieces.append((f" {count}", palette.plain if count else palette.muted))
        return pieces

    def _traffic(self) -> list[Piece]:
        palette, glyphs = self.palette, self.glyphs
        totals = self.console_app.snapshot.totals
        bars = list(totals.history)[-(10 if self.narrow else 18) :]
        pieces: list[Piece] = [
            ("  " if self.narrow else "   ", palette.plain),
            (sparkline(bars, glyphs.bars), palette.accented),
            (f" {_per_second(totals.rate)}", palette.strong),
        ]
        if totals.held:
            word = "" if self.narrow else "held "
            pieces.append((f"  {glyphs.held}{word}{totals.held}", palette.holding))
        if totals.faults:
            word = "" if self.narrow else "faults "
            pieces.append((f"  {glyphs.fault}{word}{totals.faults}", palette.faulty))
        jobs = len(self.console_app.session.jobs)
        if jobs and not self.narrow:
            pieces.append((f"  {jobs} job" + ("s" if jobs > 1 else ""), palette.muted))
        return pieces

    def _cost(self) -> list[Piece]:
        pace = self.console_app.pace
        text = f"ui {pace.cost * 1000:.0f}ms {pace.rate:.0f}fps "
        return [(text, self.palette.faintest)]

    def _tabs(self) -> list[Piece]:
        palette = self.palette
        pieces: list[Piece] = []
        for at, name in enumerate(_TABS):
            style = palette.title_focused if at == self.tab else palette.muted
            pieces.append((f" {at + 1}{name}", style))
        return (
            pieces
            if cells(pieces) <= self.outer_size.width // 2
            else pieces[self.tab : self.tab + 1]
        )


def _per_second(rate: float) -> str:
    if rate and rate < 10:
        return f"{rate:.1f}/s"
    return f"{units.format_count(rate)}/s"
