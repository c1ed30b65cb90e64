"""What may be chosen in a pane, and what the inspector says of it."""

import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mockforge_brokers.findings import Finding
from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.protocols import protocol_of
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ..console.cells import short
from ..console.commands.faults import value_of
from ..console.commands.holds import decision_of
from ..console.commands.sessions import ending_of
from ..console.kafka_tables import Tables, of_group, of_topic
from ..console.results import table_lines
from ..console.targets import name_of, shared_by
from ..feed.values import Value
from ..text import clean
from ..units import clock_time, format_count, format_duration, format_size
from .documents import Line
from .inspection import pair, tree
from .snapshot import ConnectionLine, DestinationLine, FaultLine, LintLine
from .topic_sheet import chart_lines, summary, value_lines

_SUBSCRIPTIONS = 200
_MOST_ROWS = 1_000
TOPIC_TABS = ("Facts", "Values", "Chart")

Subject = Row | ConnectionLine | DestinationLine | GroupView | FaultLine | LintLine


def row_of(subject: object) -> Row | None:
    """The row that a subject is, or the frame that it holds back."""
    match subject:
        case Row():
            return subject
        case FaultLine(what=HeldFrame(rows=rows)):
            return rows[0]
    return None


def identity(subject: object) -> object:
    """What a subject is known by from one snapshot to the next."""
    match subject:
        case ConnectionLine(view=view):
            return "connection", view.id
        case DestinationLine(view=view):
            return "destination", view.protocol, view.kind, name_of(view)
        case GroupView(protocol=protocol):
            return "group", protocol, name_of(subject)
        case FaultLine(order=order, id=number):
            return "fault", order, number
        case LintLine(protocol=protocol, finding=finding):
            return "lint", protocol, finding.client, finding.statement
    return id(subject)


def topic_of(subject: object) -> str:
    """The MQTT topic that a subject is; empty for all else, and for a branch of topics."""
    match subject:
        case DestinationLine(view=DestinationView(kind="topic") as view):
            valued = protocol_of(view.protocol).levels and not view.detail.get("branch")
            return view.name if valued else ""
    return ""


@dataclass
class Sheet:
    """The facts of a connection, destination, group or rule, and an MQTT topic's values.

    `tables` stand below the facts.
    """

    subject: ConnectionLine | DestinationLine | GroupView | FaultLine | LintLine
    values: Sequence[Value] = ()
    tables: Tables = field(default_factory=dict)

    @cached_property
    def title(self) -> tuple[str, str]:
        """Its protocol and its name."""
        match self.subject:
            case ConnectionLine(view=view):
                return view.protocol, f"connection c{view.id}  {clean(view.client, 60)}"
            case DestinationLine(view=view):
                return view.protocol, f"{view.kind} {clean(name_of(view), 80) or '(default)'}"
            case GroupView(protocol=protocol):
                name = clean(name_of(self.subject), 80)
                what = "share" if shared_by(self.subject) else protocol_of(protocol).group
                return protocol, f"{what} {name}"
            case FaultLine(what=HoldRule(id=number)):
                return "", f"hold {number}"
            case FaultLine(id=number):
                return "", f"fault {number}"
            case LintLine(protocol=protocol, finding=finding):
                return protocol, f"{finding.severity} {clean(finding.statement, 60)}"

    @property
    def tabs(self) -> tuple[str, ...]:
        return TOPIC_TABS if topic_of(self.subject) else TOPIC_TABS[:1]

    def lines(self, tab: int, width: int, height: int, bars: str, chosen: int) -> list[Line]:
        """A tab's lines for this room; `chosen` is the number that is charted."""
        match tab:
            case 1:
                return value_lines(self.values, width)
            case 2:
                return chart_lines(self.values, chosen, width, height, bars)
        below = _tables(self.tables, width)
        return [*self._facts(width), *_facts(*summary(self.values, bars)), *below]

    @property
    def _in_tables(self) -> set[str]:
        """Facts of which a table beside them says more."""
        return {fact for table, fact in _FACTS_OF.items() if self.tables.get(table, ((), ()))[1]}

    def _facts(self, width: int) -> list[Line]:
        match self.subject:
            case ConnectionLine(view=view):
                return list(_connection(view, self._in_tables))
            case DestinationLine(view=view):
                return list(_destination(view, width, self._in_tables))
            case GroupView(detail={"subscriptions": _}):
                return list(_session(self.subject))
            case GroupView(detail={"filter": _, "order": _}):
                return list(_share(self.subject))
            case GroupView():
                return list(_group(self.subject, width, self._in_tables))
            case FaultLine(what=what):
                return list(_rule(what))
            case LintLine(finding=finding):
                return list(_found(finding))


_FACTS_OF = {"consumers": "consumers", "ways": "bindings", "channels": "by_channel"}
"""By the name of a table."""


def _facts(*facts: tuple[str, str]) -> Iterator[Line]:
    for name, value in facts:
        if value:
            yield pair(name, clean(value, 400))


def _user(view: ConnectionView) -> str:
    """Who it is and how it proved that; empty for one that need not log in."""
    who = view.principal
    if not who.name:
        return ""
    return f"{who.name} by {who.mechanism}" if who.mechanism else who.name


def _connection(view: ConnectionView, said: Set[str]) -> Iterator[Line]:
    since = time.strftime("%H:%M:%S", time.localtime(view.since))
    yield from _facts(
        ("client", view.client),
        ("user", _user(view)),
        ("state", view.state),
        ("address", view.address),
        ("software", view.software),
        ("since", since),
        ("messages", f"{view.messages_in:,} in, {view.messages_out:,} out"),
        ("bytes", f"{format_size(view.bytes_in)} in, {format_size(view.bytes_out)} out"),
    )
    yield from _details(view.detail, said)


def _tables(tables: Tables, width: int) -> Iterator[Line]:
    """Each table below its name, for so many cells."""
    for name, (columns, rows) in tables.items():
        if rows:
            yield (("", "mark"),)
            yield ((name, "key"), (f"  {len(rows):,}", "comment"))
            heading, *lines = table_lines(columns, rows[:_MOST_ROWS], max(20, width - 2))
            yield (("  ", "mark"), (heading, "comment"))
            yield from ((("  ", "mark"), (line, "argument")) for line in lines)


def _destination(view: DestinationView, width: int, said: Set[str]) -> Iterator[Line]:
    yield from _facts(
        ("name", view.name),
        ("holds", format_count(view.depth) if view.depth is not None else ""),
        ("messages", f"{view.messages_in:,} in, {view.messages_out:,} out"),
        ("note", view.note),
    )
    tables = of_topic(view)
    yield from _details(view.detail, {*tables, *said})
    yield from _tables(tables, width)


def _group(view: GroupView, width: int, said: Set[str]) -> Iterator[Line]:
    yield from _facts(
        ("name", view.name),
        ("state", view.state),
        ("members", str(view.members)),
        ("lag", f"{view.lag:,}" if view.lag is not None else ""),
        ("last change", view.reason),
    )
    tables = of_group(view)
    yield from _details(view.detail, {*tables, *said, *(("pending",) if tables else ())})
    yield from _tables(tables, width)


def _session(view: GroupView) -> Iterator[Line]:
    """An MQTT session: what it subscribed to, what is on its way, what waits, when it ends."""
    detail: Any = view.detail
    yield from _facts(
        ("client", view.name),
        ("state", view.state),
        ("in flight", f"{detail['inflight']:,} of {detail['window']:,}"),
        ("queued", f"{detail['queued']:,}"),
        ("lost", f"{detail['dropped']:,} dropped, {detail['missed']:,} of QoS 0 while away"),
        ("ends", ending_of(detail["expiry"])),
    )
    subscriptions = detail["subscriptions"]
    yield pair("subscriptions", str(len(subscriptions) or "none"))
    for topic_filter, qos in list(subscriptions.items())[:_SUBSCRIPTIONS]:
        yield (("  ", "mark"), (clean(topic_filter, 200), "string"), (f"  QoS {qos}", "comment"))


def _share(view: GroupView) -> Iterator[Line]:
    """A shared subscription of MQTT; its members are a table below."""
    detail: Any = view.detail
    yield from _facts(
        ("filter", view.name),
        ("state", view.state),
        ("order", f"{detail['order']}: each message goes to one member"),
        ("messages", f"{detail['messages']:,} given to members"),
    )


def _rule(what: Rule | HoldRule | HeldFrame) -> Iterator[Line]:
    match what:
        case HoldRule():
            way = {None: "", 0: "in", 1: "out"}[what.match.direction]
            yield from _facts(
                ("holds", what.scope or "everything"),
                ("does", decision_of(what)),
                ("direction", way),
                ("held", str(what.hits)),
                ("at most", str(what.most or "")),
                ("let go after", format_duration(what.timeout) if what.timeout else ""),
            )
        case Rule():
            yield from _facts(
                ("fault", what.kind),
                ("scope", what.scope or "everything"),
                ("value", value_of(what)),
                ("state", "on" if what.enabled else "off"),
                ("hits", str(what.hits)),
            )


def _found(finding: Finding) -> Iterator[Line]:
    """What lint found, whole: a line of the pane has no room for it."""
    yield from _facts(
        ("statement", finding.statement),
        ("is", finding.severity),
        ("client", finding.client),
        ("connection", f"c{finding.connection}"),
        ("times", f"{finding.times:,}"),
        ("ended", f"{finding.ended:,} connections" if finding.ended else ""),
        ("last", clock_time(finding.last)),
        ("what", finding.text),
    )


def _details(detail: object, said: Set[str] = frozenset()) -> Iterator[Line]:
    """All of a view but what is said elsewhere."""
    if isinstance(detail, dict):
        for name, value in detail.items():
            if value in (None, "", (), [], {}) or name in said:
                continue
            if isinstance(value, str | int | float):
                yield pair(
                    str(name).replace("_", " "),
                    clean(value if isinstance(value, str) else short(value), 400),
                )
            else:
                yield from tree(str(name).replace("_", " "), value, 0)
