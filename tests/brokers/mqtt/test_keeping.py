"""What MQTT has on disk: sessions that last, what waits for them, and what is retained."""

from typing import Any

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Ack, Connect, Publish, Request, Subscribe
from mockforge_brokers.storage.facts import Kept

from brokers.fake_peer import FakeClient, FakeNetwork
from brokers.storage.memory_disk import MemoryDisk

from .test_kept import LASTING, packets, publishes


class Scene:
    """A broker with a disk, which began with what was `found`."""

    def __init__(self, found: Kept | None = None, wall: float = 1_000.0) -> None:
        self.clock = ManualClock(wall)
        self.environment = Environment.create(self.clock, seed=1, journal=False)
        self.disk = MemoryDisk()
        self.disk.store_for(self.environment)
        self.broker = MqttBroker(self.environment)
        self.broker.take_up(found or Kept())
        self.network = FakeNetwork(self.broker, self.environment)

    def connect(
        self, name: str, *, clean: bool = False, properties: dict[str, Any] = LASTING
    ) -> FakeClient:
        client = self.network.connect()
        client.send(encode_packet(Connect(name, 5, clean, properties=dict(properties)), 5))
        return client

    def subscribed(self, name: str, topic_filter: str, qos: int) -> FakeClient:
        client = self.connect(name)
        client.send(encode_packet(Subscribe(1, [Request(topic_filter, qos)]), 5))
        client.take()
        return client

    def publish(self, topic_name: str, payload: bytes, **how: Any) -> None:
        self.broker.publish(topic_name, payload, **how)
        self.network.settle()

    def killed(self, *, later: float = 0.0) -> "Scene":
        """The next run, after a kill."""
        self.clock.advance(0.01)
        return Scene(self.disk.kept(clean=False), self.clock.wall() + later)

    def ended(self) -> "Scene":
        """The next run, after an end."""
        self.clock.advance(0.01)
        assert self.disk.store is not None
        self.disk.store.close()
        return Scene(self.disk.kept())


@pytest.fixture
def scene() -> Scene:
    return Scene()


def sent(client: FakeClient) -> list[tuple[bytes, int, bool]]:
    return [(each.payload, each.qos, each.dup) for each in publishes(client)]


def test_a_session_is_there_with_its_subscriptions_and_what_waits_in_order(scene: Scene) -> None:
    scene.subscribed("c", "t/#", 2).vanish()
    for number in range(4):
        scene.publish("t/1", b"%d" % number, qos=1 + number % 2)
    again = scene.killed()
    client = again.connect("c")
    # Of QoS 2 the identifier says that it was not sent; of QoS 1 nothing says so after a kill.
    assert sent(client) == [(b"0", 1, True), (b"1", 2, False), (b"2", 1, False), (b"3", 2, False)]
    again.publish("t/2", b"new", qos=0)
    assert sent(client) == [(b"new", 0, False)]


def test_a_session_that_ends_with_its_connection_leaves_nothing(scene: Scene) -> None:
    client = scene.connect("c", properties={})
    client.send(encode_packet(Subscribe(1, [Request("t", 1)]), 5))
    scene.publish("t", b"x", qos=1)
    scene.clock.advance(0.01)
    assert scene.disk.rows == {}
    assert scene.disk.entities.get("mqtt.session", {}) == {}


def test_what_was_acknowledged_is_gone(scene: Scene) -> None:
    client = scene.subscribed("c", "t", 1)
    for number in range(3):
        scene.publish("t", b"%d" % number, qos=1)
    scene.clock.advance(0.01)
    client.send(encode_packet(Ack(PacketType.PUBACK, 2), 5))
    assert [payload for payload, _, _ in sent(scene.killed().connect("c"))] == [b"0", b"2"]
    assert sent(scene.ended().connect("c")) == [(b"0", 1, True), (b"2", 1, True)]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_waited_and_may_not_be_read_any_more_leaves_the_disk_too(
    scene: Scene, qos: int
) -> None:
    scene.subscribed("c", "t/#", qos).vanish()
    for topic in ("t/secret", "t/open", "t/secret"):
        scene.publish(topic, topic.encode(), qos=qos)
    denying = scene.environment.access.add_rule(rule_of("deny * read mqtt:t/secret"))
    client = scene.connect("c")
    assert sent(client) == [(b"t/open", qos, False)]
    scene.environment.access.remove_rule(denying)
    assert [payload for payload, _, _ in sent(scene.killed().connect("c"))] == [b"t/open"]


def test_qos_2_to_a_client_goes_on_with_its_packet_identifier(scene: Scene) -> None:
    client = scene.subscribed("c", "t", 2)
    for number in range(3):
        scene.publish("t", b"%d" % number, qos=2)
    first, second, _ = publishes(client)
    client.send(encode_packet(Ack(PacketType.PUBREC, first.packet_id), 5))
    client.send(encode_packet(Ack(PacketType.PUBREC, second.packet_id), 5))
    client.send(encode_packet(Ack(PacketType.PUBCOMP, second.packet_id), 5))
    again = scene.killed().connect("c")
    _, released, resent = packets(again)
    assert isinstance(released, Ack)
    assert (released.type, released.packet_id) == (PacketType.PUBREL, first.packet_id)
    assert isinstance(resent, Publish)
    assert (resent.payload, resent.packet_id, resent.dup) == (b"2", 3, True)


def test_qos_2_from_a_client_is_known_again(scene: Scene) -> None:
    scene.subscribed("taker", "t", 2).vanish()
    packet = encode_packet(Publish("t", b"once", 2, packet_id=7), 5)
    scene.connect("maker").send(packet)
    again = scene.killed()
    maker = again.connect("maker")
    maker.send(packet)
    maker.send(encode_packet(Ack(PacketType.PUBREL, 7), 5))
    assert [each.code for each in packets(maker) if isinstance(each, Ack)] == [0, 0]
    assert [payload for payload, _, _ in sent(again.connect("taker"))] == [b"once"]


def test_retained_messages_are_there_the_last_of_each_topic(scene: Scene) -> None:
    for topic_name, payload in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("c", b"4"), ("b", b"")):
        scene.publish(topic_name, payload, retain=True)
    scene.publish("short", b"x", retain=True, properties={"message_expiry_interval": 5})
    again = scene.killed(later=10)
    assert sorted(again.broker.retained()) == [("a", b"2", 0), ("c", b"4", 0), ("short", b"x", 0)]
    client = again.connect("c")
    client.send(encode_packet(Subscribe(1, [Request("#", 0)]), 5))
    assert sorted(payload for payload, _, _ in sent(client)) == [b"2", b"4"]


def test_a_session_ends_in_its_time_though_the_program_does_not_run(scene: Scene) -> None:
    scene.subscribed("c", "t", 1).vanish()
    scene.clock.advance(0.01)
    assert [each["client"] for each in scene.killed(later=50).broker.sessions()] == ["c"]
    later = scene.killed(later=150)
    later.clock.advance(0.01)
    assert later.broker.sessions() == []


def test_ended_sessions_leave_nothing(scene: Scene) -> None:
    scene.subscribed("c", "t", 1)
    scene.publish("t", b"x", qos=1)
    scene.clock.advance(0.01)
    scene.broker.end_session("c")
    scene.clock.advance(0.01)
    assert scene.disk.rows == {}
    assert not any(scene.disk.entities.values())


def test_a_restart_writes_nothing_and_goes_on_with_the_same_rows(scene: Scene) -> None:
    scene.subscribed("c", "t", 2)
    for number in range(3):
        scene.publish("t", b"%d" % number, qos=1 + number % 2)
    scene.clock.advance(0.01)
    before = dict(scene.disk.rows)
    scene.broker.restart(hard=True)
    scene.network.settle()
    scene.clock.advance(0.01)
    assert scene.disk.rows == before
    client = scene.connect("c")
    assert len(sent(client)) == 3
    client.send(encode_packet(Ack(PacketType.PUBACK, 1), 5))
    scene.publish("t", b"3", qos=1)
    assert [payload for payload, _, _ in sent(scene.killed().connect("c"))] == [b"1", b"2", b"3"]


def test_a_reset_leaves_an_empty_disk(scene: Scene) -> None:
    scene.subscribed("c", "t", 1)
    scene.publish("t", b"x", qos=1, retain=True)
    scene.clock.advance(0.01)
    scene.broker.reset()
    scene.clock.advance(0.01)
    assert scene.disk.rows == {}
    assert not any(scene.disk.entities.values())


def test_while_nothing_can_be_written_publishes_are_refused(scene: Scene) -> None:
    taker = scene.subscribed("taker", "t", 1)
    maker = scene.connect("maker")
    for packet_id in (1, 2):
        maker.send(encode_packet(Publish("t", b"kept", 1, packet_id=packet_id), 5))
    scene.disk.at_once = False
    scene.clock.advance(0.01)
    assert scene.disk.store is not None
    scene.disk.store.failed("the disk is full")
    maker.take()
    maker.send(encode_packet(Publish("t", b"refused", 1, packet_id=3), 5))
    [answer] = packets(maker)
    assert isinstance(answer, Ack)
    assert answer.code == Reason.QUOTA_EXCEEDED
    assert answer.properties["reason_string"] == "the disk is full"
    older = scene.network.connect()
    older.send(encode_packet(Connect("older", 4, True), 4))
    older.send(encode_packet(Publish("t", b"refused", 1, packet_id=3), 4))
    assert (older.peer.ended, older.peer.reason) == ("closed", "the disk is full")
    scene.disk.commit()
    scene.disk.at_once = True
    maker.send(encode_packet(Publish("t", b"kept", 1, packet_id=4), 5))
    assert [payload for payload, _, _ in sent(taker)] == [b"kept"] * 3


def test_what_is_acknowledged_before_it_is_written_never_is(scene: Scene) -> None:
    client = scene.subscribed("c", "t", 1)
    scene.clock.advance(0.01)
    store = scene.disk.store
    assert store is not None
    rows = store.rows_written
    maker = scene.connect("maker", clean=True)
    scene.clock.advance(0.01)
    before = store.rows_written
    for number in range(1, 9):
        maker.send(encode_packet(Publish("t", b"%d" % number, 1, packet_id=number), 5))
    # In pieces as the fast path and the general one take them.
    acks = [encode_packet(Ack(PacketType.PUBACK, number), 5) for number in (1, 2, 3, 5, 6, 7)]
    client.send(b"".join(acks[:3]))
    client.send(acks[3])
    client.send(b"".join(acks[4:]))
    scene.clock.advance(0.01)
    assert store.rows_written - before == 2 <= store.rows_written - rows
    assert sent(scene.killed().connect("c")) == [(b"4", 1, True), (b"8", 1, True)]


def test_an_identifier_that_is_used_again_is_another_row(scene: Scene) -> None:
    client = scene.subscribed("c", "t", 1)
    session = scene.broker.registry.by_client["c"]
    for number in range(3):
        session.last_id = 6
        scene.publish("t", b"%d" % number, qos=1)
        if number < 2:
            client.send(encode_packet(Ack(PacketType.PUBACK, 7), 5))
        if number == 1:
            scene.clock.advance(0.01)
    assert sent(scene.killed().connect("c")) == [(b"2", 1, True)]


def test_what_went_out_stands_before_what_waits_though_neither_is_written_yet(
    scene: Scene,
) -> None:
    client = scene.connect("c", properties={**LASTING, "receive_maximum": 2})
    client.send(encode_packet(Subscribe(1, [Request("t", 2)]), 5))
    for number in range(5):
        scene.publish("t", b"%d" % number, qos=1 + number % 2)
    # A PUBREC for what has no row yet, and then more that waits.
    client.send(encode_packet(Ack(PacketType.PUBREC, 2), 5))
    client.send(encode_packet(Ack(PacketType.PUBACK, 1), 5))
    again = scene.killed().connect("c")
    assert [payload for payload, _, _ in sent(again)] == [b"2", b"3", b"4"]


def test_a_restart_in_the_group_in_which_messages_came_keeps_each_once(scene: Scene) -> None:
    scene.subscribed("c", "t", 1)
    scene.publish("t", b"1", qos=1)
    scene.broker.restart(hard=True)
    scene.publish("t", b"2", qos=1)
    client = scene.connect("c")
    assert [payload for payload, _, _ in sent(client)] == [b"1", b"2"]
    client.send(encode_packet(Ack(PacketType.PUBACK, 1), 5))
    assert [payload for payload, _, _ in sent(scene.killed().connect("c"))] == [b"2"]
