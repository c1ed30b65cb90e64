"""What a produced batch must be before it enters a log."""

from itertools import islice
from typing import Final

from ....errors import ProtocolError, RequestRefused
from ...codes import Compression, ErrorCode
from ...compression import decompress
from ...records import (
    BatchHeader,
    Record,
    check_crc,
    decoded_records,
    header_of,
    lengths_fit,
)
from ...scattered import Buffer

_HEADER_SIZE: Final = 61
_MAGIC: Final = 2
_MAGIC_AT: Final = 16
_LEAST_LENGTH: Final = 14
"""What the shortest message of any format declares."""
_LENGTH_COUNTS_FROM: Final = 12
"""`batch_length` leaves out itself and the base offset."""

_COMPRESSION_MASK: Final = 0x07
_CONTROL: Final = 0x20


class NotOneBatchError(RequestRefused):
    """A partition's records are not one batch: no log was asked about them."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorCode.INVALID_RECORD, text)


def first_batch(data: Buffer) -> Buffer:
    """Without what came behind the batch and is no whole one: Kafka leaves that out.

    Raises RequestRefused where another batch comes, or what can be none.
    """
    size = len(data)
    head = data if isinstance(data, bytes) else data.header
    end = int.from_bytes(head[8:_LENGTH_COUNTS_FROM], signed=True) + _LENGTH_COUNTS_FROM
    # What is no batch itself is refused by `admit`.
    if end == size or not _HEADER_SIZE <= end < size or head[_MAGIC_AT] != _MAGIC:
        return data
    whole = bytes(data)
    _check_rest(whole[end:])
    return whole[:end]


def _check_rest(rest: bytes) -> None:
    """As Kafka looks for a second batch: first at the length, then at the format."""
    size = len(rest)
    if size < _LENGTH_COUNTS_FROM:
        return
    declared = int.from_bytes(rest[8:_LENGTH_COUNTS_FROM], signed=True)
    if declared < _LEAST_LENGTH:
        raise _too_short(declared)
    if size <= _MAGIC_AT:
        return
    if rest[_MAGIC_AT] > _MAGIC:
        raise _unknown_magic(rest[_MAGIC_AT])
    if declared + _LENGTH_COUNTS_FROM <= size:
        # KIP-98: from Produce v3 on a partition's records are exactly one batch.
        raise NotOneBatchError("more than one batch for one partition")


def admit(batch: Buffer, max_bytes: int) -> BatchHeader:
    """The header of a batch that may be appended and ends there. Raises RequestRefused."""
    size = len(batch)
    head = batch if isinstance(batch, bytes) else batch.header
    if size < _HEADER_SIZE or head[16] != _MAGIC:
        raise _misfit(bytes(batch))
    if size > max_bytes:
        raise too_large(size, max_bytes)
    header = header_of(head)
    if header.base_offset:
        raise RequestRefused(
            ErrorCode.INVALID_RECORD,
            f"the batch's base offset is {header.base_offset}: a producer's batch begins at 0",
        )
    if header.batch_length + _LENGTH_COUNTS_FROM != size:
        raise _wrong_length(header, size)
    if not check_crc(batch, header):
        raise RequestRefused(ErrorCode.CORRUPT_MESSAGE, "the batch's CRC does not fit its bytes")
    count = header.record_count
    if count < 1 or header.last_offset_delta != count - 1:
        raise RequestRefused(
            ErrorCode.INVALID_RECORD,
            f"the batch counts {count} records, but its last offset delta is"
            f" {header.last_offset_delta}",
        )
    attributes = header.attributes
    if attributes & _CONTROL:
        raise RequestRefused(ErrorCode.INVALID_RECORD, "clients write no control batches")
    if attributes & _COMPRESSION_MASK > Compression.ZSTD:
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
            f"compression {attributes & _COMPRESSION_MASK} is not known",
        )
    if header.producer_id >= 0 and header.base_sequence < 0:
        raise RequestRefused(
            ErrorCode.INVALID_RECORD,
            f"producer {header.producer_id} needs a sequence of 0 or more",
        )
    return header


def whole_records(batch: bytes, header: BatchHeader) -> list[Record]:
    """The records of an admitted batch, checked as Kafka's LogValidator does.

    They are as many as the header counts, with nothing behind them, and compressed ones are
    numbered without a gap; Kafka does not look at the numbers of others. Raises RequestRefused.
    """
    return _checked(header, _decompressed(batch, header), header.record_count)


def look_through(batch: bytes, header: BatchHeader, most: int) -> None:
    """Check the same of the first `most` records, and of the others but their lengths.

    Raises RequestRefused.
    """
    count = header.record_count
    data = _decompressed(batch, header)
    # Where the lengths do not lead to the end, a whole reading finds the record and the words.
    _checked(header, data, most if most < count and lengths_fit(data, count) else count)


def _decompressed(batch: bytes, header: BatchHeader) -> bytes:
    compression = header.compression
    data = batch[_HEADER_SIZE : header.size]
    try:
        # To libzstd no frame at all is nothing; to all others it is no data.
        if data or compression is not Compression.ZSTD:
            data = decompress(compression, data)
    except ProtocolError as error:
        raise _unexpected(error.text) from None
    return data


def _checked(header: BatchHeader, data: bytes, most: int) -> list[Record]:
    """The first `most` records of the decompressed data; of all, nothing may follow the last."""
    whole = most >= header.record_count
    try:
        records = list(islice(decoded_records(header, data, whole=whole), None if whole else most))
    except ProtocolError as error:
        raise RequestRefused(ErrorCode.INVALID_RECORD, error.text) from None
    first = header.base_offset
    if header.compression is not Compression.NONE and any(
        record.offset - first != number for number, record in enumerate(records)
    ):
        raise _unexpected("the compressed records are not numbered one by one")
    return records


def _unexpected(text: str) -> RequestRefused:
    """Kafka has no code for these: its validator runs into them."""
    return RequestRefused(ErrorCode.UNKNOWN_SERVER_ERROR, text)


def too_large(size: int, max_bytes: int) -> RequestRefused:
    return RequestRefused(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"the batch has {size} bytes, max.message.bytes allows {max_bytes}",
    )


def _misfit(batch: bytes) -> RequestRefused:
    """What is no batch by its first bytes; as in Kafka, one that is not whole counts as none."""
    size = len(batch)
    declared = int.from_bytes(batch[8:_LENGTH_COUNTS_FROM], signed=True)
    if size >= _LENGTH_COUNTS_FROM and declared < _LEAST_LENGTH:
        return _too_short(declared)
    magic = batch[_MAGIC_AT] if size > _MAGIC_AT else _MAGIC
    if magic > _MAGIC:
        return _unknown_magic(magic)
    if magic < _MAGIC:
        return NotOneBatchError(f"message format v{magic} is older than record batches (v2)")
    return NotOneBatchError(f"{size} bytes are no whole record batch")


def _wrong_length(header: BatchHeader, size: int) -> RequestRefused:
    declared = header.batch_length + _LENGTH_COUNTS_FROM
    if declared > size:
        return NotOneBatchError(f"the batch declares {declared} bytes, only {size} came")
    if header.batch_length < _LEAST_LENGTH:
        return _too_short(header.batch_length)
    return RequestRefused(
        ErrorCode.CORRUPT_MESSAGE, f"the batch declares {declared} bytes, {size} came"
    )


def _unknown_magic(magic: int) -> RequestRefused:
    return RequestRefused(ErrorCode.CORRUPT_MESSAGE, f"Invalid magic found in record: {magic}")


def _too_short(declared: int) -> RequestRefused:
    return RequestRefused(
        ErrorCode.CORRUPT_MESSAGE,
        f"Record size {declared} is less than the minimum record overhead ({_LEAST_LENGTH})",
    )
