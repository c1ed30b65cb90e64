"""From the first byte to CONNACK: what may come when, and how a client is turned away.

    nothing --CONNECT--> joined                        CONNACK 0, and the session is there
       |       '--with a method--> proving --AUTH--> joined
       '--anything else--> the connection ends, before its packet is whole

Whoever is not in yet has no session, and `proving` tells the two states before it apart. That costs
the many who only connect no object of their own.
"""

from typing import TYPE_CHECKING, Final

from ..bytes_io import ByteReader
from ..errors import ProtocolError
from ..events import ProtocolViolated
from ..first_bytes import misdirected
from . import authentication, handshake, lint, rights
from .codes import V5, PacketType, Reason, reason_name
from .events import ConnectionRefused
from .explanations import facts_of
from .wire.decode import UnsupportedVersion, decode_body
from .wire.packets import Auth, Connect

if TYPE_CHECKING:
    from .connection import MqttConnection

# Of an enumeration it would be looked up for each connection, which costs ten comparisons.
_CONNECT: Final = int(PacketType.CONNECT)


def expect(connection: "MqttConnection", first: int) -> None:
    """Before CONNACK little is worth waiting for its end; raises ProtocolError for the rest."""
    kind = first >> 4
    if connection.proving is not None:
        if kind not in (PacketType.AUTH, PacketType.DISCONNECT):
            raise ProtocolError(
                f"packet type {kind} before CONNACK: AUTH or DISCONNECT was due [MQTT-3.1.2-30]",
                Reason.PROTOCOL_ERROR,
            )
    elif kind != _CONNECT:
        raise ProtocolError(
            f"the first packet is of type {kind}, not CONNECT [MQTT-3.1.0-1]",
            Reason.PROTOCOL_ERROR,
        )


def take(connection: "MqttConnection", first: int, reader: ByteReader) -> None:
    """A whole packet of who is not in yet, of a kind that `expect` let pass."""
    if connection.proving is not None:
        _prove(connection, first, reader)
        return
    broker = connection.broker
    try:
        packet = decode_body(first, reader, connection.version)
    except UnsupportedVersion as error:
        # A client of a version that we do not know reads what 3.1.1 has for this, and that is the
        # version of who has not said any yet.
        refuse(connection, error)
        return
    assert isinstance(packet, Connect)
    introduce(connection, packet)
    lint.check_connect(connection, packet)
    try:
        handshake.check(packet, connection.options)
        if broker.redirects.active:
            broker.redirects.check(packet.client_id)
        if "authentication_method" in packet.properties:
            authentication.begin(connection, packet)
        else:
            rights.log_in(connection, packet)
            handshake.accept(connection, packet)
    except handshake.Refused as error:
        if isinstance(error, handshake.NotServed):
            broker.environment.unserved.report(
                "mqtt", connection.peer.id, connection.client, error.feature, error.text
            )
        if connection.proving is not None:
            # It began to prove who it is, and its first step was wrong already.
            authentication.failed(connection, error)
        refuse(connection, error)


def _prove(connection: "MqttConnection", first: int, reader: ByteReader) -> None:
    packet = decode_body(first, reader, connection.version)
    if not isinstance(packet, Auth):
        connection.disconnected(publish_will=False)
        return
    try:
        authentication.go_on(connection, packet)
    except handshake.Refused as error:
        if connection.proving is not None:
            # Else it proved who it is, and something else is in the way.
            authentication.failed(connection, error)
        refuse(connection, error)


def introduce(connection: "MqttConnection", packet: Connect) -> None:
    """What holds for the answer to a CONNECT, be it a refusal [MQTT-3.2.2-19]."""
    connection.version = connection.outlet.version = packet.version
    if packet.properties:
        connection.outlet.maximum = packet.properties.get("maximum_packet_size")
    connection.client = packet.client_id
    connection.bridge = packet.bridge


def refuse(connection: "MqttConnection", error: ProtocolError) -> None:
    """Answer a CONNECT with no, as its version has it, and end."""
    connection.closed = True
    lint.count_violation(connection, error)
    connection.outlet.refuse_connect(error)
    code = error.code or Reason.UNSPECIFIED_ERROR
    event = ConnectionRefused(
        "mqtt",
        connection.peer.id,
        connection.client,
        code,
        error.text,
        reason_name(PacketType.CONNACK, code),
    )
    connection.broker.environment.spine.emit(event)
    connection.peer.close(error.text)


def violated(connection: "MqttConnection", error: ProtocolError, data: bytes) -> None:
    """A client that is in or not broke the protocol with `data`: report it and end.

    Who is not in may be no MQTT client at all: then the text says what it speaks, and where that
    is spoken.
    """
    environment = connection.broker.environment
    outside = connection.session is None
    if error.code == Reason.PACKET_TOO_LARGE:
        environment.usage.count("mqtt_packet")
    listener = connection.peer.listener
    stray = outside and misdirected(data, listener, environment.listeners)
    if stray:
        error.text = stray
    else:
        lint.count_violation(connection, error)
    environment.spine.emit(
        ProtocolViolated("mqtt", connection.peer.id, connection.client, error.text)
    )
    if outside and (connection.proving or handshake.begins_as_mqtt_5(data)):
        # A broken CONNECT too is answered where its version can be read [MQTT-4.13.1-2].
        connection.version = connection.outlet.version = V5
        connection.outlet.refuse_connect(error)
    code = Reason(error.code or Reason.MALFORMED_PACKET)
    connection.disconnect(code, error.text, facts=facts_of(error))
