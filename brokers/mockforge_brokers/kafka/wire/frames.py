"""Whole frames: size, header and message."""

from dataclasses import dataclass

from ..codes import ApiKey
from .schema import Message


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """What every request begins with; `api_key` and `api_version` may be unknown to us."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None


def read_request_header(frame: bytes) -> tuple[RequestHeader, int]:
    """The header of a frame (with its size), and where the message begins."""
    raise NotImplementedError


def encode_response(message: Message, version: int, correlation_id: int) -> bytes:
    """A response as it goes out, size included."""
    raise NotImplementedError


def encode_request(
    message: Message, version: int, correlation_id: int, client_id: str | None
) -> bytes:
    """A request as a client sends it, size included."""
    raise NotImplementedError


def decode_request(frame: bytes) -> tuple[RequestHeader, Message]:
    """A request frame taken apart for display."""
    raise NotImplementedError


def decode_response(frame: bytes, api_key: ApiKey, version: int) -> tuple[int, Message]:
    """A response frame's correlation id and message; a response does not say what it answers."""
    raise NotImplementedError
