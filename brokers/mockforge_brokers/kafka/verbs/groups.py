"""Groups: what they committed, who is in them, and who reads what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import InvalidInput, PlainRefusals
from ..state.cluster import Cluster
from ..state.groups.committed import Committer
from ..state.groups.consumer.group import ConsumerGroup
from ..state.groups.offsets import CommittedOffset
from .source import PROMPT


class GroupVerbs:
    cluster: Cluster

    def reset_offsets(
        self,
        group: str,
        topic: str,
        offsets: Mapping[int, int],
        *,
        source: str = PROMPT,
        dry_run: bool = False,
    ) -> None:
        """Move what a group without members committed: partition to offset.

        A `dry_run` raises InvalidInput where it could not be, and moves nothing.
        """
        with PlainRefusals():
            for partition, offset in offsets.items():
                self.cluster.topics.named(topic).log(partition)
                if offset < 0:
                    raise InvalidInput(f"an offset is 0 or more, not {offset}")
            self.cluster.groups.offsets.reset(
                group, topic, dict(offsets), source=source, dry_run=dry_run
            )

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit offsets by topic and partition, as a consumer outside the group's members does."""
        committed = {at: CommittedOffset(offset) for at, offset in offsets.items()}
        with PlainRefusals():
            for refused in self.cluster.groups.offsets.commit(
                group, Committer(), committed
            ).values():
                raise refused

    def kick_member(self, group: str, member: str, *, source: str = PROMPT) -> None:
        """Put a member out of its group: named by its member id, instance id or client id."""
        with PlainRefusals():
            self.cluster.groups.present(group).kick(member, f"was kicked by {source}")

    def rebalance(self, group: str, *, source: str = PROMPT) -> None:
        """Make the members of a group join again."""
        with PlainRefusals():
            found = self.cluster.groups.present(group)
            if not len(found.members):
                raise InvalidInput(f"group {group} has no members to rebalance")
            found.rebalance(f"asked for by {source}")

    def assign_partitions(
        self,
        group: str,
        member: str,
        partitions: Mapping[str, Iterable[int]],
        *,
        source: str = PROMPT,
    ) -> None:
        """Choose what a member of a group of the consumer protocol is to read, by topic."""
        with PlainRefusals():
            found = self._consumer_group(group)
            read = found.topics.of(found.members.find(member))
            for name in partitions:
                # It would never get them, and nobody else would either.
                if name in self.cluster.topics and name not in read:
                    topics_read = ", ".join(sorted(read)) or "nothing"
                    raise InvalidInput(
                        f"member {member} of group {group} does not read {name}, but {topics_read}"
                    )
            topics = self.cluster.topics
            wanted = [(topics.named(name), numbers) for name, numbers in partitions.items()]
            keys = {
                (topic.topic_id, topic.log(one).partition)
                for topic, numbers in wanted
                for one in numbers
            }
            found.assign(member, frozenset(keys), f"assigned by {source}")

    def assign_by_assignor(self, group: str, *, source: str = PROMPT) -> None:
        """Let the group's assignor choose again."""
        with PlainRefusals():
            self._consumer_group(group).assign_by_assignor(f"left to its assignor by {source}")

    def _consumer_group(self, group: str) -> ConsumerGroup:
        found = self.cluster.groups.present(group)
        if isinstance(found, ConsumerGroup):
            return found
        raise InvalidInput(
            f"group {group} is a classic one, whose leader assigns;"
            " a group of group.protocol=consumer is assigned here"
        )
