"""Large output: by one system call as far as the socket takes it, then by the loop, in order."""

import asyncio
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from mockforge_brokers import bulk
from mockforge_brokers.bulk import only_by_transport, raw_descriptor, write_now, write_together
from mockforge_brokers.journal import OUT
from mockforge_brokers.misbehaviour.actions import Delay
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from .lines import is_word
from .loops import LOOPS
from .misbehaving import fault
from .test_answers import Scene, say

PIECES = [b"head", bytes(300_000), b"", b"tail", bytes(range(256)) * 4_000]


class Layer:
    """A transport whose bytes are changed before they are on the socket."""

    def __init__(self, below: asyncio.Transport) -> None:
        self.below = below
        self.written: list[bytes] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.below, name)

    def get_extra_info(self, name: str) -> object:
        return True if name == "layered" else self.below.get_extra_info(name)

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))


def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each call of writev took, from now on."""
    took: list[int] = []

    def writev(descriptor: int, pieces: list[bytes]) -> int:
        took.append(os.writev(descriptor, pieces))
        return took[-1]

    monkeypatch.setattr(bulk, "_writev", writev)
    return took


def run(test: Callable[[asyncio.Transport, socket.socket], Awaitable[None]]) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=ours
        )
        with theirs:
            await test(transport, theirs)
        transport.abort()

    asyncio.run(main())


async def read(theirs: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        piece = await asyncio.get_running_loop().sock_recv(theirs, size - len(got))
        assert piece
        got += piece
    return got


def test_what_the_socket_takes_is_one_call_and_the_rest_follows_in_order(monkeypatch):
    took = calls(monkeypatch)

    async def test(transport, theirs):
        write_together(transport, PIECES)
        assert len(took) == 1
        assert transport.get_write_buffer_size() == sum(map(len, PIECES)) - took[0] > 0
        write_together(transport, [b"later", b"still"])
        assert len(took) == 1, "not past what waits in the loop"
        whole = b"".join(PIECES) + b"laterstill"
        assert await read(theirs, len(whole)) == whole

    run(test)


def test_more_pieces_than_a_call_takes_arrive_all(monkeypatch):
    took = calls(monkeypatch)

    async def test(transport, theirs):
        pieces = [b"%05d" % number for number in range(3_000)]
        write_together(transport, pieces)
        assert took == [512 * 5]
        assert await read(theirs, 15_000) == b"".join(pieces)

    run(test)


def test_a_socket_that_takes_nothing_now_leaves_all_to_the_loop(monkeypatch):
    async def test(transport, theirs):
        filling = transport.get_extra_info("socket").fileno()
        filled = 0
        try:
            while True:
                filled += os.write(filling, bytes(65_536))
        except BlockingIOError:
            pass
        write_together(transport, [b"one", b"two"])
        assert transport.get_write_buffer_size() == 6
        assert (await read(theirs, filled + 6))[-6:] == b"onetwo"

    run(test)


def test_a_peer_that_is_gone_is_found_by_the_loop():
    async def test(transport, theirs):
        theirs.close()
        write_together(transport, [b"one", b"two"])
        while not transport.is_closing():
            await asyncio.sleep(0)
        write_together(transport, [b"three", b"four"])

    run(test)


def test_a_layer_gets_the_bytes_that_it_has_to_change(monkeypatch):
    took = calls(monkeypatch)

    async def test(transport, theirs):
        layer = Layer(transport)
        write_together(layer, [b"one", b"two"])
        assert (layer.written, took) == ([b"one", b"two"], [])

    run(test)


def test_a_large_message_by_itself_leaves_small_ones_behind_it_to_be_joined():
    async def main() -> None:
        scene = Scene(broker=MqttBroker)
        taker, publisher = scene.ends[:2]
        for end, name in ((taker, "taker"), (publisher, "publisher")):
            say(end, encode_packet(Connect(name, 4), 4))
        say(taker, encode_packet(Subscribe(1, [Request("t")]), 4))
        for _ in range(3):
            say(publisher, encode_packet(Publish("t", bytes(100_000)), 4))
            await asyncio.sleep(0)
        del taker.transport.writes[:]
        say(
            publisher,
            b"".join(encode_packet(Publish("t", b"x", qos, packet_id=1), 4) for qos in (0, 1)),
        )
        await asyncio.sleep(0)
        assert taker.transport.writes == [encode_packet(Publish("t", b"x"), 4) * 2]

    asyncio.run(main())


def test_nothing_bulky_is_left_once_it_went_by_a_rule():
    async def main() -> None:
        scene = Scene()
        end = scene.ends[0]
        scene.environment.faults.add(fault(Delay(0.0), is_word("nobody", OUT)))
        say(end, b"big 70000\n")
        assert scene.written(end).endswith(b"x\nend\n")
        assert not end.connection.bulky

    asyncio.run(main())


def test_where_the_system_has_no_writev_the_loop_writes(monkeypatch):
    monkeypatch.setattr(bulk, "_writev", None)

    async def test(transport, theirs):
        write_together(transport, [b"one", b"two"])
        assert await read(theirs, 6) == b"onetwo"

    run(test)


_TURNS = """
import resource
from mockforge_brokers.bulk import keep_large_blocks
keep_large_blocks()
pieces, kept, faults = [b"x" * 250_000] * 4, [], []
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(30):
        kept.append(b"".join(pieces))
        del kept[:-30]
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*faults)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc has other habits")
def test_memory_of_large_messages_is_touched_for_the_first_time_once():
    # In a process of its own: what was freed in this one has its effect on it already.
    done = subprocess.run(
        [sys.executable, "-c", _TURNS], capture_output=True, text=True, check=True
    )
    first, second = map(int, done.stdout.split())
    assert first > 20 * second, "pages of the second thirty megabytes are those of the first"


_SERVERS = """
import resource
from mockforge_brokers.bulk import keep_large_blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    keep_large_blocks()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_keeps_the_memory_takes_none_itself_however_many_servers_there_are():
    done = subprocess.run(
        [sys.executable, "-c", _SERVERS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1_000, "32 MiB would be 8,192 pages"


@pytest.mark.parametrize("new_loop", LOOPS)
def test_an_answer_is_on_its_way_at_once_but_never_past_what_waits(new_loop):
    async def main():
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=ours
        )
        descriptor = raw_descriptor(transport)
        write_now(transport, descriptor, b"one")
        # Before the loop has had a turn.
        assert theirs.recv(100) == b"one"
        # More than the socket takes: the rest waits, and the next answer behind it.
        large = bytes(range(256)) * 16_000
        write_now(transport, descriptor, large)
        assert 0 < transport.get_write_buffer_size() < len(large)
        write_now(transport, descriptor, b"behind")
        whole = large + b"behind"
        assert await read(theirs, len(whole)) == whole
        # What the loop was given and has not written yet comes first too.
        transport.write(b"first ")
        write_now(transport, descriptor, b"then")
        assert await read(theirs, 10) == b"first then"
        theirs.close()
        while not transport.is_closing():
            write_now(transport, descriptor, b"in vain")
            await asyncio.sleep(0)

    loop = new_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("new_loop", LOOPS)
def test_where_a_write_of_ours_gains_nothing_that_of_the_transport_is_on_its_way_at_once(new_loop):
    async def main():
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=ours
        )
        at_once = only_by_transport(transport)
        # asyncio's own sends at once, too, and takes longer for it.
        assert not (at_once and "uvloop" not in type(transport).__module__)
        transport.write(b"one")
        if at_once:
            # Before the loop has had a turn.
            assert theirs.recv(100) == b"one"
        assert only_by_transport(Layer(transport))
        theirs.close()
        transport.close()

    loop = new_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("reason", ["a layer", "no writev", "no socket"])
def test_only_a_raw_socket_is_written_to_by_its_number(monkeypatch, reason):
    async def test(transport, theirs):
        assert raw_descriptor(transport) >= 0
        if reason == "no writev":
            monkeypatch.setattr(bulk, "_writev", None)
        elif reason == "a layer":
            transport = Layer(transport)
        else:
            transport = asyncio.Transport()
        assert raw_descriptor(transport) == -1

    run(test)
