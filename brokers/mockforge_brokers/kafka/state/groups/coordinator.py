"""All consumer groups of the broker."""

from collections.abc import Iterable
from typing import TypeVar

from msgspec import structs

from ....environment import Environment
from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ErrorCode
from ...events import GroupDeleted, GroupProtocolChanged
from ...options import KafkaOptions
from ..configs.broker import BrokerConfig
from ..configs.group import GroupConfigs
from ..keeper import FORGETFUL, Keeper
from ..logs.topic import Topics
from ..patterns import compiled
from ..purgatory import Parked
from .capacity import check_classic, check_consumers, check_conversion
from .classic.group import Group
from .classic.member import JoinRequest, JoinResult, SyncRequest, SyncResult
from .committed import CommittedOffsets, check_group_id, no_group
from .consumer.classic_members import ClassicMembers
from .consumer.group import ConsumerGroup, HeartbeatResult
from .consumer.member import HeartbeatRequest
from .embedded import OPAQUE, Embedded
from .kept import AnyGroup, KeptGroup, kept_with_members, restore_members
from .migration import (
    CONSUMERS,
    can_be_classic,
    check_upgrade,
    into_classic,
    into_consumer,
    reading,
)

G = TypeVar("G", Group, ConsumerGroup)


class Groups:
    """The group coordinator. A group comes into being with its first member or commit.

    A group without members becomes one of the other protocol when a client of that comes, and
    keeps what was committed. One of consumers with members does so too, as far as
    `group.consumer.migration.policy` allows: members of both protocols are then in one consumer
    group, until nobody of it speaks the consumer protocol.
    """

    def __init__(
        self,
        environment: Environment,
        options: KafkaOptions,
        topics: Topics | None = None,
        keeper: Keeper = FORGETFUL,
        configs: GroupConfigs | None = None,
        embedded: Embedded = OPAQUE,
    ) -> None:
        self._configs = GroupConfigs(BrokerConfig(options)) if configs is None else configs
        self.by_id: dict[str, AnyGroup] = {}
        self.offsets = CommittedOffsets(
            environment, keeper, self.by_id, self._get_or_create, self._configs.broker
        )
        self._keeper = keeper
        self._topics = Topics() if topics is None else topics
        self._environment = environment
        self._options = options
        self.embedded = embedded
        self._classic = ClassicMembers(environment, embedded)
        environment.usage.gauge("kafka_groups", lambda: len(self.by_id))

    def join(self, group_id: str, request: JoinRequest) -> Stepped[Parked[JoinResult]]:
        """In steps where the broker assigns. Raises RequestRefused."""
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
        group = self.by_id.get(group_id)
        if isinstance(group, ConsumerGroup) and not group.empty:
            return (yield from self._join_consumer(group, request))
        if isinstance(group, Group):
            check_classic(group, request.member_id, self._configs.broker)
        if request.member_id:
            return self.known(group_id).join(request)
        group = self._get_or_create(group_id)
        if isinstance(group, ConsumerGroup):
            group = self._convert(group, Group(group_id, self._environment, self._options))
        return group.join(request)

    def _join_consumer(
        self, group: ConsumerGroup, request: JoinRequest
    ) -> Stepped[Parked[JoinResult]]:
        if self._policy.lower() == "disabled":
            raise RequestRefused(
                ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
                f"group {group.group_id} is a consumer group with members, and"
                " group.consumer.migration.policy is disabled",
            )
        check_consumers(group, request.member_id, self._configs.broker)
        former = group.members.static(request.group_instance_id)
        replaced = former is not None and former.classic is None
        result = yield from self._classic.join(
            group, request, downgrades=can_be_classic(self._policy)
        )
        if group.retired:
            # Meanwhile the last one who spoke the consumer protocol went: it waits for the others.
            again = structs.replace(request, member_id=result.member_id)
            return (yield from self.join(group.group_id, again))
        if replaced and group.members.only_classic:
            self._downgrade(group, "" if result.generation_id else "a static member came back")
        return Parked.of(result)

    def heartbeat(self, group_id: str, request: HeartbeatRequest) -> Stepped[HeartbeatResult]:
        """A heartbeat of the consumer protocol (KIP-848). Raises RequestRefused."""
        if request.topic_regex:
            compiled(request.topic_regex)
        group = yield from self._for_consumer(group_id, request)
        if request.member_epoch >= 0:
            check_consumers(group, request.member_id, self._configs.broker)
        return (yield from group.heartbeat(request))

    def _for_consumer(self, group_id: str, request: HeartbeatRequest) -> Stepped[ConsumerGroup]:
        """The group of a member that speaks the consumer protocol; it may begin by that.

        What the members of a very large classic group said is read in steps, and looked at again
        where that group is another one by then. Raises RequestRefused.
        """
        read, of = None, None
        while not isinstance(group := self.by_id.get(group_id), ConsumerGroup):
            if group is None:
                if request.member_epoch:
                    kind = "Consumer group" if request.member_epoch > 0 else "Group"
                    text = f"{kind} {group_id} not found."
                    raise RequestRefused(ErrorCode.GROUP_ID_NOT_FOUND, text)
                self._make_room(group_id)
            elif request.member_epoch:
                raise not_consumer(group_id)
            elif not group.empty:
                check_upgrade(group, self._policy)
                check_conversion(group, self._configs.broker)
                if read is None or of is not group:
                    read, of = (yield from reading(group, self.embedded, self._topics)), group
                    continue
            new = self._new_consumer_group(group_id)
            if group is not None and not group.empty:
                assert read is not None
                into_consumer(group, new, read, self._topics)
                self._announce(new, f"member {request.client_id or request.member_id} speaks it")
            return self._convert(group, new)
        return group

    def _new_consumer_group(self, group_id: str) -> ConsumerGroup:
        return ConsumerGroup(
            group_id, self._environment, self._configs, self._topics, self._downgrade
        )

    @property
    def _policy(self) -> str:
        return self._configs.broker.value("group.consumer.migration.policy")

    def _downgrade(self, former: ConsumerGroup, reason: str) -> bool:
        """Make a classic group of one whose members all speak the classic protocol.

        Without a reason to assign anew everything stays as it is.
        """
        if not can_be_classic(self._policy):
            return False
        group = Group(former.group_id, self._environment, self._options)
        into_classic(former, group, self.embedded)
        self._convert(former, group)
        self._announce(group, reason or "its last static member came back speaking it")
        if reason:
            group.rebalance(reason)
        return True

    def _announce(self, group: AnyGroup, reason: str) -> None:
        protocol = "consumer" if isinstance(group, ConsumerGroup) else "classic"
        event = GroupProtocolChanged("kafka", group.group_id, protocol, len(group.members), reason)
        self._environment.spine.emit(event)

    def consumer(self, group_id: str) -> ConsumerGroup:
        """A group of the consumer protocol. Raises RequestRefused."""
        group = self.by_id.get(group_id)
        if group is None:
            raise RequestRefused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        if not isinstance(group, ConsumerGroup):
            raise not_consumer(group_id)
        return group

    def present(self, group_id: str) -> AnyGroup:
        """A group of any protocol, for what people do with it. Raises RequestRefused."""
        group = self.by_id.get(group_id)
        if group is None:
            raise no_group(group_id)
        return group

    def check_fetch(self, group_id: str, member_id: str | None, epoch: int) -> None:
        """Raises RequestRefused where a member asks for offsets at an epoch that is not its own."""
        group = self.by_id.get(group_id)
        if isinstance(group, ConsumerGroup) and (member_id is not None or epoch >= 0):
            group.members.check_epoch(member_id or "", epoch)

    def _convert(self, former: AnyGroup | None, new: G) -> G:
        """Put a group of the other protocol in the place of one without members."""
        if former is not None:
            if former.empty:
                former.retire()
            new.offsets, new.rebalances = former.offsets, former.rebalances
            new.offsets.generation_id = None
            self._keeper.group_changed(new.group_id)
        else:
            self.offsets.watch(new)
        self.by_id[new.group_id] = new
        return new

    def sync(self, group_id: str, request: SyncRequest) -> Parked[SyncResult]:
        """Raises RequestRefused."""
        group = self._for_classic(group_id)
        if isinstance(group, ConsumerGroup):
            return self._classic.sync(group, request)
        return group.sync(request)

    def classic_heartbeat(
        self, group_id: str, member_id: str, generation_id: int, instance: str | None
    ) -> None:
        """Raises RequestRefused, with REBALANCE_IN_PROGRESS when the member has to join again."""
        group = self._for_classic(group_id)
        if isinstance(group, ConsumerGroup):
            self._classic.heartbeat(group, member_id, generation_id, instance)
        else:
            group.heartbeat(member_id, generation_id, instance)

    def leave(self, group_id: str, member_id: str, instance: str | None, reason: str) -> None:
        """A member of the classic protocol goes. Raises RequestRefused."""
        group = self._for_classic(group_id)
        if isinstance(group, ConsumerGroup):
            self._classic.leave(group, member_id, instance, reason)
        else:
            group.leave(member_id, instance, reason)

    def answers_classic(self, group_id: str) -> bool:
        """Whether members of a consumer group are asked for by requests of the classic protocol."""
        group = self.by_id.get(group_id)
        return isinstance(group, ConsumerGroup) and not group.empty

    def _for_classic(self, group_id: str) -> AnyGroup:
        """The group in which somebody of the classic protocol says to be."""
        group = self.by_id.get(group_id)
        return group if isinstance(group, ConsumerGroup) else self.known(group_id)

    def known(self, group_id: str) -> Group:
        """The classic group of somebody who says to be in it. Raises RequestRefused."""
        check_group_id(group_id)
        group = self.by_id.get(group_id)
        if not isinstance(group, Group):
            raise RequestRefused(ErrorCode.UNKNOWN_MEMBER_ID, f"there is no group {group_id}")
        return group

    def delete(self, group_id: str, *, source: str) -> None:
        """A group without members goes with all that it committed. Raises RequestRefused."""
        group = self.by_id.get(group_id)
        if group is None:
            raise no_group(group_id)
        if not group.empty:
            raise RequestRefused(
                ErrorCode.NON_EMPTY_GROUP,
                f"group {group_id} has {len(group.members)} members",
            )
        group.dissolve(f"deleted by {source}")
        self._remove(group)
        self._keeper.group_changed(group_id)
        self._environment.spine.emit(GroupDeleted("kafka", group_id, source))

    def _remove(self, group: AnyGroup) -> None:
        del self.by_id[group.group_id]
        self.offsets.forget_group(group)

    def subscribed(self, group: AnyGroup) -> frozenset[str] | None:
        """The topics that its members read; None where that is theirs alone to know."""
        if isinstance(group, ConsumerGroup):
            return group.topics.names
        read: set[str] = set()
        for member in group.members:
            found = self.embedded.subscription(member.metadata(group.protocol_name))
            if group.protocol_type != CONSUMERS or found is None:
                return None
            read |= found.topics
        return frozenset(read)

    def look_again(self, reason: str) -> None:
        """What the broker's assignors go by is other than it was: groups get another epoch."""
        for group in self.by_id.values():
            if isinstance(group, ConsumerGroup):
                group.look_again(reason)

    def clear(self, reason: str) -> None:
        for group in tuple(self.by_id.values()):
            group.dissolve(reason)
            group.offsets.log.drop()
            self._keeper.group_changed(group.group_id)
        self.by_id.clear()
        self.offsets.clear()

    def dump(self) -> list[KeptGroup]:
        return [kept_with_members(group) for group in self.by_id.values()]

    def retire(self) -> None:
        """Others take the place of all groups, with their members."""
        for group in self.by_id.values():
            group.retire()
        self.by_id.clear()
        self.offsets.clear()

    def restore(self, kept: Iterable[KeptGroup]) -> None:
        for one in kept:
            group: AnyGroup
            if one.consumer:
                group = self._convert(None, self._new_consumer_group(one.group_id))
                group.begin_at(one.generation_id)
            else:
                group = self._convert(None, Group(one.group_id, self._environment, self._options))
                group.protocol_type, group.generation_id = one.protocol_type, one.generation_id
            group.offsets.log.restore(one.log, group.offsets)
            group.offsets.restore(one.offsets, one.pending)
            self.offsets.restored(group)
            group.rebalances.reason = "the broker was restarted"
            group.emptied = self._environment.clock.wall()
            restore_members(group, one)
            self._keeper.group_changed(group.group_id)

    def _get_or_create(self, group_id: str) -> AnyGroup:
        group = self.by_id.get(group_id)
        if group is None:
            self._make_room(group_id)
            group = self._convert(None, Group(group_id, self._environment, self._options))
        return group

    def _make_room(self, group_id: str) -> None:
        if len(self.by_id) < self._environment.limits.kafka_groups:
            return
        for other in self.by_id.values():
            if other.empty and not other.offsets:
                # Ids that it gave out would keep it until nobody came by them.
                other.dissolve("made room for another group")
                self._remove(other)
                self._keeper.group_changed(other.group_id)
                return
        raise self.no_room(group_id)

    def no_room(self, group_id: str) -> RequestRefused:
        """The limit of groups is met, which is counted; the refusal that says so."""
        self._environment.usage.met(
            "kafka",
            "kafka_groups",
            "groups",
            "new groups refused: {lost:,}, the last {last}",
            last=group_id,
        )
        return RequestRefused(
            ErrorCode.COORDINATOR_NOT_AVAILABLE, f"group {group_id}: the limit kafka_groups is met"
        )


def not_consumer(group_id: str) -> RequestRefused:
    return RequestRefused(
        ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group."
    )
