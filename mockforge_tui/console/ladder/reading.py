"""The newest frames of connections out of the journal, with the facts between them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from mockforge_brokers.events import Event
from mockforge_brokers.journal import Chunk, Journal, Row
from mockforge_brokers.misbehaviour.holds import Holds
from mockforge_brokers.spine import Spine

from ...feed import Decoder, Feed
from .rungs import MOST

_MOST_BYTES: Final = 1 << 20
"""Bytes that are decoded: clients wait meanwhile."""
_MOST_ROWS: Final = 10_000
"""The same, of what becomes of them: a batch of few bytes has very many records."""
_AT_ONCE: Final = 1 << 17
"""Bytes that are cut into frames before the newest of these are decoded."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Numbered rows; `all_read`: the journal has no more of these connections, `all_kept`: it
    never had."""

    feed: Feed
    all_read: bool
    all_kept: bool

    def row(self, number: int) -> Row | None:
        return self.feed.row(number)


def read(
    journal: Journal, spine: Spine, holds: Holds | None, connections: Collection[int]
) -> Reading:
    """What passed on these connections, as far back as is read at once."""
    of_these = journal.since(0, lambda tape: tape.connection in connections)
    found: list[list[Row]] = []
    frames = rows = size = 0
    all_read = all_kept = True
    while all_read and (some := _portion(of_these)):
        size += sum(len(each.data or b"") for each in some)
        all_kept = all_kept and not any(each.tape.left for each in some)
        # Each portion begins with the end of a frame whose beginning it looks up in its tape.
        newest, all_read = Decoder(journal, lambda: 0.0).decode_newest(
            some, most_frames=MOST - frames, most_rows=_MOST_ROWS - rows
        )
        found.append(newest)
        rows += len(newest)
        frames += sum(not row.part for row in newest)
        if frames >= MOST or rows >= _MOST_ROWS or size >= _MOST_BYTES:
            all_read = all_read and next(of_these, None) is None
            break
    oldest_first = list(chain.from_iterable(reversed(found)))
    facts = _facts(spine, connections, -1.0 if all_read or not rows else oldest_first[0].time)
    feed = Feed(None, spine, holds)
    feed.take(oldest_first, facts)
    return Reading(feed, all_read, all_kept)


def _portion(newest_first: Iterator[Chunk]) -> list[Chunk]:
    found: list[Chunk] = []
    size = 0
    for chunk in newest_first:
        found.append(chunk)
        size += len(chunk.data or b"")
        if size >= _AT_ONCE:
            break
    return found


def _facts(spine: Spine, connections: Collection[int], since: float) -> list[tuple[float, Event]]:
    return [
        (time, event)
        for time, event in spine.history
        if time >= since and getattr(event, "connection", 0) in connections
    ]
