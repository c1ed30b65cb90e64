"""The admin port's endpoints, asked over HTTP."""

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.beats import Beats
from mockforge_tui import MockForge
from mockforge_tui.admin.endpoints import ENDPOINTS
from mockforge_tui.admin.openapi import describe
from mockforge_tui.admin.schema import problem
from mockforge_tui.fixtures.schema import DURATION
from mockforge_tui.units import parse_duration

SCENARIO = """\
mockforge: 1
name: shop
seed: 7
kafka: {topics: {orders: {partitions: 1}}}
faults: [{id: slow, where: {kafka: {api: Fetch}}, do: {delay: 200ms}}]
scenarios:
  - {name: good, steps: [{publish: {to: {kafka: orders}, value: 1}}, {expect: {kafka: orders}}]}
  - {name: bad, steps: [{expect: {kafka: orders, within: 10ms}}]}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(admin=True, seed=1) as running:
        yield running


class Http:
    def __init__(self, mockforge: MockForge) -> None:
        self.mockforge = mockforge
        self._place = urlsplit(mockforge.facts["admin"]["url"])

    def path(self, path: str) -> str:
        return self._place.path + path

    def connection(self) -> http.client.HTTPConnection:
        assert self._place.hostname is not None
        return http.client.HTTPConnection(self._place.hostname, self._place.port, timeout=30)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = self.connection()
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, self._place.path + path, data)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: Any = None) -> Any:
        status, answer = self.ask("POST", path, body)
        assert status == 200, answer
        return answer


@pytest.fixture
def web(running: MockForge) -> Http:
    running.use(None)
    return Http(running)


def test_verify_answers_at_once_with_the_messages_or_what_is_missing(web: Http) -> None:
    web.post("/messages", {"to": {"kafka": "orders", "key": "o-1"}, "value": {"total": 5}})
    met = web.post("/verify", {"kafka": "orders", "match": {"key": "o-1"}, "count": 1})
    assert met["messages"][0]["value"] == {"total": 5}
    status, unmet = web.ask(
        "POST", "/verify", {"kafka": "orders", "match": {"value": {"total": 6}}}
    )
    assert status == 406
    nearest = unmet["failure"]["nearest"]
    assert nearest["differences"] == [{"path": "value.total", "expected": "6", "actual": "5"}]
    assert unmet["error"].startswith("expected  a message to kafka:orders")


def test_wait_answers_when_it_came(web: Http) -> None:
    connection = web.connection()
    body = json.dumps({"mqtt": "a/+", "within": 30}).encode()
    connection.request("POST", "/__mockforge/messages/wait", body)
    web.post("/messages", {"to": {"mqtt": "a/b", "qos": 1}, "value": "hi"})
    response = connection.getresponse()
    assert response.status == 200
    assert json.loads(response.read())["messages"][0]["topic"] == "a/b"
    connection.close()


def test_find_and_count_look_at_what_came(web: Http) -> None:
    for number in range(3):
        web.post("/messages", {"to": {"kafka": "orders"}, "value": {"n": number}})
    mark = web.get("/messages")["newest"]
    assert web.post(
        "/messages/count", {"kafka": "orders", "match": {"value": {"n": {"gt": 0}}}}
    ) == {"count": 2}
    found = web.post("/messages/find", {"kafka": "*", "limit": 1})
    assert [each["value"] for each in found["items"]] == [{"n": 0}]
    assert found["count"] == 3
    assert web.post("/messages/count", {"kafka": "orders", "since": mark}) == {"count": 0}


def test_what_counts_from_a_mark_is_the_same_whoever_reads_or_marks_after_it(web: Http) -> None:
    mark = web.get("/messages?limit=1")["mark"]
    web.post("/messages", {"to": {"mqtt": "a"}, "value": 1})
    later = web.get("/messages?limit=1")
    assert later["mark"] != mark
    asked = {"frames": {"mqtt": {"packet": "PUBLISH"}}, "within": 0}
    assert web.post("/messages/wait", {**asked, "count": 1, "since": mark})["met"]
    assert web.post("/messages/wait", {**asked, "count": 0, "since": later["mark"]})["met"]
    assert web.post("/messages/wait", {**asked, "count": 0, "since": later["newest"]})["met"]
    assert web.post("/messages/wait", {**asked, "count": 0, "since": "9" * 18})["met"]
    many = {**asked, "count": 0, "since": 5_000_000}
    assert web.post("/messages/wait", many)["met"], "a run may have so many messages"


def test_bytes_go_in_and_come_out_whole(web: Http) -> None:
    web.post("/messages", {"to": {"mqtt": "raw"}, "value_b64": "/wD+"})
    assert web.get("/messages")["items"][-1]["payload_b64"] == "/wD+"
    headers = [["trace", "AAH/"], ["trace", "Yg=="], ["none", None]]
    web.post(
        "/messages",
        {"to": {"kafka": "raw"}, "value_b64": "/w==", "key_b64": "/wA=", "headers_b64": headers},
    )
    kept = web.get("/messages")["items"][-1]
    assert (kept["key_b64"], kept["headers_b64"]) == ("/wA=", headers)
    assert kept["headers"] == {"trace": "b", "none": None}
    web.post("/messages", {"to": {"kafka": "raw", "key": "a", "headers": {"b": "c"}}, "value": 1})
    assert not {"key_b64", "headers_b64"} & set(web.get("/messages")["items"][-1])
    web.post("/messages", {"to": {"amqp": "raw"}, "value": 1, "headers_b64": [["b", "Yg=="]]})
    assert web.get("/messages")["items"][-1]["headers"] == {"b": "b"}


LITERAL = [
    {"to": {"kafka": "braces", "key": "{{k}}", "headers": {"{{n}}": "{{uuid}}"}}, "value": "{{v}}"},
    {"to": {"mqtt": "b/{{t}}", "properties": {"user_property": {"{{n}}": "{{u}}"}}}, "value": "{{"},
    {
        "to": {"amqp": {"exchange": "amq.topic", "routing_key": "b.{{r}}"},
               "headers": {"{{n}}": "{{uuid}}"}},
        "value": {"{{k}}": ["{{uuid}}", {"$repeat": 2}]},
    },
]  # fmt: skip


@pytest.mark.parametrize("body", LITERAL, ids=("kafka", "mqtt", "amqp"))
def test_braces_are_braces_unless_templates_are_asked_for(web: Http, body: Any) -> None:
    web.post("/messages", body)
    kept = web.get("/messages")["items"][-1]
    assert kept["value" if "value" in kept else "payload"] == body["value"]
    texts = json.dumps({name: each for name, each in kept.items() if name != "payload"})
    for name in re.findall(r"{{\w+}}", json.dumps(body["to"])):
        assert name in texts
    (place,) = body["to"].items() if len(body["to"]) == 1 else list(body["to"].items())[:1]
    where = {place[0]: place[1], "match": {"value": body["value"]}}
    assert web.post("/messages/count", where)["count"] >= 1


@pytest.mark.parametrize("more", [{"templates": True}, {"let": {"n": "{{int 3 3}}"}}])
def test_templates_are_rendered_where_they_are_asked_for(web: Http, more: Any) -> None:
    value = "{{int 3 3}}" if "templates" in more else "{{n}}"
    body = {"to": {"amqp": "made", "headers": {"h": value}}, "value": {"n": value}, **more}
    web.post("/messages", body)
    kept = web.get("/messages")["items"][-1]
    assert (kept["value"], kept["headers"]) == ({"n": 3}, {"h": 3})
    assert web.ask("POST", "/messages", {**body, "templates": "yes"})[0] == 400


def test_strict_refuses_fixtures_for_other_brokers_and_changes_nothing(web: Http) -> None:
    web.ask(
        "PUT", "/fixtures", {"files": {"a.yaml": "mockforge: 1\nkafka: {topics: {kept: {}}}\n"}}
    )
    files = {"shop.yaml": "mockforge: 1\nkafka: {cluster: {brokers: 3}}\n"}
    status, answer = web.ask("PUT", "/fixtures", {"files": files, "strict": True})
    assert (status, answer["error"][:45]) == (400, "these fixtures want 3 Kafka brokers, 1 here n")
    assert [each["name"] for each in web.get("/kafka/topics")["items"]] == ["kept"]


def test_fixtures_for_more_brokers_are_loaded_with_a_warning(web: Http) -> None:
    files = {"shop.yaml": "mockforge: 1\nkafka: {cluster: {brokers: 3}}\n"}
    said = "kafka: cluster: brokers 3 takes a new start: 1 here now"
    status, loaded = web.ask("PUT", "/fixtures", {"files": files})
    assert (status, loaded["warnings"]) == (200, [said])


def test_fixtures_are_loaded_by_text_and_reset_goes_back_to_them(web: Http) -> None:
    status, loaded = web.ask("PUT", "/fixtures", {"files": {"shop.yaml": SCENARIO}})
    assert (status, loaded["seed"]) == (200, 7)
    web.post("/messages", {"to": {"kafka": "other"}, "value": 1})
    web.post("/reset")
    assert [each["name"] for each in web.get("/kafka/topics")["items"]] == ["orders"]
    assert [each["name"] for each in web.get("/scenarios")["items"]] == ["good", "bad"]
    assert [each["name"] for each in web.get("/faults")["items"]] == ["slow"]
    assert web.post("/messages/count", {"kafka": "*"}) == {"count": 0}


def test_a_snapshot_is_taken_listed_gone_back_to_and_forgotten(web: Http) -> None:
    web.post("/messages", {"to": {"kafka": "seeded"}, "value": 1})
    assert web.post("/snapshots", {"name": "s"})["name"] == "s"
    web.post("/messages", {"to": {"kafka": "later"}, "value": 1})
    web.post("/reset", {"to": "s"})
    assert [each["name"] for each in web.get("/kafka/topics")["items"]] == ["seeded"]
    assert [each["name"] for each in web.get("/snapshots")["items"]] == ["s"]
    assert web.ask("DELETE", "/snapshots/s")[0] == 200
    assert web.ask("DELETE", "/snapshots/s")[0] == 404
    status, answer = web.ask("POST", "/reset", {"to": "s"})
    assert (status, answer["error"]) == (
        400,
        "there is no snapshot s: snapshot take NAME takes one",
    )


def test_broken_fixtures_change_nothing_and_name_their_place(web: Http) -> None:
    web.ask("PUT", "/fixtures", {"files": {"shop.yaml": SCENARIO}})
    status, answer = web.ask("PUT", "/fixtures", {"files": {"x.yaml": "mockforge: 1\ntpics: {}"}})
    assert status == 400
    assert answer["error"].startswith("x.yaml:2:1: ")
    assert len(web.get("/scenarios")["items"]) == 2


def test_a_scenario_runs_to_its_end(web: Http) -> None:
    web.ask("PUT", "/fixtures", {"files": {"shop.yaml": SCENARIO}})
    assert web.post("/scenarios/good/run")["status"] == "passed"
    status, answer = web.ask("POST", "/scenarios/bad/run")
    assert (status, answer["status"]) == (406, "failed")
    assert answer["failure"]["expected"] == "a message to kafka:orders within 10ms"
    assert web.ask("POST", "/scenarios/none/run")[0] == 404


def test_faults_are_put_looked_at_and_removed(web: Http) -> None:
    asked = {"where": {"kafka": {"api": "Produce"}}, "do": {"refuse": "NOT_LEADER_OR_FOLLOWER"}}
    number = web.post("/faults", {**asked, "times": 2})["id"]
    assert web.get(f"/faults/{number}")["hits"] == 0
    assert web.ask("DELETE", f"/faults/{number}")[0] == 200
    assert web.ask("GET", f"/faults/{number}")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/messagse", 404, "there is no /__mockforge/messagse: /__mockforge/openapi.json"),
        ("GET", "/reset", 405, "/__mockforge/reset is not for GET, but for POST"),
        ("DELETE", "/commands", 405, "/__mockforge/commands is not for DELETE, but for POST"),
    ],
)
def test_a_path_or_method_that_is_not_served_is_named_with_what_is(
    web: Http, method: str, path: str, status: int, said: str
) -> None:
    found, answer = web.ask(method, path)
    assert found == status
    assert said in answer["error"]


def test_a_name_with_a_line_break_is_looked_for_and_not_the_path(web: Http) -> None:
    status, said = web.ask("GET", "/recordings/a%0Ab")
    assert status == 404
    assert "Not Found" not in said["error"]
    assert web.ask("PUT", "/recordings/a%0Ab", {"lines": ""})[0] == 400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("300ms", 0.3), ("90s", 90.0), ("1m30s", 90.0), ("1h", 3600.0), ("8d", 691_200.0)),
        *(("1.5s", 1.5), ("20us", 0.00002), ("", None), ("soon", None), ("5x", None)),
        *(("s", None), ("1m30", None), ("-1s", None), ("1" * 7 + "s", None)),
    ],
)
def test_requests_take_the_durations_of_files_and_console(text: str, seconds: float | None) -> None:
    assert bool(problem(text, DURATION)) is (seconds is None)
    if seconds is not None:
        assert parse_duration(text) == pytest.approx(seconds)


def test_the_clock_is_moved(web: Http) -> None:
    before, after = web.get("/clock"), web.post("/clock/advance", {"by": "90s"})
    # What falls due on the way takes its own time, by which the clock was not moved.
    assert before["offset"] < after["offset"] <= before["offset"] + 90.001
    assert after["wall"] > before["wall"] + 89.999


def test_a_long_way_of_the_clock_leaves_all_others_their_turns() -> None:
    with MockForge(admin=True, kafka=False, mqtt=False) as mockforge:
        beats = Beats(mockforge)
        after = Http(mockforge).post("/clock/advance", {"by": "1h"})
        assert after["offset"] > 3_599
        assert beats.count > 3_590
        assert beats.most < 1_000


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/verify", {}, "needs exactly one of kafka"),
        ("/verify", {"kafka": "a", "mqtt": "b"}, "needs exactly one of kafka"),
        ("/verify", {"kafak": "a"}, "kafak: not known"),
        ("/verify", {"kafka": "a", "within": "soon"}, "within: seconds, or a text such as 300ms"),
        ("/verify", {"kafka": "a", "match": {"value": {"regex": "("}}}, "not a regular expression"),
        ("/verify", {"kafka": "a", "since": -1}, "since: a `mark`, or a message's number"),
        ("/verify", {"fault": "nope"}, "there is no fault nope"),
        ("/verify", ["kafka"], "is to be an object"),
        ("/messages", {"to": {"kafka": "a"}}, '"value" is missing'),
        ("/messages", {"to": {"kafka": ""}, "value": 1}, "is empty"),
        ("/messages", {"to": {"mqtt": "a/#"}, "value": 1}, "has a wildcard"),
        ("/messages", {"to": {"kafka": "a"}, "value_b64": "!"}, "value_b64 is not base64"),
        ("/messages", {"to": {"kafka": "a"}, "value": 1, "key_b64": "!"}, "key_b64 is not base"),
        ("/messages", {"to": {"mqtt": "a"}, "value": 1, "key_b64": "YQ=="}, "a Kafka record"),
        ("/messages", {"to": {"mqtt": "a"}, "value": 1, "headers_b64": []}, "user properties"),
        ("/messages", {"to": {"kafka": "a"}, "value": 1, "headers_b64": {"a": "b"}}, "an array is"),
        ("/messages", {"to": {"kafka": "a"}, "value": 1, "headers_b64": [["a", 7, 8]]}, "pairs"),
        (
            "/messages",
            {"to": {"kafka": "a"}, "value": 1, "headers_b64": [["a", "!"]]},
            '"a" is not',
        ),
        ("/messages/find", {"drained": "q"}, "drained: not known"),
        ("/faults", {"do": "vanish"}, "is not known"),
        ("/clock/advance", {"by": -1}, "by: seconds, or a text"),
        ("/clock/advance", {}, "by is missing"),
        ("/clock/advance", {"by": "367d"}, "by: 0 to 31622400 seconds, not"),
    ],
)
def test_what_cannot_be_asked_is_400_with_the_reason(
    web: Http, path: str, body: Any, said: str
) -> None:
    status, answer = web.ask("POST", path, body)
    assert status == 400
    assert said in answer["error"]


@pytest.mark.parametrize("path", ["/commands", "/messages", "/fixtures"])
def test_a_body_has_a_limit_that_the_answer_names(path: str) -> None:
    with MockForge(admin=True, mqtt=False, amqp=False, limit_http_body="2k") as mockforge:
        web = Http(mockforge)
        method = "PUT" if path == "/fixtures" else "POST"
        for chunked in (False, True):
            connection = web.connection()
            body = b" " * 2049
            connection.request(method, web.path(path), iter([body]) if chunked else body)
            response = connection.getresponse()
            assert response.status == 413
            text = json.loads(response.read())["error"]
            assert text == "a body has 2.0K at most: --limit http_body=4.0K allows more"
            connection.close()
        (row,) = mockforge.run("limits http_body").data
        assert (row["value"], row["met"]) == (2048, 2)
        assert web.post("/commands", {"line": "topic ls"})["ok"]


def test_who_hangs_up_is_not_waited_for_any_more(web: Http) -> None:
    runtime = web.mockforge.runtime
    watchers = runtime.record._watchers
    connection = web.connection()
    asked = {"kafka": "never", "within": "1h"}
    connection.request("POST", web.path("/messages/wait"), json.dumps(asked).encode())
    while not web.mockforge.call(lambda: len(watchers)):
        """Until it waits."""
    connection.close()
    while web.mockforge.call(lambda: len(watchers)):
        """Until it does not; the time of a test has an end."""


def test_every_table_is_served(web: Http) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and "{" not in endpoint.path:
            assert web.get(endpoint.path)


def test_who_sends_where_is_a_graph(web: Http) -> None:
    web.post("/messages", {"to": {"kafka": "drawn"}, "value": 1})
    graph = web.get("/topology")
    assert "kafka:drawn" in [each["id"] for each in graph["nodes"]]
    # What other tests sent within this minute is in it, too.
    edges = [(each["to"], each["messages"]) for each in graph["edges"]]
    assert [each for each in edges if each[0] == "kafka:drawn"] == [("kafka:drawn", 1)]


def test_the_description_has_every_endpoint(web: Http) -> None:
    document = web.get("/openapi.json")
    described = {
        (method.upper(), path) for path, each in document["paths"].items() for method in each
    }
    assert {(each.method, each.path) for each in ENDPOINTS} <= described
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))
    assert "security" not in document
    assert describe("0", "/", token=True)["security"] == [{"token": []}]


# Server-sent events --------------------------------------------------------------------------


class Events:
    """One reader of the event stream."""

    def __init__(self, web: Http, query: str = "", **headers: str) -> None:
        self.connection = web.connection()
        self.connection.request("GET", f"/__mockforge/events{query}", headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.headers["content-type"] == "text/event-stream"
        assert self.response.readline() == b": mockforge\n"
        self.response.readline()

    def next(self) -> dict[str, str]:
        lines: list[str] = []
        while (line := self.response.readline().decode().rstrip("\n")) or not lines:
            if line and not line.startswith(":"):
                lines.append(line)
        return dict(line.split(": ", 1) for line in lines)

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def test_events_come_as_they_happen_and_a_filter_narrows_them(web: Http) -> None:
    events = Events(web, "?filter=topic:wanted")
    web.mockforge.run("topic add other")
    web.mockforge.run("topic add wanted")
    event = events.next()
    assert event["event"] == "TopicCreated"
    assert json.loads(event["data"])["topic"] == "wanted"
    events.close()


def test_a_reader_that_comes_back_gets_what_it_missed(web: Http) -> None:
    events = Events(web, "?filter=topic:t*")
    web.mockforge.run("topic add t1")
    seen = events.next()["id"]
    events.close()
    web.mockforge.run("topic add t2")
    again = Events(web, "?filter=topic:t*", **{"Last-Event-ID": seen})
    assert json.loads(again.next()["data"])["topic"] == "t2"
    again.close()


def test_messages_come_too_where_they_are_asked_for(web: Http) -> None:
    events = Events(web, "?messages=1&filter=topic:a/b")
    web.mockforge.mqtt.publish("a/b", {"t": 1})
    event = events.next()
    assert event["event"] == "Message"
    assert json.loads(event["data"])["value"] == {"t": 1}
    events.close()


def test_a_filter_that_is_none_is_400(web: Http) -> None:
    assert web.ask("GET", "/events?filter=size%3E%3E")[0] == 400
