"""A batch of old rows in few bytes."""

import pickle
import zlib
from typing import Final

from mockforge_brokers.journal import Row

BATCH: Final = 64
"""Rows in one batch: packing and unpacking it takes about 0.2 ms."""
_APART_FROM: Final = 4096
"""Bytes of a payload or frame from which it is kept as it is, and not packed with its rows."""
_LET_GO: Final = "let go: too many bytes came after it"


class Packed:
    """Rows of consecutive numbers, compressed; what is large stays beside them, shared.

    Several batches may share one large frame: its weight is that of the last of them.
    """

    __slots__ = ("_apart", "_data", "_frames", "first", "last", "size")

    def __init__(self, rows: list[Row]) -> None:
        self.first = rows[0].seq
        self.last = rows[-1].seq
        self._apart: list[bytes | None] = []
        """Large payloads, by the row's place in the batch; empty where no row has one."""
        self._frames: list[bytes | None] = []
        self._pack(rows)

    def rows(self) -> list[Row]:
        """The rows as they were; what has left is left out."""
        rows: list[Row] = pickle.loads(zlib.decompress(self._data))
        for row, payload in zip(rows, self._apart, strict=False):
            if payload is not None:
                row.payload = payload
        for row, frame in zip(rows, self._frames, strict=False):
            if frame is not None:
                row.frame = frame
        return rows

    @property
    def last_frame(self) -> bytes | None:
        """The last row's frame, if it is a large one: the next row may share it."""
        return self._frames[-1] if self._frames else None

    def give_up(self, following: "Packed") -> int:
        """Leave a frame that goes on in the next batch to it; returns what it weighed here."""
        frame = self.last_frame
        if frame is None or not following._frames or frame is not following._frames[0]:
            return 0
        self.size -= len(frame)
        return len(frame)

    def drop_frames(self) -> int:
        """Forget the frames; returns how many bytes that saved."""
        return self._repack(payloads=True)

    def drop_payloads(self) -> int:
        return self._repack(payloads=False)

    def _repack(self, *, payloads: bool) -> int:
        rows, before = self.rows(), self.size
        for row in rows:
            row.frame = b""
            if not payloads and row.payload:
                row.payload = None
                row.detail = {**row.detail, "body": _LET_GO}
        self._pack(rows)
        return before - self.size

    def _pack(self, rows: list[Row]) -> None:
        payloads = [_large(row.payload) for row in rows]
        frames = [_large(row.frame) for row in rows]
        kept = [(row.payload, row.frame) for row in rows]
        for row, payload, frame in zip(rows, payloads, frames, strict=True):
            if payload is not None:
                row.payload = None
            if frame is not None:
                row.frame = b""
        # Pickled, since a row's detail may hold anything; what is unpickled is always our own.
        self._data = zlib.compress(pickle.dumps(rows, pickle.HIGHEST_PROTOCOL), 1)
        for row, (body, whole) in zip(rows, kept, strict=True):
            row.payload, row.frame = body, whole
        self._apart = payloads if any(payload is not None for payload in payloads) else []
        self._frames = frames if any(frame is not None for frame in frames) else []
        self.size = len(self._data) + sum(len(each) for each in payloads if each is not None)
        self.size += sum(
            len(frame)
            for at, frame in enumerate(frames)
            if frame is not None and (at + 1 == len(frames) or frames[at + 1] is not frame)
        )


def _large(body: bytes | None) -> bytes | None:
    return body if body is not None and len(body) >= _APART_FROM else None
