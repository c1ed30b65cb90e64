"""Topics' configurations, as real clients meet them."""

import time
import warnings
from itertools import islice

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from mockforge_tui import MockForge

from .conftest import wait_for

with warnings.catch_warnings():
    # kafka-python reads its schemas with a function that Python 3.11 calls old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer

pytestmark = [
    pytest.mark.client,
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),
]


@pytest.fixture
def mockforge():
    with MockForge(mqtt=False, amqp=False) as running:
        yield running


def bootstrap_of(mockforge):
    return f"127.0.0.1:{mockforge.runtime.listeners.ports['kafka']}"


def create(mockforge, name, **config):
    admin = AdminClient({"bootstrap.servers": bootstrap_of(mockforge)})
    values = {key.replace("_", "."): value for key, value in config.items()}
    new = NewTopic(name, num_partitions=1, replication_factor=1, config=values)
    admin.create_topics([new])[name].result(30)
    return admin


def produced(mockforge, topic, *records):
    """What became of each (key, value, timestamp in ms): None, or the error's code."""
    outcomes = []
    producer = Producer({"bootstrap.servers": bootstrap_of(mockforge)})
    for key, value, timestamp in records:
        producer.produce(
            topic,
            key=key,
            value=value,
            timestamp=timestamp,
            on_delivery=lambda error, _: outcomes.append(error.code() if error else None),
        )
        producer.flush(30)
    return outcomes


def test_a_compacted_topic_as_librdkafka_and_kafka_python_see_it(mockforge):
    create(mockforge, "accounts", cleanup_policy="compact")
    now = int(time.time() * 1000)
    refused = getattr(KafkaError, "INVALID_RECORD", 87)
    assert produced(mockforge, "accounts", (None, b"x", now)) == [refused]
    records = [(b"k%d" % (number % 2), b"%d" % number, now) for number in range(6)]
    assert produced(mockforge, "accounts", *records) == [None] * 6
    mockforge.run("topic compact accounts")
    consumer = KafkaConsumer(
        "accounts",
        bootstrap_servers=bootstrap_of(mockforge),
        auto_offset_reset="earliest",
        consumer_timeout_ms=50_000,
    )
    # The first two are all that there is: the last offset is the second one's.
    assert [(one.offset, one.key) for one in islice(consumer, 2)] == [(4, b"k0"), (5, b"k1")]
    consumer.close()
    other = Consumer({"bootstrap.servers": bootstrap_of(mockforge), "group.id": "g"})
    other.assign([TopicPartition("accounts", 0, 1)])
    assert [other.poll(30).offset() for _ in range(2)] == [4, 5]
    other.close()


def test_timestamps_are_the_brokers_or_refused(mockforge):
    create(mockforge, "stamped", message_timestamp_type="LogAppendTime")
    create(mockforge, "plain")
    before = int(time.time() * 1000)
    producer = KafkaProducer(bootstrap_servers=bootstrap_of(mockforge))
    sent = producer.send("stamped", b"v", timestamp_ms=5).get(30)
    assert sent.timestamp >= before
    producer.close()
    ahead = int(time.time() * 1000) + 7_200_000
    assert produced(mockforge, "plain", (b"k", b"v", ahead)) == [
        getattr(KafkaError, "INVALID_TIMESTAMP", 32)
    ]


def test_configurations_are_described_and_altered_by_an_admin(mockforge):
    admin = create(mockforge, "t", retention_ms="60000")
    topic = ConfigResource(ResourceType.TOPIC, "t")
    broker = ConfigResource(ResourceType.BROKER, "1")
    described = admin.describe_configs([topic, broker])
    values = {name: entry.value for name, entry in described[topic].result(30).items()}
    assert (values["retention.ms"], values["max.message.bytes"]) == ("60000", "1048588")
    assert len(values) == 37
    assert len(described[broker].result(30)) == 350
    change = ConfigResource(
        ResourceType.BROKER,
        "1",
        incremental_configs=[
            ConfigEntry("message.max.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
        ],
    )
    admin.incremental_alter_configs([change])[change].result(30)
    entry = admin.describe_configs([topic])[topic].result(30)["max.message.bytes"]
    assert entry.value == "1000"
    assert produced(mockforge, "t", (b"k", bytes(5000), 0)) == [KafkaError.MSG_SIZE_TOO_LARGE]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_full_group_and_a_deletion_that_is_disabled(protocol):
    lines = ("group.max.size=1", "group.consumer.max.size=1", "delete.topic.enable=false")
    with MockForge(mqtt=False, amqp=False, kafka_configs=lines) as mockforge:
        admin = create(mockforge, "orders")
        with pytest.raises(KafkaException) as refused:
            admin.delete_topics(["orders"])["orders"].result(30)
        assert refused.value.args[0].code() == KafkaError.TOPIC_DELETION_DISABLED
        settings = {
            "bootstrap.servers": bootstrap_of(mockforge),
            "group.id": "stock",
            "group.protocol": protocol,
        }
        first, second = Consumer(settings), Consumer(settings)
        first.subscribe(["orders"])
        wait_for(lambda: first.poll(0.05) or first.assignment(), what="its partition")
        second.subscribe(["orders"])

        def full():
            found = second.poll(0.05)
            return found is not None and found.error()

        error = wait_for(full, what="the refusal")
        assert "reached maximum size" in error.str()
        (group,) = mockforge.call(mockforge.runtime.brokers.kafka.groups)
        assert group.members == 1
        first.close()
        second.close()
