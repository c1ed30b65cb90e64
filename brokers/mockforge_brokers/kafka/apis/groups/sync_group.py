"""SyncGroup 0-5: the leader's assignments, and each member's own (KIP-345, KIP-559)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...state.groups.classic.member import SyncRequest, SyncResult
from ...state.purgatory import Parked
from ...wire.messages.groups import SyncGroupRequest, SyncGroupResponse
from ..caller import Caller
from ..handler import MessageHandler


def handle(
    caller: Caller, request: SyncGroupRequest
) -> SyncGroupResponse | Parked[SyncGroupResponse]:
    wish = SyncRequest(
        member_id=request.member_id,
        generation_id=request.generation_id,
        group_instance_id=request.group_instance_id,
        protocol_type=request.protocol_type,
        protocol_name=request.protocol_name,
        assignments=tuple((one.member_id, one.assignment) for one in request.assignments),
    )
    try:
        caller.permit("read", "group", request.group_id)
        parked = caller.cluster.groups.sync(request.group_id, wish)
    except RequestRefused as refusal:
        return SyncGroupResponse(
            error_code=caller.denied(ApiKey.SYNC_GROUP, refusal), assignment=b""
        )
    return parked.map(lambda result: _response(caller, result))


def _response(caller: Caller, result: SyncResult) -> SyncGroupResponse:
    if result.error_code:
        refusal = RequestRefused(result.error_code, "the generation ended before it was assigned")
        caller.denied(ApiKey.SYNC_GROUP, refusal)
    return SyncGroupResponse(
        error_code=result.error_code,
        protocol_type=result.protocol_type,
        protocol_name=result.protocol_name,
        assignment=result.assignment,
    )


API = MessageHandler(SyncGroupRequest, handle)
