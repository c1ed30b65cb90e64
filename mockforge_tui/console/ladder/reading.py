"""The newest frames of connections out of the journal, with the facts between them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mockforge_brokers.events import Event
from mockforge_brokers.journal import Chunk, Journal, Row
from mockforge_brokers.misbehaviour.holds import Holds
from mockforge_brokers.spine import Spine

from ...feed import Decoder, Feed
from .rungs import MOST

_MOST_BYTES: Final = 1 << 20
"""Bytes that are decoded: clients wait meanwhile."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Numbered rows; `whole`: the journal has no more of these connections."""

    feed: Feed
    whole: bool

    def row(self, number: int) -> Row | None:
        return self.feed.row(number)


def read(
    journal: Journal, spine: Spine, holds: Holds | None, connections: Collection[int]
) -> Reading:
    """What passed on these connections, as far back as is read at once."""
    chunks: list[Chunk] = []
    size, whole = 0, True
    for chunk in journal.since(0):
        if chunk.tape.connection not in connections:
            continue
        if len(chunks) >= MOST or size > _MOST_BYTES:
            whole = False
            break
        whole = whole and not chunk.tape.left
        size += len(chunk.data or b"")
        chunks.append(chunk)
    feed = Feed(None, spine, holds)
    # Its patience is for who looks at live traffic: this is looked at once.
    rows = Decoder(journal, lambda: 0.0).decode_these(chunks)
    facts = _facts(spine, connections, -1.0 if whole or not rows else rows[0].time)
    feed.take(rows, facts)
    return Reading(feed, whole)


def _facts(spine: Spine, connections: Collection[int], since: float) -> list[tuple[float, Event]]:
    return [
        (time, event)
        for time, event in spine.history
        if time >= since and getattr(event, "connection", 0) in connections
    ]
