"""Sequence numbers are of 32 bits and wrap (RFC 1982)."""

from typing import Final

SERIAL: Final = 2**32


def serial_distance(later: int, earlier: int) -> int:
    """How far the one is ahead of the other; negative when it is behind."""
    distance = (later - earlier) % SERIAL
    return distance - SERIAL if distance >= SERIAL // 2 else distance
