"""What each of many clients is answered in one turn of the loop: written together at its end.

Where a crowd speaks, what each says is mostly one small burst, and its answer one piece. What the
journal keeps of them is added in one go as well, in the order in which they were handled. So
whoever writes or journals anything else meanwhile has these written first (`write`).

Where state is kept on disk all that was caused in the turn is written before, as one group. Whose
part of it is not there by then gets its answer later, as any other (`holds`).
"""

from collections.abc import Iterator
from typing import Final, Protocol

from .journal import IN, OUT, Tape
from .pages import OVERHEAD


class Answered(Protocol):
    """An endpoint that spoke."""

    closing: bool

    def send(self, data: bytes) -> None:
        """Hand bytes to the socket, and to no journal."""
        ...

    def holds(self, answer: bytes) -> bool:
        """Whether it may not be written yet: then it is, and journaled, by itself."""
        ...


Exchange = tuple[Answered, Tape | None, bytes, bytes, int]
"""Who spoke, its tape, its bytes, the answer (empty: none), and what `receive` returned."""
_NONE: Final[Iterator[Exchange]] = iter(())


class Answers:
    """Those of one server; they are gathered from when a crowd is known until the turn's end.

    `held`: some may have to wait for longer. `never`: all have to, and none are gathered.
    """

    __slots__ = ("_held", "_leaving", "_never", "gathered", "gathering")

    def __init__(self, *, held: bool = False, never: bool = False) -> None:
        self._held = held
        self._never = never
        self.gathering = False
        self.gathered: list[Exchange] = []
        self._leaving = _NONE

    def gather(self) -> None:
        """A crowd speaks: nobody is answered before the turn's end."""
        self.gathering = not self._never

    def write(self) -> None:
        """Write all that are gathered so far."""
        if self.gathered:
            exchanges, self.gathered = self.gathered, []
            if self._held:
                exchanges = list(map(_unless_held, exchanges))
            _keep(exchanges)
            self._leaving = iter(exchanges)
        # Who is slow is told so by a write, which may end others: then they are written first.
        for endpoint, _, _, answer, _ in self._leaving:
            if answer and not endpoint.closing:
                endpoint.send(answer)


def _unless_held(exchange: Exchange) -> Exchange:
    endpoint, tape, data, answer, tail = exchange
    if answer and not endpoint.closing and endpoint.holds(answer):
        return endpoint, tape, data, b"", tail
    return exchange


def _keep(exchanges: list[Exchange]) -> None:
    """Add them to the journal: as `Tape.add` of each part, written out for all of them."""
    tape = exchanges[0][1]
    if tape is None:
        return
    journal = tape.journal
    time, coming, spare = journal.wall(), journal.coming, journal.spare
    for endpoint, tape, data, answer, tail in exchanges:
        assert tape is not None
        if answer and not endpoint.closing:
            coming += (tape, time, tail << 1 | IN, data, tape, time, OUT, answer)
            cost = len(data) + len(answer) + 2 * OVERHEAD
        else:
            coming += (tape, time, tail << 1 | IN, data)
            cost = len(data) + OVERHEAD
        tape.came += cost
        spare -= cost
        if spare < 0 or tape.over:
            tape.over = False
            journal.spare = spare
            journal.seal()
            coming, spare = journal.coming, journal.spare
    journal.spare = spare
