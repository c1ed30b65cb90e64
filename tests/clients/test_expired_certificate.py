"""`tls expire`: new connections meet an expired certificate, those that are there go on."""

import ssl
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import KafkaError, Producer
from paho.mqtt.enums import CallbackAPIVersion

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client
pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(tls="auto") as running:
        running.run("topic add orders -p 1")
        running.run("queue add q")
        yield running


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("tls renew")


def test_a_kafka_producer_waits_until_the_certificate_is_renewed(mockforge):
    errors: list[Any] = []
    failures: list[Any] = []

    def producer() -> Producer:
        return Producer(
            {
                "bootstrap.servers": mockforge.kafka.tls,
                "security.protocol": "SSL",
                "ssl.ca.location": mockforge.facts["tls"]["ca"],
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
                "error_cb": failures.append,
            }
        )

    def send(by: Producer, value: bytes) -> None:
        by.produce("orders", value, on_delivery=lambda error, _: errors.append(error))

    first, second = producer(), producer()
    send(first, b"1")
    assert first.flush(20) == 0
    mockforge.run("tls expire --for 1h")
    send(first, b"2")
    assert first.flush(20) == 0
    send(second, b"3")

    def turned_away() -> list[str]:
        second.poll(0.05)
        # Beside it, before or after, comes that all brokers are down.
        return [each.str() for each in failures if each.code() == KafkaError._SSL]

    assert "certificate verify failed" in wait_for(turned_away)[0]
    mockforge.run("tls renew")
    assert second.flush(20) == 0
    read = mockforge.runtime.brokers.kafka.read
    assert [each.value for each in mockforge.call(read, "orders", 0, 0, 9)] == [b"1", b"2", b"3"]
    assert errors == [None] * 3


def test_an_mqtt_client_does_not_connect_and_does_later(mockforge):
    place = urlsplit(mockforge.mqtt.tls)
    ca = mockforge.facts["tls"]["ca"]
    there = paho.Client(CallbackAPIVersion.VERSION2)
    there.tls_set(ca)
    published: list[Any] = []
    there.on_publish = lambda *args: published.append(args[2])
    there.connect(place.hostname, place.port)
    there.loop_start()
    wait_for(there.is_connected)
    command = ["mosquitto_pub", "-h", "localhost", "-p", str(place.port), "--cafile", ca]
    command += ["-t", "t", "-m", "x", "-q", "1"]
    mockforge.run("tls expire --for 1h")
    turned_away = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert turned_away.returncode != 0
    assert "TLS error" in turned_away.stderr
    there.publish("t", b"x", 1)
    wait_for(lambda: published)
    mockforge.run("tls renew")
    assert subprocess.run(command, timeout=150).returncode == 0
    there.disconnect()
    there.loop_stop()


def test_an_amqp_client_connects_again_when_the_certificate_is_renewed(mockforge):
    place = urlsplit(mockforge.amqp.tls)
    context = ssl.create_default_context(cafile=mockforge.facts["tls"]["ca"])

    def connect() -> pika.BlockingConnection:
        options = pika.SSLOptions(context, "localhost")
        return pika.BlockingConnection(
            pika.ConnectionParameters(place.hostname, place.port, ssl_options=options)
        )

    there = connect()
    mockforge.run("tls expire --for 1h")
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        connect()
    there.channel().basic_publish("", "q", b"a")
    there.close()
    mockforge.run("clock advance 1h")
    connect().close()
    peek = mockforge.runtime.brokers.amqp.peek
    assert [each.payload for each in mockforge.call(peek, "q", 9)] == [b"a"]
