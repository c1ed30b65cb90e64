"""Each line of lint, caused by paho: what its calls do as they are meant, and what they let pass.

The errors go by its private senders or its socket, since its public calls break nothing; a client
library in the making would.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Packet, Publish
from paho.mqtt.client import Client, MQTTMessageInfo, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from clients.conftest import wait_for
from mockforge_tui import MockForge

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def forge() -> Iterator[MockForge]:
    with MockForge(kafka=False, amqp=False, mqtt_ws=False) as running:
        yield running


class Device:
    def __init__(
        self,
        forge: MockForge,
        name: str,
        version: Any = MQTTv5,
        *,
        will: str = "",
        keepalive: int = 60,
        lasting: bool = False,
    ) -> None:
        more = {"clean_session": not lasting} if version != MQTTv5 else {}
        self.client = Client(CallbackAPIVersion.VERSION2, name, protocol=version, **more)
        self.happened: list[str] = []
        for event in ("connect", "subscribe", "publish", "message", "disconnect"):
            setattr(self.client, f"on_{event}", self._note(event))
        if will:
            self.client.will_set(will, b"gone", 1)
        properties = None
        if version == MQTTv5 and lasting:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 300
        port = forge.runtime.listeners.ports["mqtt"]
        self.client.connect("127.0.0.1", port, keepalive, properties=properties)
        self.client.loop_start()
        self.until("connect")

    def _note(self, event: str) -> Callable[..., None]:
        return lambda *_: self.happened.append(event)

    def until(self, event: str, times: int = 1) -> None:
        wait_for(lambda: self.happened.count(event) >= times)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def keep_alive_0(forge: MockForge, name: str) -> None:
    Device(forge, name, keepalive=0).stop()


def session_not_kept(forge: MockForge, name: str) -> None:
    device = Device(forge, name, MQTTv311)
    device.client.subscribe("t", 1)
    device.until("subscribe")
    device.stop()


def will_without_expiry(forge: MockForge, name: str) -> None:
    Device(forge, name, will="wills/1").stop()


def new_client_id(forge: MockForge, name: str) -> None:
    for number in range(3):
        Device(forge, f"{name}-{number}", lasting=True).stop()


def doubtful_topic(forge: MockForge, name: str) -> None:
    device = Device(forge, name)
    device.client.publish("/rooms/1", "x", 1).wait_for_publish(20)
    device.stop()


def nothing_to_clear(forge: MockForge, name: str) -> None:
    device = Device(forge, name)
    device.client.publish("rooms/1", b"", 1, retain=True).wait_for_publish(20)
    device.stop()


def qos_2_throughout(forge: MockForge, name: str) -> None:
    device = Device(forge, name, lasting=True)
    device.client.subscribe("telemetry", 2)
    device.until("subscribe")
    for _ in range(100):
        device.client.publish("telemetry", "1", 2)
    device.until("publish", 100)
    device.stop()


def send(device: Device, *packets: Packet) -> None:
    """In one write, by the client's own socket; its loop writes nothing meanwhile."""
    device.client.socket().sendall(b"".join(encode_packet(packet, 5) for packet in packets))


def receive_maximum(forge: MockForge, name: str) -> None:
    """More than ours of 1,024."""
    device = Device(forge, name)
    send(device, *[Publish("flood", b"", 1, packet_id=mid) for mid in range(1, 1_101)])
    statement(forge, "MQTT-3.3.4-7")
    device.stop()


def dup_with_qos_0(forge: MockForge, name: str) -> None:
    device = Device(forge, name)
    device.client._send_publish(0, b"rooms/1", b"x", 0, dup=True, info=MQTTMessageInfo(0))
    device.client.publish("rooms/1", "after it", 1).wait_for_publish(20)
    device.stop()


def identifier_in_use(forge: MockForge, name: str) -> None:
    device = Device(forge, name)
    send(device, *[Publish("rooms/1", payload, 2, packet_id=7) for payload in (b"1", b"2")])
    statement(forge, "MQTT-2.2.1-3")
    device.stop()


def wrong_acknowledgement(forge: MockForge, name: str) -> None:
    device = Device(forge, name)
    device.client.manual_ack_set(True)
    device.client.subscribe("rooms/2", 1)
    device.until("subscribe")
    device.client.publish("rooms/2", "x", 0)
    forge.mqtt.publish("rooms/2", b"x", qos=1)
    device.until("message", 2)
    # PUBCOMP for a message of QoS 1.
    device.client._send_command_with_mid(0x70, 1, False)
    device.until("disconnect")
    device.stop()


def alias_after_reconnect(forge: MockForge, name: str) -> None:
    """paho sends what it could not send before with the alias of the old connection (#893)."""
    alias = Properties(PacketTypes.PUBLISH)
    alias.TopicAlias = 1
    device = Device(forge, name)
    device.client.publish("rooms/1", "x", 1, properties=alias).wait_for_publish(20)
    device.stop()
    device = Device(forge, name)
    device.client.publish("", "x", 0, properties=alias)
    device.until("disconnect")
    device.stop()


def identifier_of_subscription_0(forge: MockForge, name: str) -> None:
    device = Device(forge, name)
    properties = Properties(PacketTypes.SUBSCRIBE)
    properties.SubscriptionIdentifier = 1
    # Its setter refuses 0.
    properties.__dict__["SubscriptionIdentifier"] = [0]
    device.client.subscribe("rooms/1", options=SubscribeOptions(1), properties=properties)
    device.until("disconnect")
    device.stop()


def statement(forge: MockForge, name: str) -> None:
    wait_for(lambda: name in {found.statement for found in lint(forge)})


def lint(forge: MockForge) -> list[Any]:
    broker = forge.runtime.brokers.mqtt
    assert broker is not None
    return forge.call(broker.lint)


@pytest.mark.parametrize(
    ("cause", "found", "severity"),
    [
        (keep_alive_0, "keep-alive-0", "warning"),
        (session_not_kept, "session-not-kept", "warning"),
        (will_without_expiry, "will-without-expiry", "warning"),
        (new_client_id, "new-client-id", "warning"),
        (doubtful_topic, "doubtful-topic", "warning"),
        (nothing_to_clear, "nothing-to-clear", "warning"),
        (qos_2_throughout, "qos-2-throughout", "warning"),
        (receive_maximum, "MQTT-3.3.4-7", "error"),
        (dup_with_qos_0, "MQTT-3.3.1-2", "error"),
        (identifier_in_use, "MQTT-2.2.1-3", "error"),
        (wrong_acknowledgement, "MQTT-4.3.2-4", "error"),
        (alias_after_reconnect, "MQTT 3.3.2.3.4", "error"),
        (identifier_of_subscription_0, "MQTT 3.8.2.1.2", "error"),
    ],
)
def test_what_a_client_does_is_named_and_counted(
    forge: MockForge, cause: Callable[[MockForge, str], None], found: str, severity: str
) -> None:
    name = cause.__name__.replace("_", "-")
    cause(forge, name)

    def of_mine() -> list[Any]:
        return [
            each for each in lint(forge) if each.statement == found and each.client.startswith(name)
        ]

    [mine] = wait_for(of_mine)
    assert mine.severity == severity
    listed = forge.run(f"lint ls {mine.client}")
    assert found in str(listed)
