"""How a frame of AMQP 1.0 is refused on purpose, and how a message is changed on its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from ...errors import InvalidInput, ProtocolError
from ...misbehaviour.decisions import Changes
from ..codes import ReplyCode
from ..misbehaviour import NACK
from .failures import ConnectionFailed, LinkFailed, SessionFailed, condition_of, error
from .wire import message, performatives
from .wire.frames import AMQP, frame, head
from .wire.performatives import SHAPES, Composite
from .wire.values import Symbol, UByte, UInt, ULong, UShort

if TYPE_CHECKING:
    from .connection import Connection

_ROUTELESS: Final = frozenset((ReplyCode.NO_ROUTE, ReplyCode.NO_CONSUMERS))
_CHANGEABLE: Final = tuple(name for name, _ in SHAPES["properties"].fields)


def refuse(connection: Connection, unit: bytes, code: int, text: str) -> None:
    """Answer one frame with an error; the codes are those of 0-9-1.

    A message is rejected (by NO_ROUTE released), a link is refused, a session or the connection
    ends. What cannot be read is answered as without a rule.
    """
    try:
        _, offset, kind, channel = head.unpack_from(unit)
        found, _ = performatives.read(unit, offset * 4)
    except ProtocolError:
        connection.receive(unit)
        return
    session = connection.sessions.open.get(channel)
    condition = condition_of(code)
    if found.name == "transfer" and session is not None:
        if not found.get("settled"):
            outcome = Composite("rejected", {"error": error(condition, text)})
            released = Composite("released", {})
            session.settle(found.get("delivery_id", 0), released if code in _ROUTELESS else outcome)
        try:
            session.skip(found.get("handle"))
        except SessionFailed as failed:
            connection.sessions.fail(session, failed)
    elif found.name == "attach" and session is not None:
        session.links.refuse(found.fields, LinkFailed(condition, text))
    elif session is not None and code != ReplyCode.CONNECTION_FORCED:
        connection.sessions.fail(session, SessionFailed(condition, text))
    elif kind == AMQP and code != NACK:
        connection.closing.close_failed(ConnectionFailed(condition, text))
    else:
        connection.peer.close(text)


def edit(
    connection: Connection, direction: int, unit: bytes, changes: Mapping[int, Changes]
) -> bytes:
    """The same transfer with another message in it; raises InvalidInput."""
    for number, each in changes.items():
        unit = _edit(unit, number, each)
    return unit


def _edit(unit: bytes, number: int, changes: Changes) -> bytes:
    _, offset, _, channel = head.unpack_from(unit)
    try:
        found, end = performatives.read(unit, offset * 4)
        sections = message.read(unit[end:])
    except ProtocolError as failure:
        raise InvalidInput(f"it carries no whole message: {failure.text}") from None
    if found.name != "transfer" or number:
        raise InvalidInput(f"{found.name} carries no message {number + 1}: hold op:transfer")
    if changes.key is not UNSET:
        raise InvalidInput(
            "AMQP 1.0 has no routing key in a message: it is part of the link's address "
            "(change the property to or subject)"
        )
    properties = dict(sections.properties)
    for name, value in changes.properties.items():
        _put(properties, name, value)
    application = dict(sections.application)
    for name, value in changes.headers.items():
        if value is None:
            application.pop(name, None)
        else:
            application[name] = value
    body = sections.body if sections.encoded else message.data_section(sections.body)
    if changes.payload is not UNSET:
        body = message.data_section(changes.payload or b"")
    try:
        made = message.bare_message(properties, application, body)
        head_section = message.header(**sections.header) if sections.header else b""
    except (TypeError, OverflowError, ValueError, AttributeError) as failure:
        raise InvalidInput(f"a property or header has no legal value: {failure}") from None
    payload = head_section + message.annotations(sections.annotations) + made
    return frame(channel, unit[offset * 4 : end] + payload)


def _put(properties: dict[str, Any], name: str, value: object) -> None:
    key = name.replace("-", "_")
    if key not in _CHANGEABLE:
        raise InvalidInput(f"there is no property {name}; there are {', '.join(_CHANGEABLE)}")
    if value is None:
        properties.pop(key, None)
    elif key == "user_id":
        properties[key] = str(value).encode()
    elif key in ("absolute_expiry_time", "creation_time", "group_sequence"):
        try:
            properties[key] = int(str(value))
        except ValueError:
            raise InvalidInput(f"{name} is a whole number, not {str(value)[:40]!r}") from None
    else:
        properties[key] = str(value)


def glance(direction: int, unit: bytes) -> None:
    """A frame's place stands in what it follows: each is read."""
    return


def body(unit: bytes) -> range:
    """All behind the frame's head."""
    return range(head.unpack_from(unit)[1] * 4, len(unit))


def repeated(unit: bytes, *, dup: bool) -> bytes:
    """AMQP 1.0 has no mark for a repetition."""
    return unit


def repeat(connection: Connection, unit: bytes, *, dup: bool) -> None:
    connection.receive(unit)


def set_fields(direction: int, unit: bytes, given: Mapping[str, str]) -> bytes:
    """The performative with other values in these fields; raises InvalidInput."""
    _, offset, kind, channel = head.unpack_from(unit)
    try:
        found, end = performatives.read(unit, offset * 4)
    except ProtocolError as failure:
        raise InvalidInput(f"it has no fields: {failure.text}") from None
    kinds = dict(SHAPES[found.name].fields)
    fields = dict(found.fields)
    for name, text in given.items():
        key = name.replace("-", "_")
        if key not in kinds:
            known = ", ".join(kinds) or "none"
            raise InvalidInput(f"{found.name} has no field {name}; it has {known}")
        fields[key] = _converted(name, kinds[key], text)
    try:
        made = performatives.write(found.name, **fields)
    except (OverflowError, ValueError) as failure:
        raise InvalidInput(f"a value does not fit: {failure}") from None
    return frame(channel, made + unit[end:], kind)


def check_value(performative: str, name: str, text: str) -> None:
    """Raises InvalidInput where it cannot have this value in a field."""
    shape = SHAPES.get(performative)
    kind = None if shape is None else dict(shape.fields).get(name.replace("-", "_"))
    if kind is not None:
        try:
            performatives.write(performative, **{name: _converted(name, kind, text)})
        except (OverflowError, ValueError) as failure:
            raise InvalidInput(f"a value does not fit: {failure}") from None


_NUMBERS: Final = {"uint": UInt, "ulong": ULong, "ushort": UShort, "ubyte": UByte}


def _converted(name: str, kind: str, text: str) -> Any:
    if kind in _NUMBERS and text.isdecimal():
        return _NUMBERS[kind](text)
    match kind:
        case "boolean" if text.lower() in ("true", "false", "1", "0"):
            return text.lower() in ("true", "1")
        case "string":
            return text
        case "symbol":
            return Symbol(text)
        case "symbol+":
            return tuple(text.split(","))
        case "binary":
            return text.encode()
        case "*" if name in ("error", "state"):
            return error(text) if name == "error" else Composite(text, {})
    raise InvalidInput(f"{name} is {kind.rstrip('+*') or 'no plain value'}, not {text!r}")
