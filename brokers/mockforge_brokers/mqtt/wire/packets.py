"""Every packet as a plain value; which fields count depends on the protocol version."""

from msgspec import Struct, field

from ..codes import V311, PacketType
from .properties import Properties


class Will(Struct):
    """The message that CONNECT leaves for the time after the connection."""

    topic_name: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=dict)


class Connect(Struct):
    client_id: str
    version: int = V311
    clean_start: bool = True
    keep_alive: int = 0
    will: Will | None = None
    user_name: str | None = None
    password: bytes | None = None
    properties: Properties = field(default_factory=dict)
    bridge: bool = False
    """It said so by the highest bit of the protocol level (before MQTT 5)."""


class Connack(Struct):
    """`code` is a CONNACK return code before MQTT 5, a reason code since."""

    code: int = 0
    session_present: bool = False
    properties: Properties = field(default_factory=dict)


class Publish(Struct):
    topic_name: str
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = field(default_factory=dict)


class Ack(Struct):
    """PUBACK, PUBREC, PUBREL or PUBCOMP."""

    type: PacketType
    packet_id: int
    code: int = 0
    properties: Properties = field(default_factory=dict)


class Request(Struct, frozen=True):
    """One topic filter of a SUBSCRIBE with its options."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


class Subscribe(Struct):
    packet_id: int
    requests: list[Request]
    properties: Properties = field(default_factory=dict)


class Suback(Struct):
    packet_id: int
    codes: list[int]
    properties: Properties = field(default_factory=dict)


class Unsubscribe(Struct):
    packet_id: int
    topic_filters: list[str]
    properties: Properties = field(default_factory=dict)


class Unsuback(Struct):
    """`codes` is empty before MQTT 5."""

    packet_id: int
    codes: list[int] = field(default_factory=list)
    properties: Properties = field(default_factory=dict)


class Pingreq(Struct, frozen=True):
    pass


class Pingresp(Struct, frozen=True):
    pass


class Disconnect(Struct):
    code: int = 0
    properties: Properties = field(default_factory=dict)


class Auth(Struct):
    code: int = 0
    properties: Properties = field(default_factory=dict)


Packet = (
    Connect
    | Connack
    | Publish
    | Ack
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | Auth
)
