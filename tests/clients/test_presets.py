"""Real clients of each protocol come through the presets, and get all that they were promised.

One client goes through all of its protocol's presets, since to connect is what costs the time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import AMQPError

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


LASTS = "30s"
"""How long trouble lasts that is over by itself."""


def begin(mockforge: MockForge, preset: str) -> None:
    mockforge.run(f"chaos start {preset} --seed 5")


def touched(mockforge: MockForge) -> bool:
    return any(each["faults"] or each["lost"] for each in mockforge.run("chaos report").records)


@contextmanager
def under(mockforge: MockForge, preset: str) -> Iterator[None]:
    """The trouble must touch client `c`; where it lasts for a time that is over once it did,
    however late the client comes."""
    begin(mockforge, preset)

    def go_by() -> None:
        wait_for(lambda: touched(mockforge), what=preset)
        mockforge.run(f"clock advance {LASTS}")

    going = Thread(target=go_by if LASTS in preset else int, daemon=True)
    going.start()
    yield
    going.join(40)
    end(mockforge, "c", preset)


def end(mockforge: MockForge, client: str, preset: str) -> dict[str, Any]:
    """What the report says of the client; the trouble must have touched it."""
    mockforge.run("chaos stop")
    found = [each for each in mockforge.run("chaos report").records if each["client"] == client]
    assert found, preset
    assert found[0]["faults"] or found[0]["lost"], f"{preset} did nothing"
    return found[0]


MQTT = (
    "flaky-wifi -s delay=2ms -s jitter=3ms -s breaks=4%",
    f"subway -s gap={LASTS} -s apart=1h",
    "slow-consumer -s rate=50/s",
    "rolling-restart -s down=10ms -s apart=0s -s later=1h",
    "thundering-herd -s wait=20ms -s time=500ms",
    f"broker-full -s time={LASTS}",
    f"half-open -s time={LASTS}",
    f"split-brain -s client=c -s time={LASTS}",
    "clock-skew -s by=10m",
    "lossy-answers -s loss=30%",
)


def test_an_mqtt_client_gets_each_message_of_qos_2_once_under_every_preset(mockforge):
    place = urlsplit(mockforge.mqtt.url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", clean_session=False)
    client.reconnect_delay_set(1, 1)
    got: list[bytes] = []
    acknowledged: list[int] = []
    subscribed: list[object] = []
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_publish = lambda *args: acknowledged.append(args[2])
    client.on_subscribe = lambda *args: subscribed.append(args)
    client.connect(place.hostname, place.port)
    client.loop_start()
    client.subscribe("t", 2)
    wait_for(lambda: subscribed)
    sent = 0

    def present() -> bool:
        return any(each["client"] == "c" for each in mockforge.run("conn ls").records)

    for preset in MQTT:
        sent += 4
        patient = "lossy" not in preset

        def all_there(all_of: int = sent, patient: bool = patient) -> bool:
            if not patient and len(acknowledged) < all_of:
                # What is not confirmed it sends again on a new connection only. Killed once more
                # while it is away there would be nobody.
                if present():
                    mockforge.run("conn kill c -y")
                wait_for(client.is_connected)
            return len(acknowledged) == len(got) == all_of

        with under(mockforge, preset):
            for number in range(sent - 3, sent + 1):
                client.publish("t", b"%d" % number, 2)
            wait_for(all_there, what=preset)
    # It has all, and may not have seen yet that it was killed: what is poison is kept for nobody.
    wait_for(present)
    begin(mockforge, "poison-message -s target=mqtt:t")
    wait_for(lambda: got[-1] == b"\xff\xfe\x00{")
    client.publish("t", b"%d" % (sent + 1), 2)
    wait_for(lambda: len(got) == sent + 2)
    del got[-2:]
    assert got == [b"%d" % number for number in range(1, sent + 1)]
    client.disconnect()
    client.loop_stop()


AMQP = (
    "flaky-wifi -s delay=2ms -s jitter=3ms -s breaks=4%",
    f"subway -s gap={LASTS} -s apart=1h",
    "rolling-restart -s down=10ms -s apart=1h -s later=0s",
    "thundering-herd -s broker=amqp -s wait=20ms -s time=500ms",
    "nack-storm -s times=3",
    f"broker-full -s time={LASTS}",
    f"half-open -s time={LASTS}",
    f"split-brain -s client=c -s time={LASTS}",
    "clock-skew -s by=10m",
)


class Publisher:
    """Publishes until it is confirmed, on a new connection where the old one ended."""

    def __init__(self, mockforge: MockForge) -> None:
        self._parameters = pika.URLParameters(mockforge.amqp.url)
        self._parameters.client_properties = {"connection_name": "c"}
        self.channel: Any = None

    def connect(self) -> None:
        self.channel = pika.BlockingConnection(self._parameters).channel()
        self.channel.confirm_delivery()

    def publish(self, body: bytes) -> None:
        until = time.monotonic() + 40
        while True:
            try:
                if self.channel is None or not self.channel.is_open:
                    self.connect()
                properties = pika.BasicProperties(delivery_mode=2)
                self.channel.basic_publish("", "q", body, properties, mandatory=True)
            except AMQPError:
                assert time.monotonic() < until, body
            else:
                return


def test_an_amqp_publisher_that_tries_again_loses_nothing_under_any_preset(mockforge):
    mockforge.run("queue add q --durable")
    publisher = Publisher(mockforge)
    publisher.connect()
    sent = 0
    for preset in AMQP:
        with under(mockforge, preset):
            for _ in range(4):
                sent += 1
                publisher.publish(b"%d" % sent)
    peek = mockforge.runtime.brokers.amqp.peek
    bodies = [message.payload for message in mockforge.call(peek, "q", 1000)]
    # A publish whose confirm was lost is there twice: AMQP promises no more than once each.
    assert list(dict.fromkeys(bodies)) == [b"%d" % number for number in range(1, sent + 1)]
    publisher.channel.connection.close()


def test_an_amqp_publisher_that_gives_up_waiting_loses_nothing_when_confirms_are_lost(mockforge):
    mockforge.run("queue add q")
    begin(mockforge, "lossy-answers -s client=c -s loss=50%")
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.client_properties = {"connection_name": "c"}
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()._impl
    confirmed: set[int] = set()

    def take(frame: Any) -> None:
        # One confirm with `multiple` settles those whose own was lost.
        tag = frame.method.delivery_tag
        confirmed.update(range(1, tag + 1) if frame.method.multiple else (tag,))

    channel.confirm_delivery(take)
    tag = 0
    for number in range(1, 9):
        tries: set[int] = set()
        while not tries & confirmed:
            tag += 1
            tries.add(tag)
            channel.basic_publish("", "q", b"%d" % number)
            connection.process_data_events(0.1)
    peek = mockforge.runtime.brokers.amqp.peek
    bodies = [message.payload for message in mockforge.call(peek, "q", 1000)]
    assert list(dict.fromkeys(bodies)) == [b"%d" % number for number in range(1, 9)]
    assert len(bodies) > 8
    assert end(mockforge, "c", "lossy-answers")["verdict"].startswith("doubled ")
    connection.close()


def test_an_amqp_consumer_gets_all_slowly_and_puts_what_it_cannot_read_aside(mockforge):
    mockforge.run("queue add dead")
    mockforge.run("queue add q --arg x-dead-letter-exchange= --arg x-dead-letter-routing-key=dead")
    begin(mockforge, "slow-consumer -s client=c -s rate=100/s")
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.client_properties = {"connection_name": "c"}
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.basic_qos(prefetch_count=3)
    got: list[int] = []

    def take(_: Any, method: Any, __: Any, body: bytes) -> None:
        try:
            got.append(int(body))
        except ValueError:
            channel.basic_nack(method.delivery_tag, requeue=False)
        else:
            channel.basic_ack(method.delivery_tag)

    channel.basic_consume("q", take)
    for number in range(6):
        mockforge.run(f"pub queue:q {number}")
    wait_for(lambda: connection.process_data_events(0.05) or len(got) == 6)
    end(mockforge, "c", "slow-consumer")
    begin(mockforge, "poison-message -s target=queue:q")
    mockforge.run("pub queue:q 6")
    wait_for(lambda: connection.process_data_events(0.05) or len(got) == 7)
    assert got == list(range(7))
    peek = mockforge.runtime.brokers.amqp.peek
    wait_for(lambda: mockforge.call(peek, "dead", 10))
    assert [each.payload for each in mockforge.call(peek, "dead", 10)] == [b"\xff\xfe\x00{"]
    connection.close()


KAFKA = (
    "slow-consumer -s rate=50/s",
    "flaky-wifi -s delay=2ms -s jitter=3ms -s breaks=4%",
    f"split-brain -s client=c -s time={LASTS}",
    "half-open -s time=10m",
    "coordinator-loss -s time=10m",
    "rebalance-storm -s every=2 -s time=10m",
    "thundering-herd -s broker=kafka -s wait=20ms -s time=500ms",
)


def test_a_kafka_consumer_reads_every_record_in_order_under_every_preset(mockforge):
    mockforge.run("topic add orders -p 1")
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": "c",
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "heartbeat.interval.ms": 50,
            "auto.commit.interval.ms": 50,
            "socket.timeout.ms": 1000,
            "fetch.wait.max.ms": 50,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 20,
        }
    )
    consumer.subscribe(["orders"])
    got: list[bytes] = []
    unread: list[bytes] = []

    def poll() -> None:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            try:
                got.append(b"%d" % int(message.value()))
            except ValueError:
                unread.append(message.value())

    sent = 0
    for preset in KAFKA:
        with under(mockforge, preset):
            for _ in range(4):
                sent += 1
                mockforge.run(f"pub kafka:orders {sent}")
            last = b"%d" % sent
            wait_for(lambda last=last: poll() or (last in got and touched(mockforge)), what=preset)
    begin(mockforge, "poison-message -s target=kafka:orders")
    mockforge.run("pub kafka:orders 0")
    wait_for(lambda: poll() or b"0" in got)
    assert unread == [b"\xff\xfe\x00{"]
    # At least once: what was read and not committed before a rebalance comes again.
    expected = [b"%d" % number for number in [*range(1, sent + 1), 0]]
    assert list(dict.fromkeys(got)) == expected
    consumer.close()


def transactional(mockforge: MockForge, name: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": name,
            "transactional.id": "pay",
        }
    )


def test_a_producer_that_was_replaced_stops_and_a_new_one_goes_on(mockforge):
    mockforge.run("topic add orders -p 1")
    begin(mockforge, "zombie-producer")
    zombie, heir = (transactional(mockforge, name) for name in ("zombie", "heir"))
    zombie.init_transactions(20)
    zombie.begin_transaction()
    zombie.produce("orders", b"zombie")
    with pytest.raises(KafkaException):
        zombie.commit_transaction(20)
    heir.init_transactions(20)
    heir.begin_transaction()
    heir.produce("orders", b"heir")
    heir.commit_transaction(20)
    read = mockforge.runtime.brokers.kafka.read
    values = [each.value for each in mockforge.call(read, "orders", 0, 0, 100) if each.value]
    assert values == [b"heir"]
    end(mockforge, "zombie", "zombie-producer")
