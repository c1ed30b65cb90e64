"""Record batches against bytes from the specification and against aiokafka's codec."""

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.kafka.codes import Compression
from mockforge_brokers.kafka.records import (
    HEADER_SIZE,
    ControlType,
    Record,
    build_batch,
    build_marker,
    check_crc,
    decoded_records,
    place,
    read_batch_header,
    read_control_type,
    read_marker,
    read_records,
    rebuilt,
    split_batches,
)

NOW = 1_700_000_000_000

# One batch of two records at offset 0: a key with a null value and a header; a value without key.
BATCH = bytes.fromhex(
    "0000000000000000 00000047 ffffffff 02 78a04da1 0000 00000001"
    "0000018bcfe56800 0000018bcfe56805 ffffffffffffffff ffff ffffffff 00000002"
    "18 00 00 00 02 6b 01 02 02 68 04 7631"
    "10 00 0a 02 01 04 7676 00"
)
RECORDS = [
    Record(0, NOW, b"k", None, (("h", b"v1"),)),
    Record(1, NOW + 5, None, b"vv"),
]

records = st.lists(
    st.builds(
        Record,
        offset=st.just(0),
        timestamp=st.integers(0, 2**45),
        key=st.none() | st.binary(max_size=200),
        value=st.none() | st.binary(max_size=200),
        headers=st.lists(
            st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=20)), max_size=3
        ).map(tuple),
    ),
    min_size=1,
    max_size=20,
)


def at_their_offsets(items: list[Record]) -> list[Record]:
    return [record._replace(offset=offset) for offset, record in enumerate(items)]


def test_a_batch_is_its_bytes() -> None:
    assert build_batch(RECORDS) == BATCH
    assert list(read_records(BATCH)) == RECORDS


def test_header_tells_what_a_batch_is() -> None:
    header = read_batch_header(BATCH)
    assert (header.size, header.last_offset, header.record_count) == (len(BATCH), 1, 2)
    assert header.compression is Compression.NONE
    assert not header.is_transactional
    assert not header.is_control
    assert not header.has_log_append_time
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (-1, -1, -1)


def test_placing_a_batch_leaves_its_checksum_true() -> None:
    placed = place(BATCH, 2**40, 7)
    header = read_batch_header(placed)
    assert (header.base_offset, header.partition_leader_epoch) == (2**40, 7)
    assert placed[16:] == BATCH[16:]
    assert check_crc(placed, header)
    assert [record.offset for record in read_records(placed)] == [2**40, 2**40 + 1]


@pytest.mark.parametrize("at", range(17, len(BATCH)))
def test_a_flipped_bit_breaks_the_checksum(at: int) -> None:
    damaged = bytearray(BATCH)
    damaged[at] ^= 1
    assert not check_crc(bytes(damaged), read_batch_header(bytes(damaged)))


@pytest.mark.parametrize("compression", Compression)
def test_aiokafka_reads_what_we_build(compression: Compression) -> None:
    made = build_batch(
        RECORDS * 100, compression=compression, producer_id=9, producer_epoch=2, base_sequence=40
    )
    batch = DefaultRecordBatch(made)
    assert batch.validate_crc()
    assert (batch.compression_type, batch.producer_id, batch.base_sequence) == (compression, 9, 40)
    assert [
        (record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
        for record in batch
    ] == [tuple(record) for record in at_their_offsets(RECORDS * 100)]


@pytest.mark.parametrize("compression", Compression)
def test_we_read_what_aiokafka_builds(compression: Compression) -> None:
    builder = DefaultRecordBatchBuilder(2, int(compression), 1, 9, 2, 40, 1 << 20)
    for offset, record in enumerate(RECORDS * 100):
        builder.append(offset, record.timestamp, record.key, record.value, list(record.headers))
    made = bytes(builder.build())
    header = read_batch_header(made)
    assert check_crc(made, header)
    assert header.compression is compression
    assert header.is_transactional
    assert list(read_records(made)) == at_their_offsets(RECORDS * 100)


@given(items=records)
def test_any_records_come_back(items: list[Record]) -> None:
    assert list(read_records(build_batch(items))) == at_their_offsets(items)


@given(items=records, first=st.integers(-2, 22), compression=st.sampled_from(Compression))
def test_a_batch_is_read_from_any_of_its_offsets_on(
    items: list[Record], first: int, compression: Compression
) -> None:
    batch = place(build_batch(items, compression=compression), 1000, 0)
    every = list(read_records(batch))
    assert list(read_records(batch, 1000 + first)) == every[max(0, first) :]


def test_gaps_that_compaction_left_are_passed_by() -> None:
    header = read_batch_header(place(build_batch(RECORDS * 5), 100, 0))
    kept = [RECORDS[0]._replace(offset=offset) for offset in (102, 105, 109)]
    batch = rebuilt(header, kept, None)
    for first in range(99, 111):
        assert list(read_records(batch, first)) == [one for one in kept if one.offset >= first]


@pytest.mark.parametrize("at", range(len(BATCH) - HEADER_SIZE))
def test_a_batch_that_ends_too_soon_is_no_batch_from_any_offset_on(at: int) -> None:
    header = read_batch_header(BATCH)
    for first in (0, 1, 2):
        with pytest.raises(ProtocolError):
            list(decoded_records(header, BATCH[HEADER_SIZE:][:at], first=first))


def test_log_append_time_stands_for_every_records_own() -> None:
    damaged = bytearray(BATCH)
    damaged[22] |= 0x08
    assert [record.timestamp for record in read_records(bytes(damaged))] == [NOW + 5, NOW + 5]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (b"\0\0\0\0", ControlType.ABORT),
        (b"\0\0\0\1", ControlType.COMMIT),
        (b"\0\0\0\5", None),
        (b"\0\0", None),
        (None, None),
    ],
)
def test_control_batches_tell_how_a_transaction_ended(
    key: bytes | None, kind: ControlType | None
) -> None:
    made = build_batch([Record(0, NOW, key, b"")], transactional=True, control=True)
    header = read_batch_header(made)
    assert header.is_control
    assert header.is_transactional
    assert read_control_type(next(read_records(made))) is kind


@given(
    st.booleans(),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**15 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 2**45),
)
def test_a_marker_is_the_batch_of_one_control_record(
    committed: bool, producer_id: int, producer_epoch: int, coordinator_epoch: int, timestamp: int
) -> None:
    made = build_marker(
        producer_id,
        producer_epoch,
        committed=committed,
        coordinator_epoch=coordinator_epoch,
        timestamp=timestamp,
        base_offset=7,
        partition_leader_epoch=3,
    )
    value = b"\0\0" + coordinator_epoch.to_bytes(4, "big", signed=True)
    record = Record(0, timestamp, bytes((0, 0, 0, committed)), value)
    batch = build_batch(
        [record],
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
        control=True,
    )
    assert made == place(batch, 7, 3)
    assert read_marker(made) == (committed, coordinator_epoch)


def test_batches_of_a_fetch_are_split_and_a_cut_one_is_left_out() -> None:
    second = place(BATCH, 2, 0)
    for end in range(len(second)):
        assert [batch for _, batch in split_batches(BATCH + second[:end])] == [BATCH]
    assert [header.base_offset for header, _ in split_batches(BATCH + second)] == [0, 2]
    with pytest.raises(ProtocolError, match="a length of 48"):
        split_batches(BATCH[:8] + (48).to_bytes(4, "big") + BATCH[12:])


@pytest.mark.parametrize("magic", [0, 1, 3])
def test_other_message_formats_are_refused(magic: int) -> None:
    damaged = BATCH[:16] + bytes((magic,)) + BATCH[17:]
    with pytest.raises(ProtocolError, match=f"message format v{magic} is not taken"):
        read_batch_header(damaged)


def test_every_proper_prefix_of_a_batch_is_a_protocol_error() -> None:
    for end in range(len(BATCH)):
        with pytest.raises(ProtocolError, match="record"):
            list(read_records(BATCH[:end]))


def test_an_unknown_compression_is_a_protocol_error() -> None:
    header = read_batch_header(BATCH)._replace(attributes=5)
    with pytest.raises(ProtocolError, match="compression 5 is not known"):
        _ = header.compression


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1a 00 00 00 02 6b 01 02 01 04 7631 0000", "a header without a name"),
        ("0c 00 00 00 01 01 ff01", "-128 headers"),
        ("0c 00 00 00 01 01 fe01", "127 headers"),
        ("0e 00 00 00 01 01 00 00", "its length is 7, its fields take 6"),
        ("0c 00 00 00 01 14 00", "10 bytes, 1 left"),
        ("03 00", "-2 bytes, 1 left"),
        ("ffffffffffffffffffff01", "a varint of more than 10 bytes"),
        ("12 00 00 00 01 01 02 02 ff 01", "'utf-8' codec can't decode"),
        ("12 00 00 00 01 01 02 02 68", "9 bytes, 8 left"),
    ],
)
def test_malformed_records_are_protocol_errors(text: str, reason: str) -> None:
    body = bytes.fromhex(text)
    head = BATCH[:8] + (49 + len(body)).to_bytes(4, "big") + BATCH[12:57] + b"\0\0\0\1"
    with pytest.raises(ProtocolError) as caught:
        list(read_records(head + body))
    assert caught.value.text.startswith(f"record 0 of the batch at offset 0: {reason}")


def test_a_batch_without_records_is_not_built() -> None:
    with pytest.raises(ValueError, match="at least one record"):
        build_batch([])


@pytest.mark.parametrize(
    ("delta", "time"),
    [
        (b"\xfe" + b"\xff" * 8 + b"\x01", -(2**63) + 999),  # the greatest of 64 bits, and over
        (b"\xff" * 9 + b"\x01", -(2**63) + 1000),  # the least
        (b"\x02" + b"", 1001),
        (b"\xfe" + b"\xff" * 8 + b"\x7f", -(2**63) + 999),  # six bits more than a long has
    ],
)
def test_a_records_time_has_64_bits_whatever_its_delta_says(delta, time):
    (record,) = read_records(_one_record(delta, b"\0"))
    assert record.timestamp == time


@pytest.mark.parametrize("delta", [b"\xfe\xff\xff\xff\x1f", b"\xff" * 9 + b"\x01"])
def test_a_record_whose_offset_is_beyond_any_batch_is_malformed(delta):
    with pytest.raises(ProtocolError, match="an offset delta of"):
        list(read_records(_one_record(b"\0", delta)))


def _one_record(time, offset):
    """A batch of one record with these deltas, as they stand there."""
    body = b"\0" + time + offset + b"\x02k\x02v\0"
    good = build_batch([Record(0, 1000, b"k", b"v")])
    whole = good[:61] + bytes([2 * len(body)]) + body
    return whole[:8] + (len(whole) - 12).to_bytes(4, "big") + whole[12:]
