"""Users: who there is, and their making and end."""

from __future__ import annotations

import base64
from typing import Any

from mockforge_brokers.access import User
from mockforge_brokers.amqp import granting

from .listing import listed
from .reading import one
from .refusals import Refused, bad_request, missing, not_found
from .request import CREATED, NO_CONTENT, Asked


def users(asked: Asked) -> Any:
    return listed([user_figures(asked, user) for user in _users(asked).values()], asked.query)


def user(asked: Asked) -> Any:
    found = _users(asked).get(asked.names[0])
    return one(asked, user_figures(asked, found) if found else None)


def _users(asked: Asked) -> dict[str, User]:
    known = asked.runtime.environment.access.users
    return {name: known[name] for name in sorted(known) if "amqp" in known[name].protocols}


def user_figures(asked: Asked, user: User) -> dict[str, Any]:
    """Without the password: whoever asks for it is not shown it."""
    return {
        "name": user.name,
        "password_hash": "",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": list(user.tags),
        "limits": dict(asked.broker.quotas.users.get(user.name, {})),
    }


def without_permissions(asked: Asked) -> Any:
    access = asked.runtime.environment.access
    having = {row["user"] for row in granting.rows(access, asked.broker.vhosts)}
    found = [user for user in _users(asked).values() if user.name not in having]
    return listed([user_figures(asked, user) for user in found], asked.query)


def put_user(asked: Asked) -> Any:
    """With a password, with RabbitMQ's hash of one, or with neither: then none is right."""
    (name,) = asked.names
    there = name in asked.runtime.environment.access.users
    if asked.body.get("password") is not None:
        asked.text("password")
    given = str(asked.body.get("password_hash") or "")
    try:
        base64.b64decode(given, validate=True)
    except ValueError:
        raise Refused(400, "bad_request", ["not_base64", given]) from None
    if "tags" not in asked.body:
        raise bad_request("tags_not_present")
    asked.broker.define("users", {**asked.body, "name": name})
    return NO_CONTENT if there else CREATED, None


def delete_user(asked: Asked) -> Any:
    (name,) = asked.names
    if name not in _users(asked):
        raise not_found()
    asked.broker.remove_user(name)
    return NO_CONTENT, None


def bulk_delete(asked: Asked) -> Any:
    """One after the other, up to the first that is not there."""
    if "users" not in asked.body:
        raise missing("users")
    names = asked.body["users"]
    if not isinstance(names, list):
        raise bad_request(f"users: a list of names is wanted, not {names!r}")
    for name in names:
        if not isinstance(name, str) or name not in _users(asked):
            raise Refused(400, "bad_request", ["no_such_user", name])
        asked.broker.remove_user(name)
    return NO_CONTENT, None
