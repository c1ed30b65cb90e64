"""JoinGroup 0-9: members gather for a generation (KIP-134, KIP-345, KIP-394, KIP-800, KIP-814)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.groups.classic.member import JoinRequest, JoinResult
from ...state.purgatory import Parked
from ...wire.messages.groups import (
    JoinGroupRequest,
    JoinGroupResponse,
    JoinGroupResponseMember,
)
from ..caller import Caller
from ..handler import MessageHandler

_MUST_KNOW_ID_SINCE = 4
_MAY_SKIP_ASSIGNMENT_SINCE = 9
_NULL_PROTOCOL_SINCE = 7


def handle(
    caller: Caller, request: JoinGroupRequest
) -> Stepped[JoinGroupResponse | Parked[JoinGroupResponse]]:
    version = caller.version
    session_timeout = request.session_timeout_ms / 1000
    # Version 0 knows no rebalance timeout: the session's stands for it.
    rebalance_timeout = session_timeout if version == 0 else request.rebalance_timeout_ms / 1000
    wish = JoinRequest(
        member_id=request.member_id,
        group_instance_id=request.group_instance_id,
        client_id=caller.client_id,
        client_host=caller.client_host,
        session_timeout=session_timeout,
        rebalance_timeout=rebalance_timeout,
        protocol_type=request.protocol_type,
        protocols=tuple((one.name, one.metadata) for one in request.protocols),
        must_know_id=version >= _MUST_KNOW_ID_SINCE,
        may_skip_assignment=version >= _MAY_SKIP_ASSIGNMENT_SINCE,
        reason=request.reason or "",
    )
    try:
        caller.permit("read", "group", request.group_id)
        parked = yield from caller.cluster.groups.join(request.group_id, wish)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.JOIN_GROUP, refusal)
        # Kafka names the member only where the group is a classic one, and nothing failed.
        unnamed = (
            refusal.code == ErrorCode.UNKNOWN_SERVER_ERROR
            or caller.cluster.groups.answers_classic(request.group_id)
        )
        return JoinGroupResponse(
            error_code=code,
            protocol_name=_nullable(None, version),
            leader="",
            member_id="" if unnamed else request.member_id,
            members=[],
        )
    return parked.map(lambda result: _response(caller, result, version))


def _response(caller: Caller, result: JoinResult, version: int) -> JoinGroupResponse:
    if result.error_code:
        refusal = RequestRefused(result.error_code, f"member {result.member_id} did not join")
        caller.denied(ApiKey.JOIN_GROUP, refusal)
    return JoinGroupResponse(
        error_code=result.error_code,
        generation_id=result.generation_id,
        protocol_type=result.protocol_type,
        protocol_name=_nullable(result.protocol_name, version),
        leader=result.leader,
        skip_assignment=result.skip_assignment,
        member_id=result.member_id,
        members=[
            JoinGroupResponseMember(
                member_id=one.member_id,
                group_instance_id=one.group_instance_id,
                metadata=one.metadata,
            )
            for one in result.members
        ],
    )


def _nullable(protocol_name: str | None, version: int) -> str | None:
    return protocol_name if version >= _NULL_PROTOCOL_SINCE else protocol_name or ""


def _members(answer: JoinGroupResponse) -> int:
    return len(answer.members)


API = MessageHandler(JoinGroupRequest, handle, things=_members)
