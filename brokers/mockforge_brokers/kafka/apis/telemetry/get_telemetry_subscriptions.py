"""GetTelemetrySubscriptions 0: which metrics are wanted of this client (KIP-714)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...state.telemetry import ACCEPTED
from ...wire.messages.telemetry import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from .attributes import attributes


def handle(
    caller: Caller, request: GetTelemetrySubscriptionsRequest
) -> GetTelemetrySubscriptionsResponse:
    try:
        answer = caller.cluster.telemetry.subscribe(
            request.client_instance_id, attributes(caller), caller.peer.id
        )
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, refusal)
        return GetTelemetrySubscriptionsResponse(error_code=code)
    return GetTelemetrySubscriptionsResponse(
        client_instance_id=answer.instance_id,
        subscription_id=answer.subscription_id,
        accepted_compression_types=ACCEPTED,
        push_interval_ms=answer.interval_ms,
        telemetry_max_bytes=answer.max_bytes,
        delta_temporality=True,
        requested_metrics=answer.metrics,
    )


API = MessageHandler(GetTelemetrySubscriptionsRequest, handle)
