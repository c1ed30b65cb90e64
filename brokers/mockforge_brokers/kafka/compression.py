"""The four compressions of record batches, as clients write them and as all clients read them."""

import struct
import types
import zlib
from typing import assert_never

import cramjam

from ..errors import ProtocolError
from .codes import Compression

MAX_DECOMPRESSED = 128 * 1024 * 1024
"""What one batch may become: a few kilobytes of zstd can claim to be gigabytes."""

_GZIP_WINDOW = 31  # zlib's notation for a gzip header and a window of 32 KiB

_GZIP_MAGIC = b"\x1f\x8b\x08"
_NO_MEMBER = 18
"""Bytes, header and trailer, behind a member that Java does not look at."""
_MOST_MEMBERS = 1000
"""Of one batch: clients write one, and each takes its time, be it empty."""
_FIRST_LOOK = 4096

# Java's snappy stream: magic, version, compatible version, then blocks with their size.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = _XERIAL_MAGIC + struct.pack(">ii", 1, 1)
_XERIAL_BLOCK = 32 * 1024
_SIZE = struct.Struct(">i")


def compress(codec: Compression, data: bytes, level: int | None = None) -> bytes:
    """`level` is the codec's own, where it has any; None: its default."""
    match codec:
        case Compression.NONE:
            return data
        case Compression.GZIP:
            return zlib.compress(data, -1 if level is None else level, wbits=_GZIP_WINDOW)
        case Compression.SNAPPY:
            return _compress_snappy(data)
        case Compression.LZ4:
            # Java reads independent blocks only.
            stream = cramjam.lz4.Compressor(level, content_checksum=False, block_linked=False)
            stream.compress(data)
            return bytes(stream.finish())
        case Compression.ZSTD:
            return bytes(cramjam.zstd.compress(data, level))
        case _:
            assert_never(codec)


def decompress(codec: Compression, data: bytes, limit: int = MAX_DECOMPRESSED) -> bytes:
    """The bytes that were compressed. Raises ProtocolError if they are corrupt or over `limit`."""
    try:
        match codec:
            case Compression.NONE:
                return data
            case Compression.GZIP:
                return _decompress_gzip(data, limit)
            case Compression.SNAPPY:
                return _decompress_snappy(data, limit)
            case Compression.LZ4:
                return _grow_and_decompress(cramjam.lz4, data, limit)
            case Compression.ZSTD:
                return _grow_and_decompress(cramjam.zstd, data, limit)
            case _:
                assert_never(codec)
    except (zlib.error, cramjam.DecompressionError, struct.error) as error:
        raise ProtocolError(f"{codec.name.lower()} data of {len(data)} bytes: {error}") from None


def _decompress_gzip(data: bytes, limit: int) -> bytes:
    """All members, one behind the other: as Java, which leaves what follows and begins none."""
    view, at, room = memoryview(data), 0, limit
    pieces: list[bytes] = []
    for _ in range(_MOST_MEMBERS):
        at, room = _decompress_member(view, at, room, pieces)
        if room < 0:
            raise zlib.error(_over(limit))
        if len(data) - at <= _NO_MEMBER or not data.startswith(_GZIP_MAGIC, at):
            return b"".join(pieces)
    raise zlib.error(f"more than {_MOST_MEMBERS:,} members")


def _decompress_member(
    view: memoryview, at: int, room: int, pieces: list[bytes]
) -> tuple[int, int]:
    """Returns where it ends, and how much room is left; below 0: it did not fit.

    It is handed over bit by bit: what is not its own would be copied.
    """
    stream = zlib.decompressobj(wbits=_GZIP_WINDOW)
    size = _FIRST_LOOK
    while not stream.eof:
        given = view[at : at + size]
        if not given:
            raise zlib.error("truncated")
        plain = stream.decompress(given, room + 1)
        room -= len(plain)
        if room < 0:
            break
        pieces.append(plain)
        at += len(given) - len(stream.unused_data)
        size *= 4
    return at, room


def _compress_snappy(data: bytes) -> bytes:
    # Java reads this framing only; librdkafka, sarama, KafkaJS and the Python clients read both.
    pieces = [_XERIAL_HEADER]
    for at in range(0, len(data), _XERIAL_BLOCK):
        block = bytes(cramjam.snappy.compress_raw(data[at : at + _XERIAL_BLOCK]))
        pieces += _SIZE.pack(len(block)), block
    return b"".join(pieces)


def _decompress_snappy(data: bytes, limit: int) -> bytes:
    if not data.startswith(_XERIAL_MAGIC):
        return _decompress_snappy_block(data, limit, limit)  # librdkafka writes one bare block
    pieces = []
    room = limit
    at = len(_XERIAL_HEADER)
    if len(data) < at:
        raise ProtocolError(f"snappy stream of {len(data)} bytes; its header has {at}")
    while at < len(data):
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        if not 0 < size <= len(data) - at:
            raise ProtocolError(f"snappy block of {size} bytes with {len(data) - at} left")
        pieces.append(_decompress_snappy_block(data[at : at + size], room, limit))
        room -= len(pieces[-1])
        at += size
    return b"".join(pieces)


def _decompress_snappy_block(block: bytes, room: int, limit: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(block) > room:
        raise cramjam.DecompressionError(_over(limit))
    return bytes(cramjam.snappy.decompress_raw(block))


def _grow_and_decompress(codec: types.ModuleType, data: bytes, limit: int) -> bytes:
    """Frames need not say how large their content is: try with room that grows to `limit`."""
    room = min(max(8 * len(data), 64 * 1024), limit)
    while True:
        buffer = bytearray(room)
        try:
            size = codec.decompress_into(data, buffer)
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
            if room == limit:
                raise cramjam.DecompressionError(_over(limit)) from None
            room = min(8 * room, limit)
        else:
            return bytes(memoryview(buffer)[:size])


def _over(limit: int) -> str:
    return f"more than {limit} bytes when decompressed"
