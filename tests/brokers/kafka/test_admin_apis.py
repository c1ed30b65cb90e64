"""Administration: each case is what Apache Kafka 4.4 answers, unless it says otherwise."""

import base64

import pytest
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.events import GroupDeleted, LogTruncated
from mockforge_brokers.kafka.state.features import FeatureUpdate
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.frames import decode_response, encode_response
from mockforge_brokers.kafka.wire.messages import (
    acls,
    cluster,
    configs,
    groups,
    logs,
    nodes,
    offsets,
    producers,
    reassignments,
    topics,
)
from mockforge_brokers.kafka.wire.schema import ZERO_UUID

from .scene import Scene, produce

NOT_THERE = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@pytest.fixture
def scene():
    scene = Scene()
    scene.broker.create_topic("t", 2)
    scene.broker.create_topic("other", 4)
    for number in range(4):
        scene.broker.publish("t", b"v%d" % number, partition=0, timestamp=1000 + number)
    for group in ("idle", "also"):
        committed = {("t", partition): CommittedOffset(1) for partition in (0, 1)}
        scene.broker.cluster.groups.offsets.commit(group, Committer(), committed)
    return scene


def join(scene, group, *topics_, kind="consumer"):
    """One member, stable, subscribed to these topics."""
    subscription = groups.ConsumerProtocolSubscription(topics=list(topics_))
    metadata = b"\0\0" + encode(subscription, 0) if kind == "consumer" else b"x"
    request = groups.JoinGroupRequest(
        group_id=group,
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        protocol_type=kind,
        protocols=[groups.JoinGroupRequestProtocol(name="range", metadata=metadata)],
    )
    joined = scene.call(request, 3)
    sync = groups.SyncGroupRequest(
        group_id=group,
        generation_id=joined.generation_id,
        member_id=joined.member_id,
        assignments=[groups.SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"")],
    )
    assert not scene.call(sync, 3).error_code


# Groups and offsets.


@pytest.mark.parametrize("version", range(4))
def test_groups_are_deleted_while_nobody_is_in_them(scene, version):
    join(scene, "live", "t")
    gone = []
    scene.environment.spine.watch(gone.append, GroupDeleted)
    names = ["idle", "none", "live", "", "idle"]
    answer = scene.call(groups.DeleteGroupsRequest(groups_names=names), version)
    assert {one.group_id: one.error_code for one in answer.results} == {
        "idle": 0,
        "none": ErrorCode.GROUP_ID_NOT_FOUND,
        "live": ErrorCode.NON_EMPTY_GROUP,
        "": ErrorCode.GROUP_ID_NOT_FOUND,
    }
    assert len(answer.results) == 4, "the same name twice is answered once"
    assert [event.group for event in gone] == ["idle"]
    assert sorted(scene.broker.cluster.groups.by_id) == ["also", "live"]


def test_delete_groups_v3_is_read_as_kafka_writes_it():
    """Kafka 4.4's answer for the groups nogroup and "" before its coordinator was ready."""
    frame = bytes.fromhex("0000001c000000050000000000030100100000086e6f67726f75700010000000")
    correlation_id, answer = decode_response(frame, 42, 3)
    assert [(one.group_id, one.error_code, one.error_message) for one in answer.results] == [
        ("", ErrorCode.NOT_COORDINATOR, None),
        ("nogroup", ErrorCode.NOT_COORDINATOR, None),
    ]
    assert encode_response(answer, 3, correlation_id) == frame


def offset_delete(group, topic, *partitions):
    return offsets.OffsetDeleteRequest(
        group_id=group,
        topics=[
            offsets.OffsetDeleteRequestTopic(
                name=topic,
                partitions=[
                    offsets.OffsetDeleteRequestPartition(partition_index=one) for one in partitions
                ],
            )
        ],
    )


@pytest.mark.parametrize(
    ("group", "topic", "partitions", "code", "codes"),
    [
        ("idle", "t", (0, 7), 0, [0, NOT_THERE]),
        ("idle", "none", (0,), 0, [NOT_THERE]),
        ("none", "t", (0,), ErrorCode.GROUP_ID_NOT_FOUND, []),
        ("", "t", (0,), ErrorCode.INVALID_GROUP_ID, []),
        ("live", "t", (0, 9), 0, [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, NOT_THERE]),
        ("live", "other", (0,), 0, [0]),
        ("connect", "t", (0,), ErrorCode.NON_EMPTY_GROUP, []),
    ],
)
def test_offsets_are_deleted_of_what_nobody_reads(scene, group, topic, partitions, code, codes):
    join(scene, "live", "t")
    join(scene, "connect", kind="connect")
    answer = scene.call(offset_delete(group, topic, *partitions), 0)
    found = [part.error_code for one in answer.topics for part in one.partitions]
    assert (answer.error_code, found) == (code, codes)
    left = scene.broker.cluster.groups.by_id["idle"].offsets.topics["t"]
    assert sorted(left) == ([1] if group == "idle" and topic == "t" else [0, 1])


# Records.


@pytest.mark.parametrize(
    ("topic", "partition", "offset", "code", "low"),
    [
        ("t", 0, 1, 0, 1),
        ("t", 0, 0, 0, 0),
        ("t", 0, -1, 0, 4),
        ("t", 0, 4, 0, 4),
        ("t", 1, 0, 0, 0),
        ("t", 0, 99, ErrorCode.OFFSET_OUT_OF_RANGE, -1),
        ("t", 0, -2, ErrorCode.OFFSET_OUT_OF_RANGE, -1),
        ("t", 5, 0, NOT_THERE, -1),
        ("none", 0, 0, NOT_THERE, -1),
        ("compacted", 0, 0, ErrorCode.POLICY_VIOLATION, -1),
    ],
)
def test_records_are_deleted_below_an_offset(scene, topic, partition, offset, code, low):
    scene.broker.create_topic("compacted", 1, {"cleanup.policy": "compact"})
    left = []
    scene.environment.spine.watch(left.append, LogTruncated)
    part = logs.DeleteRecordsPartition(partition_index=partition, offset=offset)
    request = logs.DeleteRecordsRequest(
        topics=[logs.DeleteRecordsTopic(name=topic, partitions=[part])], timeout_ms=0
    )
    for version in range(3):
        (answer,) = scene.call(request, version).topics[0].partitions
        assert (answer.error_code, answer.low_watermark) == (code, low)
    assert [event.reason for event in left] == (["deleted by shop"] if low > 0 else [])


@pytest.mark.parametrize("version", range(1, 6))
def test_log_dirs_show_the_size_of_each_partition(scene, version):
    def described(wanted):
        answer = scene.call(logs.DescribeLogDirsRequest(topics=wanted), version)
        (result,) = answer.results
        return result, {
            (topic.name, part.partition_index): part.partition_size
            for topic in result.topics
            for part in topic.partitions
        }

    topic = logs.DescribableLogDirTopic
    result, sizes = described(
        [topic(topic="t", partitions=[0, 1, 7]), topic(topic="none", partitions=[0])]
    )
    log = scene.broker.cluster.topics["t"].logs[0]
    assert sizes == {("t", 0): sum(map(len, log.batches(0, 9))), ("t", 1): 0}
    if version >= 4:
        assert result.total_bytes - result.usable_bytes == scene.broker.cluster.bounds.cost
    assert len(described(None)[1]) == 6
    assert described([])[1] == described([topic(topic="t", partitions=[])])[1] == {}


# Topics and configurations.


def page(scene, *names, limit=2000, cursor=None):
    request = topics.DescribeTopicPartitionsRequest(
        topics=[topics.DescribeTopicPartitionsTopic(name=name) for name in names],
        response_partition_limit=limit,
        cursor=cursor and topics.Cursor(topic_name=cursor[0], partition_index=cursor[1]),
    )
    answer = scene.call(request, 0)
    found = [
        (one.name, one.error_code, [part.partition_index for part in one.partitions])
        for one in answer.topics
    ]
    after = answer.next_cursor
    return found, after and (after.topic_name, after.partition_index)


BAD = ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("names", "limit", "cursor", "found", "after"),
    [
        ((), 2000, None, [("other", 0, [0, 1, 2, 3]), ("t", 0, [0, 1])], None),
        (("t", "none"), 2000, None, [("none", NOT_THERE, []), ("t", 0, [0, 1])], None),
        (("t", "t"), 2000, None, [("t", 0, [0, 1])], None),
        (("t", "other"), 1, None, [("other", 0, [0])], ("other", 1)),
        (("t", "other"), 3, None, [("other", 0, [0, 1, 2])], ("other", 3)),
        (("t", "other"), 4, None, [("other", 0, [0, 1, 2, 3])], ("t", 0)),
        (("t",), 0, None, [("t", 0, [0])], ("t", 1)),
        (("t", "other"), 2, ("t", 1), [("t", 0, [1])], None),
        (("t",), 2, ("t", -1), [("t", BAD, [])], None),
        (("other", "t"), 2, ("none", 0), [("other", BAD, []), ("t", BAD, [])], None),
        # Kafka answers a whole request with UNKNOWN_SERVER_ERROR for one such name.
        (("a b",), 2, None, [("a b", ErrorCode.INVALID_TOPIC_EXCEPTION, [])], None),
    ],
)
def test_topics_are_described_in_pages(scene, names, limit, cursor, found, after):
    assert page(scene, *names, limit=limit, cursor=cursor) == (found, after)


def test_pages_make_up_the_whole(scene):
    cursor, seen = None, []
    while True:
        found, cursor = page(scene, limit=1, cursor=cursor)
        seen += [(name, index) for name, _, indexes in found for index in indexes]
        if cursor is None:
            break
    assert seen == [("other", 0), ("other", 1), ("other", 2), ("other", 3), ("t", 0), ("t", 1)]


@pytest.mark.parametrize(
    ("types", "code", "found"),
    [
        ([], 0, [(4, "1"), (8, "1"), (2, "t"), (2, "other"), (32, "billing")]),
        ([2], 0, [(2, "t"), (2, "other")]),
        ([4], 0, [(4, "1")]),
        ([16, 32], 0, [(32, "billing")]),
        ([1], ErrorCode.UNSUPPORTED_VERSION, []),
        ([99], ErrorCode.UNSUPPORTED_VERSION, []),
    ],
)
def test_resources_with_a_configuration_are_listed(scene, types, code, found):
    groups = scene.broker.cluster.configuring.groups
    groups.alter("billing", {"consumer.session.timeout.ms": "50000"})
    answer = scene.call(configs.ListConfigResourcesRequest(resource_types=types), 1)
    assert answer.error_code == code
    listed = [(one.resource_type, one.resource_name) for one in answer.config_resources]
    assert listed == found
    assert not scene.call(configs.ListConfigResourcesRequest(), 0).config_resources


# Producers.


def test_producers_of_a_partition_are_described(scene):
    batch = produce("t", b"a", b"b", producer_id=77, producer_epoch=3, base_sequence=5)
    scene.call(batch, 9)
    wanted = producers.DescribeProducersTopic(name="t", partition_indexes=[0, 1, 9])
    request = producers.DescribeProducersRequest(topics=[wanted])
    known, none, gone = scene.call(request, 0).topics[0].partitions
    (one,) = known.active_producers
    assert (one.producer_id, one.producer_epoch, one.last_sequence) == (77, 3, 6)
    assert (one.last_timestamp, one.coordinator_epoch, one.current_txn_start_offset) == (
        1000,
        -1,
        -1,
    )
    assert (none.error_code, none.active_producers) == (0, [])
    assert gone.error_code == NOT_THERE
    wanted.name = "a b"
    part = scene.call(request, 0).topics[0].partitions[0]
    assert part.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


# What one node leaves to do.


def test_no_leader_needs_to_be_elected(scene):
    wanted = [
        reassignments.TopicPartitions(topic="t", partitions=[0, 9]),
        reassignments.TopicPartitions(topic="none", partitions=[0]),
    ]
    for version in range(3):
        request = reassignments.ElectLeadersRequest(topic_partitions=wanted)
        answer = scene.call(request, version)
        assert [
            (part.error_code, part.error_message)
            for topic in answer.replica_election_results
            for part in topic.partition_result
        ] == [
            (ErrorCode.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition."),
            (NOT_THERE, "No such partition as t-9"),
            (NOT_THERE, "No such topic as none"),
        ]
        request.topic_partitions = None
        results = scene.call(request, version).replica_election_results
        assert [(one.topic, one.partition_result) for one in results] == [("t", []), ("other", [])]
    request.election_type = 9
    assert scene.call(request, 2).error_code == BAD


INCLUDES = "The manual partition assignment includes "


@pytest.mark.parametrize(
    ("topic", "partition", "replicas", "code", "text"),
    [
        ("t", 0, [1], 0, None),
        ("t", 0, None, ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, None),
        ("t", 9, [1], NOT_THERE, "Unable to find partition t:9."),
        ("none", 0, [1], NOT_THERE, "Unable to find a topic named none."),
        ("t", 0, [2], 39, f"{INCLUDES}broker 2, but no such broker is registered."),
        ("t", 0, [1, 2], 39, f"{INCLUDES}broker 2, but no such broker is registered."),
        ("t", 0, [-1], 39, f"{INCLUDES}broker -1, but no such broker is registered."),
        ("t", 0, [1, 1], 39, f"{INCLUDES}the broker 1 more than once."),
        ("t", 0, [], 39, f"{INCLUDES}an empty replica list."),
    ],
)
def test_replicas_stay_where_they_are(scene, topic, partition, replicas, code, text):
    wanted = reassignments.ReassignablePartition(partition_index=partition, replicas=replicas)
    request = reassignments.AlterPartitionReassignmentsRequest(
        topics=[reassignments.ReassignableTopic(name=topic, partitions=[wanted])]
    )
    for version in range(2):
        (part,) = scene.call(request, version).responses[0].partitions
        assert (part.error_code, part.error_message) == (code, text)
    listing = reassignments.ListPartitionReassignmentsRequest(topics=None)
    assert scene.call(listing, 0).topics == []


@pytest.mark.parametrize("version", range(3))
def test_the_quorum_is_this_node(scene, version):
    def ask(topic):
        part = cluster.QuorumPartition(partition_index=0)
        wanted = cluster.QuorumTopic(topic_name=topic, partitions=[part])
        answer = scene.call(cluster.DescribeQuorumRequest(topics=[wanted]), version)
        return answer, answer.topics[0].partitions[0]

    scene.clock.advance(100)
    answer, part = ask("__cluster_metadata")
    assert (part.error_code, part.leader_id, part.leader_epoch) == (0, 1, 1)
    assert [voter.replica_id for voter in part.current_voters] == [1]
    assert part.high_watermark == part.current_voters[0].log_end_offset > 0
    assert [node.node_id for node in answer.nodes] == ([1] if version >= 2 else [])
    _, part = ask("t")
    assert part.error_code == NOT_THERE


def test_voters_are_known_by_their_directories_since_kraft_version_1():
    scene = Scene(cluster_id="MkU3OEVBNTcwNTJENDM2Qk")

    def directory(version):
        part = cluster.QuorumPartition(partition_index=0)
        wanted = cluster.QuorumTopic(topic_name="__cluster_metadata", partitions=[part])
        answer = scene.call(cluster.DescribeQuorumRequest(topics=[wanted]), version)
        (voter,) = answer.topics[0].partitions[0].current_voters
        return voter.replica_directory_id

    assert directory(2) == ZERO_UUID
    scene.broker.cluster.features.update([FeatureUpdate("kraft.version", 1)])
    own = directory(2)
    assert own != ZERO_UUID
    assert directory(1) == ZERO_UUID
    name = base64.urlsafe_b64encode(own).decode().rstrip("=")
    there = f"[ReplicaKey(id=1, directoryId={name})]"
    other, shown = b"x" * 16, "eHh4eHh4eHh4eHh4eHh4eA"

    def removed(node, of):
        request = nodes.RemoveRaftVoterRequest(
            cluster_id=None, voter_id=node, voter_directory_id=of
        )
        answer = scene.call(request, 0)
        return answer.error_code, answer.error_message

    def added(node, of):
        listener = nodes.RaftVoterListener(name="CONTROLLER", host="h", port=1)
        request = nodes.AddRaftVoterRequest(
            cluster_id=None,
            timeout_ms=1,
            voter_id=node,
            voter_directory_id=of,
            listeners=[listener],
        )
        answer = scene.call(request, 1)
        return answer.error_code, answer.error_message

    # Each is what Apache Kafka 4.4 says of its only voter and of one that is not there.
    for node, of, key in ((1, own, name), (1, other, shown), (7, other, shown)):
        voter = f"ReplicaKey(id={node}, directoryId={key})"
        text = f"Cannot remove voter {voter} from the set of voters {there}"
        assert removed(node, of) == (ErrorCode.VOTER_NOT_FOUND, text)
        code = ErrorCode.DUPLICATE_VOTER
        text = f"The voter id for {voter} is already part of the set of voters {there}."
        if node == 7:
            code, text = (
                ErrorCode.REQUEST_TIMED_OUT,
                (f"New voter {voter} is not ready to receive requests"),
            )
        assert added(node, of) == (code, text)


# Access control lists.

ANY_ACL = {
    "resource_type_filter": 1,
    "resource_name_filter": None,
    "pattern_type_filter": 1,
    "principal_filter": None,
    "host_filter": None,
    "operation": 1,
    "permission_type": 1,
}


@pytest.mark.parametrize("version", range(1, 4))
def test_without_an_authorizer_lists_are_disabled(scene, version):
    answer = scene.call(acls.DescribeAclsRequest(**ANY_ACL), version)
    assert (answer.error_code, answer.error_message) == (
        ErrorCode.SECURITY_DISABLED,
        "No Authorizer is configured on the broker",
    )
    creation = acls.AclCreation(
        resource_type=2,
        resource_name="t",
        principal="User:a",
        host="*",
        operation=3,
        permission_type=3,
    )
    created = scene.call(acls.CreateAclsRequest(creations=[creation] * 2), version)
    deleted = scene.call(
        acls.DeleteAclsRequest(filters=[acls.DeleteAclsFilter(**ANY_ACL)]), version
    )
    refused = (ErrorCode.SECURITY_DISABLED, "No Authorizer is configured.")
    for results, count in ((created.results, 2), (deleted.filter_results, 1)):
        assert [(one.error_code, one.error_message) for one in results] == [refused] * count
