"""PUT, POST and DELETE: what RabbitMQ's interface makes, changes and takes away."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final
from urllib.parse import quote_plus, unquote, unquote_plus

from mockforge_brokers.amqp import granting
from mockforge_brokers.amqp.connection.ends import NODE
from mockforge_brokers.amqp.definitions import COMPONENTS
from mockforge_brokers.amqp.figures import properties_key
from mockforge_brokers.amqp.state.queues.stream import StreamQueue
from mockforge_brokers.amqp.state.refusals import locked
from mockforge_brokers.amqp.verbs import DestinationKind, Settlement
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen

from .reading import connection, exchange_name, parameter_rows, vhost_name
from .refusals import Refused, bad_request, invalid, missing, not_found
from .request import CREATED, NO_CONTENT, Asked, Made, check_no_null

_SOURCE = "management"


# Queues, exchanges, bindings.


def put_queue(asked: Asked) -> Any:
    vhost, name = asked.names
    there = name in asked.broker.vhost(vhost_name(asked, vhost)).queues
    if (node := asked.text("node", NODE)) != NODE:
        raise bad_request(f"Node {node} could not be contacted")
    asked.sight.permit("configure", vhost, name)
    _check_unlocked(asked, vhost, name)
    asked.broker.declare_queue(
        name,
        durable=asked.flag("durable"),
        auto_delete=asked.flag("auto_delete"),
        arguments=asked.arguments(),
        vhost=vhost,
    )
    return NO_CONTENT if there else CREATED, None


def put_exchange(asked: Asked) -> Any:
    vhost, name = asked.names
    there = name in asked.broker.vhost(vhost_name(asked, vhost)).exchanges
    asked.sight.permit("configure", vhost, name)
    asked.broker.declare_exchange(
        name,
        asked.text("type", "direct"),
        durable=asked.flag("durable"),
        auto_delete=asked.flag("auto_delete"),
        internal=asked.flag("internal"),
        arguments=asked.arguments(),
        vhost=vhost,
    )
    return NO_CONTENT if there else CREATED, None


def delete_queue(asked: Asked) -> Any:
    vhost, name = _queue(asked)
    asked.sight.permit("configure", vhost, name)
    _check_unlocked(asked, vhost, name)
    host = asked.broker.vhost(vhost)
    if asked.query.get("if-unused") == "true" and host.queue(name).consumers:
        raise bad_request(f"queue '{name}' in vhost '{vhost}' in use")
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
    _check_unlocked(asked, vhost, name)
    asked.broker.purge_queue(name, vhost=vhost)
    return NO_CONTENT, None


def _check_unlocked(asked: Asked, vhost: str, name: str, code: str = "") -> None:
    """An exclusive queue is another connection's, whoever asks. Raises Refused."""
    queue = asked.broker.vhost(vhost).queues.get(name)
    if queue is not None and queue.owner:
        refusal = locked(f"queue '{name}' in vhost '{vhost}'")
        raise bad_request(f"{code}{refusal.text}")


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
        if kind == "queue":
            _check_unlocked(asked, vhost, destination)
        key, arguments = asked.text("routing_key", ""), asked.arguments()
        asked.broker.bind(source, destination, key, arguments, kind=kind, vhost=vhost)
        # Escaped once more, as RabbitMQ has it: Terraform takes the name from there.
        name = quote_plus(properties_key(key, arguments))
        return Made(f"{quote_plus(destination)}/{name}")

    return post


def _permit_binding(asked: Asked, vhost: str, source: str, destination: str) -> None:
    asked.sight.permit("write", vhost, destination)
    asked.sight.permit("read", vhost, source)


def delete_binding(kind: DestinationKind) -> Callable[[Asked], Any]:
    def delete(asked: Asked) -> Any:
        vhost, source, destination, wanted = asked.names
        vhost_name(asked, vhost)
        _permit_binding(asked, vhost, source, destination)
        found = {
            row["properties_key"]: row
            for row in asked.broker.management.bindings(
                vhost, source=source, destination=destination, kind=kind
            )
        }
        # Clients escape the name once more, or take it for escaped already.
        for read in (str, unquote, unquote_plus):
            for name, row in found.items():
                if wanted == read(name):
                    key, arguments = row["routing_key"], row["arguments"]
                    asked.broker.unbind(source, destination, key, arguments, kind=kind, vhost=vhost)
                    return NO_CONTENT, None
        raise not_found()

    return delete


# Messages.


def publish(asked: Asked) -> Any:
    vhost, exchange = vhost_name(asked, asked.names[0]), exchange_name(asked.names[1])
    asked.need("routing_key", "properties", "payload", "payload_encoding")
    properties = dict(asked.table("properties"))
    check_no_null(properties.get("headers", {}))
    if exchange not in asked.broker.vhost(vhost).exchanges:
        raise bad_request(f"404 NOT_FOUND - no exchange '{exchange}' in vhost '{vhost}'")
    if not asked.sight.permits("write", vhost, exchange):
        what = f"exchange '{exchange or 'amq.default'}' in vhost '{vhost}'"
        raise bad_request(f"403 ACCESS_REFUSED - access to {what} refused for user '{asked.user}'")
    payload = _payload(asked.text("payload"), asked.text("payload_encoding"))
    if properties.get("headers") == []:
        # What PHP makes of no headers.
        del properties["headers"]
    _check_properties(asked, properties)
    reached = asked.broker.publish(
        exchange,
        asked.text("routing_key"),
        payload,
        properties=properties,
        vhost=vhost,
        source=_SOURCE,
    )
    return {"routed": reached > 0}


def _check_properties(asked: Asked, properties: Mapping[str, object]) -> None:
    """As RabbitMQ's interface takes them: no number for a text, and in nobody else's name."""
    for name, value in properties.items():
        if name in _NUMBERS and type(value) is not int:
            raise Refused(400, "bad_request", ["not_int", name])
        if name in _TEXTS and not isinstance(value, str):
            raise Refused(400, "bad_request", ["not_string", name])
    user = properties.get("user_id", asked.user)
    tags = asked.runtime.environment.access.users[asked.user].tags
    if user != asked.user and "impersonator" not in tags:
        raise bad_request(
            f"406 PRECONDITION_FAILED - user_id property set to '{user}' but authenticated user "
            f"was '{asked.user}'"
        )


_NUMBERS: Final = ("delivery_mode", "priority", "timestamp")
_TEXTS: Final = (
    "app_id",
    "cluster_id",
    "content_encoding",
    "content_type",
    "correlation_id",
    "expiration",
    "message_id",
    "reply_to",
    "type",
    "user_id",
)


def _payload(text: str, encoding: str) -> bytes:
    # JSON may hold half of a surrogate pair, which stands for no character.
    raw = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    if encoding == "string":
        return raw
    if encoding != "base64":
        raise Refused(400, "bad_request", ["unsupported_encoding", encoding])
    try:
        return base64.b64decode(raw, validate=True)
    except ValueError:
        raise Refused(400, "bad_request", ["not_base64", text]) from None


def get(asked: Asked) -> Any:
    """Takes messages by basic.get, and settles them as it is wanted: a requeue shows as one."""
    vhost, name = _queue(asked)
    asked.sight.permit("read", vhost, name)
    asked.need("ackmode", "count", "encoding")
    mode, count, encoding = asked.text("ackmode"), asked.number("count"), asked.text("encoding")
    if encoding not in ("auto", "base64"):
        raise bad_request("Unsupported encoding. Please use auto or base64.")
    settle = _SETTLEMENTS.get(mode)
    if settle is None:
        raise bad_request(f"ackmode: {mode!r} is none of {', '.join(_SETTLEMENTS)}")
    _check_unlocked(asked, vhost, name, "405 RESOURCE_LOCKED - ")
    host_queue = asked.broker.vhost(vhost).queue(name)
    if isinstance(host_queue, StreamQueue):
        raise bad_request(f"540 {host_queue.unsupported('basic.get')}")
    # A negative count is all that there is.
    most = count if count >= 0 else len(host_queue.messages)
    found, left = asked.broker.get_all(name, most, settle, vhost=vhost)
    last = left + len(found) - 1
    return [
        _message(asked, seen, redelivered, last - at)
        for at, (seen, redelivered) in enumerate(found)
    ]


_SETTLEMENTS: Final[dict[str, Settlement]] = {
    "ack_requeue_true": "requeue",
    "reject_requeue_true": "requeue",
    "ack_requeue_false": "ack",
    "reject_requeue_false": "reject",
}


def _message(asked: Asked, seen: MessageSeen, redelivered: bool, left: int) -> dict[str, Any]:
    body = seen.payload or b""
    shown, encoding = body, "string"
    if "truncate" in asked.body:
        shown = body[: max(0, asked.number("truncate"))]
    try:
        if asked.text("encoding") == "base64":
            raise ValueError
        text = shown.decode()
    except ValueError:
        text, encoding = base64.b64encode(shown).decode(), "base64"
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
        "payload": text,
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
    name = asked.names[0]
    asked.sight.check_owner({"user": name})
    for number in asked.broker.management.numbers_of(name):
        asked.broker.disconnect(number, reason)
    return NO_CONTENT, None


def rebalance(asked: Asked) -> Any:
    """All queues are led by the one node that there is."""
    return NO_CONTENT, None


def act(asked: Asked) -> Any:
    """Mirrors are brought up to date: there are none on one node."""
    _queue(asked)
    action = asked.text("action")
    if action not in ("sync", "cancel_sync"):
        raise Refused(400, "bad_request", ["unknown", action])
    return NO_CONTENT, None


# What users may do.


def permissions(asked: Asked) -> Any:
    rows = _permissions(asked)
    if not asked.names:
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
    vhost, user = asked.names
    access = asked.runtime.environment.access
    if access.user("amqp", user) is None or vhost not in asked.broker.vhosts:
        raise bad_request("vhost_or_user_not_found")
    asked.need(*granting.OPERATIONS)
    expressions = {operation: asked.text(operation) for operation in granting.OPERATIONS}
    try:
        new = granting.grant(access, asked.broker.vhosts, user, vhost, expressions)
    except granting.BadExpression as bad:
        reason = ["invalid_regexp", bad.expression, str(bad.problem)]
        raise Refused(400, "bad_request", reason) from None
    return CREATED if new else NO_CONTENT, None


def delete_permissions(asked: Asked) -> Any:
    vhost, user = asked.names
    if not granting.revoke(asked.runtime.environment.access, user, vhost):
        raise not_found()
    return NO_CONTENT, None


def _permissions(asked: Asked) -> list[granting.Row]:
    rows = granting.rows(asked.runtime.environment.access, asked.broker.vhosts)
    return sorted(rows, key=itemgetter("vhost", "user"))


# Parameters and policies.


def put_parameter(asked: Asked) -> Any:
    """Limits and operators' policies are parameters to RabbitMQ; those of federation and shovel
    are not there."""
    component, vhost, name = asked.names
    vhost_name(asked, vhost)
    there = any(row["name"] == name for row in parameter_rows(asked))
    if component not in COMPONENTS or (component == "vhost-limits") != (name == "limits"):
        raise invalid(f"component {component} not found")
    if "value" not in asked.body:
        raise missing("value")
    value = asked.table("value")
    try:
        asked.broker.define("parameters", {**_named(asked), "value": value})
    except InvalidInput as error:
        raise invalid(str(error)) from None
    return NO_CONTENT if there else CREATED, None


def _named(asked: Asked) -> dict[str, str]:
    return dict(zip(("component", "vhost", "name"), asked.names, strict=True))


def delete_parameter(asked: Asked) -> Any:
    component, vhost, name = asked.names
    if not any(row["name"] == name for row in parameter_rows(asked)):
        raise not_found()
    if component == "vhost-limits":
        asked.broker.limit_vhost(vhost, {})
    else:
        asked.broker.remove_policy(name, operator=component == "operator_policy", vhost=vhost)
    return NO_CONTENT, None


def put_policy(operator: bool) -> Callable[[Asked], Any]:
    def put(asked: Asked) -> Any:
        vhost, name = asked.names
        there = name in asked.broker.vhost(vhost_name(asked, vhost)).policies.table(operator)
        asked.need("pattern", "definition")
        pattern = asked.text("pattern")
        definition = asked.table("definition")
        apply_to, priority = asked.text("apply-to", "all"), asked.body.get("priority", 0)
        try:
            asked.broker.set_policy(
                name,
                pattern,
                definition,
                apply_to=apply_to,
                priority=priority,
                operator=operator,
                vhost=vhost,
            )
        except InvalidInput as error:
            raise invalid(str(error)) from None
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
