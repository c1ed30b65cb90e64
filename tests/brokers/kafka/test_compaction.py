"""Compaction: what stays, what it looks like to consumers, and when it comes."""

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import Warned
from mockforge_brokers.kafka.codes import Compression
from mockforge_brokers.kafka.events import LogCompacted
from mockforge_brokers.kafka.records import Record, build_batch, read_batch_header, read_records
from mockforge_brokers.kafka.state.logs.compaction import Compaction
from mockforge_brokers.kafka.state.logs.transactions import Marker

from .batching import BODY, batch
from .scene import Scene, fetch

NOW = 1_700_000_000_000
DAY = 86_400.0


class Log:
    """One compacted partition, and what a consumer reads from it."""

    def __init__(self, **config):
        self.scene = Scene(wall=NOW / 1000)
        self.events = []
        self.scene.environment.spine.watch(self.events.append, LogCompacted)
        values = {"cleanup.policy": "compact"} | {
            key.replace("_", "."): value for key, value in config.items()
        }
        self.scene.broker.create_topic("t", 1, values)
        self.log = self.scene.broker.cluster.topics["t"].logs[0]

    def put(self, *pairs, **more):
        now = int(self.scene.clock.wall() * 1000)
        records = [
            Record(0, now, key.encode(), None if value is None else value.encode())
            for key, value in pairs
        ]
        begin = (lambda log, header: None) if more.get("transactional") else None
        self.scene.broker.cluster.append(self.log, build_batch(records, **more), begin=begin)

    def mark(self, producer_id, *, committed):
        self.scene.broker.cluster.append_marker(self.log, Marker(producer_id, 0, committed))

    def compact(self):
        return self.scene.broker.compact_topic("t")

    @property
    def records(self):
        batches = self.log.batches(0, self.log.high_watermark)
        return [
            (record.offset, record.key, record.value)
            for batch in batches
            for record in read_records(batch)
        ]


def test_the_newest_record_of_each_key_stays_at_its_offset():
    log = Log()
    log.put(("a", "1"), ("b", "1"))
    log.put(("a", "2"))
    log.put(("c", "1"), ("b", "2"))
    assert log.compact() == 2
    assert log.records == [(2, b"a", b"2"), (3, b"c", b"1"), (4, b"b", b"2")]
    assert (log.log.log_start_offset, log.log.high_watermark) == (0, 5)
    assert log.log.records == 3
    (event,) = log.events
    assert (event.topic, event.removed, event.left) == ("t", 2, 3)
    assert log.compact() == 0


@pytest.mark.parametrize("codec", list(Compression))
def test_what_stays_keeps_batch_codec_times_and_headers(codec):
    log = Log()
    now = NOW - 5
    kept = Record(1, now + 2, b"b", b"2", (("h", b"1"), ("h", None)))
    batch = build_batch(
        [Record(0, now, b"a", b"1"), kept], compression=codec, producer_id=7, producer_epoch=0,
        base_sequence=0,
    )  # fmt: skip
    log.scene.broker.cluster.append(log.log, batch)
    log.put(("a", "2"))
    log.compact()
    stored = next(log.log.batches(0, 1))
    assert list(read_records(stored)) == [kept]


def test_consumers_read_over_the_gaps():
    log = Log()
    for number in range(6):
        log.put(("a", str(number)))
    log.put(("b", "1"))
    log.compact()
    for offset in range(6):
        partition = log.scene.call(fetch("t", offset, size=1), 12).responses[0].partitions[0]
        (record,) = read_records(bytes(partition.records))
        assert record.offset == 5
    assert log.scene.broker.read("t", 0, 0, 10)[0].offset == 5


def test_the_next_offset_of_a_consumer_is_the_end_where_the_end_was_compacted():
    log = Log()
    log.put(("a", "1"))
    log.put(("a", None))
    log.compact()
    log.scene.clock.advance(2 * DAY)
    assert log.compact() == 1
    assert log.records == []
    (last,) = log.log.read(0, 1).batches
    assert log.log.read(0, 1).next_offset == 2
    assert not list(read_records(last))


def test_a_tombstone_stays_for_its_time_after_the_compaction_that_met_it():
    log = Log(delete_retention_ms="1000")
    log.put(("a", "1"), ("b", "1"))
    log.put(("a", None))
    log.put(("c", "1"))
    log.scene.clock.advance(100)
    assert log.compact() == 1
    assert (2, b"a", None) in log.records
    assert log.compact() == 0
    log.scene.clock.advance(0.999)
    assert log.compact() == 0
    log.scene.clock.advance(0.001)
    assert log.compact() == 1
    assert [offset for offset, _, _ in log.records] == [1, 3]


def test_records_of_aborted_transactions_leave_and_their_markers_later():
    log = Log(delete_retention_ms="1000")
    log.put(("a", "old"))
    log.put(("a", "aborted"), transactional=True, producer_id=7, producer_epoch=0, base_sequence=0)
    log.mark(7, committed=False)
    log.put(("b", "1"), transactional=True, producer_id=8, producer_epoch=0, base_sequence=0)
    log.mark(8, committed=True)
    log.put(("b", "2"))
    log.compact()
    markers = [(2, b"\0\0\0\0"), (4, b"\0\0\0\1")]
    data = [(0, b"a"), (5, b"b")]
    assert sorted(one[:2] for one in log.records) == sorted(data + markers)
    # The last batch of a producer stays, without records: its next sequence is read off there.
    log.compact()
    log.scene.clock.advance(2)
    log.compact()
    assert {offset for offset, _, _ in log.records} >= {0, 5}


def test_what_is_not_stable_is_not_compacted():
    log = Log()
    log.put(("a", "1"))
    log.put(("x", "1"), transactional=True, producer_id=7, producer_epoch=0, base_sequence=0)
    log.put(("a", "2"))
    assert log.compact() == 0
    log.mark(7, committed=True)
    assert log.compact() == 1


def test_young_records_are_left_alone():
    log = Log(min_compaction_lag_ms="5000")
    log.put(("a", "1"))
    log.put(("a", "2"))
    log.scene.clock.advance(4)
    log.put(("a", "3"))
    assert log.compact() == 0
    log.scene.clock.advance(2)
    assert log.compact() == 1
    assert [offset for offset, _, _ in log.records] == [1, 2]


def test_the_cleaner_looks_every_15_seconds_and_spares_the_segment_being_written():
    log = Log(segment_ms="10000")
    log.put(("a", "1"), ("a", "2"))
    log.scene.clock.advance(20)
    assert len(log.records) == 2, "one segment, which is the active one"
    log.put(("a", "3"))
    log.scene.clock.advance(15)
    assert [offset for offset, _, _ in log.records] == [1, 2]
    assert len(log.events) == 1


def test_a_round_that_fails_is_not_the_last_one(monkeypatch):
    log = Log(segment_ms="10000")
    log.put(("a", "1"), ("a", "2"))

    def broken(self):
        raise RuntimeError("a bug")
        yield

    log.scene.clock.advance(12)
    log.put(("a", "3"))
    with monkeypatch.context() as patched:
        patched.setattr("mockforge_brokers.kafka.state.logs.compaction.Compaction.steps", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            log.scene.clock.advance(15)
    assert len(log.records) == 3
    log.scene.clock.advance(15)
    assert [offset for offset, _, _ in log.records] == [1, 2]


def test_a_log_that_fails_does_not_keep_the_others_from_being_compacted(monkeypatch):
    log = Log(segment_ms="10000")
    values = {"cleanup.policy": "compact", "segment.ms": "10000"}
    log.scene.broker.create_topic("behind", 1, values)
    first, log.log = log.log, log.scene.broker.cluster.topics["behind"].logs[0]
    steps = Compaction.steps

    def broken(self):
        if self._log is first:
            raise RuntimeError("a bug")
        yield from steps(self)

    monkeypatch.setattr(Compaction, "steps", broken)
    for each in (log.log, first):
        log.log = each
        log.put(("a", "1"), ("a", "2"))
    log.scene.clock.advance(12)
    for each in (first, log.scene.broker.cluster.topics["behind"].logs[0]):
        log.log = each
        log.put(("a", "3"))
    with pytest.raises(RuntimeError, match="a bug"):
        log.scene.clock.advance(15)
    assert [offset for offset, _, _ in log.records] == [1, 2]


def test_the_cleaner_waits_for_the_dirty_ratio_or_the_greatest_lag():
    log = Log(segment_ms="1000", min_cleanable_dirty_ratio="1.0", max_compaction_lag_ms="60000")
    for number in range(4):
        log.put(("a", str(number)))
        log.scene.clock.advance(2)
    log.scene.clock.advance(30)
    assert len(log.records) == 4
    log.scene.clock.advance(60)
    assert [offset for offset, _, _ in log.records] == [2, 3]


def test_compaction_comes_on_as_soon_as_it_is_configured_and_ends_with_it():
    log = Log(cleanup_policy="delete", segment_ms="1000")
    for number in range(3):
        log.put(("a", str(number)))
        log.scene.clock.advance(2)
    with pytest.raises(InvalidInput, match="set cleanup"):
        log.compact()
    log.scene.broker.configure_topic("t", "cleanup.policy", "compact")
    log.scene.clock.advance(15)
    assert len(log.records) == 2


def test_only_what_is_deleted_by_policy_grows_too_old():
    log = Log(retention_ms="1000", segment_ms="1000")
    log.put(("a", "1"))
    log.scene.clock.advance(900)
    assert len(log.records) == 1
    log.scene.broker.configure_topic("t", "cleanup.policy", "compact,delete")
    log.scene.clock.advance(300)
    assert log.records == []


def test_a_restart_keeps_the_gaps():
    log = Log()
    for number in range(3):
        log.put(("a", str(number)), ("b", "1"))
    log.compact()
    before, cost = log.records, log.scene.broker.cluster.bounds.cost
    log.scene.broker.restart()
    log.log = log.scene.broker.cluster.topics["t"].logs[0]
    assert log.records == before
    assert log.log.records == 2
    assert log.scene.broker.cluster.bounds.cost == cost
    assert log.log.read(0, 1).batches


def test_what_compaction_frees_is_counted():
    log = Log()
    for number in range(50):
        log.put(("a", str(number)))
    before = log.log.cost
    log.compact()
    assert log.log.cost < before / 10
    assert log.scene.broker.cluster.bounds.cost == log.log.cost


def test_an_abort_whose_marker_left_hides_nothing_that_came_later():
    log = Log(delete_retention_ms="0")
    log.put(("a", "0"), transactional=True, producer_id=7, producer_epoch=0, base_sequence=0)
    log.mark(7, committed=False)
    log.put(("b", "1"), transactional=True, producer_id=7, producer_epoch=0, base_sequence=1)
    log.mark(7, committed=True)
    log.put(("c", "1"))
    for _ in range(3):
        log.compact()
    # Of a marker that is gone a consumer would never hear: it would drop all of this producer's.
    markers = [offset for offset, key, _ in log.records if key == b"\0\0\0\0"]
    request = fetch("t", 0)
    request.isolation_level = 1
    partition = log.scene.call(request, 12).responses[0].partitions[0]
    assert len(partition.aborted_transactions) == len(markers) == 0
    assert (2, b"b", b"1") in log.records


def test_a_batch_that_cannot_be_decoded_stays_and_keeps_no_other_from_being_compacted():
    log = Log(cleanup_policy="delete", segment_ms="1000")
    warned = []
    log.scene.environment.spine.watch(warned.append, Warned)
    log.put(("a", "1"))
    log.log.append(batch(BODY, count=4))
    log.put(("a", "2"))
    log.scene.broker.create_topic("u", 1, {"cleanup.policy": "compact", "segment.ms": "1000"})
    log.scene.broker.configure_topic("t", "cleanup.policy", "compact")
    for number in range(3):
        log.scene.broker.publish("u", b"%d" % number, key=b"k")
        log.scene.clock.advance(2)
    log.put(("b", "1"))
    log.scene.clock.advance(15)
    (other,) = log.scene.broker.cluster.topics["u"].logs
    assert other.records == 2, "those of other logs"
    assert [read_batch_header(one).base_offset for one in log.log.batches(0, 6)] == [1, 5, 6]
    (warning,) = warned
    assert (warning.about, warning.text) == (
        "topic t/0",
        "1 batch cannot be decoded and not compacted",
    )


def test_records_of_whole_segments_that_left_are_not_counted():
    log = Log()
    log.log.segment_bytes = 1024
    for number in range(100):
        log.put(("a", str(number)))
    log.put(("b", "1"))
    assert log.compact() == 99
    assert log.log.records == len(log.records) == 2
    log.scene.broker.restart()
    assert log.scene.broker.cluster.topics["t"].records == 2


def test_a_round_looks_at_one_segment_after_the_other_and_lets_others_work_between(monkeypatch):
    log = Log(segment_ms="1000")
    log.log.segment_bytes = 4096
    for number in range(400):
        log.put(("a", str(number)))
    log.scene.clock.advance(2)
    log.put(("b", "1"))
    looked_at, runs = [], []

    def counted(batch):
        looked_at.append(batch)
        return read_batch_header(batch)

    def now():
        runs.append(len(looked_at))
        looked_at.clear()
        return 0.0

    monkeypatch.setattr("mockforge_brokers.kafka.state.logs.cleaner.read_batch_header", counted)
    log.scene.environment.turn.now = now
    largest = max(len(segment.batches) for segment in log.log.segments)
    log.scene.clock.advance(13)
    assert log.log.records == 2
    assert sum(runs) > 400
    assert max(runs) <= largest + 1
