"""When output is written: at once, or with that of others at the end of the loop's turn."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from .fairness import TURN, Turn

_FEW: Final = 2
"""Clients that are answered at once in one turn."""
_MOST: Final = 256
"""Clients that are written to in one turn; a loop may do the writing itself behind our back."""


class Writer(Protocol):
    """An endpoint with output."""

    def flush(self) -> None: ...


class Turns:
    """One server's endpoints that wait to be written to."""

    def __init__(self, turn: Turn, call_soon: Callable[..., Any]) -> None:
        self._now = turn.now
        self._call_soon = call_soon
        self._waiting: deque[Writer] = deque()
        self._answered: Writer | None = None
        self._crowd = 0
        self._behind = False

    def behind(self) -> bool:
        """There was more to write than one turn had time for."""
        return self._behind

    def may_answer(self, writer: Writer) -> bool:
        """Whether to write now to one that has just spoken.

        One client, or a few, get their answers at once. Where many speak in the same turn of the
        loop, to write to each at once is to wake each at once, which costs more than a message.
        """
        if writer is not self._answered:
            self._answered = writer
            # Counted by changes of the speaker: one client's many bursts are no crowd.
            self._crowd += 1
        return self._crowd <= _FEW

    def flush_soon(self, writer: Writer) -> None:
        """Flush it at the end of this turn, or in a later one where many wait."""
        if not self._waiting:
            self._call_soon(self._flush_all)
        self._waiting.append(writer)

    def _flush_all(self) -> None:
        waiting, now = self._waiting, self._now
        self._crowd = 0
        end = now() + TURN
        for _ in range(min(len(waiting), _MOST)):
            waiting.popleft().flush()
            if now() > end:
                break
        # The backlog reads no more meanwhile (`full`): what is read would only wait here.
        self._behind = bool(waiting)
        if waiting:
            self._call_soon(self._flush_all)
