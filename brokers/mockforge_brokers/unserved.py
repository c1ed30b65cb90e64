"""What clients asked for and is not served: reported once a client and feature, always counted."""

from typing import Final

from msgspec import Struct

from .events import FeatureNotServed
from .spine import Spine

_MOST: Final = 200
_LONGEST_NAME: Final = 200


class UnservedView(Struct, frozen=True):
    """`count` is how often this client asked."""

    protocol: str
    client: str
    feature: str
    reason: str
    count: int


class Unserved:
    """The newest askings, within bounds: clients may come under ever new names."""

    def __init__(self, spine: Spine) -> None:
        self._spine = spine
        self._counts: dict[tuple[str, str, str], int] = {}
        self._reasons: dict[tuple[str, str, str], str] = {}

    def report(
        self, protocol: str, connection: int, client: str, feature: str, reason: str
    ) -> None:
        """A client asked for a feature; `reason` says what to do without it."""
        key = (protocol, client[:_LONGEST_NAME], feature)
        if key in self._counts:
            self._counts[key] += 1
            return
        if len(self._counts) >= _MOST:
            oldest = next(iter(self._counts))
            del self._counts[oldest], self._reasons[oldest]
        self._counts[key] = 1
        self._reasons[key] = reason
        self._spine.emit(FeatureNotServed(protocol, connection, client, feature, reason))

    def views(self) -> list[UnservedView]:
        """In order of the first asking."""
        return [
            UnservedView(*key, self._reasons[key], count) for key, count in self._counts.items()
        ]
