"""A publisher that must wait because the queues hold too much (connection.blocked)."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from ...clock import Clock
from ...contract import Peer
from ...spine import Spine
from ..events import AMQP, PublisherBlocked, PublisherUnblocked
from ..state.memory import Memory
from ..wire.frames import method


class Publisher(Protocol):
    """A connection of either version."""

    id: int
    client: str
    peer: Peer
    out: list[bytes]
    spine: Spine

    def receive(self, data: bytes) -> int: ...


class Blocking:
    """Stops reading from one connection while the memory mark is passed.

    `wanted`: the client asks to be notified (its capability `connection.blocked`).
    """

    __slots__ = ("_later", "_line", "_memory", "_say", "blocked", "wanted")

    def __init__(
        self, line: Publisher, memory: Memory, clock: Clock, say: Callable[[bytes], object]
    ) -> None:
        self.blocked = False
        self.wanted = False
        self._line = line
        self._say = say
        self._memory = memory
        self._later = partial(clock.call_later, 0)

    def check(self, publishes: bool) -> None:
        """After a burst: block a connection that publishes with it, or let others go on."""
        memory, line = self._memory, self._line
        if memory.used <= memory.mark or self.blocked or not publishes:
            memory.settle()
            return
        self.blocked = True
        if self.wanted:
            # Once, with what is low by then: a later alarm only makes the wait longer.
            reason = f"low on {' & '.join(memory.low)}"
            self._say(method(0, "connection.blocked", reason=reason))
        if not memory.waiting and not memory.alarms:
            memory.met()
        line.spine.emit(PublisherBlocked(AMQP, line.id, line.client))
        memory.wait(line.id, self._go_on)
        line.peer.pause_reading()

    def end(self) -> None:
        self._memory.forget(self._line.id)
        self._memory.settle()

    def _go_on(self) -> None:
        line = self._line
        self.blocked = False
        if self.wanted:
            self._say(method(0, "connection.unblocked"))
            line.peer.wake()
        line.spine.emit(PublisherUnblocked(AMQP, line.id, line.client))
        line.peer.resume_reading()
        # In a turn of its own: whoever made room is in the midst of something.
        self._later(self._take_up)

    def _take_up(self) -> None:
        """What it sent behind its last frame that was taken."""
        if not self.blocked:
            self._line.peer.wake()
            self._line.receive(b"")
