"""Frames of a segment: what is encoded is walked, and nothing else reads as one."""

import struct
from zlib import crc32

import google_crc32c
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mockforge_brokers.storage import segments
from mockforge_brokers.storage.parts import Parts
from mockforge_brokers.storage.runs import Run, run_of
from mockforge_brokers.storage.segments import CLEAN, HEAD, VERSION, Broken, Frame

SALT = 0xDEADBEEF
NUMBERS = st.integers(0, (1 << 63) - 1)
ENTITIES = st.lists(
    st.tuples(st.text(max_size=9), st.binary(max_size=9), st.none() | st.binary(max_size=20)),
    max_size=3,
)
GROUPS = st.tuples(
    st.dictionaries(NUMBERS, st.binary(max_size=40), max_size=5),
    st.lists(NUMBERS, max_size=4),
    st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3),
    ENTITIES,
)


def frame(number, group, flags=0, salt=SALT):
    return b"".join(segments.encode(salt, number, *group, flags=flags)[0])


def segment(*frames):
    return segments.head_of(1, SALT) + b"".join(frames)


def walked(data):
    return list(segments.walk(data, SALT))


@settings(max_examples=100, deadline=None)
@given(st.lists(GROUPS, max_size=3))
def test_what_is_encoded_is_walked_frame_by_frame(groups):
    frames = [frame(number, group) for number, group in enumerate(groups)]
    data = segment(*frames) + bytes(100)
    found = walked(data)
    assert [each.end - each.at for each in found] == list(map(len, frames))
    for each, (number, group) in zip(found, enumerate(groups), strict=True):
        rows, gone, ranges, entities = group
        assert each.group == number
        values = [data[at : at + size] for at, size in zip(each.offsets, each.sizes, strict=True)]
        assert dict(zip(each.numbers, values, strict=True)) == rows
        assert list(each.crcs) == list(map(google_crc32c.value, values))
        assert (list(each.gone), each.ranges, each.entities) == (gone, ranges, entities)


RUNS = st.tuples(
    st.integers(1, 9), st.sampled_from((1, 5, 600, 9000)), st.integers(0, 3), st.binary(max_size=3)
)


def runs_of(said):
    """Some as they came of a client, with a few bytes between two, and others copied together."""
    first = 1 << 62
    for count, size, between, around in said:
        numbers = range(first, first + count)
        contents = [bytes((65 + number % 26,)) * size for number in numbers]
        before, after = b"b" + around, around + b"a"
        if between:
            some = max(1, count // 2)
            read = [(b"-" * between).join(contents[at : at + some]) for at in range(0, count, some)]
            pieces = [memoryview(b"head" + each + b"more")[4:-4] for each in read]
            yield Run(numbers, before, after, size, size + between, pieces)
        else:
            yield run_of(numbers, contents, before, after)
        first += count


@settings(max_examples=100, deadline=None)
@given(GROUPS, st.lists(RUNS, max_size=2))
def test_runs_are_read_as_the_rows_that_they_stand_for(group, said):
    assume(max(group[0], default=0) < 1 << 62)
    runs = list(runs_of(said))
    pieces, sizes = segments.encode(SALT, 7, *group, runs=runs)
    data = segment(*pieces)
    (found,) = walked(data)
    assert list(sizes) == list(map(len, group[0].values()))
    assert (list(found.numbers), found.end) == (list(group[0]), len(data))
    values = [data[at : at + size] for at, size in zip(found.offsets, found.sizes, strict=True)]
    assert values == list(group[0].values())
    assert (list(found.gone), found.ranges, found.entities) == group[1:]
    there = {}
    for piece in found.pieces:
        assert google_crc32c.value(data[piece.at : piece.end]) == piece.crc
        assert {len(value) for value in piece.values(data)} == {piece.each}
        there |= zip(piece.numbers, piece.values(data), strict=True)
    assert there == {number: value for run in runs for number, value in run.rows().items()}
    assert sum(run.size for run in runs) == sum(map(len, there.values()))
    assert segments.size_at(data[HEAD : HEAD + 64], SALT) == len(data) - HEAD
    assert segments.is_whole(data)


def test_what_was_read_at_once_has_a_checksum_for_some_kilobytes_each():
    contents = [bytes((number,)) * 1000 for number in range(100)]
    read = memoryview(b"--".join(contents))
    run = Run(range(100), b"<", b">", 1000, 1002, [read])
    (found,) = walked(segment(*segments.encode(SALT, 1, {}, runs=[run])[0]))
    assert [piece.count for piece in found.pieces] == [32, 32, 32, 4]
    assert [piece.first for piece in found.pieces] == [0, 32, 64, 96]


@settings(max_examples=60, deadline=None)
@given(GROUPS, st.data())
def test_no_part_of_a_frame_reads_as_a_frame(group, draw):
    whole = frame(1, group)
    cut = draw.draw(st.integers(0, len(whole) - 1))
    found = walked(segment(whole[:cut]))
    sizes = sum(map(len, group[0].values()))
    assert not [each for each in found if isinstance(each, Frame)], "a prefix"
    if cut:
        assert found == [Broken(HEAD, HEAD + cut, last=True)]
    at = draw.draw(st.integers(0, len(whole) - sizes - 1))
    wrong = bytearray(whole)
    wrong[at] ^= draw.draw(st.integers(1, 255))
    assert walked(segment(bytes(wrong))) == [Broken(HEAD, HEAD + len(whole), last=True)]


def test_what_is_broken_ends_where_the_next_frame_begins():
    one, other = frame(1, ({5: b"five"}, [], [], [])), frame(2, ({6: b"six"}, [], [], []))
    wrong = bytearray(one)
    wrong[10] ^= 1
    broken, found = walked(segment(bytes(wrong), other))
    assert broken == Broken(HEAD, HEAD + len(one), last=False)
    assert (found.group, found.at) == (2, HEAD + len(one))


def test_a_frame_in_a_client_s_message_is_none_of_the_segment():
    """Who knows the format does not know the salt."""
    planted = frame(9, ({1: b"planted"}, [], [], []), salt=SALT + 1)
    data = segment(frame(1, ({5: planted}, [], [], [])))
    assert [each.group for each in walked(data)] == [1]
    torn = data[:HEAD] + b"x" + data[HEAD + 1 :]
    assert walked(torn) == [Broken(HEAD, len(data), last=True)]


def test_flags_are_kept():
    assert walked(segment(frame(0, ({}, [], [], []), CLEAN)))[0].flags == CLEAN


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (segments.head_of(7, SALT, 1 << 31), (VERSION, SALT, 1 << 31, 7)),
        (segments.head_of(7, SALT, 5, 9), (9, SALT, 5, 7)),
        (segments.head_of(7, SALT, 0, 3), (3, SALT, None, 7)),
        (segments.head_of(7, SALT)[:-1], None),
        (segments.head_of(7, SALT).replace(b"seg", b"gif"), None),
        (bytes(HEAD), None),
        (b"", None),
    ],
)
def test_a_head_says_version_salt_number_and_the_size_of_the_segment_before(data, found):
    assert segments.read_head(data) == found


def test_a_head_of_the_third_format_is_read_and_one_of_this_is_refused_by_its_program():
    """Both as the program of the time had them."""
    third = struct.Struct("<8sHxxQI")
    head = third.pack(b"MFDGseg\n", 3, 7, SALT)
    data = (head + crc32(head).to_bytes(4, "little")).ljust(HEAD, b"\0")
    assert segments.head_of(7, SALT, 0, 3) == data
    assert segments.read_head(data) == (3, SALT, None, 7)
    now = segments.head_of(7, SALT, 1 << 31)
    assert crc32(now[: third.size]) == int.from_bytes(now[third.size : third.size + 4], "little")
    assert third.unpack(now[: third.size])[:2] == (b"MFDGseg\n", VERSION)


def test_the_size_of_a_frame_is_known_from_its_head_alone():
    whole = frame(1, ({5: b"five" * 100, 6: b""}, [1], [(1, 2)], [("queue", b"q", b"v")]))
    assert segments.size_at(whole[:64], SALT) == len(whole)
    assert segments.size_at(whole[:20], SALT) == 0
    assert segments.size_at(b"x" * 100, SALT) == 0


def test_the_bytes_of_a_frame_are_these():
    """Any change of them is a new VERSION."""
    first = (5 << 40) + 6
    (data,), sizes = segments.encode(
        1,
        2,
        {(3 << 40) + 4: b"value"},
        [5],
        [(6, 7)],
        [("kind", b"name", None)],
        synced=1 << 32 | 32,
        runs=[Run(range(first, first + 3), b"<", b">", 2, 3, [b"aa-bb", b"cc"])],
    )
    assert list(sizes) == [5]
    assert data.hex(" ", -4) == (
        "4d466772 00000000 01000000 01000000 01000000 02000000 0e000000 10000000 "
        "00000000 02000000 00000000 20000000 01000000 f502c329 62d0d315 bbe8b02c "
        "04000000 00030000 05000000 6303e0e1 05000000 00000000 06000000 00000000 "
        "07000000 00000000 06000000 00050000 02000000 01000000 01000000 02000000 "
        "03000000 a5d6f4cd 08000000 00050000 01000000 01000000 01000000 02000000 "
        "03000000 211fab45 9193a46b 696e64c4 046e616d 65c07661 6c75653c 3e61612d "
        "62623c3e 6363"
    )


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.binary(max_size=2000), st.integers(0, 3), st.lists(NUMBERS, max_size=3))
def test_one_row_alone_has_the_same_bytes_by_the_short_way(number, value, flags, gone):
    whole, _ = segments.encode(SALT, 7, {number: value}, gone, flags=flags, synced=99)
    short = b"".join(segments.encode_row(SALT, 7, number, value, flags, 99, gone))
    assert short == b"".join(whole)
    assert len(short) == segments.ROW + len(value) + segments.NUMBER * len(gone)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(NUMBERS, st.lists(st.binary(max_size=900), min_size=1, max_size=4), max_size=4),
    st.sets(NUMBERS),
)
def test_values_in_parts_are_written_as_they_would_be_in_one_piece(rows, whole):
    joined = {number: b"".join(pieces) for number, pieces in rows.items()}
    given_rows = {
        number: value
        if number in whole
        else Parts([*map(memoryview, rows[number])], len(value), segments.checksum(value))
        for number, value in joined.items()
    }
    data, sizes = segments.encode(SALT, 1, joined)
    in_parts, sizes_in_parts = segments.encode(SALT, 1, given_rows)
    assert b"".join(in_parts) == b"".join(data)
    assert sizes_in_parts == sizes
    for number, value in given_rows.items():
        short = segments.encode_row(SALT, 7, number, value)
        assert b"".join(short) == b"".join(segments.encode_row(SALT, 7, number, joined[number]))


def test_a_frame_of_the_fourth_format_is_read():
    """As a program of the time wrote it."""
    data = bytes.fromhex(
        "4d466772 00000000 01000000 01000000 01000000 0e000000 05000000 00000000 "
        "02000000 00000000 20000000 01000000 4bf8e062 62d0d315 3deb4cf7 "
        "04000000 00030000 05000000 6303e0e1 05000000 00000000 06000000 00000000 "
        "07000000 00000000 "
        "9193a46b 696e64c4 046e616d 65c07661 6c7565"
    )
    for version in (3, 4):
        (found,) = segments.walk(bytes(HEAD) + data, 1, version=version)
        assert isinstance(found, Frame)
        assert (found.group, found.synced, found.ranges) == (2, 1 << 32 | 32, [(6, 7)])
        assert (list(found.numbers), list(found.gone)) == ([(3 << 40) + 4], [5])
        assert (found.entities, found.pieces) == ([("kind", b"name", None)], [])
        assert list(found.crcs) == [segments.crc_of(version)(b"value")]
        assert segments.size_at(data, 1, version=version) == len(data)
    assert isinstance(next(segments.walk(bytes(HEAD) + data, 1)), Broken)


def test_a_frame_of_the_second_format_is_read():
    """As a program of the time wrote it."""
    data = bytes.fromhex(
        "4d466772 00000000 01000000 01000000 01000000 0e000000 05000000 00000000 "
        "02000000 00000000 5c0d4f85 0f449f20 7734b598 "
        "04000000 00030000 05000000 3458771d 05000000 00000000 06000000 00000000 "
        "07000000 00000000 "
        "9193a46b 696e64c4 046e616d 65c07661 6c7565"
    )
    (found,) = segments.walk(bytes(HEAD) + data, 1, version=2)
    assert isinstance(found, Frame)
    assert (found.group, found.synced, found.ranges) == (2, None, [(6, 7)])
    assert (list(found.numbers), list(found.gone)) == ([(3 << 40) + 4], [5])
    assert found.entities == [("kind", b"name", None)]
    assert list(found.crcs) == [segments.crc_of(2)(b"value")]
    assert segments.size_at(data, 1, version=2) == len(data)
    assert isinstance(next(segments.walk(bytes(HEAD) + data, 1)), Broken)


def test_large_values_are_not_copied():
    large, small = b"l" * 9_000, b"s" * 400
    pieces, sizes = segments.encode(SALT, 1, {1: large, 2: small})
    assert [each is value for each, value in zip(pieces[1:], (large, small), strict=True)]
    assert list(sizes) == [9_000, 400]
    assert len(segments.encode(SALT, 1, {1: small, 2: small})[0]) == 1
    (found,) = walked(segment(*pieces))
    assert list(found.sizes) == [9_000, 400]
