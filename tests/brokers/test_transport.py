"""The one asyncio file, over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mockforge_brokers import hangup, layered
from mockforge_brokers.access import Principal
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import (
    BrokerFailed,
    ConnectionClosed,
    LimitReached,
    PeerCaughtUp,
    PeerFellBehind,
    ProtocolViolated,
)
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.lanes import Lanes
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import Delay, Duplicate, Refuse
from mockforge_brokers.misbehaviour.rules import COMPARED
from mockforge_brokers.misbehaviour.skimming import Skimmer
from mockforge_brokers.tls import issue, server_context
from mockforge_brokers.transport import Server
from mockforge_brokers.turns import CROWD, FEW
from msgspec.structs import replace

from .lines import LineBroker, LineConnection, is_word
from .misbehaving import fault, hold

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Serving:
    def __init__(self, limits: Limits | None = None) -> None:
        clock = LoopClock(asyncio.get_running_loop())
        self.environment = Environment.create(clock, seed=1, limits=limits)
        self.broker = LineBroker(self.environment)
        self.server = Server(self.broker, self.environment)
        self.events: list[Any] = []
        self.environment.spine.watch(self.events.append)
        self.port = 0
        self.open: list[Streams] = []

    async def connect(self) -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", self.port)
        self.open.append(streams)
        return streams

    def seen(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, fact: Callable[[], object]) -> None:
        async with asyncio.timeout(40):
            while not fact():
                await asyncio.sleep(0)


@asynccontextmanager
async def serving(limits: Limits | None = None) -> AsyncIterator[Serving]:
    world = Serving(limits)
    world.port = (await world.server.listen(Listener("lines"))).port
    try:
        yield world
    finally:
        for _, writer in world.open:
            writer.transport.abort()
        await world.server.close()


def run(test: Callable[[Serving], Awaitable[None]], limits: Limits | None = None) -> None:
    async def main() -> None:
        async with serving(limits) as world:
            await asyncio.wait_for(test(world), 50)

    asyncio.run(main())


def test_a_burst_is_answered_with_one_write():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        writer.write(b"one\ntwo\n")
        assert await reader.readexactly(8) == b"one\ntwo\n"
        (connection,) = world.broker.all
        chunks = [(c.direction, c.data) for c in world.environment.journal.since(0)]
        assert chunks == [(OUT, b"one\ntwo\n"), (IN, b"one\ntwo\n")]
        assert connection.peer.bytes_in == connection.peer.bytes_out == 8

    run(test)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.3", "0.0.0.0", "localhost", "::1", "::"])
def test_a_connection_knows_what_its_client_dialled_wherever_the_listener_is(host):
    async def test(world: Serving) -> None:
        dialled = {"0.0.0.0": "127.0.0.2", "::": "::1"}.get(host, host)
        try:
            # Of 127.0.0.0/8 some systems have 127.0.0.1 alone, and may never say so to a client.
            await world.server.listen(Listener("lines", host=dialled))
        except OSError:
            pytest.skip(f"this machine has no {dialled}")
        port = (await world.server.listen(Listener("lines", host=host))).port
        reader, writer = await asyncio.open_connection(dialled, port)
        world.open.append((reader, writer))
        writer.write(b"hello\n")
        assert await reader.readexactly(6) == b"hello\n"
        (connection,) = world.broker.all
        assert connection.peer.local == writer.get_extra_info("peername")[:2]

    run(test)


def test_one_of_sixteen_bursts_is_measured():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        (histogram,) = world.environment.histograms
        ((labels, durations),) = histogram.read()
        for count in range(1, 34):
            writer.write(b"one\n")
            assert await reader.readexactly(4) == b"one\n"
            # Its answer is read before its own handling is over.
            await world.until(lambda due=count // 16: durations.count == due)
        assert (histogram.name, labels) == ("mockforge_burst_seconds", (world.broker.protocol,))
        assert durations.total > 0

    run(test)


def test_what_others_give_a_connection_is_written_in_the_next_turn():
    async def test(world: Serving) -> None:
        _, talker = await world.connect()
        listener, _ = await world.connect()
        await world.until(lambda: len(world.broker.live) == 2)
        talker.write(b"all hello\nall again\n")
        assert await listener.readexactly(12) == b"hello\nagain\n"

    run(test)


def test_large_pieces_are_written_apart_and_arrive_in_order():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        writer.write(b"big 200000\n")
        assert await reader.readexactly(200_000) == b"x" * 199_999 + b"\n"
        assert await reader.readexactly(4) == b"end\n"
        pieces = [chunk for chunk in world.environment.journal.since(0) if chunk.direction == OUT]
        assert [chunk.tail for chunk in pieces] == [0, 200_000]

    run(test)


def test_a_bug_ends_one_connection_and_says_why(caplog):
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        other_reader, other = await world.connect()
        writer.write(b"bug\n")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        (failed,) = world.seen(BrokerFailed)
        assert "ZeroDivisionError: a bug" in failed.error
        assert b"bug\n".hex(" ") in failed.trace
        other.write(b"still here\n")
        assert await other_reader.readline() == b"still here\n"

    run(test)
    assert "ZeroDivisionError" in caplog.text


def test_a_bug_in_what_waited_for_its_turn_ends_one_connection(monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    async def test(world: Serving) -> None:
        monkeypatch.setattr(LineConnection, "refuse", broken)
        world.environment.faults.add(fault(Delay(0.01), is_word("late")))
        world.environment.faults.add(fault(Refuse("NO", {"lines": 1}), is_word("x")))
        reader, writer = await world.connect()
        writer.write(b"late\nx\nbehind\n")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(100)
        (failed,) = world.seen(BrokerFailed)
        assert "ZeroDivisionError: a bug" in failed.error

    run(test)


def test_a_close_writes_what_is_left_first():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        writer.write(b"one\nbye\nafter\n")
        assert await reader.read() == b"one\nbye\nafter\n"[:8]
        await world.until(lambda: world.seen(ConnectionClosed))
        assert world.seen(ConnectionClosed)[0].reason == "said bye"
        (one,) = world.environment.ended
        assert (one.view.protocol, one.view.state, one.reason) == ("lines", "ended", "said bye")

    run(test)


def test_a_peer_that_vanishes_is_reported_with_the_reason():
    async def test(world: Serving) -> None:
        _, writer = await world.connect()
        writer.write(b"half a li")
        await world.until(lambda: world.environment.journal.seq)
        writer.transport.abort()
        await world.until(lambda: world.seen(ConnectionClosed))
        assert world.broker.all[0].lost

    run(test)


def test_a_peer_that_never_reads_is_held_back_and_nobody_else_is():
    async def test(world: Serving) -> None:
        slow_reader, slow = await world.connect()
        slow_reader._transport.pause_reading()
        quick_reader, quick = await world.connect()
        slow.write(b"big 20000000\n")
        await world.until(lambda: world.seen(PeerFellBehind))
        assert world.broker.all[0].writable == [False]
        seen = len(world.broker.all[0].lines)
        slow.write(b"more\n")
        quick.write(b"quick\n")
        assert await quick_reader.readline() == b"quick\n"
        assert len(world.broker.all[0].lines) == seen
        slow_reader._transport.resume_reading()
        await slow_reader.readexactly(20_000_000 + 4)
        assert await slow_reader.readline() == b"more\n"
        assert world.broker.all[0].writable == [False, True]
        assert world.seen(PeerCaughtUp)

    run(test)


def test_what_a_peer_still_sends_takes_it_none_of_our_last_bytes():
    """Paho's flow_control2 answers what it reads, and finds the DISCONNECT behind it."""

    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        writer.write(b"one\n")
        assert await reader.readline() == b"one\n"
        peer = world.broker.all[0].peer
        # As while its bytes wait for another turn.
        peer.pause_reading()
        writer.write(b"two\n")
        world.broker.all[0].out.append(b"last words\n")
        peer.close("enough")
        peer.resume_reading()
        await world.until(lambda: world.seen(ConnectionClosed))
        writer.write(b"three\n")
        assert await reader.read() == b"last words\n"
        assert world.broker.all[0].lines == [b"one\n"]

    run(test)


def test_a_closed_peer_that_takes_nothing_is_reset(monkeypatch):
    monkeypatch.setattr(hangup, "LINGER", 0.05)

    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        reader._transport.pause_reading()
        writer.write(b"big 20000000\n")
        await world.until(lambda: world.seen(PeerFellBehind))
        world.broker.all[0].peer.close("enough")
        await world.until(lambda: world.seen(ConnectionClosed))
        assert world.seen(ConnectionClosed)[0].reason == "enough"
        await world.until(lambda: not world.server.endpoints)

    run(test)


def test_a_closed_peer_that_reads_slowly_gets_all(monkeypatch):
    monkeypatch.setattr(hangup, "LINGER", 0.05)

    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        writer.write(b"big 20000000\n")
        await world.until(lambda: world.seen(PeerFellBehind))
        world.broker.all[0].peer.close("enough")
        got = 0
        while chunk := await reader.read(1 << 20):
            got += len(chunk)
        assert got == 20_000_004

    run(test)


def test_a_closed_peer_can_still_be_reset():
    async def test(world: Serving) -> None:
        _, writer = await world.connect()
        writer.write(b"bye\n")
        await world.until(lambda: world.broker.all and world.broker.all[0].lines)
        world.broker.all[0].peer.abort("at once")
        await world.until(lambda: world.seen(ConnectionClosed))
        assert world.seen(ConnectionClosed)[0].reason == "said bye"

    run(test)


def test_connections_are_bounded():
    async def test(world: Serving) -> None:
        first_reader, first = await world.connect()
        first.write(b"hi\n")
        assert await first_reader.readline() == b"hi\n"
        reader, _ = await world.connect()
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
        (reached,) = world.seen(LimitReached)
        assert reached.limit == "connections"
        first.write(b"still\n")
        assert await first_reader.readline() == b"still\n"

    run(test, Limits(connections=1))


def test_a_fault_may_come_and_go_in_the_middle_of_a_frame():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        writer.write(b"before\nhal")
        assert await reader.readline() == b"before\n"
        rule = world.environment.faults.add(fault(matches=is_word("x"), scope="x"))
        writer.write(b"f\nx\nafter\nqua")
        assert await reader.readexactly(11) == b"half\nafter\n"
        world.environment.faults.remove(rule.id)
        writer.write(b"rter\nx\n")
        assert await reader.readexactly(10) == b"quarter\nx\n"
        assert rule.hits == 1

    run(test)


def test_whom_no_rule_is_about_needs_no_lanes_until_it_is_somebody_else():
    async def test(world: Serving) -> None:
        rule = fault(matches=is_word("x"))
        rule.match = replace(rule.match, origin=lambda row: row.origin.user == "bob")
        rule.missed = COMPARED
        world.environment.faults.add(rule)
        reader, writer = await world.connect()
        writer.write(b"x\n")
        assert await reader.readline() == b"x\n"
        (endpoint,) = world.server.endpoints.values()
        assert endpoint.lanes is None
        endpoint.identify(Principal("bob", "PLAIN"))
        writer.write(b"a\nx\nb\n")
        assert await reader.readexactly(4) == b"a\nb\n"
        endpoint.identify(Principal("alice", "PLAIN"))
        writer.write(b"x\n")
        assert await reader.readline() == b"x\n"
        assert (rule.hits, endpoint.lanes) == (1, None)
        other = world.environment.faults.add(fault(matches=is_word("y")))
        writer.write(b"y\nz\n")
        assert await reader.readline() == b"z\n"
        assert other.hits == 1

    run(test)


def test_who_is_known_since_its_first_frame_needs_no_lane_for_the_next():
    async def test(world: Serving) -> None:
        rule = fault(matches=is_word("x"))
        rule.match = replace(rule.match, origin=lambda row: row.client == "other")
        rule.missed = COMPARED
        world.environment.faults.add(rule)
        reader, writer = await world.connect()
        await world.until(lambda: world.server.endpoints)
        (endpoint,) = world.server.endpoints.values()
        endpoint.connection.client = ""
        writer.write(b"a\n")
        assert await reader.readline() == b"a\n"
        assert endpoint.lanes is not None
        endpoint.connection.client = "me"
        for _ in range(2):
            writer.write(b"a\n")
            assert await reader.readline() == b"a\n"
        assert endpoint.lanes is None

    run(test)


@pytest.mark.parametrize("reads", [1, 3])
def test_a_rule_that_comes_between_two_bursts_alike_acts_on_the_next(reads: int):
    async def test(world: Serving) -> None:
        other = world.environment.faults.add(fault(matches=is_word("other")))
        other.match = replace(other.match, operation=is_word("other"))
        reader, writer = await world.connect()
        for _ in range(reads):
            writer.write(b"x\n")
            assert await reader.readline() == b"x\n"
        rule = world.environment.faults.add(fault(matches=is_word("x")))
        writer.write(b"x\nlast\n")
        assert await reader.readline() == b"last\n"
        world.environment.faults.enable(rule.id, False)
        writer.write(b"x\n")
        assert await reader.readline() == b"x\n"
        world.environment.faults.enable(rule.id, True)
        writer.write(b"x\nlast\n")
        assert await reader.readline() == b"last\n"
        world.environment.holds.add(hold(is_word("last")))
        writer.write(b"a\nlast\n")
        assert await reader.readline() == b"a\n"
        assert (rule.hits, len(world.environment.holds.held)) == (2, 1)

    run(test)


def test_an_answer_can_be_delayed_on_its_way_out():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        loop = asyncio.get_running_loop()
        world.environment.faults.add(
            fault(Delay(0.05), is_word("x", OUT), scope="x", direction=OUT)
        )
        began = loop.time()
        writer.write(b"x\n")
        assert await reader.readline() == b"x\n"
        assert loop.time() - began >= 0.05

    run(test)


def test_an_answer_that_a_rule_may_be_about_is_joined_once(monkeypatch):
    asked: list[bytes] = []
    sent: list[bytes] = []
    send = Lanes.send

    def passes(skimmer: Skimmer, data: bytes, version: int) -> bool:
        asked.append(data)
        return False

    def look_at(lanes: Lanes, data: bytes) -> None:
        sent.append(data)
        send(lanes, data)

    async def test(world: Serving) -> None:
        world.environment.faults.add(fault(matches=is_word("y", OUT), direction=OUT))
        reader, writer = await world.connect()
        # After so much the socket is written to past the loop.
        for _ in range(3):
            writer.write(b"x" * 1000 + b"\n")
            await reader.readline()
        monkeypatch.setattr(Skimmer, "passes", passes)
        monkeypatch.setattr(Lanes, "send", look_at)
        writer.write(b"a\ny\nb\n")
        assert await reader.readexactly(4) == b"a\nb\n"
        assert asked == sent == [b"a\ny\nb\n"]
        assert asked[0] is sent[0]

    run(test)


def test_last_words_are_delayed_and_not_lost():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        world.environment.faults.add(fault(Delay(0.05), is_word("bye", OUT), scope="bye"))
        writer.write(b"bye\n")
        assert await reader.read() == b"bye\n"

    run(test)


def test_what_a_client_sent_before_it_left_has_its_effect_after_a_delay():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        world.environment.faults.add(fault(Delay(0.05), is_word("x"), scope="x"))
        writer.write(b"x\ny\n")
        writer.write_eof()
        assert await reader.read() == b"x\ny\n"
        await world.until(lambda: world.seen(ConnectionClosed))
        assert world.broker.all[0].lines == [b"x\n", b"y\n"]
        assert world.broker.all[0].lost == ["the client closed the connection"]

    run(test)


@pytest.mark.parametrize("whose", ["the client's", "ours"])
def test_an_end_does_not_wait_for_answers_to_a_repetition_that_never_come(whose):
    def rows(direction: int, frame: bytes) -> list[Row]:
        word = frame.split()[0].decode()
        # The request says that something answers it, and nothing does.
        return [Row("lines", direction, word, correlation=word if direction == IN else None)]

    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        await world.until(lambda: world.broker.live)
        world.broker.all[0].rows = rows
        rule = fault(Duplicate(), lambda row: row.operation == "x", direction=IN)
        world.environment.faults.add(rule)
        writer.write(b"x\n")
        assert await reader.readexactly(4) == b"x\nx\n"
        if whose == "ours":
            writer.write(b"bye\n")
            assert await reader.read() == b"bye\n"
        else:
            writer.write_eof()
            assert await reader.read() == b""
        await world.until(lambda: world.seen(ConnectionClosed))

    run(test)


def test_a_filter_that_fails_ends_one_connection_only():
    def fails(row: Row) -> bool:
        return row.direction == OUT and 1 // 0 > 0

    async def test(world: Serving) -> None:
        reader, _ = await world.connect()
        _, other = await world.connect()
        await world.until(lambda: len(world.broker.live) == 2)
        world.environment.faults.add(fault(matches=fails, scope="x"))
        other.write(b"all x\n")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await world.until(lambda: len(world.seen(BrokerFailed)) == 2)

    run(test)


def test_closing_sends_everybody_the_close():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        writer.write(b"hi\n")
        assert await reader.readline() == b"hi\n"
        await world.server.close()
        assert await reader.read() == b"the end\n"

    run(test)


def test_the_same_port_is_served_on_both_loopback_addresses():
    async def test(world: Serving) -> None:
        try:
            reader, writer = await asyncio.open_connection("::1", world.port)
        except OSError:
            pytest.skip("this machine has no ::1")
        world.open.append((reader, writer))
        writer.write(b"hi\n")
        assert await reader.readline() == b"hi\n"
        assert world.broker.all[0].peer.address.startswith("[::1]:")

    run(test)


def test_a_killed_connection_is_lost_at_once_though_its_client_stays():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        world.environment.faults.add(fault(Delay(0.05), is_word("x")))
        writer.write(b"x\ny\n")
        await world.until(lambda: world.environment.journal.seq)
        (connection,) = world.broker.all
        connection.peer.close("killed")
        assert connection.lost == ["killed"]
        assert [event.reason for event in world.seen(ConnectionClosed)] == ["killed"]
        assert await reader.read() == b""
        writer.close()
        await world.until(lambda: not world.server.endpoints)
        assert connection.lost == ["killed"]
        assert connection.lines == []

    run(test)


def test_socket_and_delayed_answers_hold_a_connection_back_together():
    async def test(world: Serving) -> None:
        reader, slow = await world.connect()
        reader._transport.pause_reading()
        await world.until(lambda: len(world.broker.live) == 1)
        _, talker = await world.connect()
        slow.write(b"big 20000000\n")
        connection = world.broker.all[0]
        await world.until(lambda: connection.writable == [False])
        delayed = world.environment.faults.add(fault(Delay(0.01), is_word("x", OUT), direction=OUT))
        talker.write(b"all x " + b"y" * 300 + b"\n")
        await world.until(lambda: delayed.hits == 2)
        (endpoint,) = (one for one in world.server.endpoints.values() if one.slow)
        await world.until(lambda: endpoint.lanes and endpoint.lanes.idle_outward)
        assert connection.writable == [False]
        reader._transport.resume_reading()
        await reader.readexactly(20_000_004)
        await world.until(lambda: connection.writable == [False, True])

    run(test, Limits(delayed_bytes=100))


def test_a_client_that_ended_its_side_and_takes_nothing_is_cut_off(monkeypatch):
    monkeypatch.setattr(hangup, "LINGER", 0.05)

    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        reader._transport.pause_reading()
        writer.write(b"big 20000000\n")
        await world.until(lambda: world.seen(PeerFellBehind))
        writer.write_eof()
        world.broker.all[0].peer.resume_reading()
        await world.until(lambda: not world.server.endpoints)
        assert world.broker.all[0].lost == ["the client closed the connection"]

    run(test)


@pytest.mark.parametrize("slow", [False, True])
def test_a_protocol_goes_through_layers_as_it_goes_without(tmp_path, slow):
    issued = issue(tmp_path, [])
    context = server_context(str(issued.certificate), str(issued.key))

    async def test(world: Serving) -> None:
        listener = await world.server.listen(Listener("lines", tls=context))
        trusting = ssl.create_default_context(cafile=str(issued.ca))
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", listener.port, ssl=trusting, server_hostname="localhost"
        )
        world.open.append((reader, writer))
        if slow:
            reader._transport.pause_reading()
        writer.write(b"one\nbig 20000000\n")
        if slow:
            await world.until(lambda: world.seen(PeerFellBehind))
            reader._transport.resume_reading()
        assert await reader.readexactly(20_000_004) == b"one\n" + b"x" * 19_999_999 + b"\n"
        (connection,) = world.broker.all
        assert connection.peer.principal.tls == "TLSv1.3"
        assert connection.peer.listener is listener
        writer.write(b"bye\n")
        assert await reader.read() == b"end\nbye\n"
        await world.until(lambda: world.seen(ConnectionClosed))
        assert world.seen(ConnectionClosed)[0].reason == "said bye"
        chunks = [c.data for c in world.environment.journal.since(0) if c.direction == IN]
        assert chunks[0] == b"bye\n"

    run(test)


def test_whoever_speaks_something_else_to_a_layer_is_told_of_and_closed(tmp_path):
    issued = issue(tmp_path, [])
    context = server_context(str(issued.certificate), str(issued.key))

    async def test(world: Serving) -> None:
        listener = await world.server.listen(Listener("lines", tls=context))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await world.until(lambda: world.seen(ConnectionClosed))
        assert "it speaks HTTP without TLS" in world.seen(ConnectionClosed)[0].reason
        # Nor does it count as one that left, which it had to.
        await asyncio.sleep(0)
        assert len(world.seen(ProtocolViolated)) == 1
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.close()
        await world.until(lambda: len(world.seen(ProtocolViolated)) == 2)
        assert "the client left before TLS" in world.seen(ProtocolViolated)[1].reason

    run(test)


def test_who_floods_us_gets_all_answers_and_is_in_the_journal_whole():
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        line = b"x" * 999 + b"\n"
        writer.write(line * 4_000)
        writer.write(b"end\n")
        assert await reader.readexactly(4_000_000) == line * 4_000
        assert await reader.readexactly(4) == b"end\n"
        chunks = [each for each in world.environment.journal.since(0) if each.direction == IN]
        assert sum(len(chunk.data) for chunk in chunks) == 4_000_004

    run(test, Limits(write_mark=8 << 20, journal_connection=16 << 20))


def test_an_answer_goes_out_with_what_others_gave_to_write_before() -> None:
    async def test(world: Serving) -> None:
        reader, _ = await world.connect()
        await world.until(lambda: len(world.server.endpoints) == 1)
        (endpoint,) = world.server.endpoints.values()
        endpoint.connection.out.append(b"news\n")
        endpoint.wake()
        endpoint.data_received(b"hello\n")
        chunks = world.environment.journal.since(0)
        assert [chunk.direction for chunk in chunks] == [IN]
        assert await reader.readexactly(11) == b"news\nhello\n"
        newest = next(iter(world.environment.journal.since(0)))
        assert newest.data == b"news\nhello\n"

    run(test)


def test_who_tells_others_and_is_answered_nothing_is_one_of_a_crowd() -> None:
    async def test(world: Serving) -> None:
        for _ in range(CROWD + 2):
            await world.connect()
        await world.until(lambda: len(world.server.endpoints) == CROWD + 2)
        other, *speakers = world.server.endpoints.values()
        for speaker in speakers:
            speaker.data_received(b"all hello\n")
        await asyncio.sleep(0)
        written = other.bytes_out
        # Behind a crowd nobody's word is written at once.
        speakers[0].data_received(b"all hello\n")
        assert other.bytes_out == written
        await world.until(lambda: other.bytes_out > written)

    run(test)


def test_work_that_goes_on_without_bytes_is_no_read_in_the_journal() -> None:
    async def test(world: Serving) -> None:
        reader, _ = await world.connect()
        await world.until(lambda: len(world.server.endpoints) == 1)
        (endpoint,) = world.server.endpoints.values()
        endpoint.connection.out.append(b"the rest\n")
        endpoint.handle(b"")
        assert await reader.readexactly(9) == b"the rest\n"
        assert [(each.direction, each.data) for each in world.environment.journal.since(0)] == [
            (OUT, b"the rest\n")
        ]

    run(test)


@pytest.mark.parametrize(
    ("size", "others", "soon"),
    [
        (10, 3, True),
        (20_000, FEW, True),
        (20_000, 3, False),
        (100_000, FEW, True),
        (100_000, 3, False),
    ],
)
def test_what_little_makes_for_others_or_is_for_few_is_written_behind_it(
    size: int, others: int, soon: bool
) -> None:
    async def test(world: Serving) -> None:
        reader, _ = await world.connect()
        for _ in range(others):
            await world.connect()
        await world.until(lambda: len(world.server.endpoints) == others + 1)
        other, *_, speaker = world.server.endpoints.values()
        speaker.data_received(b"all " + b"x" * size + b"\n")
        assert (other.bytes_out > 0) == soon
        await world.until(lambda: other.bytes_out > 0)
        assert await reader.readexactly(size + 1) == b"x" * size + b"\n"

    run(test)


def test_few_are_answered_at_once_and_a_crowd_at_the_end_of_the_turn():
    async def test(world: Serving) -> None:
        streams = [await world.connect() for _ in range(10)]
        await world.until(lambda: len(world.server.endpoints) == len(streams))
        endpoints = list(world.server.endpoints.values())

        def answered() -> int:
            chunks = world.environment.journal.since(0)
            return sum(chunk.direction == OUT for chunk in chunks)

        # However long it takes, they speak at one time, and are answered in one.
        world.server.turns._now = lambda: 0.0
        for endpoint in endpoints:
            endpoint.data_received(b"hello\n")
        assert answered() == 2
        await world.until(lambda: answered() == 10)
        # Behind a crowd one is expected.
        endpoints[0].data_received(b"again\n")
        assert answered() == 10
        await world.until(lambda: answered() == 11)
        # One that goes on talking alone has each of its answers at once.
        for count in range(1, 20):
            endpoints[0].data_received(b"again\n")
            assert answered() == 11 + count
        for reader, _ in streams:
            assert await reader.readexactly(6) == b"hello\n"

    run(test)


def test_a_client_that_never_agrees_on_tls_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(layered, "HANDSHAKE", 0.05)
    issued = issue(tmp_path, [])
    context = server_context(str(issued.certificate), str(issued.key))

    async def test(world: Serving) -> None:
        listener = await world.server.listen(Listener("lines", tls=context))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await reader.read() == b""
        writer.close()
        assert "within 0.05 s" in world.seen(ProtocolViolated)[0].reason

    run(test)
