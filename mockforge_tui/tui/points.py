"""What a point of the topology is among the lines of a snapshot, for inspector and keys."""

from mockforge_brokers.snapshots import ConnectionView, GroupView

from ..console.targets import name_of
from ..console.topology.flows import Place
from ..console.topology.graph import End, Hub, Inner
from .snapshot import ConnectionLine, DestinationLine, Snapshot


def line_of(
    snapshot: Snapshot, point: Hub | Inner | End
) -> ConnectionLine | DestinationLine | GroupView | None:
    """None of what is shown of nothing there is: a producer of ours, a topic to be."""
    match point:
        case End(of="client"):
            return _client(snapshot, point)
        case End():
            those = (each for each in snapshot.groups if each.protocol == point.protocol)
            return next((each for each in those if point.name in (each.name, name_of(each))), None)
        case Hub() if point.view is not None and point.view.detail.get("branch"):
            return DestinationLine(point.view, point.rate)
    return _destination(snapshot, point.place)


def client_of(snapshot: Snapshot, subject: object) -> ConnectionView | None:
    """The connection of the client whose session this is, if it has one."""
    if not isinstance(subject, GroupView) or "subscriptions" not in subject.detail:
        return None
    views = (line.view for line in snapshot.connections if line.view.protocol == subject.protocol)
    return next((view for view in views if view.client == subject.name), None)


def _client(snapshot: Snapshot, end: End) -> ConnectionLine | None:
    for line in snapshot.connections:
        view = line.view
        if view.protocol == end.protocol and end.name == (view.client or f"c{view.id}"):
            return line
    return None


def _destination(snapshot: Snapshot, place: Place) -> DestinationLine | None:
    for line in snapshot.destinations:
        view = line.view
        if place == Place(view.protocol, view.kind, name_of(view)):
            return line
    return None
