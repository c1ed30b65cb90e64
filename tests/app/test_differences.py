"""What clients did differently in two recordings or exports (mockforge_tui/differences.py)."""

import json
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput

from app.console.scene import Scene
from mockforge_tui.cli import run
from mockforge_tui.differences import Conversation, Difference, compare, conversations


def packet(
    operation: str, destination: str = "", payload: Any = None, **more: Any
) -> dict[str, Any]:
    """A line of an export of traffic."""
    return {
        "time": 1.5, "protocol": "mqtt", "direction": "in", "operation": operation,
        "client": "dev-7", "connection": 3, "destination": destination, "key": None,
        "payload": payload, "size": 7, "headers": [], **more,
    }  # fmt: skip


def said(*lines: dict[str, Any], both_ways: bool = False) -> list[Conversation]:
    text = "\n".join(map(json.dumps, lines))
    return conversations(text.encode(), "f.jsonl", both_ways=both_ways)


def shown(old: list[Conversation], new: list[Conversation]) -> list[tuple[str, str, int, str]]:
    return [(each.sign, each.packet, each.times, each.what) for each in compare(old, new)]


CONNECT = packet("CONNECT", keep_alive=60, clean_start=True)
SUBSCRIBE = packet("SUBSCRIBE", "t/#", packet_id=1)
PUBLISH = packet("PUBLISH", "t/1", '{"t": 21, "on": true}', qos=1, packet_id=2)


def test_the_same_with_other_times_and_identifiers_is_no_difference() -> None:
    again = [each | {"time": 9, "packet_id": 77, "connection": 8} for each in (CONNECT, SUBSCRIBE)]
    assert shown(said(CONNECT, SUBSCRIBE), said(*again)) == []


@pytest.mark.parametrize(
    ("new", "difference"),
    [
        (
            [CONNECT | {"keep_alive": 30}, SUBSCRIBE, PUBLISH],
            ("~", "CONNECT", 1, "keep_alive 60 → 30"),
        ),
        ([CONNECT, PUBLISH], ("-", "SUBSCRIBE t/#", 1, "")),
        ([CONNECT, SUBSCRIBE], ("-", "PUBLISH t/1", 1, "")),
        ([CONNECT, SUBSCRIBE, *[PUBLISH] * 3], ("+", "PUBLISH t/1", 2, "")),
        ([CONNECT, SUBSCRIBE, PUBLISH | {"qos": 2}], ("~", "PUBLISH t/1", 1, "qos 1 → 2")),
        (
            [CONNECT, SUBSCRIBE, PUBLISH | {"payload": '{"t": 22, "on": true}'}],
            ("~", "PUBLISH t/1", 1, "t 21 → 22"),
        ),
        (
            [CONNECT, SUBSCRIBE, PUBLISH | {"payload_b64": "oWF0GCo="}],
            ("~", "PUBLISH t/1", 1, "t 21 → 42, on gone"),
        ),
        # The same values in other bytes.
        (
            [CONNECT, SUBSCRIBE, PUBLISH | {"payload": '{"t":21,"on":true}'}],
            ("~", "PUBLISH t/1", 1, "payload 21 → 18"),
        ),
    ],
)  # fmt: skip
def test_one_thing_that_is_other_is_one_line(
    new: list[dict[str, Any]], difference: tuple[str, str, int, str]
) -> None:
    old = said(CONNECT, SUBSCRIBE, PUBLISH)
    assert shown(old, said(*new)) == [difference]


def test_what_the_broker_sent_counts_where_it_is_asked_for() -> None:
    answer = packet("CONNACK", code=0) | {"direction": "out"}
    refused = answer | {"code": 0x87}
    assert shown(said(CONNECT, answer), said(CONNECT, refused)) == []
    both = (said(CONNECT, answer, both_ways=True), said(CONNECT, refused, both_ways=True))
    assert shown(*both) == [("~", "← CONNACK", 1, "code 0 → 135")]


def test_connections_are_aligned_by_name_then_by_number_then_by_order() -> None:
    def of(client: str, connection: int, *packets: dict[str, Any]) -> list[dict[str, Any]]:
        return [each | {"client": client, "connection": connection} for each in packets]

    old = said(*of("a", 1, CONNECT), *of("a", 2, CONNECT, PUBLISH), *of("x-91", 3, CONNECT))
    new = said(
        *of("x-17", 9, CONNECT, SUBSCRIBE), *of("a", 10, CONNECT), *of("a", 11, CONNECT),
        *of("b", 12, CONNECT),
    )  # fmt: skip
    assert compare(old, new) == [
        Difference("a #2", "mqtt", "-", "PUBLISH t/1", 1, ""),
        Difference("x-91", "mqtt", "+", "SUBSCRIBE t/#", 1, ""),
        Difference("b", "mqtt", "+", "the whole connection: 1 packet", 1, ""),
    ]
    assert compare(new[2:3], []) == [
        Difference("a #2", "mqtt", "-", "the whole connection: 1 packet", 1, "")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "f:1: neither a recording nor an export: Expecting property name"),
        ('{"type":"header"}\n[1]', "f:2: neither a recording nor an export: an object a line"),
        ('{"p":"mqtt"}', "f:1: neither a recording nor an export: no 'op'"),
        (
            '{"p":"mqtt","op":"x","enc":"b64","value":"?"}',
            "f:1: neither a recording nor an export:",
        ),
    ],
)
def test_what_is_neither_says_the_line(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        conversations(text.encode(), "f")
    assert str(failure.value).startswith(problem)


def test_recordings_of_all_protocols_are_compared_at_the_prompt(tmp_path: Path) -> None:
    made = Scene(files=True)
    for number in (1, 2):
        made.run(f"record start r{number}")
        made.run(f'pub mqtt:room/t {{"t":2{number}}} -q {number}')
        made.run("pub amqp:events/order.paid same")
        made.run(f"pub kafka:orders v{number} -k o-1")
        made.run("record stop")
    found = made.run("record diff r1 r2")
    told = [(each["protocol"], each["packet"], each["what"]) for each in found.records]
    assert told == [
        ("mqtt", "publish room/t", "qos 1 → 2, t 21 → 22"),
        ("kafka", "publish orders", "v1 → v2"),
    ]
    assert made.run("record diff r1 r1").as_text() == "no differences"
    made.run(f"record show r2 > {tmp_path / 'r2.mfrec'}")
    assert len(made.run(f"record diff r1 @{tmp_path / 'r2.mfrec'}").records) == 2


def test_the_command_line_says_by_its_status_whether_anything_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(json.dumps(CONNECT))
    new.write_text(json.dumps(CONNECT | {"keep_alive": 30}))
    assert run(["diff", str(old), str(old)]) == 0
    assert capsys.readouterr().out == ""
    assert run(["diff", str(old), str(new)]) == 1
    assert capsys.readouterr().out.split() == [
        "client", "packet", "times", "what", "changed", "dev-7", "~", "CONNECT", "1", "keep_alive",
        "60", "→", "30",
    ]  # fmt: skip
    assert run(["diff", str(old), str(new), "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["sign"] == "~"
    assert run(["diff", str(old), str(tmp_path / "none")]) == 3
    assert "No such file" in capsys.readouterr().err
