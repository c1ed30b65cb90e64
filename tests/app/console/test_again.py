"""Messages written as what publishes them again: a client's command, a fixture; and copied."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.journal import IN, Row

from mockforge_tui.console.again.forms import CommandLines, FixtureFile
from mockforge_tui.fixtures.loader import parse, read_document
from mockforge_tui.fixtures.model import FixtureSet
from mockforge_tui.fixtures.source.context import Loaded
from mockforge_tui.fixtures.source.fields import Problems
from mockforge_tui.fixtures.source.tree import Source

from .scene import Scene, on_screen
from .test_export import exported


def message(protocol: str, payload: bytes | None, **given: Any) -> Row:
    known: dict[str, Any] = {"kind": "message", "destination": "a", "seq": 7}
    return Row(protocol, IN, "publish", payload=payload, **(known | given))


KCAT = "kcat -P -b localhost:9092 -t a"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (message("kafka", b"it's", key=b"k 1", headers=(("h", b"1"), ("n", None), ("e", b"=")),
                 detail={"partition": 2, "offset": 5}),
         f"printf %s 'it'\"'\"'s' | {KCAT} -p 2 -H h=1 -H n -H e== -D '\\x1e' -k 'k 1'"),
        (message("kafka", b"a\nb\x1e"), f"printf 610a621e | xxd -r -p | {KCAT} -D '\\x1f'"),
        (message("kafka", b"\xff", key=b"\x1f"),
         f"printf 1f01ff | xxd -r -p | {KCAT} -D '\\x1e' -K '\\x01'"),
        (message("kafka", b"v", key=b""),
         f"printf 1f76 | xxd -r -p | {KCAT} -D '\\x1e' -K '\\x1f'"),
        (message("kafka", None, key=b"k"),
         f"printf 6b1f | xxd -r -p | {KCAT} -D '\\x1e' -K '\\x1f' -Z"),
        (message("kafka", None), "# left out: #7, kcat sends no empty message without a key"),
        (message("kafka", None, key=b""),
         "# left out: #7, kcat sends no tombstone with an empty key"),
        (message("kafka", bytes(range(256))),
         "# left out: #7, kcat has no byte left to cut its input at: export it --as raw"),
        (message("kafka", b"x", headers=(("h", b"\xff"),)),
         "# left out: #7, header h has bytes that are no text"),
        (message("kafka", b"x", headers=(("a=b", b"c"),)),
         "# left out: #7, kcat sends no header with an empty name or with = in it"),
        (message("kafka", b"x", headers=(("", b"c"),)),
         "# left out: #7, kcat sends no header with an empty name or with = in it"),
        (message("mqtt", b"on", detail={"qos": 1, "retain": True}),
         "mosquitto_pub -h 127.0.0.1 -p 1883 -t a -q 1 -r -m on"),
        (message("mqtt", b"", destination="a\x1b]0;b"),
         "# left out: #7, a shell cannot be given 'a\\x1b]0;b'"),
        (message("mqtt", b"\x00", detail={"content_type": "x"}, headers=(("k", "v"),)),
         "printf 00 | xxd -r -p | mosquitto_pub -h 127.0.0.1 -p 1883 -t a -q 0 -V 5 "
         "-D publish content-type x -D publish user-property k v -s"),
        (message("mqtt", b"x", detail={"correlation_data": b"\xff"}),
         "# left out: #7, correlation data has bytes that are no text"),
        (message("mqtt", b"x", detail={"content_type": "", "correlation_data": b"",
                                       "payload_format_indicator": 0}),
         "mosquitto_pub -h 127.0.0.1 -p 1883 -t a -q 0 -V 5 -D publish payload-format-indicator 0 "
         "-D publish content-type '' -D publish correlation-data '' -m x"),
        (message("amqp", b"{}", detail={"exchange": "", "routing_key": "q",
                                        "properties": {"priority": 3}}, headers=(("n", 1),)),
         "rabbitmqadmin publish exchange=amq.default routing_key=q "
         "'properties={\"priority\": 3, \"headers\": {\"n\": 1}}' 'payload={}'"),
        (message("amqp", b"\xff", detail={"exchange": "e", "routing_key": "", "vhost": "shop"}),
         "rabbitmqadmin -V shop publish exchange=e routing_key= payload_encoding=base64 "
         "payload=/w=="),
    ],
)  # fmt: skip
def test_a_message_is_a_line_of_its_protocols_usual_client(row: Row, line: str) -> None:
    written = CommandLines({"mqtt": "127.0.0.1:1883"})(row)
    assert written.decode() == f"{line}\n"


LONG = "x" * 131_072


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (message("mqtt", LONG.encode()),
         f"printf %s {LONG} | mosquitto_pub -h 127.0.0.1 -p 1883 -t a -q 0 -s"),
        (message("mqtt", LONG[1:].encode()),
         f"mosquitto_pub -h 127.0.0.1 -p 1883 -t a -q 0 -m {LONG[1:]}"),
        (message("amqp", LONG[8:].encode(), detail={"exchange": "e"}),
         f"printf %s {LONG[8:]} | rabbitmqadmin publish exchange=e routing_key="),
        (message("amqp", b"\r" + LONG.encode(), detail={"exchange": "e"}),
         "# left out: #7, rabbitmqadmin takes 128 KiB at most of a text with carriage returns"),
        (message("amqp", b"\xff" * 98_304, detail={"exchange": "e"}),
         "# left out: #7, rabbitmqadmin takes 96 KiB at most of bytes that are no text"),
        (message("amqp", b"", detail={"exchange": "e"}, headers=(("h", LONG),)),
         "# left out: #7, a command line has no word of 128 KiB: "
         'properties={"headers": {"h": "xxxxxxxxxx'),
        (message("kafka", LONG.encode()), f"printf %s {LONG} | {KCAT} -D '\\x1e'"),
        (message("kafka", b"v", key=LONG.encode()),
         f"printf {LONG.encode().hex()}1f76 | xxd -r -p | {KCAT} -D '\\x1e' -K '\\x1f'"),
        (message("kafka", b"x" * 1_000_000),
         f"printf %s {'x' * 1_000_000} | {KCAT} -X message.max.bytes=1100000 -D '\\x1e'"),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_too_long_for_a_word_of_a_command_line_is_read(row: Row, line: str) -> None:
    written = CommandLines({"mqtt": "127.0.0.1:1883"})(row).decode()
    assert written == f"{line}\n", written[:200]


QUEUED: dict[str, Any] = {"exchange": "", "routing_key": "q"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"headers": (("n", b"\xff\x00"),)}, "header n has bytes that are no text"),
        ({"headers": (("n", [{"a": b"\xff"}]),)}, "header n has bytes that are no text"),
        ({"headers": (("n", {"a\udcff": 1}),)}, "header n has bytes that are no text"),
        ({"headers": (("\udcff", 1),)}, "the name of a header has bytes that are no text"),
        ({"headers": (("n", Decimal("1.5")),)}, "header n has a decimal, which JSON has not"),
        ({"headers": (("n", float("inf")),)}, "header n has the number inf, which JSON has not"),
        ({"detail": QUEUED | {"properties": {"message_id": "\udcff"}}},
         "message id has bytes that are no text"),
    ],
)  # fmt: skip
def test_a_header_or_property_that_is_no_json_is_a_reason(given: Any, reason: str) -> None:
    row = message("amqp", b"x", **({"detail": QUEUED} | given))
    assert CommandLines({})(row).decode() == f"# left out: #7, {reason}\n"
    assert f"  # left out: #7, {reason}\n" in FixtureFile()(row).decode()


def test_bytes_of_a_header_that_are_a_text_are_sent_as_one() -> None:
    row = message("amqp", b"x", detail=QUEUED, headers=(("n", [b"a", {"b": b"c"}]),))
    assert '{"n": ["a", {"b": "c"}]}' in CommandLines({})(row).decode()
    assert '{"n": ["a", {"b": "c"}]}' in FixtureFile()(row).decode()


def test_lines_name_where_the_broker_listens_and_leave_out_what_is_no_message(
    tmp_path: Path,
) -> None:
    made = Scene(files=True)
    lines = exported(made, "export kafka:orders --as cli", tmp_path / "again.sh").decode()
    assert "kcat -P -b 127.0.0.1:9092 -t orders -p 0" in lines
    assert CommandLines({})(Row("mqtt", IN, "PUBACK")) == b""


def played_again(text: str) -> Scene:
    """A scene in which each fixture of a file was played once."""
    loaded = Loaded(Problems())
    for node in parse(Source("captured.yaml", text)):
        read_document(node, loaded)
    assert not loaded.problems.errors, loaded.problems.errors
    made = Scene(furnished=False)
    made.run("topic add t -p 2")
    made.run("queue add q")
    made.production.load(FixtureSet(generators=tuple(loaded.generators)), start=False)
    for each in loaded.generators:
        made.production.engine.emit(each.id)
    return made


BODIES = [b'{"a": [1, 2.5, null, true, 1e+22], "t": "{{uuid}}"}', b"plain {{ text", b"", None,
          b'"on"', b"21.50", "\u2028\x7f ü \U0001f600".encode(), b'{"n": 1e999}', b"no", b"~",
          b"a: b\n- c\n"]  # fmt: skip


def test_a_fixture_file_sends_what_was_captured(tmp_path: Path) -> None:
    made, path = Scene(furnished=False, files=True), tmp_path / "captured.yaml"
    made.run("topic add t -p 2")
    made.run("queue add q")
    for body in BODIES:
        made.kafka.publish("t", body, key=b"k{{1}}", headers=[("h", b"on"), ("n", None)],
                           partition=1)  # fmt: skip
    text = exported(made, "export kafka:t --as fixture", path).decode()
    again = played_again(text).kafka.read("t", 1, 0, 100)
    before = made.kafka.read("t", 1, 0, 100)
    assert [(each.key, each.headers) for each in again] == [
        (each.key, each.headers) for each in before
    ]
    for one, other in zip(before, again, strict=True):
        same = one.value == other.value
        assert same or json.loads(one.value) == json.loads(other.value)
    made.run("pub mqtt:a/b on -r -q 1 --prop content_type=x -H k=v -H k=w")
    made.run('pub queue:q {"a":1} --prop priority=3 --prop content-type=text/x -H h=1')
    for source in ("mqtt:a/b", "queue:q"):
        text = exported(made, f"export {source} --as fixture", path).decode()
        (one, *_) = made.run(f"peek {source}").records
        (other, *_) = played_again(text).run(f"peek {source}").records
        assert one == other


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps({"k" * 1025: 1}),
        json.dumps({"\U000e0067" * 110: 1}),
        '{"{{x}}": 1}',
        '{"a": [{"{{uuid}}": 1}]}',
        '{"$maybe": 0.5}',
        '{"$repeat": 3, "x": 1}',
        '{"a": {"$repeat": 3, "$item": {}}}',
        "[" * 600 + "]" * 600,
        json.dumps([0] * 210_000),
        json.dumps(["\U000e0067 \ufffe\uffff", "\\udb40\\udc67"], ensure_ascii=False),
        "\U000e0067 \\udb40\\udc67 \\",
    ],
    ids=lambda text: text[:20],
)
def test_no_json_of_a_client_is_read_otherwise_by_a_fixture_file(payload: str) -> None:
    written = FixtureFile()(message("mqtt", payload.encode(), detail={"retain": True})).decode()
    (sent,) = played_again(written).run("peek mqtt:a").records
    same = sent["payload"] == payload
    assert same or json.loads(sent["payload"]) == json.loads(payload)


def test_json_in_which_a_name_comes_twice_keeps_both() -> None:
    twice = '{"a": 1, "a": 2}'
    written = FixtureFile()(message("mqtt", twice.encode(), detail={"retain": True})).decode()
    (sent,) = played_again(written).run("peek mqtt:a").records
    assert sent["payload"] == twice


def test_json_with_names_of_its_own_schema_can_be_changed_in_the_file() -> None:
    shown = '{"$schema": "x", "n": 1}'
    assert f"value: {shown}" in FixtureFile()(message("mqtt", shown.encode())).decode()


def test_a_fixture_file_with_more_values_than_a_document_takes_has_several() -> None:
    form, row = FixtureFile(), message("kafka", json.dumps([0] * 60_000).encode(), destination="t")
    written = b"".join(form(row) for _ in range(5)).decode()
    assert written.count("---\n") == 2
    assert len(played_again(written).run("topic read t").records) == 5


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((("n", {"{{x}}": 1}),), "a fixture would not send n as it is"),
        ((("n", [{"$maybe": 1}]),), "a fixture would not send n as it is"),
        ((("\x9b" * 200, 1),), "a name is too long for a fixture"),
    ],
)
def test_no_header_of_a_client_spoils_a_fixture_file(headers: Any, reason: str) -> None:
    form, detail = FixtureFile(), {"exchange": "", "routing_key": "q"}
    written = form(message("amqp", b"x", detail=detail, headers=headers))
    written += form(message("amqp", b"x", detail=detail, headers=(("{{x}}", {"$set": 1}),)))
    assert f"# left out: #7, {reason}" in written.decode()
    (sent,) = played_again(written.decode()).run("peek queue:q").records
    assert sent["headers"] == [["{{x}}", {"$set": 1}]]


def test_what_a_fixture_cannot_hold_is_left_out_with_the_reason(tmp_path: Path) -> None:
    made, path = Scene(furnished=False, files=True), tmp_path / "captured.yaml"
    made.run("topic add t -p 1")
    made.kafka.publish("t", b"\xff")
    made.kafka.publish("t", b"x", key=b"\xff")
    made.kafka.publish("t", b"x", headers=[("h", b"1"), ("h", b"2")])
    made.kafka.publish("t", b"x")
    text = exported(made, "export kafka:t --as fixture", path).decode()
    assert "no text: --as recording does" in text
    assert "the key has bytes" in text
    assert "a header comes twice" in text
    assert len(played_again(text).kafka.read("t", 0, 0, 100)) == 1


@pytest.mark.parametrize(
    ("line", "copied"),
    [
        ("copy", '{"a": 1}'),
        ("copy #1 --as hex", b'{"a": 1}'.hex()),
        ("copy #2", "hex:ff"),
        ("copy #1..3", '{"a": 1}\nhex:ff'),
        ("copy @marked --as cli", "printf ff | xxd -r -p | mosquitto_pub -h 127.0.0.1 -p 1883 "
         "-t a -q 0 -s"),
        ("copy #1 --as fixture", 'mockforge: 1\ngenerators:\n  - id: captured-1\n'
         '    to: {"mqtt": "a"}\n    value: {"a": 1}'),
    ],
)  # fmt: skip
def test_rows_are_copied_in_each_form(line: str, copied: str) -> None:
    scene = on_screen(message("mqtt", b'{"a": 1}'), message("mqtt", b"\xff", marked=True),
                      Row("mqtt", IN, "PUBACK"))  # fmt: skip
    result = scene.run(line)
    assert scene.session.view.copied == copied  # type: ignore[union-attr]
    assert result.text.endswith("; no clipboard? copied.txt")


def test_a_record_and_a_test_are_copied() -> None:
    scene = on_screen(Row("mqtt", IN, "PUBLISH", kind="message", destination="a", payload=b"on",
                          client="dev", connection=3, detail={"qos": 0}))  # fmt: skip
    scene.run("copy #1 --as json")
    view: Any = scene.session.view
    assert json.loads(view.copied)["payload"] == "on"
    scene.run("copy #1 --as pytest")
    assert "def test_" in view.copied


def test_what_cannot_be_copied_is_said() -> None:
    large = message("mqtt", b"x" * (9 << 20))
    scene = on_screen(Row("mqtt", IN, "PUBACK"), large)
    for line, problem in (
        ("copy #9", "row #9 is not there"),
        ("copy #1", "#1 PUBACK has no payload"),
        ("copy #1..2000", "2,000 rows are too many"),
        ("copy #2", "more than 8.0M"),
        ("copy @marked", "nothing is marked"),
    ):
        assert problem in scene.refused(line).as_text(), line
    small = on_screen(message("mqtt", b"x" * 80_000))
    assert "more than many terminals take" in small.run("copy #1").text
