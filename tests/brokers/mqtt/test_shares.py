"""What a member of a shared subscription leaves behind goes to another one (MQTT 5, 4.8.2)."""

from typing import Any

import pytest
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.events import SessionEnded
from mockforge_brokers.mqtt.state.left_behind import left_behind
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connect,
    Disconnect,
)

from ..calls import calls_of
from ..fake_peer import FakeClient
from .scene import Scene

SHARE = "$share/g/t/#"


class Members(Scene):
    """Two members of a share; what the first one does is the test's matter."""

    def __init__(
        self, *filters: str, qos: int = 1, expiry: int = 0, window: int = 100, **options: Any
    ) -> None:
        super().__init__(**options)
        kept = {"session_expiry_interval": expiry, "receive_maximum": window}
        wanted = filters or (SHARE,)
        self.first = self.connect("first", *wanted, qos=qos, clean_start=False, properties=kept)
        self.second = self.connect("second", SHARE, qos=qos, clean_start=False)

    def say(self, *payloads: bytes, qos: int = 1, **properties: Any) -> None:
        for payload in payloads:
            self.broker.publish("t/1", payload, qos=qos, properties=properties or None)
        self.network.settle()

    def came(self, client: FakeClient) -> list[tuple[bytes, int]]:
        return [(each.payload, each.qos) for each in self.publishes(client)]

    def shares(self) -> tuple[list[bytes], list[bytes]]:
        one, two = (
            [each.payload for each in self.publishes(member)]
            for member in (self.first, self.second)
        )
        return one, two

    @property
    def lost(self) -> list[int]:
        return [event.lost for event in self.emitted(SessionEnded)]


ENDS = {
    "the connection breaks": lambda scene: scene.first.vanish(),
    "it disconnects": lambda scene: scene.send(scene.first, Disconnect()),
    "a person ends the session": lambda scene: scene.broker.end_session("first"),
    "another one begins anew": lambda scene: scene.come(Connect("first", 5)),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_was_sent_and_not_acknowledged_goes_to_the_other_member(how: str) -> None:
    scene = Members()
    scene.say(b"0", b"1", b"2", b"3")
    mine, others = scene.shares()
    assert sorted([*mine, *others]) == [b"0", b"1", b"2", b"3"]
    scene.send(scene.first, Ack(PacketType.PUBACK, 1))
    ENDS[how](scene)
    scene.network.settle()
    assert scene.came(scene.second) == [(mine[1], 1)]
    assert scene.lost == [0]


def test_a_session_that_goes_on_keeps_its_messages_until_it_expires() -> None:
    scene = Members(expiry=10)
    scene.say(b"0", b"1")
    mine, _ = scene.shares()
    scene.first.vanish()
    scene.clock.advance(9)
    assert scene.came(scene.second) == []
    scene.advance(2)
    assert [payload for payload, _ in scene.came(scene.second)] == mine


def test_who_comes_back_in_time_gets_them_and_nobody_else() -> None:
    scene = Members(expiry=10)
    scene.say(b"0", b"1")
    mine, _ = scene.shares()
    scene.first.vanish()
    kept = {"session_expiry_interval": 9}
    again = scene.come(Connect("first", 5, clean_start=False, properties=kept))
    assert [payload for payload, _ in scene.came(again)] == mine
    assert scene.came(scene.second) == []


def test_what_waits_goes_on_in_its_order_behind_what_was_sent() -> None:
    scene = Members(window=1)
    scene.say(*(b"%d" % number for number in range(8)))
    mine, others = scene.shares()
    assert (len(mine), len(others)) == (1, 4)
    scene.first.vanish()
    scene.network.settle()
    found = [payload for payload, _ in scene.came(scene.second)]
    assert found[0] == mine[0]
    assert found == sorted(found)
    assert len(found) == 4


def test_many_messages_of_one_topic_ask_once_whose_share_they_came_by() -> None:
    def calls(*topics: str) -> int:
        scene = Members(*(f"{SHARE[:-1]}{number}" for number in range(50)), window=1, expiry=60)
        scene.second.vanish()
        scene.first.vanish()
        for _ in range(10):
            for topic in topics:
                scene.publish(topic, qos=1)
        session = scene.broker.registry.by_client["first"]
        return calls_of(lambda: left_behind(session, scene.broker.router.subscriptions))

    assert calls(*["t/1"] * 20) < calls(*(f"t/{number}" for number in range(20)))


def test_qos_2_that_was_sent_may_have_been_taken_and_stays() -> None:
    """[MQTT-4.8.2-5]: another client gets of it only what was not sent."""
    scene = Members(qos=2, window=1)
    scene.say(b"0", b"1", b"2", b"3", qos=2)
    mine, others = scene.shares()
    assert (len(mine), len(others)) == (1, 2)
    scene.first.vanish()
    scene.network.settle()
    [(payload, qos)] = scene.came(scene.second)
    assert qos == 2
    assert {payload, *mine, *others} == {b"0", b"1", b"2", b"3"}
    assert scene.lost == [1]


def test_what_is_over_by_then_goes_to_nobody() -> None:
    scene = Members(expiry=10)
    scene.say(b"0", b"1", message_expiry_interval=5)
    scene.shares()
    scene.first.vanish()
    scene.advance(11)
    assert scene.came(scene.second) == []


@pytest.mark.parametrize("other", ["#", "t/1", "$share/h/t/+"])
def test_what_may_have_come_by_another_subscription_stays(other: str) -> None:
    scene = Members(SHARE, other)
    scene.say(b"0", b"1")
    scene.shares()
    scene.first.vanish()
    scene.network.settle()
    assert scene.came(scene.second) == []


def test_a_subscription_to_something_else_does_not_matter() -> None:
    scene = Members(SHARE, "u/#")
    scene.say(b"0", b"1")
    mine, _ = scene.shares()
    scene.first.vanish()
    scene.network.settle()
    assert [payload for payload, _ in scene.came(scene.second)] == mine


def test_the_last_member_leaves_nothing_to_nobody() -> None:
    scene = Members()
    scene.second.vanish()
    scene.say(b"0", b"1")
    assert len(scene.came(scene.first)) == 2
    scene.first.vanish()
    assert scene.lost == [0, 2]
    assert scene.broker.shares() == []


def test_as_mosquitto_it_is_lost() -> None:
    scene = Members(shared_redelivery=False)
    scene.say(b"0", b"1")
    scene.shares()
    scene.first.vanish()
    scene.network.settle()
    assert scene.came(scene.second) == []
    assert scene.lost == [1]
