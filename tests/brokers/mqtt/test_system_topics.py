"""`$SYS`: what a health check or a dashboard made for Mosquitto asks for is there."""

from pathlib import Path

import pytest
from mockforge_brokers import memory
from mockforge_brokers.fairness import Steps
from mockforge_brokers.journal import IN
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import Connect, Pingreq, Publish, Unsubscribe

from brokers.misbehaving import fault, hold, lane

from ..fake_peer import FakeClient
from .scene import Scene

# Every topic of Mosquitto 2.0.11 (`mosquitto_sub -t '$SYS/#' -F %t`), and one of 2.1.
_PLAIN = """
bytes/received bytes/sent clients/active clients/connected clients/disconnected clients/expired
clients/inactive clients/maximum clients/total connections/socket/count heap/current heap/maximum
messages/received messages/sent messages/stored
publish/bytes/received publish/bytes/sent publish/messages/dropped publish/messages/received
publish/messages/sent retained_messages/count
shared_subscriptions/count store/messages/bytes store/messages/count subscriptions/count uptime
version
"""
_LOADS = """
bytes/received bytes/sent connections messages/received messages/sent publish/dropped
publish/received publish/sent sockets
"""
MOSQUITTOS = set(_PLAIN.split()) | {
    f"load/{name}/{span}" for name in _LOADS.split() for span in ("1min", "5min", "15min")
}


def scene_of(interval: float) -> Scene:
    return Scene(version=4, sys_interval=interval)


def values(client: FakeClient, *, retain: bool) -> dict[str, str]:
    """What came by topic below `$SYS/`, retained or as news."""
    packets = [decode_packet(frame, 4) for frame in PacketSplitter().feed(client.take())]
    return {
        packet.topic_name.removeprefix("$SYS/"): packet.payload.decode()
        for packet in packets
        if isinstance(packet, Publish) and packet.retain is retain
    }


@pytest.fixture
def scene() -> Scene:
    return scene_of(10)


def test_who_subscribes_has_all_values_at_once(scene: Scene) -> None:
    away = scene.connect("other")
    away.send(encode_packet(Publish("r", b"x", retain=True), 4) + encode_packet(Pingreq(), 4))
    scene.advance(75)
    client = scene.connect("health")
    scene.subscribe(client, "$SYS/#")
    got = values(client, retain=True)
    assert got["broker/uptime"] == "75 seconds"
    assert got["broker/version"].startswith("mockforge-tui version ")
    assert got["broker/clients/connected"] == "2"
    assert got["broker/publish/messages/received"] == "1"
    # Two CONNECT, PUBLISH, PINGREQ, SUBSCRIBE; two CONNACK, PINGRESP, SUBACK.
    assert (got["broker/messages/received"], got["broker/messages/sent"]) == ("5", "4")
    assert got["broker/retained messages/count"] == "1"
    assert got["broker/subscriptions/count"] == "1"
    assert got["mockforge/faults/active"] == "0"


def test_faults_and_holds_of_ours_are_counted() -> None:
    scene = scene_of(10)
    client = scene.connect("dashboard")
    environment = scene.environment
    rule = fault(matches=lambda row: False)
    environment.faults.add(rule)
    environment.faults.add(off := fault(matches=lambda row: False))
    rule.hits, off.enabled = 3, False
    scene.subscribe(client, "$SYS/mockforge/#")
    assert values(client, retain=True) == {
        "mockforge/faults/active": "1",
        "mockforge/faults/fired": "3",
        "mockforge/holds/waiting": "0",
    }
    rule.hits = 4
    environment.holds.add(hold(lambda row: row.operation == "PINGREQ"))
    other = scene.connect("other")
    way_in = lane(IN, other.connection, other.peer, environment, lambda frame: None)
    way_in.feed(encode_packet(Pingreq(), 4))
    scene.advance(10)
    assert values(client, retain=False) == {
        "mockforge/faults/fired": "4",
        "mockforge/holds/waiting": "1",
    }


def test_each_interval_brings_what_changed_and_the_loads(scene: Scene) -> None:
    client = scene.connect("dashboard")
    scene.subscribe(client, "$SYS/#")
    known = set(values(client, retain=True))
    scene.connect("other")
    scene.advance(10)
    news = values(client, retain=False)
    assert news["broker/clients/connected"] == "2"
    assert news["broker/uptime"] == "10 seconds"
    assert "broker/version" not in news
    assert news["broker/load/sockets/1min"] == "1.00"
    assert news["broker/load/sockets/5min"] == "0.20"
    names = {name.removeprefix("broker/") for name in known | set(news)}
    named = {name.replace("retained m", "retained_m") for name in names}
    assert {name for name in named if not name.startswith("mockforge/")} == MOSQUITTOS


def test_what_is_stored_and_shared_and_how_many_were_there_at_once_is_counted(
    scene: Scene,
) -> None:
    asleep = scene.network.connect()
    asleep.send(encode_packet(Connect("asleep", clean_start=False), 4))
    scene.subscribe(asleep, "t", 1)
    asleep.vanish()
    member = scene.connect("member")
    scene.subscribe(member, "$share/g/w", 1)
    scene.subscribe(member, "u", 1)
    for topic, payload, retain in (
        ("r", b"long", True),
        ("r", b"abc", True),
        ("gone", b"1", True),
        ("gone", b"", True),
        ("t", b"waits", False),
        ("u", b"sent", False),
    ):
        scene.broker.publish(topic, payload, qos=1, retain=retain)
    scene.connect("third").vanish()
    client = scene.connect("dashboard")
    scene.subscribe(client, "$SYS/#")
    got = values(client, retain=True)
    # What is retained, what waits, and what was sent and is not acknowledged.
    assert got["broker/store/messages/bytes"] == str(len("abc") + len("waits") + len("sent"))
    assert got["broker/store/messages/count"] == "3"
    assert got["broker/shared_subscriptions/count"] == "1"
    assert (got["broker/clients/maximum"], got["broker/clients/total"]) == ("3", "3")


def test_only_asked_for_topics_come_and_wildcards_in_front_ask_for_none(scene: Scene) -> None:
    client = scene.connect("a")
    scene.subscribe(client, "#")
    scene.subscribe(client, "+/broker/uptime")
    scene.advance(100)
    assert values(client, retain=True) == {}
    scene.subscribe(client, "$SYS/broker/clients/+", 1)
    assert set(values(client, retain=True)) == {
        f"broker/clients/{name}"
        for name in (
            "active",
            "connected",
            "disconnected",
            "expired",
            "inactive",
            "maximum",
            "total",
        )
    }
    scene.advance(10)
    assert values(client, retain=False) == {}


def test_subscribers_of_overlapping_filters_and_of_qos_1_get_each_value_once(scene: Scene) -> None:
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/broker/uptime", 1)
    scene.subscribe(client, "$SYS/broker/+", 0)
    client.take()
    scene.advance(10)
    (frame,) = PacketSplitter().feed(client.take())
    assert decode_packet(frame, 4) == Publish("$SYS/broker/uptime", b"10 seconds", 1, packet_id=2)


def test_payload_bytes_are_those_of_messages_that_came_and_of_copies_that_left(
    scene: Scene,
) -> None:
    # What Mosquitto 2.0.11 says of the same clients: what waits in a session is not sent yet.
    for name, qos in (("one", 0), ("two", 1), ("asleep", 1)):
        taker = scene.connect(name) if name != "asleep" else scene.network.connect()
        if name == "asleep":
            taker.send(encode_packet(Connect(name, clean_start=False), 4))
        scene.subscribe(taker, "t", qos)
        if name == "asleep":
            taker.vanish()
    publisher = scene.connect("publisher")
    for packets in (
        [Publish("t", b"12345")],
        [Publish("t", b"12345")] * 3 + [Publish("t", b"123", 1, packet_id=1)] * 2,
        [Publish("nobody", b"1234567")],
    ):
        publisher.send(b"".join(encode_packet(packet, 4) for packet in packets))
    client = scene.connect("dashboard")
    scene.subscribe(client, "$SYS/broker/publish/bytes/+")
    came = 4 * 5 + 2 * 3
    assert values(client, retain=True) == {
        "broker/publish/bytes/received": str(came + 7),
        "broker/publish/bytes/sent": str(2 * came),
    }


def test_memory_is_that_of_the_process_and_left_out_where_the_system_does_not_say(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/broker/heap/+")
    got = {name: int(value) for name, value in values(client, retain=True).items()}
    assert 1 << 20 < got["broker/heap/current"] <= got["broker/heap/maximum"]
    for place, text in (("none", ""), ("other", "VmRSS:\tmany kB\n"), ("empty", "Name:\tx\n")):
        status = tmp_path / place
        if text:
            status.write_text(text)
        monkeypatch.setattr(memory, "_STATUS", status)
        assert memory.resident() is None
    scene.advance(1)
    scene.subscribe(client, "$SYS/broker/heap/+")
    assert values(client, retain=True) == {}
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.resident() is None


def test_who_asks_again_and_again_has_what_was_counted_within_a_second(scene: Scene) -> None:
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/broker/clients/connected")
    for number in range(3):
        scene.connect(f"other-{number}")
        scene.subscribe(client, "$SYS/broker/clients/connected")
        assert values(client, retain=True) == {"broker/clients/connected": "1"}
    scene.advance(1)
    scene.subscribe(client, "$SYS/broker/clients/connected")
    assert values(client, retain=True) == {"broker/clients/connected": "4"}


def test_very_many_clients_and_sessions_are_counted_in_steps(scene: Scene) -> None:
    for number in range(250):
        scene.connect(f"{number}")
    found = list(scene.broker.router.system_topics("$SYS/broker/clients/connected"))
    # A hundred of either at a time.
    assert found[:-1] == [None] * (3 + 3)
    assert found[-1] is not None
    assert found[-1].payload == b"250"


def test_a_subscriber_waits_for_the_count_in_as_many_steps(scene: Scene) -> None:
    for number in range(250):
        scene.connect(f"{number}")
    scene.subscribe(scene.connect("dashboard"), "$SYS/broker/clients/connected")
    session = scene.broker.registry.by_client["dashboard"]
    scene.advance(5)
    [subscription] = session.subscriptions.values()
    steps = list(scene.broker.router.sending_retained(session, subscription))
    assert len(steps) > 3 + 3


def test_who_ends_while_it_is_counted_is_counted_once(scene: Scene) -> None:
    clients = [scene.connect(f"{number}") for number in range(150)]
    for client in clients:
        client.send(encode_packet(Publish("t", b"x"), 4))
    steps = iter(scene.broker.router.system_topics("$SYS/broker/publish/messages/received"))
    assert next(steps) is None
    for client in clients:
        client.vanish()
    [message] = [each for each in steps if each is not None]
    assert message.payload == b"150"


def test_who_goes_while_it_is_counted_leaves_nothing_old_to_the_next(scene: Scene) -> None:
    clients = [scene.connect(f"{number}") for number in range(150)]
    topics = scene.broker.router.system_topics
    assert len(list(topics("$SYS/broker/clients/connected"))) > 1
    # Nobody is left who subscribes to it, so that nothing is counted for an hour.
    scene.advance(3600)
    for client in clients[100:]:
        client.vanish()
    for client in clients[:100]:
        client.send(encode_packet(Publish("t", b"x"), 4) * 600)
    given_up = iter(topics("$SYS/#"))
    assert next(given_up) is None
    del given_up
    dashboard = scene.connect("dashboard")
    scene.subscribe(dashboard, "$SYS/broker/#")
    got = values(dashboard, retain=True)
    assert (got["broker/clients/connected"], got["broker/uptime"]) == ("101", "3600 seconds")
    # Nor is what came in that hour taken for what came in the first interval.
    scene.advance(10)
    assert values(dashboard, retain=False)["broker/load/publish/received/1min"] == "0.00"


def test_who_subscribes_while_it_is_counted_for_all_has_what_the_last_tick_sent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(150):
        scene.connect(f"{number}")
    scene.subscribe(scene.connect("dashboard"), "$SYS/broker/clients/connected")
    topics = scene.broker.router.system_topics
    telling: list[Steps] = []
    monkeypatch.setattr(scene.environment.chores, "do", telling.append)
    scene.connect("late")
    scene.advance(10)
    next(telling[0])
    [message] = topics("$SYS/broker/clients/connected")
    assert message is not None
    assert message.payload == b"151"
    for _ in telling[0]:
        pass
    [message] = topics("$SYS/broker/clients/connected")
    assert message is not None
    assert message.payload == b"152"


def test_members_of_shares_are_counted_as_they_come_and_go(scene: Scene) -> None:
    member, other = scene.connect("member", "$share/g/a", "$share/h/a", "b"), scene.connect("other")
    for topic_filter in ("$share/g/a", "$share/g/a", "$share/h/b"):
        scene.subscribe(other, topic_filter)
    shared = [scene.broker.router.subscriptions.shared]
    scene.ask(other, Unsubscribe(2, ["$share/g/a", "$share/none/a"]))
    shared.append(scene.broker.router.subscriptions.shared)
    member.vanish()
    shared.append(scene.broker.router.subscriptions.shared)
    assert shared == [4, 3, 1]


def test_who_subscribed_before_is_told_of_what_a_newcomer_had(scene: Scene) -> None:
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/broker/clients/connected")
    assert values(client, retain=True) == {"broker/clients/connected": "1"}
    other = scene.connect("b")
    scene.advance(5)
    scene.subscribe(other, "$SYS/broker/clients/connected")
    assert values(other, retain=True) == {"broker/clients/connected": "2"}
    scene.advance(5)
    assert values(client, retain=False) == {"broker/clients/connected": "2"}
    scene.advance(10)
    assert values(client, retain=False) == {}


def test_totals_remember_connections_that_ended(scene: Scene) -> None:
    other = scene.connect("other")
    other.send(encode_packet(Publish("t", b"x"), 4) * 3)
    other.vanish()
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/broker/publish/messages/received")
    assert values(client, retain=True) == {"broker/publish/messages/received": "3"}


def test_nothing_of_it_is_stored_or_counted_as_a_topic(scene: Scene) -> None:
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/#")
    scene.advance(30)
    assert scene.broker.retained() == []
    assert scene.broker.destinations() == []


def test_interval_0_switches_it_off() -> None:
    scene = scene_of(0)
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/#")
    scene.advance(100)
    assert values(client, retain=True) == {}
