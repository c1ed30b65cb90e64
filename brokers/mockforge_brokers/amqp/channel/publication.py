"""A basic.publish that was seen before: its method frame stands for all that it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..state.memory import COST
from ..state.routing import Route
from ..wire.likeness import Builds

if TYPE_CHECKING:
    from .channel import Channel
    from .headers import Extra


class Known(NamedTuple):
    """Of a message that was examined: whatever begins the same needs no look at any of it.

    `begin` is method frame, content header and the body frame's head; or it ends where values
    begin that nobody reads, and `rest` is what stands behind them, from `rest_at` on. `span` is how
    many bytes it had in all, `size` how many of them were its body, `extra` what its header said.
    """

    begin: bytes
    rest: bytes
    rest_at: int
    span: int
    size: int
    extra: Extra | None


NOTHING: Final = Known(b"", b"", 0, 0, 0, None)
MOST_BUILDS: Final = 8
"""Kinds of headers whose values differ; each is one more that others are compared with in vain."""
LONGEST_BUILD: Final = 256
"""Bytes of a header's frame of which a pattern is made: that takes longer, the longer it is."""
MOST_VARIANTS: Final = 16
"""Headers that may come in turn; more are taken for ones that never come again."""


class Uncommitted(NamedTuple):
    """A message that waits for tx.commit: its frames as they `came`, and as they go on."""

    publication: Publication
    route: Route
    came: bytes
    content: bytes
    size: int
    extra: Extra | None

    @property
    def weight(self) -> int:
        """Bytes that it takes of the memory that queues have."""
        return self.size + COST


class Publication:
    """One distinct method frame of one channel; publishers send the same one again and again.

    Comparing its bytes with those that came is all the parsing that a repeated publish needs.
    """

    __slots__ = (
        "alike",
        "builds",
        "channel",
        "exchange",
        "frame",
        "latest",
        "learned",
        "mandatory",
        "route",
        "routing_key",
        "size",
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
        self.latest = NOTHING
        """What was learned or recalled last."""
        self.builds: tuple[bytes, ...] = ()
        self.alike: Builds | None = None
        """Matches headers that differ from those learned only in what nobody reads (`builds`)."""
        self.learned = 0
        """How many were kept in `variants`."""
        self.variants: dict[bytes, Known] = {}
        """What was known, by the header's frame, while a few headers come in turn (priorities,
        types); none where each message has its own."""
        self.wide = False
        """It goes to many queues, or to who knows how many."""
        self.unroutable = False
        """The last message that was published so reached no queue."""
