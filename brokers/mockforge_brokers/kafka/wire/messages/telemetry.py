"""Clients' own metrics: which a broker asks for, and what they push (KIP-714)."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    ZERO_UUID,
    Bool,
    Bytes,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Uuid,
    request,
    response,
)


@request(ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, "0", flexible=0)
class GetTelemetrySubscriptionsRequest(Message):
    """The id is zero at first."""

    client_instance_id: Uuid = ZERO_UUID


@response(ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, "0", flexible=0)
class GetTelemetrySubscriptionsResponse(Message):
    """No requested metrics: none are wanted; `*`: all."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    client_instance_id: Uuid = ZERO_UUID
    subscription_id: Int32 = 0
    accepted_compression_types: Sequence[Int8] = ()
    push_interval_ms: Int32 = 0
    telemetry_max_bytes: Int32 = 0
    delta_temporality: Bool = False
    requested_metrics: Sequence[String] = ()


@request(ApiKey.PUSH_TELEMETRY, "0", flexible=0)
class PushTelemetryRequest(Message):
    """`metrics` is OpenTelemetry's MetricsData, compressed as `compression_type` says."""

    client_instance_id: Uuid = ZERO_UUID
    subscription_id: Int32 = 0
    terminating: Bool = False
    compression_type: Int8 = 0
    metrics: Bytes = b""


@response(ApiKey.PUSH_TELEMETRY, "0", flexible=0)
class PushTelemetryResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
