"""What the keys do. What changes something is a command line, run and reported as if typed."""

from typing import TYPE_CHECKING, Any

from mockforge_brokers.errors import BrokerError
from mockforge_brokers.events import INSIDE
from mockforge_brokers.journal import Row
from mockforge_brokers.snapshots import GroupView

from ...console.commands.connections import connections_of
from ...feed.exchange import Exchange
from ...filters import Filter
from ...text import clean
from ..filter_keys import FilterKeys
from ..key_commands import KEY_COMMANDS, Begin, Chosen, Deed, Note, Run, diff, timeline, why
from ..keys import KEYS, key_of
from ..narrowing import (
    connection_of,
    packet_of,
    stored_target,
    subject_term,
    term,
    term_of,
)
from ..points import client_of
from ..snapshot import LintLine
from ..subjects import Subject, identity, row_of
from ..widgets.flow import FlowPane
from ..widgets.inspector import Inspector
from ..widgets.ladder import LadderPane
from ..widgets.panes import DestinationsPane
from ..widgets.stored import StoredPane
from ..widgets.table import LiveTable
from ..widgets.topology import TopologyPane
from .layout import SOUGHT, PaneScreen

if TYPE_CHECKING:
    from ..app import ConsoleApp


class ActingScreen(PaneScreen):
    """The dashboard's keys at work."""

    def __init__(self, app: "ConsoleApp") -> None:
        super().__init__(app)
        self._filters = FilterKeys()

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
        arguments = (int(argument),) if argument else ()
        if action in KEY_COMMANDS:
            self._carry_out(KEY_COMMANDS[action](self.chosen(), *arguments))
            return
        act: Any = getattr(self, f"do_{action}")
        act(*arguments)

    def _carry_out(self, deed: Deed) -> None:
        match deed:
            case Note(text):
                self.console_app.note(text)
            case Begin(line, cursor):
                self.prefill(line, cursor)
            case Run(line, settles):
                self._run(line)
                held = self.console_app.session.runtime.holds.held
                if settles and self.here is self.faults and settles not in held:
                    # The next one is chosen, so that frames can be let go one after the other.
                    self.faults.leave()

    # What is chosen ----------------------------------------------------------------------

    def subject(self) -> Subject | None:
        """What keys act on: the chosen record of this pane, which the inspector shows too."""
        here = self.here
        match here:
            case Inspector():
                return here.subject
            case StoredPane():
                return here.chosen.row if here.chosen is not None else None
            case LiveTable() | LadderPane() | TopologyPane():
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
            self._renew(here)
            here.look()
            return
        if isinstance(here, SOUGHT) and self.subject() is not None:
            self.inspector.show(self.subject())
        elif self.flow.selected is not None:
            self.inspector.show(self.flow.selected)
        elif self.flow.follow and self.inspector.display:
            row = self.flow.live_row()
            if row is not None:
                self.inspector.show(row, live=True)

    def _renew(self, inspector: Inspector) -> None:
        """Figures and values go on while somebody looks at them; a row stays what it is."""
        subject = inspector.subject
        for each in self.console_app.snapshot.like(subject):
            if identity(each) == identity(subject):
                inspector.show(each)
                return

    def _row(self) -> Row | None:
        """The chosen row, or the frame that is chosen among the held ones."""
        return row_of(self.subject())

    def chosen(self) -> Chosen:
        """The same for keys that act."""
        here = self.here
        live = here is self.flow and self.flow.selected is None
        live = live or (here is self.ladder and self.ladder.follow)
        subject, marks = self.subject(), frozenset(self.console_app.feed.marks)
        client = client_of(self.console_app.snapshot, subject)
        return Chosen(subject, live, marks, client, pointed=here is self.topology)

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
        if self.here is self.ladder:
            (self.ladder.pause if self.ladder.follow else self.ladder.go_live)()
        elif self.here is self.topology:
            self.topology.toggle_frozen()
        elif self.flow.follow:
            self.flow.pause()
        else:
            self.flow.go_live()
        self.show_keys()

    def do_field(self, step: int) -> None:
        self.flow.next_field(step)

    def do_back(self) -> None:
        if not self._went_back():
            self.set_focus(self.flow)

    def do_leave(self) -> None:
        """Back, as long as there is a way; then out of the program."""
        if not self._went_back():
            self.do_quit()

    def do_quit(self) -> None:
        self.console_app.ask("End the console and its brokers?", lambda: self._run("quit"))

    def _went_back(self) -> bool:
        """Undo the last thing that was opened; False where there is none."""
        here = self.here
        if isinstance(here, Inspector) and here.search.text:
            here.find("")
        elif isinstance(here, SOUGHT) and here.sought:
            here.seek("")
        elif self.alone is not None and here is not self.topology:
            self.do_zoom()
        elif here is self.in_place:
            self.in_place = self.alone = None
            self.lay_out()
            back = self._came_from
            self.set_focus(back if back.display else self.flow)
        elif here in self.on_demand and not self.narrow:
            self.close_pane(here)
        elif isinstance(here, Inspector):
            before = self.panes[self.tab - 1] if self.narrow else self.flow
            self.set_focus(self.in_place or before)
        elif self.narrow and self.tab != 1:
            self.go_to(1)
        elif self.inspector_open and self.short:
            self.inspector_open = False
            self.lay_out()
        elif here is not self.top:
            self.set_focus(self.top)
        else:
            return False
        return True

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
        if not isinstance(self.here, DestinationsPane):
            self.inspector.fold()
        elif not self.here.fold():
            self.console_app.note("no branch was unfolded here: enter on one (sensors/#) does it")

    def do_stored(self) -> None:
        """Show what a topic, queue or session has stored; a branch is unfolded instead."""
        if isinstance(here := self.look_at(), DestinationsPane) and here.unfold():
            return
        target = stored_target(self.subject())
        if target is None and isinstance(self.subject(), GroupView):
            # Kafka's groups and MQTT's shares keep nothing: who is in them, and how far, is to see.
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
        self.open_in_place(self.stored)

    def do_ladder(self) -> None:
        """Draw the connection of what is chosen."""
        self.look_at()
        chosen = self.chosen()
        number = chosen.client.id if chosen.client is not None else connection_of(chosen.subject)
        if isinstance(chosen.subject, Row) and chosen.subject.client.startswith(INSIDE):
            who = clean(chosen.subject.client, 40)
            self.console_app.note(f"{who} comes by no connection: it has no ladder to draw")
        elif not number:
            self.console_app.note("choose a connection, or a message of one, to draw its ladder")
        elif self._draw(number):
            self.ladder.seek("")
            self.open_in_place(self.ladder)

    def _draw(self, which: int | str) -> bool:
        """Whether there is a connection of this number, or one of this client."""
        try:
            self.ladder.open(connections_of(self.console_app.session, which))
        except BrokerError as error:
            self.console_app.note(str(error))
            return False
        return True

    def do_topology(self) -> None:
        """All the screen is the picture's; the same key leads back."""
        if self.here is self.topology:
            self.topology.seek("")
            self._went_back()
            return
        self.topology.open()
        self.open_in_place(self.topology)
        self.alone = self.topology
        self.lay_out()

    def do_only_this(self) -> None:
        self.look_at()
        self.topology.only_chosen()

    def do_side(self, step: int) -> None:
        self.topology.to_side(step)

    def do_single(self) -> None:
        self.ladder.toggle_folded()

    def do_all_of_client(self) -> None:
        """From one connection to all that its client has, and back."""
        row, shown = self.ladder.chosen, self.ladder.views
        if len(shown) > 1:
            self._draw(row.connection if row is not None else shown[0].id)
        elif self._draw(shown[0].client or shown[0].id) and len(self.ladder.views) == 1:
            self.console_app.note("it is the only connection of this client")

    def do_why(self) -> None:
        self.look_at()
        self._carry_out(why(self.chosen()))

    def do_timeline(self) -> None:
        self.look_at()
        self._carry_out(timeline(self.chosen()))

    def do_diff(self) -> None:
        self.look_at()
        self._carry_out(diff(self.chosen()))

    def do_tab(self, step: int) -> None:
        if not self._open_inspector():
            return
        if len(self.inspector.opened.tabs) == 1:
            self.console_app.note("these facts are all there is: messages and topics have tabs")
        self.inspector.next_tab(step)

    def do_wire(self) -> None:
        if self._row() is None:
            self.console_app.note("select a message to see its frame")
        elif self._open_inspector():
            self.inspector.show_wire()

    def do_exchange(self) -> None:
        """Go to what answers the chosen row, from the last answer to what was asked."""
        row = self._row()
        if row is None:
            self.console_app.note("select a message to go to its answer")
            return
        if self.here is self.ladder:
            problem = self.ladder.partner()
            if problem:
                self.console_app.note(problem)
            return
        exchange = Exchange(self.console_app.feed.ring, row)
        exchange.look()
        found = next(iter(exchange.answered or exchange.asked), None)
        if found is None:
            text = "it is not answered yet" if exchange.waits else "nothing here belongs to it"
            self.console_app.note(text)
            return
        self.flow.select_row(found.seq)
        if self.here is self.inspector:
            self.inspector.show(found)
        if not self.flow.shows(found):
            self.console_app.note(f"#{found.seq} {found.operation} is not among the rows shown")

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
        if isinstance(here := self.here, LadderPane | TopologyPane):
            here.toggle_noise()
            return
        self.flow.show(self.flow.filter, with_noise=not self.flow.with_noise)
        state = "with" if self.flow.with_noise else "without"
        self.console_app.note(f"the flow is {state} pings and empty polls")

    # Filtering ---------------------------------------------------------------------------

    def do_filter(self) -> None:
        self.open_filter()

    def do_narrow(self, sign: int) -> None:
        text = self.console_app.session.filter.text
        self._carry_out(self._filters.narrow(text, self._term(), negated=sign < 0))

    def do_show_only(self) -> None:
        """Put the chosen thing into the filter, in the place of the one chosen before."""
        if isinstance(here := self.look_at(), DestinationsPane) and here.unfold():
            return
        found = self._term()
        self._carry_out(self._filters.show_only(self.console_app.session.filter.text, found))
        if self.narrow and found is not None:
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
        self._carry_out(self._filters.toggle(self.console_app.session.filter.text))

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

    def _run(self, line: str, *, confirmed: bool = False) -> None:
        self.console_app.run_line(line, confirmed=confirmed)
