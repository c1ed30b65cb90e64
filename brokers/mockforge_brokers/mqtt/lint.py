"""What a client does against the letter of the specification, and can be served all the same."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ..errors import ProtocolError
from .codes import V31, PacketType, Reason
from .events import LintFound
from .wire.packets import Packet, Publish, Request, Will

if TYPE_CHECKING:
    from .connection import MqttConnection

_DOUBTFUL: Final = re.compile(
    "[\x01-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(map(chr, (plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF))))
    + "]"
)
"""Control characters, and what Unicode says is no character."""


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


def check_dup(connection: "MqttConnection", packet: Publish, known: bool) -> None:
    """Report a DUP flag that is wrong; `known`: a QoS 2 publish of this identifier is unfinished.

    3.1 lets clients set it in all that they send again.
    """
    if packet.dup and not packet.qos and connection.version != V31:
        report(connection, "MQTT-3.3.1-2", "PUBLISH: DUP with QoS 0")
    elif known and not packet.dup:
        report(
            connection,
            "MQTT-2.2.1-3",
            f"PUBLISH: identifier {packet.packet_id} is in use, and this one is not marked as DUP; "
            "it is taken for the same message",
        )


def check_length(connection: "MqttConnection", size: int) -> None:
    """Report a Remaining Length of `size` bytes that could be shorter."""
    report(connection, "MQTT-1.5.5-1", f"a Remaining Length of {size} bytes could be shorter")


def report(connection: "MqttConnection", statement: str, text: str) -> None:
    """Emit it, once a connection and statement; where we are strict, raise ProtocolError."""
    broker = connection.broker
    if broker.options.strict:
        raise ProtocolError(f"{text} [{statement}]", Reason.MALFORMED_PACKET)
    if statement not in connection.linted:
        connection.linted = connection.linted | {statement}
        broker.environment.spine.emit(
            LintFound("mqtt", connection.peer.id, connection.client, statement, text)
        )


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
        case list() | tuple():
            for each in value:
                yield from _strings(name, each)
        case Will():
            yield from _texts(value, "will ")
        case Request():
            yield from _texts(value)
        case _:
            pass
