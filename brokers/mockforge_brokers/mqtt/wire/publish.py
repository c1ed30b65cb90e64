"""PUBLISH as it goes out: rendered once for all subscribers of one version, QoS and flags."""

from math import ceil
from struct import Struct
from typing import Final

from ..codes import V5
from ..records import Message
from .frames import encode_varint
from .properties import encode_properties

_NO_PROPERTIES: Final = b"\0"
_short_head: Final = Struct(">BBH").pack
_length: Final = Struct(">H").pack


class PublishRenderer:
    """Remembers what it rendered last, since a message goes to its subscribers in a row."""

    def __init__(self) -> None:
        self._message: Message | None = None
        self._version = 0
        self._rendered = (b"", b"")

    def render(self, message: Message, version: int, now: float) -> tuple[bytes, bytes]:
        """What comes before and after the packet id (which QoS 0 has none of); DUP is 0."""
        if message is self._message and (version == V5) == (self._version == V5):
            return self._rendered
        rendered = render_publish(message, version, now)
        # What expires says how long it still has, so it differs from time to time.
        self._message = message if message.expires is None else None
        self._version = version
        self._rendered = rendered
        return rendered


def render_publish(
    message: Message, version: int, now: float, *, alias: int = 0, topic: bool = True
) -> tuple[bytes, bytes]:
    """As `PublishRenderer.render`; with an alias the topic name may be left out."""
    properties = b""
    if version == V5:
        properties = _properties(message, now, alias)
    name = message.topic_name.encode() if topic else b""
    first = 0x30 | message.qos << 1 | message.retain
    tail = properties + message.payload
    length = 2 + len(name) + (2 if message.qos else 0) + len(tail)
    if length < 0x80:
        return _short_head(first, length, len(name)) + name, tail
    return bytes((first,)) + encode_varint(length) + _length(len(name)) + name, tail


def _properties(message: Message, now: float, alias: int) -> bytes:
    if message.expires is None and not (alias or message.identifiers or message.properties):
        return _NO_PROPERTIES
    values = dict(message.properties)
    if message.expires is not None:
        # What is left of it, the waiting in here taken off [MQTT-3.3.2-6].
        values["message_expiry_interval"] = max(0, ceil(message.expires - now))
    if message.identifiers:
        values["subscription_identifier"] = list(message.identifiers)
    if alias:
        values["topic_alias"] = alias
    return encode_properties(values)


def with_dup(head: bytes) -> bytes:
    """The head of a packet that is sent again [MQTT-3.3.1-1]."""
    return bytes((head[0] | 0x08,)) + head[1:]
