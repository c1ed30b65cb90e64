"""The 27 properties of MQTT 5 (2.2.2): one table, read and written from it."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

from msgspec import Struct

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from ..codes import PacketType, Reason
from .frames import decode_varint, encode_varint

Properties = dict[str, Any]
"""Values by specified name in snake case. `user_property` is a list of (name, value) and
`subscription_identifier` a list of int, since these two may come more than once."""


class Kind(Enum):
    """How a property's value is written."""

    BYTE = auto()
    UINT16 = auto()
    UINT32 = auto()
    VARINT = auto()
    BINARY = auto()
    TEXT = auto()
    PAIR = auto()


WILL: Final = 0
"""Stands for the will's properties, which are no packet's own, beside the packet types."""

_P = PacketType
_EVERY_ACK = frozenset(
    {
        *(_P.CONNACK, _P.PUBACK, _P.PUBREC, _P.PUBREL, _P.PUBCOMP),
        *(_P.SUBACK, _P.UNSUBACK, _P.DISCONNECT, _P.AUTH),
    }
)
_PUBLISHED = frozenset({_P.PUBLISH, WILL})
_CONNECT = frozenset({_P.CONNECT})
_CONNACK = frozenset({_P.CONNACK})
_BOTH = _CONNECT | _CONNACK
_AUTH = _BOTH | {_P.AUTH}
_ANYWHERE = _EVERY_ACK | _PUBLISHED | _CONNECT | {_P.SUBSCRIBE, _P.UNSUBSCRIBE}


class Property(Struct, frozen=True):
    """One row of table 2-4; values outside of `low` to `high` are a protocol error.

    `clause` is the section that says so, and that it must not come twice.
    """

    id: int
    name: str
    clause: str
    kind: Kind
    packets: frozenset[int]
    low: int = 0
    high: int = 0xFFFF_FFFF


_TABLE: Final = (
    Property(1, "payload_format_indicator", "3.3.2.3.2", Kind.BYTE, _PUBLISHED, 0, 1),
    Property(2, "message_expiry_interval", "3.3.2.3.3", Kind.UINT32, _PUBLISHED),
    Property(3, "content_type", "3.3.2.3.9", Kind.TEXT, _PUBLISHED),
    Property(8, "response_topic", "3.3.2.3.5", Kind.TEXT, _PUBLISHED),
    Property(9, "correlation_data", "3.3.2.3.6", Kind.BINARY, _PUBLISHED),
    Property(
        11,
        "subscription_identifier",
        "3.8.2.1.2",
        Kind.VARINT,
        frozenset({_P.PUBLISH, _P.SUBSCRIBE}),
        1,
    ),
    Property(17, "session_expiry_interval", "3.1.2.11.2", Kind.UINT32, _BOTH | {_P.DISCONNECT}),
    Property(18, "assigned_client_identifier", "3.2.2.3.7", Kind.TEXT, _CONNACK),
    Property(19, "server_keep_alive", "3.2.2.3.14", Kind.UINT16, _CONNACK),
    Property(21, "authentication_method", "3.1.2.11.9", Kind.TEXT, _AUTH),
    Property(22, "authentication_data", "3.1.2.11.10", Kind.BINARY, _AUTH),
    Property(23, "request_problem_information", "3.1.2.11.7", Kind.BYTE, _CONNECT, 0, 1),
    Property(24, "will_delay_interval", "3.1.3.2.2", Kind.UINT32, frozenset({WILL})),
    Property(25, "request_response_information", "3.1.2.11.6", Kind.BYTE, _CONNECT, 0, 1),
    Property(26, "response_information", "3.2.2.3.15", Kind.TEXT, _CONNACK),
    Property(28, "server_reference", "3.2.2.3.16", Kind.TEXT, _CONNACK | {_P.DISCONNECT}),
    Property(31, "reason_string", "3.4.2.2.2", Kind.TEXT, _EVERY_ACK),
    Property(33, "receive_maximum", "3.1.2.11.3", Kind.UINT16, _BOTH, 1),
    Property(34, "topic_alias_maximum", "3.1.2.11.5", Kind.UINT16, _BOTH),
    Property(35, "topic_alias", "3.3.2.3.4", Kind.UINT16, frozenset({_P.PUBLISH})),
    Property(36, "maximum_qos", "3.2.2.3.4", Kind.BYTE, _CONNACK, 0, 1),
    Property(37, "retain_available", "3.2.2.3.5", Kind.BYTE, _CONNACK, 0, 1),
    Property(38, "user_property", "3.1.2.11.8", Kind.PAIR, _ANYWHERE),
    Property(39, "maximum_packet_size", "3.1.2.11.4", Kind.UINT32, _BOTH, 1),
    Property(40, "wildcard_subscription_available", "3.2.2.3.11", Kind.BYTE, _CONNACK, 0, 1),
    Property(41, "subscription_identifier_available", "3.2.2.3.12", Kind.BYTE, _CONNACK, 0, 1),
    Property(42, "shared_subscription_available", "3.2.2.3.13", Kind.BYTE, _CONNACK, 0, 1),
)

BY_ID: Final = {row.id: row for row in _TABLE}
BY_NAME: Final = {row.name: row for row in _TABLE}
_USER_PROPERTY: Final = BY_NAME["user_property"]


def decode_properties(
    reader: ByteReader, packet: int, into: Properties | None = None
) -> Properties:
    """Read a property length and what it covers; `packet` is a PacketType or WILL.

    `into` has what could be read where something is wrong behind that.
    """
    length, start = decode_varint(reader.data, reader.position, reader.end)
    if length < 0 or start + length > reader.end:
        raise ProtocolError(
            f"{reader.what}: the properties do not fit into the packet [MQTT 2.2.2.1]",
            Reason.MALFORMED_PACKET,
        )
    _check_shortest(reader, "the Property Length", start)
    reader.position = start
    values: Properties = {} if into is None else into
    if not length:
        return values
    inner = ByteReader(reader.data, start, start + length, reader.what)
    pairs_allowed = packet in _USER_PROPERTY.packets
    try:
        while inner.position < inner.end:
            if pairs_allowed and inner.data[inner.position] == _USER_PROPERTY.id:
                pairs = _read_pairs(inner)
                if pairs:
                    values.setdefault(_USER_PROPERTY.name, []).extend(pairs)
                    continue
            _read(inner, packet, values)
    except ProtocolError:
        # Who shows what was wrong says where.
        reader.position = inner.position
        raise
    reader.position = start + length
    return values


def _read_pairs(reader: ByteReader) -> list[tuple[str, str]]:
    """The user properties that follow each other from here on, as far as nothing is wrong.

    `_read` does the same for one of them and says what is wrong; a client may send thousands.
    """
    data, at, end = reader.data, reader.position, reader.end
    identifier = _USER_PROPERTY.id
    pairs: list[tuple[str, str]] = []
    while at + 5 <= end and data[at] == identifier:
        key_end = at + 3 + (data[at + 1] << 8) + data[at + 2]
        if key_end + 2 > end:
            break
        stop = key_end + 2 + (data[key_end] << 8) + data[key_end + 1]
        if stop > end:
            break
        try:
            pair = data[at + 3 : key_end].decode(), data[key_end + 2 : stop].decode()
        except UnicodeDecodeError:
            break
        if "\0" in pair[0] or "\0" in pair[1]:
            break
        pairs.append(pair)
        at = stop
    reader.position = at
    return pairs


def _read(reader: ByteReader, packet: int, values: Properties) -> None:
    # The identifier is a variable byte integer, but all that are defined fit into one byte.
    identifier = reader.uint8()
    row = BY_ID.get(identifier)
    if row is None or packet not in row.packets:
        name = f"property {identifier}" if row is None else row.name
        raise ProtocolError(
            f"{reader.what}: {name} does not belong here [MQTT-2.2.2]", Reason.MALFORMED_PACKET
        )
    value = _read_value(reader, row)
    if row.kind is Kind.PAIR or (row.name == "subscription_identifier" and packet == _P.PUBLISH):
        values.setdefault(row.name, []).append(value)
        return
    if row.name in values:
        text = f"{reader.what}: {row.name} comes twice [MQTT {row.clause}]"
        raise ProtocolError(text, Reason.PROTOCOL_ERROR)
    values[row.name] = [value] if row.name == "subscription_identifier" else value


def _read_value(reader: ByteReader, row: Property) -> Any:
    match row.kind:
        case Kind.BYTE:
            value = reader.uint8()
        case Kind.UINT16:
            value = reader.uint16()
        case Kind.UINT32:
            value = reader.uint32()
        case Kind.VARINT:
            value, place = decode_varint(reader.data, reader.position, reader.end)
            if value < 0:
                text = f"{reader.what}: {row.name} ends within its value [MQTT 2.2.2.1]"
                raise ProtocolError(text, Reason.MALFORMED_PACKET)
            _check_shortest(reader, row.name, place)
            reader.position = place
        case Kind.BINARY:
            return reader.take(reader.uint16())
        case Kind.TEXT:
            return read_text(reader)
        case Kind.PAIR:
            return read_text(reader), read_text(reader)
    if not row.low <= value <= row.high:
        text = f"{reader.what}: {row.name} must not be {value} [MQTT {row.clause}]"
        raise ProtocolError(text, Reason.PROTOCOL_ERROR)
    return value


def _check_shortest(reader: ByteReader, name: str, end: int) -> None:
    """Refuse a variable byte integer that could be shorter, as Mosquitto does, which lets one be
    in a fixed header alone; it begins where the reader is."""
    size = end - reader.position
    if size > 1 and not reader.data[end - 1]:
        raise ProtocolError(
            f"{reader.what}: {name} has {size} bytes and could be shorter [MQTT-1.5.5-1]",
            Reason.MALFORMED_PACKET,
        )


def read_text(reader: ByteReader) -> str:
    """A length-prefixed UTF-8 string without surrogates [MQTT-1.5.4-1] and U+0000 [-2]."""
    # As reader.take(reader.uint16()), which is four calls: most of what a client says is text.
    source, position = reader.data, reader.position
    start = position + 2
    if start > reader.end:
        reader.take(2)
    stop = start + (source[position] << 8 | source[position + 1])
    if stop > reader.end:
        reader.position = start
        reader.take(stop - start)
    data = source[start:stop]
    reader.position = stop
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ProtocolError(
            f"{reader.what}: {data[:40]!r} is not UTF-8 [MQTT-1.5.4-1]", Reason.MALFORMED_PACKET
        ) from None
    if "\0" in text:
        raise ProtocolError(
            f"{reader.what}: U+0000 in a string [MQTT-1.5.4-2]", Reason.MALFORMED_PACKET
        )
    return text


def encode_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def encode_binary(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def encode_properties(values: Mapping[str, Any]) -> bytes:
    """The property length and the properties, in the order of `values`."""
    if not values:
        return b"\0"
    encoded = bytearray()
    for name, value in values.items():
        row = BY_NAME[name]
        for single in value if isinstance(value, list) else (value,):
            encoded.append(row.id)
            encoded += _encode_value(row.kind, single)
    return encode_varint(len(encoded)) + bytes(encoded)


def _encode_value(kind: Kind, value: Any) -> bytes:
    match kind:
        case Kind.BYTE:
            return bytes((value,))
        case Kind.UINT16:
            return int(value).to_bytes(2, "big")
        case Kind.UINT32:
            return int(value).to_bytes(4, "big")
        case Kind.VARINT:
            return encode_varint(value)
        case Kind.BINARY:
            return encode_binary(value)
        case Kind.TEXT:
            return encode_text(value)
        case Kind.PAIR:
            return encode_text(value[0]) + encode_text(value[1])
