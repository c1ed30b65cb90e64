"""Definitions as RabbitMQ 3.10.8 exported them come in, and go out in the same form."""

import json
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.errors import InvalidInput

from .client import Scene

EXPORTED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "definitions" / "rabbitmq-3.10.8.json").read_text()
)


def by_name(items: list[dict[str, Any]], *keys: str) -> list[list[Any]]:
    return sorted([[item[key] for key in keys] for item in items], key=repr)


def test_what_rabbitmq_exported_comes_out_again(scene: Scene) -> None:
    scene.broker.load_definitions(EXPORTED)
    found = scene.broker.definitions()
    for section in ("queues", "exchanges", "policies", "bindings", "vhosts"):
        keys = EXPORTED[section][0]
        assert by_name(found[section], *keys) == by_name(EXPORTED[section], *keys)
    keys = ("vhost", "component", "name", "value")
    assert by_name(found["parameters"], *keys) == by_name(EXPORTED["parameters"], *keys)
    assert by_name(found["permissions"], "user", "configure", "write", "read") == [
        ["alice", "^a", ".*", ""],
        ["guest", ".*", ".*", ".*"],
    ]


def test_passwords_are_those_that_they_were(scene: Scene) -> None:
    scene.broker.load_definitions(EXPORTED)
    scene.client(password="guest")
    users = scene.environment.access.users
    assert users["alice"].check("s")
    assert not users["alice"].check("guest")
    hashes = {user["name"]: user["password_hash"] for user in scene.broker.definitions()["users"]}
    assert hashes == {user["name"]: user["password_hash"] for user in EXPORTED["users"]}


def test_password_of_ours_is_one_that_rabbitmq_takes(scene: Scene) -> None:
    (exported,) = scene.broker.definitions()["users"]
    other = Scene(AmqpOptions(users={"other": "x"}))
    other.broker.load_definitions({"users": [exported]})
    assert other.environment.access.users["guest"].check("guest")


def test_user_without_a_hash_has_no_password(scene: Scene) -> None:
    scene.broker.load_definitions({"users": [{"name": "tls", "password_hash": "", "tags": ""}]})
    assert not scene.environment.access.users["tls"].check("")
    (_, exported) = scene.broker.definitions()["users"]
    assert (exported["password_hash"], exported["tags"]) == ("", [])


def test_tags_are_those_that_they_were(scene: Scene) -> None:
    given = [{"name": "a", "tags": "monitoring, x"}, {"name": "b", "tags": ["policymaker"]}]
    scene.broker.load_definitions({"users": given})
    tags = {user["name"]: user["tags"] for user in scene.broker.definitions()["users"]}
    everything = ["administrator"]
    assert tags == {"guest": everything, "a": ["monitoring", "x"], "b": ["policymaker"]}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("rights", "left"),
    [
        # somebody is restricted; somebody has no right at all; each has a virtual host
        (["a / .* .* .*", "b / ^b .* .*"], ["a", "b"]),
        (["a / .* .* .*"], ["a"]),
        (["a / .* .* .*", "b shop .* .* .*"], ["a", "b"]),
    ],
)
def test_users_of_a_document_have_just_the_rights_that_it_says(
    scene: Scene, rights: list[str], left: list[str], order: int
) -> None:
    rows = [
        dict(zip(("user", "vhost", "configure", "write", "read"), each.split(), strict=True))
        for each in rights[::order]
    ]
    document = {
        "users": [{"name": "a", "tags": []}, {"name": "b", "tags": []}],
        "vhosts": [{"name": "/"}, {"name": "shop"}],
        "permissions": rows,
    }
    scene.broker.load_definitions(document)
    found = [row for row in scene.broker.definitions()["permissions"] if row["user"] != "guest"]
    keys = ("user", "vhost", "configure", "write", "read")
    assert by_name(found, *keys) == by_name(rows, *keys)
    assert sorted({row["user"] for row in found}) == left
    # Who was there before keeps all.
    mine = [row for row in scene.broker.definitions()["permissions"] if row["user"] == "guest"]
    assert {(row["vhost"], row["configure"]) for row in mine} == {("/", ".*"), ("shop", ".*")}


EVERY = {"configure": ".*", "write": ".*", "read": ".*"}


def test_a_document_that_names_all_users_gives_nobody_more_than_it_says(scene: Scene) -> None:
    rows = [
        {"user": "a", "vhost": "/", **EVERY, "read": ""},
        {"user": "b", "vhost": "shop", **EVERY},
        {"user": "guest", "vhost": "shop", **EVERY},
    ]
    document = {
        "users": [{"name": each, "password": "x", "tags": []} for each in ("guest", "a", "b")],
        "vhosts": [{"name": "/"}, {"name": "shop"}, {"name": "third"}],
        "permissions": rows,
    }
    scene.broker.load_definitions(document)
    found = scene.broker.definitions()["permissions"]
    keys = ("user", "vhost", "configure", "write", "read")
    # Who was there before keeps what it had where that document says nothing of it.
    kept = {"user": "guest", "vhost": "/", **EVERY}
    assert by_name(found, *keys) == by_name([*rows, kept], *keys)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"user": "nobody", "vhost": "/", **EVERY}, "no such user: nobody"),
        ({"user": "guest", "vhost": "none", **EVERY}, "vhost 'none' is none of"),
        ({"user": "guest", "vhost": "none", **EVERY, "read": ""}, "vhost 'none' is none of"),
    ],
)
def test_rights_of_nobody_or_nowhere_are_refused(
    scene: Scene, row: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        scene.broker.load_definitions({"permissions": [row]})


def test_names_that_a_server_gave_are_left_out_with_their_bindings(scene: Scene) -> None:
    """RabbitMQ 4.3.6 exports amq.rabbitmq.log, and takes in none of them itself."""
    document = {
        "exchanges": [
            {"name": "amq.rabbitmq.log", "type": "topic"},
            {"name": "x", "type": "topic"},
        ],
        "queues": [{"name": "amq.gen-1"}, {"name": "q"}],
        "bindings": [
            {"source": "amq.rabbitmq.log", "destination": "q", "routing_key": "#"},
            {"source": "x", "destination": "amq.gen-1", "routing_key": "#"},
            {"source": "amq.topic", "destination": "q", "routing_key": "#"},
        ],
    }
    scene.broker.load_definitions(document)
    found = scene.broker.definitions()
    assert [each["name"] for each in found["exchanges"]] == ["x"]
    assert [each["name"] for each in found["queues"]] == ["q"]
    assert [(each["source"], each["destination"]) for each in found["bindings"]] == [
        ("amq.topic", "q")
    ]


def test_parameters_of_plugins_are_refused(scene: Scene) -> None:
    parameter = {"component": "shovel", "vhost": "/", "name": "s", "value": {"src-queue": "q"}}
    with pytest.raises(InvalidInput, match="component shovel not found"):
        scene.broker.load_definitions({"parameters": [parameter]})


def test_rights_hold_and_who_may_do_all_still_may(scene: Scene) -> None:
    scene.broker.load_definitions(EXPORTED)
    client = scene.client()
    assert client.send("queue.declare", queue="mine")[0].name == "queue.declare-ok"


def test_where_everybody_may_do_all_no_rule_is_made(scene: Scene) -> None:
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    scene.broker.load_definitions({"permissions": [{"user": "guest", "vhost": "/", **rights}]})
    assert not scene.environment.access.rules


def test_definitions_of_one_virtual_host_go_where_they_are_sent(scene: Scene) -> None:
    scene.broker.add_vhost("shop")
    document = {
        "users": [{"name": "eve", "password": "x", "tags": "administrator"}],
        "vhosts": [{"name": "other"}],
        "queues": [{"name": "q", "durable": True}, {"name": "r", "vhost": "other"}],
    }
    scene.broker.load_definitions(document, vhost="shop")
    assert {"q", "r"} == scene.broker.vhost("shop").queues.keys()
    assert "eve" not in scene.environment.access.users
    assert "other" not in scene.broker.vhosts


def test_limits_that_are_all_gone_are_an_empty_list_in_an_export_of_rabbitmqs(scene: Scene) -> None:
    scene.broker.limit_vhost("/", {"max-queues": 5})
    parameter = {"component": "vhost-limits", "vhost": "/", "name": "limits", "value": []}
    users = [{"name": "bob", "tags": [], "limits": []}]
    queues = [{"name": "q", "vhost": "/", "arguments": []}]
    scene.broker.load_definitions({"parameters": [parameter], "users": users, "queues": queues})
    assert scene.broker.vhost().limits == {}
    assert "q" in scene.broker.vhost().queues


def test_what_is_there_already_stays_as_it_is(scene: Scene) -> None:
    scene.broker.declare_queue("orders")
    scene.broker.load_definitions(EXPORTED)
    assert scene.broker.vhost().queues["orders"].kind == "classic"


def test_a_description_without_tags_takes_them_away_as_rabbitmq_does(scene: Scene) -> None:
    both = {"name": "shop", "description": "of shops", "tags": ["a"]}
    for row, said in (
        ({"tags": ["b"]}, ("", ("b",))),
        ({"description": "new"}, ("new", ())),
        ({"metadata": {"tags": ["c"]}}, ("", ("c",))),
    ):
        scene.broker.load_definitions({"vhosts": [both]})
        scene.broker.load_definitions({"vhosts": [{"name": "shop", **row}]})
        host = scene.broker.vhost("shop")
        assert (host.description, tuple(host.tags)) == said


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"queues": {"name": "q"}}, "queues is a list of objects"),
        ({"queues": [{"durable": True}]}, "queues, .: 'name' is missing"),
        ({"policies": [{"name": "p", "pattern": "x"}]}, "policies, p: 'definition' is missing"),
        ({"users": [{"name": "u", "hashing_algorithm": "x"}]}, "users, u: x is none of"),
        ({"queues": [{"name": "q", "vhost": "none"}]}, "vhost 'none' is none of"),
        ({"bindings": [{"source": "x", "destination": "q"}]}, "no queue 'q'"),
        ({"queues": [{"name": "q", "arguments": [5]}]}, "arguments is an object, not .5."),
    ],
)
def test_what_cannot_be_is_named(scene: Scene, document: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        scene.broker.load_definitions(document)
