"""Frames as people read them: requests, responses, and each record that they carry."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from ..errors import BrokerError, InvalidInput
from ..journal import IN, OUT, Row
from ..misbehaviour.skimming import Look
from . import glance
from .codes import ApiKey, ErrorCode
from .records import BatchHeader, Record, read_control_type, read_records, split_batches
from .wire.codec import UNBOUNDED
from .wire.frames import decode_request, decode_response, read_request_header
from .wire.messages.logs import FetchResponse, ProduceRequest
from .wire.schema import ZERO_UUID, Message, Struct
from .wire.splitter import Splitter

_HEAD: Final = struct.Struct(">hhi")
_LEAST_PAIR: Final = 128
"""A request and its answer take more bytes of a journal than these, even in one burst."""
_REMEMBERED: Final = 64
"""Requests whose API and version are known at least, for who looks at frames before they go."""
_LARGEST: Final = 2**31 - 1
_MOST_RECORDS: Final = 1_000
"""Rows of one frame; a last row says how many records more there are."""

_NOTHING_ASKED: Final[tuple[bytes, bytes, Look | None]] = b"", b"", None
_NOTHING_ANSWERED: Final[tuple[int, bytes, Look]] = -1, b"", ("", False)

_COORDINATED: Final = {0: "group", 1: "transactional_id"}
"""FindCoordinator's key types; 2 is a share group's."""
_NOISE: Final = frozenset({ApiKey.HEARTBEAT, ApiKey.FETCH})
_STEPS: Final = frozenset({ErrorCode.MEMBER_ID_REQUIRED, ErrorCode.REBALANCE_IN_PROGRESS})
"""Codes that move a group on, each time it works as it should: no error for people."""
_ERROR_NAMES: Final = {int(code): code.name for code in ErrorCode}
_API_NAMES: Final = {int(key): key.title for key in ApiKey}


def remembered(journaled: int) -> int:
    """How many requests of a connection somebody may ask for, of which so many bytes are kept."""
    # One whose answer has left the journal is asked for by nobody.
    return max(_REMEMBERED, journaled // _LEAST_PAIR)


class Reading(msgspec.Struct, frozen=True, eq=False):
    """How frames are cut and read, the same for all connections of a broker.

    `most`: requests of a connection that are remembered (`remembered`).
    `items`: a request that names more things than these has one row, which says so.
    `placed`: what is produced bears the offsets that it got, as from a producer inside.
    `limit`: bytes of a request.
    """

    name_of: Callable[[bytes], str]
    most: int = _REMEMBERED
    items: int = UNBOUNDED
    placed: bool = False
    limit: int = _LARGEST

    def splitter(self, direction: int) -> Splitter:
        return Splitter(self.limit if direction == IN else _LARGEST)


class RowReader:
    """Rows of one connection. A response does not say what it answers: requests are remembered."""

    __slots__ = ("_most", "answered_last", "asked", "reading", "requests")

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._most = reading.most
        # Of plain numbers, so that the garbage collector does not look at it.
        self.requests: dict[int, int] = {}
        """API and version in one number, by correlation id."""
        # The last Produce request with one topic, and the last answer to one: its API and version,
        # what follows the correlation id up to behind the topic, and how frames with these bytes
        # look.
        self.asked, self.answered_last = _NOTHING_ASKED, _NOTHING_ANSWERED

    def remember(self, correlation_id: int, api_key: int, version: int) -> None:
        """A request passed; its answer will have this API's format."""
        requests = self.requests
        # As the wire has them: 16 bits each.
        requests[correlation_id] = (api_key << 16) | (version & 0xFFFF)
        if len(requests) > 2 * self._most:
            # In bulk: to find a dictionary's first entry after many deletions is slow.
            self.requests = dict(islice(requests.items(), len(requests) - self._most, None))

    def answered(self, frame: bytes) -> tuple[int, int]:
        """API and version of the request that a response answers. Raises InvalidInput."""
        known = self.requests.get(int.from_bytes(frame[4:8], "big", signed=True))
        if known is None:
            raise InvalidInput("what this response answers is no longer known")
        return known >> 16, known & 0xFFFF

    def glance(self, direction: int, frame: bytes) -> Look | None:
        """The API and client of a request, or the API that a response answers, and the topics."""
        if direction == IN:
            if len(frame) < glance.HEAD_SIZE:
                return None
            api_key, version, correlation_id = _HEAD.unpack_from(frame, 4)
            self.remember(correlation_id, api_key, version)
            kind, named, asked = self.asked
            if (
                asked is not None
                and frame.startswith(kind, 4)
                and frame.startswith(named, glance.AFTER_CORRELATION_ID)
            ):
                return asked
            look = glance.of_request(frame, api_key, version, self.reading.items)
            if api_key == ApiKey.PRODUCE and isinstance(look[0], bytes):
                # Up to here the bytes say where they end: any frame with them has this look.
                self.asked = frame[4:8], look[0], look
            return look
        known = self.requests.get(int.from_bytes(frame[4:8], "big", signed=True))
        if known is None:
            return None
        seen = self.answered_last
        if known == seen[0] and frame.startswith(seen[1], glance.ANSWER):
            return seen[2]
        api_key = known >> 16
        answer = glance.of_response(frame, api_key, known & 0xFFFF)
        if api_key == ApiKey.PRODUCE and answer is not None and isinstance(answer[0], bytes):
            self.answered_last = known, answer[0], answer
        return answer

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        """What one frame says; bytes that cannot be read make one row with `error`."""
        try:
            return self._request(frame) if direction == IN else self._response(frame)
        except BrokerError as error:
            operation = self._operation(direction, frame)
            return [
                Row("kafka", direction, operation, size=len(frame), error=str(error), frame=frame)
            ]

    def _operation(self, direction: int, frame: bytes) -> str:
        number = frame[4:8]
        if direction == IN and len(number) == 4:
            key, version = int.from_bytes(number[:2], "big"), int.from_bytes(number[2:], "big")
            return f"{_API_NAMES.get(key, f'API {key}')} v{version}"
        return "request" if direction == IN else "response"

    def _request(self, frame: bytes) -> list[Row]:
        header, _ = read_request_header(frame)
        _, message = decode_request(frame, self.reading.items)
        row = self._row(IN, header.api_key, header.api_version, header.correlation_id, message)
        row.frame, row.size = frame, len(frame)
        if header.client_id is not None:
            row.client = header.client_id
        if isinstance(message, ProduceRequest):
            if not message.acks:
                # Nothing answers it.
                row.correlation = None
            return list(self._with_records(row, self._produced(message)))
        if header.api_key in _NOISE:
            row.kind = "noise"
        return [row]

    def _response(self, frame: bytes) -> list[Row]:
        correlation_id = int.from_bytes(frame[4:8], "big", signed=True)
        known = self.requests.get(correlation_id)
        if known is None:
            detail = {"correlation_id": correlation_id}
            text = "what it answers is no longer known"
            return [
                Row(
                    "kafka",
                    OUT,
                    "response",
                    size=len(frame),
                    detail=detail,
                    error=text,
                    frame=frame,
                )
            ]
        api_key, version = known >> 16, known & 0xFFFF
        _, message = decode_response(frame, api_key, version)
        row = self._row(OUT, api_key, version, correlation_id, message)
        row.frame, row.size = frame, len(frame)
        codes = set(_errors(message))
        row.error = ", ".join(sorted(_name(code) for code in codes - _STEPS))
        steps = ", ".join(sorted(_name(code) for code in codes & _STEPS))
        if steps:
            row.detail = {**row.detail, "step": steps}
        if isinstance(message, FetchResponse):
            rows = list(self._with_records(row, self._fetched(message)))
            if rows == [row] and not codes:
                row.kind = "noise"
            return rows
        if api_key in _NOISE and not codes:
            row.kind = "noise"
        return [row]

    def _row(
        self, direction: int, api_key: int, version: int, correlation_id: int, message: Message
    ) -> Row:
        detail = {"version": version, "correlation_id": correlation_id, **self._plain(message)}
        detail.update(_owners(detail))
        topics = list(_named(detail))
        destination = topics[0] if len(set(topics)) == 1 else ""
        name = _API_NAMES.get(api_key, f"API {api_key}")
        return Row(
            "kafka",
            direction,
            name,
            destination=destination,
            detail=detail,
            correlation=correlation_id,
        )

    def _with_records(self, row: Row, batches: Iterator[tuple[str, int, bytes]]) -> Iterator[Row]:
        """A row for each record; the frame's own row only where there are none."""
        count = 0
        for topic, partition, data in batches:
            try:
                for header, batch in split_batches(data):
                    if count >= _MOST_RECORDS:
                        count += header.record_count
                        continue
                    for record in read_records(batch):
                        count += 1
                        if count <= _MOST_RECORDS:
                            yield self._record(row, topic, partition, header, record)
            except BrokerError as error:
                count += 1
                yield Row(
                    "kafka",
                    row.direction,
                    row.operation,
                    client=row.client,
                    kind="message",
                    destination=topic,
                    size=len(data),
                    detail={"partition": partition},
                    correlation=row.correlation,
                    error=str(error),
                    frame=row.frame,
                )
        if count > _MOST_RECORDS:
            row.detail = {"records_not_shown": count - _MOST_RECORDS}
        if not count or count > _MOST_RECORDS or row.error:
            yield row

    def _record(
        self, row: Row, topic: str, partition: int, header: BatchHeader, record: Record
    ) -> Row:
        detail: dict[str, Any] = {"partition": partition, "timestamp": record.timestamp}
        if header.is_transactional:
            detail["producer_id"] = header.producer_id
            detail["producer_epoch"] = header.producer_epoch
        if row.detail.get("transactional_id"):
            detail["transactional_id"] = row.detail["transactional_id"]
        if row.direction == OUT or self.reading.placed:
            # Only the log knows offsets: a producer's batch begins at 0.
            detail["offset"] = record.offset
        if header.is_control:
            return self._marker(row, topic, detail, record)
        return Row(
            "kafka",
            row.direction,
            row.operation,
            client=row.client,
            kind="message",
            destination=topic,
            key=record.key,
            payload=record.value,
            size=len(record.key or b"") + len(record.value or b""),
            headers=record.headers,
            detail=detail,
            correlation=row.correlation,
            frame=row.frame,
        )

    def _marker(self, row: Row, topic: str, detail: dict[str, Any], record: Record) -> Row:
        """The end of a transaction, which consumers get among the records and do not show."""
        kind = read_control_type(record)
        detail["marker"] = "unknown" if kind is None else kind.name.lower()
        return Row(
            "kafka",
            row.direction,
            row.operation,
            client=row.client,
            destination=topic,
            detail=detail,
            correlation=row.correlation,
            frame=row.frame,
        )

    def _produced(self, request: ProduceRequest) -> Iterator[tuple[str, int, bytes]]:
        for topic in request.topic_data:
            name = topic.name or self.reading.name_of(topic.topic_id) or topic.topic_id.hex()
            for partition in topic.partition_data:
                if partition.records:
                    yield name, partition.index, partition.records

    def _fetched(self, response: FetchResponse) -> Iterator[tuple[str, int, bytes]]:
        for topic in response.responses:
            name = topic.topic or self.reading.name_of(topic.topic_id) or topic.topic_id.hex()
            for partition in topic.partitions:
                if isinstance(partition.records, bytes) and partition.records:
                    yield name, partition.partition_index, partition.records

    def _plain(self, struct: Struct) -> dict[str, Any]:
        """A struct's fields as plain values; topic ids get the name that they stand for."""
        plain: dict[str, Any] = {}
        for item in struct.fields:
            value = getattr(struct, item.name)
            if item.name == "topic_id":
                if value != ZERO_UUID:
                    plain["topic"] = self.reading.name_of(value)
                    plain["topic_id"] = value.hex()
            elif item.name == "records":
                plain["records_bytes"] = len(value or b"")
            else:
                plain[item.name] = self._plain_value(value)
        return plain

    def _plain_value(self, value: Any) -> Any:
        if isinstance(value, Struct):
            return self._plain(value)
        if isinstance(value, list | tuple):
            return [self._plain_value(one) for one in value]
        return value


class PastFrames(msgspec.Struct, eq=False, gc=False):
    """Reads the frames of a connection that has ended, of which nothing else is kept."""

    client: str
    reading: Reading
    requests: dict[int, int]

    @property
    def weight(self) -> int:
        """About the bytes that the remembered requests take."""
        return 200 * len(self.requests)

    def splitter(self, direction: int) -> Splitter:
        return self.reading.splitter(direction)

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        reader = RowReader(self.reading)
        reader.requests = self.requests
        return reader.rows(direction, frame)


def _name(code: int) -> str:
    return _ERROR_NAMES.get(code, f"error {code}")


def _errors(struct: Struct) -> Iterator[int]:
    for item in struct.fields:
        value = getattr(struct, item.name)
        if item.name.endswith("error_code"):
            if value:
                yield value
        elif isinstance(value, Struct):
            yield from _errors(value)
        elif isinstance(value, list | tuple):
            for one in value:
                if isinstance(one, Struct):
                    yield from _errors(one)


def _owners(detail: dict[str, Any]) -> dict[str, Any]:
    """The group and the transactional id that a message is about, whatever its version calls them.

    Where it names several (KIP-699, KIP-709), it is about none of them alone.
    """
    found: dict[str, Any] = {}
    if "group_id" in detail:
        found["group"] = detail["group_id"]
    groups: Sequence[Any] = detail.get("groups") or ()
    if len(groups) == 1 and isinstance(groups[0], dict) and "group_id" in groups[0]:
        found["group"] = groups[0]["group_id"]
    if detail.get("v3_and_below_transactional_id"):
        found["transactional_id"] = detail["v3_and_below_transactional_id"]
    keys = detail.get("coordinator_keys") or (detail.get("key"),)
    if "key_type" in detail and len(keys) == 1 and keys[0]:
        kind = _COORDINATED.get(detail["key_type"])
        if kind is not None:
            found[kind] = keys[0]
    return found


def _named(detail: dict[str, Any]) -> Iterator[str]:
    """The topics that a message is about."""
    for field in ("topics", "topic_data", "responses", "v3_and_below_topics"):
        for one in detail.get(field) or ():
            if isinstance(one, dict):
                name = one.get("topic") or one.get("name")
                if name:
                    yield name
