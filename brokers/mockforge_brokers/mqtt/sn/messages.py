"""Every message of MQTT-SN 1.2 as a plain value, by the specification's names (5.4)."""

from enum import IntEnum
from typing import Final

from msgspec import Struct


class MessageType(IntEnum):
    """The octet behind the length (5.2.2)."""

    ADVERTISE = 0x00
    SEARCHGW = 0x01
    GWINFO = 0x02
    CONNECT = 0x04
    CONNACK = 0x05
    WILLTOPICREQ = 0x06
    WILLTOPIC = 0x07
    WILLMSGREQ = 0x08
    WILLMSG = 0x09
    REGISTER = 0x0A
    REGACK = 0x0B
    PUBLISH = 0x0C
    PUBACK = 0x0D
    PUBCOMP = 0x0E
    PUBREC = 0x0F
    PUBREL = 0x10
    SUBSCRIBE = 0x12
    SUBACK = 0x13
    UNSUBSCRIBE = 0x14
    UNSUBACK = 0x15
    PINGREQ = 0x16
    PINGRESP = 0x17
    DISCONNECT = 0x18
    WILLTOPICUPD = 0x1A
    WILLTOPICRESP = 0x1B
    WILLMSGUPD = 0x1C
    WILLMSGRESP = 0x1D
    ENCAPSULATED = 0xFE


class ReturnCode(IntEnum):
    """5.3.10."""

    ACCEPTED = 0
    CONGESTION = 1
    INVALID_TOPIC_ID = 2
    NOT_SUPPORTED = 3

    @property
    def text(self) -> str:
        """As the specification has it."""
        rejected = "Rejected: " if self else ""
        return rejected + self.name.lower().replace("_", " ") if self else "Accepted"


class TopicIdType(IntEnum):
    """What the two octets of a topic are (5.3.4); of SUBSCRIBE `NORMAL` is a topic name."""

    NORMAL = 0
    PREDEFINED = 1
    SHORT = 2


VERSION: Final = "MQTT-SN 1.2"

QOS_MINUS_1: Final = 3
"""The QoS bits of a PUBLISH that needs no connection (6.8)."""


class Advertise(Struct, frozen=True):
    """`duration`: seconds until the next one."""

    gateway_id: int
    duration: int


class SearchGateway(Struct, frozen=True):
    radius: int = 0


class GatewayInfo(Struct, frozen=True):
    """`address` is there only where a client answers for a gateway."""

    gateway_id: int
    address: bytes = b""


class Connect(Struct, frozen=True):
    """`duration` is the keep alive in seconds; `protocol_id` is 1."""

    client_id: str
    duration: int = 60
    clean_session: bool = True
    will: bool = False
    protocol_id: int = 1


class Connack(Struct, frozen=True):
    code: int = 0


class WillTopicRequest(Struct, frozen=True):
    pass


class WillTopic(Struct, frozen=True):
    """An empty one has no flags either, and means that there is no will."""

    topic_name: str = ""
    qos: int = 0
    retain: bool = False


class WillMessageRequest(Struct, frozen=True):
    pass


class WillMessage(Struct, frozen=True):
    payload: bytes = b""


class Register(Struct, frozen=True):
    """From a client `topic_id` is 0: the gateway chooses it."""

    message_id: int
    topic_name: str
    topic_id: int = 0


class Regack(Struct, frozen=True):
    topic_id: int
    message_id: int
    code: int = 0


class Publish(Struct, frozen=True):
    """`topic_id` of a short name is its two octets."""

    topic_id: int
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    message_id: int = 0
    topic_type: int = 0
    dup: bool = False


class Puback(Struct, frozen=True):
    topic_id: int
    message_id: int
    code: int = 0


class Pubrec(Struct, frozen=True):
    message_id: int


class Pubrel(Struct, frozen=True):
    message_id: int


class Pubcomp(Struct, frozen=True):
    message_id: int


class Subscribe(Struct, frozen=True):
    """A name, or the id of a predefined topic; a short name is a name of two octets."""

    message_id: int
    topic_name: str = ""
    topic_id: int = 0
    qos: int = 0
    topic_type: int = 0
    dup: bool = False


class Suback(Struct, frozen=True):
    """`topic_id` is 0 where the filter has wildcards."""

    topic_id: int
    message_id: int
    code: int = 0
    qos: int = 0


class Unsubscribe(Struct, frozen=True):
    message_id: int
    topic_name: str = ""
    topic_id: int = 0
    topic_type: int = 0


class Unsuback(Struct, frozen=True):
    message_id: int


class Pingreq(Struct, frozen=True):
    """`client_id`: of a sleeping client that wants what waits for it."""

    client_id: str = ""


class Pingresp(Struct, frozen=True):
    pass


class Disconnect(Struct, frozen=True):
    """`duration`: seconds for which the client sleeps; None: it goes."""

    duration: int | None = None


class WillTopicUpdate(Struct, frozen=True):
    """An empty one has no flags either, and takes the will back."""

    topic_name: str = ""
    qos: int = 0
    retain: bool = False


class WillTopicResponse(Struct, frozen=True):
    code: int = 0


class WillMessageUpdate(Struct, frozen=True):
    payload: bytes = b""


class WillMessageResponse(Struct, frozen=True):
    code: int = 0


SnMessage = (
    Advertise
    | SearchGateway
    | GatewayInfo
    | Connect
    | Connack
    | WillTopicRequest
    | WillTopic
    | WillMessageRequest
    | WillMessage
    | Register
    | Regack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | WillTopicUpdate
    | WillTopicResponse
    | WillMessageUpdate
    | WillMessageResponse
)
