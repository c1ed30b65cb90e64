"""The recording format's writer: JSON lines, a header and then one event a line.

`fixtures/recordings.py` is its reader: what one writes, the other publishes byte for byte.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mockforge_brokers import __version__
from mockforge_brokers.journal import Row

from ..fixtures.messages import properties_of
from ..text import encodable_json


class Lines:
    """Writes rows as events. Times are in seconds since `started`, or since the first row.

    What has no time (a message in a queue) stands at 0.
    """

    def __init__(self, started: float | None = None, seed: int | None = None) -> None:
        self._started = started
        self._seed = seed
        self._headed = False

    def __call__(self, row: Row) -> bytes:
        started = self._started = row.time if self._started is None else self._started
        head = b"" if self._headed else self.header()
        return head + _as_line(_event(row, max(0.0, row.time - started)))

    def header(self) -> bytes:
        """The first line."""
        self._headed = True
        moment = datetime.fromtimestamp(self._started or 0.0, UTC).isoformat(
            timespec="milliseconds"
        )
        header: dict[str, Any] = {
            "v": 1,
            "type": "header",
            "tool": f"mockforge-tui/{__version__}",
            "started": moment.replace("+00:00", "Z"),
        }
        if self._seed is not None:
            header["seed"] = self._seed
        return _as_line(header)


def _event(row: Row, after: float) -> dict[str, Any]:
    event: dict[str, Any] = {"t": round(after, 4), "p": row.protocol, "op": "publish"}
    detail = row.detail
    properties = properties_of(row.protocol, detail)
    match row.protocol:
        case "kafka":
            event |= {"topic": row.destination, "part": detail.get("partition")}
            event |= {"off": detail.get("offset")}
            if row.key is not None:
                event |= _spelled("key", "key_enc", row.key)
            event["headers"] = [[name, _value(value)] for name, value in row.headers]
        case "mqtt":
            event |= {"topic": row.destination, "qos": detail.get("qos", 0)}
            event["retain"] = bool(detail.get("retain"))
            if row.headers:
                properties["user_property"] = [list(pair) for pair in row.headers]
            event["props"] = _value(properties)
        case _:
            if detail.get("internal"):
                # A dead letter or the like: where its cause is replayed, the broker makes it anew.
                event["op"] = "internal"
            if (vhost := detail.get("vhost", "/")) != "/":
                event["vhost"] = vhost
            event |= {"exchange": str(detail.get("exchange", row.destination))}
            event |= {"routing_key": detail.get("routing_key", "")}
            headers = {"headers": dict(row.headers)} if row.headers else {}
            event["props"] = _value({**properties, **headers})
    event |= _payload(row.payload)
    if row.client:
        event["client"] = row.client
    return event


def _payload(payload: bytes | None) -> dict[str, Any]:
    """`value` with `enc`: null, json where writing it again gives the same bytes, text, b64."""
    if payload is None:
        return {"enc": "null", "value": None}
    try:
        value = json.loads(payload)
        again = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if again.encode() == payload:
            return {"enc": "json", "value": value}
    except (ValueError, RecursionError):
        pass
    return _spelled("value", "enc", payload)


def _spelled(name: str, how: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {how: "b64", name: base64.b64encode(data).decode()}
    return {name: text} if name == "key" else {how: "text", name: text}


def _value(value: Any) -> Any:
    """Headers and properties as JSON has them: bytes that are no text as `{"$b64": ...}`."""
    match value:
        case bytes() | bytearray():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return {"$b64": base64.b64encode(value).decode()}
        case Mapping():
            return {str(name): _value(each) for name, each in value.items()}
        case list() | tuple():
            return [_value(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def _as_line(value: Mapping[str, Any]) -> bytes:
    line = encodable_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return line.encode() + b"\n"
