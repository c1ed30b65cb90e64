"""Requests that no client library sends, each odd in one way, and what Apache Kafka says of them.

`python -m tests.brokers.kafka.asked_oddly HOST:PORT` keeps what a new Apache Kafka answers, each in
its newest version, in `recorded/odd.json`. None of them changes anything.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.messages import (
    acls,
    cluster,
    configs,
    features,
    groups,
    logs,
    nodes,
    offsets,
    producers,
    quotas,
    reassignments,
    scram,
    security,
    telemetry,
    topics,
    transactions,
)
from mockforge_brokers.kafka.wire.schema import Message

from .asked import (
    GROUP,
    NOW,
    TOPIC,
    committed,
    fetched,
    furnish,
    identified,
    joined,
    listed,
    produced,
    said_of,
    versions,
)

RECORDED = Path(__file__).parent / "recorded" / "odd.json"
_NONE = "differ.none"
_SOME_ID = b"1" * 16
_BATCH = build_batch([Record(0, NOW, None, b"v")])
_TRANSACTIONAL = build_batch(
    [Record(0, NOW, None, b"v")],
    producer_id=9,
    producer_epoch=0,
    base_sequence=0,
    transactional=True,
)


def paged(
    *names: str, limit: int = 2000, after: tuple[str, int] | None = None
) -> topics.DescribeTopicPartitionsRequest:
    return topics.DescribeTopicPartitionsRequest(
        topics=[topics.DescribeTopicPartitionsTopic(name=name) for name in names],
        response_partition_limit=limit,
        cursor=None
        if after is None
        else topics.Cursor(topic_name=after[0], partition_index=after[1]),
    )


def _configs_of(*resources: tuple[int, str], keys: Sequence[str] | None = ("none",)) -> Message:
    return configs.DescribeConfigsRequest(
        resources=[
            configs.DescribeConfigsResource(
                resource_type=kind, resource_name=name, configuration_keys=keys
            )
            for kind, name in resources
        ]
    )


def _features(*updates: tuple[str, int, int]) -> Message:
    return features.UpdateFeaturesRequest(
        feature_updates=[
            features.FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=kind)
            for name, level, kind in updates
        ],
        validate_only=True,
    )


def _coordinators(kind: int, *keys: str) -> Message:
    return groups.FindCoordinatorRequest(key="", key_type=kind, coordinator_keys=keys)


def _metadata(*wanted: tuple[str | None, bytes]) -> Message:
    return cluster.MetadataRequest(
        topics=[cluster.MetadataRequestTopic(name=name, topic_id=one) for name, one in wanted],
        allow_auto_topic_creation=False,
    )


def _epochs(topic: str, *asked: tuple[int, int, int], replica: int = -2) -> Message:
    return offsets.OffsetForLeaderEpochRequest(
        replica_id=replica,
        topics=[
            offsets.OffsetForLeaderTopic(
                topic=topic,
                partitions=[
                    offsets.OffsetForLeaderPartition(
                        partition=part, current_leader_epoch=current, leader_epoch=epoch
                    )
                    for part, current, epoch in asked
                ],
            )
        ],
    )


def _offsets_of(
    *wanted: str, member: str | None = None, epoch: int = -1, parts: Sequence[int] | None = (0,)
) -> Message:
    return offsets.OffsetFetchRequest(
        groups=[
            offsets.OffsetFetchRequestGroup(
                group_id=group,
                member_id=member,
                member_epoch=epoch,
                topics=None
                if parts is None
                else [offsets.OffsetFetchRequestTopics(name=TOPIC, partition_indexes=parts)],
            )
            for group in wanted
        ]
    )


def _committed(metadata: str | None, offset: int = 2, **who: Any) -> Message:
    request = committed(TOPIC, offset, **who)
    request.topics[0].partitions[0].committed_metadata = metadata
    return request


def _synced(group: str = GROUP, **more: Any) -> Message:
    values: dict[str, Any] = {"generation_id": 1, "member_id": "m", "assignments": []}
    values |= {"protocol_type": "consumer", "protocol_name": "range"}
    return groups.SyncGroupRequest(group_id=group, **(values | more))


def _beaten(group: str = GROUP, generation: int = 1, member: str = "m", **more: Any) -> Message:
    return groups.HeartbeatRequest(
        group_id=group, generation_id=generation, member_id=member, **more
    )


def _left(group: str, *members: tuple[str, str | None]) -> Message:
    leaving = [
        groups.MemberIdentity(member_id=name, group_instance_id=instance)
        for name, instance in members
    ]
    return groups.LeaveGroupRequest(group_id=group, members=leaving)


def _identified(
    name: str | None, timeout: int = 60_000, producer: int = -1, epoch: int = -1
) -> Message:
    return producers.InitProducerIdRequest(
        transactional_id=name,
        transaction_timeout_ms=timeout,
        producer_id=producer,
        producer_epoch=epoch,
    )


def _added(name: str, topic: str = TOPIC, *, part: int = 0) -> Message:
    wanted = transactions.AddPartitionsToTxnTopic(name=topic, partitions=[part])
    return transactions.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=name,
        v3_and_below_producer_id=7,
        v3_and_below_producer_epoch=0,
        v3_and_below_topics=[wanted],
    )


def _marked(topic: str = TOPIC, part: int = 0, *, epoch: int = 0, producer: int = 77) -> Message:
    wanted = transactions.WritableTxnMarkerTopic(name=topic, partition_indexes=[part])
    marker = transactions.WritableTxnMarker(
        producer_id=producer,
        producer_epoch=epoch,
        transaction_result=False,
        topics=[wanted],
        coordinator_epoch=0,
    )
    return transactions.WriteTxnMarkersRequest(markers=[marker])


def _deleted(*wanted: tuple[str | None, bytes]) -> Message:
    return topics.DeleteTopicsRequest(
        topics=[topics.DeleteTopicState(name=name, topic_id=one) for name, one in wanted],
        timeout_ms=1000,
    )


def _quotas_of(*components: tuple[str, int, str | None], strict: bool = True) -> Message:
    return quotas.DescribeClientQuotasRequest(
        components=[
            quotas.QuotaComponent(entity_type=kind, match_type=match, match=name)
            for kind, match, name in components
        ],
        strict=strict,
    )


def _quorum(topic: str, *parts: int, times: int = 1) -> Message:
    wanted = cluster.QuorumTopic(
        topic_name=topic, partitions=[cluster.QuorumPartition(partition_index=one) for one in parts]
    )
    return cluster.DescribeQuorumRequest(topics=[wanted] * times)


def _voter(
    request: type[Message], number: int, directory: bytes = _SOME_ID, **more: Any
) -> Message:
    return request(cluster_id=None, voter_id=number, voter_directory_id=directory, **more)


def _pushed(instance: bytes, *, codec: int = 0, metrics: bytes = b"") -> Message:
    return telemetry.PushTelemetryRequest(
        client_instance_id=instance,
        subscription_id=1,
        terminating=False,
        compression_type=codec,
        metrics=metrics,
    )


def _fetched(**more: Any) -> logs.FetchRequest:
    """Of the first partition; what is of the partition is set there, all else at the request."""
    part = {name: more.pop(name) for name in logs.FetchPartition.__slots__ if name in more}
    request: logs.FetchRequest = fetched(TOPIC, 0, **more)
    for name, value in part.items():
        setattr(request.topics[0].partitions[0], name, value)
    return request


def _twice(request: Any, *path: str) -> Any:
    """What the path leads to is in the request two times."""
    place = request
    for name in path[:-1]:
        place = getattr(place, name)[0]
    setattr(place, path[-1], list(getattr(place, path[-1])) * 2)
    return request


def _acl_filter(**more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "resource_type_filter": 1,
        "resource_name_filter": None,
        "pattern_type_filter": 1,
        "principal_filter": None,
        "host_filter": None,
        "operation": 1,
        "permission_type": 1,
    }
    return values | more


ODD: dict[ApiKey, list[tuple[str, Message]]] = {
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: [
        ("no limit", paged(TOPIC, limit=0)),
        ("a limit below nothing", paged(TOPIC, limit=-1)),
        ("one partition", paged(TOPIC, limit=1)),
        ("a topic twice", paged(TOPIC, TOPIC)),
        ("no name", paged("")),
        ("a name that is none", paged("a b")),
        ("a topic that is not there between others", paged("differ.empty", _NONE, TOPIC)),
        ("a page that ends between topics", paged("differ.empty", TOPIC, limit=1)),
        ("a page that ends before one that is not there", paged("differ.empty", _NONE, limit=1)),
        ("from the second partition", paged(TOPIC, after=(TOPIC, 1))),
        ("from behind all", paged(TOPIC, after=(TOPIC, 9))),
        ("from a topic that is not asked for", paged(TOPIC, after=("differ.empty", 0))),
        ("from a partition below nothing", paged(TOPIC, after=(TOPIC, -1))),
        ("from a topic that is not there", paged(_NONE, TOPIC, after=(_NONE, 0))),
        ("all from a topic that is not there", paged(after=("differ.f", 0))),
        ("all from behind the last", paged(after=("z", 0))),
        ("the second of two", paged("differ.empty", TOPIC, after=(TOPIC, 0))),
    ],
    ApiKey.DESCRIBE_CONFIGS: [
        ("nothing", _configs_of()),
        ("a type of 0", _configs_of((0, "x"))),
        ("a type of 1", _configs_of((1, "x"))),
        ("a type of 99", _configs_of((99, "x"))),
        ("a type below nothing", _configs_of((-1, "x"))),
        ("a topic twice", _configs_of((2, TOPIC), (2, TOPIC))),
        ("no topic", _configs_of((2, ""))),
        ("a topic's name that is none", _configs_of((2, "a b"))),
        ("a broker's name that is no number", _configs_of((4, "x"))),
        ("a broker by another writing", _configs_of((4, "01"))),
        ("a broker with its sign", _configs_of((4, "+1"))),
        ("a broker behind a blank", _configs_of((4, " 1"))),
        ("a broker below nothing", _configs_of((4, "-1"))),
        ("a broker over an int", _configs_of((4, "99999999999"))),
        ("all brokers", _configs_of((4, ""))),
        ("a logger's broker that is no number", _configs_of((8, "x"))),
        ("no logger's broker", _configs_of((8, ""))),
        ("no subscription", _configs_of((16, ""))),
        ("a subscription that is not there", _configs_of((16, "differ.m"), keys=["interval.ms"])),
        ("a group that is not there", _configs_of((32, "differ.n"))),
        ("a key twice", _configs_of((2, TOPIC), keys=["retention.ms", "retention.ms"])),
        ("a topic that is not there beside one that is", _configs_of((2, _NONE), (2, TOPIC))),
    ],
    ApiKey.LIST_CONFIG_RESOURCES: [
        (f"of types {kinds}", configs.ListConfigResourcesRequest(resource_types=kinds))
        for kinds in ([0], [1], [99], [-1], [4, 4], [4], [8], [16], [32], [2, 99], [16, 4])
    ],
    ApiKey.UPDATE_FEATURES: [
        ("nothing", _features()),
        ("twice", _features(("group.version", 1, 1), ("group.version", 1, 1))),
        ("a type of 0", _features(("group.version", 1, 0))),
        ("an unknown one below nothing", _features(("foo", -1, 1))),
        ("an unknown one of an unknown type", _features(("foo", 1, 9))),
        ("as it is", _features(("group.version", 1, 1))),
        ("off by an upgrade", _features(("group.version", 0, 1))),
        ("off", _features(("group.version", 0, 2))),
        ("off at any price", _features(("group.version", 0, 3))),
        ("over what is known", _features(("group.version", 9, 1))),
        ("down to where it is", _features(("group.version", 1, 2))),
        ("no name", _features(("", 1, 1))),
        ("metadata.version off", _features(("metadata.version", 0, 3))),
        ("metadata.version below nothing", _features(("metadata.version", -5, 2))),
        ("metadata.version over what is known", _features(("metadata.version", 99, 1))),
        ("kraft.version", _features(("kraft.version", 1, 1))),
        ("a good one and a bad one", _features(("group.version", 1, 1), ("foo", 1, 1))),
        ("two bad ones", _features(("bar", 1, 1), ("foo", 1, 1))),
        ("one that is not known off", _features(("foo", 0, 2))),
    ],
    ApiKey.FIND_COORDINATOR: [
        ("of nothing", _coordinators(0)),
        ("of no group", _coordinators(0, "")),
        ("of a group twice", _coordinators(0, GROUP, GROUP)),
        ("of no transactional id", _coordinators(1, "")),
        ("of a share group without its parts", _coordinators(2, GROUP)),
        ("below all types", _coordinators(-1, GROUP)),
    ],
    ApiKey.METADATA: [
        ("of nothing", _metadata()),
        ("of neither name nor id", _metadata((None, bytes(16)))),
        ("of an id that is not there", _metadata((None, _SOME_ID))),
        ("of a name and an id", _metadata((TOPIC, _SOME_ID))),
        ("of a topic twice", _metadata((TOPIC, bytes(16)), (TOPIC, bytes(16)))),
        ("of no name", _metadata(("", bytes(16)))),
        ("of one that is not there", _metadata((_NONE, bytes(16)))),
        ("of a name too long", _metadata(("x" * 250, bytes(16)))),
    ],
    ApiKey.PRODUCE: [
        ("acks of -2", produced(TOPIC, _BATCH, acks=-2)),
        ("sixteen bytes", produced(TOPIC, _BATCH[:16])),
        ("no length", produced(TOPIC, _BATCH[:8] + bytes(4))),
        ("a length below nothing", produced(TOPIC, _BATCH[:8] + b"\xff" * 4 + _BATCH[12:])),
        ("a length of less", produced(TOPIC, _BATCH[:8] + bytes((0, 0, 0, 20)) + _BATCH[12:])),
        ("an old format", produced(TOPIC, _BATCH[:16] + b"\1" + _BATCH[17:])),
        ("a format of the future", produced(TOPIC, _BATCH[:16] + b"\3" + _BATCH[17:])),
        ("no bytes", produced(TOPIC, b"")),
        ("a few bytes", produced(TOPIC, _BATCH[:20])),
        ("half a batch", produced(TOPIC, _BATCH[:-3])),
        ("a partition below nothing", produced(TOPIC, _BATCH, partition=-1)),
        ("of a transaction without its id", produced(TOPIC, _TRANSACTIONAL)),
    ],
    ApiKey.FETCH: [
        ("an offset of -1", _fetched(fetch_offset=-1)),
        ("an offset of -2", _fetched(fetch_offset=-2)),
        ("a partition of -1", _fetched(partition=-1)),
        ("an epoch of -2", _fetched(current_leader_epoch=-2)),
        ("a last epoch that never was", _fetched(last_fetched_epoch=7)),
        ("a last epoch of -2", _fetched(last_fetched_epoch=-2)),
        ("no bytes of a partition", _fetched(partition_max_bytes=0)),
        ("bytes below nothing of a partition", _fetched(partition_max_bytes=-1)),
        ("no bytes at all", _fetched(max_bytes=0)),
        ("bytes below nothing", _fetched(max_bytes=-1)),
        ("an isolation of 7", _fetched(isolation_level=7)),
        ("a session epoch of -2", _fetched(session_id=0, session_epoch=-2)),
        ("a session without epoch", _fetched(session_id=7, session_epoch=-1)),
        ("a later epoch of no session", _fetched(session_id=0, session_epoch=1)),
        ("a partition twice", _twice(_fetched(session_epoch=-1), "topics", "partitions")),
        ("nothing", logs.FetchRequest(max_wait_ms=0, min_bytes=0, topics=[], session_epoch=-1)),
    ],
    ApiKey.LIST_OFFSETS: [
        ("a timestamp of -8", listed(TOPIC, -8)),
        ("a timestamp of -100", listed(TOPIC, -100)),
        ("a partition of -1", listed(TOPIC, -1, partition=-1)),
        ("an epoch of -2", listed(TOPIC, -1, epoch=-2)),
        ("a partition twice", _twice(listed(TOPIC, -1), "topics", "partitions")),
        ("a topic twice", _twice(listed(TOPIC, -1), "topics")),
        ("nothing", offsets.ListOffsetsRequest(replica_id=-1, topics=[])),
        ("an isolation of 7", listed(TOPIC, -1, isolation_level=7)),
    ],
    ApiKey.OFFSET_FOR_LEADER_EPOCH: [
        ("an epoch of -1", _epochs(TOPIC, (0, -1, -1))),
        ("an epoch of -2", _epochs(TOPIC, (0, -1, -2))),
        ("no such partition", _epochs(TOPIC, (9, -1, 0))),
        ("a partition of -1", _epochs(TOPIC, (-1, -1, 0))),
        ("a newer present epoch", _epochs(TOPIC, (0, 7, 0))),
        ("a partition twice", _epochs(TOPIC, (0, -1, 0), (0, -1, 7))),
        ("as a follower", _epochs(TOPIC, (0, -1, 0), replica=5)),
        ("a name that is none", _epochs("a b", (0, -1, 0))),
    ],
    ApiKey.OFFSET_COMMIT: [
        ("no metadata", _committed(None, group="differ.odd")),
        ("metadata too long", _committed("x" * 5000)),
        ("a generation of -2", _committed("m", generation_id_or_member_epoch=-2)),
        ("an instance alone", _committed("m", group_instance_id="i")),
        ("a generation without member", _committed("m", generation_id_or_member_epoch=3)),
        (
            "a generation of a group that is not there",
            _committed("m", group="differ.nobody", generation_id_or_member_epoch=3, member="m"),
        ),
        ("nothing", offsets.OffsetCommitRequest(group_id=GROUP, member_id="", topics=[])),
    ],
    ApiKey.OFFSET_FETCH: [
        ("of no group", _offsets_of("")),
        ("of a group twice", _offsets_of(GROUP, GROUP)),
        ("of nothing", _offsets_of()),
        ("no partitions", _offsets_of(GROUP, parts=())),
        ("a partition twice", _offsets_of(GROUP, parts=(0, 0))),
        ("a partition of -1", _offsets_of(GROUP, parts=(-1,))),
        ("as a member that is not there", _offsets_of(GROUP, member="m", epoch=1)),
        ("as a member of a group that is not there", _offsets_of("differ.n", member="m", epoch=1)),
        ("an epoch without member", _offsets_of(GROUP, epoch=3)),
        ("a member without epoch", _offsets_of(GROUP, member="m")),
    ],
    ApiKey.JOIN_GROUP: [
        ("no time", joined("differ.j", session_timeout_ms=0)),
        ("time below nothing", joined("differ.j", session_timeout_ms=-1)),
        ("no protocols", joined("differ.j", member_id="m", protocols=[])),
        ("no type", joined("differ.j", member_id="m", protocol_type="")),
        ("an instance of another member", joined("differ.j", member_id="m", group_instance_id="i")),
    ],
    ApiKey.SYNC_GROUP: [
        ("no group", _synced("")),
        ("a group that is not there", _synced("differ.s")),
        ("no type", _synced(protocol_type=None)),
        ("no protocol", _synced(protocol_name=None)),
        ("another type", _synced(protocol_type="connect")),
        ("no member", _synced(member_id="")),
        ("an instance that is not there", _synced(group_instance_id="i")),
    ],
    ApiKey.HEARTBEAT: [
        ("no group", _beaten("")),
        ("no member", _beaten(member="")),
        ("a generation of -1", _beaten(generation=-1)),
        ("an instance that is not there", _beaten(group_instance_id="i")),
    ],
    ApiKey.LEAVE_GROUP: [
        ("nobody", _left(GROUP)),
        ("no group", _left("", ("m", None))),
        ("a group that is not there", _left("differ.l", ("m", None))),
        ("no member", _left(GROUP, ("", None))),
        ("a member twice", _left(GROUP, ("m", None), ("m", None))),
        ("an instance that is not there", _left(GROUP, ("", "i"))),
    ],
    ApiKey.DESCRIBE_GROUPS: [
        (label, groups.DescribeGroupsRequest(groups=names))
        for label, names in (
            ("none", []),
            ("no name", [""]),
            ("one twice", [GROUP, GROUP]),
            ("one that is there and one that is not", ["differ.d", GROUP]),
        )
    ],
    ApiKey.LIST_GROUPS: [
        ("an unknown state", groups.ListGroupsRequest(states_filter=["Foo"])),
        ("a state in small letters", groups.ListGroupsRequest(states_filter=["dead"])),
        ("an unknown type", groups.ListGroupsRequest(types_filter=["foo"])),
        ("a type in other letters", groups.ListGroupsRequest(types_filter=["SHARE"])),
    ],
    ApiKey.DELETE_GROUPS: [
        ("none", groups.DeleteGroupsRequest(groups_names=[])),
        ("no name", groups.DeleteGroupsRequest(groups_names=[""])),
        ("one twice", groups.DeleteGroupsRequest(groups_names=["differ.n", "differ.n"])),
    ],
    ApiKey.INIT_PRODUCER_ID: [
        ("no name", _identified("")),
        ("a time below nothing", _identified("differ.txn", -1)),
        ("too much time", _identified("differ.txn", 2**31 - 1)),
        ("an id without epoch", _identified("differ.txn", producer=7)),
        ("an epoch without id", _identified("differ.txn", epoch=7)),
    ],
    ApiKey.ADD_OFFSETS_TO_TXN: [
        (
            label,
            transactions.AddOffsetsToTxnRequest(
                transactional_id=name, producer_id=7, producer_epoch=0, group_id=group
            ),
        )
        for label, name, group in (
            ("no name", "", GROUP),
            ("one that is not there", "differ.txn", GROUP),
            ("no group", "differ.txn", ""),
        )
    ],
    ApiKey.END_TXN: [
        (
            label,
            transactions.EndTxnRequest(
                transactional_id=name, producer_id=number, producer_epoch=0, committed=True
            ),
        )
        for label, name, number in (
            ("no name", "", 7),
            ("one that is not there", "differ.txn", 7),
            ("a producer below nothing", "differ.txn", -1),
        )
    ],
    ApiKey.WRITE_TXN_MARKERS: [
        ("nothing", transactions.WriteTxnMarkersRequest(markers=[])),
        ("no such topic", _marked(_NONE)),
        ("no such partition", _marked(part=9)),
        ("a partition of -1", _marked(part=-1)),
    ],
    ApiKey.DESCRIBE_TRANSACTIONS: [
        ("none", transactions.DescribeTransactionsRequest(transactional_ids=[])),
        ("one twice", transactions.DescribeTransactionsRequest(transactional_ids=["a", "a"])),
    ],
    ApiKey.LIST_TRANSACTIONS: [
        ("a producer of -1", transactions.ListTransactionsRequest(producer_id_filters=[-1])),
        ("a duration of -2", transactions.ListTransactionsRequest(duration_filter=-2)),
        ("no pattern", transactions.ListTransactionsRequest(transactional_id_pattern="")),
        ("a state in small letters", transactions.ListTransactionsRequest(state_filters=["empty"])),
    ],
    ApiKey.DESCRIBE_PRODUCERS: [
        (
            label,
            producers.DescribeProducersRequest(
                topics=[producers.DescribeProducersTopic(name=name, partition_indexes=parts)]
            ),
        )
        for label, name, parts in (
            ("no partitions", TOPIC, []),
            ("a partition of -1", TOPIC, [-1]),
            ("a partition twice", TOPIC, [0, 0]),
            ("no name", "", [0]),
        )
    ],
    ApiKey.DELETE_TOPICS: [
        ("none", _deleted()),
        ("neither name nor id", _deleted((None, bytes(16)))),
        ("a name and an id", _deleted((TOPIC, _SOME_ID))),
        ("an id that is not there", _deleted((None, _SOME_ID))),
        ("an id twice", _deleted((None, _SOME_ID), (None, _SOME_ID))),
        ("one that is not there twice", _deleted((_NONE, bytes(16)), (_NONE, bytes(16)))),
        ("no name", _deleted(("", bytes(16)))),
    ],
    ApiKey.DESCRIBE_LOG_DIRS: [
        (
            label,
            logs.DescribeLogDirsRequest(
                topics=[logs.DescribableLogDirTopic(topic=name, partitions=parts)]
            ),
        )
        for label, name, parts in (
            ("no such topic", _NONE, [0]),
            ("no such partition", TOPIC, [9]),
            ("a partition twice", TOPIC, [0, 0]),
            ("no partitions", TOPIC, []),
        )
    ],
    ApiKey.LIST_PARTITION_REASSIGNMENTS: [
        (
            label,
            reassignments.ListPartitionReassignmentsRequest(
                topics=None
                if name is None
                else [
                    reassignments.ListPartitionReassignmentsTopics(name=name, partition_indexes=[9])
                ]
            ),
        )
        for label, name in (("all", None), ("no such topic", _NONE), ("no such partition", TOPIC))
    ],
    ApiKey.DESCRIBE_CLIENT_QUOTAS: [
        ("nothing", _quotas_of()),
        ("a type twice", _quotas_of(("user", 2, None), ("user", 2, None))),
        ("a name of the default", _quotas_of(("user", 1, "a"))),
        ("a name of any", _quotas_of(("user", 2, "a"))),
        ("a user and an address", _quotas_of(("user", 2, None), ("ip", 2, None))),
        ("a match below nothing", _quotas_of(("user", -1, None))),
        ("an address that is none", _quotas_of(("ip", 0, "x y"))),
        ("no name", _quotas_of(("user", 0, ""))),
    ],
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: [
        (
            label,
            scram.DescribeUserScramCredentialsRequest(
                users=None if names is None else [scram.UserName(name=name) for name in names]
            ),
        )
        for label, names in (
            ("all", None),
            ("none", []),
            ("no name", [""]),
            ("one twice", ["a", "a"]),
            ("one three times and another", ["a", "b", "a", "a"]),
        )
    ],
    ApiKey.DESCRIBE_ACLS: [
        ("a type of 9", acls.DescribeAclsRequest(**_acl_filter(resource_type_filter=9))),
        ("an operation of 99", acls.DescribeAclsRequest(**_acl_filter(operation=99))),
    ],
    ApiKey.DELETE_ACLS: [
        ("nothing", acls.DeleteAclsRequest(filters=[])),
        ("all", acls.DeleteAclsRequest(filters=[acls.DeleteAclsFilter(**_acl_filter())])),
        (
            "a type of 9",
            acls.DeleteAclsRequest(
                filters=[acls.DeleteAclsFilter(**_acl_filter(resource_type_filter=9))]
            ),
        ),
    ],
    ApiKey.CREATE_ACLS: [("nothing", acls.CreateAclsRequest(creations=[]))],
    ApiKey.DESCRIBE_CLUSTER: [
        (f"an endpoint type of {kind}", cluster.DescribeClusterRequest(endpoint_type=kind))
        for kind in (-1, 0, 2, 9)
    ],
    ApiKey.DESCRIBE_QUORUM: [
        ("nothing", cluster.DescribeQuorumRequest(topics=[])),
        ("another topic", _quorum(TOPIC, 0)),
        ("another partition", _quorum("__cluster_metadata", 9)),
        ("two partitions", _quorum("__cluster_metadata", 0, 1)),
        ("a topic twice", _quorum("__cluster_metadata", 9, times=2)),
        ("no partitions", _quorum("__cluster_metadata")),
    ],
    ApiKey.API_VERSIONS: [
        (
            label,
            cluster.ApiVersionsRequest(client_software_name=name, client_software_version=version),
        )
        for label, name, version in (
            ("a blank in the name", "a b", "1"),
            ("a line at its end", "a-", "1"),
            ("no version", "a", ""),
            ("a version that is none", "a", "1 0"),
        )
    ],
    ApiKey.SASL_HANDSHAKE: [
        (f"by {name!r}", security.SaslHandshakeRequest(mechanism=name)) for name in ("PLAIN", "")
    ],
    ApiKey.SASL_AUTHENTICATE: [("nothing", security.SaslAuthenticateRequest(auth_bytes=b""))],
    ApiKey.PUSH_TELEMETRY: [
        ("no client", _pushed(bytes(16))),
        ("a client that never asked", _pushed(_SOME_ID)),
        ("an unknown codec", _pushed(b"2" * 16, codec=9)),
    ],
    ApiKey.ADD_RAFT_VOTER: [
        ("below nothing", _voter(nodes.AddRaftVoterRequest, -1, timeout_ms=1, listeners=[])),
        (
            "without directory",
            _voter(nodes.AddRaftVoterRequest, 5, bytes(16), timeout_ms=1, listeners=[]),
        ),
    ],
    ApiKey.REMOVE_RAFT_VOTER: [
        ("none", _voter(nodes.RemoveRaftVoterRequest, 9)),
        ("below nothing", _voter(nodes.RemoveRaftVoterRequest, -1)),
        ("without directory", _voter(nodes.RemoveRaftVoterRequest, 1, bytes(16))),
    ],
    ApiKey.UNREGISTER_BROKER: [("below nothing", nodes.UnregisterBrokerRequest(broker_id=-1))],
}
"""By API, what is odd and the request in its newest version."""


_IDS = frozenset((ApiKey.PRODUCE, ApiKey.FETCH, ApiKey.OFFSET_COMMIT, ApiKey.OFFSET_FETCH))
"""In whose newest version topics are named by their ids."""


def play(call: Callable[[Message, int], Any]) -> dict[str, Any]:
    """What a broker says to each, by name; fields that must differ are left out."""
    furnish(call)
    metadata = call(cluster.MetadataRequest(topics=None), 12)
    ids = {topic.name: topic.topic_id for topic in metadata.topics}
    said = {}
    for key, rows in ODD.items():
        for label, message in rows:
            if key in _IDS:
                identified(message, ids)
            answer = said_of(call(message, versions(key)[-1]))
            said[f"{key.title}: {label}"] = {
                field: value for field, value in answer.items() if not isinstance(value, bytes)
            }
    return said


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
