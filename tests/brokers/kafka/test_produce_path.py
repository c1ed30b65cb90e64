"""The fast path of Produce does what the general one does, however the bytes come."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka import requests as kafka_requests
from mockforge_brokers.kafka.apis.logs import produce_path
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.varints import write_uvarint
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from msgspec import Struct

from brokers.branches import missed_branches

from .scene import Scene, fetch, produce

IDS = (b"\1" * 16, b"\2" * 16)


PRODUCER = 1000
"""The first id that a broker gives: of the transactional id `tx`, at epoch 1."""


class Request(Struct, frozen=True):
    """One Produce request, and what is wrong with its bytes.

    `cut` takes bytes from its end, `tail` follows them, `patch` replaces bytes (from the end when
    negative), `ending` stands in place of the records with their length and of all behind them.
    `transactional`: `id`, `batch` or `both` say so. `sequence` -1: not idempotent. `values` None:
    null.
    """

    version: int = 9
    client: str = "shop"
    topic: str = "t"
    partition: int = 0
    acks: int = -1
    transactional: str = ""
    values: tuple[bytes, ...] | None = (b"v",)
    sequence: int = -1
    epoch: int = 0
    cut: int = 0
    tail: bytes = b""
    ending: bytes | None = None
    patch: tuple[int, int] | None = None

    def message(self):
        message = produce(self.topic, *(self.values or ()))
        message.topic_data[0].partition_data[0].index = self.partition
        return message

    def frame(self, number: int) -> bytes:
        values = self.values if self.values is not None else (b"",)
        more = {}
        if self.sequence >= 0:
            more = {
                "producer_id": PRODUCER if self.transactional else 7,
                "transactional": self.transactional in ("batch", "both"),
                "producer_epoch": self.epoch,
                "base_sequence": self.sequence,
            }
        message = produce(self.topic, *values, topic_id=IDS[self.topic == "u"], **more)
        message.acks = self.acks
        message.transactional_id = "tx" if self.transactional in ("id", "both") else None
        (partition,) = message.topic_data[0].partition_data
        partition.index = self.partition
        if self.values is None:
            partition.records = None
        frame = bytearray(encode_request(message, self.version, number, self.client))
        if self.ending is not None:
            records = partition.records or b""
            frame = frame[: frame.index(records) - len(write_uvarint(len(records) + 1))]
            frame += self.ending
        frame = frame[: len(frame) - self.cut] + self.tail
        if self.patch is not None:
            at, byte = self.patch
            frame[at if at < 0 else 4 + at % (len(frame) - 4)] = byte
        frame[:4] = (len(frame) - 4).to_bytes(4, "big")
        return bytes(frame)


Step = Request | str
"""A request, `again` (the topic is made anew) or `other` (another API, another client id)."""


def play(
    steps: Sequence[Step], cuts: Sequence[int] | None, *, fast: bool, watched: bool
) -> tuple[object, ...]:
    """Output, what is stored, what was seen and counted, and how the connection stands.

    Without `cuts` each request is a burst of its own.
    """
    scene = Scene()
    broker, cluster = scene.broker, scene.broker.cluster
    make(scene, "t", IDS[0])
    make(scene, "u", IDS[1], {"max.message.bytes": "200"})
    for _ in range(2):
        assert cluster.transactions.take("tx", 60).producer_id == PRODUCER
    events: list[object] = []
    seen: list[object] = []
    scene.environment.spine.watch(events.append)
    if watched:
        broker.watch(seen.append)
    client = scene.network.connect()
    answer = kafka_requests.answer_on_path if fast else lambda caller, paths, head, frame: None
    with patch.object(kafka_requests, "answer_on_path", answer):
        run: list[bytes] = []
        for number, step in enumerate([*steps, ""]):
            if isinstance(step, Request):
                run.append(step.frame(number))
                if cuts is not None:
                    continue
            send(client, b"".join(run), cuts or ())
            run.clear()
            if step == "again":
                broker.delete_topic("t")
                make(scene, "t", IDS[0])
            elif step == "other" and not client.peer.ended:
                client.send(encode_request(MetadataRequest(topics=None), 9, number, "admin"))
    view = [
        (one.client, one.state, one.messages_in, one.bytes_in, one.bytes_out, one.detail)
        for one in broker.connections()
    ]
    return (
        client.take(),
        cluster.dump(),
        Counter(map(repr, events)),
        seen,
        broker.metrics(),
        view,
        (client.peer.ended, client.peer.reason),
    )


def make(scene: Scene, name: str, topic_id: bytes, config: dict[str, str] | None = None) -> None:
    scene.broker.create_topic(name, 2, config)
    cluster = scene.broker.cluster
    topic = cluster.topics[name]
    del cluster.topics.by_id[topic.topic_id]
    topic.topic_id = topic_id
    cluster.topics.by_id[topic_id] = topic


def send(client, data: bytes, cuts: Sequence[int]) -> None:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for start, stop in pairwise(places):
        if not client.peer.ended:
            client.send(data[start:stop])


LARGE = (b"k" * 40_000,)
VERSIONS = (3, 5, 7, 8, 9, 9, 12, 13)
requests = st.builds(
    Request,
    version=st.sampled_from(VERSIONS),
    client=st.sampled_from(["shop", "shop", "shop", "x"]),
    topic=st.sampled_from(["t", "t", "t", "u", "none"]),
    partition=st.sampled_from([0, 0, 0, 1, 5]),
    acks=st.sampled_from([-1, -1, -1, 1, 0, 2]),
    transactional=st.sampled_from([""] * 5 + ["id", "batch", "both", "both"]),
    values=st.sampled_from([(b"v",), (b"v", b"w" * 90), (b"",), (b"z" * 250,), None, LARGE]),
    sequence=st.sampled_from([-1, -1, 0, 1, 2, 3]),
    epoch=st.sampled_from([1, 1, 1, 0, 2]),
    cut=st.sampled_from([0] * 8 + [1, 2, 3]),
    tail=st.sampled_from([b""] * 6 + [b"\0", b"\0\0", b"\1\0\0"]),
    ending=st.sampled_from([None] * 8 + [b"\0\0\0\0", b"\x85\0\0\0\0"]),
    patch=st.one_of(
        st.none(),
        st.none(),
        st.none(),
        st.tuples(st.integers(-8, 120), st.sampled_from([0, 1, 127, 128, 255])),
    ),
)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[list[Step], list[int] | None]:
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 5))):
        one = draw(requests)
        steps += [one] * draw(st.integers(1, 4))
        if draw(st.integers(0, 3)) == 0:
            steps.append(draw(st.sampled_from(["again", "other"])))
    return steps, draw(st.none() | st.lists(st.integers(0, 3_000), max_size=6))


OLD, NEW = Request(version=8), Request(version=9)
LONG = Request(client="c" * 32_700)
"""A large request of few records."""


def like(request: Request, **changes: object) -> Request:
    return Request(**{name: getattr(request, name) for name in request.__struct_fields__} | changes)


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(scripts())
# Repeated, small and large, of both formats, in one burst and in pieces.
@example(([OLD, OLD, like(OLD, values=LARGE), OLD], []))
@example(([NEW, NEW, like(NEW, values=LARGE), NEW], [60, 200, 40_100]))
@example(([NEW, like(NEW, values=LARGE), NEW], [*range(1_000, 40_000, 9_000), 40_190]))
@example(([OLD, like(OLD, values=LARGE), OLD], [*range(1_000, 40_000, 9_000), 40_190]))
# Each alone in its burst: repeated, nearly the same, large, with another API's between.
@example(([OLD] * 20, None))
@example(([NEW] * 4, None))
@example(([NEW, NEW, NEW, like(NEW, partition=1), like(NEW, client="x"), NEW, "again", NEW], None))
@example(([NEW, NEW, NEW, like(NEW, patch=(-1, 1)), NEW, like(NEW, values=LARGE), NEW], None))
@example(([NEW, "other", NEW, NEW, "other", NEW, like(NEW, values=(b"w",)), NEW], None))
@example(([NEW, NEW, like(NEW, tail=b"\0"), NEW, like(NEW, cut=1), NEW], None))
@example(([like(OLD, sequence=n, epoch=1) for n in (0, 1, 2, 3, 3, 9, 4)], None))
# In pieces whose first has not all of the request's head, or of the batch's.
@example(([NEW, like(NEW, values=LARGE)], [len(NEW.frame(0)) + 20]))
@example(([OLD, like(OLD, values=LARGE)], [len(OLD.frame(0)) + 80]))
@example(([NEW, like(NEW, values=LARGE, tail=b"\0\0")], [len(NEW.frame(0)) + 80, 30_000]))
@example(([like(NEW, version=13)] * 3, []))
# Small records in a large request, and such as are shorter than a batch's header.
@example(([LONG] * 3, []))
@example(([LONG] * 3, [2 * len(LONG.frame(0)) - 6, 3 * len(LONG.frame(0)) - 90]))
@example(([LONG, like(LONG, ending=write_uvarint(60) + bytes(59 + 3))], []))
# Too small for its batch, out of sequence, fenced, a duplicate: what the log refuses.
@example(([like(NEW, topic="u"), like(NEW, topic="u", values=(b"z" * 250,))] * 2, []))
@example(
    ([like(OLD, sequence=n, epoch=e) for n, e in ((0, 1), (1, 1), (1, 1), (5, 1), (2, 0))], [])
)
# In a transaction: V2 adds the partition by itself, V1 refuses one that was not added.
@example(([like(NEW, version=12, transactional="both", sequence=n, epoch=1) for n in range(4)], []))
@example(([like(NEW, transactional="both", sequence=n, epoch=1) for n in range(2)], []))
@example(([like(NEW, transactional="batch", sequence=0, epoch=1)] * 2, []))
@example(([like(NEW, transactional="id")] * 3, []))
# What must not be learned from: refused as a whole, an end that is unusual, null records.
@example(([like(NEW, acks=2)] * 3, []))
@example(([like(NEW, tail=b"\0")] * 3, []))
@example(([like(NEW, values=None)] * 3, []))
@example(([like(NEW, partition=5)] * 3, []))
# Nearly the same: another version, client, topic, topic made anew, another API between.
@example(([NEW, OLD, NEW, like(NEW, client="x"), like(NEW, topic="u"), NEW], []))
@example(([NEW, NEW, "again", NEW, NEW, "other", NEW], []))
# Two partitions in turns, of one topic and of two, with what makes one of them another log.
@example(([NEW, like(NEW, partition=1)] * 3, []))
@example(([NEW, like(NEW, partition=1), "again"] * 3, []))
@example(([NEW, like(NEW, partition=1), like(NEW, topic="u"), like(NEW, acks=2)] * 2, []))
@example(([like(OLD, client=client, sequence=n) for n in range(3) for client in "xy"], []))
# Damaged behind the first: length of the records too small, too large, null, endless, cut off.
@example(([NEW, like(NEW, patch=(-4, 1))], []))
@example(([NEW, like(NEW, patch=(-1, 1))], []))
@example(([OLD, like(OLD, cut=1)], []))
@example(([OLD, like(OLD, tail=b"\0")], []))
@example(([NEW, like(NEW, tail=b"\0\0\0")], []))
@example(([NEW, like(NEW, values=None)], []))
@example(([NEW, like(NEW, values=None, cut=1)], []))
@example(([NEW, like(NEW, tail=b"\1\0\0")], []))
@example(([NEW, like(NEW, ending=b"\0\0\0")], []))
@example(([NEW, like(NEW, ending=b"\1\0\0\0")], []))
@example(([NEW, like(NEW, ending=b"\xff\xff\xff\xff\xff\xff\0\0\0")], []))
def test_fast_path_and_general_path_have_the_same_outcome(
    script: tuple[list[Step], list[int] | None],
) -> None:
    steps, cuts = script
    # Who watches sees each record, for which the log tells more of each batch.
    for watched in (False, True):
        general = play(steps, cuts, fast=False, watched=watched)
        assert play(steps, cuts, fast=True, watched=watched) == general


def test_a_request_that_is_alone_in_its_burst_waits_behind_others_all_the_same():
    scene = Scene()
    scene.broker.create_topic("t", 2)
    client = scene.network.connect()
    for number in range(3):
        client.send(NEW.frame(number))
    client.take()
    waiting = fetch("t", 0, wait=1_000)
    waiting.topics[0].partitions[0].partition = 1
    client.send(encode_request(waiting, 12, 3, "shop"))
    # Behind a parked one, then behind those that wait because the client takes nothing.
    client.send(NEW.frame(4))
    client.connection.set_writable(False)
    scene.clock.advance(1)
    client.send(NEW.frame(5))
    assert [number for number, _ in answered(client)] == [3]
    client.connection.set_writable(True)
    client.send(NEW.frame(6))
    client.connection.end("over")
    client.connection.receive(NEW.frame(7))
    assert answered(client) == [(4, 3), (5, 4), (6, 5)]


def answered(client) -> list[tuple[int, int]]:
    """Correlation ids, with the offsets of what was produced."""
    found = []
    for frame in client.connection.splitter(OUT).feed(client.take()):
        number = int.from_bytes(frame[4:8])
        offset = -1
        if number != 3:
            message = decode_response(frame, ApiKey.PRODUCE, 9)[1]
            offset = message.responses[0].partition_responses[0].base_offset
        found.append((number, offset))
    return found


@pytest.mark.parametrize("requests", [1, 2], ids=["alone", "two in a burst"])
def test_answers_are_read_by_correlation_ids_below_zero(requests):
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    client.send(NEW.frame(0))
    client.take()
    frame = NEW.frame(0)
    client.send((frame[:8] + b"\xff\xff\xff\xfe" + frame[12:]) * requests)
    for answer in client.connection.splitter(OUT).feed(client.take()):
        (row,) = client.connection.rows(OUT, answer)
        assert (row.operation, row.correlation, row.error) == ("Produce", -2, "")


def test_a_connection_knows_so_many_partitions_and_begins_anew_behind_them():
    scene = Scene()
    scene.broker.create_topic("t", 120)
    client = scene.network.connect()
    sizes = []
    for partition in range(120):
        scene.ask(client, like(NEW, partition=partition).message(), 9)
        sizes.append(len(client.connection.caller.produce_paths))
    assert (max(sizes), sizes[-1]) == (100, 20)


@pytest.mark.parametrize("cut", [None, -6], ids=["in one", "in two"])
def test_a_small_batch_keeps_nothing_of_a_large_request(cut):
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    for _ in range(3):
        frame = LONG.frame(0)
        for piece in (frame[:cut], frame[len(frame[:cut]) :]):
            client.send(piece)
    log = scene.broker.cluster.topics["t"].logs[0]
    kept = log.read(0, 1 << 20).batches
    assert [type(one) for one in kept] == [bytes] * 3
    assert sum(map(len, kept)) < 300


def test_a_deleted_topic_leaves_nothing_in_memory_of_who_produced_to_it():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    scene.ask(client, produce("t", b"v"), 9)
    log = scene.broker.cluster.topics["t"].logs[0]
    assert log.segments
    scene.broker.delete_topic("t")
    assert (log.segments, log.read(0, 100).batches) == ([], [])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_branch_of_the_fast_path_is_entered_by_the_comparison(tmp_path: Path) -> None:
    assert missed_branches(produce_path, __file__, "same_outcome", tmp_path) == ""
