"""What each of many clients is answered in one turn of the loop: written together at its end.

Where a crowd speaks, what each says is mostly one small burst, and its answer one piece. What the
journal keeps of them is added in one go as well, in the order in which they were handled. So
whoever writes or journals anything else meanwhile has these written first (`write`).
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


Exchange = tuple[Answered, Tape | None, bytes, bytes, int]
"""Who spoke, its tape, its bytes, the answer (empty: none), and what `receive` returned."""
_NONE: Final[Iterator[Exchange]] = iter(())


class Answers:
    """Those of one server; they are gathered from when a crowd is known until the turn's end.

    Where state is kept on disk (`never`) they are not: each waits for a group of its own.
    """

    __slots__ = ("_leaving", "_never", "gathered", "gathering")

    def __init__(self, *, never: bool) -> None:
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
            _keep(exchanges)
            self._leaving = iter(exchanges)
        # Who is slow is told so by a write, which may end others: then they are written first.
        for endpoint, _, _, answer, _ in self._leaving:
            if answer and not endpoint.closing:
                endpoint.send(answer)


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
