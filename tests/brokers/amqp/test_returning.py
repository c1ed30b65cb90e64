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
from mockforge_brokers.amqp.state.queues.queue import Queue
from mockforge_brokers.amqp.state.queues.store import return_to
from mockforge_brokers.amqp.state.routing import Route

from .client import Client
from .test_governed import drain

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
