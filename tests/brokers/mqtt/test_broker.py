"""What the broker shows and does for people."""

from collections.abc import Callable
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import IN
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Disconnect, Publish

from ..fake_peer import FakeClient
from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene(version=4)


def figures(broker: MqttBroker) -> dict[tuple[str, ...], float]:
    return {
        (metric.name, *labels): value
        for metric in broker.metrics()
        for labels, value in metric.samples
    }


def test_counters_are_exact_on_the_plain_and_on_the_general_road(scene: Scene) -> None:
    subscriber = scene.connect("s", "t/#", qos=1)
    publisher = scene.connect("p")
    zero = encode_packet(Publish("t/1", b"x"), 4)
    one = encode_packet(Publish("t/2", b"x", 1, packet_id=3), 4)
    kept = encode_packet(Publish("t/1", b"x", retain=True), 4)
    publisher.send(zero * 5 + one * 3 + kept)
    publisher.send(zero * 7 + one)
    got = figures(scene.broker)
    assert got["mqtt_messages_published_total", "t/1"] == 13
    assert got["mqtt_messages_published_total", "t/2"] == 4
    assert got["mqtt_messages_delivered_total", "t/1"] == 13
    assert got["mqtt_clients_connected",] == 2
    assert got["mqtt_subscriptions",] == 1
    assert got["mqtt_retained_messages",] == 1
    assert got["mqtt_messages_inflight",] == 4
    views = {view.client: view for view in scene.broker.connections()}
    assert (views["p"].messages_in, views["s"].messages_out) == (17, 17)
    assert subscriber.take().count(b"t/1x") == 13


def test_metric_labels_are_bounded(scene: Scene) -> None:
    broker = scene.broker
    for number in range(1_005):
        broker.publish(f"t/{number}", b"")
    got = figures(broker)
    labels = [key for key in got if key[0] == "mqtt_messages_published_total"]
    assert len(labels) == 1_001
    assert got["mqtt_messages_published_total", "other"] == 5


def test_inside_publish_reaches_clients_and_shows_in_the_journal(scene: Scene) -> None:
    client = scene.connect("s", "t")
    broker = scene.broker
    reached = broker.publish(
        "t", b"hello", qos=1, properties={"content_type": "x"}, source="fixture:orders"
    )
    scene.network.settle()
    assert reached == 1
    assert client.take() == encode_packet(Publish("t", b"hello"), 4)
    journal = scene.environment.journal
    assert journal is not None
    chunk = next(
        chunk for chunk in journal.since(0) if chunk.tape.owner.client == "∗fixture:orders"
    )
    assert chunk.data is not None
    (frame,) = chunk.tape.owner.splitter(IN).feed(chunk.data)
    (row,) = chunk.tape.owner.rows(IN, frame)
    assert (row.operation, row.destination, row.payload) == ("PUBLISH", "t", b"hello")
    assert row.detail["content_type"] == "x"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"topic_name": "a/+"}, "wildcard"),
        ({"topic_name": ""}, "at least one character"),
        ({"topic_name": "a", "qos": 3}, "qos is 0, 1 or 2"),
        ({"topic_name": "a", "properties": {"color": "red"}}, "no property 'color'"),
        ({"topic_name": "a", "properties": {"content_type": 5}}, "legal value"),
        ({"topic_name": "a", "properties": {"user_property": 3}}, "mapping or pairs"),
        ({"topic_name": "a" * 70_000}, "65535"),
    ],
)
def test_inside_publish_refuses_with_a_reason(
    scene: Scene, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidInput, match=text):
        scene.broker.publish(payload=b"", **arguments)


def test_retained_messages_can_be_listed_and_cleared(scene: Scene) -> None:
    broker = scene.broker
    broker.publish("r", b"1", qos=1, retain=True)
    assert broker.retained() == [("r", b"1", 1)]
    (view,) = broker.destinations()
    assert (view.name, view.depth, view.note) == ("r", 1, "retained")
    assert broker.clear_retained("r")
    assert not broker.clear_retained("r")


def test_sessions_can_be_listed_and_ended(scene: Scene) -> None:
    client = scene.connect("s", "t", qos=1)
    broker = scene.broker
    (detail,) = broker.sessions()
    assert (detail["client"], detail["connected"], detail["subscriptions"]) == ("s", True, {"t": 1})
    (group,) = broker.groups()
    assert (group.name, group.state, group.members, group.lag) == ("s", "connected", 1, 0)
    assert broker.end_session("s")
    scene.network.settle()
    assert client.peer.ended == "closed"
    assert not broker.end_session("s")


def test_disconnect_by_hand_closes_or_resets(scene: Scene) -> None:
    first, second = scene.connect("a"), scene.connect("b")
    assert scene.broker.disconnect(first.peer.id, "enough")
    assert scene.broker.disconnect(second.peer.id, "enough", reset=True)
    assert not scene.broker.disconnect(999, "nobody")
    assert (first.peer.ended, second.peer.ended) == ("closed", "reset")


ENDS: dict[str, Callable[[Scene, FakeClient], object]] = {
    "its client says so": lambda scene, client: client.send(encode_packet(Disconnect(), 4)),
    "its client goes": lambda scene, client: client.vanish(),
    "by hand": lambda scene, client: scene.broker.disconnect(client.peer.id, "enough"),
    "by a reset": lambda scene, client: scene.broker.disconnect(client.peer.id, "", reset=True),
    "another takes over": lambda scene, client: scene.connect("s"),
    "the broker stops": lambda scene, client: scene.broker.restart(),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_is_shown_of_a_connection_that_ended_is_what_it_had(scene: Scene, how: str) -> None:
    client = scene.connect("s", "t", qos=1)
    scene.broker.publish("t", b"x", qos=1)
    view = scene.broker.connection(client.peer.id)
    assert view is not None
    assert (view.state, view.detail["subscriptions"], view.detail["inflight"]) == ("open", 1, 1)
    ENDS[how](scene, client)
    scene.network.settle()
    last = client.peer.last
    assert last is not None
    assert (last.state, last.client, last.detail) == (view.state, "s", view.detail)
    assert scene.broker.connection(client.peer.id) is None


def test_reset_leaves_nothing(scene: Scene) -> None:
    client = scene.connect("s", "t")
    broker = scene.broker
    broker.publish("t", b"x", retain=True)
    broker.reset()
    scene.network.settle()
    assert client.peer.ended == "closed"
    assert (broker.sessions(), broker.retained(), broker.destinations()) == ([], [], [])


def test_rest_of_a_packet_can_be_taken_back(scene: Scene) -> None:
    client = scene.connect("s")
    packet = encode_packet(Publish("t", b"payload"), 4)
    assert client.connection.receive(packet + packet[:4]) == 4
    assert client.connection.take_rest() == packet[:4]
    assert client.connection.receive(b"\xc0\x00") == 0
