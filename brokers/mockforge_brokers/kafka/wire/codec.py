"""Decode and encode any message of the table, in any version, with functions compiled on demand."""

import struct
from collections.abc import Sequence
from functools import cache
from traceback import walk_tb
from typing import Final, TypeVar

from ...errors import LocalError, ProtocolError
from ...fairness import Stepped
from ..varints import Malformed
from .decoders import Decoder, TooMany, compile_decoder
from .encoders import Encoder, compile_encoder
from .schema import Message
from .source import Place, title

M = TypeVar("M", bound=Message)
UNBOUNDED: Final = 2**63
_MANY: Final = 1_000
_SMALL: Final = 256
"""Bytes of a piece, on the average, that is worth a copy."""
_UNREADABLE: Final = (TooMany, Malformed, IndexError, UnicodeDecodeError, struct.error)


class TooManyItems(ProtocolError):
    """A message of more items and tagged fields than is wise to handle in one turn."""


def decode(message: type[M], version: int, data: bytes, at: int = 0, most: int = UNBOUNDED) -> M:
    """The message that begins at `at`; bytes after it are ignored, as Kafka does.

    Raises TooManyItems where its arrays have more than `most` items together, tagged fields
    counted with them.
    """
    # mypy looks for the hash of the class's instances (python/mypy#11470).
    decoder, places = _decoder(message, version, False)  # type: ignore[arg-type]
    try:
        made: M = decoder(data, at, most)
    except _UNREADABLE as error:
        raise _explained(error, message, version, places, data, most) from None
    return made


def decode_by_steps(message: type[M], version: int, data: bytes, at: int, most: int) -> Stepped[M]:
    """The same, by steps of some items."""
    decoder, places = _decoder(message, version, True)  # type: ignore[arg-type]
    try:
        made: M = yield from decoder(data, at, most)
    except _UNREADABLE as error:
        raise _explained(error, message, version, places, data, most) from None
    return made


def encode(message: Message, version: int) -> bytes:
    """The message's body, without header or size. Fields that `version` lacks are left out."""
    return b"".join(encode_pieces(message, version))


def encode_pieces(message: Message, version: int) -> list[bytes]:
    """The same, in pieces: record batches are the very objects that the message holds."""
    pieces: list[bytes] = _encoder(type(message), version, False)(message)  # type: ignore[arg-type]
    return pieces


def encode_by_steps(message: Message, version: int) -> Stepped[list[bytes]]:
    """The pieces, by steps of some items; where they are very many, many small ones are one."""
    pieces: list[bytes] = yield from _encoder(type(message), version, True)(message)  # type: ignore[arg-type]
    if len(pieces) <= _MANY:
        return pieces
    joined: list[bytes] = []
    for at in range(0, len(pieces), _MANY):
        some = pieces[at : at + _MANY]
        # They are many more than what comes of them: freed bit by bit, too.
        pieces[at : at + _MANY] = [b""] * len(some)
        if sum(map(len, some)) <= _SMALL * len(some):
            joined.append(b"".join(some))
        else:
            joined += some
        yield
    return joined


def too_many(message: type[Message], version: int, most: int) -> TooManyItems:
    return TooManyItems(f"{message.__name__} v{version} names more than {most:,} things at once")


@cache
def _decoder(message: type[Message], version: int, steps: bool) -> tuple[Decoder, Sequence[Place]]:
    if version not in message.versions:
        raise ProtocolError(f"{message.__name__} v{version}: only {message.versions} is spoken")
    return compile_decoder(message, version, steps=steps)


@cache
def _encoder(message: type[Message], version: int, steps: bool) -> Encoder:
    if version not in message.versions:
        raise LocalError(f"{message.__name__} has no version {version}, only {message.versions}")
    return compile_encoder(message, version, steps=steps)


def _explained(
    error: Exception,
    message: type[Message],
    version: int,
    places: Sequence[Place],
    data: bytes,
    most: int,
) -> ProtocolError:
    """Say which field was read where: the decoder's line and its `at` tell it."""
    if isinstance(error, TooMany):
        return too_many(message, version, most)
    functions = {title("decode", message, version, steps) for steps in (False, True)}
    frame, line = next(
        step for step in walk_tb(error.__traceback__) if step[0].f_code.co_filename in functions
    )
    at = frame.f_locals["at"]
    field = _field_at(places[line - 1], len(data) - at)
    reason = "the message ends too early"
    if isinstance(error, Malformed):
        reason = str(error)
    elif isinstance(error, UnicodeDecodeError):
        reason = f"not UTF-8 ({error.reason})"
    what = f"{message.__name__} v{version}"
    return ProtocolError(f"{what}: {field or 'tagged fields'} at byte {at}: {reason}")


def _field_at(place: Place, left: int) -> str:
    """Which of the fields that are read together is the one that `left` bytes do not reach."""
    for field, width in place:
        left -= width
        if left < 0:
            return field
    return place[-1][0] if place else ""
