"""What fixtures and the prompt publish, as client libraries receive it."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pika
import pytest
from confluent_kafka import Consumer, Message
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client

FIXTURES = """
mockforge: 1
name: shop
kafka: {topics: {beats: {partitions: 1}}}
amqp:
  exchanges: [{name: events, type: topic}]
  queues: [{name: mails}, {name: alarms}]
  bindings: [{exchange: events, queue: mails, routing_key: "mail.#"}]
generators:
  - id: order
    to:
      kafka: orders
      key: "o-{{sequence}}"
      headers: {source: checkout, attempt: "{{int 3 3}}"}
      partition: 1
    value: {total: "{{float 5 500 | round 2}}", count: "{{int 2 2}}", paid: "{{faker.boolean 1}}"}
  - id: gone
    to: {kafka: tombstones, key: "o-1"}
    value: null
  - id: beat
    to: {kafka: beats}
    value: {n: "{{sequence}}"}
    rate: 50/s
  - id: reading
    to:
      mqtt: sensors/room1
      qos: 1
      retain: true
      properties:
        content_type: application/json
        message_expiry_interval: 60
        user_property: {unit: celsius}
    value: {celsius: "{{int 21 21}}"}
  - id: mail
    to:
      amqp: {exchange: events, routing_key: mail.welcome}
      headers: {tries: "{{int 2 2}}", lang: en, urgent: true}
      properties: {message_id: m-1, delivery_mode: 2, priority: 4, timestamp: 1700000000}
    value: {to: "ada@example.com", amount: 12.5}
  - id: plain-mail
    to: {amqp: alarms}
    value: smoke
reactions:
  - id: alarm
    when: {mqtt: alarms/+, match: {value: {level: {gt: 2}}}}
    do:
      - publish: {to: {amqp: alarms}, value: {level: "{{in.value.level}}"}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockForge]:
    path = tmp_path_factory.mktemp("fixtures") / "shop.yaml"
    path.write_text(FIXTURES)
    with MockForge(path, auto_produce=False, seed=1) as running:
        yield running


@pytest.fixture
def read(house: MockForge) -> Iterator[Callable[[str], Message]]:
    """The next record of a topic, from its beginning."""
    consumers: dict[str, Consumer] = {}

    def next_record(topic: str) -> Message:
        if topic not in consumers:
            consumers[topic] = Consumer(
                {
                    "bootstrap.servers": f"127.0.0.1:{house.runtime.listeners.ports['kafka']}",
                    "group.id": f"readers-of-{topic}",
                    "auto.offset.reset": "earliest",
                }
            )
            consumers[topic].subscribe([topic])
        # A message with no value is false: its length is that of the value.
        message: Message
        (message,) = wait_for(lambda: consumers[topic].consume(1, 0.2), what=topic)
        assert message.error() is None
        return message

    yield next_record
    for consumer in consumers.values():
        consumer.close()


@pytest.fixture
def channel(house: MockForge) -> Iterator[Any]:
    connection = pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", house.runtime.listeners.ports["amqp"])
    )
    yield connection.channel()
    connection.close()


@pytest.fixture
def messages(house: MockForge) -> Iterator[list[mqtt.MQTTMessage]]:
    """All that an MQTT 5 client gets that subscribed to everything."""
    got: list[mqtt.MQTTMessage] = []
    subscribed = threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda *arguments: got.append(arguments[2])
    client.on_subscribe = lambda *arguments: subscribed.set()
    client.connect(
        "127.0.0.1",
        house.runtime.listeners.ports["mqtt"],
        properties=Properties(PacketTypes.CONNECT),
    )
    client.loop_start()
    client.subscribe("#", qos=2)
    assert subscribed.wait(30)
    yield got
    client.disconnect()
    client.loop_stop()


def get(channel: Any, queue: str) -> tuple[Any, Any, bytes]:
    """The next message of a queue."""
    answers = (channel.basic_get(queue, auto_ack=True) for _ in iter(int, 1))
    return wait_for(lambda: next(got if got[0] else None for got in answers), what=queue)


def test_kafka_gets_key_headers_partition_and_numbers_as_numbers(house, read):
    house.run("play order")
    record = read("orders")
    value = json.loads(record.value())
    assert isinstance(value["total"], float)
    assert (value["count"], value["paid"]) == (2, True)
    assert record.key() == b"o-1"
    assert record.headers() == [("source", b"checkout"), ("attempt", b"3")]
    assert record.partition() == 1


def test_kafka_gets_no_value_as_a_tombstone(house, read):
    house.run("play gone")
    record = read("tombstones")
    assert (record.key(), record.value()) == (b"o-1", None)


def test_mqtt_5_gets_qos_retain_and_properties(house, messages):
    house.run("play reading")
    (message,) = wait_for(lambda: [each for each in messages if each.topic == "sensors/room1"])
    assert json.loads(message.payload) == {"celsius": 21}
    assert message.qos == 1
    assert message.properties.ContentType == "application/json"
    assert message.properties.UserProperty == [("unit", "celsius")]
    assert 0 < message.properties.MessageExpiryInterval <= 60


def test_amqp_gets_typed_headers_and_properties(house, channel):
    house.run("play mail")
    method, properties, body = get(channel, "mails")
    assert json.loads(body) == {"to": "ada@example.com", "amount": 12.5}
    assert (method.exchange, method.routing_key) == ("events", "mail.welcome")
    assert properties.headers == {"tries": 2, "lang": "en", "urgent": True}
    assert (properties.message_id, properties.delivery_mode) == ("m-1", 2)
    assert (properties.priority, properties.timestamp) == (4, 1700000000)
    assert properties.content_type == "application/json"


def test_amqp_text_on_the_default_exchange_has_no_content_type(house, channel):
    house.run("play plain-mail")
    method, properties, body = get(channel, "alarms")
    assert (method.exchange, method.routing_key, body) == ("", "alarms", b"smoke")
    assert properties.content_type is None


def test_a_reaction_carries_a_clients_message_to_another_protocol(house, channel):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", house.runtime.listeners.ports["mqtt"])
    client.loop_start()
    client.publish("alarms/smoke", '{"level": 1}', qos=1).wait_for_publish(30)
    client.publish("alarms/smoke", '{"level": 3}', qos=1).wait_for_publish(30)
    _, _, body = get(channel, "alarms")
    assert json.loads(body) == {"level": 3}
    client.disconnect()
    client.loop_stop()


def test_auto_on_rate_and_off_are_felt_by_the_consumer(house, read):
    def made() -> int:
        (topic,) = house.run("topic ls beats").data
        return int(topic["messages_in"])

    house.run("auto on beat")
    numbers = [json.loads(read("beats").value())["n"] for _ in range(3)]
    assert numbers == [1, 2, 3]
    house.run("auto rate beat 400/s")
    before = made()
    house.run("clock advance 1s")
    assert made() - before > 390
    house.run("auto off beat")
    before = made()
    house.run("clock advance 1m")
    assert made() == before


def test_pub_reaches_clients_of_all_three(house, read, channel, messages):
    house.run('pub kafka:typed {"n": {{int 7 7}}} -k k1 -H trace=t1')
    record = read("typed")
    assert (record.key(), json.loads(record.value())) == (b"k1", {"n": 7})
    assert record.headers() == [("trace", b"t1")]
    house.run("pub mqtt:typed/a 21.5 -q 1")
    found = wait_for(lambda: [each for each in messages if each.topic == "typed/a"])
    assert [(each.payload, each.qos) for each in found] == [(b"21.5", 1)]
    house.run('pub amqp:events/mail.typed {"n": 1} --prop content-type=text/x -H tries=2')
    _, properties, body = get(channel, "mails")
    assert (json.loads(body), properties.content_type) == ({"n": 1}, "text/x")
    assert properties.headers == {"tries": "2"}
