"""CONNECT: who may come in, with which session, and what CONNACK tells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ProtocolError
from ..events import ClientIdentified
from . import choices, lint_warnings
from .capabilities import announced, check_message
from .codes import CONNACK_CODES, V5, V31, PacketType, Reason
from .events import ClientConnected
from .explanations import Explained, facts_of
from .options import MqttOptions
from .records import NO_PROPERTIES, Message, detailed
from .state.session import LAST_ID
from .state.topics import name_problem
from .wire.packets import Connack, Connect, Will
from .wire.properties import Properties

if TYPE_CHECKING:
    from .connection import MqttConnection

_FOR_EVER = 0xFFFF_FFFF


class Refused(Explained):
    """A CONNECT that is answered with a failing CONNACK; `code` is the MQTT 5 reason.

    `server` is the Server Reference, where it names one.
    """

    server = ""


class NotServed(Refused):
    """A CONNECT that asks for a `feature` that this broker does not have."""

    def __init__(self, feature: str, text: str, code: int) -> None:
        super().__init__(text, code)
        self.feature = feature


def check(packet: Connect, options: MqttOptions) -> None:
    """Raise Refused for what this broker does not take in."""
    asked = packet.properties
    if "authentication_data" in asked and "authentication_method" not in asked:
        raise Refused("Authentication Data without a method", Reason.PROTOCOL_ERROR)
    # An empty client id with a session to keep has no name to keep it under [MQTT-3.1.3-8];
    # MQTT 5 clients get the name that we choose.
    if not packet.client_id and (
        packet.version == V31 or (packet.version < V5 and not packet.clean_start)
    ):
        raise Refused(
            "an empty client identifier is only legal with a clean session [MQTT-3.1.3-8]",
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
        )
    most = options.client_id_maximum
    if most is not None and len(packet.client_id.encode()) > most:
        raise Refused(
            f"a client identifier has at most {most} bytes here",
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
            [("setting", "client_id_maximum")],
        )
    if packet.will is not None:
        _check_will(packet.will)
        try:
            check_message(packet.will, options)
        except ProtocolError as error:
            raise Refused(f"will: {error.text}", error.code, facts_of(error)) from None


def _check_will(will: Will) -> None:
    problem = name_problem(will.topic_name)
    if problem:
        raise Refused(f"will: {problem}", Reason.TOPIC_NAME_INVALID)
    problem = name_problem(will.properties.get("response_topic", "none"))
    if problem:
        raise Refused(f"will: response topic: {problem} [MQTT-3.3.2-14]", Reason.PROTOCOL_ERROR)


def begins_as_mqtt_5(data: bytes) -> bool:
    """Whether these bytes are, or begin, a CONNECT of MQTT 5, whatever is wrong behind that."""
    body = 1
    while body < min(5, len(data)) and data[body] >= 0x80:
        body += 1
    return data[0] >> 4 == PacketType.CONNECT and data.startswith(b"\0\4MQTT\5", body + 1)


def accept(
    connection: "MqttConnection", packet: Connect, proof: Mapping[str, Any] = NO_PROPERTIES
) -> None:
    """Open the session and answer; the session's messages follow the CONNACK.

    `proof` are the properties of an enhanced authentication, for the CONNACK.
    """
    broker, outlet = connection.broker, connection.outlet
    asked = packet.properties
    assigned = "" if packet.client_id else f"auto-{broker.environment.random.getrandbits(64):016x}"
    client_id = packet.client_id or assigned
    check_room(connection, packet, client_id)
    _configure(connection, packet, client_id)
    answer = {**_answer(connection, packet, assigned), **proof} if packet.version == V5 else {}
    if outlet.maximum is not None and not outlet.takes(Connack(0, False, answer)):
        raise Refused(
            f"a Maximum Packet Size of {outlet.maximum} has no room for CONNACK [MQTT-3.1.2-24]",
            Reason.PACKET_TOO_LARGE,
        )
    session, present = broker.registry.open(
        client_id,
        outlet,
        clean_start=packet.clean_start,
        window=asked.get("receive_maximum", LAST_ID),
    )
    options = connection.options
    merged = options.merge_overlapping or (options.merge_before_5 and packet.version < V5)
    session.separate = not merged
    expiry = _expiry(packet, options)
    connection.lasting = expiry != 0
    session.expiry = options.capped_expiry(expiry) if connection.lasting else 0.0
    connection.session = session
    connection.renew_guard()
    if packet.will is not None and connection.may_leave(packet.will):
        leave_will(connection, packet.will)
    session.changed()
    lint_warnings.check_connect(connection, packet, present)
    # Session Present only with code 0 [MQTT-3.2.2-6].
    # 3.1 has no such flag: the byte is reserved there, and Mosquitto leaves it 0 too.
    if answer:
        outlet.send(Connack(0, present and packet.version != V31, answer))
    else:
        outlet.let_in(present=present and packet.version != V31)
    spine = broker.environment.spine
    spine.emit(ClientIdentified("mqtt", connection.peer.id, client_id))
    spine.emit(
        ClientConnected(
            "mqtt",
            connection.peer.id,
            client_id,
            connection.version_name(),
            connection.keep_alive,
            packet.clean_start,
            present,
        )
    )
    choices.report_connect(connection, packet, answer)
    session.resume()
    if session.subscriptions:
        broker.router.forget_routes()


def check_room(connection: "MqttConnection", packet: Connect, client_id: str) -> None:
    """Raise Refused where one more session, or its will, is too much; who has one comes back."""
    environment, registry = connection.broker.environment, connection.broker.registry
    limits, sessions = environment.limits, registry.by_client
    if len(sessions) >= limits.mqtt_sessions and client_id not in sessions:
        environment.usage.count("mqtt_sessions")
        text = f"there are {limits.mqtt_sessions} sessions already (limit mqtt_sessions)"
        raise Refused(text, _no_room(packet))
    if packet.will is not None and not registry.has_room_for(message_of(packet.will), client_id):
        text = f"the wills of all sessions have {limits.mqtt_wills} bytes (limit mqtt_wills)"
        raise Refused(text, _no_room(packet))


def _no_room(packet: Connect) -> Reason:
    return Reason.QUOTA_EXCEEDED if packet.version == V5 else Reason.SERVER_UNAVAILABLE


def refusal(version: int, error: ProtocolError) -> Connack | None:
    """How a CONNECT is refused in its version, but for why; None: by closing without a word."""
    if version == V5:
        server = error.server if isinstance(error, Refused) else ""
        properties: Properties = {"server_reference": server} if server else {}
        return Connack(error.code or Reason.MALFORMED_PACKET, False, properties)
    code = CONNACK_CODES.get(Reason(error.code)) if error.code else None
    return None if code is None else Connack(code)


def _configure(connection: "MqttConnection", packet: Connect, client_id: str) -> None:
    options, outlet = connection.options, connection.outlet
    connection.client = client_id
    connection.version = outlet.version = packet.version
    connection.keep_alive = packet.keep_alive
    if packet.version == V5:
        asked, longest = packet.properties, options.server_keep_alive
        outlet.explains = bool(asked.get("request_problem_information", 1))
        outlet.alias_maximum = min(
            asked.get("topic_alias_maximum", 0), options.outbound_topic_aliases
        )
        if longest is not None:
            # The client uses the server's value in place of its own [MQTT-3.1.2-21].
            connection.keep_alive = min(packet.keep_alive or longest, longest)
    connection.broker.silence.allow(connection, 1.5 * connection.keep_alive)


def _expiry(packet: Connect, options: MqttOptions) -> float | None:
    if packet.version < V5:
        return 0.0 if packet.clean_start else options.session_expiry_before_5
    seconds = packet.properties.get("session_expiry_interval", 0)
    return None if seconds == _FOR_EVER else float(seconds)


def leave_will(connection: "MqttConnection", will: Will | None) -> None:
    """What is published when the client of this session is lost."""
    session, registry = connection.session, connection.broker.registry
    assert session is not None
    if will is None:
        registry.leave_will(session, None)
    else:
        delay = will.properties.get("will_delay_interval", 0)
        registry.leave_will(session, message_of(will), float(delay))


def message_of(will: Will) -> Message:
    """As it is published; `expires` is the span of its life."""
    properties = dict(will.properties)
    properties.pop("will_delay_interval", None)
    life = properties.pop("message_expiry_interval", None)
    return detailed(will.topic_name, will.payload, will.qos, will.retain, properties, life)


def _answer(connection: "MqttConnection", packet: Connect, assigned: str) -> dict[str, Any]:
    options = connection.options
    announcement: dict[str, Any] = {
        "receive_maximum": options.receive_maximum,
        "maximum_packet_size": connection.limit,
        "topic_alias_maximum": options.topic_alias_maximum,
    }
    announcement |= announced(options)
    wanted = _expiry(packet, options)
    given = options.capped_expiry(wanted)
    if given is not None and given != wanted:
        # The client uses the server's value in place of its own [MQTT-3.2.2.3.2].
        announcement["session_expiry_interval"] = int(given)
    if assigned:
        announcement["assigned_client_identifier"] = assigned
    if connection.keep_alive != packet.keep_alive:
        announcement["server_keep_alive"] = connection.keep_alive
    if options.response_information and packet.properties.get("request_response_information"):
        announcement["response_information"] = options.response_information
    return announcement
