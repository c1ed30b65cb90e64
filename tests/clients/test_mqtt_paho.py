"""Eclipse Paho's Python client, 3.1.1 and 5.0, unmodified."""

import queue
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from clients.conftest import Servers, wait_for

pytestmark = pytest.mark.client

VERSIONS = [pytest.param(paho.MQTTv311, id="3.1.1"), pytest.param(paho.MQTTv5, id="5.0")]
_numbers = count(1)


class Client:
    """A Paho client whose callbacks end up in queues."""

    def __init__(self, servers: Servers, version: int, client_id: str, **options: Any) -> None:
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.connected: queue.Queue[Any] = queue.Queue()
        self.subscribed: queue.Queue[Any] = queue.Queue()
        self.disconnected: queue.Queue[Any] = queue.Queue()
        self.version = version
        self.servers = servers
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, **options
        )
        self.paho.on_message = lambda *args: self.messages.put(args[2])
        self.paho.on_connect = lambda *args: self.connected.put(args[2:])
        self.paho.on_subscribe = lambda *args: self.subscribed.put(args[3])
        self.paho.on_disconnect = lambda *args: self.disconnected.put(args[3])

    def connect(self, **options: Any) -> Any:
        self.paho.connect("127.0.0.1", self.servers.ports["mqtt"], **options)
        self.paho.loop_start()
        flags, code, _ = self.connected.get(timeout=30)
        assert not code.is_failure, code
        return flags

    def subscribe(self, topic_filter: str, qos: int = 0, **options: Any) -> Any:
        self.paho.subscribe(topic_filter, qos, **options)
        return self.subscribed.get(timeout=30)

    def publish(self, topic: str, payload: bytes, qos: int = 0, **options: Any) -> None:
        self.paho.publish(topic, payload, qos, **options).wait_for_publish(30)

    def next(self) -> paho.MQTTMessage:
        return self.messages.get(timeout=30)

    def vanish(self) -> None:
        """End the socket without DISCONNECT and stay away."""
        self.paho.loop_stop()
        sock = self.paho.socket()
        assert sock is not None
        sock.close()

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


MakeClient = Callable[..., Client]


@pytest.fixture
def client(servers: Servers) -> Iterator[MakeClient]:
    made: list[Client] = []

    def make(version: int, name: str = "", **options: Any) -> Client:
        made.append(Client(servers, version, name or f"paho-{next(_numbers)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_arrive_in_order_at_each_qos(client: MakeClient, version: int, qos: int) -> None:
    publisher, subscriber = client(version), client(version)
    publisher.connect()
    subscriber.connect()
    topic = f"order/{version}/{qos}"
    subscriber.subscribe(topic, 2)
    for number in range(50):
        publisher.paho.publish(topic, b"%d" % number, qos)
    got = [subscriber.next() for _ in range(50)]
    assert [int(message.payload) for message in got] == list(range(50))
    assert {message.qos for message in got} == {qos}


@pytest.mark.parametrize("version", VERSIONS)
def test_retained_message_reaches_a_late_subscriber(client: MakeClient, version: int) -> None:
    publisher, subscriber = client(version), client(version)
    publisher.connect()
    publisher.publish(f"kept/{version}/a", b"21.5", 1, retain=True)
    subscriber.connect()
    subscriber.subscribe(f"kept/{version}/+", 1)
    message = subscriber.next()
    assert (message.payload, message.retain, message.qos) == (b"21.5", True, 1)
    publisher.publish(f"kept/{version}/a", b"", 1, retain=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_will_is_published_when_the_socket_vanishes(client: MakeClient, version: int) -> None:
    watcher, doomed = client(version), client(version)
    watcher.connect()
    watcher.subscribe(f"wills/{version}", 1)
    doomed.paho.will_set(f"wills/{version}", b"gone", qos=1)
    doomed.connect()
    doomed.vanish()
    assert watcher.next().payload == b"gone"


@pytest.mark.parametrize("version", VERSIONS)
def test_offline_messages_wait_in_a_persistent_session(
    client: MakeClient, servers: Servers, version: int
) -> None:
    name = f"sleeper-{version}"
    kept: dict[str, Any] = {}
    how: dict[str, Any] = {"clean_session": False}
    if version == paho.MQTTv5:
        kept["properties"] = Properties(PacketTypes.CONNECT)
        kept["properties"].SessionExpiryInterval = 300
        kept["clean_start"] = False
        how = {}
    sleeper = client(version, name, **how)
    assert not sleeper.connect(**kept).session_present
    sleeper.subscribe(f"offline/{version}", 1)
    sleeper.close()
    broker = servers.brokers["mqtt"]
    wait_for(lambda: broker.registry.by_client[name].sink is None)
    publisher = client(version)
    publisher.connect()
    publisher.publish(f"offline/{version}", b"while you were out", 1)
    again = client(version, name, **how)
    assert again.connect(**kept).session_present
    assert again.next().payload == b"while you were out"


def test_mqtt5_properties_and_subscription_identifier_arrive(client: MakeClient) -> None:
    publisher, subscriber = client(paho.MQTTv5), client(paho.MQTTv5)
    publisher.connect()
    subscriber.connect()
    wish = Properties(PacketTypes.SUBSCRIBE)
    wish.SubscriptionIdentifier = 77
    subscriber.paho.subscribe("props/+", options=SubscribeOptions(qos=1), properties=wish)
    subscriber.subscribed.get(timeout=30)
    told = Properties(PacketTypes.PUBLISH)
    told.UserProperty = ("trace", "abc")
    told.ContentType = "application/json"
    told.ResponseTopic = "answers/1"
    told.CorrelationData = b"42"
    told.MessageExpiryInterval = 60
    publisher.publish("props/a", b"{}", 1, properties=told)
    got: Any = subscriber.next().properties
    assert got.UserProperty == [("trace", "abc")]
    assert (got.ContentType, got.ResponseTopic, got.CorrelationData) == (
        "application/json",
        "answers/1",
        b"42",
    )
    assert got.SubscriptionIdentifier == [77]
    assert 0 < got.MessageExpiryInterval <= 60


def test_versions_reach_each_other(client: MakeClient) -> None:
    old, new = client(paho.MQTTv311), client(paho.MQTTv5)
    old.connect()
    new.connect()
    old.subscribe("mixed/to-old", 2)
    new.subscribe("mixed/to-new", 2)
    for qos in (0, 1, 2):
        old.publish("mixed/to-new", b"from 3.1.1", qos)
        new.publish("mixed/to-old", b"from 5.0", qos)
        assert new.next().payload == b"from 3.1.1"
        assert old.next().payload == b"from 5.0"


def test_takeover_tells_the_old_connection_why(client: MakeClient) -> None:
    first, second = client(paho.MQTTv5, "twins"), client(paho.MQTTv5, "twins")
    first.paho.on_disconnect = lambda *args: (first.disconnected.put(args[3]), args[0].loop_stop())
    first.connect()
    second.connect()
    assert first.disconnected.get(timeout=30).getName() == "Session taken over"


def test_a_refusal_names_what_was_broken_in_user_properties(client: MakeClient) -> None:
    asker = client(paho.MQTTv5)
    ended: queue.Queue[Any] = queue.Queue()
    unknown: queue.Queue[Any] = queue.Queue()
    asker.paho.on_unsubscribe = lambda *args: unknown.put(args[4])
    asker.paho.on_disconnect = lambda *args: (ended.put(args[4]), args[0].loop_stop())
    asker.connect()
    asker.paho.unsubscribe("never/was")
    assert unknown.get(timeout=30).UserProperty == [
        ("never/was", "the session has no such subscription")
    ]
    wrong = Properties(PacketTypes.PUBLISH)
    wrong.TopicAlias = 65_535
    asker.paho.publish("a", b"", properties=wrong)
    told = ended.get(timeout=30)
    assert told.UserProperty == [
        ("statement", "MQTT-3.3.2-9"),
        ("setting", "topic_alias_maximum"),
    ]
    assert "above our maximum of 256" in told.ReasonString
