"""The same packets to Mosquitto and to us as Mosquitto (`--mqtt-as mosquitto`): the same answers.

Each script is a few clients of any version that connect, subscribe, publish and leave, some with
damaged packets. Where the two may differ is in DIFFERENCES, with what decides.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    "flags": "PUBACK and PINGREQ with a reserved flag end the connection [MQTT-2.1.3-1]; Mosquitto "
    "serves them",
    "takeover": "the will of a connection that is taken over goes out [MQTT-3.1.2-8], also where "
    "the session goes on (3.1.2.5); Mosquitto sends it only where the session ends",
    "UNSUBACK": "and SUBACK are not for a client to send (table 2-1); Mosquitto takes them",
    "body": "a PINGREQ has a Remaining Length of 0 (3.12.1); Mosquitto takes one with a body",
    "no filters": "SUBSCRIBE and UNSUBSCRIBE have at least one [MQTT-3.8.3-3] [MQTT-3.10.3-2]; "
    "Mosquitto acknowledges none to clients of 3.1",
    "overlapping": "clients before MQTT 5 get one message, with the highest QoS of all that match "
    "[MQTT-3.3.5-1]; Mosquitto takes the one that it finds first",
    "both": "a client with a shared subscription and one of its own gets a copy by each (4.8.2); "
    "Mosquitto leaves out the second for some clients before MQTT 5",
    "order": "which member of a share gets a message is a server's choice (4.8.2)",
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
        if not self._client.peer.ended:
            self._client.vanish()


class Client:
    """Acknowledges what it gets, and says in simple terms what that was."""

    def __init__(self, link: Link, version: int) -> None:
        self.link, self.version, self.ended = link, version, False
        self.wills = False
        """Its session goes on behind the connection, which leaves a will."""
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
            if client is not None and client.wills and not clean and not client.ended:
                # "takeover" of DIFFERENCES.
                client.send(Disconnect())
                client.settle()
            links.append(connect())
            fresh = clients[number] = Client(links[-1], version)
            fresh.wills = will is not None and not clean
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
        elif what == "raw" and client.version == 3 and value == NO_FILTERS:
            continue
        elif what == "raw":
            client.link.send(value)
        else:
            client.send(value)
        record.append([(each, clients[each].settle()) for each in sorted(clients)
                       if not clients[each].ended or clients[each].log])  # fmt: skip
    for each in links:
        each.close()
    return record


NO_FILTERS = bytes.fromhex("82020001")
FILTERS = ["a", "a/b", "a/+", "#", "+/b", "+", "$share/{}/a", "a/#"]
TOPICS = ["a", "a/b", "b", "a/b/c"]
numbers = st.integers(0, 2)
wills = st.one_of(
    st.none(), st.builds(Will, st.sampled_from(TOPICS), st.just(b"will"), st.integers(0, 2))
)
connects = st.tuples(numbers, st.just("connect"),
                     st.tuples(st.sampled_from([3, 4, 5]), st.booleans(), wills))  # fmt: skip
subscribes = st.builds(
    lambda number, wanted: (
        number, "packet", Subscribe(7, [Request(name.format(number), qos) for name, qos in wanted])
    ),
    numbers,
    st.lists(st.tuples(st.sampled_from(FILTERS), st.integers(0, 2)), min_size=1, max_size=2,
             unique_by=lambda each: each[0]),
)  # fmt: skip
unsubscribes = st.builds(
    lambda number, name: (number, "packet", Unsubscribe(8, [name.format(number)])),
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
DAMAGED = ["3603000161", "3003000123", NO_FILTERS.hex(), "3205000161 0000", "30ffffffff01",
           "0000",
           # QoS 3 and no filter in a request, text that is none, reserved flags of several kinds.
           "8206000100016103", "30040002ffff", "30050003610062", "8006000100016100",
           "a0050001000161", "60020001", "e100",
           # Acknowledgements of nothing, what only servers send.
           "40020000", "50020063", "70020063", "20020000",
           # A topic that ends behind its packet, an empty one, AUTH that nobody began.
           "3003000961", "30020000", "f000"]  # fmt: skip
raws = st.tuples(numbers, st.just("raw"), st.sampled_from(DAMAGED).map(bytes.fromhex))


def one_qos(steps: list[Step]) -> list[Step]:
    """Clients before MQTT 5 subscribe with one QoS ("overlapping" of DIFFERENCES), and to shares or
    to others ("both")."""
    versions: dict[int, int] = {}
    shares: dict[int, bool] = {}
    given: dict[int, int] = {}
    even: list[Step] = []
    for number, what, value in steps:
        if what == "connect":
            versions[number] = value[0]
        if isinstance(value, Subscribe) and versions[number] < 5:
            qos = given.setdefault(number, value.requests[0].qos)
            shared = shares.setdefault(number, value.requests[0].topic_filter.startswith("$share"))
            requests = [
                Request(each.topic_filter, qos)
                for each in value.requests
                if each.topic_filter.startswith("$share") == shared
            ]
            if not requests:
                continue
            value = Subscribe(value.packet_id, requests)
        even.append((number, what, value))
    return even


scripts = st.lists(
    st.one_of(
        connects, subscribes, subscribes, publishes, publishes, publishes, unsubscribes, leaves,
        raws,
    ),
    min_size=3, max_size=12,
).map(
    lambda steps: one_qos(
        [(each, "connect", (3 + each, True, None)) for each in range(3)] + steps
    )
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
    with mosquitto_at(conf, port):
        return play(lambda: SocketLink(port), steps)


@contextmanager
def mosquitto_at(conf: Path, port: int) -> Iterator[None]:
    running = subprocess.Popen([str(MOSQUITTO), "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _accepts(port), 20, "mosquitto")
        yield
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
    network = as_mosquitto(ManualClock())
    return play(lambda: FakeLink(network), steps)


def as_mosquitto(clock: ManualClock) -> FakeNetwork:
    preset = PRESETS["mosquitto"]
    environment = Environment.create(clock, seed=1, limits=Limits(**preset.limits))
    return FakeNetwork(MqttBroker(environment, MqttOptions(**preset.options)), environment)


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


def what_time_does(connect: Callable[[], Link], wait: Callable[[float], object]) -> list[Any]:
    """Wills, sessions and messages that are due after one second or not, and silent clients."""

    def come(name: str, version: int = 5, **more: Any) -> Client:
        client = Client(connect(), version)
        clients.append(client)
        more.setdefault("keep_alive", 60)
        client.send(Connect(name, version, **more))
        record.append((name, client.settle()))
        return client

    record: list[Any] = []
    clients: list[Client] = []
    kept, short = {"session_expiry_interval": 100}, {"session_expiry_interval": 1}
    watcher = come("watcher")
    watcher.send(Subscribe(1, [Request("will/#", 0)]))
    record.append(watcher.settle())
    for name, session, delay in (
        ("late", kept, 1), ("never", kept, 100), ("ends", short, 100), ("at once", kept, 0),
    ):  # fmt: skip
        will = Will(f"will/{name}", b"", properties={"will_delay_interval": delay})
        come(name, clean_start=False, will=will, properties=session).link.close()
    taker = come("taker", clean_start=False, properties=kept)
    taker.send(Subscribe(1, [Request("t", 1)]))
    record.append(taker.settle())
    taker.link.close()
    record.append(watcher.settle())
    for payload, life in ((b"over", 1), (b"there", 100), (b"for ever", None)):
        properties = {} if life is None else {"message_expiry_interval": life}
        watcher.send(Publish("t", payload, 1, packet_id=9, properties=properties))
        watcher.send(Publish(f"kept/{life}", payload, retain=True, properties=properties))
    record.append(watcher.settle())
    silent = [come(f"silent {version}", version, keep_alive=1) for version in (3, 4, 5)]
    wait(4)
    record.append(watcher.settle())
    for client in silent:
        while not client.link.receive()[1]:
            """Something came before the end."""
    for name in ("never", "ends", "late"):
        come(name, clean_start=False, properties=kept)
    come("taker", clean_start=False, properties=kept)
    watcher.send(Subscribe(1, [Request("kept/#", 0)]))
    record.append(watcher.settle())
    for client in clients:
        client.link.close()
    return record


@pytest.mark.timeout(100)
def test_mosquitto_and_we_let_the_same_things_expire(
    mosquitto: tuple[Path, list[int]],
) -> None:
    conf, [port] = mosquitto
    # Mosquitto has no clock but the wall's.
    with mosquitto_at(conf, port):
        theirs = what_time_does(lambda: SocketLink(port), time.sleep)
    clock = ManualClock()
    network = as_mosquitto(clock)
    assert what_time_does(lambda: FakeLink(network), clock.advance) == theirs
