"""Definitions as RabbitMQ takes them: one JSON document of all that is declared."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import structs

from ..access import User
from . import granting
from .definitions import NO_PASSWORD, Item
from .records import Field, Table, plain
from .state.arguments import with_default_type
from .state.queues.queue import Queue
from .state.virtual_host import VirtualHost

if TYPE_CHECKING:
    from .broker import AmqpBroker


def export(broker: AmqpBroker) -> dict[str, Any]:
    """All that is declared, as RabbitMQ's `GET /api/definitions` gives it and takes it."""
    hosts = list(broker.vhosts.values())
    version = broker.options.version
    return {
        "rabbit_version": version,
        "rabbitmq_version": version,
        "product_name": broker.options.product,
        "product_version": version,
        "users": list(_users(broker)),
        "vhosts": [_described(host) for host in hosts],
        "permissions": list(granting.rows(broker.environment.access, broker.vhosts)),
        "topic_permissions": [each for host in hosts for each in topic_permissions(host)],
        "parameters": [each for host in hosts for each in _parameters(host)],
        "global_parameters": [
            {"name": name, "value": value} for name, value in broker.global_parameters.items()
        ],
        "policies": [each for host in hosts for each in _policies(host)],
        "queues": [each for host in hosts for each in _queues(host)],
        "exchanges": [each for host in hosts for each in _exchanges(host)],
        "bindings": [each for host in hosts for each in _bindings(host)],
    }


def _described(host: VirtualHost) -> Item:
    metadata = {name: value for name, value in host.metadata.items() if value}
    return {"name": host.name, **metadata, **({"metadata": metadata} if metadata else {})}


def _users(broker: AmqpBroker) -> Iterator[Item]:
    for user in broker.environment.access.users.values():
        if "amqp" in user.protocols:
            kind, hashed = _hash(broker, user)
            yield {
                "name": user.name,
                "password_hash": hashed,
                "hashing_algorithm": f"rabbit_password_hashing_{kind}",
                "tags": list(user.tags),
                "limits": dict(broker.quotas.users.get(user.name, {})),
            }


def _hash(broker: AmqpBroker, user: User) -> tuple[str, str]:
    """RabbitMQ's hash of a password; a password that only scrypt's hash is known of has none."""
    if user.hashed.startswith("$rabbit$"):
        _, _, kind, hashed = user.hashed.split("$")
        return kind, "" if hashed == NO_PASSWORD else hashed
    if user.hashed:
        return "sha256", ""
    salt = broker.environment.random.randbytes(4)
    digest = hashlib.sha256(salt + user.plain.encode()).digest()
    return "sha256", b64encode(salt + digest).decode()


def topic_permissions(host: VirtualHost) -> Iterator[Item]:
    for each in host.topic_permissions:
        yield {**structs.asdict(each), "vhost": host.name}


def _parameters(host: VirtualHost) -> Iterator[Item]:
    if host.limits:
        yield {
            "value": dict(host.limits),
            "vhost": host.name,
            "component": "vhost-limits",
            "name": "limits",
        }
    for policy in host.policies.of_operators.values():
        yield {
            "vhost": host.name,
            "component": "operator_policy",
            "name": policy.name,
            "value": {
                "pattern": policy.pattern,
                "definition": dict(policy.definition),
                "priority": policy.priority,
                "apply-to": policy.apply_to,
            },
        }


def _policies(host: VirtualHost) -> Iterator[Item]:
    for policy in host.policies.of_users.values():
        yield {
            "vhost": host.name,
            "name": policy.name,
            "pattern": policy.pattern,
            "apply-to": policy.apply_to,
            "definition": dict(policy.definition),
            "priority": policy.priority,
        }


def _queues(host: VirtualHost) -> Iterator[Item]:
    for queue in host.queues.values():
        if not queue.owner:
            yield {
                "name": queue.name,
                "vhost": host.name,
                "durable": queue.durable,
                "auto_delete": queue.auto_delete,
                "arguments": plain(_with_type(host, queue)),
            }


def _with_type(host: VirtualHost, queue: Queue) -> Table:
    """Its arguments; with its type where, declared anew, it would be of the default one."""
    arguments, default = queue.arguments, host.default_queue_type
    if not (default and host.profile.has_default_queue_types):
        return arguments
    flags = {"durable": queue.durable, "exclusive": False, "auto_delete": queue.auto_delete}
    anew = with_default_type(arguments, default, **flags)
    return arguments if anew is arguments else {**anew, "x-queue-type": Field("S", queue.kind)}


def _exchanges(host: VirtualHost) -> Iterator[Item]:
    for exchange in host.exchanges.values():
        if not host.is_predeclared(exchange):
            yield {
                "name": exchange.name,
                "vhost": host.name,
                "type": exchange.type,
                "durable": exchange.durable,
                "auto_delete": exchange.auto_delete,
                "internal": exchange.internal,
                "arguments": plain(exchange.arguments),
            }


def _bindings(host: VirtualHost) -> Iterator[Item]:
    for exchange in host.exchanges.values():
        for binding in exchange.bindings.values():
            to = binding.destination
            if not (isinstance(to, Queue) and to.owner):
                yield {
                    "source": exchange.name,
                    "vhost": host.name,
                    "destination": to.name,
                    "destination_type": binding.kind,
                    "routing_key": binding.routing_key,
                    "arguments": plain(binding.arguments),
                }
