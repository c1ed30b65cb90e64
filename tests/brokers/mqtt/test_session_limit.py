"""However many clients come, leave a session behind and subscribe, there is an end to it."""

import pytest
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.events import ConnectionRefused
from mockforge_brokers.mqtt.records import cost_of
from mockforge_brokers.mqtt.state.router import MOST_OF_NAMES
from mockforge_brokers.mqtt.state.session import EXPIRED, Session
from mockforge_brokers.mqtt.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsubscribe,
    Will,
)

from ..fake_peer import FakeClient
from ..storage.memory_disk import MemoryDisk
from .scene import Scene


@pytest.mark.parametrize(("version", "code"), [(4, 3), (5, Reason.QUOTA_EXCEEDED)])
def test_a_client_that_would_begin_one_too_many_is_refused(version: int, code: int) -> None:
    scene = Scene(Limits(mqtt_sessions=2), version=version)
    for name in ("a", "b"):
        scene.lasting(name).vanish()
    third = scene.come(Connect("c", version))
    [connack] = scene.got(third)
    assert isinstance(connack, Connack)
    assert connack.code == code
    assert third.peer.ended == "closed"
    [refused] = scene.emitted(ConnectionRefused)
    assert "mqtt_sessions" in refused.reason
    # Who has a session comes back to it, and one that ends makes room.
    again = scene.come(Connect("a", version, clean_start=False))
    assert [type(each) for each in scene.got(again)] == [Connack]
    assert not again.peer.ended
    scene.broker.end_session("b")
    [connack] = scene.got(scene.come(Connect("c", version)))
    assert isinstance(connack, Connack)
    assert connack.code == 0
    [view] = [each for each in scene.environment.usage.views() if each.name == "mqtt_sessions"]
    assert (view.used, view.met) == (2, 1)


@pytest.mark.parametrize(("version", "code"), [(4, 0x80), (5, Reason.QUOTA_EXCEEDED)])
def test_one_client_does_not_take_the_subscriptions_of_all(version: int, code: int) -> None:
    scene = Scene(Limits(mqtt_subscriptions=100, mqtt_session_subscriptions=3), version=version)
    client, other = scene.connect("one", "a", "$share/g/b"), scene.connect("two")

    def codes(of: FakeClient, *filters: str) -> list[int]:
        [suback] = scene.ask(of, Subscribe(1, [Request(each, 1) for each in filters]))
        assert isinstance(suback, Suback)
        if version == 5 and code in suback.codes:
            assert "limit mqtt_session_subscriptions" in suback.properties["reason_string"]
        return suback.codes

    # One that it has may be another, and many levels count for more.
    assert codes(client, "/" * 17, "c", "a", "d") == [code, 1, 1, code]
    assert codes(other, "c", "d", "e") == [1, 1, 1]
    views = {each.name: each for each in scene.environment.usage.views()}
    assert views["mqtt_session_subscriptions"].used == 3
    assert (views["mqtt_session_subscriptions"].met, views["mqtt_subscriptions"].met) == (2, 0)
    scene.ask(client, Unsubscribe(2, ["$share/g/b"]))
    assert codes(client, "d", "e") == [1, code]
    # Its next session begins with none.
    client.vanish()
    assert codes(scene.connect("one"), "x", "y", "z") == [1, 1, 1]


@pytest.mark.parametrize(("version", "code"), [(4, 0x80), (5, Reason.QUOTA_EXCEEDED)])
def test_a_subscription_that_would_be_one_too_many_is_refused(version: int, code: int) -> None:
    scene = Scene(Limits(mqtt_subscriptions=3), version=version)
    one, two = scene.connect("one", "a", "$share/g/b"), scene.connect("two", "a")

    def codes(*filters: str) -> list[int]:
        [suback] = scene.ask(two, Subscribe(1, [Request(each, 1) for each in filters]))
        assert isinstance(suback, Suback)
        return suback.codes

    # One that it has may be another.
    assert codes("c", "a", "d") == [code, 1, code]
    [view] = [each for each in scene.environment.usage.views() if each.name == "mqtt_subscriptions"]
    assert (view.used, view.met) == (3, 2)
    scene.ask(one, Unsubscribe(2, ["$share/g/b"]))
    assert codes("c", "d") == [1, code]
    one.vanish()
    assert codes("d") == [1]


def test_filters_and_topics_of_many_levels_count_by_level() -> None:
    scene = Scene(Limits(mqtt_subscriptions=10, mqtt_retained=10))
    for levels, taken in ((26, False), (25, True)):
        topic = "/" * (levels - 1)
        client = scene.connect(f"{levels}")
        [suback] = scene.ask(client, Subscribe(1, [Request(topic)]))
        assert isinstance(suback, Suback)
        assert suback.codes == [0 if taken else Reason.QUOTA_EXCEEDED]
        scene.broker.publish(topic, b"x", retain=True)
        assert len(scene.broker.retained()) == taken
    scene.broker.publish("other", b"x", retain=True)
    assert len(scene.broker.retained()) == 1
    # One that is there is replaced, and one that goes makes room.
    scene.broker.publish(topic, b"y", retain=True)
    scene.broker.publish(topic, b"", retain=True)
    client.vanish()
    views = {each.name: each.used for each in scene.environment.usage.views()}
    assert (views["mqtt_subscriptions"], views["mqtt_retained"]) == (0, 0)


@pytest.mark.parametrize(("version", "code"), [(4, 3), (5, Reason.QUOTA_EXCEEDED)])
def test_a_client_whose_will_would_be_too_much_of_all_is_refused(version: int, code: int) -> None:
    scene = Scene(Limits(mqtt_wills=100), version=version)

    def comes(name: str, size: int) -> FakeClient:
        return scene.come(Connect(name, version, will=Will("will", bytes(size - 4))))

    def answer(client: FakeClient) -> int:
        [connack] = scene.got(client)
        assert isinstance(connack, Connack)
        return connack.code

    one, two = comes("one", 60), comes("two", 40)
    assert (answer(one), answer(two)) == (0, 0)
    three = comes("three", 5)
    assert answer(three) == code
    assert three.peer.ended == "closed"
    [refused] = scene.emitted(ConnectionRefused)
    assert "limit mqtt_wills" in refused.reason
    # Another will of the same client stands in place of the one before; what is over makes room.
    again = comes("two", 39)
    assert answer(again) == 0
    scene.send(again, Disconnect())
    assert answer(comes("three", 40)) == 0
    one.vanish()
    assert answer(comes("four", 60)) == 0
    [view] = [each for each in scene.environment.usage.views() if each.name == "mqtt_wills"]
    assert (view.used, view.met) == (100, 1)
    scene.broker.restart()
    [view] = [each for each in scene.environment.usage.views() if each.name == "mqtt_wills"]
    assert view.used == 0


def test_wills_that_wait_count_after_a_restart_too() -> None:
    scene = Scene(Limits(mqtt_wills=100))
    will = Will("will", bytes(96), properties={"will_delay_interval": 50})
    scene.lasting("one", will=will).vanish()
    scene.broker.restart()
    late = scene.come(Connect("two", 5, will=Will("w", b"")))
    [connack] = scene.got(late)
    assert isinstance(connack, Connack)
    assert connack.code == Reason.QUOTA_EXCEEDED
    scene.advance(51)
    [connack] = scene.got(scene.come(Connect("two", 5, will=Will("w", b""))))
    assert isinstance(connack, Connack)
    assert connack.code == 0


def test_long_names_of_topics_are_counted_and_remembered_up_to_a_size() -> None:
    scene = Scene(journal=False)
    router = scene.broker.router
    scene.connect("taker", "#")
    names = [f"{number:03}".ljust(60_000, "x") for number in range(400)]
    for name in names:
        scene.publish(name, b"")
    assert sum(map(len, router.topics)) <= MOST_OF_NAMES
    assert sum(map(len, router._routes)) <= MOST_OF_NAMES
    assert router.other_topics.published == len(names) - len(router.topics)
    scene.broker.reset()
    scene.publish(names[-1])
    assert list(router.topics) == [names[-1]]


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("limits", [Limits(mqtt_session_queue=2), Limits(mqtt_session_bytes=5)])
def test_what_waits_and_is_over_keeps_nothing_out(limits: Limits, kept: bool) -> None:
    disk = MemoryDisk()
    scene = Scene(limits, disk=disk if kept else None)
    taker = scene.lasting("taker", "t", qos=1)
    taker.vanish()
    for packet_id, body in enumerate((b"1", b"2"), 1):
        life = {"message_expiry_interval": 5}
        publish = Publish("t", body, 1, packet_id=packet_id, properties=life)
        scene.send(scene.connect("maker"), publish)
    scene.advance(5)
    scene.send(scene.connect("maker"), Publish("t", b"3", 1, packet_id=3))
    scene.clock.advance(0.01)
    session = scene.broker.registry.by_client["taker"]
    assert [message.payload for message in session.queue] == [b"3"]
    assert (session.dropped, session.left_out) == (0, {EXPIRED: 2})
    assert session.queued_bytes == cost_of(session.queue[0])
    assert session.queued_payload == 1
    assert len(disk.rows) == kept


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("limits", [Limits(mqtt_session_queue=4), Limits(mqtt_session_bytes=9)])
def test_what_is_over_keeps_nothing_out_though_what_lasts_stands_before_it(
    limits: Limits, kept: bool
) -> None:
    disk = MemoryDisk()
    scene = Scene(limits, disk=disk if kept else None)
    scene.lasting("taker", "t", qos=1).vanish()
    maker = scene.connect("maker")

    def publish(*messages: tuple[bytes, int]) -> list[bytes]:
        """Bodies and how long they last; what waits then."""
        for packet_id, (body, life) in enumerate(messages, 1):
            properties = {"message_expiry_interval": life} if life else {}
            scene.send(maker, Publish("t", body, 1, packet_id=packet_id, properties=properties))
        session = scene.broker.registry.by_client["taker"]
        assert session.queued_bytes == sum(map(cost_of, session.queue))
        assert session.queued_payload == sum(len(each.payload) for each in session.queue)
        return [message.payload for message in session.queue]

    publish((b"1", 0), (b"2", 5), (b"3", 0), (b"4", 5), (b"lost", 0))
    scene.advance(6)
    assert publish((b"5", 60), (b"6", 2), (b"lost", 0)) == [b"1", b"3", b"5", b"6"]
    session = scene.broker.registry.by_client["taker"]
    assert (session.dropped, session.left_out) == (2, {EXPIRED: 2})
    # What came since is looked for in its time, and what stands in front too.
    scene.advance(1)
    assert publish((b"lost", 0)) == [b"1", b"3", b"5", b"6"]
    scene.advance(1)
    assert publish((b"7", 0), (b"lost", 0)) == [b"1", b"3", b"5", b"7"]
    assert (session.dropped, session.left_out) == (4, {EXPIRED: 3})
    scene.advance(0.01)
    assert len(disk.rows) == 4 * kept
    scene.broker.restart()
    taker = scene.lasting("taker")
    assert [each.payload for each in scene.publishes(taker)] == [b"1", b"3", b"5", b"7"]


def test_a_full_queue_is_not_searched_for_each_message_that_it_does_not_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(Limits(mqtt_session_queue=3))
    scene.lasting("taker", "t", qos=1).vanish()
    searched: list[float] = []

    def search(session: Session, now: float) -> list[bool]:
        searched.append(now)
        return real(session, now)

    real = Session._leave_out_any
    monkeypatch.setattr(Session, "_leave_out_any", search)
    for _ in range(50):
        scene.publish("t", qos=1)
    assert len(searched) == 1
    # Nothing of it will ever be over.
    scene.advance(50)
    for _ in range(50):
        scene.publish("t", qos=1)
    assert len(searched) == 1
