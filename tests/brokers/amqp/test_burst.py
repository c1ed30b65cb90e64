"""The fast path does what the general one does, however the bytes come (connection/burst.py)."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mockforge_brokers.amqp.channel.publishing import Publishing
from mockforge_brokers.amqp.connection import burst, channels, variants
from mockforge_brokers.amqp.connection.burst import BurstReader
from mockforge_brokers.amqp.connection.channels import Channels
from mockforge_brokers.amqp.state.routing import Route
from mockforge_brokers.amqp.state.virtual_host import VirtualHost
from mockforge_brokers.amqp.wire import content, frames
from msgspec import structs

from brokers.branches import missed_branches
from brokers.calls import calls_of

from .client import Client, Scene, publish

Chunks = list[bytes]


class General(BurstReader):
    """All frames one by one."""

    def _publish(self, data: bytes, at: int) -> int:
        return self._frame(data, at)

    def _acknowledge(self, data: bytes, at: int) -> int:
        return self._frame(data, at)


def play(
    chunks: Chunks, mode: str, *, fast: bool, hurried: bool = False, width: int = 0
) -> list[object]:
    """What came of these bytes: what every client got, the state, the counters, the events."""
    reader = BurstReader if fast else General
    with (
        patch("mockforge_brokers.amqp.connection.connection.BurstReader", reader),
        patch.object(burst, "_MOST_PUBLICATIONS", 3),
        patch.object(burst, "MOST_VARIANTS", 5),
        patch.object(variants, "MOST_VARIANTS", 5),
        patch.object(variants, "MOST_BUILDS", 2),
        patch.object(burst, "BULKY", 20),
        patch.object(channels, "BULKY", 20),
        patch.object(burst, "_LARGE", 20),
        patch.object(Channels, "body", Channels.body if fast else lambda *_: False),
        patch.object(Publishing, "repeats", Publishing.repeats if fast else lambda *_: False),
    ):
        return _outcome(chunks, mode, hurried, width)


def _outcome(chunks: Chunks, mode: str, hurried: bool, width: int) -> list[object]:
    scene = Scene()
    client, taker = scene.client(tune=(2047, 4096, 0)), scene.client()
    client.open(2)
    for name in ("q", "r"):
        client.send("queue.declare", queue=name)
    client.send("queue.bind", queue="q", exchange="amq.topic", routing_key="a.#")
    client.send("queue.bind", queue="r", exchange="amq.direct", routing_key="q")
    client.send("queue.bind", queue="q", exchange="amq.headers", arguments={"n": 1})
    for number in (1, 2):
        if mode in ("confirm", "tx"):
            client.send(f"{mode}.select", channel=number)
    client.send("basic.qos", prefetch_count=3, is_global=mode == "global")
    client.send("basic.consume", queue="r", consumer_tag="mine")
    client.send("basic.get", queue="q", channel=2)
    taker.send("queue.declare", queue="t")
    taker.send("queue.bind", queue="t", exchange="amq.topic", routing_key="#")
    taker.send("basic.consume", queue="t", no_ack=True)
    for number in range(width):
        scene.broker.vhost().declare_queue(f"wide-{number}")
        scene.broker.vhost().bind_queue(f"wide-{number}", "amq.fanout", "", {})
    if hurried:
        scene.environment.turn.length = -1
    if mode == "alarm":
        scene.broker.memory.raise_alarm("memory")
    for chunk in chunks:
        if chunk and not client.peer.ended:
            client.fake.send(chunk)
    return [
        client.fake.take(),
        taker.fake.take(),
        (client.peer.ended, client.peer.reason, client.peer.bytes_in),
        client.fake.connection.take_rest() if not client.peer.ended else b"",
        _state(scene, client),
        scene.events,
        scene.broker.destinations(),
        scene.broker.connections(),
        _figures(scene),
        scene.broker.memory.used,
    ]


def _state(scene: Scene, client: Client) -> list[object]:
    queues = [
        (name, [(message.content, message.redelivered) for message in queue.messages])
        for name, queue in scene.broker.vhost().queues.items()
    ]
    channels = [
        (number, list(channel.unacked), channel.last_tag, channel.closing or channel.outstanding)
        for number, channel in client.fake.connection.channels.open.items()
    ]
    return [queues, channels]


def _figures(scene: Scene) -> list[object]:
    """Without methods that were counted 0 times, since only the fast path knows such."""
    families = (structs.astuple(each) for each in scene.broker.metrics())
    return [(*rest, [each for each in samples if each[1]]) for *rest, samples in families]


def cut(data: bytes, sizes: list[int]) -> Chunks:
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [*chunks, data]


PLAIN = publish("", "q", b"body", message_id="1")
METHOD = frames.method(1, "basic.publish", routing_key="q")
HEADER = frames.frame(2, 1, content.encode_header(4, {}))
BODY = frames.frame(3, 1, b"body")


def ack(tag: int, channel: int = 1, *, multiple: bool = False) -> bytes:
    return frames.method(channel, "basic.ack", delivery_tag=tag, multiple=multiple)


def header(*, class_id: int = 60, weight: int = 0, size: int = 4, more: bytes = b"\0\0") -> bytes:
    start = class_id.to_bytes(2, "big") + weight.to_bytes(2, "big") + size.to_bytes(8, "big")
    return frames.frame(2, 1, start + more)


DAMAGED = [
    PLAIN[:-1] + b"\0",
    METHOD + BODY,
    METHOD + METHOD,
    METHOD + HEADER[:-1] + b"\0" + BODY,
    METHOD + HEADER + BODY[:-1] + b"\0",
    METHOD + HEADER + frames.frame(3, 1, b"longer body"),
    METHOD + HEADER + frames.frame(3, 2, b"body"),
    METHOD + HEADER + frames.frame(3, 1, b"bo") + frames.frame(3, 1, b"dy"),
    METHOD + HEADER + frames.HEARTBEAT_FRAME + BODY,
    METHOD + frames.HEARTBEAT_FRAME + HEADER + BODY,
    METHOD + HEADER + HEADER,
    METHOD[:-1] + b"\0" + HEADER + BODY,
    b"\2" + METHOD[1:],
    METHOD + frames.frame(2, 1, b"short header!"),
    METHOD + header(class_id=50) + BODY,
    METHOD + header(weight=1) + BODY,
    METHOD + header(more=b"\x80\0") + BODY,
    METHOD + header(more=b"\x10\0\x03") + BODY,
    METHOD + header(size=5000) + frames.frame(3, 1, bytes(4000)) + frames.frame(3, 1, bytes(1000)),
    METHOD + header(size=0),
    METHOD + header(more=bytes(5000)),
    frames.frame(8, 1, b""),
    frames.frame(8, 0, b"x"),
    frames.frame(9, 1, b"x"),
    b"\1\0\1\xff\xff\xff\xff",
    frames.method(1, "channel.close"),
    frames.method(9, "basic.publish", routing_key="q") + HEADER,
    publish("nope", "q", b"x"),
    publish("", "q", b"x", immediate=True),
    publish("", "q", b"x", expiration="never"),
    ack(99),
    ack(1, 9),
    METHOD[:7] + METHOD[7:11] + b"\xff" * 20,
]  # fmt: skip

HEADERS = ({"CC": ["r"]}, {"n": 1}, {"BCC": ["r"], "n": 1})
headers = st.sampled_from([{}] * 4 + [{"headers": each} for each in HEADERS])
own = st.fixed_dictionaries(
    {},
    optional={
        "message_id": st.sampled_from(["1", "2", "10", "11"]),
        "priority": st.sampled_from([0, 9]),
        "timestamp": st.sampled_from([1, 2]),
        "delivery_mode": st.sampled_from([1, 1, 2, 3]),
    },
)
publishes = st.builds(
    lambda exchange, key, body, channel, mandatory, more, times: (
        publish(exchange, key, body, channel, mandatory, **more) * times
    ),
    st.sampled_from(["", "amq.direct", "amq.topic", "amq.headers"]),
    st.sampled_from(["q", "a.b", "none"]),
    st.sampled_from([b"", b"x", b"y" * 50, b"z" * 4090]),
    st.sampled_from([1, 1, 2]),
    st.booleans(),
    st.builds(dict.__or__, headers, own),
    st.integers(1, 3),
)
acks = st.builds(ack, st.integers(1, 6), st.sampled_from([1, 1, 2]), multiple=st.booleans())
others = st.sampled_from(
    [
        frames.HEARTBEAT_FRAME,
        frames.method(1, "basic.get", queue="q"),
        frames.method(2, "basic.get", queue="q", no_ack=True),
        frames.method(1, "basic.recover", requeue=True),
        frames.method(2, "queue.declare", queue="q", passive=True),
        frames.method(1, "channel.close-ok"),
        frames.method(1, "channel.open"),
        frames.method(1, "tx.commit"),
    ]
)
parts = st.lists(st.one_of(publishes, publishes, acks, acks, others), max_size=12)
cuts = st.lists(st.sampled_from([1, 2, 5, 7, 13, 21, 40, 64, 200, 4100]), max_size=20)
modes = st.sampled_from(["plain", "confirm", "tx", "global"])


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(parts, st.sampled_from([b""] * 3 + DAMAGED), cuts, modes)
@example([PLAIN * 3, ack(1), ack(2), ack(1, 2)], b"", [], "confirm")
@example([publish("amq.direct", "q", b"x") * 5, ack(1) + ack(2) + ack(3)], b"", [], "plain")
@example([publish("", f"{key}", b"x") for key in range(6)], b"", [], "plain")
@example([PLAIN, publish("", "q", b""), PLAIN * 2, publish("", "q", b"other")], b"", [], "tx")
def test_the_fast_path_and_the_general_one_have_the_same_outcome(
    stream: list[bytes], damage: bytes, sizes: list[int], mode: str
) -> None:
    chunks = cut(b"".join(stream) + damage + PLAIN, sizes)
    assert play(chunks, mode, fast=True) == play(chunks, mode, fast=False)


def in_turn(*priorities: int) -> bytes:
    return b"".join(publish("", "q", b"body", priority=each) for each in priorities)


@pytest.mark.parametrize(
    "data",
    [
        in_turn(1, 2, 1, 2, 2, 1) + ack(1),
        in_turn(1, 2, 3, 1, 2, 3, 3, 1),
        # More than are kept, and then the first ones once more.
        in_turn(*range(8), *range(8)),
        # Known, but of another size, or not in one frame this time, or without its body.
        in_turn(1, 2) + publish("", "q", b"longer body", priority=1) + in_turn(1, 2),
        in_turn(1, 2, 1)[: -len(BODY)] + frames.frame(3, 1, b"bo") + frames.frame(3, 1, b"dy"),
        in_turn(1, 2, 1)[: -len(BODY)] + frames.HEARTBEAT_FRAME + BODY + in_turn(2, 1),
        in_turn(1, 2, 1)[: -len(BODY)] + in_turn(2),
        in_turn(1, 2, 1)[:-1] + b"\0",
        in_turn(1, 2) + publish("", "q", b"", priority=1) + publish("", "q", b"", priority=2) * 2,
        # What its headers say about its way is known with it.
        (publish("", "q", b"x", headers={"CC": ["r"]}) + publish("", "q", b"x")) * 3,
        (publish("", "q", b"x", headers={"BCC": ["r"]}) + publish("", "q", b"x")) * 3,
        (publish("", "q", b"x", expiration="60000") + publish("", "q", b"x")) * 3,
    ],
)
def test_headers_that_come_in_turn_have_the_same_outcome(data: bytes) -> None:
    for size in (len(data), 50, 7):
        chunks = cut(data + PLAIN, [size] * (len(data) // size))
        for mode in ("plain", "confirm"):
            assert play(chunks, mode, fast=True) == play(chunks, mode, fast=False)


def named(*ids: str, body: bytes = b"body", exchange: str = "", **more: Any) -> bytes:
    return b"".join(publish(exchange, "q", body, message_id=each, **more) for each in ids)


DELETED = frames.method(1, "exchange.delete", exchange="x")
DECLARED = frames.method(1, "exchange.declare", exchange="x", exchange_type="direct")
SPLIT = frames.frame(3, 1, b"bo") + frames.frame(3, 1, b"dy")


def of_all_sizes(**more: Any) -> bytes:
    return b"".join(named(str(size), body=b"x" * size, **more) for size in (4, 9, 70))


SIZES = of_all_sizes()


@pytest.mark.parametrize(
    "data",
    [
        named("1", "2", "3", "3", "4") + ack(1),
        # Two properties of their own beside each other, and with something between.
        b"".join(named(str(each), timestamp=each) for each in range(1, 6)),
        b"".join(named(str(each), priority=each, type="t") for each in range(1, 6)),
        # Texts of other lengths, as numbers have: more than there are builds kept for.
        named("1", "10", "2", "20", "100", "1000", "3", "30", "200", "2000", "20000"),
        # Bodies of other sizes, and none, and one that is too large for a frame.
        SIZES + named("4", body=b"y" * 20) + named("5", body=b"") + named("6", body=b"z" * 4090),
        SIZES + named("4", body=b"z" * 4080) + named("5", body=b"z" * 5000) + named("6"),
        # What was looked at has to be the same: modes, where a reply goes, who else gets it.
        named("1", "2", delivery_mode=1) + named("3", "4", delivery_mode=2) + named("5"),
        named("1", "2", delivery_mode=1) + named("3", delivery_mode=3) + named("4"),
        SIZES + named("4", delivery_mode=3),
        named("1", "2", reply_to="a") + named("3", reply_to="amq.rabbitmq.reply-to") + named("4"),
        named("1", "2", headers={"n": 1}) + named("3", headers={"CC": ["r"]}) + named("4", "5"),
        named("1", "2", headers={"n": 1}, exchange="amq.headers") + named("3", "4"),
        named("1", "2", expiration="60000") + named("3", expiration="never") + named("4"),
        # No pattern: of what is long, or of what is read and differs in each; but of two in turn.
        named("1", "10", "100", "200", headers={"n": "x" * 300}),
        b"".join(named(str(each), headers={"trace": each}) for each in range(7)),
        b"".join(named("i" * each, headers={"n": each % 2}) for each in (1, 2, 3, 4, 3, 4, 5)),
        # Alike, but damaged, cut short, or in several frames.
        named("1", "2", "3")[:-1] + b"\0",
        named("1", "2", "3")[: -len(BODY)] + SPLIT + named("4"),
        SIZES + named("4")[: -len(BODY)] + SPLIT + named("5"),
        # The same in the midst of those that are taken together.
        named(*"12345")[:-1] + b"\0" + named("6"),
        named(*"12345")[: -len(BODY)] + frames.frame(3, 2, b"body") + named("6"),
        named(*"1234", exchange="amq.direct") + ack(1) + named(*"5678", exchange="amq.direct"),
        SIZES + named("4")[: -len(BODY)] + frames.HEARTBEAT_FRAME + BODY,
        SIZES + named("4")[:-1] + b"\0",
        # A body of no bytes has no frame: one that comes nevertheless is an error.
        SIZES + named("4", body=b"") + frames.frame(3, 1, b"") + named("5"),
        # Refused once it was known: its exchange is gone.
        DECLARED + named("1", "2", exchange="x") + DELETED + named("3", exchange="x"),
        DECLARED + of_all_sizes(exchange="x") + DELETED + named("8", exchange="x"),
    ],
)
def test_values_of_their_own_have_the_same_outcome(data: bytes) -> None:
    for size in (len(data), 50, 7):
        chunks = cut(data + PLAIN, [size] * (len(data) // size))
        for mode in ("plain", "confirm"):
            assert play(chunks, mode, fast=True) == play(chunks, mode, fast=False)


def test_patterns_are_made_of_short_headers_whose_read_values_come_again() -> None:
    cases: dict[str, tuple[list[dict[str, Any]], int]] = {
        "ids of other lengths": ([{"message_id": "i" * n} for n in (1, 2, 3, 2)], 2),
        "a trace in each": (
            [{"message_id": f"{n}", "headers": {"traceparent": f"00-{n:032}"}} for n in range(12)],
            0,
        ),
        "a mode in each": ([{"delivery_mode": n, "message_id": "i" * n} for n in (1, 2)], 0),
        "100 KB in each": ([{"headers": {"n": f"{n}" * 100_000}} for n in range(9)], 0),
        "ids beside 300 bytes": (
            [{"message_id": "i" * n, "headers": {"n": "x" * 300}} for n in range(1, 5)],
            0,
        ),
        "two in turn": ([{"message_id": "i" * n, "headers": {"n": n % 2}} for n in range(1, 7)], 4),
    }
    for name, (sent, count) in cases.items():
        client = Scene().client(tune=(2047, 131_072, 0))
        with patch.object(variants, "builds", wraps=variants.builds) as made:
            client.fake.send(b"".join(publish("", "q", b"body", **each) for each in sent))
        assert made.call_count == count, name


def in_frames(*bodies: bytes, size: int | None = None, channel: int = 1) -> bytes:
    """A publish whose body has a frame for each of these."""
    begun = frames.method(channel, "basic.publish", routing_key="q")
    length = sum(map(len, bodies)) if size is None else size
    begun += frames.frame(2, channel, content.encode_header(length, {}))
    return begun + b"".join(frames.frame(3, channel, each) for each in bodies)


LARGE = [b"a" * 40, b"b" * 40, b"c" * 30]


@pytest.mark.parametrize(
    "data",
    [
        in_frames(*LARGE) * 2 + ack(1),
        in_frames(*LARGE, b"d") + in_frames(b"e", *LARGE),
        # Of two channels by turns, with a heartbeat and an ack between.
        in_frames(*LARGE[:2], size=80 + 30)
        + in_frames(*LARGE[:1], size=80, channel=2)
        + frames.HEARTBEAT_FRAME
        + ack(1, 2)
        + frames.frame(3, 1, LARGE[2])
        + frames.frame(3, 2, LARGE[1]),
        # Longer than its header says, of no channel, on one that awaits none, damaged, a method.
        in_frames(*LARGE, size=90) + PLAIN,
        in_frames(*LARGE, size=200) + frames.frame(3, 9, LARGE[0]),
        frames.frame(3, 1, LARGE[0]) + PLAIN,
        METHOD + frames.frame(3, 1, LARGE[0]) + PLAIN,
        in_frames(*LARGE[:2], size=90)[:-1] + b"\0" + PLAIN,
        in_frames(*LARGE[:2], size=90) + METHOD,
        # To no exchange: the rest is for a channel that closes.
        in_frames(*LARGE).replace(METHOD, frames.method(1, "basic.publish", exchange="none")) * 2,
    ],
)
def test_large_body_frames_have_the_same_outcome(data: bytes) -> None:
    for size in (len(data), 100, 47, 20, 7):
        chunks = cut(data + PLAIN, [size] * (len(data) // size))
        for mode in ("plain", "confirm", "tx"):
            assert play(chunks, mode, fast=True) == play(chunks, mode, fast=False)


@pytest.mark.timeout(600)
def test_every_damage_at_every_cut_has_the_same_outcome() -> None:
    for damage in DAMAGED:
        data = PLAIN + damage + PLAIN
        for at in {0, len(PLAIN), *range(len(PLAIN), min(len(data), 2 * len(PLAIN) + 40), 3)}:
            chunks = [data[:at], data[at:]]
            fast, general = play(chunks, "confirm", fast=True), play(chunks, "confirm", fast=False)
            assert fast == general, (damage, at)


def test_a_burst_in_slices_has_the_same_outcome() -> None:
    wide = publish("amq.headers", "", b"x", headers={"n": 1})
    data = PLAIN * 40 + wide * 3 + frames.HEARTBEAT_FRAME + METHOD + HEADER + BODY
    at_once = play([data], "plain", fast=True)
    assert play([data], "plain", fast=True, hurried=True) == at_once
    assert play([data], "plain", fast=False, hurried=True) == at_once


@pytest.mark.parametrize("mode", ["plain", "tx"])
def test_a_publish_to_hundreds_of_queues_in_slices_has_the_same_outcome(mode: str) -> None:
    wide = publish("amq.fanout", "", b"x")
    data = PLAIN + wide * 2 + PLAIN + wide + frames.method(1, "tx.commit") + wide
    at_once = play([data], mode, fast=True, width=300)
    assert play([data], mode, fast=True, hurried=True, width=300) == at_once
    assert play([data], mode, fast=False, hurried=True, width=300) == at_once


def test_publishes_while_an_alarm_is_set_wait_with_the_same_outcome() -> None:
    acked = frames.method(1, "basic.ack", delivery_tag=99)
    for data in (PLAIN, frames.method(1, "queue.declare", queue="z") + PLAIN * 2 + acked):
        assert play([data], "alarm", fast=True) == play([data], "alarm", fast=False)


QUEUES: dict[str, dict[str, Any]] = {
    "plain": {},
    "full": {"x-max-length": 2, "x-overflow": "reject-publish"},
    "full, with dead letters": {
        "x-max-length": 2,
        "x-overflow": "reject-publish-dlx",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "q",
    },
    "short": {"x-max-length": 2},
    "quorum": {"x-queue-type": "quorum"},
    "stream": {"x-queue-type": "stream"},
}


@pytest.mark.parametrize("confirming", [False, True])
@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("kind", QUEUES)
def test_to_one_queue_it_goes_as_to_several(kind: str, watched: bool, confirming: bool) -> None:
    """`Route.alone` is what `VirtualHost.publish` does, written out."""

    def outcome() -> list[object]:
        scene = Scene()
        seen: list[object] = []
        client = scene.client()
        client.send("queue.declare", queue="q")
        client.send("queue.declare", queue="k", durable=True, arguments=QUEUES[kind])
        if watched:
            scene.broker.watch(seen.append)
        if confirming:
            client.send("confirm.select")
        one = publish("", "k", b"x", mandatory=True)
        parts: list[bytes] = [
            one * 4,
            one + publish("", "nobody", b"x", mandatory=True) + one,
            # What reached nobody before, and does now.
            publish("amq.direct", "later", b"x"),
            frames.method(1, "queue.bind", queue="k", exchange="amq.direct", routing_key="later"),
            publish("amq.direct", "later", b"x") * 2,
        ]
        if kind != "stream":
            parts.append(frames.method(1, "basic.consume", queue="k", consumer_tag="c"))
            parts.append(frames.method(1, "basic.consume", queue="k", no_ack=True))
        parts.append(one * 3)
        parts.append(frames.method(1, "queue.delete", queue="k") + one)
        for part in parts:
            client.fake.send(part)
        unroutable = client.fake.connection.unroutable
        return [
            client.fake.take(),
            seen,
            (unroutable.count, unroutable.remembered, unroutable.last),
            _state(scene, client),
            scene.events,
            scene.broker.destinations(),
            _figures(scene),
            scene.broker.memory.used,
        ]

    route_of = VirtualHost.route

    def general(vhost: VirtualHost, *asked: Any) -> Route:
        route = route_of(vhost, *asked)
        route.alone = None
        return route

    found = outcome()
    with patch.object(VirtualHost, "route", general):
        assert found == outcome()


@pytest.mark.parametrize("largest", [131_072, 40_000], ids=["one frame", "several"])
def test_a_large_body_is_looked_at_once_for_each_of_its_frames(largest: int) -> None:
    made = content.make_content(1, bytes(100_000), {}, largest - 8)
    data = frames.method(1, "basic.publish", exchange="", routing_key="q") + made
    looks: list[int] = []

    class Counting(BurstReader):
        def walk(self, data: bytes, at: int) -> int:
            looks.append(len(data) - at)
            return super().walk(data, at)

    with patch("mockforge_brokers.amqp.connection.connection.BurstReader", Counting):
        client = Scene().client(tune=(2047, largest, 0))
    client.send("queue.declare", queue="q")
    client.send("confirm.select")
    looks.clear()
    for piece in cut(data, [1000] * (len(data) // 1000)):
        client.fake.send(piece)
    assert [got.name for got in client.received()] == ["basic.ack"]
    read = len(looks)
    (got,) = client.send("basic.get", queue="q", no_ack=True)
    assert (got.name, got.body) == ("basic.get-ok", bytes(100_000))
    # For each frame: where its head came, where it is whole, and what came behind it.
    assert read <= 3 * len(frames.split(data)) + 2


def test_acknowledgements_on_a_channel_that_was_closed_are_passed_by_one_for_one() -> None:
    def effort(count: int) -> int:
        client = Scene().client()
        client.send("basic.ack", delivery_tag=1)
        many = b"".join(frames.method(1, "basic.ack", delivery_tag=1) for _ in range(count))
        return calls_of(lambda: client.fake.send(many))

    assert effort(800) < 6 * effort(200)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_branch_of_the_fast_path_is_entered_by_the_comparison(tmp_path: Path) -> None:
    assert missed_branches(burst, __file__, "same_outcome", tmp_path, variants) == ""
