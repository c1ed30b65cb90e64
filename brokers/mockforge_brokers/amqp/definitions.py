"""Definitions as RabbitMQ exports and imports them: one JSON document of all that is declared."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from ..access import ALL_TAGS, User
from ..errors import InvalidInput
from . import granting
from .records import Field, Table, plain
from .state.arguments import with_default_type
from .state.queues.queue import Queue
from .state.virtual_host import VirtualHost

if TYPE_CHECKING:
    from .broker import AmqpBroker

Item = Mapping[str, Any]
_HASHES: Final = {
    "rabbit_password_hashing_sha256": "sha256",
    "rabbit_password_hashing_sha512": "sha512",
    "rabbit_password_hashing_md5": "md5",
}
_NONE: Final = b64encode(bytes(36)).decode()
"""The hash of no password."""


def load(broker: AmqpBroker, document: Mapping[str, Any], vhost: str = "/") -> dict[str, int]:
    """Take up a whole document; returns how many of each kind. Raises InvalidInput.

    `vhost` is for the items of a document that is of one virtual host, and does not say of which.
    """
    access = broker.environment.access
    counts: dict[str, int] = {}
    loaders = _LOADERS
    with access.together():
        for section, item in items(document):
            if section == "permissions" and section not in counts and _restricts(document, vhost):
                # From here on rights are those of rules. A document's users have just what it says.
                if not granting.ruled(access):
                    granting.leave_others(access, broker.vhosts, _users_of(document))
                loaders = {**_LOADERS, section: _permit}
            define(broker, section, item, vhost, loaders)
            counts[section] = counts.get(section, 0) + 1
    return counts


def items(document: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """Each item with its section, in the order in which they need each other."""
    for section in SECTIONS:
        found = document.get(section, [])
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            raise InvalidInput(f"{section} is a list of objects")
        for item in found:
            yield section, item


def _users_of(document: Mapping[str, Any]) -> set[str]:
    named = {str(item.get("name")) for item in document.get("users", ())}
    return named | {str(item.get("user")) for item in document["permissions"]}


def _restricts(document: Mapping[str, Any], vhost: str) -> bool:
    """Whether somebody of a document may not do all in one of its virtual hosts."""
    rows = document["permissions"]
    if any(item.get(each) != granting.EVERYTHING for item in rows for each in granting.OPERATIONS):
        return True
    vhosts = {str(item.get("name")) for item in document.get("vhosts", ())}
    given = {(str(item.get("user")), str(item.get("vhost", vhost))) for item in rows}
    vhosts |= {where for _, where in given}
    return len(given) < len(vhosts) * len(_users_of(document))


Loaders = Mapping[str, Callable[["AmqpBroker", Item, str], None]]


def define(
    broker: AmqpBroker, section: str, item: Item, vhost: str = "/", loaders: Loaders | None = None
) -> None:
    """One item of a section; raises InvalidInput with what it is called."""
    name = item.get("name") or item.get("user") or item.get("source") or "?"
    try:
        (loaders or _LOADERS)[section](broker, item, str(item.get("vhost", vhost)))
    except KeyError as error:
        raise InvalidInput(f"{section}, {name}: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{section}, {name}: {error}") from None


def _user(broker: AmqpBroker, item: Item, vhost: str) -> None:
    access = broker.environment.access
    name = str(item["name"])
    before = access.users.get(name)
    password = item.get("password")
    if password is None:
        kind = str(item.get("hashing_algorithm", "rabbit_password_hashing_sha256"))
        if kind not in _HASHES:
            raise InvalidInput(f"users, {name}: {kind} is none of {', '.join(_HASHES)}")
        # Without a hash no password is right, as in RabbitMQ.
        given = str(item.get("password_hash") or _NONE)
        password = f"$rabbit${_HASHES[kind]}${given}"
    protocols = {*before.protocols, "amqp"} if before else ("amqp",)
    access.add_user(name, str(password), protocols, _tags(item, before))
    if limits := _object(item, "limits"):
        broker.limit_user(name, limits)


def _tags(item: Item, before: User | None) -> Sequence[str]:
    """A list, or, as releases before 3.9 have it, a text with commas."""
    given = item.get("tags")
    if given is None:
        return before.tags if before else ALL_TAGS
    return words(given)


def words(given: object) -> list[str]:
    """Tags as a list, or as a text with commas; none of null. Raises TypeError for the rest."""
    if given is None:
        return []
    if not isinstance(given, (str, list)):
        raise TypeError(f"tags are a list or a text with commas, not {given!r}")
    each = given.split(",") if isinstance(given, str) else map(str, given)
    return [word.strip() for word in each if word.strip()]


def _vhost(broker: AmqpBroker, item: Item, vhost: str) -> None:
    name, kind = str(item["name"]), queue_type_of(item)
    metadata = item.get("metadata")
    parts = (metadata, item) if isinstance(metadata, Mapping) else (item,)
    said = {key: value for part in parts for key, value in part.items() if value is not None}
    # What may be refused is looked at before anything changes.
    description, tags = str(said.get("description", "")), words(said.get("tags"))
    if name not in broker.vhosts:
        broker.add_vhost(name, default_queue_type=kind or "", description=description, tags=tags)
        return
    if kind is not None:
        broker.default_queue_type(kind, vhost=name)
    if "description" in said or "tags" in said:
        broker.describe_vhost(name, description, tags)


def queue_type_of(item: Item) -> str | None:
    """What a virtual host's object says of queues without a type; None where it says nothing."""
    metadata = item.get("metadata")
    inner = metadata.get("default_queue_type") if isinstance(metadata, Mapping) else None
    # The second one is what 3.10 and the first of 3.11 called it.
    found = item.get("default_queue_type", item.get("defaultqueuetype", inner))
    return None if found is None else str(found)


def _permission(broker: AmqpBroker, item: Item, vhost: str) -> None:
    """Who may do all needs no rule: as long as nobody has one, everybody may do all."""
    every = all(item[operation] == granting.EVERYTHING for operation in granting.OPERATIONS)
    if granting.ruled(broker.environment.access) or not every:
        _permit(broker, item, vhost)


def _permit(broker: AmqpBroker, item: Item, vhost: str) -> None:
    given = {operation: str(item[operation]) for operation in granting.OPERATIONS}
    granting.grant(broker.environment.access, broker.vhosts, str(item["user"]), vhost, given)


def _topic_permission(broker: AmqpBroker, item: Item, vhost: str) -> None:
    user, exchange, write, read = (str(item[key]) for key in ("user", "exchange", "write", "read"))
    broker.permit_topic(user, exchange, write, read, vhost=vhost)


def topic_permissions(host: VirtualHost) -> Iterator[Item]:
    for each in host.topic_permissions:
        yield {**structs.asdict(each), "vhost": host.name}


def _parameter(broker: AmqpBroker, item: Item, vhost: str) -> None:
    """Operator policies and a virtual host's limits; others mean nothing here."""
    if item["component"] == "vhost-limits":
        broker.limit_vhost(vhost, _object(item, "value"))
    if item["component"] == "operator_policy":
        _set_policy(broker, str(item["name"]), item["value"], vhost, operator=True)


def _global_parameter(broker: AmqpBroker, item: Item, vhost: str) -> None:
    broker.set_global_parameter(str(item["name"]), item["value"])


def _object(item: Item, key: str) -> Item:
    """Empty where it is not given. An empty one may be Erlang's empty list: limits that are all
    gone. Raises TypeError."""
    value = item.get(key, {})
    if value == []:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{key} is an object, not {value!r}")
    return value


def _policy(broker: AmqpBroker, item: Item, vhost: str) -> None:
    _set_policy(broker, str(item["name"]), item, vhost, operator=False)


def _set_policy(broker: AmqpBroker, name: str, value: Item, vhost: str, *, operator: bool) -> None:
    broker.set_policy(
        name,
        str(value["pattern"]),
        dict(value["definition"]),
        apply_to=str(value.get("apply-to", "all")),
        priority=value.get("priority", 0),
        operator=operator,
        vhost=vhost,
    )


def _exchange(broker: AmqpBroker, item: Item, vhost: str) -> None:
    if item["name"] and item["name"] not in broker.vhost(vhost).exchanges:
        broker.declare_exchange(
            str(item["name"]),
            str(item["type"]),
            durable=bool(item.get("durable", True)),
            auto_delete=bool(item.get("auto_delete")),
            internal=bool(item.get("internal")),
            arguments=_object(item, "arguments"),
            vhost=vhost,
        )


def _queue(broker: AmqpBroker, item: Item, vhost: str) -> None:
    if item["name"] not in broker.vhost(vhost).queues:
        broker.declare_queue(
            str(item["name"]),
            durable=bool(item.get("durable", True)),
            auto_delete=bool(item.get("auto_delete")),
            arguments=_object(item, "arguments"),
            vhost=vhost,
        )


def _binding(broker: AmqpBroker, item: Item, vhost: str) -> None:
    broker.bind(
        str(item["source"]),
        str(item["destination"]),
        str(item.get("routing_key", "")),
        _object(item, "arguments"),
        kind="queue" if item.get("destination_type", "queue") == "queue" else "exchange",
        vhost=vhost,
    )


_LOADERS: Final[dict[str, Callable[[AmqpBroker, Item, str], None]]] = {
    "users": _user,
    "vhosts": _vhost,
    "permissions": _permission,
    "topic_permissions": _topic_permission,
    "parameters": _parameter,
    "global_parameters": _global_parameter,
    "policies": _policy,
    "exchanges": _exchange,
    "queues": _queue,
    "bindings": _binding,
}
SECTIONS: Final = tuple(_LOADERS)
"""What is taken up, in this order."""


# Export.


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
        return kind, "" if hashed == _NONE else hashed
    if user.hashed:
        return "sha256", ""
    salt = broker.environment.random.randbytes(4)
    digest = hashlib.sha256(salt + user.plain.encode()).digest()
    return "sha256", b64encode(salt + digest).decode()


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
