"""The side panes: connections, topics and queues, groups, lint."""

from collections.abc import Callable, Sequence, Set
from typing import Any, ClassVar

from mockforge_brokers.ended import ENDED
from mockforge_brokers.findings import ERROR, SEVERITIES
from mockforge_brokers.protocols import letter_of, protocol_of, rank_of
from mockforge_brokers.snapshots import DestinationView, GroupView
from rich.style import Style

from ... import units
from ...console.cells import payload_text
from ...console.targets import SHARE, name_of, shared_by
from ...text import clean
from ..drawing import Piece
from ..keys import CONNECTIONS, DESTINATIONS, GROUPS, LINT
from ..palette import Glyphs, Palette
from ..snapshot import ConnectionLine, DestinationLine, LintLine
from .table import Column, LiveTable

_TREE_FROM = 4
"""Topics under one first level from which a narrow pane shows them as one line."""
_TREES_UP_TO = 60
_KINDS = {"topic": 0, "exchange": 1, "queue": 2}
_STEADY = frozenset({"open", "connected", "online", "stable", "running", "active", "waiting"})
_SHORT_STATES = {
    "preparingrebalance": "joining",
    "completingrebalance": "syncing",
    "connected": "online",
    "disconnected": "away",
}

Cell = tuple[str, Style]
Reader = Callable[[Any, Palette, Glyphs], Cell]


def _count(read: Callable[[Any], float | None]) -> Reader:
    """A figure that is muted, and fainter still while it is 0."""

    def cell(record: Any, palette: Palette, glyphs: Glyphs) -> Cell:
        figure = read(record)
        if figure is None:
            return "–", palette.faintest
        return units.format_count(figure), palette.muted if figure else palette.faintest

    return cell


def _words(read: Callable[[Any], str]) -> Reader:
    """A client's or broker's text, muted."""
    return lambda record, palette, glyphs: (clean(read(record), 120), palette.muted)


def _rate(read: Callable[[Any], float]) -> Reader:
    def cell(record: Any, palette: Palette, glyphs: Glyphs) -> Cell:
        rate = read(record)
        text = f"{rate:.1f}" if 0 < rate < 9.95 else units.format_count(rate)
        return text, palette.plain if rate else palette.faintest

    return cell


# Connections ------------------------------------------------------------------------------


def _connection_state(line: ConnectionLine, palette: Palette, glyphs: Glyphs) -> Cell:
    letter = letter_of(line.view.protocol)
    if line.view.state == ENDED:
        return letter + glyphs.off, palette.faintest
    sign = glyphs.on if line.view.state in _STEADY else glyphs.half
    return letter + sign, palette.protocol(line.view.protocol)


def _connection_client(line: ConnectionLine, palette: Palette, glyphs: Glyphs) -> Cell:
    name = clean(line.view.client, 80) or f"c{line.view.id}"
    if line.view.state == ENDED:
        return f"{name} {clean(str(line.view.detail.get('reason', '')), 200)}", palette.faintest
    if line.view.state in _STEADY:
        return name, palette.plain
    return f"{name} {clean(line.view.state, 30)}", palette.warning


class ConnectionsPane(LiveTable[ConnectionLine]):
    """Who is connected, and how busy."""

    label = "2 Connections"
    place = CONNECTIONS
    nothing = "nobody is connected"
    columns: ClassVar[Sequence[Column[Any]]] = (
        Column("", 2, _connection_state),
        Column("id", 5, _words(lambda line: f"c{line.view.id}"), least=60),
        Column("client", 0, _connection_client),
        Column("msg/s", 5, _rate(lambda line: line.messages), right=True),
        Column("KB/s", 4, _count(lambda line: line.bytes / 1024), right=True),
        Column("in", 6, _count(lambda line: line.view.messages_in), right=True, least=60),
        Column("out", 6, _count(lambda line: line.view.messages_out), right=True, least=60),
        Column("address", 21, _words(lambda line: line.view.address), least=76),
        Column("software", 24, _words(lambda line: line.view.software), least=100),
    )

    def identity(self, record: ConnectionLine) -> object:
        return record.view.id

    def sort_key(self, record: ConnectionLine) -> Any:
        if record.view.state == ENDED:
            return 99, -record.view.id
        return rank_of(record.view.protocol), record.view.id

    def words(self, record: ConnectionLine) -> str:
        view = record.view
        return f"c{view.id} {view.client} {view.address} {view.software}"

    def spans(self, record: ConnectionLine) -> bool:
        # Its reason is worth more than figures that stand still.
        return record.view.state == ENDED

    def title_pieces(self) -> tuple[list[Piece], list[Piece]]:
        left, right = super().title_pieces()
        ended = self.console_app.snapshot.totals.ended
        if ended and not self.sought:
            there = sum(line.view.state != ENDED for line in self.records)
            right = [(f"{there} +{ended:,} ended", self.palette.muted)]
        return left, right


# Topics, exchanges, queues ----------------------------------------------------------------


def _destination_sign(line: DestinationLine, palette: Palette, glyphs: Glyphs) -> Cell:
    sign = {"exchange": "x", "queue": "q"}.get(line.view.kind, " ")
    if line.view.note == "retained":
        sign = "r"
    letter = letter_of(line.view.protocol)
    return letter + sign, palette.protocol(line.view.protocol)


def _destination_name(line: DestinationLine, palette: Palette, glyphs: Glyphs) -> Cell:
    name = clean(name_of(line.view), 120) or "(default)"
    return name, palette.plain if line.rate else palette.muted


def _last_value(line: DestinationLine, palette: Palette, glyphs: Glyphs) -> Cell:
    text = payload_text(line.last, 200) if line.last is not None else ""
    return text, palette.plain if line.rate else palette.muted


_note = _words(lambda line: line.view.note)


def _any_values(lines: Sequence[DestinationLine]) -> bool:
    return any(line.last is not None for line in lines)


def _any_queues(lines: Sequence[DestinationLine]) -> bool:
    return any(line.view.kind == "queue" for line in lines)


def _out_rate(line: DestinationLine) -> float:
    return float(line.view.detail.get("out_per_second", 0))


def _unacked(line: DestinationLine) -> int | None:
    """What consumers of a queue have; other places have nothing of the kind."""
    return line.view.detail.get("unacked")


class DestinationsPane(LiveTable[DestinationLine]):
    """Topics, exchanges and queues with what comes in and what they hold."""

    label = "3 Topics · queues"
    place = DESTINATIONS
    nothing = "no topics or queues yet"
    columns: ClassVar[Sequence[Column[Any]]] = (
        Column("", 2, _destination_sign),
        Column("name", 0, _destination_name, keep_end=True),
        Column("in/s", 4, _rate(lambda line: line.rate), right=True),
        Column("holds", 5, _count(lambda line: line.view.depth), right=True),
        Column("in", 6, _count(lambda line: line.view.messages_in), right=True, least=60),
        Column("out", 6, _count(lambda line: line.view.messages_out), right=True, least=60),
        Column("out/s", 5, _rate(_out_rate), right=True, least=60, when=_any_queues),
        Column("unacked", 7, _count(_unacked), right=True, least=70, when=_any_queues),
        Column("note", 20, _note, least=70, when=_any_values),
        Column("last value", 40, _last_value, least=100, when=_any_values, floor=16),
        Column("note", 0, _note, least=70, when=lambda lines: not _any_values(lines)),
    )

    def identity(self, record: DestinationLine) -> object:
        return record.view.protocol, record.view.kind, name_of(record.view)

    def words(self, record: DestinationLine) -> str:
        return f"{name_of(record.view)} {record.view.note}"

    def sort_key(self, record: DestinationLine) -> Any:
        view = record.view
        host = view.detail.get("vhost", "")
        return rank_of(view.protocol), host, _KINDS.get(view.kind, 9), view.name

    def __init__(self) -> None:
        super().__init__()
        self._unfolded: set[str] = set()
        self._all: Sequence[DestinationLine] = ()

    def show(self, records: Sequence[DestinationLine]) -> None:
        self._all = records
        used = [line for line in records if _in_use(line)]
        # What is looked for may be within a branch.
        folds = self.body_width <= _TREES_UP_TO and not self.sought
        super().show(folded(used, self._unfolded) if folds else used)

    def show_again(self) -> None:
        if not self.sought and self.chosen is not None and (root := _root(self.chosen)):
            # What was found in a branch stays in view.
            self._unfolded.add(root)
        self.show(self._all)

    def unfold(self) -> bool:
        """Show the topics of the chosen branch; False if it is a topic or queue itself."""
        line = self.chosen
        if line is None or not line.view.detail.get("branch"):
            return False
        root = line.view.name.removesuffix("/#")
        self._unfolded.add(root)
        self._show_branch(root)
        return True

    def fold(self) -> bool:
        """Show the chosen topic's branch as one line again; False if it was not unfolded."""
        root = _root(self.chosen) if self.chosen is not None else ""
        if root not in self._unfolded:
            return False
        self._unfolded.discard(root)
        self._show_branch(root)
        return True

    def _show_branch(self, root: str) -> None:
        """With its first line chosen."""
        self.show(self._all)
        first = next((each for each in self.records if _root(each) == root), None)
        if first is not None:
            self._choose(first)
            self._keep_in_view()


def _root(line: DestinationLine) -> str:
    """The first level of a topic that has others below it; empty for what has no levels."""
    root, slash, _ = line.view.name.partition("/")
    return root if slash and protocol_of(line.view.protocol).levels else ""


def folded(
    lines: Sequence[DestinationLine], unfolded: Set[str] = frozenset()
) -> list[DestinationLine]:
    """MQTT topics of one first level as one line (`sensors/#`), where there are many."""
    trees: dict[str, list[DestinationLine]] = {}
    kept = []
    for line in lines:
        root = _root(line)
        if root:
            trees.setdefault(root, []).append(line)
        else:
            kept.append(line)
    for root, tree in trees.items():
        many = len(tree) >= _TREE_FROM and root not in unfolded
        kept += [_tree(root, tree)] if many else tree
    return kept


def _tree(root: str, lines: Sequence[DestinationLine]) -> DestinationLine:
    views = [line.view for line in lines]
    view = DestinationView(
        protocol=views[0].protocol,
        kind="topic",
        name=f"{root}/#",
        messages_in=sum(each.messages_in for each in views),
        messages_out=sum(each.messages_out for each in views),
        depth=sum(each.depth or 0 for each in views),
        note=f"{len(views)} topics",
        detail={"branch": [each.name for each in views[:200]]},
    )
    return DestinationLine(view, sum(line.rate for line in lines))


def _in_use(line: DestinationLine) -> bool:
    """Exchanges that exist from the start would hide those that somebody uses."""
    view = line.view
    born = view.kind == "exchange" and (not view.name or view.name.startswith("amq."))
    return not born or view.messages_in > 0


# Groups -----------------------------------------------------------------------------------


def _group_sign(group: GroupView, palette: Palette, glyphs: Glyphs) -> Cell:
    sign = "s" if shared_by(group) is not None else ""
    return letter_of(group.protocol) + sign, palette.protocol(group.protocol)


def _group_name(group: GroupView, palette: Palette, glyphs: Glyphs) -> Cell:
    name = name_of(group)
    return clean(name if shared_by(group) is None else name.removeprefix(SHARE), 120), palette.plain


def _group_state(group: GroupView, palette: Palette, glyphs: Glyphs) -> Cell:
    state = clean(group.state, 30).lower()
    state = _SHORT_STATES.get(state, state)
    return state, palette.ok if state in _STEADY else palette.warning


def _group_lag(group: GroupView, palette: Palette, glyphs: Glyphs) -> Cell:
    text, _ = _count(lambda each: each.lag)(group, palette, glyphs)
    return text, palette.warning if group.lag else palette.faintest


class GroupsPane(LiveTable[GroupView]):
    """Consumer groups, sessions and shares: how many take part, and how far behind they are."""

    label = "4 Groups"
    place = GROUPS
    nothing = "no groups"
    columns: ClassVar[Sequence[Column[Any]]] = (
        Column("", 2, _group_sign),
        Column("name", 0, _group_name, keep_end=True),
        Column("state", 7, _group_state),
        Column("n", 2, _count(lambda group: group.members), right=True),
        Column("lag", 4, _group_lag, right=True),
        Column("why", 44, _words(lambda group: group.reason), least=80, floor=24),
    )

    def identity(self, record: GroupView) -> object:
        return record.protocol, name_of(record)

    def words(self, record: GroupView) -> str:
        return f"{name_of(record)} {record.state}"

    def sort_key(self, record: GroupView) -> Any:
        return rank_of(record.protocol), name_of(record)


# Lint -------------------------------------------------------------------------------------


def _lint_sign(line: LintLine, palette: Palette, glyphs: Glyphs) -> Cell:
    error = line.finding.severity == ERROR
    sign = glyphs.error if error else "!"
    return letter_of(line.protocol) + sign, palette.error if error else palette.warning


def _lint_client(line: LintLine, palette: Palette, glyphs: Glyphs) -> Cell:
    name = clean(line.finding.client, 80) or f"c{line.finding.connection}"
    return name, palette.plain


def _lint_times(line: LintLine, palette: Palette, glyphs: Glyphs) -> Cell:
    finding = line.finding
    style = palette.error if finding.ended else palette.muted
    return units.format_count(finding.times), style


class LintPane(LiveTable[LintLine]):
    """What clients did against their protocol, and what is legal and risky."""

    label = "7 Lint"
    place = LINT
    nothing = "lint found nothing"
    columns: ClassVar[Sequence[Column[Any]]] = (
        Column("", 2, _lint_sign),
        Column("client", 14, _lint_client),
        Column("statement", 18, _words(lambda line: line.finding.statement)),
        Column("the last one", 0, _words(lambda line: line.finding.text)),
        Column("times", 5, _lint_times, right=True),
        Column("at", 12, _words(lambda line: units.clock_time(line.finding.last)), least=90),
    )

    def identity(self, record: LintLine) -> object:
        return record.protocol, record.finding.client, record.finding.statement

    def words(self, record: LintLine) -> str:
        return f"{record.finding.client} {record.finding.statement} {record.finding.text}"

    def sort_key(self, record: LintLine) -> Any:
        finding = record.finding
        severity = SEVERITIES.index(finding.severity)
        return severity, rank_of(record.protocol), finding.client, finding.statement
