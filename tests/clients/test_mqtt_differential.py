"""Mosquitto and we as Mosquitto (`--mqtt-as mosquitto`) answer and deliver alike.

A few scripts, always the same; `python -m tests.differential.mqtt` plays as many as one likes.
"""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from differential.mqtt import (
    MOSQUITTO,
    RELAXED,
    Client,
    FakeLink,
    Link,
    SocketLink,
    answers_of_mosquitto,
    as_mosquitto,
    compare,
    configured,
    mosquitto_at,
    our_answers,
)
from differential.mqtt_scripts import Step, scripts
from hypothesis import given, settings
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.mqtt.wire.packets import (
    Connect,
    Disconnect,
    Packet,
    Publish,
    Request,
    Subscribe,
    Will,
)

pytestmark = [pytest.mark.client, pytest.mark.slow]


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Where its settings are, and the port of the one that runs."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    return configured(tmp_path_factory.mktemp("mosquitto"))


@settings(max_examples=40, derandomize=True, **RELAXED)
@given(steps=scripts)
@pytest.mark.timeout(300)
def test_mosquitto_and_we_answer_and_deliver_alike(
    mosquitto: tuple[Path, int], steps: list[Step]
) -> None:
    compare(answers_of_mosquitto(*mosquitto, steps), our_answers(steps), steps)


def what_time_does(connect: Callable[[], Link], wait: Callable[[float], object]) -> list[Any]:
    """Wills, sessions and messages that are due after one second or not, and silent clients."""

    def call(name: str, version: int = 5, **more: Any) -> Client:
        client = Client(connect(), version)
        clients.append(client)
        client.send(Connect(name, version, **{"keep_alive": 60, **more}))
        return client

    def come(name: str, version: int = 5, **more: Any) -> Client:
        client = call(name, version, **more)
        record.append((name, client.settle()))
        return client

    record: list[Any] = []
    clients: list[Client] = []
    kept, short = {"session_expiry_interval": 100}, {"session_expiry_interval": 1}
    watcher = come("watcher")
    watcher.send(Subscribe(1, [Request("will/#", 0)]))
    record.append(watcher.settle())
    for name, session, delay in (
        ("late", kept, 1), ("never", kept, 100), ("ends", short, 100), ("at once", kept, 0),
    ):  # fmt: skip
        will = Will(f"will/{name}", b"", properties={"will_delay_interval": delay})
        come(name, clean_start=False, will=will, properties=session).link.close()
    taker = come("taker", clean_start=False, properties=kept)
    taker.send(Subscribe(1, [Request("t", 1)]))
    record.append(taker.settle())
    taker.link.close()
    for payload, life in ((b"over", 1), (b"there", 100), (b"for ever", None)):
        properties = {} if life is None else {"message_expiry_interval": life}
        watcher.send(Publish("t", payload, 1, packet_id=9, properties=properties))
        watcher.send(Publish(f"kept/{life}", payload, retain=True, properties=properties))
    # On a busy machine a will of one second comes before what is said next: all are looked at
    # together (`test_mqtt_over_time.py` has which of them are due at once).
    seen = watcher.settle()
    silent = [call(f"silent {version}", version, keep_alive=1) for version in (3, 4, 5)]
    wait(4)
    record.append(sorted([*seen, *watcher.settle()], key=repr))
    record.append([client.until_ended() for client in silent])
    for name in ("never", "ends", "late"):
        come(name, clean_start=False, properties=kept)
    come("taker", clean_start=False, properties=kept)
    watcher.send(Subscribe(1, [Request("kept/#", 0)]))
    record.append(watcher.settle())
    for client in clients:
        client.link.close()
    return record


def test_mosquitto_and_we_let_the_same_things_expire(
    mosquitto: tuple[Path, int],
) -> None:
    conf, port = mosquitto
    # Mosquitto has no clock but the wall's.
    with mosquitto_at(conf, port):
        theirs = what_time_does(lambda: SocketLink(port), time.sleep)
    clock = ManualClock()
    network = as_mosquitto(clock)
    assert what_time_does(lambda: FakeLink(network), clock.advance) == theirs


class Recorded:
    """Clients of one broker, and what each got once it said something."""

    def __init__(self, connect: Callable[[], Link]) -> None:
        self.log: list[Any] = []
        self._connect = connect
        self._clients: list[Client] = []
        self.sender = self.come("sender")

    def come(self, name: str, version: int = 5, *filters: str, **properties: Any) -> Client:
        client = Client(self._connect(), version)
        self._clients.append(client)
        kept = {"session_expiry_interval": 100, **properties} if version == 5 else {}
        self.say(client, Connect(name, version, False, 60, properties=kept))
        if filters:
            self.say(client, Subscribe(1, [Request(each, 2) for each in filters]))
        return client

    def say(self, client: Client, *packets: Packet) -> None:
        client.send(*packets)
        self.log.append((packets, client.settle()))

    def publish(self, topic: str, count: int = 1, qos: int = 1) -> None:
        for number in range(count):
            self.say(self.sender, Publish(topic, b"%d" % number, qos, packet_id=20 + number))

    def close(self) -> None:
        for client in self._clients:
            client.link.close()


def a_session_is_taken_over(world: Recorded) -> None:
    """Two messages are under way and three wait by then; before MQTT 5 all are under way."""
    for qos in (1, 2):
        for first, second in ((5, 5), (5, 4), (4, 5), (3, 5)):
            name = f"{qos} {first} {second}"
            world.come(name, first, f"q/{name}", receive_maximum=2)
            world.publish(f"q/{name}", 5, qos)
            world.say(world.come(name, second), Disconnect())
            world.come(name, second)


def a_session_has_another_end_at_disconnect(world: Recorded) -> None:
    for at_end in ({}, {"session_expiry_interval": 0}, {"session_expiry_interval": 50}):
        name = f"ends {at_end}"
        world.say(world.come(name, 5, f"e/{name}"), Disconnect(properties=dict(at_end)))
        world.publish(f"e/{name}")
        world.come(name)


def messages_are_retained_for_other_versions(world: Recorded) -> None:
    for version in (3, 4, 5):
        more = {"content_type": "text", "user_property": [("k", "v")]} if version == 5 else {}
        message = Publish(f"r/{version}", b"kept", 1, True, packet_id=9, properties=more)
        world.say(world.come(f"by {version}", version), message)
    for version in (3, 4, 5):
        world.come(f"to {version}", version, "r/+")


def an_alias_is_its_connections_alone(world: Recorded) -> None:
    """It stands for the topic that it was given last."""
    taker, sender = world.come("taker", 5, "a/+"), world.sender
    for topic in ("a/1", "a/2", "", "taken over"):
        if topic == "taken over":
            sender, topic = world.come("sender"), ""
        world.say(sender, Publish(topic, b"x", 1, packet_id=9, properties={"topic_alias": 1}))
        world.say(taker)


@pytest.mark.parametrize(
    "happens",
    [
        a_session_is_taken_over,
        a_session_has_another_end_at_disconnect,
        messages_are_retained_for_other_versions,
        an_alias_is_its_connections_alone,
    ],
)
def test_mosquitto_and_we_do_the_same_when(
    happens: Callable[[Recorded], None], mosquitto: tuple[Path, int]
) -> None:
    def log(connect: Callable[[], Link]) -> list[Any]:
        with closing(Recorded(connect)) as world:
            happens(world)
            return world.log

    conf, port = mosquitto
    with mosquitto_at(conf, port):
        theirs = log(lambda: SocketLink(port))
    network = as_mosquitto(ManualClock())
    assert log(lambda: FakeLink(network)) == theirs
