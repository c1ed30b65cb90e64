"""Messages of MQTT-SN as bytes: the length, the type, and the fields that a table lists (5.4)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from msgspec import Struct

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from .messages import (
    Advertise,
    Connack,
    Connect,
    Disconnect,
    GatewayInfo,
    MessageType,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Regack,
    Register,
    SearchGateway,
    SnMessage,
    Suback,
    Subscribe,
    TopicIdType,
    Unsuback,
    Unsubscribe,
    WillMessage,
    WillMessageRequest,
    WillMessageResponse,
    WillMessageUpdate,
    WillTopic,
    WillTopicRequest,
    WillTopicResponse,
    WillTopicUpdate,
)

LONGEST: Final = 0xFFFF
"""Octets of a message: what its length can say (5.2.1)."""

_LONG: Final = 1
"""A first octet of 1 says that the length is in the next two."""

_FLAGS: Final = {"dup": 7, "qos": 5, "retain": 4, "will": 3, "clean_session": 2, "topic_type": 0}
"""By field: the lowest bit that it has in Flags (5.3.4)."""
_WIDE: Final = {"qos": 3, "topic_type": 3}
"""Those of more than one bit."""


class _Row(NamedTuple):
    """A message's fields in their order: `flags`, `NAME:KIND`, or `topic` (a name or an id)."""

    message: type[Struct]
    fields: tuple[str, ...] = ()
    may_be_empty: bool = False
    """All fields may be missing together: the message is then the one of their defaults."""


_WILL_TOPIC: Final = ("flags", "topic_name:text")

_ROWS: Final[Mapping[MessageType, _Row]] = MappingProxyType(
    {
        MessageType.ADVERTISE: _Row(Advertise, ("gateway_id:1", "duration:2")),
        MessageType.SEARCHGW: _Row(SearchGateway, ("radius:1",)),
        MessageType.GWINFO: _Row(GatewayInfo, ("gateway_id:1", "address:rest")),
        MessageType.CONNECT: _Row(
            Connect, ("flags", "protocol_id:1", "duration:2", "client_id:text")
        ),
        MessageType.CONNACK: _Row(Connack, ("code:1",)),
        MessageType.WILLTOPICREQ: _Row(WillTopicRequest),
        MessageType.WILLTOPIC: _Row(WillTopic, _WILL_TOPIC, may_be_empty=True),
        MessageType.WILLMSGREQ: _Row(WillMessageRequest),
        MessageType.WILLMSG: _Row(WillMessage, ("payload:rest",)),
        MessageType.REGISTER: _Row(Register, ("topic_id:2", "message_id:2", "topic_name:text")),
        MessageType.REGACK: _Row(Regack, ("topic_id:2", "message_id:2", "code:1")),
        MessageType.PUBLISH: _Row(Publish, ("flags", "topic_id:2", "message_id:2", "payload:rest")),
        MessageType.PUBACK: _Row(Puback, ("topic_id:2", "message_id:2", "code:1")),
        MessageType.PUBCOMP: _Row(Pubcomp, ("message_id:2",)),
        MessageType.PUBREC: _Row(Pubrec, ("message_id:2",)),
        MessageType.PUBREL: _Row(Pubrel, ("message_id:2",)),
        MessageType.SUBSCRIBE: _Row(Subscribe, ("flags", "message_id:2", "topic")),
        MessageType.SUBACK: _Row(Suback, ("flags", "topic_id:2", "message_id:2", "code:1")),
        MessageType.UNSUBSCRIBE: _Row(Unsubscribe, ("flags", "message_id:2", "topic")),
        MessageType.UNSUBACK: _Row(Unsuback, ("message_id:2",)),
        MessageType.PINGREQ: _Row(Pingreq, ("client_id:text",)),
        MessageType.PINGRESP: _Row(Pingresp),
        MessageType.DISCONNECT: _Row(Disconnect, ("duration:2",), may_be_empty=True),
        MessageType.WILLTOPICUPD: _Row(WillTopicUpdate, _WILL_TOPIC, may_be_empty=True),
        MessageType.WILLTOPICRESP: _Row(WillTopicResponse, ("code:1",)),
        MessageType.WILLMSGUPD: _Row(WillMessageUpdate, ("payload:rest",)),
        MessageType.WILLMSGRESP: _Row(WillMessageResponse, ("code:1",)),
    }
)

TYPE_OF: Final[Mapping[type[Struct], MessageType]] = MappingProxyType(
    {row.message: kind for kind, row in _ROWS.items()}
)
_FLAGS_OF: Final = {
    row.message: [name for name in row.message.__struct_fields__ if name in _FLAGS]
    for row in _ROWS.values()
}


def head(data: bytes, at: int = 0) -> tuple[int, int]:
    """Of the message at `at`: how many octets are before its type, and its length with them.

    Raises ProtocolError where it has none that can be.
    """
    size, before = (data[at] if at < len(data) else 0), 1
    if size == _LONG:
        size, before = int.from_bytes(data[at + 1 : at + 3], "big"), 3
    if size <= before:
        raise ProtocolError(
            f"a length of {size}, and {before + 1} octets are the least [MQTT-SN 5.2.1]"
        )
    return before, size


def decode(frame: bytes) -> SnMessage:
    """One whole message; raises ProtocolError."""
    before, size = head(frame)
    if size != len(frame):
        raise ProtocolError(
            f"a length of {size}, and there are {len(frame)} octets [MQTT-SN 5.2.1]"
        )
    kind = frame[before]
    if kind not in _ROWS:
        raise ProtocolError(f"0x{kind:02X} is no type of a message [MQTT-SN 5.2.2]")
    name = MessageType(kind).name
    row = _ROWS[MessageType(kind)]
    reader = ByteReader(frame, before + 1, what=name)
    message = _empty(row) if row.may_be_empty and not reader.remaining else _fields(row, reader)
    if reader.remaining:
        raise ProtocolError(f"{name}: {reader.remaining} octets behind its end")
    return cast("SnMessage", message)


def _empty(row: _Row) -> Any:
    return row.message()


def _fields(row: _Row, reader: ByteReader) -> Any:
    values: dict[str, Any] = {}
    for field in row.fields:
        name, _, kind = field.partition(":")
        if name == "flags":
            values |= _flags(row.message, reader.uint8())
        elif name == "topic":
            _read_topic(values, reader)
        else:
            values[name] = _read(name, kind, reader)
    return row.message(**values)


def _flags(message: type[Struct], octet: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _FLAGS_OF[message]:
        bits = octet >> _FLAGS[name] & _WIDE.get(name, 1)
        found[name] = bits if name in _WIDE else bool(bits)
    if found.get("topic_type") == 3:
        raise ProtocolError("TopicIdType 0b11 is reserved [MQTT-SN 5.3.4]")
    return found


def _read(name: str, kind: str, reader: ByteReader) -> Any:
    match kind:
        case "1":
            return reader.uint8()
        case "2":
            return reader.uint16()
        case "rest":
            return reader.take(reader.remaining)
    return _text(name, reader.take(reader.remaining), reader.what)


def _text(name: str, data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{what}: {name} is not UTF-8 at its octet {error.start}") from None


def _read_topic(values: dict[str, Any], reader: ByteReader) -> None:
    """A topic name, or two octets that are a short one or a predefined id (5.4.15)."""
    kind = values["topic_type"]
    if kind == TopicIdType.PREDEFINED:
        values["topic_id"] = reader.uint16()
        return
    data = reader.take(2 if kind == TopicIdType.SHORT else reader.remaining)
    values["topic_name"] = _text("topic_name", data, reader.what)


def encode(message: SnMessage) -> bytes:
    """One message; ValueError where it is longer than its length can say or a value too large."""
    kind = TYPE_OF[type(message)]
    row = _ROWS[kind]
    body = bytearray((kind,))
    if not (row.may_be_empty and message == _empty(row)):
        for field in row.fields:
            body += _written(message, field)
    return with_length(bytes(body))


def with_length(body: bytes) -> bytes:
    """With the length in front, of one octet where that is enough."""
    if len(body) + 1 <= 0xFF:
        return bytes((len(body) + 1,)) + body
    if len(body) + 3 > LONGEST:
        raise ValueError(f"{len(body) + 3} octets, and a message has {LONGEST} at most")
    return bytes((_LONG, *(len(body) + 3).to_bytes(2, "big"))) + body


def _written(message: SnMessage, field: str) -> bytes:
    name, _, kind = field.partition(":")
    if name == "flags":
        octet = 0
        for each in _FLAGS_OF[type(message)]:
            octet |= (int(getattr(message, each)) & _WIDE.get(each, 1)) << _FLAGS[each]
        return bytes((octet,))
    if name == "topic":
        assert isinstance(message, Subscribe | Unsubscribe)
        if message.topic_type == TopicIdType.PREDEFINED:
            return message.topic_id.to_bytes(2, "big")
        return message.topic_name.encode()
    value = getattr(message, name)
    match kind:
        case "1" | "2":
            try:
                return int(value or 0).to_bytes(int(kind), "big")
            except OverflowError as error:
                raise ValueError(f"{name}: {error}") from None
        case "rest":
            return bytes(value)
    return str(value).encode()


def cut(data: bytes) -> list[bytes]:
    """Whole messages that stand one behind the other."""
    found, at = [], 0
    while at < len(data):
        size = head(data, at)[1]
        found.append(data[at : at + size])
        at += size
    return found


def pieces(data: bytes) -> list[bytes]:
    """As `cut`; one whose end is not to be told is a piece with all that is behind it."""
    found, at = [], 0
    while at < len(data):
        try:
            size = head(data, at)[1]
        except ProtocolError:
            size = len(data) - at
        found.append(data[at : at + size])
        at += size
    return found


class SnSplitter:
    """`journal.Splitter` of messages that are whole in each piece."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> int:
        return len(self._rest)

    def take(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        whole, at = self._rest, 0
        frames = []
        while at < len(whole):
            size = head(whole, at)[1]
            if at + size > len(whole):
                break
            frames.append(whole[at : at + size])
            at += size
        self._rest = whole[at:]
        return frames


# What stands between us and a client: a forwarder that wraps its messages (5.5).


def unwrap(datagram: bytes) -> tuple[bytes, bytes]:
    """The wireless node's id (b"": none) and the message; raises ProtocolError."""
    before, size = head(datagram)
    if datagram[before : before + 1] != bytes((MessageType.ENCAPSULATED,)):
        if size != len(datagram):
            raise ProtocolError(
                f"a length of {size}, and there are {len(datagram)} octets [MQTT-SN 5.2.1]"
            )
        return b"", datagram
    if before != 1 or size < 4 or size >= len(datagram):
        raise ProtocolError(
            "a forwarder's message without a node's id or without content [MQTT-SN 5.5]"
        )
    node, message = datagram[3:size], datagram[size:]
    _, inner = head(message)
    if inner != len(message):
        raise ProtocolError(
            f"a length of {inner}, and there are {len(message)} octets [MQTT-SN 5.2.1]"
        )
    return node, message


def wrap(node: bytes, message: bytes) -> bytes:
    """The datagram for a wireless node, or for who is not behind a forwarder (b"")."""
    if not node:
        return message
    return bytes((3 + len(node), MessageType.ENCAPSULATED, 0)) + node + message
