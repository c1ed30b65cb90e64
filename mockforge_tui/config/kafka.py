"""The settings of Kafka's authorizer and of its broker: rows of the table of settings."""

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.kafka.options import MOST_NODES
from mockforge_brokers.kafka.releases import NEWEST, RELEASES, override

from ..units import parse_duration
from .setting import Setting, between, boolean, one_of


def kafka_config(text: str) -> str:
    """`offsets.retention.minutes=1`, a line of a broker's server.properties. Raises ValueError."""
    # Its table of keys is read only where somebody gives one.
    from mockforge_brokers.errors import RequestRefused
    from mockforge_brokers.kafka.options import KafkaOptions
    from mockforge_brokers.kafka.state.configs.broker import started_with

    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ValueError(f"KEY=VALUE is wanted, not {text!r}")
    try:
        started_with(KafkaOptions(), {key: value})
    except RequestRefused as refusal:
        raise ValueError(refusal.text) from None
    return f"{key}={value}"


def _override(text: str) -> str:
    try:
        override(text)
    except InvalidInput as error:
        raise ValueError(str(error)) from None
    return text


KAFKA_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "kafka_nodes",
        "--kafka-nodes",
        ("kafka.nodes",),
        between(1, MOST_NODES),
        "Kafka: so many brokers, each at ports of its own, 100 after those of the one before",
        "N",
    ),
    Setting(
        "kafka_racks",
        "--kafka-rack",
        ("kafka.racks",),
        str,
        "Kafka: the racks of its brokers in turn (broker.rack); several times",
        "RACK",
        many=True,
        separator=",",
    ),
    Setting(
        "kafka_authorizer",
        "--kafka-authorizer",
        ("kafka.authorizer",),
        boolean,
        "Kafka: what no ACL allows is denied, also while there is none",
        switch=True,
    ),
    Setting(
        "kafka_super_users",
        "--kafka-super-user",
        ("kafka.super_users",),
        str,
        "Kafka: a user who may do all, whatever the ACLs say; several times",
        "NAME",
        many=True,
        separator=",",
    ),
    Setting(
        "kafka_acls",
        "--kafka-acl",
        ("kafka.acls",),
        str,
        "Kafka: 'allow User:alice read topic:orders [prefixed] [from HOST]'; several times",
        "ACL",
        many=True,
        separator=";",
    ),
    Setting(
        "kafka_oauth",
        "--kafka-oauth",
        ("kafka.oauth",),
        str,
        "Kafka: offer OAUTHBEARER, for unsigned tokens or those that this key signed: a secret"
        " or a public key",
        "unsecured|FILE",
    ),
    Setting(
        "kafka_max_reauth",
        "--kafka-max-reauth",
        ("kafka.max_reauth",),
        parse_duration,
        "Kafka: how long a login by SASL is good for (0s: without end)",
        "0s",
    ),
    Setting(
        "kafka_as_version",
        "--kafka-as-version",
        ("kafka.as_version",),
        one_of(*RELEASES),
        f"Kafka: the release to be like, in APIs, versions and features: {NEWEST}",
        "|".join(RELEASES),
    ),
    Setting(
        "kafka_api_versions",
        "--kafka-api",
        ("kafka.api_versions",),
        _override,
        "Kafka: versions of one API, Fetch=4-12 or Fetch=none; several times",
        "API=VERSIONS",
        many=True,
        separator=",",
    ),
    Setting(
        "kafka_client_metrics",
        "--kafka-client-metrics",
        ("kafka.client_metrics",),
        str,
        "Kafka: ask clients for their own metrics every 5 s (KIP-714): prefixes with commas, * for"
        " all",
        "PREFIXES",
    ),
    Setting(
        "kafka_check_records",
        "--kafka-check-records",
        ("kafka.check_records",),
        boolean,
        "Kafka: read the records of each batch that comes, not only of a connection's first ones",
        switch=True,
    ),
    Setting(
        "kafka_configs",
        "--kafka-config",
        ("kafka.configs",),
        kafka_config,
        "Kafka: a line of server.properties, such as offsets.retention.minutes=1; several times",
        "KEY=VALUE",
        many=True,
        separator=";",
    ),
)
