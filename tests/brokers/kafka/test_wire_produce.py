"""The hand-written path for Produce agrees with the table's codec."""

import re
import zlib
from random import Random
from typing import Any

import pytest
from mockforge_brokers.errors import LocalError, ProtocolError
from mockforge_brokers.kafka.wire.codec import TooManyItems, decode
from mockforge_brokers.kafka.wire.frames import (
    encode_request,
    encode_response,
    read_request_header,
)
from mockforge_brokers.kafka.wire.messages.logs import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from mockforge_brokers.kafka.wire.produce import PartitionResult, read_request, write_response

from .generated import value_of

VERSIONS = range(3, 14)
TOPIC_ID = bytes(range(16))


def parts_of(request: ProduceRequest, version: int) -> Any:
    return (
        request.transactional_id,
        request.acks,
        request.timeout_ms,
        [
            (
                topic.topic_id if version >= 13 else topic.name,
                [(partition.index, partition.records) for partition in topic.partition_data],
            )
            for topic in request.topic_data
        ],
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_requests_read_as_the_table_says(version: int) -> None:
    random = Random(version)
    for _ in range(50):
        request = value_of(ProduceRequest, version, random)
        frame = encode_request(request, version, 1, "client")
        _, at = read_request_header(frame)
        assert read_request(frame, at, version) == parts_of(request, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_proper_prefix_of_a_request_names_its_field(version: int) -> None:
    random = Random(zlib.crc32(b"%d" % version))
    request = value_of(ProduceRequest, version, random)
    frame = encode_request(request, version, 1, "client")
    _, at = read_request_header(frame)
    for end in range(at, len(frame)):
        with pytest.raises(ProtocolError, match=rf"ProduceRequest v{version}: \w+.* at byte \d+"):
            read_request(frame[:end], at, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_damaged_requests_read_as_the_table_says_or_are_refused_by_both(version: int) -> None:
    random = Random(version)
    frame = encode_request(value_of(ProduceRequest, version, random), version, 1, "client")
    _, at = read_request_header(frame)
    for _ in range(300):
        damaged = bytearray(frame)
        for _ in range(random.choice((1, 1, 2, 5))):
            damaged[random.randrange(at, len(frame))] = random.choice((0, 1, 2, 127, 128, 255))
        try:
            expected = parts_of(decode(ProduceRequest, version, bytes(damaged), at), version)
        except ProtocolError as error:
            with pytest.raises(ProtocolError, match=re.escape(error.text)):
                read_request(bytes(damaged), at, version)
        else:
            assert read_request(bytes(damaged), at, version) == expected


@pytest.mark.parametrize("version", [9, 13])
def test_tagged_fields_of_newer_clients_are_skipped(version: int) -> None:
    topic = TOPIC_ID if version == 13 else b"\2t"
    text = f"00 0001 00000005 02 {topic.hex()} 02 00000003 02 72 010001 61 010001 62 010001 63"
    parts = read_request(bytes.fromhex(text), 0, version)
    expected = TOPIC_ID if version == 13 else "t"
    assert parts == (None, 1, 5, [(expected, [(3, b"r")])])


@pytest.mark.parametrize(
    ("version", "text", "reason"),
    [
        (3, "ffff 0001 00000005 ffffffff", "topic_data at byte 12: null"),
        (3, "ffff 0001 00000005 00000001 ffff 00000000", "topic_data.name at byte 14: null"),
        (9, "00 0001 00000005 00 00", "topic_data at byte 8: null"),
        (9, "00 0001 00000005 02 00 01 00 00", "topic_data.name at byte 9: null"),
        (9, "00 0001 00000005 02 02 ff 01 00 00", "topic_data.name at byte 9: not UTF-8"),
    ],
)
def test_malformed_requests_name_their_field(version: int, text: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=f"ProduceRequest v{version}: {reason}"):
        read_request(bytes.fromhex(text), 0, version)


def test_versions_that_are_shown_but_not_served_are_protocol_errors() -> None:
    with pytest.raises(ProtocolError, match="ProduceRequest v2: only 3-13 is spoken"):
        read_request(b"", 0, 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_responses_are_the_tables_bytes(version: int) -> None:
    topic: Any = TOPIC_ID if version >= 13 else "orders"
    long_message = "x" * 200
    results = [
        PartitionResult(0, 0, 2**40, log_start_offset=7),
        PartitionResult(1, 3, -1, error_message="no such partition" if version >= 8 else None),
        PartitionResult(2, 0, 5, 1_700_000_000_000, 0, long_message if version >= 8 else None),
    ]
    expected = ProduceResponse(
        throttle_time_ms=11,
        responses=[
            TopicProduceResponse(
                **{"topic_id" if version >= 13 else "name": topic},
                partition_responses=[
                    PartitionProduceResponse(
                        index=result.partition,
                        error_code=result.error_code,
                        base_offset=result.base_offset,
                        log_append_time_ms=result.log_append_time_ms,
                        log_start_offset=result.log_start_offset,
                        error_message=result.error_message,
                    )
                    for result in results
                ],
            )
        ],
    )
    assert write_response(version, 9, [(topic, results)], 11) == encode_response(
        expected, version, 9
    )


def test_a_topic_id_in_an_old_response_is_our_bug() -> None:
    with pytest.raises(LocalError, match="by id from version 13 on"):
        write_response(8, 1, [(TOPIC_ID, [])])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_request_of_more_topics_and_partitions_than_are_taken_is_refused(version: int) -> None:
    partitions = [PartitionProduceData(index=number, records=b"") for number in range(5)]
    topics = [
        TopicProduceData(name="t", topic_id=TOPIC_ID, partition_data=partitions) for _ in range(2)
    ]
    request = ProduceRequest(acks=1, timeout_ms=1, topic_data=topics)
    frame = encode_request(request, version, 1, "client")
    _, at = read_request_header(frame)
    assert read_request(frame, at, version, 12) == parts_of(request, version)
    with pytest.raises(TooManyItems, match=f"ProduceRequest v{version} names more than 11 things"):
        read_request(frame, at, version, 11)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= 9])
@pytest.mark.parametrize("behind", [0, 1, 2], ids=["request", "topic", "partition"])
def test_tagged_fields_of_a_request_are_counted_with_them(version: int, behind: int) -> None:
    partition = PartitionProduceData(index=0, records=b"")
    topic = TopicProduceData(name="t", topic_id=TOPIC_ID, partition_data=[partition])
    request = ProduceRequest(acks=1, timeout_ms=1, topic_data=[topic])
    frame = encode_request(request, version, 1, "client")
    _, at = read_request_header(frame)
    end = len(frame) - behind
    assert frame[end - 1 :] == bytes(1 + behind), "so many structs end without tagged fields"
    tagged = frame[: end - 1] + bytes.fromhex("05 3200 3300 3400 3500 3600") + frame[end:]
    # A topic, a partition and five fields.
    assert read_request(tagged, at, version, 7) == parts_of(request, version)
    assert decode(ProduceRequest, version, tagged, at, 7).acks == 1
    with pytest.raises(TooManyItems, match="names more than 6 things"):
        read_request(tagged, at, version, 6)
