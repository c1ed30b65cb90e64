"""What the keys do. All that changes something is a command line, run and told like a typed one."""

from typing import Any

from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.snapshots import ConnectionView

from ...filters import Filter
from ...text import clean
from ..inspection import TABS
from ..narrowing import (
    combined,
    connection_term,
    destination_target,
    publish_line,
    target_of,
    term,
    term_of,
)
from ..snapshot import ConnectionLine, DestinationLine, FaultLine
from ..widgets.flow import FlowPane
from ..widgets.inspector import Inspector
from ..widgets.panes import ConnectionsPane, DestinationsPane, FaultsPane, GroupsPane
from .layout import PaneScreen


class ActingScreen(PaneScreen):
    """The dashboard's keys at work."""

    # Moving ------------------------------------------------------------------------------

    def action_move(self, lines: int) -> None:
        self.here.move(lines)  # type: ignore[attr-defined]

    def action_page(self, direction: int) -> None:
        here: Any = self.here
        lines = here.rows_shown if isinstance(here, FlowPane) else here.page_lines()
        here.move(direction * max(1, lines // 2))

    def action_top(self) -> None:
        self.here.to_top()  # type: ignore[attr-defined]

    def action_end(self) -> None:
        here: Any = self.here
        if isinstance(here, FlowPane):
            here.go_live()
        else:
            here.to_end()

    def action_live(self) -> None:
        if self.flow.follow:
            self.flow.pause()
        else:
            self.flow.go_live()
        self.tell_keys()

    def action_field(self, step: int) -> None:
        here = self.here
        if isinstance(here, FlowPane):
            here.next_field(step)
        elif isinstance(here, Inspector):
            here.next_tab(step)

    def action_next_pane(self, step: int) -> None:
        shown = [pane for pane in self.panes if pane.display]
        if self.narrow and self.alone is None and len(shown) == 1:
            self.go_to((self.tab - 1 + step) % 6 + 1)
            return
        at = shown.index(self.here) if self.here in shown else 0
        shown[(at + step) % len(shown)].focus()

    def action_pane(self, number: int) -> None:
        toggled = {5: self.faults, 6: self.log_pane}.get(number)
        if toggled is not None and toggled.has_focus and not self.narrow and self.alone is None:
            self._close(toggled)
        else:
            self.go_to(number)

    def action_zoom(self) -> None:
        here = self.here
        self.alone = None if self.alone is not None else here
        self.lay_out()
        here.focus()

    def action_back(self) -> None:
        here = self.here
        if self.alone is not None:
            self.action_zoom()
        elif here in (self.faults, self.log_pane) and not self.narrow:
            self._close(here)
        elif self.narrow and self.tab != 1:
            self.go_to(1)
        elif isinstance(here, Inspector):
            self.flow.focus()
        elif self.inspector_open and self.short:
            self.inspector_open = False
            self.lay_out()
        else:
            self.flow.focus()

    def _close(self, pane: object) -> None:
        if pane is self.faults:
            self.faults_open = False
        else:
            self.log_open = False
        self.tab = 1
        self.lay_out()
        self.flow.focus()

    # Looking -----------------------------------------------------------------------------

    def action_open(self) -> None:
        """Inspect a message, fold a node, narrow the flow to a thing, settle a held frame."""
        here = self.here
        match here:
            case FlowPane():
                self._inspect()
            case Inspector():
                here.fold()
            case FaultsPane():
                self._settle(here.chosen)
            case GroupsPane():
                if here.chosen is not None:
                    self._run(f"group show {clean(here.chosen.name)}")
            case _:
                self.action_narrow(1)
                if self.narrow:
                    self.go_to(1)

    def _inspect(self) -> None:
        if self.flow.selected is None:
            self.flow.move(-1)
        if self.flow.selected is None:
            return
        if self.inspector_open and self.inspector.display:
            self.inspector.focus()
            return
        self.inspector_open = True
        self.inspector.show(self.flow.selected)
        self.lay_out()

    def _settle(self, line: FaultLine | None) -> None:
        match line.what if line is not None else None:
            case HeldFrame(id=number):
                self._run(f"release #{number}")
            case HoldRule(id=number):
                self._run(f"hold rm {number}")
            case Rule(id=number, enabled=enabled):
                self._run(f"fault {'off' if enabled else 'on'} {number}")

    def action_tab(self, step: int) -> None:
        if not self.inspector.display:
            self._inspect()
        self.inspector.next_tab(step)

    def action_wire(self) -> None:
        if not self.inspector.display:
            self._inspect()
        self.inspector.show_tab(TABS.index("Wire"))

    def action_noise(self) -> None:
        self.flow.show(self.flow.filter, with_noise=not self.flow.with_noise)
        state = "with" if self.flow.with_noise else "without"
        self.console_app.note(f"the flow is {state} pings and empty polls")

    # Filtering ---------------------------------------------------------------------------

    def action_filter(self) -> None:
        self.open_filter()

    def action_narrow(self, sign: int) -> None:
        found = self._term()
        if found is None:
            self.console_app.note("nothing here to filter by; h l choose a column")
            return
        text = combined(self.console_app.session.filter.text, found, negated=sign < 0)
        self._run(f"filter {text}" if text else "filter clear")

    def _term(self) -> str | None:
        here = self.here
        match here:
            case FlowPane():
                row = here.selected or here.live_row()
                return term_of(row, here.field_name) if row is not None else None
            case Inspector():
                node = here.node()
                return term(f"json.{node.path}", node.value or "") if node is not None else None
            case ConnectionsPane() | DestinationsPane() | GroupsPane():
                return _term_of_record(here.chosen)
        return None

    def action_toggle_filter(self) -> None:
        app = self.console_app
        if app.session.filter.text:
            app.last_filter = app.session.filter.text
            self._run("filter clear")
        elif app.last_filter:
            self._run(f"filter {app.last_filter}")

    def action_mark(self) -> None:
        self.flow.mark()

    def action_only_marked(self) -> None:
        self.flow.show(self.flow.filter, only_marked=not self.flow.only_marked)

    def show_filter(self, shown: Filter | None) -> None:
        self.flow.show(shown)

    # Acting ------------------------------------------------------------------------------

    def action_prompt(self) -> None:
        self.prefill("")

    def action_republish(self) -> None:
        if self.flow.selected is not None:
            self._run("republish")
        elif self.console_app.feed.marks:
            self._run("republish @marked")
        else:
            self.console_app.note("select a message to publish it again")

    def action_edit(self) -> None:
        row = self._row()
        if row is None or row.kind != "message":
            self.console_app.note("select a message to edit it")
            return
        self.prefill(publish_line(row))

    def action_publish(self) -> None:
        here = self.here
        target = ""
        if isinstance(here, DestinationsPane) and here.chosen is not None:
            target = destination_target(here.chosen.view)
        elif (row := self._row()) is not None and row.destination:
            target = target_of(row.protocol, row.destination, row)
        self.prefill(f"pub {target} " if target else "pub ")

    def action_copy(self) -> None:
        row = self._row()
        if row is None or row.payload is None:
            self.console_app.note("nothing to copy here")
            return
        self.app.copy_to_clipboard(row.payload.decode("utf-8", "replace"))
        self.console_app.note(
            f"{len(row.payload)} bytes are in the clipboard, if the terminal lets us"
        )

    def action_hold(self) -> None:
        row = self._row()
        scope = f"{term('client', row.client)} {term('op', row.operation)}" if row else ""
        self.prefill(f"hold {scope}".rstrip() + " ")

    def action_release(self) -> None:
        number = self._held_number()
        self._run(f"release #{number}" if number else "release")

    def action_release_all(self) -> None:
        self._run("release")

    def action_drop(self) -> None:
        number = self._held_number()
        if number:
            self._run(f"drop #{number}")
        else:
            self.console_app.note("no held frame is selected")

    def _held_number(self) -> int:
        chosen = self.faults.chosen if self.here is self.faults else None
        if chosen is not None and isinstance(chosen.what, HeldFrame):
            return chosen.id
        row = self.flow.selected
        return row.held if row is not None else 0

    def action_fault(self) -> None:
        scope = ""
        view = self._connection()
        if view is not None:
            scope = connection_term(view)
        elif (row := self._row()) is not None and row.client:
            scope = term("client", row.client)
        line = f"fault add delay {scope}".rstrip() + " "
        self.prefill(line + "250ms", len(line))

    def action_kill(self) -> None:
        view = self._connection()
        row = self._row()
        number = view.id if view is not None else row.connection if row is not None else 0
        if number:
            self._run(f"conn kill c{number}")
        else:
            self.console_app.note("select a connection, or a message of one")

    def action_panic(self) -> None:
        self._run("fault clear", confirmed=True)
        self._run("hold off")

    def _connection(self) -> ConnectionView | None:
        here = self.here
        if isinstance(here, ConnectionsPane) and here.chosen is not None:
            return here.chosen.view
        return None

    def _row(self) -> Row | None:
        return self.flow.selected or (self.flow.live_row() if self.flow.follow else None)

    # The screen itself -------------------------------------------------------------------

    def action_shot(self) -> None:
        self._run("shot")

    def action_repaint(self) -> None:
        self.refresh(layout=True)

    def action_help(self) -> None:
        self.console_app.show_help()

    def action_quit(self) -> None:
        self.console_app.ask("End the console and its brokers?", lambda: self._run("quit"))

    def _run(self, line: str, *, confirmed: bool = False) -> None:
        self.console_app.run_line(line, confirmed=confirmed)


def _term_of_record(record: object) -> str | None:
    match record:
        case ConnectionLine(view=view):
            return connection_term(view)
        case DestinationLine(view=view):
            return term("topic", view.name)
        case _ if hasattr(record, "name") and getattr(record, "protocol", "") == "kafka":
            return term("group", str(record.name))
    return None
