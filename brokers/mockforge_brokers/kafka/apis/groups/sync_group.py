"""SyncGroup 0-5: the leader's assignments, and each member's own (KIP-345, KIP-559)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.groups.classic.member import SyncRequest, SyncResult
from ...state.purgatory import Parked
from ...wire.messages.groups import SyncGroupRequest, SyncGroupResponse
from ..caller import Caller
from ..handler import MessageHandler

_PROTOCOL_SINCE = 5


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
        _check_protocol(caller, request)
        caller.permit("read", "group", request.group_id)
        parked = caller.cluster.groups.sync(request.group_id, wish)
    except RequestRefused as refusal:
        return SyncGroupResponse(
            error_code=caller.denied(ApiKey.SYNC_GROUP, refusal), assignment=b""
        )
    return parked.map(lambda result: _response(caller, result))


def _check_protocol(caller: Caller, request: SyncGroupRequest) -> None:
    """KIP-559: who says no protocol is refused before anything is looked for."""
    named = request.protocol_type is not None and request.protocol_name is not None
    if caller.version >= _PROTOCOL_SINCE and not named:
        raise RequestRefused(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            f"SyncGroup of group {request.group_id} names no protocol type or no protocol",
        )


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
