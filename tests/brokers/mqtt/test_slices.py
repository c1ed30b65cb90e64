"""What takes long is done in slices, others come between, and it ends with its connection."""

from itertools import count
from typing import Any

import pytest
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Connect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)

from ..fake_peer import FakeClient
from .scene import Scene


class Hurried(Scene):
    """Each look at the time finds the turn to be up."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(Limits(**limits))
        turn = self.environment.turn
        turn.now, turn.length = count().__next__, 0.0

    def retain(self, count: int, payload: bytes = b"x") -> None:
        for number in range(count):
            self.broker.publish(f"kept/{number}", payload, retain=True)


def sent(client: FakeClient, packet: Packet) -> None:
    """One slice of what a packet asks for."""
    client.connection.receive(encode_packet(packet, 5))


def test_many_filters_are_taken_in_slices_and_the_packets_behind_wait() -> None:
    scene = Hurried()
    client, other = scene.connect("a"), scene.connect("b")
    requests = [Request(f"f/{number}", 0) for number in range(1000)]
    sent(client, Subscribe(1, requests))
    sent(client, Pingreq())
    assert client.connection.unfinished
    assert 0 < scene.broker.router.subscriptions.count < 1000
    scene.send(other, Pingreq())
    assert scene.got(other) == [Pingresp()]
    scene.send(client, Unsubscribe(2, [each.topic_filter for each in requests]))
    suback, pong, unsuback = scene.got(client)
    assert isinstance(suback, Suback)
    assert len(suback.codes) == 1000
    assert pong == Pingresp()
    assert isinstance(unsuback, Unsuback)
    assert scene.broker.router.subscriptions.count == 0


def test_filters_are_no_longer_taken_once_their_connection_is_gone() -> None:
    scene = Hurried()
    client = scene.connect("a", properties={"session_expiry_interval": 100})
    sent(client, Subscribe(1, [Request(f"f/{number}", 0) for number in range(1000)]))
    client.vanish()
    scene.clock.advance(1)
    assert scene.broker.router.subscriptions.count < 1000


def test_a_wrong_filter_ends_the_connection_though_it_comes_late() -> None:
    scene = Hurried()
    client = scene.connect("a")
    requests = [Request(f"f/{number}", 0) for number in range(100)]
    scene.send(client, Subscribe(1, [*requests, Request("a#", 0)]))
    assert client.peer.ended


def test_retained_messages_come_in_slices_and_what_is_published_between_comes_too() -> None:
    scene = Hurried()
    client = scene.connect("a")
    scene.retain(1000)
    sent(client, Subscribe(1, [Request("#", 0)]))
    for _ in range(10):
        client.connection.receive(b"")
    assert client.connection.unfinished
    scene.broker.publish("live", b"y")
    scene.broker.publish("kept/new", b"z", retain=True)
    scene.broker.clear_retained("kept/0")
    scene.network.settle()
    scene.send(client, Pingreq())
    came = scene.publishes(client)
    retained = {each.topic_name for each in came if each.retain}
    assert retained >= {f"kept/{number}" for number in range(1, 1000)}
    assert {each.topic_name for each in came if not each.retain} == {"live", "kept/new"}


def test_of_small_retained_messages_each_step_sends_some() -> None:
    scene = Hurried()
    client = scene.connect("a")
    scene.retain(100)
    sent(client, Subscribe(1, [Request("kept/#", 0)]))
    steps = 0
    while client.connection.unfinished:
        client.connection.receive(b"")
        steps += 1
    scene.network.settle()
    assert len(scene.publishes(client)) == 100
    assert 100 / 16 <= steps < 50


def test_retained_messages_wait_for_a_subscriber_that_reads_slowly() -> None:
    scene = Hurried(mqtt_backlog=10)
    client = scene.connect("a")
    scene.retain(500)
    sent(client, Subscribe(1, [Request("kept/#", 0)]))
    client.set_writable(False)
    assert not client.connection.unfinished, "nobody asks it again and again"
    before = len(scene.got(client))
    assert before < 500
    client.set_writable(True)
    assert before + len(scene.got(client)) == 501
    assert not scene.broker.sessions()[0]["dropped"]


def test_large_retained_messages_are_written_one_by_one() -> None:
    scene = Hurried()
    scene.environment.turn.length = 1e9
    client = scene.connect("a")
    scene.retain(10, bytes(100_000))
    sent(client, Subscribe(1, [Request("kept/#", 0)]))
    assert sum(map(len, client.connection.out)) < 200_000
    scene.send(client, Pingreq())
    assert len(scene.got(client)) == 12


def test_what_waited_for_a_client_is_sent_in_slices_and_in_order() -> None:
    scene = Hurried()
    client = scene.connect("a", properties={"session_expiry_interval": 100})
    scene.send(client, Subscribe(1, [Request("q", 1)]))
    client.vanish()
    for number in range(1000):
        scene.broker.publish("q", str(number).encode(), qos=1)
    again = scene.network.connect()
    connect = Connect("a", 5, False, properties={"session_expiry_interval": 100})
    scene.send(again, connect)
    first = len(scene.got(again)) - 1
    assert 0 < first < 1000
    scene.publish("q", b"1000", qos=1)
    scene.advance(0)
    came = [each.payload for each in scene.publishes(again)]
    assert came == [str(number).encode() for number in range(first, 1001)]


def test_what_was_in_flight_is_sent_again_in_slices_before_anything_else() -> None:
    scene = Hurried()
    client = scene.connect("a", properties={"session_expiry_interval": 100})
    scene.send(client, Subscribe(1, [Request("q", 1)]))
    for number in range(500):
        scene.publish("q", str(number).encode(), qos=1)
    client.vanish()
    again = scene.network.connect()
    connect = Connect("a", 5, False, properties={"session_expiry_interval": 100})
    scene.send(again, connect)
    scene.broker.publish("q", b"500", qos=1)
    scene.advance(0)
    came = [each.payload for each in scene.publishes(again)]
    assert came == [str(number).encode() for number in range(501)]


def test_subscriptions_of_a_session_that_ends_go_in_slices_and_reach_nobody() -> None:
    scene = Hurried()
    client, other = scene.connect("a"), scene.connect("b")
    names = [f"f/{number}" for number in range(1000)]
    share = Request("$share/g/s", 0)
    scene.send(client, Subscribe(1, [*(Request(name, 1) for name in names), share]))
    scene.send(other, Subscribe(1, [share]))
    client.vanish()
    assert scene.environment.chores.waiting
    assert scene.broker.publish("f/999", b"x", qos=1) == 0
    assert [scene.broker.publish("s", b"x") for _ in range(4)] == [1] * 4
    scene.clock.advance(0)
    assert scene.broker.router.subscriptions.count == 1


@pytest.mark.parametrize("version", [3, 4, 5])
def test_filters_with_and_without_options_are_read_in_their_order(version: int) -> None:
    requests = [Request("a", 0), Request("b/+", 2), Request("c", 1), Request("ä", 0)]
    if version == 5:
        requests.insert(2, Request("x", 1, no_local=True, retain_handling=2))
    subscribe = Subscribe(7, requests)
    assert decode_packet(encode_packet(subscribe, version), version) == subscribe


@pytest.mark.parametrize("wrong", ["0001 61 03", "0002 61", "0001 ff 00", "0001 00 00", "0001 61"])
def test_a_broken_filter_is_an_error_behind_good_ones_too(wrong: str) -> None:
    for before in ("", "0001 61 00 0001 62 01"):
        data = b"\0\1" + bytes.fromhex(before + wrong)
        with pytest.raises(ProtocolError):
            decode_packet(b"\x82" + bytes([len(data)]) + data, 4)


@pytest.mark.parametrize("number", [0, 1, 2, 5000])
def test_user_properties_are_read_in_their_order(number: int) -> None:
    pairs = [(f"key {each}", "välue") for each in range(number)]
    properties = {"user_property": pairs, "session_expiry_interval": 5} if pairs else {}
    connect = Connect("p", 5, properties=properties)
    assert decode_packet(encode_packet(connect, 5), 5) == connect


@pytest.mark.parametrize(
    "properties",
    [
        "26 0001 61 0001",
        "26 0001 61 ffff 62",
        "26 0001 ff 0001 62",
        "26 0001 61 0001 00",
        "26 ffff 61 0001 62",
        "26 00",
        "26 0001 61 0001 62 26",
    ],
)
def test_a_broken_user_property_is_an_error_behind_good_ones_too(properties: str) -> None:
    for before in ("", "26 0001 61 0001 62"):
        data = bytes.fromhex(before + properties)
        # PUBLISH of topic t, QoS 0.
        packet = b"\x30" + bytes([4 + len(data)]) + b"\0\1t" + bytes([len(data)]) + data
        with pytest.raises(ProtocolError):
            decode_packet(packet, 5)


def test_a_control_character_in_one_of_many_user_properties_is_found() -> None:
    scene = Hurried()
    pairs = [("key", "value")] * 100 + [("key", "a\x01b")]
    scene.connect("a", properties={"user_property": pairs})
    assert ("MQTT-1.5.4", "error") in scene.broker.findings.by_statement()


def test_more_than_the_receive_maximum_is_noticed_though_its_burst_takes_many_turns() -> None:
    scene = Hurried()
    client = scene.connect("a")
    burst = [Publish("t", b"", 1, packet_id=number) for number in range(1, 1_101)]
    client.send(b"".join(encode_packet(each, 5) for each in burst))
    assert scene.broker.lint()[0].statement == "MQTT-3.3.4-7"
