"""The settings of Kafka's authorizer and of its broker: rows of settings.py's table."""

from .setting import Setting, boolean


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


KAFKA_SETTINGS: tuple[Setting, ...] = (
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
