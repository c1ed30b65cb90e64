"""Transactions: what their producers, their coordinator and their observers send (KIP-98)."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    ZERO_UUID,
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Message,
    String,
    Struct,
    Uuid,
    field,
    request,
    response,
    struct,
)


@struct
class AddPartitionsToTxnTopic(Struct):
    name: String
    partitions: Sequence[Int32]


@struct
class AddPartitionsToTxnTransaction(Struct):
    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    verify_only: Bool = False
    topics: Sequence[AddPartitionsToTxnTopic]


@request(ApiKey.ADD_PARTITIONS_TO_TXN, "0-5", flexible=3)
class AddPartitionsToTxnRequest(Message):
    """v4 is for brokers: several transactions, some only asked about. v5 takes answer 120."""

    transactions: Sequence[AddPartitionsToTxnTransaction] = field("4+", default=())
    v3_and_below_transactional_id: String = field("0-3", default="")
    v3_and_below_producer_id: Int64 = field("0-3", default=0)
    v3_and_below_producer_epoch: Int16 = field("0-3", default=0)
    v3_and_below_topics: Sequence[AddPartitionsToTxnTopic] = field("0-3", default=())


@struct
class AddPartitionsToTxnPartitionResult(Struct):
    partition_index: Int32
    partition_error_code: Int16 = 0


@struct
class AddPartitionsToTxnTopicResult(Struct):
    name: String
    results_by_partition: Sequence[AddPartitionsToTxnPartitionResult]


@struct
class AddPartitionsToTxnResult(Struct):
    transactional_id: String
    topic_results: Sequence[AddPartitionsToTxnTopicResult]


@response(ApiKey.ADD_PARTITIONS_TO_TXN, "0-5", flexible=3)
class AddPartitionsToTxnResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = field("4+", default=0)
    results_by_transaction: Sequence[AddPartitionsToTxnResult] = field("4+", default=())
    results_by_topic_v3_and_below: Sequence[AddPartitionsToTxnTopicResult] = field(
        "0-3", default=()
    )


@request(ApiKey.ADD_OFFSETS_TO_TXN, "0-4", flexible=3)
class AddOffsetsToTxnRequest(Message):
    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    group_id: String


@response(ApiKey.ADD_OFFSETS_TO_TXN, "0-4", flexible=3)
class AddOffsetsToTxnResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0


@request(ApiKey.END_TXN, "0-5", flexible=3)
class EndTxnRequest(Message):
    """v5 bumps the producer's epoch with each transaction (KIP-890)."""

    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    committed: Bool


@response(ApiKey.END_TXN, "0-5", flexible=3)
class EndTxnResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Int64 = field("5+", default=-1)
    producer_epoch: Int16 = field("5+", default=-1)


@struct
class WritableTxnMarkerTopic(Struct):
    name: String
    partition_indexes: Sequence[Int32]


@struct
class WritableTxnMarker(Struct):
    producer_id: Int64
    producer_epoch: Int16
    transaction_result: Bool
    topics: Sequence[WritableTxnMarkerTopic]
    coordinator_epoch: Int32
    transaction_version: Int8 = field("2+", default=0)


@request(ApiKey.WRITE_TXN_MARKERS, "1-2", flexible=1)
class WriteTxnMarkersRequest(Message):
    """From a coordinator to the leaders, and from who aborts a hanging transaction (KIP-664)."""

    markers: Sequence[WritableTxnMarker]


@struct
class WritableTxnMarkerPartitionResult(Struct):
    partition_index: Int32
    error_code: Int16 = 0


@struct
class WritableTxnMarkerTopicResult(Struct):
    name: String
    partitions: Sequence[WritableTxnMarkerPartitionResult]


@struct
class WritableTxnMarkerResult(Struct):
    producer_id: Int64
    topics: Sequence[WritableTxnMarkerTopicResult]


@response(ApiKey.WRITE_TXN_MARKERS, "1-2", flexible=1)
class WriteTxnMarkersResponse(Message):
    markers: Sequence[WritableTxnMarkerResult]


@struct
class TxnOffsetCommitRequestPartition(Struct):
    partition_index: Int32
    committed_offset: Int64
    committed_leader_epoch: Int32 = field("2+", default=-1)
    committed_metadata: String | None


@struct
class TxnOffsetCommitRequestTopic(Struct):
    name: String = field("0-5", default="")
    topic_id: Uuid = field("6+", default=ZERO_UUID)
    partitions: Sequence[TxnOffsetCommitRequestPartition]


@request(ApiKey.TXN_OFFSET_COMMIT, "0-6", flexible=3)
class TxnOffsetCommitRequest(Message):
    """v3 says which member commits (KIP-447), v5 adds the group to the transaction by itself
    (KIP-890), v6 names topics by id.
    """

    transactional_id: String
    group_id: String
    producer_id: Int64
    producer_epoch: Int16
    generation_id: Int32 = field("3+", default=-1)
    member_id: String = field("3+", default="")
    group_instance_id: String | None = field("3+", default=None)
    topics: Sequence[TxnOffsetCommitRequestTopic]


@struct
class TxnOffsetCommitResponsePartition(Struct):
    partition_index: Int32
    error_code: Int16 = 0


@struct
class TxnOffsetCommitResponseTopic(Struct):
    name: String = field("0-5", default="")
    topic_id: Uuid = field("6+", default=ZERO_UUID)
    partitions: Sequence[TxnOffsetCommitResponsePartition]


@response(ApiKey.TXN_OFFSET_COMMIT, "0-6", flexible=3)
class TxnOffsetCommitResponse(Message):
    throttle_time_ms: Int32 = 0
    topics: Sequence[TxnOffsetCommitResponseTopic]


@request(ApiKey.DESCRIBE_TRANSACTIONS, "0", flexible=0)
class DescribeTransactionsRequest(Message):
    transactional_ids: Sequence[String]


@struct
class TransactionTopicData(Struct):
    topic: String
    partitions: Sequence[Int32]


@struct
class DescribedTransactionState(Struct):
    error_code: Int16 = 0
    transactional_id: String
    transaction_state: String
    transaction_timeout_ms: Int32
    transaction_start_time_ms: Int64
    producer_id: Int64
    producer_epoch: Int16
    topics: Sequence[TransactionTopicData]


@response(ApiKey.DESCRIBE_TRANSACTIONS, "0", flexible=0)
class DescribeTransactionsResponse(Message):
    throttle_time_ms: Int32 = 0
    transaction_states: Sequence[DescribedTransactionState]


@request(ApiKey.LIST_TRANSACTIONS, "0-2", flexible=0)
class ListTransactionsRequest(Message):
    """v1 filters by duration (KIP-994), v2 by a pattern of ids (KIP-1152)."""

    state_filters: Sequence[String] = ()
    producer_id_filters: Sequence[Int64] = ()
    duration_filter: Int64 = field("1+", default=-1)
    transactional_id_pattern: String | None = field("2+", default=None)


@struct
class ListedTransactionState(Struct):
    transactional_id: String
    producer_id: Int64
    transaction_state: String


@response(ApiKey.LIST_TRANSACTIONS, "0-2", flexible=0)
class ListTransactionsResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    unknown_state_filters: Sequence[String] = ()
    transaction_states: Sequence[ListedTransactionState]
