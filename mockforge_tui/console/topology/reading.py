"""The flows of the last minute out of the journal, as far back as is read at once."""

from typing import Final

from mockforge_brokers.journal import Chunk, Journal

from ...feed import Decoder
from .flows import WINDOW, Flows

_MOST_BYTES: Final = 1 << 18
"""Bytes that are decoded: clients wait meanwhile."""
_MOST_ROWS: Final = 2_500
"""The same, of what becomes of them."""


def read(journal: Journal, now: float) -> Flows:
    """The newest rows as flows; `since` says how far back they go."""
    chunks, whole = _newest(journal, now)
    rows, all_read = Decoder(journal, lambda: 0.0).decode_newest(
        chunks, most_frames=_MOST_ROWS, most_rows=_MOST_ROWS
    )
    flows = Flows(now - WINDOW if (whole and all_read) or not rows else rows[0].time)
    for row in rows:
        flows.meet(row)
    return flows


def _newest(journal: Journal, now: float) -> tuple[list[Chunk], bool]:
    """Chunks of the window, newest first, and whether these are all."""
    found: list[Chunk] = []
    size = 0
    for chunk in journal.since(0):
        if chunk.time <= now - WINDOW:
            break
        if size >= _MOST_BYTES:
            return found, False
        found.append(chunk)
        size += len(chunk.data or b"")
    return found, True
