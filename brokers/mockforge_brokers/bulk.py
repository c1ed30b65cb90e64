"""How an endpoint writes large output: many pieces by one system call, none of them copied.

A loop writes piece by piece, so the few bytes of a frame's head go out as a packet of their own
before the body; to join them first would copy the body. `writev` does neither.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Final

_MOST: Final = 512
"""Pieces of one call; systems take 1,024."""

_LARGEST_BLOCK: Final = 32 * 1024 * 1024 - 64 * 1024
"""Bytes: just below what glibc takes for a sign of the sizes that a program uses (mallopt(3))."""

_writev = getattr(os, "writev", None)


def keep_large_blocks() -> None:
    """Have the memory of large messages reused, where malloc is glibc's; elsewhere do nothing.

    It takes blocks from 128 KB on from the system and hands them back at once, until a program has
    freed a larger one. So each message of 1 MB would be 250 pages that are touched for the first
    time, which takes five times as long as to copy it. One block that nobody writes to shows what
    is to come.
    """
    bytes(_LARGEST_BLOCK)


def write_together(transport: asyncio.Transport, pieces: Sequence[bytes]) -> None:
    """Write all pieces: the socket takes what it can at once, the loop keeps the rest."""
    left = pieces
    if (
        _writev is not None
        and not transport.get_write_buffer_size()
        and not transport.is_closing()
        and not transport.get_extra_info("layered")
    ):
        try:
            done = _writev(transport.get_extra_info("socket").fileno(), pieces[:_MOST])
        except OSError:
            # It takes nothing now, or it is gone: the loop finds out, as with any write.
            done = 0
        left = _without(pieces, done)
    # Not writelines: that of asyncio 3.12.0 to 3.13.1 never tells us that the peer is slow.
    for piece in left:
        transport.write(piece)


def _without(pieces: Sequence[bytes], done: int) -> Sequence[bytes]:
    """The pieces but their first `done` bytes."""
    for at, piece in enumerate(pieces):
        if done < len(piece):
            return (piece[done:], *pieces[at + 1 :]) if done else pieces[at:]
        done -= len(piece)
    return ()
