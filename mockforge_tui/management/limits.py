"""`vhost-limits` and `user-limits`: how much a virtual host or a user may have."""

from __future__ import annotations

from typing import Any

from mockforge_brokers.amqp.connection.quotas import OF_USER, OF_VHOST

from .reading import vhost_name
from .refusals import Refused, bad_request, invalid, not_found
from .request import NO_CONTENT, Asked


def of_vhosts(asked: Asked) -> Any:
    hosts = asked.broker.vhosts
    if asked.names:
        hosts = {asked.names[0]: hosts[vhost_name(asked, asked.names[0])]}
    return [
        {"vhost": name, "value": dict(host.limits)} for name, host in hosts.items() if host.limits
    ]


def put_of_vhost(asked: Asked) -> Any:
    name, limit = asked.names
    if name not in asked.broker.vhosts:
        raise Refused(404, "not_found", "vhost_not_found")
    value = _value(asked)
    if limit not in OF_VHOST:
        raise invalid(f"{_unknown(limit, value)} in limits")
    if type(value) is not int:
        raise invalid(f"{limit} should be a number, actually was {_erlang(value)}")
    asked.broker.limit_vhost(name, {**asked.broker.vhosts[name].limits, limit: value})
    return NO_CONTENT, None


def delete_of_vhost(asked: Asked) -> Any:
    name, limit = vhost_name(asked, asked.names[0]), asked.names[1]
    kept = {key: value for key, value in asked.broker.vhosts[name].limits.items() if key != limit}
    asked.broker.limit_vhost(name, kept)
    return NO_CONTENT, None


def of_users(asked: Asked) -> Any:
    if asked.names:
        _user(asked)
    limits = asked.broker.quotas.users
    names = asked.names or tuple(limits)
    return [{"user": name, "value": dict(limits[name])} for name in names if limits.get(name)]


def put_of_user(asked: Asked) -> Any:
    name, limit = asked.names
    if name not in asked.broker.environment.access.users:
        raise bad_request(f"no_such_user: {name}")
    value = _value(asked)
    if limit not in OF_USER:
        raise bad_request(f"{_unknown(limit, value)} in user-limits")
    if type(value) is not int:
        raise bad_request(f"{limit} should be a number, actually was {_erlang(value)}")
    asked.broker.limit_user(name, {**asked.broker.quotas.users.get(name, {}), limit: value})
    return NO_CONTENT, None


def delete_of_user(asked: Asked) -> Any:
    name, limit = _user(asked), asked.names[1]
    limits = asked.broker.quotas.users.get(name, {})
    asked.broker.limit_user(name, {key: limits[key] for key in limits if key != limit})
    return NO_CONTENT, None


def _user(asked: Asked) -> str:
    name = asked.names[0]
    if name not in asked.broker.environment.access.users:
        raise not_found()
    return name


def _value(asked: Asked) -> Any:
    if "value" not in asked.body:
        raise bad_request("[{key_missing,value}]")
    return asked.body["value"]


def _unknown(limit: str, value: Any) -> str:
    return f'Unrecognised terms [{{<<"{limit}">>,{_erlang(value)}}}]'


def _erlang(value: Any) -> str:
    return f'<<"{value}">>' if isinstance(value, str) else str(value)
