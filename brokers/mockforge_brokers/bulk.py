"""How an endpoint writes past its loop where that is better: by a system call of its own.

Large output: a loop writes piece by piece, so the few bytes of a frame's head go out as a packet
of their own before the body; to join them first would copy the body. `writev` does neither.

A single answer: uvloop up to 0.22 sends when all that it has read is handled. Whoever waits for
this answer before he says more would wait for what others said as well. Later ones send at once,
for less than a call of ours; that of asyncio's own loop takes more.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Final

_MOST: Final = 512
"""Pieces of one call; systems take 1,024."""

_LARGEST_BLOCK: Final = 32 * 1024 * 1024 - 64 * 1024
"""Bytes: just below what glibc takes for a sign of the sizes that a program uses (mallopt(3))."""

_writev = getattr(os, "writev", None)


@cache
def keep_large_blocks() -> None:
    """Have the memory of large messages reused, where malloc is glibc's; elsewhere do nothing.

    It takes blocks from 128 KB on from the system and hands them back at once, until a program has
    freed a larger one. So each message of 1 MB would be 250 pages that are touched for the first
    time, which takes five times as long as to copy it. One block that nobody writes to shows what
    is to come. Once a process: a second one would be of memory that is kept, and be filled with
    zeros.
    """
    bytes(_LARGEST_BLOCK)


def give_back_memory() -> None:
    """Have the system take what is free between what is not, where malloc is glibc's.

    By itself it gives back what is free at the end of its memory: hardly anything, once something
    small that lives on came behind what is large. It takes 20 ms for blocks of 1 MB, ten times as
    much for such as small records have. A thread would spare nobody that: malloc's lock is held all
    the while, and the loop waits for it with the first of its own blocks.
    """
    import ctypes

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def write_together(transport: asyncio.Transport, pieces: Sequence[bytes]) -> None:
    """Write all pieces: the socket takes what it can at once, the loop keeps the rest."""
    left: Sequence[bytes | memoryview] = pieces
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


@cache
def _sends_at_once(module: str) -> bool:
    """Whether the transports of this module do so, for less than a call of ours."""
    if module.partition(".")[0] != "uvloop":
        return False
    from uvloop._version import __version__

    major, minor = __version__.split(".")[:2]
    return (int(major), int(minor)) > (0, 22)


def only_by_transport(transport: asyncio.Transport) -> bool:
    """Whether nothing is gained by writing past the transport."""
    module = type(transport).__module__
    return _sends_at_once(module) or bool(transport.get_extra_info("layered"))


def raw_descriptor(transport: asyncio.Transport) -> int:
    """Of a socket that takes the bytes as they are; -1: only the transport may write."""
    if _writev is None or transport.get_extra_info("layered"):
        return -1
    sock = transport.get_extra_info("socket")
    return -1 if sock is None else int(sock.fileno())


def write_now(transport: asyncio.Transport, descriptor: int, data: bytes) -> None:
    """Write to a `raw_descriptor`: what the socket does not take at once the loop keeps."""
    # Behind what waits already; and the number of a socket that closes may soon be another's.
    if transport.get_write_buffer_size() or transport.is_closing():
        transport.write(data)
        return
    try:
        done = os.write(descriptor, data)
    except OSError:
        # It takes nothing now, or it is gone: the loop finds out, as with any write.
        done = 0
    if done < len(data):
        transport.write(data[done:])


def read_now(descriptor: int, most: int) -> bytes | None:
    """Read from a `raw_descriptor`; None: there is nothing now. Raises OSError.

    Of a large frame a loop has a part in one read; the rest is copied into its place by the system,
    without a buffer of the loop's in between.
    """
    try:
        return os.read(descriptor, most)
    except BlockingIOError:
        return None


def _without(pieces: Sequence[bytes], done: int) -> Sequence[bytes | memoryview]:
    """The pieces but their first `done` bytes, none of them copied."""
    for at, piece in enumerate(pieces):
        if done < len(piece):
            return (memoryview(piece)[done:], *pieces[at + 1 :]) if done else pieces[at:]
        done -= len(piece)
    return ()
