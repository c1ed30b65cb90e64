"""Produce by hand: the one message whose decoding shows in the broker's throughput.

It reads and writes what `messages/logs.py` says, without an object for each part. A request that
it cannot read is given to the general decoder, which knows how to name the field.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ...errors import LocalError, ProtocolError
from ..varints import Malformed, read_uvarint, write_uvarint
from .codec import UNBOUNDED, decode, too_many
from .decoders import TooMany
from .messages.logs import ProduceRequest
from .tagged_fields import read_tags

_INT16 = struct.Struct(">h").unpack_from
_INT32 = struct.Struct(">i").unpack_from
_ACKS_AND_TIMEOUT = struct.Struct(">hi").unpack_from
_ACKS_TIMEOUT_AND_COUNT = struct.Struct(">hii").unpack_from
_PARTITION_AND_LENGTH = struct.Struct(">ii").unpack_from

_FIRST_FLEXIBLE = 9
FIRST_WITH_TOPIC_IDS = 13


class ProduceRequestParts(NamedTuple):
    """A request's facts. Topics are names, or 16-byte topic ids from version 13 on."""

    transactional_id: str | None
    acks: int
    timeout_ms: int
    topics: list[tuple[str | bytes, list[tuple[int, bytes | None]]]]
    """(topic, [(partition, records)])"""


class PartitionResult(NamedTuple):
    """What became of one partition's records."""

    partition: int
    error_code: int
    base_offset: int
    log_append_time_ms: int = -1
    log_start_offset: int = -1
    error_message: str | None = None
    record_errors: Sequence[tuple[int, str]] = ()
    """Which records of the batch were why, with an error message only (KIP-467)."""


def read_request(frame: bytes, at: int, version: int, most: int = UNBOUNDED) -> ProduceRequestParts:
    """Take a request apart from `at`, where its header ends; versions 3 to 13.

    Raises TooManyItems where it has more than `most` topics, partitions and tagged fields.
    """
    if version not in ProduceRequest.versions:
        raise ProtocolError(f"ProduceRequest v{version}: only {ProduceRequest.versions} is spoken")
    try:
        if version < _FIRST_FLEXIBLE:
            return _read_classic(frame, at, most)
        return _read_flexible(frame, at, version >= FIRST_WITH_TOPIC_IDS, most)
    except TooMany:
        raise too_many(ProduceRequest, version, most) from None
    except (struct.error, IndexError, UnicodeDecodeError, Malformed):
        decode(ProduceRequest, version, frame, at)
        raise  # pragma: no cover: the general decoder refuses what is refused here


# All of them raise TooMany where there is more than `room` for.


def _read_classic(frame: bytes, at: int, room: int) -> ProduceRequestParts:
    size = len(frame)
    (length,) = _INT16(frame, at)
    at += 2
    transactional_id = None
    if length >= 0:
        transactional_id = frame[at : at + length].decode()
        at += length
    acks, timeout_ms, topic_count = _ACKS_TIMEOUT_AND_COUNT(frame, at)
    at += 10
    topics: list[tuple[str | bytes, list[tuple[int, bytes | None]]]] = []
    for _ in range(_counted(topic_count, size - at)):
        (length,) = _INT16(frame, at)
        at += 2
        end = at + _counted(length, size - at)
        name = frame[at:end].decode()
        (count,) = _INT32(frame, end)
        at = end + 4
        room -= 1 + count
        if room < 0:
            raise TooMany
        partitions: list[tuple[int, bytes | None]] = []
        for _ in range(_counted(count, size - at)):
            partition, length = _PARTITION_AND_LENGTH(frame, at)
            at += 8
            if length < 0:
                partitions.append((partition, None))
                continue
            end = at + length
            if end > size:
                raise IndexError
            partitions.append((partition, frame[at:end]))
            at = end
        topics.append((name, partitions))
    return ProduceRequestParts(transactional_id, acks, timeout_ms, topics)


def _read_flexible(frame: bytes, at: int, with_topic_ids: bool, room: int) -> ProduceRequestParts:
    size = len(frame)
    length, at = read_uvarint(frame, at)
    transactional_id = None
    if length:
        end = at + length - 1
        transactional_id = frame[at:end].decode()
        at = end
    acks, timeout_ms = _ACKS_AND_TIMEOUT(frame, at)
    count, at = read_uvarint(frame, at + 6)
    topics: list[tuple[str | bytes, list[tuple[int, bytes | None]]]] = []
    for _ in range(_counted(count - 1, size - at)):
        topic: str | bytes
        if with_topic_ids:
            topic = frame[at : at + 16]
            at += 16
        else:
            length, at = read_uvarint(frame, at)
            end = at + _counted(length - 1, size - at)
            topic = frame[at:end].decode()
            at = end
        count, at = read_uvarint(frame, at)
        room -= count
        if room < 0:
            raise TooMany
        partitions: list[tuple[int, bytes | None]] = []
        for _ in range(_counted(count - 1, size - at)):
            (partition,) = _INT32(frame, at)
            length, at = read_uvarint(frame, at + 4)
            if length:
                end = at + length - 1
                if end > size:
                    raise IndexError
                partitions.append((partition, frame[at:end]))
                at = end
            else:
                partitions.append((partition, None))
            at, room = _skip_tags(frame, at, room)
        topics.append((topic, partitions))
        at, room = _skip_tags(frame, at, room)
    _skip_tags(frame, at, room)
    return ProduceRequestParts(transactional_id, acks, timeout_ms, topics)


def _counted(count: int, left: int) -> int:
    if 0 <= count <= left:
        return count
    raise IndexError


def _skip_tags(frame: bytes, at: int, room: int) -> tuple[int, int]:
    """Where they end, and for how many items there is room behind them."""
    if not frame[at]:
        return at + 1, room
    count, at = read_uvarint(frame, at)
    room -= count
    if room < 0:
        raise TooMany
    return read_tags(frame, at, count)[1], room


_HEAD_CLASSIC = struct.Struct(">iii").pack  # size, correlation id, number of topics
_HEAD_FLEXIBLE = struct.Struct(">iix").pack
_COUNT = struct.Struct(">i").pack
_LENGTH = struct.Struct(">h").pack
_THROTTLE_TIME_AND_TAGS = struct.Struct(">ix").pack
# partition, error code, base offset, log append time, from v5 on log start offset
_RESULT_V3 = struct.Struct(">ihqq").pack
_RESULT_V5 = struct.Struct(">ihqqq").pack
# ... from v8 on no record errors, and the error message's length
_RESULT_V8 = struct.Struct(">ihqqqih").pack

Results = Sequence[tuple[str | bytes, Sequence[PartitionResult]]]


def write_response(
    version: int, correlation_id: int, results: Results, throttle_time_ms: int = 0
) -> bytes:
    """A whole response frame, in the order of `results`: (topic, partitions).

    A new leader's address needs `ProduceResponse` and `encode_response`.
    """
    if version < _FIRST_FLEXIBLE:
        pieces = _write_classic(version, results)
        pieces.append(_COUNT(throttle_time_ms))
        size = 8 + sum(map(len, pieces))
        pieces.insert(0, _HEAD_CLASSIC(size, correlation_id, len(results)))
    else:
        pieces = _write_flexible(results)
        pieces.append(_THROTTLE_TIME_AND_TAGS(throttle_time_ms))
        size = 5 + sum(map(len, pieces))
        pieces.insert(0, _HEAD_FLEXIBLE(size, correlation_id))
    return b"".join(pieces)


def _write_classic(version: int, results: Results) -> list[bytes]:
    pieces: list[bytes] = []
    for topic, partitions in results:
        name = _name(topic)
        pieces += _LENGTH(len(name)), name, _COUNT(len(partitions))
        for result in partitions:
            if version < 5:
                pieces.append(_RESULT_V3(*result[:4]))
            elif version < 8:
                pieces.append(_RESULT_V5(*result[:5]))
            elif result.error_message is None:
                pieces.append(_RESULT_V8(*result[:5], 0, -1))
            else:
                message = result.error_message.encode()
                pieces.append(_RESULT_V5(*result[:5]))
                pieces.append(_COUNT(len(result.record_errors)))
                for number, text in result.record_errors:
                    problem = text.encode()
                    pieces += _COUNT(number), _LENGTH(len(problem)), problem
                pieces += _LENGTH(len(message)), message
    return pieces


def _write_flexible(results: Results) -> list[bytes]:
    pieces = [write_uvarint(len(results) + 1)]
    for topic, partitions in results:
        if isinstance(topic, str):
            name = topic.encode()
            pieces += write_uvarint(len(name) + 1), name
        else:
            pieces.append(topic)
        pieces.append(write_uvarint(len(partitions) + 1))
        for result in partitions:
            pieces.append(_RESULT_V5(*result[:5]))
            if result.error_message is None:
                pieces.append(b"\1\0\0")  # no record errors, no message, no tagged fields
            else:
                message = result.error_message.encode()
                pieces.append(write_uvarint(len(result.record_errors) + 1))
                for number, text in result.record_errors:
                    problem = text.encode()
                    pieces += _COUNT(number), write_uvarint(len(problem) + 1), problem, b"\0"
                pieces += write_uvarint(len(message) + 1), message, b"\0"
        pieces.append(b"\0")
    return pieces


def _name(topic: str | bytes) -> bytes:
    if isinstance(topic, str):
        return topic.encode()
    raise LocalError("Produce names topics by id from version 13 on only")
