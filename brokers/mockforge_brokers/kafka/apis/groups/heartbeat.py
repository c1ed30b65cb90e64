"""Heartbeat 0-4: a member is alive, and learns of rebalances (KIP-345)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...wire.messages.groups import HeartbeatRequest, HeartbeatResponse
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: HeartbeatRequest) -> HeartbeatResponse:
    try:
        caller.permit("read", "group", request.group_id)
        caller.cluster.groups.classic_heartbeat(
            request.group_id,
            request.member_id,
            request.generation_id,
            request.group_instance_id,
        )
    except RequestRefused as refusal:
        return HeartbeatResponse(error_code=caller.denied(ApiKey.HEARTBEAT, refusal))
    return HeartbeatResponse()


API = MessageHandler(HeartbeatRequest, handle)
