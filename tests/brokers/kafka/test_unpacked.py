"""Pages of large batches: what any reading of them gives, without decompressing them each time."""

from random import Random
from unittest.mock import patch

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.kafka import unpacked
from mockforge_brokers.kafka.codes import Compression
from mockforge_brokers.kafka.records import (
    Record,
    build_batch,
    place,
    read_batch_header,
    read_records,
    rebuilt,
)
from mockforge_brokers.kafka.unpacked import Unpacked

from .batching import batch, numbered
from .scene import Scene


def records(count: int, size: int = 40) -> list[Record]:
    return [Record(0, 1000 + at, b"%d" % at, bytes(size)) for at in range(count)]


def batches():
    """Of several kinds, all at offset 500."""
    whole = build_batch(records(1500))
    gaps = [one for one in read_records(whole) if one.offset % 7 == 0]
    shuffled = batch(b"".join(numbered(at) for at in Random(1).sample(range(60), 60)), count=60)
    yield "plain", whole
    yield "with gaps", rebuilt(read_batch_header(whole), gaps, None)
    yield "numbered in any order", shuffled
    yield "small", build_batch(records(3))
    for codec in list(Compression)[1:]:
        yield codec.name, build_batch(records(1500), compression=codec)


BATCHES = {name: place(made, 500, 0) for name, made in batches()}


@pytest.mark.parametrize("name", BATCHES)
def test_a_page_has_what_a_whole_reading_has_there(name: str) -> None:
    stored, remembered = BATCHES[name], Unpacked(ManualClock())
    for first in (0, 1999, 500, 501, 599, 600, 601, 1100, 1998, 2000, 700):
        assert list(remembered.records(stored, first)) == list(read_records(stored, first))


def test_pages_of_a_batch_are_cut_from_what_was_decompressed_once() -> None:
    broker = Scene().broker
    broker.create_topic("t", 2)
    for log in broker.cluster.topics["t"].logs:
        broker.cluster.append(log, build_batch(records(2000), compression=Compression.ZSTD))
    with patch.object(unpacked, "decompress", wraps=unpacked.decompress) as decompress:
        for first in (*range(0, 2000, 100), *range(1900, -1, -100)):
            for partition in range(2):
                page = broker.read("t", partition, first, 100)
                assert [one.offset for one in page] == list(range(first, first + 100))
    assert decompress.call_count == 2


def test_what_is_remembered_is_bounded_and_forgotten_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unpacked, "_MOST", 300_000)
    clock = ManualClock()
    remembered = Unpacked(clock)
    made = [build_batch(records(1000)) for _ in range(5)]
    sizes = []
    for one in (*made, *made):
        next(remembered.records(one, 0))
        sizes.append(remembered.size)
    assert 200_000 < max(sizes) <= 300_000
    large = build_batch(records(1000, 1000))
    next(remembered.records(large, 0))
    assert remembered.size > 2_000_000, "the newest one stays, alone"
    next(remembered.records(made[0], 0))
    assert remembered.size <= 300_000
    clock.advance(20)
    next(remembered.records(made[0], 0))
    clock.advance(20)
    assert remembered.size, "it was looked at since"
    clock.advance(30)
    assert not remembered.size


@pytest.mark.parametrize("at", [300, 3_000, 40_000])
def test_a_damaged_batch_is_told_in_the_same_words(at: int) -> None:
    damaged = bytearray(build_batch(records(1500)))
    damaged[at : at + 60] = b"\xff" * 60
    stored = bytes(damaged)
    for first in (0, 1400):
        with pytest.raises(ProtocolError) as alone:
            list(read_records(stored, first))
        remembered = Unpacked(ManualClock())
        with pytest.raises(ProtocolError) as paged:
            list(remembered.records(stored, first))
        assert paged.value.text == alone.value.text
