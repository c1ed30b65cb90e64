"""DescribeGroups 0-6: a group's state and members (KIP-430, KIP-1043)."""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.groups.classic.group import Group
from ...state.groups.classic.member import Member
from ...state.groups.classic.state import GroupState
from ...wire.messages.groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)
from ..authorized import authorized
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import MEMBERS, each, each_by_steps

_NOT_FOUND_SINCE = 6


def handle(caller: Caller, request: DescribeGroupsRequest) -> Stepped[DescribeGroupsResponse]:
    describe = partial(_describe, caller, request.include_authorized_operations)
    return DescribeGroupsResponse(groups=(yield from each_by_steps(describe, request.groups)))


def _describe(caller: Caller, asked: bool, group_id: str) -> Stepped[DescribedGroup]:
    try:
        caller.permit("describe", "group", group_id)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.DESCRIBE_GROUPS, refusal)
        return DescribedGroup(
            error_code=code,
            group_id=group_id,
            group_state="",
            protocol_type="",
            protocol_data="",
            members=[],
        )
    operations = authorized(caller, "group", group_id, asked=asked)
    group = caller.cluster.groups.by_id.get(group_id)
    if not isinstance(group, Group):
        text = f"Group {group_id} not found." if group is None else _not_classic(group_id)
        return _dead(caller, group_id, operations, text)
    described = DescribedGroup(
        group_id=group_id,
        group_state=group.state.value,
        protocol_type=group.protocol_type,
        # While a generation is in the making there is no protocol yet.
        protocol_data=group.protocol_name or "" if group.state is GroupState.STABLE else "",
        members=[],
        authorized_operations=operations,
    )
    stable = group.protocol_name if group.state is GroupState.STABLE else None
    members = tuple(group.members)
    described.members = yield from each(partial(_member, stable), members, at_a_time=MEMBERS)
    return described


def _not_classic(group_id: str) -> str:
    return f"Group {group_id} is not a classic group."


def _dead(caller: Caller, group_id: str, operations: int, text: str) -> DescribedGroup:
    code = 0
    if caller.version >= _NOT_FOUND_SINCE:
        refusal = RequestRefused(ErrorCode.GROUP_ID_NOT_FOUND, text)
        code = caller.denied(ApiKey.DESCRIBE_GROUPS, refusal)
    return DescribedGroup(
        error_code=code,
        error_message=text if code else None,
        group_id=group_id,
        group_state=GroupState.DEAD.value,
        protocol_type="",
        protocol_data="",
        members=[],
        authorized_operations=operations,
    )


def _member(protocol_name: str | None, member: Member) -> DescribedGroupMember:
    """Its metadata by the protocol of a generation that all are in."""
    return DescribedGroupMember(
        member_id=member.member_id,
        group_instance_id=member.group_instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        member_metadata=b"" if protocol_name is None else member.metadata(protocol_name),
        member_assignment=member.assignment,
    )


API = MessageHandler(DescribeGroupsRequest, handle, changes=nothing)
