"""What a connected client may send, packet by packet."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..errors import ProtocolError
from ..events import RequestDenied
from ..fairness import Steps
from ..journal import IN
from . import authentication, capabilities, choices, lint, lint_warnings
from .codes import CLIENT_DISCONNECTS, FAILURE, V5, PacketType, Reason, dialect, reason_name
from .explanations import Refusals, limited
from .handshake import Refused
from .records import Message, detailed
from .rights import code_of_denied_publish, denial_of_filter, denial_of_publish
from .state.session import Session
from .state.subscriptions import Subscription
from .state.topics import SHARE, filter_problem, name_problem
from .wire.packets import (
    Ack,
    Auth,
    Disconnect,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)

if TYPE_CHECKING:
    from .connection import MqttConnection


def _session(connection: "MqttConnection") -> Session:
    session = connection.session
    assert session is not None
    return session


def _publish(connection: "MqttConnection", packet: Publish) -> None:
    broker, session = connection.broker, _session(connection)
    capabilities.check_message(packet, connection.options)
    message = _message(connection, packet)
    connection.messages_in += 1
    connection.counts.payload_in += len(packet.payload)
    known = packet.qos == 2 and packet.packet_id in session.inbound
    lint.check_dup(connection, packet, known)
    if packet.qos == 1:
        lint.check_identifier(connection, "PUBLISH", packet.packet_id)
        connection.unanswered += 1
    if known:
        # Sent again: it was published when it came first [MQTT-4.3.3-10].
        connection.outlet.acknowledge(PacketType.PUBREC, packet.packet_id)
        return
    if packet.qos == 2 and len(session.inbound) >= broker.options.receive_maximum:
        _check_quota(connection)
    denied = denial_of_publish(connection, message.topic_name)
    if denied:
        _refuse_publish(connection, packet, message.topic_name, denied)
        return
    if packet.qos and broker.router.keeper.failing:
        _cannot_take(connection, packet, broker.router.keeper.failing)
        return
    lint_warnings.check_publish(connection, packet, message)
    if packet.qos == 2 and broker.options.qos2_hand_on == "release":
        _withhold(connection, session, packet, message)
        return
    reached = broker.router.publish(message, session, connection.client)
    # Each of very many topics may be retained once: those that nobody takes have their own way.
    if (reached or not message.retain) and message.topic_name.isprintable():
        # Lint has to see the others each time.
        odd = bool(lint_warnings.doubtful(message.topic_name))
        broker.router.learn(dialect(connection.version), message.topic_name, odd)
    if packet.qos:
        nobody = not reached and _tells_of_nobody(connection, session, message.topic_name)
        code = Reason.NO_MATCHING_SUBSCRIBERS if nobody else Reason.SUCCESS
        if packet.qos == 2:
            session.inbound.add(packet.packet_id)
            session.inbound_changed()
        kind = PacketType.PUBACK if packet.qos == 1 else PacketType.PUBREC
        connection.outlet.acknowledge(kind, packet.packet_id, code)


def _tells_of_nobody(connection: "MqttConnection", session: Session, topic_name: str) -> bool:
    """Whether an acknowledgement says that nobody subscribed: only MQTT 5 has a code for it."""
    broker = connection.broker
    if connection.version != V5 or broker.router.has_takers(topic_name, session):
        return False
    if not connection.options.tell_no_subscribers:
        choices.report_untold(connection)
    return connection.options.tell_no_subscribers


def _withhold(
    connection: "MqttConnection", session: Session, packet: Publish, message: Message
) -> None:
    """A QoS 2 message that is handed on at its PUBREL."""
    choices.report_withheld(connection)
    if not session.withhold(packet.packet_id, message):
        connection.broker.environment.usage.count("mqtt_session_bytes")
        why = "as much of this client waits for its PUBREL as may (limit mqtt_session_bytes)"
        _cannot_take(connection, packet, why)
        return
    session.inbound.add(packet.packet_id)
    session.inbound_changed()
    connection.outlet.acknowledge(PacketType.PUBREC, packet.packet_id)


def _refuse_publish(
    connection: "MqttConnection", packet: Publish, topic_name: str, why: str
) -> None:
    session = _session(connection)
    code = code_of_denied_publish(connection)
    # Behind an alias, and with many under way, the identifier says little to a person.
    facts = [("topic", topic_name)]
    if packet.qos == 1:
        connection.outlet.explain(Ack(PacketType.PUBACK, packet.packet_id, code), why, facts)
    elif packet.qos == 2:
        if code < FAILURE:
            session.inbound.add(packet.packet_id)
            session.inbound_changed()
        connection.outlet.explain(Ack(PacketType.PUBREC, packet.packet_id, code), why, facts)


def _cannot_take(connection: "MqttConnection", packet: Publish, why: str) -> None:
    """There is no room for a message of QoS 1 or 2, or nothing can be written to disk.

    Only MQTT 5 has a word for it: 0x97.
    """
    if not connection.outlet.answers_publish:
        connection.disconnect(Reason.QUOTA_EXCEEDED, why)
        return
    kind = PacketType.PUBACK if packet.qos == 1 else PacketType.PUBREC
    connection.outlet.explain(Ack(kind, packet.packet_id, Reason.QUOTA_EXCEEDED), why)


def _check_quota(connection: "MqttConnection") -> None:
    if connection.version == V5:
        raise limited(
            f"more than {connection.options.receive_maximum} QoS 2 publishes unfinished "
            "[MQTT-3.3.4-7]",
            Reason.RECEIVE_MAXIMUM_EXCEEDED,
            "receive_maximum",
        )


def _message(connection: "MqttConnection", packet: Publish) -> Message:
    properties = packet.properties
    topic_name = packet.topic_name
    expires = None
    if properties:
        _check_properties(properties)
        topic_name = resolve_alias(connection, packet)
        life = properties.pop("message_expiry_interval", None)
        if life is not None:
            expires = connection.broker.environment.clock.now() + life
    problem = name_problem(topic_name)
    if problem:
        # No name and no alias in its place is a protocol error (3.3.2.1).
        code = Reason.TOPIC_NAME_INVALID if topic_name else Reason.PROTOCOL_ERROR
        raise ProtocolError(f"PUBLISH: {problem}", code)
    return detailed(topic_name, packet.payload, packet.qos, packet.retain, properties, expires)


def _check_properties(properties: dict[str, Any]) -> None:
    if "subscription_identifier" in properties:
        raise ProtocolError(
            "PUBLISH: a client sends no Subscription Identifier [MQTT-3.3.4-6]",
            Reason.PROTOCOL_ERROR,
        )
    problem = name_problem(properties.get("response_topic", "none"))
    if problem:
        raise ProtocolError(
            f"PUBLISH: response topic: {problem} [MQTT-3.3.2-14]", Reason.PROTOCOL_ERROR
        )


def resolve_alias(connection: "MqttConnection", packet: Publish) -> str:
    alias = packet.properties.pop("topic_alias", None)
    if alias is None:
        return packet.topic_name
    maximum = connection.options.topic_alias_maximum
    if not alias:
        raise ProtocolError("PUBLISH: topic alias 0 [MQTT-3.3.2-8]", Reason.TOPIC_ALIAS_INVALID)
    if alias > maximum:
        raise limited(
            f"PUBLISH: topic alias {alias} is above our maximum of {maximum} [MQTT-3.3.2-9]",
            Reason.TOPIC_ALIAS_INVALID,
            "topic_alias_maximum",
        )
    if packet.topic_name:
        connection.aliases[alias] = packet.topic_name
    elif alias not in connection.aliases:
        raise ProtocolError(
            f"PUBLISH: topic alias {alias} was not set on this connection [MQTT 3.3.2.3.4]",
            Reason.PROTOCOL_ERROR,
        )
    return connection.aliases[alias]


def _ack(connection: "MqttConnection", packet: Ack) -> None:
    if packet.code:
        connection.counts.codes(IN, packet.type, (packet.code,), connection.version)
    _ACKS[packet.type](connection, _session(connection), packet)


def _check_kind(session: Session, packet: Ack, *also: PacketType) -> None:
    """An identifier that we do not wait for is let pass: clients repeat them after a reconnect."""
    due = session.awaits(packet.packet_id)
    if due is None or packet.type is due or due in also:
        return
    raise ProtocolError(
        f"{packet.type.name} of packet {packet.packet_id}, for which {due.name} is due "
        f"[{_DUE[due]}]",
        Reason.PROTOCOL_ERROR,
    )


def _settled(connection: "MqttConnection", session: Session, packet: Ack) -> None:
    """PUBACK or PUBCOMP."""
    _check_kind(session, packet)
    session.acknowledge(packet.packet_id)


def _pubrec(connection: "MqttConnection", session: Session, packet: Ack) -> None:
    # A second PUBREC asks for PUBREL again.
    _check_kind(session, packet, PacketType.PUBCOMP)
    if packet.code >= FAILURE:
        # The client does not take the message, and its id is free again.
        session.acknowledge(packet.packet_id)
        return
    known = session.received(packet.packet_id)
    if known:
        connection.outlet.release(packet.packet_id)
    else:
        _not_found(connection, PacketType.PUBREL, packet, "no QoS 2 message")


def _pubrel(connection: "MqttConnection", session: Session, packet: Ack) -> None:
    known = packet.packet_id in session.inbound
    session.inbound.discard(packet.packet_id)
    message = session.hand_over(packet.packet_id)
    # Its expiry runs while it waits in here [MQTT-3.3.2-5].
    if message is not None and not _is_over(connection, message):
        connection.broker.router.publish(message, session, connection.client)
    session.inbound_changed()
    if known:
        connection.outlet.acknowledge(PacketType.PUBCOMP, packet.packet_id)
    else:
        _not_found(connection, PacketType.PUBCOMP, packet, "no QoS 2 publish of yours")


def _is_over(connection: "MqttConnection", message: Message) -> bool:
    expires = message.expires
    return expires is not None and expires <= connection.broker.environment.clock.now()


def _not_found(connection: "MqttConnection", kind: PacketType, packet: Ack, what: str) -> None:
    """The client can go on either way, and before MQTT 5 there is no word for it."""
    code = Reason.PACKET_IDENTIFIER_NOT_FOUND if connection.version == V5 else Reason.SUCCESS
    text = f"{packet.type.name}: {what} is under way as packet {packet.packet_id}"
    connection.outlet.explain(Ack(kind, packet.packet_id, code), text)


_ACKS: Final[dict[PacketType, Callable[["MqttConnection", Session, Ack], None]]] = {
    PacketType.PUBACK: _settled,
    PacketType.PUBREC: _pubrec,
    PacketType.PUBREL: _pubrel,
    PacketType.PUBCOMP: _settled,
}

_DUE: Final = {
    PacketType.PUBACK: "MQTT-4.3.2-4",
    PacketType.PUBREC: "MQTT-4.3.3-8",
    PacketType.PUBCOMP: "MQTT-4.3.3-11",
}
"""The statement that asks the client for each acknowledgement."""


def _subscribe(connection: "MqttConnection", packet: Subscribe) -> None:
    connection.begin(subscribing(connection, packet))


def subscribing(
    connection: "MqttConnection",
    packet: Subscribe,
    refusals: Mapping[str, int] = MappingProxyType({}),
    why: str = "",
) -> Steps:
    """The steps that serve a SUBSCRIBE but for filters in `refusals`, which get that reason code.

    `why` they do is then the reason string; without it, that says what else is refused.
    """
    session, router = _session(connection), connection.broker.router
    options = connection.options
    lint.check_identifier(connection, "SUBSCRIBE", packet.packet_id)
    capabilities.check_subscribe(packet, connection.version, options)
    identifier = packet.properties.get("subscription_identifier", [0])[0]
    codes: list[int] = []
    refusing = Refusals()
    retained: list[Subscription] = []
    for request in packet.requests:
        yield
        _check_filter(request)
        name = request.topic_filter
        denied = denial_of_filter(connection, name)
        if denied:
            codes.append(Reason.NOT_AUTHORIZED if connection.version == V5 else FAILURE)
            refusing.add(name, denied)
            continue
        refused, because = refusals.get(name, 0), why
        if not refused:
            refused, because = _refusal(connection, session, name)
            if refused:
                refusing.add(name, because)
        if refused:
            codes.append(refused if connection.version == V5 else FAILURE)
            _denied(connection, name, refused, because)
            continue
        qos = min(request.qos, options.maximum_qos)
        subscription = Subscription(
            request.topic_filter,
            qos,
            request.no_local or connection.bridge,
            request.retain_as_published or connection.bridge,
            request.retain_handling,
            identifier,
        )
        choices.report_subscription(connection, session, request, qos)
        new = router.subscribe(session, subscription)
        lint_warnings.check_subscription(connection, request)
        # Retain Handling 0: always, 1: only when new, 2: never [MQTT-3.3.1-9 to -11].
        wanted = request.retain_handling == 0 or (request.retain_handling == 1 and new)
        if wanted and router.may_have_retained(name):
            retained.append(subscription)
        codes.append(qos)
    text = why or refusing.text
    connection.outlet.explain(Suback(packet.packet_id, codes), text, refusing.facts)
    for subscription in retained:
        yield
        yield from router.sending_retained(session, subscription)


def _refusal(connection: "MqttConnection", session: Session, name: str) -> tuple[int, str]:
    """The code of a filter that is not served, or that would be one too many, and why; or 0."""
    refused = capabilities.refused_filter(name, connection.options, session.subscriptions)
    limit = "" if refused[0] else connection.broker.router.limit_met(session, name)
    if not limit:
        return refused
    most = getattr(connection.broker.environment.limits, limit)
    have = "the session has" if limit == "mqtt_session_subscriptions" else "there are"
    return Reason.QUOTA_EXCEEDED, f"{have} {most} subscriptions already (limit {limit})"


def _check_filter(request: Request) -> None:
    problem = filter_problem(request.topic_filter)
    if problem:
        raise ProtocolError(f"SUBSCRIBE: {problem}", Reason.TOPIC_FILTER_INVALID)
    if request.no_local and request.topic_filter.startswith(SHARE):
        raise ProtocolError(
            f"SUBSCRIBE {request.topic_filter}: No Local on a share [MQTT-3.8.3-4]",
            Reason.PROTOCOL_ERROR,
        )


def _denied(connection: "MqttConnection", topic_filter: str, code: int, why: str) -> None:
    connection.broker.environment.spine.emit(
        RequestDenied(
            "mqtt",
            connection.peer.id,
            connection.client,
            f"SUBSCRIBE {topic_filter}",
            code,
            why,
            reason_name(PacketType.SUBACK, code),
        )
    )


def _unsubscribe(connection: "MqttConnection", packet: Unsubscribe) -> None:
    connection.begin(unsubscribing(connection, packet))


def unsubscribing(
    connection: "MqttConnection",
    packet: Unsubscribe,
    refusals: Mapping[str, int] = MappingProxyType({}),
    why: str = "",
) -> Steps:
    """As `subscribing`, of an UNSUBSCRIBE."""
    session, router = _session(connection), connection.broker.router
    lint.check_identifier(connection, "UNSUBSCRIBE", packet.packet_id)
    codes: list[int] = []
    unknown = Refusals()
    for topic_filter in packet.topic_filters:
        yield
        problem = filter_problem(topic_filter)
        if problem:
            raise ProtocolError(f"UNSUBSCRIBE: {problem}", Reason.TOPIC_FILTER_INVALID)
        if topic_filter in refusals:
            codes.append(refusals[topic_filter])
            continue
        known = router.unsubscribe(session, topic_filter)
        codes.append(Reason.SUCCESS if known else Reason.NO_SUBSCRIPTION_EXISTED)
        if not known:
            unknown.add(topic_filter, "the session has no such subscription")
    text = why or unknown.text
    connection.outlet.explain(Unsuback(packet.packet_id, codes), text, unknown.facts)


def _pingreq(connection: "MqttConnection", packet: Pingreq) -> None:
    connection.outlet.answer(Pingresp())


def _disconnect(connection: "MqttConnection", packet: Disconnect) -> None:
    session = _session(connection)
    if packet.code:
        connection.counts.codes(IN, PacketType.DISCONNECT, (packet.code,), connection.version)
    if packet.code not in CLIENT_DISCONNECTS:
        raise ProtocolError(
            f"DISCONNECT: 0x{packet.code:02X} is for a server to send [MQTT-3.14.2-1]",
            Reason.PROTOCOL_ERROR,
        )
    expiry = packet.properties.get("session_expiry_interval")
    if expiry is not None:
        if expiry and not connection.lasting:
            raise ProtocolError(
                "DISCONNECT: a session expiry where CONNECT had none [MQTT-3.14.2-2]",
                Reason.PROTOCOL_ERROR,
            )
        wanted = None if expiry == 0xFFFF_FFFF else float(expiry)
        session.expiry = connection.options.capped_expiry(wanted)
        session.changed()
    # Only code 0 takes the will back [MQTT-3.14.4-3].
    connection.disconnected(publish_will=packet.code != Reason.SUCCESS)


def _auth(connection: "MqttConnection", packet: Auth) -> None:
    try:
        authentication.go_on(connection, packet)
    except Refused as error:
        authentication.failed(connection, error)


def unexpected(kind: PacketType) -> ProtocolError:
    """What is wrong about a packet that has no handler."""
    text = f"{kind.name} is not for a client to send [MQTT 2.1.2]"
    if kind is PacketType.CONNECT:
        text = "a second CONNECT on one connection [MQTT-3.1.0-2]"
    return ProtocolError(text, Reason.PROTOCOL_ERROR)


HANDLERS: Final[dict[type, Callable[["MqttConnection", Any], None]]] = {
    Publish: _publish,
    Ack: _ack,
    Subscribe: _subscribe,
    Unsubscribe: _unsubscribe,
    Pingreq: _pingreq,
    Disconnect: _disconnect,
    Auth: _auth,
}
