"""Frames (AMQP 1.0 part 2.3): size, data offset, type, channel, then performative and payload."""

import struct
from typing import Any, Final

from ...wire.frames import LATER_HEADERS
from . import performatives

AMQP: Final = 0
SASL: Final = 1
HEAD_SIZE: Final = 8
MIN_MAX_FRAME_SIZE: Final = 512
"""What every peer must take (2.8.14 `MIN-MAX-FRAME-SIZE`)."""
HEADER, SASL_HEADER = LATER_HEADERS
HEARTBEAT: Final = b"\x00\x00\x00\x08\x02\x00\x00\x00"

head: Final = struct.Struct(">IBBH")


def frame(channel: int, body: bytes, kind: int = AMQP) -> bytes:
    return head.pack(len(body) + HEAD_SIZE, 2, kind, channel) + body


def performative(channel: int, name: str, /, **fields: Any) -> bytes:
    """A whole frame that carries no payload."""
    return frame(channel, performatives.write(name, **fields))


def sasl(name: str, /, **fields: Any) -> bytes:
    return frame(0, performatives.write(name, **fields), SASL)
