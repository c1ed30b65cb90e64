"""What time and absence do to wills, messages and shares, at Mosquitto and at us as Mosquitto.

Where the two differ, OTHERWISE has what decides; only that is left out of the comparison.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from differential.mqtt import (
    MOSQUITTO,
    Client,
    FakeLink,
    Link,
    SocketLink,
    as_mosquitto,
    configured,
    mosquitto_at,
)
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.mqtt.wire.packets import (
    Connect,
    Disconnect,
    Publish,
    Request,
    Subscribe,
    Unsubscribe,
    Will,
)

pytestmark = [pytest.mark.client, pytest.mark.slow]

KEPT: Final = {"session_expiry_interval": 100}
OTHERWISE: Final = {
    ("will/no session", b"no session"): "a session that ends with its connection takes its will's "
    "delay with it (3.1.3.2.2); Mosquitto keeps the will for 100 s",
    ("will/anew", b"anew"): "Clean Start 1 ends the session before, and so its will is due "
    "(3.1.2.5); Mosquitto drops it",
    ("t/broken 1", b"1"): "what was sent and not acknowledged is sent again [MQTT-4.4.0-1], since "
    "expiry ends what was not begun [MQTT-3.3.2-5]; Mosquitto drops it",
    ("t/broken 2", b"1"): "the same of QoS 2",
}
"""Topic and payload of what we send and Mosquitto does not, and what decides."""


class World:
    """Clients of one broker, whose time goes on by `wait`, and what each got."""

    def __init__(self, connect: Callable[[], Link], wait: Callable[[float], object]) -> None:
        self.record: list[Any] = []
        self.wait = wait
        self._connect = connect
        self._clients: list[Client] = []

    def come(self, name: str, version: int = 5, **more: Any) -> Client:
        client = self.call(name, version, **more)
        self.look(client)
        return client

    def call(self, name: str, version: int = 5, **more: Any) -> Client:
        """As `come`, and what it gets is looked at later."""
        client = Client(self._connect(), version)
        self._clients.append(client)
        client.send(Connect(name, version, **{"keep_alive": 60, **more}))
        return client

    def back(self, name: str, version: int = 5, *wanted: Request, **more: int) -> Client:
        """As `come`, of a session that goes on, and its subscriptions."""
        properties = KEPT | more if version == 5 else {}
        client = self.come(name, version, clean_start=False, properties=properties)
        if wanted:
            client.send(Subscribe(1, list(wanted)))
            self.look(client)
        return client

    def look(self, *clients: Client, before: Iterable[Any] = ()) -> None:
        """What they got, whoever of them did, and what they had got `before`."""
        found = [*before, *(each for client in clients for each in client.settle())]
        self.record.append(sorted(found, key=repr))

    def close(self) -> None:
        for client in self._clients:
            client.link.close()


SOON: Final = 10
"""Seconds in which all of them are gone and back also on a busy machine: Mosquitto's are real."""


class Left(NamedTuple):
    """A client with a will: how it goes, and how it comes back half a second later."""

    expiry: int = 100
    delay: int = SOON
    end: int | None = None
    """The code of its DISCONNECT; None: the connection breaks."""
    back: Mapping[str, Any] = {}
    version: int = 5


LEFT: Final = {
    "due": Left(),
    "far": Left(delay=100),
    "session first": Left(SOON, 100),
    "delay first": Left(2 * SOON, SOON),
    "no session": Left(0, 100),
    "at once": Left(delay=0),
    "back": Left(back={"clean_start": False, "properties": KEPT}),
    "anew": Left(delay=100, back={"clean_start": True, "properties": KEPT}),
    "back as 3.1.1": Left(back={"clean_start": False, "version": 4}),
    "says goodbye": Left(end=0),
    "asks for it": Left(end=4),
    "asks for it at once": Left(delay=0, end=4),
    "3.1": Left(version=3),
    "3.1.1": Left(version=4),
}


def wills_wait(world: World) -> None:
    watcher = world.come("watcher")
    watcher.send(Subscribe(1, [Request("will/#", 2, retain_as_published=True)]))
    world.look(watcher)
    for name, left in LEFT.items():
        new = left.version == 5
        more = {"will_delay_interval": left.delay, "content_type": "x"} if new else {}
        client = world.come(
            name,
            left.version,
            clean_start=False,
            will=Will(f"will/{name}", name.encode(), 1, properties=more),
            properties={"session_expiry_interval": left.expiry} if new else {},
        )
        if left.end is not None:
            client.send(Disconnect(left.end))
        client.link.close()
    world.look(watcher)
    world.wait(0.5)
    for name, left in LEFT.items():
        if left.back:
            world.come(name, **left.back)
    world.look(watcher)
    # Mosquitto looks for wills that are due each second.
    world.wait(SOON + 3)
    world.look(watcher)


def messages_expire(world: World) -> None:
    """What waits for who is away, for who acknowledges nothing, and as retained messages."""
    takers = {f"{version} {qos}": (version, qos) for version in (4, 5) for qos in (1, 2)}
    takers |= {f"{how} {qos}": (5, qos) for how in ("slow", "broken") for qos in (1, 2)}
    clients = {}
    for name, (version, qos) in takers.items():
        more = {"receive_maximum": 1} if name.startswith("slow") else {}
        clients[name] = client = world.back(name, version, Request(f"t/{name}", qos), **more)
        if not name.startswith(("slow", "broken")):
            client.link.close()
    sender = world.come("sender")
    for life in (1, 100, None):
        properties = {} if life is None else {"message_expiry_interval": life}
        payload = b"%r" % life
        for name, (_, qos) in takers.items():
            message = Publish(f"t/{name}", payload, qos, packet_id=9, properties=dict(properties))
            sender.send(message)
            world.look(sender)
        for topic in (f"kept/{life}", "kept/renewed"):
            sender.send(Publish(topic, payload, 0, True, properties=dict(properties)))
    world.look(sender)
    for name in ("broken 1", "broken 2"):
        clients[name].link.close()
    world.wait(2.5)
    world.look(clients["slow 1"])
    world.look(clients["slow 2"])
    for name, (version, _) in takers.items():
        if not name.startswith("slow"):
            world.back(name, version)
    for version in (3, 4, 5):
        late = world.come(f"late {version}", version)
        late.send(Subscribe(1, [Request("kept/#", 1)]))
        world.look(late)


def members_of_shares_go(world: World) -> None:
    """Which member gets a message is the server's choice (4.8.2): all of a share are looked at."""

    def say(*payloads: bytes, qos: int = 1) -> None:
        for payload in payloads:
            sender.send(Publish("s", payload, qos, packet_id=9))
            world.look(sender)

    sender = world.come("sender")
    one, two = (world.back(each, 5, Request("$share/g/s", 1)) for each in ("one", "two"))
    old = world.back("old", 4, Request("$share/h/+", 2))
    both = world.back("both", 5, Request("$share/i/s", 2), Request("$share/j/#", 0))
    say(b"1", b"2", b"3", b"4", qos=2)
    for members in ([one, two], [old], [both]):
        world.look(*members)
    # One is away, then all are; QoS 0 waits for nobody.
    one.link.close()
    world.wait(0.3)
    say(b"5", b"6", b"7")
    taken = two.settle()
    for client in (two, old):
        client.link.close()
    world.wait(0.3)
    say(b"8", b"9")
    say(b"lost", qos=0)
    one, two = (world.call(each, clean_start=False, properties=KEPT) for each in ("one", "two"))
    world.look(one, two, before=taken)
    world.back("old", 4)
    # Who unsubscribes gets nothing more of it, and the last one ends it.
    two.send(Unsubscribe(3, ["$share/g/s"]))
    world.look(two)
    say(b"10", b"11")
    world.look(one)
    one.send(Unsubscribe(3, ["$share/g/s"]))
    world.look(one)
    say(b"12")
    world.look(one, two)


def without(record: list[Any], found: set[tuple[str, bytes]]) -> Iterator[Any]:
    """The record but for what is known to differ, of which what there is goes to `found`."""
    for log in record:
        known = [each[1:3] for each in log if each[0] == "PUBLISH" and each[1:3] in OTHERWISE]
        found |= set(known)
        yield [each for each in log if each[0] != "PUBLISH" or each[1:3] not in OTHERWISE]


@pytest.mark.parametrize(
    ("happens", "differ"),
    [(wills_wait, "will/"), (messages_expire, "t/"), (members_of_shares_go, "none")],
)
def test_mosquitto_and_we_do_the_same_over_time(
    happens: Callable[[World], None], differ: str, tmp_path: Path
) -> None:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")

    def record(connect: Callable[[], Link], wait: Callable[[float], object]) -> list[Any]:
        with closing(World(connect, wait)) as world:
            happens(world)
            return world.record

    conf, port = configured(tmp_path)
    with mosquitto_at(conf, port):
        theirs = record(lambda: SocketLink(port), time.sleep)
    clock = ManualClock()
    network = as_mosquitto(clock)
    ours = record(lambda: FakeLink(network), clock.advance)
    we_send: set[tuple[str, bytes]] = set()
    they_send: set[tuple[str, bytes]] = set()
    assert list(without(ours, we_send)) == list(without(theirs, they_send))
    assert we_send == {each for each in OTHERWISE if each[0].startswith(differ)}
    assert they_send == set()
