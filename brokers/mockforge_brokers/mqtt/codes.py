"""Packet types and reason codes of MQTT by their specified names."""

from enum import IntEnum
from typing import Final

V31: Final = 3
V311: Final = 4
V5: Final = 5

VERSION_NAMES: Final = {V31: "3.1", V311: "3.1.1", V5: "5.0"}


def dialect(version: int) -> int:
    """Versions of one dialect write PUBLISH alike: 3.1 as 3.1.1."""
    return V5 if version == V5 else V311


class PacketType(IntEnum):
    """The upper four bits of a packet's first byte."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Reason(IntEnum):
    """MQTT 5 reason codes (2.4); where a packet has its own name for one, see `reason_name`."""

    SUCCESS = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


FAILURE: Final = 0x80
"""Codes from here on are failures; in SUBACK of 3.1.1 it is the one failure there is."""

_PUBLISH_CODES: Final = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_RELEASE_CODES: Final = frozenset({0x00, 0x92})

CLIENT_DISCONNECTS: Final = frozenset({0x00, 0x04, *range(0x80, 0x84), 0x90, *range(0x93, 0x9A)})
"""The codes with which a client may disconnect (3.14.2.1)."""

LEGAL_CODES: Final = {
    PacketType.PUBACK: _PUBLISH_CODES,
    PacketType.PUBREC: _PUBLISH_CODES,
    PacketType.PUBREL: _RELEASE_CODES,
    PacketType.PUBCOMP: _RELEASE_CODES,
    PacketType.DISCONNECT: CLIENT_DISCONNECTS
    | {0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F}
    | frozenset(range(0x9A, 0xA3)),
    PacketType.AUTH: frozenset({0x00, 0x18, 0x19}),
}
"""The codes that a packet may have, from either side."""

CONNACK_CODES: Final = {
    Reason.UNSUPPORTED_PROTOCOL_VERSION: 1,
    Reason.CLIENT_IDENTIFIER_NOT_VALID: 2,
    Reason.SERVER_UNAVAILABLE: 3,
    Reason.SERVER_BUSY: 3,
    Reason.SERVER_SHUTTING_DOWN: 3,
    Reason.USE_ANOTHER_SERVER: 3,
    Reason.SERVER_MOVED: 3,
    Reason.BAD_USER_NAME_OR_PASSWORD: 4,
    Reason.NOT_AUTHORIZED: 5,
    Reason.BAD_AUTHENTICATION_METHOD: 5,
    Reason.BANNED: 5,
}
"""What a CONNACK before MQTT 5 says for a reason code; others close without one."""

CONNACK_NAMES: Final = {
    0: "Connection accepted",
    1: "Unacceptable protocol version",
    2: "Identifier rejected",
    3: "Server unavailable",
    4: "Bad user name or password",
    5: "Not authorized",
}


def reason_name(packet: PacketType, code: int, version: int = V5) -> str:
    """The name that people know a code by in this packet; unknown codes are shown as hex."""
    if packet is PacketType.CONNACK and version < V5:
        return CONNACK_NAMES.get(code, f"0x{code:02X}")
    if packet is PacketType.SUBACK and code <= 2:
        return f"Granted QoS {code}"
    if packet is PacketType.DISCONNECT and code == 0:
        return "Normal disconnection"
    if code not in Reason._value2member_map_:
        return f"0x{code:02X}"
    return Reason(code).name.replace("_", " ").capitalize().replace("qos", "QoS")
