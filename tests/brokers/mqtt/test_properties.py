"""Table 2-4 of MQTT 5.0: each property's bytes, and the packets in which it may stand."""

from mockforge_brokers.bytes_io import ByteReader
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.wire.packets import Disconnect, Request, Suback, Subscribe
from mockforge_brokers.mqtt.wire.properties import (
    BY_NAME,
    WILL,
    decode_properties,
    encode_properties,
)

from brokers.playback import to_bytes

from .scene import Scene

_MESSAGE = "PUBLISH WILL"
_BOTH = "CONNECT CONNACK"
_ACKS = "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH"

PROPERTIES: dict[str, tuple[str, object, str]] = {
    "payload_format_indicator": ("01 01", 1, _MESSAGE),
    "message_expiry_interval": ("02 00 00 00 0a", 10, _MESSAGE),
    "content_type": ('03 00 01 "t"', "t", _MESSAGE),
    "response_topic": ('08 00 01 "r"', "r", _MESSAGE),
    "correlation_data": ("09 00 02 00 ff", b"\x00\xff", _MESSAGE),
    "subscription_identifier": ("0b 81 01", [129], "PUBLISH SUBSCRIBE"),
    "session_expiry_interval": ("11 00 00 00 1e", 30, f"{_BOTH} DISCONNECT"),
    "assigned_client_identifier": ('12 00 01 "a"', "a", "CONNACK"),
    "server_keep_alive": ("13 00 3c", 60, "CONNACK"),
    "authentication_method": ('15 00 01 "m"', "m", f"{_BOTH} AUTH"),
    "authentication_data": ("16 00 01 00", b"\0", f"{_BOTH} AUTH"),
    "request_problem_information": ("17 01", 1, "CONNECT"),
    "will_delay_interval": ("18 00 00 00 05", 5, "WILL"),
    "request_response_information": ("19 01", 1, "CONNECT"),
    "response_information": ('1a 00 01 "i"', "i", "CONNACK"),
    "server_reference": ('1c 00 01 "s"', "s", "CONNACK DISCONNECT"),
    "reason_string": ('1f 00 01 "w"', "w", _ACKS),
    "receive_maximum": ("21 00 0a", 10, _BOTH),
    "topic_alias_maximum": ("22 00 0a", 10, _BOTH),
    "topic_alias": ("23 00 01", 1, "PUBLISH"),
    "maximum_qos": ("24 01", 1, "CONNACK"),
    "retain_available": ("25 00", 0, "CONNACK"),
    "user_property": (
        '26 00 01 "k" 00 01 "v"',
        [("k", "v")],
        f"{_ACKS} {_MESSAGE} CONNECT SUBSCRIBE UNSUBSCRIBE",
    ),
    "maximum_packet_size": ("27 00 00 01 00", 256, _BOTH),
    "wildcard_subscription_available": ("28 01", 1, "CONNACK"),
    "subscription_identifier_available": ("29 01", 1, "CONNACK"),
    "shared_subscription_available": ("2a 01", 1, "CONNACK"),
}

WHERE = {**{each.name: int(each) for each in PacketType}, "WILL": WILL}


def read(data: bytes, packet: int) -> dict[str, object] | int:
    """The properties, or the reason code with which they are refused."""
    whole = bytes((len(data),)) + data
    try:
        return decode_properties(ByteReader(whole, 0, len(whole), "packet"), packet)
    except ProtocolError as error:
        return error.code or 0


def test_each_property_has_its_bytes_and_stands_where_the_specification_lets_it() -> None:
    assert PROPERTIES.keys() == BY_NAME.keys()
    for name, (text, value, packets) in PROPERTIES.items():
        data = to_bytes(text)
        assert encode_properties({name: value}) == bytes((len(data),)) + data, name
        for where, packet in WHERE.items():
            found = {name: value} if where in packets.split() else Reason.MALFORMED_PACKET
            assert read(data, packet) == found, (name, where)


def test_a_property_comes_once_but_those_of_users_and_of_subscriptions_that_match() -> None:
    for name, (text, value, packets) in PROPERTIES.items():
        packet = WHERE[packets.split()[0]]
        twice = read(to_bytes(text) * 2, packet)
        if name in ("user_property", "subscription_identifier"):
            assert isinstance(value, list)
            assert twice == {name: value * 2}
        else:
            assert twice == Reason.PROTOCOL_ERROR, name


def test_a_length_within_a_packet_that_could_be_shorter_is_malformed() -> None:
    """Mosquitto 2.0.11 was sent the same in PUBLISH, SUBSCRIBE and PUBREL: it ends them with 0x81,
    and takes a Remaining Length that could be shorter."""
    scene = Scene()
    for name, raw in {
        "a Property Length of two bytes": '32 08 00 01 "a" 00 01 80 00 "x"',
        "of three": '82 09 00 01 80 80 00 00 01 "a" 01',
        "of an acknowledgement": "62 05 00 01 00 80 00",
        "a Subscription Identifier": '82 0a 00 01 03 0b 81 00 00 01 "a" 01',
    }.items():
        client = scene.connect(name)
        client.send(to_bytes(raw))
        [disconnect] = scene.got(client)
        assert isinstance(disconnect, Disconnect), name
        assert disconnect.code == Reason.MALFORMED_PACKET
        assert "could be shorter [MQTT-1.5.5-1]" in disconnect.properties["reason_string"]
    # The same lengths where they are needed.
    wanted = {"subscription_identifier": [128], "user_property": [("k", "v" * 200)]}
    answer = scene.ask(scene.connect("long"), Subscribe(1, [Request("a")], wanted))
    assert [type(each) for each in answer] == [Suback]
