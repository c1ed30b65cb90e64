"""Users, virtual hosts, rules and permissions at the prompt."""

import pytest
from brokers.amqp.client import Client
from mockforge_brokers.access import Principal
from mockforge_brokers.amqp import granting
from mockforge_brokers.listener import Listener

from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene(furnished=False)


def test_users_come_and_go(scene: Scene) -> None:
    scene.run("user add alice secret --only mqtt,kafka")
    shown = scene.run("user ls").as_text()
    assert "alice" in shown
    assert "kafka, mqtt" in shown
    assert scene.access.login("mqtt", "alice", "secret")
    assert not scene.access.login("amqp", "alice", "secret")
    hashed = scene.run("user hash other").text
    scene.run(f"user passwd alice {hashed}")
    assert scene.access.login("kafka", "alice", "other")
    scene.run("user rm alice")
    assert scene.access.user("mqtt", "alice") is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("user add guest x", "user guest is there already"),
        ("user rm alise", "no user alise"),
        ("user add a b --only http", "'http' is none of kafka, mqtt, amqp"),
        ("rule add allow me", "is no rule"),
        ("rule rm 7", "no rule 7"),
        ("vhost rm / -y", "the virtual host / stays"),
        ("vhost rm nope -y", "no virtual host nope"),
        ("permission set guest '(' '' ''", "no regular expression"),
        ("permission set guest .* .* .* -p nope", "no virtual host nope"),
        ("permission topic nobody amq.topic", "no user nobody"),
        ("permission topic guest amq.topic '('", "no regular expression"),
    ],
)
def test_mistakes_are_told_in_words(scene: Scene, line: str, problem: str) -> None:
    result = scene.session.run(line)
    assert not result.ok
    assert problem in result.as_text()


def test_rules_are_listed_with_their_numbers(scene: Scene) -> None:
    scene.run("rule add allow alice publish,read mqtt:a/#")
    shown = scene.run("rule ls").data
    assert shown == [{"id": 1, "rule": "allow alice read,write mqtt:a/#"}]
    scene.run("rule rm 1")
    assert scene.run("rule ls").as_text() == "all may do all"


def test_permissions_are_rabbitmqs_and_replace_those_before(scene: Scene) -> None:
    scene.run("vhost add shop")
    scene.run("permission set guest .* .* .* -p shop")
    scene.run("permission set guest '^a-' '' .* -p shop")
    rules = [rule.text for rule in scene.access.rules.values()]
    assert rules == [
        "allow guest configure amqp:shop:/^a-/",
        "allow guest write amqp:shop:/(?!)/",
        "allow guest read amqp:shop:/.*/",
    ]
    scene.run("permission clear guest -p shop")
    assert not scene.access.rules


def test_with_a_user_go_its_rights_limits_and_amqp_connections(scene: Scene) -> None:
    scene.run("user add alice secret")
    scene.run("user add robot secret --only mqtt")
    scene.run("permission set alice .* .* .*")
    scene.run("permission topic alice amq.topic '^a' .*")
    scene.amqp.limit_user("alice", {"max-channels": 1})
    client = Client(scene.networks["amqp"])
    client.connect(user="alice", password="secret")
    scene.run("user rm alice")
    scene.networks["amqp"].settle()
    (close,) = client.received()
    assert close["reply_text"] == "CONNECTION_FORCED - user 'alice' is deleted"
    rules = [rule.text for rule in scene.access.rules.values()]
    assert [text for text in rules if "alice" in text] == []
    assert rules, "others keep what they had"
    assert not list(scene.amqp.vhost().topic_permissions)
    assert scene.amqp.quotas.users == {}
    scene.run("user rm robot")
    assert list(scene.access.users) == ["guest"]


def test_virtual_hosts_come_and_go(scene: Scene) -> None:
    scene.run("vhost add shop")
    assert [row["vhost"] for row in scene.run("vhost ls").data] == ["/", "shop"]
    scene.run("vhost rm shop -y")
    assert list(scene.amqp.vhosts) == ["/"]


def test_a_connection_shows_who_it_is_and_what_it_came_over(scene: Scene) -> None:
    peer = scene.networks["mqtt"].connect(Listener("mqtt", tls=object())).peer
    peer.principal = Principal("alice", "password", "TLSv1.3", "CN=alice", "localhost")
    shown = scene.run(f"conn show c{peer.id}").data
    assert (shown["user"], shown["mechanism"], shown["tls"]) == ("alice", "password", "TLSv1.3")
    assert (shown["certificate"], shown["listener"]) == ("CN=alice", "tls")
    (row,) = scene.run("conn ls (user:alice)").data
    assert row["id"] == peer.id


def test_acls_come_and_go_and_are_rules(scene: Scene) -> None:
    scene.run("acl add User:alice read,describe topic:orders")
    scene.run("acl add User:* write group:bill- --deny --prefixed --host 10.0.0.7")
    scene.run("rule add allow bob write kafka:orders")
    shown = [
        (row["id"], row["principal"], row["permission"], row["operation"], row["resource"])
        for row in scene.run("acl ls").data
    ]
    assert shown == [
        (1, "User:alice", "allow", "describe", "topic:orders"),
        (1, "User:alice", "allow", "read", "topic:orders"),
        (2, "User:*", "deny", "write", "group:bill-"),
        (3, "User:bob", "allow", "write", "topic:orders"),
        (3, "User:bob", "allow", "describe_configs", "topic:orders"),
    ]
    assert [row["rule"] for row in scene.run("rule ls").data][:2] == [
        "allow alice read,describe kafka:topic:orders literal",
        "deny * write kafka:group:bill- prefixed from 10.0.0.7",
    ]
    assert {row["id"] for row in scene.run("acl ls bill*").data} == {2}
    scene.run("acl rm 2")
    assert 2 not in scene.access.rules


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("acl add alice steal topic:a", "'steal' is none of read, write, create"),
        ("acl add alice read a", "'a' is no KIND:NAME"),
        ("acl rm 1", "rule 1 is no rule for Kafka: allow alice read mqtt:a"),
        ("acl rm 7", "no rule 7"),
    ],
)
def test_mistakes_about_acls_are_told_in_words(scene: Scene, line: str, problem: str) -> None:
    scene.run("rule add allow alice read mqtt:a")
    result = scene.session.run(line)
    assert not result.ok
    assert problem in result.as_text()


def test_an_acl_is_completed_with_what_there_is() -> None:
    scene = Scene()
    scene.run("user add alice secret")
    complete = scene.session.complete
    assert "User:alice" in {one.text for one in complete("acl add User:al")}
    assert "describe" in {one.text for one in complete("acl add User:alice des")}
    assert "topic:orders" in {one.text for one in complete("acl add User:alice read topic:ord")}


def test_quotas_are_set_listed_and_taken_back(scene: Scene) -> None:
    scene.run("quota set user:alice --producer 1k --requests 50%")
    scene.run("quota set user,client-id:app --consumer 2000")
    scene.run("quota set ip --connections 10")
    rows = [(row["entity"], row["quota"], row["most"]) for row in scene.run("quota ls").data]
    assert rows == [
        ("user:alice", "producer_byte_rate", 1024),
        ("user:alice", "request_percentage", 50),
        ("client-id:app,user", "consumer_byte_rate", 2000),
        ("ip", "connection_creation_rate", 10),
    ]
    scene.kafka.cluster.quotas.charge("producer_byte_rate", "alice", "x", 5000)
    assert scene.run("quota ls").data[0]["now"] == 500
    scene.run("quota rm client-id:app,user")
    assert [row["entity"] for row in scene.run("quota ls").data] == ["user:alice"] * 2 + ["ip"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("quota set alice --producer 1k", "'alice' is no entity: user:NAME, client-id:NAME"),
        ("quota set user:alice", "held to what? --producer"),
        ("quota set user:alice --producer 0", "must be greater than 0"),
        ("quota set user:alice --connections 1", "Invalid configuration key"),
        ("quota rm user:alice", "no quota of user:alice; quota ls lists them"),
    ],
)
def test_mistakes_about_quotas_are_told_in_words(scene: Scene, line: str, problem: str) -> None:
    result = scene.session.run(line)
    assert not result.ok
    assert problem in result.as_text()


def test_user_has_the_tags_of_the_management_interface_through_a_new_password(
    scene: Scene,
) -> None:
    scene.run("user add alice secret")
    scene.run("user tags alice monitoring,policymaker")
    scene.run("user passwd alice other")
    assert scene.environment.access.users["alice"].tags == ("monitoring", "policymaker")
    assert "closed to it" in scene.run("user tags alice").text
    assert scene.environment.access.users["alice"].tags == ()
    # As rabbitmqctl says it.
    scene.run("set user tags alice monitoring")
    assert scene.environment.access.users["alice"].tags == ("monitoring",)


def test_user_ls_shows_the_tags_that_there_are_and_who_may_not_log_in_to_amqp_has_none(
    scene: Scene,
) -> None:
    for line in ("user add all s", "user add device s --only mqtt", "user add shop s --only amqp"):
        scene.run(line)

    def tags() -> dict[str, list[str]]:
        return {each["user"]: each["tags"] for each in scene.run("user ls").records}

    expected = {"all": ["administrator"], "device": [], "shop": ["administrator"]}
    assert {name: found for name, found in tags().items() if name in expected} == expected
    scene.run("user tags device monitoring")
    assert tags()["device"] == ["monitoring"]


def test_the_first_restriction_is_nobody_elses(scene: Scene) -> None:
    scene.run("user add ada secret --only amqp")
    scene.run("permission set ada '^a-' '' ''")
    rows = granting.rows(scene.access, ["/"])
    assert {row["user"]: row["configure"] for row in rows} == {"guest": ".*", "ada": "^a-"}
