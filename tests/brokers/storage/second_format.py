"""Segments of the second format, to be read: `frame` and `segment` write them as it did."""

import struct
from itertools import chain
from zlib import crc32

from mockforge_brokers.storage.segments import head_of
from msgspec import msgpack


def frame(salt, group, rows, gone=(), ranges=(), entities=(), flags=0):
    values = list(rows.values())
    numbers = [*gone, *chain.from_iterable(ranges)]
    index = struct.pack(
        f"<{len(rows)}Q{2 * len(rows)}I{len(numbers)}Q",
        *rows,
        *map(len, values),
        *map(crc32, values),
        *numbers,
    )
    kept = msgpack.encode(list(entities)) if entities else b""
    head = struct.pack(
        "<4sIIIIIQQII",
        b"MFgr",
        flags,
        len(rows),
        len(gone),
        len(ranges),
        len(kept),
        sum(map(len, values)),
        group,
        crc32(index),
        crc32(kept),
    )
    return b"".join((head, struct.pack("<I", crc32(head, salt)), index, kept, *values))


def segment(number, salt, *frames):
    return head_of(number, salt, 0, 2) + b"".join(frames)
