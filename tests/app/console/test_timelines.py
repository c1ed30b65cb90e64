"""`timeline`: what became of one message, by what went over the wire."""

from typing import Any

import pytest
from brokers.amqp.client import publish
from mockforge_brokers.journal import IN, OUT, Row

from mockforge_tui.console.timelines import kafka
from mockforge_tui.feed import Feed

from .scene import Scene


def _steps(scene: Scene, which: str) -> list[tuple[str, str]]:
    """Each step with its place."""
    return [(each["step"], each["place"]) for each in scene.run(f"timeline {which}").records]


@pytest.fixture
def scene() -> Scene:
    scene = Scene(furnished=False, screen=True)
    for line in (
        "queue add dead",
        "queue add q --arg x-dead-letter-exchange= --arg x-dead-letter-routing-key=dead",
        "exchange add events --type topic",
        "bind events q order.*",
    ):
        scene.run(line)
    return scene


def test_a_message_is_followed_to_the_end_of_its_dead_letter(scene: Scene) -> None:
    shop, worker = scene.amqp_client(), scene.amqp_client()
    shop.send("confirm.select")
    worker.send("basic.consume", queue="q", consumer_tag="w")
    worker.send("basic.consume", queue="dead", consumer_tag="d", no_ack=True)
    shop.fake.send(publish("events", "order.new", b"one"))
    scene.advance(1)
    worker.send("basic.nack", delivery_tag=1, requeue=True)
    worker.send("basic.reject", delivery_tag=2, requeue=False)
    assert _steps(scene, "amqp:events/order.new") == [
        ("published", "events/order.new"),
        ("delivered", "q"),
        ("confirmed", ""),
        ("requeued", "q"),
        ("delivered", "q"),
        ("rejected", "q"),
        ("delivered", "dead"),
    ]
    notes = [each["note"] for each in scene.run("timeline queue:dead").records]
    assert notes[-1] == "tag 3, dead letter of q: rejected, needs no ack"
    assert "tag 2, redelivered" in notes


def test_of_messages_that_are_alike_the_first_one_is_delivered_first(scene: Scene) -> None:
    shop, worker = scene.amqp_client(), scene.amqp_client()
    shop.send("confirm.select")
    shop.fake.send(publish("", "q") * 3)
    worker.send("basic.consume", queue="q")
    scene.settle()
    worker.send("basic.ack", delivery_tag=2, multiple=True)
    scene.advance(1)
    worker.send("basic.ack", delivery_tag=3)
    (published, delivered, confirmed, acked) = scene.run("timeline queue:q").records
    assert confirmed["note"] == "all up to tag 3"
    assert (delivered["note"], acked["note"], acked["after"]) == ("tag 3", "tag 3", 1.0)
    assert published["after"] == 0


def test_a_channels_confirms_are_known_though_its_beginning_left_the_journal(scene: Scene) -> None:
    shop = scene.amqp_client()
    shop.send("confirm.select")
    shop.fake.send(publish("", "q", b"old") * 4)
    assert scene.journal is not None
    scene.journal.clear()
    shop.fake.send(publish("", "q", b"new"))
    steps = scene.run("timeline queue:q").records
    assert [(each["step"], each["note"]) for each in steps][1] == ("confirmed", "tag 5")


def test_where_nobody_took_it_the_queue_says_why(scene: Scene) -> None:
    scene.run("pub amqp:events/order.new hello")
    (published, waits) = scene.run("timeline amqp:events/order.new").records
    assert published["who"] == "∗prompt"
    assert (waits["step"], waits["place"]) == ("not delivered", "q")
    assert "no consumer" in waits["note"]


def test_what_reached_no_queue_was_returned(scene: Scene) -> None:
    shop = scene.amqp_client()
    shop.fake.send(publish("events", "nobody", mandatory=True))
    steps = scene.run("timeline amqp:events/nobody").records
    assert [each["step"] for each in steps] == ["published", "unroutable", "returned"]
    assert steps[-1]["note"] == "312 NO_ROUTE"


@pytest.mark.parametrize("how", ["channel.close", "connection.close", "basic.recover"])
def test_what_comes_back_unacked_is_requeued(scene: Scene, how: str) -> None:
    worker, other = scene.amqp_client(), scene.amqp_client()
    worker.send("basic.consume", queue="q")
    scene.run("pub queue:q hello")
    scene.settle()
    worker.send(how, **({"requeue": True} if how == "basic.recover" else {}))
    other.send("basic.consume", queue="q")
    steps = [step for step, _ in _steps(scene, "queue:q")]
    assert steps == ["published", "delivered", "requeued", "delivered"]


def test_what_a_get_took_and_a_lost_socket_gave_back(scene: Scene) -> None:
    worker, other = scene.amqp_client(), scene.amqp_client()
    scene.run("pub queue:q hello")
    scene.settle()
    worker.send("basic.get", queue="q")
    worker.fake.vanish()
    scene.settle()
    other.send("basic.get", queue="q", no_ack=True)
    last = scene.run("timeline queue:q").records[-1]
    assert (last["step"], last["place"]) == ("delivered", "q")
    assert last["note"] == "tag 1, redelivered, needs no ack"


def _show_rows(scene: Scene) -> list[Row]:
    """The flow's rows, which the screen then has by number."""
    feed = Feed(scene.journal, scene.spine)
    feed.tick(1)
    scene.screen.rows = list(feed.since(0))
    return scene.screen.rows


def test_each_row_of_a_message_leads_to_all_of_it(scene: Scene) -> None:
    worker = scene.amqp_client()
    worker.send("basic.consume", queue="q")
    scene.run("pub queue:q hello")
    scene.settle()
    worker.send("basic.ack", delivery_tag=1)
    rows = _show_rows(scene)
    numbers = [
        number
        for number, row in enumerate(rows, 1)
        if row.operation in ("basic.publish", "basic.deliver", "basic.ack")
    ]
    found = [scene.run(f"timeline #{number}").data for number in numbers]
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    assert scene.journal is not None
    scene.journal.clear()
    # The flow has its rows longer than the journal has the frames.
    assert scene.run(f"timeline #{numbers[0]}").data == found[0]
    assert "row #99 is not there" in scene.refused("timeline #99").as_text()
    opened = next(n for n, row in enumerate(rows, 1) if row.operation == "basic.consume")
    assert "is of no message" in scene.refused(f"timeline #{opened}").as_text()


def test_mqtts_acknowledgements_belong_to_their_publish(scene: Scene) -> None:
    scene.mqtt_client("room", "a/#", qos=0)
    sender = scene.mqtt_client("sender")
    scene.mqtt_publish(sender, "a/b", b"on", qos=1)
    scene.mqtt_publish(sender, "a/b", b"off", qos=2)
    assert _steps(scene, "mqtt:a/b") == [
        ("published", "a/b"),
        ("PUBREC", ""),
        ("delivered", "a/b"),
    ]
    rows = _show_rows(scene)
    first = next(number for number, row in enumerate(rows, 1) if row.operation == "PUBACK")
    assert sorted(step for step, _ in _steps(scene, f"#{first}")) == [
        "PUBACK",
        "delivered",
        "published",
    ]


def _of_kafka(operation: str, direction: int, time: float, **given: Any) -> Row:
    return Row("kafka", direction, operation, connection=1, time=time, **given)


def test_a_record_is_followed_to_the_groups_that_committed_it() -> None:
    """Offsets are known by the answer to Produce; a group's commit is told where it passes one."""

    def record(direction: int, time: float, payload: bytes, **detail: Any) -> Row:
        operation = "Fetch" if direction == OUT else "Produce"
        known = {"kind": "message", "destination": "t", "payload": payload, "correlation": 4}
        return _of_kafka(operation, direction, time, detail={"partition": 0, **detail}, **known)

    def commit(time: float, offset: int) -> Row:
        partitions = [{"partition_index": 0, "committed_offset": offset}]
        topics = [{"name": "t", "partitions": partitions}]
        return _of_kafka("OffsetCommit", IN, time, detail={"group": "g", "topics": topics})

    answer = {"name": "t", "partition_responses": [{"index": 0, "error_code": 0, "base_offset": 7}]}
    found = kafka.courses(
        [
            record(IN, 1, b"a"),
            record(IN, 1, b"b"),
            _of_kafka("Produce", OUT, 2, detail={"responses": [answer]}, correlation=4),
            record(OUT, 3, b"a", offset=7),
            commit(4, 8),
            record(OUT, 5, b"b", offset=8),
            commit(6, 9),
            commit(7, 9),
            record(OUT, 8, b"c", offset=9),
        ]
    )
    assert [[(each.what, each.place, each.who) for each in one.steps] for one in found] == [
        [
            ("produced", "t p0", ""),
            ("appended", "t p0@7", ""),
            ("fetched", "t p0@7", ""),
            ("committed", "t p0@8", "g"),
        ],
        [
            ("produced", "t p0", ""),
            ("appended", "t p0@8", ""),
            ("fetched", "t p0@8", ""),
            ("committed", "t p0@9", "g"),
        ],
        [("fetched", "t p0@9", "")],
    ]


def test_a_refused_record_says_so() -> None:
    failed = {"name": "t", "partition_responses": [{"index": 0, "error_code": 3}]}
    known = {"kind": "message", "destination": "t", "payload": b"a", "correlation": 4}
    rows = [
        _of_kafka("Produce", IN, 1, detail={"partition": 0}, **known),
        _of_kafka("Produce", OUT, 2, detail={"responses": [failed]}, correlation=4, error="X"),
    ]
    ((_, refused),) = (each.steps for each in kafka.courses(rows))
    assert (refused.what, refused.note) == ("refused", "X")


def test_a_target_without_messages_is_named(scene: Scene) -> None:
    assert "no message of mqtt:x" in scene.refused("timeline mqtt:x").as_text()
    without = Scene(furnished=False, journal=False)
    assert "the journal is off" in without.refused("timeline mqtt:x").as_text()
