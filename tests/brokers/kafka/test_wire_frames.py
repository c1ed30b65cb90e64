"""Frames: their cutting, their headers, and whole ones for display."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.errors import LocalError, ProtocolError
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.wire.frames import (
    RequestHeader,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    read_request_header,
    response_pieces,
)
from mockforge_brokers.kafka.wire.messages.cluster import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    MetadataRequest,
)
from mockforge_brokers.kafka.wire.messages.groups import (
    ConsumerProtocolAssignment,
    HeartbeatRequest,
    HeartbeatResponse,
)
from mockforge_brokers.kafka.wire.schema import Message
from mockforge_brokers.kafka.wire.splitter import Splitter, whole

from .generated import IDS, VERSIONS, value_of

# size, API, version, correlation id, client id, from flexible versions on tagged fields; message
HEADERS = [
    ("0000000d 0003 0000 00000007 0001 63 00000000", RequestHeader(3, 0, 7, "c"), 15),
    ("0000000e 0003 0001 00000007 ffff 00000000", RequestHeader(3, 1, 7, None), 14),
    ("0000000e 0003 0009 00000007 0001 63 00 01 01 00 00", RequestHeader(3, 9, 7, "c"), 16),
    # A tagged field 3 of two bytes.
    ("00000000 0012 0003 ffffffff 0000 01 03 02 beef 01 01 00", RequestHeader(18, 3, -1, ""), 19),
    # Unknown API, unknown version of a known one.
    ("00000000 03e7 0001 00000001 0001 63", RequestHeader(999, 1, 1, "c"), 15),
    ("00000000 0012 0063 00000001 0001 63 00", RequestHeader(18, 99, 1, "c"), 16),
]

HEARTBEAT = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")


@pytest.mark.parametrize(("text", "header", "at"), HEADERS)
def test_request_header_is_read_up_to_the_message(
    text: str, header: RequestHeader, at: int
) -> None:
    assert read_request_header(bytes.fromhex(text)) == (header, at)


WORDS = (
    r"request header in a frame of \d+ bytes: (the frame ends within it|a length or count of \d)"
)


@pytest.mark.parametrize(("text", "header", "at"), HEADERS)
def test_every_proper_prefix_of_a_request_header_is_a_protocol_error(
    text: str, header: RequestHeader, at: int
) -> None:
    for end in range(at):
        with pytest.raises(ProtocolError, match=WORDS):
            read_request_header(bytes.fromhex(text)[:end])


@pytest.mark.parametrize(("count", "text"), [(1_000, "e807"), (1_001, "e907")])
def test_a_header_of_very_many_tagged_fields_is_a_protocol_error(count: int, text: str) -> None:
    frame = bytes.fromhex("00000000 0003 0009 00000007 ffff" + text) + b"\x05\0" * count
    if count <= 1_000:
        assert read_request_header(frame) == (RequestHeader(3, 9, 7, None), len(frame))
    else:
        with pytest.raises(ProtocolError, match="2018 bytes: 1,001 tagged fields"):
            read_request_header(frame)


def test_a_client_id_that_is_not_utf8_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="request header"):
        read_request_header(bytes.fromhex("0000000d 0003 0000 00000007 0001 ff 00000000"))


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (0, "0000000a 00000007 0000 00000000"),
        # Flexible, but the header has no tagged fields: who reads it does not know us yet.
        (3, "0000000c 00000007 0000 01 00000000 00"),
    ],
)
def test_api_versions_response_has_the_oldest_header(version: int, text: str) -> None:
    frame = encode_response(ApiVersionsResponse(api_keys=[]), version, 7)
    assert frame == bytes.fromhex(text)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (0, "00000006 00000007 0019"),
        (3, "0000000a 00000007 00000000 0019"),
        (4, "0000000c 00000007 00 00000000 0019 00"),
    ],
)
def test_response_header_has_tagged_fields_from_flexible_versions_on(
    version: int, text: str
) -> None:
    response = HeartbeatResponse(error_code=25)
    assert encode_response(response, version, 7) == bytes.fromhex(text)
    assert b"".join(response_pieces(response, version, 7)) == bytes.fromhex(text)


def test_request_frame_is_what_a_client_sends() -> None:
    assert encode_request(HEARTBEAT, 0, 7, None) == bytes.fromhex(
        "00000014 000c 0000 00000007 ffff 0001 67 00000001 0001 6d"
    )
    assert encode_request(HEARTBEAT, 4, 7, "c") == bytes.fromhex(
        "00000016 000c 0004 00000007 0001 63 00 02 67 00000001 02 6d 00 00"
    )
    with pytest.raises(LocalError, match="ConsumerProtocolAssignment is no request"):
        encode_request(ConsumerProtocolAssignment(assigned_partitions=[], user_data=None), 0, 1, "")


@pytest.mark.table
@pytest.mark.parametrize(("message", "version"), VERSIONS, ids=IDS)
def test_whole_frames_come_back(message: type[Message], version: int) -> None:
    value = value_of(message, version, Random(1))
    if message.kind == "request":
        header, again = decode_request(encode_request(value, version, 9, "client"))
        assert (header.api_key, header.api_version) == (message.api_key, version)
        assert again == value
    elif message.kind == "response" and message.api_key is not None:
        frame = encode_response(value, version, 9)
        assert int.from_bytes(frame[:4], "big") == len(frame) - 4
        assert decode_response(frame, message.api_key, version) == (9, value)


def test_frames_that_nothing_is_known_about_are_protocol_errors() -> None:
    frame = encode_request(ApiVersionsRequest(), 0, 1, "c")
    with pytest.raises(ProtocolError, match="API 999, which is not in the table"):
        decode_request(frame[:4] + b"\x03\xe7" + frame[6:])
    with pytest.raises(ProtocolError, match="API 999, which is not in the table"):
        decode_response(bytes(8), 999, 0)
    with pytest.raises(ProtocolError, match="HeartbeatResponse: a frame of 7 bytes"):
        decode_response(bytes(7), ApiKey.HEARTBEAT, 0)
    with pytest.raises(ProtocolError, match="HeartbeatResponse v4: header"):
        decode_response(bytes(8), ApiKey.HEARTBEAT, 4)


FRAMES = [
    encode_request(MetadataRequest(topics=None), 9, 1, "client"),
    encode_request(HEARTBEAT, 0, 2, None),
    encode_request(HEARTBEAT, 4, 3, "c"),
]


def test_a_burst_of_frames_is_cut() -> None:
    splitter = Splitter(1000)
    assert splitter.feed(b"".join(FRAMES)) == FRAMES
    assert splitter.pending == 0
    assert splitter.feed(b"") == []


def test_frames_come_out_whole_however_the_bytes_arrive() -> None:
    stream = b"".join(FRAMES)
    for step in range(1, len(stream)):
        splitter = Splitter(1000)
        frames = []
        for at in range(0, len(stream), step):
            frames += splitter.feed(stream[at : at + step])
        assert frames == FRAMES
        assert splitter.pending == 0


def test_a_large_frame_that_came_in_several_reads_is_handed_out_as_these() -> None:
    head, large = FRAMES[0], (40_000).to_bytes(4, "big") + bytes(40_000)
    middle, end = bytes(20_000), bytes(40_004 - 20_007)
    splitter = Splitter(1 << 20)
    assert splitter.cut(head + large[:7]) == [head]
    assert splitter.cut(middle) == []
    [frame, *others] = splitter.cut(end + head + head[:3])
    assert (frame, others) == ([large[:7], middle, end], [head])
    assert isinstance(frame, list)
    assert frame[1] is middle
    assert splitter.pending == 3
    assert splitter.cut(head[3:]) == [head]


ALIKE = {
    "none": ([], 0),
    "one": ([40_000], 0),
    "two": ([40_000] * 2, 40_004),
    "two of another length": ([40_000, 50_000, 50_000], 50_004),
    "others in turns": ([40_000, 50_000, 40_000], 0),
    "small ones behind them": ([40_000, 40_000, 300], 40_004),
    "as small as large ones are not": ([32_764] * 3, 0),
}


@pytest.mark.parametrize("read", [7_000, 40_004, 64_000, 1 << 20])
@pytest.mark.parametrize(("sizes", "expected"), ALIKE.values(), ids=ALIKE)
def test_large_frames_as_long_as_each_other_have_one_more_expected(
    sizes: list[int], expected: int, read: int
) -> None:
    splitter = Splitter(1 << 20)
    for size in sizes:
        frame = size.to_bytes(4, "big") + bytes(size)
        for at in range(0, len(frame), read):
            splitter.cut(frame[at : at + read])
    assert splitter.expected == expected
    # A loop reads as much of these as there is.
    splitter.cut(b"".join((300).to_bytes(4, "big") + bytes(300) for _ in range(400)))
    assert splitter.expected == 0


@given(
    st.lists(st.sampled_from([0, 1, 300, 32_764, 32_765, 40_000]), max_size=6),
    st.lists(st.integers(0, 200_000)),
)
def test_frames_and_their_pieces_are_the_same_bytes(sizes: list[int], cuts: list[int]) -> None:
    frames = [size.to_bytes(4, "big") + b"x" * size for size in sizes]
    stream = b"".join(frames)
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    cutter, feeder = Splitter(1 << 20), Splitter(1 << 20)
    cut, fed = [], []
    for start, stop in pairwise(places):
        cut += [whole(frame) for frame in cutter.cut(stream[start:stop])]
        fed += feeder.feed(stream[start:stop])
        assert cutter.pending == feeder.pending
    assert cut == fed == frames


def test_pending_counts_the_incomplete_frame_and_take_forgets_it() -> None:
    splitter = Splitter(1000)
    assert splitter.feed(FRAMES[0] + FRAMES[1][:7]) == FRAMES[:1]
    assert splitter.pending == 7
    assert splitter.take() == FRAMES[1][:7]
    assert splitter.pending == 0
    assert splitter.feed(FRAMES[2]) == FRAMES[2:]


@pytest.mark.parametrize("size", ["000003e9", "ffffffff", "80000000", "47455420"])
def test_a_size_out_of_bounds_is_a_protocol_error(size: str) -> None:
    splitter = Splitter(1000)
    with pytest.raises(ProtocolError, match="0 to 1000 are taken"):
        splitter.feed(bytes.fromhex(size) + b"/ HTTP")
    assert splitter.take() == bytes.fromhex(size) + b"/ HTTP"


def test_frames_before_a_size_out_of_bounds_are_handed_out_first() -> None:
    splitter = Splitter(1000)
    assert splitter.feed(FRAMES[0] + b"GET / HTTP/1.1") == FRAMES[:1]
    assert splitter.pending == 14
    with pytest.raises(ProtocolError):
        splitter.feed(b"")


def test_a_frame_of_exactly_the_limit_is_taken() -> None:
    frame = bytes.fromhex("000003e8") + bytes(1000)
    assert Splitter(1000).feed(frame) == [frame]
