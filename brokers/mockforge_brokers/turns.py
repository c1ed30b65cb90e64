"""When output is written: at once, or with that of others at the end of the loop's turn."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from .answers import Answers
from .fairness import SMALL, TURN, Turn

FEW: Final = 2
"""Clients that are answered at once in one turn."""
CROWD: Final = 2 * FEW
"""Clients of one turn from which on they are many, and not counted any further."""
_CONCERNED: Final = 16
"""Others who are written to at once with one who has just spoken."""
_MOST: Final = 256
"""Clients that are written to in one turn; a loop may do the writing itself behind our back."""


class Writer(Protocol):
    """An endpoint with output."""

    def flush(self) -> None: ...


class Turns:
    """One server's endpoints that wait to be written to.

    `speaking` is the one whose bytes are being handled: what they give others to write is written
    as soon as they are handled (`others`), or at the turn's end with what more there is by then.
    """

    __slots__ = (
        "_before",
        "_behind",
        "_call_soon",
        "_more",
        "_now",
        "_spoke",
        "_until",
        "answers",
        "armed",
        "crowd",
        "speaking",
        "waiting",
    )

    def __init__(
        self,
        turn: Turn,
        call_soon: Callable[..., Any],
        before: Callable[[], object] | None = None,
        more: Callable[[], bool] = lambda: False,
        *,
        gathers: bool = True,
    ) -> None:
        """`before` is called before all are flushed; `more`: a part of what was said waits.

        `gathers`: what `before` does is done when it returns, for most of what was said.
        """
        self._before = before
        self._more = more
        self._now = turn.now
        self._call_soon = call_soon
        self.armed = False
        """Whoever waits is written to at the end of this turn."""
        self._spoke: Writer | None = None
        self.crowd = 0
        """Who spoke in this turn and was told something; behind a crowd it begins at `FEW`."""
        self._behind = False
        self._until = 0.0
        self.speaking: Writer | None = None
        self.waiting: deque[Writer] = deque()
        self.answers = Answers(held=before is not None, never=not gathers)

    def behind(self) -> bool:
        """There was more to write than one turn had time for."""
        return self._behind

    def may_answer(self, writer: Writer) -> bool:
        """Whether to write now to one that has just spoken, and to those whom it concerns.

        One client, or a few, get their answers at once. Where many speak in the same turn of the
        loop, to write to each at once is to wake each at once, which costs more than a message.
        Many in one turn are many in the next one too, of whom nobody is answered at once then.
        """
        if writer is not self._spoke:
            self._spoke = writer
            # Counted by changes of the speaker: one client's many bursts are no crowd.
            self.crowd += 1
        return self.crowd <= FEW

    def flush_soon(self, writer: Writer) -> None:
        """Flush it at the end of this turn, or in a later one where many wait."""
        self.waiting.append(writer)
        # While somebody speaks, `others` comes behind it.
        if self.speaking is None and not self.armed:
            self._arm()

    def heard(self, writer: Writer, size: int) -> None:
        """What somebody said in so many bytes is handled: write to those whom it concerned.

        Single messages are not to wait, and of what few get the processor has a copy at hand that
        the next read takes the room of. Many get what follows large messages with them.
        """
        # Who is answered nothing himself is one of a crowd as well.
        at_once = self.may_answer(writer) and (size <= SMALL or len(self.waiting) <= FEW)
        if not self.armed:
            self.others(at_once=at_once)

    def others(self, *, at_once: bool) -> None:
        """What somebody said is handled: write to those whom it concerned now, or soon.

        Where it is `armed` that is done anyway.
        """
        waiting = self.waiting
        if at_once and len(waiting) <= _CONCERNED:
            if self._before is not None:
                self._before()
            # A message on its way from one client to another: a turn more would be half its time.
            for _ in range(len(waiting)):
                waiting.popleft().flush()
        if waiting and not self.armed:
            self._arm()

    def _arm(self) -> None:
        self.armed = True
        self._call_soon(self._flush_all)

    def _gathers(self) -> bool:
        """Whether what few say to very many is not whole yet, and may still wait to be.

        A slice of time is but some messages to a thousand clients. To write them each time would be
        several times the calls, and as often a client is woken.
        """
        if self._behind or self.crowd > CROWD or not self._more():
            return False
        now = self._now()
        self._until = self._until or now + TURN
        return now < self._until

    def _flush_all(self) -> None:
        waiting, now = self.waiting, self._now
        self.armed = self.answers.gathering = False
        if len(waiting) > _MOST and self._gathers():
            self._arm()
            return
        self._until = 0.0
        # Those above `FEW` spoke in this turn; the first may have done so in others before it.
        self.crowd = FEW if self.crowd > CROWD else 0
        if self._before is not None:
            self._before()
        self.answers.write()
        end = now() + TURN
        for _ in range(min(len(waiting), _MOST)):
            waiting.popleft().flush()
            if now() > end:
                break
        # The backlog reads no more meanwhile (`full`): what is read would only wait here.
        self._behind = bool(waiting)
        if waiting and not self.armed:
            self._arm()
