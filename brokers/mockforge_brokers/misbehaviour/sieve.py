"""Which rules can be about a frame at all: found out once for the frames of all connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from ..journal import Row

if TYPE_CHECKING:
    from .rules import Match


class _Matching(Protocol):
    @property
    def match(self) -> Match: ...

    @property
    def looking(self) -> bool: ...


RuleT = TypeVar("RuleT", bound=_Matching)

_MOST_KINDS: Final = 1_000
"""Kinds of frames that are remembered, ..."""
_LONGEST: Final = 1_000
"""... each of destinations with so many characters: a request may name a thousand topics."""


class Sieve(Generic[RuleT]):
    """Of rules that stay as they are: who changes one makes another sieve.

    A hundred rules about other things cost one look at the table for each new kind of frame, be it
    of a connection that was there before or not.
    """

    __slots__ = ("_keeps", "_known", "_misses", "_origins", "_rules", "ends")

    def __init__(
        self,
        rules: Iterable[RuleT],
        keeps: Callable[[RuleT], bool],
        misses: Callable[[RuleT, list[Row]], object],
    ) -> None:
        """`keeps`: the rule is to see each frame, though it cannot match; `misses` is told of the
        first of each kind that a rule does not see."""
        self._rules = tuple(rules)
        self._keeps = keeps
        self._misses = misses
        self._known: dict[object, tuple[RuleT, ...]] = {}
        self.ends = tuple(rule for rule in self._rules if rule.match.ends)
        """The rules that may be about a connection's beginning or end."""
        origins = {None if rule.looking else rule.match.origin for rule in self._rules}
        self._origins = None if None in origins else tuple(filter(None, origins))

    def may_concern(self, row: Row) -> bool:
        """Whether some rule can be about a connection of this protocol, number and client."""
        if self._origins is None:
            return True
        return any(origin(row) for origin in self._origins)

    def of(self, parts: list[Row], *, placed: bool) -> tuple[RuleT, ...]:
        """The rules that can be about frames of this operation (`placed`: and destination)."""
        places = frozenset(
            (part.protocol, part.direction, part.operation, part.destination if placed else None)
            for part in parts
        )
        known = self._known.get(places)
        if known is None:
            known = self._sift(parts, placed=placed)
            if sum(len(part.destination) for part in parts) <= _LONGEST:
                if len(self._known) >= _MOST_KINDS:
                    self._known.clear()
                self._known[places] = known
        return known

    def _sift(self, parts: list[Row], *, placed: bool) -> tuple[RuleT, ...]:
        found = []
        for rule in self._rules:
            match = rule.match
            if self._keeps(rule) or any(
                match.may_match_of_all(part, placed=placed) for part in parts
            ):
                found.append(rule)
            else:
                self._misses(rule, parts)
        return tuple(found)
