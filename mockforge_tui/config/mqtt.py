"""The settings of the MQTT broker: rows of the table of settings."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.limits import LIMITS
from mockforge_brokers.mqtt.authentication import scripted
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.listeners import ListenerOptions
from mockforge_brokers.mqtt.options import HAND_ON, LINT_LEVELS, NOT_AUTHORIZED, SHARED_ORDERS
from mockforge_brokers.mqtt.presets import PRESETS
from mockforge_brokers.mqtt.state.topics import filter_problem, name_problem

from ..units import parse_duration, parse_size
from .setting import Setting, between, boolean, one_of, seconds

MQTT_PREFIX = "mqtt_option_"
"""Before the names of MqttOptions in the names of settings."""


LISTENERS: Final = ("plain", "tls", "ws", "wss", "unix", "sn")
"""By `Listener.name`."""

_SUBACK_REFUSES = frozenset(
    {
        Reason.UNSPECIFIED_ERROR,
        Reason.IMPLEMENTATION_SPECIFIC_ERROR,
        Reason.NOT_AUTHORIZED,
        Reason.TOPIC_FILTER_INVALID,
        Reason.QUOTA_EXCEEDED,
    }
)


def refused_filter(text: str) -> tuple[str, int]:
    """`FILTER` or `FILTER=CODE`: the filter, and what SUBACK of MQTT 5 says of it.

    What is no name of such a code belongs to the filter, which may have any character. Raises
    ValueError for a filter that nobody could ask for.
    """
    topic_filter, equals, word = text.rpartition("=")
    code = Reason.__members__.get(word.upper().replace("-", "_"))
    if not equals or code not in _SUBACK_REFUSES:
        topic_filter, code = text, Reason(NOT_AUTHORIZED)
    if problem := filter_problem(topic_filter):
        raise ValueError(problem)
    return topic_filter, int(code)


def auth_method(text: str) -> str:
    """The text, of which the broker makes its scripted method."""
    try:
        scripted(text)
    except InvalidInput as error:
        raise ValueError(str(error)) from None
    return text


def predefined_topic(text: str) -> tuple[int, str]:
    """`ID=NAME` of MQTT-SN: an id that clients and we know from the start."""
    number, equals, name = text.partition("=")
    if not equals or name_problem(name):
        problem = name_problem(name) if equals else "a topic is ID=NAME, as in 7=rooms/1/temp"
        raise ValueError(f"{problem}: {text!r}")
    return between(1, 0xFFFE)(number.strip()), name


def listener(text: str) -> tuple[str, ListenerOptions]:
    """`LISTENER [KEY=VALUE ...]`: what holds for the clients of one listener alone."""
    name, *words = text.split() or [""]
    if name not in LISTENERS:
        raise ValueError(f"{name!r} is no listener of MQTT, as {', '.join(LISTENERS)} are")
    values: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        parse = _AT_A_LISTENER.get(key)
        if parse is None or not equals:
            known = ", ".join(f"{each}=VALUE" for each in _AT_A_LISTENER)
            raise ValueError(f"{word!r}: a listener takes {known}")
        if name == "sn" and key == "users":
            raise ValueError(f"{word!r}: MQTT-SN's clients have no user; anonymous=no lets none in")
        try:
            values[key] = parse(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return name, ListenerOptions(**values)


def _packet(text: str) -> int:
    bound = LIMITS["mqtt_packet"].bound
    size = parse_size(text)
    if not bound.least <= size <= bound.most:
        raise ValueError(f"{bound.least} to {bound.most} bytes are wanted, not {size}")
    return size


_AT_A_LISTENER: Final[Mapping[str, Callable[[str], Any]]] = {
    "anonymous": boolean,
    "users": lambda text: tuple(each for each in text.split(",") if each),
    "maximum_qos": between(0, 2),
    "packet": _packet,
}
"""How each field of ListenerOptions is read."""


def group(text: str) -> str:
    """`HOST:PORT`."""
    host, _, number = text.rpartition(":")
    if not host or not number.isdecimal() or not 0 < int(number) < 65_536:
        raise ValueError(f"an address is HOST:PORT, as in 225.1.1.1:1884, not {text!r}")
    return text


def _mqtt(
    name: str,
    flag: str,
    parse: Callable[[str], Any],
    help_: str,
    metavar: str = "",
    *,
    switch: bool = False,
    many: bool = False,
    separator: str = ",",
) -> Setting:
    """A row for a field of MqttOptions; `mqtt.NAME` is its key."""
    return Setting(
        MQTT_PREFIX + name,
        flag,
        (f"mqtt.{name}",),
        parse,
        f"MQTT: {help_}",
        metavar,
        switch=switch,
        many=many,
        separator=separator,
    )


MQTT_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "mqtt_as",
        "--mqtt-as",
        ("mqtt.as",),
        one_of(*PRESETS),
        "MQTT: the limits and choices of another broker; what else is given wins",
        "|".join(PRESETS),
    ),
    _mqtt(
        "qos2_hand_on",
        "--mqtt-qos2-hand-on",
        one_of(*HAND_ON),
        "when a QoS 2 message goes to its subscribers: at PUBLISH or at PUBREL",
        "publish|release",
    ),
    _mqtt(
        "shared_order",
        "--mqtt-shared-order",
        one_of(*SHARED_ORDERS),
        "who of a shared subscription gets the next message",
        "|".join(SHARED_ORDERS),
    ),
    _mqtt(
        "topic_levels_maximum",
        "--mqtt-topic-levels",
        between(1, 65_535),
        "levels of a topic name or filter",
        "N",
    ),
    _mqtt(
        "topic_bytes_maximum",
        "--mqtt-topic-bytes",
        between(1, 65_535),
        "bytes of a topic name or filter",
        "N",
    ),
    _mqtt(
        "client_id_maximum",
        "--mqtt-client-id-bytes",
        between(1, 65_535),
        "bytes of a client identifier",
        "N",
    ),
    _mqtt(
        "filters_maximum",
        "--mqtt-filters",
        between(1, 65_535),
        "topic filters of one SUBSCRIBE",
        "N",
    ),
    _mqtt(
        "subscriptions_maximum",
        "--mqtt-subscriptions",
        between(1, 1_000_000),
        "subscriptions of one session",
        "N",
    ),
    _mqtt(
        "ingest_prefix",
        "--mqtt-ingest-prefix",
        str,
        "topics that begin so go to rules of the server and to no subscriber ($aws/rules/)",
        "PREFIX",
    ),
    _mqtt(
        "lint",
        "--mqtt-lint",
        one_of(*LINT_LEVELS),
        "what breaks the letter of the specification is reported, or ends the connection",
        "lenient|strict|as-mosquitto",
    ),
    _mqtt("maximum_qos", "--mqtt-maximum-qos", between(0, 2), "highest QoS served", "0|1|2"),
    _mqtt("retain_available", "--no-mqtt-retain", boolean, "refuse retained messages"),
    _mqtt("wildcards_available", "--no-mqtt-wildcards", boolean, "refuse wildcards"),
    _mqtt("shares_available", "--no-mqtt-shares", boolean, "refuse shared subscriptions"),
    _mqtt(
        "identifiers_available", "--no-mqtt-identifiers", boolean, "refuse subscription identifiers"
    ),
    _mqtt(
        "receive_maximum",
        "--mqtt-receive-maximum",
        between(1, 65_535),
        "QoS 2 publishes that a client may have unfinished",
        "N",
    ),
    _mqtt(
        "topic_alias_maximum",
        "--mqtt-alias-maximum",
        between(0, 65_535),
        "topic aliases that a client may set",
        "N",
    ),
    _mqtt(
        "outbound_topic_aliases",
        "--mqtt-outbound-aliases",
        between(0, 65_535),
        "topic aliases that we set at most, where a client allows them",
        "N",
    ),
    _mqtt(
        "session_expiry_maximum",
        "--mqtt-session-expiry-maximum",
        seconds,
        "longest time that a session outlives its connection",
        "1h",
    ),
    _mqtt(
        "session_expiry_before_5",
        "--mqtt-session-expiry-before-5",
        seconds,
        "how long a session without clean start outlives its connection before MQTT 5",
        "2h",
    ),
    _mqtt(
        "connect_timeout",
        "--mqtt-connect-timeout",
        parse_duration,
        "time that a connection has for its CONNECT",
        "30s",
    ),
    _mqtt(
        "sys_interval",
        "--mqtt-sys-interval",
        parse_duration,
        "how often $SYS is brought up to date (0s: no $SYS)",
        "10s",
    ),
    _mqtt(
        "response_information",
        "--mqtt-response-information",
        str,
        "what clients are told that ask for response information",
        "TEXT",
    ),
    _mqtt(
        "merge_overlapping",
        "--no-mqtt-merge",
        boolean,
        "one message for each overlapping subscription instead of one in all",
    ),
    _mqtt(
        "merge_before_5",
        "--mqtt-merge-before-5",
        boolean,
        "with --no-mqtt-merge: one message all the same for clients before MQTT 5",
        switch=True,
    ),
    _mqtt(
        "tell_no_subscribers",
        "--no-mqtt-tell-no-subscribers",
        boolean,
        "PUBACK never says that nobody subscribed (0x10)",
    ),
    _mqtt(
        "shared_redelivery",
        "--no-mqtt-shared-redelivery",
        boolean,
        "what a session that ends had of a share and did not acknowledge is lost",
    ),
    _mqtt(
        "auth_methods",
        "--mqtt-auth",
        auth_method,
        "scripted method of enhanced authentication; may be given several times",
        "'METHOD [CHALLENGE ...] [refuse=CODE]'",
        many=True,
    ),
    _mqtt(
        "refused_filters",
        "--mqtt-refuse",
        refused_filter,
        "topic filter within which nobody may subscribe; may be given several times",
        "FILTER[=CODE]",
        many=True,
    ),
    _mqtt(
        "listeners",
        "--mqtt-listener",
        listener,
        "what is otherwise at one listener (anonymous, users, maximum_qos, packet); may be given"
        " several times",
        "'NAME KEY=VALUE ...'",
        many=True,
        separator=";",
    ),
    _mqtt(
        "sn_topics",
        "--mqtt-sn-topic",
        predefined_topic,
        "MQTT-SN's predefined topic id; may be given several times",
        "ID=NAME",
        many=True,
    ),
    _mqtt(
        "sn_gateway_id",
        "--mqtt-sn-gateway-id",
        between(0, 255),
        "MQTT-SN's gateway id in GWINFO and ADVERTISE",
        "N",
    ),
    _mqtt(
        "sn_retry",
        "--mqtt-sn-retry",
        parse_duration,
        "time after which an MQTT-SN client is sent again what it did not answer",
        "10s",
    ),
    _mqtt(
        "sn_retries",
        "--mqtt-sn-retries",
        between(0, 100),
        "how often, before an MQTT-SN client counts as lost",
        "N",
    ),
    _mqtt(
        "sn_advertise",
        "--mqtt-sn-advertise",
        group,
        "broadcast or multicast address to which MQTT-SN's gateway announces itself",
        "HOST:PORT",
    ),
    _mqtt(
        "sn_advertise_interval",
        "--mqtt-sn-advertise-interval",
        parse_duration,
        "how often it does",
        "15m",
    ),
)
