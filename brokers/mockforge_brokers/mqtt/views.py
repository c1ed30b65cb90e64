"""What the broker shows of itself: connections, topics, sessions, metrics."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import islice
from operator import attrgetter
from typing import Any, Final, TypeVar

from ..findings import Findings
from ..snapshots import ConnectionView, DestinationView, GroupView, Metric
from .connection import MqttConnection
from .counting import PacketCounts
from .state.router import Router
from .state.session import EXPIRED, OVERSIZED, OWN, Session
from .state.sessions import Sessions
from .state.subscriptions import Share

T = TypeVar("T")
Counting = Generator[None, None, dict[str, int]]
"""Steps that return figures by name."""
_A_STEP: Final = 100
"""Clients or sessions that are looked at in one step."""
_MOST_LABELS: Final = 1_000
"""Topics with a metric of their own; the rest is one `other`."""


def connection_view(connection: MqttConnection) -> ConnectionView:
    # Made at the end of each connection, too: what it shows is asked for by methods, since a call
    # of a property costs as much as five attributes.
    peer, session = connection.peer, connection.session
    detail: dict[str, object]
    if session is None:
        detail = {"version": connection.version_name()}
    else:
        detail = {
            "version": connection.version_name(),
            "keep_alive": connection.keep_alive,
            "subscriptions": len(session.subscriptions),
            "inflight": len(session.inflight),
            "queued": len(session.queue),
            "dropped": session.dropped,
        }
        connection.add_detail(detail)
    if connection.bridge:
        detail["bridge"] = True
    if connection.linted:
        detail["lint"] = connection.broker.findings.of(connection.client, connection.linted)
    # In their order: to find fourteen by their names costs more than to make it.
    return ConnectionView(
        peer.id,
        "mqtt",
        connection.client,
        peer.address,
        connection.state(),
        peer.opened,
        "",
        connection.messages_in,
        connection.outlet.messages_out,
        peer.bytes_in,
        peer.bytes_out,
        detail,
        connection.place,
        peer.principal,
    )


def destination_views(router: Router) -> list[DestinationView]:
    """Every topic that was published to, and those that only hold a retained message."""
    retained = {message.topic_name: message for message in router.retained.all()}
    names = dict.fromkeys([*router.topics, *retained])
    views = []
    for name in names:
        counts = router.topics.get(name)
        kept = retained.get(name)
        views.append(
            DestinationView(
                protocol="mqtt",
                kind="topic",
                name=name,
                messages_in=counts.published if counts else 0,
                messages_out=counts.delivered if counts else 0,
                depth=1 if kept else 0,
                note="retained" if kept else "",
                detail={"retained": kept.payload, "qos": kept.qos} if kept else {},
            )
        )
    return views


def group_view(session: Session) -> GroupView:
    """A session as the console's groups pane has it: what waits is its lag."""
    sink = session.sink
    connected = sink is not None
    state = "away" if sink is None else "asleep" if sink.asleep else "connected"
    return GroupView(
        protocol="mqtt",
        name=session.client_id,
        state=state,
        members=int(connected),
        lag=len(session.queue) + len(session.inflight),
        detail=session_detail(session),
    )


def session_detail(session: Session) -> dict[str, object]:
    return {
        "client": session.client_id,
        "connected": session.sink is not None,
        "asleep": session.sink is not None and session.sink.asleep,
        "expiry": session.expiry,
        "queued": len(session.queue),
        "inflight": len(session.inflight),
        "dropped": session.dropped,
        "missed": session.missed,
        **{why: session.left_out.get(why, 0) for why in (EXPIRED, OVERSIZED, OWN)},
        "window": session.window,
        "subscriptions": {
            subscription.topic_filter: subscription.qos
            for subscription in session.subscriptions.values()
        },
        "retain_handling": {
            subscription.topic_filter: subscription.retain_handling
            for subscription in session.subscriptions.values()
            if subscription.retain_handling
        },
    }


def share_view(topic_filter: str, share: Share) -> GroupView:
    """A shared subscription as a group: what waits for its members is the lag of their sessions."""
    connected = any(session.sink is not None for session in share.members)
    return GroupView(
        protocol="mqtt",
        name=topic_filter,
        state="connected" if connected else "away",
        members=len(share.members),
        detail=share_detail(topic_filter, share),
    )


def share_detail(topic_filter: str, share: Share) -> dict[str, object]:
    """`taken` counts the messages for which a member was chosen, be it to wait for it."""
    return {
        "filter": topic_filter,
        "order": share.order,
        "messages": sum(share.taken.values()),
        "members": [
            {
                "client": session.client_id,
                "connected": session.sink is not None,
                "ready": session.ready,
                "qos": subscription.qos,
                "taken": share.taken.get(session, 0),
                "waiting": len(session.queue) + len(session.inflight),
            }
            for session, subscription in share.members.items()
        ],
    }


_COUNTED: Final[dict[str, Callable[[Any], int]]] = {
    "messages_in": attrgetter("messages_in"),
    "messages_out": attrgetter("outlet.messages_out"),
    "bytes_in": attrgetter("peer.bytes_in"),
    "bytes_out": attrgetter("peer.bytes_out"),
    "sockets": lambda connection: 1,
    "connections": lambda connection: int(bool(connection.client)),
}


class Totals:
    """What all connections did since the start, those that have ended too."""

    __slots__ = tuple(_COUNTED)

    def __init__(self) -> None:
        self.messages_in = self.messages_out = 0
        self.bytes_in = self.bytes_out = 0
        self.sockets = self.connections = 0

    def add(self, connection: MqttConnection) -> None:
        """It is over."""
        peer = connection.peer
        self.messages_in += connection.messages_in
        self.messages_out += connection.outlet.messages_out
        self.bytes_in += peer.bytes_in
        self.bytes_out += peer.bytes_out
        self.sockets += 1
        if connection.client:
            self.connections += 1

    def _ended(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in _COUNTED}

    def counted(self, connections: Iterable[MqttConnection]) -> dict[str, int]:
        """What they did and those that are open now do, by name."""
        found = tuple(connections)
        return {
            name: ended + sum(map(_COUNTED[name], found)) for name, ended in self._ended().items()
        }

    def figures(
        self,
        router: Router,
        sessions: Sessions,
        connections: Iterable[MqttConnection],
        packets: PacketCounts,
    ) -> Counting:
        """The steps that count each by name, and how much there is of sessions and messages.

        Who ends meanwhile is counted as it was last, and who comes is not.
        """
        figures, dropped = self._ended(), sessions.dropped
        connections, held = tuple(connections), tuple(sessions.by_client.values())
        for some in _in_steps(connections):
            for name, count in _COUNTED.items():
                figures[name] += sum(map(count, some))
            yield
        away = waiting = waiting_bytes = 0
        for several in _in_steps(held):
            away += sum(session.sink is None for session in several)
            waiting += sum(len(session.queue) + len(session.inflight) for session in several)
            waiting_bytes += sum(map(_payload_bytes, several))
            dropped += sum(session.dropped for session in several)
            yield
        return figures | {
            "packets_in": figures["messages_in"] + packets.total_received,
            "packets_out": figures["messages_out"] + packets.total_sent,
            "open": len(connections),
            "payload_in": packets.payload_in,
            "payload_out": packets.payload_out,
            "connected": len(held) - away,
            "away": away,
            "expired": sessions.expired,
            "most": sessions.most,
            "stored": router.retained.count + waiting,
            "stored_bytes": router.retained.payload_bytes + waiting_bytes,
            "retained": router.retained.count,
            "subscriptions": router.subscriptions.count,
            "shared": router.subscriptions.shared,
            "dropped": dropped,
        }


def _in_steps(found: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    left = iter(found)
    while some := tuple(islice(left, _A_STEP)):
        yield some


def _payload_bytes(session: Session) -> int:
    """Of what waits in a session and what it sent that is not acknowledged."""
    return session.queued_payload + session.inflight_payload


def metrics(
    router: Router,
    sessions: Sessions,
    connections: Iterable[MqttConnection],
    findings: Findings,
) -> list[Metric]:
    connected = sum(connection.session is not None for connection in connections)
    held = list(sessions.by_client.values())
    return [
        _by_topic(router, "mqtt_messages_published_total", "Messages published", "published"),
        _by_topic(router, "mqtt_messages_delivered_total", "Messages handed on", "delivered"),
        _single("mqtt_clients_connected", "Clients connected", connected),
        _single(
            "mqtt_clients_asleep",
            "MQTT-SN clients that sleep",
            sum(session.sink is not None and session.sink.asleep for session in held),
        ),
        _single("mqtt_sessions", "Sessions, connected or not", len(held)),
        _single("mqtt_subscriptions", "Subscriptions", router.subscriptions.count),
        _single("mqtt_retained_messages", "Retained messages", router.retained.count),
        _single(
            "mqtt_messages_queued",
            "Messages that wait in sessions",
            sum(len(s.queue) for s in held),
        ),
        _single(
            "mqtt_messages_inflight",
            "Messages sent and not acknowledged",
            sum(len(session.inflight) for session in held),
        ),
        Metric(
            "mqtt_messages_dropped_total",
            "Messages lost to slow clients and full queues",
            "counter",
            (),
            [((), sessions.dropped + sum(session.dropped for session in held))],
        ),
        Metric(
            "mqtt_lint_findings_total",
            "What clients did against the specification (error), or legal and risky (warning)",
            "counter",
            ("statement", "severity"),
            list(findings.by_statement().items()),
        ),
    ]


def packet_metrics(counts: PacketCounts, figures: Mapping[str, int]) -> Iterator[Metric]:
    """Packets by type, and the reason codes in them."""
    yield Metric(
        "mqtt_packets_total",
        "Packets received (in) and sent (out)",
        "counter",
        ("direction", "type"),
        [
            ((direction, kind), float(count))
            for direction, kind, count in counts.packets(
                figures["messages_in"], figures["messages_out"]
            )
        ],
    )
    yield Metric(
        "mqtt_reason_codes_total",
        "Reason codes (before MQTT 5: return codes) in packets",
        "counter",
        ("direction", "type", "reason"),
        [(labels, float(count)) for labels, count in counts.reasons().items()],
    )


def _single(name: str, text: str, value: float) -> Metric:
    return Metric(name, text, "gauge", (), [((), value)])


def _by_topic(router: Router, name: str, text: str, field: str) -> Metric:
    samples: list[tuple[tuple[str, ...], float]] = []
    other = getattr(router.other_topics, field)
    for place, counts in enumerate(router.topics.values()):
        if place < _MOST_LABELS:
            samples.append(((counts.topic_name or "other",), getattr(counts, field)))
        else:
            other += getattr(counts, field)
    if other:
        samples.append((("other",), other))
    return Metric(name, text, "counter", ("topic",), samples)
