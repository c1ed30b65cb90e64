"""How many bytes of messages all queues hold, and when publishers must wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...fairness import Steps

if TYPE_CHECKING:
    from .message import Message

MEMORY: Final = "memory"
DISK: Final = "disk"
COST: Final = 256
"""Bytes that a message takes beside its body: itself, and its places in queue and channel."""
_AT_ONCE: Final = 256
"""Messages that are let go of in one step."""


def do_all(steps: Steps) -> None:
    for _ in steps:
        """Each is done by asking for it."""


class Memory:
    """`used` is counted by the queues, for each message its body and what it costs beside it; who
    publishes past `mark` waits here until half is gone: `limit`, or less than nothing in an alarm.

    RabbitMQ's memory alarm. A plain counter, so that a message costs an addition.
    """

    __slots__ = ("_waiting", "alarms", "do", "limit", "mark", "met", "uncommitted", "used")

    def __init__(
        self,
        mark: int,
        met: Callable[[], object] = lambda: None,
        do: Callable[[Steps], object] = do_all,
    ) -> None:
        self.mark = mark
        self.do = do
        """How steps are done that may take many turns of the loop."""
        self.met = met
        """To be called when publishers begin to wait."""
        self.used = 0
        self.uncommitted = 0
        """What the publishes of all open transactions take of it."""
        self.alarms: set[str] = set()
        """What an operator says is low (memory, disk): then all who publish wait."""
        self.limit = mark
        self._waiting: dict[int, Callable[[], None]] = {}

    @property
    def waiting(self) -> int:
        """How many connections wait."""
        return len(self._waiting)

    @property
    def passed(self) -> bool:
        """Whether the queues themselves hold more than they may."""
        return self.used > self.limit

    @property
    def low(self) -> list[str]:
        """What is low, in RabbitMQ's order; nothing while publishers may go on."""
        return sorted(self.alarms | {MEMORY} if self.passed else self.alarms)

    def raise_alarm(self, what: str) -> None:
        self.alarms.add(what)
        self.mark = -1

    def clear_alarm(self, what: str) -> None:
        """Publishers go on when the last one is cleared."""
        self.alarms.discard(what)
        if not self.alarms:
            self.mark = self.limit
            self.settle()

    def wait(self, connection: int, resume: Callable[[], None]) -> None:
        """Call `resume` once, when there is room again."""
        self._waiting[connection] = resume

    def forget(self, connection: int) -> None:
        self._waiting.pop(connection, None)

    def settle(self) -> None:
        """Let those go on who wait, if there is room."""
        if self._waiting and self.used <= self.mark // 2:
            waiting, self._waiting = self._waiting, {}
            for resume in waiting.values():
                resume()

    def making_room(self, steps: Steps) -> Steps:
        """The same steps; behind the last one those go on who wait, if there is room."""
        yield from steps
        self.settle()

    def release(self, messages: deque[Message]) -> None:
        """Messages that nobody gets any more; a million of them take their time."""
        self.do(self._releasing(messages))

    def _releasing(self, messages: deque[Message]) -> Steps:
        while messages:
            gone = [messages.popleft() for _ in range(min(len(messages), _AT_ONCE))]
            self.used -= sum(message.size for message in gone) + COST * len(gone)
            yield
        self.settle()
