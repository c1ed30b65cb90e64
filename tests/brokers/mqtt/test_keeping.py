"""What MQTT has on disk: sessions that last, what waits for them, and what is retained."""

from collections.abc import Callable

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Ack, Connect, Publish, Request, Subscribe
from mockforge_brokers.storage.facts import Kept

from ..fake_peer import FakeClient
from ..storage.memory_disk import MemoryDisk
from .scene import LASTING, Scene


class Run(Scene):
    """A broker with a disk, which began with what was `found`."""

    def __init__(
        self, found: Kept | None = None, wall: float = 1_000.0, limits: Limits | None = None
    ) -> None:
        self.disk = MemoryDisk()
        super().__init__(limits, wall=wall, journal=False, disk=self.disk, found=found)

    def killed(self, *, later: float = 0.0) -> "Run":
        """The next run, after a kill."""
        self.clock.advance(0.01)
        return Run(self.disk.kept(clean=False), self.clock.wall() + later)

    def ended(self) -> "Run":
        """The next run, after an end."""
        self.clock.advance(0.01)
        assert self.disk.store is not None
        self.disk.store.close()
        return Run(self.disk.kept())

    def sent(self, client: FakeClient) -> list[tuple[bytes, int, bool]]:
        return [(each.payload, each.qos, each.dup) for each in self.publishes(client)]

    def bodies(self, client: FakeClient) -> list[bytes]:
        return [each.payload for each in self.publishes(client)]


@pytest.fixture
def scene() -> Run:
    return Run()


def test_a_session_is_there_with_its_subscriptions_and_what_waits_in_order(scene: Run) -> None:
    scene.lasting("c", "t/#", qos=2).vanish()
    for number in range(4):
        scene.publish("t/1", b"%d" % number, qos=1 + number % 2)
    again = scene.killed()
    client = again.lasting("c")
    # Of QoS 2 the identifier says that it was not sent; of QoS 1 nothing says so after a kill.
    assert scene.sent(client) == [
        (b"0", 1, True),
        (b"1", 2, False),
        (b"2", 1, False),
        (b"3", 2, False),
    ]
    again.publish("t/2", b"new", qos=0)
    assert scene.sent(client) == [(b"new", 0, False)]


def test_a_session_that_ends_with_its_connection_leaves_nothing(scene: Run) -> None:
    client = scene.lasting("c", properties={})
    scene.send(client, Subscribe(1, [Request("t", 1)]))
    scene.publish("t", b"x", qos=1)
    scene.clock.advance(0.01)
    assert scene.disk.rows == {}
    assert scene.disk.entities.get("mqtt.session", {}) == {}


def test_what_was_acknowledged_is_gone(scene: Run) -> None:
    client = scene.lasting("c", "t", qos=1)
    for number in range(3):
        scene.publish("t", b"%d" % number, qos=1)
    scene.clock.advance(0.01)
    scene.send(client, Ack(PacketType.PUBACK, 2))
    assert scene.bodies(scene.killed().lasting("c")) == [b"0", b"2"]
    assert scene.sent(scene.ended().lasting("c")) == [(b"0", 1, True), (b"2", 1, True)]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_waited_and_may_not_be_read_any_more_leaves_the_disk_too(scene: Run, qos: int) -> None:
    scene.lasting("c", "t/#", qos=qos).vanish()
    for topic in ("t/secret", "t/open", "t/secret"):
        scene.publish(topic, topic.encode(), qos=qos)
    denying = scene.environment.access.add_rule(rule_of("deny * read mqtt:t/secret"))
    client = scene.lasting("c")
    assert scene.sent(client) == [(b"t/open", qos, False)]
    scene.environment.access.remove_rule(denying)
    assert scene.bodies(scene.killed().lasting("c")) == [b"t/open"]


def test_qos_2_to_a_client_goes_on_with_its_packet_identifier(scene: Run) -> None:
    client = scene.lasting("c", "t", qos=2)
    for number in range(3):
        scene.publish("t", b"%d" % number, qos=2)
    first, second, _ = scene.publishes(client)
    scene.send(client, Ack(PacketType.PUBREC, first.packet_id))
    scene.send(client, Ack(PacketType.PUBREC, second.packet_id))
    scene.send(client, Ack(PacketType.PUBCOMP, second.packet_id))
    again = scene.killed().lasting("c")
    _, released, resent = scene.got(again)
    assert isinstance(released, Ack)
    assert (released.type, released.packet_id) == (PacketType.PUBREL, first.packet_id)
    assert isinstance(resent, Publish)
    assert (resent.payload, resent.packet_id, resent.dup) == (b"2", 3, True)


def test_qos_2_from_a_client_is_known_again(scene: Run) -> None:
    scene.lasting("taker", "t", qos=2).vanish()
    packet = encode_packet(Publish("t", b"once", 2, packet_id=7), 5)
    scene.lasting("maker").send(packet)
    again = scene.killed()
    maker = again.lasting("maker")
    maker.send(packet)
    scene.send(maker, Ack(PacketType.PUBREL, 7))
    assert [each.code for each in scene.got(maker) if isinstance(each, Ack)] == [0, 0]
    assert [payload for payload, _, _ in scene.sent(again.lasting("taker"))] == [b"once"]


def test_retained_messages_are_there_the_last_of_each_topic(scene: Run) -> None:
    for topic_name, payload in (("a", b"1"), ("a", b"2"), ("b", b"3"), ("c", b"4"), ("b", b"")):
        scene.publish(topic_name, payload, retain=True)
    scene.publish("short", b"x", retain=True, properties={"message_expiry_interval": 5})
    again = scene.killed(later=10)
    assert sorted(again.broker.retained()) == [("a", b"2", 0), ("c", b"4", 0), ("short", b"x", 0)]
    client = again.lasting("c")
    scene.send(client, Subscribe(1, [Request("#", 0)]))
    assert sorted(payload for payload, _, _ in scene.sent(client)) == [b"2", b"4"]


def next_run(run: Run, limits: Limits | None = None) -> Run:
    """It goes on with the same entities on disk."""
    run.clock.advance(0.01)
    made = Run(run.disk.kept(), limits=limits)
    made.disk.entities = run.disk.entities
    return made


@pytest.mark.parametrize(
    "limits", [Limits(mqtt_retained=1), Limits(mqtt_retained_bytes=4)], ids=["count", "bytes"]
)
def test_a_retained_message_that_finds_no_room_at_the_start_waits_on_disk_until_its_topic_changes(
    limits: Limits,
) -> None:
    def left_after(change: Callable[[Run, str, str], object]) -> dict[str, bytes]:
        run = Run()
        for topic_name in ("a", "b"):
            run.publish(topic_name, b"old", retain=True)
        tight = next_run(run, limits)
        [(inside, _, _)] = tight.broker.retained()
        change(tight, inside, "ab".replace(inside, ""))
        found = next_run(tight).broker.retained()
        return {
            "in" if topic_name == inside else "out": payload for topic_name, payload, _ in found
        }

    def moved(run: Run, inside: str, outside: str) -> None:
        run.publish(inside, b"", retain=True)
        run.publish(outside, b"new", retain=True)
        run.publish(outside, b"", retain=True)

    cases = {
        "nothing": (lambda run, inside, outside: None, {"in": b"old", "out": b"old"}),
        "cleared": (
            lambda run, inside, outside: run.publish(outside, b"", retain=True),
            {"in": b"old"},
        ),
        # What is not stored leaves no retained message for its topic either.
        "refused": (
            lambda run, inside, outside: run.publish(outside, b"new", retain=True),
            {"in": b"old"},
        ),
        "stored and cleared": (moved, {}),
        "reset": (lambda run, inside, outside: run.broker.reset(), {}),
        "restarted": (
            lambda run, inside, outside: run.broker.restart(),
            {"in": b"old", "out": b"old"},
        ),
    }
    assert {name: left_after(change) for name, (change, _) in cases.items()} == {
        name: left for name, (_, left) in cases.items()
    }


def test_a_session_ends_in_its_time_though_the_program_does_not_run(scene: Run) -> None:
    scene.lasting("c", "t", qos=1).vanish()
    scene.clock.advance(0.01)
    assert [each["client"] for each in scene.killed(later=50).broker.sessions()] == ["c"]
    later = scene.killed(later=150)
    later.clock.advance(0.01)
    assert later.broker.sessions() == []


def test_ended_sessions_leave_nothing(scene: Run) -> None:
    scene.lasting("c", "t", qos=1)
    scene.publish("t", b"x", qos=1)
    scene.clock.advance(0.01)
    scene.broker.end_session("c")
    scene.clock.advance(0.01)
    assert scene.disk.rows == {}
    assert not any(scene.disk.entities.values())


def test_a_restart_writes_nothing_and_goes_on_with_the_same_rows(scene: Run) -> None:
    scene.lasting("c", "t", qos=2)
    for number in range(3):
        scene.publish("t", b"%d" % number, qos=1 + number % 2)
    scene.clock.advance(0.01)
    before = dict(scene.disk.rows)
    scene.broker.restart(hard=True)
    scene.network.settle()
    scene.clock.advance(0.01)
    assert scene.disk.rows == before
    client = scene.lasting("c")
    assert len(scene.sent(client)) == 3
    scene.send(client, Ack(PacketType.PUBACK, 1))
    scene.publish("t", b"3", qos=1)
    assert scene.bodies(scene.killed().lasting("c")) == [
        b"1",
        b"2",
        b"3",
    ]


def test_a_reset_leaves_an_empty_disk(scene: Run) -> None:
    scene.lasting("c", "t", qos=1)
    scene.publish("t", b"x", qos=1, retain=True)
    scene.clock.advance(0.01)
    scene.broker.reset()
    scene.clock.advance(0.01)
    assert scene.disk.rows == {}
    assert not any(scene.disk.entities.values())


def test_while_nothing_can_be_written_publishes_are_refused(scene: Run) -> None:
    taker = scene.lasting("taker", "t", qos=1)
    maker = scene.lasting("maker")
    for packet_id in (1, 2):
        scene.send(maker, Publish("t", b"kept", 1, packet_id=packet_id))
    scene.disk.at_once = False
    scene.clock.advance(0.01)
    assert scene.disk.store is not None
    scene.disk.store.failed("the disk is full")
    maker.take()
    scene.send(maker, Publish("t", b"refused", 1, packet_id=3))
    [answer] = scene.got(maker)
    assert isinstance(answer, Ack)
    assert answer.code == Reason.QUOTA_EXCEEDED
    assert answer.properties["reason_string"] == "the disk is full"
    older = scene.come(Connect("older", 4, True))
    scene.send(older, Publish("t", b"refused", 1, packet_id=3))
    assert (older.peer.ended, older.peer.reason) == ("closed", "the disk is full")
    scene.disk.commit()
    scene.disk.at_once = True
    scene.send(maker, Publish("t", b"kept", 1, packet_id=4))
    assert scene.bodies(taker) == [b"kept"] * 3


def test_what_is_acknowledged_before_it_is_written_never_is(scene: Run) -> None:
    client = scene.lasting("c", "t", qos=1)
    scene.clock.advance(0.01)
    store = scene.disk.store
    assert store is not None
    rows = store.rows_written
    maker = scene.lasting("maker", clean_start=True)
    scene.clock.advance(0.01)
    before = store.rows_written
    for number in range(1, 9):
        scene.send(maker, Publish("t", b"%d" % number, 1, packet_id=number))
    # In pieces as the fast path and the general one take them.
    acks = [encode_packet(Ack(PacketType.PUBACK, number), 5) for number in (1, 2, 3, 5, 6, 7)]
    client.send(b"".join(acks[:3]))
    client.send(acks[3])
    client.send(b"".join(acks[4:]))
    scene.clock.advance(0.01)
    assert store.rows_written - before == 2 <= store.rows_written - rows
    assert scene.sent(scene.killed().lasting("c")) == [(b"4", 1, True), (b"8", 1, True)]


def test_an_identifier_that_is_used_again_is_another_row(scene: Run) -> None:
    client = scene.lasting("c", "t", qos=1)
    session = scene.broker.registry.by_client["c"]
    for number in range(3):
        session.last_id = 6
        scene.publish("t", b"%d" % number, qos=1)
        if number < 2:
            scene.send(client, Ack(PacketType.PUBACK, 7))
        if number == 1:
            scene.clock.advance(0.01)
    assert scene.sent(scene.killed().lasting("c")) == [(b"2", 1, True)]


def test_what_went_out_stands_before_what_waits_though_neither_is_written_yet(
    scene: Run,
) -> None:
    client = scene.lasting("c", properties={**LASTING, "receive_maximum": 2})
    scene.send(client, Subscribe(1, [Request("t", 2)]))
    for number in range(5):
        scene.publish("t", b"%d" % number, qos=1 + number % 2)
    # A PUBREC for what has no row yet, and then more that waits.
    scene.send(client, Ack(PacketType.PUBREC, 2))
    scene.send(client, Ack(PacketType.PUBACK, 1))
    again = scene.killed().lasting("c")
    assert scene.bodies(again) == [b"2", b"3", b"4"]


def test_a_restart_in_the_group_in_which_messages_came_keeps_each_once(scene: Run) -> None:
    scene.lasting("c", "t", qos=1)
    scene.publish("t", b"1", qos=1)
    scene.broker.restart()
    scene.publish("t", b"2", qos=1)
    client = scene.lasting("c")
    assert scene.bodies(client) == [b"1", b"2"]
    scene.send(client, Ack(PacketType.PUBACK, 1))
    assert scene.bodies(scene.killed().lasting("c")) == [b"2"]


def test_a_kill_in_the_group_in_which_something_came_loses_that_alone(scene: Run) -> None:
    scene.lasting("c", "t", qos=2).vanish()
    scene.publish("t", b"1", qos=1, retain=True)
    scene.publish("t", b"2", qos=2)
    scene.clock.advance(0.01)
    # All of it is in one group, which nobody was told of.
    scene.publish("t", b"lost", qos=1, retain=True)
    scene.lasting("lost", "t", qos=1)
    scene.connect("c", version=5, clean_start=True).vanish()
    scene.broker.restart(hard=True)
    scene.network.settle()
    assert list(scene.broker.registry.by_client) == ["c"]
    client = scene.lasting("c")
    assert scene.bodies(client) == [b"1", b"2"]
    again = scene.killed()
    assert scene.bodies(again.lasting("c")) == [b"1", b"2"]
    assert [each.payload for each in again.broker.router.retained.all()] == [b"1"]
