"""The frames of one protocol about a moment, out of the journal, as rows."""

from collections.abc import Iterator
from math import inf
from time import perf_counter
from typing import Final

from mockforge_brokers.journal import Chunk, Journal, Row

from ...feed.decoder import Decoder

MOST: Final = 1 << 20
"""Bytes before a moment that are decoded, and as many from it on: clients wait meanwhile."""
_BEFORE: Final = 60.0
"""Seconds before a message whose frames are read too: what is like it may have come then."""


def rows_about(journal: Journal, protocol: str, moment: float = inf) -> tuple[list[Row], bool]:
    """Rows in order from before a moment on (else the newest), and whether they go up to now."""
    before: list[Chunk] = []
    after: list[Chunk] = []
    size = 0
    oldest = -inf if moment == inf else moment - _BEFORE
    for chunk in journal.since(0, lambda tape: tape.protocol == protocol):
        if chunk.time >= moment:
            after.append(chunk)
            continue
        if chunk.time < oldest or size > MOST:
            break
        size += len(chunk.data or b"")
        before.append(chunk)
    following = list(_first(after[::-1]))
    rows = Decoder(journal, perf_counter).decode_these([*following[::-1], *before])
    return rows, len(following) == len(after)


def _first(chunks: list[Chunk]) -> Iterator[Chunk]:
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk.data or b"")
        if size > MOST:
            return
