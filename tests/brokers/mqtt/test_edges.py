"""Peers that misbehave, over real sockets: one connection suffers, the others go on."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import (
    BrokerFailed,
    ConnectionClosed,
    Event,
    PeerCaughtUp,
    PeerFellBehind,
    ProtocolViolated,
)
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe, Will
from mockforge_brokers.transport import Server

T = TypeVar("T")


class Town:
    """A listening broker with the events that it emitted."""

    def __init__(self, broker: MqttBroker, server: Server, port: int) -> None:
        self.broker = broker
        self.server = server
        self.port = port
        self.events: list[Event] = []
        self.writers: list[asyncio.StreamWriter] = []
        broker.environment.spine.watch(self.events.append)

    async def knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def leave(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        await until(lambda: not self.broker.connections())

    async def dial(
        self, client_id: str, will: Will | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.knock()
        writer.write(encode_packet(Connect(client_id, will=will), 4))
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        return reader, writer

    async def subscriber(
        self, client_id: str, topic_filter: str, qos: int = 0
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.dial(client_id)
        writer.write(encode_packet(Subscribe(1, [Request(topic_filter, qos)]), 4))
        assert (await reader.readexactly(5))[0] == 0x90
        return reader, writer

    def emitted(self, kind: type[Event], text: str = "") -> bool:
        return any(isinstance(event, kind) and text in repr(event) for event in self.events)


async def until(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + 50
    while not fact():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.002)


def in_town(story: Callable[[Town], Coroutine[Any, Any, T]], limits: Limits | None = None) -> T:
    async def run() -> T:
        clock = LoopClock(asyncio.get_running_loop())
        environment = Environment.create(clock, seed=1, limits=limits)
        broker = MqttBroker(environment)
        server = Server(broker, environment)
        town = Town(broker, server, (await server.listen(Listener("mqtt"))).port)
        try:
            result = await story(town)
            assert not town.emitted(BrokerFailed)
            return result
        finally:
            await town.leave()
            await server.close()

    return asyncio.run(asyncio.wait_for(run(), 50))


def test_peer_that_vanishes_mid_frame_leaves_its_will() -> None:
    async def story(town: Town) -> None:
        watcher, _ = await town.subscriber("watcher", "wills")
        _, writer = await town.dial("doomed", Will("wills", b"gone"))
        writer.write(b"\x30\x7f\x00\x01t half of it")
        await writer.drain()
        writer.close()
        packet = encode_packet(Publish("wills", b"gone"), 4)
        assert await watcher.readexactly(len(packet)) == packet
        await until(lambda: town.emitted(ConnectionClosed, "doomed"))
        assert [view.client for view in town.broker.connections()] == ["watcher"]

    in_town(story)


def test_reset_in_the_middle_of_a_frame_ends_only_that_connection() -> None:
    async def story(town: Town) -> None:
        reader, other = await town.dial("other")
        _, writer = await town.dial("resetter")
        writer.write(b"\x32\x40\x00")
        await writer.drain()
        writer.transport.abort()
        await until(lambda: town.emitted(ConnectionClosed, "resetter"))
        other.write(b"\xc0\x00")
        assert await reader.readexactly(2) == b"\xd0\x00"

    in_town(story)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "it speaks HTTP to the plain MQTT port"),
        (b"LEAVE ME ALONE", "MQTT-3.1.0-1"),
        (b"\x10\xff\xff\xff\xff\x01", "four bytes"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "switch TLS on with --tls auto"),
        (b"\x10\x04\x00\x04MQ", "CONNECT"),
        (b"\x00\x00", "not CONNECT"),
    ],
    ids=["http", "text", "endless-length", "tls", "cut", "zeros"],
)
def test_bytes_that_are_no_mqtt_end_their_connection_with_a_reason(
    data: bytes, reason: str
) -> None:
    async def story(town: Town) -> None:
        reader, other = await town.dial("other")
        stranger, writer = await town.knock()
        writer.write(data)
        assert await stranger.read() == b""
        await until(lambda: town.emitted(ProtocolViolated, reason))
        other.write(b"\xc0\x00")
        assert await reader.readexactly(2) == b"\xd0\x00"
        writer.close()

    in_town(story)


def test_random_bytes_never_break_the_broker() -> None:
    async def story(town: Town) -> None:
        dice = random.Random(7)
        for number in range(60):
            reader, writer = await town.dial(f"fuzz-{number}")
            for _ in range(dice.randrange(1, 5)):
                body = dice.randbytes(dice.randrange(0, 40))
                writer.write(bytes((dice.randrange(256), len(body))) + body)
            writer.write_eof()
            await reader.read()
            writer.close()
        await until(lambda: not town.broker.connections())

    in_town(story)


def test_peer_that_never_reads_is_held_back_and_the_others_are_not() -> None:
    async def story(town: Town) -> None:
        lazy, lazy_writer = await town.subscriber("lazy", "flood")
        lazy_writer.transport.pause_reading()  # type: ignore[attr-defined]
        keen, _ = await town.subscriber("keen", "flood")
        _, publisher = await town.dial("publisher")
        packet = encode_packet(Publish("flood", bytes(16_000)), 4)
        received = 0
        while not town.emitted(PeerFellBehind, "lazy"):
            publisher.write(packet)
            received += len(await keen.readexactly(len(packet)))
        for _ in range(20):
            publisher.write(packet)
            await keen.readexactly(len(packet))
        session = town.broker.registry.by_client["lazy"]
        assert session.dropped >= 20
        states = {view.client: view.state for view in town.broker.connections()}
        assert states["lazy"] == "slow"
        lazy_writer.transport.resume_reading()  # type: ignore[attr-defined]
        while not town.emitted(PeerCaughtUp, "lazy"):
            await lazy.read(65_536)
        publisher.write(encode_packet(Publish("flood", b"after"), 4))
        rest = b""
        while not rest.endswith(b"after"):
            rest = (rest + await lazy.read(65_536))[-10:]

    in_town(story, Limits(write_mark=65_536, mqtt_backlog=65_536))


def test_packets_larger_than_a_read_arrive_whole() -> None:
    async def story(town: Town) -> None:
        reader, _ = await town.subscriber("s", "big", 1)
        back, writer = await town.dial("p")
        payload = random.Random(1).randbytes(3_000_000)
        writer.write(encode_packet(Publish("big", payload, 1, packet_id=5), 4))
        expected = encode_packet(Publish("big", payload, 1, packet_id=1), 4)
        assert await reader.readexactly(len(expected)) == expected
        assert await back.readexactly(4) == b"\x40\x02\x00\x05"

    in_town(story)


def test_shutdown_sends_disconnect_and_closes() -> None:
    async def story(town: Town) -> None:
        reader, writer = await town.knock()
        writer.write(encode_packet(Connect("five", 5), 5))
        await until(lambda: town.broker.connections()[0].state == "open")
        closing = asyncio.ensure_future(town.server.close())
        said = await reader.read()
        assert b"\xe0" in said
        assert said[said.index(b"\xe0") + 2] == 0x8B
        writer.close()
        await closing

    in_town(story)


def test_takeover_of_a_connection_whose_peer_is_already_gone() -> None:
    async def story(town: Town) -> None:
        for _ in range(30):
            _, first = await town.dial("twin")
            first.transport.abort()
            # The loop learns of both at once, in either order.
            await town.dial("twin")

    in_town(story)
