"""Compaction by steps: each is small, and what comes between two of them is kept."""

from random import Random

import pytest
from mockforge_brokers.kafka import records
from mockforge_brokers.kafka.records import Record, build_batch, read_records
from mockforge_brokers.kafka.state.logs import compaction
from mockforge_brokers.kafka.state.logs.compaction import Compaction

from .scene import Scene

NOW = 1_700_000_000_000


class Log:
    def __init__(self):
        self.scene = Scene(wall=NOW / 1000)
        self.scene.broker.create_topic("t", 1, {"cleanup.policy": "compact"})
        (self.log,) = self.scene.broker.cluster.topics["t"].logs
        self.newest = {}

    def put(self, keys, value=b"v"):
        batch = build_batch([Record(0, NOW, b"%d" % key, value) for key in keys])
        at = self.scene.broker.cluster.append(self.log, batch).base_offset
        self.newest |= {b"%d" % key: at + number for number, key in enumerate(keys)}

    def steps(self):
        return Compaction(self.log, self.log.high_watermark, NOW, 0).steps()

    @property
    def offsets(self):
        batches = self.log.batches(0, self.log.high_watermark)
        return [one.offset for batch in batches for one in read_records(batch)]


@pytest.mark.parametrize("batches", [1, 3_000], ids=["one batch", "many batches"])
def test_no_step_reads_or_writes_many_records(monkeypatch, batches):
    log, done = Log(), 0
    for number in range(batches):
        log.put(range(number, number + 6_000 // batches), b"")
    log.put(range(5))

    def counted(usual):
        def read(*of):
            nonlocal done
            for one in usual(*of):
                done += 1
                yield one

        return read

    def written(*of):
        nonlocal done
        done += 1
        return usual(*of)

    usual = records._write_record
    monkeypatch.setattr(records, "_write_record", written)
    monkeypatch.setattr(compaction, "read_records", counted(read_records))
    before = 0
    for _ in log.steps():
        assert done - before <= 400
        before = done
    assert done - before <= 400
    assert done > 10_000
    assert sorted(log.newest.values()) == log.offsets


@pytest.mark.parametrize("seed", range(5))
def test_what_comes_or_goes_between_two_steps_is_as_it_would_be_at_once(seed):
    random, log = Random(seed), Log()
    for _ in range(200):
        log.put([random.randrange(20) for _ in range(random.randrange(1, 8))])
    steps = log.scene.broker.compacting("t")
    end = log.log.high_watermark
    newest_below = dict(log.newest)
    for number, _ in enumerate(steps):
        if not number % 2:
            log.put([random.randrange(20)])
        if number == 6 and seed % 2:
            log.scene.broker.cluster.delete_records(log.log, 150, reason="test")
    start = log.log.log_start_offset
    expected = [at for at in newest_below.values() if at >= start]
    assert [at for at in log.offsets if start <= at < end] == sorted(expected)
    assert [at for at in log.offsets if at >= end] == list(range(end, log.log.high_watermark))
    assert log.scene.broker.cluster.bounds.cost == log.log.cost
