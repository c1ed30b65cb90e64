"""A basic.publish that was seen before: its method frame stands for all that it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..state.routing import Route

if TYPE_CHECKING:
    from .channel import Channel


class Publication:
    """One distinct method frame of one channel; publishers send the same one again and again.

    Comparing its bytes with those that came is all the parsing that a repeated publish needs.
    """

    __slots__ = (
        "channel",
        "exchange",
        "frame",
        "mandatory",
        "route",
        "routing_key",
        "size",
        "unroutable",
    )

    def __init__(
        self, frame: bytes, channel: Channel, exchange: str, routing_key: str, mandatory: bool
    ) -> None:
        self.frame = frame
        self.size = len(frame)
        self.channel = channel
        self.exchange = exchange
        self.routing_key = routing_key
        self.mandatory = mandatory
        self.route: Route | None = None
        self.unroutable = False
        """The last message that was published so reached no queue."""
