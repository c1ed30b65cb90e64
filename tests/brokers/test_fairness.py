"""Nobody's bytes keep the others waiting, and work stops with its connection."""

import asyncio
from itertools import count
from typing import Any

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.fairness import Backlog, Chores, Steps, Turn, Waiter
from mockforge_brokers.hangup import reset
from mockforge_brokers.transport import Server
from mockforge_brokers.turns import Turns

from .test_transport import Serving, run


class Worker:
    def __init__(self, name: str, work: int, log: list[str]) -> None:
        self.name = name
        self.work = work
        self.log = log

    def go_on(self) -> bool:
        self.log.append(self.name)
        self.work -= 1
        return self.work > 0


class Loop:
    """`call_soon` and turns by hand; time stands still until it is told."""

    def __init__(self) -> None:
        self.time = 0.0
        self.calls: list[object] = []
        self.backlog = Backlog(Turn(lambda: self.time), self.calls.append)

    def turn(self) -> None:
        calls, self.calls[:] = list(self.calls), []
        for call in calls:
            call()  # type: ignore[operator]


def test_those_who_wait_take_turns_until_they_are_done() -> None:
    loop, log = Loop(), []
    for name, work in (("a", 3), ("b", 1), ("c", 2)):
        loop.backlog.wait(Worker(name, work, log))
    for _ in range(4):
        loop.turn()
    assert log == ["a", "b", "c", "a", "c", "a"]
    assert not loop.backlog.waiting
    assert not loop.calls, "an idle loop is not woken"


def test_a_turn_that_used_its_time_leaves_the_rest_to_the_next_one() -> None:
    loop, log = Loop(), []

    class Slow(Worker):
        def go_on(self) -> bool:
            loop.time += 1.0
            return super().go_on()

    for name in "abc":
        loop.backlog.wait(Slow(name, 2, log))
    turns = []
    for _ in range(6):
        before = len(log)
        loop.turn()
        turns.append(log[before:])
    assert turns == [["a"], ["b"], ["c"], ["a"], ["b"], ["c"]]


def test_a_turn_is_crowded_once_its_time_is_used() -> None:
    loop = Loop()
    assert not loop.backlog.crowded()
    assert not loop.backlog.crowded()
    loop.time += 1.0
    assert loop.backlog.crowded()
    loop.turn()
    assert not loop.backlog.crowded()


def test_those_who_wait_wait_longer_while_output_is_yet_to_be_written() -> None:
    full, log = [True], list[str]()
    calls: list[Any] = []
    backlog = Backlog(Turn(lambda: 0.0), calls.append, lambda: full[0])
    backlog.wait(Worker("a", 1, log))
    calls.pop()()
    assert not log
    assert backlog.crowded()
    full[0] = False
    calls.pop()()
    assert log == ["a"]


class Page:
    """Somebody who is written to."""

    def __init__(self, log: list[int], number: int) -> None:
        self.log = log
        self.number = number

    def flush(self) -> None:
        self.log.append(self.number)


def test_many_are_written_to_in_several_turns_in_their_order() -> None:
    log: list[int] = []
    calls: list[Any] = []
    turns = Turns(Turn(lambda: 0.0), calls.append)
    for number in range(1000):
        turns.flush_soon(Page(log, number))
    sizes = []
    while calls:
        before = len(log)
        calls.pop()()
        sizes.append(len(log) - before)
        assert turns.behind() == bool(calls)
    assert log == list(range(1000))
    assert len(sizes) > 1


class Spoken:
    """Turns with a writer for each number, and the loop's turns by hand."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.log: list[int] = []
        self.turns = Turns(Turn(lambda: 0.0), self.calls.append)
        self.pages = [Page(self.log, number) for number in range(50)]

    def says(
        self, number: int, *concerned: int, little: bool = True, asks: bool = False
    ) -> list[int]:
        """As an endpoint handles bytes, with an answer to it where it asks for one.

        Returns to whom was written meanwhile.
        """
        turns, before, page = self.turns, len(self.log), self.pages[number]
        turns.speaking = page
        for each in concerned:
            turns.flush_soon(self.pages[each])
        assert self.log[before:] == [], "nobody is written to in the midst of a burst"
        turns.speaking = None
        if asks:
            page.flush() if turns.may_answer(page) else turns.flush_soon(page)
        if turns.waiting and not turns.armed:
            turns.others(at_once=little and turns.may_answer(page))
        return self.log[before:]

    def end(self) -> list[int]:
        """The loop's turn ends."""
        before = len(self.log)
        calls, self.calls[:] = self.calls[:], []
        for call in calls:
            call()
        return self.log[before:]


def test_whom_a_message_concerns_is_written_to_behind_it_and_no_call_is_made() -> None:
    spoken = Spoken()
    for _ in range(10):
        assert spoken.says(0, 1, 2) == [1, 2]
        assert spoken.says(1) == []
    assert spoken.calls == []


@pytest.mark.parametrize(
    ("concerned", "little"),
    [((1, 2), False), (tuple(range(1, 40)), True)],
    ids=["much was said", "it concerns many"],
)
def test_what_is_worth_a_turn_of_its_own_waits_for_its_end(
    concerned: tuple[int, ...], little: bool
) -> None:
    spoken = Spoken()
    assert spoken.says(0, *concerned, little=little) == []
    # Who says little now comes behind it, and keeps its order.
    assert spoken.says(0, 45) == []
    assert len(spoken.calls) == 1
    assert spoken.end() == [*concerned, 45]
    assert spoken.says(0, 1) == [1]


def test_in_a_crowd_only_the_first_reach_others_at_once() -> None:
    spoken = Spoken()
    said = [spoken.says(number, 40 + number) for number in range(4)]
    assert said == [[40], [41], [], []]
    assert len(spoken.calls) == 1
    assert spoken.end() == [42, 43]
    assert spoken.says(7, 47) == [47]


def test_behind_a_turn_with_a_crowd_nobody_is_first_until_one_has_few() -> None:
    spoken = Spoken()

    def turn(*speakers: int) -> list[list[int]]:
        return [spoken.says(number, asks=True) for number in speakers]

    assert turn(0, 1, 2, 3, 4) == [[0], [1], [], [], []]
    assert spoken.end() == [2, 3, 4]
    for _ in range(2):
        assert turn(0, 1, 2) == [[], [], []]
        assert len(spoken.calls) == 1
        assert spoken.end() == [0, 1, 2]
    # One client alone waits for the end of one turn, in which nobody else says anything.
    assert turn(5) == [[]]
    assert spoken.end() == [5]
    assert turn(5, 5, 6) == [[5], [5], [6]]
    assert spoken.calls == []


def test_who_asks_for_nothing_is_no_part_of_a_crowd() -> None:
    spoken = Spoken()
    assert spoken.says(0, *range(10, 40)) == []
    for number in range(1, 9):
        assert spoken.says(number, 40) == []
    assert spoken.end() == [*range(10, 40), *[40] * 8]
    assert spoken.says(0, 41, asks=True) == [0, 41]


class Wide:
    """One who speaks to many, a slice of time for each part of it, and a clock."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.log: list[int] = []
        self.now = 0.0
        self.unsaid = 0
        self.turns = Turns(Turn(lambda: self.now), self.calls.append, more=lambda: self.unsaid > 0)
        self.pages = [Page(self.log, number) for number in range(1000)]

    def says(self, parts: int, takers: int) -> None:
        """The first of so many parts; they are woken by it."""
        self.unsaid = parts - 1
        for page in self.pages[:takers]:
            self.turns.flush_soon(page)

    def turn(self, seconds: float) -> int:
        """The loop's turn: a part more is said; returns to how many was written."""
        self.now += seconds
        self.unsaid = max(0, self.unsaid - 1)
        before = len(self.log)
        calls, self.calls[:] = self.calls[:], []
        for call in calls:
            call()
        return len(self.log) - before


def test_what_very_many_are_sent_is_written_when_all_of_it_is_said() -> None:
    wide = Wide()
    wide.says(4, 1000)
    assert [wide.turn(0.001) for _ in range(3)] == [0, 0, 256]
    # While some of them still wait the rest is not held up any more.
    wide.unsaid = 9
    assert [wide.turn(0.001) for _ in range(3)] == [256, 256, 232]
    assert wide.log == list(range(1000))
    assert not wide.calls


def test_what_very_many_are_sent_waits_a_turns_time_at_most() -> None:
    wide = Wide()
    for _ in range(2):
        wide.says(1_000_000, 300)
        assert [wide.turn(0.003) for _ in range(4)] == [0, 0, 256, 44]


def test_what_not_so_many_are_sent_waits_for_nothing() -> None:
    wide = Wide()
    wide.says(4, 100)
    assert wide.turn(0.001) == 100


def test_a_crowd_that_waits_for_answers_waits_for_nobodys_rest() -> None:
    wide = Wide()
    wide.unsaid = 1000
    for page in wide.pages[:300]:
        if not wide.turns.may_answer(page):
            wide.turns.flush_soon(page)
    assert wide.turn(0.001) == 256


def test_who_is_woken_while_nobody_speaks_is_written_to_at_the_turns_end() -> None:
    spoken = Spoken()
    spoken.turns.flush_soon(spoken.pages[3])
    assert spoken.log == []
    assert spoken.end() == [3]


class Ticking:
    """A manual clock, and a turn whose time passes with each look at it."""

    def __init__(self, length: float) -> None:
        self.clock = ManualClock()
        self.turn = Turn(count().__next__)  # type: ignore[arg-type]
        self.turn.length = length
        self.chores = Chores(self.turn, self.clock.call_later)


def test_a_chore_is_done_in_slices_and_others_come_between() -> None:
    ticking, log = Ticking(2.0), list[str]()
    for name in "ab":
        ticking.chores.do(map(log.append, name * 5))
    assert set(log) == {"a", "b"}
    assert len(log) < 10
    ticking.clock.advance(0)
    assert sorted(log) == [*"aaaaabbbbb"]
    assert log.index("b") < 4, "b did not wait for the end of a"


def test_a_chore_does_not_prolong_the_time_of_who_asks_in_the_midst_of_its_own() -> None:
    ticking, log = Ticking(9.0), list[int]()

    def asking() -> Steps:
        for number in range(100):
            ticking.chores.do(iter(()))
            log.append(number)
            yield

    ticking.chores.do(asking())
    assert 0 < len(log) < 10


def test_a_chore_for_later_takes_none_of_the_time_of_who_asks() -> None:
    ticking, log = Ticking(2.0), list[str]()
    ticking.chores.later(map(log.append, "aa"))
    assert log == []
    ticking.clock.advance(0)
    assert log == ["a", "a"]


def test_a_chore_that_must_be_over_is_finished_at_once() -> None:
    ticking, log = Ticking(0.0), list[int]()
    ticking.chores.do(log.append(number) for number in range(100))
    assert len(log) < 100
    ticking.chores.finish()
    assert log == list(range(100))


def test_what_a_chore_begins_is_finished_with_it() -> None:
    ticking, log = Ticking(0.0), list[str]()
    chores = ticking.chores

    def dying() -> Steps:
        yield
        chores.do(map(log.append, "abc"))
        chores.later(map(log.append, "def"))

    chores.do(dying())
    chores.finish()
    assert log == [*"abcdef"]
    assert not chores.waiting


def test_what_a_chore_asks_for_soon_waits_for_its_turn_where_others_are_finished() -> None:
    ticking, log = Ticking(0.0), list[str]()
    chores = ticking.chores

    def request() -> None:
        log.append("first")
        chores.soon(lambda: log.append("second"))

    chores.soon(request)
    chores.finish()
    assert log == ["first"]
    ticking.clock.advance(0)
    assert log == ["first", "second"]


def test_a_chore_that_fails_does_not_hold_up_the_others() -> None:
    ticking, log = Ticking(0.0), list[str]()
    ticking.chores.soon(lambda: 1 // 0)
    ticking.chores.soon(lambda: log.append("done"))
    with pytest.raises(ZeroDivisionError):
        ticking.clock.advance(0)
    ticking.clock.advance(0)
    assert log == ["done"]


def test_without_sockets_a_chore_is_done_when_it_is_asked_for() -> None:
    log: list[int] = []
    chores = Chores(Turn(), ManualClock().call_later)
    chores.do(log.append(number) for number in range(10_000))
    assert len(log) == 10_000
    assert not chores.waiting


def hurry(world: Serving) -> None:
    """Each look at the time finds the turn to be up."""
    turn, ticks = world.environment.turn, count()
    turn.now, turn.length = lambda: float(next(ticks)), 0.0


def test_a_burst_that_takes_long_is_handled_in_slices_and_others_come_between() -> None:
    async def test(world: Serving) -> None:
        hurry(world)
        reader, writer = await world.connect()
        other_reader, other = await world.connect()
        await world.until(lambda: len(world.broker.live) == 2)
        first, _ = world.broker.all
        writer.write(b"".join(b"%d\n" % number for number in range(200)))
        await world.until(lambda: first.unfinished)
        other.write(b"ping\n")
        assert await other_reader.readline() == b"ping\n"
        assert first.unfinished, "somebody else was served meanwhile"
        writer.write(b"last\n")
        lines = [await reader.readline() for _ in range(201)]
        assert lines == [*(b"%d\n" % number for number in range(200)), b"last\n"]

    run(test)


@pytest.mark.parametrize(("size", "waits"), [(100, False), (4_200, False), (16_000, True)])
def test_a_message_of_4_kb_is_taken_at_once_however_crowded_it_is(size: int, waits: bool) -> None:
    async def test(world: Serving) -> None:
        reader, writer = await world.connect()
        backlog, waited = world.server.backlog, []

        def wait(waiter: Waiter) -> None:
            waited.append(waiter)
            Backlog.wait(backlog, waiter)

        backlog.crowded, backlog.wait = lambda: True, wait  # type: ignore[method-assign]
        line = b"x" * (size - 1) + b"\n"
        writer.write(line)
        assert await reader.readexactly(size) == line
        assert bool(waited) == waits

    run(test)


def test_what_a_client_sent_counts_though_it_left() -> None:
    async def test(world: Serving) -> None:
        hurry(world)
        _, writer = await world.connect()
        writer.write(b"x\n" * 100)
        writer.write_eof()
        await world.until(lambda: world.broker.all and world.broker.all[0].lost)
        assert len(world.broker.all[0].lines) == 100

    run(test)


@pytest.mark.parametrize("unfinished", [False, True])
def test_the_end_of_a_client_waits_for_its_turn_with_what_it_sent(unfinished: bool) -> None:
    async def test(world: Serving) -> None:
        _, writer = await world.connect()
        await world.until(lambda: world.broker.live)
        backlog, held, (line,) = world.server.backlog, list[Waiter](), world.broker.all
        backlog.crowded, backlog.wait = lambda: True, held.append  # type: ignore[method-assign, assignment]
        writer.write(b"x\n" * 8000)
        writer.write_eof()
        await world.until(lambda: held and held[0].ended)  # type: ignore[attr-defined]
        assert not line.lines
        assert not line.lost
        del backlog.crowded, backlog.wait
        if unfinished:
            hurry(world)
            assert held[0].go_on()
            assert 0 < len(line.lines) < 8000
            assert not line.lost
        backlog.wait(held[0])
        await world.until(lambda: line.lost)
        assert len(line.lines) == 8000
        await world.until(lambda: not world.server.endpoints)

    run(test)


def test_work_stops_when_the_client_reset_its_connection() -> None:
    async def test(world: Serving) -> None:
        hurry(world)
        _, writer = await world.connect()
        writer.write(b"x\n" * 3000)
        await world.until(lambda: world.broker.all and world.broker.all[0].lines)
        reset(writer.transport)
        await world.until(lambda: world.broker.all[0].lost)
        assert len(world.broker.all[0].lines) < 3000

    run(test)


def test_what_was_read_before_somebody_paused_reading_waits_as_well() -> None:
    async def test(world: Serving) -> None:
        hurry(world)
        reader, writer = await world.connect()
        other_reader, other = await world.connect()
        await world.until(lambda: len(world.broker.live) == 2)
        writer.write(b"x\n" * 3000)
        first = world.broker.all[0]
        await world.until(lambda: first.unfinished)
        first.peer.pause_reading()
        handled = len(first.lines)
        for _ in range(5):
            other.write(b"ping\n")
            await other_reader.readline()
        assert len(first.lines) == handled
        first.peer.resume_reading()
        await reader.readexactly(2 * 3000)
        assert not first.unfinished

    run(test)


def test_a_kill_ends_the_work_that_waits() -> None:
    async def test(world: Serving) -> None:
        hurry(world)
        reader, writer = await world.connect()
        writer.write(b"x\n" * 3000)
        await world.until(lambda: world.broker.all and world.broker.all[0].lines)
        connection = world.broker.all[0]
        connection.peer.close("killed")
        handled = len(connection.lines)
        assert len(await reader.read()) == 2 * handled
        await asyncio.sleep(0)
        assert len(connection.lines) == handled

    run(test)


def test_a_server_gives_turns_their_length() -> None:
    async def test(world: Serving) -> None:
        assert isinstance(world.server, Server)
        assert world.environment.turn.length < 0.1

    run(test)
