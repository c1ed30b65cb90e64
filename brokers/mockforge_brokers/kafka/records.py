"""Record batches (message format v2): header, checksum, offsets; records only when looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Compression(IntEnum):
    """The codec in a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


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

    # properties: size, last_offset, compression, is_transactional, is_control,
    # log_append_time: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One record; timestamps are in ms, headers keep their order and may repeat."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def read_batch_header(data: bytes, at: int = 0) -> BatchHeader:
    """The header of the batch at `at`. Raises CorruptBatch."""
    raise NotImplementedError


def split_batches(data: bytes) -> list[tuple[BatchHeader, bytes]]:
    """The batches of a records field, each with its bytes; an incomplete last one is corrupt."""
    raise NotImplementedError


def check_crc(batch: bytes, header: BatchHeader) -> bool:
    """Whether the batch's CRC-32C is that of its bytes."""
    raise NotImplementedError


def place(batch: bytes, base_offset: int, partition_leader_epoch: int) -> bytes:
    """The batch at its place in the log: both fields lie outside of the CRC."""
    raise NotImplementedError


def read_records(batch: bytes) -> Iterator[Record]:
    """The records of one batch, decompressed and decoded."""
    raise NotImplementedError


def build_batch(
    records: Sequence[Record],
    *,
    compression: Compression = Compression.NONE,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
) -> bytes:
    """One batch of records; offsets count from 0, timestamps are the records'."""
    raise NotImplementedError
