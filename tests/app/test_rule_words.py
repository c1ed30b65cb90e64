"""What the filter of a fault or hold may ask for, and what no frame is: refused, with its place."""

import json
from pathlib import Path

import pytest
from mockforge_brokers.amqp.rows import read_rows as read_amqp
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.kafka.rows import Reading, RowReader
from mockforge_brokers.protocols import PROTOCOLS

from app.console.scene import Scene
from mockforge_tui.fault_values import frame_match
from mockforge_tui.filters import FilterError
from mockforge_tui.rule_words import operations_of

TAKEN = [
    "op:Produce",
    "op:produce",
    "op:nack",
    "op:basic.*",
    "op^=basic",
    "op~^Fet",
    "op:*",
    "op:open",
    "op:close",
    "op:heartbeat",
    "op:transfer",
    "op:REGISTER",
    "proto:k op:fetch",
    "-proto:mqtt op:publish",
    "-op:PUBACK -op:OffsetCommit",
    "(op:PUBACK or op:PUBREC)",
    "dir:i*",
    "kind:mes*",
    # Events are no frames: it says nothing that is wrong.
    "-kind:event client:a",
    "kind!=event",
    "-(kind:event or op:heartbeat)",
    "code:QUOTA_EXCEEDED",
    "code:NOT_LEADER*",
    "code:404",
    "code:requeued",
    # Frames that cannot be read are called by their numbers, or not at all.
    'op:"API 999 v7"',
    'op:"Fetch v99"',
    "op:*v7",
    "op:frame*",
    'op:"frame type 12"',
    'op~"^Fetch v[0-9]+$"',
    "op:request",
    "op:response",
]


@pytest.mark.parametrize(
    ("text", "protocols"),
    [
        ("op:SUBSCRIBE topic:a", "mqtt"),
        ("op:PUBLISH", "mqtt amqp"),
        ("op:Produce client:a", "kafka"),
        ("op:Produce client:b", ""),
        ("op:Fetch or op:PUBLISH", "kafka mqtt amqp"),
        ("-op:Produce", "kafka mqtt amqp"),
        ("op:close", "kafka mqtt amqp"),
        ("topic:a", "kafka mqtt amqp"),
        ('op:"frame type 12"', "amqp"),
        ('op:"API 999 v7"', "kafka"),
    ],
)
def test_a_rule_is_about_the_clients_of_protocols_that_have_its_operations(
    text: str, protocols: str
) -> None:
    origin = frame_match(text).origin
    about = [each for each in PROTOCOLS if origin is None or origin(Row(each, IN, "", client="a"))]
    assert about == protocols.split()


@pytest.mark.parametrize("text", TAKEN)
def test_words_that_frames_have_are_taken(text: str) -> None:
    frame_match(text)


REFUSED = [
    ("op:Prodcue", "Prodcue", "no operation Prodcue; did you mean Produce?"),
    ("client:a op:Prodcue*", "Prodcue*", "no operation Prodcue*; did you mean Produce?"),
    ("op=nack", "nack", "no operation nack; did you mean basic.nack, basic.ack or CONNACK?"),
    ("op:publsh", "publsh", "did you mean PUBLISH, PUBREL or basic.publish?"),
    ("op:frob", "frob", "no operation frob; it is an API (Produce), a packet (PUBLISH) or a"),
    ("op~^Fech", "^Fech", "no operation ^Fech; did you mean Fetch"),
    ('op:"API 999"', '"API 999"', "no operation API 999"),
    ('op:"Fech v99"', '"Fech v99"', "no operation Fech v99"),
    ("op=PUBLISH topic:$share/g/a", "$share/g/a", "goes to a: name that"),
    ("proto:mqtt topic:s/+x", "s/+x", "no topic is s/+x"),
    # What is denied is misspelt all the same.
    ("-op:PUBAKC", "PUBAKC", "no operation PUBAKC; did you mean PUBACK"),
    ("op!=PUBAKC", "PUBAKC", "no operation PUBAKC; did you mean PUBACK"),
    ("(op:PUBACK or op:PUBRECC)", "PUBRECC", "no operation PUBRECC; did you mean PUBREC"),
    ("proto:mqtt op:Fetch", "Fetch", "Fetch is an operation of Kafka, this filter is about MQTT"),
    ("-proto:mqtt op:PUBACK", "PUBACK", "of MQTT, this filter is about Kafka and AMQP"),
    # The frames around a protocol's own are no rule's concern.
    ("op:ws.*", "ws.*", "no operation ws.*"),
    ("code:QUOTA_EXCEDED", "QUOTA_EXCEDED", "no code QUOTA_EXCEDED; did you mean QUOTA_EXCEEDED"),
    ("code!=NOT_LEADER", "NOT_LEADER", "did you mean NOT_LEADER_OR_FOLLOWER"),
    ("kind:event", "event", "no frame's kind is event: message, control, noise"),
    ("-(op:heartbeat or kind!=event)", "event", "no frame's kind is event"),
    ("-proto:kafak*", "kafak*", "no frame's proto is kafak*: kafka, mqtt, amqp"),
    ("proto:kafak*", "kafak*", "no frame's proto is kafak*: kafka, mqtt, amqp"),
    ("dir:x*", "x*", "no frame's dir is x*: in, out"),
    ("proto:kafak", "kafak", "proto is kafka, mqtt or amqp, not 'kafak'"),
    ("dir:inn", "inn", "dir is in or out, not 'inn'"),
]


@pytest.mark.parametrize(("text", "word", "said"), REFUSED)
def test_words_that_no_frame_has_are_refused_with_their_place(
    text: str, word: str, said: str
) -> None:
    with pytest.raises(FilterError) as raised:
        frame_match(text)
    assert said in raised.value.text
    assert text[raised.value.start : raised.value.end] == word


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_operation_of_a_protocol_is_taken(protocol: str) -> None:
    operations = operations_of(protocol)
    assert len(operations) > 25
    for each in operations:
        frame_match(f'proto:{protocol} op:"{each}"')


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_clients_say_is_among_the_operations(protocol: str, tmp_path: Path) -> None:
    scene, path = Scene(files=True), tmp_path / "rows.jsonl"
    scene.run(f"export (proto:{protocol}) > {path}")
    scene.advance(1)
    seen = {json.loads(line)["operation"] for line in path.read_text().splitlines()}
    assert seen
    assert seen <= set(operations_of(protocol))


@pytest.mark.parametrize(
    ("direction", "frame", "name"),
    [
        (IN, bytes.fromhex("0000000e 03e7 0007 00000001 0004 61616161"), "API 999 v7"),
        (IN, bytes.fromhex("0000000e 0001 0063 00000001 0004 61616161"), "Fetch v99"),
        (IN, bytes.fromhex("00000002 0001"), "request"),
        (OUT, bytes.fromhex("00000004 00000009"), "response"),
    ],
)
def test_a_frame_of_kafka_that_cannot_be_read_is_found_as_it_is_called(
    direction: int, frame: bytes, name: str
) -> None:
    [row] = RowReader(Reading(lambda topic_id: "")).rows(direction, frame)
    assert row.operation == name
    assert frame_match(f'op:"{name}"').matches(row)


@pytest.mark.parametrize("kind", [0, 4, 9, 255])
def test_a_frame_of_amqp_of_an_unknown_kind_is_found_as_it_is_called(kind: int) -> None:
    [row] = read_amqp(IN, frames.frame(kind, 1, b""), {})
    assert row.operation == f"frame type {kind}"
    assert frame_match(f'op:"frame type {kind}"').matches(row)


@pytest.mark.parametrize(
    "line", ["fault add drop op:Prodcue topic:a", "hold op:Prodcue", "expect frames op:Prodcue"]
)
def test_the_prompt_points_at_the_word(line: str) -> None:
    refused = Scene(busy=False).refused(line)
    assert refused.problem is not None
    assert refused.problem.text.startswith("no operation Prodcue; did you mean Produce?")
    assert line[refused.problem.start : refused.problem.end] == "Prodcue"


@pytest.mark.parametrize(
    ("row", "codes"),
    [
        (
            Row("mqtt", OUT, "PUBACK", detail={"reason": "Quota exceeded", "code": 151}),
            ["QUOTA_EXCEEDED", '"Quota exceeded"', "151"],
        ),
        (
            Row("amqp", OUT, "channel.close", detail={"reply_code": 404}, error="NOT_FOUND - no q"),
            ["NOT_FOUND", "404", "NOT_FOUND*"],
        ),
        (
            Row("kafka", OUT, "Fetch", detail={"error_code": 6}, error="NOT_LEADER_OR_FOLLOWER"),
            ["NOT_LEADER_OR_FOLLOWER", "6"],
        ),
        (Row("amqp", OUT, "basic.nack", error="requeued"), ["requeued", "REQUEUED"]),
    ],
)
def test_a_code_is_asked_for_by_its_number_and_its_names(row: Row, codes: list[str]) -> None:
    for code in codes:
        assert frame_match(f"code:{code}").matches(row), code
        assert not frame_match(f"code!={code}").matches(row), code
        assert not frame_match(f"code:{code}").matches(Row(row.protocol, OUT, row.operation))
