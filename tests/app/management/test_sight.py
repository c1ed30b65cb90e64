"""What users see and may do through management, who are no administrators.

Rows are what RabbitMQ 3.10.8 answered to the same users: `man` (management) and `pol` (policymaker)
have permissions in the virtual host v2, for queues and exchanges that begin with own; `mon`
(monitoring) has none.
"""

import pytest
from brokers.amqp.client import Scene
from mockforge_brokers.events import ConnectionClosed

from .test_management import ONE, Place

VHOST = (401, "User not authorised to access virtual host")
OBJECT = (401, "User not authorised to access object")
ADMINISTRATOR = (401, "Not administrator user")
REFUSED = (401, "Access refused.")
MONITOR = (401, "Not monitor user")


@pytest.fixture(scope="module")
def place() -> Place:
    made = Place()
    for vhost in ("v2", "v3"):
        made.does("PUT", f"vhosts/{vhost}")
    rights = {"configure": "^own", "write": "^own", "read": ".*"}
    for user, tag in (("man", "management"), ("pol", "policymaker")):
        made.does("PUT", f"users/{user}", {"password": "x", "tags": tag})
        made.does("PUT", f"permissions/v2/{user}", rights)
    # Who comes after the first restriction has no rights but those that it is given.
    made.does("PUT", "users/mon", {"password": "x", "tags": "monitoring"})
    for queue in ("v2/own1", "v2/other", "v3/q3", "%2F/q0"):
        made.does("PUT", f"queues/{queue}", {})
    scene: Scene = made.scene
    made.of_man = scene.client(vhost="v2", user="man", password="x")
    made.of_guest = scene.client(vhost="v2")
    made.of_guest.send("basic.consume", queue="own1")
    return made


def seen(place: Place, user: str, path: str) -> object:
    answer = place.ask("GET", path, user=f"{user}:x")
    if answer.status_code != 200:
        return answer.status_code, answer.json()["reason"]
    found = answer.json()
    if not isinstance(found, list):
        return "one"
    return [row.get("name", row.get("queue", {"name": None})["name"]) for row in found]


LISTS = [
    # path; what man, pol and mon see
    ("queues", ["other", "own1"], ["other", "own1"], []),
    ("queues/v2", ["other", "own1"], ["other", "own1"], VHOST),
    ("queues/v3", VHOST, VHOST, VHOST),
    ("queues/v3/q3", VHOST, VHOST, VHOST),
    ("queues/v2/other", "one", "one", VHOST),
    ("queues/missing", (404, "Not Found"), (404, "Not Found"), (404, "Not Found")),
    ("exchanges/v3", VHOST, VHOST, VHOST),
    ("bindings/v3", VHOST, VHOST, VHOST),
    ("aliveness-test/v3", VHOST, VHOST, VHOST),
    ("vhosts/v3/connections", VHOST, VHOST, VHOST),
    ("vhosts", ["v2"], ["v2"], ["/", "v2", "v3"]),
    ("vhosts/v2", ADMINISTRATOR, ADMINISTRATOR, ADMINISTRATOR),
    ("consumers", [], [], ["own1"]),
    ("consumers/v3", [], [], []),
    ("policies", [], [], []),
    ("operator-policies", [], [], []),
    ("parameters", OBJECT, [], OBJECT),
    ("global-parameters", OBJECT, [], OBJECT),
    ("auth/attempts/rabbit@localhost", MONITOR, MONITOR, [None, None]),
    ("cluster-name", "one", "one", "one"),
    ("health/checks/alarms", "one", "one", "one"),
]


@pytest.mark.parametrize(("path", "man", "pol", "mon"), LISTS, ids=[row[0] for row in LISTS])
def test_users_see_what_their_permissions_and_tags_are_for(
    place: Place, path: str, man: object, pol: object, mon: object
) -> None:
    assert [seen(place, user, path) for user in ("man", "pol", "mon")] == [man, pol, mon]


def test_connections_are_the_users_own_unless_it_monitors(place: Place) -> None:
    for path in ("connections", "channels"):
        own = place.ask("GET", path, user="man:x").json()
        assert [row["user"] for row in own] == ["man"]
        assert place.ask("GET", path, user="pol:x").json() == []
        assert len(place.ask("GET", path, user="mon:x").json()) == 2
    (theirs,) = [row for row in place.get("connections") if row["user"] == "guest"]
    name = theirs["name"].replace(" ", "%20").replace(">", "%3E")
    for verb in ("GET", "DELETE"):
        answer = place.ask(verb, f"connections/{name}", user="man:x")
        assert (answer.status_code, answer.json()["reason"]) == OBJECT


def test_overview_counts_what_the_user_sees(place: Place) -> None:
    own = place.ask("GET", "overview", user="man:x").json()
    assert own["object_totals"] == {
        "channels": 1,
        "connections": 1,
        "exchanges": len(place.get("exchanges/v2")),
        "queues": 2,
    }
    assert not {"node", "listeners", "contexts"} & own.keys()
    assert {"node", "listeners", "contexts"} <= place.get("overview").keys()


MESSAGE = {"routing_key": "own1", "payload": "x", "payload_encoding": "string", "properties": {}}
NO_WRITING = "403 ACCESS_REFUSED - access to exchange 'amq.default' in vhost 'v2' refused for user"
CHANGES = [
    ("PUT", "queues/v2/own2", {}, 201, ""),
    ("PUT", "queues/v2/foreign", {}, *REFUSED),
    ("PUT", "queues/v3/x", {}, *VHOST),
    ("PUT", "exchanges/v2/foreign", {"type": "direct"}, *REFUSED),
    ("PUT", "exchanges/v2/ownx", {"type": "direct"}, 201, ""),
    ("POST", "exchanges/v2/amq.default/publish", MESSAGE, 400, f"{NO_WRITING} 'man'"),
    ("POST", "exchanges/v2/ownx/publish", MESSAGE, 200, ""),
    ("POST", "exchanges/v3/ownx/publish", MESSAGE, *VHOST),
    ("POST", "queues/v2/other/get", ONE, 200, ""),
    ("POST", "bindings/v2/e/ownx/q/other", {"routing_key": "k"}, *REFUSED),
    ("DELETE", "queues/v2/other", None, *REFUSED),
    ("DELETE", "queues/v2/other/contents", None, 204, ""),
    ("DELETE", "queues/v2/own2", None, 204, ""),
    ("DELETE", "queues/v3/q3", None, *VHOST),
    ("PUT", "global-parameters/gm", {"value": 1}, *OBJECT),
]


def test_users_change_what_their_permissions_let_them(place: Place) -> None:
    for verb, path, body, status, reason in CHANGES:
        answer = place.ask(verb, path, body, user="man:x")
        said = answer.json()["reason"] if answer.status_code >= 400 else ""
        assert (answer.status_code, said) == (status, reason), (verb, path)


def test_permissions_of_an_administrator_hold_here_too(place: Place) -> None:
    place.does("PUT", "users/boss", {"password": "x", "tags": "administrator"})
    assert seen(place, "boss", "queues/v2") == VHOST
    assert seen(place, "boss", "vhosts/v2") == "one"


def test_global_parameters_are_kept_and_exported() -> None:
    place = Place()
    assert place.does("PUT", "global-parameters/g1", {"value": {"a": 1}}) == 201
    assert place.does("PUT", "global-parameters/g1", {"value": "text"}) == 204
    assert place.get("global-parameters") == [{"name": "g1", "value": "text"}]
    assert place.get("global-parameters/g1") == {"name": "g1", "value": "text"}
    assert place.ask("GET", "global-parameters/none").status_code == 404
    missing = place.ask("PUT", "global-parameters/g3", {})
    assert (missing.status_code, missing.json()["reason"]) == (400, "[{key_missing,value}]")
    document = place.get("definitions")
    assert document["global_parameters"] == [{"name": "g1", "value": "text"}]
    assert place.does("DELETE", "global-parameters/g1") == 204
    assert place.ask("DELETE", "global-parameters/g1").status_code == 404
    place.does("POST", "definitions", document)
    assert place.get("global-parameters/g1")["value"] == "text"


def test_cluster_has_the_name_that_it_is_given() -> None:
    place = Place()
    assert place.get("cluster-name") == {"name": "rabbit@localhost"}
    assert place.does("PUT", "cluster-name", {"name": "other"}) == 204
    assert place.get("overview")["cluster_name"] == "other"


def test_attempts_to_log_in_are_counted_by_protocol_and_source() -> None:
    place = Place()
    place.scene.client()
    place.scene.stranger().connect(password="wrong")
    place.scene.stranger().connect(vhost="missing")
    place.ask("GET", "overview", user="guest:wrong")
    counted = {row["protocol"]: row for row in place.get("auth/attempts/rabbit@localhost")}
    assert counted["amqp091"] == {
        "protocol": "amqp091",
        "auth_attempts": 3,
        "auth_attempts_failed": 1,
        "auth_attempts_succeeded": 2,
    }
    assert counted["http"]["auth_attempts_failed"] == 1
    sources = place.get("auth/attempts/rabbit@localhost/source")
    assert {(row["username"], row["protocol"]) for row in sources} == {
        ("guest", "amqp091"),
        ("guest", "http"),
    }
    assert place.ask("GET", "auth/attempts/nope").status_code == 404
    for path in ("auth/attempts/rabbit@localhost", "auth/attempts/rabbit@localhost/source"):
        assert place.does("DELETE", path) == 204
        # What asks is itself an attempt.
        assert [row["auth_attempts"] for row in place.get(path)] == [1]


def test_churn_counts_what_came_and_went() -> None:
    place = Place()
    first, second = place.scene.client(), place.scene.client().open(2)
    for _ in range(2):
        first.send("queue.declare", queue="q")
    first.send("queue.delete", queue="q")
    first.send("channel.close", reply_code=200, reply_text="")
    second.fake.vanish()
    place.scene.environment.spine.emit(ConnectionClosed("amqp", second.peer.id, "", "gone"))
    churn = place.get("overview")["churn_rates"]
    assert {name: value for name, value in churn.items() if not name.endswith("details")} == {
        "connection_created": 2,
        "connection_closed": 1,
        "channel_created": 3,
        "channel_closed": 3,
        "queue_declared": 2,
        "queue_created": 1,
        "queue_deleted": 1,
    }
    assert churn["queue_declared_details"] == {"rate": 0.0}


def test_what_was_declared_in_a_virtual_host_that_is_gone_stays_counted() -> None:
    place = Place()
    place.does("PUT", "vhosts/shop", {})
    for _ in range(3):
        place.does("PUT", "queues/shop/q", {})
    before = place.get("overview")["churn_rates"]["queue_declared"]
    place.does("DELETE", "vhosts/shop")
    assert before == place.get("overview")["churn_rates"]["queue_declared"] == 3
