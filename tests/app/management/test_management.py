"""RabbitMQ's management interface, without sockets: what it shows, makes and refuses.

Shapes are those that RabbitMQ 3.10.8 answered with.
"""

import asyncio
import base64
import hashlib
from itertools import count

import httpx
import pytest
from brokers.amqp.client import Scene, publish
from brokers.amqp.test_event_exchange import listen, who
from brokers.amqp.v1_0.client import Client as LaterClient
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.profiles import DEFAULT
from mockforge_brokers.amqp.v1_0.wire.values import Described, Symbol
from msgspec import structs

from mockforge_tui.bodies import Bodies
from mockforge_tui.config import Config, resolve
from mockforge_tui.management.app import build
from mockforge_tui.management.listing import listed
from mockforge_tui.management.paths import PATHS, SINCE
from mockforge_tui.management.tags import problem

BASE = "http://localhost:15672"
NOT_FOUND = {"error": "Object Not Found", "reason": "Not Found"}

QUEUE = {
    "arguments", "auto_delete", "consumer_capacity", "consumer_utilisation", "consumers", "durable",
    "effective_policy_definition", "exclusive", "exclusive_consumer_tag", "memory", "message_bytes",
    "message_bytes_ready", "message_stats", "messages", "messages_details", "messages_ready",
    "messages_ready_details", "messages_unacknowledged", "messages_unacknowledged_details", "name",
    "node", "operator_policy", "policy", "single_active_consumer_tag", "state", "type", "vhost",
}  # fmt: skip
EXCHANGE = {
    "arguments", "auto_delete", "durable", "internal", "name", "type", "vhost",
    "user_who_performed_action",
}  # fmt: skip
BINDING = {
    "source", "vhost", "destination", "destination_type", "routing_key", "arguments",
    "properties_key",
}  # fmt: skip

PUBLISH = "exchanges/%2F/amq.default/publish"
TO_Q = {"routing_key": "q", "payload": "x", "payload_encoding": "string"}
DURABLE = {"durable": True}


class Brokers:
    def __init__(self, amqp):
        self.amqp = amqp


class Runtime:
    """What the application asks of a runtime, with a broker without sockets."""

    def __init__(self, scene):
        self.environment = scene.environment
        self.brokers = Brokers(scene.broker)
        self.config = Config()
        self.bodies = Bodies(scene.environment.usage)


class Place:
    """A broker on a manual clock, and requests to its management."""

    def __init__(self, release=DEFAULT):
        self.scene = Scene(AmqpOptions(as_version=release))
        self.app = build(Runtime(self.scene))

    def ask(self, verb, path, body=None, *, user="guest:guest", host="localhost:15672", **query):
        async def main():
            transport = httpx.ASGITransport(self.app)
            headers = {"host": host}
            if user:
                headers["authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
                options = {"json": body} if isinstance(body, dict) else {"content": body or b""}
                return await http.request(
                    verb, f"/api/{path}", headers=headers, params=query, **options
                )

        return asyncio.run(main())

    def get(self, path, **query):
        answer = self.ask("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def does(self, verb, path, body=None, **query):
        return self.ask(verb, path, body, **query).status_code


@pytest.fixture
def place():
    return Place()


def test_queues_are_made_shown_and_taken_away_as_rabbitmq_does_it(place):
    body = {"durable": True, "arguments": {"x-message-ttl": 60_000}}
    assert place.does("PUT", "queues/%2F/mg", body) == 201
    assert place.does("PUT", "queues/%2F/mg", body) == 204
    shown = place.get("queues/%2F/mg")
    assert shown.keys() >= QUEUE
    assert (shown["name"], shown["vhost"], shown["type"]) == ("mg", "/", "classic")
    assert (shown["durable"], shown["arguments"]) == (True, {"x-message-ttl": 60_000})
    assert [one["name"] for one in place.get("queues")] == ["mg"]
    assert [one["name"] for one in place.get("queues/%2F")] == ["mg"]
    refused = place.ask("PUT", "queues/%2F/mg", {"durable": True})
    assert refused.status_code == 400
    assert refused.json() == {
        "error": "bad_request",
        "reason": "inequivalent arg 'x-message-ttl' for queue 'mg' in vhost '/': received none"
        " but current is the value '60000' of type 'signedint'",
    }
    assert place.does("DELETE", "queues/%2F/mg") == 204
    assert place.ask("GET", "queues/%2F/mg").json() == NOT_FOUND
    assert place.does("DELETE", "queues/%2F/mg") == 404


@pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])
def test_queues_of_each_type_say_what_they_hold(place, kind):
    place.does("PUT", "queues/%2F/q", {"durable": True, "arguments": {"x-queue-type": kind}})
    message = {"routing_key": "q", "payload": "four", "payload_encoding": "string"}
    for _ in range(3):
        place.ask("POST", "exchanges/%2F/amq.default/publish", {**message, "properties": {}})
    shown = place.get("queues/%2F/q")
    assert (shown["type"], shown["messages"], shown["message_bytes"]) == (kind, 3, 12)


def test_exchanges_and_bindings_are_made_and_taken_away(place):
    place.does("PUT", "queues/%2F/q")
    assert place.does("PUT", "exchanges/%2F/x", {"type": "topic", "durable": False}) == 201
    assert place.does("PUT", "exchanges/%2F/y", {"type": "fanout"}) == 201
    assert place.get("exchanges/%2F/x").keys() >= EXCHANGE
    assert place.get("exchanges/%2F/x")["durable"] is False
    assert place.does("POST", "bindings/%2F/e/x/q/q", {"routing_key": "a.#"}) == 201
    assert place.does("POST", "bindings/%2F/e/x/e/y", {"arguments": {"k": 1}}) == 201
    assert place.does("POST", "bindings/%2F/e/x/q/nope", {}) == 404
    (binding,) = place.get("bindings/%2F/e/x/q/q")
    assert binding.keys() == BINDING
    assert (binding["routing_key"], binding["properties_key"]) == ("a.#", "a.%23")
    assert place.get("bindings/%2F/e/x/q/q/a.%2523") == binding
    assert {one["destination"] for one in place.get("exchanges/%2F/x/bindings/source")} == {
        "q",
        "y",
    }
    assert [one["source"] for one in place.get("exchanges/%2F/y/bindings/destination")] == ["x"]
    assert [one["source"] for one in place.get("queues/%2F/q/bindings")] == ["", "x"]
    assert place.does("DELETE", "bindings/%2F/e/x/q/q/a.%2523") == 204
    assert place.does("DELETE", "bindings/%2F/e/x/q/q/a.%2523") == 404
    for key in ("a+b", "a b"):
        assert place.does("POST", "bindings/%2F/e/x/q/q", {"routing_key": key}) == 201
    # The name of the one, and the other's once more unescaped.
    assert place.does("DELETE", "bindings/%2F/e/x/q/q/a+b") == 204
    assert [one["routing_key"] for one in place.get("bindings/%2F/e/x/q/q")] == ["a+b"]
    (other,) = place.get("bindings/%2F/e/x/e/y")
    assert place.does("DELETE", f"bindings/%2F/e/x/e/y/{other['properties_key']}") == 204
    assert place.does("DELETE", "exchanges/%2F/x") == 204
    assert place.does("PUT", "exchanges/%2F/z", {}) == 201
    assert place.get("exchanges/%2F/z")["type"] == "direct"
    assert place.does("PUT", "exchanges/%2F/z", {"type": "none"}) == 400


def test_messages_are_published_looked_at_and_taken(place):
    place.does("PUT", "queues/%2F/q")
    message = {
        "routing_key": "q",
        "payload": "hello",
        "payload_encoding": "string",
        "properties": {"delivery_mode": 2, "headers": {"k": 1}},
    }
    path = "exchanges/%2F/amq.default/publish"
    assert place.ask("POST", path, message).json() == {"routed": True}
    nowhere = {**message, "routing_key": "nobody"}
    assert place.ask("POST", path, nowhere).json() == {"routed": False}
    coded = {**message, "payload": "AAH/", "payload_encoding": "base64"}
    assert place.ask("POST", path, coded).json() == {"routed": True}
    assert place.does("POST", path, {**coded, "payload": "%"}) == 400
    look = {"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 3}
    first, second = place.ask("POST", "queues/%2F/q/get", look).json()
    assert (first["payload"], first["payload_bytes"], first["message_count"]) == ("hel", 5, 1)
    # What is cut off is cut off the message, not its base64.
    assert first["properties"] == {"delivery_mode": 2, "headers": {"k": 1}}
    assert (second["payload"], second["payload_encoding"]) == ("AAH/", "base64")
    assert place.get("queues/%2F/q")["messages_ready"] == 2
    again = place.ask("POST", "queues/%2F/q/get", look).json()
    assert [one["redelivered"] for one in (first, second, *again)] == [False, False, True, True]
    taken = place.ask("POST", "queues/%2F/q/get", ONE).json()
    assert [one["payload"] for one in taken] == ["hello"]
    assert place.get("queues/%2F/q")["messages"] == 1
    assert place.does("DELETE", "queues/%2F/q/contents") == 204
    assert place.get("queues/%2F/q")["messages"] == 0
    assert place.does("POST", "queues/%2F/q/get", {"ackmode": "none"}) == 400


ONE = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}


def test_what_is_got_and_requeued_counts_as_delivered_and_what_is_rejected_is_a_dead_letter(place):
    arguments = {"x-queue-type": "quorum", "x-dead-letter-exchange": "amq.fanout"}
    place.does("PUT", "queues/%2F/jobs", DURABLE | {"arguments": arguments})
    place.does("PUT", "queues/%2F/dead")
    place.does("POST", "bindings/%2F/e/amq.fanout/q/dead", {})
    message = {"routing_key": "jobs", "payload": "x", "payload_encoding": "string"}
    place.ask("POST", "exchanges/%2F/amq.default/publish", {**message, "properties": {}})
    counts = []
    for mode in ("ack_requeue_true", "reject_requeue_true", "reject_requeue_false"):
        (got,) = place.ask("POST", "queues/%2F/jobs/get", ONE | {"ackmode": mode}).json()
        counts.append(got["properties"]["headers"]["x-delivery-count"])
    assert counts == [0, 1, 2]
    (dead,) = place.ask("POST", "queues/%2F/dead/get", ONE).json()
    assert dead["properties"]["headers"]["x-first-death-reason"] == "rejected"


def test_users_log_in_by_a_hash_or_not_at_all(place):
    salted = bytes(4) + hashlib.sha256(bytes(4) + b"secret").digest()
    given = {"password_hash": base64.b64encode(salted).decode(), "tags": "management"}
    assert place.does("PUT", "users/bob", given) == 201
    assert place.ask("GET", "overview", user="bob:secret").status_code == 200
    assert place.does("PUT", "users/bob", {"tags": "management"}) == 204
    assert place.ask("GET", "overview", user="bob:secret").status_code == 401


NOBODY, ALL = "Not management user", ""
ADMINISTRATOR, MONITOR = "Not administrator user", "Not monitor user"
POLICIES = "User not authorised to access object"
BY_TAGS = [
    # method and path; what users with no tag, management, policymaker and monitoring hear
    ("GET", "overview", NOBODY, ALL, ALL, ALL),
    ("GET", "queues/*", NOBODY, ALL, ALL, ALL),
    ("GET", "connections", NOBODY, ALL, ALL, ALL),
    ("GET", "whoami", NOBODY, ALL, ALL, ALL),
    ("GET", "vhosts", NOBODY, ALL, ALL, ALL),
    ("GET", "policies", NOBODY, ALL, ALL, ALL),
    ("GET", "vhost-limits", NOBODY, ALL, ALL, ALL),
    ("GET", "nodes", NOBODY, MONITOR, MONITOR, ALL),
    ("GET", "users", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "permissions", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "definitions", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "parameters", NOBODY, POLICIES, ALL, POLICIES),
    ("PUT", "policies/*/*", NOBODY, POLICIES, ALL, POLICIES),
    ("PUT", "operator-policies/*/*", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("PUT", "vhosts/*", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("PUT", "queues/*/*", NOBODY, ALL, ALL, ALL),
    ("GET", "cluster-name", NOBODY, ALL, ALL, ALL),
    ("PUT", "cluster-name", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("POST", "rebalance/queues", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "feature-flags", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "extensions", NOBODY, ALL, ALL, ALL),
    ("GET", "user-limits", NOBODY, ALL, ALL, ALL),
    ("PUT", "user-limits/*/*", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("DELETE", "auth/attempts/*", NOBODY, MONITOR, MONITOR, ALL),
    ("GET", "operator-policies", NOBODY, ALL, ALL, ALL),
    ("POST", "queues/*/*/actions", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("POST", "vhosts/*/start/*", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "all-configuration", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "nodes/*/memory", NOBODY, MONITOR, MONITOR, ALL),
    ("GET", "vhosts/*/permissions", NOBODY, ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("GET", "vhosts/*/connections", NOBODY, ALL, ALL, ALL),
    ("GET", "health/checks/alarms", NOBODY, ALL, ALL, ALL),
]
"""As RabbitMQ 3.10.8 answered."""


@pytest.mark.parametrize(("method", "path", "reasons"), [(*row[:2], row[2:]) for row in BY_TAGS])
def test_tags_say_what_a_user_may_ask(method, path, reasons):
    wanted = ((), ("management",), ("policymaker",), ("monitoring",))
    assert tuple(problem(tags, method, path) for tags in wanted) == reasons
    assert problem(("administrator",), method, path) == ""


def test_user_without_a_tag_is_not_let_in_and_tags_are_shown(place):
    place.does("PUT", "users/bob", {"password": "p", "tags": ""})
    answer = place.ask("GET", "overview", user="bob:p")
    assert (answer.status_code, answer.json()["reason"]) == (401, "Not management user")
    place.does("PUT", "users/bob", {"password": "p", "tags": "monitoring, policymaker"})
    assert place.ask("GET", "whoami", user="bob:p").json()["tags"] == ["monitoring", "policymaker"]
    assert place.get("users/bob")["tags"] == ["monitoring", "policymaker"]
    (bob,) = [one for one in place.get("definitions")["users"] if one["name"] == "bob"]
    assert bob["tags"] == ["monitoring", "policymaker"]


REFUSED = [
    ("PUT", "exchanges/%2F/amq.foo", {"type": "direct"}, 401, "exchange name 'amq.foo' contains"),
    ("DELETE", "exchanges/%2F/amq.topic", None, 401, "deletion of system exchange 'amq.topic'"),
    (
        "POST",
        "exchanges/%2F/none/publish",
        {"routing_key": "a", "payload": "x", "payload_encoding": "string", "properties": {}},
        400,
        "404 NOT_FOUND - no exchange 'none' in vhost '/'",
    ),
    ("PUT", "parameters/shovel/%2F/a", {"value": {}}, 400, "Validation failed\n\ncomponent shovel"),
    ("DELETE", "parameters/shovel/%2F/a", None, 404, "Not Found"),
    ("POST", "queues/%2F/log/get", ONE, 400, "540 basic.get not supported by stream queues queue"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "reason"), REFUSED)
def test_what_rabbitmqadmin_is_refused(place, method, path, body, status, reason):
    place.does("PUT", "queues/%2F/log", DURABLE | {"arguments": {"x-queue-type": "stream"}})
    answer = place.ask(method, path, body)
    assert (answer.status_code, answer.json()["reason"][: len(reason)]) == (status, reason)


def test_a_virtual_host_is_traced_from_there(place):
    assert place.does("PUT", "vhosts/shop", {"tracing": True}) == 201
    assert [one["tracing"] for one in place.get("vhosts")] == [False, True]
    assert place.does("PUT", "vhosts/shop", {"tracing": False}) == 204
    assert [one["tracing"] for one in place.get("vhosts")] == [False, False]


def test_a_virtual_host_is_described_until_a_request_says_nothing_of_it(place):
    def said():
        shown = place.get("vhosts/shop")
        assert shown["metadata"] == {key: shown[key] for key in ("description", "tags")}
        return shown["description"], shown["tags"]

    assert place.does("PUT", "vhosts/shop", {"description": "of shops", "tags": "a,b"}) == 201
    assert said() == ("of shops", ["a", "b"])
    exported = place.get("definitions")
    assert place.does("PUT", "vhosts/shop", {"tags": ["x"]}) == 204
    assert said() == ("", ["x"])
    assert place.does("POST", "definitions", exported) == 204
    assert said() == ("of shops", ["a", "b"])
    assert place.does("PUT", "vhosts/shop") == 204
    assert said() == ("", [])
    assert place.does("PUT", "vhosts/shop", {"tags": 5}) == 400
    assert place.does("PUT", "vhosts/shop", {"description": 5}) == 400
    nulls = {"description": None, "tags": None, "default_queue_type": None}
    assert place.does("PUT", "vhosts/shop", nulls) == 204
    assert said() == ("", [])
    assert place.get("vhosts/%2F")["description"] == "Default virtual host"


def test_a_virtual_host_that_is_refused_is_as_it_was(place):
    before = {"description": "of shops", "tags": ["a"], "default_queue_type": "quorum"}
    assert place.does("PUT", "vhosts/shop", before) == 201
    for wish in ({"default_queue_type": "nope"}, {"default_queue_type": "classic", "tags": 5}):
        assert place.does("PUT", "vhosts/shop", wish) == 400
        assert place.does("POST", "definitions", {"vhosts": [{"name": "shop", **wish}]}) == 400
        assert place.does("POST", "definitions", {"vhosts": [{"name": "other", **wish}]}) == 400
    shown = place.get("vhosts/shop")
    assert {key: shown[key] for key in before} == before
    assert [one["name"] for one in place.get("vhosts")] == ["/", "shop"]


def test_null_in_definitions_of_a_virtual_host_says_nothing(place):
    row = {"name": "shop", "description": "of shops", "tags": ["a"]}
    nulls = {"name": "shop", "description": None, "tags": None}
    for wish in (row, nulls, {**nulls, "metadata": row}):
        assert place.does("POST", "definitions", {"vhosts": [wish]}) == 204
        shown = place.get("vhosts/shop")
        assert {key: shown[key] for key in row} == row


def test_topic_permissions_are_set_shown_and_taken_back(place):
    wish = {"exchange": "amq.topic", "write": "^a", "read": ".*"}
    assert place.does("PUT", "topic-permissions/%2F/guest", wish) == 201
    assert place.does("PUT", "topic-permissions/%2F/guest", wish) == 204
    row = {"user": "guest", "vhost": "/", **wish}
    for path in (
        "topic-permissions",
        "topic-permissions/%2F/guest",
        "users/guest/topic-permissions",
        "vhosts/%2F/topic-permissions",
    ):
        assert place.get(path) == [row]
    assert place.does("PUT", "topic-permissions/%2F/nobody", wish) == 400
    assert place.does("PUT", "topic-permissions/%2F/guest", {**wish, "read": "("}) == 400
    assert place.does("DELETE", "topic-permissions/%2F/guest") == 204
    assert place.does("GET", "topic-permissions/%2F/guest") == 404


def test_parameters_are_limits_and_operators_policies(place):
    place.does("PUT", "vhost-limits/%2F/max-queues", {"value": 10})
    body = {"pattern": ".*", "definition": {"max-length": 5}, "apply-to": "queues"}
    place.does("PUT", "operator-policies/%2F/short", body)
    place.does("PUT", "policies/%2F/long", body)
    assert [(one["component"], one["name"]) for one in place.get("parameters")] == [
        ("operator_policy", "short"),
        ("vhost-limits", "limits"),
    ]
    for path, names in (
        ("parameters/vhost-limits", ["limits"]),
        ("parameters/operator_policy/%2F", ["short"]),
        ("parameters/policy", ["long"]),
        ("parameters/federation", []),
    ):
        assert [one["name"] for one in place.get(path)] == names
    assert place.get("parameters/vhost-limits/%2F/limits")["value"] == {"max-queues": 10}
    for path in ("vhost-limits/none", "vhost-limits/%2F/none", "operator_policy/%2F/limits"):
        assert place.does("GET", f"parameters/{path}") == 404
    limits = "parameters/vhost-limits/%2F/limits"
    assert place.does("PUT", limits, {"value": {"max-queues": 7}}) == 204
    assert place.get("vhost-limits")[0]["value"] == {"max-queues": 7}
    assert place.does("DELETE", limits) == 204
    assert place.get("vhost-limits") == []


def test_connections_of_a_user_are_seen_and_ended(place):
    place.scene.client(name="mine")
    assert [one["user"] for one in place.get("connections/username/guest")] == ["guest"]
    assert place.get("connections/username/bob") == []
    assert place.does("DELETE", "connections/username/bob") == 204
    assert len(place.get("connections")) == 1
    assert place.does("DELETE", "connections/username/guest") == 204
    assert place.get("connections") == []
    assert place.does("POST", "rebalance/queues") == 204


def test_connections_channels_and_consumers_are_seen_and_ended(place):
    place.does("PUT", "queues/%2F/q")
    client = place.scene.client()
    client.send("basic.qos", prefetch_count=7)
    client.send("basic.consume", queue="q", consumer_tag="c", arguments={})
    (connection,) = place.get("connections")
    assert connection["name"] == f"{client.peer.address} -> {':'.join(map(str, client.peer.local))}"
    assert (connection["user"], connection["vhost"], connection["state"]) == (
        "guest", "/", "running"
    )  # fmt: skip
    name = connection["name"].replace(" ", "%20").replace(">", "%3E")
    assert place.get(f"connections/{name}") == connection
    (channel,) = place.get(f"connections/{name}/channels")
    assert (channel["number"], channel["consumer_count"], channel["prefetch_count"]) == (1, 1, 7)
    alone = place.get(f"channels/{channel['name'].replace(' ', '%20')}")
    assert alone | channel == alone
    assert [each["consumer_tag"] for each in alone["consumer_details"]] == [
        each["consumer_tag"] for each in place.get("consumers")
    ]
    (consumer,) = place.get("consumers/%2F")
    assert (consumer["consumer_tag"], consumer["queue"]["name"]) == ("c", "q")
    assert consumer["channel_details"]["connection_name"] == connection["name"]
    assert place.get("queues/%2F/q")["consumer_details"] == [consumer]
    assert place.get("overview")["object_totals"]["consumers"] == 1
    assert place.does("DELETE", f"connections/{name}") == 204
    assert place.get("connections") == []
    assert place.does("DELETE", f"connections/{name}") == 404


def test_connections_sessions_and_links_of_amqp_1_0_are_seen_and_ended(place):
    place.does("PUT", "queues/%2F/q", {"durable": True, "arguments": {"x-queue-type": "stream"}})
    client = LaterClient(place.scene).connect(properties={Symbol("product"): "mine"})
    client.sender("/queues/q")
    wanted = {Symbol("f"): Described(Symbol("amqp:application-properties-filter"), {"k": 1})}
    client.receiver("/queues/q", credit=3, max_message_size=500, source={"filter": wanted})
    (connection,) = place.get("connections")
    assert (connection["protocol"], connection["container_id"], connection["channels"]) == (
        "AMQP 1-0", "c1", 1
    )  # fmt: skip
    assert (connection["user"], connection["vhost"]) == ("guest", "/")
    assert connection["client_properties"] == {"product": "mine"}
    assert place.get("channels") == []
    name = connection["name"].replace(" ", "%20").replace(">", "%3E")
    assert place.get(f"connections/{name}") == connection
    (session,) = place.get(f"connections/{name}/sessions")
    (incoming,), (outgoing,) = session.pop("incoming_links"), session.pop("outgoing_links")
    assert session == {
        "channel_number": 0, "handle_max": 255, "next_incoming_id": 0, "incoming_window": 400,
        "next_outgoing_id": 0, "remote_incoming_window": 1000, "remote_outgoing_window": 1000,
        "outgoing_unsettled_deliveries": 0,
    }  # fmt: skip
    assert incoming == {
        "handle": 0, "link_name": "s0", "snd_settle_mode": "mixed", "target_address": "/queues/q",
        "max_message_size": 16 * 1024 * 1024, "delivery_count": 0, "credit": 170,
        "unconfirmed_messages": 0,
    }  # fmt: skip
    filters = [{"name": "f", "descriptor": "amqp:application-properties-filter", "value": {"k": 1}}]
    assert outgoing == {
        "handle": 1, "link_name": "r1", "source_address": "/queues/q", "queue_name": "q",
        "send_settled": False, "max_message_size": 500, "filter": filters, "delivery_count": 0,
        "credit": 3, "consumer_timeout": False,
    }  # fmt: skip
    (consumer,) = place.get("consumers")
    assert consumer["channel_details"]["connection_name"] == connection["name"]
    assert place.does("DELETE", f"connections/{name}") == 204
    assert place.get("connections") == []


def test_a_connection_of_0_9_1_has_no_sessions(place):
    place.scene.client()
    (connection,) = place.get("connections")
    name = connection["name"].replace(" ", "%20").replace(">", "%3E")
    refused = place.ask("GET", f"connections/{name}/sessions")
    assert (refused.status_code, refused.json()["reason"]) == (
        400, "connection does not use AMQP 1.0"
    )  # fmt: skip


def test_users_permissions_and_virtual_hosts_are_kept(place):
    assert place.get("whoami")["name"] == "guest"
    assert place.does("PUT", "vhosts/shop") == 201
    assert place.does("PUT", "vhosts/shop") == 204
    assert [one["name"] for one in place.get("vhosts")] == ["/", "shop"]
    assert place.does("PUT", "users/bob", {"password": "secret", "tags": "management"}) == 201
    assert place.ask("GET", "overview", user="bob:secret").status_code == 200
    assert place.ask("GET", "overview", user="bob:wrong").status_code == 401
    wish = {"configure": "", "write": "^q", "read": ".*"}
    assert place.does("PUT", "permissions/shop/bob", wish) == 201
    assert place.get("permissions/shop/bob") == {
        "user": "bob", "vhost": "shop", "configure": "", "write": "^q", "read": ".*"
    }  # fmt: skip
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    assert place.get("permissions/%2F/guest") == {"user": "guest", "vhost": "/", **everything}
    assert [one["vhost"] for one in place.get("users/bob/permissions")] == ["shop"]
    assert {one["user"] for one in place.get("vhosts/shop/permissions")} == {"guest", "bob"}
    assert place.does("PUT", "permissions/shop/bob", everything) == 204
    assert place.does("DELETE", "permissions/shop/bob") == 204
    assert place.does("DELETE", "permissions/shop/bob") == 404
    for at in ("shop/nobody", "none/bob"):
        answer = place.ask("PUT", f"permissions/{at}", wish)
        assert (answer.status_code, answer.json()["reason"]) == (400, "vhost_or_user_not_found")
    refused = place.ask("PUT", "users/eve", {"password_hash": "x"})
    assert (refused.status_code, refused.json()["reason"]) == (400, ["not_base64", "x"])
    place.does("PUT", "permissions/shop/bob", wish)
    assert place.does("DELETE", "users/bob") == 204
    assert place.does("DELETE", "users/bob") == 404
    place.does("PUT", "users/bob", {"password": "secret", "tags": ""})
    assert place.get("users/bob/permissions") == []
    place.does("DELETE", "users/bob")
    assert place.does("DELETE", "vhosts/shop") == 204
    assert place.does("DELETE", "vhosts/%2F") == 400


@pytest.mark.parametrize("kind", ["policies", "operator-policies"])
def test_policies_act_at_once(place, kind):
    place.does("PUT", "queues/%2F/q")
    body = {"pattern": "^q", "definition": {"max-length": 1}, "apply-to": "queues", "priority": 3}
    assert place.does("PUT", f"{kind}/%2F/short", body) == 201
    assert place.does("PUT", f"{kind}/%2F/short", body) == 204
    assert place.get(f"{kind}/%2F/short") == {"vhost": "/", "name": "short", **body}
    assert place.get("queues/%2F/q")["effective_policy_definition"] == {"max-length": 1}
    assert place.does("PUT", f"{kind}/%2F/bad", {"pattern": "("}) == 400
    assert [one["name"] for one in place.get(kind)] == ["short"]
    assert place.does("DELETE", f"{kind}/%2F/short") == 204
    assert place.get(kind) == []


def test_lists_come_in_pages_sorted_filtered_and_with_chosen_columns(place):
    for name in ("bb", "a", "ba", "c"):
        place.does("PUT", f"queues/%2F/{name}")
    page = place.get("queues", page=2, page_size=3, columns="name,message_stats.publish")
    assert page == {
        "filtered_count": 4,
        "item_count": 1,
        "items": [{"name": "c", "message_stats": {"publish": 0}}],
        "page": 2,
        "page_count": 2,
        "page_size": 3,
        "total_count": 4,
    }
    found = place.get("queues", name="^b", use_regex="true", sort="name", sort_reverse="true")
    assert [one["name"] for one in found] == ["bb", "ba"]
    assert place.get("queues/%2F", columns="name")[0] == {"name": "a"}
    for wrong in ({"page": 9}, {"page": 0}, {"page": "x"}, {"page": 1, "page_size": 501}):
        assert place.does("GET", "queues", **wrong) == 400
    assert place.does("GET", "queues", name="(", use_regex="true") == 400


def test_no_expression_for_names_holds_the_loop_up(place):
    place.does("PUT", f"queues/%2F/{'a' * 40}b")
    assert place.get("queues", page=1, name="(a+)+$", use_regex="true")["filtered_count"] == 0
    assert place.get("queues", page=1, name="(a+)+b$", use_regex="true")["filtered_count"] == 1


def test_rates_are_those_of_the_last_seconds_at_the_first_look(place):
    place.does("PUT", "queues/%2F/q")
    client = place.scene.client()
    client.fake.send(publish("", "q") * 30)
    place.scene.advance(3)
    for _ in range(3):
        client.fake.send(publish("", "q") * 20)
        place.scene.advance(1)
    client.send("basic.get", queue="q", no_ack=True)
    client.send("basic.get", queue="q", no_ack=True)
    shown = place.get("queues/%2F/q")
    # Measured from the look before the last: 40 messages, or 2, in two seconds.
    assert shown["message_stats"]["publish"] == 90
    assert 13 <= shown["message_stats"]["publish_details"]["rate"] <= 40
    assert 0 < shown["message_stats"]["deliver_get_details"]["rate"] <= 2
    assert place.get("queues")[0]["message_stats"] == shown["message_stats"]
    (host,) = place.get("vhosts")
    assert host["message_stats"] == shown["message_stats"]
    assert place.get("overview")["message_stats"] == shown["message_stats"]
    assert place.get("overview")["queue_totals"]["messages_details"] == shown["messages_details"]
    place.scene.advance(10)
    assert place.get("queues/%2F/q")["message_stats"]["publish_details"] == {"rate": 0.0}


def test_health_is_told_and_so_is_an_alarm(place):
    for check in ("alarms", "local-alarms", "virtual-hosts"):
        assert place.get(f"health/checks/{check}") == {"status": "ok"}
    for check in ("node-is-quorum-critical", "node-is-mirror-sync-critical"):
        alone = {"status": "ok", "reason": "single node cluster"}
        assert place.get(f"health/checks/{check}") == alone
    assert place.get("aliveness-test/%2F") == {"status": "ok"}
    memory = place.scene.broker.memory
    memory.used = memory.limit + 1
    (node,) = place.get("nodes")
    assert (node["mem_alarm"], node["disk_free_alarm"]) == (True, False)
    assert place.get(f"nodes/{node['name']}").keys() == node.keys()
    memory.raise_alarm("disk")
    (node,) = place.get("nodes")
    assert (node["mem_alarm"], node["disk_free_alarm"]) == (True, True)
    # As RabbitMQ 3.10.8 has it.
    for check, where in (("alarms", "in the cluster"), ("local-alarms", "on the node")):
        failed = place.ask("GET", f"health/checks/{check}")
        assert failed.status_code == 503
        assert failed.json() == {
            "status": "failed",
            "reason": f"There are alarms in effect {where}",
            "alarms": [
                {"node": node["name"], "resource": "disk space"},
                {"node": node["name"], "resource": "memory"},
            ],
        }


def test_who_is_not_who_or_asks_for_what_is_not_there_is_refused(place):
    answer = place.ask("GET", "overview", user="")
    assert (answer.status_code, answer.json()["error"]) == (401, "not_authorised")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert place.ask("GET", "overview", user="guest:wrong").status_code == 401
    assert place.ask("GET", "overview", host="evil.example").status_code == 421
    assert place.ask("GET", "nothing").json() == NOT_FOUND
    for path in ("queues/none", "exchanges/none", "bindings/none", "policies/none", "vhosts/none",
                 "users/none", "nodes/none", "connections/none", "channels/none",
                 "policies/%2F/none", "permissions/%2F/none"):  # fmt: skip
        assert place.does("GET", path) == 404, path
    answer = place.ask("PATCH", "queues/%2F/q")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT, DELETE")
    for body in (b"{", b"[]", b"[" * 100_000, b"\xff"):
        assert place.ask("PUT", "queues/%2F/q", body).status_code == 400


def test_every_list_answers_on_an_empty_broker(place):
    for path, methods in PATHS.items():
        if "GET" in methods and "*" not in path and path not in SINCE:
            place.get(path)


RECORDED = {
    "classic_mirrored_queue_version", "drop_unroutable_metric", "empty_basic_get_metric",
    "implicit_default_bindings", "maintenance_mode_status", "quorum_queue", "stream_queue",
    "user_limits", "virtual_host_metadata",
}  # fmt: skip
"""The feature flags of RabbitMQ 3.10.8, as it listed them."""


@pytest.mark.parametrize(
    ("release", "version", "missing", "flag"),
    [
        ("3.10", "3.10.8", set(SINCE), "quorum_queue"),
        ("3.13", "3.13.7", {path for path in SINCE if SINCE[path] > (3, 13)}, "message_containers"),
        ("4.1", "4.1.4", {path for path in SINCE if SINCE[path] > (4, 1)}, "rabbitmq_4.1.0"),
        ("4.3", "4.3.0", set(), "rabbitmq_4.3.0"),
    ],
)
def test_what_a_release_is_it_says_where_it_has_the_path(release, version, missing, flag):
    place = Place(release)
    for path in SINCE:
        answer = place.ask("GET", path)
        assert (answer.status_code == 404) == (path in missing), path
    assert place.get("overview")["rabbitmq_version"] == version
    assert place.get("extensions") == [{"javascript": "dispatcher.js"}]
    flags = place.get("feature-flags")
    names = {each["name"] for each in flags}
    assert (names == RECORDED) == (release == "3.10")
    assert names >= RECORDED | {flag}
    assert {each["state"] for each in flags} == {"enabled"}
    assert {each["stability"] for each in flags if each["name"] in RECORDED} == {
        "stable" if release == "3.10" else "required"
    }
    mirrors = place.ask("GET", "health/checks/node-is-mirror-sync-critical")
    assert mirrors.status_code == (404 if release == "4.3" else 200)
    assert place.get("aliveness-test/%2F") == {"status": "ok"}
    if "version" not in missing:
        assert place.get("version") == version
        assert place.get("health/checks/ready-to-serve-clients") == {"status": "ok"}
    if "deprecated-features" not in missing:
        phases = {
            each["name"]: each["deprecation_phase"] for each in place.get("deprecated-features")
        }
        phase = "denied_by_default" if release == "4.3" else "permitted_by_default"
        assert phases.pop("ram_node_type") == ("removed" if release == "4.3" else phase)
        assert phases == dict.fromkeys(
            (
                "amqp_address_v1",
                "global_qos",
                "queue_master_locator",
                "transient_nonexcl_queues",
            ),
            phase,
        )


@pytest.mark.parametrize(
    ("release", "arguments", "limit"),
    [
        ("3.13", {"x-delivery-limit": 5}, None),
        ("4.1", {}, 20),
        ("4.1", {"x-delivery-limit": 5}, 5),
        ("4.3", {"x-delivery-limit": -1}, "unlimited"),
    ],
)
def test_a_quorum_queue_says_its_delivery_limit_from_4_0_on(release, arguments, limit):
    place = Place(release)
    body = {"durable": True, "arguments": {"x-queue-type": "quorum", **arguments}}
    assert place.does("PUT", "queues/%2F/q", body) == 201
    assert place.get("queues/%2F/q").get("delivery_limit") == limit


def test_hostile_names_leave_escaped(place):
    for name in ("%FF", "%1B%5B2J", "%E2%80%AEevil", "a%2Fb"):
        assert place.does("PUT", f"queues/%2F/{name}") in (201, 400)
    names = [one["name"] for one in place.get("queues")]
    assert "a/b" in names


def test_it_is_served_where_it_is_asked_for():
    def served(**options):
        return resolve(options, {}, "").config.manages_amqp

    assert not served()
    assert served(amqp_management=True)
    assert served(amqp_management_port=0)
    assert not served(amqp_management=True, amqp=False)


def test_limits_of_a_virtual_host_are_set_shown_and_lifted():
    place = Place()
    place.scene.broker.add_vhost("shop")
    for name, value in (("max-connections", 10), ("max-queues", 5)):
        answer = place.ask("PUT", f"vhost-limits/shop/{name}", {"value": value})
        assert answer.status_code == 204
    shown = [{"vhost": "shop", "value": {"max-connections": 10, "max-queues": 5}}]
    assert place.ask("GET", "vhost-limits").json() == shown
    assert place.ask("GET", "vhost-limits/shop").json() == shown
    assert place.scene.broker.vhost("shop").limits == {"max-connections": 10, "max-queues": 5}
    for _ in range(2):
        assert place.ask("DELETE", "vhost-limits/shop/max-connections").status_code == 204
    assert place.ask("GET", "vhost-limits/shop").json()[0]["value"] == {"max-queues": 5}


def test_limits_of_a_user_are_set_shown_and_lifted():
    place = Place()
    assert place.ask("PUT", "user-limits/guest/max-channels", {"value": 3}).status_code == 204
    shown = [{"user": "guest", "value": {"max-channels": 3}}]
    assert place.ask("GET", "user-limits").json() == shown
    assert place.ask("GET", "user-limits/guest").json() == shown
    assert place.ask("GET", "users/guest").json()["limits"] == {"max-channels": 3}
    assert place.ask("DELETE", "user-limits/guest/max-channels").status_code == 204
    assert place.ask("GET", "user-limits").json() == []
    assert place.ask("GET", "users/guest").json()["limits"] == {}


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        (
            "vhost-limits/%2F/odd",
            {"value": 10},
            400,
            'Validation failed\n\nUnrecognised terms [{<<"odd">>,10}] in limits\n',
        ),
        (
            "vhost-limits/%2F/max-queues",
            {"value": "x"},
            400,
            'Validation failed\n\nmax-queues should be a number, actually was <<"x">>\n',
        ),
        ("vhost-limits/%2F/max-queues", {}, 400, "[{key_missing,value}]"),
        ("vhost-limits/none/max-queues", {"value": 1}, 404, "vhost_not_found"),
        (
            "user-limits/guest/odd",
            {"value": 1},
            400,
            'Unrecognised terms [{<<"odd">>,1}] in user-limits',
        ),
        ("user-limits/none/max-channels", {"value": 1}, 400, "no_such_user: none"),
    ],
)
def test_limits_that_cannot_be_are_refused_in_rabbitmqs_words(path, body, status, reason):
    answer = Place().ask("PUT", path, body)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


def test_limits_of_what_is_not_there_are_not_found():
    for path in ("vhost-limits/none", "user-limits/none"):
        assert Place().ask("GET", path).json() == NOT_FOUND


ANSWERS = [
    ("PUT", "users/a", {"password": "x"}, 400, "tags_not_present"),
    ("PUT", "permissions/%2F/bob", {"configure": "", "write": ""}, 400, "[{key_missing,read}]"),
    ("POST", "queues/%2F/q/get", {"ackmode": "x", "count": 1}, 400, "[{key_missing,encoding}]"),
    ("POST", "queues/%2F/q/get", {**ONE, "encoding": "x"}, 400, "Unsupported encoding."),
    ("POST", "queues/%2F/q/get", b'{"count": 1e400, "ackmode": "", "encoding": ""}', 400, "count"),
    ("PUT", "vhosts/new", {"tracing": "x"}, 400, ["not_boolean", "x"]),
    *(
        ("PUT", f"{what}/%2F/new", {"type": "direct", flag: value}, 400, ["not_boolean", value])
        for what in ("queues", "exchanges")
        for flag in ("durable", "auto_delete")
        for value in (1, 0, None, "True")
    ),
    ("PUT", "queues/%2F/new", {"node": "x@y"}, 400, "Node x@y could not be contacted"),
    ("PUT", "policies/%2F/p", {"pattern": "^x"}, 400, "[{key_missing,definition}]"),
    ("POST", PUBLISH, TO_Q, 400, "[{key_missing,properties}]"),
    *(
        ("POST", PUBLISH, {**TO_Q, "properties": {name: value}}, 400, reason)
        for name, value, reason in (
            ("delivery_mode", "2", ["not_int", "delivery_mode"]),
            ("priority", 1.5, ["not_int", "priority"]),
            ("timestamp", True, ["not_int", "timestamp"]),
            ("expiration", 5, ["not_string", "expiration"]),
            ("app_id", None, ["not_string", "app_id"]),
            ("user_id", "bob", "406 PRECONDITION_FAILED - user_id property set to 'bob' but "),
        )
    ),
]
"""What RabbitMQ 3.10.8 refused too, mostly in these words."""


@pytest.mark.parametrize(("method", "path", "body", "status", "reason"), ANSWERS)
def test_what_cannot_be_is_refused_with_a_reason(place, method, path, body, status, reason):
    place.does("PUT", "queues/%2F/q")
    place.does("PUT", "users/bob", {"password": "x", "tags": ""})
    answer = place.ask(method, path, body)
    assert (answer.status_code, answer.json()["reason"][: len(reason)]) == (status, reason)
    assert [one["name"] for one in place.get("vhosts")] == ["/"]


@pytest.mark.parametrize("page", ["\u00b2", "9" * 5000, "0", "x"])
def test_a_page_that_cannot_be_is_refused(place, page):
    answer = place.ask("GET", "queues", page=page)
    assert answer.status_code == 400
    assert "page: 1 or more is wanted" in answer.json()["reason"]


@pytest.mark.parametrize(
    ("encoding", "payload", "reason"),
    [("foo", "x", ["unsupported_encoding", "foo"]), ("base64", "y", ["not_base64", "y"])],
)
def test_payloads_that_cannot_be_are_named(place, encoding, payload, reason):
    body = {**TO_Q, "payload": payload, "payload_encoding": encoding, "properties": {}}
    answer = place.ask("POST", "exchanges/%2F/amq.default/publish", body)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)


def test_half_a_character_is_a_mark_in_a_message_and_refused_in_a_name(place):
    place.does("PUT", "queues/%2F/q")
    body = b'{"routing_key":"q","payload":"\\ud800","payload_encoding":"string","properties":{}}'
    path = "exchanges/%2F/amq.default/publish"
    assert place.ask("POST", path, body).json() == {"routed": True}
    assert place.ask("POST", "queues/%2F/q/get", ONE).json()[0]["payload"] == "\ufffd"
    refused = place.ask("POST", path, body.replace(b'"q"', b'"\\ud800"'))
    assert refused.status_code == 400
    assert "no legal text" in refused.json()["reason"]


def test_of_a_message_as_much_is_shown_as_is_asked_for(place):
    place.does("PUT", "queues/%2F/q")
    place.scene.broker.publish("", "q", "\u00e9\u00e9\u00e9".encode())
    look = ONE | {"ackmode": "ack_requeue_true"}
    for truncate, payload, encoding in (
        (4, "\u00e9\u00e9", "string"),
        (3, "w6nD", "base64"),
        (0, "", "string"),
    ):
        (got,) = place.ask("POST", "queues/%2F/q/get", look | {"truncate": truncate}).json()
        assert (got["payload"], got["payload_encoding"]) == (payload, encoding)
        assert got["payload_bytes"] == 6


def test_who_gets_waits_in_turns_for_very_many_messages_that_are_over(place):
    scene = place.scene
    turn, queues = scene.environment.turn, scene.broker.vhost().queues
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    place.does("PUT", "queues/%2F/dead")
    place.does("PUT", "queues/%2F/q", {"arguments": {"x-message-ttl": 1000, **dead}})
    seen, answers = [], []

    def other():
        seen.append(len(queues["q"].messages))
        if queues["q"].messages:
            scene.clock.call_later(0, other)

    async def main():
        transport = httpx.ASGITransport(place.app)
        login = ("guest", "guest")
        async with httpx.AsyncClient(transport=transport, base_url=BASE, auth=login) as http:
            get = asyncio.ensure_future(http.post("/api/queues/%2F/q/get", json=ONE))
            while not (get.done() or queues["q"].ageing):
                await asyncio.sleep(0)
            other()
            scene.clock.advance(0)
            answers.append(await get)

    # In front of the queue's own timer.
    scene.clock.call_later(1.0, lambda: asyncio.run(main()))
    for _ in range(1000):
        scene.broker.publish("", "q", b"x")
    turn.now, turn.length = count().__next__, 0.0
    scene.clock.advance(1.0)
    (answer,) = answers
    assert answer.json() == []
    assert any(0 < left < 1000 for left in seen)
    assert len(queues["dead"].messages) == 1000


def test_a_negative_count_is_all_and_what_expired_is_not_left_behind(place):
    place.does("PUT", "queues/%2F/q", {"arguments": {"x-message-ttl": 1000}})
    for _ in range(3):
        place.scene.broker.publish("", "q", b"old")
    place.scene.advance(2)
    for _ in range(2):
        place.scene.broker.publish("", "q", b"new")
    got = place.ask("POST", "queues/%2F/q/get", ONE | {"count": -1}).json()
    assert [(one["payload"], one["message_count"]) for one in got] == [("new", 1), ("new", 0)]


@pytest.mark.parametrize(
    ("method", "path", "body", "front"),
    [
        ("POST", "queues/%2F/mine/get", ONE, "405 RESOURCE_LOCKED - "),
        ("DELETE", "queues/%2F/mine/contents", None, ""),
        ("POST", "bindings/%2F/e/amq.topic/q/mine", {}, ""),
        ("PUT", "queues/%2F/mine", {"durable": False}, ""),
        ("DELETE", "queues/%2F/mine", None, ""),
    ],
)
def test_a_queue_of_one_connection_is_nobody_elses_here_either(place, method, path, body, front):
    place.scene.client().send("queue.declare", queue="mine", exclusive=True)
    answer = place.ask(method, path, body)
    words = f"{front}cannot obtain exclusive access to locked queue 'mine' in vhost '/'"
    assert (answer.status_code, answer.json()["reason"][: len(words)]) == (400, words)


def test_a_new_binding_is_named_by_its_location(place):
    """As RabbitMQ 3.10.8 names them, where Terraform finds a binding again."""
    place.does("PUT", "queues/%2F/q%20b")
    for key, location in (
        ("", "q+b/~"),
        ("a.#", "q+b/a.%2523"),
        ("a b/c", "q+b/a%2Bb%252Fc"),
        ("\u00e9~", "q+b/%25C3%25A9%257E"),
    ):
        made = place.ask("POST", "bindings/%2F/e/amq.topic/q/q%20b", {"routing_key": key})
        assert (made.status_code, made.headers["location"]) == (201, location)
        name = location.partition("/")[2]
        assert place.get(f"bindings/%2F/e/amq.topic/q/q%20b/{name}")["routing_key"] == key
        assert place.does("DELETE", f"bindings/%2F/e/amq.topic/q/q%20b/{name}") == 204


def test_permissions_that_cannot_be_leave_those_that_are(place):
    place.does("PUT", "users/my bob", {"password": "x", "tags": ""})
    wish = {"configure": "^a", "write": "", "read": "^urn:"}
    assert place.does("PUT", "permissions/%2F/my%20bob", wish) == 201
    refused = place.ask("PUT", "permissions/%2F/my%20bob", wish | {"write": "("})
    assert (refused.status_code, refused.json()["reason"][0]) == (400, "invalid_regexp")
    row = {"user": "my bob", "vhost": "/", **wish}
    assert place.get("permissions/%2F/my%20bob") == row
    assert row in place.get("definitions")["permissions"]
    nothing = dict.fromkeys(("configure", "write", "read"), "")
    assert place.does("PUT", "permissions/%2F/my%20bob", nothing) == 204
    assert place.get("users/my%20bob/permissions") == [{"user": "my bob", "vhost": "/", **nothing}]


def test_who_kept_all_as_others_were_restricted_may_be_restricted_later(place):
    every = dict.fromkeys(("configure", "write", "read"), ".*")
    place.does("PUT", "users/bob", {"password": "x", "tags": ""})
    place.does("PUT", "permissions/%2F/bob", every | {"configure": ""})
    assert place.get("permissions/%2F/guest") == {"user": "guest", "vhost": "/", **every}
    place.does("PUT", "permissions/%2F/guest", every | {"configure": "^mine"})
    assert place.does("PUT", "queues/%2F/yours") == 401
    assert place.does("PUT", "queues/%2F/mine") == 201


def test_a_virtual_host_is_its_makers_and_leaves_no_rights_behind(place):
    every = dict.fromkeys(("configure", "write", "read"), ".*")
    for name in ("boss", "bob"):
        place.does("PUT", f"users/{name}", {"password": "x", "tags": "administrator"})
    place.does("PUT", "permissions/%2F/bob", every)
    assert place.ask("PUT", "vhosts/shop", {}, user="boss:x").status_code == 201
    (row,) = place.get("vhosts/shop/permissions")
    assert row == {"user": "boss", "vhost": "shop", **every}
    place.does("DELETE", "vhosts/shop")
    place.scene.broker.add_vhost("shop")
    assert place.get("vhosts/shop/permissions") == []


def test_a_user_that_is_removed_leaves_nothing_behind(place):
    place.does("PUT", "users/bob", {"password": "secret", "tags": ""})
    place.does("PUT", "user-limits/bob/max-connections", {"value": 3})
    client = place.scene.stranger()
    client.connect(user="bob", password="secret")
    assert place.does("DELETE", "users/bob") == 204
    place.scene.advance(0)
    (closed,) = client.received()
    assert (closed["reply_code"], closed["reply_text"]) == (
        320,
        "CONNECTION_FORCED - user 'bob' is deleted",
    )
    place.does("PUT", "users/bob", {"password": "secret", "tags": ""})
    assert place.get("user-limits/bob") == []


def test_users_of_other_protocols_are_not_there_until_they_are_made_users_here(place):
    place.scene.environment.access.add_user("sensor", "secret", ("mqtt",))
    assert place.does("GET", "users/sensor") == 404
    assert place.does("DELETE", "users/sensor") == 404
    place.does("PUT", "users/sensor", {"password": "new", "tags": "management"})
    assert place.ask("GET", "whoami", user="sensor:new").status_code == 200
    assert place.scene.environment.access.login("mqtt", "sensor", "new")


def test_who_does_not_see_all_ends_no_connections_of_others(place):
    place.scene.client()
    place.does("PUT", "users/bob", {"password": "x", "tags": "management"})
    answer = place.ask("DELETE", "connections/username/guest", user="bob:x")
    assert (answer.status_code, answer.json()["reason"]) == (
        401,
        "User not authorised to access object",
    )
    assert len(place.get("connections")) == 1


def test_a_body_is_bounded_whether_or_not_its_length_is_said(place):
    usage = place.scene.environment.usage
    usage.limits = structs.replace(usage.limits, http_body=2048)

    async def main():
        async def pieces():
            for _ in range(3):
                yield b" " * 1024

        transport = httpx.ASGITransport(place.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            return await http.post("/api/definitions", content=pieces(), auth=("guest", "guest"))

    for answer in (asyncio.run(main()), place.ask("POST", "definitions", b" " * 2049)):
        assert answer.status_code == 413
        assert answer.json() == {
            "error": "payload_too_large",
            "reason": "a body has 2.0K at most: --limit http_body=4.0K allows more",
        }


def test_who_is_removed_while_its_request_comes_in_changes_nothing(place):
    access = place.scene.environment.access
    access.add_user("bob", "x", ("amqp",))

    async def main():
        async def pieces():
            access.remove_user("bob")
            yield b"{}"

        transport = httpx.ASGITransport(place.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            return await http.put("/api/queues/%2F/q", content=pieces(), auth=("bob", "x"))

    assert asyncio.run(main()).status_code == 401
    assert place.does("GET", "queues/%2F/q") == 404


def test_bytes_are_added_up_for_some_thousands_of_messages_in_all(place):
    """A list of many queues costs no more than one long queue."""
    for name in ("a", "b", "c"):
        place.scene.broker.declare_queue(name)
        for _ in range(4000):
            place.scene.broker.publish("", name, b"12")
    found = {one["name"]: one["message_bytes_ready"] for one in place.get("queues")}
    assert found == {"a": 8000, "b": 8000, "c": None}
    assert place.get("queues/%2F/c")["message_bytes_ready"] == 8000


def test_events_say_who_asked_for_it_here(place):
    place.does("PUT", "users/boss", {"password": "x", "tags": "administrator"})
    listener = listen(place.scene, "#")
    place.ask("PUT", "queues/%2F/q", {}, user="boss:x")
    place.ask("PUT", "users/ada", {"password": "x", "tags": ""}, user="boss:x")
    place.ask("PUT", "policies/%2F/p", {"pattern": "q", "definition": {"max-length": 1}})
    place.ask("PUT", "vhost-limits/%2F/max-queues", {"value": 5}, user="boss:x")
    found = dict(who(place.scene, listener))
    assert found == {
        "queue.created": "boss",
        "policy.set": "guest",
        "vhost.limits.set": "boss",
        "user.created": "boss",
        "user.tags.set": "boss",
        "permission.created": "boss",
    }


def test_a_client_that_hangs_up_amid_its_body_is_no_failure_of_ours(place):
    basic = base64.b64encode(b"guest:guest")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/definitions",
        "raw_path": b"/api/definitions",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", b"Basic " + basic)],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    came = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return came.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(place.app(scope, receive, send))
    assert (came, sent) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        "queues",
        "queues?sort=messages",
        "queues?page=1&page_size=500",
        "bindings",
        "definitions/%2F",
    ],
)
def test_others_have_their_turn_while_a_long_answer_is_made(path):
    place = Place()
    for number in range(600):
        place.scene.broker.declare_queue(f"q{number}")
    name, _, query = path.partition("?")
    whole = place.ask("GET", name, **dict(each.split("=") for each in query.split("&") if each))
    answer, turns = asked_beside(place, "GET", path)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == whole.json()
    assert turns >= 500


def asked_beside(place, method, path, body=None):
    """The answer, and how many turns others had meanwhile."""
    # Each look at the time finds the turn to be up.
    turn = place.scene.environment.turn
    turn.now, turn.length = count().__next__, 0.0
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main():
        headers = {"authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
        transport = httpx.ASGITransport(place.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            beside = asyncio.create_task(others())
            answer = await http.request(method, f"/api/{path}", headers=headers, json=body)
            beside.cancel()
            return answer

    return asyncio.run(main()), turns


@pytest.mark.parametrize(("last", "status"), [({"name": "x"}, 204), ({}, 400)])
def test_others_have_their_turn_while_definitions_are_taken_up(last, status):
    place = Place()
    listener = listen(place.scene, "queue.created")
    queues = [*({"name": f"q{number}", "vhost": "/"} for number in range(300)), last]
    answer, turns = asked_beside(place, "POST", "definitions", {"queues": queues})
    assert answer.status_code == status
    assert turns >= 300
    assert who(place.scene, listener) == [("queue.created", "guest")] * (300 + (status == 204))


def test_a_queue_that_goes_while_a_list_is_made_is_left_out():
    place = Place()
    for number in range(600):
        place.scene.broker.declare_queue(f"q{number:03}")
    found = listed(
        place.scene.broker.management.queue_names(), {}, place.scene.broker.management.queues
    )
    first = next(found.rows)
    place.scene.broker.vhost().delete_queue("q599")
    assert [first["name"], *(row["name"] for row in found.rows)] == [
        f"q{number:03}" for number in range(599)
    ]


@pytest.mark.parametrize("what", ["queues", "exchanges"])
def test_what_is_made_is_durable_if_that_is_asked_for(place, what):
    for given, durable in (({}, False), ({"durable": "true"}, True), ({"durable": False}, False)):
        assert place.does("PUT", f"{what}/%2F/d", {"type": "direct", **given}) == 201
        assert place.get(f"{what}/%2F/d")["durable"] is durable
        assert place.does("DELETE", f"{what}/%2F/d") == 204


def test_who_may_publishes_in_the_name_of_others_and_without_headers(place):
    place.does("PUT", "queues/%2F/q")
    tags = "administrator,impersonator"
    place.does("PUT", "users/spy", {"password": "p", "tags": tags})
    for properties in ({"user_id": "bob"}, {"headers": []}):
        body = TO_Q | {"properties": properties}
        assert place.ask("POST", PUBLISH, body, user="spy:p").json() == {"routed": True}
