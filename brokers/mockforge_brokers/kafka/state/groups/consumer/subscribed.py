"""The topics that the members of a consumer group read, as far as they are there."""

from __future__ import annotations

from collections.abc import Iterable

from ...logs.topic import Topics
from ..embedded import Partitions
from .assignors import Key
from .member import ConsumerMember
from .members import ConsumerMembers
from .subscription import matching


class SubscribedTopics:
    """`partitions`: how many each topic has, by topic id, as of the group's newest epoch."""

    def __init__(self, members: ConsumerMembers, topics: Topics) -> None:
        self.partitions: dict[bytes, int] = {}
        self._members = members
        self._topics = topics
        self._seen = -1
        """The version of the topics when it was last looked whether these have changed."""

    def of(self, member: ConsumerMember) -> frozenset[str]:
        """Names of the topics that are there and that it reads."""
        named = frozenset(name for name in member.topic_names if name in self._topics)
        return named | matching(member.topic_regex, self._topics)

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
        return frozenset(
            (self._topics[name].topic_id, number)
            for name, numbers in partitions
            if name in self._topics
            for number in numbers
        )

    def named(self, keys: Iterable[Key]) -> list[tuple[str, list[int]]]:
        """By topic; without topics that are gone."""
        names = {self._topics[name].topic_id: name for name in self.names if name in self._topics}
        found: dict[str, list[int]] = {}
        for topic_id, number in sorted(keys):
            if topic_id in names:
                found.setdefault(names[topic_id], []).append(number)
        return list(found.items())

    def count(self) -> None:
        """A new epoch begins."""
        self.partitions = self._counted()

    def changed(self) -> bool:
        """Whether topics came, went or grew since the epoch began."""
        # Each heartbeat asks, and topics change rarely: patterns are matched only when one did.
        if self._seen == self._topics.version:
            return False
        self._seen = self._topics.version
        return self._counted() != self.partitions

    def _counted(self) -> dict[bytes, int]:
        names = {name for member in self._members.values() for name in self.of(member)}
        found = [self._topics[name] for name in sorted(names)]
        return {topic.topic_id: len(topic.logs) for topic in found}
