"""Messages that come back find their old places, and look at no more of what waits there."""

from collections import deque
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.state.exchanges import FanoutExchange
from mockforge_brokers.amqp.state.memory import Memory
from mockforge_brokers.amqp.state.message import Message
from mockforge_brokers.amqp.state.queues.governed import GovernedMessage
from mockforge_brokers.amqp.state.queues.queue import Queue
from mockforge_brokers.amqp.state.queues.store import Lanes, Returning, return_to
from mockforge_brokers.amqp.state.routing import Route
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.fairness import finished

from .client import Client, publish
from .test_governed import drain
from .test_slices import hurried

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "priorities": {"x-max-priority": 3},
    "quorum": {"x-queue-type": "quorum"},
}
ROUTE = Route(FanoutExchange("x"), "")
QUEUE = Queue("q", Memory(1))


class Watched(Message, eq=False):
    """`looks` counts how often anybody asked for a position."""

    def __getattribute__(self, name: str) -> Any:
        if name == "position":
            Watched.looks += 1  # type: ignore[attr-defined]
        return super().__getattribute__(name)


def message(position: int, kind: type[Message] = Message) -> Message:
    return kind(QUEUE, ROUTE, b"", 0, position)


@pytest.mark.parametrize("seed", range(30))
def test_order_is_that_of_positions_in_however_many_parts_they_come(seed: int) -> None:
    random = Random(seed)
    ready = deque(message(position) for position in range(100, 200))
    away = [ready.popleft() for _ in range(random.randrange(1, 100))]
    random.shuffle(away)
    while away:
        part = [away.pop() for _ in range(random.randrange(1, len(away) + 1))]
        return_to(ready, sorted(part, key=lambda each: each.position))
    assert all(one.position < two.position for one, two in pairwise(ready))
    assert len(ready) == 100


@pytest.mark.parametrize("count", [1, 3])
def test_what_waits_behind_is_not_looked_at(count: int) -> None:
    Watched.looks = 0  # type: ignore[attr-defined]
    ready: deque[Message] = deque(message(position, Watched) for position in range(100_000))
    away = [ready.popleft() for _ in range(10)]
    return_to(ready, away[:1])
    return_to(ready, away[5 : 5 + count])
    assert Watched.looks < 100  # type: ignore[attr-defined]
    assert [each.position for each in list(ready)[: 1 + count]] == [0, *range(5, 5 + count)]


@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 3}, {"x-message-ttl": 60_000}])
def test_messages_given_back_one_by_one_keep_their_order(
    client: Client, arguments: dict[str, Any]
) -> None:
    client.send("queue.declare", queue="q", arguments=arguments)
    for number in range(6):
        client.publish("", "q", b"%d" % number)
    for _ in range(5):
        client.send("basic.get", queue="q")
    for tag in (1, 4, 2, 5, 3):
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    assert [got.body for got in drain(client, "q")] == [b"%d" % number for number in range(6)]


class FromItsFront(deque[Message]):
    """`furthest` is the last place that anybody looked at: a deque walks there from an end."""

    furthest = 0

    def __getitem__(self, at: Any) -> Any:
        self.furthest = max(self.furthest, at)
        return super().__getitem__(at)


@given(st.sets(st.integers(1, 60), min_size=1), st.integers(1, 60))
def test_no_place_far_behind_those_that_came_back_is_looked_at(
    back: set[int], waiting: int
) -> None:
    places = range(1, 61 + waiting)
    ready = FromItsFront(Message(QUEUE, ROUTE, b"", 0, at) for at in places if at not in back)
    before = sum(message.position < max(back) for message in ready)
    return_to(ready, [Message(QUEUE, ROUTE, b"", 0, at) for at in sorted(back)])
    assert [message.position for message in ready] == list(places)
    assert ready.furthest <= 2 * before + 1


# Very many come back in steps.


def meanwhile(
    ready: deque[Message], how: str, away: list[Message], coming: list[Message]
) -> deque[Message]:
    """What others do between two steps; returns what is ready then."""
    match how:
        case "take" if ready:
            ready.popleft()
        case "publish":
            ready.append(coming.pop())
        case "return" if away:
            return_to(ready, [away.pop()])
        case "purge":
            return deque()
        case "empty":
            ready.clear()
    return ready


@pytest.mark.parametrize("step", [2, 1024])
@given(
    data=st.data(),
    back=st.sets(st.integers(1, 99), min_size=1),
    waiting=st.sets(st.integers(1, 99)),
)
def test_in_steps_they_find_their_places_whatever_is_done_between(
    step: int, data: st.DataObject, back: set[int], waiting: set[int]
) -> None:
    whats = ["take", "take", "publish", "return", "purge", "empty", ""]
    away = [message(at) for at in range(100, 120)]
    coming = [message(at) for at in range(1_000, 500, -1)]
    ready = deque(message(at) for at in sorted(waiting - back))
    order = data.draw(st.permutations(sorted(back)))
    returning = Returning(ready, [message(at) for at in order])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mockforge_brokers.amqp.state.queues.store._AT_ONCE", step)
        for _ in returning.prepare():
            seen = [each.position for each in ready]
            assert seen == sorted(seen)
            assert not back & set(seen)
            ready = meanwhile(ready, data.draw(st.sampled_from(whats)), away, coming)
    expected = sorted([*back, *(each.position for each in ready)])
    assert [each.position for each in returning.put(ready)] == expected


@pytest.mark.parametrize("arguments", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize("between", ["nothing", "get", "publish", "purge", "delete", "vanish"])
def test_very_many_that_come_back_are_ready_all_at_once(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], between: str
) -> None:
    monkeypatch.setattr("mockforge_brokers.amqp.state.queues.queue._MANY", 20)
    scene = hurried()
    client, other = scene.client(), scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    client.fake.send(b"".join(publish("", "q", b"%d" % number) for number in range(700)))
    client.fake.send(method(1, "basic.get", queue="q") * 600)
    for tag in (1, 3):
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    client.received()
    connection, queue = client.fake.connection, scene.broker.vhost().queues["q"]
    connection.receive(method(1, "basic.nack", delivery_tag=0, multiple=True, requeue=True))
    counts, done = [], False
    while connection.unfinished:
        if len(counts) == 1:
            done = act(between, client, other)
        counts.append((len(queue.messages), queue.unacked))
        connection.receive(b"")
    for _ in range(20):
        scene.advance(0.001)
    assert done == (between != "nothing")
    ready = {"nothing": 102, "get": 101, "publish": 103, "vanish": 102}.get(between, 0)
    assert set(counts[1:]) == {(ready, 598)}
    if queue.gone:
        assert scene.broker.memory.used == 0
        return
    found = [int(got.body) for got in drain(other, "q")]
    quorum = "x-queue-type" in arguments
    assert quorum or found == sorted(found)
    assert len(found) == ready + 598
    assert len(set(found)) == len(found)
    assert (scene.broker.memory.used, queue.unacked) == (0, 0)


def act(how: str, client: Client, other: Client) -> bool:
    match how:
        case "get":
            other.send("basic.get", queue="q", no_ack=True)
        case "publish":
            other.publish("", "q", b"9999")
        case "purge":
            other.send("queue.purge", queue="q")
        case "delete":
            other.send("queue.delete", queue="q")
        case "vanish":
            client.fake.vanish()
    return how != "nothing"


def test_messages_of_several_priorities_come_back_each_to_its_own_lane() -> None:
    lanes = Lanes(3)
    held = [GovernedMessage(QUEUE, ROUTE, b"", 1, at, priority=at % 5) for at in range(1, 60)]
    for each in held:
        lanes.append(each)
    away = [lanes.popleft() for _ in range(40)]
    lanes.put_all_back(finished(lanes.returning(away)), 40, 40)
    order = [lanes.popleft().position for _ in range(59)]
    assert order == sorted(range(1, 60), key=lambda at: (-min(at % 5, 3), at))
    assert (lanes.count, lanes.size) == (0, 0)
