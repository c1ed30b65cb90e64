"""The topology: who sends to whom, as a graph, in any number of cells, of any names."""

from collections.abc import Iterator
from typing import Any

import pytest
from brokers.calls import calls_of
from brokers.misbehaving import Waiting
from brokers.misbehaving import hold as hold_rule
from mockforge_brokers.fairness import finished
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.snapshots import ConnectionView, DestinationView

from mockforge_tui.console.topology.building import MOST_HUBS, Views, build
from mockforge_tui.console.topology.drawing import LETTERS, Line, as_text, draw
from mockforge_tui.console.topology.flows import RECENT, WINDOW, Flow, Flows, Place
from mockforge_tui.console.topology.graph import Edge, End, Graph, Hub, Inner
from mockforge_tui.text import clean, width

from ..tui.shop import Shop
from .scene import Scene

NOW = 1_000.0
HOSTILE = "\x1b[31m\x07[/b][@click=app.quit]" + "日本語" * 40 + "\u202e" + "x" * 300


def _edges(scene: Scene, line: str = "topology") -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["from"], each["to"]): each for each in scene.run(line).data["edges"]}


def _row(client: str, topic: str, direction: int = IN, time: float = NOW, **fields: Any) -> Row:
    return Row("mqtt", direction, "PUBLISH", 1, client, "message", topic, time=time, **fields)


def _topic(name: str, protocol: str = "mqtt") -> DestinationView:
    return DestinationView(protocol, "topic", name)


# What is in it -------------------------------------------------------------------------------


def test_it_has_who_sends_and_who_gets_on_all_three_protocols() -> None:
    edges = _edges(Shop(12))
    flows = {ends: each for ends, each in edges.items() if each.get("messages")}
    assert {ends: each["kind"] for ends, each in flows.items()} == {
        ("client:kafka/order-svc", "kafka:orders.created"): "sends",
        ("kafka:orders.created", "group:kafka/billing"): "gets",
        ("client:mqtt/dev-7", "mqtt:sensors/room1/temp"): "sends",
        ("mqtt:sensors/room1/temp", "session:mqtt/hmi"): "gets",
        ("client:amqp/web", "amqp:amq.topic"): "sends",
        ("queue:q.invoice", "client:amqp/inv-worker"): "gets",
    }
    assert {each["messages"] for each in flows.values()} == {12}
    assert edges["amqp:amq.topic", "queue:q.mail"]["key"] == "order.*"
    assert edges["kafka:stock.moved", "group:kafka/audit"]["state"] == "none"


def test_a_flow_whose_messages_are_rejected_fails() -> None:
    edge = _edges(Shop(3))["queue:q.invoice", "client:amqp/inv-worker"]
    assert (edge["state"], edge["trouble"]) == ("failing", "rejected")


def test_consumers_are_there_before_anything_comes_and_wait_for_what_is_not_there() -> None:
    scene = Scene(furnished=False)
    scene.mqtt_client("hmi", "sensors/#")
    scene.mqtt_client("silent")
    scene.run("topic add orders")
    scene.join("billing", "billing", {"orders": [0]})
    found = scene.run("topology")
    assert _edges(scene)["mqtt:sensors/#", "session:mqtt/hmi"]["rate"] == 0
    assert ("kafka:orders", "group:kafka/billing") in _edges(scene)
    nodes = {each["id"]: each for each in found.data["nodes"]}
    assert not nodes["mqtt:sensors/#"]["exists"]
    assert "client:mqtt/silent" in nodes
    assert "client:mqtt/hmi" not in nodes
    assert "connected, no messages" in found.as_text(100)
    assert "nothing yet" in found.as_text(100)


def test_a_group_without_members_waits_with_its_lag() -> None:
    scene = Scene(furnished=False)
    for line in ("topic add orders -p 1", "pub kafka:orders x -n 5"):
        scene.run(line)
    scene.kafka.reset_offsets("idle", "orders", {0: 0})
    assert "no member  lag 5" in scene.run("topology").as_text(120)


def test_what_the_default_exchange_gets_goes_to_the_queue_itself() -> None:
    scene = Scene(furnished=False)
    scene.run("queue add q.mail")
    scene.run("pub queue:q.mail hello")
    assert [*_edges(scene)] == [("client:amqp/∗prompt", "queue:q.mail")]


def test_dead_letters_are_drawn_to_where_they_go() -> None:
    scene = Scene(furnished=False)
    for line in (
        "exchange add events --type topic",
        "exchange add dlx --type fanout",
        "queue add q.work --dlx dlx",
        "queue add q.dead",
        "bind events q.work order.*",
        "bind dlx q.dead any",
    ):
        scene.run(line)
    assert _edges(scene, "topology --all")["queue:q.work", "amqp:dlx"]["kind"] == "dead letters"
    assert "dead ▸ dlx" in scene.run("topology --all").as_text(120)


def test_dead_letters_of_a_queue_that_nothing_is_bound_to_go_to_what_is_not_drawn() -> None:
    scene = Scene(furnished=False)
    for line in ("exchange add dlx", "queue add q.work --dlx dlx", "pub queue:q.work x"):
        scene.run(line)
    graph = scene.run("topology").data
    ways = [(each["from"], each["to"], each["kind"]) for each in graph["edges"]]
    assert ways == [
        ("client:amqp/∗prompt", "queue:q.work", "sends"),
        ("queue:q.work", "amqp:dlx", "dead letters"),
    ]
    assert {each["id"]: each.get("exists") for each in graph["nodes"]}["amqp:dlx"]


def test_a_queue_to_which_dead_letters_alone_come_is_not_said_to_be_bound() -> None:
    where = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    binding = {"destination": "work", "kind": "queue", "routing_key": "k"}
    views = [
        DestinationView("amqp", "exchange", "events", detail={"bindings": [binding]}),
        DestinationView("amqp", "queue", "work", detail={"arguments": where}),
        DestinationView("amqp", "queue", "dead"),
    ]
    graph = finished(build(Views(destinations=views), Flows(NOW), NOW, quiet=True))
    assert [(each["from"], each["to"], each["kind"]) for each in graph.as_json()["edges"]] == [
        ("amqp:events", "queue:work", "binding"),
        ("queue:work", "queue:dead", "dead letters"),
    ]
    assert "× dead ▸ dead" in "\n".join(map(as_text, draw(graph, 120)))


def test_what_a_group_has_of_a_topic_is_said_of_the_way_to_it() -> None:
    scene = Scene(furnished=False)
    for line in ("topic add a -p 1", "topic add b -p 1", "pub kafka:a x -n 5"):
        scene.run(line)
    for topic in "ab":
        scene.kafka.reset_offsets("idle", topic, {0: 0})
    notes = {way[0]: each["note"] for way, each in _edges(scene).items() if each["kind"] == "gets"}
    assert notes == {"kafka:a": "no member  lag 5", "kafka:b": "no member  lag 0"}


def test_virtual_hosts_are_told_apart() -> None:
    scene = Scene(furnished=False)
    scene.amqp.add_vhost("shop")
    for line in ("queue add q", "queue add //shop/q", "pub queue://shop/q x"):
        scene.run(line)
    assert [*_edges(scene)] == [("client:amqp/∗prompt", "queue://shop/q")]


def test_a_held_frame_marks_its_edge_for_as_long_as_it_waits() -> None:
    scene = Scene(furnished=False)
    scene.run("topic add orders")
    held = Row("kafka", IN, "Produce", 3, "order-svc", "message", "orders")
    rule = scene.holds.add(hold_rule(lambda row: True))
    scene.holds.hold(rule, [held], Waiting())
    assert _edges(scene)["client:kafka/order-svc", "kafka:orders"]["state"] == "held"
    scene.run("release")
    assert not _edges(scene)


def test_topics_of_one_first_level_are_one_hub_with_all_that_goes_there() -> None:
    topics = [_topic(f"rooms/{at}/temp") for at in range(9)]
    flows = Flows(NOW - WINDOW)
    for at in range(9):
        flows.meet(_row(f"dev-{at % 2}", f"rooms/{at}/temp"))
    (hub,) = finished(build(Views(destinations=topics), flows, NOW)).hubs
    assert hub.place.name == "rooms/#"
    assert [(end.name, end.edge.messages) for end in hub.sources] == [("dev-0", 5), ("dev-1", 4)]
    assert (len(hub.inner), hub.left_out) == (3, 6)


def test_what_nobody_has_to_do_with_is_counted_and_shown_when_asked_for() -> None:
    topics = [_topic(f"t{at}", "kafka") for at in range(MOST_HUBS + 50)]
    flows = Flows(NOW)
    views = Views(destinations=topics)
    assert finished(build(views, flows, NOW)).quiet == (("kafka", MOST_HUBS + 50),)
    graph = finished(build(views, flows, NOW, quiet=True))
    assert len(graph.hubs) == MOST_HUBS
    assert graph.more == (("kafka", 50),)
    assert "and 50 more" in "\n".join(map(as_text, draw(graph, 100)))


def test_a_name_leaves_what_has_to_do_with_it() -> None:
    shop = Shop(3)
    shown = shop.run("topology BILLING").as_text(100)
    assert "orders.created" in shown
    assert "sensors" not in shown
    assert "nothing here has nowhere" in shop.run("topology nowhere").as_text()


@pytest.mark.parametrize("name", ["orders", "q.work", "rooms/7/temp", "T249", "worker-3"])
def test_a_name_that_is_there_is_found_be_it_quiet_in_a_branch_a_member_or_one_of_very_many(
    name: str,
) -> None:
    scene = Scene(furnished=False)
    for line in ("topic add orders", "topic add a-topic", "queue add q.work"):
        scene.run(line)
    for at in range(9):
        scene.run(f"pub mqtt:rooms/{at}/temp 1 -r")
    for at in range(250):
        scene.run(f"pub kafka:t{at:03} 1")
    scene.join("billing", "worker-3", {"a-topic": [0]})
    shown = scene.run(f"topology {name}")
    assert len([each for each in shown.data["nodes"] if "exists" in each]) == 1
    assert len(shown.as_text(120).split("\n")) < 12


def test_each_client_without_a_name_is_busy_or_idle_by_itself() -> None:
    views = [ConnectionView(at, "mqtt", "", "a", "open", 0.0) for at in (1, 2, 3)]
    flows = Flows(NOW)
    flows.meet(Row("mqtt", IN, "PUBLISH", 2, "", "message", "a", time=NOW))
    graph = finished(build(Views(views), flows, NOW))
    assert [(end.name, end.note) for end in graph.idle] == [("c1", ""), ("c3", "")]


def test_a_client_with_the_name_of_a_group_is_idle_by_itself() -> None:
    scene = Scene(furnished=False)
    scene.run("topic add orders")
    scene.kafka.reset_offsets("idle", "orders", {0: 0})
    views = [ConnectionView(1, "kafka", "idle", "a", "open", 0.0)]
    graph = finished(build(Views(views, groups=scene.session.groups()), Flows(NOW), NOW))
    assert [(end.of, end.name) for end in graph.hubs[0].takers] == [("group", "idle")]
    assert [end.name for end in graph.idle] == ["idle"]


def _many(roots: int) -> tuple[Views, Flows]:
    """2,000 clients, 5,000 topics of so many first levels, 4,096 flows."""
    scene = Scene(furnished=False)
    topics = [_topic(f"r{at % roots}/{at}") for at in range(5_000)]
    for at in range(2_000):
        scene.mqtt_client(f"dev-{at}", topics[at].name)
    flows = Flows(NOW - WINDOW)
    for at in range(4_096):
        flows.meet(_row(f"dev-{at % 2_000}", topics[at].name, (IN, OUT)[at % 3 == 0]))
    session = scene.session
    return Views(session.connections(), topics, session.groups()), flows


@pytest.mark.parametrize(("roots", "quiet"), [(1, False), (100, True), (5_000, True)])
def test_a_graph_of_very_many_is_made_in_small_steps(roots: int, quiet: bool) -> None:
    views, flows = _many(roots)
    steps = build(views, flows, NOW, quiet=quiet)
    sizes: list[int] = []
    made: list[Graph] = []

    def step() -> None:
        try:
            next(steps)
        except StopIteration as end:
            made.append(end.value)

    while not made:
        sizes.append(calls_of(step))
    assert max(sizes) < 10_000, sizes.index(max(sizes))
    assert sum(sizes) > 100_000


def test_who_is_busy_where_there_is_no_room_is_not_called_idle() -> None:
    flows = Flows(NOW)
    clients = [f"dev-{at}" for at in range(MOST_HUBS + 50)]
    for client in clients:
        flows.meet(_row(client, client))
    scene = Scene(furnished=False)
    for client in (*clients, "silent"):
        scene.mqtt_client(client)
    graph = finished(build(Views(scene.session.connections()), flows, NOW))
    assert (len(graph.hubs), graph.more) == (MOST_HUBS, (("mqtt", 50),))
    assert [end.name for end in graph.idle] == ["silent"]


def test_clients_have_their_turn_while_the_command_draws_very_much() -> None:
    shop = Shop(3)
    at_once = shop.run("topology")
    shop.environment.turn.length = -1.0
    result = shop.run("topology")
    (job,) = shop.session.jobs
    assert "goes on with topology of all" in result.text
    shop.session.interactive = True
    shop.advance(0)
    assert job.result(result).data == at_once.data
    assert [each.text for each in shop.heard] == at_once.as_text(76).split("\n")


# Rates -----------------------------------------------------------------------------------------


def test_a_rate_is_of_the_last_seconds_and_messages_of_the_last_minute() -> None:
    flow = Flow()
    for second in range(20):
        for _ in range(10):
            flow.add(NOW + second + 0.5, 1)
    now = NOW + 20
    assert flow.rate(now, 0) == pytest.approx(10)
    assert flow.messages(now) == 200
    assert flow.rate(now + RECENT + 1, 0) == 0
    assert flow.messages(now + WINDOW) == 0
    assert flow.history(now, 3) == [10, 10, 10]


def test_a_rate_of_which_only_the_newest_part_is_known_is_of_that_part() -> None:
    flow = Flow()
    for _ in range(100):
        flow.add(NOW, 1)
    assert flow.rate(NOW + 0.9, NOW - 0.1) == pytest.approx(100)


def test_a_row_of_a_sample_counts_for_those_that_were_passed_over() -> None:
    flows = Flows(NOW - WINDOW)
    flows.meet(_row("dev", "a"), 20)
    ((_, flow),) = flows
    assert flow.messages(NOW) == 20


def test_flows_that_ended_are_forgotten_and_there_are_never_too_many() -> None:
    flows = Flows(NOW)
    for at in range(10_000):
        flows.meet(_row(f"client-{at}", "a", correlation=at))
    assert len(list(flows)) == 4_096
    assert len(flows._asked) <= 1_024
    flows.meet(_row("late", "a", time=NOW + 30))
    flows.forget(NOW + WINDOW + 1)
    assert [way.client for way, _ in flows] == ["late"]


def test_an_error_that_answers_a_request_is_its_flows() -> None:
    flows = Flows(NOW)
    flows.meet(_row("dev", "a", correlation=7))
    flows.meet(_row("other", "b", correlation=8))
    flows.meet(
        Row("mqtt", OUT, "PUBACK", 1, "dev", error="quota exceeded", correlation=7, time=NOW)
    )
    assert {way.client: flow.trouble for way, flow in flows} == {
        "dev": "quota exceeded", "other": "",
    }  # fmt: skip


# In any number of cells --------------------------------------------------------------------------


def _busy(name: str) -> Graph:
    """Everything that is drawn, with one name for all."""
    edges = (Edge(1234.5, 9), Edge(0.25, 1), Edge(), Edge(12, 1, "boom"), Edge(3, 1, held=True))
    ends = tuple(
        End("client", "kafka", f"{at}{name}", edges[at % 5], name, warns=bool(at % 2))
        for at in range(12)
    )
    queue = Place("amqp", "queue", name)
    view = DestinationView("amqp", "queue", name, depth=12_345, note=name)
    inner = Inner(queue, name, view, ends[:7], Place("amqp", "exchange", name))
    lost = Inner(Place("amqp", "queue", "gone"), "", None)
    exchange = DestinationView("amqp", "exchange", name, note=name)
    return Graph(
        (
            Hub(Place("kafka", "topic", name), _topic(name, "kafka"), ends, ends[:1]),
            Hub(Place("mqtt", "topic", name), None, (), ends, left_out=1_000),
            Hub(Place("amqp", "exchange", name), exchange, ends[:2], (), (inner, lost),
                5, (1, 2, 300)),
        ),
        (("amqp", 7),), (("kafka", 400),), ends[:9],
    )  # fmt: skip


NAMES = ("orders", "", "日本語のトピック", "é" * 9, "a" * 500, HOSTILE)


def _drawings(name: str) -> Iterator[tuple[int, Line]]:
    for cells in range(8, 201):
        for line in draw(_busy(name), cells, airy=bool(cells % 2)):
            yield cells, line


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_wider_than_it_may_be_and_no_name_is_obeyed(name: str) -> None:
    for cells, line in _drawings(name):
        text = as_text(line)
        assert width(text) <= cells, (cells, text)
        assert clean(text) == text


@pytest.mark.parametrize("name", NAMES)
def test_the_boxes_of_a_drawing_stand_below_each_other(name: str) -> None:
    for cells in (72, 80, 120, 200):
        places = set()
        for line in draw(_busy(name), cells):
            at, edges = 0, []
            for part in line:
                edges += [at] if part.role == "border" and part.text in "│" else []
                at += width(part.text)
            places |= {tuple(edges)} if edges else set()
        assert len(places) == 1, (cells, places)


def test_very_many_ends_are_folded_with_their_number_and_their_rate() -> None:
    ends = tuple(End("client", "kafka", f"c{at:03}", Edge(float(at))) for at in range(300))
    hub = Hub(Place("kafka", "topic", "orders"), _topic("orders", "kafka"), ends, ends)
    for cells in (60, 120):
        text = "\n".join(map(as_text, draw(Graph((hub,)), cells)))
        # The busiest are drawn, in the order of their names.
        assert "c299" in text
        assert "c000" not in text
        assert text.count("and 295 clients") == 2
        assert "43k/s" in text


def test_letters_stand_in_where_there_are_no_other_signs() -> None:
    drawn = "\n".join(map(as_text, draw(_busy("orders"), 120, LETTERS)))
    assert drawn.isascii()


def test_a_graph_of_a_hostile_name_is_legal_json() -> None:
    scene = Scene(furnished=False)
    scene.mqtt_client("\u202ehmi", "sensors/[/b]")
    scene.run("topology")
