"""When a socket is read and written to, paused and resumed by several at once."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import PeerCaughtUp, PeerFellBehind
from mockforge_brokers.fairness import FULL, Backlog
from mockforge_brokers.flow import Flow
from mockforge_brokers.lanes import Lanes
from mockforge_brokers.turns import Turns


class Socket:
    """A transport that only notes whether it is read."""

    def __init__(self) -> None:
        self.reading = True
        self.closing = False
        self.written: list[bytes] = []
        self.calls = 0

    def pause_reading(self) -> None:
        assert self.reading
        self.reading, self.calls = False, self.calls + 1

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading, self.calls = True, self.calls + 1

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 77

    def get_extra_info(self, name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.written.append(data)


class Line:
    """A connection that may leave something unfinished."""

    client = "c"
    bulky = False

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.writable: list[bool] = []
        self.unfinished = False
        self.broken = False

    def set_writable(self, writable: bool) -> None:
        self.writable.append(writable)
        if self.broken:
            raise ValueError("broken")


class End(Flow):
    """A flow with what an endpoint adds to it, as far as it is called here."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.id = 7
        self.handled: list[bytes] = []
        self.failures: list[str] = []

    def inspect(self) -> Lanes:
        raise AssertionError("no rule is in force")

    def fail(self, error: Exception, data: bytes) -> None:
        self.failures.append(str(error))

    def abort(self, reason: str) -> None:
        self.failures.append(reason)

    def handle(self, data: bytes) -> None:
        self.handled.append(data)


class World:
    def __init__(self) -> None:
        self.environment = environment = Environment.create(ManualClock(), seed=1)
        self.events: list[object] = []
        environment.spine.watch(self.events.append)
        self.soon: list[Any] = []
        turns = Turns(environment.turn, self.soon.append)
        self.backlog = Backlog(environment.turn, self.soon.append)
        broker = SimpleNamespace(protocol="lines")
        server = SimpleNamespace(
            broker=broker, environment=environment, turns=turns, backlog=self.backlog
        )
        self.socket, self.line = Socket(), Line()
        self.end = End(server)
        self.end.transport = self.socket  # type: ignore[assignment]
        self.end.connection = self.line  # type: ignore[assignment]

    def turn(self) -> None:
        """One turn of the loop."""
        soon, self.soon[:] = self.soon[:], []
        for call in soon:
            call()


@given(st.lists(st.booleans()))
def test_the_first_to_pause_and_the_last_to_resume_act(steps: list[bool]) -> None:
    world, held = World(), 0
    for pause in steps:
        if not pause and not held:
            continue
        held += 1 if pause else -1
        (world.end.pause_reading if pause else world.end.resume_reading)()
        (world.end.pause_sending if pause else world.end.resume_sending)()
        assert world.socket.reading == (not held)
        assert (world.line.writable or [True])[-1] == (not held)
    # Each change once: what is paused is not paused again.
    assert world.line.writable == [number % 2 == 1 for number in range(world.socket.calls)]


def test_a_socket_that_closes_is_neither_paused_nor_resumed() -> None:
    world = World()
    world.socket.closing = True
    world.end.pause_reading()
    world.end.resume_reading()
    assert world.socket.calls == 0


def test_a_connection_that_is_over_hears_no_more_of_its_output() -> None:
    world = World()
    world.end._lost = True
    world.end.pause_sending()
    world.end.resume_sending()
    assert world.line.writable == []


def test_who_does_not_read_is_not_read() -> None:
    world = World()
    world.end.pause_writing()
    assert (world.end.slow, world.socket.reading, world.line.writable) == (True, False, [False])
    world.line.out.append(b"late")
    world.end.resume_writing()
    assert (world.end.slow, world.socket.reading, world.socket.written) == (False, True, [b"late"])
    assert world.events == [PeerFellBehind("lines", 7, "c", 77), PeerCaughtUp("lines", 7, "c")]


def test_what_waits_has_its_turn_in_its_order_and_then_the_socket_is_read_again() -> None:
    world = World()
    world.end._wait(b"a")
    world.end._wait(b"b")
    assert (world.socket.reading, world.backlog.waiting) == (False, 1)
    world.turn()
    assert (world.end.handled, world.socket.reading) == ([b"ab"], True)


def test_behind_one_read_that_waits_reading_goes_on_until_a_second_one_comes() -> None:
    world = World()
    world.end._wait(b"a")
    world.turn()
    assert (world.end.handled, world.socket.reading, world.socket.calls) == ([b"a"], True, 0)
    world.end._wait(b"b")
    assert world.socket.reading
    world.end._wait(b"c")
    assert not world.socket.reading
    world.turn()
    assert (world.end.handled[1:], world.socket.reading) == ([b"bc"], True)
    # Behind a read that filled the loop's buffer there is more.
    world.end._wait(bytes(FULL))
    assert not world.socket.reading


def test_behind_one_read_that_is_not_handled_whole_in_its_turn_nothing_is_read() -> None:
    world = World()
    world.end._wait(b"a")
    world.end.connection.unfinished = True
    world.turn()
    assert (world.end.handled, world.socket.reading, world.backlog.waiting) == ([b"a"], False, 1)
    world.end.connection.unfinished = False
    world.turn()
    assert (world.end.handled, world.socket.reading) == ([b"a", b""], True)


def test_what_waits_is_left_alone_while_somebody_else_wants_nothing_read() -> None:
    world = World()
    world.end._wait(b"a")
    world.end.pause_reading()
    world.turn()
    assert world.end.handled == []
    world.end.resume_reading()
    world.turn()
    assert (world.end.handled, world.socket.reading) == ([b"a"], True)


@pytest.mark.parametrize(("closing", "waits"), [(False, 1), (True, 0)])
def test_what_output_let_go_on_is_finished_in_a_later_turn(closing: bool, waits: int) -> None:
    world = World()
    world.end.closing = closing
    world.end.pause_sending()
    world.line.unfinished = True
    world.end.resume_sending()
    assert world.backlog.waiting == waits


def test_a_connection_that_fails_at_it_ends_alone() -> None:
    world = World()
    world.line.broken = True
    world.end.pause_sending()
    assert world.end.failures == ["broken"]
