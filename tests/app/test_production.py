"""Fixtures at work on real brokers, on a clock that a test moves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import Warned
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions

from mockforge_tui.brokers import Brokers
from mockforge_tui.fixtures import load
from mockforge_tui.fixtures.events import FixtureFailed
from mockforge_tui.production import Production


class Plant:
    """Three brokers and the fixtures of one text, which are `load`ed."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(wall=1_700_000_000.0)
        self.environment = Environment.create(self.clock, seed=1)
        self.brokers: Any = Brokers(
            KafkaBroker(self.environment, KafkaOptions()),
            MqttBroker(self.environment, MqttOptions()),
            AmqpBroker(self.environment, AmqpOptions()),
        )
        self.production = Production(self.brokers, self.environment, 1)
        self._folder = folder

    def load(self, text: str, *, start: bool = True) -> None:
        file = self._folder / "fixtures.yaml"
        file.write_text("mockforge: 1\n" + text)
        self.production.load(load([file]), start=start)

    def counts(self, protocol: str) -> Mapping[str, int]:
        """Messages that came in, by destination."""
        views = self.brokers[protocol].destinations()
        return {view.name: view.messages_in for view in views if view.messages_in}

    def records(self, topic: str) -> list[bytes | None]:
        kafka = self.brokers["kafka"]
        return [
            record.value
            for partition, _ in enumerate(kafka.offsets(topic))
            for record in kafka.read(topic, partition, 0, 100)
        ]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


BEAT = 'generators: [{id: beat, to: {kafka: beats}, value: {n: "{{sequence}}"}, rate: 10/s}]'


def test_generators_produce_at_their_rate(plant):
    plant.load(BEAT)
    plant.clock.advance(1.95)
    assert plant.counts("kafka") == {"beats": 20}


def test_nothing_is_produced_until_it_is_started(plant):
    plant.load(BEAT, start=False)
    plant.clock.advance(5)
    assert plant.counts("kafka") == {}


def test_stop_ends_all_production(plant):
    plant.load(BEAT)
    plant.clock.advance(0.05)
    plant.production.stop()
    plant.clock.advance(5)
    assert plant.counts("kafka") == {"beats": 1}


def test_loading_again_replaces_what_was_there(plant):
    plant.load(BEAT)
    plant.load(BEAT.replace("beats", "others"))
    plant.clock.advance(0.95)
    assert plant.counts("kafka") == {"others": 10}


def test_topics_exchanges_queues_and_bindings_are_declared(plant):
    plant.load(
        "kafka: {topics: {orders: {partitions: 5, config: {retention.ms: 7d}}}}\n"
        "amqp:\n"
        "  exchanges: [{name: events, type: topic}]\n"
        "  queues: [{name: mails, durable: true}]\n"
        "  bindings: [{exchange: events, queue: mails, routing_key: 'mail.#'}]\n"
    )
    assert len(plant.brokers["kafka"].offsets("orders")) == 5
    assert ("events", "topic") in plant.brokers["amqp"].exchanges()
    assert ("events", "mails", "mail.#") in plant.brokers["amqp"].bindings()


def test_a_topic_that_is_there_stays_as_it_is(plant):
    plant.brokers["kafka"].create_topic("orders", 2)
    plant.load("kafka: {topics: {orders: {partitions: 5}}}")
    assert len(plant.brokers["kafka"].offsets("orders")) == 2


def test_what_the_broker_does_not_declare_is_bad_input(plant):
    with pytest.raises(InvalidInput, match="inequivalent arg 'type' for exchange"):
        plant.load("amqp: {exchanges: [{name: amq.topic, type: fanout}]}")


def test_a_broker_that_is_off_is_a_warning(plant):
    served = plant.brokers
    without = Brokers(mqtt=served.mqtt, amqp=served.amqp)
    plant.production = Production(without, plant.environment, 1)
    told: list[Warned] = []
    plant.environment.spine.watch(told.append, Warned)
    plant.load(BEAT)
    assert [(event.about, event.text) for event in told] == [
        ("kafka", "not served here: its fixtures stay idle")
    ]


def test_a_message_that_is_refused_is_told_once_for_a_row(plant):
    told: list[FixtureFailed] = []
    plant.environment.spine.watch(told.append, FixtureFailed)
    plant.load("generators: [{id: g, to: {amqp: {exchange: nope}}, value: 1, rate: 10/s}]")
    plant.clock.advance(1.95)
    assert [event.fixture for event in told] == ["g"]
    (status,) = plant.production.status()
    assert (status.sent, status.errors) == (0, 20)


REACTIONS = """
amqp:
  exchanges: [{name: events, type: topic}]
  queues: [{name: mails}]
  bindings: [{exchange: events, queue: mails, routing_key: "mail.#"}]
reactions:
  - id: from-kafka
    when: {kafka: orders.*}
    do: [{publish: {to: {mqtt: seen/kafka}, value: "{{in.key}} {{in.headers.trace}}"}}]
  - id: from-mqtt
    when: {mqtt: "sensors/+/temp"}
    do: [{publish: {to: {kafka: seen.mqtt}, value: "{{in.topic}}"}}]
  - id: from-exchange
    when: {amqp: {exchange: events, routing_key: "mail.*"}}
    do: [{publish: {to: {kafka: seen.exchange}, value: "{{in.routing_key}}"}}]
  - id: from-queue
    when: {amqp: mails}
    do: [{publish: {to: {kafka: seen.queue}, value: "{{in.value.id}}"}}]
"""


def test_kafka_messages_set_off_reactions_with_key_and_headers(plant):
    plant.load(REACTIONS)
    plant.brokers["kafka"].publish("orders.new", b"1", key=b"k", headers=[("trace", b"t1")])
    plant.clock.advance(0.01)
    assert plant.counts("mqtt") == {"seen/kafka": 1}


def test_mqtt_messages_set_off_reactions_by_filter(plant):
    plant.load(REACTIONS)
    plant.brokers["mqtt"].publish("sensors/roof/temp", b"1")
    plant.brokers["mqtt"].publish("sensors/roof/humidity", b"1")
    plant.clock.advance(0.01)
    assert plant.records("seen.mqtt") == [b"sensors/roof/temp"]


def test_amqp_messages_set_off_reactions_by_exchange_and_by_queue(plant):
    plant.load(REACTIONS)
    plant.brokers["amqp"].publish("events", "mail.sent", b'{"id": "m1"}')
    plant.brokers["amqp"].publish("events", "other.sent", b'{"id": "m2"}')
    plant.clock.advance(0.01)
    assert plant.records("seen.exchange") == [b"mail.sent"]
    assert plant.records("seen.queue") == [b"m1"]


def test_reactions_that_overlap_each_see_a_message_once(plant):
    plant.load(
        "reactions:\n"
        "  - {id: all, when: {kafka: '*'}, do: [{publish: {to: {mqtt: all}, value: 1}}]}\n"
        "  - {id: one, when: {kafka: orders}, do: [{publish: {to: {mqtt: one}, value: 1}}]}\n"
    )
    plant.brokers["kafka"].publish("orders", b"1")
    plant.clock.advance(0.01)
    assert plant.counts("mqtt") == {"all": 1, "one": 1}


def test_reactions_that_answer_themselves_come_to_an_end(plant):
    plant.load(
        "reactions:\n"
        "  - {id: echo, when: {kafka: ping}, do: [{publish: {to: {kafka: ping}, value: 1}}]}\n"
    )
    plant.brokers["kafka"].publish("ping", b"1")
    plant.clock.advance(10)
    assert 1 < plant.counts("kafka")["ping"] < 100


def test_after_stop_nothing_is_watched(plant):
    plant.load(REACTIONS)
    plant.production.stop()
    plant.brokers["kafka"].publish("orders.new", b"1")
    plant.clock.advance(0.01)
    assert plant.counts("mqtt") == {}
