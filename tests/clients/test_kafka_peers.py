"""Bad peers over real sockets: one connection ends or is held back, the others go on."""

import socket
import struct
import subprocess
from contextlib import closing
from shutil import which

import pytest
from mockforge_brokers.events import ConnectionClosed, PeerFellBehind, ProtocolViolated
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.logs import FetchPartition, FetchRequest, FetchTopic

from .conftest import Servers, stored_codecs, wait_for

pytestmark = pytest.mark.client


def dial(servers: Servers, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, servers.ports["kafka"]), timeout=30)


def receive(peer: socket.socket) -> bytes:
    """One response without its size."""
    size = struct.unpack(">i", peer.recv(4, socket.MSG_WAITALL))[0]
    return peer.recv(size, socket.MSG_WAITALL)


def is_served(servers: Servers) -> bool:
    with closing(dial(servers)) as peer:
        peer.sendall(encode_request(MetadataRequest(topics=[]), 1, 77, "witness"))
        return receive(peer)[:4] == struct.pack(">i", 77)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 64,
        b"\0\0\0\x04\0\x03\0\x01",
        b"\0\0\0\x0b\0\x03\0\x01\0\0\0\x01\0\x01c",
    ],
    ids=["http", "negative-size", "no-header", "cut-message"],
)
def test_malformed_bytes_end_their_connection_with_an_event(servers, data):
    events = []
    stop = servers.environment.spine.watch(events.append, ProtocolViolated)
    with closing(dial(servers)) as peer:
        peer.sendall(data)
        assert peer.recv(1) == b"", "the broker closes"
    wait_for(lambda: events, what="an event that says why")
    assert events[0].reason
    assert is_served(servers)
    stop()


def test_peer_that_vanishes_in_a_frame_is_forgotten(servers):
    events = []
    stop = servers.environment.spine.watch(events.append, ConnectionClosed)
    peer = dial(servers)
    peer.sendall(b"\0\0\x10\0\0\x03\0\x01")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    wait_for(lambda: events, what="the connection's end")
    assert is_served(servers)
    stop()


def test_peer_that_never_reads_is_held_back_alone(servers):
    broker = servers.brokers["kafka"]
    for _ in range(20):
        servers.call(broker.publish, "peers.large", bytes(500_000), partition=0)
    events = []
    stop = servers.environment.spine.watch(events.append, PeerFellBehind)
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 24)
    request = FetchRequest(
        max_wait_ms=0, min_bytes=1, topics=[FetchTopic(topic="peers.large", partitions=[part])]
    )
    with closing(dial(servers)) as peer:
        for number in range(50):
            peer.sendall(encode_request(request, 11, number, "stubborn"))
        wait_for(lambda: events, what="the event that it fell behind")
        assert is_served(servers)
        views = servers.call(broker.connections)
        (stubborn,) = [view for view in views if view.client == "stubborn"]
        assert stubborn.state == "slow"
        assert stubborn.bytes_out < 50 * 10_000_000 / 4, "what it asks for is not piled up"
    wait_for(
        lambda: not [v for v in servers.call(broker.connections) if v.client == "stubborn"],
        what="its end",
    )
    stop()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kcat_produces_and_consumes(servers, codec):
    """Its librdkafka may be 2.0, which sends plain batches where it thinks a codec is too new."""
    kcat = which("kcat") or which("kafkacat")
    if kcat is None:
        pytest.skip("kcat is not installed")
    command = [kcat, "-b", f"127.0.0.1:{servers.ports['kafka']}", "-t", f"peers.kcat.{codec}"]
    # Long enough that no codec makes them longer: such a batch is sent as it is.
    lines = "".join(f"order-{number}:{'v' * 80}{number}\n" for number in range(50))
    subprocess.run([*command, "-P", "-K:", "-z", codec], input=lines, text=True, check=True)
    done = subprocess.run(
        [*command, "-C", "-e", "-q", "-K:"], capture_output=True, text=True, check=True, timeout=150
    )
    assert sorted(done.stdout.splitlines()) == sorted(lines.splitlines())
    assert stored_codecs(servers, f"peers.kcat.{codec}") == {codec}
