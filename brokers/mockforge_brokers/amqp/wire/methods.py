"""The methods of AMQP 0-9-1 with RabbitMQ's extensions, as data, and their one codec."""

# ruff: noqa: E501 (a method is a line)

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from ..codes import ReplyCode
from .field_table import read_table, read_text, write_table


class Method(NamedTuple):
    """One row of the table: `fields` are (name, type) in wire order, neighbouring bits packed."""

    class_id: int
    method_id: int
    name: str
    fields: tuple[tuple[str, str], ...]

    @property
    def prefix(self) -> bytes:
        """The class and method ids as a payload begins with them."""
        return self.class_id.to_bytes(2, "big") + self.method_id.to_bytes(2, "big")


_TICKET = "ticket:short"
_QUEUE = f"{_TICKET} queue:shortstr"
_EXCHANGE = f"{_TICKET} exchange:shortstr"
_CLOSE = "reply_code:short reply_text:shortstr class_id:short method_id:short"
_BINDING = "routing_key:shortstr no_wait:bit arguments:table"
_TUNE = "channel_max:short frame_max:long heartbeat:short"
_ROUTED = "exchange:shortstr routing_key:shortstr"

_TABLE: Final = (
    (10, 10, "connection.start", "version_major:octet version_minor:octet server_properties:table mechanisms:longstr locales:longstr"),
    (10, 11, "connection.start-ok", "client_properties:table mechanism:shortstr response:longstr locale:shortstr"),
    (10, 20, "connection.secure", "challenge:longstr"),
    (10, 21, "connection.secure-ok", "response:longstr"),
    (10, 30, "connection.tune", _TUNE),
    (10, 31, "connection.tune-ok", _TUNE),
    (10, 40, "connection.open", "virtual_host:shortstr capabilities:shortstr insist:bit"),
    (10, 41, "connection.open-ok", "known_hosts:shortstr"),
    (10, 50, "connection.close", _CLOSE),
    (10, 51, "connection.close-ok", ""),
    (10, 60, "connection.blocked", "reason:shortstr"),
    (10, 61, "connection.unblocked", ""),
    (10, 70, "connection.update-secret", "new_secret:longstr reason:shortstr"),
    (10, 71, "connection.update-secret-ok", ""),
    (20, 10, "channel.open", "out_of_band:shortstr"),
    (20, 11, "channel.open-ok", "channel_id:longstr"),
    (20, 20, "channel.flow", "active:bit"),
    (20, 21, "channel.flow-ok", "active:bit"),
    (20, 40, "channel.close", _CLOSE),
    (20, 41, "channel.close-ok", ""),
    (30, 10, "access.request", "realm:shortstr exclusive:bit passive:bit active:bit write:bit read:bit"),
    (30, 11, "access.request-ok", _TICKET),
    (40, 10, "exchange.declare", f"{_EXCHANGE} exchange_type:shortstr passive:bit durable:bit auto_delete:bit internal:bit no_wait:bit arguments:table"),
    (40, 11, "exchange.declare-ok", ""),
    (40, 20, "exchange.delete", f"{_EXCHANGE} if_unused:bit no_wait:bit"),
    (40, 21, "exchange.delete-ok", ""),
    (40, 30, "exchange.bind", f"{_TICKET} destination:shortstr source:shortstr {_BINDING}"),
    (40, 31, "exchange.bind-ok", ""),
    (40, 40, "exchange.unbind", f"{_TICKET} destination:shortstr source:shortstr {_BINDING}"),
    (40, 51, "exchange.unbind-ok", ""),
    (50, 10, "queue.declare", f"{_QUEUE} passive:bit durable:bit exclusive:bit auto_delete:bit no_wait:bit arguments:table"),
    (50, 11, "queue.declare-ok", "queue:shortstr message_count:long consumer_count:long"),
    (50, 20, "queue.bind", f"{_QUEUE} exchange:shortstr {_BINDING}"),
    (50, 21, "queue.bind-ok", ""),
    (50, 30, "queue.purge", f"{_QUEUE} no_wait:bit"),
    (50, 31, "queue.purge-ok", "message_count:long"),
    (50, 40, "queue.delete", f"{_QUEUE} if_unused:bit if_empty:bit no_wait:bit"),
    (50, 41, "queue.delete-ok", "message_count:long"),
    (50, 50, "queue.unbind", f"{_QUEUE} exchange:shortstr routing_key:shortstr arguments:table"),
    (50, 51, "queue.unbind-ok", ""),
    (60, 10, "basic.qos", "prefetch_size:long prefetch_count:short is_global:bit"),
    (60, 11, "basic.qos-ok", ""),
    (60, 20, "basic.consume", f"{_QUEUE} consumer_tag:shortstr no_local:bit no_ack:bit exclusive:bit no_wait:bit arguments:table"),
    (60, 21, "basic.consume-ok", "consumer_tag:shortstr"),
    (60, 30, "basic.cancel", "consumer_tag:shortstr no_wait:bit"),
    (60, 31, "basic.cancel-ok", "consumer_tag:shortstr"),
    (60, 40, "basic.publish", f"{_EXCHANGE} routing_key:shortstr mandatory:bit immediate:bit"),
    (60, 50, "basic.return", f"reply_code:short reply_text:shortstr {_ROUTED}"),
    (60, 60, "basic.deliver", f"consumer_tag:shortstr delivery_tag:longlong redelivered:bit {_ROUTED}"),
    (60, 70, "basic.get", f"{_QUEUE} no_ack:bit"),
    (60, 71, "basic.get-ok", f"delivery_tag:longlong redelivered:bit {_ROUTED} message_count:long"),
    (60, 72, "basic.get-empty", "cluster_id:shortstr"),
    (60, 80, "basic.ack", "delivery_tag:longlong multiple:bit"),
    (60, 90, "basic.reject", "delivery_tag:longlong requeue:bit"),
    (60, 100, "basic.recover-async", "requeue:bit"),
    (60, 110, "basic.recover", "requeue:bit"),
    (60, 111, "basic.recover-ok", ""),
    (60, 120, "basic.nack", "delivery_tag:longlong multiple:bit requeue:bit"),
    (85, 10, "confirm.select", "no_wait:bit"),
    (85, 11, "confirm.select-ok", ""),
    (90, 10, "tx.select", ""),
    (90, 11, "tx.select-ok", ""),
    (90, 20, "tx.commit", ""),
    (90, 21, "tx.commit-ok", ""),
    (90, 30, "tx.rollback", ""),
    (90, 31, "tx.rollback-ok", ""),
)  # fmt: skip


def _fields(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (item.partition(":") for item in text.split())
    return tuple((name, kind) for name, _, kind in pairs)


METHODS: Final = tuple(
    Method(major, minor, name, _fields(text)) for major, minor, name, text in _TABLE
)
BY_NAME: Final = {method.name: method for method in METHODS}
_BY_PREFIX: Final = {method.prefix: method for method in METHODS}
WITH_CONTENT: Final = frozenset(
    BY_NAME[name].prefix
    for name in ("basic.publish", "basic.return", "basic.deliver", "basic.get-ok")
)
"""Payload prefixes of the methods that a content header and body frames follow."""

_SAID_ALIKE: Final = frozenset(("connection.tune-ok", "connection.open", "channel.open"))
"""Methods of a beginning whose arguments nobody changes, and are no secret."""
_SHORT: Final = 64

_WIDTHS: Final = {"octet": 1, "short": 2, "long": 4, "longlong": 8}


def find(payload: bytes) -> Method | None:
    """The method that a method frame's payload is, if the table has it."""
    return _BY_PREFIX.get(payload[:4])


def decode(method: Method, payload: bytes) -> dict[str, Any]:
    """The arguments of a whole payload, by name; raises ProtocolError (501)."""
    # What the clients of one program say at their beginning is the same.
    if len(payload) <= _SHORT and method.name in _SAID_ALIKE:
        return dict(_decode_known(method, payload))
    return _decode(method, payload)


def _decode(method: Method, payload: bytes) -> dict[str, Any]:
    reader = ByteReader(payload, 4, what=method.name)
    values: dict[str, Any] = {}
    bit = 0
    octet = 0
    for name, kind in method.fields:
        if kind == "bit":
            if bit == 0:
                octet = reader.uint8()
            values[name] = bool(octet >> bit & 1)
            bit = (bit + 1) % 8
        else:
            bit = 0
            values[name] = _read(reader, kind)
    if reader.remaining:
        raise ProtocolError(
            f"{method.name}: {reader.remaining} bytes too many", ReplyCode.FRAME_ERROR
        )
    return values


_decode_known = lru_cache(64)(_decode)


def _read(reader: ByteReader, kind: str) -> Any:
    width = _WIDTHS.get(kind)
    if width is not None:
        return int.from_bytes(reader.take(width), "big")
    if kind == "shortstr":
        # Names are any bytes on the wire; what is not UTF-8 survives the round trip.
        return reader.take(reader.uint8()).decode("utf-8", "surrogateescape")
    if kind == "longstr":
        return read_text(reader, reader.uint32())
    return read_table(reader)


def encode(name: str, values: Mapping[str, Any]) -> bytes:
    """A method's payload; missing fields are 0, false or empty."""
    method = BY_NAME[name]
    pieces = [method.prefix]
    bit = 0
    octet = 0
    for field, kind in method.fields:
        value = values.get(field)
        if kind == "bit":
            if bit == 0:
                octet = 0
                pieces.append(b"")
            octet |= bool(value) << bit
            pieces[-1] = bytes((octet,))
            bit = (bit + 1) % 8
        else:
            bit = 0
            pieces.append(_write(kind, value))
    return b"".join(pieces)


def _write(kind: str, value: Any) -> bytes:
    width = _WIDTHS.get(kind)
    if width is not None:
        return int(value or 0).to_bytes(width, "big")
    if kind == "table":
        return write_table(value or {})
    raw = value if isinstance(value, bytes) else (value or "").encode("utf-8", "surrogateescape")
    return len(raw).to_bytes(1 if kind == "shortstr" else 4, "big") + raw


def shortstr(text: str) -> bytes:
    """A short string with its length in front."""
    return _write("shortstr", text)
