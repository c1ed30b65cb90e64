"""Our MQTT 5 packets as an independent codec reads and writes them."""

import mqtt5
import pytest
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)

PACKETS: list[Packet] = [
    Connect(
        "me",
        5,
        False,
        30,
        Will("w", b"bye", 1, True, {"will_delay_interval": 9}),
        "u",
        b"p",
        {"session_expiry_interval": 7, "receive_maximum": 9, "user_property": [("a", "b")]},
    ),
    Connack(0, True, {"topic_alias_maximum": 3, "assigned_client_identifier": "x"}),
    Publish(
        "t/1",
        b"payload",
        1,
        True,
        True,
        77,
        {
            "payload_format_indicator": 1,
            "message_expiry_interval": 60,
            "topic_alias": 5,
            "response_topic": "r",
            "correlation_data": b"\x00\x01",
            "user_property": [("k", "v"), ("k", "w")],
            "subscription_identifier": [1, 268_435_455],
            "content_type": "text/plain",
        },
    ),
    Publish("t", b""),
    Ack(PacketType.PUBACK, 1, 0x10, {"reason_string": "nobody"}),
    Ack(PacketType.PUBREC, 65_535),
    Ack(PacketType.PUBREL, 3, 0x92),
    Ack(PacketType.PUBCOMP, 4),
    Subscribe(
        9, [Request("a/+", 2, True, True, 1), Request("#")], {"subscription_identifier": [300]}
    ),
    Suback(9, [2, 0x8F]),
    Unsubscribe(10, ["a/+", "b"]),
    Unsuback(10, [0, 0x11]),
    Pingreq(),
    Disconnect(0x8E, {"reason_string": "again"}),
]


@pytest.mark.parametrize("packet", PACKETS, ids=[type(packet).__name__ for packet in PACKETS])
def test_the_oracle_reads_what_we_write_and_writes_what_we_read(packet: Packet) -> None:
    data = encode_packet(packet, 5)
    read, length = mqtt5.read(data)
    assert length == len(data)
    assert decode_packet(read.write(), 5) == packet
