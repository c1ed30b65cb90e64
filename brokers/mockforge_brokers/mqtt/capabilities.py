"""What this broker was told not to serve, and how a client is refused for it."""

from collections.abc import Collection

from .codes import V5, Reason
from .explanations import limited
from .options import MqttOptions
from .state.topics import SHARE, covers, split_share
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
    """Raise Explained for a publish, or a will, of a QoS or retain flag that is not served."""
    if message.qos > options.maximum_qos:
        raise limited(
            f"QoS {message.qos} is above the Maximum QoS of {options.maximum_qos} [MQTT-3.2.2-11]",
            Reason.QOS_NOT_SUPPORTED,
            "maximum_qos",
        )
    if message.retain and not options.retain_available:
        raise limited(
            "retained messages are not served here [MQTT-3.2.2-14]",
            Reason.RETAIN_NOT_SUPPORTED,
            "retain_available",
        )
    problem, setting = topic_problem(message.topic_name, options)
    if problem:
        raise limited(problem, Reason.TOPIC_NAME_INVALID, setting)


def limits_topics(options: MqttOptions) -> bool:
    """Whether `topic_problem` may find one."""
    return options.topic_levels_maximum is not None or options.topic_bytes_maximum is not None


def topic_problem(topic: str, options: MqttOptions) -> tuple[str, str]:
    """Why a topic name or filter is more than is served here and by which setting, or twice ""."""
    if options.ingest_prefix and topic.startswith(options.ingest_prefix):
        topic = topic.removeprefix(options.ingest_prefix).partition("/")[2]
    levels, size = options.topic_levels_maximum, options.topic_bytes_maximum
    if levels is not None and topic.count("/") >= levels:
        return f"{topic!r} has more than {levels} levels", "topic_levels_maximum"
    if size is not None and len(topic.encode()) > size:
        return f"{topic[:40]!r}... has more than {size} bytes", "topic_bytes_maximum"
    return "", ""


def refused_filter(
    topic_filter: str, options: MqttOptions, held: Collection[str]
) -> tuple[int, str]:
    """SUBACK's code of a filter that is not taken, and why it is not; 0 if it is.

    `held` are the filters that the session has.
    """
    code = _refusal(topic_filter, options)
    if code is not None:
        # Short, since the text stands twice in SUBACK: Paho's conformance suite misreads properties
        # of 128 bytes or more (it takes their length's second byte for a reason code).
        return code, "refused by the broker (refused_filters)"
    missing = _unavailable(topic_filter, options)
    if missing is not None:
        code, what = missing
        return code, f"no {what} here ({what}_available)"
    if options.ingest_prefix and topic_filter.startswith(options.ingest_prefix):
        return Reason.NOT_AUTHORIZED, "only rules get what is published there (ingest_prefix)"
    most = options.subscriptions_maximum
    if most is not None and len(held) >= most and topic_filter not in held:
        text = f"the session has {most} subscriptions (subscriptions_maximum)"
        return Reason.QUOTA_EXCEEDED, text
    problem, setting = topic_problem(topic_filter, options)
    return (Reason.TOPIC_FILTER_INVALID, f"{problem} ({setting})") if problem else (0, "")


def _refusal(topic_filter: str, options: MqttOptions) -> int | None:
    """The code of a filter that is refused by itself, or lies within one that is.

    Within `a/#` are `a`, `a/b` and `a/+`, and not `#`, as Mosquitto's dynamic security denies by
    `subscribePattern`: who subscribes to `#` gets what is below `a`, if no rule denies it.
    """
    refused = options.refused_filters
    if not refused or topic_filter in refused:
        return refused.get(topic_filter)
    name = split_share(topic_filter)[1]
    return next((code for wide, code in refused.items() if covers(wide, name)), None)


def _unavailable(topic_filter: str, options: MqttOptions) -> tuple[Reason, str] | None:
    if not options.shares_available and topic_filter.startswith(SHARE):
        return Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "shares"
    if not options.wildcards_available and ("+" in topic_filter or "#" in topic_filter):
        return Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "wildcards"
    return None


def check_subscribe(packet: Subscribe, version: int, options: MqttOptions) -> None:
    """Raise Explained where MQTT 5 makes a subscription that is not served one (3.2.2.3).

    Before MQTT 5 nothing was announced: there SUBACK refuses the filter.
    """
    most = options.filters_maximum
    if most is not None and len(packet.requests) > most:
        raise limited(
            f"SUBSCRIBE: {len(packet.requests)} filters at once, and {most} are taken here",
            Reason.QUOTA_EXCEEDED,
            "filters_maximum",
        )
    if version < V5:
        return
    if packet.properties.get("subscription_identifier") and not options.identifiers_available:
        raise limited(
            "SUBSCRIBE: subscription identifiers are not served here",
            Reason.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
            "identifiers_available",
        )
    for request in packet.requests:
        missing = _unavailable(request.topic_filter, options)
        if missing is not None:
            code, what = missing
            text = f"SUBSCRIBE {request.topic_filter}: no {what} here"
            raise limited(text, code, f"{what}_available")
