"""What a client does against the letter of the specification, and can be served all the same."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ..errors import ProtocolError
from ..events import LintFound
from ..findings import ERROR
from .codes import V5, V31, PacketType, Reason
from .explanations import statement_in
from .wire.packets import Connect, Packet, Publish, Request, Will
from .wire.properties import Properties

if TYPE_CHECKING:
    from .connection import MqttConnection

_DOUBTFUL: Final = re.compile(
    "[\x01-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(map(chr, (plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF))))
    + "]"
)
"""Control characters, and what Unicode says is no character."""

_MOSQUITTO_ENDS: Final = frozenset({"MQTT-1.5.4"})
"""Of all that is checked here Mosquitto 2.0.11 ends connections for this alone: DUP with QoS 0,
identifiers in use, long lengths and acknowledgements of nothing are served
(tests/brokers/mqtt/test_lint.py has what it answered)."""

_NO_TEXT: Final = frozenset({int, bool, bytes, PacketType})


def check_text(connection: "MqttConnection", packet: Packet) -> None:
    """Report the first character that no string should have (1.5.4)."""
    if isinstance(packet, Publish) and not packet.properties and packet.topic_name.isprintable():
        return
    for name, text in _texts(packet):
        found = None if text.isprintable() else _DOUBTFUL.search(text)
        if found:
            where = f"{type(packet).__name__.upper()}: {name} {text[:40]!r}"
            report(connection, "MQTT-1.5.4", f"{where} has U+{ord(found[0]):04X} in it")
            return


def check_connect(connection: "MqttConnection", packet: Connect) -> None:
    """`check_text` of a CONNECT: of most there are two, which need no walk over all fields."""
    if (
        packet.will is not None
        or packet.properties
        or not packet.client_id.isprintable()
        or (packet.user_name is not None and not packet.user_name.isprintable())
    ):
        check_text(connection, packet)


def has_plain_text(properties: Properties) -> bool:
    """Whether there is no character in them that `check_text` would report."""
    return all(text.isprintable() for _, text in _strings("", properties))


def check_dup(connection: "MqttConnection", packet: Publish, known: bool) -> None:
    """Report a DUP flag that is wrong; `known`: a QoS 2 publish of this identifier is unfinished.

    3.1 lets clients set it in all that they send again.
    """
    if packet.dup and not packet.qos and connection.version != V31:
        report(connection, "MQTT-3.3.1-2", "PUBLISH: DUP with QoS 0")
    elif known and not packet.dup:
        report(
            connection,
            _identifier_in_use(connection),
            f"PUBLISH: identifier {packet.packet_id} is in use, and this one is not marked as DUP; "
            "it is taken for the same message",
        )


def check_identifier(connection: "MqttConnection", kind: str, packet_id: int) -> None:
    """Report an identifier that an unfinished QoS 2 publish of this client has."""
    session = connection.session
    if session is not None and packet_id in session.inbound:
        report(
            connection,
            _identifier_in_use(connection),
            f"{kind}: identifier {packet_id} is that of a QoS 2 publish whose PUBREL is not here",
        )


def check_unanswered(connection: "MqttConnection") -> None:
    """Report a burst with more QoS 1 publishes than our Receive Maximum."""
    if connection.version == V5:
        report(
            connection,
            "MQTT-3.3.4-7",
            f"PUBLISH: {connection.unanswered} of QoS 1 without waiting for a PUBACK, "
            f"and our Receive Maximum is {connection.receive_maximum}",
        )


def check_length(connection: "MqttConnection", size: int) -> None:
    """Report a Remaining Length of `size` bytes that could be shorter."""
    report(connection, "MQTT-1.5.5-1", f"a Remaining Length of {size} bytes could be shorter")


def report(connection: "MqttConnection", statement: str, text: str, severity: str = ERROR) -> None:
    """Count it and emit it; where the level says so, raise ProtocolError.

    Errors are emitted once a connection and statement, warnings once a client.
    """
    broker = connection.broker
    level = broker.options.lint
    ends = level == "strict" or (level == "as-mosquitto" and statement in _MOSQUITTO_ENDS)
    if severity == ERROR and ends:
        raise ProtocolError(f"{text} [{statement}]", Reason.MALFORMED_PACKET)
    new = broker.findings.add(
        connection.client, statement, text, severity, connection=connection.peer.id
    )
    if severity == ERROR:
        new = statement not in connection.linted
    connection.linted |= {statement}
    if new:
        broker.environment.spine.emit(
            LintFound("mqtt", connection.peer.id, connection.client, statement, text, severity)
        )


def count_violation(connection: "MqttConnection", error: ProtocolError) -> None:
    """What ends a connection is counted beside what is served, by the statement in its text."""
    statement = statement_in(error.text)
    code = Reason(error.code) if error.code else Reason.MALFORMED_PACKET
    if not statement:
        if code not in (Reason.MALFORMED_PACKET, Reason.PROTOCOL_ERROR):
            # A choice of ours: something that is not served, or is limited.
            return
        statement = code.name.lower().replace("_", " ")
    connection.linted |= {statement}
    connection.broker.findings.add(
        connection.client,
        statement,
        error.text,
        ERROR,
        connection=connection.peer.id,
        ended=True,
    )


def _identifier_in_use(connection: "MqttConnection") -> str:
    return "MQTT-2.2.1-3" if connection.version == V5 else "MQTT-2.3.1-2"


def _texts(packet: Packet | Will | Request, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each string of a packet with the name of its field."""
    for name in packet.__struct_fields__:
        value = getattr(packet, name)
        if value and type(value) not in _NO_TEXT:
            yield from _strings(prefix + name, value)


def _strings(name: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield name, value
        case dict():
            for key, each in value.items():
                yield from _strings(key, each)
        case [Request(), *_] if "".join(each.topic_filter for each in value).isprintable():
            # The only text of a request, of which a client may send thousands.
            pass
        case [(str(), str()), *_] if "".join(map("".join, value)).isprintable():
            # User properties, of which a client may send thousands.
            pass
        case list() | tuple():
            for each in value:
                yield from _strings(name, each)
        case Will():
            yield from _texts(value, "will ")
        case Request():
            yield from _texts(value)
        case _:
            pass
