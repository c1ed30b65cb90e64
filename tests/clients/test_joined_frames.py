"""Several frames with one read: nothing is seen until the last of them is there, then all are.

The rule is one and the same at the prompt, over HTTP and in a test.
"""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion

from mockforge_tui import MockForge

from .conftest import hits, wait_for

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(admin=True, admin_port=0) as running:
        running.run("topic add orders -p 1")
        running.run("queue add q")
        yield running


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("panic")


def test_an_mqtt_subscriber_takes_three_messages_of_one_read(mockforge):
    got: list[bytes] = []
    subscribed: list[object] = []
    place = urlsplit(mockforge.mqtt.url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c")
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_subscribe = lambda *args: subscribed.append(args)
    client.connect(place.hostname, place.port, keepalive=0)
    client.loop_start()
    client.subscribe("t", 1)
    wait_for(lambda: subscribed)
    mockforge.run("fault add join op:PUBLISH 3 --dir out --wait 1h")
    mockforge.run("pub mqtt:t a --qos 1")
    mockforge.run("pub mqtt:t b --qos 0")
    wait_for(lambda: hits(mockforge) == 2)
    assert got == []
    mockforge.run("pub mqtt:t c --qos 1")
    wait_for(lambda: len(got) == 3)
    mockforge.run("pub mqtt:t d")
    # One that nothing follows goes on when the rule ends.
    mockforge.run("fault clear")
    wait_for(lambda: len(got) == 4)
    assert got == [b"a", b"b", b"c", b"d"]
    client.disconnect()
    client.loop_stop()


def test_an_amqp_consumer_takes_three_deliveries_of_one_read(mockforge):
    connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    channel = connection.channel()
    got: list[bytes] = []
    channel.basic_consume("q", lambda *args: got.append(args[3]), auto_ack=True)
    rule = mockforge.faults.amqp(
        method="basic.deliver", dir="out", join={"frames": 3, "wait": "1h"}
    )
    with rule as joined:
        for body in "ab":
            mockforge.run(f"pub queue:q {body}")
        joined.wait(2, within=20)
        connection.process_data_events(0.05)
        assert got == []
        mockforge.run("pub queue:q c")
        wait_for(lambda: connection.process_data_events(0.05) or len(got) == 3)
    mockforge.run("pub queue:q d")
    wait_for(lambda: connection.process_data_events(0.05) or len(got) == 4)
    assert got == [b"a", b"b", b"c", b"d"]
    connection.close()


def test_a_kafka_producer_takes_three_answers_of_one_read(mockforge):
    asked = {"where": {"kafka": {"api": "Produce"}}, "dir": "out"}
    asked["do"] = {"join": {"frames": 3, "wait": "1h"}}
    body = json.dumps(asked).encode()
    url = f"{mockforge.facts['admin']['url']}/faults"
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as answered:
        assert answered.status < 300
    reports: list[object] = []

    def produce(number: int) -> None:
        producer.produce(
            "orders", b"%d" % number, on_delivery=lambda error, _: reports.append(error)
        )

    producer = Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "enable.idempotence": True,
            "batch.num.messages": 1,
            "linger.ms": 0,
        }
    )
    for number in range(2):
        produce(number)
        wait_for(lambda seen=number: hits(mockforge) == seen + 1)
    assert (producer.poll(0), reports) == (0, [])
    produce(2)
    assert producer.flush(20) == 0
    mockforge.run("fault clear")
    produce(3)
    assert producer.flush(20) == 0
    assert reports == [None] * 4
    read = mockforge.runtime.brokers.kafka.read
    values = [record.value for record in mockforge.call(read, "orders", 0, 0, 100)]
    assert values == [b"0", b"1", b"2", b"3"]
