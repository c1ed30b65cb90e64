"""What groups committed: taken from members and from outside, moved, and deleted."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ....environment import Environment
from ....errors import RequestRefused
from ....fairness import Steps
from ...codes import ErrorCode
from ...events import OffsetsReset
from ..configs.broker import BrokerConfig
from ..keeper import Keeper
from .kept import AnyGroup
from .offsets import CommittedOffset
from .offsets import Committer as Committer

_CONSUMERS: Final = "consumer"
"""The protocol type whose members say to which topics they subscribe."""

Offsets = Mapping[tuple[str, int], CommittedOffset]
"""By topic and partition."""
Stamp = Callable[[int, int, str], CommittedOffset]
"""Makes what is committed of an offset, its leader epoch and its metadata."""


class CommittedOffsets:
    """Of all groups. `keep` is the one entrance; what a group keeps is its `GroupOffsets`."""

    def __init__(
        self,
        environment: Environment,
        keeper: Keeper,
        groups: Mapping[str, AnyGroup],
        get_or_create: Callable[[str], AnyGroup],
        config: BrokerConfig,
    ) -> None:
        """`get_or_create` is asked for the group of the first commit."""
        self._environment = environment
        self._keeper = keeper
        self._groups = groups
        self._get_or_create = get_or_create
        self._config = config
        self._newest = 0
        self._groups_of: dict[str, set[str]] = {}
        """By topic the groups that have met it: a topic that goes asks none of the others."""

    def watch(self, group: AnyGroup) -> None:
        """A new group is there."""
        group_id, groups_of = group.group_id, self._groups_of

        def met(topic: str) -> None:
            groups_of.setdefault(topic, set()).add(group_id)

        group.offsets.on_topic = met
        group.offsets.log = self._keeper.make_offsets_log(group_id)

    def forget_group(self, group: AnyGroup) -> None:
        """The group is no more."""
        for topic in group.offsets.met:
            self._groups_of[topic].discard(group.group_id)
            if not self._groups_of[topic]:
                del self._groups_of[topic]
        group.offsets.log.drop()

    def clear(self) -> None:
        """No group is there any more."""
        self._groups_of.clear()

    def stamp(self, committer: Committer) -> Stamp:
        """What all that one request commits has in common: its time, and its place in the order."""
        wall = self._environment.clock.wall()
        expires = None if committer.retention is None else wall + committer.retention
        self._newest = order = self._newest + 1

        def stamped(offset: int, leader_epoch: int, metadata: str) -> CommittedOffset:
            return CommittedOffset(offset, leader_epoch, metadata, wall, order, expires)

        return stamped

    def restored(self, group: AnyGroup) -> None:
        """A restart kept what this group committed: what comes now comes after it."""
        self._newest = max(self._newest, group.offsets.newest)

    def commit(
        self,
        group_id: str,
        committer: Committer,
        offsets: Offsets,
        *,
        producer_id: int | None = None,
    ) -> dict[tuple[str, int], RequestRefused]:
        """Commit offsets now; the rest as `keep`."""
        stamp = self.stamp(committer)
        stamped = {
            place: stamp(one.offset, one.leader_epoch, one.metadata)
            for place, one in offsets.items()
        }
        return self.keep(group_id, committer, stamped, producer_id=producer_id)

    def keep(
        self,
        group_id: str,
        committer: Committer,
        offsets: Offsets,
        *,
        producer_id: int | None = None,
    ) -> dict[tuple[str, int], RequestRefused]:
        """Keep offsets that have their stamp; returns what is refused, each with its reason.

        The one entrance for offsets. With a producer id they count when its transaction is
        committed. Raises RequestRefused where the group takes none at all.
        """
        knows_epochs = committer.knows_epochs and producer_id is None
        group = self._for_commit(group_id, committer, knows_epochs=knows_epochs)
        group.check_commit(committer, offsets, transactional=producer_id is not None)
        refused = self._too_large(offsets)
        if refused:
            offsets = {place: one for place, one in offsets.items() if place not in refused}
        if producer_id is None:
            for (topic, partition), committed in offsets.items():
                group.offsets.commit(topic, partition, committed)
        elif offsets:
            group.offsets.hold(producer_id, offsets)
        if group.offsets.generation_id != group.generation_id and group.offsets:
            group.offsets.generation_id = group.generation_id
            self._keeper.group_changed(group_id)
        return refused

    def _too_large(self, offsets: Offsets) -> dict[tuple[str, int], RequestRefused]:
        # Kafka counts characters, whatever the key is called.
        most = self._config.number("offset.metadata.max.bytes")
        return {
            place: RequestRefused(
                ErrorCode.OFFSET_METADATA_TOO_LARGE,
                f"the metadata has {len(one.metadata):,} characters, and"
                f" offset.metadata.max.bytes is {most:,}",
            )
            for place, one in offsets.items()
            if len(one.metadata) > most
        }

    def holds(self, group_id: str, producer_id: int) -> bool:
        """Whether a producer committed to this group in a transaction that is still open."""
        group = self._groups.get(group_id)
        return group is not None and producer_id in group.offsets.pending

    def settle(self, group_id: str, producer_id: int, *, committed: bool) -> Steps:
        """A transaction in which offsets were committed to this group ended."""
        group = self._groups.get(group_id)
        if group is not None:
            yield from group.offsets.settle(producer_id, committed=committed)
            self._changed(group)

    def _for_commit(self, group_id: str, committer: Committer, *, knows_epochs: bool) -> AnyGroup:
        check_group_id(group_id)
        group = self._groups.get(group_id)
        if group is not None:
            return group
        if committer.generation_id >= 0:
            refusal = no_group(group_id)
            # To older requests, and to those of transactions, Kafka says it of the generation.
            code = refusal.code if knows_epochs else ErrorCode.ILLEGAL_GENERATION
            raise RequestRefused(code, refusal.text)
        return self._get_or_create(group_id)

    def reset(
        self,
        group_id: str,
        topic: str,
        offsets: dict[int, int],
        *,
        source: str,
        dry_run: bool = False,
    ) -> None:
        """Move what an empty group committed; a dry run only raises where it could not.

        Raises RequestRefused.
        """
        group = self._groups.get(group_id)
        if group is not None and not group.empty:
            raise RequestRefused(
                ErrorCode.NON_EMPTY_GROUP,
                f"group {group_id} has {len(group.members)} members; stop or kick them first",
            )
        if dry_run:
            return
        moved = {(topic, partition): CommittedOffset(at) for partition, at in offsets.items()}
        self.commit(group_id, Committer(), moved)
        committed = tuple(sorted(offsets.items()))
        self._environment.spine.emit(OffsetsReset("kafka", group_id, topic, committed, source))

    def for_deletion(self, group_id: str) -> AnyGroup:
        """The group of which committed offsets are to go. Raises RequestRefused."""
        check_group_id(group_id)
        group = self._groups.get(group_id)
        if group is None:
            raise no_group(group_id)
        if not group.empty and group.protocol_type != _CONSUMERS:
            raise RequestRefused(
                ErrorCode.NON_EMPTY_GROUP,
                f"what group {group_id} ({group.protocol_type}) uses is not known",
            )
        return group

    def delete(
        self, group: AnyGroup, topic: str, partition: int, subscribed: frozenset[str] | None
    ) -> None:
        """Forget what was committed of a partition. Raises RequestRefused.

        `subscribed` are the topics of the group's members; None, which may be any: all of them.
        """
        if subscribed is None or topic in subscribed:
            raise RequestRefused(
                ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
                f"group {group.group_id} is subscribed to {topic}",
            )
        group.offsets.forget_partition(topic, partition)
        self._changed(group)

    def expire(self, group: AnyGroup, places: Iterable[tuple[str, int]]) -> None:
        """They were committed too long ago."""
        for topic, partition in places:
            group.offsets.forget_partition(topic, partition)
        self._changed(group)

    def forget_topic(self, topic: str) -> None:
        """The topic was deleted."""
        for group_id in sorted(self._groups_of.pop(topic, ())):
            group = self._groups[group_id]
            if group.offsets.forget(topic):
                self._changed(group)

    def _changed(self, group: AnyGroup) -> None:
        """What it committed went, maybe all of it: without any nothing of a group is kept."""
        group.offsets.generation_id = None
        self._keeper.group_changed(group.group_id)


def no_group(group_id: str) -> RequestRefused:
    return RequestRefused(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no group {group_id}")


def check_group_id(group_id: str) -> None:
    if not group_id:
        raise RequestRefused(ErrorCode.INVALID_GROUP_ID, "a group needs a name")
