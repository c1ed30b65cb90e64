"""The order in which frames go on that wait in a lane."""

from collections.abc import Callable
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.misbehaviour.actions import Join, Reorder
from mockforge_brokers.misbehaviour.queue import Queue
from mockforge_brokers.misbehaviour.waiting import Waiting, nothing


class World:
    """The lane of a queue: what went on, and how much was said to wait."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.passed: list[bytes] = []
        self.sizes: list[int] = []
        self.ends_by = b""
        self.queue = Queue(self.clock, self)

    def forward(self, frame: bytes) -> None:
        self.passed.append(frame)
        if frame == self.ends_by:
            self.queue.end()

    def work(self, call: Callable[[], object]) -> None:
        call()

    def waits_more(self, size: int) -> None:
        self.sizes.append(size)

    def waits_less(self, size: int) -> None:
        self.sizes.append(size)


def test_what_nothing_delays_does_not_wait() -> None:
    world = World()
    world.queue.pass_on(b"a")
    assert (world.passed, world.sizes, bool(world.queue)) == ([b"a"], [], False)


def test_what_is_due_later_keeps_all_behind_it() -> None:
    world = World()
    world.queue.pass_on(b"aa", 2.0)
    world.queue.pass_on(b"b")
    world.clock.advance(1.9)
    assert (world.passed, world.queue.size, world.sizes) == ([], 3, [2, 3])
    world.clock.advance(0.1)
    assert (world.passed, world.queue.size, bool(world.queue)) == ([b"aa", b"b"], 0, False)


def test_what_nobody_lets_go_waits_for_ever() -> None:
    world = World()
    held = Waiting(nothing, 5, inf)
    world.queue.add(held)
    world.queue.pass_on(b"b")
    world.clock.advance(1e6)
    assert (world.passed, next(iter(world.queue))) == ([], held)
    held.due = 0.0
    world.queue.run()
    assert world.passed == [b"b"]


def test_what_is_put_aside_comes_behind_so_many_or_after_its_time() -> None:
    world = World()
    world.queue.put_aside(b"x", Reorder(2, 5.0))
    assert world.queue
    for frame in (b"a", b"b", b"c"):
        world.queue.pass_on(frame)
    assert world.passed == [b"a", b"b", b"x", b"c"]
    world.queue.put_aside(b"y", Reorder(2, 5.0))
    world.clock.advance(5.0)
    assert (world.passed[4:], bool(world.queue)) == ([b"y"], False)


def test_at_the_end_nothing_goes_on_and_no_timer_is_left() -> None:
    world = World()
    world.queue.pass_on(b"a", 1.0)
    world.queue.put_aside(b"x", Reorder(2, 5.0))
    world.queue.end()
    world.clock.advance(10.0)
    assert (world.passed, bool(world.queue)) == ([], False)


def test_what_ends_the_queue_while_it_runs_is_the_last() -> None:
    world = World()
    world.queue.in_turn(world.queue.end, 1, 1.0)
    world.queue.pass_on(b"b")
    world.clock.advance(1.0)
    assert world.passed == []


JOIN = Join(3, 2.0)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 3.0, JOIN]), st.sampled_from([0.0, 1.0]))))
def test_nothing_overtakes(steps: list[tuple[float | Join, float]]) -> None:
    world = World()
    for number, (how, pause) in enumerate(steps):
        if isinstance(how, Join):
            world.queue.join(b"%d," % number, how)
        else:
            world.queue.pass_on(b"%d," % number, how)
        world.clock.advance(pause)
        assert world.queue.size == sum(each.size for each in world.queue)
    world.clock.advance(3.0)
    assert b"".join(world.passed) == b"".join(b"%d," % number for number in range(len(steps)))
    assert all(piece.count(b",") <= JOIN.frames for piece in world.passed)


def test_what_is_put_aside_counts_among_what_waits() -> None:
    world = World()
    world.queue.put_aside(b"xx", Reorder(1, 5.0))
    world.queue.put_aside(b"y", Reorder(9, 5.0))
    world.queue.pass_on(b"a")
    world.clock.advance(5.0)
    assert (world.passed, world.sizes) == ([b"a", b"xx", b"y"], [2, 3, 1, 0])


def test_the_rest_of_what_was_put_aside_goes_with_a_connection_that_the_first_of_it_ends() -> None:
    for let_go in (
        lambda queue: queue.hurry(1),
        lambda queue: queue.pass_on(b"a"),
    ):
        world = World()
        world.queue.put_aside(b"x", Reorder(1, 5.0), rule=1)
        world.queue.put_aside(b"y", Reorder(1, 5.0), rule=1)
        world.ends_by = b"x"
        let_go(world.queue)
        world.clock.advance(10)
        assert b"y" not in world.passed


def test_what_a_fault_put_aside_goes_on_when_the_fault_ends() -> None:
    world = World()
    world.queue.put_aside(b"x", Reorder(9, 5.0), rule=1)
    world.queue.put_aside(b"y", Reorder(8, 5.0), rule=2)
    world.queue.put_aside(b"z", Reorder(7, 5.0), rule=1)
    world.queue.hurry(1)
    assert (sorted(world.passed), world.queue.size) == ([b"x", b"z"], 1)
    world.queue.hurry(2)
    assert (world.passed[2:], world.queue.size, bool(world.queue)) == ([b"y"], 0, False)


@given(st.lists(st.integers(0, 4), max_size=30))
def test_a_frame_goes_behind_as_many_as_were_asked_for(steps: list[int]) -> None:
    """0 passes on, any other number is how many are to go first: beside a list that is counted."""
    world = World()
    expected: list[int] = []
    aside: list[list[int]] = []
    for number, behind in enumerate(steps):
        frame = number.to_bytes(2, "big")
        if behind:
            world.queue.put_aside(frame, Reorder(behind, 5.0))
            aside.append([number, behind])
            continue
        world.queue.pass_on(frame)
        expected.append(number)
        for each in aside:
            each[1] -= 1
        expected += [each[0] for each in aside if not each[1]]
        aside = [each for each in aside if each[1]]
    assert [int.from_bytes(frame, "big") for frame in world.passed] == expected
    assert world.queue.size == 2 * len(aside)
    world.clock.advance(5.0)
    assert len(world.passed) == len(steps)
