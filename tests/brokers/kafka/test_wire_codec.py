"""What all messages share: defaults, unknown tags, constructors, and damage of any kind."""

import struct
import zlib
from contextlib import suppress
from random import Random

import pytest
from mockforge_brokers.errors import LocalError, ProtocolError
from mockforge_brokers.kafka.wire import consumer_protocol
from mockforge_brokers.kafka.wire.codec import TooManyItems, decode, encode, encode_pieces
from mockforge_brokers.kafka.wire.messages.cluster import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
)
from mockforge_brokers.kafka.wire.messages.groups import HeartbeatRequest, JoinGroupRequest
from mockforge_brokers.kafka.wire.messages.logs import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from mockforge_brokers.kafka.wire.schema import Message

from .generated import IDS, MESSAGES, VERSIONS, value_of


@pytest.mark.table
@pytest.mark.parametrize(("message", "version"), VERSIONS, ids=IDS)
def test_every_proper_prefix_of_every_message_is_a_protocol_error(
    message: type[Message], version: int
) -> None:
    random = Random(zlib.crc32(message.__name__.encode()))
    raw = encode(value_of(message, version, random), version)
    cuts = range(len(raw)) if len(raw) < 200 else sorted(random.sample(range(len(raw)), 200))
    for end in cuts:
        with pytest.raises(ProtocolError, match=f"{message.__name__} v{version}: "):
            decode(message, version, raw[:end])


@pytest.mark.table
@pytest.mark.parametrize(("message", "version"), VERSIONS, ids=IDS)
def test_damaged_bytes_raise_nothing_but_a_protocol_error(
    message: type[Message], version: int
) -> None:
    random = Random(zlib.crc32(message.__name__.encode()))
    raw = encode(value_of(message, version, random), version)
    for _ in range(50 if raw else 0):
        damaged = bytearray(raw)
        damaged[random.randrange(len(raw))] = random.randrange(256)
        with suppress(ProtocolError):
            decode(message, version, bytes(damaged))


@pytest.mark.parametrize("message", MESSAGES)
def test_a_field_that_some_version_lacks_has_its_default_there(message: type[Message]) -> None:
    for version in range(message.versions.first, message.versions.last + 1):
        value = value_of(message, version, Random(version))
        made = decode(message, version, encode(value, version))
        for field in message.fields:
            if version not in field.versions:
                assert getattr(made, field.name) == field.default


def test_old_versions_fill_in_defaults() -> None:
    request = decode(JoinGroupRequest, 0, encode(JOIN, 0))
    assert request.rebalance_timeout_ms == -1
    assert request.group_instance_id is None
    assert request.reason is None


def test_fields_that_a_version_lacks_are_left_out() -> None:
    assert decode(JoinGroupRequest, 4, encode(JOIN, 4)).group_instance_id is None
    assert decode(JoinGroupRequest, 5, encode(JOIN, 5)).group_instance_id == "instance"


def test_unknown_tagged_fields_are_kept_for_display() -> None:
    # Heartbeat v4: group "g", generation 1, member "m", no instance, tags 5 and 300.
    raw = bytes.fromhex("02 67 00000001 02 6d 00 02 05 02 beef ac02 01 61")
    request = decode(HeartbeatRequest, 4, raw)
    assert request.unknown_tags == {5: b"\xbe\xef", 300: b"a"}
    assert repr(request).endswith("unknown_tags={5: b'\\xbe\\xef', 300: b'a'})")
    assert encode(request, 4) == bytes.fromhex("02 67 00000001 02 6d 00 00")


def test_unknown_tags_stand_beside_known_ones() -> None:
    response = FetchResponse(responses=[])
    # v16 knows tag 0 (node endpoints); 9 is new.
    raw = encode(response, 16)[:-1] + bytes.fromhex("01 09 01 7a")
    assert decode(FetchResponse, 16, raw).unknown_tags == {9: b"z"}


def test_null_is_refused_where_a_version_has_none() -> None:
    assert encode(MetadataRequest(topics=None), 1) == bytes.fromhex("ffffffff")
    assert decode(MetadataRequest, 1, bytes.fromhex("ffffffff")).topics is None
    with pytest.raises(ProtocolError, match=r"MetadataRequest v0: topics at byte 4: null"):
        decode(MetadataRequest, 0, bytes.fromhex("ffffffff"))
    with pytest.raises(ProtocolError, match=r"MetadataRequest v9: topics\.name at byte 2: null"):
        decode(MetadataRequest, 9, bytes.fromhex("02 00 00 01 00 00 00"))


def test_records_are_encoded_without_a_copy() -> None:
    records = b"r" * 100
    partition = PartitionData(
        partition_index=0, high_watermark=1, aborted_transactions=None, records=records
    )
    response = FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[partition])])
    assert any(piece is records for piece in encode_pieces(response, 11))


def test_versions_outside_of_the_table_are_refused() -> None:
    with pytest.raises(ProtocolError, match=r"MetadataRequest v14: only 0-13 is spoken"):
        decode(MetadataRequest, 14, b"")
    with pytest.raises(LocalError, match=r"MetadataRequest has no version 14, only 0-13"):
        encode(MetadataRequest(topics=[]), 14)


def test_a_misspelt_field_is_refused_and_a_fitting_one_has_its_slot() -> None:
    with pytest.raises(TypeError, match="topicz"):
        MetadataRequest(topicz=[])  # type: ignore[call-arg]
    request = MetadataRequest(topics=[])
    with pytest.raises(AttributeError):
        request.topicz = []  # type: ignore[attr-defined]
    assert request.allow_auto_topic_creation is True


def test_messages_compare_and_print_by_their_fields() -> None:
    first = MetadataRequest(topics=[MetadataRequestTopic(name="orders")])
    assert first == MetadataRequest(topics=(MetadataRequestTopic(name="orders"),))
    assert first != MetadataRequest(topics=[MetadataRequestTopic(name="other")])
    assert first != "orders"
    assert "MetadataRequestTopic(topic_id=b'" in repr(first)
    assert "name='orders'" in repr(first)


def test_a_bug_of_ours_raises_as_it_is() -> None:
    broker = MetadataResponseBroker(node_id=1, host=None, port=9092)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        encode(MetadataResponse(brokers=[broker], topics=[]), 1)


JOIN = JoinGroupRequest(
    group_id="group",
    session_timeout_ms=10_000,
    rebalance_timeout_ms=60_000,
    member_id="",
    group_instance_id="instance",
    protocol_type="consumer",
    protocols=[],
    reason="first join",
)


FETCH = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[], forgotten_topics_data=[])


def test_a_message_of_more_items_than_are_taken_is_refused_before_they_are_read() -> None:
    topics = [
        OffsetFetchRequestTopics(name="t", partition_indexes=list(range(10))) for _ in range(2)
    ]
    group = OffsetFetchRequestGroup(group_id="g", topics=topics)
    message = OffsetFetchRequest(groups=[group])
    data = encode(message, 8)
    assert decode(OffsetFetchRequest, 8, data, 0, 23) == decode(OffsetFetchRequest, 8, data)
    with pytest.raises(TooManyItems, match="OffsetFetchRequest v8 names more than 22 things"):
        decode(OffsetFetchRequest, 8, data, 0, 22)


@pytest.mark.parametrize("message", [OffsetFetchRequest(groups=[]), FETCH], ids=["none", "some"])
def test_tagged_fields_are_items_of_a_message(message: Message) -> None:
    """Whether a schema names tagged fields at that place or not."""
    cls, version = type(message), 12 if message is FETCH else 8
    data = encode(message, version)
    assert data.endswith(b"\0")
    # Five fields without a value, of tags that no schema names.
    data = data[:-1] + bytes.fromhex("05 3200 3300 3400 3500 3600")
    found = decode(cls, version, data, 0, 5)
    assert found.unknown_tags == dict.fromkeys(range(50, 55), b"")
    with pytest.raises(TooManyItems, match=f"{cls.__name__} v{version} names more than 4 things"):
        decode(cls, version, data, 0, 4)


@pytest.mark.parametrize(("topics", "is_read"), [(5_000, True), (5_001, False)])
def test_what_a_member_says_in_its_own_bytes_is_read_as_far_as_it_may_name(
    topics: int, is_read: bool
) -> None:
    metadata = struct.pack(">hi", 0, topics) + bytes(2) * topics + struct.pack(">i", -1)
    assert (consumer_protocol.subscription(metadata, 5_000) is not None) is is_read
    assignment = struct.pack(">hi", 0, topics) + bytes(6) * topics + struct.pack(">i", -1)
    assert len(consumer_protocol.assigned_partitions(assignment, 5_000)) == topics * is_read
