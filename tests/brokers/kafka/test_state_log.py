"""Partition logs: offsets, bounds, positions, and what may enter."""

from contextlib import suppress
from random import Random

import pytest
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.kafka.codes import Compression, ErrorCode
from mockforge_brokers.kafka.records import (
    HEADER_SIZE,
    Record,
    build_batch,
    read_batch_header,
    read_records,
)
from mockforge_brokers.kafka.scattered import Scattered, crc32c
from mockforge_brokers.kafka.state.logs.log import PartitionLog
from mockforge_brokers.kafka.state.logs.transactions import Marker

from .batching import batch as undecodable
from .refusals import refused

START = 1_700_000_000_000


def log_of(max_bytes=1 << 26):
    return PartitionLog("t", 0, max_bytes=max_bytes, max_batch_bytes=1 << 20)


def batch(count=1, *, size=10, time=START, **more):
    records = [Record(0, time + n, b"k%d" % n, b"v" * size) for n in range(count)]
    return build_batch(records, **more)


def test_batches_get_their_offsets_and_epoch_and_keep_their_crc():
    log = log_of()
    assert [log.append(batch(3)).base_offset for _ in range(3)] == [0, 3, 6]
    stored = log.read(3, 1).batches[0]
    header = read_batch_header(stored)
    assert (header.base_offset, header.partition_leader_epoch) == (3, 0)
    assert [record.offset for record in read_records(stored)] == [3, 4, 5]
    assert log.high_watermark == 9


def test_fetch_in_the_midst_of_a_batch_returns_the_whole_batch():
    log = log_of()
    log.append(batch(10))
    span = log.read(7, 1 << 20)
    assert read_batch_header(span.batches[0]).base_offset == 0
    assert span.next_offset == 10


def test_first_batch_is_returned_even_if_it_is_too_large():
    log = log_of()
    log.append(batch(size=1000))
    assert len(log.read(0, 10).batches) == 1
    assert log.read(0, 10, at_least_one=False).batches == []


def test_read_stops_at_its_bytes_and_says_where_to_go_on():
    log = log_of()
    for _ in range(10):
        log.append(batch())
    size = len(batch())
    span = log.read(2, 3 * size)
    assert (len(span.batches), span.size, span.next_offset) == (3, 3 * size, 5)


def test_reads_cross_segments():
    log = log_of(max_bytes=64 * 1024)
    for _ in range(100):
        log.append(batch(size=1000))
    assert log.drop_oldest_segment() == log.log_start_offset > 0
    span = log.read(log.log_start_offset, 1 << 26)
    offsets = [read_batch_header(one).base_offset for one in span.batches]
    assert offsets == list(range(log.log_start_offset, 100))


@pytest.mark.parametrize("offset", [-1, 4])
def test_offsets_out_of_range_are_refused(offset):
    log = log_of()
    log.append(batch(3))
    log.check_offset(3)
    with refused(ErrorCode.OFFSET_OUT_OF_RANGE):
        log.check_offset(offset)


def test_truncation_moves_the_start_and_frees_whole_segments():
    log = log_of(max_bytes=64 * 1024)
    for _ in range(50):
        log.append(batch(size=1000))
    before = log.cost
    assert log.truncate_before(20) == 20
    assert 0 < log.cost < before
    assert log.truncate_before(50) == 30
    assert (log.log_start_offset, log.cost) == (50, 0)
    assert log.append(batch()).base_offset == 50


def test_offsets_by_time():
    log = log_of()
    for second in range(5):
        log.append(batch(2, time=START + 1000 * second))
    assert log.offset_at(START + 2000)[:2] == (4, START + 2000)
    assert log.offset_at(START + 2001)[:2] == (5, START + 2001)
    assert log.offset_at(START + 9000).offset == -1
    assert log.offset_of_max_timestamp()[:2] == (9, START + 4001)


def test_offsets_by_time_in_compressed_batches():
    log = log_of()
    log.append(batch(100, compression=Compression.ZSTD))
    assert log.offset_at(START + 42).offset == 42


def test_damaged_batch_is_refused_as_corrupt():
    damaged = bytearray(batch())
    damaged[-1] ^= 1
    with refused(ErrorCode.CORRUPT_MESSAGE):
        log_of().append(bytes(damaged))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.INVALID_RECORD),
        (batch()[:-1], ErrorCode.INVALID_RECORD),
        (batch()[:60], ErrorCode.INVALID_RECORD),
        (batch()[:11], ErrorCode.INVALID_RECORD),
        (batch()[:8] + bytes(4), ErrorCode.CORRUPT_MESSAGE),
        (batch()[:8] + b"\xff" * 4 + batch()[12:], ErrorCode.CORRUPT_MESSAGE),
        (batch()[:16] + b"\3" + batch()[17:], ErrorCode.CORRUPT_MESSAGE),
        (batch() + batch(), ErrorCode.INVALID_RECORD),
        (batch()[:16] + b"\1" + batch()[17:], ErrorCode.INVALID_RECORD),
        (batch(control=True), ErrorCode.INVALID_RECORD),
        (batch(size=1 << 20), ErrorCode.MESSAGE_TOO_LARGE),
        (batch(producer_id=1), ErrorCode.INVALID_RECORD),
    ],
    ids=[
        *("empty", "cut", "cut-header", "cut-length", "no-length", "length-below-0", "newer"),
        *("two", "old", "control", "large", "no-sequence"),
    ],
)
def test_what_may_not_enter_is_refused_with_its_code(data, code):
    log = log_of()
    with refused(code):
        log.append(data)
    assert log.high_watermark == 0


def _with_length(length):
    return batch()[:8] + length.to_bytes(4, "big", signed=True) + batch()[12:]


def _with_magic(magic):
    return batch()[:16] + bytes((magic,)) + batch()[17:]


BEHIND = {
    "a byte": (b"x", None),
    "less than a length": (bytes(11), None),
    "a length and no format": (b"x" * 16, None),
    "the head of a batch": (batch()[:60], None),
    "an old batch cut short": (_with_magic(0)[:30], None),
    "a batch cut short": (batch()[:-1], None),
    "a length of nothing": (bytes(12), ErrorCode.CORRUPT_MESSAGE),
    "zeros": (bytes(100), ErrorCode.CORRUPT_MESSAGE),
    "text": (b"x" * 20, ErrorCode.CORRUPT_MESSAGE),
    "a length below nothing": (_with_length(-5), ErrorCode.CORRUPT_MESSAGE),
    "a length of less": (_with_length(5), ErrorCode.CORRUPT_MESSAGE),
    "a format of the future": (_with_magic(9), ErrorCode.CORRUPT_MESSAGE),
    "a format of the future cut short": (_with_magic(9)[:30], ErrorCode.CORRUPT_MESSAGE),
    "a batch": (batch(), ErrorCode.INVALID_RECORD),
    "a batch and a byte": (batch() + b"x", ErrorCode.INVALID_RECORD),
    "an old batch": (_with_magic(1), ErrorCode.INVALID_RECORD),
    "the shortest batch": (_with_length(14), ErrorCode.INVALID_RECORD),
}
"""What Apache Kafka 4.4 said of what comes behind a batch; with None it keeps the batch alone."""


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize(("behind", "code"), BEHIND.values(), ids=BEHIND)
def test_what_is_no_batch_behind_one_is_left_out(behind, code, pieces):
    log, data = log_of(), batch() + behind
    came = Scattered([data[:61], data[61:]]) if pieces else data
    if code:
        with refused(code):
            log.append(came)
    else:
        log.append(came)
    kept = b"" if code else batch()
    assert b"".join(map(bytes, log.read(0, 1 << 20).batches))[17:] == kept[17:]
    assert (log.high_watermark, log.bytes_in) == (0 if code else 1, len(kept))


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 200])
def test_a_batch_in_pieces_is_kept_so_until_it_is_looked_into(count):
    log, data = log_of(), batch(size=1000)
    step = -(-(len(data) - 61) // count)
    body = [data[at : at + step] for at in range(61, len(data), step)]
    log.append(batch())
    log.append(Scattered([data[:61], *body]))
    log.append(batch())
    (kept,) = log.read(1, 1).batches
    # Very many small ones would cost more than they spare.
    assert isinstance(kept, Scattered) == (len(body) < 8)
    placed = (1).to_bytes(8, "big") + data[8:12] + bytes(4) + data[16:]
    assert bytes(kept) == placed
    assert log.size == log.bytes_in == 2 * len(batch()) + len(data)
    assert list(log.batches(1, 1)) == [placed] == log.read(1, 1).batches
    assert [len(one) for one in log.dump().batches] == [len(batch()), len(data), len(batch())]


def test_a_damaged_batch_is_corrupt_whatever_is_behind_it():
    damaged = bytearray(batch())
    damaged[-1] ^= 1
    with refused(ErrorCode.CORRUPT_MESSAGE):
        log_of().append(bytes(damaged) + b"x")


def sealed(made, at, *changed):
    """`made` with other bytes from `at` on, and the CRC that fits them."""
    whole = bytearray(made)
    whole[at : at + len(changed)] = bytes(changed)
    whole[17:21] = crc32c(bytes(whole[21:])).to_bytes(4, "big")
    return bytes(whole)


PLAIN = {
    "one record": (batch(), True),
    "compressed": (batch(300, compression=Compression.LZ4), True),
    "as large as may be": (batch(size=(1 << 20) - len(batch()) + 5), True),
    "empty": (b"", False),
    "a header cut short": (batch()[:60], False),
    "cut short": (batch()[:-1], False),
    "two": (batch() * 2, False),
    "too large": (batch(size=1 << 20), False),
    "an old format": (batch()[:16] + b"\1" + batch()[17:], False),
    "damaged": (batch()[:-1] + b"x", False),
    "a control batch": (batch(control=True), False),
    "no known codec": (sealed(batch(), 21, 0, 5), False),
    "the broker's time": (sealed(batch(), 21, 0, 8), False),
    "attributes below zero": (sealed(batch(), 21, 128, 0), False),
    "no records": (sealed(batch(), 57, 0, 0, 0, 0), False),
    "none, said twice": (sealed(sealed(batch(), 57, 0, 0, 0, 0), 23, *[255] * 4), False),
    "another last offset": (sealed(batch(), 23, 0, 0, 0, 1), False),
    "of a producer that is not known": (batch(producer_id=1, base_sequence=0), False),
    "transactional without a producer": (batch(transactional=True), False),
    "of a time that a policy looks at": (batch(time=START + 1_000_000), False),
}


@pytest.mark.parametrize("pieces", [1, 2, 9])
@pytest.mark.parametrize(("data", "plain"), PLAIN.values(), ids=PLAIN)
def test_a_plain_batch_is_appended_as_any_other_and_of_others_nothing_is_done(data, plain, pieces):
    if pieces > 1 and len(data) <= HEADER_SIZE:
        pytest.skip("what has no records is in one piece")
    logs = log_of(), log_of()
    step = -(-(len(data) - HEADER_SIZE) // max(1, pieces - 1))
    body = [memoryview(data)[at : at + step] for at in range(HEADER_SIZE, len(data), step or 1)]
    came = data if pieces == 1 else Scattered([data[:HEADER_SIZE], *body])
    heard = []
    for log in logs:
        log.append(batch(7))
        log.undisputed_until = START + 500_000
        log.watchlist.add(log, heard.append)
    before = logs[0].dump()
    assert logs[0].append_plain(came) == (7 if plain else -1)
    if not plain:
        assert (logs[0].dump(), heard) == (before, [])
        return
    assert logs[1].append(data).base_offset == 7
    assert logs[0].dump() == logs[1].dump()
    assert heard == [len(data)] * 2
    counted = [(log.records_in, log.bytes_in, log.cost, log.size) for log in logs]
    assert counted[0] == counted[1]


def begun(log, header):
    """Every third producer may not begin a transaction."""
    if header.producer_id == 3:
        raise RequestRefused(ErrorCode.INVALID_TXN_STATE, "not added")


def outcome(log, data, begin, *, plainly):
    base_offset = log.append_plain(data, begin) if plainly else -1
    if base_offset >= 0:
        return base_offset
    try:
        return log.append(data, begin)[:3:2]
    except RequestRefused as refusal:
        return refusal.code, refusal.text


def test_producers_and_transactions_go_on_plainly_as_they_do_otherwise():
    """By chance: what is next, what is not, in a transaction, outside of one, and ended by one."""
    random, plain = Random(1), 0
    for _ in range(60):
        logs = log_of(), log_of()
        following = dict.fromkeys(range(1, 4), 0)
        for _ in range(60):
            producer = random.randrange(1, 4)
            if random.random() < 0.1:
                marker = Marker(producer, random.randrange(2), random.random() < 0.5)
                for log in logs:
                    with suppress(RequestRefused):
                        log.append_marker(marker, START)
                following[producer] = random.choice((0, following[producer]))
                continue
            count = random.randrange(1, 4)
            odd = random.choice((0, 0, 0, 0, 1, -1))
            data = batch(
                count,
                producer_id=random.choice((producer, producer, producer, -1)),
                producer_epoch=int(random.random() < 0.1),
                base_sequence=max(0, following[producer] + odd),
                transactional=random.random() < 0.5,
            )
            begin = random.choice((begun, begun, None))
            before = logs[0].high_watermark
            one, other = (outcome(log, data, begin, plainly=log is logs[0]) for log in logs)
            assert one == (other[0] if isinstance(one, int) else other)
            assert logs[0].dump() == logs[1].dump()
            plain += isinstance(one, int)
            if logs[0].high_watermark > before:
                following[producer] += count
        counted = [(log.records_in, log.bytes_in, log.cost) for log in logs]
        assert counted[0] == counted[1]
    assert plain > 500


# Idempotent producers (KIP-98).


def produced(log, sequence, count=1, *, producer=7, epoch=0):
    return log.append(
        batch(count, producer_id=producer, producer_epoch=epoch, base_sequence=sequence)
    )


def test_duplicate_of_the_last_five_batches_gets_its_first_offset():
    log = log_of()
    for sequence in range(5):
        produced(log, sequence)
    again = produced(log, 0)
    assert (again.base_offset, again.duplicate, log.high_watermark) == (0, True, 5)


def test_sixth_last_batch_and_gaps_are_out_of_order():
    log = log_of()
    for sequence in range(6):
        produced(log, sequence)
    for sequence in (0, 7):
        with refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER):
            produced(log, sequence)


def test_sequences_wrap_after_the_largest_one():
    log = log_of()
    produced(log, 2**31 - 2, 3)
    assert produced(log, 1).base_offset == 3


def test_newer_epoch_begins_at_zero_and_fences_the_older_one():
    log = log_of()
    produced(log, 0)
    with refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER):
        produced(log, 1, epoch=1)
    produced(log, 0, epoch=1)
    with refused(ErrorCode.INVALID_PRODUCER_EPOCH):
        produced(log, 1, epoch=0)


def test_unknown_producer_may_begin_anywhere():
    assert produced(log_of(), 123).base_offset == 0


def test_who_has_a_transaction_open_is_remembered_however_many_come_after():
    log = log_of()
    begin = lambda log, header: None  # noqa: E731
    who = {"producer_id": 1, "producer_epoch": 3, "transactional": True}
    log.append(batch(base_sequence=0, **who), begin)
    for other in range(2, 1100):
        produced(log, 0, producer=other)
    assert log.producers.epoch_of(1) == 3
    assert len(log.producers) == 1000
    with refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER):
        log.append(batch(base_sequence=5, **who), begin)
    log.append_marker(Marker(1, 3, committed=True), START)
    for other in range(1100, 2200):
        produced(log, 0, producer=other)
    assert 1 not in log.producers


def test_what_a_batch_costs_does_not_grow_with_the_open_transactions_of_others(monkeypatch):
    log = log_of()
    begin = lambda log, header: None  # noqa: E731
    asked = []
    is_busy = log.producers._is_busy
    monkeypatch.setattr(log.producers, "_is_busy", lambda one: asked.append(one) or is_busy(one))
    many = range(1500)
    for sequence in range(3):
        for producer in many:
            who = {"producer_id": producer, "producer_epoch": 0, "base_sequence": sequence}
            log.append(batch(transactional=True, **who), begin)
    assert len(log.producers) == len(many)
    assert len(asked) <= 3 * len(many)
    for producer in many:
        log.append_marker(Marker(producer, 0, committed=True), START)
    for producer in range(2000, 3000):
        produced(log, 0, producer=producer)
    assert len(log.producers) == 1000
    assert all(producer not in log.producers for producer in many)


# Epochs.


@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        # (records, then another leader), and of each epoch what the end of it is.
        ([2, 3, 1], {0: (0, 2), 1: (1, 5), 2: (2, 6), 3: (3, 6), 4: (-1, -1), -1: (-1, -1)}),
        # As LeaderEpochFileCache: a leader that wrote nothing is not remembered.
        ([2, 0, 1], {0: (0, 2), 1: (0, 2), 2: (2, 3), 3: (3, 3)}),
        ([0, 0, 1], {0: (0, 0), 1: (1, 0), 2: (2, 1)}),
    ],
)
def test_the_end_of_each_epoch(steps, asked):
    log = log_of()
    for count in steps:
        for _ in range(count):
            log.append(batch())
        log.begin_epoch()
    assert {epoch: log.end_of_epoch(epoch) for epoch in asked} == asked


def test_epochs_that_left_the_log_end_where_it_begins():
    log = log_of()
    for _ in range(3):
        log.append(batch(2))
        log.begin_epoch()
    assert log.first_epoch == 0
    log.truncate_before(3)
    assert [log.end_of_epoch(epoch) for epoch in (0, 1, 2)] == [(0, 3), (1, 4), (2, 6)]
    assert log.first_epoch == 1
    again = log_of()
    again.restore(log.dump())
    assert again.first_epoch == 1
    assert [again.end_of_epoch(epoch) for epoch in (0, 1, 2)] == [(0, 3), (1, 4), (2, 6)]
    log.truncate_before(6)
    assert log.first_epoch == 3


def test_a_record_found_by_its_time_has_the_epoch_in_which_it_was_written():
    log = log_of()
    log.append(batch(time=START))
    log.begin_epoch()
    log.append(batch(time=START + 10))
    assert log.offset_at(START) == (0, START, 0)
    assert log.offset_at(START + 1) == (1, START + 10, 1)


def test_where_a_batch_cannot_be_decoded_times_are_refused_and_no_connection_ends():
    log = log_of()
    log.append(undecodable(bytes(30)))
    with refused(ErrorCode.UNKNOWN_SERVER_ERROR):
        log.offset_at(1)
