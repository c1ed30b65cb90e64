"""Every packet type in both dialects: bytes to value and back, and what is malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import (
    MAXIMUM_LENGTH,
    PacketSplitter,
    decode_varint,
    encode_varint,
)
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)

from brokers.playback import to_bytes

PUBACK, PUBREC = PacketType.PUBACK, PacketType.PUBREC
PUBREL, PUBCOMP = PacketType.PUBREL, PacketType.PUBCOMP

CASES: list[tuple[str, int, str, Packet]] = [
    (
        "connect 3.1",
        3,
        '10 0f 00 06 "MQIsdp" 03 02 00 3c 00 01 "a"',
        Connect("a", 3, True, 60),
    ),
    (
        "connect 3.1.1",
        4,
        '10 0d 00 04 "MQTT" 04 02 00 3c 00 01 "a"',
        Connect("a", 4, True, 60),
    ),
    (
        "connect 3.1.1 with everything",
        4,
        '10 20 00 04 "MQTT" 04 ec 00 0a 00 02 "me" 00 03 "w/t" 00 03 "bye"'
        ' 00 01 "u" 00 03 70 00 ff',
        Connect("me", 4, False, 10, Will("w/t", b"bye", 1, True), "u", b"p\0\xff"),
    ),
    (
        "connect 5.0 with will and properties",
        5,
        '10 27 00 04 "MQTT" 05 0e 00 00 08 11 00 00 00 1e 21 00 0a 00 01 "c"'
        ' 09 18 00 00 00 05 03 00 01 "t" 00 01 "w" 00 02 "hi"',
        Connect(
            "c",
            5,
            True,
            0,
            Will("w", b"hi", 1, False, {"will_delay_interval": 5, "content_type": "t"}),
            properties={"session_expiry_interval": 30, "receive_maximum": 10},
        ),
    ),
    ("connack 3.1.1", 4, "20 02 01 00", Connack(0, True)),
    ("connack 3.1.1 refused", 4, "20 02 00 05", Connack(5)),
    (
        "connack 5.0",
        5,
        '20 0c 00 00 09 12 00 03 "abc" 13 00 3c',
        Connack(0, False, {"assigned_client_identifier": "abc", "server_keep_alive": 60}),
    ),
    ("publish qos 0", 4, '30 07 00 03 "a/b" "21"', Publish("a/b", b"21")),
    (
        "publish qos 1 retained again",
        4,
        '3b 09 00 03 "a/b" 00 0a "hi"',
        Publish("a/b", b"hi", 1, True, True, 10),
    ),
    ("publish qos 2 empty", 4, '34 07 00 03 "a/b" ff ff', Publish("a/b", b"", 2, packet_id=65535)),
    ("publish 5.0 plain", 5, '30 05 00 01 "t" 00 "x"', Publish("t", b"x")),
    (
        "publish 5.0 with properties",
        5,
        '32 2c 00 01 "t" 00 07 25 01 01 02 00 00 00 09 08 00 01 "r" 09 00 02 01 02'
        ' 0b 01 0b c8 ee 1b 23 00 03 26 00 01 "k" 00 01 "v" 03 00 02 "ct" "x"',
        Publish(
            "t",
            b"x",
            1,
            packet_id=7,
            properties={
                "payload_format_indicator": 1,
                "message_expiry_interval": 9,
                "response_topic": "r",
                "correlation_data": b"\x01\x02",
                "subscription_identifier": [1, 456_520],
                "topic_alias": 3,
                "user_property": [("k", "v")],
                "content_type": "ct",
            },
        ),
    ),
    ("puback", 4, "40 02 00 01", Ack(PUBACK, 1)),
    ("puback 5.0 short", 5, "40 02 00 01", Ack(PUBACK, 1)),
    ("puback 5.0 code", 5, "40 03 00 01 10", Ack(PUBACK, 1, 0x10)),
    (
        "puback 5.0 with a reason",
        5,
        '40 09 00 01 87 05 1f 00 02 "no"',
        Ack(PUBACK, 1, 0x87, {"reason_string": "no"}),
    ),
    ("pubrec", 4, "50 02 12 34", Ack(PUBREC, 0x1234)),
    ("pubrel", 4, "62 02 12 34", Ack(PUBREL, 0x1234)),
    ("pubcomp 5.0", 5, "70 03 00 02 92", Ack(PUBCOMP, 2, 0x92)),
    (
        "subscribe 3.1.1",
        4,
        '82 0b 00 01 00 01 "#" 00 00 02 "a+" 02',
        Subscribe(1, [Request("#"), Request("a+", 2)]),
    ),
    (
        "subscribe 5.0",
        5,
        '82 09 00 01 02 0b 05 00 01 "x" 2d',
        Subscribe(1, [Request("x", 1, True, True, 2)], {"subscription_identifier": [5]}),
    ),
    ("suback 3.1.1", 4, "90 05 00 01 00 02 80", Suback(1, [0, 2, 0x80])),
    ("suback 5.0", 5, "90 05 00 01 00 00 87", Suback(1, [0, 0x87])),
    ("unsubscribe 3.1.1", 4, 'a2 05 00 02 00 01 "x"', Unsubscribe(2, ["x"])),
    (
        "unsubscribe 5.0",
        5,
        'a2 0d 00 02 07 26 00 01 "k" 00 01 "v" 00 01 "x"',
        Unsubscribe(2, ["x"], {"user_property": [("k", "v")]}),
    ),
    ("unsuback 3.1.1", 4, "b0 02 00 02", Unsuback(2)),
    ("unsuback 5.0", 5, "b0 05 00 02 00 00 11", Unsuback(2, [0, 0x11])),
    ("pingreq", 4, "c0 00", Pingreq()),
    ("pingresp", 5, "d0 00", Pingresp()),
    ("disconnect 3.1.1", 4, "e0 00", Disconnect()),
    ("disconnect 5.0 short", 5, "e0 00", Disconnect()),
    ("disconnect 5.0 code", 5, "e0 01 04", Disconnect(4)),
    (
        "disconnect 5.0 with properties",
        5,
        "e0 07 00 05 11 00 00 00 00",
        Disconnect(0, {"session_expiry_interval": 0}),
    ),
    ("auth", 5, 'f0 06 18 04 15 00 01 "m"', Auth(0x18, {"authentication_method": "m"})),
]

MALFORMED: list[tuple[str, int, str, int, str]] = [
    ("reserved type", 4, "00 00", 0x81, "reserved"),
    ("auth before 5.0", 4, "f0 00", 0x81, "AUTH"),
    ("connect flags", 4, '11 0d 00 04 "MQTT" 04 02 00 3c 00 01 "a"', 0x81, "MQTT-2.1.3-1"),
    ("reserved connect flag", 4, '10 0d 00 04 "MQTT" 04 03 00 3c 00 01 "a"', 0x81, "3.1.2-3"),
    ("other protocol", 4, '10 0b 00 02 "hj" 04 02 00 3c 00 01 "a"', 0x81, "MQTT-3.1.2-1"),
    ("a bridge's other level", 4, '10 0d 00 04 "MQTT" 85 02 00 3c 00 01 "a"', 0x84, "MQTT-3.1.2-2"),
    ("other level", 4, '10 0d 00 04 "MQTT" 06 02 00 3c 00 01 "a"', 0x84, "MQTT-3.1.2-2"),
    ("will qos 3", 4, '10 0d 00 04 "MQTT" 04 1e 00 3c 00 01 "a"', 0x81, "MQTT-3.1.2-12"),
    ("will qos without will", 4, '10 0d 00 04 "MQTT" 04 0a 00 3c 00 01 "a"', 0x81, "3.1.2-11"),
    ("password alone", 4, '10 0d 00 04 "MQTT" 04 42 00 3c 00 01 "a"', 0x81, "MQTT-3.1.2-22"),
    ("client id cut", 4, '10 0d 00 04 "MQTT" 04 02 00 3c 00 02 "a"', 0, "CONNECT"),
    ("bytes behind connect", 4, '10 0e 00 04 "MQTT" 04 02 00 3c 00 01 "ab"', 0x81, "too many"),
    ("client id not utf-8", 4, '10 0d 00 04 "MQTT" 04 02 00 3c 00 01 ff', 0x81, "1.5.4-1"),
    ("client id surrogate", 4, '10 0f 00 04 "MQTT" 04 02 00 3c 00 03 ed a0 80', 0x81, "1.5.4-1"),
    ("client id nul", 4, '10 0d 00 04 "MQTT" 04 02 00 3c 00 01 00', 0x81, "MQTT-1.5.4-2"),
    ("connack flags", 4, "20 02 02 00", 0x81, "MQTT-3.2.2-1"),
    ("publish qos 3", 4, '36 05 00 01 "a" 00 01', 0x81, "MQTT-3.3.1-4"),
    ("publish id 0", 4, '32 05 00 01 "a" 00 00', 0x82, "MQTT-2.2.1-3"),
    ("publish without id", 4, '32 03 00 01 "a"', 0, "PUBLISH"),
    ("publish topic cut", 4, '30 03 00 05 "a"', 0, "PUBLISH"),
    ("publish properties cut", 5, '30 05 00 01 "t" 09 01', 0x81, "do not fit"),
    ("publish wrong property", 5, '30 07 00 01 "t" 03 13 00 01', 0x81, "does not belong"),
    ("publish unknown property", 5, '30 06 00 01 "t" 02 7f 00', 0x81, "property 127"),
    ("publish property twice", 5, '30 08 00 01 "t" 04 01 01 01 01', 0x82, "twice"),
    ("publish format 2", 5, '30 06 00 01 "t" 02 01 02', 0x82, "payload_format_indicator"),
    ("subscription identifier 0", 5, '82 09 00 01 02 0b 00 00 01 "x" 00', 0x82, "identifier"),
    ("receive maximum 0", 5, '10 10 00 04 "MQTT" 05 02 00 3c 03 21 00 00 00 00', 0x82, "receive"),
    ("puback too long", 4, "40 03 00 01 00", 0x81, "too many"),
    ("puback unknown code", 5, "40 03 00 01 77", 0x82, "MQTT-3.4.2-1"),
    ("pubrec code of another packet", 5, "50 03 00 01 92", 0x82, "MQTT-3.5.2-1"),
    ("pubrel code of another packet", 5, "62 03 00 01 10", 0x82, "MQTT-3.6.2-1"),
    ("pubcomp code of another packet", 5, "70 03 00 01 80", 0x82, "MQTT-3.7.2-1"),
    ("disconnect code of another packet", 5, "e0 01 10", 0x82, "MQTT-3.14.2-1"),
    ("auth code of another packet", 5, "f0 01 80", 0x82, "MQTT-3.15.2-1"),
    ("pubrel flags", 4, "60 02 00 01", 0x81, "MQTT-2.1.3-1"),
    ("subscribe flags", 4, '80 06 00 01 00 01 "#" 00', 0x81, "MQTT-2.1.3-1"),
    ("subscribe to nothing", 4, "82 02 00 01", 0x82, "MQTT-3.8.3-2"),
    ("subscribe qos 3", 4, '82 06 00 01 00 01 "#" 03', 0x81, "MQTT-3.8.3-5"),
    ("subscribe options 3.1.1", 4, '82 06 00 01 00 01 "#" 04', 0x81, "MQTT-3.8.3-5"),
    ("subscribe reserved 5.0", 5, '82 07 00 01 00 00 01 "#" 40', 0x81, "MQTT-3.8.3-5"),
    ("retain handling 3", 5, '82 07 00 01 00 00 01 "#" 30', 0x82, "Retain Handling"),
    ("unsubscribe nothing", 4, "a2 02 00 01", 0x82, "MQTT-3.10.3-2"),
    ("ping with a body", 4, "c0 01 00", 0x81, "too many"),
    ("disconnect with a body", 4, "e0 01 00", 0x81, "too many"),
]


@pytest.mark.parametrize(
    ("version", "data", "packet"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_bytes_mean_this_value_and_back(version: int, data: str, packet: Packet) -> None:
    assert decode_packet(to_bytes(data), version) == packet
    assert encode_packet(packet, version).hex(" ") == to_bytes(data).hex(" ")


@pytest.mark.parametrize(
    ("version", "data", "code", "text"),
    [case[1:] for case in MALFORMED],
    ids=[case[0] for case in MALFORMED],
)
def test_malformed_bytes_are_refused(version: int, data: str, code: int, text: str) -> None:
    with pytest.raises(ProtocolError, match=text) as raised:
        decode_packet(to_bytes(data), version)
    assert raised.value.code == code


@pytest.mark.parametrize("data", [case[2] for case in CASES], ids=[case[0] for case in CASES])
def test_every_proper_prefix_asks_for_more(data: str) -> None:
    whole = to_bytes(data)
    for length in range(len(whole)):
        splitter = PacketSplitter()
        assert splitter.feed(whole[:length]) == []
        assert splitter.pending == length
        assert splitter.feed(whole[length:]) == [whole]
        assert splitter.pending == 0


@pytest.mark.parametrize(
    ("version", "data", "packet"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_shorter_body_never_decodes_to_the_same(version: int, data: str, packet: Packet) -> None:
    whole = to_bytes(data)
    for length in range(len(whole) - 2):
        cut = bytes((whole[0], length)) + whole[2 : 2 + length]
        try:
            assert decode_packet(cut, version) != packet
        except ProtocolError:
            pass


def test_splitter_cuts_packets_that_come_together() -> None:
    splitter = PacketSplitter()
    assert splitter.feed(to_bytes('c0 00 30 03 00 01 "a" e0')) == [
        b"\xc0\x00",
        b"\x30\x03\x00\x01a",
    ]
    assert splitter.take() == b"\xe0"
    assert splitter.pending == 0


def test_splitter_hands_back_all_bytes_of_a_length_that_cannot_be() -> None:
    splitter = PacketSplitter()
    data = to_bytes("c0 00 30 ff ff ff ff 01")
    with pytest.raises(ProtocolError, match="four bytes"):
        splitter.feed(data)
    assert splitter.take() == data


def test_splitter_refuses_a_packet_above_its_limit() -> None:
    with pytest.raises(ProtocolError, match="larger than") as raised:
        PacketSplitter(100).feed(b"\x30\x63")
    assert raised.value.code == 0x95


@given(st.integers(0, MAXIMUM_LENGTH))
def test_varint_round_trip(value: int) -> None:
    data = encode_varint(value)
    assert decode_varint(data, 0, len(data)) == (value, len(data))
    assert decode_varint(data, 0, len(data) - 1)[0] == -1


@given(st.binary(max_size=60), st.sampled_from([3, 4, 5]))
def test_any_bytes_decode_or_are_refused(data: bytes, version: int) -> None:
    for kind in range(256):
        frame = bytes((kind,)) + encode_varint(len(data)) + data
        try:
            packet = decode_packet(frame, version)
        except ProtocolError:
            continue
        assert decode_packet(encode_packet(packet, version), version) == packet
