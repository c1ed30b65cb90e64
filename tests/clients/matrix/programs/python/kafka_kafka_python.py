"""kafka-python, which has no part in librdkafka."""

import os
import ssl
from collections.abc import Sequence
from typing import Any

import kafka
import kafka.codec
from checks import CA, RUN, equal, happen, refused, run, until
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

PLAIN: dict[str, Any] = {"bootstrap_servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
QUICK: dict[str, Any] = {"reconnect_backoff_ms": 20, "reconnect_backoff_max_ms": 200}


def consumer(topic: str, group: str | None, **more: Any) -> KafkaConsumer:
    made = KafkaConsumer(
        group_id=group and f"{RUN}-{group}", auto_offset_reset="earliest", **PLAIN, **QUICK, **more
    )
    if group:
        made.subscribe([topic])
    else:
        made.assign([TopicPartition(topic, part) for part in range(3)])
    return made


def read(reader: KafkaConsumer, count: int, before: Sequence[bytes] = ()) -> list[bytes]:
    """So many different values: a member that had to join again may get some of them twice."""
    found: dict[bytes, None] = {}

    def more() -> bool:
        for records in reader.poll(timeout_ms=100).values():
            found.update((r.value, None) for r in records if r.value not in before)
        return len(found) >= count

    until(more, f"{count} records")
    return list(found)


def send(topic: str, values: list[str], **more: Any) -> None:
    producer = KafkaProducer(**PLAIN, **QUICK, **more)
    sent = [producer.send(topic, value.encode(), key=value.encode()) for value in values]
    for each in sent:
        each.get(30)
    producer.close()


def has_codec(name: str) -> bool:
    """Each wants a library of its own."""
    return bool(getattr(kafka.codec, f"has_{name}")())


def produce() -> None:
    for codec in (None, "gzip", *(name for name in ("snappy", "lz4", "zstd") if has_codec(name))):
        topic = f"{RUN}-{codec}"
        producer = KafkaProducer(compression_type=codec, **PLAIN)
        producer.send(topic, b"v" * 1000, headers=[("trace", b"1")]).get(30)
        producer.close()
        send(topic, [str(number) for number in range(50)], compression_type=codec)
        reader = consumer(topic, None)
        equal(len(read(reader, 51)), 51)
        reader.close()


def share() -> None:
    topic = f"{RUN}-group"
    with_admin(lambda client: client.create_topics([NewTopic(topic, 4, 1)]))
    members = [consumer(topic, "group") for _ in range(2)]

    def sizes() -> list[int]:
        for member in members:
            member.poll(timeout_ms=50)
        return [len(member.assignment()) for member in members]

    until(lambda: sizes() == [2, 2], "two partitions each")
    members.pop().close()
    until(lambda: sizes() == [4], "all partitions for who is left")
    send(topic, [str(number) for number in range(20)])
    equal(len(read(members[0], 20)), 20)
    members[0].commit()
    members[0].close()
    send(topic, ["last"])
    again = consumer(topic, "group")
    equal(read(again, 1), [b"last"])
    again.close()


def with_admin(act: Any) -> Any:
    client = KafkaAdminClient(**PLAIN)
    try:
        return act(client)
    finally:
        client.close()


def transactions() -> None:
    topic = f"{RUN}-tx"
    producer = KafkaProducer(transactional_id=f"{RUN}-tx", **PLAIN)
    producer.init_transactions()
    for number in range(4):
        producer.begin_transaction()
        producer.send(topic, str(number).encode()).get(30)
        if number % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    producer.close()
    reader = consumer(topic, None, isolation_level="read_committed")
    equal(sorted(read(reader, 2)), [b"0", b"2"])
    reader.close()


def admin() -> None:
    topic = f"{RUN}-admin"

    def act(client: KafkaAdminClient) -> None:
        client.create_topics([NewTopic(topic, 2, 1)])
        equal(topic in client.list_topics(), True, "the new topic is listed")
        (found,) = client.describe_topics([topic])
        equal(len(found["partitions"]), 2)
        client.delete_topics([topic])

    with_admin(act)


def survive(what: str) -> None:
    topic = f"{RUN}-{what}"
    producer = KafkaProducer(**PLAIN, **QUICK, enable_idempotence=True)
    reader = consumer(topic, what)
    producer.send(topic, b"0").get(30)
    read(reader, 1)
    happen(what)
    sent = [producer.send(topic, str(number).encode()) for number in range(1, 30)]
    for each in sent:
        each.get(30)
    equal({str(number).encode() for number in range(1, 30)} - set(read(reader, 29, [b"0"])), set())
    producer.close()
    reader.close()


def secured() -> None:
    settings: dict[str, Any] = {
        "bootstrap_servers": os.environ["KAFKA_TLS_BOOTSTRAP_SERVERS"],
        "security_protocol": "SASL_SSL",
        "ssl_context": ssl.create_default_context(cafile=CA),
        "sasl_plain_username": "alice",
        "sasl_plain_password": "secret",
    }
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        producer = KafkaProducer(**settings, sasl_mechanism=mechanism)
        producer.send(f"{RUN}-secured", b"here").get(30)
        producer.close()
    settings |= {"sasl_plain_password": "wrong", "sasl_mechanism": "SCRAM-SHA-256"}
    settings["bootstrap_timeout_ms"] = 1000
    refused(lambda: KafkaAdminClient(**settings), Exception)


run(
    "kafka-python",
    kafka.__version__,
    {
        "produce": produce,
        "group": share,
        "transactions": transactions,
        "admin": admin,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": secured,
    },
)
