"""Frames of the journal that a filter fits, looked for a portion at a time, and what came near."""

from time import perf_counter
from typing import Final

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import OUT, Chunk, Journal, Row
from mockforge_brokers.misbehaviour.rules import Match

from .. import text
from ..feed import Decoder, may_match
from ..filters import compile_filter

_BUDGET: Final = 0.005
"""Seconds of decoding in one look: the brokers have their turn between two."""
MOST_FOUND: Final = 1_000
"""Frames that are handed out; all are counted."""
_COMPARED: Final = 500
"""Chunks of the journal among which the nearest frame is sought."""
_MOST_COMPARED: Final = 1024 * 1024
"""Bytes of them."""


class FrameLook:
    """What the journal has after number `since`; each frame is decoded and counted once."""

    def __init__(self, match: Match, journal: Journal | None, since: int) -> None:
        if journal is None:
            raise InvalidInput("there is no journal here: start without --no-journal")
        self.count = 0
        self.found: list[Row] = []
        """The first row of each frame that fits."""
        self._match = match
        self._journal = journal
        self._since = since
        self._decoder = Decoder(journal, perf_counter, since)
        self._wanted = may_match(compile_filter(match.scope))
        self._cut_off = journal.oldest > since + 1
        self._until: int | None = None
        """The number of the last chunk that counts, once that is known."""

    @property
    def behind(self) -> bool:
        return self._decoder.is_behind(self._until)

    def close(self) -> None:
        """What comes from now on does not count; what came is still looked at to its end."""
        if self._until is None:
            self._until = self._journal.seq

    @property
    def lost(self) -> str:
        return " (the journal's oldest frames were gone already)" if self._cut_off else ""

    def go_on(self) -> None:
        """Look at what came since the last look, as far as there is time for it."""
        match = self._match
        for rows in self._decoder.decode_on(_BUDGET, self._wanted, self._until):
            for row in rows:
                if match.direction in (None, row.direction) and match.matches(row):
                    self._take(row)
                    # A frame of several records is one frame.
                    break

    def _take(self, row: Row) -> None:
        self.count += 1
        if len(self.found) < MOST_FOUND:
            self.found.append(row)

    def nearest(self) -> tuple[Row, list[str]] | None:
        """Of the newest frames, whoever's they are, the one that fails the fewest terms."""
        chunks: list[Chunk] = []
        size = 0
        for chunk in self._journal.since(self._since):
            size += len(chunk.data or b"")
            if len(chunks) == _COMPARED or size > _MOST_COMPARED:
                break
            chunks.append(chunk)
        best: tuple[Row, list[str]] | None = None
        for row in Decoder(self._journal, perf_counter).decode_these(chunks):
            failed = self._failed(row)
            # Of several that are as near, the newest.
            if failed and (best is None or len(failed) <= len(best[1])):
                best = row, failed
        return best

    def _failed(self, row: Row) -> list[str]:
        match = self._match
        failed = [term for term, matches in match.terms if not matches(row)]
        if match.direction not in (None, row.direction):
            failed.append(f"dir:{'out' if match.direction == OUT else 'in'}")
        return failed


def described(row: Row) -> str:
    """`dev-7 > PUBLISH sensors/a`, `> ` from the client, `< ` to it."""
    way = "<" if row.direction == OUT else ">"
    who = row.client or f"c{row.connection}"
    return text.clean(" ".join(filter(None, (who, way, row.operation, row.destination))), 200)
