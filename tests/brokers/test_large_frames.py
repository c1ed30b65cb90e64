"""What a loop's read leaves of a large frame is read in one piece, past the loop."""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from mockforge_brokers import endpoint
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.wire.frames import PROTOCOL_HEADER, method, split
from mockforge_brokers.amqp.wire.methods import BY_NAME, decode
from mockforge_brokers.bulk import read_now
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.contract import Broker
from mockforge_brokers.endpoint import Endpoint
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import ConnectionClosed
from mockforge_brokers.fairness import SMALL
from mockforge_brokers.journal import IN
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.logs import FetchResponse
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import Drop
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish
from mockforge_brokers.transport import Server

from .amqp.client import publish
from .kafka.scene import fetch, produce
from .loops import LOOPS
from .misbehaving import fault
from .wire import Wire

FULL = 256_000
"""What a loop reads at most."""
HEAD = 4_096
"""What is read behind a large frame at first."""
BODY = bytes(range(256)) * 1_400


def kafka(body: bytes, number: int = 2) -> bytes:
    return encode_request(produce("large", body), 7, number, "c")


def mqtt(body: bytes, number: int = 2) -> bytes:
    return encode_packet(Publish("large", body, 1, packet_id=number), 4)


def amqp(body: bytes, number: int = 2) -> bytes:
    return publish("large", str(number), body)


def _amqp_broker(environment: Environment) -> AmqpBroker:
    broker = AmqpBroker(environment)
    broker.declare_exchange("large", "fanout")
    return broker


_AMQP_LOGIN = [
    PROTOCOL_HEADER,
    method(
        0,
        "connection.start-ok",
        client_properties={},
        mechanism="PLAIN",
        response="\0guest\0guest",
        locale="en_US",
    ),
    method(0, "connection.tune-ok", channel_max=2047, frame_max=131_072, heartbeat=60)
    + method(0, "connection.open", virtual_host="/"),
    method(1, "channel.open") + method(1, "confirm.select", no_wait=True),
]


def _kafka_broker(environment: Environment) -> KafkaBroker:
    broker = KafkaBroker(environment)
    for topic in ("large", "other"):
        broker.create_topic(topic)
    return broker


PROTOCOLS: dict[str, tuple[Callable[..., Any], list[bytes], Callable[..., bytes]]] = {
    "kafka": (_kafka_broker, [kafka(b"x", 1)], kafka),
    "mqtt": (MqttBroker, [encode_packet(Connect("c", keep_alive=60), 4)], mqtt),
    "amqp": (_amqp_broker, _AMQP_LOGIN, amqp),
}
OTHERS = {
    "kafka": encode_request(produce("other", b"x"), 7, 1, "other"),
    "mqtt": encode_packet(Connect("", 4), 4),
    "amqp": PROTOCOL_HEADER,
}
"""What others say, and are answered."""
direct = pytest.mark.skipif(not hasattr(os, "writev"), reason="the loop alone reads and writes")
each = pytest.mark.parametrize("protocol", [pytest.param(one, marks=direct) for one in PROTOCOLS])
framed = pytest.mark.parametrize(
    "protocol", [pytest.param(one, marks=direct) for one in ("kafka", "mqtt")]
)
"""Whose frames say how long they are."""


class Transport:
    """What a loop's is to an endpoint, over one end of a pair; nobody reads but the test."""

    def __init__(self, sock: socket.socket, *, layered: bool) -> None:
        self.sock, self.layered = sock, layered
        self.closing = self.stopped = False

    def get_extra_info(self, name: str) -> object:
        return {"socket": self.sock, "layered": self.layered}.get(name)

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing waits."""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.stopped = True

    def resume_reading(self) -> None:
        self.stopped = False

    def can_write_eof(self) -> bool:
        return False

    def abort(self) -> None:
        self.closing = True

    close = abort


class Meeting:
    """A client that has logged in, at the loop's side (`read`) and its own."""

    def __init__(self, protocol: str, sock: socket.socket, theirs: socket.socket, **more: Any):
        build, login, self.frame = PROTOCOLS[protocol]
        self.environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        self.events: list[Any] = []
        self.environment.spine.watch(self.events.append)
        self.broker: Broker = build(self.environment)
        server = Server(self.broker, self.environment)
        self.server, self.theirs, self.sock = server, theirs, sock
        # However busy the machine is, no turn is up.
        self.environment.turn.length = 1e9
        server.backlog.crowded = lambda: False  # type: ignore[method-assign]
        self.transport = Transport(sock, layered=more.get("layered", False))
        self.endpoint = Endpoint(server, Listener(protocol))
        self.endpoint.connection_made(self.transport)  # type: ignore[arg-type]
        for step in login:
            self.endpoint.data_received(step)
        self.answers()

    def answers(self) -> bytes:
        self.server.turns._flush_all()
        got = b""
        try:
            while piece := self.theirs.recv(1 << 20):
                got += piece
        except OSError:
            pass
        return got

    def left(self) -> bytes:
        """What is still in the socket."""
        try:
            return self.sock.recv(1 << 20)
        except BlockingIOError:
            return b""

    def kept(self) -> list[bytes]:
        """The reads that the journal has of this client."""
        journal = self.environment.journal
        assert journal is not None
        return [one.data or b"" for one in journal.since(0) if one.direction == IN][::-1]


def meet(protocol: str, test: Callable[[Meeting], None], **more: Any) -> None:
    async def main() -> None:
        with pair() as (ours, theirs):
            test(Meeting(protocol, ours, theirs, **more))

    asyncio.run(main())


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    # Room for all that a test sends.
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with ours, theirs:
        yield ours, theirs


def answered(protocol: str, *frames: bytes) -> bytes:
    """What a client gets whose bytes come in one read."""
    got = []

    def test(world: Meeting) -> None:
        world.endpoint.data_received(b"".join(frames))
        got.append(world.answers())

    meet(protocol, test)
    return got[0]


@each
@pytest.mark.parametrize("there", [1, 1_000, 70_000, -1, None], ids=str)
def test_the_rest_is_taken_as_far_as_it_is_there(protocol, there):
    frame = PROTOCOLS[protocol][2](BODY)
    answer = answered(protocol, frame)

    def test(world: Meeting) -> None:
        rest = frame[FULL:]
        assert world.theirs.send(rest[:there]) == len(rest[:there])
        world.endpoint.data_received(frame[:FULL])
        assert world.kept()[-2:] == [frame[:FULL], rest[:there]]
        assert world.left() == b""
        if there is not None:
            assert world.answers() == b""
            world.endpoint.data_received(rest[there:])
        assert world.answers() == answer != b""

    meet(protocol, test)


@each
@pytest.mark.parametrize("there", [1_000, None], ids=["a part", "all"])
def test_in_a_crowd_the_rest_is_kept_and_answered_behind_what_came_first(protocol, there):
    make = PROTOCOLS[protocol][2]
    small, frame = make(b"small", 3), make(BODY)
    first, rest = small + frame[:FULL], frame[FULL:]
    answers = []

    def test(world: Meeting, others: int) -> None:
        for _ in range(others):
            other = Endpoint(world.server, Listener(protocol))
            other.connection_made(Wire())  # type: ignore[arg-type]
            other.data_received(OTHERS[protocol])
        assert world.server.turns.answers.gathering == bool(others)
        world.theirs.send(rest[:there])
        world.endpoint.data_received(first)
        assert world.kept()[-2:] == [first, rest[:there]]
        if there is not None:
            world.endpoint.data_received(rest[there:])
        answers.append(world.answers())

    for others in (0, 6):
        meet(protocol, partial(test, others=others))
    assert answers[0] == answers[1] != b""


@framed
@pytest.mark.parametrize("behind", ["nothing", "a small one", "a large one", "a part", "many"])
def test_what_is_there_behind_the_frame_is_looked_at_for_another_large_one(protocol, behind):
    make = PROTOCOLS[protocol][2]
    frame, small, large = make(BODY), make(b"next", 3), make(BODY, 3)
    more = {
        "nothing": [],
        "a small one": [small],
        "a large one": [large],
        "a part": [large],
        "many": [make(bytes(90), number) for number in range(3, 90)],
    }[behind]
    answer = answered(protocol, frame, *more)
    part = b"".join(more)[: 50_000 if behind == "a part" else None]

    def test(world: Meeting) -> None:
        # As much as the socket has room for.
        there = world.theirs.send(frame[FULL:] + part) - len(frame[FULL:])
        world.endpoint.data_received(frame[:FULL])
        # What cannot be of a large frame, or is not there yet, is the loop's to read.
        left = world.left()
        assert left == (part[HEAD:there] if behind == "many" else b"")
        world.endpoint.data_received(b"".join(more)[there - len(left) :])
        assert world.answers() == answer

    meet(protocol, test)


@framed
def test_what_is_looked_at_may_end_wherever_it_does_in_a_small_frame(protocol):
    """Also where the size of the last one is not there yet."""
    make = PROTOCOLS[protocol][2]
    ends = set()

    def test(world: Meeting) -> None:
        for size in range(40, 140):
            # None is as long as the last one: of such a third would be expected.
            frame = make(BODY[size:])
            one = make(bytes(size), 3)
            more = one * (2 * HEAD // len(one))
            ends.add(HEAD % len(one))
            world.theirs.send(frame[FULL:] + more)
            world.endpoint.data_received(frame[:FULL])
            assert not world.endpoint.closing, f"{size}: {world.events[-1]}"
            assert world.endpoint.connection.missing >= 0
            left = world.left()
            assert left == more[HEAD:]
            world.endpoint.data_received(left)
            assert world.answers()

    meet(protocol, test)
    assert ends >= {1, 2}, "some end before a frame says how long it is"


@each
def test_no_cut_of_a_frame_lacks_less_than_nothing(protocol):
    one = PROTOCOLS[protocol][2](bytes(300))

    def test(world: Meeting) -> None:
        for end in range(len(one)):
            for piece in (one[:end], one[end:]):
                world.endpoint.data_received(piece)
                assert world.endpoint.connection.missing >= 0, end
            world.answers()

    meet(protocol, test)


@framed
def test_the_next_large_frame_is_left_to_the_loop_once_the_turn_is_up(protocol):
    frame = PROTOCOLS[protocol][2](BODY)
    following = PROTOCOLS[protocol][2](BODY, 3)

    def test(world: Meeting) -> None:
        there = world.theirs.send(frame[FULL:] + following) - len(frame[FULL:])
        # Asked for the read of the loop, and before each of ours.
        asked = iter([False, False, True])
        world.server.backlog.crowded = lambda: next(asked)  # type: ignore[method-assign]
        world.endpoint.data_received(frame[:FULL])
        assert world.left() == following[:there]

    meet(protocol, test)


@direct
@pytest.mark.parametrize("size", [10_000, 50_000, 190_000])
def test_amqp_messages_that_follow_large_ones_are_taken_with_them(size):
    """None of their frames says how long all of a message is: see `Connection.missing`."""
    count = 400_000 // size
    sent = b"".join(amqp(BODY[:size], number) for number in range(count))

    def test(world: Meeting) -> None:
        rest = sent[FULL:]
        assert world.theirs.send(rest) == len(rest)
        world.endpoint.data_received(sent[:FULL])
        assert world.left() == b""
        assert len(world.kept()) == 2 + len(_AMQP_LOGIN)
        # One confirm for all of a read.
        *_, last = split(world.answers())
        assert decode(BY_NAME["basic.ack"], last.payload)["delivery_tag"] == count

    meet("amqp", test)


@direct
def test_small_amqp_messages_are_left_to_the_loop():
    sent = amqp(bytes(1_000)) * 300

    def test(world: Meeting) -> None:
        world.theirs.send(sent[FULL:])
        world.endpoint.data_received(sent[:FULL])
        assert world.left() == sent[FULL:]

    meet("amqp", test)


def _slow(world: Meeting) -> None:
    world.endpoint.pause_reading()


def _closed_by_the_loop(world: Meeting) -> None:
    world.transport.closing = True


def _crowded(world: Meeting) -> None:
    asked = iter([False, True])
    world.server.backlog.crowded = lambda: next(asked)  # type: ignore[method-assign]


@each
@pytest.mark.parametrize(
    "why", [_slow, _closed_by_the_loop, _crowded], ids=lambda why: why.__name__
)
def test_nothing_is_read_that_nobody_wants_now(protocol, why):
    frame = PROTOCOLS[protocol][2](BODY)

    def test(world: Meeting) -> None:
        world.theirs.send(frame[FULL:])
        why(world)
        world.endpoint.data_received(frame[:FULL])
        assert world.left() == frame[FULL:]

    meet(protocol, test)


@each
def test_below_a_layer_nothing_is_read(protocol):
    frame = PROTOCOLS[protocol][2](BODY)

    def test(world: Meeting) -> None:
        world.theirs.send(frame[FULL:])
        world.endpoint.data_received(frame[:FULL])
        assert world.left() == frame[FULL:]

    meet(protocol, test, layered=True)


@direct
def test_where_nothing_says_how_much_is_missing_a_read_that_was_not_full_was_all():
    frame = amqp(BODY)

    def test(world: Meeting) -> None:
        world.theirs.send(frame[200_000:])
        world.endpoint.data_received(frame[:200_000])
        assert world.left() == frame[200_000:]

    meet("amqp", test)


@framed
@pytest.mark.parametrize("first", [SMALL + 1, 65_536, 200_000, FULL - 1])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_what_a_frame_lacks_is_read_as_long_as_there_is_some(protocol, first, steps, monkeypatch):
    """Also behind reads that were not full: its client is still sending."""
    frame = PROTOCOLS[protocol][2](BODY)
    answer = answered(protocol, frame)
    ends = [first + (len(frame) - first) * step // steps for step in range(steps + 1)]
    pieces = [frame[at:end] for at, end in pairwise(ends)]

    def test(world: Meeting) -> None:
        coming = iter(pieces)

        def read(descriptor: int, most: int) -> bytes | None:
            if (piece := next(coming, b"")) and world.theirs.send(piece) != len(piece):
                pytest.skip("a socket pair has no room for them here")
            return read_now(descriptor, most)

        monkeypatch.setattr(endpoint, "read_now", read)
        world.endpoint.data_received(frame[:first])
        assert world.kept()[-1 - steps :] == [frame[:first], *pieces]
        assert world.answers() == answer != b""

    meet(protocol, test)


def _parts(frame: bytes) -> list[bytes]:
    return [
        frame[:70_000],
        *(frame[at : at + 100_000] for at in range(70_000, len(frame), 100_000)),
    ]


@framed
@pytest.mark.parametrize("behind", [0, 1, 2])
def test_a_rule_does_to_a_frame_in_parts_the_same_whoever_reads_them(protocol, behind, monkeypatch):
    """It comes into force behind so many of them."""
    parts = _parts(PROTOCOLS[protocol][2](BODY))
    came = []

    def test(world: Meeting, *, past_the_loop: bool) -> None:
        rule = fault(Drop(), lambda row: row.destination == "large")

        def each_part() -> Iterator[bytes]:
            for number, part in enumerate(parts):
                if number == behind:
                    world.environment.faults.add(rule)
                yield part

        reads = each_part()
        own = reads if past_the_loop else iter(())
        monkeypatch.setattr(endpoint, "read_now", lambda descriptor, most: next(own, None))
        for part in reads:
            world.endpoint.data_received(part)
        came.append((world.answers(), rule.hits))

    for past_the_loop in (False, True):
        meet(protocol, partial(test, past_the_loop=past_the_loop))
    assert came[0] == came[1]


@framed
def test_a_bug_amid_a_frame_ends_its_connection_alone(protocol, monkeypatch):
    first, *parts = _parts(PROTOCOLS[protocol][2](BODY))
    reads = iter(parts)
    monkeypatch.setattr(endpoint, "read_now", lambda descriptor, most: next(reads, None))

    def test(world: Meeting) -> None:
        connection = type(world.endpoint.connection)
        usual = connection.receive

        def receive(self: Any, data: bytes) -> int:
            if data != first:
                raise RuntimeError("amid a frame")
            return usual(self, data)

        monkeypatch.setattr(connection, "receive", receive)
        world.endpoint.data_received(first)
        (closed,) = (one for one in world.events if isinstance(one, ConnectionClosed))
        assert closed.reason.startswith("a bug of ours: ")
        assert "amid a frame" in closed.reason
        assert world.transport.closing
        assert list(reads) == parts[1:]

    meet(protocol, test)


@framed
def test_what_lacks_little_is_left_to_the_loop(protocol):
    frame = PROTOCOLS[protocol][2](BODY[:100_000])

    def test(world: Meeting) -> None:
        world.theirs.send(frame[60_000:])
        world.endpoint.data_received(frame[:60_000])
        assert world.left() == frame[60_000:]

    meet(protocol, test)


FOLLOWING = {
    "one as long": [BODY[:150_000]],
    "a part of one as long": [BODY[:150_000]],
    "one less long": [BODY[:90_000]],
    "one less long and another": [BODY[:80_000], BODY[:60_000]],
    "one longer": [BODY[:170_000]],
    "small ones": [bytes(90)] * 50,
    "nothing": [],
}


@direct
@pytest.mark.parametrize("name", FOLLOWING)
def test_behind_two_requests_as_long_as_each_other_a_third_is_read_in_one_piece(name):
    two = [kafka(BODY[:150_000], number) for number in (2, 3)]
    more = [kafka(body, number) for number, body in enumerate(FOLLOWING[name], 4)]
    behind = b"".join(more)
    if name == "a part of one as long":
        behind = behind[:70_000]
    answer = answered("kafka", *two, *more)

    def test(world: Meeting) -> None:
        world.endpoint.data_received(two[0])
        rest = two[1][50_000:] + behind
        assert world.theirs.send(rest) == len(rest)
        world.endpoint.data_received(two[1][:50_000])
        assert world.left() == b""
        if name == "one as long":
            assert world.kept()[-1] == more[0]
        world.endpoint.data_received(b"".join(more)[len(behind) :])
        assert world.answers() == answer

    meet("kafka", test)


@direct
def test_of_requests_that_are_hardly_large_the_loop_reads_several_at_once():
    large, small = kafka(BODY[:100_000]), kafka(BODY[:40_000])
    # The next read is as long as the last large one: two of these, and a part of a third.
    sent = large + small * 20

    def test(world: Meeting) -> None:
        world.endpoint.data_received(large)
        world.theirs.send(sent[30_000:])
        world.endpoint.data_received(large[:30_000])
        assert world.endpoint.connection.expected == len(small)
        left = world.left()
        assert len(left) > 10 * len(small)
        world.endpoint.data_received(left)
        assert not world.endpoint.closing

    meet("kafka", test)


@framed
@pytest.mark.parametrize("first", [70_000, FULL])
def test_a_client_that_leaves_in_the_midst_of_a_frame_has_sent_nothing(protocol, first):
    frame = PROTOCOLS[protocol][2](BODY)

    def test(world: Meeting) -> None:
        world.theirs.send(frame[first:-1])
        world.theirs.shutdown(socket.SHUT_WR)
        world.endpoint.data_received(frame[:first])
        assert world.endpoint.connection.missing == 1
        assert world.answers() == b""
        world.endpoint.eof_received()
        (closed,) = (one for one in world.events if isinstance(one, ConnectionClosed))
        assert closed.reason == "the client closed the connection"

    meet(protocol, test)


@direct
@pytest.mark.parametrize("reads", [1, 2, 3])
def test_a_damaged_batch_is_refused_however_it_is_read_and_the_next_one_is_taken(reads):
    whole, damaged = (kafka(BODY, number) for number in (2, 3))
    damaged = damaged[:-100] + bytes(100)
    frames = [whole, kafka(BODY, 2), damaged, kafka(BODY, 4)]
    answer = answered("kafka", *frames)

    def test(world: Meeting) -> None:
        world.endpoint.data_received(whole)
        for frame in frames[1:]:
            step = -(-len(frame) // reads)
            for at in range(0, len(frame), step):
                world.endpoint.data_received(frame[at : at + step])
        assert world.answers() == answer

    meet("kafka", test)


@each
def test_the_end_of_what_comes_is_the_loops_to_tell(protocol):
    frame = PROTOCOLS[protocol][2](BODY)

    def test(world: Meeting) -> None:
        world.theirs.shutdown(socket.SHUT_WR)
        world.endpoint.data_received(frame[:FULL])
        assert not world.endpoint.closing
        assert world.sock.recv(1) == b""

    meet(protocol, test)


@each
def test_a_reset_that_is_met_on_the_way_ends_the_connection_with_its_reason(protocol):
    frame = PROTOCOLS[protocol][2](BODY)

    def test(world: Meeting) -> None:
        # Who leaves without reading all resets the connection.
        world.sock.send(b"unread")
        world.theirs.close()
        world.endpoint.data_received(frame[:FULL])
        (closed,) = (one for one in world.events if isinstance(one, ConnectionClosed))
        met = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        assert closed.reason == f"the connection was lost: {met}"
        assert world.transport.closing

    meet(protocol, test)


@each
def test_a_rule_finds_the_frame_whole(protocol):
    frame = PROTOCOLS[protocol][2](BODY)

    def test(world: Meeting) -> None:
        rule = fault(Drop(), lambda row: row.destination == "large")
        world.environment.faults.add(rule)
        world.theirs.send(frame[FULL:])
        world.endpoint.data_received(frame[:FULL])
        world.endpoint.data_received(world.left())
        assert world.answers() == b""
        assert rule.hits == 1

    meet(protocol, test)


@pytest.mark.parametrize("loop", LOOPS)
def test_large_batches_of_two_producers_are_read_back_as_they_were_sent(loop):
    bodies = [bytes([65 + number]) * size for number, size in enumerate((10**6, 3 * 10**5, 70_000))]
    sent = [produce("t", bodies[number % 3]) for number in range(9)]
    batches = [one.topic_data[0].partition_data[0].records for one in sent]

    async def client(port: int, topic: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(9):
            writer.write(encode_request(produce(topic, bodies[number % 3]), 7, number, "c"))
        writer.write(encode_request(fetch(topic, 0, size=1 << 26), 11, 9, "c"))
        for _ in range(10):
            head = await reader.readexactly(4)
            frame = head + await reader.readexactly(int.from_bytes(head))
        writer.transport.abort()
        answer = decode_response(frame, 1, 11)[1]
        assert isinstance(answer, FetchResponse)
        return bytes(answer.responses[0].partitions[0].records or b"")

    async def main() -> None:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        server = Server(_kafka_broker(environment), environment)
        port = (await server.listen(Listener("kafka"))).port
        try:
            async with asyncio.timeout(40):
                for records in await asyncio.gather(
                    *(client(port, topic) for topic in ("large", "other"))
                ):
                    at = 0
                    for offset, batch in enumerate(batches):
                        assert struct.unpack_from(">q", records, at) == (offset,)
                        assert records[at + 16 : at + len(batch)] == batch[16:]
                        at += len(batch)
                    assert at == len(records)
        finally:
            await server.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
