"""`timeline`: what became of one message, by what went over the wire."""

from typing import Any

import pytest
from brokers.amqp.client import Client as AmqpClient
from brokers.amqp.client import publish
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.listener import Listener

from mockforge_tui.console.timelines import amqp, kafka, mqtt
from mockforge_tui.console.timelines.reading import rows_about
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
        detail = {"group": "g", "topics": topics}
        return _of_kafka("OffsetCommit", IN, time, detail=detail, correlation=time)

    def committed(time: float, code: int = 0) -> Row:
        """The answer to what was asked at a time; partition 1 is never refused."""
        codes = {0: code, 1: 0}
        partitions = [{"partition_index": n, "error_code": each} for n, each in codes.items()]
        topics = [{"name": "t", "partitions": partitions}]
        detail = {"topics": topics}
        return _of_kafka("OffsetCommit", OUT, time, detail=detail, correlation=time)

    answer = {"name": "t", "partition_responses": [{"index": 0, "error_code": 0, "base_offset": 7}]}
    found = kafka.courses(
        [
            record(IN, 1, b"a"),
            record(IN, 1, b"b"),
            _of_kafka("Produce", OUT, 2, detail={"responses": [answer]}, correlation=4),
            record(OUT, 3, b"a", offset=7),
            commit(3.5, 9),
            committed(3.5, 25),
            commit(4, 8),
            committed(4),
            record(OUT, 5, b"b", offset=8),
            # What is not answered, or refused, is not committed.
            commit(5.5, 9),
            commit(6, 9),
            committed(6),
            commit(7, 9),
            committed(7),
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


def _tags_of(scene: Scene, operation: str, place: str) -> list[tuple[int, list[str]]]:
    """Of each message published, in order, its number and the notes of its steps."""
    rows, _ = rows_about(scene.journal, "amqp") if scene.journal is not None else ([], True)
    found = [each for each in amqp.courses(rows, lambda *_: None) if each.start is not None]
    return [
        (
            number,
            [step.note for step in each.steps if (step.what, step.place) == (operation, place)],
        )
        for number, each in enumerate(found, 1)
    ]


def test_a_channel_that_is_opened_again_counts_its_confirms_anew(scene: Scene) -> None:
    shop = scene.amqp_client()
    shop.send("confirm.select")
    shop.fake.send(publish("", "q", b"old") * 2)
    shop.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    shop.open()
    shop.fake.send(publish("", "q", b"plain"))
    shop.send("confirm.select")
    shop.fake.send(publish("", "q", b"new"))
    scene.settle()
    confirmed = [len(notes) for _, notes in _tags_of(scene, "confirmed", "")]
    assert confirmed == [1, 1, 0, 1]


@pytest.mark.parametrize("mandatory", [True, False])
def test_what_reached_no_queue_is_not_delivered_in_the_place_of_one_alike(
    scene: Scene, mandatory: bool
) -> None:
    shop, worker = scene.amqp_client(), scene.amqp_client()
    shop.send("queue.declare", queue="late")
    shop.fake.send(publish("events", "x", b"m", mandatory=mandatory))
    shop.send("queue.bind", queue="late", exchange="events", routing_key="x")
    shop.fake.send(publish("events", "x", b"m", mandatory=mandatory))
    worker.send("basic.consume", queue="late")
    scene.settle()
    assert _tags_of(scene, "delivered", "late") == [(1, []), (2, ["tag 1"])]


def test_a_dead_letter_is_of_the_message_that_was_rejected(scene: Scene) -> None:
    shop, worker = scene.amqp_client(), scene.amqp_client()
    shop.fake.send(publish("", "q", b"m") * 3)
    worker.send("basic.consume", queue="q")
    worker.send("basic.consume", queue="dead", consumer_tag="d")
    scene.settle()
    worker.send("basic.ack", delivery_tag=1)
    worker.send("basic.reject", delivery_tag=3, requeue=False)
    worker.send("basic.reject", delivery_tag=2, requeue=False)
    scene.settle()
    assert [notes[:1] for _, notes in _tags_of(scene, "delivered", "dead")] == [
        [],
        ["tag 5, dead letter of q: rejected"],
        ["tag 4, dead letter of q: rejected"],
    ]


def test_an_x_death_that_a_client_made_up_is_read_for_none(scene: Scene) -> None:
    shop, worker = scene.amqp_client(), scene.amqp_client()
    made_up = [{"queue": "q", "reason": "rejected", "count": "often"}]
    shop.fake.send(publish("", "q", b"m", headers={"x-death": made_up}))
    worker.send("basic.consume", queue="q", no_ack=True)
    scene.settle()
    assert _steps(scene, "queue:q")[-1] == ("delivered", "q")


def test_what_died_of_age_was_not_acked(scene: Scene) -> None:
    shop, worker = scene.amqp_client(), scene.amqp_client()
    shop.fake.send(publish("", "q", b"m", expiration="1000") * 2)
    worker.send("basic.get", queue="q")
    worker.send("basic.ack", delivery_tag=1)
    scene.advance(2)
    worker.send("basic.get", queue="dead")
    delivered = _tags_of(scene, "delivered", "dead")
    assert delivered == [(1, []), (2, ["tag 2, dead letter of q: expired"])]


def test_a_queue_that_came_later_has_none_of_before(scene: Scene) -> None:
    """Each of several consumers has a queue of its own for the same exchange."""
    shop, first, second = (scene.amqp_client() for _ in range(3))
    for worker in (first, second):
        (made,) = worker.send("queue.declare", queue="", exclusive=True)
        worker.send("queue.bind", queue="", exchange="amq.fanout")
        worker.send("basic.consume", queue="", no_ack=True)
        shop.fake.send(publish("amq.fanout", "", b"m"))
        scene.settle()
    assert _tags_of(scene, "delivered", made["queue"]) == [
        (1, []),
        (2, ["tag 1, needs no ack"]),
    ]


def test_a_declare_that_is_not_waited_for_has_what_follows_it(scene: Scene) -> None:
    shop = scene.amqp_client()
    shop.fake.send(frames.method(1, "queue.declare", queue="n") + publish("", "n", b"m"))
    shop.fake.send(publish("", "n", b"m"))
    shop.send("basic.consume", queue="n", no_ack=True)
    scene.settle()
    assert _tags_of(scene, "delivered", "n") == [
        (1, ["tag 1, needs no ack"]),
        (2, ["tag 2, needs no ack"]),
    ]


def test_what_waits_is_looked_for_where_its_publisher_was(scene: Scene) -> None:
    scene.run("vhost add shop")
    client = AmqpClient(scene.networks["amqp"], Listener("amqp"))
    client.connect(vhost="shop")
    client.open().send("queue.declare", queue="far")
    client.fake.send(publish("", "far", b"m"))
    client.fake.vanish()
    scene.settle()
    waits = scene.run("timeline queue:far").records[-1]
    assert (waits["step"], waits["place"]) == ("not delivered", "far")


def test_messages_that_are_alike_in_two_virtual_hosts_are_told_apart(scene: Scene) -> None:
    """The second one is taken first, by a queue of the same name."""
    scene.run("vhost add shop")
    made = []
    for vhost in ("/", "shop"):
        client = AmqpClient(scene.networks["amqp"], Listener("amqp"))
        client.connect(vhost=vhost)
        client.open().send("queue.declare", queue="both")
        client.fake.send(publish("", "both", b"m"))
        made.append(client)
    made[1].send("basic.get", queue="both", no_ack=True)
    scene.settle()
    (first, waits) = scene.run("timeline queue:both").records
    assert (first["note"], waits["step"]) == ("1 B", "not delivered")
    (other, taken) = scene.run("timeline queue://shop/both").records
    assert (other["note"], taken["step"]) == ("1 B, in virtual host shop", "delivered")


def test_what_the_prompt_publishes_in_another_virtual_host_is_followed_there(scene: Scene) -> None:
    scene.run("vhost add shop")
    scene.amqp.declare_queue("far", vhost="shop")
    scene.run("pub queue:far hello")
    (published, waits) = scene.run("timeline queue://shop/far").records
    assert published["note"] == "5 B, in virtual host shop"
    assert (waits["step"], waits["place"]) == ("not delivered", "far")
    assert "the journal has no message" in scene.refused("timeline queue://%2F/far").as_text()


def _of_mqtt(operation: str, direction: int, connection: int, **given: Any) -> Row:
    known: dict[str, Any] = {"detail": {"qos": 0}}
    if operation == "PUBLISH":
        known |= {"destination": "t", "payload": b"on", "kind": "message"}
    return Row("mqtt", direction, operation, connection=connection, **{**known, **given})


def _delivered(rows: list[Row]) -> list[list[int]]:
    """Of each message published, in order, the connections that got it."""
    found = [each for each in mqtt.courses(rows) if each.start is not None]
    return [
        [step.row.connection for step in each.steps if step.what == "delivered" and step.row]
        for each in found
    ]


def test_of_mqtts_messages_that_are_alike_the_first_one_is_delivered_first() -> None:
    publish, deliver = _of_mqtt("PUBLISH", IN, 1), _of_mqtt("PUBLISH", OUT, 2)
    subscribe = _of_mqtt("SUBSCRIBE", IN, 2)
    assert _delivered([publish, subscribe, publish, publish, deliver]) == [[], [2], []]
    assert _delivered([publish, subscribe, publish, publish, deliver, deliver]) == [[], [2], [2]]


def test_what_was_retained_or_waited_is_the_newest_of_before() -> None:
    publish, subscribe = _of_mqtt("PUBLISH", IN, 1), _of_mqtt("SUBSCRIBE", IN, 2)
    kept = _of_mqtt("PUBLISH", OUT, 2, detail={"qos": 0, "retain": True})
    assert _delivered([publish, publish, subscribe, kept]) == [[], [2]]
    # Whose SUBSCRIBE has left the journal gets what is newest.
    assert _delivered([publish, publish, _of_mqtt("PUBLISH", OUT, 3)]) == [[], [3]]
