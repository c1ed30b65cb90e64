"""All consumer groups of the broker."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ....environment import Environment
from ....errors import RequestRefused
from ...codes import ErrorCode
from ...events import GroupDeleted, OffsetsReset
from ...options import KafkaOptions
from ..purgatory import Parked
from .classic.group import Group, GroupState
from .classic.member import JoinRequest, JoinResult, SyncRequest, SyncResult
from .offsets import CommittedOffset

_CONSUMERS: Final = "consumer"
"""The protocol type whose members say to which topics they subscribe."""

_METADATA_BYTES: Final = 4096
"""Kafka's offset.metadata.max.bytes"""

Offsets = Mapping[tuple[str, int], CommittedOffset]
"""By topic and partition."""


class Committer(Struct, frozen=True):
    """Who commits. Without a member id: somebody outside, into a group without members."""

    member_id: str = ""
    generation_id: int = -1
    group_instance_id: str | None = None


class KeptGroup(Struct):
    """A group as a restart keeps it: its members are gone, what they committed is not.

    `offsets` by topic and partition, `pending` by producer id.
    """

    group_id: str
    protocol_type: str
    generation_id: int
    offsets: dict[str, dict[int, CommittedOffset]]
    pending: dict[int, list[tuple[str, int, CommittedOffset]]] = {}


class Groups:
    """The group coordinator. A group comes into being with its first member or commit."""

    def __init__(self, environment: Environment, options: KafkaOptions) -> None:
        self.by_id: dict[str, Group] = {}
        self._environment = environment
        self._options = options
        environment.usage.gauge("kafka_groups", lambda: len(self.by_id))

    def join(self, group_id: str, request: JoinRequest) -> Parked[JoinResult]:
        """Raises RequestRefused."""
        check_group_id(group_id)
        options = self._options
        if (
            not options.min_session_timeout
            <= request.session_timeout
            <= options.max_session_timeout
        ):
            raise RequestRefused(
                ErrorCode.INVALID_SESSION_TIMEOUT,
                f"a session timeout is {options.min_session_timeout:g} to"
                f" {options.max_session_timeout:g} s, not {request.session_timeout:g} s",
            )
        if request.member_id:
            return self.known(group_id).join(request)
        return self._get_or_create(group_id).join(request)

    def sync(self, group_id: str, request: SyncRequest) -> Parked[SyncResult]:
        """Raises RequestRefused."""
        return self.known(group_id).sync(request)

    def known(self, group_id: str) -> Group:
        """The group of somebody who says to be in it. Raises RequestRefused."""
        check_group_id(group_id)
        group = self.by_id.get(group_id)
        if group is None:
            raise RequestRefused(ErrorCode.UNKNOWN_MEMBER_ID, f"there is no group {group_id}")
        return group

    def commit(
        self,
        group_id: str,
        committer: Committer,
        offsets: Offsets,
        *,
        producer_id: int | None = None,
    ) -> dict[tuple[str, int], RequestRefused]:
        """Keep committed offsets; returns what is refused of them, each with its reason.

        The one entrance for offsets. With a producer id they count when its transaction is
        committed. Raises RequestRefused where the group takes none at all.
        """
        group = self._for_commit(group_id, committer, transactional=producer_id is not None)
        refused: dict[tuple[str, int], RequestRefused] = {}
        wall = self._environment.clock.wall()
        for (topic, partition), committed in offsets.items():
            if len(committed.metadata.encode()) > _METADATA_BYTES:
                refused[topic, partition] = RequestRefused(
                    ErrorCode.OFFSET_METADATA_TOO_LARGE,
                    f"the metadata has more than {_METADATA_BYTES} bytes",
                )
                continue
            committed = replace(committed, committed=wall, order=group.offsets.next_order())
            if producer_id is None:
                group.offsets.commit(topic, partition, committed)
            else:
                group.offsets.hold(producer_id, topic, partition, committed)
        return refused

    def settle(self, group_id: str, producer_id: int, *, committed: bool) -> None:
        """A transaction in which offsets were committed to this group ended."""
        group = self.by_id.get(group_id)
        if group is not None:
            group.offsets.settle(producer_id, committed=committed)

    def _for_commit(self, group_id: str, committer: Committer, *, transactional: bool) -> Group:
        check_group_id(group_id)
        generation_id = committer.generation_id
        group = self.by_id.get(group_id)
        if group is None:
            if generation_id >= 0:
                raise RequestRefused(ErrorCode.ILLEGAL_GENERATION, f"there is no group {group_id}")
            group = self._get_or_create(group_id)
        group.check_commit(
            committer.member_id,
            generation_id,
            committer.group_instance_id,
            transactional=transactional,
        )
        return group

    def reset_offsets(
        self, group_id: str, topic: str, offsets: dict[int, int], *, source: str
    ) -> None:
        """Move what an empty group committed. Raises RequestRefused."""
        group = self._get_or_create(group_id)
        if group.state is not GroupState.EMPTY:
            raise RequestRefused(
                ErrorCode.NON_EMPTY_GROUP,
                f"group {group_id} has {len(group.members)} members; stop or kick them first",
            )
        moved = {(topic, partition): CommittedOffset(at) for partition, at in offsets.items()}
        self.commit(group_id, Committer(), moved)
        committed = tuple(sorted(offsets.items()))
        self._environment.spine.emit(OffsetsReset("kafka", group_id, topic, committed, source))

    def delete(self, group_id: str, *, source: str) -> None:
        """A group without members goes with all that it committed. Raises RequestRefused."""
        group = self.by_id.get(group_id)
        if group is None:
            raise _not_found(group_id)
        if group.state is not GroupState.EMPTY:
            raise RequestRefused(
                ErrorCode.NON_EMPTY_GROUP,
                f"group {group_id} has {len(group.members)} members",
            )
        group.dissolve(f"deleted by {source}")
        del self.by_id[group_id]
        self._environment.spine.emit(GroupDeleted("kafka", group_id, source))

    def for_deletion(self, group_id: str) -> Group:
        """The group of which committed offsets are to go. Raises RequestRefused."""
        check_group_id(group_id)
        group = self.by_id.get(group_id)
        if group is None:
            raise _not_found(group_id)
        if group.state is not GroupState.EMPTY and group.protocol_type != _CONSUMERS:
            raise RequestRefused(
                ErrorCode.NON_EMPTY_GROUP,
                f"what group {group_id} ({group.protocol_type}) uses is not known",
            )
        return group

    def delete_offset(
        self, group: Group, topic: str, partition: int, subscribed: frozenset[str]
    ) -> None:
        """Forget what was committed of a partition. Raises RequestRefused.

        `subscribed` are the topics of the group's members.
        """
        if topic in subscribed:
            raise RequestRefused(
                ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
                f"group {group.group_id} is subscribed to {topic}",
            )
        group.offsets.forget_partition(topic, partition)

    def forget_topic(self, topic: str) -> None:
        """The topic was deleted."""
        for group in self.by_id.values():
            group.offsets.forget(topic)

    def clear(self, reason: str) -> None:
        for group in tuple(self.by_id.values()):
            group.dissolve(reason)
        self.by_id.clear()

    def dump(self) -> list[KeptGroup]:
        return [
            KeptGroup(
                group.group_id,
                group.protocol_type,
                group.generation_id,
                {topic: dict(partitions) for topic, partitions in group.offsets.topics.items()},
                {
                    producer_id: [(*place, offset) for place, offset in held.items()]
                    for producer_id, held in group.offsets.pending.items()
                },
            )
            for group in self.by_id.values()
        ]

    def restore(self, kept: Iterable[KeptGroup]) -> None:
        for one in kept:
            group = self._get_or_create(one.group_id)
            group.protocol_type, group.generation_id = one.protocol_type, one.generation_id
            group.offsets.restore(one.offsets, one.pending)
            group.reason = "the broker was restarted"

    def _get_or_create(self, group_id: str) -> Group:
        group = self.by_id.get(group_id)
        if group is None:
            self._make_room(group_id)
            group = self.by_id[group_id] = Group(group_id, self._environment, self._options)
        return group

    def _make_room(self, group_id: str) -> None:
        if len(self.by_id) < self._environment.limits.kafka_groups:
            return
        for other in self.by_id.values():
            if other.state is GroupState.EMPTY and not other.offsets:
                del self.by_id[other.group_id]
                return
        self._environment.usage.met(
            "kafka",
            "kafka_groups",
            "groups",
            "new groups refused: {lost:,}, the last {last}",
            last=group_id,
        )
        raise RequestRefused(
            ErrorCode.COORDINATOR_NOT_AVAILABLE, f"group {group_id}: the limit kafka_groups is met"
        )


def _not_found(group_id: str) -> RequestRefused:
    return RequestRefused(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no group {group_id}")


def check_group_id(group_id: str) -> None:
    if not group_id:
        raise RequestRefused(ErrorCode.INVALID_GROUP_ID, "a group needs a name")
