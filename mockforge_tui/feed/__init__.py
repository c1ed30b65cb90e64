"""The journal and the spine as numbered rows, for whoever shows or tails them."""

from .decoder import Decoder
from .feed import Feed
from .selection import Selection
from .tapes import may_match

__all__ = ["Decoder", "Feed", "Selection", "may_match"]
