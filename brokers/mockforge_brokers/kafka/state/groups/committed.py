"""What groups committed: taken from members and from outside, moved, and deleted."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from ....environment import Environment
from ....errors import RequestRefused
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


class CommittedOffsets:
    """Of all groups. `commit` is the one entrance; what a group keeps is its `GroupOffsets`."""

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
        knows_epochs = committer.knows_epochs and producer_id is None
        group = self._for_commit(group_id, committer, knows_epochs=knows_epochs)
        group.check_commit(committer, offsets, transactional=producer_id is not None)
        refused: dict[tuple[str, int], RequestRefused] = {}
        wall = self._environment.clock.wall()
        expires = None if committer.retention is None else wall + committer.retention
        # Kafka counts characters, whatever the key is called.
        most = self._config.number("offset.metadata.max.bytes")
        for (topic, partition), committed in offsets.items():
            if len(committed.metadata) > most:
                refused[topic, partition] = RequestRefused(
                    ErrorCode.OFFSET_METADATA_TOO_LARGE,
                    f"the metadata has {len(committed.metadata):,} characters, and"
                    f" offset.metadata.max.bytes is {most:,}",
                )
                continue
            committed = replace(
                committed, committed=wall, order=group.offsets.next_order(), expires=expires
            )
            if producer_id is None:
                group.offsets.commit(topic, partition, committed)
            else:
                group.offsets.hold(producer_id, topic, partition, committed)
        self._keeper.group_changed(group_id)
        return refused

    def holds(self, group_id: str, producer_id: int) -> bool:
        """Whether a producer committed to this group in a transaction that is still open."""
        group = self._groups.get(group_id)
        return group is not None and producer_id in group.offsets.pending

    def settle(self, group_id: str, producer_id: int, *, committed: bool) -> None:
        """A transaction in which offsets were committed to this group ended."""
        group = self._groups.get(group_id)
        if group is not None:
            group.offsets.settle(producer_id, committed=committed)
            self._keeper.group_changed(group_id)

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
        self._keeper.group_changed(group.group_id)

    def expire(self, group: AnyGroup, topic: str, partition: int) -> None:
        """It was committed too long ago."""
        group.offsets.forget_partition(topic, partition)
        self._keeper.group_changed(group.group_id)

    def forget_topic(self, topic: str) -> None:
        """The topic was deleted."""
        for group in self._groups.values():
            if group.offsets.forget(topic):
                self._keeper.group_changed(group.group_id)


def no_group(group_id: str) -> RequestRefused:
    return RequestRefused(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no group {group_id}")


def check_group_id(group_id: str) -> None:
    if not group_id:
        raise RequestRefused(ErrorCode.INVALID_GROUP_ID, "a group needs a name")
