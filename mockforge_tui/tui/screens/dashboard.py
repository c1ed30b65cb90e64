"""The main screen: what happens in it at each frame, and what its parts report to each other."""

from time import thread_time

from textual import events

from ..widgets.dropdown import DropDown
from ..widgets.flow import FlowPane
from ..widgets.header import Header
from ..widgets.ladder import LadderPane
from ..widgets.lines import KeyLine
from ..widgets.pane import Pane
from ..widgets.prompt import FILTER, Prompt
from ..widgets.table import LiveTable
from ..widgets.topology import TopologyPane
from .help import Entry
from .jumping import JumpingScreen


class Dashboard(JumpingScreen):
    """Flow, inspector and side panes; a prompt below; one pane at a time where it is narrow."""

    # Each frame --------------------------------------------------------------------------

    def tick(self) -> None:
        """Take in new rows; nothing is drawn in this turn of the loop."""
        if self.jumping:
            # What the letters stand beside stays where it is.
            return
        self.flow.tick()
        if self.log_pane.display:
            self.log_pane.tick()
        if self.ladder.display:
            self.ladder.tick()
        if self.topology.display:
            self.topology.tick()

    def take_snapshot(self) -> None:
        """Show new figures; hidden panes get theirs when they are shown."""
        snapshot = self.console_app.snapshot
        self.header.refresh()
        if self.jumping:
            return
        self.connections.show(snapshot.connections)
        self.destinations.show(snapshot.destinations)
        self.groups.show(snapshot.groups)
        self.faults.show_beside(snapshot.faults, snapshot.timeline.tracks(), snapshot.chaos)
        self.lint.show(snapshot.lint)
        if self.ladder.display and self.ladder.ladder.waiting:
            # How long it waits is another time now.
            self.ladder.refresh()
        if self.topology.display:
            self.topology.look()
        self.fit_side()
        self.show_chosen()
        self.show_keys()

    def _compositor_refresh(self) -> None:
        # Textual paints all that is dirty in this one call: the frame's whole cost.
        started = thread_time()
        super()._compositor_refresh()
        self.console_app.pace.spent(thread_time() - started)

    # The screen itself -------------------------------------------------------------------

    def do_shot(self) -> None:
        self._run("shot")

    def do_repaint(self) -> None:
        self.refresh(layout=True)

    def do_help(self) -> None:
        self.console_app.show_help(self.here.place)

    def take_up(self, entry: Entry | None) -> None:
        """Do what somebody chose in the help: press the key, or begin the line."""
        if entry is None:
            return
        if entry.key:
            self.action_press(entry.key)
        elif entry.mode == FILTER:
            self.open_filter(entry.line)
        else:
            self.prefill(entry.line)

    def on_key(self, event: events.Key) -> None:
        """What no binding took: other programs have keys that this one has not."""
        if self.jumping:
            self.jump_on(event.character or "")
        elif event.is_printable and not self.prompt.is_active:
            self.console_app.note(f"{event.character} is no key here; ? searches the keys")

    # What parts of the screen report ---------------------------------------------------------

    def on_flow_pane_selected(self, message: FlowPane.Selected) -> None:
        self.show_chosen()
        self.show_keys()

    def on_flow_pane_opened(self, message: FlowPane.Opened) -> None:
        self.action_press("enter")

    def on_ladder_pane_chosen(self, message: LadderPane.Chosen) -> None:
        self.show_chosen()
        self.show_keys()

    def on_ladder_pane_opened(self, message: LadderPane.Opened) -> None:
        self.action_press("enter")

    def on_topology_pane_chosen(self, message: TopologyPane.Chosen) -> None:
        self.show_chosen()
        self.show_keys()

    def on_topology_pane_opened(self, message: TopologyPane.Opened) -> None:
        self.action_press("enter")

    def on_live_table_chosen(self, message: LiveTable.Chosen) -> None:
        self.show_chosen()

    def on_live_table_opened(self, message: LiveTable.Opened) -> None:
        self.action_press("enter")

    def on_header_tab_clicked(self, message: Header.TabClicked) -> None:
        self.go_to(message.number)

    def on_key_line_clicked(self, message: KeyLine.Clicked) -> None:
        # While somebody types, keys are for the line.
        if not self.prompt.is_active:
            self.action_press(message.key)

    def on_drop_down_taken(self, message: DropDown.Taken) -> None:
        if self.prompt.is_active:
            self.prompt.accept(message.completion)

    def on_prompt_noticed(self, message: Prompt.Noticed) -> None:
        self.result.warn(message.text)
        self.show_keys()

    def on_prompt_left(self, message: Prompt.Left) -> None:
        self.result.warn("")
        if message.mode == FILTER and not message.kept:
            self.flow.show(self.console_app.session.filter)
        if not isinstance(self.focused, Pane) and not self.prompt.is_active:
            shown = next(pane for pane in self.panes if pane.display)
            self.set_focus(shown)
