"""Messages of fixtures, prompt and HTTP on their way into the brokers."""

import pytest
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions

from mockforge_tui.brokers import Brokers
from mockforge_tui.entrance import Receipt, publish
from mockforge_tui.fixtures.messages import AmqpMessage, KafkaMessage, MqttMessage


@pytest.fixture
def brokers() -> Brokers:
    environment = Environment.create(ManualClock(wall=1_700_000_000.0), seed=1)
    return Brokers(
        KafkaBroker(environment, KafkaOptions()),
        MqttBroker(environment, MqttOptions()),
        AmqpBroker(environment, AmqpOptions()),
    )


def test_kafka_says_partition_and_offset(brokers):
    message = KafkaMessage("t", b"1", "test", key=b"k", partition=2)
    assert publish(brokers, message) == Receipt("t p2@0")
    assert publish(brokers, message) == Receipt("t p2@1")


def test_a_kafka_tombstone_keeps_its_key_and_headers(brokers):
    publish(brokers, KafkaMessage("t", None, "test", b"k", (("h", None),), 0))
    (record,) = brokers["kafka"].read("t", 0, 0, 10)  # type: ignore[attr-defined]
    assert (record.key, record.value, record.headers) == (b"k", None, (("h", None),))


def test_mqtt_says_how_many_sessions_it_reached(brokers):
    message = MqttMessage("a/b", b"1", "test", qos=1, retain=True)
    assert publish(brokers, message) == Receipt("a/b", 0)
    assert brokers["mqtt"].retained() == [("a/b", b"1", 1)]  # type: ignore[attr-defined]


def test_amqp_says_how_many_queues_it_reached(brokers):
    brokers["amqp"].declare_queue("q")  # type: ignore[attr-defined]
    message = AmqpMessage("", "q", b"1", "test")
    assert publish(brokers, message) == Receipt("(default)/q", 1)
    nowhere = AmqpMessage("amq.topic", "x", b"1", "test")
    assert publish(brokers, nowhere) == Receipt("amq.topic/x", 0)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (KafkaMessage("no such!", b"", "test"), "Topic name is invalid: 'no such!' contains"),
        (MqttMessage("a/#", b"", "test"), "a/#"),
        (AmqpMessage("x", "", b"", "test"), "no exchange 'x'"),
    ],
)
def test_what_the_broker_refuses_is_bad_input(brokers, message, error):
    with pytest.raises(InvalidInput, match=error):
        publish(brokers, message)


def test_a_broker_that_is_off_is_named():
    with pytest.raises(InvalidInput, match="mqtt is not served here"):
        publish(Brokers(), MqttMessage("a", b"", "test"))
