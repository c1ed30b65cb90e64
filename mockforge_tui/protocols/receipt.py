"""What publishing a message came to."""

from msgspec import Struct


class Receipt(Struct, frozen=True):
    """Where a message went: `place` is for people (`orders p0@97`), `reached` counts takers."""

    place: str
    reached: int | None = None
