"""Messages between AMQP 1.0 and 0-9-1, as RabbitMQ 4 converts them (its page on conversions).

What comes by 1.0 is kept as it came beside its 0-9-1 frames (`Converted`), so that a consumer of
1.0 gets the very same bare message.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from ..records import INTEGER_TYPES, Converted, Field, Table
from ..wire import content as contents
from .wire import message, values
from .wire.message import Sections
from .wire.values import (
    Array,
    Byte,
    Described,
    Float,
    Int,
    Long,
    Opaque,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

ENCODED: Final = "amqp-1.0"
"""The 0-9-1 property type of a body that is no plain bytes."""
_LONGEST: Final = 255
_ENDLESS: Final = 2**32
"""What a uint cannot hold: milliseconds of a TTL, or how often a message was delivered."""
_DIGITS: Final = 10
_LATEST: Final = 2**63 - 1
_URN: Final = re.compile("urn:uuid:([0-9a-f-]{36})", re.IGNORECASE)
_OURS: Final = frozenset(("x-exchange", "x-routing-key", "x-death"))
_DEATHS: Final = "x-opt-deaths"
_COUNT: Final = "x-delivery-count"
_IDENTITIES: Final = ("x-message-id", "x-correlation-id")
"""Of a message that came by 1.0, whose own properties have them (`_identity`)."""


# 1.0 to 0-9-1.

_TO_FIELD: Final[tuple[tuple[type, str], ...]] = (
    (bool, "t"),
    (ULong, "l"),
    (UInt, "i"),
    (UShort, "u"),
    (UByte, "B"),
    (Byte, "b"),
    (Short, "s"),
    (Int, "I"),
    (Timestamp, "T"),
    (int, "l"),
    (Float, "f"),
    (float, "d"),
    (str, "S"),
    (bytes, "S"),
)


def to_field(value: Any) -> Field | None:
    """A value of 1.0 as 0-9-1 has it; None if it has nothing alike."""
    if value is None:
        return Field("V", None)
    match value:
        case Opaque() | Described() | UUID():
            return None
        case Array() | list():
            items = value.items if isinstance(value, Array) else value
            found = (to_field(item) for item in items)
            return Field("A", tuple(item for item in found if item is not None))
        case dict():
            return Field("F", to_table(value.items()))
    for kind, code in _TO_FIELD:
        if isinstance(value, kind):
            return _scalar(code, value)
    return None


def _scalar(code: str, value: Any) -> Field:
    match code:
        case "T":
            return Field(code, max(0, int(value) // 1000))
        case "l":
            return Field(code, (int(value) + 2**63) % 2**64 - 2**63)
        case "S" if isinstance(value, bytes):
            return Field(code, value.decode("utf-8", "surrogateescape"))
        case "S":
            return Field(code, str(value))
        case "f" | "d":
            return Field(code, float(value))
        case "t":
            return Field(code, bool(value))
    return Field(code, int(value))


def to_table(items: Iterable[tuple[Any, Any]]) -> Table:
    """Those of them that 0-9-1 has something alike for, and whose names it can write."""
    found = {}
    for key, value in items:
        field = to_field(value)
        if isinstance(key, str) and len(key.encode()) <= _LONGEST and field is not None:
            found[str(key)] = field
    return found


def headers_of(sections: Sections) -> Table:
    """The 0-9-1 headers that a message of 1.0 has."""
    found = to_table(sections.application.items())
    for key, value in sections.annotations.items():
        name = str(key) if isinstance(key, Symbol) else ""
        if name == "x-cc":
            name = "CC"
        elif not name.startswith("x-") or name in _OURS or name.startswith("x-basic-"):
            continue
        field = to_field(value)
        if field is not None and len(name) <= _LONGEST:
            found[name] = field
    return found


def properties_of(sections: Sections) -> dict[str, Any]:
    """The 0-9-1 properties that a message of 1.0 has, headers too."""
    header, given = sections.header, sections.properties
    headers = headers_of(sections)
    annotated = {
        str(key): value for key, value in sections.annotations.items() if isinstance(key, Symbol)
    }
    ttl = header.get("ttl")
    created = given.get("creation_time")
    found = {
        "content_type": _short(given.get("content_type")),
        "content_encoding": _short(given.get("content_encoding")),
        "delivery_mode": 2 if header.get("durable") else None,
        "priority": header.get("priority"),
        "message_id": _identity(given.get("message_id"), "x-message-id", headers),
        "correlation_id": _identity(given.get("correlation_id"), "x-correlation-id", headers),
        "reply_to": _reply_to(given.get("reply_to")),
        "expiration": None if ttl is None else str(ttl),
        "timestamp": None if created is None else max(0, created // 1000),
        "type": ENCODED if sections.encoded else _short(annotated.get("x-basic-type")),
        "user_id": _user(given.get("user_id")),
        "app_id": _short(given.get("group_id")),
    }
    if headers:
        found["headers"] = headers
    return {name: value for name, value in found.items() if value is not None}


def _short(value: Any) -> str | None:
    return str(value) if isinstance(value, str) and len(value.encode()) <= _LONGEST else None


def _user(value: bytes | None) -> str | None:
    if value is None or len(value) > _LONGEST:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _identity(value: Any, header: str, headers: Table) -> str | None:
    """A message or correlation id; what is no short string goes to a header."""
    match value:
        case UUID():
            return f"urn:uuid:{value}"
        case ULong():
            return str(int(value))
        case bytes():
            headers[header] = Field("x", value)
        case str() if len(value.encode()) > _LONGEST:
            headers[header] = Field("S", str(value))
        case str():
            return str(value)
    return None


def _reply_to(value: Any) -> str | None:
    if isinstance(value, str) and value.startswith("/queues/"):
        return _short(unquote(value.removeprefix("/queues/")))
    return _short(value)


def to_content(sections: Sections, properties: dict[str, Any], max_payload: int) -> Converted:
    """The frames of 0-9-1 with these properties (`properties_of`), and what they were made of."""
    raw = contents.make_content(1, sections.body, properties, max_payload)
    return Converted(raw, sections.bare, message.annotations(sections.annotations))


# 0-9-1 to 1.0.

_FROM_FIELD: Final[dict[str, type]] = {
    "b": Byte,
    "B": UByte,
    "s": Short,
    "u": UShort,
    "I": Int,
    "i": UInt,
    "l": Long,
    "L": Long,
    "f": Float,
    "d": float,
    "t": bool,
    "x": bytes,
}


def from_field(field: Field) -> Any:
    """A value of 1.0 for a field of 0-9-1."""
    value = field.value
    kind = _FROM_FIELD.get(field.type)
    if kind is not None:
        return kind(value)
    match field.type:
        case "S":
            if isinstance(value, str):
                return value if "\0" not in value else value.encode("utf-8", "surrogateescape")
            return bytes(value)
        case "T":
            return _timestamp(value)
        case "A":
            return [from_field(item) for item in value]
        case "F":
            return {Symbol(name): from_field(item) for name, item in value.items()}
        case "D":
            return str(value)
    return None


def _timestamp(seconds: int) -> Timestamp:
    """Seconds of 0-9-1 have 64 bits, milliseconds of 1.0 too: the latest moment stands for more."""
    return Timestamp(min(seconds * 1000, _LATEST))


def _milliseconds(text: str) -> int | None:
    """An expiration or TTL; None for what is no number that fits, as publishers inside may write
    it."""
    number = int(text) if text.isdecimal() and len(text) <= _DIGITS else _ENDLESS
    return number if number < _ENDLESS else None


def _delivery_count(field: Field | None) -> int:
    """A quorum queue writes this header; in other queues a client may have sent any value in it."""
    if field is None or field.type not in INTEGER_TYPES or not 0 <= field.value < _ENDLESS:
        return 0
    return int(field.value)


def from_content(
    content: bytes,
    exchange: str,
    routing_key: str,
    *,
    redelivered: bool,
    failures: int | None = None,
) -> bytes:
    """The sections of a message of 1.0 for 0-9-1's frames, or for what was kept beside them.

    `failures` is how many deliveries failed, where that is not what the header x-delivery-count
    says: what was only released counts there, too, before RabbitMQ 4.3.
    """
    properties = contents.properties(content)
    headers: Mapping[str, Field] = properties.get("headers", {})
    count = _delivery_count(headers.get(_COUNT)) if failures is None else failures
    expiration = properties.get("expiration")
    header = message.header(
        durable=properties.get("delivery_mode") == 2,
        priority=None if properties.get("priority") is None else UByte(properties["priority"]),
        ttl=None if expiration is None else _milliseconds(expiration),
        first_acquirer=not (redelivered or count or _has_deaths(headers)),
        delivery_count=count,
    )
    annotations: dict[Any, Any] = {
        Symbol("x-exchange"): _shown(exchange),
        Symbol("x-routing-key"): _shown(routing_key),
    }
    if isinstance(content, Converted):
        kept, _ = values.read(content.annotations) if content.annotations else (None, 0)
        if kept is not None:
            annotations = {**kept.value, **annotations}
        # What a queue added on the way, such as deaths and offsets, stands in the headers alone.
        annotations.update(_annotations(_added(headers, annotations, content.bare)))
        bare = content.bare
    else:
        annotations.update(_annotations(headers))
        kind = properties.get("type")
        if kind is not None:
            annotations[Symbol("x-basic-type")] = kind
        bare = _bare(content, properties, headers)
    return header + message.annotations(annotations) + bare


def _added(headers: Mapping[str, Field], kept: Mapping[Any, Any], bare: bytes) -> dict[str, Field]:
    """Those headers that stand for nothing which came with the message by 1.0."""
    found = {
        name: field
        for name, field in headers.items()
        if name.startswith("x-") and not _stands_for(field, kept.get(Symbol(name)))
    }
    if found:
        own = message.read(bare).application
        for name in tuple(found):
            if name in _IDENTITIES or name in own:
                del found[name]
    return found


def _stands_for(field: Field, value: Any) -> bool:
    return value is not None and to_field(value) == field


def _annotations(headers: Mapping[str, Field]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for name, field in headers.items():
        if name == "CC":
            found[Symbol("x-cc")] = from_field(field)
        elif name == "x-death" and _has_deaths(headers):
            found[Symbol(_DEATHS)] = _deaths(field)
        elif name.startswith("x-"):
            found[Symbol(name)] = from_field(field)
    return found


def _has_deaths(headers: Mapping[str, Field]) -> bool:
    """A client may have sent anything by the name of x-death."""
    return "x-death" in headers and headers["x-death"].type == "A"


_DEATH: Final[Mapping[str, str]] = {
    "queue": "S",
    "reason": "S",
    "count": "l",
    "time": "T",
    "exchange": "S",
    "routing-keys": "A",
}
"""The fields that a broker writes of each death, and their types."""


def _deaths(field: Field) -> Array:
    """x-death as x-opt-deaths has it. What is no death as a broker writes it, which a client may
    have sent under this name, is left out."""
    return Array(0xD1, tuple(_death(item.value) for item in field.value if _is_death(item)))


def _is_death(item: Field) -> bool:
    return item.type == "F" and all(
        name in item.value and item.value[name].type == kind for name, kind in _DEATH.items()
    )


def _death(table: Mapping[str, Field]) -> dict[Any, Any]:
    """A 0-9-1 death knows one time, the first."""
    time = _timestamp(table["time"].value)
    death: dict[Any, Any] = {}
    expiration = table.get("original-expiration")
    ttl = None if expiration is None else _milliseconds(_readable(expiration))
    if ttl is not None:
        death[Symbol("ttl")] = UInt(ttl)
    return death | {
        Symbol("queue"): _readable(table["queue"]),
        Symbol("reason"): Symbol(_readable(table["reason"])),
        Symbol("count"): ULong(max(0, table["count"].value)),
        Symbol("first-time"): time,
        Symbol("last-time"): time,
        Symbol("exchange"): _readable(table["exchange"]),
        Symbol("routing-keys"): texts(map(_readable, table["routing-keys"].value)),
    }


def _readable(field: Field) -> str:
    value = field.value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _bare(content: bytes, properties: Mapping[str, Any], headers: Mapping[str, Field]) -> bytes:
    kind, body = properties.get("type"), contents.body(content)
    stamp, user = properties.get("timestamp"), properties.get("user_id")
    reply_to = properties.get("reply_to")
    return message.bare_message(
        {
            "message_id": _identity_of(properties.get("message_id")),
            "user_id": None if user is None else user.encode("utf-8", "surrogateescape"),
            "reply_to": None if reply_to is None else f"/queues/{quote(reply_to, safe='')}",
            "correlation_id": _identity_of(properties.get("correlation_id")),
            "content_type": properties.get("content_type"),
            "content_encoding": properties.get("content_encoding"),
            "creation_time": None if stamp is None else _timestamp(stamp),
            "group_id": properties.get("app_id"),
        },
        {
            name: from_field(field)
            for name, field in headers.items()
            if field.type not in ("A", "F") and not name.startswith("x-")
        },
        body if kind == ENCODED else message.data_section(body),
    )


def _identity_of(text: str | None) -> Any:
    if text is None:
        return None
    urn = _URN.fullmatch(text)
    try:
        return UUID(urn[1]) if urn is not None else _shown(text)
    except ValueError:
        return text


def _shown(name: str) -> str:
    """A name of 0-9-1 may be any bytes; a string of 1.0 is UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def texts(items: Iterable[str]) -> Array:
    return Array(0xB1, tuple(items))
