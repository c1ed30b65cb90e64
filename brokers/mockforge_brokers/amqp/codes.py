"""Reply codes of AMQP 0-9-1 and their names on the wire."""

from enum import IntEnum
from typing import Final

_LONGEST: Final = 255
"""Bytes of a short string."""


class ReplyCode(IntEnum):
    """AMQP 1.1 constants. RabbitMQ begins a close's text with the name."""

    REPLY_SUCCESS = 200
    CONTENT_TOO_LARGE = 311
    NO_ROUTE = 312
    NO_CONSUMERS = 313
    CONNECTION_FORCED = 320
    INVALID_PATH = 402
    ACCESS_REFUSED = 403
    NOT_FOUND = 404
    RESOURCE_LOCKED = 405
    PRECONDITION_FAILED = 406
    FRAME_ERROR = 501
    SYNTAX_ERROR = 502
    COMMAND_INVALID = 503
    CHANNEL_ERROR = 504
    UNEXPECTED_FRAME = 505
    RESOURCE_ERROR = 506
    NOT_ALLOWED = 530
    NOT_IMPLEMENTED = 540
    INTERNAL_ERROR = 541


def reply_text(code: int, text: str) -> str:
    """`NOT_FOUND - no queue 'q' in vhost '/'`, cut to what a short string takes.

    What the client named in bytes that are no UTF-8 is shown with U+FFFD.
    """
    full = f"{ReplyCode(code).name} - {text}" if text else ReplyCode(code).name
    legal = full.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    raw = legal.encode()
    if len(raw) > _LONGEST:
        # RabbitMQ's dots say that there was more.
        raw = raw[: _LONGEST - 3]
        legal = raw.decode(errors="ignore") + "..."
    return legal
