"""What a unit of frames says, for people: a method with its content is one row."""

from collections.abc import Mapping
from typing import Any, Final

from ..errors import ProtocolError
from ..journal import Row
from .codes import ReplyCode
from .events import AMQP
from .records import Field, plain
from .wire import methods
from .wire.frames import BODY, HEADER, HEARTBEAT, LATER_HEADERS, METHOD, Frame, split
from .wire.properties import decode_properties
from .wire.version_0_8 import VERSIONS

_MESSAGES: Final = frozenset(("basic.publish", "basic.return", "basic.deliver", "basic.get-ok"))
_UNANSWERED: Final = frozenset(("basic.deliver", "basic.ack", "basic.nack", "basic.reject"))
_ANSWERED: Final = {"basic.return": "basic.publish", "basic.get-empty": "basic.get"}
KINDS: Final = {HEADER: "content header", BODY: "content body", HEARTBEAT: "heartbeat"}
"""What frames are called that have no method."""
PROTOCOL_HEADER: Final = "protocol header"
UNREADABLE: Final = "unreadable"


def read_rows(direction: int, unit: bytes, queues: Mapping[str, str]) -> list[Row]:
    """The row of one unit (wire/units.py). `queues`: queue name by consumer tag. Never raises."""
    row = Row(AMQP, direction, UNREADABLE, size=len(unit), frame=unit)
    try:
        _fill(row, unit, queues)
    except ProtocolError as error:
        row.error = error.text
    return [row]


def _fill(row: Row, unit: bytes, queues: Mapping[str, str]) -> None:
    if unit.startswith(b"AMQP"):
        row.operation = PROTOCOL_HEADER
        if unit not in VERSIONS and unit not in LATER_HEADERS:
            row.error = f"not AMQP 0-9-1: {unit!r}"
        return
    frames = split(unit)
    if not frames:
        raise ProtocolError("bytes that are no frame")
    first = frames[0]
    if first.channel:
        row.detail["channel"] = first.channel
    if first.type == METHOD:
        _fill_method(row, first.payload, queues)
        if len(frames) > 1:
            _fill_content(row, frames[1:])
    else:
        row.operation = KINDS.get(first.type, f"frame type {first.type}")
        row.kind = "noise" if first.type == HEARTBEAT else "control"


def _fill_method(row: Row, payload: bytes, queues: Mapping[str, str]) -> None:
    found = methods.find(payload)
    if found is None:
        raise ProtocolError(f"no such method: class and method {payload[:4].hex(' ', 2)}")
    row.operation = found.name
    row.correlation = _correlation(row.detail.get("channel", 0), found.name)
    values = methods.decode(found, payload)
    values.pop("ticket", None)
    row.detail.update((name, _shown(plain(value))) for name, value in values.items())
    if found.name in _MESSAGES:
        row.kind = "message"
        row.key = values["routing_key"].encode("utf-8", "surrogateescape")
        row.payload = b""
    row.destination = _shown(_destination(found.name, values, queues))
    if found.name == "basic.deliver" and values["consumer_tag"] in queues:
        row.detail["queue"] = queues[values["consumer_tag"]]
    code = values.get("reply_code", 0)
    if code and code != ReplyCode.REPLY_SUCCESS:
        row.error = values["reply_text"] or f"reply code {code}"
    if found.name in ("basic.nack", "basic.reject"):
        row.error = "requeued" if values["requeue"] else "rejected"


def _correlation(channel: int, name: str) -> tuple[int, str] | None:
    """Common to a method and its answer; deliveries are answered by tags, not by a method."""
    if name in _UNANSWERED:
        return None
    return channel, _ANSWERED.get(name, name).removesuffix("-ok")


def field_types(unit: bytes) -> dict[tuple[str, ...], str]:
    """The wire types of what is in a unit's tables, by path: `("arguments", "x-max-length")`.

    Names are those of RabbitMQ's texts; an item of an array is `[0]`. Empty for what is unreadable.
    """
    found: dict[tuple[str, ...], str] = {}
    try:
        frames = split(unit)
        method = methods.find(frames[0].payload)
        tables = methods.decode(method, frames[0].payload) if method is not None else {}
        if len(frames) > 1:
            tables |= decode_properties(frames[1].payload)
    except (ProtocolError, IndexError):
        return found
    for name, value in tables.items():
        if isinstance(value, dict):
            _note_types(found, (name,), value)
    return found


def _note_types(found: dict[tuple[str, ...], str], path: tuple[str, ...], value: Any) -> None:
    if isinstance(value, Field):
        found[path] = value.type_name
        value = value.value
    if isinstance(value, dict):
        for name, item in value.items():
            _note_types(found, (*path, name), item)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            _note_types(found, (*path, f"[{number}]"), item)


def _shown(value: Any) -> Any:
    """Names may be any bytes; a person sees a mark where they are not UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value


def _destination(name: str, values: Mapping[str, Any], queues: Mapping[str, str]) -> str:
    """The exchange of a message, else the queue or exchange that the method is about."""
    if name in ("basic.deliver", "basic.cancel"):
        queue = queues.get(values["consumer_tag"])
        if queue is not None and not values.get("exchange"):
            return queue
    for field in ("exchange", "queue", "source"):
        if values.get(field):
            return str(values[field])
    # The default exchange has no name: its routing key is a queue's.
    return str(values.get("routing_key", ""))


def _fill_content(row: Row, frames: list[Frame]) -> None:
    row.payload = b"".join(frame.payload for frame in frames[1:])
    row.size = len(row.payload)
    properties = decode_properties(frames[0].payload)
    headers = properties.pop("headers", {})
    row.headers = tuple((name, plain(field)) for name, field in headers.items())
    row.detail["properties"] = properties
