"""The forms of exported messages: JSON lines, CSV, payloads as they are or in hex, a recording."""

import base64
import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from mockforge_brokers import __version__
from mockforge_brokers.journal import Row

from .results import for_json, to_json
from .rows import record_of

_COLUMNS: Final = (
    "time", "protocol", "destination", "partition", "offset", "routing_key", "qos", "retain",
    "key", "headers", "encoding", "payload",
)  # fmt: skip


class Form(Protocol):
    """One export's writer: bytes for each row; the first brings what stands before it."""

    def __call__(self, row: Row) -> bytes: ...


def json_lines() -> Form:
    """A record a line; a payload that is no UTF-8 is `payload_b64` too."""

    def line(row: Row) -> bytes:
        return to_json(record_of(row)).encode() + b"\n"

    return line


def comma_separated() -> Form:
    """RFC 4180 with a heading; `encoding` says whether the payload is text, b64 or null."""
    first = True

    def line(row: Row) -> bytes:
        nonlocal first
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        if first:
            writer.writerow(_COLUMNS)
        first = False
        record = record_of(row)
        encoding, payload = encoded(row.payload)
        record |= {"encoding": encoding, "payload": payload}
        record["headers"] = to_json(record["headers"]) if row.headers else ""
        writer.writerow(
            ["" if (v := record.get(name)) is None else for_json(v) for name in _COLUMNS]
        )
        return out.getvalue().encode()

    return line


def raw() -> Form:
    """Payloads as they are, with a line break between them: of one message exactly its bytes."""
    first = True

    def line(row: Row) -> bytes:
        nonlocal first
        before = b"" if first else b"\n"
        first = False
        return before + (row.payload or b"")

    return line


def hexadecimal() -> Form:
    """A payload a line in hex; `pub TARGET hex:...` takes it back."""
    return lambda row: (row.payload or b"").hex().encode() + b"\n"


def recording() -> Form:
    """JSON lines of the recording format: a header, then one event a line.

    Times count from the first message, in seconds; what has no time stands at 0.
    """
    started: float | None = None

    def line(row: Row) -> bytes:
        nonlocal started
        head = b""
        if started is None:
            started = row.time
            head = _as_line(_header(started))
        return head + _as_line(_event(row, max(0.0, row.time - started)))

    return line


FORMS: Final[Mapping[str, Callable[[], Form]]] = {
    "jsonl": json_lines,
    "csv": comma_separated,
    "raw": raw,
    "hex": hexadecimal,
    "recording": recording,
}
"""By name: what makes the writer of one export."""

BY_SUFFIX: Final = {
    ".csv": "csv",
    ".bin": "raw",
    ".raw": "raw",
    ".hex": "hex",
    ".mfrec": "recording",
}


def encoded(payload: bytes | None) -> tuple[str, str]:
    """How a payload is spelled in text (text, b64 or null), and its spelling."""
    if payload is None:
        return "null", ""
    try:
        return "text", payload.decode()
    except UnicodeDecodeError:
        return "b64", base64.b64encode(payload).decode()


def _header(started: float) -> dict[str, Any]:
    moment = datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds")
    return {
        "v": 1,
        "type": "header",
        "tool": f"mockforge-tui/{__version__}",
        "started": moment.replace("+00:00", "Z"),
    }


def _event(row: Row, after: float) -> dict[str, Any]:
    event: dict[str, Any] = {"t": round(after, 4), "p": row.protocol, "op": "publish"}
    detail = row.detail
    match row.protocol:
        case "kafka":
            event |= {"topic": row.destination, "part": detail.get("partition")}
            event |= {"off": detail.get("offset")}
            if row.key is not None:
                event |= _spelled("key", "key_enc", row.key)
            event["headers"] = [[name, _text(value)] for name, value in row.headers]
        case "mqtt":
            event |= {"topic": row.destination, "qos": detail.get("qos", 0)}
            event |= {"retain": bool(detail.get("retain")), "props": detail.get("properties") or {}}
        case _:
            event |= {"exchange": str(detail.get("exchange", row.destination))}
            event |= {"routing_key": detail.get("routing_key", "")}
            headers = {"headers": dict(row.headers)} if row.headers else {}
            event["props"] = {**(detail.get("properties") or {}), **headers}
    event |= _value(row.payload)
    if row.client:
        event["client"] = row.client
    return event


def _value(payload: bytes | None) -> dict[str, Any]:
    """`value` with `enc`: null, json where writing it again gives the same bytes, text, b64."""
    if payload is None:
        return {"enc": "null", "value": None}
    try:
        value = json.loads(payload)
        if json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() == payload:
            return {"enc": "json", "value": value}
    except (ValueError, RecursionError):
        pass
    return _spelled("value", "enc", payload)


def _spelled(name: str, how: str, data: bytes) -> dict[str, Any]:
    encoding, spelling = encoded(data)
    if name == "key" and encoding == "text":
        return {name: spelling}
    return {how: encoding, name: spelling}


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else value


def _as_line(value: Mapping[str, Any]) -> bytes:
    return to_json(value).encode() + b"\n"
