"""`topic-permissions`: which routing keys of topic exchanges a user may use."""

from __future__ import annotations

from typing import Any

from mockforge_brokers.amqp.exporting import topic_permissions

from .reading import vhost_name
from .refusals import bad_request, not_found
from .request import CREATED, NO_CONTENT, Asked


def every(asked: Asked) -> Any:
    return [row for host in asked.broker.vhosts.values() for row in topic_permissions(host)]


def of_vhost(asked: Asked) -> Any:
    return list(topic_permissions(asked.broker.vhost(vhost_name(asked, asked.names[0]))))


def of_user(asked: Asked) -> Any:
    return [row for row in every(asked) if row["user"] == asked.names[0]]


def of_pair(asked: Asked) -> Any:
    """Of all topic exchanges, also where the path names one."""
    wanted = dict(zip(("vhost", "user"), asked.names, strict=False))
    found = [row for row in every(asked) if row.items() >= wanted.items()]
    if not found:
        raise not_found()
    return found


def put(asked: Asked) -> Any:
    vhost, user = asked.names[:2]
    if user not in asked.runtime.environment.access.users or vhost not in asked.broker.vhosts:
        raise bad_request("vhost_or_user_not_found")
    asked.need("exchange", "write", "read")
    exchange, write, read = (asked.text(name) for name in ("exchange", "write", "read"))
    there = _has_any(asked, vhost, user)
    asked.broker.permit_topic(user, exchange, write, read, vhost=vhost)
    return NO_CONTENT if there else CREATED, None


def delete(asked: Asked) -> Any:
    vhost, user, *named = asked.names
    if not _has_any(asked, vhost_name(asked, vhost), user):
        raise not_found()
    asked.broker.forget_topic(user, named[0] if named else None, vhost=vhost)
    return NO_CONTENT, None


def _has_any(asked: Asked, vhost: str, user: str) -> bool:
    """To RabbitMQ all that a user has in a virtual host is one thing, of whichever exchanges."""
    return any(each.user == user for each in asked.broker.vhost(vhost).topic_permissions)
