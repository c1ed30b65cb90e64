"""The topics that the members of a consumer group read, as far as they are there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .....environment import Environment
from ...java_maps import hash_of, in_hash_order
from ...logs.topic import Topics
from ..embedded import Partitions
from .assignment import Key
from .matching import MatchedTopics
from .member import ConsumerMember, MayKnow
from .members import ConsumerMembers

_MOST_KNOWN: Final = 100
"""Patterns of whose matches one group remembers who may know them, mostly one of one user."""


def keys_of(topics: Topics, partitions: Partitions) -> frozenset[Key]:
    """Of topics that are there."""
    return frozenset(
        (topics[name].topic_id, number)
        for name, numbers in partitions
        if name in topics
        for number in numbers
    )


class SubscribedTopics:
    """`partitions`: how many each topic has, by topic id, as of the group's newest epoch."""

    def __init__(self, environment: Environment, members: ConsumerMembers, topics: Topics) -> None:
        self.partitions: dict[bytes, int] = {}
        self._members = members
        self._topics = topics
        self._matched = MatchedTopics(environment, topics, self._patterns)
        self._seen = -1
        """The version of the topics when it was last looked whether these have changed."""
        self._known: tuple[object, dict[tuple[str, MayKnow | None], frozenset[str]]] = (None, {})
        """By pattern and who may know of what the topics, of one version of the topics."""

    def of(self, member: ConsumerMember) -> frozenset[str]:
        """Names of the topics that are there and that it reads.

        What a pattern matches is read only as far as the member may know of it: what it names it
        was asked about by name.
        """
        # Each heartbeat asks, in a cluster of thousands of topics: found once for each version.
        wish = (self._version, member.topic_names, member.topic_regex, member.may_know)
        known, found = member.resolved
        if known != wish:
            found = self._resolved(member)
            member.resolved = wish, found
        return found

    def _resolved(self, member: ConsumerMember) -> frozenset[str]:
        named = frozenset(name for name in member.topic_names if name in self._topics)
        if not member.topic_regex:
            return named
        # Thousands of members by one pattern and the same rules have one set of names among them.
        matched = self._matching(member.topic_regex, member.may_know)
        return named | matched if named else matched

    def _matching(self, pattern: str, may_know: MayKnow | None) -> frozenset[str]:
        """The topics that it matches, as far as that is known by now."""
        matched = self._matched.of(pattern)
        version, found = self._known
        if version != self._version or len(found) >= _MOST_KNOWN:
            self._known = _, found = self._version, {}
        names = found.get((pattern, may_know))
        if names is None:
            there = (name for name in matched if name in self._topics)
            names = found[pattern, may_know] = frozenset(filter(may_know or bool, there))
        return names

    @property
    def _version(self) -> tuple[int, int]:
        return self._topics.version, self._matched.round

    def _patterns(self) -> set[str]:
        return {member.topic_regex for member in self._members.values()}

    @property
    def alike(self) -> bool:
        """Whether Kafka takes all to read the same: topics that are not there count, too, and so
        does who names by a pattern what another one names."""
        wishes = {(one.topic_names, one.topic_regex) for one in self._members.values()}
        names, pattern = next(iter(wishes), (frozenset(), ""))
        return len(wishes) == 1 and not (names and pattern)

    def ids_of(self, member: ConsumerMember) -> frozenset[bytes]:
        return frozenset(self._topics[name].topic_id for name in self.of(member))

    @property
    def names(self) -> frozenset[str]:
        """All topics that somebody reads, also those that are named and not there."""
        return frozenset(
            name
            for member in self._members.values()
            for name in (*member.topic_names, *self.of(member))
        )

    def keys(self, partitions: Partitions) -> frozenset[Key]:
        """Of topics that are there."""
        return keys_of(self._topics, partitions)

    def named(self, keys: Iterable[Key]) -> list[tuple[str, list[int]]]:
        """By topic; without topics that are gone."""
        by_id: dict[bytes, list[int]] = {}
        for topic_id, number in sorted(keys):
            by_id.setdefault(topic_id, []).append(number)
        there = self._topics.by_id
        return [(there[each].name, numbers) for each, numbers in by_id.items() if each in there]

    def count(self) -> None:
        """A new epoch begins."""
        self.partitions = self._counted()

    def changed(self) -> bool:
        """Whether topics came, went or grew since the epoch began, or it is known only now."""
        if self._matched.late:
            self._matched.late = False
            return True
        # Each heartbeat asks, and topics change rarely: they are counted only when one did.
        if self._seen == self._topics.version:
            return False
        self._seen = self._topics.version
        return self._counted() != self.partitions

    def _counted(self) -> dict[bytes, int]:
        names = {name for member in self._members.values() for name in self.of(member)}
        found = [self._topics[name] for name in in_hash_order(sorted(names), hash_of)]
        return {topic.topic_id: len(topic.logs) for topic in found}
