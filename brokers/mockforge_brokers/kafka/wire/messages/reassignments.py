"""Leaders elected and replicas moved."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Struct,
    field,
    request,
    response,
    struct,
)


@struct
class TopicPartitions(Struct):
    topic: String
    partitions: Sequence[Int32] = ()


@request(ApiKey.ELECT_LEADERS, "0-2", flexible=2)
class ElectLeadersRequest(Message):
    election_type: Int8 = field("1+")
    topic_partitions: Sequence[TopicPartitions] | None
    timeout_ms: Int32 = 60_000


@struct
class ElectionPartitionResult(Struct):
    partition_id: Int32
    error_code: Int16 = 0
    error_message: String | None = None


@struct
class ReplicaElectionResult(Struct):
    topic: String
    partition_result: Sequence[ElectionPartitionResult]


@response(ApiKey.ELECT_LEADERS, "0-2", flexible=2)
class ElectLeadersResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = field("1+", default=0)
    replica_election_results: Sequence[ReplicaElectionResult]


@struct
class ReassignablePartition(Struct):
    partition_index: Int32
    replicas: Sequence[Int32] | None = None


@struct
class ReassignableTopic(Struct):
    name: String
    partitions: Sequence[ReassignablePartition]


@request(ApiKey.ALTER_PARTITION_REASSIGNMENTS, "0-1", flexible=0)
class AlterPartitionReassignmentsRequest(Message):
    timeout_ms: Int32 = 60_000
    allow_replication_factor_change: Bool = field("1+", default=True)
    topics: Sequence[ReassignableTopic]


@struct
class ReassignablePartitionResponse(Struct):
    partition_index: Int32
    error_code: Int16 = 0
    error_message: String | None = None


@struct
class ReassignableTopicResponse(Struct):
    name: String
    partitions: Sequence[ReassignablePartitionResponse]


@response(ApiKey.ALTER_PARTITION_REASSIGNMENTS, "0-1", flexible=0)
class AlterPartitionReassignmentsResponse(Message):
    throttle_time_ms: Int32 = 0
    allow_replication_factor_change: Bool = field("1+", default=True)
    error_code: Int16 = 0
    error_message: String | None = None
    responses: Sequence[ReassignableTopicResponse]


@struct
class ListPartitionReassignmentsTopics(Struct):
    name: String
    partition_indexes: Sequence[Int32] = ()


@request(ApiKey.LIST_PARTITION_REASSIGNMENTS, "0", flexible=0)
class ListPartitionReassignmentsRequest(Message):
    timeout_ms: Int32 = 60_000
    topics: Sequence[ListPartitionReassignmentsTopics] | None


@struct
class OngoingPartitionReassignment(Struct):
    partition_index: Int32
    replicas: Sequence[Int32] = ()
    adding_replicas: Sequence[Int32] = ()
    removing_replicas: Sequence[Int32] = ()


@struct
class OngoingTopicReassignment(Struct):
    name: String
    partitions: Sequence[OngoingPartitionReassignment]


@response(ApiKey.LIST_PARTITION_REASSIGNMENTS, "0", flexible=0)
class ListPartitionReassignmentsResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    topics: Sequence[OngoingTopicReassignment]
