"""What a crowd is answered is written and kept as if each had been answered by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.wire.frames import PROTOCOL_HEADER, SASL_HEADER
from mockforge_brokers.answers import Answers
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.endpoint import Endpoint
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import BrokerFailed, ConnectionClosed
from mockforge_brokers.journal import IN, OUT
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import Delay
from mockforge_brokers.pages import OVERHEAD
from mockforge_brokers.transport import Server

from .keeping_lines import KeepingBroker
from .lines import LineBroker, is_word
from .misbehaving import fault
from .storage.memory_disk import MemoryDisk
from .wire import Wire

CLIENTS = 9
CROWD = 6
"""Of whom the last knows that nobody is answered at once any more."""


class Scene:
    """Clients that speak in one turn of the loop, however slow the machine is."""

    def __init__(
        self,
        limits: Limits | None = None,
        broker: Callable[..., Any] = LineBroker,
        disk: MemoryDisk | None = None,
    ) -> None:
        self.environment = Environment.create(ManualClock(1.0), seed=1, limits=limits)
        self.disk = disk
        self.facts = 0
        if disk is not None:
            disk.store_for(self.environment, prompt=True)
            broker = KeepingBroker
        self.events: list[Any] = []
        self.environment.spine.watch(self.events.append)
        self.server = Server(broker(self.environment), self.environment)
        self.server.turns._now = lambda: 0.0
        self.server.backlog._now = lambda: 0.0
        self.environment.turn.now = lambda: 0.0
        self.ends = [self.join() for _ in range(CLIENTS)]

    def join(self) -> Endpoint:
        end = self.server._endpoint(Listener("lines"))
        end.connection_made(Wire())  # type: ignore[arg-type]
        return end

    def written(self, end: Endpoint) -> bytes:
        return b"".join(end.transport.writes)  # type: ignore[attr-defined]

    def kept(self, direction: int) -> list[tuple[int, bytes]]:
        chunks = sorted(self.environment.journal.since(0), key=lambda chunk: chunk.seq)
        return [
            (chunk.tape.connection, bytes(chunk.data))
            for chunk in chunks
            if chunk.direction == direction
        ]

    def kept_of(self, end: Endpoint, direction: int) -> bytes:
        return b"".join(data for number, data in self.kept(direction) if number == end.id)

    def crowd(self) -> None:
        for end in self.ends[:CROWD]:
            say(end, b"hi\n")

    def act(self, number: int, action: str) -> None:
        end = self.ends[number]
        match action:
            case _ if end.closing:
                """It says nothing more."""
            case "pause":
                end.pause_writing()
                end.resume_writing()
            case "end":
                end.eof_received()
            case "lost":
                end.transport.abort()
                end.connection_lost(None)
            case "rule":
                rule = fault(Delay(0.0), is_word("nobody"))
                self.environment.faults.remove(self.environment.faults.add(rule))
            case "hurry":
                self.environment.turn.now = iter(range(10**9)).__next__
                say(end, b"one\ntwo\n")
                self.environment.turn.now = lambda: 0.0
            case "keep":
                self.facts += 1
                say(end, b"keep %d\n" % self.facts)
            case "disk":
                self.go_on_writing()
            case _:
                say(end, action.encode())

    def go_on_writing(self) -> bool:
        """The disk has the group that it was given; whether there was one."""
        waits = self.disk is not None and self.disk.waiting is not None
        if waits:
            self.disk.commit()
        return waits

    def on_disk(self) -> set[bytes]:
        return set() if self.disk is None else set(self.disk.rows.values())

    def confirmed(self) -> set[bytes]:
        """The facts of which some client was told."""
        lines = [line for end in self.ends for line in self.written(end).splitlines()]
        return {line.removeprefix(b"keep ") for line in lines if line.startswith(b"keep ")}


def say(end: Endpoint, data: bytes) -> None:
    if not end.closing:
        end.data_received(data)


def run(
    test: Callable[[Scene], Awaitable[None]],
    limits: Limits | None = None,
    broker: Callable[..., Any] = LineBroker,
    disk: MemoryDisk | None = None,
) -> None:
    async def main() -> None:
        await test(Scene(limits, broker, disk))

    asyncio.run(main())


Turn = Sequence[tuple[int, str]]
lines = ("a\n", "a\n", "a\n", "b\nc\n", "hal", "f\n", "all x\n", "big 70000\n", "bye\n", "bug\n")
actions = st.sampled_from((*lines, "pause", "end", "lost", "rule", "hurry"))
kept_actions = st.sampled_from(
    ("keep", "keep", "keep", "disk", "tell x\n", "a\n", "b\nc\n", "all x\n", "big 70000\n",
     "bye\n", "bug\n", "pause", "end", "lost", "rule", "hurry")
)  # fmt: skip
turns = st.lists(
    st.lists(st.tuples(st.integers(0, CLIENTS - 1), actions), max_size=12), min_size=1, max_size=4
)


kept_turns = st.lists(
    st.lists(st.tuples(st.integers(0, CLIENTS - 1), kept_actions), max_size=12),
    min_size=1,
    max_size=4,
)


def played(
    script: Sequence[Turn], *, gathered: bool, disk: MemoryDisk | None = None
) -> list[object]:
    """What each got, what was kept of each, what all said in its order, and who ended."""
    outcome: list[object] = []

    async def test(scene: Scene) -> None:
        for turn in script:
            scene.crowd()
            for number, action in turn:
                scene.act(number, action)
                # The journal is not ahead of the wire, nor behind it.
                kept = dict.fromkeys((end.id for end in scene.ends), b"")
                for connection, data in scene.kept(OUT):
                    kept[connection] += data
                assert [*kept.values()] == [scene.written(end) for end in scene.ends]
                assert scene.confirmed() <= scene.on_disk()
            for _ in range(4):
                await asyncio.sleep(0)
        while scene.go_on_writing():
            pass
        for end in scene.ends:
            outcome.append((scene.kept_of(end, IN), end.bytes_in, end.closing))
            # Whoever was reset may have had its last answers or not.
            if not end.transport.is_closing():
                outcome.append((scene.written(end), end.bytes_out))
        outcome.append(scene.kept(IN))
        ended = [each for each in scene.events if isinstance(each, ConnectionClosed)]
        outcome.append([(each.connection, each.reason) for each in ended])

    gather = Answers.gather if gathered else lambda self: None
    with patch.object(Answers, "gather", gather):
        run(test, disk=disk)
    return outcome


@given(turns)
@settings(max_examples=50)
@example([[(6, "a\n"), (6, "b\nc\n"), (5, "hal"), (5, "f\n")]])
@example([[(6, "a\n"), (5, "bye\n"), (6, "bye\n")]])
@example([[(6, "a\n"), (6, "bug\n"), (5, "a\n"), (5, "lost")]])
@example([[(6, "a\n"), (6, "hurry"), (5, "a\n"), (5, "pause")]])
@example([[(6, "a\n"), (6, "end"), (7, "a\n"), (8, "rule"), (7, "b\nc\n")]])
@example([[(6, "a\n"), (7, "all x\n"), (6, "pause")]])
@example([[(1, "hurry"), (0, "a\n"), (1, "a\n"), (1, "end")]])
@example([[(6, "all x\n"), (6, "a\n"), (5, "a\n")], [(5, "big 70000\n")]])
def test_what_is_gathered_has_the_outcome_of_what_is_not(script: Sequence[Turn]) -> None:
    assert played(script, gathered=True) == played(script, gathered=False)


@given(kept_turns, st.booleans())
@settings(max_examples=50)
@example([[(6, "keep"), (6, "keep"), (7, "a\n"), (6, "end")]], False)
@example([[(6, "keep"), (8, "bug\n"), (6, "keep"), (7, "disk"), (6, "a\n")]], False)
@example([[(6, "keep"), (7, "tell x\n"), (8, "keep"), (7, "bye\n")], [(8, "keep")]], False)
@example([[(6, "keep"), (8, "hurry"), (6, "keep"), (6, "bye\n")]], True)
def test_what_is_gathered_waits_for_the_disk_as_what_is_not(
    script: Sequence[Turn], at_once: bool
) -> None:
    assert played(script, gathered=True, disk=MemoryDisk(at_once=at_once)) == played(
        script, gathered=False, disk=MemoryDisk(at_once=at_once)
    )


def test_the_facts_of_a_crowd_are_one_group_and_its_answers_one_write_each() -> None:
    disk = MemoryDisk(at_once=False)

    async def test(scene: Scene) -> None:
        scene.crowd()
        for number in range(CROWD, CLIENTS):
            scene.act(number, "keep")
        with patch.object(Endpoint, "handle", side_effect=AssertionError):
            await asyncio.sleep(0)
        assert scene.confirmed() == set()
        assert len(disk.waiting.rows) == CLIENTS - CROWD
        disk.commit()
        assert scene.confirmed() == {b"1", b"2", b"3"}
        assert [len(end.transport.writes) for end in scene.ends[CROWD:]] == [1] * 3
        scene.act(CROWD, "keep")
        await asyncio.sleep(0)
        disk.store.failed("the disk is full")
        assert [end.closing for end in scene.ends] == [
            end is scene.ends[CROWD] for end in scene.ends
        ]

    run(test, disk=disk)


def test_who_left_amid_a_crowd_leaves_the_others_their_answers() -> None:
    disk = MemoryDisk(at_once=False)

    async def test(scene: Scene) -> None:
        scene.act(0, "keep")
        await asyncio.sleep(0)
        # Its answer is behind the crowd's in this turn, and has to wait.
        scene.crowd()
        scene.act(3, "keep")
        scene.act(3, "lost")
        await asyncio.sleep(0)
        assert scene.written(scene.ends[5]) == b"hi\n"

    run(test, disk=disk)


def test_a_crowd_is_answered_and_kept_in_the_order_in_which_it_spoke() -> None:
    async def test(scene: Scene) -> None:
        scene.crowd()
        speakers = [7, 8, 6]
        for number in speakers:
            say(scene.ends[number], b"word %d\n" % number)
        assert [end.bytes_out > 0 for end in scene.ends] == [True] * 2 + [False] * (CLIENTS - 2)
        await asyncio.sleep(0)
        expected = [(scene.ends[number].id, b"word %d\n" % number) for number in speakers]
        assert scene.kept(IN)[CROWD:] == expected
        assert [each for each in scene.kept(OUT) if each in expected] == expected
        times = {chunk.time for chunk in scene.environment.journal.since(0)}
        assert times == {scene.environment.clock.wall()}

    run(test)


def test_who_turns_out_to_speak_another_version_is_answered_by_that_one() -> None:
    async def test(scene: Scene) -> None:
        for end in scene.ends[:CROWD]:
            say(end, PROTOCOL_HEADER)
        later = scene.ends[7]
        say(later, SASL_HEADER)
        await asyncio.sleep(0)
        assert scene.written(later).startswith(SASL_HEADER)
        assert scene.kept_of(later, OUT) == scene.written(later)

    run(test, broker=AmqpBroker)


def test_who_has_to_wait_has_what_it_said_before_kept_first() -> None:
    async def test(scene: Scene) -> None:
        # Those who wait have their turn before the crowd is answered.
        scene.act(8, "hurry")
        scene.crowd()
        end = scene.ends[6]
        say(end, b"a\n")
        scene.act(6, "hurry")
        say(end, b"b\n")
        for _ in range(4):
            await asyncio.sleep(0)
        assert scene.kept_of(end, IN) == scene.written(end) == b"a\none\ntwo\nb\n"

    run(test)


def test_who_is_ended_by_what_another_is_written_has_its_own_answer_first() -> None:
    async def test(scene: Scene) -> None:
        slow, other = scene.ends[6], scene.ends[7]
        write = slow.transport.write

        def full(data: bytes) -> None:
            write(data)
            other.close("somebody is slow")

        slow.transport.write = full  # type: ignore[method-assign]
        scene.crowd()
        for end in scene.ends[CROWD:]:
            say(end, b"a\n")
        other.connection.out.append(b"the end\n")
        await asyncio.sleep(0)
        for end in scene.ends[CROWD:]:
            expected = b"a\nthe end\n" if end is other else b"a\n"
            assert scene.written(end) == scene.kept_of(end, OUT) == expected

    run(test)


@pytest.mark.parametrize(
    ("total", "most", "large"),
    [(4_000, 1_000, 800), (80_000, 20_000, 4_000), (10 << 20, 200_000, 240_000)],
    ids=["no pages", "small pages", "more than its share at once"],
)
def test_what_a_crowd_said_counts_for_the_limits_of_the_journal(
    total: int, most: int, large: int
) -> None:
    async def test(scene: Scene) -> None:
        journal = scene.environment.journal
        for number in range(40):
            scene.crowd()
            size = large if number % 4 == 1 else 20
            for end in scene.ends[CROWD:]:
                say(end, b"x" * size + b"\n")
            await asyncio.sleep(0)
            assert journal.spare >= 0
            for end in scene.ends:
                chunks = [*end._tape.back()]
                assert end._tape.size == sum(len(each.data) + OVERHEAD for each in chunks)
                assert end._tape.size <= most + sum(len(each.data) for each in chunks[:2])
        assert journal.left > 0
        assert sum(end._tape.size for end in scene.ends) <= journal.size <= total

    run(test, Limits(journal_total=total, journal_connection=most))


def test_of_one_who_was_reset_no_answer_is_kept_that_was_not_written() -> None:
    async def test(scene: Scene) -> None:
        scene.crowd()
        gone, other = scene.ends[CROWD : CROWD + 2]
        say(gone, b"a\n")
        say(other, b"a\n")
        gone.abort("enough")
        assert (scene.written(gone), scene.kept_of(gone, OUT)) == (b"", b"")
        assert scene.kept_of(gone, IN) == b"a\n"
        assert scene.written(other) == b"a\n"
        say(other, b"bug\n")
        (failed,) = [each for each in scene.events if isinstance(each, BrokerFailed)]
        assert failed.connection == other.id

    run(test)
