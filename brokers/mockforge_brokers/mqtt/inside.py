"""Publishing from inside the process: prompt, fixtures, HTTP and tests."""

from collections.abc import Mapping
from typing import Any

from ..environment import Environment
from ..errors import InvalidInput
from ..events import INSIDE
from ..journal import IN, Row, Splitter, Tape
from .codes import V5
from .inputs import check_encoding, publish_properties
from .records import Message, detailed
from .rows import read_rows
from .state.topics import name_problem
from .wire.encode import encode_packet
from .wire.frames import PacketSplitter
from .wire.packets import Publish


class Inside:
    """Stands in the journal for a source that has no socket (`journal.Owner`)."""

    def __init__(self, environment: Environment, source: str) -> None:
        self.client = f"{INSIDE}{source}"
        self._packet_id = 0
        self._tape: Tape | None = None
        if environment.journal is not None:
            self._tape = environment.journal.open("mqtt", environment.next_connection(), self)

    def splitter(self, direction: int) -> Splitter:
        return PacketSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return read_rows(direction, frame, V5, {})

    def record(self, packet: Publish) -> None:
        """Keep the packet that a client would have sent."""
        if self._tape is not None:
            if packet.qos:
                self._packet_id = packet.packet_id = self._packet_id % 65_535 + 1
            self._tape.add(IN, encode_packet(packet, V5))


def make_publish(
    topic_name: str, payload: bytes, qos: int, retain: bool, properties: Mapping[str, Any] | None
) -> Publish:
    """The packet for what a person asked for; raises InvalidInput with what is wrong."""
    problem = name_problem(topic_name)
    if not problem and len(topic_name.encode(errors="replace")) > 65_535:
        problem = "a topic name has at most 65535 bytes [MQTT-4.7.3-3]"
    if problem:
        raise InvalidInput(f"mqtt:{topic_name}: {problem}")
    if qos not in (0, 1, 2):
        raise InvalidInput(f"mqtt:{topic_name}: qos is 0, 1 or 2, not {qos}")
    given = publish_properties(f"mqtt:{topic_name}", properties or {})
    packet = Publish(topic_name, payload, qos, retain, properties=given)
    check_encoding(f"mqtt:{topic_name}", packet, V5)
    return packet


def make_message(packet: Publish, now: float) -> Message:
    properties = dict(packet.properties)
    life = properties.pop("message_expiry_interval", None)
    expires = None if life is None else now + life
    return detailed(
        packet.topic_name, packet.payload, packet.qos, packet.retain, properties, expires
    )
