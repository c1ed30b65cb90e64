"""Messages as rows, and rows as lines for people and records for programs."""

import base64
import re
from typing import Any

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import letter_of

from .. import text
from ..decoding import look
from ..expectations.message import place_of
from ..units import clock_time

_PREVIEW = 160
_FORMAT = re.compile(r"%([%TtpokvhscrqP])|\\([nt\\])")


def record_of(row: Row) -> dict[str, Any]:
    """What programs get of a row; `payload_b64` is there where the payload is no UTF-8, and
    `payload_form` (CBOR, ...) with `payload_value` where it is of a form that is known."""
    record: dict[str, Any] = {
        # A message in a queue does not say when it came.
        "time": round(row.time, 3) or None,
        "protocol": row.protocol,
        "direction": ("in", "out")[row.direction],
        "operation": row.operation,
        "client": row.client,
        "destination": row.destination,
        "key": None if row.key is None else row.key.decode("utf-8", "replace"),
        "payload": None if row.payload is None else row.payload.decode("utf-8", "replace"),
        "size": row.size,
        "headers": [[name, _text(value)] for name, value in row.headers],
    }
    if row.connection:
        record["connection"] = row.connection
    if row.payload is not None and not _is_text(row.payload):
        record["payload_b64"] = base64.b64encode(row.payload).decode()
    decoded = look(row.payload, row.destination) if row.payload else None
    if decoded is not None:
        record |= {"payload_form": decoded.form, "payload_value": decoded.value}
    record.update({name: _text(value) for name, value in row.detail.items()})
    if row.error:
        record["error"] = row.error
    return record


def line_of(row: Row, cells: int = 200) -> str:
    """One line for people, free of anything that a terminal obeys."""
    letter = letter_of(row.protocol) + ("→", "←")[row.direction]
    parts = [clock_time(row.time), letter] if row.time else [letter]
    if row.kind != "message" or row.operation != "publish":
        parts.append(row.operation)
    parts.append(place_of(row))
    if row.key is not None:
        parts.append(text.decode(row.key, 40))
    if row.error:
        parts.append(f"× {row.error}")
    parts.append("(no payload)" if row.payload is None else text.decode(row.payload, _PREVIEW))
    return text.clean(" ".join(part for part in parts if part), cells)


def formatted(row: Row, form: str) -> str:
    """A row by a format: %T time, %t topic, %p partition, %o offset, %k key, %v payload,
    %h headers, %s size, %c client, %r routing key, %q QoS, %P protocol; \\n and \\t."""
    values = {
        "%": "%",
        "T": clock_time(row.time),
        "t": row.destination,
        "p": row.detail.get("partition", ""),
        "o": row.detail.get("offset", ""),
        "k": row.key,
        "v": row.payload,
        "h": ",".join(f"{name}={_text(value)}" for name, value in row.headers),
        "s": row.size,
        "c": row.client,
        "r": row.detail.get("routing_key", ""),
        "q": row.detail.get("qos", ""),
        "P": row.protocol,
    }

    def value(found: re.Match[str]) -> str:
        if found[2]:
            return {"n": "\n", "t": "\t", "\\": "\\"}[found[2]]
        each = values[found[1]]
        if each is None:
            return ""
        return text.clean(str(_text(each)))

    return _FORMAT.sub(value, form)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else value
