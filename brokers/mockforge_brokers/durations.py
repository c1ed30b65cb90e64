"""How long things take: counted by powers of two, so that a measurement is an addition."""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

_SLOTS: Final = 48
"""2 ** 48 microseconds are nine years: nothing that is measured is beyond the last slot."""
BUCKETS: Final = tuple(2**slot / 1e6 for slot in range(4, 25, 2))
"""Upper bounds that are shown, in seconds: 16 us to 16.8 s, each four times the one before."""


class Durations:
    """`counts[n]` is how many took 2 ** (n - 1) up to 2 ** n microseconds, `total` all seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.counts = [0] * _SLOTS
        self.total = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        # A number has as many bits as the power of two that it is below.
        self.counts[int(seconds * 1e6).bit_length()] += times
        self.total += seconds * times

    @property
    def count(self) -> int:
        return sum(self.counts)

    def below(self) -> list[tuple[float, int]]:
        """For each of `BUCKETS` how many took no longer."""
        return [(bound, sum(self.counts[: 5 + 2 * n])) for n, bound in enumerate(BUCKETS)]


class Histogram(Struct, frozen=True):
    """A family of durations for people: `read` gives those of each set of label values."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[], Iterable[tuple[tuple[str, ...], Durations]]]


class Sampled(Durations):
    """One of `every` is measured: who counts `left` down to 0 measures, which is cheaper."""

    __slots__ = ("every", "left")

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = self.left = every

    def add(self, seconds: float, times: int = 1) -> None:
        super().add(seconds, times)
        self.left = self.every
