"""Which panes are shown where, for a size and for what the person opened."""

from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from ..keys import HELD, PAUSED, bindings
from ..widgets.dropdown import DropDown
from ..widgets.faults import FaultsPane
from ..widgets.flow import FlowPane
from ..widgets.header import Header
from ..widgets.inspector import Inspector
from ..widgets.ladder import LadderPane
from ..widgets.lines import SIGN_WIDTH, KeyLine, LogPane, ResultLine
from ..widgets.pane import Drawn, Pane
from ..widgets.panes import ConnectionsPane, DestinationsPane, GroupsPane, LintPane
from ..widgets.prompt import COMMAND, FILTER, FIND, Prompt
from ..widgets.stored import StoredPane
from ..widgets.table import LiveTable
from ..widgets.topology import TopologyPane

if TYPE_CHECKING:
    from ..app import ConsoleApp

LEAST_SIZE = (60, 16)
SOUGHT = (LiveTable, LadderPane, TopologyPane)
"""Panes that can show only what has a text."""
INSPECTOR_NUMBER = 8
"""Panes below it have keys, and tabs where there is room for one pane only."""
_NARROW, _SHORT = 100, 30


def _cells(widget: Widget, around: int) -> int:
    """How wide the style sheet makes a widget within so many cells."""
    width = widget.styles.width
    if width is None:
        return 0
    return int(width.value) if width.is_cells else ceil(width.value * around / 100)


class TooSmall(Drawn):
    """What is said where nothing else fits."""

    def render_line(self, y: int) -> Strip:
        width, height = self.screen.size
        least = f"{LEAST_SIZE[0]}x{LEAST_SIZE[1]}"
        text = f"{width}x{height} is too small: {least} or more. The brokers go on."
        lines = wrap(text, max(1, width - 1))
        return self.drawn([(f" {lines[y]}", self.palette.warning)] if y < len(lines) else [])


class PaneScreen(Screen[None]):
    """Flow, inspector and side panes; a prompt below; one pane at a time where it is narrow."""

    BINDINGS: ClassVar = bindings()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_NARROW, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (_SHORT, "-tall")]

    def __init__(self, app: "ConsoleApp") -> None:
        super().__init__()
        self.console_app = app
        self.header = Header()
        self.flow = FlowPane(app.feed)
        self.inspector = Inspector()
        self.connections = ConnectionsPane()
        self.destinations = DestinationsPane()
        self.groups = GroupsPane()
        self.faults = FaultsPane()
        self.log_pane = LogPane(app.record)
        self.lint = LintPane()
        self.stored = StoredPane()
        self.ladder = LadderPane(app.feed)
        self.topology = TopologyPane(app.feed)
        self.drop_down = DropDown()
        self.prompt = Prompt(
            app.session,
            app.history,
            self.drop_down,
            self.enter_line,
            self.try_filter,
            self.try_find,
        )
        self.result = ResultLine()
        self.key_line = KeyLine()
        self.alone: Pane | None = None
        self.inspector_open = True
        self.opened: set[Pane] = set()
        """Those of `on_demand` that somebody opened."""
        self.in_place: Pane | None = None
        """What was opened in the place of the flow: stored messages, a ladder, the topology."""
        self._came_from: Pane = self.destinations
        self.tab = 1
        self._heights: tuple[str | int, str | int] = ("", "")

    def compose(self) -> ComposeResult:
        yield self.header
        with Container(id="body"):
            with Container(id="main"):
                with Vertical(id="left"):
                    yield self.flow
                    yield self.stored
                    yield self.ladder
                    yield self.topology
                    yield self.faults
                    yield self.log_pane
                    yield self.lint
                yield self.inspector
            with Vertical(id="side"):
                yield self.connections
                yield self.destinations
                yield self.groups
        with Vertical(id="foot"):
            yield self.prompt
            yield self.result
            yield self.key_line
        yield self.drop_down
        yield TooSmall()

    def on_mount(self) -> None:
        self.inspector_open = self.app.size.height >= _SHORT
        self.lay_out()
        self.set_focus(self.flow)

    # What is shown where -----------------------------------------------------------------

    @property
    def panes(self) -> tuple[Pane, ...]:
        """By their number, from 1."""
        return (
            self.flow, self.connections, self.destinations, self.groups,
            self.faults, self.log_pane, self.lint, self.inspector, self.stored,
            self.ladder, self.topology,
        )  # fmt: skip

    @property
    def on_demand(self) -> tuple[Pane, ...]:
        """Below the flow, where somebody opened them."""
        return self.faults, self.log_pane, self.lint

    @property
    def top(self) -> Pane:
        """The flow, or what was opened in its place."""
        return self.in_place or self.flow

    @property
    def narrow(self) -> bool:
        return self.app.size.width < _NARROW

    @property
    def short(self) -> bool:
        return self.app.size.height < _SHORT

    @property
    def here(self) -> Pane:
        """The pane that keys are for: the focused one, or the one before while typing."""
        focused = self.focused
        if not isinstance(focused, Pane) and self.prompt.is_active:
            focused = self.prompt.before
        return focused if isinstance(focused, Pane) else self.flow

    @property
    def asked(self) -> Pane:
        """The pane that the line being typed filters or searches."""
        subject = self.prompt.subject
        return subject if isinstance(subject, Pane) else self.flow

    def look_at(self) -> Pane:
        """`here`; where nothing in it is chosen yet, its first record is from now on."""
        here = self.here
        if isinstance(here, LiveTable) and here.records and here.chosen is None:
            here.move(1)
        elif isinstance(here, TopologyPane):
            here.begin()
        return here

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys belong to the prompt while somebody types there."""
        if self.prompt.is_active and f"action_{action}" in dir(self):
            return False
        return super().check_action(action, parameters)

    def on_resize(self, event: events.Resize) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Show the panes that belong to this size and state."""
        width, height = self.app.size
        self.set_class(width < LEAST_SIZE[0] or height < LEAST_SIZE[1], "tiny")
        self.set_class(self.alone is not None, "alone")
        shown = self._shown()
        for pane in self.panes:
            pane.display = pane in shown
            pane.framed = not self.narrow
        side = {self.connections, self.destinations, self.groups}
        left = {self.flow, self.stored, self.ladder, self.topology, *self.on_demand}
        self.query_one("#side").display = bool(side & shown)
        self.query_one("#left").display = bool(left & shown)
        # Nothing is above the inspector: all of that side is its own.
        self.set_class(not left & shown, "beside")
        self.query_one("#main").display = bool(shown - side)
        self.fit_side()
        self.header.update(narrow=self.narrow, tab=self.tab - 1)
        if isinstance(self.focused, Pane) and self.focused not in shown:
            self.set_focus(self.top if self.top in shown else next(iter(shown)))

    @property
    def log_width(self) -> int:
        """Cells that a line of the log has beside its sign, once the log is on the screen."""
        width = self.app.size.width
        if self.narrow:
            return width - SIGN_WIDTH
        if self.alone is None:
            # Styles and not sizes: the panes may not have been laid out since they changed.
            width -= _cells(self.query_one("#side"), width)
            if self.has_class("-wide") and self.inspector_open:
                width -= _cells(self.inspector, width)
        return width - SIGN_WIDTH - 2

    def fit_side(self) -> None:
        """Give connections and groups the lines that they need, topics and queues the rest."""
        if self.narrow or self.alone is not None:
            heights: tuple[str | int, str | int] = ("1fr", "1fr")
        else:
            room = self.app.size.height - 4
            heights = (
                min(max(4, len(self.connections.records)) + 3, room * 2 // 5),
                min(max(1, len(self.groups.records)) + 3, room // 4),
            )
        if heights != self._heights:
            self._heights = heights
            self.connections.styles.height, self.groups.styles.height = heights

    def _shown(self) -> set[Pane]:
        if self.alone is not None:
            return {self.alone}
        if self.narrow:
            chosen = self.in_place or self.panes[self.tab - 1]
            with_inspector = self.inspector_open and chosen is not self.log_pane
            return {chosen, self.inspector} if with_inspector else {chosen}
        shown: set[Pane] = {self.top, self.connections, self.destinations}
        if not self.short:
            shown.add(self.groups)
        if self.inspector_open:
            shown.add(self.inspector)
        return shown | self.opened

    def open_in_place(self, pane: Pane) -> None:
        """Show a pane where the flow is; what was looked at before is where `esc` leads to."""
        if self.here is not pane and self.here is not self.in_place:
            self._came_from = self.here
        self.in_place = pane
        self.alone = None
        self.lay_out()
        self.set_focus(pane)

    def go_to(self, number: int) -> None:
        """Focus a pane by its number, and make it visible."""
        pane = self.panes[number - 1]
        if self.alone is not None:
            self.alone = pane
        if number == 1 or (self.narrow and number < INSPECTOR_NUMBER):
            self.in_place = None
        if number < INSPECTOR_NUMBER:
            self.tab = number
        if pane in self.on_demand:
            self.opened.add(pane)
        elif pane is self.inspector:
            self.inspector_open = True
        elif pane is self.groups and self.short and not self.narrow:
            self.alone = pane
        self.lay_out()
        self.set_focus(pane)

    def do_next_pane(self, step: int) -> None:
        shown = [pane for pane in self.panes if pane.display]
        if self.narrow and self.alone is None and len(shown) == 1:
            self.go_to((self.tab - 1 + step) % (INSPECTOR_NUMBER - 1) + 1)
            return
        at = shown.index(self.here) if self.here in shown else 0
        self.set_focus(shown[(at + step) % len(shown)])

    def do_pane(self, number: int) -> None:
        pane = self.panes[number - 1]
        beside = not self.narrow and self.alone is None
        if pane in self.on_demand and pane.has_focus and beside:
            self.close_pane(pane)
        else:
            self.go_to(number)

    def do_zoom(self) -> None:
        here = self.here
        self.alone = None if self.alone is not None else here
        self.lay_out()
        self.set_focus(here)

    def close_pane(self, pane: Pane) -> None:
        self.opened.discard(pane)
        self.tab = 1
        self.lay_out()
        self.set_focus(self.top)

    def open_log(self) -> None:
        """Show the log without taking the focus, where there is room for it."""
        if self.narrow:
            self.go_to(6)
        elif self.alone is None:
            self.opened.add(self.log_pane)
            self.lay_out()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if self.prompt.is_active and isinstance(self.focused, Pane):
            # By a click: who looks something up while typing types on.
            self.prompt.before = self.focused
            self.set_focus(self.prompt.input)
        self.show_chosen()
        self.show_keys()

    def show_chosen(self) -> None:
        """Let the inspector show what is chosen in the pane where the person is."""

    def show_keys(self) -> None:
        """Give the last line the keys of this place."""
        states = set()
        here = self.here
        if not (isinstance(here, FlowPane | LadderPane) and here.follow):
            states.add(PAUSED)
        if self.console_app.session.runtime.holds.held:
            states.add(HELD)
        self.key_line.show(self.here.place, states)
        foot = self.query_one("#foot")
        foot.set_class(self.result.is_fresh, "fresh")
        foot.set_class(not self.result.is_fresh, "quiet")

    def enter_line(self, line: str) -> None:
        """A command line was typed."""
        self.console_app.run_line(line, typed=True)

    def try_filter(self, text: str, final: bool) -> None:
        """A filter is being typed; `final` once it is entered."""
        if self.asked is self.stored:
            if final:
                problem = self.stored.narrow(self.console_app.session.filter_of(text))
                if problem:
                    self.console_app.note(problem)
        elif final:
            self.console_app.run_line(f"filter {text}" if text else "filter clear")
        else:
            self.flow.show(self.console_app.session.filter_of(text))

    def try_find(self, text: str, final: bool) -> None:
        """A text is searched in a pane, or in the inspector; `final` once it is entered.

        Entered as it was before, it is searched on from the place that was found.
        """
        if isinstance(asked := self.asked, SOUGHT):
            asked.seek(text)
            if final and asked.chosen is None:
                asked.to_top()
            return
        if final or text != self.inspector.search.text:
            found = self.inspector.find(text, int(final and text == self.prompt.begun_with))
            if final and found:
                self.console_app.note(found)

    def prefill(self, line: str, cursor: int | None = None) -> None:
        """Begin a command at the prompt."""
        self.prompt.open(COMMAND, line, cursor)

    def open_find(self) -> None:
        here = self.here
        before = here.sought if isinstance(here, SOUGHT) else self.inspector.search.text
        self.prompt.open(FIND, before)

    def open_filter(self, added: str = "") -> None:
        """Begin to type at the end of the filter in force."""
        shown = self.stored.filter if self.here is self.stored else self.console_app.session.filter
        text = shown.text if shown is not None else ""
        self.prompt.open(FILTER, text + (" " if text else "") + added)
