"""Addresses of AMQP 1.0's sources and targets: version 2 of RabbitMQ 4, and version 1 of 3.x.

See https://www.rabbitmq.com/docs/amqp#addresses. All parts are percent-encoded in version 2.
"""

from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

from .terms import binary, tagged, term
from .wire.values import Symbol

MANAGEMENT: Final = "/management"
_EXCHANGES: Final = "/exchanges/"
_QUEUES: Final = "/queues/"
LONGEST_NAME: Final = 255
"""Bytes of an exchange's or a queue's name, and of a routing key (AMQP 0-9-1's shortstr)."""


_COLUMN: Final = len("Attach refused: ")


class BadAddress(ValueError):
    """An address of no known form: RabbitMQ's word for why, and the address."""


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


def is_v2(address: Any) -> bool:
    return (
        isinstance(address, str)
        and not isinstance(address, Symbol)
        and address.startswith((_EXCHANGES, _QUEUES))
    )


def target(address: Any, *, version_1: bool = True) -> Target:
    """Raises BadAddress, also for those of version 1 where they are not permitted."""
    if address is None:
        return Target(anonymous=True)
    if is_v2(address):
        return target_v2(str(address))
    text = _text(address, version_1=version_1)
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
    raise _unknown(text)


def target_v2(text: str) -> Target:
    """`/exchanges/:exchange/:routing-key`, `/exchanges/:exchange` or `/queues/:queue`."""
    if text.startswith(_QUEUES):
        queue = _queue(text)
        if queue:
            return Target("", queue, queue)
    elif text.startswith(_EXCHANGES):
        parts = text.removeprefix(_EXCHANGES).split("/")
        if len(parts) < 3 and parts[0] not in ("", "amq.default"):
            names = [_decoded(part, text) for part in parts]
            return Target(names[0], names[1] if len(names) > 1 else "")
    raise _bad(text)


def source(address: Any, *, version_1: bool = True) -> Source:
    """Raises BadAddress, also for those of version 1 where they are not permitted."""
    if is_v2(address) and str(address).startswith(_QUEUES):
        try:
            return Source(_queue(str(address)))
        except BadAddress:
            raise BadAddress(tagged("bad_address", term(address), _COLUMN)) from None
    text = _text(address, version_1=version_1)
    match _v1(text):
        case "exchange", [exchange, key]:
            return Source(declare=True, exchange=_default(exchange), binding_key=key)
        case "topic", [key]:
            return Source(declare=True, exchange="amq.topic", binding_key=key)
        case "queue", [queue]:
            return Source(queue, declare=True)
        case "amq/queue", [queue]:
            return Source(queue)
    raise _unknown(text)


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
        raise _unknown(text)
    return first, [_name(part.replace("%2F", "/")) for part in rest]


def _default(exchange: str) -> str:
    return "" if exchange == "amq.default" else exchange


def _text(address: Any, *, version_1: bool) -> str:
    if not version_1:
        raise BadAddress(tagged("amqp_address_v1_not_permitted", term(address), _COLUMN))
    if not isinstance(address, str):
        raise _unknown(repr(address))
    return str(address)


def _unknown(text: str) -> BadAddress:
    return BadAddress(f"{{bad_address,{text}}}")


def _bad(text: str) -> BadAddress:
    return BadAddress(tagged("bad_address_string", binary(text), _COLUMN))


def _queue(text: str) -> str:
    name = text.removeprefix(_QUEUES)
    if "/" in name:
        raise _bad(text)
    return _decoded(name, text)


def _decoded(part: str, address: str) -> str:
    """Raises BadAddress: a percent sign that begins no byte."""
    for piece in part.split("%")[1:]:
        if len(piece) < 2 or not all(digit in "0123456789abcdefABCDEF" for digit in piece[:2]):
            raise _bad(address)
    return _name(unquote_to_bytes(part).decode("utf-8", "surrogateescape"))


def _name(text: str) -> str:
    """Names and keys have to fit into the short strings of 0-9-1's clients; raises BadAddress."""
    if len(text.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        raise _unknown(f"a name of more than {LONGEST_NAME} bytes")
    return text
