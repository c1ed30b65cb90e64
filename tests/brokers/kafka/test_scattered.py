"""Large batches in pieces: their checksum, and what is sent of them."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.kafka import scattered
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.scattered import Scattered, crc32c
from mockforge_brokers.kafka.state.logs.log import PartitionLog

from .refusals import refused


def large(size: int) -> bytes:
    return build_batch([Record(0, 1_700_000_000_000, b"k", b"v" * size)])


@pytest.fixture(params=["crc32c", "google-crc32c alone"])
def checksum(request, monkeypatch):
    """What makes it, with and without the package that nobody must have."""
    if request.param == "crc32c":
        pytest.importorskip("crc32c")
    else:
        monkeypatch.setitem(sys.modules, "crc32c", None)
    scattered.best.cache_clear()
    yield
    scattered.best.cache_clear()


@pytest.mark.usefixtures("checksum")
@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 100_000])
def test_the_checksum_of_pieces_is_that_of_the_whole(size):
    data = (bytes(range(251)) * 400)[:size]
    view = memoryview(data)
    for pieces in ([data], [view], [data[:7], view[7:]], [view[:20_000], view[20_000:]]):
        assert scattered.crc32c_of(pieces) == crc32c(data)


@given(st.binary(max_size=99), st.binary(max_size=2000), st.integers(0, 3000))
def test_the_checksum_of_two_parts_together_is_known_from_theirs(first, second, times):
    second *= times % 50
    together = scattered.crc_together(crc32c(first), crc32c(second), len(second))
    assert together == crc32c(first + second)


def test_the_checksum_of_a_batch_is_known_from_its_header():
    data = large(100_000)
    assert Scattered([data[:61], data[61:]]).whole_crc() == crc32c(data)


@pytest.mark.usefixtures("checksum")
@pytest.mark.parametrize("at", [80, 20_000, 45_000, 99_000])
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_large_batch_is_looked_at_to_its_end(at, pieces):
    damaged = bytearray(large(100_000))
    damaged[at] ^= 1
    data = bytes(damaged)
    body = memoryview(data)[61:40_000]
    log = PartitionLog("t", 0)
    with refused(ErrorCode.CORRUPT_MESSAGE):
        log.append(data if pieces == 1 else Scattered([data[:61], body, data[40_000:]]))
    assert log.high_watermark == 0


def test_what_is_sent_of_pieces_is_no_view_of_anything_else():
    data = large(50_000)
    came = Scattered([data[:61], memoryview(data)[61:30_000], data[30_000:]])
    sent = came.sent()
    assert [type(piece) for piece in sent] == [bytes] * 3
    assert b"".join(sent) == bytes(came) == data
    # It is copied once, however often it is sent.
    assert all(one is other for one, other in zip(came.sent(), sent, strict=True))
