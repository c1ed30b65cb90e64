"""Recordings are replayed: by the console, in scenarios, byte for byte and in their order."""

import json

import pytest
from mockforge_brokers.errors import InvalidInput

from mockforge_tui import MockForge
from mockforge_tui.fixtures import FixtureError
from mockforge_tui.fixtures.recordings import parse_recording

from ..fixtures.making import load_text

RECORDING = "\n".join(
    json.dumps(each)
    for each in [
        {"v": 1, "type": "header", "tool": "mockforge-tui/0.1.0"},
        {"t": 5.0, "p": "kafka", "op": "publish", "topic": "orders", "part": 0, "key": "o-1",
         "headers": [["a", "1"], ["a", "2"]], "enc": "json", "value": {"n": 1, "é": "ü"}},
        {"t": 5.5, "p": "mqtt", "op": "publish", "topic": "s/a", "qos": 1, "retain": True,
         "props": {"content_type": "x"}, "enc": "b64", "value": "AAEC"},
        {"t": 5.6, "p": "mqtt", "op": "subscribe", "topic": "s/#"},
        {"t": 6.2, "p": "amqp", "op": "publish", "exchange": "", "routing_key": "q",
         "props": {"correlation_id": "c1"}, "enc": "text", "value": "hi"},
        {"t": 6.2, "p": "kafka", "op": "publish", "topic": "orders", "enc": "null", "value": None},
    ]
)  # fmt: skip
KCAT = (
    '{"topic":"orders","partition":1,"offset":7,"tstype":"create","ts":1700000000000,"broker":0,'
    '"headers":["a","1"],"key":"k","payload":"v"}\n'
    '{"topic":"orders","partition":2,"offset":8,"ts":1700000001500,"key":null,"payload":null}\n'
)


def test_a_recording_is_read_byte_for_byte_with_its_times():
    found = parse_recording(RECORDING, "r.jsonl")
    assert [round(each.after, 3) for each in found] == [0, 0.5, 1.2, 1.2]
    order, reading, mail, gone = (each.message for each in found)
    assert order.payload == '{"n":1,"é":"ü"}'.encode()
    assert (order.key, order.headers) == (b"o-1", (("a", b"1"), ("a", b"2")))
    assert (reading.payload, reading.qos, reading.retain) == (b"\x00\x01\x02", 1, True)
    assert (mail.routing_key, mail.properties["correlation_id"]) == ("q", "c1")
    assert gone.payload is None


def test_what_kcat_writes_is_read_too():
    first, second = parse_recording(KCAT, "k.json")
    assert (first.message.partition, first.message.key, first.message.payload) == (1, b"k", b"v")
    assert first.message.headers == (("a", b"1"),)
    assert second.after == 1.5
    assert (second.message.key, second.message.payload) == (None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "r:1: not JSON"),
        ("5", "r:1: no event of a recording: a JSON object a line is wanted"),
        ('{"v": 2, "type": "header"}', "version 2 is newer"),
        ('{"p": "smtp", "op": "publish", "t": 1}', "smtp is not kafka, mqtt or amqp"),
        ('{"p": "kafka", "op": "publish", "t": 1, "value": 1}', "no 'topic'"),
        ('{"p":"kafka","op":"publish","t":1,"topic":"a","enc":"b64","value":"é"}', "no event"),
        ('{"p":"kafka","op":"publish","t":1,"topic":"a","enc":"zip","value":""}', "enc zip is not"),
        ("", "there are no messages"),
    ],
)
def test_what_is_no_recording_is_said_with_its_line(text, said):
    with pytest.raises(InvalidInput, match=r"^r:") as caught:
        parse_recording(text, "r")
    assert said in str(caught.value)


SCENARIO = """
mockforge: 1
amqp: {queues: [{name: q}]}
scenarios:
  - name: again
    steps:
      - replay: {file: rec/s.jsonl, speed: max}
      - expect: {kafka: orders, match: {key: o-1, value: {n: 1}}, count: 1}
      - expect: {amqp: {queue: q}, match: {properties: {correlation_id: c1}}}
"""


def test_a_scenario_replays_a_file_that_stands_beside_it(tmp_path):
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "s.jsonl").write_text(RECORDING)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    with MockForge(tmp_path / "s.yaml", seed=1) as mockforge:
        mockforge.scenario("again")


def test_a_recording_that_is_not_there_or_broken_is_the_files_error(tmp_path):
    with pytest.raises(FixtureError, match=r"s\.yaml:7:17: .*No such file"):
        load_text(tmp_path, SCENARIO, "s.yaml")
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "s.jsonl").write_text("{")
    with pytest.raises(FixtureError, match=r"s\.yaml:7:17: .*s\.jsonl:1: not JSON"):
        load_text(tmp_path, SCENARIO, "s.yaml")


def test_the_console_replays_a_file_and_goes_on_behind_the_prompt(tmp_path):
    (tmp_path / "r.jsonl").write_text(RECORDING)
    with MockForge(seed=1) as mockforge:
        mockforge.run("queue add q")
        said = mockforge.run(f"replay @{tmp_path / 'r.jsonl'} --speed max").text
        assert "4 of 4 messages replayed" in said
        assert len(mockforge.kafka.messages("orders")) == 2
        said = mockforge.run(f"replay @{tmp_path / 'r.jsonl'} --speed 0.01").text
        assert "replays 4 messages" in said
        assert len(mockforge.kafka.messages("orders")) == 3
        mockforge.clock.advance("2m")
        assert len(mockforge.kafka.messages("orders")) == 4
