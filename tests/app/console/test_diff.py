"""`diff`: what differs between two messages, by fields, lines or bytes."""

from typing import Any

import pytest
from mockforge_brokers.journal import IN, OUT, Row

from mockforge_tui.console.comparing import changes

from .scene import Scene, on_screen


def message(payload: bytes | None = b"on", **given: Any) -> Row:
    known: dict[str, Any] = {"client": "dev-7", "destination": "a", "kind": "message"}
    known["direction"] = IN
    return Row("mqtt", operation="PUBLISH", payload=payload, **(known | given))


def found(before: Row, after: Row) -> list[tuple[str, str, str | None, str | None]]:
    return [(each.part, each.field, each.before, each.after) for each in changes(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b'{"id": 1, "a": {"b": [1, 2]}}', b'{"a":{"b":[1,3]},"id":1}', [("a.b[1]", "2", "3")]),
        (b'{"a": 1}', b'{"a": "1"}', [("a", "1", '"1"')]),
        (b'{"a": 1}', b'{"a": 1.0}', [("a", "1", "1.0")]),
        (b'{"a": 1, "b": null}', b'{"b": {}, "c": []}',
         [("a", "1", None), ("b", "null", "{}"), ("c", None, "[]")]),
        (b'{"a": 1}', b'{ "a": 1 }', [("", "the same values", "spelled otherwise")]),
        (b'{"a.b": 1}', b'{"a": {"b": 1}}', [('"a.b"', "1", None), ("a.b", None, "1")]),
        (b'{"a.b": 1, "a": {"b": 2}}', b'{"a.b": 3, "a": {"b": 2}}', [('"a.b"', "1", "3")]),
        (b'{"a[0]": 1, "a": [2]}', b'{"a": [2]}', [('"a[0]"', "1", None)]),
        (b'{"": {"a": 1}}', b'{"a": 1}', [('"".a', "1", None), ("a", None, "1")]),
        (b"[1]", b"on", [("line 1", "[1]", "on")]),
        (b"21.5", b"21.6", [("line 1", "21.5", "21.6")]),
        (b"one\ntwo\nthree", b"zero\none\n2\nthree", [("line 1", None, "zero"),
                                                         ("line 3", "two", "2")]),
        (b"one\ntwo", b"one", [("line 2", "two", None)]),
        (b"\xff" * 17, b"\xff" * 16 + b"\xfe", [("0010", "ff", "fe")]),
        (b"\xff" * 17, b"\xff" * 16, [("0010", "ff", None)]),
        (None, b"", [("", None, "")]),
        (b"\xff", None, [("", "hex:ff", None)]),
        (b"[" * 5000, b"[", [("line 1", "[" * 5000, "[")]),
        (b"same", b"same", []),
    ],
)  # fmt: skip
def test_payloads_differ_by_fields_else_by_lines_else_by_bytes(
    before: bytes | None, after: bytes | None, expected: list[tuple[str, str | None, str | None]]
) -> None:
    seen = found(message(before), message(after))
    assert seen == [("payload", *each) for each in expected]


def test_binary_forms_that_are_known_differ_by_fields() -> None:
    # CBOR: {"id": 1, "s": "x"} with another id.
    one, other = (bytes.fromhex(f"d9d9f7a26269640{n}6173617" + "8") for n in (1, 2))
    assert found(message(one), message(other)) == [("payload", "id", "1", "2")]


def test_many_lines_are_compared_one_by_one() -> None:
    before, after = b"a\n" * 2_000, b"b\n" * 2_000
    assert len(found(message(before), message(after))) == 2_000


def test_what_a_message_is_differs_but_not_where_it_stands() -> None:
    one = message(key=b"k", headers=(("h", b"1"), ("h", b"2"), ("t", {"n": [1]})),
                  detail={"offset": 1, "qos": 0, "packet_id": 3,
                          "properties": {"message_id": "m", "headers": {"h": 1}}})  # fmt: skip
    other = message(destination="b", headers=(("h", b"1"), ("h", b"\xff"), ("t", {"n": [2]})),
                    detail={"offset": 2, "qos": 1, "properties": {"priority": 3}})  # fmt: skip
    assert found(one, other) == [
        ("message", "destination", "a", "b"),
        ("message", "key", "k", None),
        ("message", "qos", "0", "1"),
        ("property", "message_id", "m", None),
        ("property", "priority", None, "3"),
        ("header", "h (2)", "2", "hex:ff"),
        ("header", "t.n[0]", "1", "2"),
    ]


def test_a_header_with_a_dot_is_another_one_than_a_field_of_a_table() -> None:
    one = message(headers=(("a.b", 1), ("a", {"b": 2})))
    other = message(headers=(("a.b", 3), ("a", {"b": 2})))
    assert found(one, other) == [("header", '"a.b"', "1", "3")]


def test_the_newest_message_of_a_place_is_compared_with_the_one_before_of_its_key() -> None:
    scene = Scene(furnished=False)
    scene.run("topic add t -p 1")
    for key, body in ((b"a", b'{"n": 1}'), (b"b", b'{"n": 2}'), (b"a", b'{"n": 3}')):
        scene.kafka.publish("t", body, key=key, headers=[("h", body[-2:])])
        scene.time.advance(1)
    result = scene.run("diff kafka:t")
    assert [(each["field"], each["before"], each["after"]) for each in result.records] == [
        ("h", "1}", "3}"),
        ("n", "1", "3"),
    ]
    assert "2s apart: 2 differences" in result.text
    scene.kafka.publish("t", b"{}", key=b"c")
    assert "nothing before it went to t with key c" in scene.refused("diff kafka:t").as_text()
    scene.run("pub mqtt:t {}")
    (first, *_) = scene.run("diff kafka:t mqtt:t").records
    assert (first["field"], first["change"]) == ("operation", "changed")
    assert scene.run("diff mqtt:t mqtt:t").text.endswith("no difference")


def test_rows_are_compared_with_what_went_the_same_way_before() -> None:
    scene = on_screen(
        message(b"1"),
        message(b"1", direction=OUT, connection=4),
        message(b"1", direction=OUT, connection=5),
        Row("mqtt", IN, "PUBACK", destination="a"),
        message(b"2"),
        message(b"2", direction=OUT, connection=4),
        message(b"3", marked=True),
    )
    for line, names in (
        ("diff #5", "#1 and #5"),
        ("diff #6", "#2 and #6"),
        ("diff #7", "#5 and #7"),
        ("diff #1 #5", "#1 and #5"),
        ("diff #5 @marked", "#5 and #7"),
        ("diff @focus #5", "#1 and #5"),
    ):
        assert scene.run(line).text.startswith(f"{names}, 0ms apart: "), line
    for line, problem in (
        ("diff #1", "nothing before it went to a"),
        ("diff #9", "row #9 is not there"),
        ("diff #4", "#4 PUBACK is no message"),
        ("diff #7 @marked", "nothing else is marked"),
        ("diff @marked", "nothing else is marked"),
        ("diff #1..3", "which message?"),
    ):
        assert problem in scene.refused(line).as_text(), line


def test_two_that_are_marked_are_compared_the_older_one_first() -> None:
    scene = on_screen(message(b"1", marked=True), message(b"2", marked=True))
    (line,) = scene.run("diff @marked").records
    assert (line["before"], line["after"]) == ("1", "2")


def test_a_table_shows_long_values_where_they_differ_and_programs_get_them_whole() -> None:
    scene = on_screen(message(b"x" * 300 + b"1"), message(b"x" * 300 + b"2"))
    result = scene.run("diff #1 #2")
    assert result.records[0]["before"] == "x" * 300 + "1"
    shown = result.as_text(80)
    assert "…xxxxxx1" in shown
    assert "…xxxxxx2" in shown


def test_of_very_many_differences_the_first_are_listed() -> None:
    scene = on_screen(message(b"a\n" * 900), message(b"b\n" * 900))
    result = scene.run("diff #1 #2")
    assert len(result.records) == 500
    assert "the first 500 differences" in result.text


def test_a_comparison_is_completed_to_places() -> None:
    scene = Scene(screen=True)
    offered = [each.text for each in scene.session.complete("diff ")]
    assert {"@focus", "kafka:orders"} <= {each.strip() for each in offered}
