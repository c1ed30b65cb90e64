"""Queue arguments that act, as RabbitMQ 3.10.8 was seen to act on them."""

from typing import Any

import pytest
from mockforge_brokers.amqp.events import QueueDeleted
from mockforge_brokers.amqp.state.queues.governed import GovernedQueue
from mockforge_brokers.amqp.state.queues.queue import Queue
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import Warned

from .client import Client, Got, Scene, bodies, names


def declare(client: Client, queue: str = "q", **arguments: Any) -> None:
    """`x_max_length=2` is the argument x-max-length."""
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    (answer,) = client.send("queue.declare", queue=queue, arguments=given)
    assert answer.name == "queue.declare-ok", answer


def drain(client: Client, queue: str = "q") -> list[Got]:
    found = []
    while (got := client.send("basic.get", queue=queue, no_ack=True)[0]).name == "basic.get-ok":
        found.append(got)
    return found


def held(client: Client, queue: str = "q") -> list[bytes]:
    return [got.body for got in drain(client, queue)]


# Which queue is which.


def test_queue_without_acting_arguments_is_a_plain_one(scene: Scene, client: Client) -> None:
    declare(client, "plain", x_queue_type="classic", x_own=1)
    declare(client, "governed", x_max_length=5)
    queues = scene.broker.vhost().queues
    assert [type(queue) for queue in queues.values()] == [Queue, GovernedQueue]


def test_nothing_that_is_served_is_called_not_acted_on(scene: Scene, client: Client) -> None:
    declare(client, x_message_ttl=1000, x_expires=1000, x_max_length=1, x_max_length_bytes=1,
            x_overflow="drop-head", x_dead_letter_exchange="", x_dead_letter_routing_key="d",
            x_max_priority=3, x_single_active_consumer=True)  # fmt: skip
    assert scene.emitted(Warned) == []


# Time to live.


def test_a_message_expires_though_the_one_before_it_was_taken_and_did_not(
    scene: Scene, client: Client
) -> None:
    declare(client, "dead")
    declare(client, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    client.publish("", "q", b"stays")
    client.publish("", "q", b"expires", expiration="1000")
    client.send("basic.qos", prefetch_count=1)
    got = client.send("basic.consume", queue="q")
    assert bodies(got) == [b"stays"]
    scene.advance(5)
    assert held(client, "dead") == [b"expires"]


@pytest.mark.parametrize(
    ("queue_ttl", "expiration", "seconds"),
    [(300, None, 0.3), (None, "300", 0.3), (300, "500", 0.3), (500, "300", 0.3)],
)
def test_message_is_gone_when_the_lower_time_to_live_is_over(
    scene: Scene, client: Client, queue_ttl: int | None, expiration: str | None, seconds: float
) -> None:
    declare(client, **({"x_message_ttl": queue_ttl} if queue_ttl is not None else {}))
    properties = {"expiration": expiration} if expiration else {}
    client.publish("", "q", b"x", **properties)
    scene.advance(seconds - 0.01)
    assert names(client.send("queue.declare", queue="q", passive=True)) == ["queue.declare-ok"]
    (count,) = client.send("queue.declare", queue="q", passive=True)
    assert count["message_count"] == 1
    scene.advance(0.01)
    (count,) = client.send("queue.declare", queue="q", passive=True)
    assert count["message_count"] == 0
    assert scene.broker.memory.used == 0


def test_message_behind_a_living_one_is_over_only_at_the_head(scene: Scene, client: Client) -> None:
    declare(client)
    client.publish("", "q", b"lives")
    client.publish("", "q", b"over", expiration="100")
    scene.advance(1)
    (count,) = client.send("queue.declare", queue="q", passive=True)
    assert count["message_count"] == 2
    assert held(client) == [b"lives"]


def test_time_to_live_of_zero_needs_a_consumer_that_is_ready(scene: Scene, client: Client) -> None:
    declare(client, x_message_ttl=0)
    client.publish("", "q", b"nobody")
    client.send("basic.consume", queue="q", no_ack=True)
    assert bodies(client.publish("", "q", b"somebody")) == [b"somebody"]
    assert scene.broker.vhost().queues["q"].expired == 1


def test_message_that_comes_back_keeps_its_time(scene: Scene, client: Client) -> None:
    declare(client, x_message_ttl=1000)
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    scene.advance(0.6)
    client.send("basic.nack", delivery_tag=1, requeue=True)
    scene.advance(0.4)
    assert held(client) == []


def test_plain_queue_with_lent_messages_takes_an_expiring_one(scene: Scene, client: Client) -> None:
    declare(client)
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    client.send("basic.get", queue="q")
    client.publish("", "q", b"over", expiration="100")
    client.send("basic.nack", delivery_tag=1, requeue=True)
    scene.advance(1)
    assert held(client) == [b"1", b"2"]


# x-expires.


def test_unused_queue_is_deleted(scene: Scene, client: Client) -> None:
    declare(client, x_expires=300)
    scene.advance(0.2)
    declare(client, x_expires=300)
    scene.advance(0.2)
    client.send("basic.get", queue="q")
    scene.advance(0.2)
    client.send("basic.consume", queue="q", consumer_tag="c")
    scene.advance(10)
    client.send("basic.cancel", consumer_tag="c")
    scene.advance(0.29)
    assert scene.emitted(QueueDeleted) == []
    scene.advance(0.02)
    assert scene.emitted(QueueDeleted)[0].queue == "q"


# Lengths.


def test_oldest_message_makes_room(client: Client) -> None:
    declare(client, x_max_length=2)
    for number in range(5):
        client.publish("", "q", b"%d" % number)
    assert held(client) == [b"3", b"4"]


def test_bytes_are_bodies_that_are_ready(client: Client) -> None:
    declare(client, x_max_length_bytes=10)
    for number in range(4):
        client.publish("", "q", b"%d" % number * 4)
    assert held(client) == [b"2222", b"3333"]


def test_unacked_messages_do_not_count(client: Client) -> None:
    declare(client, x_max_length=1)
    client.publish("", "q", b"1")
    client.send("basic.get", queue="q")
    client.publish("", "q", b"2")
    assert held(client) == [b"2"]


@pytest.mark.parametrize("overflow", ["reject-publish", "reject-publish-dlx"])
def test_full_queue_refuses_by_nack(client: Client, overflow: str) -> None:
    declare(client, "dead")
    declare(client, x_max_length=1, x_overflow=overflow, x_dead_letter_exchange="",
            x_dead_letter_routing_key="dead")  # fmt: skip
    client.send("confirm.select")
    assert names(client.publish("", "q", b"1")) == ["basic.ack"]
    (nack,) = client.publish("", "q", b"2")
    assert (nack.name, nack["delivery_tag"], nack["multiple"]) == ("basic.nack", 2, True)
    (ack,) = client.publish("", "dead", b"3")
    assert (ack.name, ack["delivery_tag"]) == ("basic.ack", 3)
    assert held(client) == [b"1"]
    assert held(client, "dead") == ([b"3"] if overflow == "reject-publish" else [b"2", b"3"])


def test_person_is_told_that_the_queue_is_full(scene: Scene, client: Client) -> None:
    declare(client, x_max_length=0, x_overflow="reject-publish")
    with pytest.raises(InvalidInput, match="full and rejects"):
        scene.broker.publish("", "q", b"x")


# Dead letters.


def buried(client: Client, queue: str = "dead") -> list[dict[str, Any]]:
    return [got.properties["headers"] for got in drain(client, queue)]


def plain_headers(headers: dict[str, Any]) -> dict[str, Any]:
    from mockforge_brokers.amqp.records import plain

    return dict(plain(headers))


def test_rejected_expired_and_dropped_messages_go_to_the_dead_letter_exchange(
    scene: Scene, client: Client
) -> None:
    declare(client, "dead")
    declare(client, "src", x_message_ttl=50, x_max_length=2, x_dead_letter_exchange="",
            x_dead_letter_routing_key="dead")  # fmt: skip
    for number in range(3):
        headers = {"h": 1, "CC": ["other"]}
        client.publish("", "src", b"%d" % number, expiration="40", headers=headers)
    client.send("basic.get", queue="src")
    client.send("basic.reject", delivery_tag=1)
    scene.advance(0.1)
    got = drain(client, "dead")
    written = [plain_headers(one.properties["headers"]) for one in got]
    reasons = [headers["x-death"][0]["reason"] for headers in written]
    assert [one.body for one in got] == [b"0", b"1", b"2"]
    assert reasons == ["maxlen", "rejected", "expired"]
    assert written[2] == {
        "h": 1,
        "x-death": [
            {
                "count": 1, "reason": "expired", "queue": "src", "exchange": "",
                "time": int(scene.clock.wall()), "routing-keys": ["src", "other"],
                "original-expiration": "40",
            }
        ],
        "x-first-death-exchange": "", "x-first-death-queue": "src",
        "x-first-death-reason": "expired",
        "x-last-death-exchange": "", "x-last-death-queue": "src",
        "x-last-death-reason": "expired",
    }  # fmt: skip
    assert "expiration" not in got[2].properties
    assert (got[2]["exchange"], got[2]["routing_key"]) == ("", "dead")


def test_dead_letter_keeps_its_key_and_cc_without_one_of_its_own(client: Client) -> None:
    for name in ("dead", "other"):
        declare(client, name)
        client.send("queue.bind", queue=name, exchange="amq.direct", routing_key=name)
    client.send("queue.bind", queue="dead", exchange="amq.direct", routing_key="q")
    declare(client, x_dead_letter_exchange="amq.direct")
    client.publish("", "q", b"x", headers={"CC": ["other"]})
    client.send("basic.get", queue="q")
    client.send("basic.nack", delivery_tag=1, requeue=False)
    assert [plain_headers(one)["CC"] for one in buried(client)] == [["other"]]
    assert held(client, "other") == [b"x", b"x"]


def test_second_death_of_one_kind_is_counted(scene: Scene, client: Client) -> None:
    declare(client, "dead", x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    declare(client, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    client.publish("", "q", b"x")
    for queue in ("q", "dead", "q"):
        (got,) = client.send("basic.get", queue=queue)
        client.send("basic.reject", delivery_tag=got["delivery_tag"])
    (headers,) = buried(client)
    deaths = plain_headers(headers)["x-death"]
    assert [(one["queue"], one["count"]) for one in deaths] == [("q", 2), ("dead", 1)]
    assert plain_headers(headers)["x-first-death-queue"] == "q"


def test_automatic_cycle_is_cut(scene: Scene, client: Client) -> None:
    declare(client, x_message_ttl=10, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    client.publish("", "q", b"x")
    scene.advance(1)
    assert held(client) == []
    assert scene.broker.memory.used == 0


def test_queue_that_died_itself_buries_nothing(scene: Scene, client: Client) -> None:
    declare(client, "dead")
    declare(client, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    client.publish("", "q", b"x")
    client.send("queue.delete", queue="q")
    assert held(client, "dead") == []


def test_missing_dead_letter_exchange_is_warned_of_once(scene: Scene, client: Client) -> None:
    declare(client, x_max_length=0, x_dead_letter_exchange="nope")
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    (warning,) = scene.emitted(Warned)
    assert "no exchange 'nope'" in warning.text


def test_long_chain_of_dead_letters_does_not_recurse(client: Client) -> None:
    for number in range(300):
        declare(client, f"q{number}", x_message_ttl=0, x_dead_letter_exchange="",
                x_dead_letter_routing_key=f"q{number + 1}")  # fmt: skip
    declare(client, "q300")
    client.publish("", "q0", b"x")
    assert held(client, "q300") == [b"x"]


# Priorities.


def test_higher_priorities_go_first_and_too_high_ones_are_the_highest(client: Client) -> None:
    declare(client, x_max_priority=5)
    for body, priority in ((b"5", 5), (b"9", 9), (b"3", 3), (b"0", 0), (b"None", None)):
        client.publish("", "q", body, **({} if priority is None else {"priority": priority}))
    assert held(client) == [b"5", b"9", b"3", b"0", b"None"]


def test_too_long_queue_drops_its_head_whatever_the_priority(client: Client) -> None:
    declare(client, x_max_priority=3, x_max_length=2)
    for body, priority in ((b"high", 3), (b"low", 0), (b"middle", 1)):
        client.publish("", "q", body, priority=priority)
    assert held(client) == [b"middle", b"low"]


def test_death_that_a_client_made_up_is_counted_on_or_replaced(client: Client) -> None:
    declare(client, "dead")
    declare(client, x_dead_letter_exchange="", x_dead_letter_routing_key="dead", x_max_length=0)
    made_up = [{"count": 5, "reason": "maxlen", "queue": "q", "own": 1}]
    client.publish("", "q", headers={"x-death": made_up})
    client.publish("", "q", headers={"x-death": "text"})
    first, second = map(plain_headers, buried(client))
    last = {"x-last-death-exchange": "", "x-last-death-queue": "q", "x-last-death-reason": "maxlen"}
    assert first == {"x-death": [{"count": 6, "own": 1, "queue": "q", "reason": "maxlen"}]} | last
    assert [one["count"] for one in second["x-death"]] == [1]
    assert list(second) == ["x-death", *last]


def test_requeued_message_is_first_of_its_priority_again(client: Client) -> None:
    declare(client, x_max_priority=2)
    for body, priority in ((b"a", 1), (b"b", 1), (b"c", 2)):
        client.publish("", "q", body, priority=priority)
    for _ in range(2):
        client.send("basic.get", queue="q")
    client.send("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    assert held(client) == [b"c", b"a", b"b"]


# Single active consumer.


def test_one_consumer_is_active_until_it_goes(client: Client) -> None:
    declare(client, x_single_active_consumer=True)
    for tag in ("a", "b", "c"):
        client.send("basic.consume", queue="q", consumer_tag=tag, no_ack=True)
    came = client.publish("", "q", b"1") + client.publish("", "q", b"2")
    assert [got["consumer_tag"] for got in came] == ["a", "a"]
    client.send("basic.cancel", consumer_tag="a")
    (got,) = client.publish("", "q", b"3")
    assert got["consumer_tag"] == "b"


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_nobody_takes_over_from_the_single_active_consumer_of_a_queue_that_is_deleted(
    scene: Scene, client: Client, kind: str
) -> None:
    arguments = {"x-single-active-consumer": True, "x-queue-type": kind}
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    other = scene.client()
    for each in (client, other):
        each.send("basic.qos", prefetch_count=1)
        each.send("basic.consume", queue="q")
    for body in (b"1", b"2"):
        scene.client().publish("", "q", body)
    scene.client().send("queue.delete", queue="q")
    assert [got.name for got in other.received()] == ["basic.cancel"]


# Restart.


def test_restart_keeps_the_time_that_is_left_and_the_priorities(scene: Scene) -> None:
    client = scene.client()
    given = {"x-max-priority": 3, "x-message-ttl": 1000}
    client.send("queue.declare", queue="q", durable=True, arguments=given)
    client.send("queue.declare", queue="plain", durable=True)
    for priority in (1, 3):
        client.publish("", "q", b"%d" % priority, priority=priority, delivery_mode=2)
    client.publish("", "plain", b"over", expiration="1000", delivery_mode=2)
    scene.advance(0.5)
    scene.broker.restart()
    scene.advance(0.4)
    assert held(scene.client()) == [b"3", b"1"]
    scene.advance(0.1)
    assert held(scene.client(), "plain") == []


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ({}, [b"b"]),
        ({"x-overflow": "reject-publish"}, [b"a", b"b"]),
        ({"x-max-priority": 3}, [b"b"]),
        ({"x-queue-type": "quorum"}, [b"a"]),
        ({"x-queue-type": "quorum", "x-delivery-limit": 5}, [b"b"]),
        ({"x-queue-type": "quorum", "x-overflow": "reject-publish"}, [b"b", b"a"]),
    ],
)
def test_what_comes_back_to_a_full_queue_makes_its_head_go(
    client: Client, arguments: dict[str, Any], left: list[bytes]
) -> None:
    client.send(
        "queue.declare", queue="q", durable=True, arguments={"x-max-length": 1, **arguments}
    )
    client.publish("", "q", b"a")
    client.send("basic.get", queue="q")
    client.publish("", "q", b"b")
    client.send("basic.nack", delivery_tag=1, requeue=True)
    assert held(client) == left


# Asked of RabbitMQ 3.10.8 by the differential test.


def test_what_is_over_is_gone_before_its_turn_though_others_stood_before_it(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"first")
    client.publish("", "q", b"short", expiration="100")
    client.publish("", "q", b"last")
    scene.advance(1)
    assert bodies(client.send("basic.consume", queue="q", no_ack=True)) == [b"first", b"last"]


def test_nobody_is_exclusive_where_one_consumer_is_active_at_a_time(client: Client) -> None:
    client.send("queue.declare", queue="q", arguments={"x-single-active-consumer": True})
    (closed,) = client.send("basic.consume", queue="q", exclusive=True)
    assert closed["reply_text"] == "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"


def test_a_message_of_a_key_of_any_bytes_dies_like_others(scene: Scene) -> None:
    scene.broker.declare_queue("dead")
    scene.broker.bind("amq.fanout", "dead")
    dying = {"x-dead-letter-exchange": "amq.fanout", "x-max-length": 0}
    scene.broker.declare_queue("dying", arguments=dying)
    scene.broker.bind("amq.direct", "dying", "\udcff")
    client = scene.client()
    client.publish("amq.direct", "\udcff", b"x")
    (got,) = client.send("basic.get", queue="dead", no_ack=True)
    (death,) = got.properties["headers"]["x-death"].value
    assert death.value["routing-keys"].value[0].value == b"\xff"


@pytest.mark.parametrize(
    ("kind", "came", "dropped"), [("classic", [b"1", b"2"], 1), ("quorum", [b"0", b"1", b"2"], 0)]
)
def test_what_comes_back_and_is_too_much_is_dropped_before_anybody_gets_it(
    scene: Scene, client: Client, kind: str, came: list[bytes], dropped: int
) -> None:
    """Asked of RabbitMQ 3.10.8: a quorum queue hands out first."""
    arguments = {"x-queue-type": kind, "x-max-length": 2}
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    client.send("basic.consume", queue="q", consumer_tag="c")
    for number in range(3):
        client.publish("", "q", b"%d" % number)
    assert bodies(client.send("basic.recover", requeue=True)) == came
    queue = scene.broker.vhost().queues["q"]
    assert isinstance(queue, GovernedQueue)
    assert queue.dropped == dropped


def test_a_message_of_a_lower_priority_expires_once_it_is_the_head(
    scene: Scene, client: Client
) -> None:
    """Asked of RabbitMQ 3.10.8."""
    declare(client, x_max_priority=3)
    for body, priority, expiration in (
        (b"low", 0, "300"), (b"high", 1, None), (b"low", 0, "300"), (b"living", 0, None),
    ):  # fmt: skip
        properties = {"priority": priority, **({"expiration": expiration} if expiration else {})}
        client.publish("", "q", body, **properties)
    scene.advance(1)
    assert client.send("queue.declare", queue="q", passive=True)[0]["message_count"] == 4
    (got,) = client.send("basic.get", queue="q", no_ack=True)
    assert (got.body, got["message_count"]) == (b"high", 1)


def test_two_priorities_expire_one_behind_the_other(scene: Scene, client: Client) -> None:
    declare(client, x_max_priority=3)
    client.publish("", "q", b"low", priority=0, expiration="200")
    client.publish("", "q", b"high", priority=1, expiration="600")
    for passed, left in ((0.4, 2), (0.3, 0)):
        scene.advance(passed)
        answer = client.send("queue.declare", queue="q", passive=True)[0]
        assert answer["message_count"] == left


def test_times_may_be_of_ten_years(scene: Scene, client: Client) -> None:
    """Celery declares queues for delays of up to 2**27 seconds."""
    years = 315_360_000_000
    declare(client, x_message_ttl=years, x_expires=years)
    client.publish("", "q", b"x", expiration=str(years))
    scene.advance(30)
    assert held(client) == [b"x"]
