"""A basic.publish that was seen before: its method frame stands for all that it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..state.routing import Route

if TYPE_CHECKING:
    from .channel import Channel
    from .headers import Extra


class Publication:
    """One distinct method frame of one channel; publishers send the same one again and again.

    Comparing its bytes with those that came is all the parsing that a repeated publish needs.
    """

    __slots__ = (
        "body_size",
        "channel",
        "exchange",
        "extra",
        "frame",
        "known",
        "mandatory",
        "route",
        "routing_key",
        "size",
        "span",
        "unroutable",
        "wide",
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
        self.known = b""
        """How the last message began: method frame, content header, and the body frame's head.

        `span` is how many bytes it had in all, `body_size` how many of them were its body, and
        `extra` what its header said. A message that begins the same needs no look at any of it.
        """
        self.span = 0
        self.body_size = 0
        self.extra: Extra | None = None
        self.wide = False
        """It goes to many queues, or to who knows how many."""
        self.unroutable = False
        """The last message that was published so reached no queue."""
