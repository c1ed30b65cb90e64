"""Damaged MQTT over raw sockets, against a broker that has to keep serving everybody else.

    python -m tests.fuzzing.mqtt_sockets --seconds 1200 [--seed N]

Starts a broker, and beside the damage a pair of clients that hand each other a message after each
round. It fails where a healthy client lost its connection or a message, or where the broker met a
bug of its own; what sent the damage may lose its own connection and nothing else.
"""

import argparse
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from mockforge_brokers.events import BrokerFailed
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    Request,
    Subscribe,
    Unsubscribe,
    Will,
)

from mockforge_tui import MockForge

_VERSIONS = (3, 4, 5)
_CONNECTIONS = 8
_PATIENCE = 20.0
_TOPICS = ("t", "t/1", "a/b/c", "$SYS/x", "/", "t/é", "x" * 300)
_FILTERS = ("t", "#", "+/b/#", "$share/g/t/#", "$SYS/#", "t/+", "a//b")
_PROPERTIES: tuple[dict[str, object], ...] = (
    {},
    {"topic_alias": 1},
    {"message_expiry_interval": 0},
    {"user_property": [("a", "b")] * 5},
    {"correlation_data": b"\0\xff", "response_topic": "t"},
)


def packet(random: Random, version: int) -> bytes:
    """A legal packet, or one that could be."""
    return encode_packet(_PACKETS[random.randrange(len(_PACKETS))](random, version), version)


def _connect(random: Random, version: int) -> Packet:
    will = Will(random.choice(_TOPICS), b"gone", random.randrange(3), random.random() < 0.5)
    client = random.choice(("", "healthy-no", f"f{random.randrange(20)}"))
    return Connect(
        client or "x",
        version=version,
        clean_start=random.random() < 0.7,
        keep_alive=random.choice((0, 1, 60, 65_535)),
        will=will if random.random() < 0.3 else None,
    )


def _publish(random: Random, version: int) -> Packet:
    qos = random.randrange(3)
    properties = random.choice(_PROPERTIES) if version == 5 else {}
    return Publish(
        random.choice(_TOPICS),
        random.randbytes(random.choice((0, 1, 50, 2_000, 70_000))),
        qos,
        random.random() < 0.3,
        packet_id=random.randrange(1, 65_536) if qos else 0,
        properties=dict(properties),
    )


def _acknowledgement(random: Random, version: int) -> Packet:
    kinds = (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP)
    return Ack(random.choice(kinds), random.randrange(1, 20))


def _subscribe(random: Random, version: int) -> Packet:
    requests = [Request(random.choice(_FILTERS), random.randrange(3))
                for _ in range(random.randrange(1, 5))]  # fmt: skip
    return Subscribe(random.randrange(1, 65_536), requests)


_PACKETS: tuple[Callable[[Random, int], Packet], ...] = (
    _connect,
    _publish,
    _publish,
    _publish,
    _subscribe,
    lambda random, version: Unsubscribe(7, [random.choice(_FILTERS)]),
    _acknowledgement,
    lambda random, version: Pingreq(),
    lambda random, version: Disconnect(),
)


def damaged(random: Random, data: bytes) -> bytes:
    """The same bytes with one to four accidents."""
    spoiled = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(spoiled) + 1)
        match random.randrange(7):
            case 0 if at < len(spoiled):
                spoiled[at] ^= 1 << random.randrange(8)
            case 1 if at < len(spoiled):
                spoiled[at] = random.choice((0, 0x7F, 0x80, 0xFF))
            case 2:
                spoiled[at:at] = random.randbytes(random.randrange(1, 9))
            case 3:
                del spoiled[at : at + random.randrange(1, 9)]
            case 4:
                del spoiled[at:]
            case 5:
                spoiled[at:at] = spoiled[: random.randrange(64)]
            case 6 if len(spoiled) > 1:
                # The remaining length.
                spoiled[1] = random.randrange(256)
    return bytes(spoiled)


def stream(random: Random) -> bytes:
    """What one connection sends: mostly CONNECT, then packets, some of them damaged."""
    version = random.choice(_VERSIONS)
    parts = []
    if random.random() < 0.9:
        parts.append(encode_packet(_connect(random, version), version))
        if random.random() < 0.15:
            parts[0] = damaged(random, parts[0])
    spoil = random.choice((0.0, 0.1, 0.5))
    for _ in range(random.randrange(1, 30)):
        # Sometimes of another version than this connection speaks.
        data = packet(random, version if random.random() < 0.95 else random.choice(_VERSIONS))
        parts.append(damaged(random, data) if random.random() < spoil else data)
    return b"".join(parts)


class Healthy:
    """A subscriber and a publisher that nothing of this is to reach."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._count = 0
        self.taker = self._dial("healthy-taker")
        self.taker.sendall(encode_packet(Subscribe(1, [Request("healthy/beat", 1)]), 4))
        self._read(self.taker, 5)
        self.giver = self._dial("healthy-giver")

    def _dial(self, name: str) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port), _PATIENCE)
        sock.sendall(encode_packet(Connect(name, keep_alive=0), 4))
        self._read(sock, 4)
        return sock

    @staticmethod
    def _read(sock: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = sock.recv(count - len(data))
            if not piece:
                raise ConnectionError("the broker ended a healthy connection")
            data += piece
        return data

    def beat(self) -> None:
        """One message from one to the other; raises OSError where it does not come."""
        self._count += 1
        frame = encode_packet(Publish("healthy/beat", b"%08d" % self._count), 4)
        self.giver.sendall(frame)
        came = self._read(self.taker, len(frame))
        if came != frame:
            raise ConnectionError(f"{frame!r} was published, {came!r} came")


def one_round(random: Random, port: int, ends: Counter[str]) -> int:
    """Some connections that send damage in pieces and end somehow; returns the bytes sent."""
    sent = 0
    socks = []
    for _ in range(_CONNECTIONS):
        sock = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        sock.settimeout(_PATIENCE)
        data = stream(random)
        cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(4)))
        try:
            for first, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                sock.sendall(data[first:end])
                sent += end - first
        except OSError:
            ends["ended while it sent"] += 1
        socks.append(sock)
    for sock in socks:
        sock.setblocking(False)
        try:
            ends["answered" if sock.recv(65_536) else "ended"] += 1
        except BlockingIOError:
            pass
        except OSError:
            ends["reset"] += 1
    for sock in socks:
        if random.random() < 0.3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    return sent


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else int(time.time())
    random, ends = Random(seed), Counter[str]()
    failures: list[str] = []
    with MockForge(kafka=False, amqp=False) as running:
        spine = running.runtime.spine
        running.call(lambda: spine.watch(lambda event: failures.append(event.trace), BrokerFailed))
        port = running.runtime.listeners.ports["mqtt"]
        healthy = Healthy(port)
        until, rounds, sent = time.monotonic() + asked.seconds, 0, 0
        while time.monotonic() < until and not failures:
            sent += one_round(random, port, ends)
            healthy.beat()
            rounds += 1
    print(
        f"seed {seed}: {rounds:,} rounds, {rounds * _CONNECTIONS:,} connections, "
        f"{sent / 1e6:,.1f} MB, {dict(ends)}, {len(failures)} failures"
    )
    for trace in failures:
        print(trace)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
