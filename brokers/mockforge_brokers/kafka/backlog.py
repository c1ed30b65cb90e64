"""Requests that wait behind another one of their connection."""

from __future__ import annotations

from collections import deque
from typing import Final

from ..contract import Peer
from .misbehaviour import Refusal

_MOST: Final = 100
_MOST_BYTES: Final = 1024 * 1024
_NOTHING: Final = ()


class Backlog:
    """In the order in which they came. While it is full the client's bytes are left unread."""

    __slots__ = ("_bytes", "_paused", "_peer", "waiting")

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        # Few ever wait, and an empty deque is large for each idle connection.
        self.waiting: deque[bytes | Refusal] | tuple[()] = _NOTHING
        self._bytes = 0
        self._paused = False

    def add(self, frame: bytes | Refusal) -> None:
        """A request, or one that is to be refused when its turn comes."""
        waiting = self.waiting
        if not isinstance(waiting, deque):
            waiting = self.waiting = deque()
        waiting.append(frame)
        self._bytes += len(frame)
        full = len(waiting) > _MOST or self._bytes > _MOST_BYTES
        if full and not self._paused:
            self._paused = True
            self._peer.pause_reading()

    def take(self) -> bytes | Refusal:
        """The oldest, of which there is one."""
        waiting = self.waiting
        assert isinstance(waiting, deque)
        frame = waiting.popleft()
        if not waiting:
            self.waiting = _NOTHING
        self._bytes -= len(frame)
        return frame

    def read_on(self) -> None:
        """Nothing stands in the way of the client's bytes any more, if all were taken."""
        # Not sooner: reading that stops and starts with each request costs more than it brings.
        if self._paused and not self.waiting:
            self._paused = False
            self._peer.resume_reading()

    def clear(self) -> None:
        self.waiting = _NOTHING
        self._bytes = 0
