"""Users, rules and virtual hosts that a config gives to the brokers."""

from pathlib import Path

from mockforge_brokers.access import Access, rule_of
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.permissions import acl_of

from .config import Config, ConfigError

AMQP_DEFAULT = "guest"


def fill(access: Access, config: Config) -> None:
    """Raises ConfigError for what is no user or rule.

    Where there are users, nobody is let in without a login unless the config says so.
    """
    try:
        if config.amqp_user is not None or config.amqp_password is not None:
            user, password = config.amqp_user, config.amqp_password
            access.add_user(user or AMQP_DEFAULT, password or AMQP_DEFAULT, ("amqp",))
        for text in config.users:
            name, _, password = text.partition(":")
            access.add_user(name, password)
        for text in config.rules:
            access.add_rule(rule_of(text))
        for text in config.kafka_acls:
            access.add_rule(acl_of(text))
    except InvalidInput as error:
        raise ConfigError(str(error)) from None
    if config.kafka_authorizer or config.kafka_super_users or config.kafka_acls:
        access.restrict("kafka", (each.removeprefix("User:") for each in config.kafka_super_users))
    anonymous = not config.users if config.anonymous is None else config.anonymous
    access.anonymous = {"kafka", "mqtt"} if anonymous else set()


def named(config: Config) -> set[str]:
    """Users that the config names."""
    names = {text.partition(":")[0] for text in config.users}
    if config.amqp_user is not None or config.amqp_password is not None:
        names.add(config.amqp_user or AMQP_DEFAULT)
    return names


def virtual_hosts(config: Config) -> tuple[str, ...]:
    """The one that clients are told of first; `/` is always there, for prompt and fixtures."""
    wanted = (config.amqp_vhost, *config.vhosts, "/")
    return tuple(dict.fromkeys(each for each in wanted if each))


def oauth_key(config: Config) -> str:
    """What OAUTHBEARER's tokens are checked with. Raises ConfigError for a key of no use."""
    from mockforge_brokers.kafka.oauth import UNSECURED, verifier

    given = config.kafka_oauth or ""
    if given in ("", UNSECURED):
        return given
    try:
        key = Path(given).read_text()
        verifier(key)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--kafka-oauth {given}: {error}; give unsecured, or a file") from None
    except InvalidInput as error:
        raise ConfigError(f"--kafka-oauth {given}: {error}") from None
    if not key.strip():
        raise ConfigError(f"--kafka-oauth {given}: the file is empty, and a key is wanted")
    return key
