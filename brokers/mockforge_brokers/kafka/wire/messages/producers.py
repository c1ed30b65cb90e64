"""InitProducerId: idempotent and transactional producers."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Int16,
    Int32,
    Int64,
    Message,
    String,
    Struct,
    field,
    request,
    response,
    struct,
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


@struct
class DescribeProducersTopic(Struct):
    name: String
    partition_indexes: Sequence[Int32] = ()


@request(ApiKey.DESCRIBE_PRODUCERS, "0", flexible=0)
class DescribeProducersRequest(Message):
    topics: Sequence[DescribeProducersTopic]


@struct
class ProducerState(Struct):
    producer_id: Int64
    producer_epoch: Int32
    last_sequence: Int32 = -1
    last_timestamp: Int64 = -1
    coordinator_epoch: Int32
    current_txn_start_offset: Int64 = -1


@struct
class DescribeProducersPartitionResponse(Struct):
    partition_index: Int32
    error_code: Int16 = 0
    error_message: String | None = None
    active_producers: Sequence[ProducerState]


@struct
class DescribeProducersTopicResponse(Struct):
    name: String
    partitions: Sequence[DescribeProducersPartitionResponse]


@response(ApiKey.DESCRIBE_PRODUCERS, "0", flexible=0)
class DescribeProducersResponse(Message):
    throttle_time_ms: Int32 = 0
    topics: Sequence[DescribeProducersTopicResponse]
