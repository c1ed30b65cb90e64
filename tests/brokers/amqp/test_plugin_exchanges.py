"""The exchange types of RabbitMQ's plugins, as 3.10.8 was seen to route and refuse."""

from typing import Any

import pytest
from mockforge_brokers.amqp.events import MessageUnroutable
from mockforge_brokers.amqp.state.plugin_exchanges import jump_hash
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.limits import Limits

from ..fake_peer import finish
from .client import Client, Got, Scene, names, publish
from .test_governed import drain, held
from .test_slices import hurried


def declare(client: Client, kind: str, name: str = "x", **arguments: Any) -> Got:
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    (answer,) = client.send("exchange.declare", exchange=name, exchange_type=kind, arguments=given)
    return answer


def bind(client: Client, queue: str, key: str = "", exchange: str = "x") -> Got:
    client.send("queue.declare", queue=queue)
    (answer,) = client.send("queue.bind", queue=queue, exchange=exchange, routing_key=key)
    return answer


def counts(scene: Scene, *queues: str) -> list[int]:
    return [len(scene.broker.vhost().queues[name].messages) for name in queues]


# x-consistent-hash.


def test_hash_shares_messages_by_weight(scene: Scene, client: Client) -> None:
    declare(client, "x-consistent-hash")
    for queue, weight in (("a", "1"), ("b", "2"), ("c", "1")):
        bind(client, queue, weight)
    for number in range(400):
        client.publish("x", f"key{number}")
    a, b, c = counts(scene, "a", "b", "c")
    assert a + b + c == 400
    assert 60 < a < 140
    assert 150 < b < 250


def test_hash_gives_one_key_to_one_queue(scene: Scene, client: Client) -> None:
    declare(client, "x-consistent-hash")
    for queue in "abc":
        bind(client, queue, "1")
    for _ in range(30):
        client.publish("x", "same")
    assert sorted(counts(scene, "a", "b", "c")) == [0, 0, 30]


def test_of_one_more_queue_few_keys_move_and_all_of_them_to_it() -> None:
    before = [jump_hash(key * 0x9E3779B97F4A7C15, 4) for key in range(1000)]
    after = [jump_hash(key * 0x9E3779B97F4A7C15, 5) for key in range(1000)]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {4}
    assert 120 < len(moved) < 280


def test_hash_of_a_header(scene: Scene, client: Client) -> None:
    declare(client, "x-consistent-hash", hash_header="h")
    bind(client, "a", "1")
    bind(client, "b", "1")
    for number in range(40):
        client.publish("x", "same", headers={"h": f"v{number}"})
    assert 5 < counts(scene, "a")[0] < 35
    client.send("queue.purge", queue="a")
    client.send("queue.purge", queue="b")
    for number in range(10):
        client.publish("x", f"other{number}")
    assert sorted(counts(scene, "a", "b")) == [0, 10]


def test_hash_of_a_property(scene: Scene, client: Client) -> None:
    declare(client, "x-consistent-hash", hash_property="message_id")
    bind(client, "a", "1")
    bind(client, "b", "1")
    for number in range(40):
        client.publish("x", "same", message_id=f"v{number}")
    assert 5 < counts(scene, "a")[0] < 35


def test_second_binding_of_a_queue_adds_no_weight(scene: Scene, client: Client) -> None:
    declare(client, "x-consistent-hash")
    bind(client, "a", "1")
    bind(client, "a", "30")
    bind(client, "b", "1")
    for number in range(100):
        client.publish("x", f"k{number}")
    assert 30 < counts(scene, "a")[0] < 70


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("x", 'The binding key must be an integer: <<"x">>'),
        ("", "The binding key must be an integer: <<>>"),
        ("0", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
    ],
)
def test_weight_is_a_number_from_1(client: Client, key: str, text: str) -> None:
    declare(client, "x-consistent-hash")
    close = bind(client, "a", key)
    assert (close["reply_code"], close["reply_text"]) == (406, f"PRECONDITION_FAILED - {text}")


REFUSED = [
    ("x-consistent-hash", {"hash_property": "x"}, "Unsupported property: x"),
    (
        "x-consistent-hash",
        {"hash_property": "message_id", "hash_header": "h"},
        "hash-header and hash-property are mutually exclusive",
    ),
    (
        "x-recent-history",
        {"x_recent_history_length": 0},
        "Invalid argument 0, 'x-recent-history-length' must be a positive integer",
    ),
    (
        "x-recent-history",
        {"x_recent_history_length": "a"},
        "Invalid argument <<\"a\">>, 'x-recent-history-length' must be a positive integer",
    ),
    (
        "x-delayed-message",
        {},
        "Invalid argument, 'x-delayed-type' must be an existing exchange type",
    ),
]


@pytest.mark.parametrize(("kind", "arguments", "text"), REFUSED)
def test_arguments_that_cannot_be_are_refused(
    client: Client, kind: str, arguments: dict[str, Any], text: str
) -> None:
    close = declare(client, kind, **arguments)
    assert (close["reply_code"], close["reply_text"]) == (406, f"PRECONDITION_FAILED - {text}")


# x-modulus-hash, x-random, x-local-random.


def test_modulus_spreads_keys_and_keeps_each(scene: Scene, client: Client) -> None:
    declare(client, "x-modulus-hash")
    for queue in "abc":
        bind(client, queue)
    for number in range(300):
        client.publish("x", f"k{number}")
    assert all(60 < count < 140 for count in counts(scene, "a", "b", "c"))
    for queue in "abc":
        client.send("queue.purge", queue=queue)
    for _ in range(5):
        client.publish("x", "same")
    assert sorted(counts(scene, "a", "b", "c")) == [0, 0, 5]


def test_random_picks_one_of_the_bindings(scene: Scene, client: Client) -> None:
    declare(client, "x-random")
    bind(client, "a", "1")
    bind(client, "b", "2")
    bind(client, "a", "3")
    for _ in range(300):
        client.publish("x", "none of them")
    a, b = counts(scene, "a", "b")
    assert a + b == 300
    assert 160 < a < 240


def test_local_random_wants_empty_binding_keys(scene: Scene, client: Client) -> None:
    declare(client, "x-local-random")
    bind(client, "a")
    client.publish("x", "any")
    assert counts(scene, "a") == [1]
    assert bind(client, "b", "key")["reply_code"] == 406


@pytest.mark.parametrize("kind", ["x-random", "x-consistent-hash", "x-modulus-hash"])
def test_exchange_without_bindings_routes_nowhere(client: Client, kind: str) -> None:
    declare(client, kind)
    assert names(client.publish("x", "k", mandatory=True)) == ["basic.return"]


# x-recent-history.


def test_new_binding_gets_the_last_twenty(client: Client) -> None:
    declare(client, "x-recent-history")
    for number in range(25):
        client.publish("x", f"k{number}", b"%d" % number)
    bind(client, "late", "any")
    came = drain(client, "late")
    assert [int(got.body) for got in came] == list(range(5, 25))
    assert (came[0]["exchange"], came[0]["routing_key"], came[0]["redelivered"]) == (
        "x",
        "k5",
        False,
    )


def test_history_is_as_long_as_asked_and_leaves_out_what_says_so(client: Client) -> None:
    declare(client, "x-recent-history", x_recent_history_length=2)
    for number in range(5):
        client.publish("x", "k", b"%d" % number)
    client.publish("x", "k", b"not this", headers={"x-recent-history-no-store": True})
    bind(client, "late")
    assert held(client, "late") == [b"3", b"4"]
    client.publish("x", "k", b"as a fanout")
    assert held(client, "late") == [b"as a fanout"]


def test_history_reaches_queues_behind_an_exchange(client: Client) -> None:
    declare(client, "x-recent-history")
    declare(client, "fanout", "behind")
    bind(client, "late", exchange="behind")
    client.publish("x", "k", b"1")
    client.send("exchange.bind", destination="behind", source="x", routing_key="")
    assert held(client, "late") == [b"1"]


def long_history() -> tuple[Scene, Client]:
    scene = hurried()
    client = scene.client()
    declare(client, "x-recent-history", x_recent_history_length=1000)
    client.fake.send(b"".join(publish("x", "k", b"%d" % number) for number in range(1000)))
    finish(client.fake.connection)
    client.send("queue.declare", queue="late")
    return scene, client


def test_others_are_served_while_a_binding_gets_a_long_history() -> None:
    scene, client = long_history()
    other = scene.client()
    bound = method(1, "queue.bind", queue="late", exchange="x", no_wait=True)
    client.fake.connection.receive(bound + publish("", "late", b"after the binding"))
    assert client.fake.connection.unfinished
    assert 0 < other.send("queue.declare", queue="late", passive=True)[0]["message_count"] < 1000
    finish(client.fake.connection)
    # What the client sent behind it comes behind it.
    expected = [b"%d" % number for number in range(1000)]
    assert held(other, "late") == [*expected, b"after the binding"]


@pytest.mark.parametrize("to", ["queue", "exchange"])
def test_a_long_history_ends_with_the_one_who_gets_it(to: str) -> None:
    scene, client = long_history()
    declare(client, "fanout", "behind")
    bind(client, "late", exchange="behind")
    used = scene.broker.memory.used
    host = scene.broker.vhost()
    if to == "queue":
        host.bind_queue("late", "x", "", {})
        scene.broker.vhost().delete_queue("late")
    else:
        host.bind_exchange("behind", "x", "", {})
        host.delete_exchange("behind")
        assert 0 < len(host.queues["late"].messages) < 1000
        host.purge("late")
    scene.advance(1)
    assert scene.broker.memory.used == used
    assert not any(queue.messages for queue in host.queues.values())


# x-delayed-message.


def test_delayed_message_comes_when_its_time_is_over(scene: Scene, client: Client) -> None:
    declare(client, "x-delayed-message", x_delayed_type="topic")
    bind(client, "q", "a.*")
    client.publish("x", "a.b", b"later", headers={"x-delay": 5000, "own": "kept"})
    client.publish("x", "a.b", b"now")
    assert held(client, "q") == [b"now"]
    (view,) = (view for view in scene.broker.destinations() if view.name == "x")
    assert view.note == "x-delayed-message, 1 binding, 1 delayed"
    scene.advance(4.9)
    assert counts(scene, "q") == [0]
    scene.advance(0.2)
    (got,) = drain(client, "q")
    assert (got.body, got["exchange"], got["routing_key"]) == (b"later", "x", "a.b")
    headers = got.properties["headers"]
    assert (headers["x-delay"].value, headers["own"].value) == (-5000, "kept")


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_delayed_message_goes_by_the_keys_of_cc_and_bcc_too(
    scene: Scene, client: Client, header: str
) -> None:
    declare(client, "x-delayed-message", x_delayed_type="direct")
    for name in ("q", "copied", "other"):
        bind(client, name, name)
    client.publish("x", "q", b"m", headers={"x-delay": 1000, header: ["copied"]})
    scene.advance(1)
    assert [counts(scene, name) for name in ("q", "copied", "other")] == [[1], [1], [0]]


def test_shorter_delay_overtakes(scene: Scene, client: Client) -> None:
    declare(client, "x-delayed-message", x_delayed_type="fanout")
    bind(client, "q")
    client.publish("x", "", b"second", headers={"x-delay": 2000})
    client.publish("x", "", b"first", headers={"x-delay": 1000})
    scene.advance(3)
    assert held(client, "q") == [b"first", b"second"]


@pytest.mark.parametrize("delay", ["1000", -5, 0])
def test_header_that_is_no_delay_holds_nothing(client: Client, delay: Any) -> None:
    declare(client, "x-delayed-message", x_delayed_type="direct")
    bind(client, "q", "k")
    client.publish("x", "k", b"now", headers={"x-delay": delay})
    assert held(client, "q") == [b"now"]


def test_held_message_is_no_unroutable_one_but_a_mandatory_one_is_returned(
    scene: Scene, client: Client
) -> None:
    declare(client, "x-delayed-message", x_delayed_type="direct")
    bind(client, "q", "k")
    assert client.publish("x", "k", headers={"x-delay": 10}) == []
    assert scene.emitted(MessageUnroutable) == []
    returned = client.publish("x", "k", mandatory=True, headers={"x-delay": 10})
    assert names(returned) == ["basic.return"]
    scene.advance(1)
    assert counts(scene, "q") == [2]


def test_exchange_that_is_gone_delivers_nothing(scene: Scene, client: Client) -> None:
    declare(client, "x-delayed-message", x_delayed_type="direct")
    bind(client, "q", "k")
    client.publish("x", "k", headers={"x-delay": 10})
    client.send("exchange.delete", exchange="x")
    scene.advance(1)
    assert counts(scene, "q") == [0]


def test_delayed_exchange_routes_by_headers_too(scene: Scene, client: Client) -> None:
    declare(client, "x-delayed-message", x_delayed_type="headers")
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="x", arguments={"kind": "wanted"})
    client.publish("x", "", b"1", headers={"kind": "wanted", "x-delay": 10})
    client.publish("x", "", b"2", headers={"kind": "other", "x-delay": 10})
    scene.advance(1)
    assert held(client, "q") == [b"1"]


# What exchanges hold is in memory as what queues hold is.


@pytest.mark.parametrize(
    "end",
    [
        lambda scene, client: client.send("exchange.delete", exchange="x"),
        lambda scene, client: scene.broker.reset(),
    ],
    ids=["deleted", "reset"],
)
def test_held_messages_count_until_they_are_routed_or_their_exchange_is_gone(
    scene: Scene, client: Client, end: Any
) -> None:
    memory = scene.broker.memory
    declare(client, "x-delayed-message", x_delayed_type="fanout")
    for delay in (10, 1000):
        client.publish("x", "", bytes(1000), headers={"x-delay": delay})
    both = memory.used
    assert both > 2000
    scene.advance(0.5)
    assert memory.used == both / 2
    end(scene, client)
    assert memory.used == 0
    scene.advance(1)
    assert memory.used == 0


@pytest.mark.parametrize(
    "end",
    [
        lambda scene: scene.advance(2),
        lambda scene: scene.broker.delete_exchange("x"),
    ],
    ids=["routed", "deleted by hand"],
)
def test_publishers_of_what_is_held_wait_when_it_is_too_much(end: Any) -> None:
    scene = Scene(limits=Limits(amqp_memory=5000))
    client = scene.client()
    declare(client, "x-delayed-message", x_delayed_type="fanout")
    for _ in range(6):
        client.publish("x", "", bytes(1000), headers={"x-delay": 1000})
    assert names(client.received()) == []
    assert scene.broker.connections()[0].state == "blocked"
    end(scene)
    assert scene.broker.connections()[0].state == "open"


def test_a_history_counts_no_more_than_it_has(scene: Scene, client: Client) -> None:
    memory = scene.broker.memory
    declare(client, "x-recent-history", x_recent_history_length=2)
    used = []
    for _ in range(4):
        client.publish("x", "", bytes(1000))
        used.append(memory.used)
    assert used[0] * 2 == used[1] == used[2] == used[3] > 2000
    client.send("exchange.delete", exchange="x")
    assert memory.used == 0


def test_type_of_a_delayed_exchange_may_be_any_value(client: Client) -> None:
    for value in ({"a": 1}, [{"a": 1}], 5, b"\xff"):
        close = declare(client, "x-delayed-message", x_delayed_type=value)
        assert (close.name, close["reply_code"]) == ("channel.close", 406)
        client.send("channel.close-ok")
        client.open()


@pytest.mark.parametrize(
    ("key", "taken"),
    [("+2", True), ("01", True), ("9" * 200, True), ("٣", False), (" 1", False), ("--1", False)],
)
def test_weights_are_what_erlang_reads_as_integers(client: Client, key: str, taken: bool) -> None:
    declare(client, "x-consistent-hash")
    assert bind(client, "q", key).name == ("queue.bind-ok" if taken else "channel.close")


def test_large_weights_are_no_more_work_than_small_ones(scene: Scene, client: Client) -> None:
    declare(client, "x-consistent-hash")
    for queue, weight in (("a", "1" + "0" * 30), ("b", "3" + "0" * 30)):
        bind(client, queue, weight)
    for number in range(400):
        client.publish("x", f"key{number}")
    a, b = counts(scene, "a", "b")
    assert a + b == 400
    assert 60 < a < 140


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [("x-recent-history", {}), ("x-delayed-message", {"x_delayed_type": "fanout"})],
)
def test_a_commit_leaves_nothing_with_an_exchange_that_is_gone(
    scene: Scene, client: Client, kind: str, arguments: dict[str, str]
) -> None:
    declare(client, kind, **arguments)
    bind(client, "q")
    client.send("tx.select")
    client.publish("x", "", b"1", headers={"x-delay": 1000})
    client.send("exchange.delete", exchange="x")
    assert names(client.send("tx.commit")) == ["tx.commit-ok"]
    drain(client, "q")
    assert scene.broker.memory.used == 0
    scene.advance(2)
    assert held(client, "q") == []
