"""Frames (AMQP 2.3.5): type, channel, size, payload, end mark."""

import struct
from typing import Any, Final, NamedTuple

from .methods import encode

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8

END: Final = 0xCE
HEAD_SIZE: Final = 7
OVERHEAD: Final = 8
"""Bytes of a frame beside its payload."""

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
SASL_HEADER: Final = b"AMQP\x03\x01\x00\x00"
LATER_HEADERS: Final = (b"AMQP\x00\x01\x00\x00", SASL_HEADER)
"""AMQP 1.0's, plain and with SASL: another protocol, which is served on the same port."""
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
FRAME_MIN_SIZE: Final = 4096
"""AMQP 4.2.3 `frame-min-size`: no peer may ask for less."""

head: Final = struct.Struct(">BHI")
content_head: Final = struct.Struct(">BHIHHQH")
"""The start of a content header's frame, to its first word of property flags."""


class Frame(NamedTuple):
    """One frame, taken apart; rows and slow paths use it, the fast ones slice."""

    type: int
    channel: int
    payload: bytes


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return head.pack(kind, channel, len(payload)) + payload + b"\xce"


def method(channel: int, name: str, **values: Any) -> bytes:
    """A method's whole frame."""
    return frame(METHOD, channel, encode(name, values))


def split(data: bytes) -> list[Frame]:
    """All frames of `data`, which must be whole frames; stops at the first that is not."""
    frames = []
    at = 0
    while len(data) - at >= OVERHEAD:
        kind, channel, size = head.unpack_from(data, at)
        end = at + HEAD_SIZE + size
        if end >= len(data) or data[end] != END:
            break
        frames.append(Frame(kind, channel, data[at + HEAD_SIZE : end]))
        at = end + 1
    return frames
