"""MQTT-SN over UDP with a public client, beside MQTT's own."""

from collections.abc import Iterator

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from clients.conftest import wait_for
from mockforge_tui import MockForge

mqttsn = pytest.importorskip("mqttsn12.client.MqttSnClient")
pytestmark = pytest.mark.client


class Seen(mqttsn.MqttSnListener):  # type: ignore[misc]
    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    def message_arrived(self, msg: object) -> None:
        self.messages.append((msg.topic_name, bytes(msg.payload)))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def forge() -> Iterator[MockForge]:
    with MockForge(kafka=False, amqp=False, mqtt_ws=False, mqtt_sn=True) as running:
        yield running


@pytest.fixture
def heard(forge: MockForge) -> Iterator[list[tuple[str, bytes, int]]]:
    """What a client of MQTT gets of all topics."""
    got: list[tuple[str, bytes, int]] = []

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        got.append((message.topic, message.payload, message.qos))

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    ready: list[bool] = []
    client.on_subscribe = lambda *_: ready.append(True)
    client.connect("127.0.0.1", forge.runtime.listeners.ports["mqtt"])
    client.loop_start()
    client.subscribe("#", 2)
    wait_for(lambda: ready)
    yield got
    client.disconnect()
    client.loop_stop()


def device(forge: MockForge, name: str) -> "mqttsn.MqttSnClient":
    client = mqttsn.MqttSnClient()
    client.set_client_id(name)
    client.set_timeout(20)
    client.set_keep_alive(60)
    client.open("127.0.0.1", int(forge.facts["mqtt"]["sn"].rpartition(":")[2]))
    return client


def test_a_device_publishes_with_each_qos_and_a_short_topic(
    forge: MockForge, heard: list[tuple[str, bytes, int]]
) -> None:
    client = device(forge, "publishes")
    client.send_search_gateway(1)
    client.send_connect()
    for qos in (0, 1, 2):
        client.send_publish("rooms/1", b"%d" % qos, qos)
    client.send_publish("ab", b"short", 1)
    client.send_ping_req()
    client.send_disconnect()
    client.close()
    expected = [
        ("rooms/1", b"0", 0),
        ("rooms/1", b"1", 1),
        ("rooms/1", b"2", 2),
        ("ab", b"short", 1),
    ]
    wait_for(lambda: len(heard) == 4)
    # Paho hands QoS 2 on at PUBREL, behind what came meanwhile.
    assert sorted(heard) == sorted(expected)


def test_a_device_subscribes_to_a_wildcard_and_learns_its_topics(forge: MockForge) -> None:
    client, seen = device(forge, "subscribes"), Seen()
    client.send_connect()
    client.send_subscribe("rooms/+", 1, seen)
    forge.mqtt.publish("rooms/1", b"one", qos=1)
    forge.mqtt.publish("rooms/2", b"two")

    def both() -> bool:
        client.polling()
        return len(seen.messages) == 2

    wait_for(both)
    assert seen.messages == [("rooms/1", b"one"), ("rooms/2", b"two")]
    client.send_disconnect()
    client.close()


def test_a_will_is_published_when_the_device_falls_silent(forge: MockForge) -> None:
    client = device(forge, "leaves a will")
    client.set_will("wills/1", "gone", 1, True)
    client.set_keep_alive(600)
    client.send_connect()
    client.send_will_message_update("gone for good")
    forge.run("clock advance 15m")
    broker = forge.runtime.brokers.mqtt
    assert broker is not None
    wait_for(lambda: ("wills/1", b"gone for good", 1) in broker.retained())
    client.close()
