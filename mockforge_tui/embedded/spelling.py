"""Expectations, messages and answers as JSON, for an instance in another process, and back."""

import base64
import json
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, Final, assert_never

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.protocols import protocol_of

from ..expectations.message import Message, header_texts
from ..expectations.record import Mark
from ..fixtures.expected.model import (
    Came,
    Client,
    Consumers,
    Drained,
    Expectation,
    FaultHit,
    Frames,
    GroupAt,
    InOrder,
    LintClean,
    Settled,
)
from ..fixtures.messages import AmqpMessage, KafkaMessage, MqttMessage, Outgoing
from .answer import Answer
from .verbs import ExpectationFailed

MEDIA_TYPE: Final = "application/jsonl"
"""Of an answer that comes line by line."""


def answer_of(lines: Iterable[bytes], until: float) -> Answer:
    """What `commands` answers: rows, if any, and the result as the last line.

    `until` is by time.monotonic; raises TimeoutError after it, ExpectationFailed, InvalidInput.
    """
    rows: list[Mapping[str, Any]] = []
    shown: list[str] = []
    content: list[bytes] = []
    for line in lines:
        value = json.loads(line)
        match value:
            case {"failure": {"text": text}}:
                raise ExpectationFailed(text)
            case {"error": text}:
                raise InvalidInput(f"× {text}")
            case {"_command": command, "text": text, "data": data}:
                shown.append(text)
                return Answer(command, "\n".join(shown), data, tuple(rows), b"".join(content))
            case {"_note": text} | {"_problem": text}:
                shown.append(text)
            case {"_content": text}:
                content.append(text.encode())
            case {"_content_b64": text}:
                content.append(base64.b64decode(text))
            case {"_text": text}:
                rows.append({name: each for name, each in value.items() if name[0] != "_"})
                shown.append(text)
        if monotonic() >= until:
            raise TimeoutError
    raise ValueError("it ended before its result")


def asked_of(expectation: Expectation) -> dict[str, Any]:
    """The body of `messages/wait`. Raises InvalidInput for what JSON cannot say."""
    within = {"within": expectation.within}
    match expectation:
        case Came(most=0):
            return {"none": _where(expectation), **within}
        case Came():
            return {**_where(expectation), **_counted(expectation), **within}
        case Frames():
            return {**_frames(expectation), **_counted(expectation), **within}
        case InOrder():
            return {"order": [_where(part) for part in expectation.parts], **within}
        case GroupAt(group, lag, topic):
            group_ = {"id": group, "lag": lag, **({"topic": topic} if topic else {})}
            return {"group": group_, **within}
        case Drained() | Consumers() | Settled():
            return {**_queue(expectation), **within}
        case Client():
            return {**_client(expectation), **within}
        case FaultHit(fault, hits):
            return {"fault": {"id": fault, "hits": hits}, **within}
        case LintClean():
            return {"lint": ("clean", "spotless")[expectation.warnings]}
        case _:
            assert_never(expectation)


def _queue(expectation: Drained | Consumers | Settled) -> dict[str, Any]:
    if isinstance(expectation, Drained):
        return {"drained": expectation.queue}
    if isinstance(expectation, Settled):
        name = {"acknowledged": "acked"}.get(expectation.settlement, expectation.settlement)
        where = {"queue": expectation.queue, "client": expectation.client}
        return {name: {**where, **_counted(expectation)}}
    return {"consumers": {"queue": expectation.queue, **_number(expectation)}}


def _client(expectation: Client) -> dict[str, Any]:
    name, connected, protocol, _ = expectation
    client = {"name": name, "protocol": protocol} if protocol else name
    return {"client" if connected else "gone": client}


def since_of(since: int | None) -> dict[str, Any]:
    """The same's `since`: a mark, or a message's number."""
    if since is None:
        return {}
    return {"since": since.text if isinstance(since, Mark) else since}


def _counted(expectation: Came | Frames | Settled) -> dict[str, Any]:
    return {**_number(expectation), "settle": expectation.settle}


def _number(expectation: Came | Frames | Consumers | Settled) -> dict[str, int]:
    least, most = expectation.least, expectation.most
    return {"least": least} if most is None else {"count": most}


def _frames(expectation: Frames) -> dict[str, Any]:
    match = expectation.match
    way = {} if match.direction is None else {"dir": ("in", "out")[match.direction]}
    return {"frames": match.scope, **way}


def _where(came: Came) -> dict[str, Any]:
    protocol, destination, kind, binding_key = came.watch
    asked: dict[str, Any] = {protocol: destination}
    if kind == "queue":
        asked = {"amqp": {"queue": destination}}
    elif kind == "exchange":
        asked = {"amqp": {"exchange": destination, "routing_key": binding_key}}
    if came.where.plain:
        asked["match"] = {name: _plain(value) for name, value in came.where.plain.items()}
    elif str(came.where):
        raise InvalidInput("these conditions cannot go to another process")
    if came.where.exact:
        asked["exact"] = True
    return asked


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise InvalidInput("bytes that are no text cannot be asked for there") from None
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    raise InvalidInput(f"{value!r} cannot go to another process: use values and operators")


def published(message: Outgoing) -> dict[str, Any]:
    """The body of `messages`. Raises InvalidInput for what JSON cannot say."""
    value: dict[str, Any] = {"value": None}
    if message.payload is not None:
        value = {"value_b64": base64.b64encode(message.payload).decode()}
    match message:
        case KafkaMessage():
            to, value = _to_kafka(message), value | _as_bytes(message)
        case MqttMessage():
            to = {"mqtt": message.topic_name, "qos": message.qos, "retain": message.retain}
            if message.properties:
                to["properties"] = _plain(message.properties)
        case AmqpMessage():
            to = _to_amqp(message)
    return {"to": to, **value}


def _to_kafka(message: KafkaMessage) -> dict[str, Any]:
    to: dict[str, Any] = {"kafka": message.topic}
    if message.partition is not None:
        to["partition"] = message.partition
    return to


def _as_bytes(message: KafkaMessage) -> dict[str, Any]:
    """A record's key and headers, which need not be text."""
    given: dict[str, Any] = {}
    if message.key is not None:
        given["key_b64"] = base64.b64encode(message.key).decode()
    if message.headers:
        given["headers_b64"] = header_texts(message.headers)
    return given


def _to_amqp(message: AmqpMessage) -> dict[str, Any]:
    place = {"exchange": message.exchange, "routing_key": message.routing_key}
    to: dict[str, Any] = {"amqp": place if message.exchange else message.routing_key}
    given = dict(message.properties)
    if headers := given.pop("headers", None):
        to["headers"] = _plain(headers)
    if given:
        to["properties"] = _plain(given)
    return to


def message_of(record: Mapping[str, Any]) -> Message:
    """A message as it came, of what HTTP says of it."""
    payload = record.get("payload")
    data = None if payload is None else payload.encode()
    if "payload_b64" in record:
        data = base64.b64decode(record["payload_b64"])
    key = record.get("key")
    key_bytes = None if key is None else key.encode()
    if "key_b64" in record:
        key_bytes = base64.b64decode(record["key_b64"])
    names = ("partition", "offset", "qos", "retain", "routing_key", "queues", "properties")
    seen = MessageSeen(
        protocol=record["protocol"],
        time=record["time"],
        destination=record.get("topic", record.get("exchange")) or "",
        key=key_bytes,
        payload=data,
        headers=_headers_of(record),
        client=record["client"],
        detail={name: record[name] for name in names if record.get(name) is not None},
    )
    return Message(record["number"], seen)


def _headers_of(record: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    if "headers_b64" in record:
        pairs = record["headers_b64"]
        return tuple((n, None if v is None else base64.b64decode(v)) for n, v in pairs)
    named = record["headers"].items()
    if protocol_of(record["protocol"]).bytes_in_headers:
        return tuple((name, None if text is None else text.encode()) for name, text in named)
    return tuple(named)
