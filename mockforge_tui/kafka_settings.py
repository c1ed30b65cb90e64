"""The settings of Kafka's authorizer: rows of settings.py's table."""

from .setting import Setting, boolean

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
)
