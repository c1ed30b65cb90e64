"""Refusals, and held messages edited in flight, as real clients see them.

Each is asked for at the prompt, by `do` over HTTP, and in a fixture file.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, Producer
from mockforge_brokers.events import HeldFrameLeft, PeerFellBehind
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import NackError

from mockforge_tui import MockForge, remote

from .conftest import wait_for

pytestmark = pytest.mark.client

Asked = Callable[[list[str], str], AbstractContextManager[MockForge]]


def by_prompt(path: Path, lines: list[str], rules: str) -> MockForge:
    mockforge = MockForge().start()
    for line in lines:
        mockforge.run(line)
    return mockforge


def over_http(path: Path, lines: list[str], rules: str) -> MockForge:
    mockforge = MockForge(admin=True).start()
    for line in lines:
        assert remote.run(line, mockforge.facts["admin"]["url"], None) == 0
    return mockforge


def from_a_file(path: Path, lines: list[str], rules: str) -> MockForge:
    file = path / "rules.yaml"
    file.write_text(f"mockforge: 1\n{rules}", encoding="utf-8")
    return MockForge(str(file)).start()


@pytest.fixture(params=[by_prompt, over_http, from_a_file])
def asked(request: Any, tmp_path: Path) -> Iterator[Callable[[list[str], str], MockForge]]:
    """Brokers with these rules, given as lines and as a file's text, in each way."""
    running: list[MockForge] = []

    def start(lines: list[str], rules: str) -> MockForge:
        running.append(request.param(tmp_path, lines, rules))
        return running[-1]

    yield start
    for each in running:
        each.stop()


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


def held(mockforge: MockForge) -> bool:
    return bool(mockforge.run("held").records)


def consumed(mockforge: MockForge, topic: str, count: int) -> list[Any]:
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": "g",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    found: list[Any] = []
    wait_for(lambda: found.extend(consumer.consume(1, 0.2)) or len(found) >= count)
    consumer.close()
    return found


def test_a_kafka_producer_sees_the_code_and_a_consumer_the_edited_record(asked):
    mockforge = asked(
        [
            "fault add refuse op:Produce topic:orders INVALID_REQUIRED_ACKS --times 1",
            "hold op:Produce topic:orders --max 1 --payload changed -H by=hold",
        ],
        "faults: [{id: no, where: {kafka: {api: Produce, topic: orders}},"
        " do: {refuse: INVALID_REQUIRED_ACKS}, times: 1}]\n"
        "holds: [{id: change, where: {kafka: {api: Produce, topic: orders}}, max: 1,"
        " edit: {payload: changed, headers: {by: hold}}}]\n",
    )
    mockforge.run("topic add orders -p 1")
    errors: list[Any] = []
    # It waits for a second record of a batch until it is flushed.
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap, "linger.ms": 60_000})
    producer.produce("orders", b"a", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors[0].name() == "INVALID_REQUIRED_ACKS"
    for key in (b"k1", b"k2"):
        producer.produce("orders", b"b", key)
    assert producer.flush(20) == 0
    producer.produce("orders", b"c", b"k3")
    assert producer.flush(20) == 0
    found = consumed(mockforge, "orders", 3)
    assert [(each.key(), each.value()) for each in found] == [
        (b"k1", b"changed"),
        (b"k2", b"changed"),
        (b"k3", b"c"),
    ]
    assert found[0].headers() == [("by", b"hold")]


def test_a_producer_whose_answer_is_held_gives_up_by_its_own_timeout_and_tries_again(mockforge):
    mockforge.run("topic add orders -p 1")
    errors: list[Any] = []
    producer = Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "request.timeout.ms": 20_000,
            "enable.idempotence": True,
        }
    )
    mockforge.run("hold op:Produce topic:orders --dir out --max 1")
    producer.produce("orders", b"a", on_delivery=lambda error, _: errors.append(error))
    producer.poll(0)
    wait_for(lambda: held(mockforge))
    [record] = mockforge.run("held").records
    assert (record["by"], 0 < record["left"] <= 20) == ("request timeout", True)
    mockforge.run("drop h1")
    mockforge.run("conn kill rdkafka -y")
    assert producer.flush(20) == 0
    assert errors == [None]
    assert [each.value() for each in consumed(mockforge, "orders", 1)] == [b"a"]


def test_a_kafka_record_is_edited_by_hand_while_its_producer_waits(mockforge):
    mockforge.run("topic add orders -p 1")
    errors: list[Any] = []
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap})
    mockforge.run("hold op:Produce topic:orders --max 1")
    producer.produce("orders", b"b", b"key", on_delivery=lambda error, _: errors.append(error))
    producer.poll(0)
    wait_for(lambda: held(mockforge))
    # librdkafka's request.timeout.ms.
    assert 0 < mockforge.run("held").records[0]["left"] <= 30
    mockforge.run("edit h1 changed -H by=hand --release")
    assert producer.flush(20) == 0
    assert errors == [None]
    [message] = consumed(mockforge, "orders", 1)
    assert (message.key(), message.value()) == (b"key", b"changed")
    assert message.headers() == [("by", b"hand")]


def subscriber(mockforge: MockForge) -> tuple[paho.Client, list[bytes], list[int]]:
    """A connected MQTT 5 client of topic `t`, what it gets, and the reasons of its PUBACKs."""
    place = urlsplit(mockforge.mqtt.url)
    got: list[bytes] = []
    reasons: list[int] = []
    subscribed: list[Any] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", protocol=paho.MQTTv5)
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_publish = lambda *args: reasons.append(args[3].value)
    client.on_subscribe = lambda *args: subscribed.append(args)
    client.connect(place.hostname, place.port)
    client.loop_start()
    client.subscribe("t", 1)
    wait_for(lambda: subscribed)
    return client, got, reasons


def test_an_mqtt_publisher_sees_the_reason_and_a_subscriber_the_edited_payload(asked):
    mockforge = asked(
        [
            "fault add refuse op:PUBLISH topic:t QUOTA_EXCEEDED --times 1",
            "hold op:PUBLISH topic:t --dir in --max 1 --payload changed",
        ],
        "faults: [{id: no, where: {mqtt: {packet: PUBLISH, topic: t}},"
        " do: {error: QUOTA_EXCEEDED}, times: 1}]\n"
        "holds: [{id: change, where: {mqtt: {packet: PUBLISH, topic: t}}, max: 1,"
        " edit: {payload: changed}}]\n",
    )
    client, got, reasons = subscriber(mockforge)
    for payload in (b"a", b"b", b"c"):
        client.publish("t", payload, 1).wait_for_publish(20)
    wait_for(lambda: len(got) == 2)
    assert reasons == [0x97, 0, 0]
    assert got == [b"changed", b"c"]
    client.disconnect()
    client.loop_stop()


def test_an_mqtt_message_is_edited_by_hand_while_its_publisher_waits(mockforge):
    client, got, reasons = subscriber(mockforge)
    mockforge.run("hold op:PUBLISH topic:t --dir in --max 1")
    client.publish("t", b"b", 1)
    wait_for(lambda: held(mockforge))
    [record] = mockforge.run("held").records
    assert (record["by"], 0 < record["left"] <= 60) == ("keep alive", True)
    mockforge.run("edit h1 changed --release")
    wait_for(lambda: got and reasons)
    assert (got, reasons) == ([b"changed"], [0])
    client.disconnect()
    client.loop_stop()


def confirming(mockforge: MockForge) -> tuple[pika.BlockingConnection, Any]:
    connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    channel = connection.channel()
    channel.queue_declare("q")
    channel.confirm_delivery()
    return connection, channel


def test_an_amqp_publisher_sees_the_nack_and_a_consumer_the_edited_message(asked):
    mockforge = asked(
        [
            "fault add refuse op:basic.publish rkey:q NACK --times 1",
            "hold op:basic.publish rkey:q --max 1 --payload changed --prop content-type=text/plain",
        ],
        "faults: [{id: no, where: {amqp: {method: basic.publish, rkey: q}},"
        " do: {refuse: NACK}, times: 1}]\n"
        "holds: [{id: change, where: {amqp: {method: basic.publish, rkey: q}}, max: 1,"
        " edit: {payload: changed, properties: {content-type: text/plain}}}]\n",
    )
    connection, channel = confirming(mockforge)
    with pytest.raises(NackError):
        channel.basic_publish("", "q", b"a")
    channel.basic_publish("", "q", b"b")
    channel.basic_publish("", "q", b"c")
    found = [channel.basic_get("q", auto_ack=True) for _ in range(3)]
    assert [body for _, _, body in found] == [b"changed", b"c", None]
    assert found[0][1].content_type == "text/plain"
    connection.close()


def test_an_amqp_delivery_is_edited_by_hand(mockforge):
    connection, channel = confirming(mockforge)
    mockforge.run("hold op:basic.deliver --max 1")
    channel.basic_publish("", "q", b"b")
    got: list[bytes] = []
    channel.basic_consume("q", lambda *args: got.append(args[3]), auto_ack=True)
    wait_for(lambda: connection.process_data_events(0) or held(mockforge))
    [record] = mockforge.run("held").records
    assert (record["by"], 0 < record["left"] <= 120) == ("heartbeat", True)
    mockforge.run("edit h1 changed --prop content-type=text/plain --release")
    wait_for(lambda: connection.process_data_events(0.1) or got)
    assert got == [b"changed"]
    connection.close()


# Fields of what is held, also of what carries no message.


def test_a_held_produce_goes_to_another_topic_and_a_held_answer_says_otherwise(mockforge):
    for name in ("orders", "others"):
        mockforge.run(f"topic add {name} -p 1")
    mockforge.run("hold op:Produce topic:orders --max 1 --dir in --set name=others")
    mockforge.run("hold op:Produce --dir out --max 1 --set error_code=INVALID_REQUIRED_ACKS")
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap})
    errors: list[Any] = []
    for _ in range(2):
        producer.produce("orders", b"a", on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(20) == 0
    # What is answered for a topic that it did not ask for it does not take for its own.
    assert [error is None for error in errors] == [False, True]
    assert [each.value() for each in consumed(mockforge, "others", 1)] == [b"a"]


def test_a_held_connack_and_a_held_publish_get_other_fields(mockforge):
    flags: list[bool] = []
    got: list[tuple[str, int]] = []
    subscribed: list[Any] = []
    place = urlsplit(mockforge.mqtt.url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c")
    client.on_connect = lambda *args: flags.append(args[2].session_present)
    client.on_message = lambda *args: got.append((args[2].topic, args[2].qos))
    client.on_subscribe = lambda *args: subscribed.append(args)
    mockforge.run("hold op:CONNACK --max 1")
    client.connect(place.hostname, place.port)
    client.loop_start()
    wait_for(lambda: held(mockforge))
    mockforge.run("edit h1 --set session_present=true --release")
    wait_for(lambda: flags)
    client.subscribe("late", 1)
    wait_for(lambda: subscribed)
    mockforge.run("hold op:PUBLISH topic:t --max 1 --set topic_name=late --set qos=0")
    client.publish("t", b"x", 0)
    wait_for(lambda: got)
    assert (flags, got) == ([True], [("late", 0)])
    client.disconnect()
    client.loop_stop()


def test_a_held_amqp_publish_goes_elsewhere_and_its_delivery_says_that_it_came_before(mockforge):
    connection, channel = confirming(mockforge)
    channel.queue_declare("other")
    mockforge.run("hold op:basic.publish rkey:q --max 1 --set routing_key=other")
    mockforge.run("hold op:basic.deliver --max 1 --set redelivered=true")
    channel.basic_publish("", "q", b"a")
    got: list[bool] = []
    channel.basic_consume("other", lambda *args: got.append(args[1].redelivered), auto_ack=True)
    wait_for(lambda: connection.process_data_events(0.1) or got)
    assert got == [True]
    connection.close()


def test_a_rule_of_a_file_is_ended_by_its_name(tmp_path):
    file = tmp_path / "storm.yaml"
    file.write_text(
        "mockforge: 1\n"
        "faults: [{id: storm, where: {amqp: {method: basic.publish}}, do: {refuse: NACK}}]\n"
        "holds: [{id: wall, where: {amqp: {method: basic.publish}}, refuse: NACK}]\n"
    )
    with MockForge(str(file)) as mockforge:
        connection, channel = confirming(mockforge)
        for line in ("fault off storm", "hold rm wall"):
            with pytest.raises(NackError):
                channel.basic_publish("", "q", b"a")
            mockforge.run(line)
        channel.basic_publish("", "q", b"b")
        connection.close()


# Peers that do not play their part while a rule is in force.


def test_a_slow_reader_under_a_delay_stops_what_is_sent_and_gets_all_of_it(mockforge):
    mockforge.run("fault add delay op:basic.deliver 10ms --dir out")
    behind: list[Any] = []
    mockforge.call(mockforge.runtime.spine.watch, behind.append, PeerFellBehind)
    connection, channel = confirming(mockforge)
    got: list[bytes] = []
    channel.basic_consume("q", lambda *args: got.append(args[3]), auto_ack=True)
    # A blocking connection reads its socket only when it is asked to.
    payload = "x" * 100_000
    mockforge.run(f"pub queue:q {payload} -n 200")
    wait_for(lambda: behind)
    wait_for(lambda: connection.process_data_events(0.1) or len(got) == 200)
    assert set(got) == {payload.encode()}
    connection.close()


def test_a_client_that_vanishes_takes_what_is_held_for_it_along(mockforge):
    mockforge.run("hold op:PUBLISH topic:t")
    left: list[Any] = []
    mockforge.call(mockforge.runtime.spine.watch, left.append, HeldFrameLeft)
    place = urlsplit(mockforge.mqtt.url)
    with socket.create_connection((place.hostname, place.port)) as gone:
        gone.sendall(encode_packet(Connect("gone", 4), 4))
        gone.sendall(encode_packet(Publish("t", b"never", 1, packet_id=1), 4))
        wait_for(lambda: held(mockforge))
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(lambda: left)
    assert left[0].outcome == "gone with its connection"
    mockforge.run("hold off")
    again, got, _ = subscriber(mockforge)
    again.publish("t", b"second", 1)
    wait_for(lambda: got)
    assert got == [b"second"]
    again.disconnect()
    again.loop_stop()
