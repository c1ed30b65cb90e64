"""A basic.publish that was seen before: its method frame stands for all that it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..state.routing import Route

if TYPE_CHECKING:
    from .channel import Channel
    from .headers import Extra

Known = tuple[bytes, int, int, "Extra | None"]
"""How a message began, and its `span`, `body_size` and `extra` (below)."""
MOST_VARIANTS: Final = 16
"""Headers that may come in turn; more are taken for ones that never come again."""


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
        "learned",
        "mandatory",
        "route",
        "routing_key",
        "size",
        "span",
        "unroutable",
        "variants",
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
        self.learned = 0
        """How many were kept in `variants`."""
        self.variants: dict[bytes, Known] = {}
        """What was known, by the header's frame, while a few headers come in turn (priorities,
        types); none where each message has its own."""
        self.wide = False
        """It goes to many queues, or to who knows how many."""
        self.unroutable = False
        """The last message that was published so reached no queue."""
