"""Policies, as RabbitMQ 3.10.8 was seen to apply them."""

import re
from typing import Any

import pytest
from mockforge_brokers.amqp.events import PolicyRemoved, PolicySet, QueueDeleted
from mockforge_brokers.amqp.state.queues.governed import GovernedQueue
from mockforge_brokers.amqp.state.queues.queue import Queue
from mockforge_brokers.errors import InvalidInput

from .client import Client, Scene
from .test_governed import held


def declare(client: Client, queue: str = "q", **arguments: Any) -> None:
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    durable = "x-queue-type" in given
    client.send("queue.declare", queue=queue, durable=durable, arguments=given)


def fill(client: Client, count: int, queue: str = "q") -> None:
    for number in range(count):
        client.publish("", queue, b"%d" % number)


def ready(scene: Scene, queue: str = "q") -> int:
    return len(scene.broker.vhost().queues[queue].messages)


def test_policy_acts_on_a_queue_that_is_there(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 5)
    scene.broker.set_policy("short", "^q", {"max-length": 2})
    assert ready(scene) == 2
    fill(client, 5)
    assert held(client) == [b"3", b"4"]


def test_queue_is_as_before_when_its_policy_is_gone(scene: Scene, client: Client) -> None:
    scene.broker.set_policy("short", "^q", {"max-length": 2})
    declare(client)
    fill(client, 3)
    scene.broker.remove_policy("short")
    fill(client, 3)
    assert ready(scene) == 5


def test_queue_of_another_name_stays_a_plain_one(scene: Scene, client: Client) -> None:
    declare(client, "other")
    scene.broker.set_policy("short", "^q", {"max-length": 2})
    assert type(scene.broker.vhost().queues["other"]) is Queue


def test_time_to_live_is_for_messages_to_come(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 1)
    scene.broker.set_policy("ttl", "q", {"message-ttl": 100})
    scene.advance(1)
    assert ready(scene) == 1
    scene.broker.purge_queue("q")
    fill(client, 1)
    scene.broker.remove_policy("ttl")
    scene.advance(1)
    assert ready(scene) == 0


@pytest.mark.parametrize(
    ("arguments", "definition", "left"),
    [
        ({"x-max-length": 3}, {"max-length": 5}, [b"5", b"6", b"7"]),
        ({"x-max-length": 3}, {"max-length": 1}, [b"7"]),
        (
            {"x-max-length": 2, "x-overflow": "drop-head"},
            {"overflow": "reject-publish"},
            [b"6", b"7"],
        ),
        ({"x-max-length": 2}, {"overflow": "reject-publish"}, [b"0", b"1"]),
    ],
)
def test_lower_limit_holds_and_else_the_argument(
    scene: Scene,
    client: Client,
    arguments: dict[str, Any],
    definition: dict[str, Any],
    left: list[bytes],
) -> None:
    scene.broker.set_policy("p", "q", definition)
    client.send("queue.declare", queue="q", arguments=arguments)
    fill(client, 8)
    assert held(client) == left


def test_one_policy_holds_that_of_the_highest_priority(scene: Scene, client: Client) -> None:
    declare(client)
    scene.broker.set_policy("a", "^q", {"max-length": 2}, priority=1)
    scene.broker.set_policy("b", "^q", {"max-length-bytes": 1000}, priority=2)
    fill(client, 4)
    assert ready(scene) == 4
    scene.broker.remove_policy("b")
    assert ready(scene) == 2


def test_of_one_priority_the_last_by_name_holds(scene: Scene, client: Client) -> None:
    declare(client)
    for name, length in (("b", 2), ("a", 4)):
        scene.broker.set_policy(name, "^q", {"max-length": length})
    (view,) = (view for view in scene.broker.destinations() if view.name == "q")
    assert view.detail["policy"] == "b"


def test_operator_limits_what_users_may_set(scene: Scene, client: Client) -> None:
    declare(client)
    scene.broker.set_policy("u", "q", {"max-length": 5, "overflow": "reject-publish"})
    scene.broker.set_policy("o", "q", {"max-length": 3, "expires": 100_000}, operator=True)
    (view,) = (view for view in scene.broker.destinations() if view.name == "q")
    assert (view.detail["policy"], view.detail["operator_policy"]) == ("u", "o")
    assert view.detail["effective_policy"] == {
        "max-length": 3,
        "overflow": "reject-publish",
        "expires": 100_000,
    }
    assert view.note == "policy u, policy o"
    fill(client, 5)
    assert held(client) == [b"0", b"1", b"2"]


def test_unused_queue_ends_by_policy(scene: Scene, client: Client) -> None:
    declare(client)
    scene.broker.set_policy("gone", "q", {"expires": 300})
    scene.advance(0.4)
    (gone,) = scene.emitted(QueueDeleted)
    assert gone.queue == "q"


def test_queue_that_had_an_end_lives_on_without_its_policy(scene: Scene, client: Client) -> None:
    scene.broker.set_policy("gone", "q", {"expires": 300})
    declare(client)
    scene.broker.remove_policy("gone")
    scene.advance(1)
    assert "q" in scene.broker.vhost().queues


def test_dead_letters_by_policy_and_key_by_policy(scene: Scene, client: Client) -> None:
    declare(client, "dead")
    declare(client, x_dead_letter_exchange="")
    scene.broker.set_policy("p", "^q$", {"dead-letter-routing-key": "dead"})
    client.publish("", "q", b"over", expiration="1")
    scene.advance(0.1)
    assert held(client, "dead") == [b"over"]


def test_alternate_exchange_by_policy(scene: Scene, client: Client) -> None:
    declare(client)
    client.send("queue.bind", queue="q", exchange="amq.fanout")
    client.publish("amq.direct", "none", b"lost")
    scene.broker.set_policy("p", "^amq.direct$|^$", {"alternate-exchange": "amq.fanout"})
    client.publish("amq.direct", "none", b"kept")
    client.publish("", "no such queue", b"the default exchange has no alternate one")
    assert held(client) == [b"kept"]
    scene.broker.remove_policy("p")
    client.publish("amq.direct", "none", b"lost")
    assert held(client) == []


def test_alternate_exchange_of_a_declaration_comes_first(scene: Scene, client: Client) -> None:
    scene.broker.set_policy("p", "^x$", {"alternate-exchange": "amq.fanout"})
    client.send(
        "exchange.declare",
        exchange="x",
        exchange_type="direct",
        arguments={"alternate-exchange": "amq.topic"},
    )
    declare(client)
    client.send("queue.bind", queue="q", exchange="amq.topic", routing_key="#")
    client.publish("x", "none", b"1")
    assert held(client) == [b"1"]


@pytest.mark.parametrize(
    ("setting", "holds_for"),
    [
        ({"message-ttl": 1}, "classic quorum"),
        ({"max-length-bytes": 1}, "classic quorum stream"),
        ({"overflow": "drop-head"}, "classic quorum"),
        ({"delivery-limit": 1}, "quorum"),
        ({"dead-letter-strategy": "at-least-once"}, "quorum"),
        ({"max-age": "1h"}, "stream"),
        ({"stream-max-segment-size-bytes": 1}, "stream"),
        ({"queue-mode": "lazy"}, "classic"),
        ({"queue-version": 2}, "classic quorum stream"),
        ({"queue-leader-locator": "balanced"}, "quorum stream"),
        ({"initial-cluster-size": 1}, "stream"),
        ({"ha-mode": "all"}, "classic"),
        ({"alternate-exchange": "x"}, "classic quorum stream"),
        ({"max-age": "1h", "max-length-bytes": 5}, "stream"),
    ],
)
def test_policy_with_a_setting_that_a_type_does_not_know_is_not_for_it(
    scene: Scene, client: Client, setting: dict[str, Any], holds_for: str
) -> None:
    for kind in ("classic", "quorum", "stream"):
        declare(client, kind, x_queue_type=kind)
    scene.broker.set_policy("p", "", setting, apply_to="queues")
    found = [view.name for view in scene.broker.destinations() if view.detail.get("policy") == "p"]
    assert " ".join(found) == holds_for


MIRRORS = [
    ({"ha-mode": "exactly"}, 'ha-mode="exactly" takes an integer, none given'),
    ({"ha-mode": "exactly", "ha-params": 0}, 'ha-mode="exactly" takes an integer, 0 given'),
    ({"ha-mode": "exactly", "ha-params": "2"}, "ha-mode=\"exactly\" takes an integer, '2' given"),
    ({"ha-mode": "nodes"}, 'ha-mode="nodes" takes a list, none given'),
    ({"ha-mode": "nodes", "ha-params": 5}, 'ha-mode="nodes" takes a list, 5 given'),
    ({"ha-mode": "nodes", "ha-params": []}, 'ha-mode="nodes" list must be non-empty'),
    (
        {"ha-mode": "nodes", "ha-params": ["a", 1, "b"]},
        'ha-mode="nodes" takes a list of strings, [1] was not a string',
    ),
    ({"ha-mode": "all", "ha-params": 2}, 'ha-mode="all" does not take parameters'),
    (
        {"ha-sync-mode": "automatic"},
        "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown",
    ),
    (
        {"ha-mode": "all", "ha-sync-mode": 1},
        'ha-sync-mode must be "manual" or "automatic", got 1',
    ),
    (
        {"ha-mode": "all", "ha-sync-batch-size": 0},
        "ha-sync-batch-size takes an integer greater than 0, 0 given",
    ),
    (
        {"ha-mode": "all", "ha-promote-on-shutdown": [1], "ha-promote-on-failure": 2},
        'ha-promote-on-shutdown must be "always" or "when-synced", got [1]',
    ),
    (
        {"ha-mode": "all", "ha-promote-on-failure": 1},
        'ha-promote-on-failure must be "always" or "when-synced", got 1',
    ),
    ({"ha-mode": "x", "max-length": -1}, "-1 is not a valid maximum length"),
    ({"ha-mode": "x", "ha-sync-mode": "y"}, "'x' is not a valid ha-mode value"),
]
"""Of mirrored queues, what RabbitMQ 3.10.8 says."""


@pytest.mark.parametrize(("definition", "words"), MIRRORS)
def test_settings_of_mirrored_queues_that_do_not_go_together_are_refused(
    scene: Scene, definition: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(words)):
        scene.broker.set_policy("p", "", definition)


@pytest.mark.parametrize(
    "definition",
    [
        {"ha-mode": "exactly", "ha-params": 2, "ha-promote-on-failure": "when-synced"},
        {"ha-mode": "nodes", "ha-params": ["a"], "ha-sync-batch-size": 5},
        {"ha-mode": "all", "ha-sync-mode": "automatic"},
    ],
)
def test_settings_of_mirrored_queues_are_taken(scene: Scene, definition: dict[str, Any]) -> None:
    scene.broker.set_policy("p", "", definition)
    assert scene.broker.vhost().policies.of_users["p"].definition == definition


@pytest.mark.parametrize(
    ("pattern", "definition", "apply_to", "words"),
    [
        ("(", {"max-length": 1}, "all", "no regular expression"),
        ("q", {}, "all", "sets nothing"),
        ("q", {"max-length": 1}, "x", "'x' unrecognised"),
        ("q", {"nonsense": 1}, "all", "nonsense is not recognised"),
        ("q", {"message-ttl": "x"}, "all", "'x' is not a valid message TTL"),
        ("q", {"message-ttl": -1}, "all", "-1 is not a valid message TTL"),
        ("q", {"expires": 0}, "all", "0 is not a valid queue expiry"),
        ("q", {"max-length": True}, "all", "True is not a valid maximum length"),
        ("q", {"overflow": "x"}, "all", "'x' is not a valid overflow value"),
        ("q", {"dead-letter-exchange": 1}, "all", "not a valid dead letter exchange name"),
        ("q", {"max-age": "x"}, "all", "not a valid max age"),
    ],
)
def test_policy_that_cannot_be_is_refused(
    scene: Scene, pattern: str, definition: dict[str, Any], apply_to: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        scene.broker.set_policy("p", pattern, definition, apply_to=apply_to)
    assert not scene.broker.vhost().policies.of_users


@pytest.mark.parametrize("priority", ["x", "5", True, None, [], {}])
def test_a_priority_is_a_number(scene: Scene, priority: Any) -> None:
    """Asked of RabbitMQ 3.10.8, which takes 1.5, and no text."""
    item = {"name": "p", "pattern": "q", "definition": {"max-length": 1}, "priority": priority}
    operator = {"component": "operator_policy", "name": "p", "value": item}
    for document in ({"policies": [item]}, {"parameters": [operator]}):
        with pytest.raises(InvalidInput, match="priority should be a number, actually was "):
            scene.broker.load_definitions(document)


def test_a_priority_may_have_a_fraction(scene: Scene, client: Client) -> None:
    declare(client)
    for name, priority in (("a", 1.5), ("b", 1)):
        item = {"name": name, "pattern": "q", "definition": {"max-length": 1}}
        scene.broker.load_definitions({"policies": [{**item, "priority": priority}]})
    (view,) = (view for view in scene.broker.destinations() if view.name == "q")
    assert view.detail["policy"] == "a"


def test_a_policy_that_could_run_away_holds_nobody_up(scene: Scene, client: Client) -> None:
    declare(client, "a" * 200 + "!")
    declare(client, "a" * 200)
    scene.broker.set_policy("p", "^(a+)+$", {"max-length": 1})
    found = [view.name for view in scene.broker.destinations() if view.detail.get("policy") == "p"]
    assert found == ["a" * 200]


def test_policies_are_asked_once_for_each_name(scene: Scene, client: Client) -> None:
    declare(client)
    scene.broker.set_policy("p", "q", {"max-length": 1})
    policies = scene.broker.vhost().policies
    assert policies.effective("classic", "q") is policies.effective("classic", "q")
    scene.broker.set_policy("p", "q", {"max-length": 2})
    assert policies.effective("classic", "q").definition == {"max-length": 2}
    scene.broker.remove_policy("p")
    assert not policies.effective("classic", "q").definition


@pytest.mark.parametrize("setting", ["overflow", "dead-letter-exchange", "alternate-exchange"])
def test_operator_sets_limits_alone(scene: Scene, setting: str) -> None:
    with pytest.raises(InvalidInput, match="an operator policy sets"):
        scene.broker.set_policy("p", "", {setting: "drop-head"}, operator=True)


def test_policies_are_reported_and_outlive_a_restart(scene: Scene, client: Client) -> None:
    scene.broker.set_policy("p", "^q", {"max-length": 2}, apply_to="queues", priority=3)
    scene.broker.set_policy("o", "^q", {"max-length": 1}, operator=True)
    scene.broker.set_policy("away", "^q", {"max-length": 1})
    scene.broker.remove_policy("away")
    assert [event.policy for event in scene.emitted(PolicySet)] == ["p", "o", "away"]
    assert [event.policy for event in scene.emitted(PolicyRemoved)] == ["away"]
    client.send("queue.declare", queue="q", durable=True)
    scene.broker.restart()
    queue = scene.broker.vhost().queues["q"]
    assert isinstance(queue, GovernedQueue)
    assert queue.policy.max_length == 1
    assert repr(scene.broker.vhost().policies.of_users["p"].priority) == "3"
