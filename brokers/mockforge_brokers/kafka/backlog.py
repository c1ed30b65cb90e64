"""Requests that wait behind another one of their connection."""

from __future__ import annotations

from collections import deque
from typing import Final

from ..contract import Peer
from .misbehaviour import Refusal

_MOST: Final = 100
_MOST_BYTES: Final = 1024 * 1024


class Backlog:
    """In the order in which they came. While it is full the client's bytes are left unread."""

    __slots__ = ("_bytes", "_paused", "_peer", "_waiting")

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._waiting: deque[bytes | Refusal] = deque()
        self._bytes = 0
        self._paused = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, frame: bytes | Refusal) -> None:
        """A request, or one that is to be refused when its turn comes."""
        self._waiting.append(frame)
        self._bytes += len(frame)
        full = len(self._waiting) > _MOST or self._bytes > _MOST_BYTES
        if full and not self._paused:
            self._paused = True
            self._peer.pause_reading()

    def take(self) -> bytes | Refusal:
        """The oldest, of which there is one."""
        frame = self._waiting.popleft()
        self._bytes -= len(frame)
        return frame

    def end(self) -> None:
        """All were taken: nothing stands in the way of the client's bytes any more."""
        # Not sooner: reading that stops and starts with each request costs more than it brings.
        if self._paused:
            self._paused = False
            self._peer.resume_reading()
