"""A message that reaches no queue: its row, the event, the figures."""

import pytest
from mockforge_brokers.amqp.events import MessageUnroutable
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import Row

from .client import Client, Scene, publish


def rows(scene: Scene) -> list[Row]:
    """The rows of all publishes in the journal."""
    assert scene.environment.journal is not None
    found: list[Row] = []
    for chunk in reversed(list(scene.environment.journal.since(0))):
        owner = chunk.tape.owner
        for unit in owner.splitter(chunk.direction).feed(chunk.data or b""):
            found += owner.rows(chunk.direction, unit)
    return [row for row in found if row.operation == "basic.publish"]


def errors(scene: Scene) -> list[str]:
    return [row.error for row in rows(scene)]


def test_row_of_a_publish_says_that_it_reached_no_queue(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q", b"a") + publish("", "nowhere", b"b") + publish("", "q", b"a"))
    assert errors(scene) == ["", "reached no queue", ""]
    assert rows(scene)[1].detail["unroutable"] is True


def test_the_same_message_loses_its_mark_once_it_gets_through(scene: Scene, client: Client) -> None:
    client.publish("amq.direct", "k", b"same")
    assert errors(scene) == ["reached no queue"]
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="amq.direct", routing_key="k")
    client.publish("amq.direct", "k", b"same")
    assert errors(scene) == ["", ""]


def test_body_of_several_frames_is_marked_too(scene: Scene) -> None:
    client = scene.client(tune=(2047, 4096, 0))
    from mockforge_brokers.amqp.wire import content, frames

    method = frames.method(1, "basic.publish", routing_key="nowhere")
    client.fake.send(method + content.make_content(1, b"x" * 9000, {}, 4088))
    assert errors(scene) == ["reached no queue"]


def test_headers_decide_which_message_of_one_key_is_marked(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="amq.headers", arguments={"kind": "yes"})
    for kind in ("yes", "no", "yes"):
        client.publish("amq.headers", "", b"x", headers={"kind": kind})
    assert errors(scene) == ["", "reached no queue", ""]


def test_event_is_emitted_once_for_each_exchange_and_key(scene: Scene, client: Client) -> None:
    for _ in range(3):
        client.publish("amq.topic", "a.b")
    client.publish("amq.topic", "c", mandatory=True)
    told = scene.emitted(MessageUnroutable)
    assert [(event.exchange, event.routing_key, event.returned) for event in told] == [
        ("amq.topic", "a.b", False),
        ("amq.topic", "c", True),
    ]
    assert (told[0].connection, told[0].client) == (client.peer.id, client.fake.connection.client)


def test_event_is_emitted_again_after_the_key_had_a_queue(scene: Scene, client: Client) -> None:
    client.publish("", "q", b"1")
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"2")
    client.send("queue.delete", queue="q")
    client.publish("", "q", b"3")
    assert len(scene.emitted(MessageUnroutable)) == 2


def test_publishers_without_end_of_keys_are_counted_not_emitted(
    scene: Scene, client: Client
) -> None:
    for number in range(1500):
        client.publish("", f"nowhere {number}")
    assert len(scene.emitted(MessageUnroutable)) == 100
    (view,) = scene.broker.connections()
    assert view.detail["unroutable"] == 1500


def test_exchange_counts_what_it_could_not_route(scene: Scene, client: Client) -> None:
    client.publish("amq.topic", "a")
    (view,) = scene.broker.destinations()
    assert view.detail["unroutable"] == 1
    assert view.note == "topic, 0 bindings, 1 unroutable"


def test_publish_from_inside_is_reported_as_a_clients_is(scene: Scene) -> None:
    assert scene.broker.publish("amq.direct", "k", b"x", source="prompt") == 0
    with pytest.raises(InvalidInput, match="routes 'k' to no queue"):
        scene.broker.publish("amq.direct", "k", b"y", mandatory=True)
    assert errors(scene) == ["reached no queue"] * 2
    (event,) = scene.emitted(MessageUnroutable)
    assert event.client == "∗prompt"


def test_message_that_an_alternate_exchange_takes_is_not_unroutable(
    scene: Scene, client: Client
) -> None:
    client.send("queue.declare", queue="rest")
    client.send("exchange.declare", exchange="rest", exchange_type="fanout")
    client.send("queue.bind", queue="rest", exchange="rest")
    client.send(
        "exchange.declare", exchange="x", exchange_type="direct",
        arguments={"alternate-exchange": "rest"},
    )  # fmt: skip
    client.publish("x", "k")
    assert errors(scene) == [""]
    assert scene.emitted(MessageUnroutable) == []
