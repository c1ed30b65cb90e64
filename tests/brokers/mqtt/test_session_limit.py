"""However many clients come, leave a session behind and subscribe, there is an end to it."""

import pytest
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.events import ConnectionRefused
from mockforge_brokers.mqtt.wire.packets import (
    Connack,
    Connect,
    Request,
    Suback,
    Subscribe,
    Unsubscribe,
)

from ..fake_peer import FakeClient
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
