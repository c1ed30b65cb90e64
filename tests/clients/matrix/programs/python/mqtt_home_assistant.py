"""Home Assistant's way of connecting, replayed with the library that it uses.

Its MQTT integration: MQTT 3.1.1, birth and will at homeassistant/status, wildcards for discovery,
and after a new start nothing but what is retained. https://www.home-assistant.io/integrations/mqtt/
"""

import importlib.metadata
import json
import os
from typing import Any
from urllib.parse import urlsplit

from checks import RUN, equal, happen, run, until
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

PREFIX = f"{RUN}-homeassistant"
STATUS = f"{PREFIX}/status"
CONFIG = f"{PREFIX}/light/0x00124b0024c1/light/config"
LAMP = f"{RUN}-devices/lamp"


class Connected:
    """A client that connects again by itself; what it got is in `got`."""

    def __init__(self, name: str, *topic_filters: str, will: tuple[Any, ...] = ()) -> None:
        place = urlsplit(os.environ["MQTT_URL"])
        self.got: list[tuple[str, bytes, bool]] = []
        self._wanted, self._granted = topic_filters, 0
        self.client = Client(CallbackAPIVersion.VERSION2, f"{RUN}-{name}", protocol=MQTTv311)
        self.client.on_connect = self._subscribe
        self.client.on_subscribe = self._subscribed
        self.client.on_message = self._message
        self.client.reconnect_delay_set(1, 1)
        if will:
            self.client.will_set(*will)
        self.client.connect(place.hostname or "", place.port or 1883, 60)
        self.client.loop_start()
        self.ready()

    def ready(self, times: int = 1) -> None:
        until(lambda: self._granted >= times * len(self._wanted), "the SUBACKs")

    def _subscribe(self, *_: Any) -> None:
        for each in self._wanted:
            self.client.subscribe(each)

    def _subscribed(self, *_: Any) -> None:
        self._granted += 1

    def _message(self, _: Any, __: Any, message: Any) -> None:
        self.got.append((message.topic, message.payload, message.retain))

    def publish(self, topic: str, payload: str, qos: int = 0, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos, retain).wait_for_publish(20)

    def gets(self, topic: str, payload: str, *, retain: bool) -> None:
        wanted = (topic, payload.encode(), retain)
        until(lambda: wanted in self.got, f"{wanted} of {self.got}")

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def hub(name: str, *more: str) -> Connected:
    found = (f"{PREFIX}/+/+/config", f"{PREFIX}/+/+/+/config")
    connected = Connected(name, *found, *more, will=(STATUS, "offline", 0, False))
    connected.publish(STATUS, "online")
    return connected


def discovery() -> None:
    config = json.dumps({"state_topic": LAMP, "command_topic": f"{LAMP}/set", "schema": "json"})
    device = Connected("lamp", f"{LAMP}/set", STATUS)
    device.publish(CONFIG, config, 1, retain=True)
    device.publish(LAMP, '{"state":"OFF"}', retain=True)
    home = hub("home", LAMP)
    home.gets(CONFIG, config, retain=True)
    home.gets(LAMP, '{"state":"OFF"}', retain=True)
    device.gets(STATUS, "online", retain=False)
    home.publish(f"{LAMP}/set", '{"state":"ON"}')
    device.gets(f"{LAMP}/set", '{"state":"ON"}', retain=False)
    device.publish(LAMP, '{"state":"ON"}', retain=True)
    home.gets(LAMP, '{"state":"ON"}', retain=False)
    # A device that is taken away publishes an empty configuration.
    device.publish(CONFIG, "", 1, retain=True)
    home.gets(CONFIG, "", retain=False)
    home.stop()
    late = hub("late")
    equal([each for each in late.got if each[0] == CONFIG], [], "after it was taken away")
    late.stop()
    device.stop()


def birth_and_will() -> None:
    device = Connected("watching", STATUS)
    home = hub("leaving")
    device.gets(STATUS, "online", retain=False)
    home.client.loop_stop()
    home.client.socket().close()  # type: ignore[union-attr]
    device.gets(STATUS, "offline", retain=False)
    device.stop()


def survive(what: str) -> None:
    device, home = Connected(f"{what}-lamp"), hub(f"{what}-home", f"{LAMP}/{what}")
    device.publish(f"{LAMP}/{what}", "before", retain=True)
    home.gets(f"{LAMP}/{what}", "before", retain=False)
    happen(what)
    home.ready(2)
    home.gets(f"{LAMP}/{what}", "before", retain=True)
    until(device.client.is_connected, "the device is there again")
    device.publish(f"{LAMP}/{what}", "after")
    home.gets(f"{LAMP}/{what}", "after", retain=False)
    home.stop()
    device.stop()


run(
    "Home Assistant",
    f"by paho-mqtt {importlib.metadata.version('paho-mqtt')}",
    {
        "discovery": discovery,
        "birth and will": birth_and_will,
        "kill": lambda: survive("kill"),
        "restart": lambda: survive("restart"),
    },
)
