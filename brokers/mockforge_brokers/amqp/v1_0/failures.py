"""How a link, a session or the connection ends in error, in RabbitMQ's conditions."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from ...errors import ProtocolError, RequestRefused
from ..codes import ReplyCode
from .wire.performatives import Composite

NOT_FOUND: Final = "amqp:not-found"
UNAUTHORIZED: Final = "amqp:unauthorized-access"
DECODE_ERROR: Final = "amqp:decode-error"
INTERNAL_ERROR: Final = "amqp:internal-error"
INVALID_FIELD: Final = "amqp:invalid-field"
NOT_ALLOWED: Final = "amqp:not-allowed"
NOT_IMPLEMENTED: Final = "amqp:not-implemented"
PRECONDITION_FAILED: Final = "amqp:precondition-failed"
RESOURCE_DELETED: Final = "amqp:resource-deleted"
RESOURCE_LIMIT: Final = "amqp:resource-limit-exceeded"
RESOURCE_LOCKED: Final = "amqp:resource-locked"
FRAME_SIZE_TOO_SMALL: Final = "amqp:frame-size-too-small"
FRAMING_ERROR: Final = "amqp:connection:framing-error"
WINDOW_VIOLATION: Final = "amqp:session:window-violation"
HANDLE_IN_USE: Final = "amqp:session:handle-in-use"
UNATTACHED_HANDLE: Final = "amqp:session:unattached-handle"
TRANSFER_LIMIT: Final = "amqp:link:transfer-limit-exceeded"
MESSAGE_SIZE: Final = "amqp:link:message-size-exceeded"

_CONDITIONS: Final[Mapping[int, str]] = {
    ReplyCode.CONTENT_TOO_LARGE: MESSAGE_SIZE,
    ReplyCode.ACCESS_REFUSED: UNAUTHORIZED,
    ReplyCode.NOT_FOUND: NOT_FOUND,
    ReplyCode.RESOURCE_LOCKED: RESOURCE_LOCKED,
    ReplyCode.PRECONDITION_FAILED: PRECONDITION_FAILED,
    ReplyCode.FRAME_ERROR: FRAMING_ERROR,
    ReplyCode.SYNTAX_ERROR: DECODE_ERROR,
    ReplyCode.RESOURCE_ERROR: RESOURCE_LIMIT,
    ReplyCode.NOT_ALLOWED: NOT_ALLOWED,
    ReplyCode.NOT_IMPLEMENTED: NOT_IMPLEMENTED,
}


def condition_of(code: int) -> str:
    """What a reply code of 0-9-1 is called here."""
    return _CONDITIONS.get(code, INTERNAL_ERROR)


class Failed(ProtocolError):
    """What ends with it is said by its class."""

    def __init__(self, condition: str, text: str, info: Mapping[Any, Any] | None = None) -> None:
        super().__init__(text)
        self.condition = condition
        self.info = info

    @property
    def error(self) -> Composite:
        return error(self.condition, self.text, self.info)


class LinkFailed(Failed):
    """A link is refused, or is detached."""


class SessionFailed(Failed):
    """A session ends, with its links."""


class ConnectionFailed(Failed):
    """The connection is closed."""


class Unreadable(ProtocolError):
    """Bytes before the connection is open that deserve no answer."""


def error(condition: str, text: str = "", info: Mapping[Any, Any] | None = None) -> Composite:
    fields: dict[str, Any] = {"condition": condition}
    if text:
        fields["description"] = text
    if info:
        fields["info"] = dict(info)
    return Composite("error", fields)


F = TypeVar("F", LinkFailed, SessionFailed)


def as_failure(kind: type[F], refused: RequestRefused | ProtocolError) -> F:
    """What ended with that kind of failure, or what queues and exchanges refuse, as one."""
    if isinstance(refused, kind):
        return refused
    text = refused.text
    if refused.code == ReplyCode.RESOURCE_LOCKED:
        # RabbitMQ explains it to clients of 0-9-1 alone.
        text = text.partition(". ")[0]
    return kind(condition_of(refused.code), text)


def too_large(size: int, most: int) -> SessionFailed:
    """A message of more than one side takes, in bytes."""
    return SessionFailed(
        MESSAGE_SIZE, f"message size ({size} bytes) > maximum message size ({most} bytes)"
    )
