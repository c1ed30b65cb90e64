"""What a restart keeps and what it does not (MQTT 5, 4.1)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from mockforge_brokers.events import BrokerRestarted
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connack,
    Disconnect,
    Publish,
    Request,
    Subscribe,
    Will,
)

from .scene import Scene

LASTING: dict[str, Any] = {"session_expiry_interval": 100}


def restart(scene: Scene) -> BrokerRestarted:
    event = scene.broker.restart()
    scene.network.settle()
    return event


@pytest.fixture
def scene() -> Scene:
    return Scene(journal=False)


def test_connections_end_as_at_a_stop_and_the_event_says_what_is_kept(scene: Scene) -> None:
    client = scene.lasting("stays", "t", qos=1)
    scene.publish("r", b"kept", retain=True)
    event = restart(scene)
    last = scene.got(client)[-1]
    assert isinstance(last, Disconnect)
    assert last.code == 0x8B
    assert client.peer.ended == "closed"
    assert event.connections == 1
    assert event.kept == "1 sessions with 1 subscriptions and 0 messages, 1 retained messages"
    assert scene.environment.spine.history[-1][1] == event


def test_sessions_that_end_with_their_connection_are_gone(scene: Scene) -> None:
    scene.lasting("clean", clean_start=True, properties={})
    scene.lasting("lasting")
    restart(scene)
    assert [each["client"] for each in scene.broker.sessions()] == ["lasting"]


def test_what_was_in_flight_or_queued_comes_in_order_after_the_restart(scene: Scene) -> None:
    client = scene.lasting("s", "t", qos=2, properties={**LASTING, "receive_maximum": 2})
    for number in range(4):
        scene.publish("t", b"%d" % number, qos=1 + number % 2)
    assert [packet.packet_id for packet in scene.publishes(client)] == [1, 2]
    scene.send(client, Ack(PacketType.PUBREC, 2))
    restart(scene)
    again = scene.lasting("s")
    connack, *rest = scene.got(again)
    assert isinstance(connack, Connack)
    assert connack.session_present
    first, released, third, fourth = rest
    assert isinstance(first, Publish)
    assert (first.packet_id, first.payload, first.qos, first.dup) == (1, b"0", 1, True)
    assert released == Ack(PacketType.PUBREL, 2)
    assert isinstance(third, Publish)
    assert isinstance(fourth, Publish)
    assert (third.packet_id, third.payload, third.dup) == (3, b"2", False)
    assert (fourth.packet_id, fourth.payload, fourth.qos) == (4, b"3", 2)


def test_qos_2_publish_is_not_published_again_after_the_restart(scene: Scene) -> None:
    taker = scene.lasting("taker", "t", qos=2)
    giver = scene.lasting("giver")
    packet = Publish("t", b"once", 2, packet_id=7)
    scene.send(giver, packet)
    restart(scene)
    giver, taker = scene.lasting("giver"), scene.lasting("taker")
    giver.take()
    scene.send(giver, Publish("t", b"once", 2, dup=True, packet_id=7))
    assert scene.got(giver) == [Ack(PacketType.PUBREC, 7)]
    assert [packet.payload for packet in scene.publishes(taker)] == [b"once"]


def test_retained_messages_keep_their_properties_and_their_expiry(scene: Scene) -> None:
    properties = {"content_type": "x", "user_property": {"k": "v"}, "message_expiry_interval": 60}
    scene.publish("r", b"kept", qos=1, retain=True, properties=properties)
    scene.clock.advance(20)
    restart(scene)
    client = scene.lasting("s")
    scene.send(client, Subscribe(1, [Request("r", 1)]))
    (packet,) = scene.publishes(client)
    assert packet.properties == {
        "content_type": "x",
        "user_property": [("k", "v")],
        "message_expiry_interval": 40,
    }
    scene.clock.advance(40)
    scene.send(client, Subscribe(2, [Request("r", 1)]))
    assert scene.publishes(client) == []


def test_session_that_is_away_expires_when_it_would_have_without_the_restart(scene: Scene) -> None:
    client = scene.lasting("s")
    client.vanish()
    scene.clock.advance(60)
    restart(scene)
    scene.clock.advance(39)
    assert scene.broker.sessions()
    scene.clock.advance(1)
    assert not scene.broker.sessions()


def test_session_that_was_connected_begins_its_expiry_at_the_restart(scene: Scene) -> None:
    scene.lasting("s")
    scene.clock.advance(60)
    restart(scene)
    scene.clock.advance(99)
    assert scene.broker.sessions()
    scene.clock.advance(1)
    assert not scene.broker.sessions()


def test_will_with_a_delay_waits_over_the_restart(scene: Scene) -> None:
    taker = scene.lasting("taker", "w", qos=0)
    properties = {"will_delay_interval": 30, "message_expiry_interval": 50}
    scene.lasting("doomed", will=Will("w", b"gone", properties=properties)).vanish()
    scene.clock.advance(10)
    restart(scene)
    taker = scene.lasting("taker")
    taker.take()
    scene.advance(19)
    assert scene.publishes(taker) == []
    scene.advance(1)
    (packet,) = scene.publishes(taker)
    assert (packet.payload, packet.properties) == (b"gone", {"message_expiry_interval": 50})


def test_will_without_a_delay_reaches_sessions_that_are_kept(scene: Scene) -> None:
    scene.lasting("taker", "w", qos=1)
    scene.lasting("doomed", will=Will("w", b"gone", 1))
    restart(scene)
    assert [packet.payload for packet in scene.publishes(scene.lasting("taker"))] == [b"gone"]


def test_dump_is_of_plain_values_and_changes_nothing(scene: Scene) -> None:
    client = scene.lasting(
        "s", "t/#", qos=1, will=Will("w", b"bye", 1, True, {"will_delay_interval": 9})
    )
    scene.lasting("t", "t/#", qos=1)
    scene.publish("t/1", b"\xff", qos=1, retain=True)
    values = scene.broker.dump()
    assert scene.broker.dump() == values
    assert client.peer.ended == ""
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(values))
    later = Scene()
    later.broker.restore(decoded)
    assert later.broker.retained() == [("t/1", b"\xff", 1)]
    assert [packet.payload for packet in later.publishes(later.lasting("s"))] == [b"\xff"]
    # One message for both sessions and the retained store, before and after.
    assert len(msgspec.convert(values["messages"], list[Any])) == 2
    inflight = [each.inflight[1] for each in later.broker.registry.by_client.values()]
    assert inflight[0] is inflight[1]


def confirmed_stream(total: int) -> Iterator[tuple[int, bytes]]:
    for number in range(total):
        yield (
            number,
            encode_packet(Publish("t", b"%d" % number, 1, packet_id=number % 65_535 + 1), 5),
        )


@pytest.mark.table
@pytest.mark.parametrize("seed", range(20))
def test_restart_among_10_000_confirmed_publishes_loses_none(seed: int) -> None:
    total, middle = 10_000, 400 + seed * 451
    scene = Scene(journal=False)
    taker, giver = scene.lasting("taker"), scene.lasting("giver")
    scene.subscribe(taker, "t", 1)
    giver.take()
    got: set[int] = set()
    confirmed = 0
    for number, packet in confirmed_stream(total):
        if number == middle:
            # What the subscriber was sent and did not acknowledge is lost with its connection.
            scene.publishes(taker)
            restart(scene)
            taker, giver = scene.lasting("taker"), scene.lasting("giver")
            scene.got(giver)
        giver.send(packet)
        (answer,) = scene.got(giver)
        assert answer == Ack(PacketType.PUBACK, number % 65_535 + 1)
        confirmed += 1
        if number % (seed + 3) == 0:
            for publish in scene.publishes(taker):
                got.add(int(publish.payload))
                scene.send(taker, Ack(PacketType.PUBACK, publish.packet_id))
    got |= {int(publish.payload) for publish in scene.publishes(taker)}
    assert (confirmed, len(got)) == (total, total)
