"""What may be chosen in a pane, and what the inspector says of it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ..console.commands.faults import value_of
from ..console.commands.holds import decision_of
from ..text import clean
from ..units import format_count, format_duration, format_size
from .documents import Line
from .inspection import pair, tree
from .rows import short
from .snapshot import ConnectionLine, DestinationLine, FaultLine

Subject = Row | ConnectionLine | DestinationLine | GroupView | FaultLine


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
            return "destination", view.protocol, view.kind, view.name
        case GroupView(protocol=protocol, name=name):
            return "group", protocol, name
        case FaultLine(order=order, id=number):
            return "fault", order, number
    return id(subject)


@dataclass
class Sheet:
    """The facts of a connection, destination, group or rule: one tab of lines."""

    subject: ConnectionLine | DestinationLine | GroupView | FaultLine

    @cached_property
    def title(self) -> tuple[str, str]:
        """Its protocol and its name."""
        match self.subject:
            case ConnectionLine(view=view):
                return view.protocol, f"connection c{view.id}  {clean(view.client, 60)}"
            case DestinationLine(view=view):
                return view.protocol, f"{view.kind} {clean(view.name, 80) or '(default)'}"
            case GroupView(protocol=protocol, name=name):
                kind = {"mqtt": "session", "amqp": "queue's consumers"}.get(protocol, "group")
                return protocol, f"{kind} {clean(name, 80)}"
            case FaultLine(what=HoldRule(id=number)):
                return "", f"hold {number}"
            case FaultLine(id=number):
                return "", f"fault {number}"

    @cached_property
    def lines(self) -> list[Line]:
        match self.subject:
            case ConnectionLine(view=view):
                return list(_connection(view))
            case DestinationLine(view=view):
                return list(_destination(view))
            case GroupView():
                return list(_group(self.subject))
            case FaultLine(what=what):
                return list(_rule(what))


def _facts(*facts: tuple[str, str]) -> Iterator[Line]:
    for name, value in facts:
        if value:
            yield pair(name, clean(value, 400))


def _connection(view: ConnectionView) -> Iterator[Line]:
    since = time.strftime("%H:%M:%S", time.localtime(view.since))
    yield from _facts(
        ("client", view.client),
        ("state", view.state),
        ("address", view.address),
        ("software", view.software),
        ("since", since),
        ("messages", f"{view.messages_in:,} in, {view.messages_out:,} out"),
        ("bytes", f"{format_size(view.bytes_in)} in, {format_size(view.bytes_out)} out"),
    )
    yield from _details(view.detail)


def _destination(view: DestinationView) -> Iterator[Line]:
    yield from _facts(
        ("name", view.name),
        ("holds", format_count(view.depth) if view.depth is not None else ""),
        ("messages", f"{view.messages_in:,} in, {view.messages_out:,} out"),
        ("note", view.note),
    )
    yield from _details(view.detail)


def _group(view: GroupView) -> Iterator[Line]:
    yield from _facts(
        ("name", view.name),
        ("state", view.state),
        ("members", str(view.members)),
        ("lag", f"{view.lag:,}" if view.lag is not None else ""),
        ("last change", view.reason),
    )
    yield from _details(view.detail)


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


def _details(detail: object) -> Iterator[Line]:
    if isinstance(detail, dict):
        for name, value in detail.items():
            if value in (None, "", (), [], {}):
                continue
            if isinstance(value, str | int | float):
                yield pair(
                    str(name).replace("_", " "),
                    clean(value if isinstance(value, str) else short(value), 400),
                )
            else:
                yield from tree(str(name).replace("_", " "), value, 0)
