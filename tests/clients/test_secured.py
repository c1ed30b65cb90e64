"""Real clients over TLS with user and password; and those that come without the right ones."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka
import aiokafka.errors
import pika
import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient
from mockforge_brokers.access import rule_of
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from .conftest import wait_for
from .secured import Secured

pytestmark = pytest.mark.client
pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with Secured(tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with Secured(tmp_path_factory.mktemp("mutual"), client_ca=True) as running:
        yield running


# Kafka -------------------------------------------------------------------------------------


def sasl(house: Secured, user: str = "alice", password: str = "secret") -> dict[str, Any]:
    return {
        "bootstrap.servers": house.facts["kafka"]["tls"],
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": password,
        "ssl.ca.location": house.ca,
    }


def test_confluent_kafka_over_tls_with_sasl_plain(house: Secured) -> None:
    producer = Producer(sasl(house))
    for number in range(10):
        producer.produce("orders.confluent", str(number))
    assert producer.flush(20) == 0
    consumer = Consumer({**sasl(house), "group.id": "billing", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders.confluent"])
    seen: list[bytes] = []
    wait_for(lambda: _polled(consumer, seen) and len(seen) == 10, what="ten records")
    consumer.close()


def _polled(consumer: Consumer, seen: list[bytes]) -> bool:
    message = consumer.poll(0.1)
    if message is not None and message.error() is None:
        seen.append(message.value())
    return True


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_confluent_kafka_with_scram(house: Secured, mechanism: str) -> None:
    producer = Producer({**sasl(house), "sasl.mechanism": mechanism})
    places: list[int] = []
    producer.produce("orders.scram", "1", on_delivery=lambda _, got: places.append(got.offset()))
    assert producer.flush(20) == 0
    assert len(places) == 1

    errors: list[str] = []
    wrong = {**sasl(house, password="wrong"), "sasl.mechanism": mechanism}
    admin = AdminClient({**wrong, "error_cb": lambda error: errors.append(error.str())})

    def refused() -> bool:
        admin.poll(0.1)
        words = f"due to invalid credentials with SASL mechanism {mechanism}"
        return any(words in text for text in errors)

    wait_for(refused, what="the refusal")
    assert house.denied("wrong password")


def test_confluent_kafka_is_refused_what_no_rule_allows(house: Secured) -> None:
    errors: list[int] = []
    producer = Producer(sasl(house))
    producer.produce("secret", "x", on_delivery=lambda error, _: errors.append(error.code()))
    assert producer.flush(20) == 0
    assert errors == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    assert house.denied("allow alice")
    consumer = Consumer({**sasl(house), "group.id": "other", "auto.offset.reset": "earliest"})
    consumer.subscribe(["orders.confluent"])

    def refused() -> bool:
        message = consumer.poll(0.1)
        error = message.error() if message is not None else None
        return error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED

    wait_for(refused, what="a refused group")
    consumer.close()


@pytest.mark.parametrize(
    ("user", "password", "why"),
    [("alice", "wrong", "wrong password"), ("mallory", "secret", "no such user")],
)
def test_confluent_kafka_with_a_wrong_login(
    house: Secured, user: str, password: str, why: str
) -> None:
    told: list[str] = []
    admin = AdminClient(
        {**sasl(house, user, password), "error_cb": lambda error: told.append(error.str())}
    )

    def refused() -> bool:
        admin.poll(0.1)
        return any("Authentication failed: Invalid username or password" in text for text in told)

    wait_for(refused, what="the broker's own words")
    assert house.denied(why)


def test_confluent_kafka_that_does_not_trust_us_is_named(house: Secured) -> None:
    settings = sasl(house)
    del settings["ssl.ca.location"]
    told: list[str] = []
    admin = AdminClient({**settings, "error_cb": lambda error: told.append(error.str())})

    def refused() -> bool:
        admin.poll(0.1)
        return any("certificate verify failed" in text for text in told)

    wait_for(refused, what="a failed verification")
    assert "give it the CA" in house.violated("does not trust our certificate")


def test_metadata_has_the_listener_by_which_the_client_came(house: Secured) -> None:
    found = AdminClient(sasl(house)).list_topics(timeout=20)
    (broker,) = found.brokers.values()
    assert broker.port == house.port("kafka", "tls")


def test_aiokafka_over_tls_with_sasl_plain(house: Secured) -> None:
    context = ssl.create_default_context(cafile=house.ca)

    def options(password: str) -> dict[str, Any]:
        return {
            "bootstrap_servers": house.facts["kafka"]["tls"],
            "security_protocol": "SASL_SSL",
            "ssl_context": context,
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": "alice",
            "sasl_plain_password": password,
        }

    async def converse() -> bytes:
        async with aiokafka.AIOKafkaProducer(**options("secret")) as producer:
            await producer.send_and_wait("orders.aio", b"here")
        consumer = aiokafka.AIOKafkaConsumer(
            "orders.aio", group_id="billing", auto_offset_reset="earliest", **options("secret")
        )
        async with consumer:
            got = (await consumer.getone()).value
        wrong = aiokafka.AIOKafkaProducer(**options("wrong"))
        with pytest.raises(aiokafka.errors.KafkaError):
            await wrong.start()
        await wrong.stop()
        return bytes(got or b"")

    assert asyncio.run(asyncio.wait_for(converse(), 40)) == b"here"


def test_a_certificate_is_a_kafka_clients_login(mutual: Secured) -> None:
    settings = {
        "bootstrap.servers": mutual.facts["kafka"]["tls"],
        "security.protocol": "SSL",
        "ssl.ca.location": mutual.ca,
    }
    told: list[str] = []
    without = AdminClient({**settings, "error_cb": lambda error: told.append(error.str())})

    def refused() -> bool:
        without.poll(0.1)
        return any("SSL" in text for text in told)

    wait_for(refused, what="a failed handshake")
    assert mutual.violated("the client has no certificate")
    own = {
        "ssl.certificate.location": mutual.facts["tls"]["client_certificate"],
        "ssl.key.location": mutual.facts["tls"]["client_key"],
    }
    producer = Producer({**settings, **own})
    producer.produce("anything", "x")
    assert producer.flush(20) == 0
    views = [view.principal for view in mutual.runtime.brokers["kafka"].connections()]
    assert "CN=client" in {principal.name for principal in views}


# MQTT --------------------------------------------------------------------------------------


def mqtt_client(
    house: Secured, version: int, transport: Any = "websockets", password: str = "secret"
) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, protocol=version, transport=transport)
    client.tls_set(house.ca)
    client.username_pw_set("alice", password)
    name = "wss" if transport == "websockets" else "tls"
    client.connect("localhost", house.port("mqtt", name))
    return client


@pytest.mark.parametrize("transport", ["websockets", "tcp"])
@pytest.mark.parametrize("version", [MQTTv311, MQTTv5])
def test_paho_with_user_and_password(house: Secured, version: int, transport: str) -> None:
    got: list[bytes] = []
    codes: dict[str, Any] = {}
    client = mqtt_client(house, version, transport)
    client.on_message = lambda client, data, message: got.append(message.payload)
    client.on_subscribe = lambda client, data, mid, reasons, properties: codes.update(
        {str(mid): [reason.value for reason in reasons]}
    )
    client.on_publish = lambda client, data, mid, reason, properties: codes.update(
        {f"p{mid}": reason.value}
    )
    client.loop_start()
    _, allowed = client.subscribe("home/#", 1)
    _, denied = client.subscribe("#", 1)
    wait_for(lambda: str(denied) in codes)
    assert codes[str(allowed)] == [1]
    assert codes[str(denied)] == [0x87 if version == MQTTv5 else 0x80]
    large = bytes(200_000)
    client.publish("home/large", large, 1)
    wait_for(lambda: got == [large])
    other = client.publish("elsewhere", b"x", 1)
    wait_for(lambda: f"p{other.mid}" in codes)
    assert codes[f"p{other.mid}"] == (0x87 if version == MQTTv5 else 0)
    assert house.denied("allow alice write mqtt:elsewhere")
    client.disconnect()
    client.loop_stop()


def test_paho_gets_nothing_of_a_topic_that_a_narrower_rule_denies(house: Secured) -> None:
    denying = house.runtime.access.add_rule(rule_of("deny alice read mqtt:home/safe"))
    got: list[str] = []
    granted: list[int] = []
    client = mqtt_client(house, MQTTv5, "tcp")
    client.on_message = lambda client, data, message: got.append(message.topic)
    client.on_subscribe = lambda client, data, mid, reasons, properties: granted.extend(
        reason.value for reason in reasons
    )
    client.loop_start()
    client.subscribe("home/#", 1)
    wait_for(lambda: granted)
    for topic in ("home/safe", "home/door", "home/safe", "home/end"):
        client.publish(topic, b"x", 1)
    wait_for(lambda: "home/end" in got)
    client.disconnect()
    client.loop_stop()
    house.runtime.access.remove_rule(denying)
    assert (granted, got) == ([1], ["home/door", "home/end"])
    assert house.denied("deny alice read mqtt:home/safe")


@pytest.mark.parametrize("version", [MQTTv311, MQTTv5])
def test_paho_with_a_wrong_password(house: Secured, version: int) -> None:
    reasons: list[str] = []
    client = mqtt_client(house, version, password="wrong")
    client.on_connect = lambda client, data, flags, reason, properties: reasons.append(str(reason))
    client.loop_start()
    wait_for(lambda: reasons)
    client.loop_stop()
    assert reasons[0] == "Not authorized"
    assert house.denied("wrong password")


def test_paho_without_tls_at_the_tls_port_is_named(house: Secured) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("localhost", house.port("mqtt", "tls"))
    client.loop_start()
    reason = house.violated("it speaks MQTT without TLS to the MQTT TLS port")
    client.loop_stop()
    assert reason.endswith(f"MQTT is at {house.port('mqtt', 'plain')}")


@pytest.mark.parametrize("version", [MQTTv311, MQTTv5])
def test_paho_without_a_certificate_is_refused_where_one_is_wanted(
    mutual: Secured, version: int
) -> None:
    client = Client(CallbackAPIVersion.VERSION2, f"bare-{version}", protocol=version)
    ended: list[str] = []
    client.on_connect_fail = lambda *_: ended.append("failed")
    client.on_disconnect = lambda client, data, flags, reason, properties: ended.append(str(reason))
    client.tls_set(mutual.ca)
    before = mutual.bare("mqtt")
    # TLS 1.3: its own handshake is over before the server looks for the certificate.
    try:
        client.connect("localhost", mutual.port("mqtt", "tls"))
        client.loop_start()
        wait_for(lambda: ended, what="the end of the connection")
    except (ssl.SSLError, ConnectionError):
        ended.append("failed")
    finally:
        client.loop_stop()
    wait_for(lambda: mutual.bare("mqtt") > before, what="the console's word")
    assert not client.is_connected()


# AMQP --------------------------------------------------------------------------------------


def amqp_parameters(house: Secured, **changes: str) -> pika.URLParameters:
    url = house.facts["amqp"]["tls"].replace("127.0.0.1", "localhost")
    for old, new in changes.items():
        url = url.replace(f":{old}@", f":{new}@")
    parameters = pika.URLParameters(url)
    parameters.ssl_options = pika.SSLOptions(
        ssl.create_default_context(cafile=house.ca), "localhost"
    )
    return parameters


def test_pika_over_amqps_on_a_virtual_host(house: Secured) -> None:
    parameters = amqp_parameters(house)
    assert parameters.virtual_host == "shop"
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("orders.new")
        channel.basic_publish("", "orders.new", b"x" * 300_000, mandatory=True)
        assert len(channel.basic_get("orders.new", auto_ack=True)[2]) == 300_000
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
            channel.queue_declare("other")
    assert refused.value.reply_text == (
        "ACCESS_REFUSED - access to queue 'other' in vhost 'shop' refused for user 'alice'"
    )
    assert house.denied("allow alice configure amqp:shop:other")


def test_pika_with_a_wrong_password(house: Secured) -> None:
    parameters = amqp_parameters(house, secret="wrong")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError, match="Login was refused"):
        pika.BlockingConnection(parameters)
    assert house.denied("wrong password")


def test_pika_on_a_virtual_host_without_rights(house: Secured) -> None:
    parameters = amqp_parameters(house)
    parameters.virtual_host = "/"
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match="access to vhost '/'"):
        pika.BlockingConnection(parameters)
    assert house.denied("allow alice all amqp:/:*")


def test_pika_logs_in_by_its_certificate(mutual: Secured) -> None:
    facts = mutual.facts["tls"]
    mutual.runtime.access.add_user("client", "unused", ("amqp",))
    mutual.runtime.access.add_rule(rule_of("allow client all amqp:shop:*"))
    context = ssl.create_default_context(cafile=mutual.ca)
    context.load_cert_chain(facts["client_certificate"], facts["client_key"])
    parameters = pika.ConnectionParameters(
        "localhost",
        mutual.port("amqp", "tls"),
        "shop",
        pika.credentials.ExternalCredentials(),
        ssl_options=pika.SSLOptions(context, "localhost"),
    )
    with pika.BlockingConnection(parameters) as connection:
        connection.channel().queue_declare("mine")
        (view,) = mutual.runtime.brokers["amqp"].connections()
        assert (view.principal.name, view.principal.mechanism) == ("client", "EXTERNAL")
        assert view.principal.server_name == "localhost"


def test_pika_without_a_certificate_is_refused_where_one_is_wanted(mutual: Secured) -> None:
    parameters = amqp_parameters(mutual)
    with pytest.raises((pika.exceptions.AMQPConnectionError, ssl.SSLError, ConnectionError)):
        pika.BlockingConnection(parameters)
    wait_for(lambda: mutual.bare("amqp"), what="the console's word")
    assert not mutual.runtime.brokers["amqp"].connections()


# Other languages ---------------------------------------------------------------------------


def _run_elsewhere(house: Secured, script: str, *arguments: str) -> None:
    path = Path(__file__).parent / script
    done = subprocess.run(
        ["bash", str(path), *arguments],
        env=house.variables(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout.removeprefix("skipped: ").strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert house.denied("wrong password")


@pytest.mark.slow
@pytest.mark.timeout(320)
def test_clients_in_node(house: Secured) -> None:
    _run_elsewhere(house, "node/run", "secured")


@pytest.mark.slow
@pytest.mark.timeout(320)
def test_kafka_clients_in_java(house: Secured) -> None:
    _run_elsewhere(house, "java/run")


def test_a_certificate_expires_and_is_renewed(house: Secured) -> None:
    context = ssl.create_default_context(cafile=house.ca)

    def shaken() -> str:
        plain = socket.create_connection(("127.0.0.1", house.port("mqtt", "tls")), 20)
        try:
            context.wrap_socket(plain, server_hostname="localhost").close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        finally:
            plain.close()
        return ""

    assert shaken() == ""
    house.run("chaos start cert-expiry -s time=1h")
    assert shaken() == "certificate has expired"
    house.run("clock advance 1h")
    assert shaken() == ""
    house.run("chaos stop")
