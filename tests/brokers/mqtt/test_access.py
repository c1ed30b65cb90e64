"""Users and rules: refused with the codes that Mosquitto 2.0.11 has for it.

It was asked for each line of `LOGINS`, `PUBLISHES` and `SUBSCRIPTIONS`, in 3.1.1 and 5.0: logins
and publishes with a password_file and an acl_file; subscriptions with its dynamic security, since
with an acl_file it grants every subscription and filters what it delivers.
"""

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.events import AccessDenied
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

from ..fake_peer import FakeClient
from .scene import Scene


class Guarded(Scene):
    """A broker with the user alice, who may write a/# and p/%u/%c and read a/#."""

    def __init__(self, *rules: str) -> None:
        super().__init__(version=4)
        self.guard(*rules or ("allow alice all mqtt:a/#", "allow alice publish mqtt:p/%u/%c"))

    @property
    def denied(self) -> list[AccessDenied]:
        return self.emitted(AccessDenied)

    def knock(
        self, version: int, user: str | None, password: bytes | None = None, will: str = ""
    ) -> tuple[FakeClient, bytes]:
        wills = Will(will, b"gone") if will else None
        client = self.come(Connect("cid", version, user_name=user, password=password, will=wills))
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
    scene = Guarded()
    client, got = scene.knock(version, user, password)
    assert (got[0], got[3]) == (0x20, int(answer[-2:], 16))
    assert client.peer.ended == "closed"
    (event,) = scene.denied
    assert event.reason.startswith(why)


def test_the_right_password_opens_the_door() -> None:
    scene = Guarded()
    client, got = scene.knock(4, "alice", b"secret")
    assert got == b"\x20\x02\0\0"
    principal = client.peer.principal
    assert (principal.name, principal.mechanism) == ("alice", "password")
    (view,) = scene.broker.connections()
    assert view.principal == principal


def test_without_users_a_name_is_believed() -> None:
    scene = Guarded()
    scene.access.users.clear()
    scene.access.anonymous.add("mqtt")
    client, got = scene.knock(4, "bob", b"x")
    assert got == b"\x20\x02\0\0"
    assert (client.peer.principal.name, client.peer.principal.mechanism) == ("bob", "")


@pytest.mark.parametrize(
    ("subject", "answer", "name"),
    [("CN=alice,O=x", b"\x20\x02\0\0", "alice"), ("O=x", b"\x20\x02\0\x05", "")],
)
def test_a_certificate_with_a_cn_logs_in_who_gives_no_name(
    subject: str, answer: bytes, name: str
) -> None:
    scene = Guarded()
    client = scene.network.connect()
    client.peer.principal = replace(client.peer.principal, certificate=subject)
    scene.send(client, Connect("cid", 4))
    assert client.take() == answer
    assert client.peer.principal.name == name


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
    scene = Guarded()
    client = scene.enter(version)
    scene.send(client, Publish(topic, b"x", qos, packet_id=7 if qos else 0))
    answer = bytes.fromhex(new if version == 5 else old)
    why = f"no rule allows it: allow alice write mqtt:{topic}".encode()
    if answer[-1:] == b"\x87":
        # The reason string says which rule is missing, a user property where.
        told = b"\x1f" + len(why).to_bytes(2, "big") + why
        told += b"\x26\0\5topic" + len(topic).to_bytes(2, "big") + topic.encode()
        answer = answer[:1] + bytes((4 + len(told),)) + answer[2:] + bytes((len(told),)) + told
    assert client.take() == answer
    allowed = topic in ("a/1", "p/alice/cid")
    counts = scene.broker.router.topics.get(topic)
    assert (counts.published if counts else 0) == allowed
    assert [event.reason for event in scene.denied] == (
        [] if allowed else [f"no rule allows it: allow alice write mqtt:{topic}"]
    )


def test_a_refused_exactly_once_publish_of_old_comes_to_its_end() -> None:
    scene = Guarded()
    client = scene.enter(4)
    scene.send(client, Publish("b", b"x", 2, packet_id=7))
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
    scene = Guarded()
    client = scene.enter(version)
    scene.send(client, Subscribe(9, [Request(topic_filter, 1)]))
    assert client.take()[-1] == (1 if allowed else code)


@pytest.mark.parametrize(("topic", "published"), [("a/will", 1), ("b/will", 0)])
def test_a_will_that_may_not_be_published_is_none(topic: str, published: int) -> None:
    # Mosquitto, too, takes the CONNECT and leaves out the will when its time comes.
    scene = Guarded()
    scene.enter(4, will=topic).vanish()
    counts = scene.broker.router.topics.get(topic)
    assert (counts.published if counts else 0) == published


def test_rules_hold_from_when_they_change_also_on_the_fast_path() -> None:
    scene = Guarded("allow alice all mqtt:#")
    number = next(iter(scene.access.rules))
    scene.access.remove_rule(number)
    client = scene.enter(4)
    scene.send(client, Subscribe(1, [Request("t", 0)]))
    packet = encode_packet(Publish("t", b"x"), 4)
    client.send(packet * 3)
    client.take()
    denying = scene.access.add_rule(rule_of("deny alice write mqtt:t"))
    client.send(packet * 3)
    assert client.take() == b""
    scene.access.remove_rule(denying)
    client.send(packet * 3)
    assert client.take() == packet * 3


NARROW = ("allow alice all mqtt:a/#", "deny alice read mqtt:a/secret")


def publishes(scene: Guarded, *topics: str, qos: int = 0, retain: bool = False) -> None:
    """As the broker's own, whom no rule holds back."""
    for topic in topics:
        scene.broker.router.publish(Message(topic, topic.encode(), qos, retain))
    scene.network.settle()


def payloads(client: FakeClient, *topics: str) -> list[str]:
    """Those of `topics` that came, by their payload: it ends the packet."""
    got = client.take()
    return [topic for topic in topics if got.count(topic.encode()) == 2]


@pytest.mark.parametrize("topic_filter", ["a/#", "a/+", "$share/g/a/+"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_narrower_rule_that_denies_is_asked_at_delivery(topic_filter: str, qos: int) -> None:
    # Mosquitto, too, grants the filter and asks its ACL for each message.
    scene = Guarded(*NARROW)
    client = scene.enter(5)
    scene.send(client, Subscribe(1, [Request(topic_filter, qos)]))
    assert client.take()[-1] == qos
    for _ in range(3):
        publishes(scene, "a/secret", "a/other", qos=qos)
        assert payloads(client, "a/secret", "a/other") == ["a/other"]
    assert [(event.operation, event.reason) for event in scene.denied] == [
        ("read a/secret", "a rule denies it: deny alice read mqtt:a/secret")
    ]
    assert scene.broker.router.topics["a/secret"].delivered == 0


def test_what_is_retained_where_a_rule_denies_is_not_sent_either() -> None:
    scene = Guarded(*NARROW)
    publishes(scene, "a/secret", "a/other", retain=True)
    client = scene.enter(4)
    scene.send(client, Subscribe(1, [Request("a/#", 0)]))
    assert payloads(client, "a/secret", "a/other") == ["a/other"]


def test_rules_that_change_hold_for_subscriptions_that_are_there() -> None:
    scene = Guarded("allow alice all mqtt:a/#")
    client = scene.enter(4)
    scene.send(client, Subscribe(1, [Request("a/#", 0)]))
    publishes(scene, "a/1")
    assert payloads(client, "a/1") == ["a/1"]
    denying = scene.access.add_rule(rule_of("deny alice read mqtt:a/1"))
    publishes(scene, "a/1")
    assert payloads(client, "a/1") == []
    scene.access.remove_rule(denying)
    publishes(scene, "a/1")
    assert payloads(client, "a/1") == ["a/1"]


def test_what_waited_for_a_client_that_was_away_is_asked_for_when_it_is_back() -> None:
    scene = Guarded(*NARROW)

    def enter() -> FakeClient:
        return scene.come(
            Connect("cid", 4, clean_start=False, user_name="alice", password=b"secret")
        )

    client = enter()
    scene.send(client, Subscribe(1, [Request("a/#", 1)]))
    client.vanish()
    publishes(scene, "a/secret", "a/other", qos=1)
    assert payloads(enter(), "a/secret", "a/other") == ["a/other"]


def test_a_member_of_a_share_that_may_not_read_is_passed_over() -> None:
    scene = Guarded("allow alice all mqtt:a/#", "allow bob all mqtt:a/#", "deny bob read mqtt:a/1")
    scene.access.add_user("bob", "secret")
    clients = {}
    for name in ("alice", "bob"):
        login = {"user_name": name, "password": b"secret"}
        clients[name] = scene.connect(name, "$share/g/a/#", qos=1, **login)
    publishes(scene, "a/1", "a/1", "a/1", "a/1")
    assert (clients["alice"].take().count(b"a/1a/1"), clients["bob"].take()) == (4, b"")
    # It waits for who may read it, though slow, and does not go to who reads and may not.
    clients["alice"].set_writable(False)
    publishes(scene, "a/1", qos=1)
    clients["alice"].set_writable(True)
    assert (payloads(clients["alice"], "a/1"), clients["bob"].take()) == (["a/1"], b"")


def test_a_topic_of_the_broker_itself_is_read_by_who_may() -> None:
    scene = Guarded("allow alice all mqtt:$SYS/#", "deny alice read mqtt:$SYS/broker/uptime")
    client = scene.enter(4)
    scene.send(client, Subscribe(1, [Request("$SYS/broker/#", 0)]))
    got = client.take()
    assert b"$SYS/broker/version" in got
    assert b"$SYS/broker/uptime" not in got


@pytest.mark.parametrize("client_id", ["+", "a/b", "#"])
def test_a_client_called_like_a_wildcard_gets_nobody_elses_topics(client_id: str) -> None:
    scene = Guarded("allow alice subscribe mqtt:inbox/%c/#")
    client = scene.connect(client_id, user_name="alice", password=b"secret")
    scene.send(client, Subscribe(9, [Request(f"inbox/{client_id}/#", 1)]))
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
    scene = Guarded()
    scene.send(scene.enter(4, will="a/will"), Disconnect())
    assert "a/will" not in scene.broker.router.topics
