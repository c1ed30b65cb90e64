"""What a frame of AMQP 1.0 says, for people."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ...errors import ProtocolError
from ...journal import IN, Past, Row, Splitter
from ..channel.unroutable import Unroutable
from ..rows import KINDS, PROTOCOL_HEADER, UNREADABLE
from ..wire.frames import HEARTBEAT
from .addresses import BadAddress, target_v2
from .wire import message, performatives, values
from .wire.frames import AMQP, HEADER, SASL_HEADER, head
from .wire.performatives import Composite
from .wire.units import FrameSplitter

PROTOCOL: Final = "amqp"
_MOST_NAMES: Final = 1000
_REMEMBERED: Final = 200
"""About the bytes of a link's names, or of a message that reached no queue, kept for rows."""
_ANSWERS: Final = {
    "open": "open",
    "begin": "begin",
    "attach": "attach",
    "detach": "detach",
    "end": "end",
    "close": "close",
    "sasl-init": "sasl",
    "sasl-outcome": "sasl",
}
_MODES: Final = ("unsettled", "settled", "mixed")


class Names:
    """What links lead to: rows are made when the frames that said so are long gone.

    By channel, handle and direction: what a client sends to, what we send from.
    """

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[tuple[int, int, bool], tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, channel: int, handle: int, names: tuple[str, str], *, incoming: bool) -> None:
        if len(self._names) >= _MOST_NAMES:
            del self._names[next(iter(self._names))]
        self._names[channel, handle, incoming] = names

    def find(self, channel: int, handle: int, *, incoming: bool) -> tuple[str, str]:
        return self._names.get((channel, handle, incoming), ("", ""))


def past(client: str, names: Names, unroutable: Unroutable) -> Past:
    """What the journal needs of a connection that has ended."""
    weight = _REMEMBERED * (len(names) + unroutable.remembered)
    reader = partial(read_rows, names=names, unroutable=unroutable)
    return Past(client, _splitter, reader, weight)


def _splitter(direction: int) -> Splitter:
    return FrameSplitter()


def read_rows(direction: int, frame: bytes, names: Names, unroutable: Unroutable) -> list[Row]:
    """The row of one frame or protocol header: what it says, and whether a message of it reached a
    queue. Never raises.
    """
    row = Row(PROTOCOL, direction, UNREADABLE, size=len(frame), frame=frame)
    try:
        _fill(row, frame, names)
        _mark_unroutable(row, unroutable)
    except ProtocolError as failure:
        row.error = failure.text
    return [row]


def _fill(row: Row, frame: bytes, names: Names) -> None:
    if frame.startswith(b"AMQP"):
        row.operation = PROTOCOL_HEADER
        row.detail["version"] = "1.0"
        if frame not in (HEADER, SASL_HEADER):
            row.error = f"not AMQP 1.0: {frame!r}"
        return
    _, offset, kind, channel = head.unpack_from(frame)
    body = frame[offset * 4 :]
    if not body:
        row.operation, row.kind = KINDS[HEARTBEAT], "noise"
        return
    found, end = performatives.read(body)
    row.operation = found.name
    if kind == AMQP:
        row.detail["channel"] = channel
    _fill_fields(row, channel, found)
    match found.name:
        case "transfer":
            _fill_transfer(row, channel, found, body[end:], names)
        case "disposition":
            _fill_disposition(row, found)
        case "attach":
            _fill_attach(row, found)
        case "sasl-outcome" if found.get("code"):
            row.error = "login refused"


def _fill_fields(row: Row, channel: int, found: Composite) -> None:
    answer = _ANSWERS.get(found.name)
    if answer is not None:
        row.correlation = (channel, answer, found.get("handle"))
    for name, value in found.fields.items():
        if name not in ("initial_response", "delivery_tag"):
            row.detail[name] = shown(value)
    failure = found.get("error")
    if isinstance(failure, Composite):
        row.error = f"{failure.get('condition')}: {failure.get('description', '')}".rstrip(": ")


def shown(value: Any) -> Any:
    """A field's value for people: composites by their names."""
    if isinstance(value, Composite):
        if not value.fields:
            return value.name
        return {"": value.name} | {name: shown(each) for name, each in value.fields.items()}
    return values.plain(list(value) if isinstance(value, tuple) else value)


def _fill_transfer(row: Row, channel: int, found: Composite, payload: bytes, names: Names) -> None:
    incoming = row.direction == IN
    exchange, key = names.find(channel, found.get("handle"), incoming=incoming)
    row.kind = "message"
    row.destination, row.key = exchange, key.encode("utf-8", "surrogateescape")
    row.payload, row.size = payload, len(payload)
    if not incoming:
        row.detail["queue"] = exchange
    if found.get("more"):
        row.detail["note"] = "part of a message: more of it follows"
        return
    try:
        sections = message.read(payload)
    except ProtocolError:
        # Perhaps the last part of one that began in another frame.
        return
    _fill_message(row, sections)


def _fill_message(row: Row, sections: message.Sections) -> None:
    row.payload, row.size = sections.body, len(sections.body)
    if sections.encoded:
        row.detail["value"] = values.plain(message.body_value(sections.body))
    row.headers = tuple(
        (str(values.plain(key)), values.plain(value)) for key, value in sections.application.items()
    )
    row.detail["properties"] = {name: shown(value) for name, value in sections.properties.items()}
    if sections.header:
        row.detail["header"] = {name: shown(value) for name, value in sections.header.items()}
    annotations = {
        str(values.plain(key)): values.plain(value) for key, value in sections.annotations.items()
    }
    if annotations:
        row.detail["annotations"] = annotations
    if "x-exchange" in annotations and row.direction != IN:
        row.destination = str(annotations["x-exchange"]) or row.destination
        row.key = str(annotations.get("x-routing-key", "")).encode()
    to = sections.properties.get("to")
    if not row.destination and not row.key and isinstance(to, str):
        _fill_address(row, to)
    if not row.destination:
        # The default exchange has no name: its routing key is a queue's.
        row.destination = (row.key or b"").decode("utf-8", "replace")


def _fill_address(row: Row, to: str) -> None:
    """An anonymous terminus: the message says itself where it goes."""
    try:
        target = target_v2(to)
    except BadAddress:
        row.destination = to
        return
    row.destination = target.exchange
    row.key = (target.routing_key or "").encode("utf-8", "surrogateescape")


def _fill_disposition(row: Row, found: Composite) -> None:
    state = found.get("state")
    if not isinstance(state, Composite):
        return
    row.detail["state"] = state.name
    if state.name in ("rejected", "released", "modified"):
        failure = state.get("error")
        text = failure.get("description", "") if isinstance(failure, Composite) else ""
        row.error = f"{state.name}: {text}".rstrip(": ")


def _fill_attach(row: Row, found: Composite) -> None:
    source, target = found.get("source"), found.get("target")
    # Who sends is named by the role: the other end's terminus is the node.
    node = source if found.get("role") == (row.direction == IN) else target
    if isinstance(node, Composite):
        row.destination = str(node.get("address", "") or "")
    mode = found.get("snd_settle_mode")
    if mode is not None and mode < len(_MODES):
        row.detail["snd_settle_mode"] = _MODES[mode]


def _mark_unroutable(row: Row, unroutable: Unroutable) -> None:
    """Give the row of a message that reached no queue its `error`."""
    if row.operation == "transfer" and row.direction == IN and unroutable.remembered:
        _, offset, _, _ = head.unpack_from(row.frame)
        body = row.frame[offset * 4 :]
        if unroutable.has(body[performatives.read(body)[1] :]):
            row.detail["unroutable"] = True
            row.error = row.error or "reached no queue"
