"""Retained publishes in a row: what is asked, told and kept of each (mqtt/retaining.py).

That all come out as one by one is compared in test_burst.py.
"""

from typing import Any

import pytest
from mockforge_brokers.events import AccessDenied
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.records import Message
from mockforge_brokers.mqtt.state.retained import RetainedMessages
from mockforge_brokers.mqtt.wire.packets import Ack, Connect, Publish

from ..storage.memory_disk import MemoryDisk
from .scene import Scene

LIMIT = 1 << 20


def kept(*topic_names: str) -> list[Publish]:
    return [
        Publish(name, b"x", 1, True, packet_id=place) for place, name in enumerate(topic_names, 1)
    ]


def retained_in(scene: Scene) -> list[str]:
    return sorted(message.topic_name for message in scene.broker.router.retained.all())


def test_of_whom_rules_concern_each_is_asked_about() -> None:
    scene = Scene(version=5)
    scene.guard("allow alice publish mqtt:a/1", "allow alice publish mqtt:a/3")
    client = scene.come(Connect("c", 5, user_name="alice", password=b"secret"))
    client.take()
    answers = scene.ask(client, *kept("a/1", "a/2", "a/3", "a/4"))
    codes = [each.code for each in answers if isinstance(each, Ack)]
    nobody, denied = Reason.NO_MATCHING_SUBSCRIBERS, Reason.NOT_AUTHORIZED
    assert codes == [nobody, denied, nobody, denied]
    assert retained_in(scene) == ["a/1", "a/3"]
    assert len(scene.emitted(AccessDenied)) == 2


@pytest.mark.parametrize(
    ("topic_filter", "topic_names"),
    [
        (None, ["a/1", "a/2", "$x", "r"]),
        ("a/+", ["a/1", "a/2"]),
        ("a/2", ["a/2"]),
        ("+", ["r"]),
        ("$x", ["$x"]),
        ("other/#", []),
    ],
)
def test_who_watches_sees_them(topic_filter: str | None, topic_names: list[str]) -> None:
    scene = Scene(version=4)
    client = scene.connect()
    scene.send(client, *kept("a/1"))
    seen: list[Any] = []
    stop = scene.broker.watch(lambda message: seen.append(message.destination), topic_filter)
    scene.send(client, *kept("a/1", "a/2", "$x", "r"))
    assert seen == topic_names
    stop()
    scene.send(client, *kept("a/1", "a/2", "$x", "r"))
    assert seen == topic_names
    assert len(retained_in(scene)) == 4


def test_while_nothing_can_be_written_those_of_qos_1_are_refused() -> None:
    disk = MemoryDisk()
    scene = Scene(disk=disk)
    client = scene.connect()
    scene.send(client, *kept("a/1"))
    scene.clock.advance(0.01)
    assert len(disk.entities) == 1
    assert disk.store is not None
    disk.store.failed("the disk is full")
    client.take()
    answers = scene.ask(client, *kept("a/2", "a/3"))
    codes = [each.code for each in answers if isinstance(each, Ack)]
    assert codes == [Reason.QUOTA_EXCEEDED] * 2
    assert retained_in(scene) == ["a/1"]


def test_a_topic_whose_neighbours_have_gone_is_found_all_the_same() -> None:
    retained = RetainedMessages(10, LIMIT)
    retained.store(Message("a/b/1", b"x"))
    assert retained.remove("a/b/1")
    retained.store(Message("a/b/2", b"x"))
    assert retained.get("a/b/2")
    assert retained.begins("a/#")
    retained.clear()
    retained.store(Message("a/b/3", b"x"))
    assert [message.topic_name for message in retained.all()] == ["a/b/3"]


def test_a_tree_of_very_many_levels_is_let_go_of() -> None:
    retained = RetainedMessages(1 << 17, LIMIT)
    retained.store(Message("/" * 65_535, b"x"))
    assert retained.get("/" * 65_535)
    retained.clear()
    assert retained.count == retained.bytes == retained.weight == 0


def fleeting(topic_name: str, seconds: int | None, packet_id: int = 1) -> Publish:
    life = {} if seconds is None else {"message_expiry_interval": seconds}
    return Publish(topic_name, b"x", 1, True, packet_id=packet_id, properties=life)


def test_those_that_are_over_leave_in_their_time() -> None:
    disk = MemoryDisk()
    scene = Scene(Limits(mqtt_retained=3), disk=disk)
    client = scene.connect()
    scene.send(client, fleeting("a/1", 10), fleeting("a/2", 5), fleeting("a/3", 7))
    # Another one in place of it stays; one that is cleared is not missed.
    scene.send(client, fleeting("a/3", None), fleeting("a/2", 6))
    scene.advance(5.5)
    assert retained_in(scene) == ["a/1", "a/2", "a/3"]
    scene.advance(1)
    assert retained_in(scene) == ["a/1", "a/3"]
    scene.advance(4)
    assert retained_in(scene) == ["a/3"]
    scene.advance(0.01)
    assert len(disk.entities) == 1
    scene.send(client, *kept("b/1", "b/2"))
    assert retained_in(scene) == ["a/3", "b/1", "b/2"]


def test_of_a_topic_that_is_retained_again_and_again_no_more_than_the_last_is_remembered() -> None:
    scene = Scene()
    client = scene.connect()
    for packet_id in range(1, 3_001):
        scene.send(client, fleeting("a/1", packet_id, packet_id))
    expiries = scene.broker.router._expiries
    assert len(expiries._due) < 1_100
    scene.advance(2_999)
    assert retained_in(scene) == ["a/1"]
    scene.advance(2)
    assert retained_in(scene) == []
    assert not expiries._due
