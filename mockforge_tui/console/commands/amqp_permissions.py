"""`permission`: what rabbitmqctl says of users' rights in AMQP's virtual hosts, as rules."""

import re
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.access import rule_of
from mockforge_brokers.errors import InvalidInput

from ..lookup import amqp, known
from ..registry import Arg, Opt, command
from ..results import Result, done
from ..types import EXCHANGE, TEXT
from .access import USER, VHOST

if TYPE_CHECKING:
    from ..session import Session


@command(
    "permission topic",
    group="access",
    aliases=("set topic permissions",),
    examples=("permission topic guest amq.topic '^{username}' .*",),
)
def permission_topic(
    session: "Session",
    name: Annotated[str, Arg(USER, "a user")],
    exchange: Annotated[str, Arg(EXCHANGE, "a topic exchange")],
    write: Annotated[str, Arg(TEXT, "the keys to publish by: an expression", "WRITE")] = ".*",
    read: Annotated[str, Arg(TEXT, "the keys to bind by", "READ")] = ".*",
    *,
    vhost: Annotated[str, Opt(("-p", "--vhost"), VHOST, "the virtual host (/)")] = "/",
) -> Result:
    """Say which routing keys of a topic exchange a user may use; without expressions any.

    {username} and {vhost} stand for those of the client, as in rabbitmqctl set_topic_permissions.
    """
    known("name", name, session.runtime.access.users, "user")
    amqp(session).permit_topic(name, exchange, write, read, vhost=vhost)
    return done(
        f"user {name} publishes to {exchange} by keys like {write!r}, and binds by {read!r}",
        {"user": name, "vhost": vhost, "exchange": exchange, "write": write, "read": read},
    )


@command(
    "permission set",
    group="access",
    aliases=("set_permissions", "permissions set"),
    examples=("permission set guest .* .* .*", "permission set guest '^a-.*' '' .* -p /"),
)
def permission_set(
    session: "Session",
    name: Annotated[str, Arg(USER, "a user")],
    configure: Annotated[str, Arg(TEXT, "what it may configure: an expression", "CONFIGURE")],
    write: Annotated[str, Arg(TEXT, "what it may write to", "WRITE")],
    read: Annotated[str, Arg(TEXT, "what it may read from", "READ")],
    *,
    vhost: Annotated[str, Opt(("-p", "--vhost"), VHOST, "the virtual host (/)")] = "/",
) -> Result:
    """Give a user AMQP permissions as rabbitmqctl set_permissions does, in place of those it had.

    Each is a regular expression over names of queues and exchanges; '' is nothing.
    """
    known("vhost", vhost, amqp(session).vhosts, "virtual host")
    access = session.runtime.access
    made = []
    for operation, expression in (("configure", configure), ("write", write), ("read", read)):
        try:
            re.compile(expression)
        except re.error as error:
            raise InvalidInput(f"{expression!r} is no regular expression: {error}") from None
        pattern = expression or "^$"
        made.append(rule_of(f"allow {name} {operation} amqp:{vhost}:/{pattern}/"))
    _clear(session, name, vhost)
    for rule in made:
        access.add_rule(rule)
    return done(
        f"user {name} in virtual host {vhost}: configure {configure!r}, write {write!r}, "
        f"read {read!r}",
        {"user": name, "vhost": vhost, "configure": configure, "write": write, "read": read},
    )


@command(
    "permission clear",
    group="access",
    aliases=("clear permissions",),
    examples=("permission clear guest",),
)
def permission_clear(
    session: "Session",
    name: Annotated[str, Arg(USER, "a user")],
    *,
    vhost: Annotated[str, Opt(("-p", "--vhost"), VHOST, "the virtual host (/)")] = "/",
) -> Result:
    """Take a user's rules for a virtual host back."""
    count = _clear(session, name, vhost)
    return done(f"{count} rules of {name} for virtual host {vhost} are gone", {"rules": count})


def _clear(session: "Session", name: str, vhost: str) -> int:
    access = session.runtime.access
    gone = [
        number
        for number, rule in access.rules.items()
        if rule.allow
        and rule.user == name
        and rule.protocol == "amqp"
        and rule.pattern.partition(":")[0] == vhost
    ]
    for number in gone:
        access.remove_rule(number)
    return len(gone)


COMMANDS = (permission_set, permission_topic, permission_clear)
