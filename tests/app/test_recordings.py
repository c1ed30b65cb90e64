"""Recordings: what is written down, where it goes, and that it comes again as it was."""

import errno
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import Row

from mockforge_tui import MockForge
from mockforge_tui.embedded.base import Forge
from mockforge_tui.embedded.remote import RemoteForge
from mockforge_tui.fixtures.messages import AmqpMessage, KafkaMessage, MqttMessage
from mockforge_tui.fixtures.recordings import parse_recording
from mockforge_tui.listeners import CannotListen
from mockforge_tui.recordings import Lines, recorder

from .console.scene import Scene

EVERY = (
    KafkaMessage("orders", b'{"id":1}', "t", b"o-1", (("a", b"1"), ("a", b"\xff"), ("n", None)), 1),
    KafkaMessage("orders", b"\xff\x00", "t", b"\xfe", (), 0),
    KafkaMessage("orders", None, "t", b"", (), 1),
    KafkaMessage("orders", b'{"a": 1}', "t", None, (), 0),
    KafkaMessage("orders", b"NaN", "t", None, (), 0),
    MqttMessage("a/b", b"", "t", 1, True),
    MqttMessage("a/b", b"x", "t", 2, False, {
        "content_type": "t", "correlation_data": b"\xff", "response_topic": "r",
        "message_expiry_interval": 60, "user_property": [("k", "1"), ("k", "2")]}),
    AmqpMessage("", "q", b"hi", "t", {"message_id": "m", "timestamp": 12, "priority": 3}),
    AmqpMessage("e", "k", b"", "t", {"headers": {
        "n": 1, "big": 2**40, "b": b"\xff", "no": None, "f": 1.5, "t": True,
        "l": [1, {"x": "y"}]}}),
)  # fmt: skip


def furnished() -> Scene:
    made = Scene(furnished=False, files=True)
    for line in (
        "topic add orders -p 2",
        "queue add q",
        "exchange add e --type direct",
        "bind e q k",
    ):
        made.run(line)
    made.heard.clear()
    return made


def lines_of(made: Scene, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.recordings[name].content().splitlines()]


def same(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is to be the same after a replay: all but times and who published."""
    return [{k: v for k, v in each.items() if k not in ("t", "client")} for each in events[1:]]


def test_every_kind_of_message_is_replayed_as_it_was() -> None:
    made = furnished()
    made.run("record start a")
    for message in EVERY:
        made.time.advance(0.5)
        made.publish(message)
    made.run("record stop a")
    made.publish(EVERY[0])
    events = lines_of(made, "a")
    assert events[0] | {"started": ""} == {
        "v": 1, "type": "header", "tool": events[0]["tool"], "started": "", "seed": 1,
    }  # fmt: skip
    assert [each["t"] for each in events[1:]] == [0.5 * n for n in range(1, len(EVERY) + 1)]
    assert [each["enc"] for each in events[1:6]] == ["json", "b64", "null", "text", "text"]
    again = furnished()
    again.run("record start b")
    again.recordings.add("a", made.recordings["a"].content())
    again.run("replay a --speed max")
    assert same(lines_of(again, "b")) == same(events)


@settings(max_examples=60, deadline=None)
@given(
    payload=st.one_of(st.none(), st.binary(max_size=20), st.text(max_size=20).map(str.encode)),
    key=st.one_of(st.none(), st.binary(max_size=8)),
    headers=st.lists(
        st.tuples(st.text(max_size=5), st.one_of(st.none(), st.binary(max_size=5))), max_size=3
    ),
)
def test_a_kafka_record_is_read_as_it_was_written(
    payload: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    row = Row("kafka", 0, "publish", destination="t", key=key, payload=payload)
    row.headers, row.detail = tuple(headers), {"partition": 3, "offset": 9}
    (found,) = parse_recording(Lines()(row).decode("utf-8", "surrogateescape"), "r")
    assert isinstance(found.message, KafkaMessage)
    assert (found.message.payload, found.message.key) == (payload, key)
    assert (found.message.headers, found.message.partition) == (tuple(headers), 3)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.binary(max_size=6).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)
def test_amqp_headers_and_names_are_read_as_they_were_written(header: Any, key: str) -> None:
    row = Row("amqp", 0, "publish", destination="e", payload=b"", headers=(("h", header),))
    row.detail = {"routing_key": key, "properties": {"type": key}, "vhost": "other"}
    (found,) = parse_recording(Lines()(row).decode("utf-8", "surrogateescape"), "r")
    assert isinstance(found.message, AmqpMessage)
    assert found.message.properties == {"type": key, "headers": {"h": header}}
    assert (found.message.routing_key, found.message.vhost) == (key, "other")


def test_dead_letters_are_written_down_and_left_to_the_broker() -> None:
    made = furnished()
    made.run("queue add short --max 1 --dlx e --dlk k")
    made.run("record start a proto:amqp")
    for body in ("one", "two"):
        made.run(f"pub queue:short {body}")
    made.run("record stop a")
    events = lines_of(made, "a")[1:]
    assert [(each["op"], each["value"]) for each in events] == [
        ("publish", "one"), ("publish", "two"), ("internal", "one"),
    ]  # fmt: skip
    content = made.recordings["a"].content().decode()
    assert len(parse_recording(content, "a")) == 2


def test_a_message_goes_back_to_its_virtual_host() -> None:
    made = furnished()
    made.run("vhost add other")
    made.amqp.declare_queue("mine", vhost="other")
    made.run("record start a")
    made.publish(AmqpMessage("", "mine", b"hi", "t", vhost="other"))
    made.run("replay a --speed max")
    assert len(made.amqp.vhosts["other"].queue("mine").messages) == 2


def test_topics_are_made_with_the_partitions_that_a_recording_knows() -> None:
    made = Scene(furnished=False)
    text = '{"t":0,"p":"kafka","op":"publish","topic":"wide","part":5,"enc":"text","value":"hi"}'
    made.run(f"replay {text} --speed max")
    assert len(made.kafka.cluster.topics["wide"].logs) == 6


def test_topics_that_cannot_be_made_are_refused_and_no_job_goes_on() -> None:
    made = furnished()
    text = '{"topic":"new","partition":2000000,"ts":1,"payload":"hi"}'
    assert "partitions" in made.refused(f"replay {text}").as_text()
    assert not len(made.session.jobs)


def test_what_cannot_be_published_ends_the_replay_with_its_reason() -> None:
    made = furnished()
    text = '{"t":0,"p":"kafka","op":"publish","topic":"orders","part":5,"enc":"text","value":"hi"}'
    said = made.refused(f"replay {text}").as_text()
    assert "replay stopped after 0 of 1: topic orders has 2 partitions, no partition 5" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("record stop", "nothing records: record start NAME"),
        ("record stop b", "no recording b"),
        ("record start a", "a records already: record stop a"),
        ("record start b kafka:", "kafka"),
        ("record start b --to /nowhere/x", "/nowhere/x: cannot be written: No such file"),
        ("replay a --speed 0", "a number above 0, or max, is wanted, not 0"),
        ("replay a", "a: there are no messages in this recording"),
    ],
)
def test_what_cannot_be_recorded_is_said(line: str, said: str) -> None:
    made = furnished()
    if line != "record stop":
        made.run("record start a")
    assert said in made.refused(line).as_text()


def test_a_file_below_the_home_folder_is_read_where_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = furnished()
    made.run("record start a --to ~/a.mfrec")
    made.publish(EVERY[0])
    made.run("record stop a")
    assert len(lines_of(made, "a")) == 2
    assert made.run("record ls").data[0]["file"] == str(tmp_path / "a.mfrec")


def test_what_is_forgotten_or_begun_anew_makes_room_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = furnished()
    monkeypatch.setattr(recorder, "MOST_BYTES", 1_000)
    for _ in range(3):
        made.recordings.add("a", b"x" * 400)
    made.recordings.add("c", b"x" * 500)
    with pytest.raises(InvalidInput, match="in memory have"):
        made.recordings.add("b", b"x" * 200)
    made.run("record rm a")
    made.run("record rm c")
    made.recordings.add("b", b"x" * 900)
    made.run("record start b")
    made.publish(EVERY[1])
    made.run("record stop b")
    assert not made.recordings["b"].problem


def test_a_command_of_the_network_writes_no_file() -> None:
    said = Scene(furnished=False).refused("record start a --to x").as_text()
    assert "record show NAME > FILE" in said


def test_only_what_matches_is_recorded_and_the_table_says_so() -> None:
    made = furnished()
    made.run("record start a proto:kafka key:o-1")
    made.run("record start")
    for message in EVERY:
        made.publish(message)
    made.run("record stop")
    rows = made.run("record ls").data
    assert [(each["name"], each["messages"], each["filter"]) for each in rows] == [
        ("a", 1, "proto:kafka key:o-1"), ("rec-1", len(EVERY), ""),
    ]  # fmt: skip
    made.run("record rm a")
    assert list(made.recordings) == ["rec-1"]


def test_a_file_has_what_came_while_it_is_recorded(tmp_path: Path) -> None:
    made = furnished()
    path = tmp_path / "a.mfrec"
    made.run(f"record start a --to {path}")
    made.publish(EVERY[0])
    made.advance(1)
    assert len(path.read_text().splitlines()) == 2
    made.publish(EVERY[1])
    made.run("record stop a")
    assert len(path.read_text().splitlines()) == 3
    made.run(f"record show a > {tmp_path / 'b'}")
    assert (tmp_path / "b").read_bytes() == path.read_bytes()
    made.run("record rm a")
    assert path.exists()


def test_a_start_that_cannot_listen_leaves_a_recording_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "yesterday.mfrec"
    file.write_text("what was recorded yesterday")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for refused in ({"mqtt_port": port}, {"admin": True, "admin_port": port}):
            with pytest.raises(CannotListen):
                MockForge(record=str(file), **refused).start()
            assert file.read_text() == "what was recorded yesterday"
    with MockForge(record=str(file), kafka=False, amqp=False) as mockforge:
        mockforge.mqtt.publish("t", b"x")
    lines = file.read_text().splitlines()
    assert [json.loads(line).get("topic") for line in lines] == [None, "t"]


def test_a_full_disk_ends_a_recording_and_no_broker(caplog: pytest.LogCaptureFixture) -> None:
    made = furnished()
    made.run("record start a --to /dev/full")
    with caplog.at_level(logging.ERROR):
        made.publish(EVERY[0])
        made.advance(1)
        made.publish(EVERY[1])
    problem = made.recordings["a"].problem
    assert problem == f"/dev/full: cannot be written: {os.strerror(errno.ENOSPC)}"
    assert caplog.messages == [f"recording a ended: {problem}"]
    assert not made.recordings["a"].running


def test_memory_for_recordings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MOST_BYTES", 1_000)
    made = furnished()
    made.run("record start a")
    for _ in range(9):
        made.publish(EVERY[0])
    recording = made.recordings["a"]
    assert not recording.running
    assert recording.size <= 1_000
    assert "record into a file (--to)" in recording.problem
    assert len(parse_recording(recording.content().decode(), "a")) == recording.messages
    with pytest.raises(InvalidInput, match="at most"):
        made.recordings.add("b", b"x" * 1_001)


def test_a_reset_leaves_recordings_as_they_are() -> None:
    made = furnished()
    made.run("record start a")
    made.publish(EVERY[0])
    made.reset()
    made.publish(KafkaMessage("other", b"1", "t"))
    assert [each["topic"] for each in lines_of(made, "a")[1:]] == ["orders", "other"]


SCENARIO = """
mockforge: 1
kafka: {topics: {orders: {partitions: 1}}}
scenarios:
  - name: twice
    steps:
      - publish: {to: {kafka: orders, key: before}, value: 1}
      - record:
          name: mine
          only: proto:kafka
          steps:
            - publish: {to: {kafka: orders, key: o-1}, value: {n: 1}}
            - publish: {to: {mqtt: a}, value: 1}
      - record: {file: rest.mfrec}
      - replay: {recording: mine, speed: max}
      - expect: {kafka: orders, match: {key: o-1, value: {n: 1}}, count: 2}
      - expect: {kafka: orders, match: {key: before}, count: 1}
      - expect: {mqtt: a, count: 1}
"""


def test_a_scenario_records_while_steps_run_and_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    with MockForge(tmp_path / "s.yaml", seed=1) as mockforge:
        mockforge.scenario("twice")
        assert not any(each.running for each in mockforge.runtime.recordings.values())
        mockforge.kafka.publish("orders", 3)
    (found,) = parse_recording((tmp_path / "rest.mfrec").read_text(), "rest")
    assert found.message.payload == b'{"n":1}'


@pytest.fixture(scope="module")
def both() -> Any:
    with MockForge(admin=True, seed=1) as mockforge:
        remote = RemoteForge(mockforge.facts["admin"]["url"])
        yield {"here": mockforge, "elsewhere": remote}
        remote.close()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_tests_record_and_replay(both: dict[str, Forge], where: str, tmp_path: Path) -> None:
    mockforge, path = both[where], tmp_path / "r.mfrec"
    mockforge.reset()
    with mockforge.record(path, "proto:kafka"):
        mockforge.kafka.publish("orders", {"n": 1}, key="o-1", headers={"b": "1"})
        mockforge.mqtt.publish("a", b"1")
    assert len(path.read_bytes().splitlines()) == 2
    assert mockforge.replay(path) == 1
    assert mockforge.replay(path, speed=1000) == 1
    first, second, third = mockforge.kafka.messages("orders")
    assert first.payload == second.payload == third.payload == b'{"n":1}'
    assert mockforge.run("record ls").data == []
    with pytest.raises(InvalidInput, match="filter"), mockforge.record(path, "size>>"):
        pass
    (tmp_path / "no").write_text("{")
    with pytest.raises(InvalidInput, match="no:1: not JSON"):
        mockforge.replay(tmp_path / "no")


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ('"p":"kafka","topic":5', "topic is a text, not 5"),
        ('"p":"kafka","topic":"t","part":"0"', 'part is a whole number from 0 on, not "0"'),
        ('"p":"kafka","topic":"t","part":-1', "part is a whole number from 0 on, not -1"),
        ('"p":"kafka","topic":"t","headers":[1]', "no event of a recording"),
        ('"p":"mqtt","topic":null', "topic is a text, not null"),
        ('"p":"mqtt","topic":"t","qos":"1"', "qos is a whole number"),
        ('"p":"mqtt","topic":"t","props":[1]', "props are names with values, not [1]"),
        ('"p":"amqp","exchange":{}', "exchange is a text, not {}"),
        ('"p":"amqp","exchange":"","routing_key":1', "routing_key is a text, not 1"),
        ('"p":"amqp","exchange":"","vhost":[]', "vhost is a text, not []"),
        ('"p":"mqtt","topic":"t","t":Infinity', "t is a number of seconds, not inf"),
        ('"p":"mqtt","topic":"t","t":1e999', "t is a number of seconds, not inf"),
        ('"p":"mqtt","topic":"t","t":1' + "0" * 400, "no event of a recording: "),
        ('"p":"mqtt","topic":"t","props":' + "[" * 100_000, "not JSON: "),
    ],
)
def test_what_an_event_cannot_be_is_named_before_anything_is_replayed(
    event: str, problem: str
) -> None:
    line = f'{{"t":0,"op":"publish","value":"x",{event}}}'
    with pytest.raises(InvalidInput) as raised:
        parse_recording(line, "r")
    assert str(raised.value).startswith("r:1: ")
    assert problem in str(raised.value)


def test_a_record_of_kcat_is_checked_as_well() -> None:
    late = '"topic":"t","partition":0,"ts":1' + "0" * 400
    for field in ('"topic":1,"partition":0', '"topic":"t","partition":"0"', late):
        with pytest.raises(InvalidInput, match="r:1: no event of a recording: "):
            parse_recording(f'{{{field},"payload":"x"}}', "r")
