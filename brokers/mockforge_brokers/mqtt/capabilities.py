"""What this broker was told not to serve, and how a client is refused for it."""

from ..errors import ProtocolError
from .codes import V5, Reason
from .options import MqttOptions
from .state.topics import SHARE
from .wire.packets import Publish, Subscribe, Will
from .wire.properties import Properties


def announced(options: MqttOptions) -> Properties:
    """What CONNACK says of it; what it leaves out is served (3.2.2.3)."""
    properties: Properties = {}
    if options.maximum_qos < 2:
        properties["maximum_qos"] = options.maximum_qos
    for name, available in (
        ("retain_available", options.retain_available),
        ("wildcard_subscription_available", options.wildcards_available),
        ("subscription_identifier_available", options.identifiers_available),
        ("shared_subscription_available", options.shares_available),
    ):
        if not available:
            properties[name] = 0
    return properties


def check_message(message: Publish | Will, options: MqttOptions) -> None:
    """Raise ProtocolError for a publish, or a will, of a QoS or retain flag that is not served."""
    if message.qos > options.maximum_qos:
        raise ProtocolError(
            f"QoS {message.qos} is above the Maximum QoS of {options.maximum_qos} [MQTT-3.2.2-11]",
            Reason.QOS_NOT_SUPPORTED,
        )
    if message.retain and not options.retain_available:
        raise ProtocolError(
            "retained messages are not served here [MQTT-3.2.2-14]", Reason.RETAIN_NOT_SUPPORTED
        )
    problem = topic_problem(message.topic_name, options)
    if problem:
        raise ProtocolError(problem, Reason.TOPIC_NAME_INVALID)


def topic_problem(topic: str, options: MqttOptions) -> str:
    """Why a topic name or filter is more than is served here; empty if it is not."""
    levels, size = options.topic_levels_maximum, options.topic_bytes_maximum
    if levels is not None and topic.count("/") >= levels:
        return f"{topic!r} has more than {levels} levels"
    if size is not None and len(topic.encode()) > size:
        return f"{topic[:40]!r}... has more than {size} bytes"
    return ""


def refused_filter(topic_filter: str, options: MqttOptions) -> Reason | None:
    """The code of a filter that is not served; None if it is."""
    share = topic_filter.startswith(SHARE)
    if share and not options.shares_available:
        return Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if not options.wildcards_available and ("+" in topic_filter or "#" in topic_filter):
        return Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
    return None


def check_subscribe(packet: Subscribe, version: int, options: MqttOptions) -> None:
    """Raise ProtocolError where MQTT 5 makes a subscription that is not served one (3.2.2.3).

    Before MQTT 5 nothing was announced: there SUBACK refuses the filter.
    """
    most = options.filters_maximum
    if most is not None and len(packet.requests) > most:
        raise ProtocolError(
            f"SUBSCRIBE: {len(packet.requests)} filters at once, and {most} are taken here",
            Reason.QUOTA_EXCEEDED,
        )
    if version < V5:
        return
    if packet.properties.get("subscription_identifier") and not options.identifiers_available:
        raise ProtocolError(
            "SUBSCRIBE: subscription identifiers are not served here",
            Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
        )
    for request in packet.requests:
        code = refused_filter(request.topic_filter, options)
        if code is not None:
            what = "shares" if code is Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED else "wildcards"
            raise ProtocolError(f"SUBSCRIBE {request.topic_filter}: no {what} here", code)
