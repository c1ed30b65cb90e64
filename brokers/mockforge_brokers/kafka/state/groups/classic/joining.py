"""Who asks a classic group to join, and whether that moves anything.

The surprise is in who does not rebalance: a follower that joins again unchanged, and a static
member (KIP-345) that comes back under a new member id to the same choice of protocol, get the
answer that the group had for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....errors import RequestRefused
from ....codes import ErrorCode
from ...purgatory import Parked
from .member import JoinRequest, JoinResult, Member
from .membership import check_protocols
from .state import GroupState

if TYPE_CHECKING:
    from .group import Group


def join(group: Group, request: JoinRequest) -> Parked[JoinResult]:
    """A member wants to be part of the next generation. Raises RequestRefused."""
    check_protocols(group.group_id, group.protocol_type, group.members, request)
    if not request.member_id:
        return _join_as_new(group, request)
    if request.member_id in group.pending:
        if request.group_instance_id is not None:
            # As Kafka, which takes this for a mistake of its own: static members get no id before
            # they join, and this one would push another out of its instance id's place.
            raise RequestRefused(
                ErrorCode.UNKNOWN_SERVER_ERROR,
                f"{request.member_id} was given out to who said no instance id, and comes as"
                f" instance {request.group_instance_id}",
            )
        group.pending.take(request.member_id)
        return _add(group, request.member_id, request)
    member = group.known(request.member_id, request.group_instance_id)
    return _rejoin(group, member, request)


def _join_as_new(group: Group, request: JoinRequest) -> Parked[JoinResult]:
    instance = request.group_instance_id
    member_id = group.pending.new_id(instance or request.client_id)
    if instance is not None:
        current = group.members.by_id.get(group.members.static.get(instance, ""))
        if current is not None:
            return _return_static(group, current, member_id, request)
    elif request.must_know_id:
        # KIP-394: it becomes a member when it comes again with this id, so that who gives up on
        # a slow join and tries anew leaves no ghost behind that the others wait for.
        group.pending.give_out(member_id, request.session_timeout)
        return Parked.of(JoinResult(ErrorCode.MEMBER_ID_REQUIRED, member_id))
    return _add(group, member_id, request)


def _add(group: Group, member_id: str, request: JoinRequest) -> Parked[JoinResult]:
    member = Member(member_id, request)
    group.add(member, request.protocol_type)
    return group.park_join(member, f"{named(member)} joined{because(request.reason)}")


def _return_static(
    group: Group, member: Member, new_id: str, request: JoinRequest
) -> Parked[JoinResult]:
    old_id, old_leader = member.member_id, group.members.leader or ""
    group.members.replace_static(member, new_id)
    group.unsynced = {new_id if one == old_id else one for one in group.unsynced}
    member.update(request)
    member.client_id, member.client_host = request.client_id, request.client_host
    group.sessions.touch(member)
    if group.state is GroupState.STABLE and group.members.vote() == group.protocol_name:
        # KIP-345: a static member that comes back within its session moves nothing. An old
        # client that leads must not assign again: it is told the id that it had before.
        leads = group.members.leader == new_id
        skip = leads and request.may_skip_assignment
        leader = old_leader if leads and not skip else group.members.leader or ""
        return Parked.of(group.joined(member, leader=leader, skip=skip, roster=skip))
    return group.park_join(member, f"static {named(member)} came back")


def _rejoin(group: Group, member: Member, request: JoinRequest) -> Parked[JoinResult]:
    changed = member.protocols != request.protocols
    leads = group.members.leader == member.member_id
    # A leader that joins a stable group again wants to assign anew, since topics may have
    # grown: that is a rebalance. A follower's repeated join is none.
    answered_before = group.state is GroupState.COMPLETING_REBALANCE or (
        group.state is GroupState.STABLE and not leads
    )
    if answered_before and not changed:
        # The member did not get its answer, or asks once more: this generation still stands.
        group.sessions.touch(member)
        return Parked.of(group.joined(member, roster=leads))
    member.update(request)
    why = "with other subscriptions" if changed else "and leads"
    return group.park_join(member, f"{named(member)} rejoined {why}{because(request.reason)}")


def named(member: Member) -> str:
    """As the reason of a rebalance names it."""
    name = member.group_instance_id or member.client_id or member.member_id
    return f"member {name}"


def because(reason: str) -> str:
    """What a client gave as its reason (KIP-800), if anything."""
    return f" ({reason})" if reason else ""
