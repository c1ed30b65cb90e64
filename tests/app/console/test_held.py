"""Held frames: shown whole, changed, and refused with a code."""

from typing import Any

import pytest
from brokers.fake_peer import FakePeer
from brokers.misbehaving import Waiting, hold
from mockforge_brokers.errors import BrokerError
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest
from mockforge_brokers.kafka.wire.messages.logs import ProduceRequest
from mockforge_brokers.misbehaviour.decisions import Changes, Edit
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.snapshots import ConnectionView
from msgspec import UNSET
from msgspec.structs import replace

from mockforge_tui.console.client_timeouts import patience_of

from .scene import Scene


def held(
    direction: int = IN, protocol: str = "kafka", payload: bytes = b'{"id": 1}'
) -> tuple[Scene, Waiting]:
    scene, waiting = Scene(busy=False), Waiting()
    row = Row(
        protocol, direction, "Produce", client="billing", destination="orders", kind="message",
        key=b"o-1", payload=payload, headers=(("trace", b"abc"),), detail={"partition": 2},
    )  # fmt: skip
    scene.holds.hold(scene.holds.add(hold()), [row, row], waiting)
    return scene, waiting


@pytest.mark.parametrize(
    ("line", "number", "changes"),
    [
        ('edit h1 {"total": 99}', 0, {"payload": b'{"total": 99}'}),
        ("edit h1 -- all of this", 0, {"payload": b"all of this"}),
        ("edit h1 hex:cafe", 0, {"payload": b"\xca\xfe"}),
        ("edit h1 --null", 0, {"payload": None}),
        ("edit h1 x -k o-2", 0, {"payload": b"x", "key": b"o-2"}),
        ("edit h1 --without key", 0, {"key": None}),
        (
            "edit h1 -H a=b --without header.trace --prop priority=3 --without prop.content-type",
            0,
            {
                "headers": {"trace": None, "a": "b"},
                "properties": {"content_type": None, "priority": 3},
            },
        ),
        ("edit h1 x --record 2", 1, {"payload": b"x"}),
        ("edit h1 --set acks=0 --set name=b", 0, {"fields": {"acks": "0", "name": "b"}}),
    ],
)
def test_edit_changes_what_is_named_and_nothing_else(
    line: str, number: int, changes: dict[str, Any]
) -> None:
    scene, waiting = held()
    scene.run(line)
    assert waiting.decided == [(number, Changes(**changes))]
    assert list(scene.holds.held) == [1]
    assert scene.holds.held[1].edited


def test_edit_lets_go_when_asked() -> None:
    scene, waiting = held()
    assert scene.run("edit h1 x --release").data["released"] is True
    assert waiting.decided[1:] == ["released"]
    assert not scene.holds.held
    assert waiting.decided[0] == (0, Changes(payload=b"x", key=UNSET))


@pytest.mark.parametrize(
    ("line", "text", "blamed"),
    [
        ("edit h9 x", "h9 is not held; held lists what is", "h9"),
        ("edit h1..2 x", "is no held frame", "h1..2"),
        ("edit #1 x", "is no held frame", "#1"),
        ("edit h1 x --null", "--null or a payload", "x"),
        ("edit h1 --without colour", "none of key, header.NAME or prop.NAME", "colour"),
        ("edit h1 --prop priority=high", "priority is a number", "priority=high"),
        ("refuse h9 NACK", "h9 is not held", "h9"),
        ("refuse h1 NACKS", "is no code", "NACKS"),
        ("refuse h1 QUOTA_EXCEEDED", "kafka has no code", "QUOTA_EXCEEDED"),
        ("held show h2", "h2 is not held", "h2"),
    ],
)
def test_mistakes_are_named_where_they_are(line: str, text: str, blamed: str) -> None:
    scene, waiting = held()
    problem = scene.refused(line).problem
    assert problem is not None
    assert text in problem.text
    assert line[problem.start : problem.end] == blamed
    assert not waiting.decided


def test_refuse_answers_with_the_code_of_the_frames_protocol() -> None:
    scene, waiting = held()
    scene.run("refuse h1 not_leader_or_follower --text moved")
    assert waiting.decided == [(6, "moved")]
    assert not scene.holds.held


def test_only_what_a_client_sent_is_refused() -> None:
    scene, waiting = held(OUT)
    problem = scene.refused("refuse h1 6").problem
    assert problem is not None
    assert "drop or release it" in problem.text
    assert not waiting.decided


def test_show_has_every_field_of_every_message() -> None:
    scene, _ = held()
    fields = {each["field"]: each["value"] for each in scene.run("held show h1").data}
    assert fields["1.client"] == "billing"
    assert fields["2.key"] == b"o-1"
    assert fields["1.header trace"] == b"abc"
    assert fields["2.partition"] == 2
    assert fields["1.payload"] == '{"id": 1}'


def test_a_held_payload_of_json_is_laid_out_as_it_was_written() -> None:
    written = b'{"id": 12345678901234567890123, "lines": [{"sku": "A"}], "at": 1.50}'
    scene, _ = held(payload=written)
    result = scene.run("held show h1")
    assert (
        """1.payload
  {
    "id": 12345678901234567890123,
    "lines": [
      {
        "sku": "A"
      }
    ],
    "at": 1.50
  }
"""
        in result.text
    )
    fields = {each["field"]: each["value"] for each in result.data}
    assert fields["2.payload"] == written.decode()
    broken, _ = held(payload=b"{broken")
    assert "1.payload\n  {broken" in broken.run("held show h1").text


def test_codes_are_completed_after_refuse_and_in_a_refusing_fault() -> None:
    scene, _ = held()

    def offered(line: str) -> list[str]:
        return [each.text for each in scene.session.complete(line)]

    assert offered("refuse h1 NOT_LEAD") == ["NOT_LEADER_OR_FOLLOWER"]
    assert "NOT_LEADER_OR_FOLLOWER" in offered("fault add refuse topic:orders NOT_LEAD")
    assert "NOT_LEADER_OR_FOLLOWER" not in offered("fault add drop topic:orders NOT_LEAD")


@pytest.mark.parametrize(
    ("line", "protocols"),
    [
        ("refuse h1 ", {"kafka"}),
        ("refuse (proto:mqtt) ", {"mqtt"}),
        ("refuse @held ", {"kafka"}),
        ("fault add refuse op:Produce NOT", {"kafka"}),
        ("fault add refuse op:PUBLISH NOT", {"mqtt"}),
        ("fault add refuse op:basic.publish A", {"amqp"}),
        ("fault add refuse proto:kafka or proto:amqp A", {"amqp", "kafka"}),
        ("fault add refuse client:dev-7 NOT", {"mqtt"}),
        ("fault add refuse topic:orders NOT", {"kafka"}),
        ("fault add refuse topic:* NOT", {"amqp", "kafka", "mqtt"}),
        ("hold op:PUBLISH --refuse ", {"mqtt"}),
    ],
)
def test_codes_of_the_protocols_that_a_line_is_about_are_offered(
    line: str, protocols: set[str]
) -> None:
    scene = Scene()
    notes = [each.note for each in scene.session.complete(line) if each.text.isupper()]
    assert {part.split()[0] for note in notes for part in note.split(", ")} == protocols


def frame_of(request: Any) -> bytes:
    return encode_request(request, 9, 1, "shop")


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        (Row("kafka", IN, "Produce", frame=frame_of(ProduceRequest(timeout_ms=30_000))), 30),
        (Row("kafka", IN, "Produce", frame=b"\0\0\0\1x"), None),
        (Row("kafka", OUT, "Produce", frame=b"x"), None),
        (Row("amqp", IN, "basic.publish", detail={"properties": {"expiration": "5000"}}), 5),
        (Row("amqp", IN, "basic.publish", detail={"properties": {"expiration": "soon"}}), None),
        (Row("mqtt", IN, "PUBLISH", detail={"message_expiry_interval": 7}), 7),
        (Row("mqtt", IN, "PUBLISH"), None),
    ],
)
def test_what_a_client_said_that_it_waits_counts_down(row: Row, seconds: float | None) -> None:
    scene = Scene(busy=False)
    scene.holds.hold(scene.holds.add(hold()), [row], Waiting())
    scene.advance(2)
    [record] = scene.run("held").records
    assert record["left"] == (None if seconds is None else seconds - 2)
    scene.advance(40)
    assert ("gave up" in scene.run("held").as_text()) == (seconds is not None)


def test_who_waits_for_a_held_response_does_so_since_its_request() -> None:
    scene = Scene(busy=False)
    tape = scene.journal.open("kafka", 9, scene.kafka.connect(FakePeer(9, 0.0, "kafka")))
    for number, milliseconds in ((1, 30_000), (2, 20_000)):
        tape.add(IN, encode_request(ProduceRequest(timeout_ms=milliseconds), 9, number, "shop"))
    tape.add(IN, encode_request(ApiVersionsRequest(), 3, 3, "shop"))
    scene.advance(2)
    for number in (1, 2, 3, 4):
        row = Row("kafka", OUT, "Produce", connection=9, correlation=number)
        row.time = scene.clock.wall()
        scene.holds.hold(scene.holds.add(hold()), [row], Waiting())
    scene.advance(3)
    records = scene.run("held").records
    assert [record["left"] for record in records] == pytest.approx([25, 15, None, None])
    assert records[0]["by"] == "request timeout"


def test_what_a_connection_allows_runs_out_too_and_the_first_of_them_counts() -> None:
    mqtt = ConnectionView(1, "mqtt", "c", "", "open", 0.0, detail={"keep_alive": 20})
    amqp = ConnectionView(1, "amqp", "c", "", "open", 0.0, detail={"heartbeat": 30})
    expiring = {"message_expiry_interval": 7}
    for row, view, patience in (
        (Row("mqtt", OUT, "PUBACK"), mqtt, (20, "keep alive")),
        (Row("mqtt", IN, "PUBLISH", detail=expiring), mqtt, (7, "message expiry")),
        (Row("mqtt", IN, "PUBLISH"), replace(mqtt, detail={"keep_alive": 0}), None),
        (Row("amqp", OUT, "basic.deliver"), amqp, (60, "heartbeat")),
        # The broker's heartbeats go on beside what is held of the client.
        (Row("amqp", IN, "basic.publish"), amqp, None),
    ):
        assert patience_of(row, view) == patience


@pytest.mark.parametrize(
    "payload", ["{{float 1e308 1e309 | round}}", '{"a": "{{float 1e308 1e309 | round}}"}']
)
def test_a_number_that_is_too_big_is_no_bug_of_ours(payload: str) -> None:
    """Neither at the prompt nor in the midst of what a client sends."""
    scene = Scene(furnished=False)
    assert "a number is too big" in scene.refused(f"pub mqtt:t {payload}").as_text()
    scene.run(f"hold op:PUBLISH --payload {payload}")
    decision = scene.holds.rules[1].decision
    assert isinstance(decision, Edit)
    with pytest.raises(BrokerError, match="a number is too big"):
        decision.changes()


@pytest.mark.parametrize("line", ["hold topic:a", "fault add delay topic:a 1s"])
def test_a_rule_that_nobody_can_meet_yet_says_so(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(furnished=False)
    assert "nobody is connected yet" in scene.run(line).as_text()
    scene.mqtt_client("dev-7")
    # Of very many clients no view is made for it.
    monkeypatch.delattr(MqttBroker, "connections")
    assert "nobody" not in scene.run(line).as_text()
