"""A cluster of several nodes: who leads, who coordinates, and what clients of the others hear."""

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.events import (
    BrokerConfigured,
    CoordinatorMoved,
    LeaderMoved,
    NodeStopped,
    RebalanceStarted,
)
from mockforge_brokers.kafka.wire.messages import (
    cluster,
    configs,
    consumer_groups,
    groups,
    logs,
    offsets,
    reassignments,
    topics,
)
from mockforge_brokers.listener import Listener

from ..storage.memory_disk import MemoryDisk
from .scene import Scene, fetch, produce


class Cluster(Scene):
    """Nodes 1, 2 and 3 at ports 9092, 9192 and 9292; `t` is led by 1, 2, 3, `one` by 1."""

    def __init__(self, **options):
        super().__init__(nodes=3, **options)
        self.listeners = {
            node: Listener("kafka", port=8992 + 100 * node, node=node - 1) for node in (1, 2, 3)
        }
        self.environment.listeners += self.listeners.values()
        self.broker.create_topic("t", 3)
        self.broker.create_topic("one", 1)
        self.events = []
        self.environment.spine.watch(self.events.append, LeaderMoved, CoordinatorMoved, NodeStopped)

    @property
    def nodes(self):
        return self.broker.nodes

    def at(self, node):
        client = self.network.connect()
        client.peer.listener = self.listeners[node]
        client.peer.local = ("127.0.0.1", self.listeners[node].port)
        return client

    def call_at(self, node, message, version):
        client = self.at(node)
        self.ask(client, message, version)
        return self.answer(client, message.api_key, version)

    def metadata(self, node=1):
        return self.call_at(node, cluster.MetadataRequest(topics=None), 12)

    def leaders(self, topic="t"):
        return [each.leader for each in self.nodes.leaders(topic)]


@pytest.fixture
def scene():
    return Cluster()


def test_metadata_names_all_nodes_and_their_partitions(scene):
    for node in (1, 2, 3):
        answer = scene.metadata(node)
        assert [(one.node_id, one.host, one.port) for one in answer.brokers] == [
            (1, "127.0.0.1", 9092),
            (2, "127.0.0.1", 9192),
            (3, "127.0.0.1", 9292),
        ]
        (parts,) = (one.partitions for one in answer.topics if one.name == "t")
        assert [(one.leader_id, list(one.replica_nodes)) for one in parts] == [
            (1, [1, 2, 3]),
            (2, [2, 3, 1]),
            (3, [3, 1, 2]),
        ]


def test_a_produce_to_another_node_names_the_leader_and_its_address(scene):
    answer = scene.call_at(2, produce("one", b"a"), 10)
    (part,) = answer.responses[0].partition_responses
    assert part.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert (part.current_leader.leader_id, part.current_leader.leader_epoch) == (1, 0)
    assert [(one.node_id, one.port) for one in answer.node_endpoints] == [(1, 9092)]
    old = scene.call_at(2, produce("one", b"a"), 9)
    assert old.responses[0].partition_responses[0].error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert (
        scene.call_at(1, produce("one", b"a"), 10).responses[0].partition_responses[0].error_code
        == 0
    )


def test_a_producer_on_the_fast_path_is_sent_away_when_its_leader_moves(scene):
    client = scene.at(1)
    for _ in range(2):
        scene.ask(client, produce("one", b"a"), 9)
        assert scene.answer(client, 0, 9).responses[0].partition_responses[0].error_code == 0
    scene.nodes.move_leader("one", 0, 2)
    scene.ask(client, produce("one", b"a"), 9)
    answer = scene.answer(client, 0, 9)
    assert answer.responses[0].partition_responses[0].error_code == (
        ErrorCode.NOT_LEADER_OR_FOLLOWER
    )
    assert scene.broker.cluster.topics["one"].records == 2


def test_a_fetch_that_waits_hears_at_once_that_its_leader_moved(scene):
    client = scene.at(1)
    request = fetch("one", 0, wait=10_000, topic_id=scene.broker.cluster.topics["one"].topic_id)
    request.topics[0].partitions[0].current_leader_epoch = 0
    scene.ask(client, request, 16)
    assert client.peek() == b""
    scene.nodes.move_leader("one", 0, 3)
    scene.network.settle()
    answer = scene.answer(client, 1, 16)
    (part,) = answer.responses[0].partitions
    assert part.error_code == ErrorCode.FENCED_LEADER_EPOCH
    assert (part.current_leader.leader_id, part.current_leader.leader_epoch) == (3, 1)
    assert [(one.node_id, one.port) for one in answer.node_endpoints] == [(3, 9292)]


def test_epochs_end_where_the_next_leader_began(scene):
    def end_of(epoch, current=-1):
        wanted = offsets.OffsetForLeaderPartition(
            partition=0, current_leader_epoch=current, leader_epoch=epoch
        )
        topic = offsets.OffsetForLeaderTopic(topic="one", partitions=[wanted])
        request = offsets.OffsetForLeaderEpochRequest(replica_id=-1, topics=[topic])
        (part,) = scene.call_at(scene.leaders("one")[0], request, 4).topics[0].partitions
        return part.error_code, part.leader_epoch, part.end_offset

    for _ in range(2):
        scene.broker.publish("one", b"a")
    scene.nodes.move_leader("one", 0, 2)
    scene.broker.publish("one", b"b")
    scene.nodes.move_leader("one", 0, 2)
    assert end_of(0) == (0, 0, 2)
    assert end_of(1) == (0, 1, 3)
    assert end_of(2) == (0, 2, 3)
    assert end_of(3) == (0, -1, -1)
    assert end_of(0, current=1)[0] == ErrorCode.FENCED_LEADER_EPOCH
    assert end_of(0, current=5)[0] == ErrorCode.UNKNOWN_LEADER_EPOCH


def test_epochs_are_there_after_a_restart(scene):
    scene.broker.publish("one", b"a")
    scene.nodes.move_leader("one", 0, 2)
    scene.broker.publish("one", b"b")
    scene.nodes.move_leader("one", 0, 1)
    scene.broker.restart()
    log = scene.broker.cluster.log_of("one", 0)
    assert [log.end_of_epoch(epoch) for epoch in (0, 1, 2)] == [(0, 1), (1, 2), (2, 2)]


def test_a_stopped_node_hands_its_partitions_to_a_replica_and_starts_as_a_follower(scene):
    client = scene.at(2)
    assert scene.nodes.stop(2) == 1
    assert client.peer.ended == "closed"
    assert scene.leaders() == [1, 3, 3]
    answer = scene.metadata(1)
    assert [one.node_id for one in answer.brokers] == [1, 3]
    (parts,) = (one.partitions for one in answer.topics if one.name == "t")
    assert (list(parts[1].isr_nodes), list(parts[1].offline_replicas)) == ([3, 1], [2])
    assert parts[1].leader_epoch == 1
    scene.nodes.start(2)
    assert scene.leaders() == [1, 3, 3]
    assert scene.nodes.elect("t") == 1
    assert scene.leaders() == [1, 2, 3]
    assert [(e.before, e.leader) for e in scene.events if isinstance(e, LeaderMoved)] == [
        (2, 3),
        (3, 2),
    ]


def test_a_partition_without_a_replica_has_no_leader_until_its_node_is_back(scene):
    wanted = topics.CreatableTopic(name="alone", num_partitions=2, replication_factor=1)
    (made,) = scene.call_at(1, topics.CreateTopicsRequest(topics=[wanted]), 7).topics
    assert (made.error_code, made.replication_factor) == (0, 1)
    scene.nodes.stop(2)
    assert scene.leaders("alone") == [1, -1]
    (parts,) = (one.partitions for one in scene.metadata().topics if one.name == "alone")
    assert (parts[1].error_code, parts[1].leader_id) == (ErrorCode.LEADER_NOT_AVAILABLE, -1)
    scene.nodes.start(2)
    assert scene.leaders("alone") == [1, 2]
    scene.broker.restart()
    assert scene.leaders("alone") == [1, 2]
    assert [list(each.replicas) for each in scene.nodes.leaders("alone")] == [[1], [2]]


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        (groups.HeartbeatRequest(group_id="g", generation_id=1, member_id="m"), 4),
        (groups.JoinGroupRequest(group_id="g", member_id="", protocol_type="consumer"), 9),
        (groups.LeaveGroupRequest(group_id="g"), 5),
        (groups.DescribeGroupsRequest(groups=["g"]), 5),
        (groups.DeleteGroupsRequest(groups_names=["g"]), 2),
        (
            offsets.OffsetFetchRequest(
                groups=[offsets.OffsetFetchRequestGroup(group_id="g", topics=None)]
            ),
            8,
        ),
    ],
)
def test_only_the_coordinator_answers_for_a_group(scene, request_, version):
    found = scene.call_at(
        1, groups.FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4
    ).coordinators[0]
    (home,) = (node for node in (1, 2, 3) if scene.broker.cluster.nodes.coordinator("g") == node)
    assert (found.node_id, found.port) == (home, 8992 + 100 * home)
    for node in (1, 2, 3):
        answer = scene.call_at(node, request_, version)
        codes = [getattr(answer, "error_code", 0)]
        for name in ("groups", "results"):
            codes += [each.error_code for each in getattr(answer, name, ())]
        assert (ErrorCode.NOT_COORDINATOR in codes) == (node != home)


def test_a_coordinator_is_moved_with_its_group(scene):
    scene.broker.commit("g", {("one", 0): 0})
    home = scene.broker.cluster.nodes.coordinator("g")
    other = 1 if home != 1 else 2
    listed = groups.ListGroupsRequest()
    assert [one.group_id for one in scene.call_at(home, listed, 4).groups] == ["g"]
    scene.nodes.move_coordinator("g", other)
    assert scene.call_at(home, listed, 4).groups == []
    assert [one.group_id for one in scene.call_at(other, listed, 4).groups] == ["g"]
    scene.nodes.stop(other)
    assert scene.broker.cluster.nodes.coordinator("g") not in (other, -1)


def test_the_controller_moves_and_gives_way_when_it_is_stopped(scene):
    assert scene.metadata().controller_id == 1
    scene.nodes.move_controller(2)
    assert scene.metadata().controller_id == 2
    scene.nodes.stop(2)
    assert scene.metadata().controller_id == 1


def test_replicas_are_where_a_client_put_them(scene):
    assigned = [
        topics.CreatableReplicaAssignment(partition_index=index, broker_ids=ids)
        for index, ids in enumerate(([3, 1], [2, 3]))
    ]
    wanted = topics.CreatableTopic(
        name="put", num_partitions=-1, replication_factor=-1, assignments=assigned
    )
    scene.call_at(1, topics.CreateTopicsRequest(topics=[wanted]), 7)
    assert scene.leaders("put") == [3, 2]
    moved = reassignments.ReassignablePartition(partition_index=0, replicas=[2, 1])
    topic = reassignments.ReassignableTopic(name="put", partitions=[moved])
    scene.call_at(1, reassignments.AlterPartitionReassignmentsRequest(topics=[topic]), 0)
    assert [list(each.replicas) for each in scene.nodes.leaders("put")] == [[2, 1], [2, 3]]
    assert scene.leaders("put") == [2, 2]


def test_a_client_elects_the_preferred_leaders(scene):
    scene.nodes.move_leader("t", 0, 3)
    answer = scene.call_at(
        1, reassignments.ElectLeadersRequest(election_type=0, topic_partitions=None), 2
    )
    elected = {
        one.topic: [part.partition_id for part in one.partition_result]
        for one in answer.replica_election_results
    }
    assert elected == {"t": [0], "one": []}
    assert scene.leaders() == [1, 2, 3]


def test_more_replicas_than_nodes_cannot_be(scene):
    wanted = topics.CreatableTopic(name="x", num_partitions=1, replication_factor=4)
    (made,) = scene.call_at(1, topics.CreateTopicsRequest(topics=[wanted]), 7).topics
    assert made.error_code == ErrorCode.INVALID_REPLICATION_FACTOR
    assert "only 3 broker(s) are registered" in made.error_message


def test_nobody_is_sent_to_a_node_that_does_not_listen_yet(scene):
    scene.environment.listeners.remove(scene.listeners[2])
    assert [one.node_id for one in scene.metadata(1).brokers] == [1, 3]
    described = scene.call_at(1, cluster.DescribeClusterRequest(), 1)
    assert [one.broker_id for one in described.brokers] == [1, 3]
    key = next(k for k in "abcdef" if scene.broker.cluster.nodes.coordinator(k) == 2)
    asked = groups.FindCoordinatorRequest(key_type=0, coordinator_keys=[key])
    found = scene.call_at(1, asked, 4).coordinators[0]
    assert (found.error_code, found.node_id) == (ErrorCode.COORDINATOR_NOT_AVAILABLE, -1)
    scene.broker.cluster.replication.place_new(scene.broker.cluster.log_of("one", 0), [2])
    answer = scene.call_at(1, produce("one", b"a"), 10)
    assert not answer.node_endpoints
    scene.environment.listeners.append(scene.listeners[2])
    assert scene.call_at(1, asked, 4).coordinators[0].node_id == 2


def test_what_cannot_be_moved_is_said(scene):
    with pytest.raises(InvalidInput, match="node 7 is not in the cluster; there is 1, 2, 3"):
        scene.nodes.move_leader("t", 0, 7)
    scene.nodes.stop(3)
    with pytest.raises(InvalidInput, match="node 3 is stopped; there is 1, 2"):
        scene.nodes.move_coordinator("g", 3)
    with pytest.raises(InvalidInput, match="no topic 'none'"):
        scene.nodes.move_leader("none", None, 1)


def test_one_node_is_elected_anew_and_fences_who_knows_the_epoch_before():
    scene = Scene()
    scene.broker.create_topic("one", 1)
    assert scene.broker.nodes.move_leader("one", None, None) == 1
    wanted = fetch("one", 0)
    wanted.topics[0].partitions[0].current_leader_epoch = 0
    (part,) = scene.call(wanted, 12).responses[0].partitions
    assert part.error_code == ErrorCode.FENCED_LEADER_EPOCH
    wanted.topics[0].partitions[0].current_leader_epoch = 1
    assert scene.call(wanted, 12).responses[0].partitions[0].error_code == 0


def test_records_of_a_moved_leader_bear_its_epoch(scene):
    scene.nodes.move_leader("one", 0, 2)
    scene.call_at(2, produce("one", b"a"), 9)
    answer = scene.call_at(2, fetch("one", 0), 12)
    assert isinstance(answer, logs.FetchResponse)
    batch = bytes(answer.responses[0].partitions[0].records)
    assert int.from_bytes(batch[12:16], "big") == 1


def test_who_leads_and_coordinates_is_the_same_after_a_restart(scene):
    scene.nodes.move_leader("t", 0, 2)
    scene.nodes.move_coordinator("g", 3)
    scene.nodes.stop(3)
    scene.broker.restart()
    assert scene.leaders() == [2, 2, 1]
    assert [list(each.in_sync) for each in scene.nodes.leaders("t")] == [[1, 2], [2, 1], [1, 2]]
    scene.nodes.start(3)
    # As in Apache Kafka (recorded): who took over coordinates on.
    assert scene.broker.cluster.nodes.coordinator("g") == 1
    assert [sorted(each.in_sync) for each in scene.nodes.leaders("t")] == [[1, 2, 3]] * 3


def test_a_move_to_a_stopped_node_waits_for_it_and_survives_being_cancelled(scene):
    scene.nodes.stop(3)
    replication = scene.broker.cluster.replication
    log = scene.broker.cluster.log_of("one", 0)
    replication.place_new(log, [1, 2])
    replication.reassign(log, [3, 2], "test")
    assert (list(replication.replicas(log)), replication.leader(log)) == ([3, 2, 1], 1)
    replication.reassign(log, None, "test")
    # In the order in which the move had put them, as Kafka leaves it.
    assert (list(replication.replicas(log)), replication.moving()) == ([2, 1], [])
    replication.reassign(log, [3], "test")
    scene.nodes.start(3)
    assert (list(replication.replicas(log)), replication.leader(log)) == ([3], 3)
    assert (list(replication.in_sync(log)), replication.moving()) == ([3], [])


def test_who_left_before_the_last_ones_in_sync_does_not_lead_when_it_is_back_first(scene):
    scene.broker.configure_topic("one", "min.insync.replicas", "2")
    for node in (2, 3, 1):
        scene.nodes.stop(node)
    replication, log = scene.broker.cluster.replication, scene.broker.cluster.log_of("one", 0)
    assert (replication.leader(log), list(replication.eligible(log))) == (-1, [3, 1])
    scene.nodes.start(2)
    assert scene.leaders("one") == [-1]
    scene.nodes.start(3)
    assert scene.leaders("one") == [3]
    assert sorted(replication.in_sync(log)) == [2, 3]


def test_replicas_and_epochs_are_kept_on_disk():
    disk = MemoryDisk()
    scene = Scene(disk=disk, nodes=3)
    scene.broker.take_up(disk.kept())
    for name in ("one", "alone"):
        scene.broker.create_topic(name, 2)
    scene.broker.cluster.replication.place("alone", [[1], [2]])
    scene.broker.publish("one", b"a", partition=0)
    scene.broker.nodes.move_leader("one", 0, 2)
    scene.clock.advance(1)
    again = Scene(disk=MemoryDisk(), nodes=3)
    again.broker.take_up(disk.kept())
    log = again.broker.cluster.log_of("one", 0)
    assert (log.leader_epoch, log.end_of_epoch(0)) == (1, (0, 1))
    assert [list(each.replicas) for each in again.broker.nodes.leaders("alone")] == [[1], [2]]
    assert [each.leader for each in again.broker.nodes.leaders("one")] == [2, 2]


def test_who_took_over_coordinates_on_and_the_last_one_is_waited_for(scene):
    nodes, keys = scene.broker.cluster.nodes, ("a", "b", "c")
    first = [nodes.coordinator(key) for key in keys]
    assert sorted(first) == [1, 2, 3]
    scene.nodes.stop(2)
    moved = [nodes.coordinator(key) for key in keys]
    assert moved == [3 if node == 2 else node for node in first]
    scene.nodes.start(2)
    assert [nodes.coordinator(key) for key in keys] == moved
    for node in (2, 1, 3):
        scene.nodes.stop(node)
    assert {nodes.coordinator(key) for key in keys} == {-1}
    scene.nodes.start(1)
    assert {nodes.coordinator(key) for key in keys} == {-1}, "3 knows what was committed last"
    scene.nodes.start(3)
    assert {nodes.coordinator(key) for key in keys} == {3}
    scene.broker.restart()
    assert {nodes.coordinator(key) for key in keys} == {3}
    scene.broker.reset()
    assert [nodes.coordinator(key) for key in keys] == [3 if node == 2 else node for node in first]


def test_a_consumer_is_sent_to_a_replica_in_its_rack(scene):
    nodes = Cluster(racks=("a", "b", "b")).broker.cluster.nodes
    assert [nodes.rack(node) for node in (1, 2, 3)] == ["a", "b", "b"]
    for in_sync, rack, nearest in (
        ([1, 2, 3], "a", 1),
        ([1, 2, 3], "b", 3),
        ([1, 2], "b", 2),
        ([1], "b", 1),
        ([1, 2, 3], "elsewhere", 1),
    ):
        assert nodes.nearest(1, in_sync, rack) == nearest
    assert nodes.nearest(2, [1, 2, 3], "b") == 2, "the leader, where it is there itself"


def test_each_node_describes_and_alters_its_own_values(scene):
    wanted = configs.DescribeConfigsResource(
        resource_type=4, resource_name="2", configuration_keys=["node.id", "log.retention.ms"]
    )
    change = configs.IncrementalAlterableConfig(
        name="log.retention.ms", config_operation=0, value="5000"
    )
    altered = configs.IncrementalAlterConfigsRequest(
        resources=[
            configs.IncrementalAlterConfigsResource(
                resource_type=4, resource_name="2", configs=[change]
            )
        ]
    )
    codes = [scene.call_at(node, altered, 1).responses[0].error_code for node in (1, 2)]
    assert codes == [ErrorCode.INVALID_REQUEST, 0]
    request = configs.DescribeConfigsRequest(resources=[wanted])
    (one,) = scene.call_at(2, request, 4).results
    assert {each.name: each.value for each in one.configs} == {
        "node.id": "2",
        "log.retention.ms": "5000",
    }
    assert scene.call_at(1, request, 4).results[0].error_code == ErrorCode.INVALID_REQUEST


def test_all_partitions_of_a_topic_have_as_many_replicas(scene):
    """With the words of Apache Kafka 4.4."""
    placed = [
        topics.CreatableReplicaAssignment(partition_index=index, broker_ids=ids)
        for index, ids in enumerate([[1, 2], [3]])
    ]
    wanted = topics.CreatableTopic(
        name="odd", num_partitions=-1, replication_factor=-1, assignments=placed
    )
    (one,) = scene.call_at(1, topics.CreateTopicsRequest(topics=[wanted]), 7).topics
    assert (one.error_code, one.error_message) == (
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        "The manual partition assignment includes a partition with 1 replica(s), but this is not"
        " consistent with previous partitions, which have 2 replica(s).",
    )
    grown = topics.CreatePartitionsTopic(
        name="one",
        count=2,
        assignments=[topics.CreatePartitionsAssignment(broker_ids=[2])],
    )
    (one,) = scene.call_at(1, topics.CreatePartitionsRequest(topics=[grown]), 3).results
    assert one.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT


# Nodes that come and go for good.


def where(scene):
    """Of each partition: its leader, its replicas, and who of them is in sync."""
    return {
        (each.topic, each.partition): (each.leader, list(each.replicas), sorted(each.in_sync))
        for each in scene.broker.nodes.leaders("*")
    }


def test_a_node_that_is_added_has_nothing_and_moves_nothing(scene):
    before = where(scene)
    coordinators = {key: scene.broker.cluster.nodes.coordinator(key) for key in ("a", "b", "c")}
    scene.nodes.add(4)
    assert where(scene) == before
    assert coordinators == {
        key: scene.broker.cluster.nodes.coordinator(key) for key in coordinators
    }
    # Nobody is sent to a node that does not listen yet.
    assert [one.node_id for one in scene.metadata().brokers] == [1, 2, 3]
    listener = Listener("kafka", port=9392, node=scene.nodes.place(4))
    scene.environment.listeners.append(listener)
    assert [(one.node_id, one.port) for one in scene.metadata().brokers][-1] == (4, 9392)


def test_partitions_move_to_a_node_that_was_added_and_new_ones_are_placed_there(scene):
    scene.nodes.add(4)
    scene.listeners[4] = Listener("kafka", port=9392, node=3)
    scene.environment.listeners.append(scene.listeners[4])
    partition = reassignments.ReassignablePartition(partition_index=0, replicas=[4, 2])
    topic = reassignments.ReassignableTopic(name="one", partitions=[partition])
    request = reassignments.AlterPartitionReassignmentsRequest(timeout_ms=1000, topics=[topic])
    assert scene.call_at(1, request, 0).error_code == 0
    assert where(scene)["one", 0] == (4, [4, 2], [2, 4])
    answer = scene.call_at(4, produce("one", b"a"), 10)
    assert answer.responses[0].partition_responses[0].error_code == 0
    scene.broker.create_topic("later", 4)
    assert scene.leaders("later") == [1, 2, 3, 4]


@pytest.mark.parametrize("node", [1, 2, 3])
def test_others_lead_and_hold_what_a_removed_node_had(scene, node):
    scene.broker.publish("one", b"a")
    scene.at(node)
    assert scene.nodes.remove(node) == 1, "one client's connection ends"
    there = [each for each in (1, 2, 3) if each != node]
    for leader, replicas, in_sync in where(scene).values():
        assert leader in there
        assert sorted(replicas) == in_sync == there
    assert [one.node_id for one in scene.metadata(there[0]).brokers] == there
    assert scene.broker.cluster.topics["one"].records == 1
    for key in ("a", "b", "c", "d"):
        assert scene.broker.cluster.nodes.coordinator(key) in there
    assert scene.broker.cluster.nodes.controller in there


def test_the_only_replica_of_a_removed_node_moves_to_another_one(scene):
    partition = reassignments.ReassignablePartition(partition_index=0, replicas=[3])
    topic = reassignments.ReassignableTopic(name="one", partitions=[partition])
    scene.call_at(
        1, reassignments.AlterPartitionReassignmentsRequest(timeout_ms=1000, topics=[topic]), 0
    )
    scene.broker.publish("one", b"kept")
    scene.nodes.stop(3)
    assert scene.leaders("one") == [-1]
    scene.nodes.remove(3)
    assert where(scene)["one", 0] == (1, [1], [1])
    answer = scene.call_at(1, produce("one", b"a"), 10)
    assert answer.responses[0].partition_responses[0].base_offset == 1


def test_a_replica_goes_to_a_spare_node_where_there_is_one(scene):
    scene.nodes.add(7)
    scene.nodes.remove(2)
    assert where(scene)["t", 1] == (3, [3, 1, 7], [1, 3, 7])


def test_a_move_that_waits_for_a_node_ends_when_that_is_removed(scene):
    scene.nodes.add(4)
    scene.nodes.stop(4)
    partition = reassignments.ReassignablePartition(partition_index=0, replicas=[4, 2])
    topic = reassignments.ReassignableTopic(name="one", partitions=[partition])
    request = reassignments.AlterPartitionReassignmentsRequest(timeout_ms=1000, topics=[topic])
    scene.call_at(1, request, 0)
    assert scene.broker.cluster.replication.moving()
    scene.nodes.remove(4)
    assert not scene.broker.cluster.replication.moving()
    assert where(scene)["one", 0] == (1, [2, 1], [1, 2])


def test_who_cannot_be_added_or_removed_is_named(scene):
    for change, text in (
        (lambda: scene.nodes.add(2), "node 2 is in the cluster already; the next one is 4"),
        (lambda: scene.nodes.add(0), "node 0 is below 1; the next one is 4"),
        (lambda: scene.nodes.remove(9), "node 9 is not in the cluster; there is 1, 2, 3"),
    ):
        with pytest.raises(InvalidInput, match=text):
            change()
    scene.nodes.remove(1)
    scene.nodes.stop(2)
    with pytest.raises(InvalidInput, match="node 3 is the last one: add another one first"):
        scene.nodes.remove(3)
    scene.nodes.remove(2)
    assert list(scene.nodes.ids) == [3]
    assert set(scene.leaders("t")) == {3}


def test_a_single_node_becomes_a_cluster():
    scene = Scene()
    scene.environment.listeners += [
        Listener("kafka", port=9092),
        Listener("kafka", port=9192, node=1),
    ]
    scene.broker.create_topic("t", 2)
    client = scene.network.connect()
    for _ in range(2):
        scene.ask(client, produce("t", b"a"), 9)
        assert scene.answer(client, 0, 9).responses[0].partition_responses[0].error_code == 0
    scene.broker.nodes.add(2)
    assert [each.leader for each in scene.broker.nodes.leaders("t")] == [1, 1]
    scene.broker.nodes.move_leader("t", 0, 2)
    scene.ask(client, produce("t", b"a"), 9)
    (part,) = scene.answer(client, 0, 9).responses[0].partition_responses
    assert part.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    scene.broker.nodes.remove(2)
    assert [each.leader for each in scene.broker.nodes.leaders("t")] == [1, 1]


def test_a_node_that_was_added_has_configs_of_its_own(scene):
    scene.nodes.add(4)
    scene.listeners[4] = Listener("kafka", port=9392, node=3)
    scene.environment.listeners.append(scene.listeners[4])
    resource = configs.DescribeConfigsResource(
        resource_type=4, resource_name="4", configuration_keys=["node.id"]
    )
    answer = scene.call_at(4, configs.DescribeConfigsRequest(resources=[resource]), 4)
    (result,) = answer.results
    assert [(one.name, one.value) for one in result.configs] == [("node.id", "4")]


def test_what_was_kept_on_a_node_that_is_not_started_again_is_led_by_another_one():
    disk = MemoryDisk()
    scene = Scene(disk=disk, nodes=3)
    scene.broker.take_up(disk.kept())
    scene.broker.create_topic("one", 2)
    scene.broker.cluster.replication.place("one", [[3], [2, 3]])
    scene.broker.publish("one", b"a", partition=0)
    scene.clock.advance(1)
    again = Scene(disk=MemoryDisk(), nodes=2)
    again.broker.take_up(disk.kept())
    assert where(again) == {("one", 0): (1, [1], [1]), ("one", 1): (2, [2, 1], [1, 2])}
    assert again.broker.cluster.topics["one"].records == 1


def test_a_node_moves_to_another_rack_while_all_runs():
    scene = Cluster(racks=("a", "b", "c"))

    def racks():
        return [one.rack for one in scene.metadata().brokers]

    assert racks() == ["a", "b", "c"]
    told = []
    scene.environment.spine.watch(told.append, BrokerConfigured, RebalanceStarted)
    joins = consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id="g",
        member_id="m",
        rebalance_timeout_ms=1000,
        subscribed_topic_names=["t"],
        topic_partitions=[],
    )
    node = scene.broker.cluster.nodes.coordinator("g")
    joined = scene.call_at(node, joins, 1)
    told.clear()
    scene.nodes.move_to_rack(2, "eu")
    assert racks() == ["a", "eu", "c"]
    assert [one.rack for one in scene.nodes] == ["a", "eu", "c"]
    described = configs.DescribeConfigsRequest(
        resources=[configs.DescribeConfigsResource(resource_type=4, resource_name="2")]
    )
    values = {one.name: one.value for one in scene.call_at(2, described, 4).results[0].configs}
    assert values["broker.rack"] == "eu"
    configured, rebalance = told
    assert (configured.resource, configured.changes) == ("broker 2", (("broker.rack", "eu"),))
    assert rebalance.reason == "node 2 is in rack eu now"
    # The member goes on in the new epoch with what it had.
    beat = consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id="g", member_id="m", member_epoch=joined.member_epoch
    )
    after = scene.call_at(node, beat, 1)
    assert (after.error_code, after.member_epoch) == (0, joined.member_epoch + 1)
    told.clear()
    scene.nodes.move_to_rack(2, "eu")
    assert told == []
    scene.nodes.move_to_rack(2, None)
    assert racks() == ["a", None, "c"]
    scene.nodes.stop(3)
    for wrong in (3, 7):
        with pytest.raises(InvalidInput, match=f"node {wrong} is"):
            scene.nodes.move_to_rack(wrong, "a")


def test_replicas_are_moved_by_hand_as_by_an_admin_client(scene):
    assert scene.nodes.move_replicas("t", None, [3, 1]) == 3
    # Who leads stays where it may; 2 gives way to the first that is in sync.
    assert [where(scene)["t", number] for number in range(3)] == [
        (1, [3, 1], [1, 3]),
        (3, [3, 1], [1, 3]),
        (3, [3, 1], [1, 3]),
    ]
    scene.nodes.stop(2)
    scene.nodes.move_replicas("one", 0, [2, 3])
    assert where(scene)["one", 0][0] == 1, "who is not there is waited for"
    scene.nodes.start(2)
    assert where(scene)["one", 0] == (2, [2, 3], [2, 3])
    for nodes in ([9], [1, 1], []):
        with pytest.raises(InvalidInput, match=r"assignment|replica"):
            scene.nodes.move_replicas("one", 0, nodes)
