"""Segments of older formats, to be read: `frame` and `segment` write them as these did."""

import struct
from itertools import chain
from zlib import crc32

import google_crc32c
from mockforge_brokers.storage.segments import head_of
from msgspec import msgpack


def frame(version, salt, group, rows, gone=(), ranges=(), entities=(), flags=0, synced=0):
    """Of the second, third or fourth format."""
    crc, salted = crc32, crc32
    if version > 2:
        crc, salted = google_crc32c.value, lambda head, salt: google_crc32c.extend(salt, head)
    values = list(rows.values())
    numbers = [*gone, *chain.from_iterable(ranges)]
    index = struct.pack(
        f"<{len(rows)}Q{2 * len(rows)}I{len(numbers)}Q",
        *rows,
        *map(len, values),
        *map(crc, values),
        *numbers,
    )
    kept = msgpack.encode(list(entities)) if entities else b""
    head = struct.pack(
        "<4sIIIIIQQII" if version == 2 else "<4sIIIIIQQQII",
        b"MFgr",
        flags,
        len(rows),
        len(gone),
        len(ranges),
        len(kept),
        sum(map(len, values)),
        group,
        *(() if version == 2 else (synced,)),
        crc(index),
        crc(kept),
    )
    return b"".join((head, struct.pack("<I", salted(head, salt)), index, kept, *values))


def segment(version, number, salt, *frames):
    return head_of(number, salt, 0, version) + b"".join(frames)
