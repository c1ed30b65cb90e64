"""Bursts of requests and answers that no rule is about, told from each other without reading them.

Most requests are a Produce that names the same topic as the last one did, and most answers answer
one: their bytes up to behind that name are the same but for size and correlation id.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from ..journal import IN, OUT
from ..misbehaviour.skimming import Skimmer
from .glance import AFTER_CORRELATION_ID, ANSWER

if TYPE_CHECKING:
    from .rows import RowReader

_SIZE_AND_NUMBER: Final = struct.Struct(">ii").unpack_from
"""How a response begins: with the correlation id of what it answers."""
_SIZE: Final = struct.Struct(">i").unpack_from
_LEAST: Final = 8
"""Bytes of the shortest frame."""
_NO_API: Final = b"\xff\xff\xff\xff"


class RequestSkimmer(Skimmer):
    """Of what a client sends. Requests that go past need not be remembered here: the connection
    that gets them next does that."""

    __slots__ = ("_kind", "_named", "_reader")

    def __init__(self, reader: RowReader) -> None:
        super().__init__()
        self._reader = reader
        self._kind, self._named = _NO_API, b""

    def forget(self) -> None:
        super().forget()
        self._kind, self._named = _NO_API, b""

    def skim(self, data: bytes) -> bool:
        at, end = 0, len(data)
        kind, named = self._kind, self._named
        length = AFTER_CORRELATION_ID + len(named)
        while end - at >= _LEAST:
            stop = at + 4 + _SIZE(data, at)[0]
            if stop > end or stop - at < _LEAST:
                return False
            if not (
                data.startswith(kind, at + 4)
                and data.startswith(named, at + AFTER_CORRELATION_ID)
                and stop - at >= length
            ):
                look = self._reader.glance(IN, data[at:stop])
                if look not in self.looks:
                    return False
                last_kind, last_named, last = self._reader.asked
                if last == look:
                    self._kind, self._named = kind, named = last_kind, last_named
                    length = AFTER_CORRELATION_ID + len(named)
                    # Who waits for each answer sends one of the same size again and again.
                    self.size, self.head = stop - at, data[at : at + 4] + kind
                    self.tail_at, self.tail = AFTER_CORRELATION_ID, named
            at = stop
        return at == end


class AnswerSkimmer(Skimmer):
    """Of what is sent to a client."""

    __slots__ = ("_begin", "_least", "_named", "_reader", "_request", "_whole")

    def __init__(self, reader: RowReader) -> None:
        super().__init__()
        self._reader = reader
        self._expect(-1, b"", b"")

    def forget(self) -> None:
        super().forget()
        self._expect(-1, b"", b"")

    def _expect(self, request: int, named: bytes, answer: bytes) -> None:
        """Answers to such a request that name what this one does have one of the `looks`."""
        self._request, self._named = request, named
        self._least = ANSWER + len(named)
        self._whole, self._begin = len(answer), answer[:4]

    def skim(self, data: bytes) -> bool:
        requests = self._reader.requests
        at, end = 0, len(data)
        # Who waits for each answer gets one of the same size again and again.
        if (
            end == self._whole
            and data.startswith(self._begin)
            and data.startswith(self._named, ANSWER)
            and requests.get(int.from_bytes(data[4:8], "big")) == self._request
        ):
            return True
        while end - at >= _LEAST:
            size, number = _SIZE_AND_NUMBER(data, at)
            stop = at + 4 + size
            if stop > end or size < 4:
                return False
            if not (
                data.startswith(self._named, at + ANSWER)
                and requests.get(number) == self._request
                and stop - at >= self._least
            ):
                look = self._reader.glance(OUT, data[at:stop])
                if look not in self.looks:
                    return False
                request, named, last = self._reader.answered_last
                if last == look:
                    self._expect(request, named, data[at:stop])
            at = stop
        return at == end
