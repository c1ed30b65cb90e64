"""How a message of MQTT-SN is refused on purpose, and how it is changed on its way."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import fields, replace

from ...errors import InvalidInput, ProtocolError
from ...misbehaviour.decisions import Changes
from ..codes import Reason
from ..handshake import Refused
from ..joining import refuse as refuse_connect
from . import messages as sn
from .codec import TYPE_OF, decode, encode, head
from .messages import MessageType, ReturnCode
from .outlet import return_code
from .requests import subscribe
from .rows import kind_of

if TYPE_CHECKING:
    from .connection import SnConnection

_DUP = 0x80


def refuse(connection: "SnConnection", frame: bytes, code: int, text: str) -> None:
    """Answer one message with the return code that MQTT-SN has for a reason code.

    What has no return code ends the connection.
    """
    try:
        message = decode(frame)
    except ProtocolError:
        connection.receive(frame)
        return
    refused = return_code(code) or ReturnCode.NOT_SUPPORTED
    outlet = connection.outlet
    match message:
        case sn.Connect():
            connection.client = message.client_id
            refuse_connect(connection, Refused(text, code))
        case _ if connection.session is None:
            connection.receive(frame)
        case sn.Publish():
            outlet.write(sn.Puback(message.topic_id, message.message_id, refused))
        case sn.Register():
            outlet.write(sn.Regack(0, message.message_id, refused))
        case sn.Subscribe():
            subscribe(connection, message, code)
        case sn.WillTopicUpdate():
            outlet.write(sn.WillTopicResponse(refused))
        case sn.WillMessageUpdate():
            outlet.write(sn.WillMessageResponse(refused))
        case _:
            connection.disconnect(Reason(code), text)


def edit(frame: bytes, changes: Mapping[int, Changes]) -> bytes:
    """The same PUBLISH with another payload; raises InvalidInput."""
    for number, each in changes.items():
        frame = _edit(frame, number, each)
    return frame


def _edit(frame: bytes, number: int, changes: Changes) -> bytes:
    try:
        message = decode(frame)
    except ProtocolError as error:
        raise InvalidInput(f"what is held is no message: {error.text}") from None
    if not isinstance(message, sn.Publish) or number:
        raise InvalidInput(
            f"{kind_of(message)} carries no message {number + 1}: hold op:PUBLISH to edit one"
        )
    if changes.key is not UNSET or changes.headers or changes.properties:
        raise InvalidInput("an MQTT-SN message has only a payload: change that")
    if changes.payload is UNSET:
        return frame
    return _encoded(replace(message, payload=changes.payload or b""))


def set_fields(frame: bytes, values: Mapping[str, str]) -> bytes:
    """The message with other values; raises InvalidInput."""
    try:
        message = decode(frame)
    except ProtocolError as error:
        raise InvalidInput(f"it is no message: {error.text}") from None
    for name, text in values.items():
        known = message.__struct_fields__
        if name not in known:
            raise InvalidInput(f"{kind_of(message)} has no field {name}; it has {', '.join(known)}")
        message = replace(message, **{name: _converted(name, getattr(message, name), text)})
    return _encoded(message)


def field_names(kind: MessageType) -> tuple[str, ...]:
    """Those of a message that can be set."""
    return next((each.__struct_fields__ for each, its in TYPE_OF.items() if its is kind), ())


def check_value(kind: MessageType, name: str, text: str) -> None:
    """Raises InvalidInput where a message of this kind cannot have this value in a field."""
    made = next((each for each, its in TYPE_OF.items() if its is kind), None)
    if made is not None and name in made.__struct_fields__:
        needed = {each.name: _sample(each.type) for each in fields(made) if each.required}
        message: Any = made(**needed)
        _encoded(replace(message, **{name: _converted(name, getattr(message, name), text)}))


def _sample(kind: Any) -> Any:
    """Something for a field that has no default."""
    if kind is bool:
        return False
    return "a" if kind is str else b"a" if kind is bytes else kind(1)


def _converted(name: str, value: Any, text: str) -> Any:
    """As the type of the value that it replaces."""
    if isinstance(value, str):
        return text
    if isinstance(value, bytes):
        return text.encode()
    if isinstance(value, bool):
        words = {"true": True, "1": True, "false": False, "0": False}
        if text.lower() not in words:
            raise InvalidInput(f"{name} is true or false, not {text!r}")
        return words[text.lower()]
    if name == "code" and text.upper() in ReturnCode.__members__:
        return int(ReturnCode[text.upper()])
    if name == "qos" and text not in ("-1", "0", "1", "2"):
        raise InvalidInput(f"qos has two bits, -1 to 2, not {text!r}")
    try:
        return int(text, 0)
    except ValueError:
        raise InvalidInput(f"{name} is a number, not {text!r}") from None


def _encoded(message: sn.SnMessage) -> bytes:
    try:
        return encode(message)
    except ValueError as error:
        raise InvalidInput(f"a value does not fit: {error}") from None


def body(frame: bytes) -> range:
    """Behind the length and the type."""
    return range(head(frame)[0] + 1, len(frame))


def repeated(frame: bytes) -> bytes:
    """With the DUP flag, where it is a message that has one."""
    before = head(frame)[0]
    if frame[before] not in (MessageType.PUBLISH, MessageType.SUBSCRIBE):
        return frame
    return frame[: before + 1] + bytes((frame[before + 1] | _DUP,)) + frame[before + 2 :]
