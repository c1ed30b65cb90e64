"""Members of the classic protocol in a consumer group, while its clients change over (KIP-848).

JoinGroup, SyncGroup, Heartbeat and LeaveGroup stand for what the consumer protocol says by its
heartbeat: a member's epoch is its generation, JoinGroup takes a step towards its target, SyncGroup
says what it has, and REBALANCE_IN_PROGRESS that it has to join again for its next step. Nobody
leads, since the broker assigns.
"""

from .....environment import Environment
from .....errors import RequestRefused
from .....fairness import Stepped
from ....codes import ErrorCode
from ...purgatory import Parked
from ..classic.member import JoinRequest, JoinResult, SyncRequest, SyncResult
from ..embedded import Embedded
from ..sessions import new_member_id
from .group import ConsumerGroup
from .member import ClassicMember, ConsumerMember, HeartbeatRequest, MemberState

_CONSUMERS = "consumer"
_FAILED_TO_JOIN = "did not rejoin within the rebalance timeout"
_FAILED_TO_SYNC = "did not sync within the rebalance timeout"


class ClassicMembers:
    """Each method answers for the group that it is given, and raises RequestRefused."""

    def __init__(self, environment: Environment, embedded: Embedded) -> None:
        self._environment = environment
        self._embedded = embedded

    def join(
        self, group: ConsumerGroup, request: JoinRequest, *, downgrades: bool
    ) -> Stepped[JoinResult]:
        """Nobody waits for others here: what takes steps is the target of thousands of partitions.

        `downgrades`: the group becomes a classic one when all speak that protocol. Where another
        group took the place of this one meanwhile, it says so as a rebalance.
        """
        self._check(group, request)
        member_id = request.member_id or new_member_id(self._environment)
        instance = request.group_instance_id
        if not request.member_id and instance is None and request.must_know_id:
            return JoinResult(ErrorCode.MEMBER_ID_REQUIRED, member_id)
        # By the first one: a client says the same topics with each of its assignors.
        subscription = self._embedded.subscription(request.protocols[0][1])
        if subscription is None:
            raise _not_supported(request)
        wish = HeartbeatRequest(
            member_id=member_id,
            # JoinGroup says everything, as the heartbeat of one that joins.
            member_epoch=0,
            group_instance_id=instance,
            rack_id=subscription.rack_id,
            client_id=request.client_id,
            client_host=request.client_host,
            rebalance_timeout=request.rebalance_timeout,
            topic_names=subscription.topics,
            owned=group.topics.keys(subscription.owned),
            classic=ClassicMember(request.session_timeout, request.protocols),
        )
        # A static member with its id comes for its next step. One without is a new process, which
        # `enter` puts in the place of the one before.
        if request.member_id and instance is not None:
            member = group.members.known(member_id, instance)
        else:
            member = group.enter(wish)
        others = (other for other in group.members.values() if other is not member)
        was_last = (
            downgrades and member.classic is None and all(one.classic is not None for one in others)
        )
        if was_last and not group.is_current_for(member, wish):
            # It took the place of the last one who spoke the consumer protocol: as in Kafka no
            # target is made any more, and of this generation it hears that it is over.
            return JoinResult(ErrorCode.NONE, member_id, 0, _CONSUMERS, request.protocols[0][0])
        yield from group.advance(member, wish)
        if group.retired:
            return JoinResult(ErrorCode.REBALANCE_IN_PROGRESS, member_id)
        # `expect` does not move a timer that runs, and this one is for another step.
        group.stop_timer(member)
        group.expect(member, _FAILED_TO_SYNC)
        return JoinResult(
            ErrorCode.NONE, member_id, member.epoch, _CONSUMERS, request.protocols[0][0]
        )

    @staticmethod
    def _check(group: ConsumerGroup, request: JoinRequest) -> None:
        """All classic members must share an assignor."""
        names = {name for name, _ in request.protocols}
        known = [
            {name for name, _ in one.classic.protocols}
            for one in group.members.values()
            if one.classic is not None
        ]
        if request.protocol_type != _CONSUMERS or not names.intersection(*known):
            raise _not_supported(request)

    def sync(self, group: ConsumerGroup, request: SyncRequest) -> Parked[SyncResult]:
        """What the member has by now."""
        member, classic = self._present(
            group, request.member_id, request.group_instance_id, request.generation_id
        )
        first = classic.protocols[0]
        for said, expected in (
            (request.protocol_type, _CONSUMERS),
            (request.protocol_name, first[0]),
        ):
            if said is not None and said != expected:
                raise RequestRefused(
                    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
                    f"member {member.member_id} says {said}, and joined as {expected}",
                )
        # One that is to give up partitions gets its smaller assignment though there is a newer
        # epoch: by it the client sees what it has to give up, and others wait for that.
        if group.target.epoch > member.epoch and member.state is not MemberState.UNREVOKED:
            group.expect(member, _FAILED_TO_JOIN)
            raise self._rebalancing(group)
        group.stop_timer(member)
        group.touch(member)
        subscription = self._embedded.subscription(first[1])
        version = subscription.version if subscription is not None else 0
        assignment = self._embedded.assignment(version, group.topics.named(member.assigned))
        return Parked.of(
            SyncResult(ErrorCode.NONE, request.protocol_type, request.protocol_name, assignment)
        )

    def heartbeat(
        self, group: ConsumerGroup, member_id: str, generation_id: int, instance: str | None
    ) -> None:
        """Raises RequestRefused, with REBALANCE_IN_PROGRESS when the member has to join again."""
        member, _ = self._present(group, member_id, instance, generation_id)
        group.touch(member)
        # A classic client is handed nothing by a heartbeat: it joins again as soon as there is
        # something new for it, also what others have given up meanwhile.
        wanted = group.target.of(member.member_id) - member.assigned
        free = member.state is MemberState.UNRELEASED and not (
            group.members.held_by_others(member, wanted)
        )
        if member.epoch < group.target.epoch or member.state is MemberState.UNREVOKED or free:
            group.expect(member, _FAILED_TO_JOIN)
            raise self._rebalancing(group)

    def leave(
        self, group: ConsumerGroup, member_id: str, instance: str | None, reason: str
    ) -> None:
        """A member goes, named by its id or by its instance id alone."""
        if instance is not None and not member_id:
            static = group.members.static(instance)
            member_id = static.member_id if static is not None else ""
        member = group.members.known(member_id, instance)
        group.remove(member, f"left ({reason})" if reason else "left")

    def _classic(
        self, group: ConsumerGroup, member_id: str, instance: str | None
    ) -> tuple[ConsumerMember, ClassicMember]:
        member = group.members.known(member_id, instance)
        if member.classic is None:
            raise RequestRefused(
                ErrorCode.UNKNOWN_MEMBER_ID,
                f"Member {member.member_id} does not use the classic protocol.",
            )
        return member, member.classic

    def _present(
        self, group: ConsumerGroup, member_id: str, instance: str | None, generation_id: int
    ) -> tuple[ConsumerMember, ClassicMember]:
        member, classic = self._classic(group, member_id, instance)
        if generation_id != member.epoch:
            raise RequestRefused(
                ErrorCode.ILLEGAL_GENERATION,
                f"The request generation id {generation_id} is not equal to the member epoch"
                f" {member.epoch} of member {member.member_id}.",
            )
        return member, classic

    @staticmethod
    def _rebalancing(group: ConsumerGroup) -> RequestRefused:
        return RequestRefused(
            ErrorCode.REBALANCE_IN_PROGRESS, f"group {group.group_id} rebalances: {group.reason}"
        )


def _not_supported(request: JoinRequest) -> RequestRefused:
    return RequestRefused(
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        f"Member {request.member_id}'s protocols are not supported.",
    )
