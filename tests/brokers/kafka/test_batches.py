"""Which batches are refused after a look at their records, and when they are looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.kafka.codes import Compression
from mockforge_brokers.kafka.compression import compress
from mockforge_brokers.kafka.records import HEADER_SIZE, Record, build_batch, lengths_fit

from .batching import BODY, CASES, GOOD, batch, codes, create, produce
from .scene import Scene

KAFKAS = {name: code for name, (_, code) in CASES.items()}
BAD, WHOLE = batch(BODY, count=2), CASES["good"][0]


def test_each_connections_first_batch_is_answered_as_apache_kafka_does():
    assert codes(Scene().call, "t") == KAFKAS


def sender(scene):
    """Produces on one connection."""
    call = scene.connected()
    create(call, "t")
    return lambda records: produce(call, "t", records)


def test_a_connection_is_trusted_after_a_good_batch_into_a_partition_and_not_before():
    send = sender(Scene())
    assert [send(BAD), send(BAD), send(WHOLE), send(BAD)] == [87, 87, GOOD, GOOD]


def test_with_check_records_every_batch_is_read():
    send = sender(Scene(check_records=True))
    assert [send(WHOLE), send(BAD), send(WHOLE), send(BAD)] == [GOOD, 87, GOOD, 87]


@pytest.mark.parametrize("value", ["compact", "delete"])
def test_a_policy_that_reads_batches_refuses_with_the_same_codes(value):
    scene = Scene(check_records=value == "delete")
    scene.broker.create_topic("t", 1, config={"cleanup.policy": value})
    assert codes(scene.call, "t") == KAFKAS


def records(count, size=1):
    """So many records as they stand in a batch, each with a value of `size` bytes."""
    return build_batch([Record(0, 0, b"k", b"v" * size)] * count)[HEADER_SIZE:]


# Behind the hundredth record: a length that leads elsewhere is met, what stands within is not.
TAIL = {
    "good": (records(300), GOOD, GOOD),
    "cut short": (records(300)[:-2], 87, 87),
    "bytes behind the records": (records(300) + b"\0\0", 87, 87),
    "a negative length": (records(299) + b"\x01" + records(1)[1:], 87, 87),
    "a key longer than its record": (records(299) + b"\x10\0\0\0\x7ek\x02v\0", GOOD, 87),
    "the hundredth too": (records(99) + b"\x10\0\0\0\x7ek\x02v\0" + records(200), 87, 87),
}


@pytest.mark.parametrize("codec", [Compression.NONE, Compression.LZ4])
def test_of_a_long_first_batch_the_first_records_are_read_and_the_others_lengths(codec):
    for checked in (False, True):
        found = {}
        for name, (body, *_) in TAIL.items():
            # What is cut together is not numbered one by one, which Kafka wants of compressed ones.
            if codec is Compression.NONE or name in ("good", "cut short"):
                packed = compress(codec, body)
                send = sender(Scene(check_records=checked))
                found[name] = send(batch(b"", codec, raw=packed, count=300))
        assert found == {name: TAIL[name][1 + checked] for name in found}


@given(st.lists(st.sampled_from([0, 1, 50, 60, 100, 8_000, 9_000, 70_000]), min_size=1))
def test_lengths_of_records_fit_only_where_nothing_was_added_or_cut(sizes):
    body = build_batch([Record(0, 0, None, bytes(size)) for size in sizes])[HEADER_SIZE:]
    assert lengths_fit(body, len(sizes))
    assert not lengths_fit(body[:-1], len(sizes))
    assert not lengths_fit(body + b"\0", len(sizes))
    assert not lengths_fit(body, len(sizes) + 1)
