"""What a frame is and which topics it names, without decoding it where that can be helped.

Rules that cannot be about a frame need not read it (see `Connection.glance`).
"""

from __future__ import annotations

import struct
from collections.abc import Hashable
from functools import lru_cache
from typing import Final

from ..errors import BrokerError
from ..journal import IN, OUT
from .codes import ApiKey
from .served import SERVED
from .wire.catalog import REQUESTS, RESPONSES
from .wire.frames import decode_request, decode_response
from .wire.messages.logs import FetchRequest, FetchResponse

HEAD_SIZE: Final = 14
"""Bytes of a request to the client id, which has its length before it."""

AFTER_CORRELATION_ID: Final = 12
ANSWER: Final = 8
"""Where a response begins behind its size and correlation id."""
_FIRST_FLEXIBLE_PRODUCE: Final = 9
_FIRST_PRODUCE_BY_ID: Final = 13
_ACKS_AND_TIMEOUT: Final = 6
_INT16: Final = struct.Struct(">h").unpack_from
_INT32: Final = struct.Struct(">i").unpack_from

_NAMING: Final = frozenset(("topics", "topic_data", "topic_names", "responses", "groups"))
"""The fields of a message in which topics are named."""


@lru_cache(maxsize=2 * len(SERVED))
def _is_nameless(api_key: int, direction: int) -> bool:
    """Whether no message of the API names a topic; not so of one that is not served."""
    message = (REQUESTS if direction == IN else RESPONSES).get(api_key)
    return message is not None and not any(field.name in _NAMING for field in message.fields)


def of_request(frame: bytes, api_key: int, version: int, most: int) -> tuple[Hashable, bool]:
    """See `Connection.glance`; each request says anew which client it is from.

    One that names more than `most` things is not asked for its topics.
    """
    at = HEAD_SIZE + max(0, _INT16(frame, AFTER_CORRELATION_ID)[0])
    if api_key == ApiKey.PRODUCE:
        end = _produced(frame, at, version)
        if end:
            return frame[AFTER_CORRELATION_ID:end], True
    client = frame[AFTER_CORRELATION_ID:at]
    if api_key == ApiKey.FETCH:
        try:
            _, asked = decode_request(frame, most)
        except BrokerError:
            return (api_key, client), False
        if isinstance(asked, FetchRequest):
            named = frozenset(topic.topic or topic.topic_id for topic in asked.topics)
            return (api_key, client, named), True
    return (api_key, client), _is_nameless(api_key, IN)


def of_response(frame: bytes, api_key: int, version: int) -> tuple[Hashable, bool] | None:
    """See `Connection.glance`."""
    if api_key == ApiKey.PRODUCE:
        end = _answered(frame, version)
        if end:
            return frame[ANSWER:end], True
    elif api_key == ApiKey.FETCH:
        try:
            _, answer = decode_response(frame, api_key, version)
        except BrokerError:
            return api_key, False
        if isinstance(answer, FetchResponse):
            return _fetched(answer)
    return api_key, _is_nameless(api_key, OUT)


def _produced(frame: bytes, at: int, version: int) -> int:
    """Where the name of a Produce request's only topic ends; 0 where it is not so simple.

    `at` is behind the client id.
    """
    try:
        if version < _FIRST_FLEXIBLE_PRODUCE:
            at += 2 + max(0, _INT16(frame, at)[0]) + _ACKS_AND_TIMEOUT
            return _only_topic(frame, at)
        transactional_id = frame[at + 1]
        if frame[at] or transactional_id >= 0x80:
            return 0
        at += 2 + max(0, transactional_id - 1) + _ACKS_AND_TIMEOUT
        return _only_compact_topic(frame, at, version)
    except (IndexError, struct.error):
        return 0


def _fetched(answer: FetchResponse) -> tuple[Hashable, bool] | None:
    """Records make rows of their topic; errors make one that says what is wrong."""
    named = set()
    for topic in answer.responses:
        if any(partition.error_code for partition in topic.partitions):
            return None
        carries = any(partition.records for partition in topic.partitions)
        named.add((topic.topic or topic.topic_id, carries))
    return None if answer.error_code else ((ApiKey.FETCH, frozenset(named)), True)


def _answered(frame: bytes, version: int) -> int:
    """Where the name of a Produce response's only topic ends; 0 where it is not so simple."""
    try:
        if version < _FIRST_FLEXIBLE_PRODUCE:
            return _only_topic(frame, ANSWER)
        return 0 if frame[ANSWER] else _only_compact_topic(frame, ANSWER + 1, version)
    except (IndexError, struct.error):
        return 0


def _only_topic(frame: bytes, at: int) -> int:
    if _INT32(frame, at)[0] != 1:
        return 0
    length = _INT16(frame, at + 4)[0]
    return 0 if length < 0 else at + 6 + int(length)


def _only_compact_topic(frame: bytes, at: int, version: int) -> int:
    """Counts and lengths are one more than they say (KIP-482); long ones are left to others."""
    if frame[at] != 2:
        return 0
    if version >= _FIRST_PRODUCE_BY_ID:
        return at + 17
    length = frame[at + 1]
    return at + 1 + length if 0 < length < 0x80 else 0
