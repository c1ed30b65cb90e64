"""Requests refused with an error code on purpose, and records changed on their way."""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput, ProtocolError
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.kafka.codes import ApiKey, Compression, ErrorCode
from mockforge_brokers.kafka.records import read_records, split_batches
from mockforge_brokers.kafka.served import SERVED
from mockforge_brokers.kafka.wire.catalog import REQUESTS
from mockforge_brokers.kafka.wire.frames import decode_request, decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.cluster import (
    ApiVersionsRequest,
    MetadataRequest,
    MetadataRequestTopic,
)
from mockforge_brokers.kafka.wire.messages.logs import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from mockforge_brokers.kafka.wire.schema import Message, Struct
from mockforge_brokers.limits import Limits
from mockforge_brokers.misbehaviour.decisions import Changes

from ..fake_peer import FakeClient
from ..misbehaving import everything, refuse
from .generated import value_of
from .scene import Scene, fetch, produce

CODE = int(ErrorCode.KAFKA_STORAGE_ERROR)


class Filled(Random):
    """Chance that leaves no array empty and nothing null."""

    def choice(self, seq: Any) -> Any:
        return super().choice([item for item in seq if not isinstance(item, int) or item])

    def random(self) -> float:
        return 0.9


SERVED = [
    (key, version)
    for key, served in SERVED.items()
    for version in range(served.first, served.last + 1)
]


def stage_of(**topics: int) -> Scene:
    scene = Scene()
    for name, partitions in topics.items():
        scene.broker.create_topic(name, partitions)
    return scene


def answers(client: FakeClient, api: int, version: int) -> list[Message]:
    frames = client.connection.splitter(OUT).feed(client.take())
    return [decode_response(frame, api, version)[1] for frame in frames]


def codes(struct: Struct) -> Iterator[tuple[str, int]]:
    """Each error code of an answer, with the name of the struct that it stands in."""
    for field in struct.fields:
        value = getattr(struct, field.name)
        if field.name.endswith("error_code"):
            yield type(struct).__name__, value
        for item in value if isinstance(value, list) else ():
            if isinstance(item, Struct):
                yield from codes(item)


IDS = [f"{ApiKey(key).name}-v{version}" for key, version in SERVED]


def refused_answer(api: int, version: int) -> Message:
    client = stage_of(orders=1).network.connect()
    request = value_of(REQUESTS[api], version, Filled(f"{api} {version}"))
    if isinstance(request, ProduceRequest):
        request.acks = -1
    if isinstance(request, MetadataRequest):
        for topic in request.topics or ():
            topic.topic_id = bytes(16)  # by name or by id, never both
    refuse(client, encode_request(request, version, 7, "shop"), everything, CODE)
    assert not client.peer.ended, client.peer.reason
    [answer] = answers(client, api, version)
    return answer


def test_a_metadata_response_that_names_no_topic_has_the_code_for_the_whole() -> None:
    """KIP-1102: REBOOTSTRAP_REQUIRED stands there whatever it names."""
    scene = stage_of(orders=1)
    client = scene.network.connect()
    again = int(ErrorCode.REBOOTSTRAP_REQUIRED)
    for topics, code, whole, each in (
        ([], CODE, CODE, []),
        (None, CODE, 0, [CODE]),
        (None, again, again, [0]),
    ):
        request = MetadataRequest(topics=topics)
        refuse(client, encode_request(request, 13, 1, "shop"), everything, code)
        [answer] = answers(client, ApiKey.METADATA, 13)
        assert answer.error_code == whole
        assert [topic.error_code for topic in answer.topics] == each
    # Before version 13 there is no place for it.
    refuse(client, encode_request(MetadataRequest(topics=[]), 12, 1, "shop"), everything, CODE)
    [answer] = answers(client, ApiKey.METADATA, 12)
    assert answer.topics == []
    refuse(client, encode_request(MetadataRequest(topics=None), 12, 1, "shop"), everything, again)
    [answer] = answers(client, ApiKey.METADATA, 12)
    assert [topic.error_code for topic in answer.topics] == [again]


@pytest.mark.table
@pytest.mark.parametrize(("api", "version"), SERVED, ids=IDS)
def test_every_request_has_an_answer_that_carries_the_code(api: int, version: int) -> None:
    found = [code for _, code in codes(refused_answer(api, version))]
    assert CODE in found
    assert set(found) <= {0, CODE}


NOTHING = {
    "PRODUCE": {"base_offset", "log_append_time_ms", "log_start_offset"},
    "FETCH": {"high_watermark", "last_stable_offset", "log_start_offset"},
    "LIST_OFFSETS": {"offset", "timestamp", "leader_epoch"},
    "OFFSET_FETCH": {"committed_offset", "committed_leader_epoch"},
    "OFFSET_FOR_LEADER_EPOCH": {"end_offset", "leader_epoch"},
    "FIND_COORDINATOR": {"node_id", "port"},
    "JOIN_GROUP": {"generation_id"},
    "INIT_PRODUCER_ID": {"producer_id", "producer_epoch"},
    "DELETE_RECORDS": {"low_watermark"},
}
"""What is -1 in Apache Kafka's own `getErrorResponse`."""


@pytest.mark.table
@pytest.mark.parametrize(("api", "version"), SERVED, ids=IDS)
def test_what_an_answer_has_not_is_minus_one_as_in_kafka(api: int, version: int) -> None:
    names = NOTHING.get(ApiKey(api).name, set())
    answer = refused_answer(api, version)
    assert {value for name, value in numbers(answer, version) if name in names} <= {-1}


def numbers(struct: Struct, version: int) -> Iterator[tuple[str, int]]:
    for field in struct.fields:
        value = getattr(struct, field.name)
        if version not in field.versions:
            continue
        if isinstance(value, int):
            yield field.name, value
        for item in value if isinstance(value, list) else ():
            if isinstance(item, Struct):
                yield from numbers(item, version)


def test_one_partition_is_refused_and_the_other_is_stored() -> None:
    scene = stage_of(orders=2)
    client = scene.network.connect()
    request = produce("orders", b"a")
    [topic] = request.topic_data
    records = topic.partition_data[0].records
    topic.partition_data.append(PartitionProduceData(index=1, records=records))

    def first(row: Row) -> bool:
        return row.detail.get("partition") == 0

    refuse(client, encode_request(request, 9, 7, "shop"), first, CODE)
    [answer] = answers(client, ApiKey.PRODUCE, 9)
    [one] = answer.responses  # type: ignore[attr-defined]
    got = {part.index: (part.error_code, part.base_offset) for part in one.partition_responses}
    assert got == {0: (CODE, -1), 1: (0, 0)}


def test_a_topic_is_known_by_its_id_too() -> None:
    scene = stage_of(orders=1, bills=1)
    client = scene.network.connect()
    scene.ask(client, MetadataRequest(topics=[MetadataRequestTopic(name="orders")]), 12)
    [topic] = scene.answer(client, ApiKey.METADATA, 12).topics
    request = fetch("", 0, topic_id=topic.topic_id)

    def orders(row: Row) -> bool:
        return row.destination == "orders"

    refuse(client, encode_request(request, 13, 7, "shop"), orders, CODE)
    [answer] = answers(client, ApiKey.FETCH, 13)
    [one] = answer.responses  # type: ignore[attr-defined]
    assert one.topic_id == topic.topic_id
    assert [part.error_code for part in one.partitions] == [CODE]
    assert answer.error_code == 0  # type: ignore[attr-defined]


def test_a_refusal_waits_behind_a_parked_fetch() -> None:
    scene = stage_of(orders=1)
    client = scene.network.connect()
    scene.ask(client, fetch("orders", 0, wait=500), 11)
    refuse(client, encode_request(produce("orders", b"a"), 9, 8, "shop"), everything, CODE)
    assert client.take() == b""
    scene.clock.advance(0.5)
    scene.clock.advance(0)
    scene.network.settle()
    frames = client.connection.splitter(OUT).feed(client.take())
    assert [int.from_bytes(frame[4:8], "big") for frame in frames] == [1, 8]


def test_produce_without_answer_ends_the_connection() -> None:
    scene = stage_of(orders=1)
    client = scene.network.connect()
    request = produce("orders", b"a")
    request.acks = 0
    refuse(client, encode_request(request, 9, 7, "shop"), everything, CODE)
    assert client.peer.ended
    assert "acks=0" in client.peer.reason


def test_a_malformed_request_ends_its_own_connection_only() -> None:
    scene = stage_of(orders=1)
    client, other = scene.network.connect(), scene.network.connect()
    refuse(client, b"\0\0\0\x03\0\0\0", everything, CODE)
    assert client.peer.ended
    whole = encode_request(produce("orders", b"a"), 9, 7, "shop")
    short = whole[4:-9]
    third = scene.network.connect()
    refuse(third, len(short).to_bytes(4, "big") + short, everything, CODE)
    assert third.peer.ended
    scene.ask(other, produce("orders", b"a"), 9)
    assert (
        scene.answer(other, ApiKey.PRODUCE, 9).responses[0].partition_responses[0].error_code == 0
    )


@pytest.mark.parametrize("request_", [produce("orders", b"a"), fetch("orders", 0)])
def test_what_names_too_much_is_one_row_and_ends_its_connection_when_refused(
    request_: Message,
) -> None:
    scene = Scene(limits=Limits(kafka_request_items=1))
    client = scene.network.connect()
    title = type(request_).__name__
    says = f"{title} v12 names more than 1 things at once"
    frame = encode_request(request_, 12, 7, "shop")
    [row] = client.connection.rows(IN, frame)
    assert (row.error, row.detail) == (says, {})
    look = client.connection.glance(IN, frame)
    assert look is not None
    assert look[1] is (title == "ProduceRequest"), "Produce is asked for one topic only"
    with pytest.raises(ProtocolError, match=says):
        client.connection.set_fields(IN, frame, {"acks": "0"})
    with pytest.raises(ProtocolError, match=says):
        client.connection.edit(IN, frame, {0: Changes(payload=b"b")})
    refuse(client, frame, everything, CODE)
    assert client.peer.reason == f"{says}: the limit kafka_request_items is met"
    assert client.take() == b""
    views = {view.name: view for view in scene.environment.usage.views()}
    assert views["kafka_request_items"].met == 1


def test_metadata_refuses_topics_and_still_names_the_brokers() -> None:
    scene = stage_of(orders=1)
    client = scene.network.connect()
    refuse(client, encode_request(MetadataRequest(topics=None), 12, 7, "shop"), everything, CODE)
    [answer] = answers(client, ApiKey.METADATA, 12)
    assert answer.brokers  # type: ignore[attr-defined]
    assert [topic.error_code for topic in answer.topics] == [CODE]  # type: ignore[attr-defined]


# Editing.


def edit(scene: Scene, frame: bytes, number: int = 0, **changes: Any) -> ProduceRequest:
    client = scene.network.connect()
    client.connection.rows(IN, frame)
    edited = client.connection.edit(IN, frame, {number: Changes(**changes)})
    message = decode_request(edited)[1]
    assert isinstance(message, ProduceRequest)
    return message


def records_of(message: ProduceRequest) -> list[Any]:
    return [
        record
        for topic in message.topic_data
        for part in topic.partition_data
        for _, raw in split_batches(part.records or b"")
        for record in read_records(raw)
    ]


@pytest.mark.parametrize("codec", list(Compression))
def test_a_record_is_changed_in_every_compression(codec: Compression) -> None:
    frame = encode_request(produce("orders", b"a", b"b", compression=codec), 9, 7, "shop")
    message = edit(Scene(), frame, 1, payload=b"changed", key=None, headers={"h": None, "new": "x"})
    first, second = records_of(message)
    assert (first.key, first.value, first.headers) == (b"k", b"a", (("h", b"1"),))
    assert (second.key, second.value, second.headers) == (None, b"changed", (("new", b"x"),))
    [(header, _)] = split_batches(message.topic_data[0].partition_data[0].records)
    assert header.compression == codec


def test_an_idempotent_batch_keeps_its_producer_and_sequence() -> None:
    request = produce("orders", b"a", producer_id=9, producer_epoch=2, base_sequence=40)
    message = edit(Scene(), encode_request(request, 9, 7, "shop"), payload=None)
    [(header, _)] = split_batches(message.topic_data[0].partition_data[0].records)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (9, 2, 40)
    assert records_of(message)[0].value is None


def test_records_are_counted_over_partitions() -> None:
    request = produce("orders", b"a", b"b")
    [topic] = request.topic_data
    more = topic.partition_data[0].records
    topic.partition_data.append(PartitionProduceData(index=1, records=more))
    request.topic_data.append(
        TopicProduceData(name="bills", partition_data=[PartitionProduceData(index=0, records=more)])
    )
    message = edit(Scene(), encode_request(request, 9, 7, "shop"), 4, payload=b"fifth")
    assert [record.value for record in records_of(message)] == [
        b"a", b"b", b"a", b"b", b"fifth", b"b",
    ]  # fmt: skip


@pytest.mark.parametrize("version", [4, 11, 12])
def test_a_fetched_record_is_changed_and_keeps_its_offset(version: int) -> None:
    scene = stage_of(orders=1)
    scene.call(produce("orders", b"a", b"b"), 9)
    client = scene.network.connect()
    frame = encode_request(fetch("orders", 0), version, 7, "shop")
    client.connection.rows(IN, frame)
    client.send(frame)
    answer = client.take()
    client.connection.rows(OUT, answer)
    edited = client.connection.edit(OUT, answer, {1: Changes(payload=b"new")})
    message: Any = decode_response(edited, ApiKey.FETCH, version)[1]
    raw = message.responses[0].partitions[0].records
    got = [(r.offset, r.value) for _, batch in split_batches(raw) for r in read_records(batch)]
    assert got == [(0, b"a"), (1, b"new")]


@pytest.mark.parametrize(
    ("number", "changes", "text"),
    [
        (2, {"payload": b"x"}, "there is no record 3"),
        (0, {"properties": {"qos": 1}}, "has no properties"),
    ],
)
def test_what_cannot_be_changed_is_said(number: int, changes: dict[str, Any], text: str) -> None:
    frame = encode_request(produce("orders", b"a", b"b"), 9, 7, "shop")
    with pytest.raises(InvalidInput, match=text):
        edit(Scene(), frame, number, **changes)


def test_only_produce_and_fetch_carry_records() -> None:
    frame = encode_request(MetadataRequest(topics=None), 12, 7, "shop")
    with pytest.raises(InvalidInput, match="Metadata carries no record: hold op:Produce"):
        edit(Scene(), frame, payload=b"x")


def produce_one(topic: str, *, topic_id: bytes = bytes(16)) -> Message:
    return produce(topic, b"1", topic_id=topic_id)


LOOKS = [
    *((produce_one, version) for version in range(3, 13)),
    *((partial(fetch, offset=0), version) for version in range(4, 13)),
]


@pytest.mark.parametrize(("message", "version"), LOOKS)
def test_frames_look_alike_where_api_client_and_topics_are_the_same(
    message: Callable[[str], Message], version: int
) -> None:
    scene = stage_of(orders=1, audit=1)
    client = scene.network.connect()
    asked, answered = set(), []
    for number, topic in enumerate(("orders", "orders", "audit")):
        frame = encode_request(message(topic), version, number, "shop")
        asked.add(client.connection.glance(IN, frame))
        client.send(frame)
        answered.append(client.connection.glance(OUT, client.take()))
    assert len(asked) == len(set(answered)) == 2
    assert answered[0] == answered[1]
    assert all(look is not None and look[1] for look in (*asked, *answered))


@pytest.mark.parametrize("version", range(3, 13))
def test_a_frame_looks_the_same_whatever_came_before_it(version: int) -> None:
    scene = stage_of(order=1, orders=1, orders2=1)
    client = scene.network.connect()
    for number, pair in enumerate(
        ("orders shop", "orders2 shop", "orders shop", "order shop", "order shop2", "order sho")
    ):
        topic, name = pair.split()
        frame = encode_request(produce_one(topic), version, number, name)
        newcomer = scene.network.connect()
        assert client.connection.glance(IN, frame) == newcomer.connection.glance(IN, frame)
        for each in (client, newcomer):
            each.send(frame)
        one, other = client.take(), newcomer.take()
        assert client.connection.glance(OUT, one) == newcomer.connection.glance(OUT, other)


def test_another_client_on_the_same_connection_looks_different() -> None:
    client = Scene().network.connect()
    one, other = (encode_request(produce("t", b"1"), 9, 1, name) for name in ("shop", "till"))
    assert client.connection.glance(IN, one) != client.connection.glance(IN, other)


def test_topics_by_id_look_different_too() -> None:
    scene = stage_of(orders=1, audit=1)
    client = scene.network.connect()
    ids = [scene.broker.cluster.topics[name].topic_id for name in ("orders", "audit")]
    for message, version in ((produce_one, 13), (partial(fetch, offset=0), 13)):
        frames = [encode_request(message("", topic_id=each), version, 1, "shop") for each in ids]
        first, second = (client.connection.glance(IN, frame) for frame in frames)
        assert first != second
        assert (first or ("", None))[1]


def test_a_fetch_that_brings_records_or_an_error_does_not_look_like_one_without() -> None:
    scene = stage_of(orders=1)
    client = scene.network.connect()
    looks = []
    for step in ("empty", "records", "error"):
        if step == "records":
            scene.call(produce("orders", b"1"), 9)
        topic, offset = "orders", 0 if step != "error" else 99
        frame = encode_request(fetch(topic, offset), 11, 7, "shop")
        client.connection.glance(IN, frame)
        client.send(frame)
        looks.append(client.connection.glance(OUT, client.take()))
    assert looks[0] != looks[1]
    assert looks[2] is None


@pytest.mark.parametrize(("api", "placed"), [(ApiKey.HEARTBEAT, True), (ApiKey.METADATA, False)])
def test_what_names_no_topic_looks_the_same_each_time(api: ApiKey, placed: bool) -> None:
    client = Scene().network.connect()
    frame = encode_request(value_of(REQUESTS[api], 4, Random(1)), 4, 1, "shop")
    look = client.connection.glance(IN, frame)
    assert (look or ("", None))[1] is placed


def test_what_cannot_be_read_at_a_glance_is_no_topics_frame() -> None:
    client = Scene().network.connect()
    for api, version in ((ApiKey.PRODUCE, 3), (ApiKey.PRODUCE, 9), (ApiKey.FETCH, 4)):
        header = struct.pack(">hhih", api, version, 7, -1)
        frame = struct.pack(">i", len(header)) + header
        look = client.connection.glance(IN, frame)
        assert look is None or not look[1]
    assert client.connection.glance(OUT, b"\0\0\0\x08" + bytes(8)) is None
    assert client.connection.glance(IN, b"\0\0\0\x08" + bytes(8)) is None


def test_a_field_gets_another_value_wherever_it_stands() -> None:
    scene = stage_of(orders=2)
    client = scene.network.connect()
    client.send(encode_request(fetch("orders", 0), 11, 7, "shop"))
    answer = client.take()
    values = {"throttle_time_ms": "120", "error_code": "OFFSET_OUT_OF_RANGE"}
    found = client.connection.set_fields(OUT, answer, values)
    message: Any = decode_response(found, ApiKey.FETCH, 11)[1]
    assert message.throttle_time_ms == 120
    assert {part.error_code for topic in message.responses for part in topic.partitions} == {1}


def test_a_request_may_be_changed_too() -> None:
    client = Scene().network.connect()
    frame = encode_request(produce("orders", b"a"), 9, 7, "shop")
    header, message = decode_request(client.connection.set_fields(IN, frame, {"acks": "0"}))
    assert (header.correlation_id, header.client_id) == (7, "shop")
    assert isinstance(message, ProduceRequest)
    assert message.acks == 0


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"qos": "1"}, "Produce has no field qos; it has acks, "),
        ({"acks": "many"}, "acks is int, not 'many'"),
        ({"acks": "70000"}, "a value does not fit"),
        ({"topic_data": "x"}, "holds several values"),
    ],
)
def test_what_cannot_be_set_is_said(values: dict[str, str], text: str) -> None:
    client = Scene().network.connect()
    frame = encode_request(produce("orders", b"a"), 9, 7, "shop")
    with pytest.raises(InvalidInput, match=text):
        client.connection.set_fields(IN, frame, values)


def test_a_connection_whose_requests_bear_another_client_id_is_somebody_else():
    scene = Scene()
    client = scene.network.connect()
    named = []
    client.peer.identify = lambda principal: named.append(client.connection.client)
    for client_id in ("a", "a", "b", "a", "a"):
        # The general path, and from the second one on that of requests like the last one.
        scene.ask_as(client_id, client, produce("t", b"v"), 9)
    scene.ask_as("c", client, ApiVersionsRequest(), 0)
    scene.ask_as("a", client, produce("t", b"v"), 9)
    assert named == ["a", "b", "a", "c", "a"]
