"""Users and rules: refused with the codes that Mosquitto 2.0.11 has for it.

It was asked for each line of `LOGINS`, `PUBLISHES` and `SUBSCRIPTIONS`, in 3.1.1 and 5.0: logins
and publishes with a password_file and an acl_file; subscriptions with its dynamic security, since
with an acl_file it grants every subscription and filters what it delivers.
"""

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import AccessDenied
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.records import Message
from mockforge_brokers.mqtt.state.topics import covers
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Connect,
    Disconnect,
    Publish,
    Request,
    Subscribe,
    Will,
)
from msgspec.structs import replace

from brokers.fake_peer import FakeClient, FakeNetwork


class Town:
    """A broker with the user alice, who may write a/# and p/%u/%c and read a/#."""

    def __init__(self, *rules: str) -> None:
        self.environment = Environment.create(ManualClock(), seed=1)
        self.access = self.environment.access
        self.access.add_user("alice", "secret")
        self.access.anonymous.clear()
        for rule in rules or ("allow alice all mqtt:a/#", "allow alice publish mqtt:p/%u/%c"):
            self.access.add_rule(rule_of(rule))
        self.broker = MqttBroker(self.environment)
        self.network = FakeNetwork(self.broker, self.environment)
        self.denied: list[AccessDenied] = []
        self.environment.spine.watch(
            lambda event: self.denied.append(event) if isinstance(event, AccessDenied) else None
        )

    def knock(
        self, version: int, user: str | None, password: bytes | None = None, will: str = ""
    ) -> tuple[FakeClient, bytes]:
        client = self.network.connect()
        wills = Will(will, b"gone") if will else None
        packet = Connect("cid", version, user_name=user, password=password, will=wills)
        client.send(encode_packet(packet, version))
        return client, client.take()

    def enter(self, version: int, will: str = "") -> FakeClient:
        return self.knock(version, "alice", b"secret", will)[0]


LOGINS = [
    ("alice", b"wrong", "wrong password"),
    ("alice", None, "wrong password"),
    ("nobody", b"secret", "no such user"),
    (None, None, "a user and a password are wanted here"),
]


@pytest.mark.parametrize(("user", "password", "why"), LOGINS)
@pytest.mark.parametrize(("version", "answer"), [(4, "20 02 00 05"), (5, "20 ?? 00 87")])
def test_a_refused_login_has_mosquittos_code(
    version: int, answer: str, user: str | None, password: bytes | None, why: str
) -> None:
    town = Town()
    client, got = town.knock(version, user, password)
    assert (got[0], got[3]) == (0x20, int(answer[-2:], 16))
    assert client.peer.ended == "closed"
    (event,) = town.denied
    assert event.reason.startswith(why)


def test_the_right_password_opens_the_door() -> None:
    town = Town()
    client, got = town.knock(4, "alice", b"secret")
    assert got == b"\x20\x02\0\0"
    principal = client.peer.principal
    assert (principal.name, principal.mechanism) == ("alice", "password")
    (view,) = town.broker.connections()
    assert view.principal == principal


def test_without_users_a_name_is_believed() -> None:
    town = Town()
    town.access.users.clear()
    town.access.anonymous.add("mqtt")
    client, got = town.knock(4, "bob", b"x")
    assert got == b"\x20\x02\0\0"
    assert (client.peer.principal.name, client.peer.principal.mechanism) == ("bob", "")


def test_a_certificate_logs_in_who_gives_no_name() -> None:
    town = Town()
    client = town.network.connect()
    client.peer.principal = replace(client.peer.principal, certificate="CN=alice,O=x")
    client.send(encode_packet(Connect("cid", 4), 4))
    assert client.take() == b"\x20\x02\0\0"
    assert client.peer.principal.name == "alice"


PUBLISHES = [
    # topic, QoS, answer of 3.1.1 and of MQTT 5
    ("a/1", 1, "40 02 00 07", "40 03 00 07 10"),
    ("b/1", 0, "", ""),
    ("b/1", 1, "40 02 00 07", "40 03 00 07 87"),
    ("b/1", 2, "50 02 00 07", "50 03 00 07 87"),
    ("p/alice/cid", 1, "40 02 00 07", "40 03 00 07 10"),
    ("p/alice/other", 1, "40 02 00 07", "40 03 00 07 87"),
]


@pytest.mark.parametrize(("topic", "qos", "old", "new"), PUBLISHES)
@pytest.mark.parametrize("version", [4, 5])
def test_publishes_are_refused_as_each_version_can(
    version: int, topic: str, qos: int, old: str, new: str
) -> None:
    town = Town()
    client = town.enter(version)
    client.send(encode_packet(Publish(topic, b"x", qos, packet_id=7 if qos else 0), version))
    answer = bytes.fromhex(new if version == 5 else old)
    why = f"no rule allows it: allow alice write mqtt:{topic}".encode()
    if answer[-1:] == b"\x87":
        # The reason string says which rule is missing, a user property where.
        told = b"\x1f" + len(why).to_bytes(2, "big") + why
        told += b"\x26\0\5topic" + len(topic).to_bytes(2, "big") + topic.encode()
        answer = answer[:1] + bytes((4 + len(told),)) + answer[2:] + bytes((len(told),)) + told
    assert client.take() == answer
    allowed = topic in ("a/1", "p/alice/cid")
    counts = town.broker.router.topics.get(topic)
    assert (counts.published if counts else 0) == allowed
    assert [event.reason for event in town.denied] == (
        [] if allowed else [f"no rule allows it: allow alice write mqtt:{topic}"]
    )


def test_a_refused_exactly_once_publish_of_old_comes_to_its_end() -> None:
    client = Town().enter(4)
    client.send(encode_packet(Publish("b", b"x", 2, packet_id=7), 4))
    client.send(bytes.fromhex("62 02 00 07"))
    assert client.take() == bytes.fromhex("50 02 00 07 70 02 00 07")


SUBSCRIPTIONS = [
    ("a/#", True),
    ("a/+/x", True),
    ("#", False),
    ("+/1", False),
    ("b/1", False),
    ("$share/g/b/1", False),
    # Mosquitto wants a rule that names $share; for us a right to a filter is one to share it.
    ("$share/g/a/1", True),
]


@pytest.mark.parametrize(("topic_filter", "allowed"), SUBSCRIPTIONS)
@pytest.mark.parametrize(("version", "code"), [(4, 0x80), (5, 0x87)])
def test_a_filter_is_refused_where_it_reaches_beyond_the_rules(
    version: int, code: int, topic_filter: str, allowed: bool
) -> None:
    client = Town().enter(version)
    client.send(encode_packet(Subscribe(9, [Request(topic_filter, 1)]), version))
    assert client.take()[-1] == (1 if allowed else code)


@pytest.mark.parametrize(("topic", "published"), [("a/will", 1), ("b/will", 0)])
def test_a_will_that_may_not_be_published_is_none(topic: str, published: int) -> None:
    # Mosquitto, too, takes the CONNECT and leaves out the will when its time comes.
    town = Town()
    town.enter(4, will=topic).vanish()
    counts = town.broker.router.topics.get(topic)
    assert (counts.published if counts else 0) == published


def test_rules_hold_from_when_they_change_also_on_the_fast_path() -> None:
    town = Town("allow alice all mqtt:#")
    number = next(iter(town.access.rules))
    town.access.remove_rule(number)
    client = town.enter(4)
    client.send(encode_packet(Subscribe(1, [Request("t", 0)]), 4))
    packet = encode_packet(Publish("t", b"x"), 4)
    client.send(packet * 3)
    client.take()
    denying = town.access.add_rule(rule_of("deny alice write mqtt:t"))
    client.send(packet * 3)
    assert client.take() == b""
    town.access.remove_rule(denying)
    client.send(packet * 3)
    assert client.take() == packet * 3


NARROW = ("allow alice all mqtt:a/#", "deny alice read mqtt:a/secret")


def publishes(town: Town, *topics: str, qos: int = 0, retain: bool = False) -> None:
    """As the broker's own, whom no rule holds back."""
    for topic in topics:
        town.broker.router.publish(Message(topic, topic.encode(), qos, retain))
    town.network.settle()


def payloads(client: FakeClient, *topics: str) -> list[str]:
    """Those of `topics` that came, by their payload: it ends the packet."""
    got = client.take()
    return [topic for topic in topics if got.count(topic.encode()) == 2]


@pytest.mark.parametrize("topic_filter", ["a/#", "a/+", "$share/g/a/+"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_narrower_rule_that_denies_is_asked_at_delivery(topic_filter: str, qos: int) -> None:
    # Mosquitto, too, grants the filter and asks its ACL for each message.
    town = Town(*NARROW)
    client = town.enter(5)
    client.send(encode_packet(Subscribe(1, [Request(topic_filter, qos)]), 5))
    assert client.take()[-1] == qos
    for _ in range(3):
        publishes(town, "a/secret", "a/other", qos=qos)
        assert payloads(client, "a/secret", "a/other") == ["a/other"]
    assert [(event.operation, event.reason) for event in town.denied] == [
        ("read a/secret", "a rule denies it: deny alice read mqtt:a/secret")
    ]
    assert town.broker.router.topics["a/secret"].delivered == 0


def test_what_is_retained_where_a_rule_denies_is_not_sent_either() -> None:
    town = Town(*NARROW)
    publishes(town, "a/secret", "a/other", retain=True)
    client = town.enter(4)
    client.send(encode_packet(Subscribe(1, [Request("a/#", 0)]), 4))
    assert payloads(client, "a/secret", "a/other") == ["a/other"]


def test_rules_that_change_hold_for_subscriptions_that_are_there() -> None:
    town = Town("allow alice all mqtt:a/#")
    client = town.enter(4)
    client.send(encode_packet(Subscribe(1, [Request("a/#", 0)]), 4))
    publishes(town, "a/1")
    assert payloads(client, "a/1") == ["a/1"]
    denying = town.access.add_rule(rule_of("deny alice read mqtt:a/1"))
    publishes(town, "a/1")
    assert payloads(client, "a/1") == []
    town.access.remove_rule(denying)
    publishes(town, "a/1")
    assert payloads(client, "a/1") == ["a/1"]


def test_what_waited_for_a_client_that_was_away_is_asked_for_when_it_is_back() -> None:
    town = Town(*NARROW)

    def enter() -> FakeClient:
        client = town.network.connect()
        packet = Connect("cid", 4, clean_start=False, user_name="alice", password=b"secret")
        client.send(encode_packet(packet, 4))
        return client

    client = enter()
    client.send(encode_packet(Subscribe(1, [Request("a/#", 1)]), 4))
    client.vanish()
    publishes(town, "a/secret", "a/other", qos=1)
    assert payloads(enter(), "a/secret", "a/other") == ["a/other"]


def test_a_member_of_a_share_that_may_not_read_is_passed_over() -> None:
    town = Town("allow alice all mqtt:a/#", "allow bob all mqtt:a/#", "deny bob read mqtt:a/1")
    town.access.add_user("bob", "secret")
    clients = {}
    for name in ("alice", "bob"):
        clients[name] = client = town.network.connect()
        packet = Connect(name, 4, user_name=name, password=b"secret")
        client.send(encode_packet(packet, 4))
        client.send(encode_packet(Subscribe(1, [Request("$share/g/a/#", 1)]), 4))
        client.take()
    publishes(town, "a/1", "a/1", "a/1", "a/1")
    assert (clients["alice"].take().count(b"a/1a/1"), clients["bob"].take()) == (4, b"")
    # It waits for who may read it, though slow, and does not go to who reads and may not.
    clients["alice"].set_writable(False)
    publishes(town, "a/1", qos=1)
    clients["alice"].set_writable(True)
    assert (payloads(clients["alice"], "a/1"), clients["bob"].take()) == (["a/1"], b"")


def test_a_topic_of_the_broker_itself_is_read_by_who_may() -> None:
    town = Town("allow alice all mqtt:$SYS/#", "deny alice read mqtt:$SYS/broker/uptime")
    client = town.enter(4)
    client.send(encode_packet(Subscribe(1, [Request("$SYS/broker/#", 0)]), 4))
    got = client.take()
    assert b"$SYS/broker/version" in got
    assert b"$SYS/broker/uptime" not in got


@pytest.mark.parametrize("client_id", ["+", "a/b", "#"])
def test_a_client_called_like_a_wildcard_gets_nobody_elses_topics(client_id: str) -> None:
    town = Town("allow alice subscribe mqtt:inbox/%c/#")
    client = town.network.connect()
    client.send(encode_packet(Connect(client_id, 4, user_name="alice", password=b"secret"), 4))
    client.take()
    client.send(encode_packet(Subscribe(9, [Request(f"inbox/{client_id}/#", 1)]), 4))
    got = client.take()
    assert not got or got[-1] == 0x80


@pytest.mark.parametrize(
    ("pattern", "topic_filter", "wider"),
    [
        ("#", "a/+/#", True),
        ("#", "$SYS/x", False),
        ("a/#", "a", True),
        ("a/#", "#", False),
        ("a/b/#", "a/#", False),
        ("a/+", "a/+", True),
        ("a/+", "a/#", False),
        ("a/b", "a/+", False),
        ("+/b", "a/b", True),
        ("a/b", "a/b/c", False),
    ],
)
def test_a_pattern_covers_filters_that_are_no_wider(
    pattern: str, topic_filter: str, wider: bool
) -> None:
    assert covers(pattern, topic_filter) is wider


def test_who_leaves_in_peace_publishes_no_will() -> None:
    town = Town()
    town.enter(4, will="a/will").send(encode_packet(Disconnect(), 4))
    assert "a/will" not in town.broker.router.topics
