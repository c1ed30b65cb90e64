"""Lanes of messages beside a plain list: what a plain queue held comes before all else."""

import tracemalloc
from collections import deque
from collections.abc import Iterator
from math import inf
from random import Random
from typing import cast

import pytest
from mockforge_brokers.amqp.state.exchanges import Exchange
from mockforge_brokers.amqp.state.memory import Memory
from mockforge_brokers.amqp.state.message import Message
from mockforge_brokers.amqp.state.queues.governed import GovernedMessage
from mockforge_brokers.amqp.state.queues.queue import Queue
from mockforge_brokers.amqp.state.queues.store import Lanes
from mockforge_brokers.amqp.state.routing import Route

QUEUE = Queue("q", Memory(1))
ROUTE = Route(Exchange(""), "q")


def plain(position: int) -> Message:
    return Message(QUEUE, ROUTE, b"", position % 7, position)


def governed(position: int, expires: float) -> GovernedMessage:
    return GovernedMessage(QUEUE, ROUTE, b"", position % 7, position, expires=expires)


@pytest.mark.parametrize("seed", range(60))
def test_they_do_what_a_list_does(seed: int) -> None:
    random = Random(seed)
    before = random.choice((0, 1, 5, 40))
    lanes = Lanes()
    lanes.take_over(deque(map(plain, range(before))))
    model: list[Message] = list(lanes)
    away: list[Message] = []
    weighed, position = not before, before
    for now in range(120):
        match random.randrange(6):
            case 0 | 1:
                message = governed(position, random.choice((inf, now + 5.0, now - 1.0)))
                position += 1
                lanes.append(message)
                model.append(message)
            case 2 if model:
                away.append(lanes.popleft())
                assert away[-1] is model.pop(0)
            case 3 if away:
                back = sorted(random.sample(away, random.randint(1, len(away))), key=_position)
                away = [each for each in away if each not in back]
                lanes.put_back(back)
                model = sorted(model + back, key=_position)
            case 4:
                weighed |= not lanes.weigh(3)
            case _:
                over = lanes.expired(now, 2)
                for each in over:
                    assert cast("GovernedMessage", model.pop(0)) is each
                    assert each.expires <= now
                assert len(over) == 2 or not model or model[0].expires > now
        assert list(lanes) == model
        assert len(lanes) == len(model)
        if weighed:
            assert lanes.size == sum(each.size for each in model)


def test_lanes_that_nobody_uses_take_no_memory() -> None:
    tracemalloc.start()
    try:
        made = [Lanes(255) for _ in range(100)]
        for lanes in made:
            lanes.append(governed(0, inf))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A deque is of some 700 bytes.
    assert taken < 100 * 2_000


def test_lanes_are_in_their_order_whichever_is_used_first() -> None:
    lanes = Lanes(9)
    for priority in (3, 0, 200, 9, 4, 3, 10):
        message = governed(priority, inf)
        message.priority = priority
        lanes.append(message)
    popped = [lanes.popleft().priority for _ in range(len(lanes))]
    assert popped == [200, 9, 10, 4, 3, 3, 0]


class Walked(list[Message]):
    """Counts how often somebody goes through it."""

    times = 0

    def __iter__(self) -> Iterator[Message]:
        self.times += 1
        return super().__iter__()


def test_what_comes_back_is_looked_at_as_often_however_many_lanes_there_are() -> None:
    back = Walked(governed(position, inf) for position in range(500))
    for each in back:
        cast("GovernedMessage", each).priority = each.position % 300
    times = []
    for most in (1, 255):
        lanes = Lanes(most)
        back.times = 0
        lanes.put_back(back)
        times.append(back.times)
        assert [min(each.priority, most) for each in lanes] == sorted(
            (min(each.priority, most) for each in back), reverse=True
        )
    assert times[0] == times[1]


def _position(message: Message) -> int:
    return message.position
