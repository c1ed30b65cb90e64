"""When the loop is kept awake for what comes next, and that it is not kept so in vain."""

import asyncio
from collections.abc import Callable

import pytest
from mockforge_brokers import busy_poll
from mockforge_brokers.busy_poll import LOOKING, BusyPoll
from mockforge_brokers.listener import Listener
from mockforge_brokers.transport import Server

from .test_transport import Serving

NEAR = LOOKING / 2
FAR = 1.0
A_LOOK = LOOKING / 50


class World:
    """A loop by hand: each look takes a moment, and time stands still otherwise."""

    def __init__(self, length: float = LOOKING) -> None:
        self.time = 5.0
        self.calls: list[Callable[[], object]] = []
        self.poll = BusyPoll(lambda: self.time, self.calls.append, length)
        self.looks = 0

    def burst(self, after: float, connection: int = 1) -> None:
        """One that begins so long after the last turn of the loop."""
        self.time += after
        self.poll.burst(self.time, connection)

    def turn(self) -> None:
        calls, self.calls[:] = list(self.calls), []
        for call in calls:
            self.looks += 1
            call()
        self.time += A_LOOK

    def sleep(self) -> None:
        """Nothing comes until the loop sleeps."""
        while self.calls:
            self.turn()

    def until_it_looks(self) -> int:
        """How many bursts that follow closely it takes."""
        for count in range(1, 10_000):
            self.burst(NEAR)
            if self.poll.looking:
                return count
        pytest.fail("it never looks")


@pytest.fixture(autouse=True)
def processors(monkeypatch):
    monkeypatch.setattr(busy_poll.os, "cpu_count", lambda: 2)


def test_bursts_that_follow_closely_keep_the_loop_awake_for_the_next_one():
    world = World()
    few = world.until_it_looks()
    for _ in range(1000):
        for _ in range(10):
            world.turn()
        assert world.calls
        world.burst(0.0)
    world.sleep()
    assert not world.poll.looking
    # It was of use: the next time it takes no more bursts than the first time.
    world.burst(FAR)
    assert world.until_it_looks() <= few


def test_the_loop_sleeps_when_nothing_came_for_a_while():
    world = World()
    world.until_it_looks()
    begun = world.time
    world.sleep()
    assert LOOKING <= world.time - begun < LOOKING + 5 * A_LOOK


def test_two_clients_that_speak_in_turns_are_looked_for():
    world = World()
    for number in range(100):
        world.burst(NEAR, number % 2)
    assert world.poll.looking


def test_of_many_clients_none_is_looked_for():
    world = World()
    for number in range(10_000):
        world.burst(NEAR, number % 3)
        world.turn()
    assert not world.looks


def test_a_third_client_ends_it_and_the_two_begin_it_as_soon_as_before():
    world = World()
    few = world.until_it_looks()
    world.burst(NEAR, 2)
    world.turn()
    world.burst(NEAR, 3)
    world.sleep()
    assert not world.poll.looking
    assert few <= world.until_it_looks() <= few + 1


def test_bursts_that_are_far_apart_are_not_looked_for():
    world = World()
    for _ in range(10_000):
        world.burst(FAR)
        world.turn()
    assert not world.looks


@pytest.mark.parametrize("times", [100, 10_000])
def test_what_always_finds_nothing_costs_less_and_less(times):
    world = World()
    bursts = 0
    for _ in range(times):
        world.burst(FAR)
        for _ in range(20):
            world.burst(NEAR)
            bursts += 1
        world.sleep()
    # Of all that follow each other, no more than the smallest number ever asks for once.
    assert 0 < world.looks * A_LOOK < bursts * LOOKING / 16
    assert world.looks * A_LOOK < 12 * LOOKING


def test_a_loop_that_would_not_sleep_anyway_does_without():
    world = World()
    few = world.until_it_looks()
    for _ in range(100):
        world.turn()
        world.burst(A_LOOK)
        if not world.poll.looking:
            break
    assert not world.poll.looking
    assert world.until_it_looks() > few


def test_other_programs_that_want_the_processor_get_it():
    world = World()
    few = world.until_it_looks()
    world.turn()
    world.turn()
    world.burst(A_LOOK)
    world.turn()
    # Another program ran for as long as this.
    world.time += FAR
    world.sleep()
    world.burst(FAR)
    assert world.until_it_looks() > few


def test_it_can_be_switched_off():
    world = World(0.0)
    for _ in range(1000):
        world.burst(NEAR)
    assert not world.calls


def test_with_one_processor_it_never_looks(monkeypatch):
    monkeypatch.setattr(busy_poll.os, "cpu_count", lambda: 1)
    world = World()
    for _ in range(1000):
        world.burst(NEAR)
    assert not world.calls


@pytest.mark.parametrize("length", [0.0, LOOKING])
def test_bursts_of_a_connection_are_counted_and_the_loop_sleeps_in_the_end(length):
    async def main() -> None:
        world = Serving()
        time = 5.0
        world.environment.busy_poll = length
        # It stands still: all bursts follow closely, however slow the machine is.
        world.environment.turn.now = lambda: time
        server = Server(world.broker, world.environment)
        world.port = (await server.listen(Listener("lines"))).port
        reader, writer = await world.connect()
        for _ in range(100):
            writer.write(b"one\n")
            assert await reader.readexactly(4) == b"one\n"
        assert server.poll.looking == bool(length)
        time += FAR
        await world.until(lambda: not server.poll.looking)
        writer.close()
        await server.close()

    asyncio.run(main())
