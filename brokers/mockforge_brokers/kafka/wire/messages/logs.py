"""Produce and Fetch. The path of a message decodes Produce by hand: `wire/produce.py`."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    INT32_MAX,
    INT64_MAX,
    ZERO_UUID,
    Batches,
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Message,
    Records,
    String,
    Struct,
    Uuid,
    field,
    request,
    response,
    struct,
)


@struct
class PartitionProduceData(Struct):
    index: Int32
    records: Records | None


@struct
class TopicProduceData(Struct):
    name: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partition_data: Sequence[PartitionProduceData]


@request(ApiKey.PRODUCE, "3-13", flexible=9)
class ProduceRequest(Message):
    """v3 brings record batches, v7 allows zstd (KIP-110), v12 adds partitions to a transaction by
    itself (KIP-890), v13 names topics by id (KIP-516).
    """

    transactional_id: String | None = None
    acks: Int16
    timeout_ms: Int32
    topic_data: Sequence[TopicProduceData]


@struct
class BatchIndexAndErrorMessage(Struct):
    batch_index: Int32
    batch_index_error_message: String | None = None


@struct
class LeaderIdAndEpoch(Struct):
    leader_id: Int32 = -1
    leader_epoch: Int32 = -1


@struct
class PartitionProduceResponse(Struct):
    index: Int32
    error_code: Int16 = 0
    base_offset: Int64
    log_append_time_ms: Int64 = -1
    log_start_offset: Int64 = field("5+", default=-1)
    record_errors: Sequence[BatchIndexAndErrorMessage] = field("8+", default=())
    error_message: String | None = field("8+", default=None)
    current_leader: LeaderIdAndEpoch | None = field("10+", default=None, tag=0)


@struct
class TopicProduceResponse(Struct):
    name: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partition_responses: Sequence[PartitionProduceResponse]


@struct
class NodeEndpoint(Struct):
    node_id: Int32
    host: String
    port: Int32
    rack: String | None = None


@response(ApiKey.PRODUCE, "3-13", flexible=9)
class ProduceResponse(Message):
    """v8 tells which records were refused (KIP-467), v10 who leads now (KIP-951)."""

    responses: Sequence[TopicProduceResponse]
    throttle_time_ms: Int32 = 0
    node_endpoints: Sequence[NodeEndpoint] = field("10+", default=(), tag=0)


@struct
class ReplicaState(Struct):
    replica_id: Int32 = -1
    replica_epoch: Int64 = -1


@struct
class FetchPartition(Struct):
    partition: Int32
    current_leader_epoch: Int32 = field("9+", default=-1)
    fetch_offset: Int64
    last_fetched_epoch: Int32 = field("12+", default=-1)
    log_start_offset: Int64 = field("5+", default=-1)
    partition_max_bytes: Int32
    replica_directory_id: Uuid = field("17+", default=ZERO_UUID, tag=0)
    high_watermark: Int64 = field("18+", default=INT64_MAX, tag=1)


@struct
class FetchTopic(Struct):
    topic: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partitions: Sequence[FetchPartition]


@struct
class ForgottenTopic(Struct):
    topic: String = field("7-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partitions: Sequence[Int32]


@request(ApiKey.FETCH, "4-18", flexible=12)
class FetchRequest(Message):
    """v7 has sessions (KIP-227), v10 takes zstd (KIP-110), v13 names topics by id (KIP-516)."""

    cluster_id: String | None = field("12+", default=None, tag=0)
    replica_id: Int32 = field("0-14", default=-1)
    replica_state: ReplicaState | None = field("15+", default=None, tag=1)
    max_wait_ms: Int32
    min_bytes: Int32
    max_bytes: Int32 = INT32_MAX
    isolation_level: Int8 = 0
    session_id: Int32 = field("7+", default=0)
    session_epoch: Int32 = field("7+", default=-1)
    topics: Sequence[FetchTopic]
    forgotten_topics_data: Sequence[ForgottenTopic] = field("7+", default=())
    rack_id: String = field("11+", default="")


@struct
class EpochEndOffset(Struct):
    epoch: Int32 = -1
    end_offset: Int64 = -1


@struct
class SnapshotId(Struct):
    end_offset: Int64 = -1
    epoch: Int32 = -1


@struct
class AbortedTransaction(Struct):
    producer_id: Int64
    first_offset: Int64


@struct
class PartitionData(Struct):
    partition_index: Int32
    error_code: Int16 = 0
    high_watermark: Int64
    last_stable_offset: Int64 = -1
    log_start_offset: Int64 = field("5+", default=-1)
    diverging_epoch: EpochEndOffset | None = field("12+", default=None, tag=0)
    current_leader: LeaderIdAndEpoch | None = field("12+", default=None, tag=1)
    snapshot_id: SnapshotId | None = field("12+", default=None, tag=2)
    aborted_transactions: Sequence[AbortedTransaction] | None
    preferred_read_replica: Int32 = field("11+", default=-1)
    records: Batches | None


@struct
class FetchableTopicResponse(Struct):
    topic: String = field("0-12", default="")
    topic_id: Uuid = field("13+", default=ZERO_UUID)
    partitions: Sequence[PartitionData]


@response(ApiKey.FETCH, "4-18", flexible=12)
class FetchResponse(Message):
    """v11 may send consumers to a replica (KIP-392), v16 tells who leads now (KIP-951)."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = field("7+", default=0)
    session_id: Int32 = field("7+", default=0)
    responses: Sequence[FetchableTopicResponse]
    node_endpoints: Sequence[NodeEndpoint] = field("16+", default=(), tag=0)


@struct
class DeleteRecordsPartition(Struct):
    partition_index: Int32
    offset: Int64


@struct
class DeleteRecordsTopic(Struct):
    name: String
    partitions: Sequence[DeleteRecordsPartition]


@request(ApiKey.DELETE_RECORDS, "0-2", flexible=2)
class DeleteRecordsRequest(Message):
    topics: Sequence[DeleteRecordsTopic]
    timeout_ms: Int32


@struct
class DeleteRecordsPartitionResult(Struct):
    partition_index: Int32
    low_watermark: Int64
    error_code: Int16 = 0


@struct
class DeleteRecordsTopicResult(Struct):
    name: String
    partitions: Sequence[DeleteRecordsPartitionResult]


@response(ApiKey.DELETE_RECORDS, "0-2", flexible=2)
class DeleteRecordsResponse(Message):
    throttle_time_ms: Int32 = 0
    topics: Sequence[DeleteRecordsTopicResult]


@struct
class DescribableLogDirTopic(Struct):
    topic: String
    partitions: Sequence[Int32] = ()


@request(ApiKey.DESCRIBE_LOG_DIRS, "1-5", flexible=2)
class DescribeLogDirsRequest(Message):
    topics: Sequence[DescribableLogDirTopic] | None


@struct
class DescribeLogDirsPartition(Struct):
    partition_index: Int32
    partition_size: Int64
    offset_lag: Int64
    is_future_key: Bool


@struct
class DescribeLogDirsTopic(Struct):
    name: String
    partitions: Sequence[DescribeLogDirsPartition]


@struct
class DescribeLogDirsResult(Struct):
    error_code: Int16 = 0
    log_dir: String
    topics: Sequence[DescribeLogDirsTopic]
    total_bytes: Int64 = field("4+", default=-1)
    usable_bytes: Int64 = field("4+", default=-1)
    is_cordoned: Bool = field("5+", default=False)


@response(ApiKey.DESCRIBE_LOG_DIRS, "1-5", flexible=2)
class DescribeLogDirsResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = field("3+", default=0)
    results: Sequence[DescribeLogDirsResult]
