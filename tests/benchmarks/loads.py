"""`python -m tests.benchmarks.loads NAME PORT`: asks much of a broker until it is killed.

Each load prints `ready` once it is set up and about to begin.
"""

import os
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from mockforge_brokers.amqp.records import Field, table
from mockforge_brokers.amqp.wire import content
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.logs import FetchPartition, FetchRequest, FetchTopic
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from . import sessions

Load = Callable[[int], None]

_PAIRS = [(f"key {number}", "value") for number in range(5000)]


def _ready() -> None:
    print("ready", flush=True)


def _flood(
    senders: Sequence[socket.socket], data: bytes, takers: Sequence[socket.socket] = ()
) -> None:
    """Send the same bytes for ever from several clients, and drain others; both as fast as can be.

    A client that the broker ends is left out; it is over when none is left.
    """
    rest = dict.fromkeys(senders, data)
    taking = [*takers]
    for each in (*rest, *taking):
        each.setblocking(False)
    while rest:
        busy = False
        for each in taking:
            with suppress(BlockingIOError, ConnectionError):
                busy |= bool(each.recv(1 << 20))
        for each, left in tuple(rest.items()):
            try:
                rest[each] = left[each.send(left) :] or data
                busy = True
            except BlockingIOError:
                pass
            except OSError:
                del rest[each]
        if not busy:
            time.sleep(0.0005)


def _vanish(client: socket.socket) -> None:
    """Be gone at once, with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def _storm(port: int, login: bytes, clients: int) -> None:
    """So many clients at once, again and again."""
    _ready()
    while True:
        sockets = []
        with suppress(OSError):
            for _ in range(clients):
                sockets.append(sessions.dial(port))
                sockets[-1].sendall(login)
        for each in sockets:
            each.close()


def idle(port: int) -> None:
    _ready()
    time.sleep(3600)


# MQTT


def _mqtt_clients(port: int, count: int) -> list[socket.socket]:
    return [sessions.mqtt_client(port) for _ in range(count)]


def mqtt_flood(port: int) -> None:
    """Ten publishers of small messages, one subscriber."""
    (taker,) = _mqtt_clients(port, 1)
    sessions.subscribe(taker, "flood", 0)
    _ready()
    flood = encode_packet(Publish("flood", bytes(64)), 4) * 1000
    _flood(_mqtt_clients(port, 10), flood, [taker])


def mqtt_bodies(port: int) -> None:
    """Two publishers of 15 MB each, one subscriber."""
    (taker,) = _mqtt_clients(port, 1)
    sessions.subscribe(taker, "big", 0)
    _ready()
    _flood(_mqtt_clients(port, 2), encode_packet(Publish("big", bytes(15_000_000)), 4), [taker])


def mqtt_never_reads(port: int) -> None:
    """A subscriber that takes nothing, four publishers."""
    (taker,) = _mqtt_clients(port, 1)
    sessions.subscribe(taker, "flood", 1)
    _ready()
    _flood(_mqtt_clients(port, 4), encode_packet(Publish("flood", bytes(1000)), 4) * 100)


def mqtt_wide(port: int) -> None:
    """Two publishers to 900 subscribers."""
    takers = _mqtt_clients(port, 900)
    for each in takers:
        sessions.subscribe(each, "wide", 0)
    _ready()
    _flood(_mqtt_clients(port, 2), encode_packet(Publish("wide", bytes(64)), 4) * 100, takers)


def mqtt_properties(port: int) -> None:
    """CONNECT with 5,000 user properties, again and again."""
    connect = encode_packet(Connect("p", 5, properties={"user_property": _PAIRS}), 5)
    _ready()
    while True:
        with sessions.dial(port) as client:
            client.sendall(connect)
            client.recv(100)


def mqtt_retained(port: int) -> None:
    """A subscription to 20,000 retained messages, again and again."""
    (client,) = _mqtt_clients(port, 1)
    for number in range(20_000):
        client.sendall(encode_packet(Publish(f"kept/{number}", bytes(64), retain=True), 4))
    asked = encode_packet(Subscribe(1, [Request("kept/#", 0)]), 4)
    _ready()
    while True:
        client.sendall(asked)
        client.settimeout(0.2)
        with suppress(TimeoutError):
            while client.recv(1 << 20):
                """Take all of it."""
        client.settimeout(None)


def mqtt_filters(port: int) -> None:
    """SUBSCRIBE to 20,000 filters in one packet, again and again."""
    (client,) = _mqtt_clients(port, 1)
    requests = [Request(f"filter/{number}/+", 0) for number in range(20_000)]
    asked = encode_packet(Subscribe(1, requests), 4)
    _ready()
    _flood([client], asked, [client])


def mqtt_storm(port: int) -> None:
    """500 clients at once that go as soon as they came, again and again."""
    _storm(port, encode_packet(Connect(""), 4), 500)


# AMQP


def _amqp_clients(port: int, count: int) -> list[socket.socket]:
    return [sessions.amqp_client(port) for _ in range(count)]


def _queue(client: socket.socket, queue: str, **arguments: Field) -> None:
    """Declare it; it ends with its last consumer."""
    declare = method(1, "queue.declare", queue=queue, auto_delete=True, arguments=arguments)
    sessions.amqp_call(client, declare)


def _consume(client: socket.socket, queue: str, *, no_ack: bool) -> None:
    consume = method(1, "basic.consume", queue=queue, no_ack=no_ack, arguments=table({}))
    sessions.amqp_call(client, consume)


def amqp_flood(port: int) -> None:
    """Ten publishers of small messages, one consumer."""
    (taker,) = _amqp_clients(port, 1)
    _queue(taker, "flood")
    _consume(taker, "flood", no_ack=True)
    _ready()
    _flood(_amqp_clients(port, 10), sessions.publish("", "flood", bytes(64)) * 500, [taker])


def amqp_wide(port: int) -> None:
    """1,500 queues on one fanout exchange, whose consumer takes nothing; 40 publishers."""
    (taker,) = _amqp_clients(port, 1)
    for number in range(1500):
        queue = f"wide-{number}"
        _queue(taker, queue)
        bind = method(1, "queue.bind", queue=queue, exchange="amq.fanout", arguments=table({}))
        sessions.amqp_call(taker, bind)
        _consume(taker, queue, no_ack=False)
    _ready()
    _flood(_amqp_clients(port, 40), sessions.publish("amq.fanout", "", b"") * 50)


def amqp_bodies(port: int) -> None:
    """Two publishers of 20 MB each to a queue of two messages, one consumer."""
    (taker,) = _amqp_clients(port, 1)
    _queue(taker, "big", **table({"x-max-length": 2}))
    _consume(taker, "big", no_ack=True)
    _ready()
    _flood(_amqp_clients(port, 2), sessions.publish("", "big", bytes(20_000_000)), [taker])


def amqp_never_reads(port: int) -> None:
    """A consumer without acknowledgements that takes nothing, four publishers."""
    (taker,) = _amqp_clients(port, 1)
    _queue(taker, "deaf")
    _consume(taker, "deaf", no_ack=True)
    _ready()
    _flood(_amqp_clients(port, 4), sessions.publish("", "deaf", bytes(1000)) * 100)


def amqp_requeue(port: int) -> None:
    """A consumer has 50,000 messages, acknowledges none and vanishes, again and again."""
    keeper, publisher = _amqp_clients(port, 2)
    declare = method(1, "queue.declare", queue="again", exclusive=False, arguments=table({}))
    sessions.amqp_call(keeper, declare)
    sessions.amqp_call(keeper, method(1, "queue.purge", queue="again"))
    publisher.settimeout(None)
    for _ in range(100):
        publisher.sendall(sessions.publish("", "again", bytes(10)) * 500)
    _ready()
    consume = method(1, "basic.consume", queue="again", arguments=table({}))
    while True:
        (taker,) = _amqp_clients(port, 1)
        taker.sendall(consume)
        taken = 0
        taker.settimeout(5)
        # A delivery of ten bytes has more than 50 of them.
        while taken < 50_000 * 50:
            piece = taker.recv(1 << 20)
            taken += len(piece)
            if not piece:
                break
        _vanish(taker)


def amqp_headers(port: int) -> None:
    """Four publishers whose messages have 5,000 headers each, to a headers exchange."""
    properties = {"headers": table({name: value for name, value in _PAIRS})}  # noqa: C416
    data = method(1, "basic.publish", exchange="amq.headers", routing_key="")
    data += content.make_content(1, b"", properties, 131_072 - 8)
    _ready()
    _flood(_amqp_clients(port, 4), data)


def amqp_storm(port: int) -> None:
    """500 clients at once that go as soon as they came, again and again."""
    _storm(port, sessions.login_of("amqp", port)[0][0], 500)


# Kafka


def _kafka_clients(port: int, count: int) -> list[socket.socket]:
    return [sessions.dial(port) for _ in range(count)]


def kafka_flood(port: int) -> None:
    """Four producers of batches of 900 KB."""
    clients = _kafka_clients(port, 4)
    sessions.kafka_topic(clients[0], "flood")
    request = encode_request(sessions.produce_request("flood", 900_000), 7, 1, "load")
    _ready()
    _flood(clients, request, clients)


def kafka_never_reads(port: int) -> None:
    """Twenty consumers that ask for 40 MB again and again and take nothing."""
    clients = _kafka_clients(port, 20)
    sessions.kafka_topic(clients[0], "deaf")
    for _ in range(45):
        sessions.kafka_call(clients[0], sessions.produce_request("deaf", 900_000), 7)
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=40_000_000)
    asked = FetchRequest(max_wait_ms=0, min_bytes=1, max_bytes=40_000_000,
                         topics=[FetchTopic(topic="deaf", partitions=[part])])  # fmt: skip
    _ready()
    _flood(clients, encode_request(asked, 7, 1, "load"))


def kafka_small(port: int) -> None:
    """Two consumers read 55 MB in batches of 2 KB at once, again and again; ten take nothing."""
    clients = _kafka_clients(port, 12)
    sessions.kafka_topic(clients[0], "small")
    produced = sessions.produce_request("small", 2_000)
    sessions.kafka_call(clients[0], produced, 7)
    burst = encode_request(produced, 7, 1, "load") * 100
    for _ in range(280):
        clients[0].sendall(burst)
        for _ in range(100):
            answer = int.from_bytes(sessions.ask_for(clients[0], b"", 4))
            sessions.ask_for(clients[0], b"", answer)
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=100_000_000)
    asked = FetchRequest(max_wait_ms=0, min_bytes=1, max_bytes=100_000_000,
                         topics=[FetchTopic(topic="small", partitions=[part])])  # fmt: skip
    _ready()
    _flood(clients, encode_request(asked, 7, 1, "load"), clients[:2])


def kafka_metadata(port: int) -> None:
    """Ten clients ask for the metadata of all of 300 topics."""
    clients = _kafka_clients(port, 10)
    names = [MetadataRequestTopic(name=f"many-{number}") for number in range(300)]
    sessions.kafka_call(
        clients[0], MetadataRequest(topics=names, allow_auto_topic_creation=True), 4
    )
    every = MetadataRequest(topics=None, allow_auto_topic_creation=False)
    _ready()
    _flood(clients, encode_request(every, 4, 1, "load") * 10, clients)


def kafka_storm(port: int) -> None:
    """500 clients at once that go as soon as they came, again and again."""
    _storm(port, sessions.login_of("kafka", port)[0][0], 500)


LOADS: dict[str, Sequence[Load]] = {
    "mqtt": (
        idle, mqtt_flood, mqtt_bodies, mqtt_never_reads, mqtt_wide, mqtt_properties,
        mqtt_retained, mqtt_filters, mqtt_storm,
    ),
    "amqp": (
        idle, amqp_flood, amqp_wide, amqp_bodies, amqp_never_reads, amqp_requeue,
        amqp_headers, amqp_storm,
    ),
    "kafka": (idle, kafka_flood, kafka_never_reads, kafka_small, kafka_metadata, kafka_storm),
}  # fmt: skip


def main() -> None:
    name, port = sys.argv[1:]
    (load,) = {each for loads in LOADS.values() for each in loads if each.__name__ == name}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    # The probe on the same core comes first.
    os.nice(10)
    load(int(port))


if __name__ == "__main__":
    main()
