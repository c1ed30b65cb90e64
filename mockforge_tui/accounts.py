"""Users and rules that a config gives to the brokers."""

from mockforge_brokers.access import OPEN, Access, rule_of
from mockforge_brokers.errors import InvalidInput

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
    except InvalidInput as error:
        raise ConfigError(str(error)) from None
    anonymous = not config.users if config.anonymous is None else config.anonymous
    access.anonymous = set(OPEN) if anonymous else set()


def named(config: Config) -> set[str]:
    """Users that the config names."""
    names = {text.partition(":")[0] for text in config.users}
    if config.amqp_user is not None or config.amqp_password is not None:
        names.add(config.amqp_user or AMQP_DEFAULT)
    return names
