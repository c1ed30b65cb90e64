"""What queues with rules need of their virtual host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ....clock import Clock
from ...profiles import Profile
from ...records import Field

if TYPE_CHECKING:
    from ..message import Message
    from ..warned_once import WarnedOnce
    from .governed import GovernedQueue


class Contents(Protocol):
    """Reads what a content says of itself; state does not look into it (channel/contents.py)."""

    def priority(self, content: bytes, usual: int = 0) -> int:
        """`usual` for a content that has none."""
        ...

    def expiration(self, content: bytes) -> int:
        """Milliseconds; -1 for none."""
        ...

    def size(self, content: bytes) -> int:
        """How many bytes the body has."""
        ...

    def headers(self, content: bytes) -> Mapping[str, Field]: ...

    def header(self, content: bytes, name: str) -> Field | None: ...

    def more_keys(self, headers: Mapping[str, Field]) -> tuple[str, ...]:
        """The routing keys of the header CC."""
        ...

    def with_headers(self, content: bytes, more: Mapping[str, Field]) -> bytes:
        """The content with these headers, in place of those of the same names."""
        ...


class Host(Protocol):
    """What a governed queue needs of its virtual host."""

    name: str
    clock: Clock
    contents: Contents
    profile: Profile
    warned: WarnedOnce
    rejected: bool
    """Set by a queue that refuses what is just being published."""

    def dead_letter(self, queue: GovernedQueue, message: Message, reason: str) -> None:
        """A message died here: rejected, expired, maxlen or delivery_limit."""
        ...

    def queue_expired(self, queue: GovernedQueue) -> None:
        """Nobody used the queue for as long as its x-expires says."""
        ...
