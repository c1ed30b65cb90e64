"""LeaveGroup 0-5: one member goes, or an admin removes several (KIP-345, KIP-800)."""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.groups.committed import check_group_id
from ...wire.messages.groups import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
    MemberResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import each

_SEVERAL_SINCE = 3


def handle(caller: Caller, request: LeaveGroupRequest) -> Stepped[LeaveGroupResponse]:
    group_id = request.group_id
    try:
        caller.permit("read", "group", group_id)
        check_group_id(group_id)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.LEAVE_GROUP, refusal)
        return LeaveGroupResponse(error_code=code, members=[])
    if caller.version < _SEVERAL_SINCE:
        member = MemberIdentity(member_id=request.member_id)
        return LeaveGroupResponse(error_code=_leave(caller, group_id, member).error_code)
    left = yield from each(partial(_leave, caller, group_id), request.members)
    return LeaveGroupResponse(members=left)


def _leave(caller: Caller, group_id: str, member: MemberIdentity) -> MemberResponse:
    code = 0
    try:
        caller.cluster.groups.leave(
            group_id, member.member_id, member.group_instance_id, member.reason or ""
        )
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.LEAVE_GROUP, refusal)
    return MemberResponse(
        member_id=member.member_id, group_instance_id=member.group_instance_id, error_code=code
    )


API = MessageHandler(LeaveGroupRequest, handle)
