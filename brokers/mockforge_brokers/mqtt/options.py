"""What can be set on the MQTT broker."""

from collections.abc import Mapping

from msgspec import Struct, field

from .listeners import ListenerOptions

HAND_ON = ("publish", "release")
SHARED_ORDERS = ("turns", "random", "sticky", "topic")
LINT_LEVELS = ("lenient", "strict", "as-mosquitto")
NOT_AUTHORIZED = 0x87
"""What SUBACK says of a filter in `refused_filters` where no other code was given."""


class MqttOptions(Struct, frozen=True):
    """Where the specification leaves a choice, the default is what most brokers do."""

    preset: str = ""
    """The name of the broker whose limits and choices these are; it decides nothing."""
    lint: str = "lenient"
    """What becomes of who breaks the letter of the specification where we could serve it.

    `lenient`: it is reported. `strict`: its connection ends. `as-mosquitto`: it ends where
    Mosquitto 2.0 ends it (lint.py has the table).
    """
    receive_maximum: int = 1024
    """QoS 2 publishes that one MQTT 5 client may have unfinished."""
    maximum_qos: int = 2
    """Publishes above it end their connection; subscriptions are granted it at most."""
    retain_available: bool = True
    """Else a retained publish ends its connection."""
    wildcards_available: bool = True
    """Wildcards in topic filters."""
    shares_available: bool = True
    """Shared subscriptions."""
    identifiers_available: bool = True
    """Subscription identifiers (MQTT 5)."""
    session_expiry_maximum: int | None = None
    """Seconds that a session outlives its connection at most."""
    session_expiry_before_5: int | None = None
    """Seconds that a session without clean start outlives its connection before MQTT 5, where
    clients cannot say; None is for ever."""
    topic_alias_maximum: int = 256
    """Topic aliases that a client may set."""
    outbound_topic_aliases: int = 0
    """Aliases that we set at most, where the client allows them; clients have bugs there."""
    connect_timeout: float = 30.0
    """Seconds that a connection has for its CONNECT (3.1.4 wants a reasonable limit)."""
    server_keep_alive: int | None = None
    """Longest keep alive in seconds that MQTT 5 clients get; None leaves it to them."""
    response_information: str = ""
    """Told to clients that ask for it."""
    sys_interval: float = 10.0
    """Seconds between the values of `$SYS`; 0: there is no `$SYS`."""
    merge_overlapping: bool = True
    """One message with all subscription identifiers, or one for each subscription that matches."""
    merge_before_5: bool = False
    """Without `merge_overlapping`: clients before MQTT 5 get one message all the same."""
    qos2_hand_on: str = "publish"
    """When a QoS 2 message goes to its subscribers: at PUBLISH, or at PUBREL (`release`)."""
    shared_order: str = "turns"
    """Who of a share gets the next message: members by turns, one by chance, always the same as
    long as it is there (`sticky`), or the same for each topic (`topic`)."""
    shared_redelivery: bool = True
    """What a session that ends had of a share and did not acknowledge goes to another member."""
    topic_levels_maximum: int | None = None
    """Levels of a topic name or filter; more are refused."""
    topic_bytes_maximum: int | None = None
    client_id_maximum: int | None = None
    """Bytes of a client identifier."""
    filters_maximum: int | None = None
    """Filters of one SUBSCRIBE; more end the connection."""
    subscriptions_maximum: int | None = None
    """Subscriptions of one session; more are refused."""
    ingest_prefix: str = ""
    """Topics that begin so go to rules of the server and to no subscriber (AWS IoT's Basic Ingest);
    neither it nor the rule's name behind it counts among levels and bytes."""
    tell_no_subscribers: bool = True
    """PUBACK and PUBREC say 0x10 when nobody subscribed (MQTT 5)."""
    auth_methods: tuple[str, ...] = ()
    """Scripted methods of enhanced authentication: `METHOD [CHALLENGE ...] [refuse=CODE]`."""
    refused_filters: Mapping[str, int] = field(default_factory=dict)
    """Filters that nobody may subscribe to, nor within them, with the code of the SUBACK."""
    listeners: Mapping[str, ListenerOptions] = field(default_factory=dict)
    """What is otherwise for who comes by one listener, by its name (`Listener.name`)."""
    sn_topics: Mapping[int, str] = field(default_factory=dict)
    """MQTT-SN: predefined topic ids (6.7)."""
    sn_gateway_id: int = 1
    sn_retry: float = 10.0
    """MQTT-SN: seconds after which what a client has to answer is sent again (T_retry, 7.2)."""
    sn_retries: int = 3
    """How often (N_retry); then the client is lost."""
    sn_advertise: str = ""
    """`HOST:PORT` of the group that ADVERTISE goes to; empty: the gateway is not announced."""
    sn_advertise_interval: float = 900.0
    """Seconds between two of them (T_ADV, 7.2)."""

    def capped_expiry(self, seconds: float | None) -> float | None:
        """How long a session lasts that asks for so long (None: for ever)."""
        most = self.session_expiry_maximum
        if most is None:
            return seconds
        return float(most) if seconds is None else min(seconds, float(most))
