"""How connections fail: which methods were at fault, and what RabbitMQ says about frames."""

from typing import Any

from ...errors import ProtocolError
from ..codes import ReplyCode
from ..wire import methods


class Refused(ProtocolError):
    """The connection ends without a close frame, after `delay` seconds, as RabbitMQ does it."""

    def __init__(self, text: str, delay: float = 0.0) -> None:
        super().__init__(text)
        self.delay = delay


class MethodFailed(ProtocolError):
    """A connection error whose close names the method that caused it."""

    def __init__(self, error: ProtocolError, method: methods.Method) -> None:
        super().__init__(error.text, error.code)
        self.method = method


def unexpected_frame() -> ProtocolError:
    return ProtocolError(
        "expected method frame, got non method frame instead", ReplyCode.UNEXPECTED_FRAME
    )


def frame_error(kind: int, payload: bytes, reason: str) -> ProtocolError:
    text = f"type {kind}, all octets = {octets(payload)}: {reason}"
    return ProtocolError(text, ReplyCode.FRAME_ERROR)


def octets(raw: bytes) -> str:
    """Bytes as Erlang prints them, which is what RabbitMQ's texts show."""
    return f"<<{','.join(map(str, raw))}>>"


def read_method(payload: bytes) -> tuple[methods.Method, dict[str, Any]]:
    """The method of a method frame's payload, with its fields; raises ProtocolError."""
    found = methods.find(payload)
    if found is None:
        # RabbitMQ 3.10 crashes on it: its client sees a reset.
        raise Refused(f"no such method: {octets(payload[:4])}")
    try:
        return found, methods.decode(found, payload)
    except ProtocolError as error:
        failure = ProtocolError(f"cannot decode {octets(payload[4:])}", ReplyCode.FRAME_ERROR)
        failure.__cause__ = error
        raise MethodFailed(failure, found) from failure
