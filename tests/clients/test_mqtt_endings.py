"""Who ends an MQTT connection, when and in which order: ours beside Mosquitto.

Both are played the same scripts. Where Mosquitto 2.0 does otherwise, the case says what it does
and which clause decides for us.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.common import free_port
from mockforge_brokers.mqtt.codes import V5, PacketType
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import decode_varint
from mockforge_brokers.mqtt.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Publish,
    Request,
    Subscribe,
    Will,
)
from recorder import Recorder

from clients.conftest import Servers

pytestmark = pytest.mark.client

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def frame_names(data: bytes) -> tuple[list[str], int]:
    """`CONNACK 0x00`, `DISCONNECT 0x82`, `PUBACK`: the packets at the start of `data`."""
    names: list[str] = []
    position = 0
    while len(data) - position > 1:
        length, body = decode_varint(data, position + 1, len(data))
        if length < 0 or body + length > len(data):
            break
        kind = PacketType(data[position] >> 4)
        name = kind.name
        if kind is PacketType.CONNACK:
            name += f" 0x{data[body + 1]:02X}"
        elif kind is PacketType.DISCONNECT:
            name += f" 0x{data[body] if length else 0:02X}"
        names.append(name)
        position = body + length
    return names, position


class Table:
    """The clients of one script, each with its record; in `lines` theirs by name, in turn."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clients: dict[str, Recorder] = {}

    def open(self, name: str = "a") -> Recorder:
        client = self.clients[name] = Recorder(self.port, frame_names)
        return client

    def connect(self, version: int, name: str = "a", **more: object) -> Recorder:
        client = self.open(name)
        packet = Connect(more.pop("client_id", f"ending-{name}"), version, **more)  # type: ignore[arg-type]
        client.send(encode_packet(packet, version), "CONNECT")
        client.until("CONNACK 0x00")
        return client

    @property
    def lines(self) -> dict[str, list[str]]:
        return {name: client.lines for name, client in self.clients.items()}


QOS_1 = Publish("ending/t", b"x", 1, packet_id=1)
CONNECTED = ["> CONNECT", "< CONNACK 0x00"]
SILENT = ["> CONNECT, PINGREQ", "< CONNACK 0x00", "< PINGRESP"]
Script = Callable[[Table], None]


def sent(version: int, data: bytes, what: str) -> Script:
    """A client that is connected sends something that ends the connection."""

    def script(table: Table) -> None:
        client = table.connect(version)
        client.send(data, what)
        client.ending()

    return script


def first(data: bytes, what: str) -> Script:
    """A client begins with something that is no good CONNECT."""

    def script(table: Table) -> None:
        client = table.open()
        client.send(data, what)
        client.ending()

    return script


def closed_after_publish(version: int) -> Script:
    def script(table: Table) -> None:
        client = table.connect(version)
        client.send(encode_packet(QOS_1, version), "PUBLISH")
        client.until("PUBACK")
        client.finish()
        client.ending()

    return script


def taken_over(version: int) -> Script:
    def script(table: Table) -> None:
        old = table.connect(version, "old", client_id="twin")
        table.connect(version, "new", client_id="twin")
        old.ending()

    return script


def silent(version: int) -> Script:
    def script(table: Table) -> None:
        client = table.open()
        connect = encode_packet(Connect("ending-a", version, keep_alive=1), version)
        # In one write, so that no pause of ours comes between them; the time is from before it.
        begun = time.monotonic()
        client.send(connect + encode_packet(Pingreq(), version), "CONNECT, PINGREQ")
        client.ending()
        # Mosquitto counts whole seconds: 1.5 of them may be one and a little.
        assert time.monotonic() - begun >= 1

    return script


def lost_with_a_will(end: Callable[[Recorder], None]) -> Script:
    def script(table: Table) -> None:
        heir = table.connect(4, "heir")
        heir.send(encode_packet(Subscribe(1, [Request("ending/will")]), 4), "SUBSCRIBE")
        heir.until("SUBACK")
        client = table.connect(4, "lost", will=Will("ending/will", b"gone"))
        end(client)
        heir.until("PUBLISH")

    return script


CASES: dict[str, tuple[Script, dict[str, list[str]], dict[str, list[str]] | None]] = {
    # The client says DISCONNECT: the server closes, at once [MQTT-3.14.4-1, -2 for 3.1.1].
    "disconnect of 3.1.1": (
        sent(4, encode_packet(Disconnect(), 4), "DISCONNECT"),
        {"a": [*CONNECTED, "> DISCONNECT", "< FIN"]},
        None,
    ),
    "disconnect of 5.0": (
        sent(5, encode_packet(Disconnect(), 5), "DISCONNECT"),
        {"a": [*CONNECTED, "> DISCONNECT", "< FIN"]},
        None,
    ),
    "the client closes its side": (
        closed_after_publish(4),
        {"a": [*CONNECTED, "> PUBLISH", "< PUBACK", "> FIN", "< FIN"]},
        None,
    ),
    # 5.0 is told why [MQTT-4.13.1-1], 3.1.1 has no packet for it [MQTT-4.8.0-1].
    "protocol error of 3.1.1": (
        sent(4, b"\x30\x04\x00\x01#x", "PUBLISH to #"),
        {"a": [*CONNECTED, "> PUBLISH to #", "< FIN"]},
        None,
    ),
    "protocol error of 5.0": (
        sent(5, b"\x30\x04\x00\x00\x00x", "PUBLISH to nothing"),
        {"a": [*CONNECTED, "> PUBLISH to nothing", "< DISCONNECT 0x82", "< FIN"]},
        None,
    ),
    "malformed packet of 5.0": (
        sent(5, b"\x36\x07\x00\x01t\x00\x01\x00x", "PUBLISH QoS 3"),
        {"a": [*CONNECTED, "> PUBLISH QoS 3", "< DISCONNECT 0x81", "< FIN"]},
        None,
    ),
    "second connect of 5.0": (
        sent(5, encode_packet(Connect("ending-a", 5), 5), "CONNECT"),
        {"a": [*CONNECTED, "> CONNECT", "< DISCONNECT 0x82", "< FIN"]},
        # [MQTT-4.13.1-1] says that a DISCONNECT should say why.
        {"a": [*CONNECTED, "> CONNECT", "< FIN"]},
    ),
    "taken over, 3.1.1": (
        taken_over(4),
        {"old": [*CONNECTED, "< FIN"], "new": CONNECTED},
        None,
    ),
    "taken over, 5.0": (
        taken_over(5),
        {"old": [*CONNECTED, "< DISCONNECT 0x8E", "< FIN"], "new": CONNECTED},
        # [MQTT-3.1.4-3] asks for the DISCONNECT.
        {"old": [*CONNECTED, "< FIN"], "new": CONNECTED},
    ),
    "silent, 3.1.1": (
        silent(4),
        {"a": [*SILENT, "< FIN"]},
        None,
    ),
    "silent, 5.0": (
        silent(5),
        {"a": [*SILENT, "< DISCONNECT 0x8D", "< FIN"]},
        # [MQTT-4.13.1-1], as above.
        {"a": [*SILENT, "< FIN"]},
    ),
    "refused connect of 3.1.1": (
        first(encode_packet(Connect("", 4, clean_start=False), 4), "CONNECT"),
        {"a": ["> CONNECT", "< CONNACK 0x02", "< FIN"]},
        None,
    ),
    "unknown version": (
        first(b"\x10\x0e\x00\x04MQTT\x06\x02\x00\x3c\x00\x00\x01a", "CONNECT"),
        {"a": ["> CONNECT", "< CONNACK 0x01", "< FIN"]},
        None,
    ),
    "malformed connect of 3.1.1": (
        first(b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a", "CONNECT"),
        {"a": ["> CONNECT", "< FIN"]},
        None,
    ),
    "malformed connect of 5.0": (
        first(b"\x10\x0e\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x01a", "CONNECT"),
        {"a": ["> CONNECT", "< CONNACK 0x81", "< FIN"]},
        # [MQTT-4.13.1-2] lets a server say why.
        {"a": ["> CONNECT", "< FIN"]},
    ),
    "no room for connack": (
        first(b"\x10\x13\x00\x04MQTT\x05\x02\x00\x3c\x05\x27\x00\x00\x00\x02\x00\x01a", "CONNECT"),
        {"a": ["> CONNECT", "< FIN"]},
        None,
    ),
    "another protocol": (
        first(b"GET / HTTP/1.1\r\n\r\n", "HTTP"),
        {"a": ["> HTTP", "< FIN"]},
        # It closes with bytes unread, and so TCP resets.
        {"a": ["> HTTP", "< RST"]},
    ),
    "will of a client that resets": (
        lost_with_a_will(Recorder.reset),
        {
            "heir": [*CONNECTED, "> SUBSCRIBE", "< SUBACK", "< PUBLISH"],
            "lost": [*CONNECTED, "> RST"],
        },
        None,
    ),
    "will of a client that closes": (
        lost_with_a_will(lambda client: (client.finish(), client.ending())[0]),
        {
            "heir": [*CONNECTED, "> SUBSCRIBE", "< SUBACK", "< PUBLISH"],
            "lost": [*CONNECTED, "> FIN", "< FIN"],
        },
        None,
    ),
}


def record(port: int, script: Script) -> dict[str, list[str]]:
    table = Table(port)
    try:
        script(table)
    finally:
        for client in table.clients.values():
            client.__exit__()
    return table.lines


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if MOSQUITTO is None:
        pytest.skip("Mosquitto is not installed")
    port = free_port()
    config = tmp_path_factory.mktemp("mosquitto") / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type none\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(Path(config))], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 150
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "Mosquitto does not listen"
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("name", CASES)
def test_our_ending(name: str, servers: Servers) -> None:
    script, ours, _ = CASES[name]
    assert record(servers.ports["mqtt"], script) == ours


@pytest.mark.parametrize("name", CASES)
def test_mosquittos_ending(name: str, mosquitto: int) -> None:
    script, ours, theirs = CASES[name]
    assert record(mosquitto, script) == (theirs or ours)


def test_names_of_frames() -> None:
    data = encode_packet(Connack(), V5) + encode_packet(Disconnect(0x8B), V5) + b"\x40"
    assert frame_names(data) == (["CONNACK 0x00", "DISCONNECT 0x8B"], len(data) - 1)
    assert isinstance(decode_packet(data[:5], V5), Connack)
