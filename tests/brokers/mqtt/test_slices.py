"""What takes long is done in slices, others come between, and it ends with its connection."""

from itertools import count
from typing import Any

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import (
    Connack,
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

from ..fake_peer import FakeClient, FakeNetwork


class House:
    """A broker where each look at the time finds the turn to be up."""

    def __init__(self, **limits: Any) -> None:
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=Limits(**limits))
        self.broker = MqttBroker(self.environment)
        self.network = FakeNetwork(self.broker, self.environment)
        turn = self.environment.turn
        turn.now, turn.length = count().__next__, 0.0

    def client(self, name: str, **properties: Any) -> FakeClient:
        client = self.network.connect()
        client.send(encode_packet(Connect(name, 5, properties=properties), 5))
        assert isinstance(packets(client)[0], Connack)
        return client

    def retain(self, count: int, payload: bytes = b"x") -> None:
        for number in range(count):
            self.broker.publish(f"kept/{number}", payload, retain=True)


def packets(client: FakeClient) -> list[Packet]:
    return [decode_packet(each, 5) for each in PacketSplitter().feed(client.take())]


def sent(client: FakeClient, packet: Packet) -> None:
    """One slice of what a packet asks for."""
    client.connection.receive(encode_packet(packet, 5))


def test_many_filters_are_taken_in_slices_and_the_packets_behind_wait() -> None:
    house = House()
    client, other = house.client("a"), house.client("b")
    requests = [Request(f"f/{number}", 0) for number in range(1000)]
    sent(client, Subscribe(1, requests))
    sent(client, Pingreq())
    assert client.connection.unfinished
    assert 0 < house.broker.router.subscriptions.count < 1000
    other.send(encode_packet(Pingreq(), 5))
    assert packets(other) == [Pingresp()]
    client.send(encode_packet(Unsubscribe(2, [each.topic_filter for each in requests]), 5))
    suback, pong, unsuback = packets(client)
    assert isinstance(suback, Suback)
    assert len(suback.codes) == 1000
    assert pong == Pingresp()
    assert isinstance(unsuback, Unsuback)
    assert house.broker.router.subscriptions.count == 0


def test_filters_are_no_longer_taken_once_their_connection_is_gone() -> None:
    house = House()
    client = house.client("a", session_expiry_interval=100)
    sent(client, Subscribe(1, [Request(f"f/{number}", 0) for number in range(1000)]))
    client.vanish()
    house.clock.advance(1)
    assert house.broker.router.subscriptions.count < 1000


def test_a_wrong_filter_ends_the_connection_though_it_comes_late() -> None:
    house = House()
    client = house.client("a")
    requests = [Request(f"f/{number}", 0) for number in range(100)]
    client.send(encode_packet(Subscribe(1, [*requests, Request("a#", 0)]), 5))
    assert client.peer.ended


def test_retained_messages_come_in_slices_and_what_is_published_between_comes_too() -> None:
    house = House()
    client = house.client("a")
    house.retain(1000)
    sent(client, Subscribe(1, [Request("#", 0)]))
    for _ in range(10):
        client.connection.receive(b"")
    assert client.connection.unfinished
    house.broker.publish("live", b"y")
    house.broker.publish("kept/new", b"z", retain=True)
    house.broker.clear_retained("kept/0")
    house.network.settle()
    client.send(encode_packet(Pingreq(), 5))
    came = [each for each in packets(client) if isinstance(each, Publish)]
    retained = {each.topic_name for each in came if each.retain}
    assert retained >= {f"kept/{number}" for number in range(1, 1000)}
    assert {each.topic_name for each in came if not each.retain} == {"live", "kept/new"}


def test_retained_messages_wait_for_a_subscriber_that_reads_slowly() -> None:
    house = House(mqtt_backlog=10)
    client = house.client("a")
    house.retain(500)
    sent(client, Subscribe(1, [Request("kept/#", 0)]))
    client.set_writable(False)
    assert not client.connection.unfinished, "nobody asks it again and again"
    before = len(packets(client))
    assert before < 500
    client.set_writable(True)
    assert before + len(packets(client)) == 501
    assert not house.broker.sessions()[0]["dropped"]


def test_large_retained_messages_are_written_one_by_one() -> None:
    house = House()
    house.environment.turn.length = 1e9
    client = house.client("a")
    house.retain(10, bytes(100_000))
    sent(client, Subscribe(1, [Request("kept/#", 0)]))
    assert sum(map(len, client.connection.out)) < 200_000
    client.send(encode_packet(Pingreq(), 5))
    assert len(packets(client)) == 12


def test_what_waited_for_a_client_is_sent_in_slices_and_in_order() -> None:
    house = House()
    client = house.client("a", session_expiry_interval=100)
    client.send(encode_packet(Subscribe(1, [Request("q", 1)]), 5))
    client.vanish()
    for number in range(1000):
        house.broker.publish("q", str(number).encode(), qos=1)
    again = house.network.connect()
    connect = Connect("a", 5, False, properties={"session_expiry_interval": 100})
    again.send(encode_packet(connect, 5))
    first = len(packets(again)) - 1
    assert 0 < first < 1000
    house.broker.publish("q", b"1000", qos=1)
    house.network.settle()
    house.clock.advance(0)
    house.network.settle()
    came = [each.payload for each in packets(again) if isinstance(each, Publish)]
    assert came == [str(number).encode() for number in range(first, 1001)]


def test_what_was_in_flight_is_sent_again_in_slices_before_anything_else() -> None:
    house = House()
    client = house.client("a", session_expiry_interval=100)
    client.send(encode_packet(Subscribe(1, [Request("q", 1)]), 5))
    for number in range(500):
        house.broker.publish("q", str(number).encode(), qos=1)
    house.network.settle()
    client.vanish()
    again = house.network.connect()
    connect = Connect("a", 5, False, properties={"session_expiry_interval": 100})
    again.send(encode_packet(connect, 5))
    house.broker.publish("q", b"500", qos=1)
    house.clock.advance(0)
    house.network.settle()
    came = [each.payload for each in packets(again) if isinstance(each, Publish)]
    assert came == [str(number).encode() for number in range(501)]


def test_subscriptions_of_a_session_that_ends_go_in_slices_and_reach_nobody() -> None:
    house = House()
    client, other = house.client("a"), house.client("b")
    names = [f"f/{number}" for number in range(1000)]
    share = Request("$share/g/s", 0)
    client.send(encode_packet(Subscribe(1, [*(Request(name, 1) for name in names), share]), 5))
    other.send(encode_packet(Subscribe(1, [share]), 5))
    client.vanish()
    assert house.environment.chores.waiting
    assert house.broker.publish("f/999", b"x", qos=1) == 0
    assert [house.broker.publish("s", b"x") for _ in range(4)] == [1] * 4
    house.clock.advance(0)
    assert house.broker.router.subscriptions.count == 1


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
    house = House()
    pairs = [("key", "value")] * 100 + [("key", "a\x01b")]
    house.client("a", user_property=pairs)
    assert ("MQTT-1.5.4", "error") in house.broker.findings.by_statement()


def test_more_than_the_receive_maximum_is_noticed_though_its_burst_takes_many_turns() -> None:
    house = House()
    client = house.client("a")
    burst = [Publish("t", b"", 1, packet_id=number) for number in range(1, 1_101)]
    client.send(b"".join(encode_packet(each, 5) for each in burst))
    assert house.broker.lint()[0].statement == "MQTT-3.3.4-7"
