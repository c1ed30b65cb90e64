"""What paho-mqtt makes of each malformed packet: the guide's table is what is seen here."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from mockforge_brokers.protocols import PROTOCOLS
from paho.mqtt.enums import CallbackAPIVersion

import mockforge_tui
from mockforge_tui import MockForge

from .conftest import hits, wait_for

pytestmark = pytest.mark.client

PAGE = Path(mockforge_tui.__file__).parent / "guide" / "malformed.md"
LINE = "fault add inject op:PUBACK client:dev-7 bad-varint --once"

# Whether it gets a message of it, loses its connection, goes on, and whether its thread dies.
SEEN = {
    "ends the connection": (False, True, False, False),
    "takes it": (True, False, True, False),
    "takes it, then the connection ends": (True, True, True, False),
    "ignores it": (False, False, True, False),
    "its thread dies": (False, False, False, True),
}


def table() -> list[list[str]]:
    """The page's rows without its head: name, what it is, what is right, what paho does."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return [re.split(r" \| ", line.strip("| ")) for line in lines[2:]]


def test_the_page_has_all_packets_as_they_are_described() -> None:
    assert {row[0].strip("`"): row[1] for row in table()} == PROTOCOLS["mqtt"].malformed


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("panic")
    running.run("reset -y")


class Client:
    """A paho client that does not connect anew, and is subscribed to what is malformed."""

    def __init__(self, mockforge: MockForge, version: int = paho.MQTTv5) -> None:
        self.got: list[str] = []
        self.lost: list[object] = []
        self.published: list[int] = []
        self.died: list[object] = []
        threading.excepthook = self.died.append
        ready: list[object] = []
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, "dev-7", protocol=version, reconnect_on_failure=False
        )
        client.on_message = lambda *args: self.got.append(args[2].topic)
        client.on_publish = lambda *args: self.published.append(args[2])
        client.on_subscribe = lambda *args: ready.append(args[3])
        client.on_disconnect = lambda *args: self.lost.append(args[3])
        client.on_connect = lambda *args: client.subscribe("malformed/#", 1)
        place = urlsplit(mockforge.mqtt.url)
        client.connect(place.hostname or "", place.port or 0)
        client.loop_start()
        wait_for(lambda: ready)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def client(mockforge: MockForge, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    client = Client(mockforge)
    yield client
    client.stop()


@pytest.mark.parametrize(
    ("name", "paho_does"),
    [(row[0].strip("`"), row[3]) for row in table() if row[3] != "waits for the rest"],
)
def test_paho_does_what_the_table_says(mockforge, client, name, paho_does):
    got, lost, goes_on, dies = SEEN[paho_does]
    mockforge.run(LINE.replace("bad-varint", name))
    client.client.publish("x", b"1", 1)
    wait_for(lambda: hits(mockforge) == 1)
    wait_for(lambda: bool(client.lost) == lost and bool(client.died) == dies)
    if goes_on and not lost:
        client.client.publish("x", b"2", 1)
        wait_for(lambda: len(client.published) == 2)
    assert (bool(client.got), bool(client.lost), bool(client.died)) == (got, lost, dies)


def test_paho_waits_for_the_rest_of_a_packet_that_has_none(mockforge, client):
    """All that comes behind it belongs to it, until the connection ends."""
    assert next([row[0].strip("`"), row[3]] for row in table() if row[3].startswith("waits")) == [
        "long-length",
        "waits for the rest",
    ]
    mockforge.run(LINE.replace("bad-varint", "long-length"))
    for payload in (b"1", b"2"):
        client.client.publish("x", payload, 1)
    mockforge.run("expect mqtt:x -n 2 --within 20s")
    mockforge.run("conn kill dev-7 -y")
    wait_for(lambda: client.lost)
    assert len(client.published) == 1
    assert not client.got


def test_what_is_of_mqtt_5_leaves_an_older_client_alone_and_warns(mockforge, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    client = Client(mockforge, paho.MQTTv311)
    with mockforge.faults.mqtt(packet="PUBACK", inject="alias-0", times=1) as fault:
        client.client.publish("x", b"1", 1)
        fault.wait(within=20)
        client.client.publish("x", b"2", 1)
        wait_for(lambda: len(client.published) == 2)
    assert not client.lost
    client.stop()


def test_a_packet_is_expected_by_a_fault_that_only_counts_it(mockforge, client):
    with mockforge.faults.mqtt(packet="PUBACK", client="dev-7", watch=True) as acknowledged:
        mockforge.run("fault add delay op:PUBACK client:dev-7 1ms --dir out")
        for payload in (b"1", b"2"):
            client.client.publish("x", payload, 1)
        acknowledged.wait(2, within=20)
        wait_for(lambda: len(client.published) == 2)
