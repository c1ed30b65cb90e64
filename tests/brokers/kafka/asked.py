"""Requests of every API and version that both we and Apache Kafka serve, right and wrong ones.

Each case is a request as a function of the version; a broker is asked them in this order, on a
connection each, after `furnish`. Where an answer is compared, what must differ is left out or
levelled: addresses, ids made at random, times.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.served import SERVED
from mockforge_brokers.kafka.wire.catalog import REQUESTS
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
    topics,
    transactions,
)
from mockforge_brokers.kafka.wire.schema import Array, Message, Struct, unwrap

from .asked_wrongly import WRONG

Case = tuple[str, int, Callable[[int], Message]]
"""What it tries, the API, the request for a version."""

TOPIC = "differ.t"
EMPTY = "differ.empty"
COMPACTED = "differ.compacted"
GROUP = "differ.g"
NOW = int(time.time() * 1000)


def furnish(call: Callable[[Message, int], Any]) -> None:
    """Two topics, three records, one committed offset: the same at both brokers."""
    for name, partitions, values in (
        (TOPIC, 2, {}),
        (EMPTY, 1, {}),
        (COMPACTED, 1, {"cleanup.policy": "compact"}),
    ):
        request = created(name, partitions=partitions, dry=False, configs=values)
        assert call(request, 5).topics[0].error_code == 0
        until(lambda name=name, count=partitions: served(call, name, count))
    batch = build_batch([Record(0, NOW + n, None, b"v%d" % n) for n in range(3)])
    until(
        lambda: not call(produced(TOPIC, batch), 9).responses[0].partition_responses[0].error_code
    )
    for key, kind in ((GROUP, 0), ("differ.txn", 1)):
        asked = found_coordinator(key, kind=kind)
        until(lambda asked=asked: not call(asked, 4).coordinators[0].error_code)
    until(lambda: not call(committed(TOPIC, 2), 7).topics[0].partitions[0].error_code)


def until(true: Callable[[], bool]) -> None:
    """Apache Kafka needs a moment until all of its parts know of a topic."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not settle")


def served(call: Callable[[Message, int], Any], name: str, partitions: int = 1) -> bool:
    """Whether a topic is shown, and then each of its partitions led."""
    wanted = cluster.MetadataRequestTopic(name=name)
    asked = cluster.MetadataRequest(topics=[wanted], allow_auto_topic_creation=False)
    return not call(asked, 12).topics[0].error_code and not any(
        call(listed(name, -2, partition=index), 7).topics[0].partitions[0].error_code
        for index in range(partitions)
    )


FOREVER = {"retention.ms": "-1"}
"""Of topics whose records are of 1970: Apache Kafka looks half a minute after its start, and then
every five minutes, for what is too old."""


def created(
    name: str, *, partitions: int = 1, dry: bool = True, **more: Any
) -> topics.CreateTopicsRequest:
    topic = topics.CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=more.pop("replication", 1),
        assignments=[],
        configs=[
            topics.CreatableTopicConfig(name=key, value=value)
            for key, value in more.pop("configs", {}).items()
        ],
    )
    return topics.CreateTopicsRequest(topics=[topic], timeout_ms=5000, validate_only=dry)


def produced(name: str, batch: bytes | None, *, acks: int = -1, partition: int = 0) -> Any:
    data = logs.PartitionProduceData(index=partition, records=batch)
    return logs.ProduceRequest(
        acks=acks,
        timeout_ms=1000,
        topic_data=[logs.TopicProduceData(name=name, partition_data=[data])],
    )


def found_coordinator(*keys: str, kind: int = 0) -> groups.FindCoordinatorRequest:
    return groups.FindCoordinatorRequest(key=keys[0], key_type=kind, coordinator_keys=keys)


def committed(name: str, offset: int, *, group: str = GROUP, partition: int = 0, **who: Any) -> Any:
    part = offsets.OffsetCommitRequestPartition(
        partition_index=partition, committed_offset=offset, committed_metadata="m"
    )
    topic = offsets.OffsetCommitRequestTopic(name=name, partitions=[part])
    return offsets.OffsetCommitRequest(
        group_id=group, member_id=who.pop("member", ""), topics=[topic], **who
    )


def fetched(name: str, offset: int, *, partition: int = 0, **more: Any) -> Any:
    part = logs.FetchPartition(
        partition=partition,
        fetch_offset=offset,
        partition_max_bytes=1 << 20,
        current_leader_epoch=more.pop("epoch", -1),
    )
    topic = logs.FetchTopic(topic=name, partitions=[part])
    return logs.FetchRequest(max_wait_ms=0, min_bytes=1, topics=[topic], **more)


def listed(name: str, timestamp: int, *, partition: int = 0, epoch: int = -1, **more: Any) -> Any:
    part = offsets.ListOffsetsPartition(
        partition_index=partition, timestamp=timestamp, current_leader_epoch=epoch
    )
    topic = offsets.ListOffsetsTopic(name=name, partitions=[part])
    return offsets.ListOffsetsRequest(replica_id=-1, topics=[topic], **more)


def offsets_of(group: str, name: str | None) -> Callable[[int], Message]:
    def request(version: int) -> Message:
        old = [offsets.OffsetFetchRequestTopic(name=name or "", partition_indexes=[0, 1, 9])]
        new = [offsets.OffsetFetchRequestTopics(name=name or "", partition_indexes=[0, 1, 9])]
        wanted = offsets.OffsetFetchRequestGroup(
            group_id=group, topics=None if name is None else new
        )
        nothing = name is None and version >= 2
        return offsets.OffsetFetchRequest(
            group_id=group, topics=None if nothing else old, groups=[wanted]
        )

    return request


def described(kind: int, name: str, keys: list[str] | None) -> Any:
    wanted = configs.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=keys
    )
    return configs.DescribeConfigsRequest(resources=[wanted])


def altered(name: str, values: dict[str, str | None], operation: int = 0, *, kind: int = 2) -> Any:
    entries = [
        configs.IncrementalAlterableConfig(name=key, config_operation=operation, value=value)
        for key, value in values.items()
    ]
    resource = configs.IncrementalAlterConfigsResource(
        resource_type=kind, resource_name=name, configs=entries
    )
    return configs.IncrementalAlterConfigsRequest(resources=[resource], validate_only=True)


def joined(group: str, **more: Any) -> Any:
    protocol = groups.JoinGroupRequestProtocol(name="range", metadata=b"")
    values: dict[str, Any] = {
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 10_000,
        "member_id": "",
        "protocol_type": "consumer",
        "protocols": [protocol],
    }
    return groups.JoinGroupRequest(group_id=group, **(values | more))


def always(message: Message) -> Callable[[int], Message]:
    return lambda version: message


_BATCH = build_batch([Record(0, NOW, None, b"v")])
_AHEAD = build_batch([Record(0, NOW + 7_200_000, None, b"v")])
_CONTROL = build_batch([Record(0, NOW, bytes(4), bytes(6))], control=True)
_GAP = build_batch([Record(0, NOW, None, b"v")], producer_id=9, producer_epoch=0, base_sequence=-1)
_DAMAGED = _BATCH[:-1] + b"\xff"

_CASES: dict[ApiKey, list[tuple[str, Callable[[int], Message]]]] = {
    ApiKey.PRODUCE: [
        ("no such topic", always(produced("differ.none", _BATCH))),
        ("no such partition", always(produced(TOPIC, _BATCH, partition=9))),
        ("acks of 2", always(produced(TOPIC, _BATCH, acks=2))),
        ("a damaged batch", always(produced(TOPIC, _DAMAGED))),
        ("two batches", always(produced(TOPIC, _BATCH + _BATCH))),
        ("two hours ahead", always(produced(TOPIC, _AHEAD))),
        ("no key in a compacted topic", always(produced(COMPACTED, _BATCH))),
        ("a control batch", always(produced(TOPIC, _CONTROL))),
        ("a sequence that leaves a gap", always(produced(TOPIC, _GAP))),
    ],
    ApiKey.FETCH: [
        ("records", always(fetched(TOPIC, 0))),
        ("at the end", always(fetched(TOPIC, 3))),
        ("beyond the end", always(fetched(TOPIC, 99))),
        ("read_committed", always(fetched(TOPIC, 0, isolation_level=1))),
        ("no such topic", always(fetched("differ.none", 0))),
        ("no such partition", always(fetched(TOPIC, 0, partition=9))),
        ("a newer leader epoch", always(fetched(TOPIC, 0, epoch=7))),
        ("a session that is not there", always(fetched(TOPIC, 0, session_id=7, session_epoch=2))),
    ],
    ApiKey.LIST_OFFSETS: [
        *(
            (f"timestamp {label}", always(listed(TOPIC, at)))
            for label, at in (
                *((str(at), at) for at in (-1, -2, -3, -4, -5, -6, -7, 0)),
                ("of the second record", NOW + 1),
                ("after all", NOW + 10**9),
            )
        ),
        ("an empty topic", always(listed(EMPTY, -3))),
        ("no such topic", always(listed("differ.none", -1))),
        ("no such partition", always(listed(TOPIC, -1, partition=9))),
        ("a newer leader epoch", always(listed(TOPIC, -1, epoch=7))),
        ("read_committed", always(listed(TOPIC, -1, isolation_level=1))),
    ],
    ApiKey.METADATA: [
        (
            "a topic",
            always(
                cluster.MetadataRequest(
                    topics=[cluster.MetadataRequestTopic(name=TOPIC)],
                    allow_auto_topic_creation=False,
                )
            ),
        ),
        (
            "an illegal name",
            always(
                cluster.MetadataRequest(
                    topics=[cluster.MetadataRequestTopic(name="a b")],
                    allow_auto_topic_creation=False,
                )
            ),
        ),
    ],
    ApiKey.OFFSET_COMMIT: [
        ("a group without members", always(committed(TOPIC, 2))),
        ("no such topic", always(committed("differ.none", 2))),
        ("no such partition", always(committed(TOPIC, 2, partition=9))),
        ("no group", always(committed(TOPIC, 2, group=""))),
        (
            "an unknown member",
            always(committed(TOPIC, 2, member="m", generation_id_or_member_epoch=3)),
        ),
    ],
    ApiKey.OFFSET_FETCH: [
        ("what was committed", offsets_of(GROUP, TOPIC)),
        ("all that was committed", offsets_of(GROUP, None)),
        ("a group that is not there", offsets_of("differ.nobody", TOPIC)),
        ("a topic that is not there", offsets_of(GROUP, "differ.none")),
    ],
    ApiKey.FIND_COORDINATOR: [
        ("of a group", always(found_coordinator(GROUP))),
        ("of a transactional id", always(found_coordinator("differ.txn", kind=1))),
        ("of nothing known", always(found_coordinator("x", kind=9))),
    ],
    ApiKey.JOIN_GROUP: [
        ("no group", always(joined(""))),
        ("a session timeout of a day", always(joined("differ.j", session_timeout_ms=86_400_000))),
        ("an unknown member", always(joined("differ.j", member_id="m"))),
    ],
    ApiKey.SYNC_GROUP: [
        (
            "an unknown member",
            always(
                groups.SyncGroupRequest(
                    group_id=GROUP, generation_id=1, member_id="m", assignments=[]
                )
            ),
        ),
    ],
    ApiKey.HEARTBEAT: [
        (
            "an unknown member",
            always(groups.HeartbeatRequest(group_id=GROUP, generation_id=1, member_id="m")),
        ),
        (
            "a group that is not there",
            always(groups.HeartbeatRequest(group_id="differ.h", generation_id=1, member_id="m")),
        ),
    ],
    ApiKey.LEAVE_GROUP: [
        (
            "an unknown member",
            always(
                groups.LeaveGroupRequest(
                    group_id=GROUP,
                    member_id="m",
                    members=[groups.MemberIdentity(member_id="m")],
                )
            ),
        ),
    ],
    ApiKey.DESCRIBE_GROUPS: [
        ("a group without members", always(groups.DescribeGroupsRequest(groups=[GROUP]))),
        ("a group that is not there", always(groups.DescribeGroupsRequest(groups=["differ.d"]))),
    ],
    ApiKey.CREATE_TOPICS: [
        ("a new one", always(created("differ.new"))),
        ("one that is there", always(created(TOPIC))),
        ("an illegal name", always(created("a b"))),
        ("no partitions", always(created("differ.new", partitions=0))),
        ("three replicas", always(created("differ.new", replication=3))),
        ("an unknown config", always(created("differ.new", configs={"foo": "1"}))),
        ("a wrong config", always(created("differ.new", configs={"retention.ms": "x"}))),
        ("a name that collides", always(created("differ_t"))),
        ("no config", always(created("differ.new", configs={"retention.ms": None}))),
    ],
    ApiKey.DELETE_TOPICS: [
        (
            "one that is not there",
            always(
                topics.DeleteTopicsRequest(
                    topic_names=["differ.none"],
                    topics=[topics.DeleteTopicState(name="differ.none")],
                    timeout_ms=1000,
                )
            ),
        ),
    ],
    ApiKey.DELETE_RECORDS: [
        (
            label,
            always(
                logs.DeleteRecordsRequest(
                    topics=[
                        logs.DeleteRecordsTopic(
                            name=name,
                            partitions=[
                                logs.DeleteRecordsPartition(partition_index=part, offset=offset)
                            ],
                        )
                    ],
                    timeout_ms=1000,
                )
            ),
        )
        for label, name, part, offset in (
            ("nothing", TOPIC, 0, 0),
            ("beyond the end", TOPIC, 0, 99),
            ("no such topic", "differ.none", 0, 0),
            ("no such partition", TOPIC, 9, 0),
        )
    ],
    ApiKey.OFFSET_FOR_LEADER_EPOCH: [
        (
            label,
            always(
                offsets.OffsetForLeaderEpochRequest(
                    topics=[
                        offsets.OffsetForLeaderTopic(
                            topic=name,
                            partitions=[
                                offsets.OffsetForLeaderPartition(partition=0, leader_epoch=epoch)
                            ],
                        )
                    ]
                )
            ),
        )
        for label, name, epoch in (
            ("the present epoch", TOPIC, 0),
            ("a newer epoch", TOPIC, 7),
            ("no such topic", "differ.none", 0),
        )
    ],
    ApiKey.DESCRIBE_CONFIGS: [
        ("one key", always(described(2, TOPIC, ["retention.ms"]))),
        ("no such topic", always(described(2, "differ.none", ["retention.ms"]))),
        ("an unknown key", always(described(2, TOPIC, ["foo"]))),
        ("a wrong broker", always(described(4, "9", None))),
        ("a broker's key", always(described(4, "1", ["log.retention.ms"]))),
        ("the loggers of no broker", always(described(8, "9", None))),
        ("a group's key", always(described(32, "differ.g", ["consumer.session.timeout.ms"]))),
        ("no group", always(described(32, "", None))),
    ],
    ApiKey.INCREMENTAL_ALTER_CONFIGS: [
        ("a value", always(altered(TOPIC, {"retention.ms": "1000"}))),
        ("an unknown key", always(altered(TOPIC, {"foo": "1"}))),
        ("a wrong value", always(altered(TOPIC, {"retention.ms": "x"}))),
        *(
            (label, always(altered(name, values, kind=kind)))
            for label, kind, name, values in (
                ("no value", 2, TOPIC, {"retention.ms": None}),
                ("no topic", 2, "", {"retention.ms": "1"}),
                ("a broker's value", 4, "1", {"log.retention.ms": "1000"}),
                ("all brokers' value", 4, "", {"log.retention.ms": "1000"}),
                ("a wrong value of a broker", 4, "1", {"log.retention.ms": "x"}),
                ("a value of its start", 4, "1", {"num.partitions": "2"}),
                ("another broker's value", 4, "9", {"log.retention.ms": "1"}),
                ("a group's value", 32, "differ.g", {"consumer.session.timeout.ms": "50000"}),
                ("an unknown value of a group", 32, "differ.g", {"foo": "1"}),
                ("a logger's level", 8, "1", {"root": "FOO"}),
                ("an unknown logger", 8, "1", {"differ.none": "INFO"}),
                ("an unknown resource", 64, "x", {"foo": "1"}),
            )
        ),
        ("no such topic", always(altered("differ.none", {"retention.ms": "1"}))),
    ],
    ApiKey.CREATE_PARTITIONS: [
        (
            label,
            always(
                topics.CreatePartitionsRequest(
                    topics=[topics.CreatePartitionsTopic(name=name, count=count, assignments=None)],
                    timeout_ms=1000,
                    validate_only=True,
                )
            ),
        )
        for label, name, count in (
            ("more", TOPIC, 5),
            ("fewer", TOPIC, 1),
            ("as many", TOPIC, 2),
            ("no such topic", "differ.none", 5),
        )
    ],
    ApiKey.DELETE_GROUPS: [
        (
            "one that is not there",
            always(groups.DeleteGroupsRequest(groups_names=["differ.nobody"])),
        ),
    ],
    ApiKey.INIT_PRODUCER_ID: [
        (
            "a timeout of 0",
            always(
                producers.InitProducerIdRequest(
                    transactional_id="differ.txn", transaction_timeout_ms=0
                )
            ),
        ),
    ],
    ApiKey.DESCRIBE_PRODUCERS: [
        (
            label,
            always(
                producers.DescribeProducersRequest(
                    topics=[producers.DescribeProducersTopic(name=name, partition_indexes=[0, 9])]
                )
            ),
        )
        for label, name in (("a topic", TOPIC), ("none", "differ.none"), ("illegal", "a b"))
    ],
    ApiKey.DESCRIBE_TRANSACTIONS: [
        (
            "ids that are not there",
            always(
                transactions.DescribeTransactionsRequest(transactional_ids=["", "differ.nobody"])
            ),
        ),
    ],
    ApiKey.LIST_TRANSACTIONS: [
        (
            "a pattern that is none",
            always(transactions.ListTransactionsRequest(transactional_id_pattern="(")),
        ),
        (
            "unknown states",
            always(transactions.ListTransactionsRequest(state_filters=["Foo", "Ongoing"])),
        ),
    ],
    ApiKey.DESCRIBE_ACLS: [
        (
            "all",
            always(
                acls.DescribeAclsRequest(
                    resource_type_filter=1,
                    resource_name_filter=None,
                    pattern_type_filter=1,
                    principal_filter=None,
                    host_filter=None,
                    operation=1,
                    permission_type=1,
                )
            ),
        ),
    ],
    ApiKey.UNREGISTER_BROKER: [("none", always(nodes.UnregisterBrokerRequest(broker_id=7)))],
    ApiKey.ADD_RAFT_VOTER: [
        (
            "of another cluster",
            always(
                nodes.AddRaftVoterRequest(
                    cluster_id="x",
                    timeout_ms=1000,
                    voter_id=5,
                    voter_directory_id=b"1" * 16,
                    listeners=[],
                )
            ),
        ),
    ],
    ApiKey.ALTER_REPLICA_LOG_DIRS: [
        (
            "to none",
            always(
                nodes.AlterReplicaLogDirsRequest(
                    dirs=[
                        nodes.AlterReplicaLogDir(
                            path="/none",
                            topics=[
                                nodes.AlterReplicaLogDirTopic(name="differ.none", partitions=[0])
                            ],
                        )
                    ]
                )
            ),
        ),
    ],
    ApiKey.DESCRIBE_CLIENT_QUOTAS: [
        (
            f"{kind} {match} {name}",
            always(
                quotas.DescribeClientQuotasRequest(
                    components=[
                        quotas.QuotaComponent(entity_type=kind, match_type=match, match=name)
                    ],
                    strict=False,
                )
            ),
        )
        for kind, match, name in (
            ("user", 2, None),
            ("foo", 2, None),
            ("user", 7, None),
            ("user", 0, None),
            ("user", 1, "x"),
            ("", 0, "x"),
        )
    ],
    ApiKey.ALTER_CLIENT_QUOTAS: [
        (
            f"{kind} {name} {key} {value}",
            always(
                quotas.AlterClientQuotasRequest(
                    entries=[
                        quotas.AlteredQuota(
                            entity=[quotas.QuotaEntity(entity_type=kind, entity_name=name)],
                            ops=[quotas.QuotaOperation(key=key, value=value, remove=False)],
                        )
                    ],
                    validate_only=True,
                )
            ),
        )
        for kind, name, key, value in (
            ("user", "a", "producer_byte_rate", 1.0),
            ("user", "a", "producer_byte_rate", 1.5),
            ("user", "a", "producer_byte_rate", 0.0),
            ("user", None, "nope", 1.0),
            ("ip", "1.2.3.4", "producer_byte_rate", 1.0),
            ("group", "a", "producer_byte_rate", 1.0),
            ("user", "", "producer_byte_rate", 1.0),
        )
    ],
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: [
        (
            "one that is not there",
            always(
                scram.DescribeUserScramCredentialsRequest(users=[scram.UserName(name="nobody")])
            ),
        ),
    ],
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: [
        (
            "of nobody",
            always(
                scram.AlterUserScramCredentialsRequest(
                    deletions=[scram.ScramCredentialDeletion(name="nobody", mechanism=1)],
                    upsertions=[],
                )
            ),
        ),
    ],
    ApiKey.UPDATE_FEATURES: [
        (
            f"{name} to {level} by type {kind}",
            always(
                features.UpdateFeaturesRequest(
                    feature_updates=[
                        features.FeatureUpdateKey(
                            feature=name, max_version_level=level, upgrade_type=kind
                        )
                    ],
                    validate_only=True,
                )
            ),
        )
        for name, level, kind in (
            ("foo", 1, 1),
            ("transaction.version", 9, 1),
            ("transaction.version", -1, 1),
            ("transaction.version", 2, 1),
            ("transaction.version", 1, 1),
            ("transaction.version", 1, 9),
            ("transaction.version", 2, 2),
            ("metadata.version", 30, 2),
            ("metadata.version", 30, 3),
        )
    ],
    ApiKey.ELECT_LEADERS: [
        (
            "of a topic",
            always(
                reassignments.ElectLeadersRequest(
                    topic_partitions=[
                        reassignments.TopicPartitions(topic=TOPIC, partitions=[0, 9])
                    ],
                    timeout_ms=1000,
                )
            ),
        ),
    ],
}


def cases() -> Iterator[Case]:
    """An empty request of each API, then the others."""
    for key in SERVED:
        if key != ApiKey.PRODUCE:  # by default acks=0: it gets no answer
            yield "empty", key, lambda version, key=key: REQUESTS[key]()  # type: ignore[misc]
        for label, request in _CASES.get(ApiKey(key), ()):
            yield label, key, request
        for label, message in WRONG.get(ApiKey(key), ()):
            yield f"wrong: {label}", key, always(message)


def versions(key: int) -> range:
    served = SERVED[ApiKey(key)]
    return range(served.first, served.last + 1)


# What must differ: addresses, ids made at random, times, sizes; and words, where only codes count.
_LEVELLED = frozenset(
    (
        *("throttle_time_ms", "host", "port", "cluster_id", "topic_id", "producer_id"),
        *("error_message", "timestamp", "log_append_time_ms", "finalized_features_epoch"),
        *(
            "batch_index_error_message",
            "records",
            "log_dir",
            "total_bytes",
            "usable_bytes",
            "partition_size",
        ),
    )
)


_WORDS = frozenset(("error_message", "batch_index_error_message"))


def said_of(value: Any) -> dict[str, Any]:
    """An answer's fields by their path with the words of messages, but what must differ."""
    return flat(value, left_out=_LEVELLED - _WORDS)


def flat(value: Any, path: str = "", *, left_out: frozenset[str] = _LEVELLED) -> dict[str, Any]:
    """An answer's fields by their path; what must differ is left out."""
    found: dict[str, Any] = {}
    if not isinstance(value, Struct):
        return {path: value}
    for field in value.fields:
        if field.name in left_out:
            continue
        one = getattr(value, field.name)
        where = f"{path}.{field.name}" if path else field.name
        if isinstance(unwrap(field.annotation)[0], Array) and one is not None:
            found[f"{where}.count"] = len(one)
            for number, item in enumerate(one):
                found |= flat(item, f"{where}[{number}]", left_out=left_out)
        else:
            found |= flat(one, where, left_out=left_out)
    return found


def identified(value: Any, ids: Mapping[str, bytes]) -> None:
    """Put the topic ids of one broker beside the names that a request has."""
    for field in getattr(value, "fields", ()):
        one = getattr(value, field.name)
        if field.name == "topic_id" and not isinstance(value, cluster.MetadataRequestTopic):
            name = getattr(value, "name", None) or getattr(value, "topic", None)
            if name:
                value.topic_id = ids.get(name, b"1" * 16)
        for item in one if isinstance(one, list | tuple) else (one,):
            identified(item, ids)


def answers(fresh: Callable[[Message, int], Any]) -> dict[str, dict[str, Any] | str]:
    """What a broker says to all of it; `fresh` asks on a connection of its own."""
    furnish(fresh)
    metadata = fresh(cluster.MetadataRequest(topics=None), 12)
    ids = {topic.name: topic.topic_id for topic in metadata.topics}
    said: dict[str, dict[str, Any] | str] = {}
    for label, key, request in cases():
        for version in versions(key):
            message = request(version)
            identified(message, ids)
            try:
                answer: dict[str, Any] | str = said_of(fresh(message, version))
            except (OSError, AssertionError, ValueError):
                answer = "the connection ended"
            said[f"{ApiKey(key).title} v{version}: {label}"] = answer
    return said
