"""MQTT-SN messages as people see them, at any time after they passed."""

from collections.abc import Callable, Hashable
from typing import Any, Final

from ...errors import ProtocolError
from ...journal import IN, OUT, Row
from .codec import TYPE_OF, decode, head
from .messages import (
    QOS_MINUS_1,
    VERSION,
    Connack,
    Connect,
    MessageType,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Regack,
    Register,
    ReturnCode,
    SnMessage,
    Suback,
    Subscribe,
    TopicIdType,
    Unsuback,
    Unsubscribe,
)

Names = Callable[[int, int], str | None]
"""A topic's name by the type and the value of its id."""

_NOISE: Final = (Pingreq, Pingresp)


def read_rows(direction: int, frame: bytes, names: Names) -> list[Row]:
    """The one row of a message; bytes that are none make a row with `error`."""
    row = Row("mqtt", direction, _operation(frame), size=len(frame), frame=frame)
    try:
        message = decode(frame)
    except ProtocolError as error:
        row.error = error.text
        return [row]
    row.correlation = _correlation(direction, message)
    row.kind = "noise" if isinstance(message, _NOISE) else "control"
    if isinstance(message, Publish):
        _describe_publish(row, message, names)
    else:
        _describe(row, message, names)
    return [row]


def _operation(frame: bytes) -> str:
    try:
        kind = frame[head(frame)[0]]
    except (ProtocolError, IndexError):
        return "?"
    return MessageType(kind).name if kind in MessageType._value2member_map_ else "?"


def _correlation(direction: int, message: SnMessage) -> Hashable:
    """Common to a request and its answers: who chose the message id, and it."""
    match message:
        case Connect() | Connack():
            return "CONNECT"
        case Pingreq() | Pingresp():
            return "PINGREQ"
        case Register() | Subscribe() | Unsubscribe() | Pubrel():
            return direction, message.message_id
        case Publish():
            return (direction, message.message_id) if message.message_id else None
        case Regack() | Suback() | Unsuback() | Puback() | Pubrec() | Pubcomp():
            return (OUT if direction == IN else IN), message.message_id
        case _:
            return None


def _describe_publish(row: Row, message: Publish, names: Names) -> None:
    row.kind = "message"
    row.destination = names(message.topic_type, message.topic_id) or ""
    row.payload = message.payload
    row.size = len(message.payload)
    qos = -1 if message.qos == QOS_MINUS_1 else message.qos
    row.detail = {"qos": qos, "retain": message.retain}
    if message.dup:
        row.detail["dup"] = True
    if message.message_id:
        row.detail["packet_id"] = message.message_id
    row.detail |= _topic(message.topic_type, message.topic_id)


def _topic(topic_type: int, topic_id: int) -> dict[str, Any]:
    return {"topic_id": topic_id, "topic_type": TopicIdType(topic_type).name.lower()}


def _describe(row: Row, message: SnMessage, names: Names) -> None:
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    if "message_id" in fields:
        fields["packet_id"] = fields.pop("message_id")
    code = fields.pop("code", None)
    if code is not None:
        known = code in ReturnCode._value2member_map_
        reason = ReturnCode(code).text if known else f"0x{code:02X}"
        # In front: a line of the flow may have no room for more.
        row.detail = {"reason": reason}
        row.error = reason if code else ""
    if isinstance(message, Connect):
        version = fields.pop("protocol_id")
        fields["version"] = VERSION if version == 1 else f"protocol id {version}"
    name = fields.pop("topic_name", "")
    if isinstance(message, Subscribe | Unsubscribe):
        if message.topic_type == TopicIdType.PREDEFINED:
            name = names(message.topic_type, message.topic_id) or ""
        else:
            fields.pop("topic_id")
        fields["topic_type"] = TopicIdType(message.topic_type).name.lower()
    elif isinstance(message, Puback | Regack | Suback):
        name = names(TopicIdType.NORMAL, message.topic_id) or ""
    row.destination = name
    row.detail |= fields


def kind_of(message: SnMessage) -> str:
    return TYPE_OF[type(message)].name
