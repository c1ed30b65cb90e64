"""Clients at the wrong port are recognised by their first bytes, and told of with the remedy."""

import pytest
from mockforge_brokers.first_bytes import misdirected, spoken
from mockforge_brokers.listener import Listener

CONTEXT = object()
HELLO = bytes.fromhex("16 03 01 02 00 01 00 01 fc 03 03")
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = b"GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
CONNECT = bytes.fromhex("10 0c 00 04 4d 51 54 54 04 02 00 3c 00 00")
AMQP = b"AMQP\x00\x00\x09\x01"
API_VERSIONS = bytes.fromhex("00 00 00 14 00 12 00 03 00 00 00 00 00 07") + b"rdkafka"
PROXY = b"PROXY TCP4 10.0.0.1 10.0.0.2 51234 1883\r\n"

PLAIN = {
    "kafka": Listener("kafka", port=9092),
    "mqtt": Listener("mqtt", port=1883),
    "amqp": Listener("amqp", port=5672),
    "ws": Listener("mqtt", port=8083, websocket=True),
}
ALL = {
    **PLAIN,
    "kafkas": Listener("kafka", port=9093, tls=CONTEXT),
    "mqtts": Listener("mqtt", port=8883, tls=CONTEXT),
    "amqps": Listener("amqp", port=5671, tls=CONTEXT),
    "wss": Listener("mqtt", port=8084, tls=CONTEXT, websocket=True),
}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (HELLO, "TLS"),
        (GET, "HTTP"),
        (UPGRADE, "WebSocket"),
        (CONNECT, "MQTT"),
        (bytes.fromhex("10 90 01 00 06") + b"MQIsdp\x03", "MQTT"),
        (AMQP, "AMQP 0-9-1"),
        (b"AMQP\x01\x01\x00\x0a", "AMQP 0-9-1"),
        (b"AMQP\x03\x01\x00\x00", "AMQP 1.0"),
        (API_VERSIONS, "Kafka"),
        (PROXY, "the PROXY protocol"),
        (b"hello", ""),
        (b"", ""),
    ],
)
def test_a_protocol_is_known_by_its_first_bytes(data: bytes, name: str) -> None:
    assert spoken(data) == name


@pytest.mark.parametrize("name", list(ALL))
def test_whoever_speaks_as_the_port_does_is_let_be(name: str) -> None:
    right = {"kafka": API_VERSIONS, "mqtt": CONNECT, "amqp": AMQP, "ws": UPGRADE}
    data = right.get(name, HELLO)
    assert misdirected(data, ALL[name], ALL.values(), inside=False) == ""


SENTENCES = [
    ("kafka", HELLO, "it speaks TLS to the plain Kafka port 9092: Kafka over TLS is at 9093"),
    ("amqp", HELLO, "it speaks TLS to the plain AMQP port 5672: AMQP over TLS is at 5671"),
    ("kafka", GET, "it speaks HTTP to the plain Kafka port 9092: HTTP is at the admin port"),
    ("mqtt", UPGRADE, "it speaks WebSocket to the plain MQTT port 1883: MQTT over WebSocket is"),
    ("amqp", CONNECT, "it speaks MQTT to the plain AMQP port 5672: MQTT is at 1883"),
    ("mqtt", API_VERSIONS, "it speaks Kafka to the plain MQTT port 1883: Kafka is at 9092"),
    ("kafka", AMQP, "it speaks AMQP 0-9-1 to the plain Kafka port 9092: AMQP is at 5672"),
    ("mqtt", PROXY, "it speaks the PROXY protocol to the plain MQTT port 1883: start with"),
    ("kafkas", API_VERSIONS, "it speaks Kafka without TLS to the Kafka TLS port 9093: Kafka is at"),
    ("mqtts", b"hello", "it speaks something that is not TLS to the MQTT TLS port 8883: use TLS"),
    ("mqtts", UPGRADE, "it speaks WebSocket without TLS to the MQTT TLS port 8883: MQTT over"),
    ("ws", CONNECT, "it speaks MQTT to the MQTT WebSocket port 8083: MQTT is at 1883"),
    ("ws", HELLO, "it speaks TLS to the MQTT WebSocket port 8083: MQTT over secure"),
    ("wss", UPGRADE, "it speaks WebSocket without TLS to the MQTT secure WebSocket port 8084"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "sentence"), SENTENCES)
def test_the_sentence_names_the_port_and_the_remedy(name: str, data: bytes, sentence: str) -> None:
    assert misdirected(data, ALL[name], ALL.values(), inside=False).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "data", "remedy"),
    [
        ("kafka", HELLO, "switch TLS on with --tls auto (or --tls CERT,KEY)"),
        ("mqtt", API_VERSIONS, "Kafka without TLS is not served here"),
        ("amqp", UPGRADE, "MQTT over WebSocket is not served here (--mqtt-ws-port)"),
    ],
)
def test_what_is_not_there_is_said_with_how_to_have_it(name: str, data: bytes, remedy: str) -> None:
    assert misdirected(data, PLAIN[name], [PLAIN[name]]).endswith(f": {remedy}")


def test_what_came_through_the_layers_is_judged_by_what_it_is() -> None:
    wrong = misdirected(GET, ALL["kafkas"], ALL.values())
    assert wrong.startswith("it speaks HTTP to the Kafka TLS port 9093")
    assert misdirected(API_VERSIONS, ALL["kafkas"], ALL.values()) == ""
