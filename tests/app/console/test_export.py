"""Messages leave by export and tail: to a file, over HTTP, and where `do` was typed."""

import asyncio
import contextlib
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.amqp.rows import read_rows as read_units
from mockforge_brokers.amqp.wire import methods
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.mqtt.rows import read_rows
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Request, Subscribe

from mockforge_tui import remote
from mockforge_tui.admin.stream import Rows, Stream
from mockforge_tui.console.again.mqtt import command_lines
from mockforge_tui.console.captured.pytest_file import PytestFile
from mockforge_tui.console.results import Notice

from .live import live
from .scene import Scene

BODIES = [b'{"id":1}', b"plain", b"\xff\xfe\x00", b"", None, '{"s": "ü"}'.encode()]


def scene(**options: Any) -> Scene:
    made = Scene(furnished=False, files=True, **options)
    made.run("topic add t -p 1")
    for body in BODIES:
        made.time.advance(1)
        made.kafka.publish("t", body, key=b"k\xff" if body else b"k", headers=[("h", b"1")])
    return made


def exported(made: Scene, line: str, path: Path) -> bytes:
    made.run(f"{line} > {path}")
    while any(job.kind == "export" for job in made.session.jobs):
        made.advance(0.1)
    return path.read_bytes()


def test_json_lines_have_every_record(tmp_path: Path) -> None:
    lines = exported(scene(), "export kafka:t", tmp_path / "t.jsonl").splitlines()
    records = [json.loads(line) for line in lines]
    assert [each["offset"] for each in records] == list(range(len(BODIES)))
    assert records[0]["payload"] == '{"id":1}'
    assert records[2]["payload_b64"] == "//4A"
    assert records[4]["payload"] is None


def test_csv_is_a_table_with_a_heading(tmp_path: Path) -> None:
    text = exported(scene(), "export kafka:t --as csv", tmp_path / "t.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["encoding"] for row in rows] == ["text", "text", "b64", "text", "null", "text"]
    assert rows[5]["payload"] == '{"s": "ü"}'
    assert rows[0]["headers"] == '[["h", "1"]]'


def test_one_raw_message_is_exactly_its_bytes(tmp_path: Path) -> None:
    made = scene()
    path = tmp_path / "one.bin"
    assert exported(made, "export kafka:t[0]@2 -n 1 --as raw", path) == b"\xff\xfe\x00"
    assert exported(made, "export kafka:t -n 2 --as raw", path) == b'{"id":1}\nplain'


def test_hex_goes_back_in_by_pub(tmp_path: Path) -> None:
    made = scene()
    lines = exported(made, "export kafka:t --as hex", tmp_path / "t.hex").decode().splitlines()
    made.run(f"pub kafka:t hex:{lines[2]}")
    assert made.kafka.read("t", 0, len(BODIES), 1)[0].value == b"\xff\xfe\x00"


def test_a_recording_has_a_header_times_and_encodings(tmp_path: Path) -> None:
    made = Scene(files=True)
    path = tmp_path / "t.mfrec"
    exported(scene(), "export kafka:t --as recording", path)
    header, *events = map(json.loads, path.read_text().splitlines())
    assert (header["v"], header["type"]) == (1, "header")
    assert [event["enc"] for event in events] == ["json", "text", "b64", "text", "null", "text"]
    assert [event["t"] for event in events] == [0, 1, 2, 3, 4, 5]
    assert events[0] | {"t": 0} == {
        "t": 0,
        "p": "kafka",
        "op": "publish",
        "topic": "t",
        "part": 0,
        "off": 0,
        "key": "a/8=",
        "key_enc": "b64",
        "headers": [["h", "1"]],
        "enc": "json",
        "value": {"id": 1},
    }
    exported(made, "export queue:q.inv --as recording", path)
    event = json.loads(path.read_text().splitlines()[1])
    assert (event["exchange"], event["routing_key"]) == ("events", "order.paid")
    exported(made, "export mqtt:sensors/# --as recording", path)
    event = json.loads(path.read_text().splitlines()[1])
    assert (event["topic"], event["retain"], event["value"]) == ("sensors/room1/temp", True, 21.5)


def test_a_filter_exports_what_passed_by(tmp_path: Path) -> None:
    made = Scene(files=True)
    lines = exported(made, "export (proto:mqtt op:PUBLISH dir:out)", tmp_path / "m.jsonl")
    topics = [json.loads(line)["destination"] for line in lines.splitlines()]
    assert "sensors/room1/temp" in topics


def test_rows_of_the_screen_are_exported_by_number_and_mark(tmp_path: Path) -> None:
    made = Scene(files=True, screen=True)
    for which in ("#1", "@focus", "@marked", "#1..3"):
        assert b'"payload": "1"' in exported(made, f"export {which}", tmp_path / "r.jsonl")
    assert "not there" in made.session.run("export #9").as_text()


def test_a_long_export_goes_on_in_slices_that_the_loop_survives(tmp_path: Path) -> None:
    made = scene()
    for number in range(1_000):
        made.kafka.publish("t", b"%d" % number)
    path = tmp_path / "long.jsonl"
    result = made.run(f"export kafka:t > {path}")
    assert "job" in result.data
    made.advance(1)
    assert len(path.read_bytes().splitlines()) == 1_000 + len(BODIES)
    assert len(made.session.jobs) == 0


def test_tail_writes_the_messages_to_its_file(tmp_path: Path) -> None:
    made = scene()
    path = tmp_path / "three.jsonl"
    result = made.run(f"tail kafka:t --from begin -n 3 > {path}")
    assert result.text == f"wrote 3 messages to {path}"
    assert [json.loads(line)["offset"] for line in path.read_text().splitlines()] == [0, 1, 2]
    assert made.heard == []
    made.run(f"tail kafka:t -f '%o %v' > {path}")
    made.run("pub kafka:t live")
    made.advance(1)
    made.run("tail stop")
    assert path.read_text() == f"{len(BODIES)} live\n"


def test_a_file_that_cannot_be_written_is_said() -> None:
    made = scene()
    assert "No such file" in made.session.run("export kafka:t > /nowhere/x").as_text()
    assert len(made.session.jobs) == 0


# Over HTTP --------------------------------------------------------------------------------------


class Reader:
    """An HTTP client in a test's hands, as ASGI sees it; it reads when it is told to."""

    def __init__(self) -> None:
        self.body = b""
        self.ended = asyncio.Event()
        self.went = asyncio.Event()
        self.reads = asyncio.Event()
        self.got = asyncio.Event()

    async def receive(self) -> Any:
        await self.went.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        self.body += message.get("body", b"")
        self.got.set()
        if message["type"].endswith("body") and not message["more_body"]:
            self.ended.set()


def test_a_tail_ends_when_its_reader_goes() -> None:
    async def main() -> None:
        made, reader, rows = scene(), Reader(), Rows()
        guest = made.session.heard_by(rows.report, rows.has_room)
        result = guest.run("tail kafka:t")
        reader.reads.set()
        task = asyncio.ensure_future(
            Stream(rows, result, guest.jobs)({}, reader.receive, reader.send)
        )
        made.run("pub kafka:t live")
        made.advance(1)
        reader.got.clear()
        await asyncio.wait_for(reader.got.wait(), 50)
        assert json.loads(reader.body)["payload"] == "live"
        assert len(made.session.jobs) == 1
        reader.went.set()
        await asyncio.wait_for(task, 50)
        assert len(made.session.jobs) == 0

    asyncio.run(main())


def test_a_slow_reader_holds_up_nobody_and_learns_what_it_missed() -> None:
    rows = Rows()
    while rows.has_room():
        rows.report(Notice("row", "x" * 65_536))
    rows.report(Notice("row", "lost"))
    assert rows.take().splitlines()[-1] == b'{"_note": "1 rows were left out: this reader is slow"}'
    assert rows.has_room()


def test_an_export_waits_for_a_slow_reader() -> None:
    made, rows = scene(), Rows()
    for number in range(300):
        made.kafka.publish("t", b"%d" % number * 20_000)
    guest = made.session.heard_by(rows.report, rows.has_room)
    result = guest.run("export kafka:t")
    received = 0
    for _ in range(200):
        made.advance(0.1)
        received += len(rows.take().splitlines())
    assert received == 300 + len(BODIES)
    assert made.session.jobs.find(result.data["job"]) is None


@pytest.fixture
def url() -> Iterator[str]:
    """The admin address of a running instance with three records in topic t."""
    with live() as instance:
        instance.run("topic add t -p 1")
        for payload in ("hex:ff31", "two", "three"):
            instance.run(f"pub kafka:t {payload}")
        yield instance.url


def test_do_writes_files_where_it_was_typed(
    url: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for line, name, expected in (
        ("export kafka:t --as raw", "t.bin", b"\xff1\ntwo\nthree"),
        ("tail kafka:t --from begin -n 2 -f %v", "t.txt", "\ufffd1\ntwo\n".encode()),
    ):
        assert remote.run(f"{line} > {tmp_path / name}", url, None) == 0
        assert (tmp_path / name).read_bytes() == expected
    assert remote.run(f"topic ls > {tmp_path / 'topics.json'}", url, None) == 0
    assert json.loads((tmp_path / "topics.json").read_text())["data"][0]["name"] == "t"
    assert remote.run(f"tail kafka:t --from begin -n 3 > {tmp_path / 't.jsonl'}", url, None) == 0
    written = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [row["payload"] for row in written] == ["\ufffd1", "two", "three"]
    assert remote.run("topic show nothing > /nowhere/x", url, None) == 2


def test_do_prints_rows_as_they_come_and_the_rest_to_standard_error(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert remote.run("tail kafka:t --from begin -n 3 -f '%o %v'", url, None) == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == ["0 \ufffd1", "1 two", "2 three"]
    assert "3 of kafka:t" in err
    with contextlib.suppress(SystemExit):
        assert remote.run("frobnicate", url, None) == 2
    assert "no command frobnicate" in capfd.readouterr().err


@pytest.mark.parametrize("rows", [1, 200])
def test_a_line_that_is_refused_leaves_the_file_that_was_there(
    url: str, tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockforge_tui.console.commands.export._SLICE", rows)
    made, path = scene(), tmp_path / "kept.jsonl"
    for line in ("export kafka:nothing", "tail kafka:t --from nonsense", "topic show nothing"):
        path.write_text("kept")
        assert not made.session.run(f"{line} > {path}").ok
        assert path.read_text() == "kept"
        assert remote.run(f"{line} > {path}", url, None) == 2
        assert path.read_text() == "kept"
    assert len(made.session.jobs) == 0
    assert exported(made, "export kafka:t key:none", path) == b""


def test_binary_payloads_of_a_known_form_are_values_in_records_and_filters(tmp_path: Path) -> None:
    made, path = scene(), tmp_path / "t.jsonl"
    for temperature in (20, 42):
        made.run(f"pub mqtt:room/t hex:a1617418{temperature:02x} -r")
    [line] = exported(made, "export mqtt:room/#", path).splitlines()
    record = json.loads(line)
    assert (record["payload_form"], record["payload_value"]) == ("CBOR", {"t": 42})
    assert "payload_form" not in json.loads(exported(made, "export kafka:t -n 1", path))
    lines = exported(made, "export (proto:mqtt json.t>30)", path).splitlines()
    assert [json.loads(each)["payload_value"] for each in lines] == [{"t": 42}]
    assert "20 → 42" in made.run("topic history room/t t").as_text()


def test_mqtts_messages_are_command_lines_of_mosquitto_pub(tmp_path: Path) -> None:
    made, path = scene(), tmp_path / "again.sh"
    made.run("pub mqtt:a/b 'it is' -r -q 1")
    made.run("pub mqtt:a/c hex:00ff -r")
    made.run("pub mqtt:a/d {} -r --prop content_type=json -H k=v")
    lines = exported(made, "export mqtt:a/# --as mosquitto_pub", path).decode().splitlines()
    assert lines == [
        "mosquitto_pub -t a/b -q 1 -r -m 'it is'",
        "printf 00ff | xxd -r -p | mosquitto_pub -t a/c -q 0 -r -s",
        "mosquitto_pub -t a/d -q 0 -r -V 5 -D publish content-type json "
        "-D publish user-property k v -m '{}'",
    ]
    assert exported(made, "export kafka:t --as mosquitto_pub", path) == b""
    nothing = Row("mqtt", IN, "PUBLISH", kind="message", destination="u", payload=b"")
    assert command_lines(nothing) == b"mosquitto_pub -t u -q 0 -n\n"
    nothing.payload = b"x" * 131_072
    written = command_lines(nothing)
    assert written == b"printf %s " + nothing.payload + b" | mosquitto_pub -t u -q 0 -s\n"
    nothing.detail = {"correlation_data": b"\xff"}
    reason = b"# left out: u, correlation data has bytes that are no text\n"
    assert command_lines(nothing) == reason


def test_a_test_has_a_line_for_what_a_client_did_and_got() -> None:
    form = PytestFile()
    dev = {"connection": 1, "client": "dev-7"}
    rows = [
        Row("mqtt", IN, "PINGREQ", **dev),
        Row("mqtt", IN, "CONNECT", detail={"version": "3.1.1", "clean_start": False}, **dev),
        Row("mqtt", IN, "PUBLISH", kind="message", destination="t", payload=b"1", **dev),
        Row("mqtt", IN, "PUBLISH", destination="t", detail={"qos": 1, "dup": True}, **dev),
        Row("mqtt", OUT, "PUBLISH", kind="message", destination="a'b", payload=b"", **dev),
        Row("mqtt", IN, "UNSUBSCRIBE", detail={"filters": ["a/#"]}, **dev),
        Row("mqtt", IN, "PUBLISH", kind="message", destination="t", detail={"retain": True}),
        Row("kafka", IN, "Produce", kind="message", destination="t", payload=b"1", **dev),
        Row("mqtt", IN, "DISCONNECT", **dev),
    ]
    head, *lines = [form(row).decode() for row in rows if row.operation != "PINGREQ"]
    assert form(rows[0]) == b""
    assert head.endswith("clients['dev-7'] = Client(url, 'dev-7', version=4, clean_start=False)\n")
    assert [line.strip() for line in "".join(lines).splitlines()] == [
        "clients['dev-7'].publish('t', b'1')",
        "clients['dev-7'].receives(\"a'b\", b'')",
        "clients['dev-7'].unsubscribe('a/#')",
        "clients['publisher'] = Client(url, 'publisher')",
        "clients['publisher'].publish('t', b'', retain=True)",
        "# What kafka's clients did is a test of its own: (proto:kafka)",
        "clients['dev-7'].disconnect()",
    ]


def _kafka(
    operation: str, correlation: int | None, payload: bytes | None = None, **more: Any
) -> Row:
    """A record of orders, or an answer."""
    kind = "control" if payload is None else "message"
    row = Row("kafka", IN, operation, 1, "shop", kind, "orders", b"k", payload)
    row.detail = {"partition": more.pop("partition", 0), "offset": 0, **more.pop("detail", {})}
    row.correlation = correlation
    for name, value in more.items():
        setattr(row, name, value)
    return row


def _taken(correlation: int, *refused: int) -> Row:
    """Of the records that were produced, those of some partitions are refused."""
    parts = [{"index": n, "error_code": 6 if n in refused else 0} for n in (0, 1)]
    detail = {"responses": [{"name": "orders", "partition_responses": parts}]}
    error = "NOT_LEADER_OR_FOLLOWER" if refused else ""
    return _kafka("Produce", correlation, detail=detail, direction=OUT, error=error)


def _statements(form: PytestFile, *rows: Row) -> list[str]:
    text = b"".join(map(form, rows)).decode()
    return [each.strip() for each in text.split("with clients:\n")[-1].splitlines()]


def test_what_a_broker_refused_of_what_was_produced_is_a_comment() -> None:
    form, by = PytestFile(), "clients['shop']."
    records = [_kafka("Produce", 7, b"%d" % n, partition=n % 2) for n in range(3)]
    assert _statements(form, *records) == [], "nobody knows yet"
    assert _statements(form, _taken(7, 1)) == [
        "clients['shop'] = Client(bootstrap, 'shop')",
        f"{by}produces('orders', 0, b'k', b'0')",
        f"{by}produces('orders', 0, b'k', b'2')",
        "# Refused (NOT_LEADER_OR_FOLLOWER): produces('orders', 1, b'k', b'1')",
    ]
    again = records[1]
    again.correlation = 8
    assert _statements(form, again, _taken(8)) == [f"{by}produces('orders', 1, b'k', b'1')"]
    assert _statements(form, _kafka("Produce", None, b"9")) == [
        f"{by}produces('orders', 0, b'k', b'9')"
    ], "nothing answers it"


def test_what_somebody_got_was_taken_though_its_producer_is_answered_later() -> None:
    form = PytestFile()
    sent = [_kafka("Produce", 7, b"1"), _kafka("Produce", 8, b"2")]
    got = _kafka("Fetch", 3, b"1", direction=OUT, connection=2, client="svc")
    assert [each.partition(".")[2] for each in _statements(form, *sent, got, _taken(7))] == [
        "",
        "produces('orders', 0, b'k', b'1')",
        "",
        "receives('orders', 0, b'k', b'1')",
    ]
    assert form.rest().decode().split() == [
        "clients['shop'].produces('orders',",
        "0,",
        "b'k',",
        "b'2')",
    ]
    assert form.rest() == b""


def test_a_delivery_that_is_sent_again_is_one_that_the_client_gets_once() -> None:
    form = PytestFile()

    def lines(client: str, payload: bytes, packet_id: int, *, dup: bool = False) -> list[str]:
        detail = {"qos": 1, "packet_id": packet_id} | ({"dup": True} if dup else {})
        dev = {"connection": 1, "client": client, "destination": "t", "payload": payload}
        row = Row("mqtt", OUT, "PUBLISH", kind="message", detail=detail, **dev)
        found = form(row).decode().splitlines()
        return [each.strip().partition(".")[2] for each in found if "receives(" in each][-1:]

    assert lines("dev-7", b"1", 1) == ["receives('t', b'1')"]
    assert lines("dev-7", b"1", 1, dup=True) == []
    assert lines("dev-7", b"1", 1, dup=True) == []
    # Whose first delivery nobody saw, or another message under an identifier that is free again.
    for client, payload, packet_id in (("dev-7", b"1", 2), ("dev-8", b"1", 1), ("dev-7", b"2", 1)):
        assert lines(client, payload, packet_id, dup=True) == [f"receives('t', {payload!r})"]
    assert lines("dev-7", b"1", 1) == ["receives('t', b'1')"], "no delivery again is left out"


def test_a_subscription_has_the_options_of_version_5_that_it_asked_for() -> None:
    requests = [
        Request("plain", 1),
        Request("all/#", 2, no_local=True, retain_as_published=True, retain_handling=2),
        Request("new", 0, retain_handling=1),
    ]
    frame = encode_packet(Subscribe(1, requests), 5)
    [row] = read_rows(IN, frame, 5, {})
    row.connection, row.client = 1, "dev-7"
    text = PytestFile()(row).decode()
    assert text.endswith(
        ".subscribe(('plain', 1), ('all/#', 2, {'noLocal': True, 'retainAsPublished': True,"
        " 'retainHandling': 2}), ('new', 0, {'retainHandling': 1}))\n"
    )
    assert "import SubscribeOptions\n" in text


def lines_of(form: PytestFile, *rows: Row) -> list[str]:
    text = b"".join(map(form, rows)).decode("utf-8", "surrogateescape")
    compile(text, "test_captured.py", "exec")
    return [line.strip() for line in text.partition("    with clients:\n")[2].splitlines()]


def test_kafkas_clients_produce_get_and_commit_again() -> None:
    shop, svc = {"connection": 1, "client": "shop"}, {"connection": 2, "client": "svc"}
    topics = [{"name": "t", "num_partitions": -1, "assignments": [{}, {}], "configs": []}]
    more = [{"name": "u", "num_partitions": 3, "configs": [{"name": "a.b", "value": "1"}]}]
    record = {"kind": "message", "destination": "t", "key": b"k", "payload": None}
    offsets = [{"name": "t", "partitions": [{"partition_index": 1, "committed_offset": 5}]}]
    paid = {"partition": 0, "transactional_id": "pay"}

    def got(offset: int) -> Row:
        return Row(
            "kafka", OUT, "Fetch", detail={"partition": 1, "offset": offset}, **record, **svc
        )

    assert lines_of(
        PytestFile(),
        Row("kafka", IN, "Metadata", detail={"topics": topics}, **shop),
        Row("kafka", IN, "CreateTopics", detail={"topics": [*topics, *more]}, **shop),
        Row("kafka", OUT, "CreateTopics", **shop),
        Row("kafka", IN, "CreateTopics", detail={"topics": topics, "validate_only": True}, **shop),
        Row("kafka", OUT, "CreateTopics", **shop),
        Row(
            "kafka",
            IN,
            "Produce",
            detail={"partition": 1},
            headers=(("h", None),),
            **record,
            **shop,
        ),
        Row("kafka", OUT, "Produce", **shop),
        Row("kafka", IN, "Produce", detail=paid, **record, **shop),
        Row("kafka", IN, "EndTxn", detail={"transactional_id": "pay", "committed": True}, **shop),
        Row("kafka", OUT, "EndTxn", **shop),
        got(4),
        got(4),
        got(5),
        Row("kafka", IN, "OffsetCommit", detail={"group": "g", "topics": offsets}, **svc),
        Row("kafka", OUT, "OffsetCommit", **svc),
        Row("kafka", IN, "DeleteTopics", detail={"topics": [{"name": "u"}]}, **shop),
        Row("kafka", OUT, "DeleteTopics", **shop),
        Row("kafka", IN, "Produce", detail={"partition": 0}, **record),
    ) == [
        "clients['shop'] = Client(bootstrap, 'shop')",
        "clients['shop'].creates('t', 2)",
        "clients['shop'].creates('u', 3, **{'a.b': '1'})",
        "clients['shop'].produces('t', 1, b'k', None, headers=[('h', None)])",
        "clients['shop'].produces('t', 0, b'k', None, transaction='pay')",
        "clients['shop'].ends('pay', committed=True)",
        "clients['svc'] = Client(bootstrap, 'svc')",
        "clients['svc'].receives('t', 1, b'k', None)",
        "clients['svc'].receives('t', 1, b'k', None)",
        "clients['svc'].commits('g', ('t', 1, 5))",
        "clients['shop'].deletes('u')",
        "clients['publisher'] = Client(bootstrap, 'publisher')",
        "clients['publisher'].produces('t', 0, b'k', None)",
    ]


def test_what_kafka_refused_is_a_comment_and_what_nobody_answered_is_left_out() -> None:
    def asked(correlation: int, name: str, **detail: Any) -> Row:
        return Row("kafka", IN, name, 1, "shop", detail=detail, correlation=correlation)

    def answered(correlation: int, name: str, error: str, **detail: Any) -> Row:
        answer = asked(correlation, name, **detail)
        answer.direction, answer.error = OUT, error
        return answer

    made = [{"name": name, "num_partitions": 1} for name in "ab"]
    offsets = [{"partition_index": number, "committed_offset": 5} for number in range(3)]
    kept = [{"partition_index": number, "error_code": 12 * (number == 1)} for number in range(3)]
    assert lines_of(
        PytestFile(),
        asked(1, "CreateTopics", topics=made),
        asked(2, "DeleteTopics", topics=[{"topic": "c"}, {"topic": "d"}]),
        answered(
            2,
            "DeleteTopics",
            "UNKNOWN_TOPIC_OR_PARTITION",
            responses=[{"topic": "c", "error_code": 3}, {"topic": "d", "error_code": 0}],
        ),
        answered(
            1,
            "CreateTopics",
            "TOPIC_ALREADY_EXISTS",
            topics=[{"name": "a", "error_code": 36}, {"name": "b", "error_code": 0}],
        ),
        asked(3, "OffsetCommit", group="g", topics=[{"name": "b", "partitions": offsets}]),
        answered(
            3,
            "OffsetCommit",
            "OFFSET_METADATA_TOO_LARGE",
            topics=[{"name": "b", "partitions": kept}],
        ),
        asked(4, "EndTxn", transactional_id="pay", committed=True),
        answered(4, "EndTxn", "INVALID_TXN_STATE", error_code=48),
        asked(5, "DeleteTopics", topics=[{"topic": "d"}]),
    ) == [
        "clients['shop'] = Client(bootstrap, 'shop')",
        "# Refused (UNKNOWN_TOPIC_OR_PARTITION): deletes('c')",
        "clients['shop'].deletes('d')",
        "# Refused (TOPIC_ALREADY_EXISTS): creates('a', 1)",
        "clients['shop'].creates('b', 1)",
        "clients['shop'].commits('g', ('b', 0, 5), ('b', 2, 5))",
        "# Refused (OFFSET_METADATA_TOO_LARGE): commits('g', ('b', 1, 5))",
        "# Refused (INVALID_TXN_STATE): ends('pay', committed=True)",
    ]


def test_amqps_clients_speak_of_queues_by_the_names_that_they_get() -> None:
    shop, same = {"connection": 1, "client": "app"}, {"connection": 2, "client": "app"}
    mine = "amq.gen-1"

    def sent(name: str, row: dict[str, Any] = shop, **detail: Any) -> Row:
        return Row("amqp", IN, name, detail={"channel": 1, **detail}, **row)

    def came(name: str, payload: bytes | None = None, **detail: Any) -> Row:
        return Row("amqp", OUT, name, payload=payload, detail={"channel": 1, **detail}, **shop)

    def published(**detail: Any) -> Row:
        row = sent("basic.publish", exchange="", **detail)
        row.kind, row.payload = "message", b"x"
        return row

    address = "amq.rabbitmq.reply-to.g1h2"
    assert lines_of(
        PytestFile(),
        Row("amqp", IN, "connection.open", detail={"virtual_host": "shop"}, **shop),
        sent("channel.open"),
        sent("queue.declare", queue="", exclusive=True, arguments={}),
        came("queue.declare-ok", queue=mine),
        sent("queue.declare", queue="q", durable=True, arguments={"x-max-length": 5}),
        came("queue.declare-ok", queue="q"),
        sent("queue.bind", queue=mine, exchange="e", routing_key="k", arguments={}),
        sent("basic.consume", queue=mine, consumer_tag="c", no_ack=True, arguments={}),
        published(routing_key=mine, properties={"reply_to": mine, "delivery_mode": 2}),
        came("basic.deliver", b"x", routing_key=mine),
        published(routing_key=address),
        sent("basic.get", queue="q", no_ack=False),
        came("basic.get-empty"),
        sent("basic.nack", delivery_tag=1, multiple=True, requeue=False),
        came("channel.close", reply_code=404),
        sent("channel.open", same),
    ) == [
        "clients['app'] = Client(url, 'shop')",
        "clients['app'].opens(1)",
        f"names['{mine}'] = clients['app'].on(1).declares(exclusive=True)",
        "clients['app'].on(1).queue_declare('q', durable=True, arguments={'x-max-length': 5})",
        f"clients['app'].on(1).queue_bind(names['{mine}'], 'e', 'k')",
        f"clients['app'].on(1).consumes(names['{mine}'], 'c', auto_ack=True)",
        f"clients['app'].on(1).publishes('', names['{mine}'], b'x', reply_to=names['{mine}'],"
        " delivery_mode=2)",
        f"clients['app'].on(1).receives(names['{mine}'], b'x')",
        "clients['app'].on(1).publishes('', clients['app'].on(1).reply_to, b'x')",
        "clients['app'].on(1).gets('q', None)",
        "clients['app'].on(1).basic_nack(1, True, False)",
        "clients['app'].on(1).is_closed(404)",
        "clients['app c2'] = Client(url)",
        "clients['app c2'].opens(1)",
    ]


def test_frames_of_amqp_that_nobody_can_read_and_those_of_1_0_are_left_out() -> None:
    shop = {"connection": 1, "client": "shop"}
    rows = []
    for direction, names in (
        (IN, ("queue.declare", "basic.get", "basic.nack", "basic.publish", "connection.open")),
        (OUT, ("queue.declare-ok", "basic.deliver", "basic.get-ok", "channel.close")),
    ):
        for name in names:
            frame = b"\x01\0\x01\0\0\0\x04" + methods.BY_NAME[name].prefix + b"\xce"
            rows += read_units(direction, frame, {})
    assert all(row.error for row in rows)
    transfer = Row("amqp", IN, "transfer", kind="message", destination="q", payload=b"x")
    nack = {"channel": 1, "delivery_tag": 1, "multiple": False, "requeue": True}
    for row in rows:
        row.connection, row.client = 1, "shop"
    assert lines_of(
        PytestFile(),
        *rows,
        transfer,
        Row("amqp", IN, "basic.nack", error="requeued", detail=nack, **shop),
    ) == [
        "clients['shop'] = Client(url)",
        "clients['shop'].on(1).basic_nack(1, False, True)",
    ]


def test_a_test_has_the_clients_of_one_protocol_and_names_what_it_leaves_out() -> None:
    form = PytestFile()
    mqtt = Row("mqtt", IN, "PUBLISH", kind="message", destination="t", payload=b"1")
    kafka = Row("kafka", IN, "Produce", kind="message", destination="t", payload=b"1")
    lines = lines_of(form, mqtt, kafka, kafka, mqtt)
    assert lines[1:] == [
        "clients['publisher'].publish('t', b'1')",
        "# What kafka's clients did is a test of its own: (proto:kafka)",
        "clients['publisher'].publish('t', b'1')",
    ]
