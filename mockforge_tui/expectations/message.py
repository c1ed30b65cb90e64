"""One message as it entered a broker, in the words of its protocol."""

import base64
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

from ..decoding import look
from ..fixtures.messages import properties_of

T = TypeVar("T")


def row_of(seen: MessageSeen) -> Row:
    """The row that a message would have in the flow pane."""
    return Row(
        protocol=seen.protocol,
        direction=0,
        operation="publish",
        client=seen.client,
        kind="message",
        destination=seen.destination,
        key=seen.key,
        payload=seen.payload,
        size=len(seen.payload or b""),
        headers=seen.headers,
        detail=dict(seen.detail),
        time=seen.time,
    )


def place_of(row: Row) -> str:
    """`orders p0@97`, `events/order.paid`, `sensors/room1/temp`."""
    detail = row.detail
    if detail.get("partition") is not None:
        offset = detail.get("offset")
        return f"{row.destination} p{detail['partition']}" + (
            f"@{offset}" if offset is not None else ""
        )
    if detail.get("routing_key") is not None:
        return f"{row.destination or '(default)'}/{detail['routing_key']}"
    return row.destination


class Message:
    """What came: `payload` as bytes, `json` and `text` as people read it.

    `number` counts the messages of all brokers in the order in which they came. What a protocol
    does not have is None (`partition`, `qos`, `exchange`, ...).
    """

    def __init__(self, number: int, seen: MessageSeen) -> None:
        self.number = number
        self._seen = seen

    @property
    def protocol(self) -> str:
        return self._seen.protocol

    @property
    def time(self) -> float:
        """Wall time."""
        return self._seen.time

    @property
    def destination(self) -> str:
        """Kafka topic, MQTT topic name, AMQP exchange."""
        return self._seen.destination

    @property
    def topic(self) -> str | None:
        return self._place("topic")

    @property
    def exchange(self) -> str | None:
        return self._place("exchange")

    @property
    def routing_key(self) -> str | None:
        return self._detail("routing_key", str)

    @property
    def queues(self) -> tuple[str, ...]:
        """AMQP: those that it was routed to."""
        return tuple(self._seen.detail.get("queues") or ())

    @property
    def key(self) -> str | None:
        """Kafka: the record's key as text (`key_bytes` for what is none)."""
        key = self.key_bytes
        return None if key is None else key.decode("utf-8", "replace")

    @property
    def key_bytes(self) -> bytes | None:
        return self._seen.key if protocol_of(self.protocol).keyed else None

    @property
    def partition(self) -> int | None:
        return self._detail("partition", int)

    @property
    def offset(self) -> int | None:
        return self._detail("offset", int)

    @property
    def qos(self) -> int | None:
        return self._detail("qos", int)

    @property
    def retain(self) -> bool | None:
        return self._detail("retain", bool)

    @property
    def payload(self) -> bytes | None:
        """None: a Kafka tombstone."""
        return self._seen.payload

    @property
    def text(self) -> str:
        return (self._seen.payload or b"").decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """Raises ValueError where the payload is no JSON."""
        return json.loads(self._seen.payload or b"")

    @cached_property
    def value(self) -> Any:
        """JSON where the payload is JSON, the same of other forms that are sure (Avro, CBOR, ...),
        else its text; None for a tombstone."""
        if self._seen.payload is None:
            return None
        try:
            return self.json
        except (ValueError, RecursionError):
            decoded = look(self._seen.payload, self._seen.destination)
            return decoded.value if decoded is not None and decoded.sure else self.text

    @cached_property
    def headers(self) -> dict[str, Any]:
        """Headers, or MQTT 5's user properties, by name; the last one of a name counts."""
        return {name: _readable(value) for name, value in self.header_pairs}

    @property
    def header_pairs(self) -> tuple[tuple[str, Any], ...]:
        """All of them in their order; Kafka's values are bytes."""
        return self._seen.headers

    @property
    def properties(self) -> Mapping[str, Any]:
        """Those of MQTT 5 or AMQP by their own names."""
        return properties_of(self.protocol, self._seen.detail)

    @property
    def client(self) -> str:
        """Who published it; `∗prompt` and the like for what no socket carried."""
        return self._seen.client

    @cached_property
    def view(self) -> dict[str, Any]:
        """What conditions look at."""
        view = {
            "protocol": self.protocol,
            "payload": self.payload,
            "value": self.value,
            "headers": self.headers,
            "properties": self.properties,
            "client": self.client,
            "row": self.row,
        }
        return view | {name: getattr(self, name) for name in protocol_of(self.protocol).fields}

    @property
    def record(self) -> dict[str, Any]:
        """What programs get of it.

        `payload_b64` and `key_b64` are there where payload and key are no UTF-8, `headers_b64`
        where a header of Kafka is not, or one name stands twice.
        """
        record = {name: value for name, value in self.view.items() if name != "row"}
        record["payload"] = None if self.payload is None else self.text
        if self.payload is not None and self.text.encode() != self.payload:
            record["payload_b64"] = base64.b64encode(self.payload).decode()
        if self.key_bytes is not None and (self.key or "").encode() != self.key_bytes:
            record["key_b64"] = base64.b64encode(self.key_bytes).decode()
        if self.header_pairs and protocol_of(self.protocol).bytes_in_headers:
            pairs = self.header_pairs
            texts = {name: v if v is None else v.encode() for name, v in self.headers.items()}
            if len(texts) < len(pairs) or any(texts[name] != value for name, value in pairs):
                record["headers_b64"] = header_texts(pairs)
        return {"number": self.number, "time": round(self.time, 3), **record}

    @property
    def row(self) -> Row:
        """The same as a row of the flow, for filters."""
        return row_of(self._seen)

    @property
    def place(self) -> str:
        """`orders p0@97`, `billing/invoice.paid`, `sensors/room1`."""
        return place_of(self.row)

    def __repr__(self) -> str:
        return f"<{self.protocol} {self.place} {self.text[:80]!r}>"

    def _place(self, word: str) -> str | None:
        """The destination, where this is the protocol's word for it."""
        return self._seen.destination if protocol_of(self.protocol).fields[0] == word else None

    def _detail(self, name: str, kind: type[T]) -> T | None:
        value = self._seen.detail.get(name)
        return value if isinstance(value, kind) else None


def header_texts(pairs: Iterable[tuple[str, bytes | None]]) -> list[list[str | None]]:
    """Kafka's headers with their bytes in base64, as `headers_b64` has them."""
    return [[n, None if v is None else base64.b64encode(v).decode()] for n, v in pairs]


def _readable(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
