"""Requests that wait behind another one of their connection."""

from __future__ import annotations

from typing import Final

from ..contract import Peer
from .misbehaviour import Refusal

_MOST: Final = 100
_MOST_BYTES: Final = 1024 * 1024


class Backlog:
    """In the order in which they came. While it is full the client's bytes are left unread."""

    __slots__ = ("_bytes", "_paused", "_peer", "waiting")

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        # Few ever wait: an empty deque takes ten times as much of each idle connection.
        self.waiting: list[bytes | Refusal] = []
        self._bytes = 0
        self._paused = False

    def add(self, frame: bytes | Refusal) -> None:
        """A request, or one that is to be refused when its turn comes."""
        self.waiting.append(frame)
        self._bytes += len(frame)
        full = len(self.waiting) > _MOST or self._bytes > _MOST_BYTES
        if full and not self._paused:
            self._paused = True
            self._peer.pause_reading()

    def take(self) -> bytes | Refusal:
        """The oldest."""
        frame = self.waiting.pop(0)
        self._bytes -= len(frame)
        return frame

    def read_on(self) -> None:
        """Nothing stands in the way of the client's bytes any more, if all were taken."""
        # Not sooner: reading that stops and starts with each request costs more than it brings.
        if self._paused and not self.waiting:
            self._paused = False
            self._peer.resume_reading()

    def clear(self) -> None:
        self.waiting.clear()
        self._bytes = 0
