"""mqtt-sn-12: MQTT-SN 1.2 over UDP, with paho-mqtt as the other side.

The client repeats nothing, and its setblocking takes the time limit of its socket away: a datagram
that a busy machine loses would have it wait for ever. So its socket keeps a limit here, and a check
in which something was lost is done once more.
"""

import importlib.metadata
import os
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from checks import RUN, SECONDS, Skip, equal, happen, run, until
from mqttsn12.client.MqttSnClient import MqttSnClient, MqttSnListener
from mqttsn12.client.MqttSnClientException import MqttSnClientException
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

URL = os.environ.get("MQTT_SN_URL", "")


class Bounded:
    """A socket on which blocking is for so many seconds."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner

    def setblocking(self, blocking: bool) -> None:
        self._inner.settimeout(SECONDS / 2 if blocking else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Device(MqttSnListener):  # type: ignore[misc]
    """Connected, and what it got; it looks for more only while it is asked."""

    def __init__(self, name: str, **will: Any) -> None:
        if not URL:
            raise Skip("no MQTT-SN in the broker that is dialled")
        place = urlsplit(URL)
        self.got: list[tuple[str, bytes, int]] = []
        self.client = MqttSnClient()
        self.client.set_client_id(f"{RUN}-{name}")
        self.client.set_clean_session(will.pop("clean", True))
        self.client.set_timeout(20)
        self.client.set_keep_alive(60)
        if will:
            self.client.set_will(will["topic"], will["message"], 1, True)
        self.client.open(place.hostname, place.port)
        self.client.datagram_socket = Bounded(self.client.datagram_socket)
        self.client.send_connect()

    def message_arrived(self, msg: Any) -> None:
        self.got.append((msg.topic_name, bytes(msg.payload), msg.qos >> 5))

    def payloads(self, count: int) -> list[bytes]:
        def enough() -> bool:
            self.client.polling()
            return len(self.got) >= count

        until(enough, f"{count} messages")
        return [payload for _, payload, _ in self.got]

    def connect_again(self) -> None:
        """Until it works: the broker's DISCONNECT may be the first answer that it reads."""

        def connected() -> bool:
            try:
                self.client.send_connect()
            except (MqttSnClientException, IndexError):
                return False
            return True

        until(connected, "the CONNACK")

    def stop(self) -> None:
        self.client.send_disconnect()
        self.client.close()


class Other:
    """A client of MQTT on the same broker."""

    def __init__(self, name: str) -> None:
        place = urlsplit(os.environ["MQTT_URL"])
        self.got: list[tuple[str, bytes, int]] = []
        # Its session outlives the cut that hits everybody.
        version = CallbackAPIVersion.VERSION2
        self.client = Client(version, f"{RUN}-{name}", clean_session=False)
        self.client.on_message = self._message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        assert place.hostname
        assert place.port
        self.client.connect(place.hostname, place.port)
        self.client.loop_start()
        self.client.subscribe(f"{RUN}/#", 2)
        assert subscribed.wait(20), "no SUBACK"

    def _message(self, client: Any, data: Any, message: Any) -> None:
        self.got.append((message.topic, message.payload, message.qos))

    def publish(self, topic: str, payload: str, qos: int = 1, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos, retain).wait_for_publish(20)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def qos() -> None:
    other, device = Other("qos"), Device("qos-device")
    for level in (0, 1, 2):
        device.client.send_publish(f"{RUN}/{level}", str(level).encode(), level)
    until(lambda: len(other.got) == 3, "three messages")
    equal(sorted(other.got), [(f"{RUN}/{n}", str(n).encode(), n) for n in (0, 1, 2)])
    device.client.send_subscribe(f"{RUN}/back/+", 1, device)
    for level in (0, 1):
        other.publish(f"{RUN}/back/{level}", str(level), level)
    equal(sorted(device.payloads(2)), [b"0", b"1"])
    device.stop()
    other.stop()


def retained() -> None:
    other, device = Other("retains"), Device("retains-device")
    other.publish(f"{RUN}/kept", "on", retain=True)
    device.client.send_subscribe(f"{RUN}/kept", 1, device)
    equal(device.payloads(1), [b"on"])
    device.client.send_publish(f"{RUN}/kept", b"", 1, True)
    device.stop()
    other.stop()


def will() -> None:
    other = Other("watches")
    Device("leaves", topic=f"{RUN}/will", message="gone").client.close()
    happen("kill")
    until(lambda: (f"{RUN}/will", b"gone", 1) in other.got, "the will")
    other.stop()


def _away(what: str) -> None:
    """What is published while it is away comes when it connects again to its session."""
    topic = f"{RUN}/{what}"
    device = Device(what, clean=False)
    device.client.send_subscribe(topic, 1, device)
    if what == "session":
        device.stop()
    else:
        happen(what)
    other = Other(f"{what}-other")
    other.publish(topic, "while away")
    if what == "session":
        device = Device(what, clean=False)
        # The client forgets with its socket who listens.
        device.client.list_of_mqtt_sn_callback[topic] = device
    else:
        device.connect_again()
    equal(device.payloads(1), [b"while away"])
    device.client.send_publish(f"{topic}/answer", b"here", 1)
    until(lambda: (f"{topic}/answer", b"here", 1) in other.got, "its answer")
    device.stop()
    other.stop()


def twice(check: Callable[[], None]) -> Callable[[], None]:
    def checked() -> None:
        try:
            check()
        except MqttSnClientException as error:
            if "timed out" not in str(error):
                raise
            check()

    return checked


checks: dict[str, Callable[[], None]] = {
    "QoS": qos,
    "retained": retained,
    "will": will,
    "session": lambda: _away("session"),
    "kill": lambda: _away("kill"),
    "restart": lambda: _away("restart"),
}
run(
    "mqtt-sn-12",
    importlib.metadata.version("mqtt-sn-12"),
    {name: twice(check) for name, check in checks.items()},
)
