"""What clients did once, exported as a test, does it again against the fixture's brokers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from mockforge_tui import MockForge

from .conftest import captured, replay, wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("reset -y")


def client(mockforge: MockForge, name: str, version: int) -> tuple[Any, list[bytes]]:
    got: list[bytes] = []
    ready: list[object] = []
    made = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=version)
    made.on_connect = lambda *args: ready.append(args)
    made.on_message = lambda *args: got.append(args[2].payload)
    place = urlsplit(mockforge.mqtt.url)
    made.connect(place.hostname, place.port)
    made.loop_start()
    wait_for(lambda: ready)
    return made, got


def play(mockforge: MockForge) -> None:
    """A device of MQTT 5 publishes, with properties; a display of 3.1.1 gets it, and goes."""
    display, got = client(mockforge, "display", paho.MQTTv311)
    subscribed: list[object] = []
    display.on_subscribe = lambda *args: subscribed.append(args)
    display.subscribe("rooms/+/temp", 1)
    wait_for(lambda: subscribed)
    device, _ = client(mockforge, "dev's \u00fc", paho.MQTTv5)
    device.on_subscribe = lambda *args: subscribed.append(args)
    device.subscribe("rooms/1/#", options=SubscribeOptions(1, noLocal=True))
    wait_for(lambda: len(subscribed) == 2)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType, properties.UserProperty = "text/plain", [("unit", "C")]
    for qos, payload in enumerate((b"20", b"\xff\x00", b"22")):
        device.publish("rooms/1/temp", payload, qos, properties=properties).wait_for_publish(20)
    device.publish("rooms/1/state", b"on", 1, retain=True).wait_for_publish(20)
    wait_for(lambda: len(got) == 3)
    for each in (display, device):
        each.disconnect()
        each.loop_stop()
    wait_for(lambda: not mockforge.run("conn ls").records)


def test_a_captured_sequence_happens_again_and_each_message_is_asserted(
    mockforge: MockForge, tmp_path: Path
) -> None:
    play(mockforge)
    text = captured(mockforge, "proto:mqtt", tmp_path / "test_captured.py")
    mockforge.run("reset -y")
    assert "subscribe(('rooms/1/#', 1, {'noLocal': True}))" in text
    replay(text, mockforge)
    assert mockforge.run("retained ls").records[0]["topic"] == "rooms/1/state"
    with pytest.raises(AssertionError):
        replay(text.replace("receives('rooms/1/temp', b'22')", "receives('t', b'')"), mockforge)
