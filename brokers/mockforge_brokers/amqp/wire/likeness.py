"""Content headers that are alike: who has checked one has checked all of them.

Programs that give each message an id, a time or a priority of its own send headers that never
come twice, and yet are of one build: the same flags, each text as long as before. What RabbitMQ
looks at in such a header is its build alone. `varying` finds the one place where two of them
differ, so that two comparisons are enough; `builds` makes a pattern of any number of builds, whose
bodies differ in size, too.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from .frames import BODY
from .properties import PROPERTIES

Builds = Callable[[bytes, int], re.Match[bytes] | None]
"""Matches a content header with the head of its one body frame; the last group has the size."""

_SIZE: Final = 15
_FLAGS: Final = 19
_VALUES: Final = 21
"""Where a content header's frame has the lower half of the body's size, flags and values."""
_READ: Final = ("headers", "delivery_mode", "reply_to")
"""Properties whose values were looked at: what was found holds for these values alone."""


def varying(header: bytes, other: bytes, flags: int) -> tuple[int, int] | None:
    """Where nobody looks and all is in which two headers' frames differ; None: they do elsewhere.

    `flags` are those of `header`, which was found in order.
    """
    if len(header) != len(other):
        return None
    for start, end in _unread(header, flags):
        if header[:start] == other[:start] and header[end:] == other[end:]:
            return start, end
    return None


def build_of(header: bytes, flags: int) -> bytes:
    """What `builds` needs to know of a header that was found in order: its flags and lengths."""
    build, at = [re.escape(header[:_SIZE]), b"(.{4})"], _FLAGS
    for start, end in _unread(header, flags):
        build += (re.escape(header[at:start]), b".{%d}" % (end - start))
        at = end
    build.append(re.escape(header[at:]))
    return b"".join(build)


@lru_cache(256)
def builds(channel: bytes, known: tuple[bytes, ...]) -> Builds:
    """Whatever is built as one of these, with a body in one frame of the same channel.

    The size of that body is compared with no limit. Publishers of many routing keys have the same
    few builds for all of them, so they are compiled once.
    """
    body = re.escape(bytes((BODY,)) + channel)
    ways = (b"%s%s\\%d" % (build, body, number) for number, build in enumerate(known, 1))
    return re.compile(b"|".join(ways), re.DOTALL).match


def read_values(header: bytes) -> list[tuple[str, bytes]]:
    """The values that were looked at in a header that was found in order, with their names."""
    flags = int.from_bytes(header[_FLAGS:_VALUES], "big")
    spans = _spans(header, flags)
    return [(name, header[start:end]) for name, start, end in spans if name in _READ]


def _unread(header: bytes, flags: int) -> list[tuple[int, int]]:
    """From where to where there are values that nobody reads; neighbours are one."""
    found: list[tuple[int, int]] = []
    for name, start, end in _spans(header, flags):
        if name in _READ or start == end:
            continue
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, end))
    return found


def _spans(header: bytes, flags: int) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of each value: of a text without its length, of a table with it."""
    at = _VALUES
    for name, kind, flag in PROPERTIES:
        if not flags & flag:
            continue
        start = at
        if kind == "shortstr":
            start += 1
            at = start + header[start - 1]
        elif kind == "table":
            at += 4 + int.from_bytes(header[at : at + 4], "big")
        else:
            at += 1 if kind == "octet" else 8
        yield name, start, at
