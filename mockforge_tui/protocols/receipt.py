"""What publishing a message came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message went: `place` is for people (`orders p0@97`), `reached` counts takers."""

    place: str
    reached: int | None = None
