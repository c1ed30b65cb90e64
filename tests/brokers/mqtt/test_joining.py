"""What may come before CONNACK: the states of `joining`, packet type by packet type."""

import pytest
from mockforge_brokers.events import Event, ProtocolViolated
from mockforge_brokers.mqtt.codes import PacketType, Reason
from mockforge_brokers.mqtt.events import ConnectionRefused
from mockforge_brokers.mqtt.state.session import LARGE
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Auth, Connack, Connect, Disconnect

from .scene import Scene

PROVING = Connect("a", 5, properties={"authentication_method": "PLAN"})
ANSWER = Auth(Reason.CONTINUE_AUTHENTICATION, {"authentication_method": "PLAN"})


class Door(Scene):
    """One scripted method of authentication."""

    def __init__(self, *methods: str) -> None:
        super().__init__(auth_methods=methods or ("PLAN one",))

    def kinds(self) -> list[type[Event]]:
        kinds = (ConnectionRefused, ProtocolViolated)
        return [type(event) for event in self.emitted(Event) if isinstance(event, kinds)]


@pytest.mark.parametrize("kind", [0, *(kind for kind in PacketType if kind != PacketType.CONNECT)])
def test_nothing_but_connect_begins_a_connection_and_its_end_is_not_waited_for(kind: int) -> None:
    """[MQTT-3.1.0-1] Two bytes of a packet of 100 MB are enough to know."""
    door = Door()
    client = door.come()
    client.send(bytes((kind << 4,)) + b"\xff")
    assert client.peer.ended == "closed"
    assert client.take() == b""
    assert door.kinds() == [ProtocolViolated]


@pytest.mark.parametrize("kind", PacketType)
def test_between_a_challenge_and_connack_only_auth_and_disconnect_are_waited_for(kind: int) -> None:
    """[MQTT-3.1.2-30] Others are answered by a CONNACK that refuses."""
    door = Door()
    client = door.come(PROVING)
    assert [type(each) for each in door.got(client)] == [Auth]
    client.send(bytes((kind << 4,)) + b"\x7f")
    if kind in (PacketType.AUTH, PacketType.DISCONNECT):
        assert client.peer.ended == ""
        return
    [connack] = door.got(client)
    assert isinstance(connack, Connack)
    assert connack.code == Reason.PROTOCOL_ERROR
    assert client.peer.ended == "closed"


def test_who_is_proving_may_go_on_or_go_away() -> None:
    door = Door()
    client = door.come(PROVING, ANSWER)
    assert [type(each) for each in door.got(client)] == [Auth, Connack]
    assert door.come(PROVING, Disconnect(0)).peer.ended == "closed"
    assert door.kinds() == []


@pytest.mark.parametrize("methods", ["PLAN refuse=BANNED", "PLAN one refuse=BANNED"])
def test_a_method_that_refuses_at_any_step_is_answered_by_connack(methods: str) -> None:
    door = Door(methods)
    steps = (PROVING, ANSWER) if "one" in methods else (PROVING,)
    *_, connack = door.got(door.come(*steps))
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
    client = door.come()
    client.send(b"\x10\x0d\0\4MQTT" + bytes((level,)) + b"\2\0\x3c\0\1a")
    assert client.take() == answer
    assert door.kinds() == [ConnectionRefused]


@pytest.mark.parametrize(
    ("version", "code"), [(3, 2), (4, 2), (5, Reason.CLIENT_IDENTIFIER_NOT_VALID)]
)
def test_a_refusal_has_the_code_of_its_version(version: int, code: int) -> None:
    scene = Scene(client_id_maximum=3)
    [connack] = scene.got(scene.come(Connect("four", version)))
    assert isinstance(connack, Connack)
    assert connack.code == code


def test_who_is_refused_is_not_waited_for_by_the_watch_of_silence() -> None:
    door = Door("PLAN refuse=BANNED")
    door.come(PROVING)
    door.clock.advance(1000)
    assert door.kinds() == [ConnectionRefused]
    assert door.broker.connections() == []


def test_a_broken_connect_in_pieces_is_answered_whatever_comes_behind_it() -> None:
    door = Door()
    client = door.come()
    broken = encode_packet(Connect("a", 5, properties={"receive_maximum": 0}), 5)
    client.send(broken[:4])
    client.send(broken[4:] + b"\xc0\0" * LARGE)
    [connack] = door.got(client)
    assert isinstance(connack, Connack)
    assert connack.code == Reason.PROTOCOL_ERROR
