"""`$SYS`: what a health check or a dashboard made for Mosquitto asks for is there."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import Connect, Pingreq, Publish, Request, Subscribe

from brokers.fake_peer import FakeClient, FakeNetwork

# What Mosquitto 2.0.11 publishes, but for its memory (heap, bytes of its store) and for what it
# only publishes when it is not 0.
MOSQUITTOS = """
bytes/received bytes/sent clients/active clients/connected clients/total messages/received
messages/sent messages/stored publish/messages/sent retained messages/count store/messages/count
subscriptions/count uptime version
load/bytes/received/15min load/bytes/sent/1min load/connections/5min load/messages/received/1min
load/messages/sent/1min load/publish/received/1min load/publish/sent/15min load/sockets/1min
""".replace("retained messages", "retained_messages").split()


class Scene:
    def __init__(self, interval: float = 10) -> None:
        self.clock = ManualClock()
        environment = Environment.create(self.clock, seed=1, journal=False)
        self.broker = MqttBroker(environment, MqttOptions(sys_interval=interval))
        self.network = FakeNetwork(self.broker, environment)

    def connect(self, name: str) -> FakeClient:
        client = self.network.connect()
        client.send(encode_packet(Connect(name), 4))
        client.take()
        return client

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.network.settle()

    @staticmethod
    def subscribe(client: FakeClient, topic_filter: str, qos: int = 0) -> None:
        client.send(encode_packet(Subscribe(1, [Request(topic_filter, qos)]), 4))


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
    return Scene()


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
    assert not set(MOSQUITTOS) - {name.replace("retained m", "retained_m") for name in names}


def test_only_asked_for_topics_come_and_wildcards_in_front_ask_for_none(scene: Scene) -> None:
    client = scene.connect("a")
    scene.subscribe(client, "#")
    scene.subscribe(client, "+/broker/uptime")
    scene.advance(100)
    assert values(client, retain=True) == {}
    scene.subscribe(client, "$SYS/broker/clients/+", 1)
    assert set(values(client, retain=True)) == {
        f"broker/clients/{name}"
        for name in ("active", "connected", "disconnected", "expired", "inactive", "total")
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
    scene = Scene(interval=0)
    client = scene.connect("a")
    scene.subscribe(client, "$SYS/#")
    scene.advance(100)
    assert values(client, retain=True) == {}
