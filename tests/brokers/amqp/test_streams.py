"""Streams, as RabbitMQ 3.10.8 was seen to serve them by AMQP 0-9-1."""

from typing import Any

import pytest
from mockforge_brokers.amqp.records import Field
from mockforge_brokers.amqp.state.memory import COST
from mockforge_brokers.amqp.state.queues.store import Log
from mockforge_brokers.amqp.state.queues.stream import StreamMessage, StreamQueue
from mockforge_brokers.events import Warned

from ..calls import calls_of
from .client import Client, Got, Scene, bodies, names, publish


def declare(client: Client, queue: str = "s", **arguments: Any) -> Got:
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    given = {"x-queue-type": "stream", **given}
    (answer,) = client.send("queue.declare", queue=queue, durable=True, arguments=given)
    return answer


def fill(client: Client, *numbers: int) -> None:
    for number in numbers:
        client.publish("", "s", b"%d" % number)


def consume(client: Client, offset: Any = None, prefetch: int = 100, **more: Any) -> list[Got]:
    client.send("basic.qos", prefetch_count=prefetch)
    arguments = {name.replace("_", "-"): value for name, value in more.items()}
    if offset is not None:
        arguments["x-stream-offset"] = offset
    return client.send("basic.consume", queue="s", consumer_tag="c", arguments=arguments)


def read(scene: Scene, offset: Any = None, **more: Any) -> list[int]:
    return [int(body) for body in bodies(consume(scene.client(), offset, **more))]


def stream(scene: Scene) -> StreamQueue:
    queue = scene.broker.vhost().queues["s"]
    assert isinstance(queue, StreamQueue)
    return queue


# Where a consumer begins.


def test_what_was_read_stays_and_says_its_offset(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 0, 1)
    client.publish("", "s", b"2", headers={"own": 1, "z": 2})
    assert read(scene, "first") == [0, 1, 2]
    came = consume(scene.client(), "first")[1:]
    assert [got.properties["headers"]["x-stream-offset"].value for got in came] == [0, 1, 2]
    assert list(came[2].properties["headers"]) == ["own", "x-stream-offset", "z"]
    assert [got["redelivered"] for got in came] == [False] * 3


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (None, []),
        ("next", []),
        ("first", [0, 1, 2, 3, 4]),
        ("last", [4]),
        (0, [0, 1, 2, 3, 4]),
        (3, [3, 4]),
        (-1, [0, 1, 2, 3, 4]),
        (5, []),
        (1000, []),
        ("10s", [3, 4]),
        ("1m", [0, 1, 2, 3, 4]),
        ("1h", [0, 1, 2, 3, 4]),
        ("1s", []),
    ],
)
def test_consumer_begins_where_its_offset_says(
    scene: Scene, client: Client, offset: Any, expected: list[int]
) -> None:
    declare(client)
    fill(client, 0, 1, 2)
    scene.advance(20)
    fill(client, 3, 4)
    scene.advance(5)
    assert read(scene, offset) == expected


@pytest.mark.parametrize(("ago", "expected"), [(100, [0, 1, 2]), (5, [2]), (-100, [])])
def test_consumer_begins_at_a_time(
    scene: Scene, client: Client, ago: int, expected: list[int]
) -> None:
    declare(client)
    fill(client, 0, 1)
    scene.advance(10)
    fill(client, 2)
    moment = Field("T", int(scene.clock.wall()) - ago)
    assert read(scene, moment) == expected


def test_offset_to_come_is_waited_for(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 0)
    reader = scene.client()
    consume(reader, 2)
    fill(client, 1, 2, 3)
    assert bodies(reader.received()) == [b"2", b"3"]


def test_consumers_read_each_for_itself(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 0, 1)
    first, second = scene.client(), scene.client()
    consume(first, "first")
    consume(second, "next")
    fill(client, 2)
    assert bodies(first.received()) == [b"2"]
    assert bodies(second.received()) == [b"2"]


# RabbitMQ up to 4.3.0 crashes on a text that begins with no digit ("nope", ""): its client sees
# 541, INTERNAL_ERROR. From 4.3.1 on that is 406 like the others, as it is in every profile here.
BAD = [
    ("nope", '{longstr,<<"nope">>}'),
    ("5", '{longstr,<<"5">>}'),
    ("1x", '{longstr,<<"1x">>}'),
    ("", "{longstr,<<>>}"),
    (True, "{bool,true}"),
]


@pytest.mark.parametrize(("offset", "term"), BAD)
def test_offset_that_is_none_is_refused(client: Client, offset: Any, term: str) -> None:
    declare(client)
    (close,) = consume(client, offset)
    assert (close["reply_code"], close["reply_text"]) == (
        406,
        "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 's' in vhost '/': "
        f"{{invalid_stream_offset_arg,{term}}}",
    )


# Credit.


def test_acks_give_credit_for_what_comes_next(client: Client) -> None:
    declare(client)
    fill(client, *range(6))
    assert bodies(consume(client, "first", prefetch=2)) == [b"0", b"1"]
    assert bodies(client.send("basic.ack", delivery_tag=1)) == [b"2"]
    assert bodies(client.send("basic.ack", delivery_tag=3, multiple=True)) == [b"3", b"4"]


def test_what_a_channel_leaves_unacked_is_still_in_the_stream(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 0, 1)
    reader = scene.client()
    consume(reader, "first")
    assert stream(scene).unacked == 2
    reader.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    assert stream(scene).unacked == 0
    assert read(scene, "first") == [0, 1]


# Retention.


def test_oldest_segments_go_when_there_are_too_many_bytes(scene: Scene, client: Client) -> None:
    declare(client, x_max_length_bytes=2000, x_stream_max_segment_size_bytes=500)
    for number in range(100):
        client.publish("", "s", b"%03d" % number + b"x" * 100)
    queue = stream(scene)
    assert queue.log.end == 100
    assert 80 < queue.log.start < 95
    assert scene.broker.memory.used == (103 + COST) * len(queue.log)
    assert read_first(scene, 0) == queue.log.start


def read_first(scene: Scene, offset: Any) -> int:
    return int(bodies(consume(scene.client(), offset))[0][:3])


def test_old_segments_go_when_the_next_one_begins(scene: Scene, client: Client) -> None:
    declare(client, x_max_age="1m", x_stream_max_segment_size_bytes=500)
    for number in range(20):
        client.publish("", "s", b"%03d" % number + b"x" * 100)
    scene.advance(61)
    assert len(stream(scene).log) == 20
    for number in range(20, 26):
        client.publish("", "s", b"%03d" % number + b"x" * 100)
    assert 15 <= read_first(scene, "first") <= 20


def test_policy_shortens_a_stream(scene: Scene, client: Client) -> None:
    declare(client, x_stream_max_segment_size_bytes=500)
    scene.broker.set_policy("p", "^s", {"max-length-bytes": 1000}, apply_to="streams")
    for number in range(50):
        client.publish("", "s", b"%03d" % number + b"x" * 100)
    assert stream(scene).log.start > 30


def test_memory_is_free_when_a_stream_is_deleted(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 0, 1, 2)
    (done,) = client.send("queue.delete", queue="s")
    assert done["message_count"] == 0
    assert scene.broker.memory.used == 0


# Filters.


def test_filter_lets_through_what_has_one_of_the_values(scene: Scene, client: Client) -> None:
    declare(client)
    for number, value in enumerate(["eu", "us", None, "eu", "asia"]):
        headers = {"x-stream-filter-value": value} if value else {}
        client.publish("", "s", b"%d" % number, headers=headers)
    assert read(scene, "first", x_stream_filter="eu") == [0, 3]
    assert read(scene, "first", x_stream_filter=["eu", "asia"]) == [0, 3, 4]
    mixed = read(scene, "first", x_stream_filter="us", x_stream_match_unfiltered=True)
    assert mixed == [1, 2]


def test_what_a_filter_leaves_out_costs_no_credit(scene: Scene, client: Client) -> None:
    declare(client)
    for number in range(10):
        headers = {"x-stream-filter-value": "odd" if number % 2 else "even"}
        client.publish("", "s", b"%d" % number, headers=headers)
    assert read(scene, "first", prefetch=5, x_stream_filter="odd") == [1, 3, 5, 7, 9]


# What streams refuse.


def test_consumer_needs_a_prefetch(client: Client) -> None:
    declare(client)
    (close,) = client.send("basic.consume", queue="s", no_ack=True)
    assert (close["reply_code"], close["reply_text"]) == (
        406,
        "PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 's' in vhost '/''",
    )


@pytest.mark.parametrize("prefetch", [10, 0], ids=["", "whatever else it lacks"])
def test_consumer_has_no_priority(client: Client, prefetch: int) -> None:
    declare(client)
    (close,) = consume(client, prefetch=prefetch, x_priority=5)
    assert close["reply_text"] == (
        "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 's' in vhost '/' of queue type "
        "rabbit_stream_queue"
    )


@pytest.mark.parametrize(
    ("method", "values", "what"),
    [
        ("basic.get", {"queue": "s"}, "basic.get"),
        ("queue.purge", {"queue": "s"}, "queue.purge"),
        ("basic.consume", {"queue": "s", "no_ack": True}, "automatic acknowledgement"),
        ("basic.nack", {"delivery_tag": 1, "requeue": True}, "basic.nack and basic.reject"),
        ("basic.reject", {"delivery_tag": 1}, "basic.nack and basic.reject"),
    ],
)
def test_method_is_not_for_streams(
    client: Client, method: str, values: dict[str, Any], what: str
) -> None:
    declare(client)
    fill(client, 0)
    consume(client, "first")
    (close,) = client.send(method, **values)
    assert (close.name, close["reply_code"], close["reply_text"]) == (
        "connection.close",
        540,
        f"NOT_IMPLEMENTED - {what} not supported by stream queues queue 's' in vhost '/'",
    )


def test_exclusive_consumer_is_not_alone(client: Client) -> None:
    declare(client)
    client.send("basic.qos", prefetch_count=1)
    client.send("basic.consume", queue="s", exclusive=True)
    assert names(client.send("basic.consume", queue="s")) == ["basic.consume-ok"]


def test_stream_outlives_a_restart_with_its_offsets(scene: Scene, client: Client) -> None:
    declare(client, x_max_length_bytes=500, x_stream_max_segment_size_bytes=300)
    for number in range(30):
        client.publish("", "s", b"%03d" % number + b"x" * 50)
    start = stream(scene).log.start
    assert start > 0
    scene.broker.restart()
    assert (stream(scene).log.start, stream(scene).log.end) == (start, 30)
    assert read_first(scene, "first") == start


def test_people_see_offsets_and_how_far_consumers_are(scene: Scene, client: Client) -> None:
    declare(client)
    fill(client, 0, 1, 2, 3)
    consume(client, 1, prefetch=1)
    (view,) = (view for view in scene.broker.destinations() if view.name == "s")
    assert view.note == "stream, offsets 0 to 3"
    (group,) = scene.broker.groups()
    assert group.lag == 2
    assert scene.emitted(Warned) == []


# The log.


def test_log_keeps_offsets_while_its_front_goes() -> None:
    log = Log()
    for offset in range(10):
        log.append(StreamMessage(None, None, b"", 0, offset, moment=float(offset)))  # type: ignore[arg-type]
    for first in (1, 4, 8):
        log.drop_before(first)
        assert (log.start, log.end, len(log)) == (first, 10, 10 - first)
        assert [message.position for message in log] == list(range(first, 10))
        assert log[9].position == 9
    assert log.first_since(8.5) == 9
    assert log.first_since(50) == 10


@pytest.mark.parametrize("digits", [400, 5000])
def test_an_age_of_any_digits_is_the_beginning(scene: Scene, digits: int) -> None:
    client = scene.client()
    arguments = {"x-queue-type": "stream"}
    client.send("queue.declare", queue="s", durable=True, arguments=arguments)
    client.publish("", "s", b"first")
    client.send("basic.qos", prefetch_count=1)
    offset = {"x-stream-offset": "9" * digits + "Y"}
    came = client.send("basic.consume", queue="s", arguments=offset)
    assert [got.body for got in came if got.name == "basic.deliver"] == [b"first"]


def test_a_publish_looks_at_nobody_who_has_no_credit() -> None:
    def work(others: int) -> int:
        scene = Scene()
        client, other = scene.client(), scene.client()
        declare(client, "q")
        for each in (client, other):
            each.send("basic.qos", prefetch_count=1)
        arguments = {"x-stream-offset": "first"}
        client.publish("", "q", b"0")
        for number in range(others):
            client.send("basic.consume", queue="q", consumer_tag=f"{number}", arguments=arguments)
        other.send("basic.consume", queue="q", consumer_tag="c", arguments=arguments)
        publisher, data = scene.client().fake, publish("", "q", b"1")
        publisher.send(data)
        for tag in (1, 2):
            other.send("basic.ack", delivery_tag=tag)
        calls = calls_of(lambda: publisher.connection.receive(data))
        assert len(other.fake.connection.unacked()) == 1
        return calls

    work(1)
    assert work(1) == work(200)


def test_whoever_has_credit_again_misses_nothing_that_came_meanwhile() -> None:
    scene = Scene()
    client = scene.client()
    declare(client, "q")
    client.send("basic.qos", prefetch_count=2)
    for tag in ("a", "b"):
        client.send("basic.consume", queue="q", consumer_tag=tag)
    got: dict[str, list[bytes]] = {"a": [], "b": []}

    def take(came: list[Got]) -> list[int]:
        for each in came:
            if each.name == "basic.deliver":
                got[each["consumer_tag"]].append(each.body)
        return [each["delivery_tag"] for each in came if each.name == "basic.deliver"]

    unacked: list[int] = []
    for number in range(9):
        unacked += take(client.publish("", "q", b"%d" % number))
        # Each is two behind by now and then, and never both at once.
        if number % 3 == 2:
            unacked += take(client.send("basic.ack", delivery_tag=unacked.pop(0)))
    while unacked:
        unacked += take(client.send("basic.ack", delivery_tag=unacked.pop(0)))
    assert got == {tag: [b"%d" % number for number in range(9)] for tag in ("a", "b")}
