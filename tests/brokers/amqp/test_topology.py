"""Exchanges, queues and bindings: how they match, live and die."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.channel.contents import Contents
from mockforge_brokers.amqp.events import ChannelClosed, ExchangeDeleted, QueueDeleted
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.state.exchanges import (
    Binding,
    Exchange,
    HeadersExchange,
    headers_match,
)
from mockforge_brokers.amqp.state.memory import Memory
from mockforge_brokers.amqp.state.virtual_host import VirtualHost
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.events import RequestDenied, Warned
from mockforge_brokers.spine import Spine

from .client import Client, Scene, bodies, names


@pytest.fixture
def vhost() -> VirtualHost:
    return VirtualHost(
        "/", Spine(ManualClock()), Memory(1 << 20), ManualClock(), Contents(), Random(1)
    )


def queues_of(vhost: VirtualHost, exchange: str, key: str, **headers: object) -> list[str]:
    return sorted(queue.name for queue in vhost.route(exchange, key, table(headers)).queues)


TOPICS = [
    ("a.b.c", ["a.b.c"], ["a.b", "a.b.c.d", "", "A.b.c"]),
    ("*", ["a"], ["", "a.b"]),
    ("a.*", ["a.b", "a."], ["a", "a.b.c", "b.a"]),
    ("*.b", ["a.b", ".b"], ["b", "a.a.b"]),
    ("#", ["", "a", "a.b.c"], []),
    ("a.#", ["a", "a.b", "a.b.c"], ["", "b", "ab"]),
    ("#.c", ["c", "b.c", "a.b.c"], ["c.d", ""]),
    ("a.#.c", ["a.c", "a.b.c", "a.b.b.c"], ["a", "c", "a.b"]),
    ("#.b.#", ["b", "a.b", "b.c", "a.b.c"], ["a", "", "ab"]),
    ("*.#", ["a", "a.b"], [""]),
    ("#.*", ["a", "a.b"], [""]),
    ("#.#", ["", "a", "a.b"], []),
    ("*.*.#", ["a.b", "a.b.c"], ["a", ""]),
    ("", [""], ["a", "."]),
    ("a..b", ["a..b"], ["a.b", "a.x.b"]),
    ("a.*.b", ["a..b", "a.x.b"], ["a.b"]),
]


@pytest.mark.parametrize(("pattern", "matching", "other"), TOPICS, ids=lambda value: str(value))
def test_topic_pattern(
    vhost: VirtualHost, pattern: str, matching: list[str], other: list[str]
) -> None:
    vhost.declare_queue("q")
    vhost.bind_queue("q", "amq.topic", pattern, {})
    for key in matching:
        assert queues_of(vhost, "amq.topic", key) == ["q"], key
    for key in other:
        assert queues_of(vhost, "amq.topic", key) == [], key
    vhost.unbind_queue("q", "amq.topic", pattern, {})
    assert all(not queues_of(vhost, "amq.topic", key) for key in matching)


def test_topic_of_many_hashes_is_walked_once() -> None:
    vhost = VirtualHost("/", Spine(ManualClock()), Memory(1), ManualClock(), Contents(), Random(1))
    vhost.declare_queue("q")
    vhost.bind_queue("q", "amq.topic", ".".join(["#", "a"] * 20), {})
    assert queues_of(vhost, "amq.topic", ".".join("a" * 60)) == ["q"]
    assert queues_of(vhost, "amq.topic", ".".join("b" * 60)) == []


HEADERS = [
    ({}, {"a": 1}, True),
    ({"x-match": "all", "a": 1}, {"a": 1, "b": 2}, True),
    ({"x-match": "all", "a": 1, "b": 2}, {"a": 1}, False),
    ({"a": 1}, {"a": 2}, False),
    ({"a": None}, {"a": "anything"}, True),
    ({"a": None}, {"b": 1}, False),
    ({"a": 1}, {"a": "1"}, False),
    ({"a": 1}, {"a": 2**40 - 2**40 + 1}, True),
    ({"x-match": "any", "a": 1, "b": 2}, {"b": 2}, True),
    ({"x-match": "any", "a": 1, "b": 2}, {"b": 1}, False),
    ({"x-match": "any"}, {"a": 1}, False),
    ({"x-match": "all", "a": 1, "x-b": 2}, {"a": 1}, True),
    ({"x-match": "all-with-x", "a": 1, "x-b": 2}, {"a": 1}, False),
    ({"x-match": "all-with-x", "x-b": 2}, {"x-b": 2}, True),
    ({"x-match": "any", "x-b": 2}, {"x-b": 2}, False),
    ({"x-match": "any-with-x", "x-b": 2}, {"x-b": 2}, True),
]


@pytest.mark.parametrize(("arguments", "headers", "matches"), HEADERS, ids=str)
def test_headers_match(
    arguments: dict[str, object], headers: dict[str, object], matches: bool
) -> None:
    assert headers_match(table(arguments), table(headers)) is matches


def test_headers_exchange_reads_each_messages_headers(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send(
        "queue.bind", queue="q", exchange="amq.headers", arguments={"x-match": "any", "a": 1}
    )
    for headers in ({"a": 1}, {"a": 2}, {"a": 1, "b": 3}):
        client.publish("amq.headers", "", b"x", headers=headers)
    client.publish("amq.headers", "", b"none")
    assert client.send("queue.declare", queue="q", passive=True)[0]["message_count"] == 2


def test_exchanges_lead_to_exchanges_and_a_queue_gets_one_copy(vhost: VirtualHost) -> None:
    vhost.declare_queue("q")
    vhost.declare_exchange("a", "topic")
    vhost.declare_exchange("b", "fanout")
    vhost.bind_exchange("b", "a", "x.#", {})
    vhost.bind_exchange("a", "b", "", {})
    vhost.bind_queue("q", "a", "x.y", {})
    vhost.bind_queue("q", "b", "", {})
    assert queues_of(vhost, "a", "x.y") == ["q"]
    assert queues_of(vhost, "a", "z") == []


def test_unbound_exchange_gets_no_more(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("exchange.declare", exchange="x", exchange_type="fanout")
    client.send("queue.bind", queue="q", exchange="x")
    between = {"destination": "x", "source": "amq.topic", "routing_key": "a.*"}
    assert names(client.send("exchange.bind", **between)) == ["exchange.bind-ok"]
    client.publish("amq.topic", "a.b", b"1")
    assert names(client.send("exchange.unbind", **between)) == ["exchange.unbind-ok"]
    client.publish("amq.topic", "a.b", b"2")
    assert bodies(client.send("basic.consume", queue="q")) == [b"1"]


def test_alternate_exchange_gets_what_matches_nothing(vhost: VirtualHost) -> None:
    vhost.declare_queue("lost")
    vhost.declare_exchange("a", "direct", arguments=table({"alternate-exchange": "amq.fanout"}))
    vhost.bind_queue("lost", "amq.fanout", "", {})
    assert queues_of(vhost, "a", "k") == ["lost"]
    vhost.declare_queue("q")
    vhost.bind_queue("q", "a", "k", {})
    assert queues_of(vhost, "a", "k") == ["q"]


def test_kept_route_is_void_when_bindings_change(vhost: VirtualHost) -> None:
    route = vhost.route("amq.direct", "k")
    assert vhost.route("amq.direct", "k") is route
    vhost.declare_queue("q")
    vhost.bind_queue("q", "amq.direct", "k", {})
    assert not route.valid
    assert queues_of(vhost, "amq.direct", "k") == ["q"]


def test_bindings_are_told_apart_by_arguments(vhost: VirtualHost) -> None:
    vhost.declare_queue("q")
    for value in (1, 2):
        vhost.bind_queue("q", "amq.direct", "k", table({"a": value}))
    vhost.unbind_queue("q", "amq.direct", "k", table({"a": 1}))
    assert queues_of(vhost, "amq.direct", "k") == ["q"]
    vhost.unbind_queue("q", "amq.direct", "k", table({"a": 2}))
    assert queues_of(vhost, "amq.direct", "k") == []


def test_auto_delete_exchange_goes_with_its_last_binding(scene: Scene) -> None:
    vhost = scene.broker.vhost()
    vhost.declare_exchange("x", "direct", auto_delete=True)
    vhost.declare_queue("q")
    vhost.bind_queue("q", "x", "k", {})
    vhost.delete_queue("q")
    assert "x" not in vhost.exchanges
    assert scene.emitted(ExchangeDeleted)[0].reason == "its last binding went"


def test_auto_delete_queue_goes_with_its_last_consumer_not_before_the_first(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", auto_delete=True)
    assert "q" in scene.broker.vhost().queues
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.send("basic.cancel", consumer_tag="c")
    assert "q" not in scene.broker.vhost().queues
    assert scene.emitted(QueueDeleted)[0].reason == "its last consumer went"


def test_exclusive_queue_goes_with_its_connection_at_once(scene: Scene) -> None:
    first, second = scene.client(), scene.client()
    first.send("queue.declare", queue="q", exclusive=True)
    assert names(second.send("queue.declare", queue="q")) == ["channel.close"]
    first.send("connection.close", channel=0, reply_code=200)
    third = scene.client()
    assert names(third.send("queue.declare", queue="q")) == ["queue.declare-ok"]


def test_server_names_queues_and_consumers(client: Client) -> None:
    (declared,) = client.send("queue.declare")
    (started,) = client.send("basic.consume")
    assert declared["queue"].startswith("amq.gen-")
    assert len(declared["queue"]) == len("amq.gen-") + 22
    assert started["consumer_tag"].startswith("amq.ctag-")


def test_empty_name_and_key_mean_the_last_declared_queue(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("queue.bind", exchange="amq.direct")
    client.publish("amq.direct", "q", b"x")
    assert client.send("basic.get")[0].body == b"x"
    assert client.send("queue.purge")[0]["message_count"] == 0
    assert client.send("queue.delete")[0]["message_count"] == 0


def test_declare_again_with_another_integer_type_is_the_same(vhost: VirtualHost) -> None:
    from mockforge_brokers.amqp.records import Field

    vhost.declare_queue("q", arguments={"x-message-ttl": Field("I", 5)})
    vhost.declare_queue("q", arguments={"x-message-ttl": Field("l", 5)})
    with pytest.raises(RequestRefused, match="received '6' but current is '5'"):
        vhost.declare_queue("q", arguments={"x-message-ttl": Field("l", 6)})


def test_no_wait_methods_are_not_answered(client: Client) -> None:
    assert client.send("queue.declare", queue="q", no_wait=True) == []
    assert client.send("exchange.declare", exchange="x", exchange_type="fanout", no_wait=True) == []
    assert client.send("queue.bind", queue="q", exchange="x", no_wait=True) == []
    assert client.send("exchange.bind", destination="x", source="amq.fanout", no_wait=True) == []
    assert client.send("exchange.unbind", destination="x", source="amq.fanout", no_wait=True) == []
    assert client.send("basic.consume", queue="q", consumer_tag="c", no_wait=True) == []
    assert client.send("basic.cancel", consumer_tag="c", no_wait=True) == []
    assert client.send("queue.purge", queue="q", no_wait=True) == []
    assert client.send("queue.delete", queue="q", no_wait=True) == []
    assert client.send("exchange.delete", exchange="x", no_wait=True) == []
    assert client.send("confirm.select", no_wait=True) == []


def test_what_is_not_acted_on_is_told_once_and_not_remembered_for_ever(scene: Scene) -> None:
    vhost = scene.broker.vhost()
    for number in (*range(1000), 999):
        vhost.warned.report(f"queue {number}", "doubtful")
    assert len(scene.emitted(Warned)) == 1000
    vhost.warned.report("queue 1000", "doubtful")
    vhost.warned.report("queue 0", "doubtful")
    assert len(scene.emitted(Warned)) == 1002


_VALUES = st.sampled_from([None, True, 1, 1.0, 2, "1", "a", b"a"])
_HEADERS = st.dictionaries(st.sampled_from(["a", "b", "x-c"]), _VALUES, max_size=3)
_MODES = st.sampled_from(["all", "any", "all-with-x", "any-with-x"])


@given(
    bindings=st.lists(st.tuples(_MODES, _HEADERS), max_size=8),
    gone=st.sets(st.integers(0, 7), max_size=4),
    headers=_HEADERS,
)
def test_a_headers_exchange_finds_what_comparing_with_each_binding_finds(
    bindings: list[tuple[str, dict[str, Any]]], gone: set[int], headers: dict[str, Any]
) -> None:
    exchange = HeadersExchange("h")
    made = [
        Binding(Exchange(f"to {at}"), "", table({"x-match": mode, **wanted}))
        for at, (mode, wanted) in enumerate(bindings)
    ]
    for binding in made:
        exchange.add(binding)
    left = [binding for at, binding in enumerate(made) if at not in gone]
    for at in gone & set(range(len(made))):
        assert exchange.remove(made[at].id) is made[at]
    asked = table(headers)
    matching = [each.destination for each in left if headers_match(each.arguments, asked)]
    assert list(exchange.match("", asked)) == matching


ORIGINS = [
    ({"durable": True, "arguments": {"x-max-length": 5}}, "durable, x-max-length=5"),
    ({}, "no flag and no argument"),
    ({"arguments": {"x-dead-letter-routing-key": "k" * 250, "x-dead-letter-exchange": "x" * 250}},
     "x-dead-letter-routing-key="),
]  # fmt: skip


@pytest.mark.parametrize(("given", "how"), ORIGINS)
def test_who_made_a_queue_and_how_is_for_people_alone(
    scene: Scene, given: dict[str, Any], how: str
) -> None:
    maker, other = scene.client(name="billing"), scene.client(name="shop")
    maker.send("queue.declare", queue="q", **given)
    (close,) = other.send("queue.declare", queue="q", durable=True, arguments={"x-max-length": 9})
    assert close["reply_code"] == 406
    assert "billing" not in close["reply_text"]
    (denied,) = scene.emitted(RequestDenied)
    (closed,) = scene.emitted(ChannelClosed)
    for event in denied, closed:
        assert f" (billing declared it with {how}" in event.reason
        assert len(event.reason) < 600


def test_nobody_is_named_where_a_queue_was_not_made_by_a_client(scene: Scene) -> None:
    scene.broker.declare_queue("q", durable=True)
    scene.client().send("queue.declare", queue="q")
    (denied,) = scene.emitted(RequestDenied)
    assert denied.reason.endswith("(it was declared with durable)")


@pytest.mark.parametrize("ends", ["the queue", "its binding", "an exchange"])
def test_a_chain_of_auto_delete_exchanges_ends_whole_however_long(ends: str) -> None:
    scene = Scene()
    vhost = scene.broker.vhost()
    for number in range(2000):
        vhost.declare_exchange(f"x{number}", "fanout", auto_delete=True)
        if number:
            vhost.bind_exchange(f"x{number}", f"x{number - 1}", "", {})
    vhost.declare_queue("q")
    vhost.bind_queue("q", "x1999", "", {})
    match ends:
        case "the queue":
            vhost.delete_queue("q")
        case "its binding":
            vhost.unbind_queue("q", "x1999", "", {})
        case _:
            vhost.delete_exchange("x1999")
    assert all(vhost.is_predeclared(each) for each in vhost.exchanges.values())
    assert [event.exchange for event in scene.emitted(ExchangeDeleted)] == [
        f"x{number}" for number in reversed(range(2000))
    ]


def test_branches_of_auto_delete_exchanges_end_one_by_one(scene: Scene) -> None:
    vhost = scene.broker.vhost()
    vhost.declare_queue("q")
    for name in ("a", "b"):
        for exchange in (name, f"{name}-in-front"):
            vhost.declare_exchange(exchange, "fanout", auto_delete=True)
        vhost.bind_exchange(name, f"{name}-in-front", "", {})
        vhost.bind_queue("q", name, "", {})
    vhost.bind_queue("q", "amq.fanout", "", {})
    vhost.delete_queue("q")
    ended = [event.exchange for event in scene.emitted(ExchangeDeleted)]
    assert ended == ["a", "a-in-front", "b", "b-in-front"]
    assert not vhost.exchanges["amq.fanout"].bindings
