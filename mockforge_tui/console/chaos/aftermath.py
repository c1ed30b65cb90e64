"""What a client did after each kind of fault that hit it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mockforge_brokers.protocols import PROTOCOLS

from .backoff import backoff_of

SLOWING: Final = ("delay", "throttle")
"""They hit everything all the time: what follows is put down to them where nothing else was."""

_MOST_APART: Final = 10_000
"""Of one kind of fault."""


@dataclass(slots=True)
class Aftermath:
    """After one kind of fault on one operation, such as `drop PUBACK`; times are seconds."""

    fault: str
    hits: int = 0
    ended: int = 0
    """Connections that ended, whoever ended them."""
    pauses: list[float] = field(default_factory=list)
    """How long after such an end it was back."""
    resent: list[float] = field(default_factory=list)
    """How long after its first time a message came again."""
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    hit_at: float = 0.0
    apart: list[float] = field(default_factory=list)
    """Of what was refused: how long after a refusal it was asked for again."""

    def hit(self, at: float, *, refused: bool) -> None:
        if refused and self.hits and len(self.apart) < _MOST_APART:
            self.apart.append(at - self.hit_at)
        self.hits += 1
        self.hit_at = at

    def facts(self) -> dict[str, Any]:
        return {
            "fault": self.fault,
            "hits": self.hits,
            "ended": self.ended,
            "pauses": list(self.pauses),
            "backoff": backoff_of(self.pauses),
            "asked_again": list(self.apart),
            "resent_after": list(self.resent),
            "doubled": list(self.doubled),
            "disordered": list(self.disordered),
            "gave_up": False,
        }


class Causes:
    """Puts what a client does down to the last fault that hit it, if one did."""

    def __init__(self) -> None:
        self._found: dict[str, Aftermath] = {}
        self._last: Aftermath | None = None
        self._slow = True
        self._lost: Aftermath | None = None

    def hit(self, kind: str, operation: str, at: float) -> None:
        """At so many seconds."""
        name = f"{kind} {operation}".strip()
        found = self._found.setdefault(name, Aftermath(name))
        found.hit(at, refused=kind == "refuse")
        slow = kind in SLOWING
        if self._slow or not slow:
            self._last, self._slow = found, slow

    def lost(self) -> None:
        """Its last connection ended."""
        self._lost = self._last
        if self._lost is not None:
            self._lost.ended += 1

    def back(self, pause: float) -> None:
        if self._lost is not None:
            self._lost.pauses.append(pause)
            del self._lost.pauses[:-_MOST_APART]

    def doubled(self, name: str, after: float) -> None:
        if self._last is not None:
            self._last.doubled.append(name)
            self._last.resent.append(after)

    def disordered(self, name: str) -> None:
        if self._last is not None:
            self._last.disordered.append(name)

    def found(self, *, away: bool, left: bool, waits: bool = False) -> Iterator[dict[str, Any]]:
        """Each kind of fault, in the order in which they came.

        `away`: its last connection ended, and none came after it; `left`: by its own wish.
        `waits`: nobody can come back so far.
        """
        for each in self._found.values():
            facts = each.facts()
            if away and each is self._lost:
                # To take one's leave is no consequence of a fault.
                facts["ended"] -= left
                facts["gave_up"] = not left and not waits
            yield facts


def ended_by_itself(protocol: str, reason: str) -> bool:
    """Whether a client took its leave: `reason` is that of ConnectionClosed."""
    return reason.startswith(PROTOCOLS[protocol].leave)
