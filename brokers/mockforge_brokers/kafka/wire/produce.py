"""Produce by hand: the one message whose decoding shows in the broker's throughput."""

from collections.abc import Sequence
from typing import NamedTuple


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


def read_request(frame: bytes, at: int, version: int) -> ProduceRequestParts:
    """Take a request apart from `at`, where its header ends; versions 3 to 13."""
    raise NotImplementedError


def write_response(
    version: int,
    correlation_id: int,
    results: Sequence[tuple[str | bytes, Sequence[PartitionResult]]],
    throttle_time_ms: int = 0,
) -> bytes:
    """A whole response frame, in the order of `results`: (topic, partitions).

    Record errors and a new leader's address need `ProduceResponse` and `encode_response`.
    """
    raise NotImplementedError
