"""How a request is refused on purpose, and how a record is changed on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from ..errors import BrokerError, InvalidInput, ProtocolError, RequestRefused
from ..journal import IN, Row
from ..misbehaviour.decisions import Changes
from .apis import HANDLERS
from .apis.caller import Caller
from .apis.handler import Pieces
from .apis.reading import read
from .codes import ApiKey, ErrorCode
from .records import Record, build_batch, place_whole, read_records, split_batches
from .state.purgatory import Parked
from .wire.catalog import REQUESTS, RESPONSES
from .wire.frames import (
    RequestHeader,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    read_request_header,
    response_pieces,
)
from .wire.messages.cluster import MetadataResponse
from .wire.messages.logs import FetchResponse, ProduceRequest
from .wire.refusals import INDEXES, PARTITIONS, merge, refused, split
from .wire.schema import Message

REFUSALS: Final[Mapping[str, int]] = MappingProxyType(
    {code.name: int(code) for code in ErrorCode if code is not ErrorCode.NONE}
)

NameOf = Callable[[bytes], str]
_REBOOTSTRAPS: Final = 13
"""The version from which on the whole of a Metadata response has a code (KIP-1102)."""


class Refusal:
    """A request that is to be answered with an error code when its turn comes.

    `chosen`: the (topic, partition) that are refused; a partition of None is the whole topic.
    """

    __slots__ = ("chosen", "code", "frame", "text")

    def __init__(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        self.frame = frame
        self.code = code
        self.text = text
        self.chosen = {(part.destination, part.detail.get("partition")) for part in parts}

    def __len__(self) -> int:
        return len(self.frame)


def parts(rows: list[Row]) -> list[Row]:
    """A row for each partition or topic that a request names, else the rows themselves."""
    first = rows[0]
    if first.direction != IN or first.kind == "message":
        return rows
    found = [_part(first, name, index) for name, index in _named(first.detail)]
    return found or rows


def _part(row: Row, topic: str, partition: int | None) -> Row:
    detail = row.detail if partition is None else {**row.detail, "partition": partition}
    part = replace(row, detail=detail)
    part.destination = topic
    return part


def _named(detail: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    for owner in (detail, *(group for group in detail.get("groups") or () if _is_map(group))):
        for field in ("topics", "topic_data", "topic_names", "v3_and_below_topics"):
            for topic in owner.get(field) or ():
                if isinstance(topic, str):
                    yield topic, None
                elif _is_map(topic):
                    yield from _partitions(topic)


def _partitions(topic: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    name = topic.get("topic") or topic.get("name") or ""
    for field in PARTITIONS:
        if topic.get(field):
            for part in topic[field]:
                index = part if isinstance(part, int) else _index(part)
                yield name, index
            return
    yield name, None


def _index(part: Mapping[str, Any]) -> int | None:
    return next((part[name] for name in INDEXES if name in part), None)


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


# Refusing.


def refuse_whole(
    caller: Caller, header: RequestHeader, frame: bytes, at: int, refusal: RequestRefused
) -> Pieces:
    """The answer with one code to all that a request names."""
    api_key, version, correlation_id, _ = header
    request = read(caller, REQUESTS[api_key], version, frame, at)
    message = refused(request, RESPONSES[api_key], version, refusal.code, refusal.text)
    return response_pieces(message, version, correlation_id)


def answer(
    caller: Caller, refusal: Refusal, header: RequestHeader, at: int, name_of: NameOf
) -> Pieces | Parked[Pieces]:
    """What the client gets; what is not refused of its request is served.

    Raises ProtocolError for a Produce with acks=0, which has no answer: Kafka ends the connection.
    """
    api_key, version, correlation_id, client_id = header
    code, text = refusal.code, refusal.text
    request = read(caller, REQUESTS[api_key], version, refusal.frame, at)
    if isinstance(request, ProduceRequest) and request.acks == 0:
        raise ProtocolError(f"Produce with acks=0 is refused: {text}")
    if api_key == ApiKey.METADATA:
        whole = HANDLERS[api_key].answer(caller, refusal.frame, at, correlation_id)
        return _then(
            whole, header, lambda message: _refuse_topics(message, version, refusal, name_of)
        )
    if api_key == ApiKey.API_VERSIONS and code == ErrorCode.UNSUPPORTED_VERSION:
        version = 0  # KIP-511
    chosen, rest = split(request, lambda topic, part: _is_chosen(refusal, name_of, topic, part))
    message = refused(chosen, RESPONSES[api_key], version, code, text)
    if rest is None:
        return response_pieces(message, version, correlation_id)
    frame = encode_request(rest, version, correlation_id, client_id)
    at = read_request_header(frame)[1]
    served = HANDLERS[api_key].answer(caller, frame, at, correlation_id)
    return _then(served, header, lambda response: merge(response, message))


def _then(
    served: Pieces | Parked[Pieces],
    header: RequestHeader,
    change: Callable[[Message], object],
) -> Pieces | Parked[Pieces]:
    def changed(pieces: Pieces) -> Pieces:
        _, message = decode_response(b"".join(pieces), header.api_key, header.api_version)
        change(message)
        return response_pieces(message, header.api_version, header.correlation_id)

    return served.map(changed) if isinstance(served, Parked) else changed(served)


def _is_chosen(
    refusal: Refusal, name_of: NameOf, topic: str | bytes, partition: int | None
) -> bool:
    name = name_of(topic) if isinstance(topic, bytes) else topic
    return (name, partition) in refusal.chosen or (name, None) in refusal.chosen


def _refuse_topics(message: Message, version: int, refusal: Refusal, name_of: NameOf) -> None:
    assert isinstance(message, MetadataResponse)
    everything = ("", None) in refusal.chosen
    if everything and (refusal.code == ErrorCode.REBOOTSTRAP_REQUIRED or not message.topics):
        # Where the version has no place for it, it is not written.
        message.error_code = refusal.code
    if refusal.code == ErrorCode.REBOOTSTRAP_REQUIRED and version >= _REBOOTSTRAPS:
        return
    for topic in message.topics:
        if everything or _is_chosen(refusal, name_of, topic.name or topic.topic_id, None):
            topic.error_code = refusal.code
            topic.partitions = []


# Editing.


def edit_request(frame: bytes, changes: Mapping[int, Changes], most: int) -> bytes:
    """A Produce request with the records of these numbers changed.

    Raises InvalidInput, and ProtocolError for what names more than `most` things.
    """
    header, message = decode_request(frame, most)
    if not isinstance(message, ProduceRequest):
        raise InvalidInput(f"{ApiKey(header.api_key).title} carries no record: hold op:Produce")
    fields = [part for topic in message.topic_data for part in topic.partition_data]
    _edit(fields, changes)
    return encode_request(message, header.api_version, header.correlation_id, header.client_id)


def edit_response(frame: bytes, known: tuple[int, int], changes: Mapping[int, Changes]) -> bytes:
    """A Fetch response with these records changed; `known` is what it answers."""
    api_key, version = known
    correlation_id, message = decode_response(frame, api_key, version)
    if not isinstance(message, FetchResponse):
        raise InvalidInput(f"{ApiKey(api_key).title} carries no record: hold op:Fetch")
    _edit([part for topic in message.responses for part in topic.partitions], changes)
    return encode_response(message, version, correlation_id)


def _edit(fields: list[Any], changes: Mapping[int, Changes]) -> None:
    """Change the records of these numbers when all are counted as rows.py shows them."""
    if any(each.properties for each in changes.values()):
        raise InvalidInput("a Kafka record has no properties: change payload, key or headers")
    first = 0
    for part in fields:
        batches = split_batches(part.records or b"")
        pieces = []
        for header, batch in batches:
            end = first + header.record_count
            mine = {at - first: each for at, each in changes.items() if first <= at < end}
            pieces.append(_changed_batch(batch, mine) if mine else batch)
            first = end
        if batches:
            part.records = b"".join(pieces)
    beyond = max(changes, default=0)
    if beyond >= first:
        raise InvalidInput(f"there is no record {beyond + 1} in what is held")


def _changed_batch(batch: bytes, changes: Mapping[int, Changes]) -> bytes:
    [(header, _)] = split_batches(batch)
    try:
        records = list(read_records(batch))
    except BrokerError as error:
        raise InvalidInput(f"the batch cannot be read: {error}") from None
    if header.is_control or header.has_log_append_time or len(records) != header.record_count:
        raise InvalidInput("this batch is the broker's own and cannot be changed")
    if header.last_offset_delta != len(records) - 1:
        raise InvalidInput("a compacted batch has gaps and cannot be changed")
    for index, each in changes.items():
        records[index] = _changed(records[index], each)
    made = build_batch(
        records,
        compression=header.compression,
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        transactional=header.is_transactional,
    )
    return place_whole(made, header.base_offset, header.partition_leader_epoch)


def _changed(record: Record, changes: Changes) -> Record:
    value = record.value if changes.payload is UNSET else changes.payload
    key = record.key if changes.key is UNSET else changes.key
    headers = [pair for pair in record.headers if pair[0] not in changes.headers]
    for name, content in changes.headers.items():
        if content is not None:
            headers.append((name, content if isinstance(content, bytes) else str(content).encode()))
    return Record(record.offset, record.timestamp, key, value, tuple(headers))
