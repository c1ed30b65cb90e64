"""Where a client gets something else than it asked for, and which setting decided that.

The specification leaves these to the server; each is named when it is used, since what works here
and not at another broker (or the other way round) is mostly one of them.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from .codes import V5
from .events import ServerChose
from .options import MqttOptions
from .state.session import Session
from .state.topics import SHARE, overlap
from .wire.packets import Connect, Request

if TYPE_CHECKING:
    from .connection import MqttConnection

_COMPARED: Final = 50
"""Subscriptions of a session that a new one is compared with."""

_ORDERS: Final = {
    "turns": "its members take turns",
    "random": "chance says which member gets a message",
    "sticky": "one member gets all as long as it is there",
    "topic": "the topic says which member gets a message",
}


def report_connect(
    connection: "MqttConnection", packet: Connect, answer: Mapping[str, Any]
) -> None:
    """Report what CONNACK changes of what CONNECT asked for."""
    if packet.version == V5:
        for choice in _of_connect(packet, answer):
            _report(connection, "CONNECT", choice)
        aliases = connection.outlet.alias_maximum
        if aliases:
            allowed = f"topic aliases 1 to {aliases} in what it gets (outbound_topic_aliases)"
            _report(connection, "CONNECT", allowed)
        return
    seconds = connection.options.session_expiry_before_5
    if seconds is not None and not packet.clean_start:
        choice = f"the session ends {seconds} s after its connection (session_expiry_before_5)"
        _report(connection, "CONNECT", choice)


def _of_connect(packet: Connect, answer: Mapping[str, Any]) -> Iterator[str]:
    keep_alive = answer.get("server_keep_alive")
    if keep_alive is not None:
        asked = packet.keep_alive or "none"
        yield f"a keep alive of {keep_alive} s in place of {asked} (keep_alive_secs)"
    expiry = answer.get("session_expiry_interval")
    if expiry is not None:
        yield f"the session ends {expiry} s after its connection (session_expiry_maximum)"
    assigned = answer.get("assigned_client_identifier")
    if assigned:
        yield f"the client identifier {assigned}, since it gave none"


def report_withheld(connection: "MqttConnection") -> None:
    """A QoS 2 message waits for its PUBREL; reported of a connection's first."""
    _report_once(connection, "PUBLISH", "QoS 2 goes on at PUBREL, not at PUBLISH (qos2_hand_on)")


def report_untold(connection: "MqttConnection") -> None:
    """Nobody subscribed to what it published, which its acknowledgement could say."""
    choice = "no 0x10 in PUBACK or PUBREC, though nobody subscribed (tell_no_subscribers)"
    _report_once(connection, "PUBLISH", choice)


def _report_once(connection: "MqttConnection", about: str, choice: str) -> None:
    if choice not in connection.named_choices:
        connection.named_choices |= {choice}
        _report(connection, about, choice)


def report_subscription(
    connection: "MqttConnection", session: Session, request: Request, granted: int
) -> None:
    """Report what becomes of one filter, before it is subscribed to."""
    for choice in _of_subscription(session, request, granted, connection.options):
        _report(connection, f"SUBSCRIBE {request.topic_filter}", choice)


def _of_subscription(
    session: Session, request: Request, granted: int, options: MqttOptions
) -> Iterator[str]:
    topic_filter = request.topic_filter
    if granted < request.qos:
        yield f"QoS {granted} in place of {request.qos} (maximum_qos)"
    if topic_filter.startswith(SHARE):
        yield f"{_ORDERS[options.shared_order]} (shared_order)"
        if not options.shared_redelivery:
            yield "what it leaves unacknowledged at its end is lost (shared_redelivery)"
        return
    if not session.subscriptions or len(session.subscriptions) > _COMPARED:
        return
    for other in session.subscriptions:
        if other != topic_filter and not other.startswith(SHARE) and overlap(topic_filter, other):
            how = "a message for each" if session.separate else "one message for both"
            yield f"{how}: it overlaps {other} (merge_overlapping)"
            return


def _report(connection: "MqttConnection", about: str, choice: str) -> None:
    connection.broker.environment.spine.emit(
        ServerChose(
            "mqtt",
            connection.peer.id,
            connection.client,
            about,
            choice,
            connection.options.preset,
        )
    )
