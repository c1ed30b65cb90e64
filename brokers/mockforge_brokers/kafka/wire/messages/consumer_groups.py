"""The consumer group protocol of KIP-848."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    INT32_MIN,
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
class OwnedTopicPartitions(Struct):
    topic_id: Uuid
    partitions: Sequence[Int32]


@request(ApiKey.CONSUMER_GROUP_HEARTBEAT, "0-1", flexible=0)
class ConsumerGroupHeartbeatRequest(Message):
    """What did not change since the last heartbeat is null or -1.

    v1 brings regular expressions and ids that members make themselves (KIP-1082).
    """

    group_id: String
    member_id: String
    member_epoch: Int32
    instance_id: String | None = None
    rack_id: String | None = None
    rebalance_timeout_ms: Int32 = -1
    subscribed_topic_names: Sequence[String] | None = None
    subscribed_topic_regex: String | None = field("1+", default=None)
    server_assignor: String | None = None
    topic_partitions: Sequence[OwnedTopicPartitions] | None = None


@struct
class HeartbeatAssignment(Struct):
    topic_partitions: Sequence[OwnedTopicPartitions]


@response(ApiKey.CONSUMER_GROUP_HEARTBEAT, "0-1", flexible=0)
class ConsumerGroupHeartbeatResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    member_id: String | None = None
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    assignment: HeartbeatAssignment | None = None


@request(ApiKey.CONSUMER_GROUP_DESCRIBE, "0-1", flexible=0)
class ConsumerGroupDescribeRequest(Message):
    group_ids: Sequence[String]
    include_authorized_operations: Bool = False


@struct
class NamedTopicPartitions(Struct):
    topic_id: Uuid
    topic_name: String
    partitions: Sequence[Int32]


@struct
class DescribedAssignment(Struct):
    topic_partitions: Sequence[NamedTopicPartitions]


@struct
class DescribedConsumer(Struct):
    """`member_type`: 0 classic, 1 consumer; -1 where it is not known (v0)."""

    member_id: String
    instance_id: String | None = None
    rack_id: String | None = None
    member_epoch: Int32
    client_id: String
    client_host: String
    subscribed_topic_names: Sequence[String]
    subscribed_topic_regex: String | None = None
    assignment: DescribedAssignment
    target_assignment: DescribedAssignment
    member_type: Int8 = field("1+", default=-1)


@struct
class DescribedConsumerGroup(Struct):
    error_code: Int16 = 0
    error_message: String | None = None
    group_id: String
    group_state: String
    group_epoch: Int32
    assignment_epoch: Int32
    assignor_name: String
    members: Sequence[DescribedConsumer]
    authorized_operations: Int32 = INT32_MIN


@response(ApiKey.CONSUMER_GROUP_DESCRIBE, "0-1", flexible=0)
class ConsumerGroupDescribeResponse(Message):
    throttle_time_ms: Int32 = 0
    groups: Sequence[DescribedConsumerGroup]
