"""Decode and encode any message of the table, in any version, with functions compiled on demand."""

from typing import TypeVar

from .schema import Message

M = TypeVar("M", bound=Message)


def decode(message: type[M], version: int, data: bytes, at: int = 0) -> M:
    """The message that begins at `at`; bytes after it are ignored, as Kafka does."""
    raise NotImplementedError


def encode(message: Message, version: int) -> bytes:
    """The message's body, without header or size. Fields that `version` lacks are left out."""
    raise NotImplementedError
