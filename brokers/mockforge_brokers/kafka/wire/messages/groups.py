"""Group membership, and what consumers put into it."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    INT32_MIN,
    Bool,
    Bytes,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Struct,
    data,
    field,
    request,
    response,
    struct,
)


@request(ApiKey.FIND_COORDINATOR, "0-6", flexible=3)
class FindCoordinatorRequest(Message):
    """v4 asks for several keys (KIP-699), v6 for share groups (KIP-932)."""

    key: String = field("0-3", default="")
    key_type: Int8 = field("1+", default=0)
    coordinator_keys: Sequence[String] = field("4+", default=())


@struct
class Coordinator(Struct):
    key: String
    node_id: Int32
    host: String
    port: Int32
    error_code: Int16 = 0
    error_message: String | None


@response(ApiKey.FIND_COORDINATOR, "0-6", flexible=3)
class FindCoordinatorResponse(Message):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16 = field("0-3", default=0)
    error_message: String | None = field("1-3", default=None)
    node_id: Int32 = field("0-3", default=0)
    host: String = field("0-3", default="")
    port: Int32 = field("0-3", default=0)
    coordinators: Sequence[Coordinator] = field("4+", default=())


@struct
class JoinGroupRequestProtocol(Struct):
    name: String
    metadata: Bytes


@request(ApiKey.JOIN_GROUP, "0-9", flexible=6)
class JoinGroupRequest(Message):
    """v4 may be answered MEMBER_ID_REQUIRED (KIP-394), v5 has static members (KIP-345)."""

    group_id: String
    session_timeout_ms: Int32
    rebalance_timeout_ms: Int32 = field("1+", default=-1)
    member_id: String
    group_instance_id: String | None = field("5+", default=None)
    protocol_type: String
    protocols: Sequence[JoinGroupRequestProtocol]
    reason: String | None = field("8+", default=None)


@struct
class JoinGroupResponseMember(Struct):
    member_id: String
    group_instance_id: String | None = field("5+", default=None)
    metadata: Bytes


@response(ApiKey.JOIN_GROUP, "0-9", flexible=6)
class JoinGroupResponse(Message):
    """v9 can tell a static leader not to assign anew (KIP-814)."""

    throttle_time_ms: Int32 = field("2+", default=0)
    error_code: Int16 = 0
    generation_id: Int32 = -1
    protocol_type: String | None = field("7+", default=None)
    protocol_name: String | None = field(nullable="7+")
    leader: String
    skip_assignment: Bool = field("9+", default=False)
    member_id: String
    members: Sequence[JoinGroupResponseMember]


@struct
class SyncGroupRequestAssignment(Struct):
    member_id: String
    assignment: Bytes


@request(ApiKey.SYNC_GROUP, "0-5", flexible=4)
class SyncGroupRequest(Message):
    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: String | None = field("3+", default=None)
    protocol_type: String | None = field("5+", default=None)
    protocol_name: String | None = field("5+", default=None)
    assignments: Sequence[SyncGroupRequestAssignment]


@response(ApiKey.SYNC_GROUP, "0-5", flexible=4)
class SyncGroupResponse(Message):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16 = 0
    protocol_type: String | None = field("5+", default=None)
    protocol_name: String | None = field("5+", default=None)
    assignment: Bytes


@request(ApiKey.HEARTBEAT, "0-4", flexible=4)
class HeartbeatRequest(Message):
    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: String | None = field("3+", default=None)


@response(ApiKey.HEARTBEAT, "0-4", flexible=4)
class HeartbeatResponse(Message):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16 = 0


@struct
class MemberIdentity(Struct):
    member_id: String
    group_instance_id: String | None = None
    reason: String | None = field("5+", default=None)


@request(ApiKey.LEAVE_GROUP, "0-5", flexible=4)
class LeaveGroupRequest(Message):
    """v3 removes several members, also by their instance id (KIP-345)."""

    group_id: String
    member_id: String = field("0-2", default="")
    members: Sequence[MemberIdentity] = field("3+", default=())


@struct
class MemberResponse(Struct):
    member_id: String
    group_instance_id: String | None
    error_code: Int16 = 0


@response(ApiKey.LEAVE_GROUP, "0-5", flexible=4)
class LeaveGroupResponse(Message):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16 = 0
    members: Sequence[MemberResponse] = field("3+", default=())


@request(ApiKey.DESCRIBE_GROUPS, "0-6", flexible=5)
class DescribeGroupsRequest(Message):
    """v6 answers GROUP_ID_NOT_FOUND where older versions show a dead group (KIP-1043)."""

    groups: Sequence[String]
    include_authorized_operations: Bool = field("3+", default=False)


@struct
class DescribedGroupMember(Struct):
    member_id: String
    group_instance_id: String | None = field("4+", default=None)
    client_id: String
    client_host: String
    member_metadata: Bytes
    member_assignment: Bytes


@struct
class DescribedGroup(Struct):
    error_code: Int16 = 0
    error_message: String | None = field("6+", default=None)
    group_id: String
    group_state: String
    protocol_type: String
    protocol_data: String
    members: Sequence[DescribedGroupMember]
    authorized_operations: Int32 = field("3+", default=INT32_MIN)


@response(ApiKey.DESCRIBE_GROUPS, "0-6", flexible=5)
class DescribeGroupsResponse(Message):
    throttle_time_ms: Int32 = field("1+", default=0)
    groups: Sequence[DescribedGroup]


@request(ApiKey.LIST_GROUPS, "0-5", flexible=3)
class ListGroupsRequest(Message):
    states_filter: Sequence[String] = field("4+", default=())
    types_filter: Sequence[String] = field("5+", default=())


@struct
class ListedGroup(Struct):
    group_id: String
    protocol_type: String
    group_state: String = field("4+", default="")
    group_type: String = field("5+", default="")


@response(ApiKey.LIST_GROUPS, "0-5", flexible=3)
class ListGroupsResponse(Message):
    throttle_time_ms: Int32 = field("1+", default=0)
    error_code: Int16 = 0
    groups: Sequence[ListedGroup]


@struct
class TopicPartition(Struct):
    topic: String
    partitions: Sequence[Int32]


@data("0-3")
class ConsumerProtocolSubscription(Message):
    """The bytes of a consumer in JoinGroup, behind an int16 with the version."""

    topics: Sequence[String]
    user_data: Bytes | None = None
    owned_partitions: Sequence[TopicPartition] = field("1+", default=())
    generation_id: Int32 = field("2+", default=-1)
    rack_id: String | None = field("3+", default=None)


@data("0-3")
class ConsumerProtocolAssignment(Message):
    """The bytes for a consumer in SyncGroup, behind an int16 with the version."""

    assigned_partitions: Sequence[TopicPartition]
    user_data: Bytes | None = None


@request(ApiKey.DELETE_GROUPS, "0-3", flexible=2)
class DeleteGroupsRequest(Message):
    groups_names: Sequence[String] = ()


@struct
class DeletableGroupResult(Struct):
    group_id: String
    error_code: Int16 = 0
    error_message: String | None = field("3+", default=None)


@response(ApiKey.DELETE_GROUPS, "0-3", flexible=2)
class DeleteGroupsResponse(Message):
    throttle_time_ms: Int32 = 0
    results: Sequence[DeletableGroupResult]
