"""The same packets to Mosquitto and to us as Mosquitto: the same answers.

Each script is a few clients of any version that connect, subscribe, publish and leave, some with
properties of MQTT 5, some with damaged packets. Where the two may differ is in DIFFERENCES, with
what decides. `python -m tests.differential.mqtt` plays as many as are wanted, anew each time:
`--examples N`, `--seed N`, `--mosquitto PROGRAM` (2.1 by `--preset mosquitto-2.1`).
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import seed as seeded
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
    Suback,
    Unsuback,
)

from tests.benchmarks.common import free_port, wait_for_port
from tests.brokers.fake_peer import FakeNetwork

from .mqtt_scripts import NO_FILTERS, UNSUBSCRIBE_FLAGS, Step, scripts

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
    "again": "a SUBSCRIBE replaces the options of an equal filter [MQTT-3.8.4-3]; Mosquitto keeps "
    "No Local and Retain As Published",
    "shared retained": "shared subscriptions get no retained messages [MQTT-3.8.4-4]; Mosquitto "
    "sends them",
    "old flags": "MQTT 3.1 says nothing of reserved flags of UNSUBSCRIBE; Mosquitto of 2.1 closes",
    "own will": "what a connection gets that ends is nobody's business (4.13); a Mosquitto of 2.1 "
    "sends it its own will",
    "order": "which member of a share gets a message is a server's choice (4.8.2)",
}
"""What is left out of the comparison, and what decides."""


RELAXED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}


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
        self.aliases: dict[int, str] = {}
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
        if self.ended:
            # "own will" of DIFFERENCES.
            log = [each for each in log if each[0] != "PUBLISH"]
        return sorted(log, key=repr)

    def until_ended(self) -> list[Any]:
        """All that came until the broker ended the connection, to which nothing is sent."""
        while not self.ended:
            self._until_answered()
        log, self.log = self.log, []
        return log

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

    def _seen(self, packet: Publish) -> tuple[str, list[tuple[str, Any]]]:
        """Its topic, whether by name or alias, and its properties but that one; of a time how
        much is left goes by the moment."""
        more = dict(packet.properties)
        alias = more.pop("topic_alias", 0)
        name = self.aliases.setdefault(alias, packet.topic_name) if alias else packet.topic_name
        if "message_expiry_interval" in more:
            more["message_expiry_interval"] = more["message_expiry_interval"] > 50
        return name, sorted(more.items())

    def _take(self, packet: Packet) -> bool:
        match packet:
            case Publish(_, payload, qos, retain):
                name, more = self._seen(packet)
                self.log.append(("PUBLISH", name, payload, qos, retain, packet.dup, more))
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


NOT_SENT = {(3, NO_FILTERS)}
NOT_SENT_2_1 = NOT_SENT | {(3, UNSUBSCRIBE_FLAGS)}
"""Version of a client and what it does not send ("no filters" and "old flags" of DIFFERENCES)."""


def play(
    connect: Any, steps: list[Step], left_out: Collection[tuple[int, bytes]] = NOT_SENT
) -> list[Any]:
    """What every client got after each step."""
    clients: dict[int, Client] = {}
    links: list[Link] = []
    record = []
    for number, what, value in steps:
        client = clients.get(number)
        if what == "connect":
            version, clean, will, asked = value
            if client is not None and client.wills and not clean and not client.ended:
                # "takeover" of DIFFERENCES.
                client.send(Disconnect())
                client.settle()
            links.append(connect())
            fresh = clients[number] = Client(links[-1], version)
            fresh.wills = will is not None and not clean
            kept = {"session_expiry_interval": 100} if version == 5 and not clean else {}
            fresh.send(Connect(f"c{number}", version, clean, 60, will, properties=asked | kept))
            # The one that it takes over from ends.
            record.append(fresh.settle())
            if client is not None and not client.ended:
                client.settle()
        elif client is None or client.ended:
            continue
        elif what != "raw" or (client.version, value) not in left_out:
            _send(client, what, value)
        else:
            continue
        # All of a burst is served once its sender has had an answer.
        order = sorted(clients, key=lambda each: (what != "burst" or each != number, each))
        record.append([(each, clients[each].settle()) for each in order
                       if not clients[each].ended or clients[each].log])  # fmt: skip
    for each in links:
        each.close()
    return record


def _send(client: Client, what: str, value: Any) -> None:
    match what:
        case "leave":
            client.send(Disconnect(0x04 if value and client.version == 5 else 0))
            client.settle()
        case "raw":
            client.link.send(value)
        case "burst":
            client.send(*value)
        case _:
            client.send(value)


def answers_of_mosquitto(conf: Path, port: int, steps: list[Step]) -> list[Any]:
    """One of its own, so that nothing is retained from before."""
    with mosquitto_at(conf, port):
        return play(lambda: SocketLink(port), steps)


@contextmanager
def mosquitto_at(conf: Path, port: int, program: str = "") -> Iterator[None]:
    command = [program or str(MOSQUITTO), "-c", str(conf)]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, 150)
        yield
    finally:
        running.terminate()
        running.wait(20)


def our_answers(
    steps: list[Step],
    preset: str = "mosquitto",
    left_out: Collection[tuple[int, bytes]] = NOT_SENT,
) -> list[Any]:
    network = as_mosquitto(ManualClock(), preset)
    return play(lambda: FakeLink(network), steps, left_out)


def as_mosquitto(clock: ManualClock, name: str = "mosquitto") -> FakeNetwork:
    preset = PRESETS[name]
    environment = Environment.create(clock, seed=1, limits=Limits(**preset.limits))
    return FakeNetwork(MqttBroker(environment, MqttOptions(**preset.options)), environment)


def configured(folder: Path) -> tuple[Path, int]:
    """Settings for a Mosquitto at a free port."""
    port = free_port()
    conf = folder / "conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    return conf, port


def compare(theirs: list[Any], ours: list[Any], steps: list[Step]) -> None:
    """Fails with the first place at which the two differ."""
    for place, (one, other) in enumerate(zip(theirs, ours, strict=False)):
        if one != other:
            note(f"at {place} of {steps}:\nMosquitto {one}\nwe        {other}")
            break
    assert theirs == ours


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential.mqtt")
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--no-shrink", action="store_true", help="what differs as it was found")
    parser.add_argument("--mosquitto", default=MOSQUITTO, help="the program")
    parser.add_argument("--preset", default="mosquitto", help="ours: mosquitto or mosquitto-2.1")
    given_ = parser.parse_args()
    if not given_.mosquitto:
        parser.error("no mosquitto on the path")
    with tempfile.TemporaryDirectory(prefix="mosquitto-") as folder:
        conf, port = configured(Path(folder))
        left_out = NOT_SENT_2_1 if given_.preset == "mosquitto-2.1" else NOT_SENT
        phases = [Phase.generate] if given_.no_shrink else [Phase.generate, Phase.shrink]

        @seeded(given_.seed if given_.seed is not None else random.randrange(1 << 32))
        @settings(max_examples=given_.examples, database=None, phases=phases, **RELAXED)
        @given(steps=scripts)
        def alike(steps: list[Step]) -> None:
            with mosquitto_at(conf, port, given_.mosquitto):
                theirs = play(lambda: SocketLink(port), steps, left_out)
            compare(theirs, our_answers(steps, given_.preset, left_out), steps)

        alike()
    print(f"{given_.examples} scripts: alike")
    return 0


if __name__ == "__main__":
    sys.exit(main())
