"""Reactions on all nine ways between the protocols, and a request with its reply on each.

One file, one started program, and clients that know nothing of it.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pika
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .conftest import wait_for
from .test_recordings import port_of, program

pytestmark = pytest.mark.client

WAYS = ("kafka", "mqtt", "amqp")
FROM = {"kafka": "kafka: from", "mqtt": "mqtt: from/+", "amqp": "amqp: {queue: from}"}
TO = {
    "kafka": 'kafka: to, key: "%s"',
    "mqtt": "mqtt: to/%s, qos: 1",
    "amqp": "amqp: {exchange: to, routing_key: from.%s}",
}
REACTIONS = "".join(
    f"  - id: {came}-{goes}\n"
    f"    when: {{{FROM[came]}, match: {{value: {{to: {goes}}}}}}}\n"
    f"    do: [{{publish: {{to: {{{TO[goes] % came}}},"
    ' value: {n: "{{in.value.n}}"}}}]\n'
    for came in WAYS
    for goes in WAYS
)
FILE = f"""
mockforge: 1
kafka: {{topics: {{to: {{partitions: 1}}, answers: {{partitions: 1}}}}}}
amqp:
  exchanges: [{{name: to, type: topic}}]
  queues: [{{name: from}}, {{name: seen}}, {{name: ask}}]
  bindings: [{{exchange: to, queue: seen, routing_key: "from.#"}}]
reactions:
{REACTIONS}
  - {{id: k, when: {{kafka: ask}}, do: [{{reply: {{twice: "{{{{in.value.n}}}}"}}}}]}}
  - {{id: m, when: {{mqtt: ask}}, do: [{{reply: {{twice: "{{{{in.value.n}}}}"}}}}]}}
  - {{id: a, when: {{amqp: {{queue: ask}}}}, do: [{{reply: {{twice: "{{{{in.value.n}}}}"}}}}]}}
"""


class Clients:
    """One client of each library, that publishes where reactions look and reads what they made."""

    def __init__(self, facts: dict[str, Any]) -> None:
        servers = {"bootstrap.servers": facts["kafka"]["bootstrap"]}
        self.producer = Producer(servers)
        self.consumer = Consumer({**servers, "group.id": "g"})
        self.consumer.assign([TopicPartition("to", 0, 0), TopicPartition("answers", 0, 0)])
        self.records: list[Any] = []
        self.packets: list[mqtt.MQTTMessage] = []
        self.mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "app", protocol=mqtt.MQTTv5)
        self.mqtt.on_message = lambda *given: self.packets.append(given[2])
        subscribed: list[Any] = []
        self.mqtt.on_subscribe = lambda *given: subscribed.append(given)
        self.mqtt.connect("127.0.0.1", port_of(facts["mqtt"]["url"]))
        self.mqtt.loop_start()
        self.mqtt.subscribe([("to/#", 1), ("answers", 1)])
        wait_for(lambda: subscribed)
        self.amqp = pika.BlockingConnection(pika.URLParameters(facts["amqp"]["url"]))
        self.channel = self.amqp.channel()
        self.answers = self.channel.queue_declare("", exclusive=True).method.queue

    def close(self) -> None:
        self.consumer.close()
        self.mqtt.disconnect()
        self.mqtt.loop_stop()
        self.amqp.close()

    def send(self, way: str, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        match way:
            case "kafka":
                self.producer.produce("from", body)
                assert self.producer.flush(30) == 0
            case "mqtt":
                self.mqtt.publish("from/app", body, qos=1).wait_for_publish(30)
            case _:
                self.channel.basic_publish("", "from", body)

    def record(self) -> Any:
        """The next record of `to` or `answers`."""
        return wait_for(lambda: self.consumer.poll(0.1))

    def packet(self) -> mqtt.MQTTMessage:
        wait_for(lambda: self.packets)
        return self.packets.pop(0)

    def delivery(self, queue: str) -> tuple[Any, Any, bytes]:
        def get() -> Any:
            found = self.channel.basic_get(queue, auto_ack=True)
            return found if found[0] is not None else None

        return wait_for(get)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    path: Path = tmp_path_factory.mktemp("ways") / "ways.yaml"
    path.write_text(FILE)
    with program("--headless", str(path)) as facts:
        made = Clients(facts)
        yield made
        made.close()


@pytest.mark.parametrize("goes", WAYS)
@pytest.mark.parametrize("came", WAYS)
def test_a_message_of_one_protocol_makes_one_of_another(
    clients: Clients, came: str, goes: str
) -> None:
    number = 10 * WAYS.index(came) + WAYS.index(goes)
    clients.send(came, {"to": goes, "n": number})
    found: dict[str, Callable[[], tuple[str, bytes]]] = {
        "kafka": lambda: ((record := clients.record()).key().decode(), record.value()),
        "mqtt": lambda: ((packet := clients.packet()).topic.removeprefix("to/"), packet.payload),
        "amqp": lambda: (
            (got := clients.delivery("seen"))[0].routing_key.removeprefix("from."),
            got[2],
        ),
    }
    source, body = found[goes]()
    assert (source, json.loads(body)) == (came, {"n": number})


def test_a_request_of_kafka_is_answered_at_its_reply_topic(clients: Clients) -> None:
    headers: list[tuple[str, str | bytes]] = [
        ("kafka_replyTopic", b"answers"),
        ("kafka_correlationId", b"\xff\x01"),
    ]
    clients.producer.produce("ask", b'{"n": 1}', headers=headers)
    assert clients.producer.flush(30) == 0
    answer = clients.record()
    assert answer.topic() == "answers"
    assert json.loads(answer.value()) == {"twice": 1}
    assert answer.headers() == [("kafka_correlationId", b"\xff\x01")]


def test_a_request_of_mqtt_is_answered_at_its_response_topic(clients: Clients) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = "answers", b"\xff\x01"
    clients.mqtt.publish("ask", b'{"n": 2}', qos=1, properties=properties)
    answer = clients.packet()
    assert (answer.topic, json.loads(answer.payload)) == ("answers", {"twice": 2})
    assert answer.properties is not None
    assert answer.properties.CorrelationData == b"\xff\x01"


def test_a_request_of_amqp_is_answered_at_its_reply_to(clients: Clients) -> None:
    asked = pika.BasicProperties(reply_to=clients.answers, correlation_id="c-1")
    clients.channel.basic_publish("", "ask", b'{"n": 3}', asked)
    _, properties, body = clients.delivery(clients.answers)
    assert (properties.correlation_id, json.loads(body)) == ("c-1", {"twice": 3})
