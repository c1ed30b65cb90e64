"""The protocols that are served, each as a description that front ends go by.

What is about all protocols asks the description for what it needs, and no protocol for its name:
only modules that are named after a protocol know it alone.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field


class Protocol(Struct, frozen=True, kw_only=True):
    """`name` is what people type, `title` what sentences say, `letter` what narrow columns show."""

    name: str
    title: str
    letter: str
    fields: tuple[str, ...] = ("topic",)
    """What a message has of its own, in the protocol's words; the first is where it is sent to."""
    properties: tuple[str, ...] = ()
    """Those that go from publisher to subscriber, where they stand among a frame's own fields;
    none: they are together as `properties`."""
    group: str = "group"
    """What those who consume together are called."""
    group_field: str = "group"
    """The filter's field that shows the traffic of one of them."""
    levels: bool = False
    """Topics are trees, with / between their levels, and each has a newest value."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The environment variable that clients read for each kind of address."""
    anonymous: bool = False
    """Clients need not log in as long as no users were given."""
    nulls: bool = False
    """A message may have no value, which is not the same as an empty one."""
    bytes_in_headers: bool = False
    """Headers are bytes and may repeat; elsewhere they are a table of typed values."""
    unnamed: str = r"(?!)"
    """A pattern of what a client is called that gave no name: the next time otherwise."""
    resends: bool = False
    """A correct client sends on its next connection what was not confirmed, though it may be there
    already; elsewhere it numbers what it sends, so that it is there once."""
    leave: str = "the client"
    """How the reason of ConnectionClosed begins where a client went by its own wish."""
    answers: tuple[str, ...] = ()
    """How the names of operations end that only answer another one; elsewhere an answer is called
    like its request."""
    handshake: tuple[str, ...] = ()
    """Answers that are answered in their turn."""
    malformed: Mapping[str, str] = field(default_factory=dict)
    """Packets that no correct broker sends, which a fault can inject: what each is."""
    filter: str = r"(?s:.*)"
    """A pattern of the filters of topics that there are: no topic matches any other."""
    filter_rule: str = ""
    """The same in words."""
    tags: bool = False
    """Users have tags, which say what they may do in the management interface."""

    @property
    def routed(self) -> bool:
        """The key says where a message goes: it is part of the address and stands beside it."""
        return "routing_key" in self.fields

    def is_answer(self, operation: str) -> bool:
        """It only answers another operation, as its name says."""
        return operation.endswith(self.answers)

    def is_last(self, operation: str) -> bool:
        """Nor does anything answer it."""
        return self.is_answer(operation) and operation not in self.handshake

    @property
    def keyed(self) -> bool:
        """A message has a key that is its own."""
        return "key" in self.fields


PROTOCOLS: Final = {
    each.name: each
    for each in (
        Protocol(
            name="kafka",
            title="Kafka",
            letter="K",
            leave="the client closed the connection",  # it has no words for it, and hangs up
            fields=("topic", "key", "partition", "offset"),
            variables={
                "bootstrap": "KAFKA_BOOTSTRAP_SERVERS",
                "tls": "KAFKA_TLS_BOOTSTRAP_SERVERS",
            },
            anonymous=True,
            nulls=True,
            bytes_in_headers=True,
        ),
        Protocol(
            name="mqtt",
            title="MQTT",
            letter="M",
            leave="the client disconnected",
            fields=("topic", "qos", "retain"),
            # Of MQTT 5's PUBLISH (3.3.2.3); user properties are shown as headers.
            properties=(
                "content_type",
                "correlation_data",
                "message_expiry_interval",
                "payload_format_indicator",
                "response_topic",
            ),
            answers=("ACK", "REC", "REL", "COMP", "RESP"),
            handshake=("PUBREC", "PUBREL"),
            malformed={
                "bad-varint": "a Remaining Length of five bytes [2.1.4]",
                "long-length": "a Remaining Length of 268,435,455 with 12 bytes behind it",
                "type-0": "packet type 0, which is reserved [2.1.2]",
                "wrong-flags": "a PINGRESP with reserved flags set [MQTT-2.1.3-1]",
                "qos-3": "a PUBLISH with both QoS bits set [MQTT-3.3.1-4]",
                "packet-id-0": "a QoS 1 PUBLISH with packet identifier 0 [MQTT-2.2.1-3]",
                "bad-utf8": "a topic name that is no UTF-8 [MQTT-1.5.4-1]",
                "null-in-topic": "a topic name with U+0000 [MQTT-1.5.4-2]",
                "empty-topic": "a topic name of no length, without an alias [MQTT-4.7.3-1]",
                "wildcard-topic": "a PUBLISH to malformed/# [MQTT-3.3.2-2]",
                "topic-beyond-end": "a topic length beyond the packet's end",
                "unknown-property": "a PUBLISH with property 127 (MQTT 5) [2.2.2.2]",
                "duplicate-property": "a PUBLISH with two content types (MQTT 5) [3.3.2.3.9]",
                "long-properties": "a Property Length beyond the packet's end (MQTT 5) [2.2.2.1]",
                "alias-0": "a PUBLISH with Topic Alias 0 (MQTT 5) [MQTT-3.3.2-8]",
                "unsolicited-alias": "Topic Alias 65,535, which no topic was given (MQTT 5)"
                " [MQTT-3.3.2-9]",
                "bad-reason": "a PUBACK with reason code 0x01 (MQTT 5) [MQTT-3.4.2-1]",
                "short-puback": "a PUBACK of one byte",
                "unsolicited-puback": "PUBACK of packet identifier 65,535",
                "unsolicited-pubrec": "PUBREC of packet identifier 65,535",
                "unsolicited-pubrel": "PUBREL of packet identifier 65,535",
                "unsolicited-pubcomp": "PUBCOMP of packet identifier 65,535",
                "unsolicited-suback": "SUBACK of packet identifier 65,535",
                "unsolicited-pingresp": "a PINGRESP that no PINGREQ asked for",
                "second-connack": "CONNACK once more [MQTT-3.2.0-2]",
                "from-a-client": "a PINGREQ, which only clients send",
            },
            filter=r"(?s:(?:(?:\+|[^+#/]*)(?:/(?:\+|[^+#/]*))*(?:/#)?)|#)",
            filter_rule="+ is a whole level, and # the whole last one [MQTT-4.7.1-1]",
            group="session",
            group_field="client",
            unnamed=r"auto-[0-9a-f]{16}",
            resends=True,
            levels=True,
            variables={
                "url": "MQTT_URL",
                "tls": "MQTT_TLS_URL",
                "ws": "MQTT_WS_URL",
                "wss": "MQTT_WSS_URL",
                "unix": "MQTT_UNIX_URL",
                "sn": "MQTT_SN_URL",
            },
            anonymous=True,
        ),
        Protocol(
            name="amqp",
            title="AMQP",
            letter="A",
            unnamed=r".+@.+:\d+",
            resends=True,
            leave="closed by the client",
            fields=("exchange", "routing_key", "queues"),
            group="queue's consumers",
            group_field="topic",
            variables={
                "url": "AMQP_URL",
                "tls": "AMQP_TLS_URL",
                "management": "AMQP_MANAGEMENT_URL",
            },
            tags=True,
            answers=("-ok", "basic.get-empty", "basic.return"),
        ),
    )
}
"""By name, in the order in which they are shown."""


def protocol_of(name: str) -> Protocol:
    """Its description; one that says nothing for what no protocol is known of."""
    return PROTOCOLS.get(name) or Protocol(name=name, title=name, letter="?")


def letter_of(protocol: str) -> str:
    """A protocol's letter, `?` for what no protocol is known of."""
    return protocol_of(protocol).letter


def title_of(protocol: str) -> str:
    return protocol_of(protocol).title


def rank_of(protocol: str) -> int:
    """Where a protocol stands among the others; what is unknown comes last."""
    return _PLACES.get(protocol, len(_PLACES))


_PLACES: Final = {name: place for place, name in enumerate(PROTOCOLS)}
