"""Raw clients of the three protocols: logged in by us, then handed to a load generator in C."""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.wire import content
from mockforge_brokers.amqp.wire.frames import PROTOCOL_HEADER, method
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.logs import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from .common import Skipped

QUIET = 0.3
"""Seconds without bytes after which an answer is taken to be whole, where we learn its length."""

_numbers = count(1)


@dataclass
class Flight:
    """What each client sends again and again, how long the answer is, and the sockets."""

    request: bytes
    answer: int
    clients: list[socket.socket]
    drained: list[socket.socket] = field(default_factory=list)


def dial(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(port)), 10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def ask(client: socket.socket, data: bytes, wait: float = QUIET) -> bytes:
    """Send, and return all that comes until it is quiet."""
    client.settimeout(10)
    client.sendall(data)
    answer = b""
    try:
        while piece := client.recv(1 << 20):
            answer += piece
            client.settimeout(wait)
    except TimeoutError:
        pass
    return answer


def ask_for(client: socket.socket, data: bytes, answer: int) -> bytes:
    """Send, and return the answer of this many bytes; raises Skipped where none comes."""
    client.settimeout(10)
    client.sendall(data)
    got = b""
    try:
        while len(got) < answer:
            piece = client.recv(answer - len(got))
            if not piece:
                break
            got += piece
    except TimeoutError:
        pass
    if len(got) < answer:
        raise Skipped(f"{len(got)} of {answer} bytes of an answer came")
    return got


# MQTT


def mqtt_client(port: int) -> socket.socket:
    client = dial(port)
    ask_for(client, encode_packet(Connect(f"bench-{os.getpid()}-{next(_numbers)}"), 4), 4)
    return client


def mqtt_echo(port: int, size: int, clients: int = 1) -> Flight:
    """QoS 0 to a topic that the publisher itself takes: there and back."""
    (client,) = sockets = [mqtt_client(port) for _ in range(clients)]
    topic = f"own/{next(_numbers)}"
    ask(client, encode_packet(Subscribe(1, [Request(topic, 0)]), 4))
    request = encode_packet(Publish(topic, bytes(size)), 4)
    return Flight(request, len(request), sockets)


def mqtt_confirmed(port: int, size: int, clients: int) -> Flight:
    """QoS 1, and one subscriber with QoS 0."""
    topic = f"bench/{next(_numbers)}"
    taker = mqtt_client(port)
    ask(taker, encode_packet(Subscribe(1, [Request(topic, 0)]), 4))
    request = encode_packet(Publish(topic, bytes(size), 1, packet_id=1), 4)
    return Flight(request, 4, [mqtt_client(port) for _ in range(clients)], [taker])


MQTT_LOGIN: list[tuple[bytes, int]] = [(encode_packet(Connect(""), 4), 4)]


# AMQP


_START_OK = method(
    0,
    "connection.start-ok",
    client_properties=table({}),
    mechanism="PLAIN",
    response="\0guest\0guest",
    locale="en_US",
)
_TUNE_OK = method(0, "connection.tune-ok", channel_max=100, frame_max=131_072, heartbeat=0)
_OPEN = method(0, "connection.open", virtual_host="/")
_CHANNEL = method(1, "channel.open")


def _call(client: socket.socket, data: bytes) -> bytes:
    """Send, and return the one frame that answers."""
    head = ask_for(client, data, 7)
    return head + ask_for(client, b"", int.from_bytes(head[3:]) + 1)


def amqp_client(port: int) -> socket.socket:
    client = dial(port)
    for step in (PROTOCOL_HEADER, _START_OK, _TUNE_OK + _OPEN, _CHANNEL):
        _call(client, step)
    return client


def amqp_login(port: int) -> list[tuple[bytes, int]]:
    """The steps of a login with the lengths of their answers."""
    client = dial(port)
    steps = [PROTOCOL_HEADER, _START_OK, _TUNE_OK + _OPEN]
    return [(step, len(_call(client, step))) for step in steps]


def publish(exchange: str, routing_key: str, body: bytes) -> bytes:
    head = method(1, "basic.publish", exchange=exchange, routing_key=routing_key)
    return head + content.make_content(1, body, {}, 131_072 - 8)


def _declare(client: socket.socket) -> str:
    queue = f"bench-{os.getpid()}-{next(_numbers)}"
    _call(client, method(1, "queue.declare", queue=queue, auto_delete=True, arguments=table({})))
    return queue


def _consume(client: socket.socket, queue: str) -> None:
    consume = method(1, "basic.consume", queue=queue, no_ack=True, arguments=table({}))
    _call(client, consume)


def amqp_echo(port: int, size: int, clients: int = 1) -> Flight:
    (client,) = sockets = [amqp_client(port) for _ in range(clients)]
    queue = _declare(client)
    _consume(client, queue)
    request = publish("", queue, bytes(size))
    return Flight(request, len(ask(client, request)), sockets)


def amqp_confirmed(port: int, size: int, clients: int) -> Flight:
    """Publisher confirms, and one consumer."""
    taker = amqp_client(port)
    queue = _declare(taker)
    _consume(taker, queue)
    publishers = [amqp_client(port) for _ in range(clients)]
    for publisher in publishers:
        _call(publisher, method(1, "confirm.select"))
    request = publish("", queue, bytes(size))
    answer = len(_call(publishers[0], request))
    return Flight(request, answer, publishers, [taker])


# Kafka


def kafka_produce(port: int, size: int, clients: int = 1) -> Flight:
    """One record a request, acks=1."""
    topic = f"bench-{next(_numbers)}"
    wish = MetadataRequest(
        topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=True
    )
    records = build_batch([Record(0, 1_700_000_000_000, None, bytes(size), ())])
    one = TopicProduceData(
        name=topic, partition_data=[PartitionProduceData(index=0, records=records)]
    )
    request = encode_request(
        ProduceRequest(acks=1, timeout_ms=30_000, topic_data=[one]), 7, 1, "bench"
    )
    sockets = [dial(port) for _ in range(clients)]
    for _ in range(3):
        # A real Kafka needs a moment until the new topic has a leader.
        ask(sockets[0], encode_request(wish, 4, 1, "bench"), 1.0)
    answer = len(ask(sockets[0], request, 1.0))
    return Flight(request, answer, sockets)


def kafka_login() -> list[tuple[bytes, int]]:
    # ApiVersions v0: size, key 18, version 0, correlation id, client id; answered at any length.
    return [(bytes.fromhex("0000000f 0012 0000 00000001 0005") + b"bench", 0)]


def login_of(protocol: str, port: int) -> list[tuple[bytes, int]]:
    """The requests of a login, each with the length of its answer."""
    if protocol == "mqtt":
        return MQTT_LOGIN
    if protocol == "amqp":
        return amqp_login(port)
    ((request, _),) = kafka_login()
    return [(request, len(ask(dial(port), request)))]


Build = Callable[[int, int, int], Flight]
ECHO: dict[str, Build] = {"mqtt": mqtt_echo, "amqp": amqp_echo, "kafka": kafka_produce}
CONFIRMED: dict[str, Build] = {
    "mqtt": mqtt_confirmed,
    "amqp": amqp_confirmed,
    "kafka": kafka_produce,
}


def closing(sockets: Sequence[socket.socket]) -> ExitStack:
    stack = ExitStack()
    for each in sockets:
        stack.enter_context(each)
    return stack
