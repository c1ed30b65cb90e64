"""What tests ask of running brokers, with the clients that an application has."""

from collections.abc import Iterator

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, Producer

from mockforge_tui import MockForge

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(seed=1) as running:
        yield running


@pytest.fixture
def mockforge(running: MockForge) -> MockForge:
    running.reset()
    return running


def test_a_producer_retries_under_a_fault_and_delivers_once(mockforge: MockForge) -> None:
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap, "retry.backoff.ms": 10})
    fault = mockforge.faults.kafka(api="Produce", error="NOT_LEADER_OR_FOLLOWER", times=2)
    with fault:
        producer.produce("orders", b'{"id": 1}', key=b"o-1")
        producer.flush(30)
        message = mockforge.kafka.expect("orders", key="o-1", count=1, within=30)
    assert fault.hits == 2
    assert message.json == {"id": 1}
    assert message.client.startswith("rdkafka")


def test_a_group_is_waited_for_until_its_consumer_has_committed(mockforge: MockForge) -> None:
    mockforge.kafka.publish("orders", {"id": 1})
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": "billing",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["orders"])
    while consumer.poll(0.1) is None:
        pass
    with pytest.raises(AssertionError, match="nothing is committed in orders p0"):
        mockforge.kafka.wait_group("billing", topic="orders", within=0.05)
    consumer.commit(asynchronous=True)
    mockforge.kafka.wait_group("billing", topic="orders", within=30)
    consumer.close()


def test_what_a_consumer_makes_of_its_messages_is_waited_for(mockforge: MockForge) -> None:
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.client_properties = {"connection_name": "worker-1"}
    mark = mockforge.mark()
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare("jobs")
        for number in range(4):
            mockforge.amqp.publish(b"%d" % number, queue="jobs")
        for _ in range(4):
            channel.basic_get("jobs")
        channel.basic_ack(2, multiple=True)
        channel.basic_nack(3, requeue=False)
        channel.basic_nack(4, requeue=True)
        waiting = {"client": "worker-*", "within": 30, "since": mark}
        mockforge.amqp.wait_settled("jobs", count=2, **waiting)
        mockforge.amqp.wait_settled("jobs", "rejected", count=1, **waiting)
        mockforge.amqp.wait_settled("jobs", "requeued", count=1, **waiting)
        with pytest.raises(AssertionError, match="2 acknowledged, 1 rejected, 1 requeued"):
            mockforge.amqp.wait_settled("jobs", least=3, within=0.05)


def test_a_queue_is_drained_once_its_message_is_acknowledged(mockforge: MockForge) -> None:
    with pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("invoices")
        mockforge.amqp.publish({"id": 1}, queue="invoices")
        method, _, _ = channel.basic_get("invoices")
        with pytest.raises(AssertionError, match="0 ready, 1 unacknowledged"):
            mockforge.amqp.wait_drained("invoices", within=0.05)
        channel.basic_ack(method.delivery_tag)
        mockforge.amqp.wait_drained("invoices", within=30)


def test_a_device_that_goes_silent_leaves_its_will(mockforge: MockForge) -> None:
    device = paho.Client(paho.CallbackAPIVersion.VERSION2, "dev-1")
    device.will_set("devices/dev-1/status", "offline", qos=1)
    host, _, port = mockforge.mqtt.url.removeprefix("mqtt://").rpartition(":")
    device.connect(host, int(port), keepalive=60)
    device.loop_start()
    mockforge.mqtt.wait_client("dev-*", within=30)
    with mockforge.mqtt.blackhole(client="dev-*"):
        mockforge.clock.advance("91s")
    mockforge.mqtt.expect("devices/dev-1/status", payload=b"offline", within=30)
    device.loop_stop()


def test_a_reset_ends_connections_and_clients_find_it_empty(mockforge: MockForge) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    connection.channel().queue_declare("q")
    mockforge.reset()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        connection.channel().queue_declare("q", passive=True)
    assert mockforge.run("queue ls").data == []


def test_a_blackhole_swallows_what_is_sent_and_ends_with_its_block(mockforge: MockForge) -> None:
    device = paho.Client(paho.CallbackAPIVersion.VERSION2, "dev-2")
    host, _, port = mockforge.mqtt.url.removeprefix("mqtt://").rpartition(":")
    device.connect(host, int(port))
    device.loop_start()
    mockforge.mqtt.wait_client("dev-2", within=30)
    with mockforge.mqtt.blackhole(client="dev-2") as hole:
        device.publish("a", "lost", qos=0)
        hole.wait(within=30)
        mockforge.mqtt.expect_none("a", within=0.1)
    assert hole.hits >= 1
    device.loop_stop()
    device.disconnect()
