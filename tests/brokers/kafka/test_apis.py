"""Each API's handler: what it answers, in which version, and what it refuses."""

import pytest
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode, ListOffsetsTimestamp
from mockforge_brokers.kafka.records import split_batches
from mockforge_brokers.kafka.served import SERVED
from mockforge_brokers.kafka.wire.catalog import REQUESTS
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages import cluster, configs, groups, logs, offsets, topics

from .scene import Scene, fetch

ALL_VERSIONS = [
    (key, version)
    for key, served in SERVED.items()
    for version in range(served.first, served.last + 1)
]


@pytest.fixture
def scene():
    scene = Scene()
    scene.broker.create_topic("t", 2)
    for number in range(4):
        scene.broker.publish("t", b"v", partition=0, timestamp=1000 + number)
    return scene


@pytest.mark.table
@pytest.mark.parametrize(("api", "version"), ALL_VERSIONS, ids=lambda value: str(value))
def test_every_version_of_every_api_is_answered_in_its_own_version(scene, api, version):
    request = REQUESTS[api]()
    if api == ApiKey.API_VERSIONS:
        request.client_software_name = request.client_software_version = "x"
    if api == ApiKey.DESCRIBE_ACLS:  # with 0, its own default, Kafka ends the connection
        request.resource_type_filter = request.operation = request.permission_type = 1
    client = scene.network.connect()
    scene.ask(client, request, version)
    if api != ApiKey.PRODUCE:  # by default acks=0: it gets no answer
        scene.answer(client, api, version)
    assert client.peer.ended == ""


def topic_id(scene):
    return scene.broker.cluster.topics["t"].topic_id


def committed(*partitions, name="t", **more):
    return [
        offsets.OffsetCommitRequestTopic(
            name=name,
            partitions=[
                offsets.OffsetCommitRequestPartition(
                    partition_index=part, committed_offset=7, committed_metadata="note", **more
                )
                for part in partitions
            ],
        )
    ]


def test_commits_come_back_with_their_metadata_in_old_and_new_versions(scene):
    request = offsets.OffsetCommitRequest(group_id="g", member_id="", topics=committed(0))
    assert scene.call(request, 7).topics[0].partitions[0].error_code == 0
    old = offsets.OffsetFetchRequest(
        group_id="g",
        topics=[offsets.OffsetFetchRequestTopic(name="t", partition_indexes=[0, 1])],
    )
    parts = scene.call(old, 5).topics[0].partitions
    assert [(part.committed_offset, part.metadata) for part in parts] == [(7, "note"), (-1, "")]
    everything = offsets.OffsetFetchRequest(group_id="g", topics=None)
    assert [part.partition_index for part in scene.call(everything, 7).topics[0].partitions] == [0]
    for version, names in ((8, ["t"]), (10, [""])):
        wanted = [offsets.OffsetFetchRequestGroup(group_id=g, topics=None) for g in ("g", "none")]
        several = scene.call(offsets.OffsetFetchRequest(groups=wanted), version).groups
        assert [topic.name for topic in several[0].topics] == names
        assert several[0].topics[0].partitions[0].committed_offset == 7
        assert several[1].topics == []


def test_commits_and_fetches_by_topic_id(scene):
    for one, code in ((topic_id(scene), 0), (b"x" * 16, ErrorCode.UNKNOWN_TOPIC_ID)):
        wanted = committed(0)
        wanted[0].topic_id = one
        request = offsets.OffsetCommitRequest(group_id="g", member_id="", topics=wanted)
        assert scene.call(request, 10).topics[0].partitions[0].error_code == code
        by_id = offsets.OffsetFetchRequestTopics(topic_id=one, partition_indexes=[0])
        asked = offsets.OffsetFetchRequestGroup(group_id="g", topics=[by_id])
        answer = scene.call(offsets.OffsetFetchRequest(groups=[asked]), 10)
        assert answer.groups[0].topics[0].partitions[0].error_code == code


@pytest.mark.parametrize(
    ("wanted", "more", "code"),
    [
        (committed(5), {}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (committed(0, name="nowhere"), {}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (committed(0), {"generation_id_or_member_epoch": 3}, ErrorCode.ILLEGAL_GENERATION),
        (committed(0), {"group_id": ""}, ErrorCode.INVALID_GROUP_ID),
    ],
)
def test_commits_that_cannot_be_are_refused(scene, wanted, more, code):
    values = {"group_id": "g", "member_id": "", "topics": wanted, **more}
    answer = scene.call(offsets.OffsetCommitRequest(**values), 7)
    assert answer.topics[0].partitions[0].error_code == code


def test_commit_metadata_is_bounded(scene):
    wanted = committed(0)
    wanted[0].partitions[0].committed_metadata = "x" * 4097
    request = offsets.OffsetCommitRequest(group_id="g", member_id="", topics=wanted)
    code = scene.call(request, 7).topics[0].partitions[0].error_code
    assert code == ErrorCode.OFFSET_METADATA_TOO_LARGE


@pytest.mark.parametrize(
    ("timestamp", "version", "offset", "code"),
    [
        (ListOffsetsTimestamp.LATEST, 1, 4, 0),
        (ListOffsetsTimestamp.EARLIEST, 1, 0, 0),
        (ListOffsetsTimestamp.MAX_TIMESTAMP, 7, 3, 0),
        (ListOffsetsTimestamp.EARLIEST_LOCAL, 8, 0, 0),
        (ListOffsetsTimestamp.LATEST_TIERED, 9, -1, 0),
        (1_002_000, 5, 2, 0),
        (9_999_999, 5, -1, 0),
        (-9, 5, -1, ErrorCode.UNSUPPORTED_VERSION),
    ],
)
def test_list_offsets(scene, timestamp, version, offset, code):
    part = offsets.ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    wanted = offsets.ListOffsetsTopic(name="t", partitions=[part])
    answer = scene.call(offsets.ListOffsetsRequest(replica_id=-1, topics=[wanted]), version)
    found = answer.topics[0].partitions[0]
    assert (found.offset, found.error_code) == (offset, code)


@pytest.mark.parametrize(
    ("epoch", "code"),
    [
        *((1, 0), (-1, 0)),
        *((5, ErrorCode.UNKNOWN_LEADER_EPOCH), (0, ErrorCode.FENCED_LEADER_EPOCH)),
    ],
)
def test_leader_epochs_are_fenced(scene, epoch, code):
    scene.broker.cluster.topics["t"].logs[0].begin_epoch()
    request = fetch("t", 0)
    request.topics[0].partitions[0].current_leader_epoch = epoch
    assert scene.call(request, 11).responses[0].partitions[0].error_code == code
    part = offsets.OffsetForLeaderPartition(partition=0, current_leader_epoch=epoch, leader_epoch=0)
    wanted = offsets.OffsetForLeaderTopic(topic="t", partitions=[part])
    answer = scene.call(offsets.OffsetForLeaderEpochRequest(topics=[wanted]), 4)
    found = answer.topics[0].partitions[0]
    assert (found.error_code, found.end_offset) == (code, -1 if code else 4)


@pytest.mark.parametrize("version", [11, 12])
def test_large_batches_are_sent_as_they_lie_in_the_log(scene, version):
    scene.broker.create_topic("large", 1)
    for _ in range(3):
        scene.broker.publish("large", bytes(100_000), partition=0)
    connection = scene.network.connect().connection
    connection.receive(encode_request(fetch("large", 0), version, 1, "shop"))
    batches = scene.broker.cluster.topics["large"].logs[0].read(0, 1 << 20).batches
    assert [piece for piece in connection.out if len(piece) > 1000] == batches
    assert all(any(piece is batch for piece in connection.out) for batch in batches)
    (frame,) = connection.splitter(OUT).feed(b"".join(connection.out))
    answer = decode_response(frame, ApiKey.FETCH, version)[1]
    assert answer.responses[0].partitions[0].records == b"".join(batches)


def test_coordinators_of_groups_and_transactions_are_this_broker(scene):
    old = scene.call(groups.FindCoordinatorRequest(key="g"), 0)
    assert (old.error_code, old.node_id) == (0, 1)
    asked = groups.FindCoordinatorRequest(key_type=1, coordinator_keys=["a", "b"])
    found = [(one.error_code, one.node_id) for one in scene.call(asked, 4).coordinators]
    assert found == [(0, 1), (0, 1)]
    share = groups.FindCoordinatorRequest(key_type=2, coordinator_keys=["g"])
    assert scene.call(share, 6).coordinators[0].error_code == ErrorCode.INVALID_REQUEST


def test_unknown_groups_are_dead_and_from_version_6_on_not_found(scene):
    request = groups.DescribeGroupsRequest(groups=["g"])
    assert (scene.call(request, 5).groups[0].error_code) == 0
    assert scene.call(request, 5).groups[0].group_state == "Dead"
    assert scene.call(request, 6).groups[0].error_code == ErrorCode.GROUP_ID_NOT_FOUND


def test_groups_are_listed_by_state_and_type(scene):
    scene.broker.reset_offsets("g", "t", {0: 1})

    def listed(**wanted):
        answer = scene.call(groups.ListGroupsRequest(**wanted), 5)
        return [one.group_id for one in answer.groups]

    assert listed() == listed(states_filter=["empty"]) == listed(types_filter=["classic"]) == ["g"]
    assert listed(states_filter=["Stable"]) == listed(types_filter=["consumer"]) == []


def test_members_that_are_not_there_cannot_leave(scene):
    member = groups.MemberIdentity(member_id="m")
    answer = scene.call(groups.LeaveGroupRequest(group_id="g", members=[member]), 5)
    assert answer.members[0].error_code == ErrorCode.UNKNOWN_MEMBER_ID


def creatable(name="new", partitions=-1, replication_factor=-1, assignments=(), **configs):
    return topics.CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication_factor,
        assignments=[
            topics.CreatableReplicaAssignment(partition_index=part, broker_ids=ids)
            for part, ids in assignments
        ],
        configs=[
            topics.CreatableTopicConfig(name=key.replace("_", "."), value=value)
            for key, value in configs.items()
        ],
    )


@pytest.mark.parametrize(
    ("wanted", "partitions", "code"),
    [
        (creatable(), 3, 0),
        (creatable(partitions=5, replication_factor=1, retention_ms="9"), 5, 0),
        (creatable(assignments=[(0, [1]), (1, [1])]), 2, 0),
        (creatable(assignments=[(0, [2])]), 0, ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable(assignments=[(1, [1])]), 0, ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (creatable(partitions=2, assignments=[(0, [1])]), 0, ErrorCode.INVALID_REQUEST),
        (creatable(replication_factor=3), 0, ErrorCode.INVALID_REPLICATION_FACTOR),
        (creatable(partitions=0), 0, ErrorCode.INVALID_PARTITIONS),
        # A list of these would take all memory before the limit is asked.
        (creatable(partitions=2**31 - 1, replication_factor=1), 0, ErrorCode.POLICY_VIOLATION),
        (creatable("t"), 0, ErrorCode.TOPIC_ALREADY_EXISTS),
        (creatable("a/b"), 0, ErrorCode.INVALID_TOPIC_EXCEPTION),
        (creatable(retention_ms="soon"), 0, ErrorCode.INVALID_CONFIG),
    ],
)
def test_create_topics(scene, wanted, partitions, code):
    for validate_only in (True, False):
        request = topics.CreateTopicsRequest(topics=[wanted], validate_only=validate_only)
        assert scene.call(request, 7).topics[0].error_code == code
        made = not code and not validate_only
        assert (wanted.name in scene.broker.cluster.topics) == (made or wanted.name == "t")
    if not code:
        assert len(scene.broker.cluster.topics[wanted.name].logs) == partitions


def test_topic_that_stands_twice_is_created_by_neither(scene):
    request = topics.CreateTopicsRequest(topics=[creatable(), creatable()])
    codes = {one.error_code for one in scene.call(request, 7).topics}
    assert codes == {ErrorCode.INVALID_REQUEST}
    assert not scene.broker.has_topic("new")


@pytest.mark.parametrize(
    ("count", "assignments", "code"),
    [
        (4, None, 0),
        (4, [[1], [1]], 0),
        (4, [[1]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (3, [[2]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (2, None, ErrorCode.INVALID_PARTITIONS),
    ],
)
def test_create_partitions(scene, count, assignments, code):
    if assignments is not None:
        assignments = [topics.CreatePartitionsAssignment(broker_ids=ids) for ids in assignments]
    wanted = topics.CreatePartitionsTopic(name="t", count=count, assignments=assignments)
    request = topics.CreatePartitionsRequest(topics=[wanted], timeout_ms=0, validate_only=False)
    assert scene.call(request, 3).results[0].error_code == code
    assert len(scene.broker.cluster.topics["t"].logs) == (2 if code else count)


def test_topics_are_deleted_by_name_or_id_but_not_by_both(scene):
    def delete(version, **wanted):
        if version < 6:
            request = topics.DeleteTopicsRequest(topic_names=[wanted["name"]], timeout_ms=0)
        else:
            state = topics.DeleteTopicState(**wanted)
            request = topics.DeleteTopicsRequest(topics=[state], timeout_ms=0)
        return scene.call(request, version).responses[0].error_code

    assert delete(6, name="t", topic_id=topic_id(scene)) == ErrorCode.INVALID_REQUEST
    assert delete(6, name=None, topic_id=topic_id(scene)) == 0
    assert delete(1, name="t") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    scene.broker.create_topic("t")
    assert delete(1, name="t") == 0


def describe(scene, kind, name, keys=None):
    resource = configs.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=keys
    )
    request = configs.DescribeConfigsRequest(resources=[resource], include_synonyms=True)
    return scene.call(request, 4).results[0]


def test_configurations_are_described_with_sources_and_synonyms(scene):
    scene.broker.configure_topic("t", "retention.ms", "5")
    (found,) = describe(scene, 2, "t", ["retention.ms"]).configs
    assert (found.value, found.config_source) == ("5", 1)
    assert [one.value for one in found.synonyms] == ["5"]
    (found,) = describe(scene, 2, "t", ["cleanup.policy"]).configs
    assert [(one.name, one.value) for one in found.synonyms] == [("log.cleanup.policy", "delete")]
    broker = {one.name: one for one in describe(scene, 4, "1").configs}
    assert broker["num.partitions"].value == "3"
    assert broker["num.partitions"].read_only
    # As Kafka since KIP-966, for all nodes; earlier releases have nothing there.
    (found,) = describe(scene, 4, "").configs
    assert (found.name, found.value, found.config_source) == ("min.insync.replicas", "1", 3)
    assert describe(Scene(as_version="3.9"), 4, "").configs == []
    assert describe(scene, 4, "9").error_code == ErrorCode.INVALID_REQUEST
    assert describe(scene, 16, "").error_code == ErrorCode.INVALID_REQUEST
    assert describe(scene, 2, "no").error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_configurations_are_replaced_as_a_whole_or_altered_one_by_one(scene):
    def replace(kind, name, **values):
        resource = configs.AlterConfigsResource(
            resource_type=kind,
            resource_name=name,
            configs=[
                configs.AlterableConfig(name=key.replace("_", "."), value=value)
                for key, value in values.items()
            ],
        )
        request = configs.AlterConfigsRequest(resources=[resource], validate_only=False)
        return scene.call(request, 2).responses[0].error_code

    def alter(operation, value):
        change = configs.IncrementalAlterableConfig(
            name="retention.ms", config_operation=operation, value=value
        )
        resource = configs.IncrementalAlterConfigsResource(
            resource_type=2, resource_name="t", configs=[change]
        )
        request = configs.IncrementalAlterConfigsRequest(resources=[resource], validate_only=False)
        return scene.call(request, 1).responses[0].error_code

    own = scene.broker.cluster.topics["t"]
    assert replace(2, "t", retention_ms="5", retention_bytes="6") == 0
    assert replace(2, "t", retention_ms="7") == 0
    assert own.config.own == {"retention.ms": "7"}
    assert replace(2, "t", nonsense="1") == ErrorCode.INVALID_CONFIG
    assert replace(4, "1", num_partitions="7") == ErrorCode.INVALID_REQUEST
    assert alter(0, "8") == 0
    assert own.config.own == {"retention.ms": "8"}
    assert alter(2, "9") == ErrorCode.INVALID_CONFIG
    assert alter(9, "9") == ErrorCode.INVALID_REQUEST
    assert alter(1, None) == 0
    assert own.config.own == {}


def test_a_controllers_endpoint_is_not_here(scene):
    request = cluster.DescribeClusterRequest(
        include_cluster_authorized_operations=True, endpoint_type=2
    )
    assert scene.call(request, 1).error_code == ErrorCode.MISMATCHED_ENDPOINT_TYPE
    request.endpoint_type = 1
    assert scene.call(request, 1).cluster_authorized_operations > 0


STRANGE = b"x" * 16
BY_ID = [
    # As Kafka 4.4 answers: version, name and id that are asked for; code and name that come back.
    (12, None, "t", 0, "t"),
    (12, "", "t", 0, "t"),
    (13, "other", "t", 0, "t"),
    (12, "", STRANGE, ErrorCode.UNKNOWN_TOPIC_ID, None),
    (13, "t", STRANGE, ErrorCode.UNKNOWN_TOPIC_ID, None),
    (12, "", bytes(16), ErrorCode.INVALID_TOPIC_EXCEPTION, ""),
    (10, "", bytes(16), ErrorCode.INVALID_TOPIC_EXCEPTION, ""),
    (12, None, bytes(16), ErrorCode.INVALID_REQUEST, None),  # Kafka trips over it: -1
    (10, "t", "t", ErrorCode.INVALID_REQUEST, "t"),
    (10, "", "t", ErrorCode.INVALID_REQUEST, ""),
    (10, None, bytes(16), ErrorCode.INVALID_REQUEST, ""),
    (12, "a b", bytes(16), ErrorCode.INVALID_TOPIC_EXCEPTION, "a b"),
    (12, "none", bytes(16), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "none"),
]


@pytest.mark.parametrize(("version", "name", "one", "code", "told"), BY_ID)
def test_metadata_by_id(scene, version, name, one, code, told):
    one = topic_id(scene) if one == "t" else one
    wanted = cluster.MetadataRequestTopic(topic_id=one, name=name)
    request = cluster.MetadataRequest(topics=[wanted], allow_auto_topic_creation=False)
    answer = scene.call(request, version).topics[0]
    assert (answer.error_code, answer.name) == (code, told)
    assert len(answer.partitions) == (2 if not code else 0)


def test_an_invalid_number_of_acks_is_refused_for_each_partition(scene):
    data = logs.PartitionProduceData(index=0, records=b"")
    topic = logs.TopicProduceData(name="t", partition_data=[data])
    request = logs.ProduceRequest(acks=2, timeout_ms=0, topic_data=[topic])
    part = scene.call(request, 9).responses[0].partition_responses[0]
    assert part.error_code == ErrorCode.INVALID_REQUIRED_ACKS


@pytest.mark.parametrize("wanted", [10_000, 2**31 - 1])
def test_the_broker_bounds_what_one_fetch_is_answered_with(wanted):
    scene = Scene(configs={"fetch.max.bytes": "10000"})
    scene.broker.create_topic("t", 1)
    for size in (3000, 3000, 3000, 3000, 20_000):
        scene.broker.publish("t", b"v" * size)

    def read(offset):
        request = fetch("t", offset)
        request.max_bytes = wanted
        (part,) = scene.call(request, 12).responses[0].partitions
        return len(split_batches(part.records))

    # The first batch is never too large (KIP-74).
    assert [read(0), read(3), read(4)] == [3, 1, 1]


@pytest.mark.parametrize(
    ("sizes", "least", "answers"),
    [
        ([1000] * 96, 1, [20, 20, 20, 20, 16]),
        # As many as are asked for at least.
        ([1000] * 96, 50_000, [46, 46, 4]),
        # Large ones are sent as they lie in the log: all that there is.
        ([30_000] * 20, 1, [20]),
        # Where both together make small ones, portions of both.
        ([1000] * 30 + [30_000] * 3, 1, [20, 10, 3]),
        ([30_000] * 3 + [1000] * 30, 1, [1, 1, 1, 20, 10]),
    ],
)
def test_small_batches_are_answered_in_portions(scene, monkeypatch, sizes, least, answers):
    """They are copied; nothing is waited for while there is more."""
    monkeypatch.setattr("mockforge_brokers.kafka.apis.logs.fetched.COPIED", 21_700)
    scene.broker.create_topic("portions", 1)
    for size in sizes:
        scene.broker.publish("portions", b"v" * size)
    found: list[int] = []
    while sum(found) < len(sizes):
        request = fetch("portions", sum(found), size=1 << 30, wait=60_000)
        request.min_bytes, request.max_bytes = min(least, 1000 * (96 - sum(found))), 1 << 30
        (part,) = scene.call(request, 12).responses[0].partitions
        found.append(len(split_batches(part.records)))
    assert found == answers


def test_what_is_copied_is_bounded_for_all_partitions_of_a_fetch_together(scene, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.kafka.apis.logs.fetched.COPIED", 10_000)
    scene.broker.create_topic("portions", 3)
    for number in range(60):
        size = 30_000 if number % 3 == 2 else 1000
        scene.broker.publish("portions", b"v" * size, partition=number % 3)
    request = fetch("portions", 0, size=1 << 30, wait=60_000)
    request.min_bytes, request.max_bytes = 1, 1 << 30
    request.topics[0].partitions = [
        logs.FetchPartition(partition=one, fetch_offset=0, partition_max_bytes=1 << 30)
        for one in range(3)
    ]
    parts = scene.call(request, 12).responses[0].partitions
    # Nothing is left for those of the second one; what is not copied takes nothing of it.
    assert [len(split_batches(part.records)) for part in parts] == [9, 0, 20]
