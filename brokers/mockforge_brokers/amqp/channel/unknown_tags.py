"""Delivery tags that a client settles though nothing is unacked under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import RequestRefused
from ..codes import ReplyCode
from ..lint import DOUBLE_ACK, NEEDLESS_ACK, STRANGE_ACK

if TYPE_CHECKING:
    from .channel import Channel


def unknown_tag(channel: Channel, tag: int) -> RequestRefused:
    """RabbitMQ's refusal (406), which is the same for all; lint says what the client did.

    Nobody remembers which tags needed no acknowledgement: where the channel had such deliveries,
    the tag may be one of them.
    """
    delivery = f"delivery tag {tag} of channel {channel.number}"
    if not 0 < tag <= channel.last_tag:
        channel.lint(
            STRANGE_ACK, f"delivery tag {tag} was never delivered on channel {channel.number}"
        )
    elif channel.without_ack:
        needless = "needed no acknowledgement, or was settled or given back before"
        channel.lint(NEEDLESS_ACK, f"{delivery} {needless}")
    else:
        channel.lint(DOUBLE_ACK, f"{delivery} was settled or given back before")
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, f"unknown delivery tag {tag}")
