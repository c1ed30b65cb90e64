"""`permission`: what rabbitmqctl says of users' rights in AMQP's virtual hosts, as rules."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.amqp import granting

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

    Each is a regular expression over names of queues and exchanges; '' is nothing. Where there were
    no rules yet, all other users keep what they had.
    """
    broker = amqp(session)
    known("vhost", vhost, broker.vhosts, "virtual host")
    expressions = {"configure": configure, "write": write, "read": read}
    granting.grant(session.runtime.access, broker.vhosts, name, vhost, expressions)
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
    had = granting.revoke(session.runtime.access, name, vhost)
    what = "has no rights any more" if had else "had no rules"
    return done(f"user {name} {what} in virtual host {vhost}", {"user": name, "vhost": vhost})


COMMANDS = (permission_set, permission_topic, permission_clear)
