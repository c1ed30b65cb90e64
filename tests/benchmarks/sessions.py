"""Raw clients of the three protocols: logged in by us, then handed to a load generator in C."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from math import ceil

from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.wire import content
from mockforge_brokers.amqp.wire.frames import PROTOCOL_HEADER, method
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.logs import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from mockforge_brokers.kafka.wire.schema import Message
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from .common import Skipped

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


def subscribe(client: socket.socket, topic_filter: str, qos: int) -> None:
    ask_for(client, encode_packet(Subscribe(1, [Request(topic_filter, qos)]), 4), 5)


def mqtt_echo(port: int, size: int, clients: int = 1) -> Flight:
    """QoS 0 to a topic that the publisher itself takes: there and back."""
    (client,) = sockets = [mqtt_client(port) for _ in range(clients)]
    topic = f"own/{next(_numbers)}"
    subscribe(client, topic, 0)
    request = encode_packet(Publish(topic, bytes(size)), 4)
    return Flight(request, len(request), sockets)


def mqtt_confirmed(port: int, size: int, clients: int) -> Flight:
    """QoS 1, and one subscriber with QoS 0."""
    topic = f"bench/{next(_numbers)}"
    taker = mqtt_client(port)
    subscribe(taker, topic, 0)
    request = encode_packet(Publish(topic, bytes(size), 1, packet_id=1), 4)
    return Flight(request, 4, [mqtt_client(port) for _ in range(clients)], [taker])


# A keep alive, as all client libraries ask for: without one lint has something to say.
MQTT_LOGIN: list[tuple[bytes, int]] = [(encode_packet(Connect("", keep_alive=60), 4), 4)]


# AMQP


_FRAME_MAX = 131_072
_PAYLOAD = _FRAME_MAX - 8
_START_OK = method(
    0,
    "connection.start-ok",
    client_properties=table({}),
    mechanism="PLAIN",
    response="\0guest\0guest",
    locale="en_US",
)
_TUNE_OK = method(0, "connection.tune-ok", channel_max=100, frame_max=_FRAME_MAX, heartbeat=0)
_OPEN = method(0, "connection.open", virtual_host="/")
_CHANNEL = method(1, "channel.open")


def amqp_call(client: socket.socket, data: bytes, frames: int = 1) -> bytes:
    """Send, and return the frames that answer."""
    answer = b""
    for _ in range(frames):
        head = ask_for(client, data, 7)
        answer += head + ask_for(client, b"", int.from_bytes(head[3:]) + 1)
        data = b""
    return answer


def amqp_client(port: int) -> socket.socket:
    client = dial(port)
    for step in (PROTOCOL_HEADER, _START_OK, _TUNE_OK + _OPEN, _CHANNEL):
        amqp_call(client, step)
    return client


def amqp_login(port: int) -> list[tuple[bytes, int]]:
    """The steps of a login with the lengths of their answers."""
    client = dial(port)
    steps = [PROTOCOL_HEADER, _START_OK, _TUNE_OK + _OPEN]
    return [(step, len(amqp_call(client, step))) for step in steps]


def publish(exchange: str, routing_key: str, body: bytes) -> bytes:
    head = method(1, "basic.publish", exchange=exchange, routing_key=routing_key)
    return head + content.make_content(1, body, {}, _PAYLOAD)


def _declare(client: socket.socket) -> str:
    queue = f"bench-{os.getpid()}-{next(_numbers)}"
    amqp_call(
        client, method(1, "queue.declare", queue=queue, auto_delete=True, arguments=table({}))
    )
    return queue


def _consume(client: socket.socket, queue: str) -> None:
    consume = method(1, "basic.consume", queue=queue, no_ack=True, arguments=table({}))
    amqp_call(client, consume)


def amqp_echo(port: int, size: int, clients: int = 1) -> Flight:
    (client,) = sockets = [amqp_client(port) for _ in range(clients)]
    queue = _declare(client)
    _consume(client, queue)
    request = publish("", queue, bytes(size))
    # basic.deliver, the content header, and as many body frames as the body needs.
    frames = 2 + ceil(size / _PAYLOAD)
    return Flight(request, len(amqp_call(client, request, frames)), sockets)


def amqp_confirmed(port: int, size: int, clients: int) -> Flight:
    """Publisher confirms, and one consumer."""
    taker = amqp_client(port)
    queue = _declare(taker)
    _consume(taker, queue)
    publishers = [amqp_client(port) for _ in range(clients)]
    for publisher in publishers:
        amqp_call(publisher, method(1, "confirm.select"))
    request = publish("", queue, bytes(size))
    answer = len(amqp_call(publishers[0], request))
    return Flight(request, answer, publishers, [taker])


# Kafka


def kafka_call(client: socket.socket, message: Message, version: int) -> Message:
    """Send a request, and return its answer."""
    assert message.api_key is not None
    head = ask_for(client, encode_request(message, version, 1, "bench"), 4)
    frame = head + ask_for(client, b"", int.from_bytes(head))
    return decode_response(frame, message.api_key, version)[1]


def produce_request(topic: str, size: int) -> ProduceRequest:
    """One record, acks=1."""
    records = build_batch([Record(0, 1_700_000_000_000, None, bytes(size), ())])
    one = TopicProduceData(
        name=topic, partition_data=[PartitionProduceData(index=0, records=records)]
    )
    return ProduceRequest(acks=1, timeout_ms=30_000, topic_data=[one])


def kafka_topic(client: socket.socket, topic: str) -> None:
    """Have a topic made by itself; returns once it takes records."""
    # Of a version that librdkafka's mock knows, which makes topics without being asked.
    wanted = MetadataRequest(topics=[MetadataRequestTopic(name=topic)])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        kafka_call(client, wanted, 2)
        answer = kafka_call(client, produce_request(topic, 1), 7)
        assert isinstance(answer, ProduceResponse)
        if not answer.responses[0].partition_responses[0].error_code:
            return
        # A real Kafka needs a moment until the new topic has a leader.
        time.sleep(0.05)
    raise Skipped(f"topic {topic} takes no records")


def kafka_produce(port: int, size: int, clients: int = 1) -> Flight:
    """One record a request, acks=1."""
    topic = f"bench-{os.getpid()}-{next(_numbers)}"
    sockets = [dial(port) for _ in range(clients)]
    kafka_topic(sockets[0], topic)
    request = encode_request(produce_request(topic, size), 7, 1, "bench")
    head = ask_for(sockets[0], request, 4)
    ask_for(sockets[0], b"", int.from_bytes(head))
    return Flight(request, 4 + int.from_bytes(head), sockets)


# ApiVersions v0: size, key 18, version 0, correlation id, client id.
_API_VERSIONS = bytes.fromhex("0000000f 0012 0000 00000001 0005") + b"bench"


def login_of(protocol: str, port: int) -> list[tuple[bytes, int]]:
    """The requests of a login, each with the length of its answer."""
    if protocol == "mqtt":
        return MQTT_LOGIN
    if protocol == "amqp":
        return amqp_login(port)
    with dial(port) as client:
        size = int.from_bytes(ask_for(client, _API_VERSIONS, 4))
    return [(_API_VERSIONS, 4 + size)]


def plain_echo(port: int, size: int, clients: int) -> Flight:
    """Bytes of no protocol, to what sends back each read (echo.c)."""
    return Flight(bytes(size), size, [dial(port) for _ in range(clients)])


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
