"""The table of all settings: one row makes the option, the variable and the config file's key."""

from mockforge_brokers.amqp.options import CR_DEMO, USUAL_MECHANISMS
from mockforge_brokers.amqp.profiles import DEFAULT, PROFILES
from mockforge_brokers.limits import LIMITS, Limit

from ..units import parse_duration, parse_size
from .ending import ENDING
from .kafka import KAFKA_SETTINGS
from .mqtt import MQTT_SETTINGS
from .setting import (
    Setting,
    address,
    advertised,
    between,
    boolean,
    certificates,
    one_of,
    port,
    scale,
    user,
    whole,
)

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
SYNCS = ("os", "commit")
THEMES = ("night", "day", "contrast")


def mechanism(text: str) -> str:
    """A SASL mechanism of AMQP by its name; raises ValueError."""
    known = (*USUAL_MECHANISMS, CR_DEMO)
    if text.upper() not in known:
        raise ValueError(f"one of {', '.join(known)} is wanted, not {text!r}")
    return text.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("kafka_port", "--kafka-port", ("kafka.port",), port, "Kafka's port (0: any)", "N"),
    Setting("mqtt_port", "--mqtt-port", ("mqtt.port",), port, "MQTT's port (0: any)", "N"),
    Setting("amqp_port", "--amqp-port", ("amqp.port",), port, "AMQP's port (0: any)", "N"),
    Setting(
        "kafka_tls_port",
        "--kafka-tls-port",
        ("kafka.tls_port",),
        port,
        "Kafka over TLS: 9093",
        "N",
    ),
    Setting(
        "mqtt_tls_port", "--mqtt-tls-port", ("mqtt.tls_port",), port, "MQTT over TLS: 8883", "N"
    ),
    Setting(
        "mqtt_ws_port", "--mqtt-ws-port", ("mqtt.ws_port",), port, "MQTT over WebSocket: 8083", "N"
    ),
    Setting(
        "mqtt_wss_port",
        "--mqtt-wss-port",
        ("mqtt.wss_port",),
        port,
        "MQTT over secure WebSocket: 8084",
        "N",
    ),
    Setting(
        "amqp_tls_port", "--amqp-tls-port", ("amqp.tls_port",), port, "AMQP over TLS: 5671", "N"
    ),
    Setting(
        "amqp_management",
        "--amqp-management",
        ("amqp.management",),
        boolean,
        "serve RabbitMQ's management interface",
        switch=True,
    ),
    Setting(
        "amqp_management_port",
        "--amqp-management-port",
        ("amqp.management_port",),
        port,
        "RabbitMQ's management interface: 15672",
        "N",
    ),
    Setting("admin_port", "--admin-port", ("admin.port",), port, "admin port (0: any)", "N"),
    Setting("kafka", "--no-kafka", ("kafka.enabled",), boolean, "do not serve Kafka"),
    Setting("mqtt", "--no-mqtt", ("mqtt.enabled",), boolean, "do not serve MQTT"),
    Setting("amqp", "--no-amqp", ("amqp.enabled",), boolean, "do not serve AMQP"),
    Setting("admin", "--no-admin", ("admin.enabled",), boolean, "open no admin port"),
    Setting("mqtt_ws", "--no-mqtt-ws", ("mqtt.ws",), boolean, "no MQTT over WebSocket"),
    Setting(
        "mqtt_unix", "--mqtt-unix", ("mqtt.unix",), str, "MQTT at a Unix socket as well", "PATH"
    ),
    Setting("mqtt_sn", "--mqtt-sn", ("mqtt.sn",), boolean, "MQTT-SN over UDP as well", switch=True),
    Setting(
        "mqtt_sn_port", "--mqtt-sn-port", ("mqtt.sn_port",), port, "MQTT-SN over UDP: 1884", "N"
    ),
    Setting(
        "tls",
        "--tls",
        ("tls.certificates", "tls"),
        certificates,
        "TLS too, on ports of its own: auto makes a throw-away CA, or PEM files",
        "auto|CERT,KEY",
    ),
    Setting(
        "tls_only", "--tls-only", ("tls.only",), boolean, "no listeners without TLS", switch=True
    ),
    Setting(
        "tls_client_ca",
        "--tls-client-ca",
        ("tls.client_ca",),
        str,
        "TLS clients need a certificate of this CA (auto: of ours)",
        "FILE",
    ),
    Setting(
        "tls_dir",
        "--tls-dir",
        ("tls.dir",),
        str,
        "where --tls auto writes ca.pem (default: a temporary folder)",
        "DIR",
    ),
    Setting(
        "users",
        "--user",
        ("users",),
        user,
        "who may log in, everywhere; may be given several times",
        "NAME:PASSWORD",
        many=True,
        separator=",",
    ),
    Setting(
        "rules",
        "--rule",
        ("rules",),
        str,
        "what users may do: 'allow alice read kafka:orders.*'; several times",
        "RULE",
        many=True,
        separator=";",
    ),
    Setting(
        "anonymous",
        "--anonymous",
        ("anonymous",),
        boolean,
        "let in who does not log in (default: where there are no users)",
        switch=True,
    ),
    Setting("amqp_user", "--amqp-user", ("amqp.user",), str, "AMQP's user: guest", "NAME"),
    Setting(
        "amqp_password",
        "--amqp-password",
        ("amqp.password",),
        str,
        "its password: guest",
        "TEXT",
    ),
    Setting("amqp_vhost", "--amqp-vhost", ("amqp.vhost",), str, "AMQP's virtual host: /", "NAME"),
    Setting(
        "vhosts",
        "--vhost",
        ("amqp.vhosts",),
        str,
        "one more AMQP virtual host; several times",
        "NAME",
        many=True,
        separator=",",
    ),
    Setting("host", "--host", ("host",), address, "address that the brokers listen at", "ADDR"),
    Setting(
        "advertise",
        "--advertise",
        ("advertise", "kafka.advertised_host"),
        advertised,
        "host that Kafka clients are told (default: the one they dialled)",
        "HOST",
    ),
    Setting(
        "proxy_protocol",
        "--proxy-protocol",
        ("proxy_protocol",),
        boolean,
        "a proxy is in front: the PROXY protocol (v1, v2) names the clients' addresses",
        switch=True,
    ),
    Setting("admin_host", "--admin-host", ("admin.host",), address, "admin's address", "ADDR"),
    Setting(
        "admin_token",
        "--admin-token",
        ("admin.token",),
        str,
        "bearer token that admin asks for (needed off loopback)",
        "TEXT",
    ),
    Setting(
        "random_ports",
        "--random-ports",
        ("random_ports",),
        boolean,
        "free ports for all that the command line gives none",
        switch=True,
    ),
    Setting(
        "fixtures",
        "--fixtures",
        ("fixtures", "kafka.fixtures_dir", "mqtt.fixtures_dir", "amqp.fixtures_dir"),
        str,
        "fixture file or folder; may be given several times",
        "PATH",
        many=True,
    ),
    Setting(
        "schemas",
        "--schema",
        ("schemas",),
        str,
        "Avro schema of what goes to a destination (* and ?): orders=order.avsc; several times",
        "DEST=FILE",
        many=True,
        separator=",",
    ),
    Setting(
        "auto_produce",
        "--no-auto-produce",
        ("auto_produce",),
        boolean,
        "load fixtures, but start none of their generators",
    ),
    Setting(
        "watch",
        "--watch",
        ("watch",),
        boolean,
        "load fixture files anew when they change",
        switch=True,
    ),
    Setting("seed", "--seed", ("seed",), whole, "seed of all that is random", "N"),
    Setting(
        "time_scale",
        "--time-scale",
        ("time_scale",),
        scale,
        "let X simulated seconds pass in one: delays of fixtures, not their rates",
        "X",
    ),
    Setting("ready_file", "--ready-file", ("ready_file",), str, "write the ready line to F", "F"),
    Setting(
        "env_file",
        "--env-file",
        ("env_file",),
        str,
        "write addresses as variables to F",
        "F",
    ),
    *ENDING,
    Setting(
        "log_level",
        "--log-level",
        ("logging.level",),
        one_of(*LOG_LEVELS),
        "debug, info, warning or error",
        "LEVEL",
    ),
    Setting(
        "log_format",
        "--log-format",
        ("logging.format",),
        one_of(*LOG_FORMATS),
        "text or json",
        "FORMAT",
    ),
    Setting(
        "theme",
        "--theme",
        ("console.theme",),
        one_of(*THEMES),
        "the screen's colours: night, day (for light terminals) or contrast",
        "NAME",
    ),
    Setting(
        "ascii_only",
        "--ascii",
        ("console.ascii",),
        boolean,
        "plain ASCII signs on the screen",
        switch=True,
    ),
    Setting(
        "data_dir",
        "--data-dir",
        ("data.dir", "data"),
        str,
        "keep on disk what was confirmed, over a kill too (default: in memory only)",
        "DIR",
    ),
    Setting(
        "data_commit",
        "--data-commit",
        ("data.commit",),
        parse_duration,
        "how long facts are gathered for one commit at most: 5ms",
        "TIME",
    ),
    Setting(
        "data_sync",
        "--data-sync",
        ("data.sync",),
        one_of(*SYNCS),
        "what confirmed outlives: os (a kill of the program) or commit (a loss of power too)",
        "WHEN",
    ),
    Setting(
        "journal",
        "--no-journal",
        ("journal",),
        boolean,
        "keep no raw bytes (no wire inspector)",
    ),
    Setting(
        "busy_poll",
        "--no-busy-poll",
        ("busy_poll",),
        boolean,
        "sleep at once; else, while messages come closely, the next is looked for for 0.1 ms first",
    ),
    Setting(
        "auto_create_topics",
        "--no-auto-create-topics",
        ("kafka.auto_create_topics",),
        boolean,
        "Kafka: unknown topics stay unknown",
    ),
    Setting(
        "verify_transactions",
        "--no-transaction-verification",
        ("kafka.verify_transactions",),
        boolean,
        "Kafka: batches may begin transactions that the coordinator does not know, which then hang",
    ),
    Setting(
        "default_partitions",
        "--default-partitions",
        ("kafka.default_partitions",),
        between(1, 100_000),
        "Kafka: partitions of a new topic",
        "N",
    ),
    Setting(
        "consumer_heartbeat_interval",
        "--kafka-consumer-heartbeat-interval",
        ("kafka.consumer_heartbeat_interval",),
        parse_duration,
        "Kafka: how often members of the consumer protocol (KIP-848) report",
        "5s",
    ),
    Setting(
        "consumer_session_timeout",
        "--kafka-consumer-session-timeout",
        ("kafka.consumer_session_timeout",),
        parse_duration,
        "Kafka: silence after which they are put out of their group",
        "45s",
    ),
    Setting(
        "broker_id",
        "--broker-id",
        ("kafka.broker_id",),
        between(0, 2**31 - 1),
        "Kafka: node id",
        "N",
    ),
    Setting(
        "keep_alive",
        "--mqtt-keep-alive",
        ("mqtt.keep_alive_secs",),
        between(1, 65_535),
        "MQTT 5: longest keep alive in seconds that clients get",
        "N",
    ),
    *MQTT_SETTINGS,
    *KAFKA_SETTINGS,
    Setting(
        "amqp_as_version",
        "--amqp-as-version",
        ("amqp.as_version",),
        one_of(*PROFILES),
        f"AMQP: the release of RabbitMQ to be like: {DEFAULT}",
        "|".join(PROFILES),
    ),
    Setting(
        "amqp_mechanisms",
        "--amqp-mechanism",
        ("amqp.auth_mechanisms",),
        mechanism,
        "AMQP: a login mechanism to offer (PLAIN and AMQPLAIN); several times",
        "NAME",
        many=True,
        separator=",",
    ),
    Setting(
        "channel_max",
        "--amqp-channel-max",
        ("amqp.max_channels_per_connection", "amqp.channel_max"),
        between(1, 65_535),
        "AMQP: channels that a connection may open",
        "N",
    ),
    Setting(
        "frame_max",
        "--amqp-frame-max",
        ("amqp.frame_max",),
        between(4_096, 2**31 - 1),
        "AMQP: bytes of the largest frame",
        "N",
    ),
    Setting(
        "heartbeat",
        "--amqp-heartbeat",
        ("amqp.heartbeat_interval", "amqp.heartbeat"),
        between(0, 65_535),
        "AMQP: heartbeat in seconds that clients are offered (0: none)",
        "N",
    ),
    Setting(
        "consumer_timeout",
        "--amqp-consumer-timeout",
        ("amqp.consumer_timeout",),
        parse_duration,
        "AMQP: longest time that a delivery waits for its ack (0s: any)",
        "30m",
    ),
)

_LIMITS_WITH_OPTION = {"mqtt_packet": ("--mqtt-max-packet-size", "mqtt.max_packet_size")}


def _of_limit(limit: Limit) -> Setting:
    flag, *keys = _LIMITS_WITH_OPTION.get(limit.name, ("--limit-" + limit.name.replace("_", "-"),))
    bound = limit.bound

    def parse(text: str) -> int:
        number = parse_size(text) if bound.unit == "bytes" else whole(text.replace("_", ""))
        if not bound.least <= number <= bound.most:
            raise ValueError(f"{bound.least} to {bound.most} is wanted, not {number}")
        return number

    help_ = f"{limit.name.partition('_')[0]}: {bound.what}; when met, {bound.effect}"
    return Setting(
        LIMIT_PREFIX + limit.name,
        flag,
        (*keys, f"limits.{limit.name}"),
        parse,
        help_,
        "N",
        limit=limit.name,
    )


LIMIT_PREFIX = "limit_"
"""Before a limit's name in the names of settings."""

SETTINGS += tuple(_of_limit(limit) for limit in LIMITS.values())

BY_LIMIT: dict[str, Setting] = {setting.limit: setting for setting in SETTINGS if setting.limit}


def has_option(setting: Setting) -> bool:
    """Whether it has an option of its own beside `--limit NAME=VALUE`."""
    return not setting.limit or setting.limit in _LIMITS_WITH_OPTION


def parse_limit(text: str) -> tuple[str, int]:
    """`kafka_total=2g` as its setting's name and value. Raises ValueError."""
    name, equals, value = text.partition("=")
    setting = BY_LIMIT.get(name.strip().replace("-", "_"))
    if setting is None or not equals:
        known = ", ".join(BY_LIMIT)
        raise ValueError(f"NAME=VALUE is wanted, with one of {known}; not {text!r}")
    return setting.name, setting.parse(value)


BY_KEY: dict[str, Setting] = {key: setting for setting in SETTINGS for key in setting.keys}
BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}
