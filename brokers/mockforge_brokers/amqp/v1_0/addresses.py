"""Addresses of AMQP 1.0's sources and targets: version 2 of RabbitMQ 4, and version 1 of 3.x.

See https://www.rabbitmq.com/docs/amqp#addresses. All parts are percent-encoded in version 2.
"""

from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

MANAGEMENT: Final = "/management"
_EXCHANGES: Final = "/exchanges/"
_QUEUES: Final = "/queues/"
LONGEST_NAME: Final = 255
"""Bytes of an exchange's or a queue's name, and of a routing key (AMQP 0-9-1's shortstr)."""


class BadAddress(ValueError):
    """An address of no known form."""


class Target(Struct, frozen=True):
    """Where a link's messages go.

    `routing_key` None stands for each message's subject; `queue` is the one that version 1 declares
    where it is missing (`declare`) or must exist. An `anonymous` target reads each message's `to`.
    """

    exchange: str = ""
    routing_key: str | None = ""
    queue: str = ""
    declare: bool = False
    anonymous: bool = False


class Source(Struct, frozen=True):
    """What a link reads: a queue, or for version 1 a new queue bound to an exchange."""

    queue: str = ""
    declare: bool = False
    exchange: str = ""
    binding_key: str = ""


def target(address: Any) -> Target:
    """Raises BadAddress."""
    if address is None:
        return Target(anonymous=True)
    text = _text(address)
    if text.startswith((_EXCHANGES, _QUEUES)):
        return target_v2(text)
    match _v1(text):
        case "exchange", [exchange]:
            return Target(_default(exchange), None)
        case "exchange", [exchange, key]:
            return Target(_default(exchange), key)
        case "topic", [key]:
            return Target("amq.topic", key)
        case "queue", []:
            return Target("", None)
        case "queue", [queue]:
            return Target("", queue, queue, declare=True)
        case "amq/queue", [queue]:
            return Target("", queue, queue)
    raise BadAddress(text)


def target_v2(text: str) -> Target:
    """`/exchanges/:exchange/:routing-key`, `/exchanges/:exchange` or `/queues/:queue`."""
    if text.startswith(_QUEUES):
        queue = _decoded(text.removeprefix(_QUEUES))
        if queue:
            return Target("", queue, queue)
    elif text.startswith(_EXCHANGES):
        parts = text.removeprefix(_EXCHANGES).split("/")
        if len(parts) < 3 and parts[0] not in ("", "amq.default"):
            return Target(_decoded(parts[0]), _decoded(parts[1]) if len(parts) > 1 else "")
    raise BadAddress(text)


def source(address: Any) -> Source:
    """Raises BadAddress."""
    text = _text(address)
    if text.startswith(_QUEUES):
        return Source(_decoded(text.removeprefix(_QUEUES)))
    match _v1(text):
        case "exchange", [exchange, key]:
            return Source(declare=True, exchange=_default(exchange), binding_key=key)
        case "topic", [key]:
            return Source(declare=True, exchange="amq.topic", binding_key=key)
        case "queue", [queue]:
            return Source(queue, declare=True)
        case "amq/queue", [queue]:
            return Source(queue)
    raise BadAddress(text)


def queue_address(name: str) -> str:
    """How a queue is called in version 2."""
    return _QUEUES + quote(name.encode("utf-8", "surrogateescape"), safe="")


def _v1(text: str) -> tuple[str, list[str]]:
    """The form of a version 1 address and its parts, in which only `%2F` is decoded."""
    if not text.startswith("/"):
        return "queue", [_name(text)]
    first, *rest = text[1:].split("/")
    if first == "amq" and rest[:1] == ["queue"]:
        first, rest = "amq/queue", rest[1:]
    if "" in rest:
        raise BadAddress(text)
    return first, [_name(part.replace("%2F", "/")) for part in rest]


def _default(exchange: str) -> str:
    return "" if exchange == "amq.default" else exchange


def _text(address: Any) -> str:
    if not isinstance(address, str):
        raise BadAddress(repr(address))
    return str(address)


def _decoded(part: str) -> str:
    """Raises BadAddress: a percent sign that begins no byte."""
    for piece in part.split("%")[1:]:
        if len(piece) < 2 or not all(digit in "0123456789abcdefABCDEF" for digit in piece[:2]):
            raise BadAddress(part)
    return _name(unquote_to_bytes(part).decode("utf-8", "surrogateescape"))


def _name(text: str) -> str:
    """Names and keys have to fit into the short strings of 0-9-1's clients; raises BadAddress."""
    if len(text.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        raise BadAddress(f"a name of more than {LONGEST_NAME} bytes")
    return text
