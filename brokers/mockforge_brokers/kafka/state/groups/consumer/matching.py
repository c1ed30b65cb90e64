"""Which topics the patterns of one consumer group match: found bit by bit, each name once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from .....environment import Environment
from .....fairness import Steps
from ...logs.topic import Topics
from ...patterns import compiled

_MOST_PATTERNS: Final = 100
"""Whose matches one group remembers, and those of its members; mostly these have the same one."""


class _Matches:
    """`names` are all that match of the topics that were there in a version of them."""

    __slots__ = ("names", "version")

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self.version = -1


class MatchedTopics:
    """To match thousands of names may take long, so it ends with the time of whoever asks.

    The rest is done in later turns, as Kafka does it in a thread of its own; until then it is what
    was known. `late` says that some were found so since it was last looked, `round` is another
    one whenever they may have been.
    """

    def __init__(
        self, environment: Environment, topics: Topics, wanted: Callable[[], Iterable[str]]
    ) -> None:
        """`wanted` gives the patterns that the members have."""
        self.round = 0
        self.late = False
        self._environment = environment
        self._topics = topics
        self._wanted = wanted
        self._by_pattern: dict[str, _Matches] = {}
        self._most = _MOST_PATTERNS
        self._begun: dict[str, Steps] = {}

    def of(self, pattern: str) -> frozenset[str]:
        """Names that it matches from their first character to their last one."""
        found = self._by_pattern.get(pattern)
        if found is None:
            if len(self._by_pattern) >= self._most:
                self._drop_unwanted()
            found = self._by_pattern[pattern] = _Matches()
        if found.version != self._topics.version and pattern not in self._begun:
            steps = self._steps(compiled(pattern).fullmatch, found)
            turn = self._environment.turn
            if turn.look() or turn.work(steps):
                if not self._begun:
                    self._environment.chores.later(self._rest())
                self._begun[pattern] = steps
        return found.names

    def _steps(self, matches: Callable[[str], object], found: _Matches) -> Steps:
        topics, version = self._topics, self._topics.version
        fresh = topics.newer_than(found.version)
        names = set()
        for name in fresh:
            if matches(name):
                names.add(name)
            yield
        found.names = frozenset(name for name in found.names | names if name in topics)
        found.version = version

    def _rest(self) -> Steps:
        while self._begun:
            pattern = next(iter(self._begun))
            # Whoever had it may be gone, or have another one by now.
            if pattern in self._wanted():
                before = self._by_pattern[pattern].names
                yield from self._begun[pattern]
                self.late |= self._by_pattern[pattern].names != before
            del self._begun[pattern]
            self.round += 1

    def _drop_unwanted(self) -> None:
        kept = {*self._wanted(), *self._begun}
        self._by_pattern = {
            pattern: found for pattern, found in self._by_pattern.items() if pattern in kept
        }
        self._most = max(_MOST_PATTERNS, 2 * len(self._by_pattern))
