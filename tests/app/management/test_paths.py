"""Every path of RabbitMQ 3.10.8's management interface: it is served, or here is why not.

`rabbit_mgmt_dispatcher:dispatcher()` of that release names them; answers are what it answered.
"""

import pytest
from mockforge_brokers.amqp.connection.ends import NODE

from mockforge_tui.management.paths import PATHS

from .test_management import NOT_FOUND, Place

_DISPATCHER = """
aliveness-test/* all-configuration auth auth/attempts/* auth/attempts/*/source bindings bindings/*
bindings/*/e/*/*/* bindings/*/e/*/*/*/* channels channels/* cluster-name connections connections/*
connections/*/channels connections/username/* consumers consumers/* definitions definitions/*
exchanges exchanges/* exchanges/*/* exchanges/*/*/bindings/destination
exchanges/*/*/bindings/source exchanges/*/*/publish extensions feature-flags
feature-flags/*/enable global-parameters global-parameters/* health/checks/alarms
health/checks/certificate-expiration/*/* health/checks/local-alarms
health/checks/node-is-mirror-sync-critical health/checks/node-is-quorum-critical
health/checks/port-listener/* health/checks/protocol-listener/* health/checks/virtual-hosts
healthchecks/node healthchecks/node/* login nodes nodes/* nodes/*/memory nodes/*/memory/ets
nodes/*/memory/ets/* nodes/*/memory/ets/*/relative nodes/*/memory/ets/relative
nodes/*/memory/relative operator-policies operator-policies/* operator-policies/*/* overview
parameters parameters/* parameters/*/* parameters/*/*/* permissions permissions/*/* policies
policies/* policies/*/* queues queues/* queues/*/* queues/*/*/actions queues/*/*/bindings
queues/*/*/contents queues/*/*/get rebalance/queues reset reset/* topic-permissions
topic-permissions/*/* topic-permissions/*/*/* user-limits user-limits/* user-limits/*/* users
users/* users/*/permissions users/*/topic-permissions users/bulk-delete users/without-permissions
vhost-limits vhost-limits/* vhost-limits/*/* vhosts vhosts/* vhosts/*/channels
vhosts/*/connections vhosts/*/permissions vhosts/*/start/* vhosts/*/topic-permissions whoami
"""
RABBITMQ = _DISPATCHER.split()

_ETS = "tables of Erlang's, of which there is none"
_RESET = "figures are counters of queues and exchanges, not a database that could be emptied"
_PAGES = "for the pages for browsers, which are not there"
LEFT_OUT = {
    "login": _PAGES,
    "nodes/*/memory/ets": _ETS,
    "nodes/*/memory/ets/*": _ETS,
    "nodes/*/memory/ets/*/relative": _ETS,
    "nodes/*/memory/ets/relative": _ETS,
    "reset": _RESET,
    "reset/*": _RESET,
}


@pytest.fixture
def place() -> Place:
    return Place("3.10")


def served(path: str) -> bool:
    """A binding's path has its destination's kind as a variable there, and spelled out here."""
    return path in PATHS or path.replace("e/*/*/", "e/*/q/") in PATHS


def test_each_path_of_rabbitmq_is_served_or_left_out_for_a_reason() -> None:
    assert {path for path in RABBITMQ if not served(path)} == set(LEFT_OUT)


def test_users_without_permissions_are_listed_and_many_removed_at_once(place: Place) -> None:
    def known() -> list[str]:
        return [each["name"] for each in place.get("users")]

    everything = dict.fromkeys(("configure", "write", "read"), ".*")
    for name in ("a", "b", "c", "d"):
        place.does("PUT", f"users/{name}", {"password": "x", "tags": ""})
    place.does("PUT", "permissions/%2F/a", everything | {"read": ""})
    for name in ("b", "c"):
        place.does("DELETE", f"permissions/%2F/{name}")
    assert [each["name"] for each in place.get("users/without-permissions")] == ["b", "c"]
    refused = place.ask("POST", "users/bulk-delete", {"users": ["a", "nobody", "b"]})
    assert (refused.status_code, refused.json()) == (
        400, {"error": "bad_request", "reason": ["no_such_user", "nobody"]}
    )  # fmt: skip
    assert known() == ["b", "c", "d", "guest"]
    assert place.does("POST", "users/bulk-delete", {"users": ["b", "c"]}) == 204
    assert place.does("POST", "users/bulk-delete", {"users": []}) == 204
    assert known() == ["d", "guest"]
    assert place.get("users/without-permissions") == []


REFUSED = [
    ("POST", "users/bulk-delete", {}, "[{key_missing,users}]"),
    ("POST", "users/bulk-delete", {"users": [5]}, ["no_such_user", 5]),
    ("PUT", "feature-flags/nope/enable", None, "unsupported"),
    ("POST", "queues/%2F/q/actions", {}, "[{key_missing,action}]"),
    ("POST", "queues/%2F/q/actions", {"action": "dance"}, ["unknown", "dance"]),
    ("POST", "vhosts/%2F/start/x", None, "Request to node x failed with nodedown"),
    (
        "POST", f"vhosts/nope/start/{NODE}", None,
        f'Request to node {NODE} failed with {{no_such_vhost,<<"nope">>}}',
    ),
    (
        "PUT", "topic-permissions/%2F/guest/amq.topic", {"write": "a"},
        "[{key_missing,exchange},{key_missing,read}]",
    ),
    (
        "PUT", "topic-permissions/%2F/guest", {},
        "[{key_missing,exchange},{key_missing,write},{key_missing,read}]",
    ),
    ("PUT", "permissions/%2F/guest", {"read": ""}, "[{key_missing,configure},{key_missing,write}]"),
    ("POST", "queues/%2F/q/get", {"count": 1}, "[{key_missing,ackmode},{key_missing,encoding}]"),
    ("PUT", "policies/%2F/p", {}, "[{key_missing,pattern},{key_missing,definition}]"),
    (
        "POST", "exchanges/%2F/amq.default/publish", {"properties": {}},
        "[{key_missing,routing_key},\n {key_missing,payload},\n {key_missing,payload_encoding}]",
    ),
    ("PUT", "queues/%2F/new", {"arguments": {"x": None}}, "null_not_allowed"),
    ("PUT", "exchanges/%2F/new", {"arguments": {"x": [{"y": None}]}}, "null_not_allowed"),
    ("POST", "bindings/%2F/e/amq.headers/q/q", {"arguments": {"x": None}}, "null_not_allowed"),
    (
        "POST", "exchanges/%2F/none/publish",
        {
            "routing_key": "q", "payload": "x", "payload_encoding": "string",
            "properties": {"headers": {"a": [1, None]}},
        },
        "null_not_allowed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "reason"), REFUSED)
def test_what_cannot_be_is_refused_in_rabbitmqs_words(
    place: Place, method: str, path: str, body: dict[str, object] | None, reason: object
) -> None:
    place.does("PUT", "queues/%2F/q")
    answer = place.ask(method, path, body)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)


def test_what_is_done_by_one_node_anyway_is_done(place: Place) -> None:
    place.does("PUT", "queues/%2F/q")
    for action in ("sync", "cancel_sync"):
        assert place.does("POST", "queues/%2F/q/actions", {"action": action}) == 204
    assert place.does("POST", f"vhosts/%2F/start/{NODE}") == 204
    assert place.does("PUT", "feature-flags/quorum_queue/enable") == 204
    assert place.does("POST", "queues/%2F/none/actions", {"action": "sync"}) == 404


def test_topic_permissions_of_a_user_are_one_thing_of_which_one_exchange_may_be_taken_back(
    place: Place,
) -> None:
    def exchanges() -> list[str]:
        return [each["exchange"] for each in place.get(path)]

    pair, path = "topic-permissions/%2F/guest", "topic-permissions/%2F/guest/amq.topic"
    for exchange, status in (("amq.topic", 201), ("other", 204), ("amq.topic", 204)):
        wish = {"exchange": exchange, "write": "a", "read": "b"}
        assert place.does("PUT", pair, wish) == status
    assert exchanges() == ["amq.topic", "other"]
    for _ in range(2):
        assert place.does("DELETE", path) == 204
        assert exchanges() == ["other"]
    place.does("PUT", pair, {"exchange": "amq.topic", "write": "a", "read": "b"})
    # What the body names counts for nothing.
    assert place.does("DELETE", pair, {"exchange": "other"}) == 204
    for method in ("GET", "DELETE"):
        assert place.ask(method, path).json() == NOT_FOUND


def test_how_pages_log_in_is_told_to_anybody(place: Place) -> None:
    answer = place.ask("GET", "auth", user="")
    assert answer.status_code == 200
    assert answer.json() == {"enable_uaa": False, "uaa_client_id": "", "uaa_location": ""}
    assert place.ask("PUT", "auth", user="").status_code == 405
    assert place.ask("GET", "overview", user="").status_code == 401


def test_the_health_check_of_old_says_which_alarms_there_are(place: Place) -> None:
    for path in ("healthchecks/node", f"healthchecks/node/{NODE}"):
        assert place.get(path) == {"status": "ok"}
    assert place.ask("GET", "healthchecks/node/none").json() == NOT_FOUND
    place.scene.broker.memory.raise_alarm("memory")
    answer = place.ask("GET", "healthchecks/node")
    reason = f"resource alarm(s) in effect:[{{resource_limit,memory,{NODE}}}]"
    assert (answer.status_code, answer.json()) == (503, {"status": "failed", "reason": reason})


def test_a_node_says_what_its_memory_is_for(place: Place) -> None:
    place.does("PUT", "queues/%2F/q")
    place.scene.broker.publish("", "q", bytes(1_000_000))
    memory = place.get(f"nodes/{NODE}/memory")["memory"]
    total, strategy = memory.pop("total"), memory.pop("strategy")
    assert (strategy, sum(memory.values())) == ("rss", total["rss"])
    assert memory["binary"] > 1_000_000
    shares = place.get(f"nodes/{NODE}/memory/relative")["memory"]
    assert (shares["total"], shares["code"]) == (100, 0)
    assert shares["binary"] >= 1
    assert place.ask("GET", "nodes/none/memory").json() == NOT_FOUND


def test_deprecated_features_in_use_are_those_that_something_there_uses() -> None:
    place = Place("3.13")

    def used() -> list[str]:
        return [each["name"] for each in place.get("deprecated-features/used")]

    assert used() == []
    client = place.scene.client()
    client.send("queue.declare", queue="mine", exclusive=True)
    assert used() == []
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=7, is_global=True)
    arguments = {"x-queue-master-locator": "min-masters"}
    client.send("queue.declare", queue="kept", durable=True, arguments=arguments)
    assert used() == ["global_qos", "queue_master_locator", "transient_nonexcl_queues"]
    client.send("queue.delete", queue="q")
    client.send("basic.qos", prefetch_count=0, is_global=True)
    assert used() == ["queue_master_locator"]
