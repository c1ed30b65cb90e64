"""librdkafka's newest, by confluent-kafka."""

import os
from collections.abc import Sequence
from typing import Any

import confluent_kafka
from checks import CA, RUN, SECONDS, equal, happen, run, until
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

PLAIN = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
QUICK = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}


def consumer(group: str, **more: Any) -> Consumer:
    settings = {**PLAIN, **QUICK, "group.id": f"{RUN}-{group}", "auto.offset.reset": "earliest"}
    return Consumer({**settings, **{name.replace("_", "."): value for name, value in more.items()}})


def read(reader: Consumer, count: int, before: Sequence[bytes] = ()) -> list[bytes]:
    """So many different values: a member that had to join again may get some of them twice."""
    found: dict[bytes, None] = {}

    def more() -> bool:
        message = reader.poll(0.1)
        if message is not None and message.error() is None and message.value() not in before:
            found[message.value()] = None
        return len(found) >= count

    until(more, f"{count} records")
    return list(found)


def send(producer: Producer, topic: str, values: list[str]) -> None:
    failed: list[str] = []
    for value in values:
        producer.produce(
            topic, value, key=value, on_delivery=lambda e, _: e and failed.append(str(e))
        )
    equal(producer.flush(SECONDS), 0, "records left")
    equal(failed, [], "failures")


def produce() -> None:
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        topic = f"{RUN}-{codec}"
        producer = Producer({**PLAIN, "compression.type": codec, "enable.idempotence": True})
        headers = [("trace", b"1"), ("empty", None)]
        producer.produce(topic, b"v" * 1000, key=b"k", headers=headers)
        send(producer, topic, [str(number) for number in range(100)])
        reader = consumer(codec)
        reader.assign([TopicPartition(topic, part, 0) for part in range(3)])
        equal(len(read(reader, 101)), 101)
        reader.close()


def share(**settings: Any) -> None:
    """Two members share a topic, one leaves; the group goes on where it was."""
    kind = settings.get("group_protocol", "classic")
    topic, group = f"{RUN}-{kind}", f"group-{kind}"
    client = AdminClient(PLAIN)
    client.create_topics([NewTopic(topic, 4, 1)])[topic].result(SECONDS)
    members = [consumer(group, **settings) for _ in range(2)]
    for member in members:
        member.subscribe([topic])

    def sizes() -> list[int]:
        for member in members:
            member.poll(0.05)
        return [len(member.assignment()) for member in members]

    until(lambda: sizes() == [2, 2], "two partitions each")
    members.pop().close()
    until(lambda: sizes() == [4], "all partitions for who is left")
    send(Producer(PLAIN), topic, [f"{number}" for number in range(20)])
    equal(len(read(members[0], 20)), 20)
    members[0].commit(asynchronous=False)
    members[0].close()
    send(Producer(PLAIN), topic, ["last"])
    again = consumer(group, **settings)
    again.subscribe([topic])
    equal(read(again, 1), [b"last"])
    again.close()


def consumer_protocol() -> None:
    share(group_protocol="consumer")


def transactions() -> None:
    topic, target = f"{RUN}-tx", f"{RUN}-tx-target"
    producer = Producer({**PLAIN, "transactional.id": f"{RUN}-tx"})
    producer.init_transactions(SECONDS)
    for number in range(4):
        producer.begin_transaction()
        producer.produce(topic, str(number))
        if number % 2:
            producer.abort_transaction(SECONDS)
        else:
            producer.commit_transaction(SECONDS)
    reader = consumer("tx", isolation_level="read_committed", enable_auto_commit=False)
    reader.subscribe([topic])
    equal(sorted(read(reader, 2)), [b"0", b"2"])
    producer.begin_transaction()
    producer.produce(target, "moved")
    places = reader.position(reader.assignment())
    producer.send_offsets_to_transaction(places, reader.consumer_group_metadata())
    producer.commit_transaction(SECONDS)
    kept = reader.committed(reader.assignment(), SECONDS)
    equal(sum(place.offset for place in kept if place.offset > 0) > 0, True, "committed offsets")
    reader.close()
    fenced = Producer({**PLAIN, "transactional.id": f"{RUN}-tx"})
    fenced.init_transactions(SECONDS)
    producer.begin_transaction()
    try:
        producer.produce(topic, "late")
        producer.commit_transaction(SECONDS)
    except KafkaException:
        pass
    else:
        raise AssertionError("the earlier producer is not fenced")
    equal(read_all(topic, "read_committed"), [b"0", b"2"])


def read_all(topic: str, isolation: str) -> list[bytes]:
    reader = consumer("all", isolation_level=isolation, enable_partition_eof=True)
    reader.assign([TopicPartition(topic, part, 0) for part in range(3)])
    found, ends = [], set()
    while len(ends) < 3:
        message = reader.poll(SECONDS)
        if message.error() is None:
            found.append(message.value())
        else:
            ends.add(message.partition())
    reader.close()
    return sorted(found)


def admin() -> None:
    topic = f"{RUN}-admin"
    client = AdminClient(PLAIN)
    client.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "600000"})])[topic].result(
        9
    )
    equal(len(client.list_topics(topic, 9).topics[topic].partitions), 2)
    client.create_partitions([NewPartitions(topic, 5)])[topic].result(9)
    resource = confluent_kafka.admin.ConfigResource("topic", topic)
    found = client.describe_configs([resource])[resource].result(9)
    equal(found["retention.ms"].value, "600000")
    send(Producer(PLAIN), topic, ["a", "b"])
    client.delete_records([TopicPartition(topic, 0, -1)])
    reader = consumer("admin")
    reader.subscribe([topic])
    read(reader, 1)
    reader.commit(asynchronous=False)
    reader.close()
    group = f"{RUN}-admin"
    equal(client.describe_consumer_groups([group])[group].result(9).group_id, group)
    client.delete_consumer_groups([group])[group].result(9)
    client.delete_topics([topic])[topic].result(9)


def survive(what: str) -> None:
    """Connections end while a producer and a consumer are at work; nothing is lost or doubled."""
    topic = f"{RUN}-{what}"
    producer = Producer({**PLAIN, **QUICK, "enable.idempotence": True, "linger.ms": 0})
    reader = consumer(what)
    reader.subscribe([topic])
    send(producer, topic, ["0"])
    read(reader, 1)
    happen(what)
    send(producer, topic, [str(number) for number in range(1, 50)])
    equal({str(number).encode() for number in range(1, 50)} - set(read(reader, 49, [b"0"])), set())
    reader.close()
    equal(len(read_all(topic, "read_uncommitted")), 50)


def secured() -> None:
    settings = {
        "bootstrap.servers": os.environ["KAFKA_TLS_BOOTSTRAP_SERVERS"],
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": CA,
        "sasl.username": "alice",
        "sasl.password": "secret",
    }
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        producer = Producer({**settings, "sasl.mechanism": mechanism})
        send(producer, f"{RUN}-secured", ["here"])
    failures: list[str] = []
    wrong = Producer(
        {
            **settings,
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.password": "wrong",
            "error_cb": lambda error: failures.append(error.name()),
        }
    )
    wrong.poll(0)
    until(lambda: wrong.poll(0.05) or "_AUTHENTICATION" in failures, "the refusal")


run(
    "confluent-kafka",
    f"{confluent_kafka.__version__}",
    {
        "produce": produce,
        "group": share,
        "KIP-848": consumer_protocol,
        "transactions": transactions,
        "admin": admin,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": secured,
    },
)
