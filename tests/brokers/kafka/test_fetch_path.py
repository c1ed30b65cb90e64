"""The fast path of Fetch does what the general one does, whatever happens between its requests."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mockforge_brokers.access import rule_of
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.kafka.apis.logs import fetch_path
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.state.logs.transactions import Marker
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.logs import FetchTopic, ForgottenTopic
from msgspec import Struct
from msgspec.structs import replace

from brokers.branches import missed_branches

from .scene import Scene, fetch, produce
from .test_produce_path import make

TOPIC_ID = b"\1" * 16
PRODUCER = 7
END = -1
"""Where the log ends just then."""


class Request(Struct, frozen=True):
    """One Fetch request. `twice` names another partition as well, `cut`, `tail` and `patch` spoil
    its bytes."""

    version: int = 11
    client: str = "shop"
    topic: str = "t"
    partition: int = 0
    offset: int = END
    wait: int = 500
    min_bytes: int = 1
    max_bytes: int = 1 << 26
    size: int = 1 << 20
    committed: int = 0
    epoch: int = -1
    last_epoch: int = -1
    session: tuple[int, int] = (0, -1)
    replica: int = -1
    rack: str = ""
    twice: bool = False
    forgets: bool = False
    cut: int = 0
    tail: bytes = b""
    patch: tuple[int, int] | None = None

    def frame(self, number: int, end: int) -> bytes:
        offset = end if self.offset == END else self.offset
        message = fetch(self.topic, offset, wait=self.wait, size=self.size, topic_id=TOPIC_ID)
        message.min_bytes, message.max_bytes = self.min_bytes, self.max_bytes
        message.isolation_level, message.rack_id = self.committed, self.rack
        message.replica_id = self.replica
        message.session_id, message.session_epoch = self.session
        [topic] = message.topics
        [one] = topic.partitions
        one.partition, one.current_leader_epoch = self.partition, self.epoch
        one.last_fetched_epoch = self.last_epoch
        if self.twice:
            second = fetch(self.topic, 0).topics[0].partitions
            second[0].partition = 1
            message.topics = [
                FetchTopic(topic=topic.topic, topic_id=TOPIC_ID, partitions=[one, *second])
            ]
        if self.forgets:
            message.forgotten_topics_data = [
                ForgottenTopic(topic="u", topic_id=bytes(16), partitions=[0])
            ]
        frame = bytearray(encode_request(message, self.version, number, self.client))
        frame = frame[: len(frame) - self.cut] + self.tail
        if self.patch is not None:
            at, byte = self.patch
            frame[at if at < 0 else 4 + at % (len(frame) - 4)] = byte
        frame[:4] = (len(frame) - 4).to_bytes(4, "big")
        return bytes(frame)


class World:
    """What else happens, by name."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.broker, self.cluster = scene, scene.broker, scene.broker.cluster
        self.sequence = 0
        self.make()

    def make(self) -> None:
        make(self.scene, "t", TOPIC_ID)

    @property
    def log(self):
        return self.cluster.topics["t"].logs[0]

    def put(self, *values: bytes, **more: object) -> None:
        [topic] = produce("t", *(values or (b"v",)), **more).topic_data
        with suppress(RequestRefused):
            self.cluster.append(self.log, topic.partition_data[0].records, begin=lambda *_: None)

    def large(self) -> None:
        self.put(b"x" * 20_000)

    def scattered(self) -> None:
        """A large batch in pieces, among small ones that make its size the average's."""
        client = self.scene.network.connect()
        frame = encode_request(produce("t", b"y" * 40_000), 9, 1, "other")
        client.send(frame[:20_000])
        client.send(frame[20_000:])
        for _ in range(4):
            self.put()

    def opens(self) -> None:
        self.put(
            producer_id=PRODUCER, producer_epoch=0, base_sequence=self.sequence, transactional=True
        )
        self.sequence += 1

    def commits(self) -> None:
        self.ends(committed=True)

    def aborts(self) -> None:
        self.ends(committed=False)

    def ends(self, *, committed: bool) -> None:
        with suppress(RequestRefused):
            self.cluster.append_marker(self.log, Marker(PRODUCER, 0, committed))

    def again(self) -> None:
        self.broker.delete_topic("t")
        self.sequence = 0
        self.make()

    def configures(self) -> None:
        self.broker.configure_topic("t", "retention.ms", "99999999")

    def truncates(self) -> None:
        self.cluster.delete_records(self.log, self.log.high_watermark, reason="by the test")

    def elects(self) -> None:
        self.log.begin_epoch()

    def waits(self) -> None:
        self.scene.clock.advance(0.5)

    def forbids(self) -> None:
        self.scene.environment.access.add_rule(rule_of("deny * read kafka:t"))

    def charges(self) -> None:
        self.broker.alter_quota([("client-id", "shop")], {"consumer_byte_rate": 1e9})


Step = Request | str
EVENTS = [
    name for name in vars(World) if not name.startswith("_") and name not in ("make", "log", "ends")
]


def play(steps: list[Step], *, fast: bool) -> tuple[object, ...]:
    """What came out after each step, what is stored, seen and counted, how the connection stands.

    Each request is a burst of its own. `other` is one of another API, by another client id.
    """
    scene = Scene()
    world = World(scene)
    events: list[object] = []
    scene.environment.spine.watch(events.append)
    client = scene.network.connect()
    out = []
    taught = fetch_path.Learning.is_due
    with patch.object(fetch_path.Learning, "is_due", taught if fast else lambda *_: False):
        for number, step in enumerate([*steps, "waits"]):
            if isinstance(step, Request):
                if not client.peer.ended:
                    client.send(step.frame(number, world.log.high_watermark))
            elif step == "other":
                if not client.peer.ended:
                    message = MetadataRequest(topics=[])
                    client.send(encode_request(message, 9, number, "admin"))
            else:
                getattr(world, step)()
            out.append(client.take())
    view = [
        (one.client, one.state, one.messages_out, one.bytes_in, one.bytes_out, one.detail)
        for one in scene.broker.connections()
    ]
    return (
        out,
        scene.broker.cluster.dump(),
        Counter(map(repr, events)),
        scene.broker.metrics(),
        view,
        (client.peer.ended, client.peer.reason),
        [len(log.watchlist.waiting) for log in scene.broker.cluster.topics["t"].logs],
    )


OLD, NEW = Request(), Request(version=16)
requests = st.builds(
    Request,
    version=st.sampled_from([4, 5, 8, 11, 11, 12, 13, 16]),
    client=st.sampled_from(["shop", "shop", "shop", "x"]),
    topic=st.sampled_from(["t", "t", "t", "none"]),
    partition=st.sampled_from([0, 0, 0, 1, 5]),
    offset=st.sampled_from([END, END, 0, 1, 2, 99]),
    wait=st.sampled_from([500, 500, 0, 100]),
    min_bytes=st.sampled_from([1, 1, 0, 2]),
    max_bytes=st.sampled_from([1 << 26, 1 << 26, 100, 0]),
    size=st.sampled_from([1 << 20, 1 << 20, 90, 0, 1 << 24]),
    committed=st.sampled_from([0, 1]),
    epoch=st.sampled_from([-1, -1, 0, 1, -2]),
    last_epoch=st.sampled_from([-1] * 5 + [0]),
    session=st.sampled_from([(0, -1)] * 5 + [(0, 0), (1, 1), (0, -5)]),
    replica=st.sampled_from([-1] * 5 + [2]),
    rack=st.sampled_from([""] * 5 + ["a"]),
    twice=st.sampled_from([False] * 5 + [True]),
    cut=st.sampled_from([0] * 8 + [1]),
    tail=st.sampled_from([b""] * 8 + [b"\0"]),
    patch=st.none() | st.none() | st.tuples(st.integers(-8, 90), st.sampled_from([0, 1, 255])),
)


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """Mostly of requests that are alike, since others go no other way."""
    base = draw(st.sampled_from([OLD, NEW, replace(OLD, committed=1), replace(NEW, committed=1)]))
    base = draw(st.just(base) | requests)
    steps: list[Step] = [base, "put", base, "put"]
    for _ in range(draw(st.integers(1, 8))):
        one = draw(
            st.just(base)
            | st.builds(lambda at: replace(base, offset=at), st.integers(0, 4))
            | requests
            | st.just("put")
            | st.sampled_from([*EVENTS, "other"])
        )
        steps.append(one)
    return steps


def led_to(*steps: Step, like: Request = OLD) -> list[Step]:
    """Behind what is learned from."""
    return [like, "put", like, "put", *steps]


SAFE, ALL = replace(NEW, committed=1), replace(OLD, offset=0)
AT_ONCE = replace(OLD, wait=0)


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(scripts())
# Woken, at once, in vain, of both formats, with and without ids.
@example(led_to(OLD, "put", ALL, OLD, "waits", OLD, "put"))
@example(led_to(NEW, "put", replace(NEW, offset=0), NEW, "waits", like=NEW))
@example(led_to(AT_ONCE, replace(AT_ONCE, offset=0), like=AT_ONCE))
@example(led_to(*[replace(OLD, min_bytes=0)] * 2, like=replace(OLD, min_bytes=0)))
# Committed records alone: behind an open transaction, and with aborted ones.
@example(led_to("opens", SAFE, "put", "opens", "commits", SAFE, "opens", like=SAFE))
@example(led_to("opens", "put", SAFE, "commits", like=SAFE))
@example(led_to(SAFE, "opens", "put", "aborts", replace(SAFE, offset=0), SAFE, "put", like=SAFE))
# What is left to the general path: out of range, large batches, more than there is room for.
@example(led_to(replace(OLD, offset=99), OLD, "put"))
@example(led_to("large", "large", ALL, replace(OLD, offset=3), ALL))
@example(led_to("scattered", replace(OLD, offset=2), ALL))
@example(led_to("put", "put", *[replace(ALL, max_bytes=90)] * 3, like=replace(OLD, max_bytes=90)))
@example(led_to("put", *[replace(ALL, size=90)] * 3, like=replace(OLD, size=90)))
@example(led_to(*[replace(ALL, max_bytes=0)] * 3, like=replace(OLD, max_bytes=0)))
# While it waits: gone, begun anew, another epoch, other rights, quotas, records deleted.
@example(led_to(OLD, "again", "waits", OLD, "put", OLD, "put"))
@example(led_to(OLD, "configures", "put", OLD, "put"))
@example(led_to(OLD, "elects", OLD, "put", *[replace(OLD, epoch=0)] * 2))
@example(led_to(OLD, "forbids", "put", OLD))
@example(led_to(OLD, "charges", "put", OLD, "put"))
@example(led_to(OLD, "truncates", ALL, "put"))
# Nearly the same, and others between.
@example(led_to(replace(OLD, client="x"), "put", OLD, "put", OLD, "other", OLD, "put"))
@example(led_to(replace(OLD, client="xxxx"), "put", OLD, "put", replace(OLD, partition=1), "waits"))
@example(led_to(replace(OLD, patch=(-1, 1)), replace(OLD, tail=b"\0"), OLD, "put"))
@example(led_to(replace(OLD, topic="u"), OLD, OLD, "put"))
# What must not be learned from.
@example(led_to(OLD, "put", like=replace(OLD, twice=True)))
@example(led_to(*[replace(OLD, tail=b"\0")] * 2, like=replace(OLD, tail=b"\0")))
@example(led_to(*[replace(OLD, partition=5)] * 2, like=replace(OLD, partition=5)))
@example(led_to(*[replace(OLD, forgets=True)] * 2, like=replace(OLD, forgets=True)))
@example(led_to(*[replace(OLD, version=4)] * 2, like=replace(OLD, version=4)))
def test_fast_path_and_general_path_have_the_same_outcome(steps: list[Step]) -> None:
    assert play(steps, fast=True) == play(steps, fast=False)


def learned(client):
    return client.connection.caller.fetch_path


def test_one_that_waits_goes_with_its_connection():
    scene = Scene()
    world = World(scene)
    client = scene.network.connect()
    for _ in range(3):
        client.send(OLD.frame(1, world.log.high_watermark))
        world.put()
    client.send(OLD.frame(2, world.log.high_watermark))
    assert learned(client).used
    [view] = scene.broker.connections()
    assert (view.state, view.detail["fetch_wait"].min_bytes) == ("waiting", 1)
    client.vanish()
    assert not world.log.watchlist.waiting


def test_requests_that_are_never_alike_are_seldom_learned_from():
    scene = Scene()
    World(scene)
    client, tried = scene.network.connect(), 0
    with patch.object(fetch_path.FetchPath, "learn", wraps=fetch_path.FetchPath.learn) as learn:
        for number in range(200):
            scene.ask(client, fetch("t", 0, size=1000 + number), 11)
        tried = learn.call_count
    assert tried < 10
    # Then one is found that comes again and again, and the next shape is learned at once.
    for _ in range(300):
        scene.ask(client, fetch("t", 0, size=1), 11)
    assert learned(client).used
    scene.ask(client, fetch("t", 0, size=2), 11)
    scene.ask(client, fetch("t", 0, size=2), 11)
    assert scene.broker.counters.requests[ApiKey.FETCH] == 502


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_branch_of_the_fast_path_is_entered_by_the_comparison(tmp_path: Path) -> None:
    assert missed_branches(fetch_path, __file__, "not every_branch", tmp_path) == ""
