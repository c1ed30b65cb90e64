"""QoS 2 publishes that wait for their PUBREL, where they are handed on by it."""

import pytest
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.wire.packets import Ack, Publish

from ..storage.memory_disk import MemoryDisk
from .scene import Scene


def publish(packet_id: int, size: int = 30, **properties: int) -> Publish:
    return Publish("t", b"x" * size, 2, packet_id=packet_id, properties=dict(properties))


def codes(packets: list[object]) -> list[tuple[PacketType, int]]:
    return [(packet.type, packet.code) for packet in packets if isinstance(packet, Ack)]


@pytest.mark.parametrize("version", [4, 5])
def test_they_are_bounded_by_the_bytes_that_may_wait_in_a_session(version: int) -> None:
    scene = Scene(Limits(mqtt_session_bytes=100), version=version, qos2_hand_on="release")
    taker = scene.connect("s", "t")
    client = scene.connect("c")
    assert len(scene.ask(client, *map(publish, (1, 2, 3)))) == 3
    answer = scene.ask(client, publish(4))
    if version == 5:
        assert codes(answer) == [(PacketType.PUBREC, Reason.QUOTA_EXCEEDED)]
        # What is handed on makes room, and the identifier that was refused is free.
        scene.ask(client, Ack(PacketType.PUBREL, 1))
        [accepted] = codes(scene.ask(client, publish(4)))
        assert accepted[1] < Reason.UNSPECIFIED_ERROR
        assert len(scene.publishes(taker)) == 1
    else:
        assert (answer, client.peer.ended) == ([], "closed")
    [limit] = [each for each in scene.environment.usage.views() if each.met]
    assert limit.name == "mqtt_session_bytes"


def test_the_bytes_are_counted_again_after_a_restart() -> None:
    disk = MemoryDisk()
    limits = Limits(mqtt_session_bytes=100)
    scene = Scene(limits, disk=disk, qos2_hand_on="release")
    client = scene.lasting("c")
    scene.ask(client, *map(publish, (1, 2, 3)))
    scene.broker.restart()
    client = scene.lasting("c")
    scene.got(client)
    assert codes(scene.ask(client, publish(4))) == [(PacketType.PUBREC, Reason.QUOTA_EXCEEDED)]
    scene.ask(client, Ack(PacketType.PUBREL, 1))
    assert codes(scene.ask(client, publish(4)))[0][1] < Reason.UNSPECIFIED_ERROR


def test_one_whose_expiry_is_over_by_its_pubrel_goes_to_nobody() -> None:
    """[MQTT-3.3.2-5]"""
    scene = Scene(qos2_hand_on="release")
    taker = scene.connect("s", "t")
    client = scene.connect("c")
    scene.ask(client, publish(1, message_expiry_interval=5), publish(2, message_expiry_interval=9))
    scene.advance(6)
    answers = scene.ask(client, Ack(PacketType.PUBREL, 1), Ack(PacketType.PUBREL, 2))
    assert codes(answers) == [(PacketType.PUBCOMP, 0), (PacketType.PUBCOMP, 0)]
    [packet] = scene.publishes(taker)
    assert packet.properties == {"message_expiry_interval": 3}
