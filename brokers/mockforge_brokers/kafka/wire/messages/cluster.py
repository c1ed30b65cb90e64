"""ApiVersions, Metadata and DescribeCluster: what a client asks first."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    INT32_MIN,
    ZERO_UUID,
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Message,
    String,
    Struct,
    Uint16,
    Uuid,
    field,
    request,
    response,
    struct,
)


@request(ApiKey.API_VERSIONS, "0-5", flexible=3)
class ApiVersionsRequest(Message):
    """v3 names the client's software (KIP-511), v5 the node that the client means (KIP-1242)."""

    client_software_name: String = field("3+", default="")
    client_software_version: String = field("3+", default="")
    cluster_id: String | None = field("5+", default=None)
    node_id: Int32 = field("5+", default=-1)


@struct
class ApiVersion(Struct):
    api_key: Int16
    min_version: Int16
    max_version: Int16


@struct
class SupportedFeatureKey(Struct):
    name: String
    min_version: Int16
    max_version: Int16


@struct
class FinalizedFeatureKey(Struct):
    name: String
    max_version_level: Int16
    min_version_level: Int16


@response(ApiKey.API_VERSIONS, "0-5", flexible=3)
class ApiVersionsResponse(Message):
    """v4 may show features whose lowest version is 0; older answers leave them out."""

    error_code: Int16 = 0
    api_keys: Sequence[ApiVersion]
    throttle_time_ms: Int32 = field("1+", default=0)
    supported_features: Sequence[SupportedFeatureKey] = field("3+", default=(), tag=0)
    finalized_features_epoch: Int64 = field("3+", default=-1, tag=1)
    finalized_features: Sequence[FinalizedFeatureKey] = field("3+", default=(), tag=2)
    zk_migration_ready: Bool = field("3+", default=False, tag=3)


@struct
class MetadataRequestTopic(Struct):
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    name: String | None = field(nullable="10+")


@request(ApiKey.METADATA, "0-13", flexible=9)
class MetadataRequest(Message):
    """No topics: null asks for all, and so does an empty array in v0. v12 asks by id."""

    topics: Sequence[MetadataRequestTopic] | None = field(nullable="1+")
    allow_auto_topic_creation: Bool = field("4+", default=True)
    include_cluster_authorized_operations: Bool = field("8-10", default=False)
    include_topic_authorized_operations: Bool = field("8+", default=False)


@struct
class MetadataResponseBroker(Struct):
    node_id: Int32
    host: String
    port: Int32
    rack: String | None = field("1+", default=None)


@struct
class MetadataResponsePartition(Struct):
    error_code: Int16 = 0
    partition_index: Int32
    leader_id: Int32
    leader_epoch: Int32 = field("7+", default=-1)
    replica_nodes: Sequence[Int32]
    isr_nodes: Sequence[Int32]
    offline_replicas: Sequence[Int32] = field("5+", default=())


@struct
class MetadataResponseTopic(Struct):
    error_code: Int16 = 0
    name: String | None = field(nullable="12+")
    topic_id: Uuid = field("10+", default=ZERO_UUID)
    is_internal: Bool = field("1+", default=False)
    partitions: Sequence[MetadataResponsePartition]
    topic_authorized_operations: Int32 = field("8+", default=INT32_MIN)


@response(ApiKey.METADATA, "0-13", flexible=9)
class MetadataResponse(Message):
    throttle_time_ms: Int32 = field("3+", default=0)
    brokers: Sequence[MetadataResponseBroker]
    cluster_id: String | None = field("2+", default=None)
    controller_id: Int32 = field("1+", default=-1)
    topics: Sequence[MetadataResponseTopic]
    cluster_authorized_operations: Int32 = field("8-10", default=INT32_MIN)
    error_code: Int16 = field("13+", default=0)


@request(ApiKey.DESCRIBE_CLUSTER, "0-2", flexible=0)
class DescribeClusterRequest(Message):
    """KIP-700; v1 asks controllers as well (KIP-919), v2 for fenced brokers (KIP-1073)."""

    include_cluster_authorized_operations: Bool
    endpoint_type: Int8 = field("1+", default=1)
    include_fenced_brokers: Bool = field("2+", default=False)


@struct
class DescribeClusterBroker(Struct):
    broker_id: Int32
    host: String
    port: Int32
    rack: String | None = None
    is_fenced: Bool = field("2+", default=False)


@response(ApiKey.DESCRIBE_CLUSTER, "0-2", flexible=0)
class DescribeClusterResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    endpoint_type: Int8 = field("1+", default=1)
    cluster_id: String
    controller_id: Int32 = -1
    brokers: Sequence[DescribeClusterBroker]
    cluster_authorized_operations: Int32 = INT32_MIN


@struct
class QuorumPartition(Struct):
    partition_index: Int32


@struct
class QuorumTopic(Struct):
    topic_name: String
    partitions: Sequence[QuorumPartition]


@request(ApiKey.DESCRIBE_QUORUM, "0-2", flexible=0)
class DescribeQuorumRequest(Message):
    topics: Sequence[QuorumTopic]


@struct
class QuorumListener(Struct):
    name: String
    host: String
    port: Uint16


@struct
class QuorumNode(Struct):
    node_id: Int32
    listeners: Sequence[QuorumListener]


@struct
class QuorumReplica(Struct):
    replica_id: Int32
    replica_directory_id: Uuid = field("2+")
    log_end_offset: Int64
    last_fetch_timestamp: Int64 = field("1+", default=-1)
    last_caught_up_timestamp: Int64 = field("1+", default=-1)


@struct
class QuorumPartitionState(Struct):
    partition_index: Int32
    error_code: Int16 = 0
    error_message: String | None = field("2+")
    leader_id: Int32
    leader_epoch: Int32
    high_watermark: Int64
    current_voters: Sequence[QuorumReplica]
    observers: Sequence[QuorumReplica]


@struct
class QuorumTopicState(Struct):
    topic_name: String
    partitions: Sequence[QuorumPartitionState]


@response(ApiKey.DESCRIBE_QUORUM, "0-2", flexible=0)
class DescribeQuorumResponse(Message):
    error_code: Int16 = 0
    error_message: String | None = field("2+")
    topics: Sequence[QuorumTopicState]
    nodes: Sequence[QuorumNode] = field("2+")
