"""MockForge's shapes over a window, as client libraries receive them."""

import json
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import paho.mqtt.client as mqtt
import pika
import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client

KAFKA = """
fixture: {name: Orders, protocol: kafka}
cluster: {cluster_id: orders-cluster}
topics:
  - name: orders.created
    partitions: 3
    messages:
      - key_template: "{{sequence}}"
        value: {order_id: "{{sequence}}", total: "{{float 1 9 | round 2}}", status: pending}
        auto_produce: {enabled: true, rate_per_second: 20}
  - name: orders.status
    messages:
      - key_template: "{{context.order_id}}"
        value: {order_id: "{{context.order_id}}", status: "{{context.new_status}}"}
        auto_produce:
          enabled: true
          trigger: state_machine
          state_machine:
            initial_state: pending
            states:
              - {name: pending, next_states: [shipped], delay_ms: [3600000, 7200000]}
              - {name: shipped, next_states: [delivered], delay_ms: 3600000}
              - {name: delivered, next_states: []}
relationships:
  - {from_topic: orders.created, to_topic: orders.status, relationship: one_to_many,
     key_mapping: {order_id: order_id}}
consumer_groups:
  - {group_id: stays-behind, topics: [orders.created], simulation: {lag_messages: 10}}
"""
MQTT = """
fixture: {name: Sensors, protocol: mqtt}
topics:
  - name: Temperature
    pattern: "sensors/temperature/+"
    qos: 1
    retained: true
    message:
      payload: {room: "{{pathParam 1}}", temperature: "{{faker.float 18.0 26.0 | round 1}}"}
      properties: {content_type: application/json, user_properties: {type: DHT22}}
    behavior:
      auto_publish: {enabled: true, interval_ms: 100, topics: [sensors/temperature/hall]}
"""
LIGHT = """
identifier: light
topic_pattern: ^home/lights/(.+)/command$
response: {payload: {device: "{{topic_param 1}}", command: ack}}
"""
MAIL = """
{"id": "mail", "name": "Mail", "protocol": "Amqp",
 "request": {"pattern": "OneWay", "routing_key": "mails"},
 "response": {"body": {"subject": "Welcome"}, "headers": {"content-type": "application/json"}}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("mockforge")
    for name, text in [
        ("kafka.yaml", KAFKA), ("mqtt.yaml", MQTT), ("light.yaml", LIGHT), ("mail.json", MAIL),
    ]:  # fmt: skip
        (folder / name).write_text(text)
    with MockForge(folder, seed=1, time_scale=3600.0) as running:
        yield running


def consumed(house: MockForge, topic: str, least: int) -> list[dict[str, Any]]:
    """All that is there, once it is so much: a consumer gets it partition by partition."""

    def ends() -> list[int]:
        offsets = house.call(house.runtime.brokers.kafka.offsets, topic)
        return [end for _, end in offsets]

    wait_for(lambda: sum(ends()) >= least, what=f"{least} of {topic}")
    there = ends()
    consumer = Consumer({"bootstrap.servers": house.kafka.bootstrap, "group.id": "reads"})
    places = range(len(there))
    consumer.assign([TopicPartition(topic, place, OFFSET_BEGINNING) for place in places])
    found: list[dict[str, Any]] = []

    def whole() -> bool:
        message = consumer.poll(0.1)
        if message is None or message.error() is not None:
            return False
        # What came meanwhile is not among them.
        if message.offset() < there[message.partition()]:
            found.append({**json.loads(message.value()), "at": message.timestamp()[1]})
        return len(found) == sum(there)

    try:
        wait_for(whole, what=f"all of {topic}")
    finally:
        consumer.close()
    return found


def test_orders_come_at_their_rate_and_move_through_their_states(house: MockForge) -> None:
    # Time that is skipped passes beat by beat, whatever the machine does meanwhile: so only what
    # came in it is looked at.
    house.clock.advance("10s")
    orders = sorted(consumed(house, "orders.created", 200), key=lambda each: each["at"])[:200]
    assert orders[0]["status"] == "pending"
    steps = [later["at"] - earlier["at"] for earlier, later in pairwise(orders)]
    assert median(steps) == 50
    states = consumed(house, "orders.status", 30)
    chains: dict[str, list[str]] = {}
    for each in states:
        chains.setdefault(each["order_id"], []).append(each["status"])
    assert {chain[0] for chain in chains.values()} == {"shipped"}
    assert ["shipped", "delivered"] in chains.values()


def test_the_lag_of_a_simulated_group_is_true_for_an_admin_client(house: MockForge) -> None:
    admin = AdminClient({"bootstrap.servers": house.kafka.bootstrap})
    assert admin.list_topics(timeout=30).cluster_id == "orders-cluster"

    def committed() -> int:
        asked = [ConsumerGroupTopicPartitions("stays-behind")]
        (future,) = admin.list_consumer_group_offsets(asked).values()
        return sum(each.offset for each in future.result(30).topic_partitions)

    # It is never nearer to the end than ten, and goes on.
    first = wait_for(committed, what="a commit above 0")
    ends = sum(end for _, end in house.runtime.brokers.kafka.offsets("orders.created"))
    assert ends - first >= 10
    wait_for(lambda: committed() > first, what="the next commit")


def test_sensors_publish_with_their_properties_and_lights_answer(house: MockForge) -> None:
    found: list[Any] = []
    answered = threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        if message.topic.startswith("home/") and b"ack" in message.payload:
            answered.set()
        elif message.topic.startswith("sensors/"):
            found.append(message)

    client.on_message = on_message
    client.connect("127.0.0.1", int(house.mqtt.url.rpartition(":")[2]))
    client.loop_start()
    try:
        client.subscribe("#", qos=1)
        wait_for(lambda: len(found) >= 5, what="five readings")
        client.publish("home/lights/hall/command", b"on", qos=1)
        assert answered.wait(20)
    finally:
        client.disconnect()
        client.loop_stop()
    assert json.loads(found[-1].payload)["room"] == "hall"
    assert Counter(message.topic for message in found).keys() == {"sensors/temperature/hall"}
    assert found[-1].properties.ContentType == "application/json"
    assert found[-1].properties.UserProperty == [("type", "DHT22")]


def test_a_json_fixture_is_in_its_queue(house: MockForge) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(house.amqp.url))
    channel = connection.channel()
    _, properties, body = wait_for(lambda: _got(channel), what="the mail")
    assert json.loads(body) == {"subject": "Welcome"}
    assert properties.content_type == "application/json"
    connection.close()


def _got(channel: Any) -> Any:
    method, properties, body = channel.basic_get("mails", auto_ack=True)
    return (method, properties, body) if method is not None else None
