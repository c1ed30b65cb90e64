"""paho-mqtt: both versions of the protocol, all transports."""

import importlib.metadata
import os
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from checks import CA, RUN, SECONDS, equal, happen, run, until
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

URL = os.environ["MQTT_URL"]
VERSIONS = (MQTTv311, MQTTv5)


class Device:
    """A client with its loop in a thread, and what it got."""

    def __init__(
        self, name: str, url: str = URL, version: Any = MQTTv5, password: str = "", **more: Any
    ) -> None:
        place = urlsplit(url)
        transport = "websockets" if place.scheme.startswith("ws") else "tcp"
        if version == MQTTv311:
            more["clean_session"] = more.pop("clean", True)
        else:
            more.pop("clean", None)
        self.got: list[Any] = []
        self.code: Any = None
        self.granted = 0
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            f"{RUN}-{name}",
            protocol=version,
            transport=transport,  # type: ignore[arg-type]
            **more,
        )
        self.client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]
        if transport == "websockets":
            self.client.ws_set_options(place.path)
        if place.scheme in ("mqtts", "wss"):
            self.client.tls_set_context(ssl.create_default_context(cafile=CA))
        if password:
            self.client.username_pw_set("alice", password)
        self.client.on_message = lambda client, data, message: self.got.append(message)
        self.client.on_connect = self._connected
        self.client.on_subscribe = self._subscribed
        self.published = 0
        self.client.on_publish = self._published
        self._place = place

    def _connected(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        self.code = code
        self.present = flags.session_present

    def _subscribed(self, *arguments: Any) -> None:
        self.granted += 1

    def _published(self, *arguments: Any) -> None:
        self.published += 1

    def start(self, **more: Any) -> "Device":
        assert self._place.hostname
        assert self._place.port
        self.client.connect(self._place.hostname, self._place.port, **more)
        self.client.loop_start()
        until(lambda: self.code is not None, "the CONNACK")
        return self

    def subscribe(self, topic: str, qos: int = 2, **more: Any) -> None:
        before = self.granted
        self.client.subscribe(topic, qos, **more)
        until(lambda: self.granted > before, "the SUBACK")

    def publish(self, topic: str, payload: str, qos: int = 1, **more: Any) -> None:
        self.client.publish(topic, payload, qos, **more).wait_for_publish(SECONDS)

    def payloads(self, count: int) -> list[bytes]:
        until(lambda: len(self.got) >= count, f"{count} messages")
        return [message.payload for message in self.got]

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def each_version(check: Callable[[Any], None]) -> Callable[[], None]:
    def both() -> None:
        for version in VERSIONS:
            check(version)

    return both


def qos(version: Any) -> None:
    device = Device("qos", version=version).start()
    device.subscribe(f"{RUN}/{version}/+")
    for level in (0, 1, 2):
        device.publish(f"{RUN}/{version}/{level}", str(level), level)
    device.payloads(3)
    equal(sorted((m.payload, m.qos) for m in device.got), [(b"0", 0), (b"1", 1), (b"2", 2)])
    device.stop()


def retained(version: Any) -> None:
    topic = f"{RUN}/{version}/kept"
    device = Device("retain", version=version).start()
    device.publish(topic, "on", retain=True)
    device.subscribe(topic)
    equal(device.payloads(1), [b"on"])
    equal(device.got[0].retain, True)
    device.publish(topic, "", retain=True)
    device.payloads(2)
    device.stop()


def will(version: Any) -> None:
    topic = f"{RUN}/{version}/will"
    watcher = Device("watcher", version=version).start()
    watcher.subscribe(topic)
    doomed = Device("doomed", version=version)
    doomed.client.will_set(topic, b"gone", 1)
    doomed.start()
    doomed.client.loop_stop()
    doomed.client.socket().close()
    equal(watcher.payloads(1), [b"gone"])
    watcher.stop()


def session(version: Any) -> None:
    topic, more = f"{RUN}/{version}/away", {}
    if version == MQTTv5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 300
        more = {"properties": properties, "clean_start": True}
    first = Device("sleeper", version=version, clean=False).start(**more)
    first.subscribe(topic, 1)
    first.stop()
    other = Device("other", version=version).start()
    other.publish(topic, "while away")
    other.stop()
    if more:
        more["clean_start"] = False
    again = Device("sleeper", version=version, clean=False).start(**more)
    equal(again.payloads(1), [b"while away"])
    equal(again.present, True, "session present")
    again.stop()


def properties() -> None:
    topic = f"{RUN}/properties"
    device = Device("properties").start()
    options = SubscribeOptions(qos=1, noLocal=False, retainAsPublished=True)
    device.client.subscribe([(topic, options)])
    until(lambda: device.granted, "the SUBACK")
    sent = Properties(PacketTypes.PUBLISH)
    sent.ResponseTopic, sent.CorrelationData = "answers", b"7"
    sent.UserProperty = [("a", "1"), ("a", "2")]
    sent.ContentType, sent.MessageExpiryInterval = "text/plain", 60
    device.publish(topic, "here", properties=sent)
    device.payloads(1)
    got = device.got[0].properties
    equal((got.ResponseTopic, got.CorrelationData), ("answers", b"7"))
    equal(got.UserProperty, [("a", "1"), ("a", "2")])
    equal(got.ContentType, "text/plain")
    device.stop()


def shared() -> None:
    devices = [Device(f"shared{number}").start() for number in range(2)]
    for device in devices:
        device.subscribe(f"$share/group/{RUN}/work", 1)
    for number in range(20):
        devices[0].publish(f"{RUN}/work", str(number))
    until(lambda: sum(len(device.got) for device in devices) == 20, "each message once")
    assert all(device.got for device in devices), "one of two got all"
    for device in devices:
        device.stop()


def survive(what: str) -> None:
    """A session goes on, by the client's own reconnecting, and what is published then arrives."""
    topic = f"{RUN}/{what}"
    device = Device(what, version=MQTTv311, clean=False).start()
    device.subscribe(topic, 1)
    publisher = Device(f"{what}-publisher", version=MQTTv311, clean=False).start()
    publisher.publish(topic, "before", 1, retain=True)
    device.payloads(1)
    happen(what)
    for number in range(10):
        publisher.client.publish(topic, str(number), 1)
    until(lambda: publisher.published == 11, "every PUBACK")
    until(lambda: {str(n).encode() for n in range(10)} <= set(device.payloads(1)), "all after it")
    late = Device(f"{what}-late").start()
    late.subscribe(topic)
    equal(late.payloads(1)[0], b"before")
    for each in (late, publisher, device):
        each.stop()


def secured() -> None:
    exchange(os.environ["MQTT_TLS_URL"], "secret")
    wrong = Device("wrong", os.environ["MQTT_TLS_URL"], password="wrong").start()
    equal(wrong.code.is_failure, True, "the wrong password fails")
    wrong.stop()


def exchange(url: str, password: str = "") -> None:
    for version in VERSIONS:
        device = Device("transport", url, version, password).start()
        device.subscribe(f"{RUN}/transport/{version}", 1)
        device.publish(f"{RUN}/transport/{version}", "here" * 1000)
        equal(device.payloads(1), [b"here" * 1000])
        device.stop()


def web_socket() -> None:
    exchange(os.environ["MQTT_WS_URL"])
    exchange(os.environ["MQTT_WSS_URL"], "secret")


run(
    "paho-mqtt",
    importlib.metadata.version("paho-mqtt"),
    {
        "QoS": each_version(qos),
        "retained": each_version(retained),
        "will": each_version(will),
        "session": each_version(session),
        "properties": properties,
        "shared": shared,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
        "TLS": secured,
        "WebSocket": web_socket,
    },
)
