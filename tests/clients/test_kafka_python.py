"""kafka-python against our broker: a pure Python client that negotiates its own versions."""

import warnings

import pytest

from .conftest import Servers, wait_for

with warnings.catch_warnings():
    # kafka-python reads its schemas with a function that Python 3.11 calls old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import KafkaAdminClient

pytestmark = [
    pytest.mark.client,
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),
]


@pytest.fixture
def bootstrap(servers: Servers) -> str:
    return f"127.0.0.1:{servers.ports['kafka']}"


@pytest.mark.parametrize("codec", [None, "gzip"])
def test_keyed_records_go_out_and_come_back(bootstrap, codec):
    topic = f"kafka-python.{codec}"
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec)
    sent = [
        producer.send(topic, key=f"k{n}".encode(), value=f"v{n}".encode(), headers=[("h", b"1")])
        for n in range(100)
    ]
    places = {(each.get(30).partition, each.get(30).offset) for each in sent}
    assert len(places) == 100
    producer.close()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"readers.of.{topic}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    # A first join without the topic's partitions is followed by a second one at once, whose result
    # this client loses where a poll ends in it (3.0.12).
    assert consumer.partitions_for_topic(topic) == {0, 1, 2}
    got = {}

    def poll():
        for records in consumer.poll(200).values():
            got.update((record.key, record.value) for record in records)
        return len(got) == 100

    wait_for(poll, what="100 records")
    assert got == {f"k{n}".encode(): f"v{n}".encode() for n in range(100)}
    consumer.commit()
    assert sum(consumer.committed(part) or 0 for part in consumer.assignment()) == 100
    consumer.close()


def test_seeking_without_a_group(servers, bootstrap):
    broker = servers.brokers["kafka"]
    for number in range(10):
        servers.call(broker.publish, "kafka-python.seek", b"%d" % number, partition=1)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    part = TopicPartition("kafka-python.seek", 1)
    consumer.assign([part])
    assert consumer.beginning_offsets([part]) == {part: 0}
    assert consumer.end_offsets([part]) == {part: 10}
    consumer.seek(part, 7)
    got = []

    def poll():
        for records in consumer.poll(200).values():
            got.extend(record.value for record in records)
        return len(got) == 3

    wait_for(poll, what="the last three records")
    assert got == [b"7", b"8", b"9"]
    consumer.close()


def test_admin_sees_topics_and_cluster(servers, bootstrap):
    servers.call(servers.brokers["kafka"].publish, "kafka-python.admin", b"x")
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    assert "kafka-python.admin" in admin.list_topics()
    assert [node["broker_id"] for node in admin.describe_cluster()["brokers"]] == [1]
    admin.close()
