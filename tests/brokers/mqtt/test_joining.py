"""What may come before CONNACK: the states of `joining`, packet type by packet type."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import Event, ProtocolViolated
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.events import ConnectionRefused
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import Auth, Connack, Connect, Disconnect, Packet

from brokers.fake_peer import FakeClient, FakeNetwork

PROVING = Connect("a", 5, properties={"authentication_method": "PLAN"})
ANSWER = Auth(Reason.CONTINUE_AUTHENTICATION, {"authentication_method": "PLAN"})


class Door:
    """A broker with one scripted method, and what it reported."""

    def __init__(self, *methods: str) -> None:
        environment = Environment.create(ManualClock(), seed=1)
        self.broker = MqttBroker(environment, MqttOptions(auth_methods=methods or ("PLAN one",)))
        self.network = FakeNetwork(self.broker, environment)
        self.events: list[Event] = []
        environment.spine.watch(self.events.append)

    def client(self, *packets: Packet) -> FakeClient:
        client = self.network.connect()
        for packet in packets:
            client.send(encode_packet(packet, 5))
        return client

    def kinds(self) -> list[type[Event]]:
        kinds = (ConnectionRefused, ProtocolViolated)
        return [type(event) for event in self.events if isinstance(event, kinds)]


def packets(client: FakeClient, version: int = 5) -> list[Packet]:
    return [decode_packet(each, version) for each in PacketSplitter().feed(client.take())]


@pytest.mark.parametrize("kind", [0, *(kind for kind in PacketType if kind != PacketType.CONNECT)])
def test_nothing_but_connect_begins_a_connection_and_its_end_is_not_waited_for(kind: int) -> None:
    """[MQTT-3.1.0-1] Two bytes of a packet of 100 MB are enough to know."""
    door = Door()
    client = door.client()
    client.send(bytes((kind << 4,)) + b"\xff")
    assert client.peer.ended == "closed"
    assert client.take() == b""
    assert door.kinds() == [ProtocolViolated]


@pytest.mark.parametrize("kind", PacketType)
def test_between_a_challenge_and_connack_only_auth_and_disconnect_are_waited_for(kind: int) -> None:
    """[MQTT-3.1.2-30] Others are answered by a CONNACK that refuses."""
    door = Door()
    client = door.client(PROVING)
    assert [type(each) for each in packets(client)] == [Auth]
    client.send(bytes((kind << 4,)) + b"\x7f")
    if kind in (PacketType.AUTH, PacketType.DISCONNECT):
        assert client.peer.ended == ""
        return
    [connack] = packets(client)
    assert isinstance(connack, Connack)
    assert connack.code == Reason.PROTOCOL_ERROR
    assert client.peer.ended == "closed"


def test_who_is_proving_may_go_on_or_go_away() -> None:
    door = Door()
    client = door.client(PROVING, ANSWER)
    assert [type(each) for each in packets(client)] == [Auth, Connack]
    assert door.client(PROVING, Disconnect(0)).peer.ended == "closed"
    assert door.kinds() == []


@pytest.mark.parametrize("methods", ["PLAN refuse=BANNED", "PLAN one refuse=BANNED"])
def test_a_method_that_refuses_at_any_step_is_answered_by_connack(methods: str) -> None:
    door = Door(methods)
    steps = (PROVING, ANSWER) if "one" in methods else (PROVING,)
    *_, connack = packets(door.client(*steps))
    assert isinstance(connack, Connack)
    assert connack.code == Reason.BANNED
    assert door.kinds() == [ConnectionRefused]


@pytest.mark.parametrize(
    ("level", "answer"),
    [(2, b"\x20\x02\0\1"), (6, b"\x20\x02\0\1"), (0x85, b"\x20\x02\0\1")],
)
def test_a_version_of_the_future_reads_what_3_1_1_has_for_it(level: int, answer: bytes) -> None:
    """[MQTT-3.1.2-2]"""
    door = Door()
    client = door.client()
    client.send(b"\x10\x0d\0\4MQTT" + bytes((level,)) + b"\2\0\x3c\0\1a")
    assert client.take() == answer
    assert door.kinds() == [ConnectionRefused]


@pytest.mark.parametrize(
    ("version", "code"), [(3, 2), (4, 2), (5, Reason.CLIENT_IDENTIFIER_NOT_VALID)]
)
def test_a_refusal_has_the_code_of_its_version(version: int, code: int) -> None:
    environment = Environment.create(ManualClock(), seed=1)
    broker = MqttBroker(environment, MqttOptions(client_id_maximum=3))
    client = FakeNetwork(broker, environment).connect()
    client.send(encode_packet(Connect("four", version), version))
    [connack] = packets(client, version)
    assert isinstance(connack, Connack)
    assert connack.code == code


def test_who_is_refused_is_not_waited_for_by_the_watch_of_silence() -> None:
    door = Door("PLAN refuse=BANNED")
    door.client(PROVING)
    door.broker.environment.clock.advance(1000)  # type: ignore[attr-defined]
    assert door.kinds() == [ConnectionRefused]
    assert door.broker.connections() == []
