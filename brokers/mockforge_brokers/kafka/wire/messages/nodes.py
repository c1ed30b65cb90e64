"""What administrators ask of single nodes and disks, and delegation tokens."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Bool,
    Bytes,
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


@struct
class AlterReplicaLogDirTopic(Struct):
    name: String
    partitions: Sequence[Int32]


@struct
class AlterReplicaLogDir(Struct):
    path: String
    topics: Sequence[AlterReplicaLogDirTopic]


@request(ApiKey.ALTER_REPLICA_LOG_DIRS, "1-2", flexible=2)
class AlterReplicaLogDirsRequest(Message):
    """Which replicas are to lie in which directory (KIP-113)."""

    dirs: Sequence[AlterReplicaLogDir]


@struct
class AlterReplicaLogDirPartitionResult(Struct):
    partition_index: Int32
    error_code: Int16 = 0


@struct
class AlterReplicaLogDirTopicResult(Struct):
    topic_name: String
    partitions: Sequence[AlterReplicaLogDirPartitionResult]


@response(ApiKey.ALTER_REPLICA_LOG_DIRS, "1-2", flexible=2)
class AlterReplicaLogDirsResponse(Message):
    throttle_time_ms: Int32 = 0
    results: Sequence[AlterReplicaLogDirTopicResult]


@request(ApiKey.UNREGISTER_BROKER, "0", flexible=0)
class UnregisterBrokerRequest(Message):
    broker_id: Int32


@response(ApiKey.UNREGISTER_BROKER, "0", flexible=0)
class UnregisterBrokerResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None


@struct
class RaftVoterListener(Struct):
    name: String
    host: String
    port: Uint16


@request(ApiKey.ADD_RAFT_VOTER, "0-1", flexible=0)
class AddRaftVoterRequest(Message):
    """A controller becomes a voter of the metadata quorum (KIP-853)."""

    cluster_id: String | None
    timeout_ms: Int32
    voter_id: Int32
    voter_directory_id: Uuid
    listeners: Sequence[RaftVoterListener]
    ack_when_committed: Bool = field("1+", default=True)


@response(ApiKey.ADD_RAFT_VOTER, "0-1", flexible=0)
class AddRaftVoterResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None


@request(ApiKey.REMOVE_RAFT_VOTER, "0", flexible=0)
class RemoveRaftVoterRequest(Message):
    cluster_id: String | None
    voter_id: Int32
    voter_directory_id: Uuid


@response(ApiKey.REMOVE_RAFT_VOTER, "0", flexible=0)
class RemoveRaftVoterResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None


@struct
class CreatableRenewer(Struct):
    principal_type: String
    principal_name: String


@request(ApiKey.CREATE_DELEGATION_TOKEN, "1-3", flexible=2)
class CreateDelegationTokenRequest(Message):
    """v3 makes tokens for others (KIP-373)."""

    owner_principal_type: String | None = field("3+", default=None)
    owner_principal_name: String | None = field("3+", default=None)
    renewers: Sequence[CreatableRenewer]
    max_lifetime_ms: Int64


@response(ApiKey.CREATE_DELEGATION_TOKEN, "1-3", flexible=2)
class CreateDelegationTokenResponse(Message):
    error_code: Int16 = 0
    principal_type: String
    principal_name: String
    token_requester_principal_type: String = field("3+", default="")
    token_requester_principal_name: String = field("3+", default="")
    issue_timestamp_ms: Int64 = 0
    expiry_timestamp_ms: Int64 = 0
    max_timestamp_ms: Int64 = 0
    token_id: String
    hmac: Bytes
    throttle_time_ms: Int32 = 0


@request(ApiKey.RENEW_DELEGATION_TOKEN, "1-2", flexible=2)
class RenewDelegationTokenRequest(Message):
    hmac: Bytes
    renew_period_ms: Int64


@response(ApiKey.RENEW_DELEGATION_TOKEN, "1-2", flexible=2)
class RenewDelegationTokenResponse(Message):
    error_code: Int16 = 0
    expiry_timestamp_ms: Int64 = 0
    throttle_time_ms: Int32 = 0


@request(ApiKey.EXPIRE_DELEGATION_TOKEN, "1-2", flexible=2)
class ExpireDelegationTokenRequest(Message):
    hmac: Bytes
    expiry_time_period_ms: Int64


@response(ApiKey.EXPIRE_DELEGATION_TOKEN, "1-2", flexible=2)
class ExpireDelegationTokenResponse(Message):
    error_code: Int16 = 0
    expiry_timestamp_ms: Int64 = 0
    throttle_time_ms: Int32 = 0
