"""Decode and encode any message of the table, in any version, with functions compiled on demand."""

import struct
from collections.abc import Sequence
from functools import cache
from traceback import walk_tb
from typing import Final, TypeVar

from ...errors import LocalError, ProtocolError
from ..varints import Malformed
from .decoders import Decoder, TooMany, compile_decoder
from .encoders import Encoder, compile_encoder
from .schema import Message
from .source import Place, title

M = TypeVar("M", bound=Message)
UNBOUNDED: Final = 2**63


class TooManyItems(ProtocolError):
    """A message of more items and tagged fields than is wise to handle in one turn."""


def decode(message: type[M], version: int, data: bytes, at: int = 0, most: int = UNBOUNDED) -> M:
    """The message that begins at `at`; bytes after it are ignored, as Kafka does.

    Raises TooManyItems where its arrays have more than `most` items together, tagged fields
    counted with them.
    """
    # mypy looks for the hash of the class's instances (python/mypy#11470).
    decoder, places = _decoder(message, version)  # type: ignore[arg-type]
    try:
        made: M = decoder(data, at, most)
    except TooMany:
        raise too_many(message, version, most) from None
    except (Malformed, IndexError, UnicodeDecodeError, struct.error) as error:
        raise _explained(error, title("decode", message, version), places, data) from None
    return made


def encode(message: Message, version: int) -> bytes:
    """The message's body, without header or size. Fields that `version` lacks are left out."""
    return b"".join(encode_pieces(message, version))


def encode_pieces(message: Message, version: int) -> list[bytes]:
    """The same, in pieces: record batches are the very objects that the message holds."""
    return _encoder(type(message), version)(message)  # type: ignore[arg-type]


def too_many(message: type[Message], version: int, most: int) -> TooManyItems:
    return TooManyItems(f"{message.__name__} v{version} names more than {most:,} things at once")


@cache
def _decoder(message: type[Message], version: int) -> tuple[Decoder, Sequence[Place]]:
    if version not in message.versions:
        raise ProtocolError(f"{message.__name__} v{version}: only {message.versions} is spoken")
    return compile_decoder(message, version)


@cache
def _encoder(message: type[Message], version: int) -> Encoder:
    if version not in message.versions:
        raise LocalError(f"{message.__name__} has no version {version}, only {message.versions}")
    return compile_encoder(message, version)


def _explained(
    error: Exception, function: str, places: Sequence[Place], data: bytes
) -> ProtocolError:
    """Say which field was read where: the decoder's line and its `at` tell it."""
    frame, line = next(
        step for step in walk_tb(error.__traceback__) if step[0].f_code.co_filename == function
    )
    at = frame.f_locals["at"]
    field = _field_at(places[line - 1], len(data) - at)
    reason = "the message ends too early"
    if isinstance(error, Malformed):
        reason = str(error)
    elif isinstance(error, UnicodeDecodeError):
        reason = f"not UTF-8 ({error.reason})"
    what = function.strip("<>").removeprefix("decode ")
    return ProtocolError(f"{what}: {field or 'tagged fields'} at byte {at}: {reason}")


def _field_at(place: Place, left: int) -> str:
    """Which of the fields that are read together is the one that `left` bytes do not reach."""
    for field, width in place:
        left -= width
        if left < 0:
            return field
    return place[-1][0] if place else ""
