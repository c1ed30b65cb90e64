"""What a member of a shared subscription leaves behind goes to another one (MQTT 5, 4.8.2)."""

from typing import Any

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.events import SessionEnded
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connect,
    Disconnect,
    Packet,
    Publish,
    Request,
    Subscribe,
)

from brokers.fake_peer import FakeClient, FakeNetwork

SHARE = "$share/g/t/#"


class Scene:
    """Two members of a share; what the first one does is the test's matter."""

    def __init__(
        self, *filters: str, qos: int = 1, expiry: int = 0, window: int = 100, **options: Any
    ) -> None:
        self.clock = ManualClock()
        environment = Environment.create(self.clock, seed=1, journal=False)
        self.broker = MqttBroker(environment, MqttOptions(**options))
        self.network = FakeNetwork(self.broker, environment)
        self.lost: list[int] = []
        environment.spine.watch(self._note)
        limits = {"session_expiry_interval": expiry, "receive_maximum": window}
        self.first = self.connect("first", *(filters or (SHARE,)), qos=qos, **limits)
        self.second = self.connect("second", SHARE, qos=qos)

    def _note(self, event: object) -> None:
        if isinstance(event, SessionEnded):
            self.lost.append(event.lost)

    def connect(self, name: str, *filters: str, qos: int = 1, **properties: int) -> FakeClient:
        client = self.network.connect()
        self.send(client, Connect(name, 5, clean_start=False, properties=dict(properties)))
        for topic_filter in filters:
            self.send(client, Subscribe(1, [Request(topic_filter, qos)]))
        client.take()
        return client

    @staticmethod
    def send(client: FakeClient, *packets: Packet) -> None:
        client.send(b"".join(encode_packet(each, 5) for each in packets))

    def publish(self, *payloads: bytes, qos: int = 1, **properties: Any) -> None:
        for payload in payloads:
            self.broker.publish("t/1", payload, qos=qos, properties=properties or None)
        self.network.settle()

    @staticmethod
    def got(client: FakeClient) -> list[tuple[bytes, int]]:
        packets = [decode_packet(each, 5) for each in PacketSplitter().feed(client.take())]
        return [(each.payload, each.qos) for each in packets if isinstance(each, Publish)]

    def shares(self) -> tuple[list[bytes], list[bytes]]:
        one, two = (
            [payload for payload, _ in self.got(each)] for each in (self.first, self.second)
        )
        return one, two


ENDS = {
    "the connection breaks": lambda scene: scene.first.vanish(),
    "it disconnects": lambda scene: scene.send(scene.first, Disconnect()),
    "a person ends the session": lambda scene: scene.broker.end_session("first"),
    "another one begins anew": lambda scene: scene.send(
        scene.network.connect(), Connect("first", 5)
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_was_sent_and_not_acknowledged_goes_to_the_other_member(how: str) -> None:
    scene = Scene()
    scene.publish(b"0", b"1", b"2", b"3")
    mine, others = scene.shares()
    assert sorted([*mine, *others]) == [b"0", b"1", b"2", b"3"]
    scene.send(scene.first, Ack(PacketType.PUBACK, 1))
    ENDS[how](scene)
    scene.network.settle()
    assert scene.got(scene.second) == [(mine[1], 1)]
    assert scene.lost == [0]


def test_a_session_that_goes_on_keeps_its_messages_until_it_expires() -> None:
    scene = Scene(expiry=10)
    scene.publish(b"0", b"1")
    mine, _ = scene.shares()
    scene.first.vanish()
    scene.clock.advance(9)
    assert scene.got(scene.second) == []
    scene.clock.advance(2)
    scene.network.settle()
    assert [payload for payload, _ in scene.got(scene.second)] == mine


def test_who_comes_back_in_time_gets_them_and_nobody_else() -> None:
    scene = Scene(expiry=10)
    scene.publish(b"0", b"1")
    mine, _ = scene.shares()
    scene.first.vanish()
    again = scene.network.connect()
    scene.send(
        again, Connect("first", 5, clean_start=False, properties={"session_expiry_interval": 9})
    )
    assert [payload for payload, _ in scene.got(again)] == mine
    assert scene.got(scene.second) == []


def test_what_waits_goes_on_in_its_order_behind_what_was_sent() -> None:
    scene = Scene(window=1)
    scene.publish(*(b"%d" % number for number in range(8)))
    mine, others = scene.shares()
    assert (len(mine), len(others)) == (1, 4)
    scene.first.vanish()
    scene.network.settle()
    found = [payload for payload, _ in scene.got(scene.second)]
    assert found[0] == mine[0]
    assert found == sorted(found)
    assert len(found) == 4


def test_qos_2_that_was_sent_may_have_been_taken_and_stays() -> None:
    """[MQTT-4.8.2-5]: another client gets of it only what was not sent."""
    scene = Scene(qos=2, window=1)
    scene.publish(b"0", b"1", b"2", b"3", qos=2)
    mine, others = scene.shares()
    assert (len(mine), len(others)) == (1, 2)
    scene.first.vanish()
    scene.network.settle()
    [(payload, qos)] = scene.got(scene.second)
    assert qos == 2
    assert {payload, *mine, *others} == {b"0", b"1", b"2", b"3"}
    assert scene.lost == [1]


def test_what_is_over_by_then_goes_to_nobody() -> None:
    scene = Scene(expiry=10)
    scene.publish(b"0", b"1", message_expiry_interval=5)
    scene.shares()
    scene.first.vanish()
    scene.clock.advance(11)
    scene.network.settle()
    assert scene.got(scene.second) == []


@pytest.mark.parametrize("other", ["#", "t/1", "$share/h/t/+"])
def test_what_may_have_come_by_another_subscription_stays(other: str) -> None:
    scene = Scene(SHARE, other)
    scene.publish(b"0", b"1")
    scene.shares()
    scene.first.vanish()
    scene.network.settle()
    assert scene.got(scene.second) == []


def test_a_subscription_to_something_else_does_not_matter() -> None:
    scene = Scene(SHARE, "u/#")
    scene.publish(b"0", b"1")
    mine, _ = scene.shares()
    scene.first.vanish()
    scene.network.settle()
    assert [payload for payload, _ in scene.got(scene.second)] == mine


def test_the_last_member_leaves_nothing_to_nobody() -> None:
    scene = Scene()
    scene.second.vanish()
    scene.publish(b"0", b"1")
    assert len(scene.got(scene.first)) == 2
    scene.first.vanish()
    assert scene.lost == [0, 2]
    assert scene.broker.shares() == []


def test_as_mosquitto_it_is_lost() -> None:
    scene = Scene(shared_redelivery=False)
    scene.publish(b"0", b"1")
    scene.shares()
    scene.first.vanish()
    scene.network.settle()
    assert scene.got(scene.second) == []
    assert scene.lost == [1]
