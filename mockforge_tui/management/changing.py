"""PUT, POST and DELETE: what RabbitMQ's interface makes, changes and takes away."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.figures import properties_key
from mockforge_brokers.amqp.state.queues.stream import StreamQueue
from mockforge_brokers.amqp.verbs import DestinationKind, Settlement
from mockforge_brokers.events import MessageSeen

from .reading import connection, exchange_name, vhost_name
from .request import CREATED, NO_CONTENT, Asked, Refused, bad_request, not_found

_SOURCE = "management"


def put_vhost(asked: Asked) -> Any:
    (name,) = asked.names
    there = name in asked.broker.vhosts
    if not there:
        asked.broker.add_vhost(name)
    if "tracing" in asked.body:
        asked.broker.trace(asked.flag("tracing"), vhost=name)
    return NO_CONTENT if there else CREATED, None


def delete_vhost(asked: Asked) -> Any:
    asked.broker.remove_vhost(vhost_name(asked, asked.names[0]))
    return NO_CONTENT, None


# Queues, exchanges, bindings.


def put_queue(asked: Asked) -> Any:
    vhost, name = asked.names
    there = name in asked.broker.vhost(vhost_name(asked, vhost)).queues
    asked.sight.permit("configure", vhost, name)
    asked.broker.declare_queue(
        name,
        durable=_durable(asked),
        auto_delete=asked.flag("auto_delete"),
        arguments=asked.table("arguments"),
        vhost=vhost,
    )
    return NO_CONTENT if there else CREATED, None


def put_exchange(asked: Asked) -> Any:
    vhost, name = asked.names
    there = name in asked.broker.vhost(vhost_name(asked, vhost)).exchanges
    asked.sight.permit("configure", vhost, name)
    asked.broker.declare_exchange(
        name,
        asked.text("type"),
        durable=_durable(asked),
        auto_delete=asked.flag("auto_delete"),
        internal=asked.flag("internal"),
        arguments=asked.table("arguments"),
        vhost=vhost,
    )
    return NO_CONTENT if there else CREATED, None


def _durable(asked: Asked) -> bool:
    return asked.flag("durable") if "durable" in asked.body else True


def delete_queue(asked: Asked) -> Any:
    vhost, name = _queue(asked)
    asked.sight.permit("configure", vhost, name)
    host = asked.broker.vhost(vhost)
    if asked.query.get("if-unused") == "true" and host.queue(name).consumers:
        raise bad_request(f"406 PRECONDITION_FAILED - queue '{name}' in vhost '{vhost}' in use")
    asked.broker.delete_queue(name, if_empty=asked.query.get("if-empty") == "true", vhost=vhost)
    return NO_CONTENT, None


def delete_exchange(asked: Asked) -> Any:
    vhost, name = asked.names
    if name not in asked.broker.vhost(vhost_name(asked, vhost)).exchanges:
        raise not_found()
    asked.sight.permit("configure", vhost, name)
    unused = asked.query.get("if-unused") == "true"
    asked.broker.delete_exchange(name, if_unused=unused, vhost=vhost)
    return NO_CONTENT, None


def purge(asked: Asked) -> Any:
    vhost, name = _queue(asked)
    asked.sight.permit("read", vhost, name)
    asked.broker.purge_queue(name, vhost=vhost)
    return NO_CONTENT, None


def _queue(asked: Asked) -> tuple[str, str]:
    vhost, name = asked.names
    if name not in asked.broker.vhost(vhost_name(asked, vhost)).queues:
        raise not_found()
    return vhost, name


def post_binding(kind: DestinationKind) -> Callable[[Asked], Any]:
    def post(asked: Asked) -> Any:
        vhost, source, destination = asked.names
        host = asked.broker.vhost(vhost_name(asked, vhost))
        table: Mapping[str, object] = host.queues if kind == "queue" else host.exchanges
        if source not in host.exchanges or destination not in table:
            raise not_found()
        _permit_binding(asked, vhost, source, destination)
        key, arguments = asked.text("routing_key", ""), asked.table("arguments")
        asked.broker.bind(source, destination, key, arguments, kind=kind, vhost=vhost)
        return CREATED, None

    return post


def _permit_binding(asked: Asked, vhost: str, source: str, destination: str) -> None:
    asked.sight.permit("write", vhost, destination)
    asked.sight.permit("read", vhost, source)


def delete_binding(kind: DestinationKind) -> Callable[[Asked], Any]:
    def delete(asked: Asked) -> Any:
        vhost, source, destination, wanted = asked.names
        vhost_name(asked, vhost)
        _permit_binding(asked, vhost, source, destination)
        for row in asked.broker.management.bindings(vhost):
            ends = (row["source"], row["destination_type"], row["destination"])
            key, arguments = row["routing_key"], row["arguments"]
            name = properties_key(key, arguments)
            # Clients escape the name once more, or take it for escaped already.
            if ends == (source, kind, destination) and wanted in (name, unquote(name)):
                asked.broker.unbind(source, destination, key, arguments, kind=kind, vhost=vhost)
                return NO_CONTENT, None
        raise not_found()

    return delete


# Messages.


def publish(asked: Asked) -> Any:
    vhost, exchange = vhost_name(asked, asked.names[0]), exchange_name(asked.names[1])
    if exchange not in asked.broker.vhost(vhost).exchanges:
        raise bad_request(f"404 NOT_FOUND - no exchange '{exchange}' in vhost '{vhost}'")
    if not asked.sight.permits("write", vhost, exchange):
        what = f"exchange '{exchange or 'amq.default'}' in vhost '{vhost}'"
        raise bad_request(f"403 ACCESS_REFUSED - access to {what} refused for user '{asked.user}'")
    payload = asked.text("payload").encode()
    if asked.text("payload_encoding") == "base64":
        try:
            payload = base64.b64decode(payload, validate=True)
        except ValueError:
            raise bad_request("payload: it is no base64") from None
    reached = asked.broker.publish(
        exchange,
        asked.text("routing_key"),
        payload,
        properties=asked.table("properties"),
        vhost=vhost,
        source=_SOURCE,
    )
    return {"routed": reached > 0}


def get(asked: Asked) -> Any:
    """Takes messages by basic.get, and settles them as it is wanted: a requeue shows as one."""
    vhost, name = _queue(asked)
    asked.sight.permit("read", vhost, name)
    mode = asked.text("ackmode", "ack_requeue_true")
    settle = _SETTLEMENTS.get(mode)
    if settle is None:
        raise bad_request(f"ackmode: {mode!r} is none of {', '.join(_SETTLEMENTS)}")
    host_queue = asked.broker.vhost(vhost).queue(name)
    if isinstance(host_queue, StreamQueue):
        raise bad_request(f"540 {host_queue.unsupported('basic.get')}")
    whole = len(host_queue.messages)
    found = asked.broker.get_all(name, asked.number("count", 1), settle, vhost=vhost)
    return [
        _message(asked, seen, redelivered, whole - at - 1)
        for at, (seen, redelivered) in enumerate(found)
    ]


_SETTLEMENTS: Final[dict[str, Settlement]] = {
    "ack_requeue_true": "requeue",
    "reject_requeue_true": "requeue",
    "ack_requeue_false": "ack",
    "reject_requeue_false": "reject",
}


def _message(asked: Asked, seen: MessageSeen, redelivered: bool, left: int) -> dict[str, Any]:
    body, encoding = seen.payload or b"", "string"
    text = ""
    try:
        if asked.text("encoding", "auto") == "base64":
            raise ValueError
        text = body.decode()
    except ValueError:
        text, encoding = base64.b64encode(body).decode(), "base64"
    truncate = asked.number("truncate", 0)
    properties = dict(seen.detail["properties"])
    if seen.headers:
        properties["headers"] = dict(seen.headers)
    return {
        "payload_bytes": len(body),
        "redelivered": redelivered,
        "exchange": seen.destination,
        "routing_key": seen.detail["routing_key"],
        "message_count": left,
        "properties": properties or [],
        "payload": text[:truncate] if truncate else text,
        "payload_encoding": encoding,
    }


# Connections.


def delete_connection(asked: Asked) -> Any:
    reason = asked.reason or "Closed via management plugin"
    connection(asked)
    number = asked.broker.management.number(asked.names[0])
    if number is None or not asked.broker.disconnect(number, reason):
        raise not_found()
    return NO_CONTENT, None


def delete_connections_of_user(asked: Asked) -> Any:
    reason = asked.reason or "Closed via management plugin"
    for row in asked.broker.management.connections():
        number = asked.broker.management.number(row["name"])
        if row["user"] == asked.names[0] and number is not None:
            asked.broker.disconnect(number, reason)
    return NO_CONTENT, None


def rebalance(asked: Asked) -> Any:
    """All queues are led by the one node that there is."""
    return NO_CONTENT, None


# Users and what they may do.


def put_user(asked: Asked) -> Any:
    """With a password, with RabbitMQ's hash of one, or with neither: then none is right."""
    (name,) = asked.names
    there = name in asked.runtime.environment.access.users
    given = str(asked.body.get("password_hash") or "")
    try:
        base64.b64decode(given, validate=True)
    except ValueError:
        raise Refused(400, "bad_request", ["not_base64", given]) from None
    asked.broker.define("users", {**asked.body, "name": name})
    return NO_CONTENT if there else CREATED, None


def delete_user(asked: Asked) -> Any:
    access = asked.runtime.environment.access
    if asked.names[0] not in access.users:
        raise not_found()
    access.remove_user(asked.names[0])
    # A user of this name who comes later has no rights by those of this one.
    for number, rule in tuple(access.rules.items()):
        if rule.protocol == "amqp" and rule.user == asked.names[0]:
            access.remove_rule(number)
    for vhost in asked.broker.vhosts:
        asked.broker.forget_topic(asked.names[0], vhost=vhost)
    return NO_CONTENT, None


_OPERATIONS = ("configure", "write", "read")
_ALL = ".*"


def permissions(asked: Asked) -> Any:
    rows = _permissions(asked)
    if len(asked.names) < 2:
        return rows
    found = [row for row in rows if (row["vhost"], row["user"]) == asked.names]
    if not found:
        raise not_found()
    return found[0]


def permissions_of_user(asked: Asked) -> Any:
    return [row for row in _permissions(asked) if row["user"] == asked.names[0]]


def permissions_in_vhost(asked: Asked) -> Any:
    return [row for row in _permissions(asked) if row["vhost"] == asked.names[0]]


def put_permissions(asked: Asked) -> Any:
    """Three expressions, as rules. Where there were no rules, everybody had all rights: the others
    keep them."""
    vhost, user = asked.names
    access = asked.runtime.environment.access
    if user not in access.users or vhost not in asked.broker.vhosts:
        raise bad_request("vhost_or_user_not_found")
    patterns = [asked.text(operation) for operation in _OPERATIONS]
    if not any(rule.protocol == "amqp" for rule in access.rules.values()):
        for other in [one for one in access.users.values() if "amqp" in one.protocols]:
            if other.name != user:
                access.add_rule(rule_of(f"allow {other.name} all amqp:*:/.*/"))
    there = _forget(asked, vhost, user)
    for operation, pattern in zip(_OPERATIONS, patterns, strict=True):
        # Without a pattern RabbitMQ allows nothing.
        shown = pattern or "^$"
        access.add_rule(rule_of(f"allow {user} {operation} amqp:{vhost}:/{shown}/"))
    return NO_CONTENT if there else CREATED, None


def delete_permissions(asked: Asked) -> Any:
    if not _forget(asked, *asked.names):
        raise not_found()
    return NO_CONTENT, None


def _forget(asked: Asked, vhost: str, user: str) -> bool:
    access = asked.runtime.environment.access
    front = f"{vhost}:/"
    old = [
        number
        for number, rule in access.rules.items()
        if rule.protocol == "amqp" and rule.user == user and rule.pattern.startswith(front)
    ]
    for number in old:
        access.remove_rule(number)
    return bool(old)


def _permissions(asked: Asked) -> list[dict[str, str]]:
    """By virtual host and user; a user without rules where there are none may do all."""
    access = asked.runtime.environment.access
    rules = [rule for rule in access.rules.values() if rule.protocol == "amqp" and rule.allow]
    rows = []
    for vhost in asked.broker.vhosts:
        for user in access.users.values():
            if "amqp" not in user.protocols:
                continue
            row = dict.fromkeys(_OPERATIONS, "" if rules else _ALL)
            for rule in rules:
                place, _, pattern = rule.pattern.partition(":")
                if rule.user in (user.name, "*") and place in (vhost, "*"):
                    row |= dict.fromkeys(rule.operations, pattern.strip("/"))
            if any(row.values()):
                rows.append({"user": user.name, "vhost": vhost, **row})
    return rows


# Parameters and policies.


def put_parameter(asked: Asked) -> Any:
    """Those of federation and shovel, which are not there; the others have paths of their own."""
    raise bad_request(f"Validation failed\n\ncomponent {asked.names[0]} not found\n")


def delete_parameter(asked: Asked) -> Any:
    raise not_found()


def put_policy(operator: bool) -> Callable[[Asked], Any]:
    def put(asked: Asked) -> Any:
        vhost, name = asked.names
        there = name in asked.broker.vhost(vhost_name(asked, vhost)).policies.table(operator)
        asked.broker.set_policy(
            name,
            asked.text("pattern"),
            asked.table("definition"),
            apply_to=asked.text("apply-to", "all"),
            priority=asked.number("priority", 0),
            operator=operator,
            vhost=vhost,
        )
        return NO_CONTENT if there else CREATED, None

    return put


def delete_policy(operator: bool) -> Callable[[Asked], Any]:
    def delete(asked: Asked) -> Any:
        vhost, name = asked.names
        if name not in asked.broker.vhost(vhost_name(asked, vhost)).policies.table(operator):
            raise not_found()
        asked.broker.remove_policy(name, operator=operator, vhost=vhost)
        return NO_CONTENT, None

    return delete


def body_of(raw: bytes) -> dict[str, Any]:
    """A request's JSON object; empty for no body. Raises Refused."""
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise bad_request("not_json: the body is no JSON") from None
    if not isinstance(value, dict):
        raise bad_request("not_json: the body is no JSON object")
    return value
