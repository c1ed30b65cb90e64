"""Each kind of trouble that has its own line in the guide, as its client sees it."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    UnroutableError,
)

from mockforge_tui import MockForge

from .conftest import hits, wait_for

pytestmark = pytest.mark.client

_numbers = count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(kafka_nodes=2) as running:
        yield running


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    running.run("panic")
    running.run("queue add q")
    yield running
    running.run("panic")
    running.run("reset -y")


@pytest.fixture
def topic() -> str:
    """One of its own: clients that are not yet gone ask for theirs, and so create it."""
    return f"orders-{next(_numbers)}"


# MQTT.


class Mqtt:
    """A paho client that notes what comes and how it ends."""

    def __init__(
        self, mockforge: MockForge, name: str = "dev-7", *, version: int = paho.MQTTv5
    ) -> None:
        self.acknowledged: list[int] = []
        self.got: list[bytes] = []
        self.ended: list[int] = []
        self.connected: list[bool] = []
        place = urlsplit(mockforge.mqtt.url)
        options: dict[str, Any] = {} if version == paho.MQTTv5 else {"clean_session": False}
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=version, **options
        )
        client.reconnect_delay_set(1, 1)
        client.on_message = lambda *args: self.got.append(args[2].payload)
        client.on_publish = lambda *args: self.acknowledged.append(args[2])
        client.on_disconnect = lambda *args: self.ended.append(args[3].value)
        client.on_connect = lambda *args: self.connected.append(args[2].session_present)
        client.connect(place.hostname, place.port)
        client.loop_start()
        wait_for(lambda: self.connected)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("conn kill dev-7 --code SESSION_TAKEN_OVER -y", 0x8E),
        ("conn kill dev-7 --code SERVER_BUSY -y", 0x89),
        ("conn kill dev-7 --code 0x9d -y", 0x9D),
    ],
)
def test_an_mqtt_client_is_sent_away_with_a_reason_of_choice(mockforge, line, code) -> None:
    client = Mqtt(mockforge)
    mockforge.run(line)
    wait_for(lambda: client.ended)
    assert client.ended[0] == code
    wait_for(lambda: len(client.connected) == 2)
    client.close()


# AMQP.


def connect(mockforge: MockForge, **settings: Any) -> pika.BlockingConnection:
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.client_properties = {"connection_name": "dev-7"}
    for name, value in settings.items():
        setattr(parameters, name, value)
    return pika.BlockingConnection(parameters)


def test_an_amqp_connection_is_closed_with_a_code_and_text_of_choice(mockforge):
    connection = connect(mockforge)
    mockforge.run("conn kill dev-7 --code 506 --text maintenance -y")
    with pytest.raises(ConnectionClosedByBroker) as raised:
        connection.channel()
    assert (raised.value.reply_code, raised.value.reply_text) == (
        506,
        "RESOURCE_ERROR - maintenance",
    )
    connect(mockforge).close()


def test_confirms_come_one_by_one(mockforge):
    """What is read at one go is confirmed as one: apart, each on its own."""
    confirmed: list[tuple[int, bool]] = []
    mockforge.run("fault add throttle op:basic.publish --messages 200/s")
    connection = connect(mockforge)
    channel = connection.channel()._impl
    channel.confirm_delivery(
        lambda frame: confirmed.append((frame.method.delivery_tag, frame.method.multiple))
    )
    for _ in range(5):
        channel.basic_publish("", "q", b"a")
    wait_for(lambda: connection.process_data_events(0.05) or len(confirmed) == 5)
    assert confirmed == [(number, False) for number in range(1, 6)]
    connection.close()


def test_confirms_come_in_another_order(mockforge):
    confirmed: list[int] = []
    mockforge.run("fault add throttle op:basic.publish --messages 200/s")
    mockforge.run("fault add reorder op:basic.ack --dir out --wait 1h --once")
    connection = connect(mockforge)
    channel = connection.channel()._impl
    channel.confirm_delivery(lambda frame: confirmed.append(frame.method.delivery_tag))
    for _ in range(3):
        channel.basic_publish("", "q", b"a")
    wait_for(lambda: connection.process_data_events(0.05) or len(confirmed) == 3)
    assert confirmed == [2, 1, 3]
    connection.close()


def publish(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", "q", b"a", mandatory=True)


def declare(connection: pika.BlockingConnection) -> None:
    connection.channel().queue_declare("", exclusive=True)


@pytest.mark.parametrize(
    ("rule", "act", "error"),
    [
        ("refuse op:basic.publish NACK --once", publish, NackError),
        ("refuse op:basic.publish NO_ROUTE --once", publish, UnroutableError),
        ("refuse op:basic.publish 403 --text no --once", publish, ChannelClosedByBroker),
        ("refuse op:basic.publish 320 --once", publish, ConnectionClosedByBroker),
        ("drop op:basic.publish --once", publish, None),
        ("delay op:basic.ack 300ms --dir out --once", publish, None),
        ("delay op:basic.publish 10ms --jitter 20ms --log-normal", publish, None),
        ("throttle op:basic.publish 64k", publish, None),
        ("join op:basic.publish 5 --wait 50ms", publish, None),
        ("watch op:basic.publish", publish, None),
        ("refuse op:queue.declare RESOURCE_LOCKED --once", declare, ChannelClosedByBroker),
    ],
)
def test_an_amqp_publisher_meets_it_once_and_then_gets_through(mockforge, rule, act, error):
    mockforge.run(f"fault add {rule}")
    if rule.startswith("drop"):
        # Without an answer it waits until somebody ends the connection.
        mockforge.run("fault add disconnect op:heartbeat --rst --once")
        with pytest.raises(AMQPError):
            act(connect(mockforge, heartbeat=2))
    elif error is None:
        connection = connect(mockforge)
        act(connection)
        connection.close()
    else:
        connection = connect(mockforge)
        with pytest.raises(error):
            act(connection)
        if error is not ConnectionClosedByBroker:
            connection.close()
    assert hits(mockforge) >= 1
    mockforge.run("fault clear")
    connection = connect(mockforge)
    act(connection)
    connection.close()


def test_a_frame_is_longer_than_what_was_agreed(mockforge):
    """The broker takes the client's frame-max for another."""
    mockforge.run("fault add set op:connection.tune-ok frame_max=131072 --dir in --times 2")
    sizes: list[int] = []
    for frame_max in (131_072, 4_096):
        connection = connect(mockforge, frame_max=frame_max)
        channel = connection.channel()
        if frame_max > 100_000:
            channel.basic_publish("", "q", bytes(10_000))
        else:
            process = connection._impl._process_frame

            def note(frame: Any, process: Any = process) -> None:
                sizes.append(len(getattr(frame, "fragment", b"")))
                process(frame)

            connection._impl._process_frame = note
            assert channel.basic_get("q", auto_ack=True)[2] == bytes(10_000)
        connection.close()
    assert max(sizes) == 10_000


# Kafka.


def producer_of(mockforge: MockForge, **settings: Any) -> Producer:
    return Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": "dev-7",
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "topic.metadata.refresh.fast.interval.ms": 20,
            **settings,
        }
    )


def sends(mockforge: MockForge, topic: str, **settings: Any) -> Callable[[bytes], str]:
    producer = producer_of(mockforge, **settings)

    def send(value: bytes) -> str:
        reports: list[str] = []
        producer.produce(
            topic,
            value,
            on_delivery=lambda error, _: reports.append("" if error is None else error.name()),
        )
        assert producer.flush(40) == 0
        return reports[0]

    return send


def stored(mockforge: MockForge, topic: str) -> list[bytes | None]:
    read = mockforge.runtime.brokers.kafka.read
    return [record.value for record in mockforge.call(read, topic, 0, 0, 100)]


@pytest.mark.parametrize(
    ("rule", "settings", "first", "second"),
    [
        ("set op:Metadata leader_id=2 --dir out --times 2", {}, "", ""),
        ("refuse op:ApiVersions UNSUPPORTED_VERSION --once", {}, "", ""),
        ("refuse op:Metadata topic:{topic} LEADER_NOT_AVAILABLE --once", {}, "", ""),
        (
            "refuse op:Produce INVALID_PRODUCER_EPOCH --once",
            {"enable.idempotence": True},
            "INVALID_PRODUCER_EPOCH",
            "",
        ),
        ("refuse op:Produce MESSAGE_TOO_LARGE --once", {}, "MSG_SIZE_TOO_LARGE", ""),
        ("refuse op:Produce partition:0 NOT_ENOUGH_REPLICAS --times 2", {}, "", ""),
    ],
)
def test_a_kafka_producer_gets_over_it(mockforge, topic, rule, settings, first, second):
    mockforge.run(f"topic add {topic} -p 1")
    mockforge.run(f"leader move {topic}:0 1")
    mockforge.run(f"fault add {rule.format(topic=topic)}")
    send = sends(mockforge, topic, **settings)
    assert (send(b"a"), send(b"b")) == (first, second)
    assert hits(mockforge) >= 1
    assert stored(mockforge, topic) == ([b"a"] if not first else []) + [b"b"]


def test_a_member_whose_session_expires_joins_again(mockforge, topic):
    mockforge.run(f"topic add {topic} -p 1")
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": "dev-7",
            "group.id": topic,
            "heartbeat.interval.ms": 100,
            "auto.offset.reset": "earliest",
        }
    )
    assigned: list[int] = []
    consumer.subscribe([topic], on_assign=lambda _, partitions: assigned.append(len(partitions)))
    wait_for(lambda: consumer.poll(0.05) or assigned == [1])
    mockforge.run(f"group kick {topic} dev-7")
    wait_for(lambda: consumer.poll(0.05) or assigned == [1, 1])
    consumer.close()


def test_a_transaction_is_refused_by_its_id_and_the_next_one_is_not(mockforge, topic):
    mockforge.run(f"topic add {topic} -p 1")
    mockforge.run("fault add refuse op:AddPartitionsToTxn txn:pay INVALID_TXN_STATE --once")
    producer = producer_of(mockforge, **{"transactional.id": "pay"})
    producer.init_transactions(20)
    producer.begin_transaction()
    with pytest.raises(KafkaException):
        producer.produce(topic, b"a")
        producer.commit_transaction(20)
    assert hits(mockforge) == 1
    other = producer_of(mockforge, **{"transactional.id": "pay"})
    other.init_transactions(20)
    other.begin_transaction()
    other.produce(topic, b"b")
    other.commit_transaction(20)
    assert [value for value in stored(mockforge, topic) if value] == [b"b"]


@pytest.mark.parametrize(
    "rule",
    [
        "drop op:Fetch --dir out --nth 2",
        "delay op:Fetch 200ms --dir out --times 3",
        "refuse op:Fetch FETCH_SESSION_ID_NOT_FOUND --once",
        "refuse op:Fetch topic:{topic} partition:0 OFFSET_OUT_OF_RANGE --once",
        "refuse op:Heartbeat ILLEGAL_GENERATION --once",
        "refuse op:Heartbeat REBALANCE_IN_PROGRESS --times 2",
        "refuse op:SyncGroup group:{topic} COORDINATOR_LOAD_IN_PROGRESS --once",
    ],
)
def test_a_kafka_consumer_gets_over_it(mockforge, topic, rule):
    mockforge.run(f"topic add {topic} -p 1")
    for number in range(2):
        mockforge.run(f"pub kafka:{topic} m{number}")
    mockforge.run(f"fault add {rule.format(topic=topic)}")
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "socket.timeout.ms": 1000,
            "fetch.wait.max.ms": 50,
            "heartbeat.interval.ms": 100,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "retry.backoff.ms": 20,
        }
    )
    consumer.subscribe([topic])
    got: list[bytes] = []

    def poll() -> None:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            got.append(message.value())

    wait_for(lambda: poll() or (len(set(got)) == 2 and hits(mockforge)))
    mockforge.run(f"pub kafka:{topic} last")
    wait_for(lambda: poll() or b"last" in got)
    # A member that joins again reads on from what it committed, here from the beginning.
    assert list(dict.fromkeys(got)) == [b"m0", b"m1", b"last"]
    consumer.close()
