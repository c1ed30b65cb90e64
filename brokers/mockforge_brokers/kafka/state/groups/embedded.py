"""What consumers put into the opaque bytes of the classic protocol, for groups that read it."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

Partitions = Iterable[tuple[str, Sequence[int]]]
"""Topics, each with the numbers of partitions."""


class Subscription(Struct, frozen=True):
    """What a member of a classic group wants, and what it reads until now."""

    version: int
    topics: frozenset[str]
    owned: tuple[tuple[str, tuple[int, ...]], ...] = ()
    rack_id: str | None = None


class Embedded:
    """Reads and writes these bytes. This one reads nothing: no group can change its protocol."""

    def subscription(self, metadata: bytes) -> Subscription | None:
        """None where the bytes are something else."""
        return None

    def assigned(self, assignment: bytes) -> Partitions:
        return ()

    def assignment(self, version: int, partitions: Partitions) -> bytes:
        """The bytes of an assignment for a member whose subscription has this version."""
        return b""


OPAQUE = Embedded()
