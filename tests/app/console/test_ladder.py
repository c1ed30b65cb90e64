"""`ladder`: a connection as a sequence diagram."""

from typing import Any

import pytest
from brokers.amqp.client import publish
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.events import ConnectionClosed, FaultFired, mark_of
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.misbehaviour.actions import name_of
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Ack, PacketType, Pingreq, Publish
from mockforge_brokers.spine import Spine

from mockforge_tui.console.ladder.drawing import LETTERS, arrow, fact, lifelines
from mockforge_tui.console.ladder.reading import read
from mockforge_tui.console.ladder.rungs import MOST, Ladder
from mockforge_tui.console.ladder.wording import notes_of
from mockforge_tui.text import width

from ..traffic import Client, LengthSplitter, Traffic, frame
from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene(furnished=False)


def _arrows(scene: Scene, line: str) -> list[tuple[str, str, str]]:
    """Each arrow's direction, what stands on it and beside it."""
    records = scene.run(line).records
    return [(each["direction"], each["label"], each["note"]) for each in records]


def test_requests_and_answers_are_arrows_with_the_time_that_the_answer_took(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7", "sensors/#")
    client.send(encode_packet(Publish("a/b", b"21.5", 2, packet_id=7), 4))
    scene.advance(0.25)
    client.send(encode_packet(Ack(PacketType.PUBREL, 7), 4))
    rows = _arrows(scene, "ladder dev-7")
    assert [row for row in rows if row[0]] == [
        ("in", "CONNECT client_id=dev-7  version=3.1.1  clean_start=True", ""),
        ("out", "CONNACK reason=Connection accepted", "0 ms"),
        ("in", "SUBSCRIBE sensors/#", ""),
        ("out", "SUBACK reasons=Granted QoS 1  codes=1", "0 ms"),
        ("in", "PUB q2 a/b 21.5", ""),
        ("out", "PUBREC", "0 ms"),
        ("in", "PUBREL", "250 ms"),
        ("out", "PUBCOMP", "0 ms"),
    ]


def test_the_diagram_is_as_wide_as_the_terminal_has_room(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7")
    client.send(encode_packet(Publish("a/b", b"x" * 500, 0), 4))
    for cells in (60, 80, 120):
        heading, *lines = scene.run("ladder dev-7").as_text(cells).splitlines()
        drawn = [line for line in lines if "PUB q0" in line or "CONNACK" in line]
        assert heading.index("dev-7") == drawn[0].index("│")
        assert {len(line.rstrip()) for line in drawn if "▶" in line} == {
            heading.index("broker") + 6
        }
        assert all(width(line) <= cells for line in lines[:-1])
    assert "│◀─ CONNACK" in drawn[0]


def _hit(scene: Scene, frame: bytes, operation: str) -> None:
    """Rule 1 fires on a frame of dev-7, which passes all the same: nothing here stops it."""
    rule = scene.faults.rules[1]
    event = FaultFired("mqtt", 1, name_of(rule.action), 1, "dev-7", operation, mark_of(frame), IN)
    scene.spine.emit(event)


def test_a_frame_that_a_fault_dropped_does_not_arrive(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7")
    scene.run("fault add drop op:PUBLISH topic:a/b")
    frame = encode_packet(Publish("a/b", b"1", 0), 4)
    _hit(scene, frame, "PUBLISH")
    client.send(frame)
    record = scene.run("ladder dev-7 | fault:1").records[-1]
    assert record["lost"]
    assert (record["label"], record["fault"]) == ("PUB q0 a/b 1", 1)
    assert record["note"] == "fault 1 drop"
    lines = scene.run("ladder dev-7").as_text(90).splitlines()
    line = next(line for line in lines if "PUB q0" in line)
    assert "×" in line
    assert "▶" not in line
    # Most look when the trouble is over.
    scene.run("fault clear")
    record = scene.run("ladder dev-7 | fault:1").records[-1]
    assert (record["lost"], record["note"]) == (True, "fault 1 drop")


def test_of_very_many_that_a_fault_dropped_none_arrives(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7")
    scene.run("fault add drop op:PUBLISH topic:a/b")
    frames = [encode_packet(Publish("a/b", b"%d" % number, 0), 4) for number in range(200)]
    for each in frames:
        _hit(scene, each, "PUBLISH")
    client.send(b"".join(frames))
    records = scene.run("ladder dev-7 -n 1000").records
    published = [each for each in records if each["operation"] == "PUBLISH"]
    assert len(published) == 200
    assert all(each["lost"] for each in published)


def test_a_held_request_says_so_and_does_not_wait_for_an_answer() -> None:
    ladder = _ladder(_row(1, held=2))
    assert notes_of(ladder.rungs()[0], "", lambda rule: "", 9.0) == [("held", "held h2")]
    free = _ladder(_row(1)).rungs()[0]
    assert notes_of(free, "", lambda rule: "", 9.01) == [("waits", "waits 9.00 s")]


def test_amqps_confirms_and_acks_answer_by_their_numbers(scene: Scene) -> None:
    scene.run("queue add q")
    shop, worker = scene.amqp_client("shop"), scene.amqp_client("worker")
    shop.send("confirm.select")
    worker.send("basic.consume", queue="q", consumer_tag="w")
    for body in (b"one", b"two"):
        shop.fake.send(publish("", "q", body))
        scene.advance(0.5)
    worker.send("basic.ack", delivery_tag=2, multiple=True)
    scene.advance(1)
    acks = [each for each in _arrows(scene, "ladder worker") if each[1].startswith("ack")]
    assert acks == [("in", "ack #2 and before", "1.00 s")]
    confirms = [each for each in _arrows(scene, "ladder shop --single") if "ack #" in each[1]]
    assert [each[:2] for each in confirms] == [("out", "ack #1"), ("out", "ack #2")]
    assert all(each[2] for each in confirms)


def test_what_is_alike_and_follows_at_once_is_one_arrow(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7")
    for number in range(5):
        client.send(encode_packet(Publish("a/b", b"%d" % number, 0), 4))
    scene.advance(3)
    client.send(encode_packet(Publish("a/b", b"late", 0), 4))
    folded = [each for each in _arrows(scene, "ladder dev-7") if "a/b" in each[1]]
    assert folded == [("in", "PUB q0 a/b ×5", ""), ("in", "PUB q0 a/b late", "")]
    assert len([each for each in _arrows(scene, "ladder dev-7 --single") if "a/b" in each[1]]) == 6
    record = next(each for each in scene.run("ladder dev-7").records if "late" in each["label"])
    assert record["after"] == pytest.approx(3)


def test_publishes_of_another_qos_are_not_alike(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7")
    for qos in (0, 1):
        client.send(encode_packet(Publish("a/b", b"1", qos, packet_id=qos), 4))
    published = [each for each in _arrows(scene, "ladder dev-7") if "a/b" in each[1]]
    assert published == [("in", "PUB q0 a/b 1", ""), ("in", "PUB q1 a/b 1", "")]


def test_pings_are_left_out_unless_they_are_asked_for_or_are_hit(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7")
    client.send(encode_packet(Pingreq(), 4))
    assert not any("PING" in each[1] for each in _arrows(scene, "ladder dev-7"))
    assert [each[1] for each in _arrows(scene, "ladder dev-7 --all")][-2:] == [
        "PINGREQ",
        "PINGRESP",
    ]
    scene.run("fault add drop op:PINGREQ")
    _hit(scene, encode_packet(Pingreq(), 4), "PINGREQ")
    client.send(encode_packet(Pingreq(), 4))
    assert any(each[1] == "PINGREQ" for each in _arrows(scene, "ladder dev-7"))


def test_a_connection_that_is_over_has_its_ladder_up_to_the_end(scene: Scene) -> None:
    scene.mqtt_client("dev-7")
    (view,) = scene.session.connections()
    scene.advance(1)
    scene.ended.add(view, "the client disconnected")
    scene.spine.emit(ConnectionClosed("mqtt", view.id, "dev-7", "the client disconnected"))
    scene.brokers.mqtt.disconnect(view.id, "", reset=True)
    assert not scene.session.connections()
    for line in ("ladder dev-7", f"ladder c{view.id}"):
        last = _arrows(scene, line)[-1]
        assert last == ("", "closed: the client disconnected", "")


def test_a_name_with_several_connections_has_them_in_one_ladder(scene: Scene) -> None:
    for group in ("one", "two"):
        scene.join(group, "billing", {})
    result = scene.run("ladder billing")
    assert {each["connection"] for each in result.records} == {1, 2}
    assert "conn" in result.as_text(100).splitlines()[0]


def test_only_the_newest_arrows_are_shown_and_the_others_are_counted(scene: Scene) -> None:
    client = scene.mqtt_client("dev-7")
    for number in range(30):
        client.send(encode_packet(Publish(f"a/{number}", b"1", 0), 4))
    result = scene.run("ladder dev-7 -n 3")
    assert [each["label"] for each in result.records] == [f"PUB q0 a/{n} 1" for n in (27, 28, 29)]
    assert "29 older arrows left out" in result.text or "30 older arrows left out" in result.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ladder nobody", "no client nobody"),
        ("ladder c9", "no connection c9"),
        ("ladder (proto:mqtt)", "one connection is wanted"),
    ],
)
def test_who_is_not_there_is_named(scene: Scene, line: str, said: str) -> None:
    assert said in scene.refused(line).as_text()


def test_without_a_journal_it_says_that_frames_are_not_kept() -> None:
    scene = Scene(furnished=False, journal=False)
    scene.mqtt_client("dev-7")
    assert "frames are not kept" in scene.refused("ladder dev-7").as_text()


# What is read of the journal ------------------------------------------------------------------


class _Batches(Client):
    """Each of its frames is a batch, whose records take hardly any bytes."""

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return [Row("", direction, "Produce", payload=frame[2:]) for _ in range(1000)]


def test_of_batches_no_more_is_decoded_than_people_can_wait_for() -> None:
    traffic = Traffic()
    traffic.tape("shop").owner = _Batches("shop")
    for number in range(100):
        traffic.write("shop", frame(b"%d" % number))
    found = read(traffic.journal, Spine(ManualClock()), None, [traffic.tape("shop").connection])
    rows = list(found.feed.since(0))
    assert len(rows) == 10_000
    assert (rows[0].payload, rows[-1].payload) == (b"90", b"99")
    assert (found.all_read, found.all_kept) == (False, True)


@pytest.mark.parametrize("size", [10, 3_000, 60_000])
def test_frames_that_lie_across_what_is_read_at_once_are_whole(size: int) -> None:
    """Chunks end anywhere in a frame, and portions behind any chunk."""
    traffic = Traffic()
    frames = [frame(b"%09d" % number + b"x" * size) for number in range(600_000 // (size + 500))]
    stream = b"".join(frames)
    splitter = LengthSplitter()
    for start in range(0, len(stream), 7_777):
        splitter.feed(piece := stream[start : start + 7_777])
        traffic.write("shop", piece, splitter.pending)
    found = read(traffic.journal, Spine(ManualClock()), None, [traffic.tape("shop").connection])
    assert [row.frame for row in found.feed.since(0)] == frames
    assert found.all_read


# The model and the drawing --------------------------------------------------------------------


def _row(number: int, **changes: Any) -> Row:
    given: dict[str, Any] = {
        "protocol": "kafka", "direction": IN, "operation": "Fetch", "connection": 1,
        "destination": "orders", "correlation": number, "seq": number, "time": number / 100,
    }  # fmt: skip
    return Row(**{**given, **changes})


def _ladder(*rows: Row) -> Ladder:
    by_number = {row.seq: row for row in rows}
    ladder = Ladder([1], by_number.get)
    for row in rows:
        ladder.meet(row)
    return ladder


def test_an_empty_poll_is_noise_and_one_that_brings_something_is_not() -> None:
    ladder = _ladder(
        _row(1, kind="noise"), _row(2, kind="noise", direction=OUT, correlation=1),
        _row(3, kind="noise"), _row(4, kind="message", direction=OUT, correlation=3),
    )  # fmt: skip
    assert [rung.first.number for rung in ladder.rungs()] == [3, 4]
    assert [rung.first.number for rung in ladder.rungs(noise=True)] == [1, 2, 3, 4]


def test_rows_of_one_frame_are_one_arrow_and_other_connections_none() -> None:
    rows = [_row(1), _row(2, direction=OUT, correlation=1, part=0)]
    rows += [_row(3, direction=OUT, correlation=1, part=1), _row(4, connection=2)]
    (asked, answered) = _ladder(*rows).rungs()
    assert answered.messages == 2
    assert answered.first.asked is asked.first


def test_a_request_waits_until_it_is_answered() -> None:
    ladder = _ladder(_row(1), _row(2))
    assert [frame.number for frame in ladder.waiting] == [1, 2]
    ladder.meet(_row(3, direction=OUT, correlation=1))
    assert [frame.number for frame in ladder.waiting] == [2]


def test_a_fault_that_shows_itself_late_takes_its_arrow_out_of_the_others() -> None:
    rows = [_row(number, correlation=None, time=1.0) for number in (1, 2, 3)]
    ladder = _ladder(*rows)
    assert [rung.count for rung in ladder.rungs()] == [3]
    rows[1].fault = 4
    assert [rung.count for rung in ladder.rungs()] == [1, 1, 1]


def test_it_keeps_so_many_frames_and_forgets_the_requests_that_nobody_answers() -> None:
    ladder = _ladder(*(_row(number) for number in range(1, 3 * MOST)))
    assert len(ladder) == MOST
    assert ladder.left == 2 * MOST - 1
    assert len(ladder.waiting) <= 2 * MOST + 100


@pytest.mark.parametrize("cells", [8, 20, 21, 60])
@pytest.mark.parametrize("label", ["", "a", "PUB q1 sensors/room1/temp", "温度" * 20])
def test_an_arrow_has_exactly_its_cells(cells: int, label: str) -> None:
    for drawn in (
        arrow(label, IN, cells), arrow(label, OUT, cells), fact(label, cells),
        arrow(label, IN, cells, LETTERS, lost=True), arrow(label, OUT, cells, lost=True),
    ):  # fmt: skip
        assert width(str(drawn)) == cells
    assert width(lifelines(label, "broker", cells)) == cells
