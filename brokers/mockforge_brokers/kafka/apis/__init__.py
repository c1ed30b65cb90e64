"""The APIs that are served: one handler each, and the registry from which ApiVersions answers.

Left out, and so neither shown nor served: transactions (AddPartitionsToTxn, EndTxn, ...), KIP-848
and share groups, ACLs, SASL, quotas, log dirs, DeleteRecords, DeleteGroups, telemetry.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..wire.messages.cluster import ApiVersionsRequest, DescribeClusterRequest, MetadataRequest
from ..wire.messages.configs import (
    AlterConfigsRequest,
    DescribeConfigsRequest,
    IncrementalAlterConfigsRequest,
)
from ..wire.messages.groups import (
    DescribeGroupsRequest,
    FindCoordinatorRequest,
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    ListGroupsRequest,
    SyncGroupRequest,
)
from ..wire.messages.logs import FetchRequest
from ..wire.messages.offsets import (
    ListOffsetsRequest,
    OffsetCommitRequest,
    OffsetFetchRequest,
    OffsetForLeaderEpochRequest,
)
from ..wire.messages.producers import InitProducerIdRequest
from ..wire.messages.topics import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteTopicsRequest,
)
from . import (
    alter_configs,
    create_partitions,
    create_topics,
    delete_topics,
    describe_cluster,
    describe_configs,
    describe_groups,
    fetch,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_groups,
    list_offsets,
    metadata,
    offset_commit,
    offset_fetch,
    offset_for_leader_epoch,
    sync_group,
)
from .api_versions import ApiVersionsTable
from .handler import Handler, MessageHandler
from .produce import ProduceHandler
from .produce import answer_on_road as answer_on_road

_ALL_BUT_API_VERSIONS: tuple[Handler, ...] = (
    ProduceHandler(),
    MessageHandler(FetchRequest, fetch.handle),
    MessageHandler(ListOffsetsRequest, list_offsets.handle),
    MessageHandler(MetadataRequest, metadata.handle),
    MessageHandler(OffsetCommitRequest, offset_commit.handle),
    MessageHandler(OffsetFetchRequest, offset_fetch.handle),
    MessageHandler(FindCoordinatorRequest, find_coordinator.handle),
    MessageHandler(JoinGroupRequest, join_group.handle),
    MessageHandler(HeartbeatRequest, heartbeat.handle),
    MessageHandler(LeaveGroupRequest, leave_group.handle),
    MessageHandler(SyncGroupRequest, sync_group.handle),
    MessageHandler(DescribeGroupsRequest, describe_groups.handle),
    MessageHandler(ListGroupsRequest, list_groups.handle),
    MessageHandler(CreateTopicsRequest, create_topics.handle),
    MessageHandler(DeleteTopicsRequest, delete_topics.handle),
    MessageHandler(InitProducerIdRequest, init_producer_id.handle),
    MessageHandler(OffsetForLeaderEpochRequest, offset_for_leader_epoch.handle),
    MessageHandler(DescribeConfigsRequest, describe_configs.handle),
    MessageHandler(AlterConfigsRequest, alter_configs.handle),
    MessageHandler(CreatePartitionsRequest, create_partitions.handle),
    MessageHandler(IncrementalAlterConfigsRequest, incremental_alter_configs.handle),
    MessageHandler(DescribeClusterRequest, describe_cluster.handle),
)

API_VERSIONS: Final = ApiVersionsTable([handler.api_key for handler in _ALL_BUT_API_VERSIONS])

HANDLERS: Final[Mapping[int, Handler]] = MappingProxyType(
    {
        handler.api_key: handler
        for handler in (
            *_ALL_BUT_API_VERSIONS,
            MessageHandler(ApiVersionsRequest, API_VERSIONS.handle),
        )
    }
)
