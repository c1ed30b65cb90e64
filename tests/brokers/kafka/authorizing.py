"""Each API asked by a user with one right at a time: what the right opens, and what it does not.

`grid` asks one broker: the answer of each request to a user without a right, and of each right the
answers that it changes. `python -m tests.brokers.kafka.authorizing HOST:PORT` prints what Apache
Kafka says, as `recorded/authorization.json` keeps it: its StandardAuthorizer with SASL PLAIN, where
admin (password admin) is a super user and alice's password is secret.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.messages import (
    acls,
    cluster,
    configs,
    consumer_groups,
    features,
    groups,
    logs,
    offsets,
    producers,
    reassignments,
    topics,
    transactions,
)
from mockforge_brokers.kafka.wire.schema import Message

from .asked import (
    always,
    committed,
    created,
    fetched,
    flat,
    joined,
    listed,
    offsets_of,
    produced,
    served,
    until,
)
from .asking import Asking

RECORDED = Path(__file__).parent / "recorded" / "authorization.json"
RECORDED_OPEN = RECORDED.with_stem("authorization-open")
"""The same with allow.everyone.if.no.acl.found, and `OPEN_GRANTS` for somebody else."""

TOPIC, OTHER, GROUP, ID = "right.t", "right.other", "right.g", "right.id"
OPERATIONS = {
    "read": 3,
    "write": 4,
    "create": 5,
    "delete": 6,
    "alter": 7,
    "describe": 8,
    "cluster_action": 9,
    "describe_configs": 10,
    "alter_configs": 11,
    "idempotent_write": 12,
    "two_phase_commit": 15,
}
RESOURCES = {
    "topic": (2, TOPIC),
    "group": (3, GROUP),
    "cluster": (4, "kafka-cluster"),
    "transactional_id": (5, ID),
}
_OF = {
    "topic": "read write create delete alter describe describe_configs alter_configs",
    "group": "read delete describe describe_configs alter_configs",
    "cluster": "create alter describe cluster_action describe_configs alter_configs"
    " idempotent_write",
    "transactional_id": "write describe two_phase_commit",
}
OPEN_GRANTS = ("-", "read topic", "describe group", "alter cluster", "write transactional_id")
GRANTS = [f"{word} {kind}" for kind, words in _OF.items() for word in words.split()]

Call = Callable[[Message, int], Any]


def rule(grant: str, user: str = "alice", *, allow: bool = True, **more: Any) -> acls.AclCreation:
    """The ACL of `read topic`; `all topic` is every operation."""
    word, kind = grant.split()
    number, name = RESOURCES[kind]
    values: dict[str, Any] = {
        "resource_type": number,
        "resource_name": name,
        "principal": f"User:{user}",
        "host": "*",
        "operation": OPERATIONS.get(word, 2),
        "permission_type": 3 if allow else 2,
    }
    return acls.AclCreation(**(values | more))


_BATCH = build_batch([Record(0, 1000, None, b"v")])
_IN_TRANSACTION = build_batch(
    [Record(0, 1000, None, b"v")], producer_id=7, producer_epoch=0, base_sequence=0,
    transactional=True,
)  # fmt: skip


def _transactional_produce() -> Message:
    request = produced(TOPIC, _IN_TRANSACTION)
    request.transactional_id = ID
    return request  # type: ignore[no-any-return]


def _named(name: str | None, **more: Any) -> cluster.MetadataRequest:
    wanted = None if name is None else [cluster.MetadataRequestTopic(name=name)]
    return cluster.MetadataRequest(topics=wanted, allow_auto_topic_creation=False, **more)


def _altered(kind: int, name: str, key: str) -> Message:
    change = configs.IncrementalAlterableConfig(name=key, config_operation=1, value=None)
    resource = configs.IncrementalAlterConfigsResource(
        resource_type=kind, resource_name=name, configs=[change]
    )
    return configs.IncrementalAlterConfigsRequest(resources=[resource], validate_only=True)


def _config(kind: int, name: str, key: str) -> Message:
    wanted = configs.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=[key]
    )
    return configs.DescribeConfigsRequest(resources=[wanted])


def _txn_commit() -> Message:
    part = transactions.TxnOffsetCommitRequestPartition(
        partition_index=0, committed_offset=0, committed_metadata=""
    )
    topic = transactions.TxnOffsetCommitRequestTopic(name=TOPIC, partitions=[part])
    return transactions.TxnOffsetCommitRequest(
        transactional_id=ID, group_id=GROUP, producer_id=7, producer_epoch=0, topics=[topic]
    )


def _added() -> Message:
    topic = transactions.AddPartitionsToTxnTopic(name=TOPIC, partitions=[0])
    none = transactions.AddPartitionsToTxnTopic(name=OTHER, partitions=[0])
    return transactions.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=ID,
        v3_and_below_producer_id=7,
        v3_and_below_producer_epoch=0,
        v3_and_below_topics=[topic, none],
    )


def _epoch() -> Message:
    part = offsets.OffsetForLeaderPartition(partition=0, leader_epoch=0)
    topic = offsets.OffsetForLeaderTopic(topic=TOPIC, partitions=[part])
    return offsets.OffsetForLeaderEpochRequest(topics=[topic])


def _beat(*names: str) -> Message:
    return consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id=GROUP, member_id="m", member_epoch=7, subscribed_topic_names=names or None
    )


def _marker() -> Message:
    topic = transactions.WritableTxnMarkerTopic(name="right.none", partition_indexes=[0])
    marker = transactions.WritableTxnMarker(
        producer_id=7,
        producer_epoch=0,
        transaction_result=False,
        topics=[topic],
        coordinator_epoch=0,
    )
    return transactions.WriteTxnMarkersRequest(markers=[marker])


def _all_acls(kind: type[Any], **more: Any) -> Any:
    return kind(
        resource_name_filter="right.nothing",
        pattern_type_filter=3,
        principal_filter=None,
        host_filter=None,
        operation=1,
        permission_type=1,
        **more,
    )


_NO_ACL = acls.AclCreation(
    resource_type=2, resource_name="", principal="User:x", host="*", operation=3, permission_type=3
)

REQUESTS: dict[str, tuple[int, Callable[[int], Message]]] = {
    "Produce": (9, always(produced(TOPIC, _BATCH))),
    "Produce to no topic": (9, always(produced("right.none", _BATCH))),
    "Produce in a transaction": (9, lambda _: _transactional_produce()),
    "Fetch": (11, always(fetched(TOPIC, 0))),
    "Fetch of no topic": (11, always(fetched("right.none", 0))),
    "ListOffsets": (5, always(listed(TOPIC, -2))),
    "Metadata of a topic": (
        9,
        always(
            _named(
                TOPIC,
                include_topic_authorized_operations=True,
                include_cluster_authorized_operations=True,
            )
        ),
    ),
    "Metadata of all": (9, always(_named(None))),
    "Metadata of no topic": (9, always(_named("right.none"))),
    "OffsetCommit": (7, always(committed(TOPIC, 0, group=GROUP))),
    "OffsetFetch": (7, offsets_of(GROUP, TOPIC)),
    "OffsetFetch of all": (7, offsets_of(GROUP, None)),
    "FindCoordinator of a group": (3, always(groups.FindCoordinatorRequest(key=GROUP))),
    "FindCoordinator of an id": (3, always(groups.FindCoordinatorRequest(key=ID, key_type=1))),
    "FindCoordinator of shares": (
        6,
        always(groups.FindCoordinatorRequest(key_type=2, coordinator_keys=["g:x:0"])),
    ),
    "JoinGroup": (5, always(joined(GROUP, member_id="m"))),
    "SyncGroup": (
        5,
        always(
            groups.SyncGroupRequest(
                group_id=GROUP,
                generation_id=1,
                member_id="m",
                assignments=[],
                protocol_type="consumer",
                protocol_name="range",
            )
        ),
    ),
    "Heartbeat": (
        4,
        always(groups.HeartbeatRequest(group_id=GROUP, generation_id=1, member_id="m")),
    ),
    "LeaveGroup": (
        4,
        always(
            groups.LeaveGroupRequest(group_id=GROUP, members=[groups.MemberIdentity(member_id="m")])
        ),
    ),
    "DescribeGroups": (
        5,
        always(groups.DescribeGroupsRequest(groups=[GROUP], include_authorized_operations=True)),
    ),
    "ListGroups": (4, always(groups.ListGroupsRequest())),
    "ConsumerGroupHeartbeat": (1, lambda _: _beat()),
    "ConsumerGroupHeartbeat of a topic": (1, lambda _: _beat(TOPIC)),
    "ConsumerGroupDescribe": (
        1,
        always(
            consumer_groups.ConsumerGroupDescribeRequest(
                group_ids=[GROUP], include_authorized_operations=True
            )
        ),
    ),
    "CreateTopics": (5, always(created(TOPIC))),
    "CreateTopics of another": (5, always(created("right.none"))),
    "CreatePartitions": (
        3,
        always(
            topics.CreatePartitionsRequest(
                topics=[topics.CreatePartitionsTopic(name=TOPIC, count=1, assignments=None)],
                timeout_ms=1000,
                validate_only=True,
            )
        ),
    ),
    "DeleteRecords": (
        2,
        always(
            logs.DeleteRecordsRequest(
                topics=[
                    logs.DeleteRecordsTopic(
                        name=TOPIC,
                        partitions=[logs.DeleteRecordsPartition(partition_index=0, offset=0)],
                    )
                ],
                timeout_ms=1000,
            )
        ),
    ),
    "InitProducerId": (
        4,
        always(
            producers.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
        ),
    ),
    "InitProducerId of an id": (
        4,
        always(producers.InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000)),
    ),
    "OffsetForLeaderEpoch": (4, lambda _: _epoch()),
    "AddPartitionsToTxn": (3, lambda _: _added()),
    "AddOffsetsToTxn": (
        3,
        always(
            transactions.AddOffsetsToTxnRequest(
                transactional_id=ID, producer_id=7, producer_epoch=0, group_id=GROUP
            )
        ),
    ),
    "EndTxn": (
        3,
        always(
            transactions.EndTxnRequest(
                transactional_id=ID, producer_id=7, producer_epoch=0, committed=True
            )
        ),
    ),
    "TxnOffsetCommit": (3, lambda _: _txn_commit()),
    "WriteTxnMarkers": (1, lambda _: _marker()),
    "DescribeAcls": (3, lambda _: _all_acls(acls.DescribeAclsRequest, resource_type_filter=2)),
    "CreateAcls": (3, always(acls.CreateAclsRequest(creations=[_NO_ACL]))),
    "DeleteAcls": (
        3,
        lambda _: acls.DeleteAclsRequest(
            filters=[_all_acls(acls.DeleteAclsFilter, resource_type_filter=2)]
        ),
    ),
    "DescribeConfigs of a topic": (4, lambda _: _config(2, TOPIC, "retention.ms")),
    "DescribeConfigs of a broker": (4, lambda _: _config(4, "1", "no.such.key")),
    "IncrementalAlterConfigs of a topic": (1, lambda _: _altered(2, TOPIC, "retention.ms")),
    "IncrementalAlterConfigs of a broker": (1, lambda _: _altered(4, "1", "log.retention.ms")),
    "DescribeLogDirs": (4, always(logs.DescribeLogDirsRequest(topics=[]))),
    "DeleteGroups": (2, always(groups.DeleteGroupsRequest(groups_names=["right.none", GROUP]))),
    "OffsetDelete": (
        0,
        always(
            offsets.OffsetDeleteRequest(
                group_id=GROUP,
                topics=[
                    offsets.OffsetDeleteRequestTopic(
                        name=TOPIC,
                        partitions=[offsets.OffsetDeleteRequestPartition(partition_index=0)],
                    )
                ],
            )
        ),
    ),
    "ElectLeaders": (
        2,
        always(reassignments.ElectLeadersRequest(topic_partitions=[], timeout_ms=9)),
    ),
    "AlterPartitionReassignments": (
        1,
        always(reassignments.AlterPartitionReassignmentsRequest(timeout_ms=9, topics=[])),
    ),
    "ListPartitionReassignments": (
        0,
        always(reassignments.ListPartitionReassignmentsRequest(timeout_ms=9, topics=[])),
    ),
    "DescribeQuorum": (1, always(cluster.DescribeQuorumRequest(topics=[]))),
    "UpdateFeatures": (
        1,
        always(
            features.UpdateFeaturesRequest(
                feature_updates=[
                    features.FeatureUpdateKey(feature="transaction.version", max_version_level=2)
                ],
                validate_only=True,
            )
        ),
    ),
    "DescribeCluster": (
        1,
        always(cluster.DescribeClusterRequest(include_cluster_authorized_operations=True)),
    ),
    "DescribeProducers": (
        0,
        always(
            producers.DescribeProducersRequest(
                topics=[producers.DescribeProducersTopic(name=TOPIC, partition_indexes=[7])]
            )
        ),
    ),
    "DescribeTransactions": (
        0,
        always(transactions.DescribeTransactionsRequest(transactional_ids=[ID])),
    ),
    "DescribeTopicPartitions": (
        0,
        always(
            topics.DescribeTopicPartitionsRequest(
                topics=[topics.DescribeTopicPartitionsTopic(name=TOPIC)]
            )
        ),
    ),
    "ListConfigResources": (
        1,
        always(configs.ListConfigResourcesRequest(resource_types=[2])),
    ),
    "DeleteTopics of no topic": (
        5,
        always(topics.DeleteTopicsRequest(topic_names=["right.none"], timeout_ms=1000)),
    ),
    "DeleteTopics": (
        5,
        always(topics.DeleteTopicsRequest(topic_names=[TOPIC], timeout_ms=1000)),
    ),
}
"""By what it is: version and request; only the last one changes what a later one asks about."""


_INDEX = re.compile(r"\[[0-9]+]")


def codes(answer: Message) -> list[str]:
    """What an answer says about rights, in no order: codes, what it lists, what is allowed."""
    return sorted(
        _INDEX.sub("", path) + f" {value}"
        for path, value in flat(answer).items()
        if path.endswith(("error_code", "_operations"))
        or (path.endswith(("name", "group_id")) and str(value).startswith("right."))
    )


def furnish(call: Call) -> None:
    for name in (TOPIC, OTHER):
        assert call(created(name, dry=False), 5).topics[0].error_code in (0, 36)
        until(lambda name=name: served(call, name))
    for key, kind in ((GROUP, 0), (ID, 1)):
        asked = groups.FindCoordinatorRequest(key=key, key_type=kind)
        until(lambda asked=asked: not call(asked, 3).error_code)
    # Kafka fetches a block of ids first.
    producer = producers.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    until(lambda: not call(producer, 4).error_code)
    until(lambda: not call(committed(TOPIC, 0, group=GROUP), 7).topics[0].partitions[0].error_code)


def counted(call: Call) -> int:
    request = acls.DescribeAclsRequest(
        resource_type_filter=1,
        resource_name_filter=None,
        pattern_type_filter=1,
        principal_filter=None,
        host_filter=None,
        operation=1,
        permission_type=1,
    )
    return sum(len(one.acls) for one in call(request, 3).resources)


def grant(call: Call, *rules: acls.AclCreation) -> None:
    """Let these be the only ACLs; what takes a moment in Apache Kafka is waited for."""
    everything = acls.DeleteAclsFilter(
        resource_type_filter=1,
        resource_name_filter=None,
        pattern_type_filter=1,
        principal_filter=None,
        host_filter=None,
        operation=1,
        permission_type=1,
    )
    call(acls.DeleteAclsRequest(filters=[everything]), 3)
    until(lambda: counted(call) == 0)
    if rules:
        results = call(acls.CreateAclsRequest(creations=rules), 3).results
        assert [one.error_code for one in results] == [0] * len(rules)
        until(lambda: counted(call) == len(rules))


def grid(
    admin: Call, alice: Call, grants: Iterable[str] = ("-", *GRANTS), user: str = "alice"
) -> dict[str, dict[str, Any]]:
    """By request: `-` is the answer without a right of `user`, the others those that differ."""
    said: dict[str, dict[str, Any]] = {name: {} for name in REQUESTS}
    for granted in grants:
        furnish(admin)
        grant(admin, *([] if granted == "-" else [rule(granted, user)]))
        for name, (version, request) in REQUESTS.items():
            answer = codes(alice(request(version), version))
            if answer != said[name].get("-"):
                said[name][granted] = answer
    return said


def caller(host: str, port: int, user: str, password: str) -> Call:
    def call(message: Message, version: int) -> Any:
        with Asking(host, port, user=user, password=password) as asking:
            return asking.call(message, version)

    return call


if __name__ == "__main__":
    where, _, number = sys.argv[1].partition(":")
    print(
        json.dumps(
            grid(
                caller(where, int(number), "admin", "admin"),
                caller(where, int(number), "alice", "secret"),
            ),
            indent=1,
        )
    )
