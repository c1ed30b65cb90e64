"""Record batches (message format v2): header, checksum, offsets; records only when looked at."""

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from ..errors import ProtocolError
from ..fairness import Stepped, finished
from .codes import Compression as Compression
from .compression import compress, decompress
from .scattered import CRC_FROM, Buffer, Scattered, crc32c, crc32c_of
from .varints import append_varint, read_uvarint, read_varint

HEADER_SIZE = 61

_HEADER = struct.Struct(">qiibIhiqqqhii")
unpack_header = _HEADER.unpack_from
"""The fields of `BatchHeader`."""
_PLACE = struct.Struct(">qii")
_CONTROL_KEY = struct.Struct(">hh")
_MARKER = struct.Struct(">hi")
_UP_TO_CRC = struct.Struct(">qiibI")
_MARKER_FROM_ATTRIBUTES = struct.Struct(">hiqqqhii" + "bbbbbhhbhib")
"""The rest of a marker's batch: that of its header, and its one record."""
_MARKER_KEY, _MARKER_VALUE = 2 * _CONTROL_KEY.size, 2 * _MARKER.size
_MARKER_RECORD = 2 * (6 + _CONTROL_KEY.size + _MARKER.size)
"""Lengths as varints, in which they are doubled (zigzag)."""
_ATTRIBUTES = struct.Struct(">h")
_TIMESTAMP = struct.Struct(">q")
_CRC_AT = 17
_ATTRIBUTES_LOW = 22
_MAX_TIMESTAMP_AT = 35
LENGTH_COUNTS_FROM = 12
_LEAST_INT, _GREATEST_INT = -(2**31), 2**31 - 1
_LEAST_LONG, _GREATEST_LONG = -(2**63), 2**63 - 1
_SMALL = 4096
"""Bytes of a batch that are copied twice sooner than looked at through a view."""
LARGE = 32 * 1024
"""Bytes of a batch whose checksum is made part by part."""
_MOST_PIECES = 8
"""Of a batch that is kept in pieces."""

_COMPRESSION_MASK = 0x07
_LOG_APPEND_TIME = 0x08
_TRANSACTIONAL = 0x10
_CONTROL = 0x20
_DELETE_HORIZON = 0x40
_A_STEP = 128
"""Records that are written in one step."""


Headers = tuple[tuple[str, bytes | None], ...]


class BatchHeader(NamedTuple):
    """The first 61 bytes of a batch."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """The bytes of the whole batch."""
        return self.batch_length + LENGTH_COUNTS_FROM

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def compression(self) -> Compression:
        """Raises ProtocolError for a codec that Kafka does not have."""
        codec = self.attributes & _COMPRESSION_MASK
        if codec > Compression.ZSTD:
            raise ProtocolError(f"record batch: compression {codec} is not known")
        return Compression(codec)

    @property
    def has_log_append_time(self) -> bool:
        """All records have `max_timestamp`, given by the broker, for their timestamp."""
        return bool(self.attributes & _LOG_APPEND_TIME)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def delete_horizon(self) -> int | None:
        """From when on (ms) its tombstones may leave; a compaction sets it (KIP-534)."""
        return self.base_timestamp if self.attributes & _DELETE_HORIZON else None

    @property
    def is_control(self) -> bool:
        """The records are the broker's own marks, not data."""
        return bool(self.attributes & _CONTROL)


class ControlType(IntEnum):
    """What a control record says of its producer's transaction."""

    ABORT = 0
    COMMIT = 1


class Record(NamedTuple):
    """One record; its timestamp is in ms, headers keep their order and may repeat."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def read_batch_header(data: bytes, at: int = 0) -> BatchHeader:
    """The header of the batch at `at`. Raises ProtocolError for older formats and short data."""
    if len(data) - at > 16 and data[at + 16] != 2:
        raise ProtocolError(
            f"record batch: message format v{data[at + 16]} is not taken, only v2 (Kafka 0.11)"
        )
    if len(data) - at < HEADER_SIZE:
        raise ProtocolError(f"record batch: {len(data) - at} bytes, {HEADER_SIZE} are its header")
    return BatchHeader._make(unpack_header(data, at))


def header_of(batch: bytes) -> BatchHeader:
    """The header of what is known to be a batch of format v2: nothing is checked."""
    # Past the constructor of a named tuple, which counts the fields again: each batch is read so.
    return tuple.__new__(BatchHeader, unpack_header(batch))


def is_control(batch: bytes) -> bool:
    """Whether a stored batch is a transaction's marker, which no consumer shows."""
    return bool(batch[_ATTRIBUTES_LOW] & _CONTROL)


def split_batches(data: bytes) -> list[tuple[BatchHeader, bytes]]:
    """The batches of a records field, each with its bytes.

    A batch cut short at the end is left out: a Fetch response may end in one (KIP-74).
    """
    batches = []
    at = 0
    while len(data) - at >= HEADER_SIZE:
        header = read_batch_header(data, at)
        if header.size < HEADER_SIZE:
            raise ProtocolError(f"record batch: a length of {header.batch_length}")
        end = at + header.size
        if end > len(data):
            break
        batches.append((header, data[at:end]))
        at = end
    return batches


def check_crc(batch: Buffer, header: BatchHeader) -> bool:
    """Whether the batch's CRC-32C is that of its bytes from the attributes on."""
    if isinstance(batch, bytes) and len(batch) < LARGE:
        return crc32c(batch[CRC_FROM:]) == header.crc
    return crc_of_large(batch) == header.crc


def crc_of_large(batch: Buffer) -> int:
    """The CRC-32C of its bytes from the attributes on, of which no copy is made."""
    if isinstance(batch, bytes):
        return crc32c_of((memoryview(batch)[CRC_FROM:],))
    return batch.crc()


def place(batch: Buffer, base_offset: int, partition_leader_epoch: int) -> Buffer:
    """The batch at its place in the log: both fields lie outside of the CRC."""
    if isinstance(batch, bytes):
        return place_whole(batch, base_offset, partition_leader_epoch)
    size = len(batch)
    head = _PLACE.pack(base_offset, size - LENGTH_COUNTS_FROM, partition_leader_epoch)
    header, rest = batch.header, batch.rest
    # Of many small pieces each would cost what a whole batch does.
    if len(rest) >= _MOST_PIECES:
        return b"".join((head, header[_PLACE.size :], *rest))
    return Scattered([head + header[_PLACE.size :], *rest], size)


def place_whole(batch: bytes, base_offset: int, partition_leader_epoch: int) -> bytes:
    """The same of one in one piece."""
    head = _PLACE.pack(base_offset, len(batch) - LENGTH_COUNTS_FROM, partition_leader_epoch)
    if len(batch) < _SMALL:
        return head + batch[_PLACE.size :]
    return b"".join((head, memoryview(batch)[_PLACE.size :]))


def with_timestamps(batch: bytes, attributes: int, max_timestamp: int) -> bytes:
    """The batch with other attributes and another newest timestamp (ms), its CRC made anew."""
    changed = bytearray(batch)
    _ATTRIBUTES.pack_into(changed, CRC_FROM, attributes)
    _TIMESTAMP.pack_into(changed, _MAX_TIMESTAMP_AT, max_timestamp)
    return _sealed(bytes(changed))


def recompressed(batch: bytes, codec: Compression, level: int | None = None) -> bytes:
    """The same records by another codec. Raises ProtocolError for what cannot be decompressed."""
    header = read_batch_header(batch)
    data = decompress(header.compression, bytes(batch[HEADER_SIZE : header.size]))
    attributes = header.attributes & ~_COMPRESSION_MASK | codec
    return _written(header._replace(attributes=attributes), compress(codec, data, level))


def rebuilt(header: BatchHeader, records: Sequence[Record], delete_horizon: int | None) -> bytes:
    """`rebuilt_by_steps`, at once."""
    return finished(rebuilt_by_steps(header, records, delete_horizon))


def rebuilt_by_steps(
    header: BatchHeader, records: Sequence[Record], delete_horizon: int | None
) -> Stepped[bytes]:
    """The batch of this header with only these of its records, which keep offsets and times.

    Its offsets span what they did before, so that what left leaves a gap; its producer's
    sequences stay too. With a `delete_horizon` (ms) its tombstones may leave from then on: it
    takes the place of the first timestamp (KIP-534).
    """
    attributes, base_timestamp = header.attributes, header.base_timestamp
    if delete_horizon is not None:
        attributes |= _DELETE_HORIZON
        base_timestamp = delete_horizon
    body = bytearray()
    for number, record in enumerate(records, 1):
        _write_record(
            body, record, record.offset - header.base_offset, record.timestamp - base_timestamp
        )
        if not number % _A_STEP:
            yield
    newest = header.max_timestamp
    if records and not header.has_log_append_time:
        newest = max(record.timestamp for record in records)
    made = header._replace(
        attributes=attributes,
        base_timestamp=base_timestamp,
        max_timestamp=newest,
        record_count=len(records),
    )
    return _written(made, compress(header.compression, bytes(body)) if records else b"")


def _written(header: BatchHeader, data: bytes) -> bytes:
    """A batch of this header, its length and CRC made anew, and these compressed records."""
    header = header._replace(batch_length=HEADER_SIZE - LENGTH_COUNTS_FROM + len(data))
    return _sealed(_HEADER.pack(*header) + data)


def _sealed(batch: bytes) -> bytes:
    crc = crc32c(batch[CRC_FROM:])
    return batch[:_CRC_AT] + crc.to_bytes(4, "big") + batch[CRC_FROM:]


def read_records(batch: bytes, first: int = 0) -> Iterator[Record]:
    """The records of one batch, decompressed and decoded. Raises ProtocolError on the way.

    Those in front of the offset `first` are passed by, for a fifth of what it takes to read them.
    """
    header = read_batch_header(batch)
    data = decompress(header.compression, batch[HEADER_SIZE : header.size])
    yield from decoded_records(header, data, first=first)


def decoded_records(
    header: BatchHeader,
    data: bytes,
    *,
    first: int = 0,
    whole: bool = False,
    begin: tuple[int, int] = (0, 0),
) -> Iterator[Record]:
    """The records of a batch whose decompressed records are `data`. Raises ProtocolError.

    `whole`: nothing may follow the last one. `begin`: with the record of this number, at this place
    in `data`.
    """
    append_time = header.max_timestamp if header.has_log_append_time else None
    base_offset, base_timestamp = header.base_offset, header.base_timestamp
    least = first - base_offset
    number, at = begin
    for index in range(number, header.record_count):
        try:
            if least > 0:
                offset, end = offset_and_end(data, at)
                if offset < least:
                    at = end
                    continue
                least = 0
            offset, timestamp, key, value, headers, at = _read_record(data, at)
        except (IndexError, ValueError) as error:
            raise ProtocolError(
                f"record {index} of the batch at offset {base_offset}: {error}"
            ) from None
        timestamp = base_timestamp + timestamp if append_time is None else append_time
        if not _LEAST_LONG <= timestamp <= _GREATEST_LONG:
            # As Java's clients add it up: with no more than the 64 bits that a field has for it.
            timestamp = (timestamp - _LEAST_LONG) % 2**64 + _LEAST_LONG
        yield Record(base_offset + offset, timestamp, key, value, headers)
    if whole and at != len(data):
        raise ProtocolError(
            f"{len(data) - at} bytes after the last of {header.record_count} records"
        )


def lengths_fit(data: bytes, count: int) -> bool:
    """Whether the lengths of `count` decompressed records lead from one to the next and to the end.

    That is a twentieth of what it takes to read them.
    """
    at, end = 0, len(data)
    try:
        for _ in range(count):
            # Nearly all lengths take one byte or two; an odd one is below zero (zigzag).
            length = data[at]
            at += 1
            if length > 0x7F:
                second = data[at]
                if second > 0x7F:
                    length, at = read_uvarint(data, at - 1)
                else:
                    length = length & 0x7F | second << 7
                    at += 1
            if length & 1:
                return False
            at += length >> 1
    except (IndexError, ValueError):
        return False
    return at == end


def read_control_type(record: Record) -> ControlType | None:
    """What a record of a control batch says; None for types that no client knows."""
    key = record.key or b""
    kind = int.from_bytes(key[2:4], "big") if len(key) >= 4 else -1
    return ControlType(kind) if kind in (ControlType.ABORT, ControlType.COMMIT) else None


def build_batch(
    records: Sequence[Record],
    *,
    compression: Compression = Compression.NONE,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    transactional: bool = False,
    control: bool = False,
) -> bytes:
    """One batch of records, to be placed; their own offsets are not looked at."""
    if not records:
        raise ValueError("a batch has at least one record")
    base_timestamp = records[0].timestamp
    body = bytearray()
    for delta, record in enumerate(records):
        _write_record(body, record, delta, record.timestamp - base_timestamp)
    data = compress(compression, bytes(body))
    attributes = int(compression)
    attributes |= _TRANSACTIONAL if transactional else 0
    attributes |= _CONTROL if control else 0
    header = BatchHeader(
        base_offset=0,
        batch_length=HEADER_SIZE - LENGTH_COUNTS_FROM + len(data),
        partition_leader_epoch=-1,
        magic=2,
        crc=0,
        attributes=attributes,
        last_offset_delta=len(records) - 1,
        base_timestamp=base_timestamp,
        max_timestamp=max(record.timestamp for record in records),
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        record_count=len(records),
    )
    return _sealed(_HEADER.pack(*header) + data)


def build_marker(
    producer_id: int,
    producer_epoch: int,
    *,
    committed: bool,
    coordinator_epoch: int,
    timestamp: int,
    base_offset: int,
    partition_leader_epoch: int,
) -> bytes:
    """The control batch that ends a transaction (KIP-98), at its place: one record, versions 0."""
    kind = ControlType.COMMIT if committed else ControlType.ABORT
    # As `build_batch` would make it, in one go: for each partition of a transaction there is one.
    rest = _MARKER_FROM_ATTRIBUTES.pack(
        _TRANSACTIONAL | _CONTROL, 0, timestamp, timestamp, producer_id, producer_epoch, -1, 1,
        _MARKER_RECORD, 0, 0, 0, _MARKER_KEY, 0, kind, _MARKER_VALUE, 0, coordinator_epoch, 0,
    )  # fmt: skip
    length = _UP_TO_CRC.size - LENGTH_COUNTS_FROM + len(rest)
    return _UP_TO_CRC.pack(base_offset, length, partition_leader_epoch, 2, crc32c(rest)) + rest


def read_marker(batch: bytes) -> tuple[bool, int] | None:
    """Of a control batch that ends a transaction: whether it commits, the coordinator's epoch.

    None: a compaction took all of the transaction, and the batch is there for its offset alone.
    """
    record = next(read_records(batch), None)
    if record is None:
        return None
    _, kind = _CONTROL_KEY.unpack_from(record.key or b"")
    _, coordinator_epoch = _MARKER.unpack_from(record.value or b"")
    return kind == ControlType.COMMIT, coordinator_epoch


def offset_and_end(data: bytes, at: int) -> tuple[int, int]:
    """The offset delta of a record, and where the next one begins."""
    length, at = read_varint(data, at)
    end = at + length
    if length < 0 or end > len(data):
        raise ValueError(f"{length} bytes, {len(data) - at} left")
    _, at = read_varint(data, at + 1)
    return read_varint(data, at)[0], end


def _read_record(data: bytes, at: int) -> tuple[int, int, bytes | None, bytes | None, Headers, int]:
    """Offset and timestamp as deltas, key, value, headers, and where the next record begins."""
    length, at = read_varint(data, at)
    end = at + length
    if length < 0 or end > len(data):
        raise ValueError(f"{length} bytes, {len(data) - at} left")
    at += 1  # attributes: no bit of them is in use
    timestamp, at = read_varint(data, at)
    offset, at = read_varint(data, at)
    if not _LEAST_INT <= offset <= _GREATEST_INT:
        raise ValueError(f"an offset delta of {offset}")
    key, at = _read_bytes(data, at)
    value, at = _read_bytes(data, at)
    count, at = read_varint(data, at)
    headers: Headers = ()
    if count:
        headers, at = _read_headers(data, at, count)
    if at != end:
        raise ValueError(f"its length is {length}, its fields take {length + at - end}")
    return offset, timestamp, key, value, headers, end


def _read_headers(data: bytes, at: int, count: int) -> tuple[Headers, int]:
    if not 0 <= count <= len(data) - at:
        raise ValueError(f"{count} headers")
    headers = []
    for _ in range(count):
        name, at = _read_bytes(data, at)
        if name is None:
            raise ValueError("a header without a name")
        value, at = _read_bytes(data, at)
        headers.append((name.decode(), value))
    return tuple(headers), at


def _read_bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = read_varint(data, at)
    if length < 0:
        return None, at
    end = at + length
    if end > len(data):
        raise ValueError(f"{length} bytes, {len(data) - at} left")
    return data[at:end], end


def _write_record(out: bytearray, record: Record, offset_delta: int, timestamp_delta: int) -> None:
    body = bytearray(1)  # attributes
    append_varint(body, timestamp_delta)
    append_varint(body, offset_delta)
    _write_bytes(body, record.key)
    _write_bytes(body, record.value)
    append_varint(body, len(record.headers))
    for name, content in record.headers:
        _write_bytes(body, name.encode())
        _write_bytes(body, content)
    append_varint(out, len(body))
    out += body


def _write_bytes(out: bytearray, value: bytes | None) -> None:
    if value is None:
        append_varint(out, -1)
    else:
        append_varint(out, len(value))
        out += value
