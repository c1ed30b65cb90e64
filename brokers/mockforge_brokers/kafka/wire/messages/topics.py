"""CreateTopics, DeleteTopics and CreatePartitions."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    INT32_MIN,
    ZERO_UUID,
    Bool,
    Int8,
    Int16,
    Int32,
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
class CreatableReplicaAssignment(Struct):
    partition_index: Int32
    broker_ids: Sequence[Int32]


@struct
class CreatableTopicConfig(Struct):
    name: String
    value: String | None


@struct
class CreatableTopic(Struct):
    name: String
    num_partitions: Int32
    replication_factor: Int16
    assignments: Sequence[CreatableReplicaAssignment]
    configs: Sequence[CreatableTopicConfig]


@request(ApiKey.CREATE_TOPICS, "2-7", flexible=5)
class CreateTopicsRequest(Message):
    """v4 takes -1 for the broker's own partitions and replicas (KIP-464), v6 may be throttled."""

    topics: Sequence[CreatableTopic]
    timeout_ms: Int32 = 60000
    validate_only: Bool = False


@struct
class CreatableTopicConfigs(Struct):
    name: String
    value: String | None
    read_only: Bool
    config_source: Int8 = -1
    is_sensitive: Bool


@struct
class CreatableTopicResult(Struct):
    name: String
    topic_id: Uuid = field("7+", default=ZERO_UUID)
    error_code: Int16 = 0
    error_message: String | None
    topic_config_error_code: Int16 = field("5+", default=0, tag=0)
    num_partitions: Int32 = field("5+", default=-1)
    replication_factor: Int16 = field("5+", default=-1)
    configs: Sequence[CreatableTopicConfigs] | None = field("5+", default=())


@response(ApiKey.CREATE_TOPICS, "2-7", flexible=5)
class CreateTopicsResponse(Message):
    throttle_time_ms: Int32 = 0
    topics: Sequence[CreatableTopicResult]


@struct
class DeleteTopicState(Struct):
    name: String | None = None
    topic_id: Uuid


@request(ApiKey.DELETE_TOPICS, "1-6", flexible=4)
class DeleteTopicsRequest(Message):
    """v6 names topics by name or by id (KIP-516)."""

    topics: Sequence[DeleteTopicState] = field("6+", default=())
    topic_names: Sequence[String] = field("0-5", default=())
    timeout_ms: Int32


@struct
class DeletableTopicResult(Struct):
    name: String | None = field(nullable="6+")
    topic_id: Uuid = field("6+", default=ZERO_UUID)
    error_code: Int16 = 0
    error_message: String | None = field("5+", default=None)


@response(ApiKey.DELETE_TOPICS, "1-6", flexible=4)
class DeleteTopicsResponse(Message):
    throttle_time_ms: Int32 = 0
    responses: Sequence[DeletableTopicResult]


@struct
class CreatePartitionsAssignment(Struct):
    broker_ids: Sequence[Int32]


@struct
class CreatePartitionsTopic(Struct):
    name: String
    count: Int32
    assignments: Sequence[CreatePartitionsAssignment] | None


@request(ApiKey.CREATE_PARTITIONS, "0-3", flexible=2)
class CreatePartitionsRequest(Message):
    topics: Sequence[CreatePartitionsTopic]
    timeout_ms: Int32
    validate_only: Bool


@struct
class CreatePartitionsTopicResult(Struct):
    name: String
    error_code: Int16 = 0
    error_message: String | None = None


@response(ApiKey.CREATE_PARTITIONS, "0-3", flexible=2)
class CreatePartitionsResponse(Message):
    throttle_time_ms: Int32 = 0
    results: Sequence[CreatePartitionsTopicResult]


@struct
class Cursor(Struct):
    topic_name: String
    partition_index: Int32


@struct
class DescribeTopicPartitionsTopic(Struct):
    name: String


@request(ApiKey.DESCRIBE_TOPIC_PARTITIONS, "0", flexible=0)
class DescribeTopicPartitionsRequest(Message):
    topics: Sequence[DescribeTopicPartitionsTopic]
    response_partition_limit: Int32 = 2000
    cursor: Cursor | None = None


@struct
class DescribeTopicPartitionsResponsePartition(Struct):
    error_code: Int16 = 0
    partition_index: Int32
    leader_id: Int32
    leader_epoch: Int32 = -1
    replica_nodes: Sequence[Int32] = ()
    isr_nodes: Sequence[Int32] = ()
    eligible_leader_replicas: Sequence[Int32] | None = None
    last_known_elr: Sequence[Int32] | None = None
    offline_replicas: Sequence[Int32] = ()


@struct
class DescribeTopicPartitionsResponseTopic(Struct):
    error_code: Int16 = 0
    name: String | None
    topic_id: Uuid
    is_internal: Bool = False
    partitions: Sequence[DescribeTopicPartitionsResponsePartition]
    topic_authorized_operations: Int32 = INT32_MIN


@response(ApiKey.DESCRIBE_TOPIC_PARTITIONS, "0", flexible=0)
class DescribeTopicPartitionsResponse(Message):
    throttle_time_ms: Int32 = 0
    topics: Sequence[DescribeTopicPartitionsResponseTopic]
    next_cursor: Cursor | None = None
