"""How a method is refused on purpose, and how a message is changed on its way."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from ..errors import InvalidInput, ProtocolError, RequestRefused
from ..misbehaviour.decisions import Changes
from ..misbehaviour.skimming import Found, Shape
from . import inputs
from .channel.channel import Channel
from .codes import ReplyCode
from .records import field
from .wire import content, methods
from .wire.frames import END, HEAD_SIZE, METHOD, OVERHEAD, Frame, head, method, split
from .wire.methods import WITH_CONTENT
from .wire.units import unit_end

if TYPE_CHECKING:
    from .connection.connection import Connection

NACK: Final = 120
"""basic.nack's method id (class 60): a publish in confirm mode is refused by it."""

REFUSALS: Final[Mapping[str, int]] = MappingProxyType(
    {"NACK": NACK, **{code.name: int(code) for code in ReplyCode if code >= 300}}
)

_CHANNEL_ERRORS: Final = frozenset(
    (
        ReplyCode.CONTENT_TOO_LARGE,
        ReplyCode.ACCESS_REFUSED,
        ReplyCode.NOT_FOUND,
        ReplyCode.RESOURCE_LOCKED,
        ReplyCode.PRECONDITION_FAILED,
    )
)
"""AMQP 1.1 "soft" errors: they end a channel; all others end the connection."""
_RETURNS: Final = frozenset((ReplyCode.NO_ROUTE, ReplyCode.NO_CONSUMERS))
_ADDRESSES: Final = frozenset(("basic.publish", "basic.deliver", "basic.return", "basic.get-ok"))


def refuse(connection: Connection, unit: bytes, code: int, text: str) -> None:
    """Answer one unit (a method, with its content where it has one) with an error code.

    What cannot be read, or comes where no channel takes it, is answered as without a rule.
    """
    frames = split(unit)
    found = methods.find(frames[0].payload) if frames and frames[0].type == METHOD else None
    try:
        values = methods.decode(found, frames[0].payload) if found is not None else {}
    except ProtocolError:
        found = None
    if found is None:
        connection.receive(unit)
        return
    channel = connection.channels.ready(frames[0].channel)
    publish = found.name == "basic.publish"
    if channel is not None and publish and code == NACK:
        _settle(channel, "basic.nack")
    elif channel is not None and publish and code in _RETURNS:
        _send_back(channel, unit, values, code, text)
    elif channel is not None and code in _CHANNEL_ERRORS:
        connection.channels.refuse(channel, RequestRefused(code, text), found)
    elif channel is not None and code in _RETURNS | {NACK}:
        text = f"{text}: only a basic.publish is refused with {code}, not {found.name}"
        connection.close(ReplyCode.COMMAND_INVALID, text, (found.class_id, found.method_id))
    elif channel is not None or not frames[0].channel or found.name == "channel.open":
        code = ReplyCode.COMMAND_INVALID if code == NACK else code
        connection.close(code, text, (found.class_id, found.method_id))
    else:
        connection.receive(unit)


def _settle(channel: Channel, answer: str) -> None:
    """Confirm one publish; without confirms RabbitMQ says nothing, and neither do we."""
    publishing = channel.publishing
    if publishing.confirming:
        publishing.confirm()
        publishing.confirms += 1
        channel.send(answer, delivery_tag=publishing.confirms)


def _send_back(
    channel: Channel, unit: bytes, values: Mapping[str, Any], code: int, text: str
) -> None:
    channel.send(
        "basic.return",
        reply_code=code,
        reply_text=text,
        exchange=values["exchange"],
        routing_key=values["routing_key"],
    )
    channel.out.append(_content(unit, split(unit)[0]))
    _settle(channel, "basic.ack")


def _content(unit: bytes, first: Frame) -> bytes:
    return unit[len(first.payload) + OVERHEAD :]


def edit(
    connection: Connection, direction: int, frame: bytes, changes: Mapping[int, Changes]
) -> bytes:
    """The same method and content with the changes; raises InvalidInput."""
    for number, each in changes.items():
        frame = _edit(frame, number, each, connection.max_payload)
    return frame


def _edit(unit: bytes, number: int, changes: Changes, max_payload: int) -> bytes:
    frames = split(unit)
    found = methods.find(frames[0].payload) if frames and frames[0].type == METHOD else None
    if found is None or found.name not in _ADDRESSES or len(frames) < 2 or number:
        name = found.name if found is not None else "what is held"
        raise InvalidInput(
            f"{name} carries no message {number + 1}: hold op:basic.publish or op:basic.deliver"
        )
    values = methods.decode(found, frames[0].payload)
    if changes.key is not UNSET:
        values["routing_key"] = (changes.key or b"").decode("utf-8", "surrogateescape")
        inputs.check_short("routing key", values["routing_key"])
    raw = _content(unit, frames[0])
    body = content.body(raw) if changes.payload is UNSET else changes.payload or b""
    properties = content.properties(raw)
    for name, value in changes.properties.items():
        _put(properties, inputs.property_name(name), inputs.property_value(name, value))
    if changes.headers:
        headers = properties["headers"] = dict(properties.get("headers", {}))
        for name, value in changes.headers.items():
            _put(headers, name, None if value is None else field(value, f"header {name}"))
    try:
        made = content.make_content(frames[0].channel, body, properties, max_payload)
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidInput(f"a property or header has no legal value: {error}") from None
    return method(frames[0].channel, found.name, **values) + made


def _put(target: dict[str, Any], name: str, value: object) -> None:
    if value is None:
        target.pop(name, None)
    else:
        target[name] = value


def body(frame: bytes) -> range:
    """The payload of a method's frame: frames behind it have heads of their own."""
    _, _, size = head.unpack_from(frame)
    return range(HEAD_SIZE, HEAD_SIZE + size)


def repeated(frame: bytes, *, dup: bool) -> bytes:
    """AMQP has no mark for a repetition."""
    return frame


def repeat(connection: Connection, frame: bytes, *, dup: bool) -> None:
    """Handle a unit once more. A repeated publish is not confirmed: its tag would be another's."""
    frames = split(frame)
    channel = connection.channels.ready(frames[0].channel) if frames else None
    if channel is None or not channel.publishing.confirming:
        connection.receive(frame)
        return
    # The repetition may end the channel, which then has it no more.
    publishing = channel.publishing
    # What is owed so far is sent by its own tags first.
    publishing.confirm()
    publishing.confirming = False
    try:
        connection.receive(frame)
    finally:
        publishing.confirming = True


_PUBLISH: Final = b"\x00\x3c\x00\x28"
_DELIVER: Final = b"\x00\x3c\x00\x3c"
_NAMELESS: Final = frozenset(b"\x00\x3c\x00" + bytes((method,)) for method in (80, 90, 120))
"""basic.ack, basic.reject, basic.nack."""
_AFTER_TAG: Final = 9
"""basic.deliver: the delivery tag and a bit for redelivered behind the consumer tag."""


def glance(direction: int, unit: bytes) -> tuple[bytes, bool] | None:
    """The method's frame where it stands for all that a rule asks of it soon, else its name."""
    name = unit[7:11]
    if name == _PUBLISH:
        _, _, size = head.unpack_from(unit)
        return unit[HEAD_SIZE : HEAD_SIZE + size], True
    if name == _DELIVER:
        _, _, size = head.unpack_from(unit)
        at = 12 + unit[11]
        return unit[7:at] + unit[at + _AFTER_TAG : HEAD_SIZE + size], True
    return (name, True) if name in _NAMELESS else None


def find(direction: int, data: bytes, at: int) -> Found | None:
    """The unit at `at`. Of its shape are those with the same method, address, properties and size
    of body, which is one frame or none: all but the delivery tag and the body itself."""
    stop = unit_end(data, at)
    if not stop:
        return None
    _, _, size = head.unpack_from(data, at)
    behind = at + size + OVERHEAD
    look = glance(direction, data[at:behind])
    if look is None:
        return Found(stop, None, None)
    begin = at + HEAD_SIZE + 4
    name = data[at + HEAD_SIZE : begin]
    if name in _NAMELESS:
        # Behind the name stand the tag and a byte of bits, then the end.
        return Found(stop, look, Shape(data[at:begin], 0, b"", stop - at, END, look))
    if name not in WITH_CONTENT:
        return Found(stop, look, None)
    compared = behind + head.unpack_from(data, behind)[2] + OVERHEAD
    if compared < stop:
        if compared + head.unpack_from(data, compared)[2] + OVERHEAD != stop:
            return Found(stop, look, None)
        compared += HEAD_SIZE
    if name != _DELIVER:
        return Found(stop, look, Shape(data[at:compared], 0, b"", stop - at, END, look))
    begin = at + 12 + data[at + 11]
    end = begin + _AFTER_TAG
    shape = Shape(data[at:begin], end - at, data[end:compared], stop - at, END, look)
    return Found(stop, look, shape)


def notify_blocked(connection: Connection, reason: str | None) -> None:
    """To a client with the capability connection.blocked, as RabbitMQ does."""
    if connection.blocking.wanted:
        if reason is None:
            frame = method(0, "connection.unblocked")
        else:
            frame = method(0, "connection.blocked", reason=reason)
        connection.say(frame)


def set_fields(direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
    """The method with other values in these fields; raises InvalidInput."""
    frames = split(frame)
    found = methods.find(frames[0].payload) if frames and frames[0].type == METHOD else None
    if found is None:
        raise InvalidInput("it is no method: it has no fields")
    first = frames[0]
    fields = methods.decode(found, first.payload)
    for name, text in values.items():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InvalidInput(f"{found.name} has no field {name}; it has {known}")
        fields[name] = _converted(name, fields[name], text)
    try:
        made = method(first.channel, found.name, **fields)
    except (OverflowError, ValueError, struct.error) as error:
        raise InvalidInput(f"a value does not fit: {error}") from None
    return made + _content(frame, first)


def _converted(name: str, value: object, text: str) -> object:
    """As the type of the value that it replaces."""
    match value:
        case bool() if text.lower() in ("true", "1", "false", "0"):
            return text.lower() in ("true", "1")
        case int() if not isinstance(value, bool) and text.removeprefix("-").isdecimal():
            return int(text)
        case str():
            return text
    raise InvalidInput(f"{name} is {type(value).__name__}, not {text!r}")
