"""What `chaos report` says of messages that did not come: kept away by a fault, or left out."""

from collections.abc import Callable
from typing import Any

import pytest
from mockforge_brokers.amqp.channel.unroutable import Unroutable
from mockforge_brokers.amqp.v1_0.rows import Names, read_rows
from mockforge_brokers.amqp.v1_0.wire import performatives
from mockforge_brokers.amqp.v1_0.wire.frames import frame as framed
from mockforge_brokers.events import ConnectionClosed, ConnectionOpened
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.misbehaviour.queue import Queue

from mockforge_tui.console.chaos import withheld
from mockforge_tui.console.chaos.story import ClientStory
from mockforge_tui.console.chaos.verdict import GRACE
from mockforge_tui.console.chaos.wording import CLEAN, NOTHING

from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene(furnished=False)


def report(scene: Scene) -> dict[str, Any]:
    return {record["client"]: record for record in scene.run("chaos report").records}


class Lane:
    """What a queue is of."""

    def forward(self, frame: bytes) -> None: ...

    def work(self, call: Callable[[], object]) -> None:
        call()

    def waits_more(self, size: int) -> None: ...

    def waits_less(self, size: int) -> None: ...


def transfer(payload: bytes, **fields: Any) -> bytes:
    fields = {"handle": 0, "delivery_id": 0, "delivery_tag": b"1", **fields}
    return framed(0, performatives.write("transfer", **fields) + payload)


def story(scene: Scene) -> ClientStory:
    return next(scene.chaos[-1].observer.stories())


def published(payload: bytes) -> Row:
    return Row("mqtt", IN, "PUBLISH", client="c", kind="message", destination="t", payload=payload)


def kept_back(scene: Scene, payload: bytes, queue: Queue, **changes: Any) -> None:
    """What a lane says of a client's message that does not go in at once."""
    row = published(payload)
    for name, value in changes.items():
        setattr(row, name, value)
    told = scene.faults.kept_back
    if told is not None:
        told([row], queue)


def test_a_last_message_that_a_fault_kept_and_that_never_came_again_is_told(scene: Scene) -> None:
    scene.run("chaos start observe")
    client, queue = scene.mqtt_client("c"), Queue(scene.time, Lane())
    for payload in (b"o-0", b"o-1", b"o-2", b"o-3"):
        kept_back(scene, payload, queue)
    for payload in (b"o-1", b"o-2"):
        scene.mqtt_publish(client, "t", payload)
    # What arrived is not lost by its repetition, nor what was sent before the run for all we know.
    kept_back(scene, b"o-2", queue)
    kept_back(scene, b"o--1", queue, detail={"dup": True})
    found = report(scene)["c"]
    assert found["verdict"] == "not sent again 2: o-0, o-3"
    assert found["missing"] == ["o-0", "o-3"]


def test_what_waits_is_not_lost_until_its_connection_is(scene: Scene) -> None:
    scene.run("chaos start observe")
    scene.mqtt_client("c")
    queue = Queue(scene.time, Lane())
    queue.pass_on(b"frame", 9.0)
    kept_back(scene, b"o-1", queue)
    assert report(scene)["c"]["verdict"] == NOTHING
    queue.end()
    assert report(scene)["c"]["verdict"] == "not sent again 1: o-1"


def test_what_was_kept_back_may_come_for_a_while_after_the_run(scene: Scene) -> None:
    scene.run("chaos start observe")
    client, queue = scene.mqtt_client("c"), Queue(scene.time, Lane())
    for payload in (b"o-1", b"o-2", b"o-3"):
        kept_back(scene, payload, queue)
    scene.run("chaos stop")
    assert scene.faults.kept_back is None
    scene.mqtt_publish(client, "t", b"o-1")
    scene.advance(GRACE - 1)
    scene.mqtt_publish(client, "t", b"o-2")
    found = report(scene)["c"]
    assert (found["verdict"], found["sent"]) == ("not sent again 1: o-3", 0)
    scene.advance(1)
    scene.mqtt_publish(client, "t", b"o-3")
    assert report(scene)["c"]["verdict"] == "not sent again 1: o-3"
    scene.run("chaos start observe")
    assert report(scene)["c"]["verdict"] == NOTHING


def changed(scene: Scene, before: bytes, *instead: bytes) -> None:
    """What a lane says of a message that a fault or a person altered."""
    told = scene.faults.changed
    if told is not None:
        told([published(before)], [published(each) for each in instead])


def test_a_message_that_a_fault_changed_is_the_one_that_was_sent(scene: Scene) -> None:
    scene.run("chaos start observe")
    client, queue = scene.mqtt_client("c"), Queue(scene.time, Lane())
    scene.mqtt_publish(client, "t", b"o-1")
    kept_back(scene, b"o-2", queue)
    changed(scene, b"o-2", b"n-2")
    assert report(scene)["c"]["missing"] == ["o-2"]
    scene.mqtt_publish(client, "t", b"n-2")
    scene.mqtt_publish(client, "t", b"o-3")
    # Edited twice, and what it became is sent by another as well.
    kept_back(scene, b"o-4", queue)
    changed(scene, b"o-4", b"n-4")
    changed(scene, b"n-4", b"m-4")
    for payload in (b"m-4", b"m-4", b"o-5"):
        scene.mqtt_publish(client, "t", payload)
    assert (report(scene)["c"]["verdict"], report(scene)["c"]["sent"]) == (CLEAN, 6)
    # What is refused for it has to come again.
    kept_back(scene, b"o-6", queue)
    changed(scene, b"o-6", b"n-6")
    assert report(scene)["c"]["verdict"] == "not sent again 1: o-6"
    scene.mqtt_publish(client, "t", b"o-6")
    assert report(scene)["c"]["verdict"] == CLEAN


def test_what_becomes_of_a_message_that_was_cut_nobody_can_say(scene: Scene) -> None:
    scene.run("chaos start observe")
    scene.mqtt_client("c")
    kept_back(scene, b"o-1", Queue(scene.time, Lane()))
    changed(scene, b"o-1")
    assert report(scene)["c"]["verdict"] == NOTHING


def test_a_message_may_have_lost_its_id_to_a_fault(scene: Scene) -> None:
    scene.run("chaos start observe --id json.id")
    client, queue = scene.mqtt_client("c"), Queue(scene.time, Lane())
    for number in (1, 2, 3):
        sent = b'{"id": %d}' % number
        if number == 2:
            kept_back(scene, sent, queue)
            changed(scene, sent, b'{"id"; 2}')
            sent = b'{"id"; 2}'
        scene.mqtt_publish(client, "t", sent)
    assert (report(scene)["c"]["verdict"], report(scene)["c"]["sent"]) == (CLEAN, 3)


def test_what_a_topic_alias_stands_for_may_be_set_by_what_waits(scene: Scene) -> None:
    scene.run("chaos start observe")
    scene.mqtt_client("c")
    queue = Queue(scene.time, Lane())
    # What sets it says its topic.
    kept_back(scene, b"o-1", queue, detail={"topic_alias": 1})
    queue.pass_on(b"frame", 9.0)
    kept_back(scene, b"o-2", queue, detail={"topic_alias": 1}, destination="")
    # Perhaps it stood for this one before.
    kept_back(scene, b"o-3", queue, detail={"topic_alias": 1})
    kept_back(scene, b"o-4", queue)
    lost = Queue(scene.time, Lane())
    kept_back(scene, b"o-5", lost, detail={"topic_alias": 1}, destination="")
    assert list(story(scene).withheld) == ["o-1", "o-4"]


def test_a_part_of_a_message_does_not_arrive_by_itself(scene: Scene) -> None:
    scene.run("chaos start observe")
    queue = Queue(scene.time, Lane())
    amqp = {"protocol": "amqp", "operation": "transfer"}
    frames = [
        transfer(b"\x00Su\xb0\0\0\0\x06", more=True),
        transfer(b"abcdef"),
        transfer(b"\x00Su\xa0\x03o-1"),
    ]
    told = scene.faults.kept_back
    assert told is not None
    for frame in frames:
        [row] = read_rows(IN, frame, Names(), Unroutable(scene.spine, 1, "c"))
        row.client = "c"
        assert (row.protocol, row.operation, row.kind) == (*amqp.values(), "message")
        told([row], queue)
    assert list(story(scene).withheld) == ["o-1"]


def test_what_comes_late_under_a_new_name_is_of_who_had_none_before(scene: Scene) -> None:
    scene.run("chaos start observe")
    first, second = f"auto-{7:016x}", f"auto-{8:016x}"
    scene.spine.emit(ConnectionOpened("mqtt", 1, "10.0.0.7:50001"))
    client = scene.mqtt_client(first)
    kept_back(scene, b"o-1", Queue(scene.time, Lane()), client=first)
    client.vanish()
    # The transport's part, as the connections are.
    scene.spine.emit(ConnectionClosed("mqtt", 1, first, "gone"))
    scene.run("chaos stop")
    assert report(scene)[first]["verdict"] == "not sent again 1: o-1; gave up"
    scene.spine.emit(ConnectionOpened("mqtt", 2, "10.0.0.7:50002"))
    scene.mqtt_publish(scene.mqtt_client(second), "t", b"o-1")
    assert report(scene)[first]["verdict"] == NOTHING


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("a:1 b:2 a:3 b:4", CLEAN),
        ("a:1 b:2 a:4", "not sent 1: 3"),
        ("a:1 b:1 a:3 b:2 b:3", "not sent 1: 2"),
    ],
)
def test_numbers_may_go_on_from_topic_to_topic(scene: Scene, sent: str, expected: str) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    for each in sent.split():
        topic, _, payload = each.partition(":")
        scene.mqtt_publish(client, topic, payload.encode())
    assert report(scene)["c"]["verdict"] == expected


def test_the_same_id_by_another_routing_key_is_another_message(scene: Scene) -> None:
    scene.run("queue add one")
    scene.run("queue add two")
    scene.run("chaos start observe")
    client = scene.amqp_client()
    for queue in ("one", "two", "one"):
        client.publish("", queue, b"o-1")
    [found] = scene.run("chaos report").records
    assert found["verdict"] == "doubled 1: o-1"


def test_what_is_kept_back_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withheld, "_MOST", 2)
    scene.run("chaos start observe")
    scene.mqtt_client("c")
    queue = Queue(scene.time, Lane())
    for number in range(5):
        kept_back(scene, b"%d" % number, queue)
    assert report(scene)["c"]["missing"] == ["0", "1"]
