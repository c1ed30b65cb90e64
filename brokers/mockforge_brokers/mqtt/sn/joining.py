"""CONNECT with its will, which is asked for in two further messages (6.2)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ...errors import ProtocolError
from ..codes import Reason
from ..handshake import Refused
from ..joining import refuse
from ..wire.packets import Will
from . import messages as sn
from .messages import SnMessage

if TYPE_CHECKING:
    from .connection import SnConnection

_PROTOCOL_ID: Final = 1


class Joining:
    """A CONNECT with Will, until its WILLMSG is here."""

    __slots__ = ("connect", "will")

    def __init__(self, connect: sn.Connect) -> None:
        self.connect = connect
        self.will: sn.WillTopic | None = None


def _connect(connection: "SnConnection", message: sn.Connect) -> None:
    if message.protocol_id != _PROTOCOL_ID or not message.client_id:
        what = (
            f"protocol id {message.protocol_id}, and 1 is MQTT-SN 1.2 [MQTT-SN 5.3.8]"
            if message.protocol_id != _PROTOCOL_ID
            else "a client identifier has 1 octet or more [MQTT-SN 5.3.1]"
        )
        error = Refused(what, Reason.CLIENT_IDENTIFIER_NOT_VALID)
        connection.client = message.client_id
        refuse(connection, error)
        return
    connection.outlet.retries.settle("will")
    connection.joining = None
    if message.will:
        connection.joining = Joining(message)
        connection.outlet.ask("will", sn.WillTopicRequest())
        return
    connection.join(message, None)


def _will_topic(connection: "SnConnection", message: sn.WillTopic) -> None:
    joining = connection.joining
    if joining is None:
        raise ProtocolError("WILLTOPIC, and nobody asked for it [MQTT-SN 6.2]")
    connection.outlet.retries.settle("will")
    if not message.topic_name:
        # No will, whatever there was before (6.3).
        connection.joining = None
        connection.join(joining.connect, None)
        return
    joining.will = message
    connection.outlet.ask("will", sn.WillMessageRequest())


def _will_message(connection: "SnConnection", message: sn.WillMessage) -> None:
    joining = connection.joining
    if joining is None or joining.will is None:
        raise ProtocolError("WILLMSG, and nobody asked for it [MQTT-SN 6.2]")
    connection.outlet.retries.settle("will")
    connection.joining = None
    topic = joining.will
    will = Will(topic.topic_name, message.payload, topic.qos & 3, topic.retain)
    if will.qos > 2:
        error = Refused("WILLTOPIC: QoS -1 [MQTT-SN 5.4.7]", Reason.QOS_NOT_SUPPORTED)
        refuse(connection, error)
        return
    connection.join(joining.connect, will)


def found(connection: "SnConnection", message: SnMessage) -> bool:
    """Whether this is a sleeping client that woke up at another address; it is here then."""
    if not isinstance(message, sn.Pingreq):
        return False
    sleeper = connection.gateway.sleepers.get(message.client_id)
    if sleeper is None or sleeper.session is None:
        return False
    sleeper.sleep.move_to(connection)
    return True


HANDLERS: Final[dict[type, Callable[["SnConnection", Any], None]]] = {
    sn.Connect: _connect,
    sn.WillTopic: _will_topic,
    sn.WillMessage: _will_message,
}
