"""PushTelemetry 0: a client's own metrics (KIP-714)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...wire.messages.telemetry import PushTelemetryRequest, PushTelemetryResponse
from ..caller import Caller
from ..handler import MessageHandler
from .attributes import attributes


def handle(caller: Caller, request: PushTelemetryRequest) -> PushTelemetryResponse:
    try:
        caller.cluster.telemetry.push(
            request.client_instance_id,
            attributes(caller),
            caller.peer.id,
            request.subscription_id,
            request.compression_type,
            bytes(request.metrics),
            terminating=request.terminating,
        )
    except RequestRefused as refusal:
        return PushTelemetryResponse(error_code=caller.denied(ApiKey.PUSH_TELEMETRY, refusal))
    return PushTelemetryResponse()


API = MessageHandler(PushTelemetryRequest, handle)
