"""Packets by type and reason codes, as a scraper sees them."""

import pytest
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connect,
    Disconnect,
    Pingreq,
    Publish,
    Request,
    Subscribe,
    Unsubscribe,
)

from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def counted(scene: Scene, name: str) -> dict[tuple[str, ...], float]:
    return next(dict(each.samples) for each in scene.broker.metrics() if each.name == name)


def test_packets_count_by_type_and_direction_on_every_way(scene: Scene) -> None:
    taker = scene.come(Connect("taker"), Subscribe(1, [Request("#", 2)]))
    plain = Publish("t", b"x", 1, packet_id=7)
    # The first of a topic goes the general way, those behind it the fast one.
    publisher = scene.come(Connect("publisher"), plain)
    scene.send(publisher, plain, plain, Publish("t"), Publish("t"), Pingreq())
    scene.send(publisher, Publish("q", b"", 2, packet_id=9), Ack(PacketType.PUBREL, 9))
    scene.send(taker, *(Ack(PacketType.PUBACK, number) for number in (1, 2, 3)))
    scene.send(taker, Ack(PacketType.PUBREC, 4), Ack(PacketType.PUBCOMP, 4), Disconnect())
    publisher.vanish()
    assert counted(scene, "mqtt_packets_total") == {
        ("in", "CONNECT"): 2,
        ("in", "PUBLISH"): 6,
        ("in", "PUBACK"): 3,
        ("in", "PUBREC"): 1,
        ("in", "PUBREL"): 1,
        ("in", "PUBCOMP"): 1,
        ("in", "SUBSCRIBE"): 1,
        ("in", "PINGREQ"): 1,
        ("in", "DISCONNECT"): 1,
        ("out", "CONNACK"): 2,
        ("out", "PUBLISH"): 6,
        ("out", "PUBACK"): 3,
        ("out", "PUBREC"): 1,
        ("out", "PUBREL"): 1,
        ("out", "PUBCOMP"): 1,
        ("out", "SUBACK"): 1,
        ("out", "PINGRESP"): 1,
    }


def test_reason_codes_count_by_packet_and_name(scene: Scene) -> None:
    client = scene.come(Connect("a", 5), Subscribe(1, [Request("a", 0), Request("b", 2)]))
    scene.send(client, Publish("nobody", b"", 1, packet_id=1), Publish("a", b"", 1, packet_id=2))
    scene.send(client, Unsubscribe(2, ["a", "c"]), Ack(PacketType.PUBREL, 5), Disconnect(4))
    # A client identifier that may not be empty: what MQTT 3.1.1 calls it.
    scene.come(Connect("", 4, clean_start=False))
    assert counted(scene, "mqtt_reason_codes_total") == {
        ("in", "PUBREL", "Success"): 1,
        ("in", "DISCONNECT", "Disconnect with will"): 1,
        ("out", "CONNACK", "Success"): 1,
        ("out", "CONNACK", "Identifier rejected"): 1,
        ("out", "SUBACK", "Granted QoS 0"): 1,
        ("out", "SUBACK", "Granted QoS 2"): 1,
        ("out", "PUBACK", "Success"): 1,
        ("out", "PUBACK", "No matching subscribers"): 1,
        ("out", "PUBCOMP", "Packet identifier not found"): 1,
        ("out", "UNSUBACK", "Success"): 1,
        ("out", "UNSUBACK", "No subscription existed"): 1,
    }
