"""What a client may send, message by message; all but topic ids and sleep is done as for MQTT."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ...errors import ProtocolError
from ..capabilities import check_message
from ..codes import PacketType, Reason
from ..handlers import HANDLERS as MQTT
from ..records import detailed
from ..state.topics import filter_problem, name_problem
from ..wire import packets
from . import messages as sn
from . import wills
from .messages import QOS_MINUS_1, ReturnCode, TopicIdType
from .outlet import return_code

if TYPE_CHECKING:
    from .connection import SnConnection


def _search(connection: "SnConnection", message: sn.SearchGateway) -> None:
    connection.outlet.write(sn.GatewayInfo(connection.gateway.options.sn_gateway_id))


def _register(connection: "SnConnection", message: sn.Register) -> None:
    topics = connection.outlet.topics
    problem = name_problem(message.topic_name)
    number = 0 if problem else topics.register(message.topic_name)
    code = ReturnCode.ACCEPTED if number else ReturnCode.CONGESTION
    if problem:
        code = ReturnCode.NOT_SUPPORTED
        connection.report(f"REGISTER: {problem}")
    elif number:
        topics.known.add(message.topic_name)
    else:
        connection.topics_full()
    connection.outlet.write(sn.Regack(number, message.message_id, code))


def _regack(connection: "SnConnection", message: sn.Regack) -> None:
    connection.outlet.registered(message)


def publish_minus_1(connection: "SnConnection", message: sn.Publish) -> None:
    """A PUBLISH that needs no connection, and has no answer (6.8)."""
    broker = connection.broker
    if message.topic_type == TopicIdType.NORMAL:
        raise ProtocolError("PUBLISH: QoS -1 with a registered topic id [MQTT-SN 6.8]")
    name = connection.outlet.topics.name(message.topic_type, message.topic_id)
    if name is None:
        raise ProtocolError(f"PUBLISH: {_unknown(message)}")
    problem = name_problem(name)
    if problem:
        raise ProtocolError(f"PUBLISH: {problem}")
    check_message(packets.Publish(name, retain=message.retain), connection.options)
    connection.messages_in += 1
    connection.counts.payload_in += len(message.payload)
    denied = connection.denial_unconnected(name)
    if not denied:
        sent = detailed(name, message.payload, 0, message.retain, {}, None)
        broker.router.publish(sent, connection.session, connection.client)


def _publish(connection: "SnConnection", message: sn.Publish) -> None:
    outlet = connection.outlet
    name = outlet.topics.name(message.topic_type, message.topic_id)
    if name is None:
        # Whatever its QoS: the client is to register the topic again (6.6).
        connection.report(f"PUBLISH: {_unknown(message)}")
        _reject(connection, message, ReturnCode.INVALID_TOPIC_ID)
        return
    if message.qos and not message.message_id:
        raise ProtocolError("PUBLISH: QoS 1 or 2 with a message id of 0 [MQTT-SN 5.4.12]")
    outlet.answering = message.topic_id
    packet = packets.Publish(
        name, message.payload, message.qos, message.retain, message.dup, message.message_id
    )
    try:
        MQTT[packets.Publish](connection, packet)
    except ProtocolError as error:
        # What ends a connection of MQTT has an answer here.
        connection.report(error.text)
        _reject(connection, message, return_code(error.code or Reason.PROTOCOL_ERROR))


def _reject(connection: "SnConnection", message: sn.Publish, code: ReturnCode) -> None:
    connection.outlet.write(sn.Puback(message.topic_id, message.message_id, code))


def _unknown(message: sn.Publish | sn.Subscribe | sn.Unsubscribe) -> str:
    kind = TopicIdType(message.topic_type).name.lower()
    remedy = " (--mqtt-sn-topic ID=NAME)" if message.topic_type == TopicIdType.PREDEFINED else ""
    return f"topic id {message.topic_id} is no {kind} one of this client{remedy} [MQTT-SN 6.7]"


def _puback(connection: "SnConnection", message: sn.Puback) -> None:
    outlet, session = connection.outlet, connection.in_session
    packet_id, code = message.message_id, message.code
    if code == ReturnCode.CONGESTION:
        # It is sent again when its time is up.
        return
    outlet.retries.settle(packet_id)
    if code == ReturnCode.INVALID_TOPIC_ID:
        again = outlet.unknown(message.topic_id, packet_id)
        sent = session.inflight.get(packet_id)
        if again and sent is not None:
            outlet.deliver(packet_id, sent, dup=True)
            return
    if code:
        session.acknowledge(packet_id)
    else:
        _acknowledge(connection, PacketType.PUBACK, packet_id)


def _acknowledge(connection: "SnConnection", kind: PacketType, packet_id: int) -> None:
    MQTT[packets.Ack](connection, packets.Ack(kind, packet_id))


def _pubrec(connection: "SnConnection", message: sn.Pubrec) -> None:
    _acknowledge(connection, PacketType.PUBREC, message.message_id)


def _pubrel(connection: "SnConnection", message: sn.Pubrel) -> None:
    _acknowledge(connection, PacketType.PUBREL, message.message_id)


def _pubcomp(connection: "SnConnection", message: sn.Pubcomp) -> None:
    connection.outlet.retries.settle(message.message_id)
    _acknowledge(connection, PacketType.PUBCOMP, message.message_id)


def topic_of(connection: "SnConnection", message: sn.Subscribe | sn.Unsubscribe) -> str | None:
    """The filter that is meant; None where its id means nothing."""
    if message.topic_type != TopicIdType.PREDEFINED:
        return message.topic_name
    return connection.outlet.topics.name(message.topic_type, message.topic_id)


def subscribe(connection: "SnConnection", message: sn.Subscribe, refused: int = 0) -> None:
    """SUBSCRIBE; `refused` is a reason code to answer it with."""
    name = topic_of(connection, message)
    problem = _unknown(message) if name is None else filter_problem(name)
    if message.qos == QOS_MINUS_1:
        problem = "QoS -1 is for PUBLISH alone [MQTT-SN 6.8]"
    if name is None or problem or refused:
        code = return_code(refused) if refused else ReturnCode.NOT_SUPPORTED
        if name is None and not refused:
            code = ReturnCode.INVALID_TOPIC_ID
        if problem:
            connection.report(f"SUBSCRIBE: {problem}")
        connection.outlet.write(sn.Suback(0, message.message_id, code))
        return
    number = _granted_id(connection, message, name)
    if number is None:
        connection.topics_full()
        code = ReturnCode.CONGESTION
        connection.outlet.write(sn.Suback(0, message.message_id, code))
        return
    connection.outlet.granted[message.message_id] = number
    packet = packets.Subscribe(message.message_id, [packets.Request(name, message.qos)])
    MQTT[packets.Subscribe](connection, packet)


def _granted_id(connection: "SnConnection", message: sn.Subscribe, name: str) -> int | None:
    """What SUBACK says of the topic: its id, 0 for a filter that has many; None: no id is free."""
    if message.topic_type == TopicIdType.PREDEFINED:
        return message.topic_id
    # No name in it begins with `$share/`: that is a filter, and its messages have other names.
    if message.topic_type == TopicIdType.SHORT or name_problem(name) or name.startswith("$share/"):
        return 0
    topics = connection.outlet.topics
    number = topics.register(name)
    if number:
        topics.known.add(name)
    return number or None


def _unsubscribe(connection: "SnConnection", message: sn.Unsubscribe) -> None:
    name = topic_of(connection, message)
    problem = _unknown(message) if name is None else filter_problem(name)
    if name is None or problem:
        # UNSUBACK has no code to say so (5.4.18).
        connection.report(f"UNSUBSCRIBE: {problem}")
        connection.outlet.write(sn.Unsuback(message.message_id))
        return
    packet = packets.Unsubscribe(message.message_id, [name])
    MQTT[packets.Unsubscribe](connection, packet)


def _pingreq(connection: "SnConnection", message: sn.Pingreq) -> None:
    if message.client_id and connection.asleep:
        connection.sleep.wake_up()
    else:
        connection.outlet.write(sn.Pingresp())


def _pingresp(connection: "SnConnection", message: sn.Pingresp) -> None:
    """That something came is all that it says."""


def _disconnect(connection: "SnConnection", message: sn.Disconnect) -> None:
    connection.outlet.write(sn.Disconnect())
    if not message.duration:
        # Clients write a duration of 0 for no sleep at all.
        connection.disconnected(publish_will=False)
    else:
        connection.sleep.begin(message.duration)


def _will_topic_update(connection: "SnConnection", message: sn.WillTopicUpdate) -> None:
    code = wills.change_topic(connection, message)
    connection.outlet.write(sn.WillTopicResponse(code))


def _will_message_update(connection: "SnConnection", message: sn.WillMessageUpdate) -> None:
    code = wills.change_message(connection, message)
    connection.outlet.write(sn.WillMessageResponse(code))


ANYBODY: Final[dict[type, Callable[["SnConnection", Any], None]]] = {
    sn.SearchGateway: _search,
}
"""What is answered before CONNECT too."""

HANDLERS: Final[dict[type, Callable[["SnConnection", Any], None]]] = {
    sn.Register: _register,
    sn.Regack: _regack,
    sn.Publish: _publish,
    sn.Puback: _puback,
    sn.Pubrec: _pubrec,
    sn.Pubrel: _pubrel,
    sn.Pubcomp: _pubcomp,
    sn.Subscribe: subscribe,
    sn.Unsubscribe: _unsubscribe,
    sn.Pingreq: _pingreq,
    sn.Pingresp: _pingresp,
    sn.Disconnect: _disconnect,
    sn.WillTopicUpdate: _will_topic_update,
    sn.WillMessageUpdate: _will_message_update,
}
