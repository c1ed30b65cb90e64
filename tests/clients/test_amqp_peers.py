"""Peers that misbehave on real sockets: one connection ends, the rest go on, an event says why."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pika
import pytest
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.wire import content, frames
from mockforge_brokers.events import Event

from clients.conftest import Servers, wait_for

pytestmark = pytest.mark.client


@contextmanager
def raw(servers: Servers) -> Iterator[socket.socket]:
    """A socket with an open connection and channel 1 open."""
    with socket.create_connection(("127.0.0.1", servers.ports["amqp"]), 30) as peer:
        peer.sendall(frames.PROTOCOL_HEADER)
        _await(peer, b"\x00\x0a\x00\x0a")
        login = frames.method(
            0,
            "connection.start-ok",
            client_properties=table({"connection_name": "raw"}),
            mechanism="PLAIN",
            response="\0guest\0guest",
            locale="en_US",
        )
        peer.sendall(login)
        _await(peer, b"\x00\x0a\x00\x1e")
        tune = frames.method(0, "connection.tune-ok", channel_max=10, frame_max=131_072)
        peer.sendall(tune + frames.method(0, "connection.open", virtual_host="/"))
        peer.sendall(frames.method(1, "channel.open"))
        _await(peer, b"\x00\x14\x00\x0b")
        yield peer


def _await(peer: socket.socket, method: bytes) -> None:
    data = b""
    while method not in data:
        chunk = peer.recv(65536)
        assert chunk, "the broker hung up"
        data += chunk


def _told(servers: Servers, kind: str, text: str) -> list[Event]:
    history = list(servers.environment.spine.history)
    return [event for _, event in history if type(event).__name__ == kind and text in repr(event)]


def _works(servers: Servers) -> None:
    with pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", servers.ports["amqp"])
    ) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish("", queue, b"x")
        assert channel.basic_get(queue, auto_ack=True)[2] == b"x"


NOISE = [
    pytest.param(
        frames.frame(1, 1, b"\x00\x14\x00\x0b")[:-1] + b"\0", "invalid_frame_end", id="end"
    ),
    pytest.param(b"\xff" * 64, "frame_too_large", id="noise"),
    pytest.param(frames.frame(1, 1, b"\x00\x63\x00\x01"), "no such method", id="method"),
    pytest.param(frames.frame(1, 1, b"\x00\x32\x00\x0a\x00"), "cannot decode", id="truncated"),
    pytest.param(frames.frame(3, 1, b"body"), "expected method frame", id="body"),
]


@pytest.mark.parametrize(("data", "reason"), NOISE)
def test_malformed_frames_end_their_connection_only(
    servers: Servers, data: bytes, reason: str
) -> None:
    before = len(_told(servers, "ProtocolViolated", reason))
    with raw(servers) as peer:
        peer.sendall(data)
        wait_for(lambda: len(_told(servers, "ProtocolViolated", reason)) > before)
        _works(servers)


def test_peer_that_vanishes_in_the_middle_of_a_frame(servers: Servers) -> None:
    data = frames.method(1, "basic.publish", routing_key="q")
    data += content.make_content(1, bytes(1000), {}, 0)
    with raw(servers) as peer:
        peer.sendall(data[:-500])
        host, port = peer.getsockname()
    wait_for(lambda: not _open(servers, f"{host}:{port}"))
    assert _told(servers, "ConnectionClosed", "client='raw'")
    _works(servers)


def _open(servers: Servers, address: str) -> bool:
    views = servers.call(servers.brokers["amqp"].connections)
    return any(view.address == address for view in views)


def test_peer_that_never_reads_holds_up_nobody(servers: Servers) -> None:
    before = len(_told(servers, "PeerFellBehind", "amqp"))
    broker = servers.brokers["amqp"]
    with raw(servers) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sendall(frames.method(1, "queue.declare", queue="flood", auto_delete=True))
        peer.sendall(frames.method(1, "basic.consume", queue="flood", no_ack=True))
        wait_for(lambda: servers.call(broker.groups))
        body = bytes(64 * 1024)
        deadline = time.monotonic() + 50
        while len(_told(servers, "PeerFellBehind", "amqp")) == before:
            assert time.monotonic() < deadline
            servers.call(broker.publish, "", "flood", body)
        for _ in range(10):
            servers.call(broker.publish, "", "flood", body)
        depth = {view.name: view.depth for view in servers.call(broker.destinations)}
        assert depth["flood"]
        _works(servers)
    wait_for(lambda: "flood" not in {view.name for view in servers.call(broker.destinations)})
