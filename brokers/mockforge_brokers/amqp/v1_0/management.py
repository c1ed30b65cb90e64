"""The node `/management` of RabbitMQ 4: topology by HTTP requests over a pair of links.

Requests and responses are messages: method and status code are their subject, the path is `to`,
and the response's correlation id is the request's message id (HTTP over AMQP 1.0, working draft 6).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote

from ...errors import ProtocolError, RequestRefused
from ..codes import ReplyCode
from ..records import Table
from ..state.exchanges import Binding
from ..state.plugin_exchanges import EXCHANGE_TYPES
from ..state.queues.queue import Queue
from . import mapping
from .addresses import LONGEST_NAME
from .failures import (
    DECODE_ERROR,
    INVALID_FIELD,
    SessionFailed,
)
from .terms import binary, term
from .wire import message
from .wire.values import UInt, ULong

if TYPE_CHECKING:
    from .session import Session

_NO_BYTE: Final = re.compile("%(?![0-9A-Fa-f]{2}).*", re.DOTALL)
_BINDING: Final = re.compile(
    r"src=([\w.~%-]+);dst([eq])=([\w.~%-]+);key=([\w.~%-]*);args=([\w-]*)", re.ASCII
)


class Refused(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


_STATUS: Final = {
    ReplyCode.NOT_FOUND: 404,
    ReplyCode.PRECONDITION_FAILED: 409,
    ReplyCode.ACCESS_REFUSED: 403,
}


def _status(refused: RequestRefused | ProtocolError) -> int:
    """Arguments are in conflict with what there is, properties just cannot be."""
    if refused.text.startswith("invalid property"):
        return 400
    return _STATUS.get(ReplyCode(refused.code), 400)


def respond(session: Session, data: bytes) -> bytes:
    """The response to one request message; raises SessionFailed."""
    try:
        request = message.read(data, ordered=False)
        body = message.body_value(request.body) if request.encoded else None
    except ProtocolError as failure:
        raise SessionFailed(DECODE_ERROR, failure.text) from None
    properties = request.properties
    path, method = properties.get("to"), properties.get("subject")
    if not (isinstance(path, str) and isinstance(method, str)):
        raise SessionFailed(
            INVALID_FIELD, "a request has its path in 'to', its method in 'subject'"
        )
    try:
        with session.vhost.acting.in_name_of(session.connection.user):
            status, answer = _Call(session, method, path, body).run()
    except Refused as refused:
        status, answer = refused.status, refused.text
    except (RequestRefused, ProtocolError) as refused:
        if isinstance(refused, SessionFailed):
            raise
        status, answer = _status(refused), refused.text
    return message.bare_message(
        {"subject": str(status), "correlation_id": properties.get("message_id")},
        {"http:response": "1.1"},
        message.value_section(answer),
    )


class _Call:
    """One request with what it names."""

    def __init__(self, session: Session, method: str, target: str, body: Any) -> None:
        self.session = session
        self.vhost = session.vhost
        self.connection = session.connection
        self.method = method
        path, _, query = target.partition("?")
        self.path = path
        self.parts = path.split("/")[1:]
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.body = body

    def run(self) -> tuple[int, Any]:
        """Status and body of the response; raises Refused, RequestRefused or SessionFailed."""
        if bad := _NO_BYTE.search(self.path):
            text = f"invalid_percent_encoding {binary(bad[0])}"
            raise Refused(400, f"failed to normalize URI '{self.path}': {text}")
        match self.parts:
            case ["queues", *_]:
                found = self._of_queues()
            case ["bindings", *_]:
                found = self._of_bindings()
            case _:
                found = self._of_others()
        if found is None:
            raise Refused(404, f"no such request: {self.method} /{'/'.join(self.parts)}")
        return found

    def _of_queues(self) -> tuple[int, Any] | None:
        match self.method, self.parts:
            case "GET", ["queues", name]:
                return 200, self._shown(self._existing(unquote(name)))
            case "PUT", ["queues", name]:
                return self._declare_queue(unquote(name))
            case "DELETE", ["queues", name]:
                return 200, _count(self._delete_queue(unquote(name)))
            case "DELETE", ["queues", name, "messages"]:
                return 200, _count(self._purge(unquote(name)))
        return None

    def _of_others(self) -> tuple[int, Any] | None:
        match self.method, self.parts:
            case "PUT", ["exchanges", name]:
                return self._declare_exchange(unquote(name))
            case "DELETE", ["exchanges", name]:
                return self._delete_exchange(unquote(name))
            case "PUT", ["auth", "tokens"]:
                return self._renew()
        return None

    def _of_bindings(self) -> tuple[int, Any] | None:
        match self.method, self.parts:
            case "POST", ["bindings"]:
                return self._bind()
            case "DELETE", ["bindings", binding]:
                return self._unbind(binding)
            case "GET", ["bindings"]:
                return self._bindings()
        return None

    # Queues.

    def _existing(self, name: str) -> Queue:
        queue = self.vhost.queues.get(name)
        if queue is None:
            raise Refused(404, f"queue '{name}' in vhost '{self.vhost.name}' not found")
        return queue

    def _shown(self, queue: Queue) -> dict[str, Any]:
        return {
            "leader": "rabbit@mockforge",
            "message_count": ULong(len(queue.messages)),
            "consumer_count": UInt(queue.counted),
            "name": queue.name,
            "vhost": self.vhost.name,
            "durable": queue.durable,
            "auto_delete": queue.auto_delete,
            "exclusive": bool(queue.owner),
            "type": queue.kind,
            "arguments": {
                name: mapping.from_field(field) for name, field in queue.arguments.items()
            },
            "replicas": mapping.texts(("rabbit@mockforge",)),
        }

    def _declare_queue(self, name: str) -> tuple[int, Any]:
        given = self._given("queue property", durable=True, exclusive=False, auto_delete=False)
        if not name:
            raise Refused(400, "declare queue with empty name not allowed")
        _check_name(name)
        self._check_reserved("queue", name)
        self.connection.permit("configure", "queue", name)
        there = name in self.vhost.queues
        dead_letters = given["arguments"].get("x-dead-letter-exchange")
        if dead_letters is not None and not there:
            self.connection.permit("read", "queue", name)
            self.connection.permit("write", "exchange", str(dead_letters.value))
        queue = self.vhost.declare_queue(
            name, connection=self.connection.id, client=self.connection.client, **given
        )
        return (200 if there else 201), self._shown(queue)

    def _delete_queue(self, name: str) -> int:
        _check_name(name)
        self.connection.permit("configure", "queue", name)
        return self.vhost.delete_queue(name, connection=self.connection.id)

    def _purge(self, name: str) -> int:
        self.connection.permit("read", "queue", name)
        queue = self.vhost.queues.get(name)
        if queue is not None and queue.kind == "stream":
            raise Refused(
                400, f"purge not supported by queue '{name}' in vhost '{self.vhost.name}'"
            )
        return self.vhost.purge(name, self.connection.id)

    # Exchanges.

    def _declare_exchange(self, name: str) -> tuple[int, Any]:
        given = self._given(
            "exchange property", durable=True, auto_delete=False, internal=False, type="direct"
        )
        kind = given.pop("type")
        if kind not in EXCHANGE_TYPES:
            raise Refused(400, f"invalid exchange type '{kind}'")
        _check_not_default(name)
        self.connection.permit("configure", "exchange", name)
        if name not in self.vhost.exchanges:
            _check_name(name)
            self._check_reserved("exchange", name)
            alternate = given["arguments"].get("alternate-exchange")
            if alternate is not None:
                self.connection.permit("read", "exchange", name)
                self.connection.permit("write", "exchange", str(alternate.value))
        self.vhost.declare_exchange(name, kind, **given)
        return 204, None

    def _delete_exchange(self, name: str) -> tuple[int, Any]:
        _check_name(name)
        _check_not_default(name)
        self._check_reserved("exchange", name)
        self.connection.permit("configure", "exchange", name)
        self.vhost.delete_exchange(name)
        return 204, None

    # Bindings.

    def _bind(self) -> tuple[int, Any]:
        given = self._given(
            "binding field",
            source="",
            destination_queue="",
            destination_exchange="",
            binding_key="",
        )
        source, key, arguments = given["source"], given["binding_key"], given["arguments"]
        queue, exchange = given["destination_queue"], given["destination_exchange"]
        self._check_binding(source, "queue" if queue else "exchange", queue or exchange, key)
        try:
            if queue:
                self.vhost.bind_queue(queue, source, key, arguments, self.connection.id)
            else:
                self.vhost.bind_exchange(exchange, source, key, arguments)
        except RequestRefused as refused:
            if refused.code == ReplyCode.NOT_FOUND:
                # What is not there is not the resource that this path names.
                raise Refused(400, refused.text) from None
            raise
        return 204, None

    def _unbind(self, segment: str) -> tuple[int, Any]:
        found = _BINDING.fullmatch(segment)
        if found is None:
            raise Refused(400, f"bad binding path segment '{segment}'")
        source, name, key = unquote(found[1]), unquote(found[3]), unquote(found[4])
        kind = "queue" if found[2] == "q" else "exchange"
        self._check_binding(source, kind, name, key)
        for binding in self._between(source, kind, name, key):
            if arguments_hash(binding.arguments) == found[5]:
                unbind: Callable[..., None] = (
                    self.vhost.unbind_queue if kind == "queue" else self.vhost.unbind_exchange
                )
                unbind(name, source, key, binding.arguments)
                break
        return 204, None

    def _bindings(self) -> tuple[int, Any]:
        query = self.query
        if not {"src", "key"} <= query.keys():
            raise Refused(400, f"missing 'src' or 'key' in query: {query}")
        if not query.keys() & {"dste", "dstq"}:
            raise Refused(400, f"missing 'dste' or 'dstq' in query: {query}")
        kind = "exchange" if "dste" in query else "queue"
        name = query.get("dste") or query.get("dstq", "")
        source, key = query["src"], query["key"]
        self._check_binding(source, kind, name, key)
        return 200, [
            {
                "source": source,
                f"destination_{kind}": name,
                "binding_key": binding.routing_key,
                "arguments": {
                    key: mapping.from_field(field) for key, field in binding.arguments.items()
                },
                "location": _location(source, binding),
            }
            for binding in self._between(source, kind, name, key)
        ]

    def _between(self, source: str, kind: str, name: str, key: str) -> list[Binding]:
        exchange = self.vhost.exchanges.get(source)
        return [
            binding
            for binding in (exchange.bindings.values() if exchange is not None else ())
            if (binding.kind, binding.destination.name, binding.routing_key) == (kind, name, key)
        ]

    def _check_binding(self, source: str, kind: str, name: str, key: str) -> None:
        for each in (source, name, key):
            _check_name(each)
        _check_not_default(source)
        if kind == "exchange":
            _check_not_default(name)
        self.connection.permit("write", kind, name)
        self.connection.permit("read", "exchange", source)
        if (found := self.vhost.exchanges.get(source)) is not None:
            self.vhost.topic_permissions.check(self.connection.user, "read", found, key)

    # The rest.

    def _renew(self) -> tuple[int, Any]:
        """A new token: our users have passwords, which do not expire."""
        if not isinstance(self.body, bytes):
            raise Refused(400, "a token is a binary")
        return 204, None

    def _given(self, what: str, **known: Any) -> dict[str, Any]:
        """The fields of the request's map, of the types that their defaults have."""
        found = {**known, "arguments": {}}
        body = {} if self.body is None else self.body
        if not isinstance(body, dict):
            raise Refused(400, f"the body of a request is a map, not {body!r}")
        for key, value in body.items():
            name = str(key)
            if name == "arguments" and isinstance(value, dict):
                found[name] = _arguments(value)
            elif name in known and type(value) is type(known[name]):
                found[name] = value if isinstance(value, bool) else str(value)
            else:
                raise Refused(400, f"bad {what} {{{term(key)},{term(value)}}}")
        return found

    def _check_reserved(self, kind: str, name: str) -> None:
        if name.startswith("amq."):
            what = f"{kind} '{name}' in vhost '{self.vhost.name}'"
            raise Refused(403, f"{what} starts with reserved prefix 'amq.'")


def _arguments(given: Mapping[Any, Any]) -> Table:
    found = {}
    for name, value in given.items():
        field = mapping.to_field(value)
        if not isinstance(name, str) or field is None:
            raise Refused(400, f"unsupported argument {name!r}: {value!r}")
        found[str(name)] = field
    return found


def _check_name(name: str) -> None:
    """A name or key as clients of 0-9-1 can have it."""
    if len(name.encode()) > LONGEST_NAME:
        raise Refused(400, f"Bad name '{name}': it has more than {LONGEST_NAME} bytes")
    if "\n" in name or "\r" in name:
        raise Refused(
            400, f"Bad name '{name}': line feed and carriage return characters not allowed"
        )


def _check_not_default(exchange: str) -> None:
    if not exchange:
        raise Refused(403, "operation not permitted on the default exchange")


def _count(messages: int) -> dict[str, Any]:
    return {"message_count": ULong(messages)}


def _location(source: str, binding: Binding) -> str:
    """The path by which one binding is deleted."""
    kind, name = "q" if binding.kind == "queue" else "e", binding.destination.name
    parts = (quote(each, safe="") for each in (source, name, binding.routing_key))
    source, name, key = parts
    arguments = arguments_hash(binding.arguments)
    return f"/bindings/src={source};dst{kind}={name};key={key};args={arguments}"


def arguments_hash(arguments: Table) -> str:
    """Tells bindings with the same key apart; clients take it from a binding's location."""
    if not arguments:
        return ""
    return f"{zlib.crc32(repr(sorted(arguments.items())).encode()):08x}"
