"""Rules that are about a user, an address or a listener hit those clients and no others."""

import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import AMQPConnectionError, NackError

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client
pytest.importorskip("cryptography")

RULES = """mockforge: 1
faults:
  - {id: produce, where: {kafka: {api: Produce, user: bob}}, do: {refuse: INVALID_RECORD}}
  - {id: publish, where: {amqp: {method: basic.publish, user: b*}}, do: {refuse: NACK}}
  - {id: connect, where: {mqtt: {packet: CONNECT, user: bob}}, do: {refuse: SERVER_BUSY}}
  - {id: staged, where: {amqp: {vhost: staging, channel: 2, op: basic.publish}}, do: {refuse: NACK}}
  - {id: shut, where: {amqp: {vhost: locked, method: connection.open}}, do: disconnect}
  - {id: far, where: {mqtt: {packet: PUBLISH, address: 127.0.0.2/32}}, do: {refuse: QUOTA_EXCEEDED}}
"""


@pytest.fixture(scope="module")
def mockforge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockForge]:
    folder = tmp_path_factory.mktemp("origins")
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    users = ("alice:secret", "bob:secret")
    with MockForge(
        str(folder / "rules.yaml"), tls="auto", tls_dir=str(folder), users=users
    ) as made:
        made.run("topic add orders -p 1")
        made.run("queue add q")
        yield made


def hits(mockforge: MockForge, name: str) -> int:
    return next(each["hits"] for each in mockforge.run("fault ls").records if each["name"] == name)


def test_a_kafka_producer_is_refused_by_its_user(mockforge: MockForge) -> None:
    errors: list[Any] = []
    for user in ("alice", "bob"):
        producer = Producer(
            {
                "bootstrap.servers": mockforge.kafka.bootstrap,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": user,
                "sasl.password": "secret",
            }
        )
        producer.produce("orders", b"a", on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(20) == 0
    assert errors[0] is None
    assert errors[1].name() == "INVALID_RECORD"
    assert hits(mockforge, "produce") == 1


def test_an_amqp_publisher_is_refused_by_its_user(mockforge: MockForge) -> None:
    place = urlsplit(mockforge.amqp.url)
    taken: dict[str, bool] = {}
    for user in ("alice", "bob"):
        credentials = pika.PlainCredentials(user, "secret")
        parameters = pika.ConnectionParameters(
            place.hostname, place.port, "/", credentials=credentials
        )
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            try:
                channel.basic_publish("", "q", b"a")
                taken[user] = True
            except NackError:
                taken[user] = False
    assert taken == {"alice": True, "bob": False}
    assert hits(mockforge, "publish") == 1


def published(mockforge: MockForge, vhost: str) -> list[bool]:
    """Whether a message was taken, of one by each of two channels."""
    place = urlsplit(mockforge.amqp.url)
    credentials = pika.PlainCredentials("alice", "secret")
    taken = []
    with pika.BlockingConnection(
        pika.ConnectionParameters(place.hostname, place.port, vhost, credentials=credentials)
    ) as connection:
        for _ in range(2):
            channel = connection.channel()
            channel.confirm_delivery()
            try:
                channel.basic_publish("amq.fanout", "", b"a")
                taken.append(True)
            except NackError:
                taken.append(False)
    return taken


def test_an_amqp_channel_of_one_virtual_host_is_refused(mockforge: MockForge) -> None:
    mockforge.run("vhost add staging")
    assert {each: published(mockforge, each) for each in ("/", "staging")} == {
        "/": [True, True],
        "staging": [True, False],
    }
    assert hits(mockforge, "staged") == 1


def test_a_virtual_host_that_may_not_be_opened_is_refused_by_a_rule(mockforge: MockForge) -> None:
    mockforge.run("vhost add locked")
    assert published(mockforge, "/") == [True, True]
    with pytest.raises(AMQPConnectionError):
        published(mockforge, "locked")
    assert hits(mockforge, "shut") == 1


def connected(
    mockforge: MockForge, user: str, address: str = "", *, tls: bool = False
) -> tuple[paho.Client, list[int], list[int]]:
    """A client that has an answer, and the reason codes of its CONNACK and PUBACKs.

    A message that is taken has 0x10: nobody has subscribed to it.
    """
    place = urlsplit(mockforge.mqtt.tls if tls else mockforge.mqtt.url)
    reasons: list[int] = []
    published: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.username_pw_set(user, "secret")
    if tls:
        client.tls_set(mockforge.facts["tls"]["ca"], cert_reqs=ssl.CERT_REQUIRED)
    client.on_connect = lambda *args: reasons.append(args[3].value)
    client.on_publish = lambda *args: published.append(args[3].value)
    client.connect(place.hostname, place.port, bind_address=address)
    client.loop_start()
    wait_for(lambda: reasons)
    return client, reasons, published


def end(client: paho.Client) -> None:
    client.disconnect()
    client.loop_stop()


def test_an_mqtt_client_is_refused_by_its_user(mockforge: MockForge) -> None:
    codes = {}
    for user in ("alice", "bob"):
        client, reasons, _ = connected(mockforge, user)
        codes[user] = reasons[0]
        end(client)
    assert codes == {"alice": 0, "bob": 0x89}


def test_an_mqtt_client_is_refused_by_its_address(mockforge: MockForge) -> None:
    codes = {}
    for address in ("127.0.0.1", "127.0.0.2"):
        client, _, published = connected(mockforge, "alice", address)
        client.publish("t", b"a", 1)
        wait_for(lambda published=published: published)
        codes[address] = published[0]
        end(client)
    assert codes == {"127.0.0.1": 0x10, "127.0.0.2": 0x97}


def test_the_clients_of_one_listener_are_refused(mockforge: MockForge) -> None:
    mockforge.run("fault add refuse op:PUBLISH listener:mqtt-tls NOT_AUTHORIZED")
    codes = {}
    for tls in (False, True):
        client, _, published = connected(mockforge, "alice", tls=tls)
        client.publish("t", b"a", 1)
        wait_for(lambda published=published: published)
        codes[tls] = published[0]
        end(client)
    assert codes == {False: 0x10, True: 0x87}
