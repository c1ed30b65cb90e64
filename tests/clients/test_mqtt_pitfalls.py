"""What clients are known to stumble over, asked of Mosquitto and of us: each gets the same answers.

Each pitfall is an issue of a client or broker (Paho, MQTT.js, rumqttc, MQTTnet, FlashMQ, NanoMQ).
Where the two differ, OTHERWISE has what decides and what Mosquitto (2.0.11) does.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from differential.mqtt import (
    MOSQUITTO,
    FakeLink,
    Link,
    SocketLink,
    as_mosquitto,
    configured,
    mosquitto_at,
)
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.mqtt.codes import PacketType
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
)

pytestmark = [pytest.mark.client, pytest.mark.slow]

Connecting = Callable[[], Link]
KEPT: Final = {"session_expiry_interval": 100}


class Client:
    """Says what it is told to, and acknowledges nothing by itself."""

    def __init__(self, dial: Connecting, version: int) -> None:
        self._link, self._version = dial(), version
        self._splitter = PacketSplitter()
        self._frames: list[bytes] = []

    def ask(self, *packets: Packet) -> list[Any]:
        """All in one segment; what came until a PINGREQ behind it was answered, or the end."""
        sent = (*packets, Pingreq())
        self._link.send(b"".join(encode_packet(each, self._version) for each in sent))
        return self.hear()

    def hear(self) -> list[Any]:
        """Without a word before: what is left to come of a connection that ends."""
        found: list[Any] = []
        while True:
            while self._frames:
                packet = decode_packet(self._frames.pop(0), self._version)
                if isinstance(packet, Pingresp):
                    return found
                found.append(said(packet))
            data, ended = self._link.receive()
            self._frames += self._splitter.feed(data)
            if ended and not self._frames:
                return [*found, "closed"]

    def leave(self) -> None:
        self._link.close()


def said(packet: Packet) -> tuple[Any, ...]:
    """Without what a server may choose: announcements, texts, identifiers of packets."""
    match packet:
        case Connack(code, present, properties):
            return ("CONNACK", code, present, "assigned_client_identifier" in properties)
        case Publish(name, payload, qos, retain, dup):
            return ("PUBLISH", name, payload, qos, retain, dup)
        case Suback(_, codes) | Unsuback(_, codes):
            return (type(packet).__name__, codes)
        case Ack(kind, _, code):
            return (kind.name, code)
        case Disconnect(code):
            return ("DISCONNECT", code)
    return (type(packet).__name__,)


def keep_alive_0(dial: Connecting, version: int) -> Iterator[Any]:
    yield Client(dial, version).ask(Connect("c", version, keep_alive=0))


def client_identifiers(dial: Connecting, version: int) -> Iterator[Any]:
    for name in ("a b", "a/b", "é", "x" * 60, ""):
        yield Client(dial, version).ask(Connect(name, version))
    # Nobody could come back to it, but to a name that the server chose (MQTT 5).
    yield Client(dial, version).ask(Connect("", version, clean_start=False))


def all_at_once(dial: Connecting, version: int) -> Iterator[Any]:
    yield Client(dial, version).ask(
        Connect("c", version),
        Subscribe(1, [Request("t", 1)]),
        Publish("t", b"x", 1, packet_id=2),
    )


def stray_acknowledgements(dial: Connecting, version: int) -> Iterator[Any]:
    client = Client(dial, version)
    yield client.ask(Connect("c", version))
    for kind in (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP):
        answers = client.ask(Ack(kind, 99))
        yield [each[0] for each in answers if each != "closed"], "closed" in answers


def sent_again_after_a_reconnect_alone(dial: Connecting, version: int) -> Iterator[Any]:
    kept = KEPT if version == 5 else {}

    def come() -> tuple[Client, list[Any]]:
        client = Client(dial, version)
        return client, client.ask(Connect("c", version, clean_start=False, properties=kept))

    client, _ = come()
    client.ask(Subscribe(1, [Request("t", 2)]))
    other = Client(dial, version)
    other.ask(Connect("p", version), Publish("t", b"1", 1, packet_id=1))
    other.ask(Publish("t", b"2", 2, packet_id=2), Ack(PacketType.PUBREL, 2))
    yield client.ask()
    # The first identifiers of a session are 1 and 2 at both.
    yield client.ask(Ack(PacketType.PUBREC, 2))
    yield client.ask(), client.ask()
    client.leave()
    client, answers = come()
    yield answers + client.ask()


def takeover(dial: Connecting, version: int) -> Iterator[Any]:
    first, second = Client(dial, version), Client(dial, version)
    yield first.ask(Connect("c", version))
    yield second.ask(Connect("c", version))
    yield first.hear()


def nobody_subscribed(dial: Connecting, version: int) -> Iterator[Any]:
    yield Client(dial, version).ask(Connect("c", version), Publish("no", b"x", 1, packet_id=1))


def odd_topics(dial: Connecting, version: int) -> Iterator[Any]:
    client = Client(dial, version)
    yield client.ask(Connect("c", version), Subscribe(1, [Request("/a"), Request("a//b")]))
    yield client.ask(*(Publish(each, b"x") for each in ("/a", "a", "a//b", "a/b", "$x")))
    yield client.ask(Subscribe(2, [Request("+/+")]), Publish("$x/y", b"no"), Publish("/", b"x"))


def retained_and_again(dial: Connecting, version: int) -> Iterator[Any]:
    client = Client(dial, version)
    yield client.ask(Connect("c", version), Publish("t", b"x", 1, True, packet_id=1))
    for qos in (0, 1):
        yield client.ask(Subscribe(2, [Request("t", qos)]))
    yield client.ask(Publish("t", b"", 0, True))
    yield client.ask(Subscribe(3, [Request("t", 1)]))


def old_alias(dial: Connecting, version: int) -> Iterator[Any]:
    client = Client(dial, version)
    alias = {"topic_alias": 1}
    yield client.ask(Connect("c", version), Publish("t", b"x", properties=dict(alias)))
    client.leave()
    answers = Client(dial, version).ask(
        Connect("c", version), Publish("", b"x", properties=dict(alias))
    )
    yield answers[-1]


def share_without_local(dial: Connecting, version: int) -> Iterator[Any]:
    request = Request("$share/g/t", no_local=True)
    yield Client(dial, version).ask(Connect("c", version), Subscribe(1, [request]))[-1]


ALL: Final = (
    keep_alive_0,
    client_identifiers,
    all_at_once,
    stray_acknowledgements,
    sent_again_after_a_reconnect_alone,
    takeover,
    nobody_subscribed,
    odd_topics,
    retained_and_again,
)
OF_5: Final = (old_alias, share_without_local)
CASES: Final = [
    *((each, version) for each in ALL for version in (4, 5)),
    *((each, 5) for each in OF_5),
]
OTHERWISE: Final = {
    ("takeover", 5): "DISCONNECT 0x8E comes before the close [MQTT-3.1.4-3]; Mosquitto closes",
    ("share_without_local", 5): "No Local on a share is an error [MQTT-3.8.3-4]; Mosquitto grants",
}


@contextmanager
def of_mosquitto(folder: Path) -> Iterator[Connecting]:
    conf, port = configured(folder)
    with mosquitto_at(conf, port), ExitStack() as links:

        def dial() -> Link:
            link = SocketLink(port)
            links.callback(link.close)
            return link

        yield dial


@pytest.mark.parametrize(
    ("pitfall", "version"), CASES, ids=[f"{each.__name__}-{version}" for each, version in CASES]
)
def test_mosquitto_and_we_have_the_same_answer(
    pitfall: Callable[[Connecting, int], Iterator[Any]], version: int, tmp_path: Path
) -> None:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    network = as_mosquitto(ManualClock())
    ours = list(pitfall(lambda: FakeLink(network), version))
    with of_mosquitto(tmp_path) as dial:
        theirs = list(pitfall(dial, version))
    if (pitfall.__name__, version) in OTHERWISE:
        assert ours != theirs
    else:
        assert ours == theirs
