"""Another will while connected, or half of one, or none: WILLTOPICUPD and WILLMSGUPD (6.4)."""

from typing import TYPE_CHECKING

from .. import handshake
from ..wire.packets import Connect, Will
from . import messages as sn
from .messages import ReturnCode

if TYPE_CHECKING:
    from .connection import SnConnection


def change_topic(connection: "SnConnection", update: sn.WillTopicUpdate) -> ReturnCode:
    """Where it is published, and how; an empty topic takes the will back."""
    before = connection.will
    if not update.topic_name:
        return _leave(connection, None)
    payload = before.payload if before is not None else b""
    return _leave(connection, Will(update.topic_name, payload, update.qos, update.retain))


def change_message(connection: "SnConnection", update: sn.WillMessageUpdate) -> ReturnCode:
    """What is published."""
    before = connection.will
    if before is None:
        connection.report("WILLMSGUPD: there is no will topic to have it [MQTT-SN 6.4]")
        return ReturnCode.NOT_SUPPORTED
    return _leave(connection, Will(before.topic_name, update.payload, before.qos, before.retain))


def _leave(connection: "SnConnection", will: Will | None) -> ReturnCode:
    if will is not None:
        try:
            handshake.check(Connect(connection.client, will=will), connection.options)
        except handshake.Refused as error:
            connection.report(error.text)
            return ReturnCode.NOT_SUPPORTED
        registry = connection.broker.registry
        if not registry.has_room_for(handshake.message_of(will), connection.client):
            return ReturnCode.CONGESTION
    connection.will = will
    connection.gateway.keep_will(connection.client, will)
    session = connection.in_session
    allowed = will is not None and connection.may_leave(will)
    handshake.leave_will(connection, will if allowed else None)
    session.changed()
    return ReturnCode.ACCEPTED
