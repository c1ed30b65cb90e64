"""What the keys do. What changes something is a command line, run and reported as if typed."""

from collections.abc import Collection
from typing import Any

from mockforge_brokers.ended import ENDED
from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.holds import HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.snapshots import ConnectionView, GroupView

from ...console.targets import place_of
from ...filters import Filter
from ...units import format_size
from ..keys import KEYS, key_of
from ..narrowing import (
    combined,
    connection_term,
    copied,
    destination_term,
    edit_line,
    packet_of,
    publish_line,
    replaced,
    stored_target,
    subject_term,
    target_of,
    term,
    term_of,
    why_about,
)
from ..snapshot import ConnectionLine, DestinationLine, FaultLine, LintLine
from ..subjects import Subject, row_of, topic_of
from ..widgets.flow import FlowPane
from ..widgets.inspector import Inspector
from ..widgets.pane import Pane
from ..widgets.panes import DestinationsPane
from ..widgets.stored import StoredPane
from ..widgets.table import LiveTable
from .layout import INSPECTOR_NUMBER, PaneScreen

_CLIPBOARD = 74_994
"""Bytes that xterm's OSC 52 takes; many terminals follow it."""


class ActingScreen(PaneScreen):
    """The dashboard's keys at work."""

    _only = ""
    """The filter's term that `enter` in a pane put there: the next one takes its place."""

    def action_press(self, name: str) -> None:
        """Do what `keys.py` says that a key does in this pane, or say that it does nothing."""
        key = key_of(name, self.here.place)
        if key is None:
            shown = next(each.shown for each in KEYS if name in each.keys.split(","))
            self.console_app.note(
                f"{shown.split(' ')[0]} does nothing in this pane; ? has its keys"
            )
            return
        action, _, argument = key.action.rstrip(")").partition("(")
        act: Any = getattr(self, f"do_{action}")
        act(int(argument)) if argument else act()

    # What is chosen ----------------------------------------------------------------------

    def subject(self) -> Subject | None:
        """What keys act on: the chosen record of this pane, which the inspector shows too."""
        here = self.here
        match here:
            case Inspector():
                return here.subject
            case StoredPane():
                return here.chosen.row if here.chosen is not None else None
            case LiveTable():
                return here.chosen
        if self.flow.selected is not None:
            return self.flow.selected
        if not self.flow.follow:
            return None
        # While live the newest message is chosen: the one that can be read.
        shown = self.inspector.subject
        return shown if self.inspector.display and self.inspector.live else self.flow.live_row()

    def show_chosen(self) -> None:
        here = self.here
        if isinstance(here, Inspector):
            self._renew_topic(here)
            return
        if isinstance(here, LiveTable) and self.subject() is not None:
            self.inspector.show(self.subject())
        elif self.flow.selected is not None:
            self.inspector.show(self.flow.selected)
        elif self.flow.follow and self.inspector.display:
            row = self.flow.live_row()
            if row is not None:
                self.inspector.show(row, live=True)

    def _renew_topic(self, inspector: Inspector) -> None:
        """The values of a topic go on while somebody looks at them."""
        topic = topic_of(inspector.subject)
        for line in self.console_app.snapshot.destinations if topic else ():
            if topic_of(line) == topic:
                inspector.show(line)

    def _row(self) -> Row | None:
        """The chosen row, or the frame that is chosen among the held ones."""
        return row_of(self.subject())

    def chosen_row(self) -> Row | None:
        """The same, but not the newest message while live: that changes under the finger."""
        live = self.here is self.flow and self.flow.selected is None
        return None if live else self._row()

    def _connection(self) -> ConnectionView | None:
        subject = self.subject()
        return subject.view if isinstance(subject, ConnectionLine) else None

    # Moving ------------------------------------------------------------------------------

    def do_move(self, lines: int) -> None:
        self.here.move(lines)  # type: ignore[attr-defined]

    def do_page(self, direction: int) -> None:
        here: Any = self.here
        lines = here.rows_shown if isinstance(here, FlowPane) else here.page_lines()
        here.move(direction * max(1, lines // 2))

    def do_top(self) -> None:
        self.here.to_top()  # type: ignore[attr-defined]

    def do_end(self) -> None:
        here: Any = self.here
        if isinstance(here, FlowPane):
            here.go_live()
        else:
            here.to_end()

    def do_live(self) -> None:
        if self.flow.follow:
            self.flow.pause()
        else:
            self.flow.go_live()
        self.show_keys()

    def do_field(self, step: int) -> None:
        self.flow.next_field(step)

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
            self._close(pane)
        else:
            self.go_to(number)

    def do_zoom(self) -> None:
        here = self.here
        self.alone = None if self.alone is not None else here
        self.lay_out()
        self.set_focus(here)

    def do_back(self) -> None:
        here = self.here
        if isinstance(here, Inspector) and here.search.text:
            here.find("")
        elif self.alone is not None:
            self.do_zoom()
        elif here is self.stored:
            self.stored_open = False
            self.lay_out()
            back = self._stored_from
            self.set_focus(back if back.display else self.flow)
        elif here in self.on_demand and not self.narrow:
            self._close(here)
        elif isinstance(here, Inspector):
            back = self.panes[self.tab - 1] if self.narrow else self.flow
            self.set_focus(self.stored if self.stored_open else back)
        elif self.narrow and self.tab != 1:
            self.go_to(1)
        elif self.inspector_open and self.short:
            self.inspector_open = False
            self.lay_out()
        else:
            self.set_focus(self.flow)

    def _close(self, pane: Pane) -> None:
        self.opened.discard(pane)
        self.tab = 1
        self.lay_out()
        self.set_focus(self.flow)

    # Looking -----------------------------------------------------------------------------

    def do_inspect(self) -> None:
        if self.here is self.flow and self.flow.selected is None:
            self.flow.move(-1)
        if self.subject() is None:
            return
        shown = self.inspector.display
        self._open_inspector()
        if shown or self.here is not self.flow:
            self.set_focus(self.inspector)

    def do_fold(self) -> None:
        self.inspector.fold()

    def do_stored(self) -> None:
        """Show what a topic, queue or session has stored; a branch is unfolded instead."""
        if isinstance(here := self.look_at(), DestinationsPane) and here.unfold():
            return
        target = stored_target(self.subject())
        if target is None and isinstance(self.subject(), GroupView):
            # A Kafka group keeps nothing: who is in it, with what and how far, is what to see.
            self.do_inspect()
            if self.narrow:
                # Tables of members and offsets need the whole width.
                self.do_zoom()
            return
        if target is None:
            self.do_show_only()
            return
        problem = self.stored.open(self.console_app.session, *target)
        if problem:
            self.console_app.note(problem)
            return
        if here is not self.stored:
            self._stored_from = here
        self.stored_open = True
        self.alone = None
        self.lay_out()
        self.set_focus(self.stored)

    def do_why(self) -> None:
        self.look_at()
        about = why_about(self.subject())
        if about is None:
            self.console_app.note("choose a client, a group, a queue or a message first")
        else:
            self._run(f"why {about}")

    def do_tab(self, step: int) -> None:
        if not self._open_inspector():
            return
        if len(self.inspector.tabs) == 1:
            self.console_app.note("these facts are all there is: messages and topics have tabs")
        self.inspector.next_tab(step)

    def do_wire(self) -> None:
        if self._row() is None:
            self.console_app.note("select a message to see its frame")
        elif self._open_inspector():
            self.inspector.show_wire()

    def _open_inspector(self) -> bool:
        """Make the inspector visible; False where there is nothing to inspect."""
        subject = self.subject()
        if subject is None:
            self.console_app.note("nothing is chosen here")
            return False
        if not self.inspector.display:
            self.inspector_open = True
            if self.alone is not None:
                self.alone = None
            self.lay_out()
        live = self.here is self.flow and self.flow.selected is None
        self.inspector.show(subject, live=live)
        return True

    def do_find(self) -> None:
        self.open_find()

    def do_find_next(self, step: int) -> None:
        text = self.inspector.search.text
        if text:
            self.inspector.find(text, step)
        else:
            self.console_app.note("/ searches here first")

    def do_noise(self) -> None:
        self.flow.show(self.flow.filter, with_noise=not self.flow.with_noise)
        state = "with" if self.flow.with_noise else "without"
        self.console_app.note(f"the flow is {state} pings and empty polls")

    # Filtering ---------------------------------------------------------------------------

    def do_filter(self) -> None:
        self.open_filter()

    def do_narrow(self, sign: int) -> None:
        found = self._term()
        if found is None:
            self.console_app.note("nothing here to filter by")
            return
        text = combined(self.console_app.session.filter.text, found, negated=sign < 0)
        self._run(f"filter {text}" if text else "filter clear")

    def do_show_only(self) -> None:
        """Put the chosen thing into the filter, in the place of the one chosen before."""
        if isinstance(here := self.look_at(), DestinationsPane) and here.unfold():
            return
        found = self._term()
        if found is None:
            self.console_app.note("nothing here to filter by")
            return
        text, self._only = replaced(self.console_app.session.filter.text, self._only, found)
        self._run(f"filter {text}" if text else "filter clear")
        if self.narrow:
            self.go_to(1)

    def do_packets(self) -> None:
        """Show the client's packets of the kind in question, from the last that lint found on."""
        self.look_at()
        subject = self.subject()
        self.do_show_only()
        if isinstance(subject, LintLine):
            number = packet_of(self.console_app.feed.ring, subject.finding)
            self.go_to(1)
            if number is not None:
                self.flow.select_row(number)

    def _term(self) -> str | None:
        here = self.here
        if isinstance(here, Inspector):
            node = here.node()
            return term(f"json.{node.path}", node.value or "") if node is not None else None
        subject = self.subject()
        if isinstance(subject, Row):
            return term_of(subject, self.flow.field_name)
        return subject_term(subject)

    def do_toggle_filter(self) -> None:
        app = self.console_app
        if app.session.filter.text:
            app.last_filter = app.session.filter.text
            self._run("filter clear")
        elif app.last_filter:
            self._run(f"filter {app.last_filter}")

    def do_mark(self) -> None:
        row = self._row()
        if row is None or not self.console_app.feed.mark(row.seq, not row.marked):
            self.console_app.note("select a row to mark it")
            return
        self.flow.refresh()

    def do_only_marked(self) -> None:
        self.flow.show(self.flow.filter, only_marked=not self.flow.only_marked)

    def show_filter(self, shown: Filter | None) -> None:
        self.flow.show(shown)

    # Acting ------------------------------------------------------------------------------

    def do_prompt(self) -> None:
        self.prefill("")

    def do_republish(self) -> None:
        row = self.chosen_row()
        if row is not None and row.kind == "message":
            self._run("republish")
        elif self.console_app.feed.marks:
            self._run("republish @marked")
        else:
            self.console_app.note("select a message to publish it again")

    def do_edit(self) -> None:
        row = self._row()
        if row is None or row.kind != "message":
            self.console_app.note("select a message to edit it")
            return
        self.prefill(edit_line(row) if row.held else publish_line(row))

    def do_refuse(self) -> None:
        row = self._row()
        if row is not None and row.held:
            self.prefill(f"refuse h{row.held} ")
        else:
            self.console_app.note("no held frame is chosen; 5 lists them")

    def do_publish(self) -> None:
        subject, target = self.subject(), ""
        if isinstance(subject, DestinationLine):
            target = str(place_of(subject.view))
        elif (row := self._row()) is not None and row.destination:
            target = target_of(row.protocol, row.destination, row)
        self.prefill(f"pub {target} " if target else "pub ")

    def do_copy(self) -> None:
        row = self._row()
        if row is None or row.payload is None:
            self.console_app.note("nothing to copy here")
            return
        text = copied(row.payload)
        self.app.copy_to_clipboard(text)
        size = format_size(len(row.payload))
        if len(text.encode()) > _CLIPBOARD:
            self.console_app.note(
                f"{size} are more than many terminals take: export #{row.seq} > FILE writes it"
            )
            return
        form = " as hex" if text.startswith("hex:") and not row.payload.startswith(b"hex:") else ""
        self.console_app.note(f"{size} are in the clipboard{form}, if the terminal lets us")

    def do_hold(self) -> None:
        match self.subject():
            case ConnectionLine(view=view):
                scope = connection_term(view)
            case DestinationLine(view=view):
                scope = destination_term(view)
            case _:
                row = self._row()
                scope = f"{term('client', row.client)} {term('op', row.operation)}" if row else ""
        self.prefill(f"hold {scope}".rstrip() + " ")

    def do_release(self, behind: int = 0) -> None:
        self._settle("release", f" --behind {behind}" if behind else "")

    def do_drop(self) -> None:
        self._settle("drop")

    def _settle(self, command: str, how: str = "") -> None:
        row = self._row()
        if row is not None and row.held:
            held = row.held
            self._run(f"{command} h{held}{how}")
            if self.here is self.faults and held not in self._held_now():
                # The next one is chosen, so that frames can be let go one after the other.
                self.faults.leave()
        else:
            self.console_app.note("no held frame is chosen; 5 lists them, A releases all")

    def _held_now(self) -> Collection[int]:
        return self.console_app.session.runtime.holds.held

    def do_release_all(self) -> None:
        self._run("release")

    def do_switch(self) -> None:
        match self.subject():
            case FaultLine(what=Rule(id=number, enabled=enabled)):
                self._run(f"fault {'off' if enabled else 'on'} {number}")
            case _:
                self.console_app.note("only a fault can be switched off; a releases, D removes")

    def do_remove(self) -> None:
        match self.subject():
            case FaultLine(what=Rule(id=number)):
                self._run(f"fault rm {number}")
            case FaultLine(what=HoldRule(id=number)):
                self._run(f"hold rm {number}")
            case _:
                self.console_app.note("choose a fault or a hold; a releases a held frame")

    def do_fault(self) -> None:
        scope = ""
        view = self._connection()
        if view is not None:
            scope = connection_term(view)
        elif (row := self._row()) is not None and row.client:
            scope = term("client", row.client)
        line = f"fault add delay {scope}".rstrip() + " "
        self.prefill(line + "250ms", len(line))

    def do_kill(self) -> None:
        view = self._connection()
        if view is not None and view.state == ENDED:
            self.console_app.note(f"c{view.id} has ended already; W says why")
            return
        row = self._row()
        number = view.id if view is not None else row.connection if row is not None else 0
        if number:
            self._run(f"conn kill c{number}")
        else:
            self.console_app.note("select a connection, or a message of one")

    def do_panic(self) -> None:
        self._run("panic")

    def _run(self, line: str, *, confirmed: bool = False) -> None:
        self.console_app.run_line(line, confirmed=confirmed)
