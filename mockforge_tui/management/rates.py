"""How fast counters grow between two looks at them, the older a second old at least."""

from collections.abc import Mapping
from typing import Any, Final

_LEAST: Final = 1.0
"""Seconds between two looks that make a rate."""
_MOST: Final = 10_000
"""Things whose last looks are remembered."""


class Rates:
    """Adds `NAME_details: {"rate": ...}` to counters, as RabbitMQ does."""

    def __init__(self) -> None:
        self._looks: dict[object, tuple[float, Mapping[str, int], Mapping[str, float]]] = {}

    def of(self, key: object, now: float, counters: Mapping[str, int]) -> dict[str, Any]:
        """`counters` with the messages a second of each; `key` says whose they are."""
        look = self._looks.pop(key, None)
        if look is None:
            look = (now, counters, dict.fromkeys(counters, 0.0))
        elif now - look[0] >= _LEAST:
            passed = now - look[0]
            grown = {name: count - look[1].get(name, 0) for name, count in counters.items()}
            rates = {name: max(0.0, round(more / passed, 2)) for name, more in grown.items()}
            look = (now, counters, rates)
        self._looks[key] = look
        if len(self._looks) > _MOST:
            del self._looks[next(iter(self._looks))]
        made: dict[str, Any] = {}
        for name, count in counters.items():
            made[name] = count
            made[f"{name}_details"] = {"rate": look[2].get(name, 0.0)}
        return made
