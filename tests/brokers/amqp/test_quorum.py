"""Quorum queues, as one node of RabbitMQ 3.10.8 was seen to serve them."""

from typing import Any

import pytest
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.events import Warned

from .client import Client, Got, Scene, bodies, names
from .test_governed import drain, held

Seen = tuple[bytes, bool, int | None]


def declare(client: Client, queue: str = "q", **arguments: Any) -> Got:
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    given = {"x-queue-type": "quorum", **given}
    (answer,) = client.send("queue.declare", queue=queue, durable=True, arguments=given)
    return answer


def fill(client: Client, count: int, queue: str = "q") -> None:
    for number in range(count):
        client.publish("", queue, b"%d" % number)


def get(client: Client, count: int) -> list[Seen]:
    return [seen(client.send("basic.get", queue="q")[0]) for _ in range(count)]


def seen(got: Got) -> Seen:
    headers = got.properties.get("headers", {})
    count = headers.get("x-delivery-count")
    return got.body, got["redelivered"], None if count is None else count.value


# Deliveries are counted.


def test_get_says_how_often_a_message_was_delivered_before(client: Client) -> None:
    declare(client)
    fill(client, 1)
    found = []
    for tag in (1, 2, 3):
        found += get(client, 1)
        client.send("basic.reject", delivery_tag=tag, requeue=True)
    assert found == [(b"0", False, 0), (b"0", True, 1), (b"0", True, 2)]


def test_consumer_sees_the_count_from_the_second_delivery_on(client: Client) -> None:
    declare(client)
    client.publish("", "q", b"x", headers={"z": 1, "a": 1})
    (came,) = client.send("basic.consume", queue="q")[1:]
    assert list(came.properties["headers"]) == ["z", "a"]
    (again,) = client.send("basic.nack", delivery_tag=1, requeue=True)
    assert list(again.properties["headers"]) == ["a", "x-delivery-count", "z"]
    assert seen(again) == (b"x", True, 1)


def test_message_without_properties_gets_the_header_alone(client: Client) -> None:
    declare(client)
    fill(client, 1)
    (got,) = client.send("basic.get", queue="q")
    assert list(got.properties) == ["headers"]


def test_end_of_a_channel_counts_as_a_delivery(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 1)
    get(client, 1)
    client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    assert get(scene.client(), 1) == [(b"0", True, 1)]


# Where what comes back stands.


def test_without_a_limit_what_is_nacked_goes_to_the_end(client: Client) -> None:
    declare(client)
    fill(client, 5)
    get(client, 3)
    client.send("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    assert [body for body, *_ in get(client, 4)] == [b"3", b"4", b"0", b"1"]


def test_with_a_limit_what_is_nacked_is_next(client: Client) -> None:
    declare(client, x_delivery_limit=5)
    fill(client, 5)
    get(client, 3)
    client.send("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    assert [body for body, *_ in get(client, 4)] == [b"0", b"1", b"3", b"4"]


def test_what_a_channel_leaves_behind_is_next_in_the_order_of_deliveries(scene: Scene) -> None:
    client = scene.client()
    declare(client)
    fill(client, 5)
    get(client, 3)
    client.send("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    get(client, 4)
    client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    other = scene.client()
    assert [body for body, *_ in get(other, 5)] == [b"2", b"3", b"4", b"0", b"1"]


def test_without_a_limit_a_rejecting_consumer_goes_round(client: Client) -> None:
    declare(client)
    fill(client, 3)
    client.send("basic.qos", prefetch_count=1)
    found = bodies(client.send("basic.consume", queue="q"))
    for tag in range(1, 6):
        found += bodies(client.send("basic.reject", delivery_tag=tag, requeue=True))
    assert b"".join(found) == b"012012"


# The delivery limit.


def test_limit_of_deliveries_makes_dead_letters(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="dead")
    declare(client, x_delivery_limit=2, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    client.publish("", "q", b"x", headers={"own": 1})
    for tag in (1, 2, 3):
        get(client, 1)
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    assert names(client.send("basic.get", queue="q")) == ["basic.get-empty"]
    (dead,) = drain(client, "dead")
    headers = dead.properties["headers"]
    assert set(headers) == {
        "own",
        "x-death",
        "x-first-death-exchange",
        "x-first-death-queue",
        "x-first-death-reason",
        "x-last-death-exchange",
        "x-last-death-queue",
        "x-last-death-reason",
    }
    assert headers["x-first-death-reason"].value == "delivery_limit"
    assert scene.broker.memory.used == 0


def test_limit_by_policy(scene: Scene, client: Client) -> None:
    declare(client)
    scene.broker.set_policy("p", "q", {"delivery-limit": 1})
    fill(client, 1)
    for tag in (1, 2):
        get(client, 1)
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    assert names(client.send("basic.get", queue="q")) == ["basic.get-empty"]


def test_limit_below_zero_is_none(client: Client) -> None:
    assert declare(client, x_delivery_limit=-1).name == "queue.declare-ok"
    fill(client, 1)
    for tag in (1, 2, 3):
        get(client, 1)
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    assert get(client, 1) == [(b"0", True, 3)]


# Lengths.


def test_queue_that_rejects_takes_one_more_and_opens_at_four_fifths(client: Client) -> None:
    declare(client, x_max_length=10, x_overflow="reject-publish")
    client.send("confirm.select")

    def publish() -> str:
        (answer,) = client.publish("", "q", b"x")
        return answer.name.removeprefix("basic.")[0]

    assert "".join(publish() for _ in range(14)) == "a" * 11 + "n" * 3
    answers = ""
    for _ in range(8):
        client.send("basic.get", queue="q", no_ack=True)
        answers += publish()
    assert answers == "nnnaaaaa"


def test_oldest_go_where_too_many_come(client: Client) -> None:
    declare(client, x_max_length=2)
    fill(client, 4)
    assert held(client) == [b"2", b"3"]


# Dead letters at least once.


def test_dead_letter_waits_for_a_queue_where_it_may_not_be_lost(
    scene: Scene, client: Client
) -> None:
    declare(
        client,
        x_dead_letter_exchange="amq.direct",
        x_dead_letter_routing_key="dead",
        x_dead_letter_strategy="at-least-once",
        x_overflow="reject-publish",
    )
    fill(client, 1)
    get(client, 1)
    client.send("basic.reject", delivery_tag=1, requeue=False)
    (view,) = (view for view in scene.broker.destinations() if view.name == "q")
    assert view.note == "1 dead-lettered, 1 dead letters wait for a queue"
    client.send("queue.declare", queue="dead")
    client.send("queue.bind", queue="dead", exchange="amq.direct", routing_key="dead")
    scene.advance(180)
    assert held(scene.client(), "dead") == [b"0"]
    assert scene.broker.memory.used == 0


def test_without_reject_publish_a_dead_letter_is_lost_as_ever(scene: Scene, client: Client) -> None:
    declare(
        client,
        x_dead_letter_exchange="amq.direct",
        x_dead_letter_strategy="at-least-once",
    )
    fill(client, 1)
    get(client, 1)
    client.send("basic.reject", delivery_tag=1, requeue=False)
    assert scene.broker.memory.used == 0
    scene.advance(400)


# What quorum queues refuse.


def test_common_prefetch_is_refused(client: Client) -> None:
    declare(client)
    client.send("basic.qos", prefetch_count=2, is_global=True)
    fill(client, 1)
    assert get(client, 1) == [(b"0", False, 0)]
    (close,) = client.send("basic.consume", queue="q")
    assert (close.name, close["reply_code"], close["reply_text"]) == (
        "connection.close",
        540,
        "NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos",
    )


@pytest.mark.parametrize(("flag", "text"), [("if_empty", "if-empty"), ("if_unused", "if-unused")])
def test_deletion_on_a_condition_is_refused(client: Client, flag: str, text: str) -> None:
    declare(client)
    (close,) = client.send("queue.delete", queue="q", **{flag: True})
    assert (close["reply_code"], close["reply_text"]) == (
        540,
        f"NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with "
        f"{text} flag set are not supported by quorum queues",
    )


def test_exclusive_consumer_is_not_alone(client: Client) -> None:
    declare(client)
    client.send("basic.consume", queue="q", exclusive=True)
    assert names(client.send("basic.consume", queue="q", exclusive=True)) == ["basic.consume-ok"]


def test_quorum_queue_outlives_a_restart_as_one(scene: Scene, client: Client) -> None:
    declare(client, x_delivery_limit=3)
    client.publish("", "q", b"x", delivery_mode=2)
    get(client, 1)
    scene.broker.restart()
    again = scene.client()
    assert scene.broker.vhost().queues["q"].kind == "quorum"
    assert get(again, 1)[0][:2] == (b"x", True)


def test_nothing_of_it_is_called_not_acted_on(scene: Scene, client: Client) -> None:
    declare(
        client,
        x_delivery_limit=3,
        x_message_ttl=1000,
        x_max_in_memory_length=2,
        x_dead_letter_strategy="at-most-once",
        x_quorum_initial_group_size=1,
        x_queue_leader_locator="balanced",
    )
    assert scene.emitted(Warned) == []


# Deliveries that failed, which RabbitMQ 4.3 counts by themselves (rabbit_fifo, return_one).

Counts = tuple[int | None, int | None]


def counted(got: Got) -> Counts:
    """Its headers x-acquired-count and x-delivery-count."""
    headers = got.properties.get("headers", {})
    acquired, failed = headers.get("x-acquired-count"), headers.get("x-delivery-count")
    return acquired and acquired.value, failed and failed.value


def again(client: Client, how: str) -> None:
    """Give what was got last back."""
    match how:
        case "nack" | "reject":
            client.send(f"basic.{how}", delivery_tag=1, requeue=True)
        case "recover":
            client.send("basic.recover", requeue=True)
        case "nack, committed" | "reject, committed":
            client.send("tx.select")
            client.send(f"basic.{how.split(',')[0]}", delivery_tag=1, requeue=True)
            client.send("tx.commit")
        case "close":
            client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
        case _:
            client.fake.vanish()


@pytest.mark.parametrize(
    ("how", "failed"),
    [
        ("nack", False),
        ("reject", True),
        ("recover", False),
        ("nack, committed", False),
        ("reject, committed", True),
        ("close", True),
        ("vanish", True),
    ],
)
@pytest.mark.parametrize("release", ["3.13", "4.1", "4.3"])
def test_what_counts_as_a_delivery_that_failed(release: str, how: str, failed: bool) -> None:
    scene = Scene(AmqpOptions(as_version=release))
    declare(scene.client())
    fill(scene.client(), 1)
    found = []
    for _ in range(3):
        client = scene.client()
        (got,) = client.send("basic.get", queue="q")
        found.append(counted(got))
        again(client, how)
    if release == "4.3":
        fails = (lambda count: count) if failed else (lambda count: None)
        assert found == [(None, None), (1, fails(1)), (2, fails(2))]
    else:
        assert found == [(None, None if release == "4.1" else 0), (None, 1), (None, 2)]


@pytest.mark.parametrize(("release", "dies"), [("4.1", True), ("4.3", False)])
def test_a_message_may_be_nacked_for_ever_from_4_3_on(release: str, dies: bool) -> None:
    client = Scene(AmqpOptions(as_version=release)).client()
    declare(client, x_delivery_limit=2)
    fill(client, 1)
    for tag in range(1, 10):
        client.send("basic.get", queue="q")
        if tag > 3 and dies:
            break
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    assert bool(client.send("queue.declare", queue="q", passive=True)[0]["message_count"]) != dies


def test_a_message_that_was_rejected_too_often_dies_in_4_3_too() -> None:
    client = Scene(AmqpOptions(as_version="4.3")).client()
    declare(client)
    fill(client, 1)
    for tag in range(1, 22):
        assert names(client.send("basic.get", queue="q")) == ["basic.get-ok"]
        client.send("basic.reject", delivery_tag=tag, requeue=True)
    assert names(client.send("basic.get", queue="q")) == ["basic.get-empty"]


@pytest.mark.parametrize(("how", "order"), [("nack", b"10"), ("reject", b"01")])
def test_in_4_3_what_was_rejected_is_next_and_without_a_limit_what_was_nacked_is_last(
    how: str, order: bytes
) -> None:
    client = Scene(AmqpOptions(as_version="4.3")).client()
    declare(client, x_delivery_limit=-1)
    fill(client, 2)
    get(client, 1)
    client.send(f"basic.{how}", delivery_tag=1, requeue=True)
    assert b"".join(body for body, *_ in get(client, 2)) == order


# Priorities, which quorum queues of 4.3 have without an argument (rabbit_fifo, msg_priority).


def ranked(client: Client, *priorities: int | None, **more: Any) -> None:
    for priority in priorities:
        given = {} if priority is None else {"priority": priority}
        client.publish("", "q", b"%d " % (-1 if priority is None else priority), **given, **more)


@pytest.mark.parametrize(
    ("release", "order"),
    [("4.1", b"1 9 -1 4 31 40 5 "), ("4.3", b"31 40 9 5 -1 4 1 ")],
)
def test_messages_of_a_higher_priority_are_first_in_4_3(release: str, order: bytes) -> None:
    client = Scene(AmqpOptions(as_version=release)).client()
    declare(client)
    ranked(client, 1, 9, None, 4, 31, 40, 5)
    assert b"".join(body for body, *_ in get(client, 7)) == order


@pytest.mark.parametrize("how", ["nack", "reject"])
def test_what_comes_back_is_next_whatever_its_priority(how: str) -> None:
    client = Scene(AmqpOptions(as_version="4.3")).client()
    declare(client)
    ranked(client, 1, 2)
    get(client, 2)
    ranked(client, 31)
    client.send(f"basic.{how}", delivery_tag=2, requeue=True)
    client.send(f"basic.{how}", delivery_tag=1, requeue=True)
    assert b"".join(body for body, *_ in get(client, 3)) == b"1 2 31 "


def test_without_a_limit_what_is_nacked_is_last_of_the_usual_priority() -> None:
    client = Scene(AmqpOptions(as_version="4.3")).client()
    declare(client, x_delivery_limit=-1)
    ranked(client, 9)
    get(client, 1)
    ranked(client, 5, None, 3)
    client.send("basic.nack", delivery_tag=1, requeue=True)
    assert b"".join(body for body, *_ in get(client, 4)) == b"5 -1 9 3 "


def test_messages_expire_below_living_ones_of_a_higher_priority_in_4_3() -> None:
    scene = Scene(AmqpOptions(as_version="4.3"))
    client = scene.client()
    declare(client)
    ranked(client, 1, 2, expiration="1000")
    ranked(client, 9)
    scene.advance(1)
    assert held(client) == [b"9 "]


# Who counts as a consumer: asked of 3.10.8 and 4.3.6.


def consumers_of(client: Client) -> int:
    (answer,) = client.send("queue.declare", queue="q", passive=True, channel=9)
    return int(answer["consumer_count"])


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("release", ["3.10", "4.3"])
def test_who_was_cancelled_counts_until_all_it_had_is_settled(release: str, single: bool) -> None:
    scene = Scene(AmqpOptions(as_version=release))
    client = scene.client().open(9)
    declare(client, x_single_active_consumer=single)
    fill(client, 4)
    client.send("basic.qos", prefetch_count=3)
    client.send("basic.consume", queue="q", consumer_tag="a")
    client.send("basic.cancel", consumer_tag="a")
    found = [consumers_of(client)]
    client.send("basic.consume", queue="q", consumer_tag="b")
    found.append(consumers_of(client))
    client.send("basic.ack", delivery_tag=2)
    found.append(consumers_of(client))
    client.send("basic.cancel", consumer_tag="b")
    client.send("basic.nack", delivery_tag=1, requeue=False)
    found.append(consumers_of(client))
    client.send("basic.ack", delivery_tag=3)
    found.append(consumers_of(client))
    client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    found.append(consumers_of(client))
    assert found == [1, 2, 2, 2, 1, 0]


@pytest.mark.parametrize(
    ("settle", "values"),
    [
        ("basic.ack", {"delivery_tag": 0, "multiple": True}),
        ("basic.nack", {"delivery_tag": 0, "multiple": True, "requeue": True}),
        ("basic.nack", {"delivery_tag": 0, "multiple": True, "requeue": False}),
        ("basic.recover", {"requeue": True}),
    ],
)
def test_each_get_counts_until_it_is_settled(
    client: Client, settle: str, values: dict[str, Any]
) -> None:
    client.open(9)
    declare(client)
    fill(client, 4)
    get(client, 3)
    client.send("basic.get", queue="q", no_ack=True)
    assert consumers_of(client) == 3
    client.send("basic.ack", delivery_tag=2)
    assert consumers_of(client) == 2
    client.send(settle, **values)
    assert consumers_of(client) == 0


@pytest.mark.parametrize("how", ["get", "cancel"])
def test_a_queue_is_in_use_until_that(scene: Scene, client: Client, how: str) -> None:
    declare(client, x_expires=1000)
    fill(client, 1)
    if how == "get":
        client.send("basic.get", queue="q")
    else:
        client.send("basic.consume", queue="q", consumer_tag="a")
        client.send("basic.cancel", consumer_tag="a")
    scene.advance(5)
    client.send("basic.ack", delivery_tag=1)
    scene.advance(0.9)
    assert "q" in scene.broker.vhost().queues
    scene.advance(0.2)
    assert "q" not in scene.broker.vhost().queues
