"""How connections fail: which methods were at fault, and what RabbitMQ says about frames."""

from typing import Any, Final

from ...errors import ProtocolError
from ..codes import ReplyCode
from ..state.outdated import FeatureDenied
from ..wire import methods

_NAMING_NO_METHOD: Final = (ReplyCode.ACCESS_REFUSED, ReplyCode.INTERNAL_ERROR)


class Refused(ProtocolError):
    """The connection ends without a close frame, as RabbitMQ does it.

    During the handshake it keeps silent for a while first, against those who try passwords.
    """


class ReaderCrashed(Refused):
    """What RabbitMQ's reader does not survive: a reset at once."""


class FramingLost(ProtocolError):
    """Where the next frame begins is not known: nothing more is read, not even close-ok."""


class MethodFailed(ProtocolError):
    """A connection error whose close names the method that caused it."""

    def __init__(self, error: ProtocolError, method: methods.Method) -> None:
        super().__init__(error.text, error.code)
        self.method = method


def at_fault(error: ProtocolError) -> tuple[int, int]:
    """Class and method that the close names: none where RabbitMQ crashed or says little."""
    if not isinstance(error, MethodFailed):
        return (0, 0)
    if error.code in _NAMING_NO_METHOD and not isinstance(error.__cause__, FeatureDenied):
        return (0, 0)
    return (error.method.class_id, error.method.method_id)


def unexpected_frame() -> ProtocolError:
    return ProtocolError(
        "expected method frame, got non method frame instead", ReplyCode.UNEXPECTED_FRAME
    )


def frame_error(kind: int, payload: bytes, reason: str, *, fatal: bool = False) -> ProtocolError:
    text = f"type {kind}, all octets = {octets(payload)}: {reason}"
    return (FramingLost if fatal else ProtocolError)(text, ReplyCode.FRAME_ERROR)


def octets(raw: bytes) -> str:
    """Bytes as Erlang prints them, which is what RabbitMQ's texts show."""
    if raw and all(octet in _PRINTABLE for octet in raw):
        text = raw.decode().replace("\\", "\\\\").replace('"', '\\"')
        return f'<<"{text}">>'
    return f"<<{','.join(map(str, raw))}>>"


_PRINTABLE: Final = frozenset(range(32, 127))


def read_method(payload: bytes) -> tuple[methods.Method, dict[str, Any]]:
    """The method of a method frame's payload, with its fields; raises ProtocolError."""
    found = methods.find(payload)
    if found is None:
        # RabbitMQ 3.10 crashes on it: its client sees a reset.
        raise ReaderCrashed(f"no such method: {octets(payload[:4])}")
    try:
        return found, methods.decode(found, payload)
    except ProtocolError as error:
        failure = ProtocolError(f"cannot decode {octets(payload[4:])}", ReplyCode.FRAME_ERROR)
        failure.__cause__ = error
        raise MethodFailed(failure, found) from failure
