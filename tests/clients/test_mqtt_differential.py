"""The same packets to Mosquitto and to us as Mosquitto (`--mqtt-as mosquitto`): the same answers.

Each script is a few clients of any version that connect, subscribe, publish and leave, some with
damaged packets. Where the two may differ is in DIFFERENCES, with what decides.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Protocol

import pytest
from brokers.fake_peer import FakeNetwork
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.presets import PRESETS
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)

from clients.conftest import wait_for

pytestmark = [pytest.mark.client, pytest.mark.slow]

MOSQUITTO = shutil.which(
    "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
)
DIFFERENCES = {
    "0x10": "whether PUBACK and PUBREC say that nobody subscribed is a server's choice (3.4.2.1)",
    "0x92": "PUBCOMP names an identifier that is not known (3.7.2.1); Mosquitto says success",
    "DISCONNECT": "MQTT 5 clients get one with the error's code before a close (4.13.1); Mosquitto "
    "leaves it out in places, and says 0x81 for some that are 0x82",
    "PINGRESP": "is not for a client to send (table 2-1); Mosquitto takes it from anybody",
    "will": "a second CONNECT ends the connection, and its will goes out [MQTT-3.1.2-8]; Mosquitto "
    "did not send it",
    "flags": "PUBACK with a reserved flag ends the connection [MQTT-2.1.3-1]; Mosquitto serves it",
}
"""What is left out of the comparison, and what decides."""


class Link(Protocol):
    """One connection to a broker."""

    def send(self, data: bytes) -> None: ...

    def receive(self) -> tuple[bytes, bool]:
        """What is there by now, and whether the broker closed; waits for something."""
        ...

    def close(self) -> None: ...


class SocketLink:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 20)

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            pass

    def receive(self) -> tuple[bytes, bool]:
        try:
            data = self._socket.recv(65536)
        except ConnectionError:
            data = b""
        return data, not data

    def close(self) -> None:
        self._socket.close()


class FakeLink:
    def __init__(self, network: FakeNetwork) -> None:
        self._client = network.connect()

    def send(self, data: bytes) -> None:
        if not self._client.peer.ended:
            self._client.send(data)

    def receive(self) -> tuple[bytes, bool]:
        return self._client.take(), bool(self._client.peer.ended)

    def close(self) -> None:
        """There is no socket."""


class Client:
    """Acknowledges what it gets, and says in simple terms what that was."""

    def __init__(self, link: Link, version: int) -> None:
        self.link, self.version, self.ended = link, version, False
        self.splitter = PacketSplitter()
        self.frames: list[bytes] = []
        self.log: list[Any] = []

    def send(self, *packets: Packet) -> None:
        self.link.send(b"".join(encode_packet(each, self.version) for each in packets))

    def settle(self) -> list[Any]:
        """All that came until a PINGREQ is answered and nothing is left to acknowledge."""
        busy = True
        while busy and not self.ended:
            self.send(Pingreq())
            busy = self._until_answered()
        log, self.log = self.log, []
        return sorted(log, key=repr)

    def _until_answered(self) -> bool:
        busy = False
        while True:
            # What stands behind a PINGRESP is for the next time.
            while self.frames:
                packet = decode_packet(self.frames.pop(0), self.version)
                if isinstance(packet, Pingresp):
                    return busy
                busy = self._take(packet) or busy
            data, ended = self.link.receive()
            self.frames += self.splitter.feed(data)
            if ended and not self.frames:
                self.ended = True
                self.log.append("closed")
                return False

    def _take(self, packet: Packet) -> bool:
        match packet:
            case Publish(topic_name, payload, qos, retain):
                self.log.append(("PUBLISH", topic_name, payload, qos, retain, packet.dup))
                if qos:
                    kind = PacketType.PUBACK if qos == 1 else PacketType.PUBREC
                    self.send(Ack(kind, packet.packet_id))
                return bool(qos)
            case Ack(PacketType.PUBREL, packet_id):
                self.send(Ack(PacketType.PUBCOMP, packet_id))
                return True
            case Ack(kind, packet_id, code):
                self.log.append(
                    (kind.name, packet_id, code if code >= 0x80 and code != 0x92 else 0)
                )
                if kind is PacketType.PUBREC and code < 0x80:
                    self.send(Ack(PacketType.PUBREL, packet_id))
                return kind is PacketType.PUBREC
            case Connack(code, present):
                self.log.append(("CONNACK", code, present))
            case Suback(packet_id, codes):
                self.log.append(("SUBACK", packet_id, codes))
            case Unsuback(packet_id):
                self.log.append(("UNSUBACK", packet_id))
            case Disconnect():
                pass
            case _:
                self.log.append(type(packet).__name__)
        return False


Step = tuple[int, str, Any]


def play(connect: Any, steps: list[Step]) -> list[Any]:
    """What every client got after each step."""
    clients: dict[int, Client] = {}
    links: list[Link] = []
    record = []
    for number, what, value in steps:
        client = clients.get(number)
        if what == "connect":
            version, clean, will = value
            links.append(connect())
            fresh = clients[number] = Client(links[-1], version)
            kept = {"session_expiry_interval": 100} if version == 5 and not clean else {}
            fresh.send(Connect(f"c{number}", version, clean, 60, will, properties=kept))
            # The one that it takes over from ends.
            record.append(fresh.settle())
            if client is not None and not client.ended:
                client.settle()
        elif client is None or client.ended:
            continue
        elif what == "leave":
            client.send(Disconnect(0x04 if value and client.version == 5 else 0))
            client.settle()
        elif what == "raw":
            client.link.send(value)
        else:
            client.send(value)
        record.append([(each, clients[each].settle()) for each in sorted(clients)
                       if not clients[each].ended or clients[each].log])  # fmt: skip
    for each in links:
        each.close()
    return record


FILTERS = ["a", "a/b", "a/+", "#", "+/b", "+", "$share/g/a", "a/#"]
TOPICS = ["a", "a/b", "b", "a/b/c"]
numbers = st.integers(0, 2)
wills = st.one_of(
    st.none(), st.builds(Will, st.sampled_from(TOPICS), st.just(b"will"), st.integers(0, 2))
)
connects = st.tuples(numbers, st.just("connect"),
                     st.tuples(st.sampled_from([3, 4, 5]), st.booleans(), wills))  # fmt: skip
subscribes = st.builds(
    lambda number, wanted: (number, "packet", Subscribe(7, [Request(*each) for each in wanted])),
    numbers,
    st.lists(st.tuples(st.sampled_from(FILTERS), st.integers(0, 2)), min_size=1, max_size=2,
             unique_by=lambda each: each[0]),
)  # fmt: skip
unsubscribes = st.builds(
    lambda number, name: (number, "packet", Unsubscribe(8, [name])),
    numbers,
    st.sampled_from(FILTERS),
)
publishes = st.builds(
    lambda number, topic, payload, qos, retain: (
        number, "packet", Publish(topic, payload, qos, retain, packet_id=9 if qos else 0)
    ),
    numbers, st.sampled_from(TOPICS), st.sampled_from([b"1", b"2", b""]), st.integers(0, 2),
    st.booleans(),
)  # fmt: skip
leaves = st.tuples(numbers, st.just("leave"), st.booleans())
# Whatever the version: QoS 3, a wildcard in a topic, no filter, identifier 0, a
# length of five bytes, packet type 0.
DAMAGED = ["3603000161", "3003000123", "82020001", "3205000161 0000", "30ffffffff01",
           "0000"]  # fmt: skip
raws = st.tuples(numbers, st.just("raw"), st.sampled_from(DAMAGED).map(bytes.fromhex))
scripts = st.lists(
    st.one_of(
        connects, subscribes, subscribes, publishes, publishes, publishes, unsubscribes, leaves,
        raws,
    ),
    min_size=3, max_size=12,
).map(
    lambda steps: [(each, "connect", (4 + each % 2, True, None)) for each in range(3)] + steps
)  # fmt: skip


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """Where its settings are, and the port of the one that runs."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("mosquitto")
    (folder / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    return folder / "conf", [port]


def answers_of_mosquitto(conf: Path, port: int, steps: list[Step]) -> list[Any]:
    """One of its own, so that nothing is retained from before."""
    running = subprocess.Popen([str(MOSQUITTO), "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _accepts(port), 20, "mosquitto")
        return play(lambda: SocketLink(port), steps)
    finally:
        running.terminate()
        running.wait(20)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def our_answers(steps: list[Step]) -> list[Any]:
    preset = PRESETS["mosquitto"]
    environment = Environment.create(ManualClock(), seed=1, limits=Limits(**preset.limits))
    network = FakeNetwork(MqttBroker(environment, MqttOptions(**preset.options)), environment)
    return play(lambda: FakeLink(network), steps)


@settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(steps=scripts)
@pytest.mark.timeout(300)
def test_mosquitto_and_we_answer_and_deliver_alike(
    mosquitto: tuple[Path, list[int]], steps: list[Step]
) -> None:
    conf, [port] = mosquitto
    theirs, ours = answers_of_mosquitto(conf, port, steps), our_answers(steps)
    for place, (one, other) in enumerate(zip(theirs, ours, strict=False)):
        if one != other:
            note(f"steps {steps}\nat {place}:\nMosquitto {one}\nwe        {other}")
            break
    assert theirs == ours
