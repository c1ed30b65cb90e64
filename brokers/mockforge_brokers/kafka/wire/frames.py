"""Whole frames: size, header and message."""

import math
import struct
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

from ...errors import LocalError, ProtocolError
from ...fairness import Stepped, Steps
from ..codes import ApiKey
from ..served import SERVED
from ..varints import Malformed, read_uvarint
from .catalog import REQUESTS, RESPONSES
from .codec import UNBOUNDED, decode, encode, encode_by_steps, encode_pieces
from .schema import Message, Struct
from .tagged_fields import bad_length, read_tags

_HEAD = struct.Struct(">ihhih")  # size, api key, api version, correlation id, client id's length
_SIZE_AND_ID = struct.Struct(">ii")
_SIZE_ID_AND_TAGS = struct.Struct(">iix")
_MOST_TAGS = 1_000
"""Tagged fields of a header. KIP-482 sets no bound, and no header that is in use has any."""
_FEW = 32
"""Things of an answer that are freed at a time."""


class RequestHeader(NamedTuple):
    """What every request begins with; `api_key` and `api_version` may be unknown to us."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None


def read_request_header(frame: bytes) -> tuple[RequestHeader, int]:
    """The header of a frame (with its size), and where the message begins.

    For an API unknown to the table the header is taken to have no tagged fields.
    """
    try:
        _, api_key, version, correlation_id, length = _HEAD.unpack_from(frame)
        at = _HEAD.size
        client_id = None
        if length >= 0:
            # A string of the old kind in all header versions, so that a server which does not
            # know the version can still read it.
            end = at + length
            if end > len(frame):
                raise bad_length(length, len(frame) - at)
            client_id = frame[at:end].decode()
            at = end
        if version >= _flexible_since(api_key):
            at = _skip_tags(frame, at)
    except (struct.error, IndexError):
        where = f"request header in a frame of {len(frame)} bytes"
        raise ProtocolError(f"{where}: the frame ends within it") from None
    except (UnicodeDecodeError, Malformed) as error:
        raise ProtocolError(f"request header in a frame of {len(frame)} bytes: {error}") from None
    # Past its own `__new__`, which is in Python.
    return tuple.__new__(RequestHeader, (api_key, version, correlation_id, client_id)), at


# Bounded, as clients say the keys. This is on the way of each request.
@lru_cache(maxsize=2 * len(SERVED))
def _flexible_since(api_key: int) -> float:
    message = REQUESTS.get(api_key)
    return math.inf if message is None or message.flexible is None else message.flexible


def encode_response(message: Message, version: int, correlation_id: int) -> bytes:
    """A response as it goes out, size included."""
    return b"".join(response_pieces(message, version, correlation_id))


def response_pieces(message: Message, version: int, correlation_id: int) -> list[bytes]:
    """The same without a copy of the record batches that it carries."""
    return _with_header(encode_pieces(message, version), message, version, correlation_id)


def response_by_steps(message: Message, version: int, correlation_id: int) -> Stepped[list[bytes]]:
    """The same, by steps of some items; of the message itself nothing may be left."""
    pieces = yield from encode_by_steps(message, version)
    pieces = _with_header(pieces, message, version, correlation_id)
    yield from _taking_apart(message)
    return pieces


def size_by_steps(message: Message, version: int) -> Stepped[int]:
    """How large a response is as it goes out, size included."""
    pieces = yield from encode_by_steps(message, version)
    return sum(map(len, _with_header(pieces, message, version, 0)))


def _taking_apart(message: Struct) -> Steps:
    """To give up a hundred thousand objects at once takes as long as to make some of them."""
    for field in message.fields:
        items = getattr(message, field.name)
        if type(items) is not list or not items or not isinstance(items[0], Struct):
            continue
        if len(items) > _FEW:
            setattr(message, field.name, ())
            while items:
                del items[-_FEW:]
                yield
        else:
            for item in items:
                yield from _taking_apart(item)


def _with_header(
    pieces: list[bytes], message: Message, version: int, correlation_id: int
) -> list[bytes]:
    pack, rest = _response_header(type(message), version)  # type: ignore[arg-type]
    pieces.insert(0, pack(rest + sum(map(len, pieces)), correlation_id))
    return pieces


@cache
def _response_header(
    message: type[Message], version: int
) -> tuple[Callable[[int, int], bytes], int]:
    """How it is packed, with the size of all that follows, and its own part of that."""
    layout = _SIZE_ID_AND_TAGS if _has_response_tags(message, version) else _SIZE_AND_ID
    return layout.pack, layout.size - 4


def encode_request(
    message: Message, version: int, correlation_id: int, client_id: str | None
) -> bytes:
    """A request as a client sends it, size included."""
    if message.api_key is None:
        raise LocalError(f"{type(message).__name__} is no request")
    name = b"" if client_id is None else client_id.encode()
    tags = b"\0" if message.is_flexible(version) else b""
    body = encode(message, version)
    size = _HEAD.size - 4 + len(name) + len(tags) + len(body)
    length = -1 if client_id is None else len(name)
    head = _HEAD.pack(size, message.api_key, version, correlation_id, length)
    return b"".join((head, name, tags, body))


def decode_request(frame: bytes, most: int = UNBOUNDED) -> tuple[RequestHeader, Message]:
    """A request frame taken apart for display; raises TooManyItems as `decode` does."""
    header, at = read_request_header(frame)
    message = REQUESTS.get(header.api_key)
    if message is None:
        raise ProtocolError(f"a request of API {header.api_key}, which is not in the table")
    return header, decode(message, header.api_version, frame, at, most)


def decode_response(frame: bytes, api_key: int, version: int) -> tuple[int, Message]:
    """A response frame's correlation id and message; a response does not say what it answers."""
    message = RESPONSES.get(api_key)
    if message is None:
        raise ProtocolError(f"a response of API {api_key}, which is not in the table")
    if len(frame) < _SIZE_AND_ID.size:
        raise ProtocolError(f"{message.__name__}: a frame of {len(frame)} bytes")
    _, correlation_id = _SIZE_AND_ID.unpack_from(frame)
    at = _SIZE_AND_ID.size
    if _has_response_tags(message, version):
        try:
            at = _skip_tags(frame, at)
        except (IndexError, Malformed) as error:
            raise ProtocolError(f"{message.__name__} v{version}: header: {error}") from None
    return correlation_id, decode(message, version, frame, at)


def _has_response_tags(message: type[Message], version: int) -> bool:
    # A client that has yet to learn our versions reads ApiVersions' answer: its header never
    # has tagged fields (KIP-511).
    return message.is_flexible(version) and message.api_key != ApiKey.API_VERSIONS


def _skip_tags(frame: bytes, at: int) -> int:
    count, at = read_uvarint(frame, at)
    if count > _MOST_TAGS:
        raise Malformed(f"{count:,} tagged fields")
    return read_tags(frame, at, count)[1]
