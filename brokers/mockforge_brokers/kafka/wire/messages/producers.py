"""InitProducerId: idempotent and transactional producers."""

from ...codes import ApiKey
from ..schema import (
    Int16,
    Int32,
    Int64,
    Message,
    String,
    field,
    request,
    response,
)


@request(ApiKey.INIT_PRODUCER_ID, "0-5", flexible=2)
class InitProducerIdRequest(Message):
    """v3 lets a producer go on after INVALID_PRODUCER_EPOCH (KIP-360)."""

    transactional_id: String | None
    transaction_timeout_ms: Int32
    producer_id: Int64 = field("3+", default=-1)
    producer_epoch: Int16 = field("3+", default=-1)


@response(ApiKey.INIT_PRODUCER_ID, "0-5", flexible=2)
class InitProducerIdResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Int64 = -1
    producer_epoch: Int16
