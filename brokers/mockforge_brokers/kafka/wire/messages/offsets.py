"""Positions in a log and the offsets that groups committed."""

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
class ListOffsetsPartition(Struct):
    partition_index: Int32
    current_leader_epoch: Int32 = field("4+", default=-1)
    timestamp: Int64


@struct
class ListOffsetsTopic(Struct):
    name: String
    partitions: Sequence[ListOffsetsPartition]


@request(ApiKey.LIST_OFFSETS, "1-11", flexible=6)
class ListOffsetsRequest(Message):
    """`timestamp` may be a position: v7 knows -3 (KIP-734), v8 -4 (KIP-405), v9 -5 (KIP-1005),
    v11 -6 (KIP-1023).
    """

    replica_id: Int32
    isolation_level: Int8 = field("2+", default=0)
    topics: Sequence[ListOffsetsTopic]
    timeout_ms: Int32 = field("10+", default=0)


@struct
class ListOffsetsPartitionResponse(Struct):
    partition_index: Int32
    error_code: Int16 = 0
    timestamp: Int64 = -1
    offset: Int64 = -1
    leader_epoch: Int32 = field("4+", default=-1)


@struct
class ListOffsetsTopicResponse(Struct):
    name: String
    partitions: Sequence[ListOffsetsPartitionResponse]


@response(ApiKey.LIST_OFFSETS, "1-11", flexible=6)
class ListOffsetsResponse(Message):
    throttle_time_ms: Int32 = field("2+", default=0)
    topics: Sequence[ListOffsetsTopicResponse]


@struct
class OffsetForLeaderPartition(Struct):
    partition: Int32
    current_leader_epoch: Int32 = -1
    leader_epoch: Int32


@struct
class OffsetForLeaderTopic(Struct):
    topic: String
    partitions: Sequence[OffsetForLeaderPartition]


@request(ApiKey.OFFSET_FOR_LEADER_EPOCH, "2-4", flexible=4)
class OffsetForLeaderEpochRequest(Message):
    """KIP-320: is what was read still there after a change of leader?"""

    replica_id: Int32 = field("3+", default=-2)
    topics: Sequence[OffsetForLeaderTopic]


@struct
class EpochEndOffset(Struct):
    error_code: Int16 = 0
    partition: Int32
    leader_epoch: Int32 = -1
    end_offset: Int64 = -1


@struct
class OffsetForLeaderTopicResult(Struct):
    topic: String
    partitions: Sequence[EpochEndOffset]


@response(ApiKey.OFFSET_FOR_LEADER_EPOCH, "2-4", flexible=4)
class OffsetForLeaderEpochResponse(Message):
    throttle_time_ms: Int32 = 0
    topics: Sequence[OffsetForLeaderTopicResult]


@struct
class OffsetCommitRequestPartition(Struct):
    partition_index: Int32
    committed_offset: Int64
    committed_leader_epoch: Int32 = field("6+", default=-1)
    committed_metadata: String | None


@struct
class OffsetCommitRequestTopic(Struct):
    name: String = field("0-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partitions: Sequence[OffsetCommitRequestPartition]


@request(ApiKey.OFFSET_COMMIT, "2-10", flexible=8)
class OffsetCommitRequest(Message):
    """v9 also serves KIP-848 groups, v10 names topics by id."""

    group_id: String
    generation_id_or_member_epoch: Int32 = -1
    member_id: String
    group_instance_id: String | None = field("7+", default=None)
    retention_time_ms: Int64 = field("2-4", default=-1)
    topics: Sequence[OffsetCommitRequestTopic]


@struct
class OffsetCommitResponsePartition(Struct):
    partition_index: Int32
    error_code: Int16 = 0


@struct
class OffsetCommitResponseTopic(Struct):
    name: String = field("0-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partitions: Sequence[OffsetCommitResponsePartition]


@response(ApiKey.OFFSET_COMMIT, "2-10", flexible=8)
class OffsetCommitResponse(Message):
    throttle_time_ms: Int32 = field("3+", default=0)
    topics: Sequence[OffsetCommitResponseTopic]


@struct
class OffsetFetchRequestTopic(Struct):
    name: String
    partition_indexes: Sequence[Int32]


@struct
class OffsetFetchRequestTopics(Struct):
    name: String = field("8-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partition_indexes: Sequence[Int32]


@struct
class OffsetFetchRequestGroup(Struct):
    group_id: String
    member_id: String | None = field("9+", default=None)
    member_epoch: Int32 = field("9+", default=-1)
    topics: Sequence[OffsetFetchRequestTopics] | None


@request(ApiKey.OFFSET_FETCH, "1-10", flexible=6)
class OffsetFetchRequest(Message):
    """Null topics ask for all (v2+). v7 can refuse while transactions are open (KIP-447), v8 asks
    for several groups (KIP-709), v10 names topics by id.
    """

    group_id: String = field("0-7", default="")
    topics: Sequence[OffsetFetchRequestTopic] | None = field("0-7", default=(), nullable="2-7")
    groups: Sequence[OffsetFetchRequestGroup] = field("8+", default=())
    require_stable: Bool = field("7+", default=False)


@struct
class OffsetFetchResponsePartition(Struct):
    partition_index: Int32
    committed_offset: Int64
    committed_leader_epoch: Int32 = field("5-7", default=-1)
    metadata: String | None
    error_code: Int16 = 0


@struct
class OffsetFetchResponseTopic(Struct):
    name: String
    partitions: Sequence[OffsetFetchResponsePartition]


@struct
class OffsetFetchResponsePartitions(Struct):
    partition_index: Int32
    committed_offset: Int64
    committed_leader_epoch: Int32 = -1
    metadata: String | None
    error_code: Int16 = 0


@struct
class OffsetFetchResponseTopics(Struct):
    name: String = field("8-9", default="")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    partitions: Sequence[OffsetFetchResponsePartitions]


@struct
class OffsetFetchResponseGroup(Struct):
    group_id: String
    topics: Sequence[OffsetFetchResponseTopics]
    error_code: Int16 = 0


@response(ApiKey.OFFSET_FETCH, "1-10", flexible=6)
class OffsetFetchResponse(Message):
    throttle_time_ms: Int32 = field("3+", default=0)
    topics: Sequence[OffsetFetchResponseTopic] = field("0-7", default=())
    error_code: Int16 = field("2-7", default=0)
    groups: Sequence[OffsetFetchResponseGroup] = field("8+", default=())


@struct
class OffsetDeleteRequestPartition(Struct):
    partition_index: Int32


@struct
class OffsetDeleteRequestTopic(Struct):
    name: String
    partitions: Sequence[OffsetDeleteRequestPartition]


@request(ApiKey.OFFSET_DELETE, "0")
class OffsetDeleteRequest(Message):
    group_id: String
    topics: Sequence[OffsetDeleteRequestTopic]


@struct
class OffsetDeleteResponsePartition(Struct):
    partition_index: Int32
    error_code: Int16 = 0


@struct
class OffsetDeleteResponseTopic(Struct):
    name: String
    partitions: Sequence[OffsetDeleteResponsePartition]


@response(ApiKey.OFFSET_DELETE, "0")
class OffsetDeleteResponse(Message):
    error_code: Int16 = 0
    throttle_time_ms: Int32 = 0
    topics: Sequence[OffsetDeleteResponseTopic]
