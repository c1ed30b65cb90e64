"""Retained publishes in a row: what is asked, told and kept of each (mqtt/retaining.py).

That all come out as one by one is compared in test_burst.py.
"""

from typing import Any
from unittest.mock import Mock

import pytest
from mockforge_brokers.events import AccessDenied
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt import retaining
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.records import Message
from mockforge_brokers.mqtt.state.retained import RetainedMessages
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Ack, Connect, Publish, Request, Subscribe

from ..fake_peer import FakeClient
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


def several(payload: bytes, qos: int, version: int = 4) -> bytes:
    """Retained messages of several topics in one burst."""
    packets = [Publish(f"a/{each}", payload, qos, True, packet_id=qos * each) for each in (1, 2)]
    return b"".join(encode_packet(each, version) for each in packets)


def taken(
    version: int = 4, taker_version: int = 4, **how: Any
) -> tuple[Scene, FakeClient, FakeClient]:
    """Who publishes, and who takes all, once the routes are known."""
    scene = Scene()
    taker = scene.come(Connect("taker", taker_version))
    scene.ask(taker, Subscribe(1, [Request("#", 1, **how)]))
    publisher = scene.come(Connect("publisher", version))
    scene.send(publisher, *[Publish(f"a/{each}", b"x") for each in (1, 2) * 2])
    taker.take()
    return scene, taker, publisher


@pytest.mark.parametrize("qos", [0, 1])
def test_large_ones_leave_as_pieces_that_nobody_joins(qos: int) -> None:
    scene, taker, publisher = taken()
    publisher.connection.receive(several(b"v" * 40_000, qos))
    assert len(publisher.connection.verbatim) == 2
    assert taker.connection.bulky
    publisher.flush()
    scene.network.settle()


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize(
    ("version", "how"), [(4, {}), (5, {"retain_as_published": True}), (5, {"no_local": True})]
)
def test_what_cannot_go_on_as_it_is_is_copied_for_no_fast_path(
    version: int, how: dict[str, Any], qos: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, taker, publisher = taken(version, 5, **how)
    made = Mock(side_effect=Message)
    monkeypatch.setattr(retaining, "Message", made)
    publisher.send(several(b"x", qos, version))
    assert retained_in(scene) == ["a/1", "a/2"]
    assert not made.called
    assert len(scene.publishes(taker)) == 2


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


@pytest.mark.parametrize("lives", [range(1, 2_001), range(2_000, 0, -1)], ids=["longer", "shorter"])
def test_a_topic_that_is_retained_again_and_again_is_remembered_once(lives: range) -> None:
    scene = Scene()
    client = scene.connect()
    for packet_id, seconds in enumerate(lives, 1):
        scene.send(client, fleeting("a/1", seconds, packet_id))
    expiries = scene.broker.router._expiries
    assert len(expiries._due) == len(expiries._noted) == 1
    scene.advance(lives[-1] - 1)
    assert retained_in(scene) == ["a/1"]
    scene.advance(2)
    assert retained_in(scene) == []
    assert not expiries._due
    assert not expiries._noted


def test_the_name_of_a_topic_goes_with_its_message() -> None:
    scene = Scene(Limits(mqtt_retained_bytes=100))
    client = scene.connect()
    expiries = scene.broker.router._expiries
    scene.send(client, *[fleeting(f"a/{each}", 1_000, each) for each in range(1, 7)])
    assert len(expiries._due) == 6
    scene.send(client, Publish("a/1", b"", 1, True, packet_id=1), fleeting("a/2", None, 2))
    scene.broker.clear_retained("a/3")
    scene.send(client, Publish("a/4", bytes(100), 1, True, packet_id=3))
    assert retained_in(scene) == ["a/2", "a/5", "a/6"]
    assert sorted(expiries._noted) == [name for _, name in expiries._due] == ["a/5", "a/6"]
    scene.broker.reset()
    assert not expiries._due
    assert not expiries._noted
    # The time of what comes then is kept as well.
    scene.send(scene.connect("later"), fleeting("a/7", 5))
    scene.advance(6)
    assert retained_in(scene) == []


def test_what_is_retained_anew_while_many_leave_stays() -> None:
    scene = Scene()
    client = scene.connect()
    names = [f"a/{each:03}" for each in range(100)]
    scene.send(client, *[fleeting(name, 5, place) for place, name in enumerate(names, 1)])
    steps = scene.broker.router._expiries._removing()
    scene.clock._now += 5
    next(steps)
    scene.send(client, fleeting(names[1], 1), fleeting(names[2], None), fleeting(names[99], 1))
    for _ in steps:
        pass
    assert retained_in(scene) == [names[1], names[2], names[99]]
    scene.advance(2)
    assert retained_in(scene) == [names[2]]
