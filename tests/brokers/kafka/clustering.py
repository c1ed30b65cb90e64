"""Three nodes as scenarios: the same requests, stops and starts for our cluster and Apache Kafka's.

`Cast` asks the nodes of one cluster and writes down what came. Topics are placed by the client, so
that both clusters lead the same; controllers and coordinators are where each cluster likes, and
only noted as what they are to the node that was asked.
`python -m tests.brokers.kafka.clustering` starts an Apache Kafka of three nodes and keeps what it
answers in `recorded/clusters.json`.
"""

import json
import sys
import time
from pathlib import Path

from mockforge_brokers.kafka.records import Record, build_batch, split_batches
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.messages import (
    cluster,
    configs,
    consumer_groups,
    groups,
    logs,
    nodes,
    offsets,
    producers,
    reassignments,
    topics,
    transactions,
)

from .asking import Asking
from .transacting import write_recorded

RECORDED = Path(__file__).parent / "recorded" / "clusters.json"
EVERY = (1, 2, 3)
LATEST, EARLIEST = -1, -2


class Cast:
    """`at` has `call(node, message, version)`, `stop(node)` and `start(node)`."""

    def __init__(self, at, prefix=""):
        self.at = at
        self.prefix = prefix
        self.said = []

    def call(self, node, message, version):
        return self.at.call(node, message, version)

    def note(self, what, outcome):
        self.said.append([what, outcome])
        return outcome

    def until(self, true):
        """Apache Kafka's nodes learn of a thing one after the other."""
        for _ in range(600):
            if true():
                return
            time.sleep(0.05)
        raise AssertionError("it did not settle")

    # What is done to them.

    def create(self, name, placed, configs=None, node=1):
        """A topic with its replicas where `placed` says, known to and led at all nodes."""
        wanted = topics.CreatableTopic(
            name=self.prefix + name,
            num_partitions=-1,
            replication_factor=-1,
            assignments=[
                topics.CreatableReplicaAssignment(partition_index=index, broker_ids=replicas)
                for index, replicas in enumerate(placed)
            ],
            configs=[
                topics.CreatableTopicConfig(name=key, value=value)
                for key, value in (configs or {}).items()
            ],
        )
        request = topics.CreateTopicsRequest(topics=[wanted], timeout_ms=10_000)
        made = self.call(node, request, 7).topics[0]
        if made.error_code:
            return self.note(f"create {name}", [made.error_code])
        for each in EVERY:
            if each not in self.at.stopped:
                self.until(lambda each=each: self._settled(each, name))
        return None

    def create_counted(self, name, partitions, replicas, node=1):
        wanted = topics.CreatableTopic(
            name=self.prefix + name, num_partitions=partitions, replication_factor=replicas
        )
        made = self.call(node, topics.CreateTopicsRequest(topics=[wanted], timeout_ms=10_000), 7)
        one = made.topics[0]
        self.note(
            f"create {name} {partitions} x {replicas}",
            [one.error_code, one.num_partitions, one.replication_factor],
        )

    def _settled(self, node, name):
        topic = self._topic(node, name, 12)
        if topic.error_code or not topic.partitions:
            return False
        return all(self._led(topic.name, part) for part in topic.partitions)

    def _led(self, name, part):
        if part.leader_id < 0:
            return True
        request = fetch_request(name, part.partition_index, 0)
        code = self.call(part.leader_id, request, 12).responses[0].partitions[0].error_code
        return code == 0

    def stop(self, node):
        self.at.stop(node)
        self.note(f"stop {node}", [])
        for each in EVERY:
            if each not in self.at.stopped:
                self.until(lambda each=each: node not in self._alive(each))

    def start(self, node):
        """Back, and in sync again wherever it is a replica."""
        self.at.start(node)
        self.note(f"start {node}", [])
        for each in EVERY:
            if each not in self.at.stopped:
                self.until(lambda each=each: node in self._alive(each))
        self.until(lambda: self._in_sync(node))

    def _alive(self, node):
        return [one.node_id for one in self.call(node, metadata_request(), 12).brokers]

    def _in_sync(self, node):
        every = self.call(1 if 1 not in self.at.stopped else 2, metadata_request(), 12).topics
        return all(
            node in part.isr_nodes
            for one in every
            for part in one.partitions
            if node in part.replica_nodes
        )

    def elect(self, kind, *wanted, node=1, version=2):
        """`wanted` are (topic, partitions); none: all of them."""
        request = reassignments.ElectLeadersRequest(
            election_type=kind,
            topic_partitions=[
                reassignments.TopicPartitions(topic=self.prefix + name, partitions=numbers)
                for name, numbers in wanted
            ]
            or None,
            timeout_ms=10_000,
        )
        answer = self.call(node, request, version)
        found = sorted(
            [each.topic.removeprefix(self.prefix), one.partition_id, one.error_code]
            for each in answer.replica_election_results
            for one in each.partition_result
            if each.topic.startswith(self.prefix)
        )
        self.note(f"elect {kind} v{version}", [answer.error_code, found])

    def reassign(self, name, moves, node=1, *, version=1, same_count=True):
        """`moves` are replicas by partition; None cancels."""
        wanted = reassignments.ReassignableTopic(
            name=self.prefix + name,
            partitions=[
                reassignments.ReassignablePartition(partition_index=index, replicas=replicas)
                for index, replicas in moves.items()
            ],
        )
        request = reassignments.AlterPartitionReassignmentsRequest(
            timeout_ms=10_000, allow_replication_factor_change=same_count, topics=[wanted]
        )
        answer = self.call(node, request, version)
        codes = [
            [one.partition_index, one.error_code]
            for each in answer.responses
            for one in each.partitions
        ]
        self.note(f"reassign {moves}", [answer.error_code, codes])
        for index, code in codes:
            replicas = moves[index]
            if not code and replicas:
                for each in EVERY:
                    if each not in self.at.stopped:
                        self.until(lambda at=(each, name, index, replicas): self._moved(*at))

    def _moved(self, node, name, index, replicas):
        """As far as the nodes are there."""
        parts = self._topic(node, name, 12).partitions
        (one,) = (part for part in parts if part.partition_index == index)
        missing = self.at.stopped.intersection(replicas)
        there = set(replicas) - missing <= set(one.isr_nodes)
        return there and (bool(missing) or list(one.replica_nodes) == replicas)

    def _moving(self, node):
        request = reassignments.ListPartitionReassignmentsRequest(topics=None)
        return [
            one for one in self.call(node, request, 0).topics if one.name.startswith(self.prefix)
        ]

    def moving(self, node=1, name=None):
        wanted = name and [
            reassignments.ListPartitionReassignmentsTopics(
                name=self.prefix + name, partition_indexes=[0, 1, 2]
            )
        ]
        request = reassignments.ListPartitionReassignmentsRequest(topics=wanted)
        answer = self.call(node, request, 0)
        found = sorted(
            [
                each.name.removeprefix(self.prefix),
                one.partition_index,
                list(one.replicas),
                list(one.adding_replicas),
                list(one.removing_replicas),
            ]
            for each in answer.topics
            for one in each.partitions
            if each.name.startswith(self.prefix)
        )
        self.note(f"list {name}", [answer.error_code, found])

    # What is seen.

    def _topic(self, node, name, version):
        topic = cluster.MetadataRequestTopic(name=self.prefix + name)
        request = cluster.MetadataRequest(topics=[topic], allow_auto_topic_creation=False)
        return self.call(node, request, version).topics[0]

    def nodes(self, node, version=13):
        answer = self.call(node, metadata_request(), version)
        alive = sorted(one.node_id for one in answer.brokers)
        self.note(
            f"nodes at {node} v{version}",
            [alive, self.at.are(answer.brokers, "node_id"), answer.controller_id in alive],
        )

    def described(self, node, version=2, kind=1, fenced=False):
        request = cluster.DescribeClusterRequest(endpoint_type=kind, include_fenced_brokers=fenced)
        answer = self.call(node, request, version)
        found = sorted([one.broker_id, one.is_fenced] for one in answer.brokers)
        self.note(
            f"cluster at {node} v{version}{' fenced' * fenced}",
            [
                answer.error_code,
                found,
                answer.controller_id in [one for one, _ in found],
            ],
        )

    def partitions(self, node, name, version=13):
        topic = self._topic(node, name, version)
        self.note(
            f"partitions of {name} at {node} v{version}",
            [
                topic.error_code,
                sorted(
                    [
                        one.partition_index,
                        one.error_code,
                        one.leader_id,
                        one.leader_epoch,
                        list(one.replica_nodes),
                        sorted(one.isr_nodes),
                        sorted(one.offline_replicas),
                    ]
                    for one in topic.partitions
                ),
            ],
        )

    def replicas(self, node, name):
        """By DescribeTopicPartitions, which shows who may lead next (KIP-966)."""
        request = topics.DescribeTopicPartitionsRequest(
            topics=[topics.DescribeTopicPartitionsTopic(name=self.prefix + name)]
        )
        topic = self.call(node, request, 0).topics[0]
        self.note(
            f"replicas of {name} at {node}",
            [
                topic.error_code,
                [
                    [
                        one.partition_index,
                        one.error_code,
                        one.leader_id,
                        one.leader_epoch,
                        list(one.replica_nodes),
                        sorted(one.isr_nodes),
                        sorted(one.eligible_leader_replicas or ()),
                        sorted(one.last_known_elr or ()),
                        sorted(one.offline_replicas),
                    ]
                    for one in topic.partitions
                ],
            ],
        )

    def _hints(self, part, answer):
        leader = part.current_leader
        endpoints = sorted(one.node_id for one in answer.node_endpoints)
        shown = None if leader is None else [leader.leader_id, leader.leader_epoch]
        return [shown, endpoints, self.at.are(answer.node_endpoints, "node_id")]

    def produce(self, node, name, *values, acks=-1, version=13, partition=0):
        batch = build_batch([Record(0, 1000, None, value) for value in values or (b"v",)])
        data = logs.PartitionProduceData(index=partition, records=batch)
        one = logs.TopicProduceData(
            name=self.prefix + name, topic_id=self.id_of(name), partition_data=[data]
        )
        request = logs.ProduceRequest(acks=acks, timeout_ms=5000, topic_data=[one])
        answer = self.call(node, request, version)
        part = answer.responses[0].partition_responses[0]
        hints = self._hints(part, answer) if version >= 10 else []
        self.note(
            f"produce {name}/{partition} at {node} acks {acks} v{version}",
            [part.error_code, part.base_offset, part.log_start_offset, *hints],
        )

    def known(self, node, name, high_watermark):
        """Until a follower knows how far the others are: it may lead next."""
        request = fetch_request(self.prefix + name, 0, 0)

        def told():
            part = self.call(node, request, 12).responses[0].partitions[0]
            return part.high_watermark == high_watermark

        self.until(told)

    def fetch(self, node, name, offset=0, *, version=17, partition=0, epoch=-1, **more):
        topic_id = self.id_of(name) if version >= 13 else bytes(16)
        request = fetch_request(
            self.prefix + name, partition, offset, epoch=epoch, topic_id=topic_id, **more
        )
        answer = self.call(node, request, version)
        part = answer.responses[0].partitions[0]
        found = sum(one.record_count for one, _ in split_batches(bytes(part.records or b"")))
        hints = self._hints(part, answer) if version >= 16 else []
        self.note(
            f"fetch {name}/{partition} from {offset} at {node} epoch {epoch} v{version}",
            [part.error_code, part.high_watermark, part.preferred_read_replica, found, *hints],
        )

    def id_of(self, name):
        node = next(each for each in EVERY if each not in self.at.stopped)
        return self._topic(node, name, 12).topic_id

    def offset(self, node, name, timestamp=LATEST, version=7, epoch=-1):
        part = offsets.ListOffsetsPartition(
            partition_index=0, timestamp=timestamp, current_leader_epoch=epoch
        )
        topic = offsets.ListOffsetsTopic(name=self.prefix + name, partitions=[part])
        request = offsets.ListOffsetsRequest(replica_id=-1, topics=[topic])
        part = self.call(node, request, version).topics[0].partitions[0]
        self.note(
            f"offset {timestamp} of {name} at {node} epoch {epoch} v{version}",
            [part.error_code, part.offset, part.leader_epoch],
        )

    def end_of_epoch(self, node, name, epoch, current=-1):
        part = offsets.OffsetForLeaderPartition(
            partition=0, current_leader_epoch=current, leader_epoch=epoch
        )
        topic = offsets.OffsetForLeaderTopic(topic=self.prefix + name, partitions=[part])
        request = offsets.OffsetForLeaderEpochRequest(replica_id=-1, topics=[topic])
        part = self.call(node, request, 4).topics[0].partitions[0]
        self.note(
            f"end of epoch {epoch} of {name} at {node} current {current}",
            [part.error_code, part.leader_epoch, part.end_offset],
        )

    def delete_records(self, node, name, offset):
        part = logs.DeleteRecordsPartition(partition_index=0, offset=offset)
        topic = logs.DeleteRecordsTopic(name=self.prefix + name, partitions=[part])
        request = logs.DeleteRecordsRequest(topics=[topic], timeout_ms=10_000)
        part = self.call(node, request, 2).topics[0].partitions[0]
        self.note(f"delete records at {node}", [part.error_code, part.low_watermark])

    def producers(self, node, name):
        topic = producers.DescribeProducersTopic(name=self.prefix + name, partition_indexes=[0])
        answer = self.call(node, producers.DescribeProducersRequest(topics=[topic]), 0)
        self.note(f"producers at {node}", [answer.topics[0].partitions[0].error_code])

    def log_dirs(self, node, name):
        wanted = logs.DescribableLogDirTopic(topic=self.prefix + name, partitions=[0, 1, 2])
        answer = self.call(node, logs.DescribeLogDirsRequest(topics=[wanted]), 4)
        found = sorted(
            part.partition_index
            for each in answer.results
            for topic in each.topics
            for part in topic.partitions
        )
        self.note(f"log dirs of {name} at {node}", [answer.error_code, found])

    def broker_config(self, node, about):
        resource = configs.DescribeConfigsResource(
            resource_type=4, resource_name=about, configuration_keys=["num.partitions"]
        )
        answer = self.call(node, configs.DescribeConfigsRequest(resources=[resource]), 4)
        one = answer.results[0]
        self.note(f"config of broker {about!r} at {node}", [one.error_code, len(one.configs)])

    def broker_values(self, node, *keys):
        resource = configs.DescribeConfigsResource(
            resource_type=4, resource_name=str(node), configuration_keys=list(keys)
        )
        answer = self.call(node, configs.DescribeConfigsRequest(resources=[resource]), 4)
        found = sorted(
            [one.name, one.value, one.config_source] for one in answer.results[0].configs
        )
        self.note(f"values of broker {node}", found)

    def racks(self, node=1):
        answer = self.call(node, metadata_request(), 13)
        self.note("racks", sorted([one.node_id, one.rack] for one in answer.brokers))
        answer = self.call(node, cluster.DescribeClusterRequest(), 2)
        self.note("racks described", sorted([one.broker_id, one.rack] for one in answer.brokers))

    def reads_committed(self, node, name, rack):
        request = fetch_request(self.prefix + name, 0, 0, rack=rack)
        request.isolation_level = 1
        part = self.call(node, request, 12).responses[0].partitions[0]
        self.note(
            f"fetch {name} committed from {rack} at {node}",
            [
                *(part.error_code, part.high_watermark, part.last_stable_offset),
                *(part.log_start_offset, part.preferred_read_replica),
                part.aborted_transactions,
                bytes(part.records or b"").hex(),
            ],
        )

    def shares(self, assignor, topic, **racks):
        """What members of a group get, each in a rack, once all of them are there."""
        group = f"{self.prefix}{assignor}"
        home = self.coordinators(0, assignor)
        epochs = dict.fromkeys(racks, 0)
        got = {}

        def beat(member):
            new = not epochs[member]
            return self.call(
                home,
                consumer_groups.ConsumerGroupHeartbeatRequest(
                    group_id=group,
                    member_id=member,
                    member_epoch=epochs[member],
                    rack_id=racks[member] if new else None,
                    rebalance_timeout_ms=30_000 if new else -1,
                    subscribed_topic_names=[self.prefix + topic] if new else None,
                    server_assignor=assignor if new else None,
                    topic_partitions=_owned(self.id_of(topic), got.get(member, [])),
                ),
                1,
            )

        def all_have_theirs():
            for member in racks:
                answer = beat(member)
                if answer.error_code:
                    return False
                epochs[member] = answer.member_epoch
                if answer.assignment is not None:
                    parts = answer.assignment.topic_partitions
                    got[member] = [each for one in parts for each in one.partitions]
            every = [partition for partitions in got.values() for partition in partitions]
            return sorted(every) == [0, 1, 2] and all(got.values())

        self.until(all_have_theirs)
        self.note(f"shares of {assignor}", got)

    def unregister(self, node, about):
        answer = self.call(node, nodes.UnregisterBrokerRequest(broker_id=about), 0)
        self.note(f"unregister {about} at {node}", [answer.error_code])
        if not answer.error_code:
            asked = cluster.DescribeClusterRequest(include_fenced_brokers=True)
            self.until(
                lambda: all(one.broker_id != about for one in self.call(node, asked, 2).brokers)
            )

    def quorum(self, node):
        part = cluster.QuorumPartition(partition_index=0)
        topic = cluster.QuorumTopic(topic_name="__cluster_metadata", partitions=[part])
        answer = self.call(node, cluster.DescribeQuorumRequest(topics=[topic]), 2)
        state = answer.topics[0].partitions[0]
        voters = sorted(one.replica_id for one in state.current_voters)
        self.note(
            f"quorum at {node}",
            [
                answer.error_code,
                state.leader_id in voters,
                voters,
                len(state.observers),
                sorted(one.node_id for one in answer.nodes),
            ],
        )

    def coordinators(self, kind, *keys, version=6):
        """What each node says, if all of them say the same."""
        prefixed = [self.prefix + key for key in keys]
        request = groups.FindCoordinatorRequest(
            key=prefixed[0], key_type=kind, coordinator_keys=prefixed
        )

        def ask(node):
            answer = self.call(node, request, version)
            found = answer.coordinators if version >= 4 else [answer]
            return [[one.error_code, one.node_id] for one in found]

        there = [node for node in EVERY if node not in self.at.stopped]
        self.until(
            lambda: all(
                code == 0 and found == ask(there[0])
                for found in map(ask, there)
                for code, _ in found
            )
        )
        said = [ask(node) for node in there]
        agreed = all(one == said[0] for one in said)
        self.note(
            f"coordinators {kind} v{version}",
            [agreed, [[code, node in there] for code, node in said[0]]],
        )
        return said[0][0][1]

    def at_home_and_not(self, home, message, version, codes):
        """The codes of the coordinator, and of one that is none."""
        other = next(node for node in EVERY if node not in (home, *self.at.stopped))
        name = type(message).__name__.removesuffix("Request")
        self.until(lambda: codes(self.call(home, message, version)) not in ([14], [15], [16]))
        self.note(
            f"{name} v{version}",
            [codes(self.call(node, message, version)) for node in (home, other)],
        )


def _owned(topic_id, partitions):
    if not partitions:
        return []
    return [consumer_groups.OwnedTopicPartitions(topic_id=topic_id, partitions=partitions)]


def metadata_request():
    return cluster.MetadataRequest(topics=None)


def fetch_request(name, partition, offset, *, epoch=-1, topic_id=bytes(16), rack="", replica=-1):
    part = logs.FetchPartition(
        partition=partition,
        fetch_offset=offset,
        partition_max_bytes=1 << 20,
        current_leader_epoch=epoch,
    )
    topic = logs.FetchTopic(topic=name, topic_id=topic_id, partitions=[part])
    return logs.FetchRequest(
        max_wait_ms=0, min_bytes=0, topics=[topic], rack_id=rack, replica_id=replica
    )


def who_is_there(at):
    at.create("t", ([1, 2, 3], [2, 3, 1], [3, 1, 2]))
    for node in EVERY:
        at.nodes(node)
        at.described(node)
        at.partitions(node, "t")
        at.replicas(node, "t")
        at.quorum(node)
        at.log_dirs(node, "t")
    for version in (1, 5, 9):
        at.nodes(2, version)
        at.partitions(2, "t", version)
    at.described(1, 0)
    at.described(1, 1)
    at.described(2, 2, fenced=True)
    at.described(1, 2, kind=2)
    for about in ("1", "2", "", "7"):
        at.broker_config(1, about)
        at.broker_config(2, about)


def who_is_asked_for_records(at):
    at.create("t", ([1, 2], [2, 3]))
    at.produce(1, "t", b"a", b"b")
    at.known(2, "t", 2)
    for version in (3, 9, 10, 12, 13):
        at.produce(2, "t", version=version)
        at.produce(3, "t", version=version)
    at.produce(1, "t", partition=7)
    at.produce(2, "t", partition=7)
    for version in (4, 10, 11, 12, 13, 16, 17):
        at.fetch(1, "t", version=version)
        at.fetch(2, "t", version=version)
        at.fetch(3, "t", version=version)
    for epoch in (0, 5):
        for node in EVERY:
            at.fetch(node, "t", epoch=epoch)
    at.fetch(1, "t", 9)
    at.fetch(2, "t", 9)
    at.fetch(1, "t", rack="r")
    at.fetch(3, "t", partition=7)
    for node in EVERY:
        at.offset(node, "t")
        at.offset(node, "t", EARLIEST, version=1)
        at.offset(node, "t", epoch=5)
        at.end_of_epoch(node, "t", 0)
        at.end_of_epoch(node, "t", 0, current=5)
        at.delete_records(node, "t", 1)
        at.producers(node, "t")
        at.log_dirs(node, "t")


def who_coordinates(at):
    at.create("t", ([1, 2, 3],))
    at.coordinators(0, "g", version=0)
    at.coordinators(0, "g", version=3)
    home = at.coordinators(0, "g")
    at.coordinators(0, "g", "h", "i")
    for message, version, codes in _of_a_group(at.prefix):
        at.at_home_and_not(home, message, version, codes)
    at.coordinators(1, "id", version=1)
    home = at.coordinators(1, "id")
    for message, version, codes in _of_a_transaction(at.prefix):
        at.at_home_and_not(home, message, version, codes)


def _of_a_group(prefix):
    group, topic = f"{prefix}g", f"{prefix}t"

    def own(answer):
        return [answer.error_code]

    def first(name):
        return lambda answer: [getattr(answer, name)[0].error_code]

    def of_parts(answer):
        return [answer.topics[0].partitions[0].error_code]

    part = offsets.OffsetCommitRequestPartition(
        partition_index=0, committed_offset=1, committed_metadata=""
    )
    commit = offsets.OffsetCommitRequest(
        group_id=group,
        member_id="",
        topics=[offsets.OffsetCommitRequestTopic(name=topic, partitions=[part])],
    )
    fetched = offsets.OffsetFetchRequest(
        group_id=group,
        topics=[offsets.OffsetFetchRequestTopic(name=topic, partition_indexes=[0])],
        groups=[offsets.OffsetFetchRequestGroup(group_id=group, topics=None)],
    )
    deleted = offsets.OffsetDeleteRequest(
        group_id=group,
        topics=[
            offsets.OffsetDeleteRequestTopic(
                name=topic, partitions=[offsets.OffsetDeleteRequestPartition(partition_index=0)]
            )
        ],
    )
    protocol = groups.JoinGroupRequestProtocol(name="range", metadata=b"")
    join = groups.JoinGroupRequest(
        group_id=group, session_timeout_ms=10_000, rebalance_timeout_ms=10_000, member_id="m",
        protocol_type="consumer", protocols=[protocol],
    )  # fmt: skip
    member = {"group_id": group, "generation_id": 1, "member_id": "m"}
    protocols = {"protocol_type": "consumer", "protocol_name": "range"}
    heartbeat = consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id=group, member_id="m", member_epoch=3
    )
    left = groups.MemberIdentity(member_id="m")
    return [
        (commit, 8, of_parts),
        (fetched, 5, lambda answer: [answer.error_code]),
        (fetched, 8, first("groups")),
        (groups.DescribeGroupsRequest(groups=[group]), 5, first("groups")),
        (consumer_groups.ConsumerGroupDescribeRequest(group_ids=[group]), 1, first("groups")),
        (join, 9, own),
        (groups.SyncGroupRequest(**member, **protocols, assignments=[]), 5, own),
        (groups.SyncGroupRequest(**member, assignments=[]), 4, own),
        (groups.HeartbeatRequest(**member), 4, own),
        (groups.LeaveGroupRequest(group_id=group, member_id="m"), 2, own),
        (groups.LeaveGroupRequest(group_id=group, members=[left]), 5, own),
        (heartbeat, 1, own),
        (groups.ListGroupsRequest(), 5, own),
        (deleted, 0, own),
        (groups.DeleteGroupsRequest(groups_names=[group]), 2, first("results")),
    ]


def _of_a_transaction(prefix):
    name, group, topic = f"{prefix}id", f"{prefix}g", f"{prefix}t"
    who = {"transactional_id": name, "producer_id": 999_999, "producer_epoch": 0}
    added = transactions.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=name,
        v3_and_below_producer_id=999_999,
        v3_and_below_producer_epoch=0,
        v3_and_below_topics=[transactions.AddPartitionsToTxnTopic(name=topic, partitions=[0])],
    )

    def own(answer):
        return [answer.error_code]

    def of_added(answer):
        part = answer.results_by_topic_v3_and_below[0].results_by_partition[0]
        return [part.partition_error_code]

    return [
        (transactions.AddOffsetsToTxnRequest(**who, group_id=group), 3, own),
        (added, 3, of_added),
        (transactions.EndTxnRequest(**who, committed=True), 3, own),
        (transactions.EndTxnRequest(**who, committed=True), 5, own),
        (
            transactions.DescribeTransactionsRequest(transactional_ids=[name]),
            0,
            lambda answer: [answer.transaction_states[0].error_code],
        ),
        (
            producers.InitProducerIdRequest(transactional_id=name, transaction_timeout_ms=60_000),
            5,
            own,
        ),
        (transactions.ListTransactionsRequest(), 1, own),
    ]


def a_node_stops(at):
    at.create("t", ([3, 1, 2], [1, 2, 3], [2, 3, 1]), {"min.insync.replicas": "2"})
    at.create("two", ([3, 2], [2, 3]), {"min.insync.replicas": "2"})
    at.create("alone", ([1], [3]))
    for name in ("t", "two", "alone"):
        at.produce(3, name, partition=1 if name == "alone" else 0)
    at.known(1, "t", 1)
    at.known(2, "two", 1)
    at.stop(3)
    for node in (1, 2):
        at.nodes(node)
        at.described(node)
        at.described(node, fenced=True)
        for name in ("t", "two", "alone"):
            at.partitions(node, name)
            at.replicas(node, name)
    at.produce(1, "t")
    at.fetch(1, "t")
    at.fetch(2, "alone", partition=1)
    at.produce(2, "alone", partition=1)
    at.produce(2, "two")
    at.produce(2, "two", acks=1)
    at.fetch(2, "two")
    at.offset(2, "two")
    at.create_counted("after", 2, 3)
    at.create_counted("four", 1, 4)
    at.create("placed", ([3, 1],))
    at.create("dead", ([3],))
    at.partitions(1, "placed")
    at.elect(0, ("t", [0, 1]), ("alone", [1]), ("none", [0]))
    at.elect(1, ("t", [0]), ("alone", [1]))
    at.reassign("t", {2: [2, 3]})
    at.moving()
    at.partitions(1, "t")
    at.reassign("t", {1: [1, 2]})
    at.reassign("two", {0: [2, 1], 1: [1, 3]})
    at.moving()
    at.partitions(1, "two")
    at.replicas(1, "two")
    at.reassign("two", {1: None})
    at.unregister(1, 7)
    at.quorum(1)
    at.start(3)
    at.moving()
    for name in ("t", "two", "alone", "placed"):
        at.partitions(1, name)
        at.replicas(2, name)
    at.fetch(2, "two")
    at.fetch(3, "alone", partition=1)
    at.end_of_epoch(1, "t", 0)
    at.end_of_epoch(1, "t", 1)
    at.elect(0, ("t", [0, 1]), version=1)
    at.elect(0)
    for name in ("t", "two"):
        at.partitions(1, name)
    at.produce(3, "t")
    at.fetch(1, "t", epoch=0)
    at.fetch(3, "t", epoch=0)


def replicas_are_moved_while_a_node_is_stopped(at):
    for name, least in (("any", "1"), ("most", "2")):
        at.create(name, ([2, 3, 1], [2, 3, 1], [1, 2, 3]), {"min.insync.replicas": least})
    at.create("pair", ([2, 3], [1, 2]))
    at.stop(3)
    for name in ("any", "most"):
        at.reassign(name, {0: [2, 3], 1: [2], 2: [1, 3]})
        at.partitions(1, name)
        at.replicas(1, name)
        at.moving(name=name)
    at.reassign("pair", {0: [3, 1], 1: [3, 2]})
    at.moving()
    at.replicas(1, "pair")
    at.reassign("any", {2: None, 0: None})
    at.moving()
    at.replicas(1, "any")
    at.start(3)
    at.until(lambda: not at._moving(1))
    for name in ("any", "most", "pair"):
        at.replicas(1, name)


def a_node_is_unregistered(at):
    at.create("t", ([3, 1], [1, 2]))
    at.unregister(1, 7)
    at.stop(3)
    at.unregister(1, 3)
    at.described(1, fenced=True)
    at.replicas(1, "t")
    at.unregister(1, 3)
    at.start(3)
    at.described(1, fenced=True)
    at.replicas(1, "t")


def too_few_are_in_sync(at):
    at.create("full", ([1, 2, 3],), {"min.insync.replicas": "3"})
    at.create("more", ([1, 2],), {"min.insync.replicas": "3"})
    at.create("one", ([1],), {"min.insync.replicas": "3"})
    for name in ("full", "more", "one"):
        at.produce(1, name, b"a")
        at.fetch(1, name)
    at.stop(2)
    for name in ("full", "more", "one"):
        for acks in (-1, 1):
            at.produce(1, name, b"b", acks=acks)
        at.fetch(1, name)
        at.offset(1, name)
        at.replicas(3, name)
    at.start(2)
    for name in ("full", "more", "one"):
        at.produce(1, name, b"c")
        at.fetch(1, name)
        at.offset(1, name)
        at.replicas(3, name)


def replicas_are_moved(at):
    at.create("t", ([1, 2], [2, 3], [3, 1]))
    at.produce(1, "t", b"a")
    at.moving()
    at.moving(name="t")
    at.reassign("t", {0: None})
    at.reassign("t", {0: [2, 1]})
    at.partitions(2, "t")
    at.reassign("t", {0: [2, 3]})
    at.partitions(2, "t")
    at.reassign("t", {0: [1], 1: [1, 2, 3]})
    at.partitions(3, "t")
    at.reassign("t", {2: [1]}, same_count=False)
    at.reassign("t", {2: [1, 2]}, version=0)
    at.reassign("t", {0: [], 1: [1, 1], 2: [7], 9: [1]})
    at.reassign("none", {0: [1]})
    at.partitions(1, "t")
    at.produce(1, "t", b"b")
    at.fetch(1, "t")
    at.elect(0, ("t", [0, 1, 2, 7]))
    at.elect(1, ("t", [0]))
    at.elect(5, ("t", [0]))
    at.partitions(1, "t")


def coordinators_move(at):
    """Of the node that coordinates a group, when it stops and comes back."""
    at.create("t", ([1, 2, 3],))
    home = at.coordinators(0, "g")
    for message, version, codes in _of_a_group(at.prefix)[:3]:
        at.at_home_and_not(home, message, version, codes)
    at.at.stop(home)
    there = [node for node in EVERY if node != home]
    for node in there:
        at.until(lambda node=node: home not in at._alive(node))
    new = at.coordinators(0, "g")
    for message, version, codes in _of_a_group(at.prefix)[1:3]:
        at.at_home_and_not(new, message, version, codes)
    at.at.start(home)
    for node in there:
        at.until(lambda node=node: home in at._alive(node))
    at.note("it stays where it moved", at.coordinators(0, "g") == new)


def who_is_near(at):
    """Nodes 1, 2 and 3 are in racks a, b and c, and consumers are sent to their own (KIP-392)."""
    at.create("odd", ([1, 2, 3], [2], [3]))
    at.create("t", ([1, 2, 3], [2, 3, 1]))
    at.racks()
    for node in EVERY:
        at.broker_values(node, "broker.rack", "replica.selector.class", "node.id")
    at.produce(1, "t", b"a", b"b")
    at.produce(2, "t", b"a", partition=1)
    for node in (2, 3):
        at.known(node, "t", 2)
    for version in (11, 12, 13, 17):
        at.fetch(1, "t", rack="b", version=version)
    for rack in ("", "a", "b", "c", "elsewhere"):
        at.fetch(1, "t", rack=rack)
    for offset in (1, 2, 3):
        at.fetch(1, "t", offset, rack="b")
    at.fetch(1, "t", rack="b", replica=2, version=12)
    at.fetch(2, "t", rack="b")
    at.fetch(2, "t", rack="c")
    at.fetch(2, "t", rack="a", partition=1)
    at.reads_committed(1, "t", rack="c")
    at.create("each", ([1], [2], [3]))
    for assignor in ("range", "uniform"):
        at.shares(assignor, "each", m1="c", m2="a", m3="b")
    at.stop(2)
    at.fetch(1, "t", rack="b")
    at.fetch(1, "t", rack="c")


def members_go_on_after_a_restart_of_all(at):
    at.create("t", ([1, 2, 3],))
    homes = {group: at.coordinators(0, group) for group in ("classic", "modern")}
    names = {"group_id": f"{at.prefix}classic", "group_instance_id": None}
    subscription = (1).to_bytes(2, "big") + encode(
        groups.ConsumerProtocolSubscription(topics=[f"{at.prefix}t"]), 1
    )
    join = groups.JoinGroupRequest(
        **names, session_timeout_ms=300_000, rebalance_timeout_ms=30_000, member_id="",
        protocol_type="consumer",
        protocols=[groups.JoinGroupRequestProtocol(name="range", metadata=subscription)],
    )  # fmt: skip
    loading = (14, 15, 16)
    answers = []
    # A heartbeat would be answered while the group is loaded, too.
    at.until(
        lambda: (
            answers.append(at.call(homes["classic"], join, 3))
            or answers[-1].error_code not in loading
        )
    )
    joined = answers[-1]
    member = {**names, "member_id": joined.member_id, "generation_id": joined.generation_id}
    given = groups.SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"\0\0")
    sync = groups.SyncGroupRequest(
        **member, protocol_type="consumer", protocol_name="range", assignments=[given]
    )
    heartbeat = consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id=f"{at.prefix}modern",
        member_id="m",
        member_epoch=0,
        rebalance_timeout_ms=30_000,
        subscribed_topic_names=[f"{at.prefix}t"],
        topic_partitions=[],
    )
    at.until(lambda: at.call(homes["modern"], heartbeat, 1).error_code not in loading)
    entered = at.call(homes["modern"], heartbeat, 1)
    at.note("before", [joined.error_code, at.call(homes["classic"], sync, 5).error_code])
    at.note("entered", [entered.error_code, entered.member_epoch])
    at.at.restart()
    at.note("restart", [])
    homes = {group: at.coordinators(0, group) for group in ("classic", "modern")}
    asked = groups.HeartbeatRequest(**member)
    at.until(lambda: at.call(homes["classic"], sync, 5).error_code not in loading)
    at.note("beat", [at.call(homes["classic"], asked, 4).error_code])
    answer = at.call(homes["classic"], sync, 5)
    at.note("sync", [answer.error_code, answer.protocol_name, answer.assignment.hex()])
    goes_on = consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id=f"{at.prefix}modern", member_id="m", member_epoch=entered.member_epoch
    )
    at.until(lambda: at.call(homes["modern"], goes_on, 1).error_code not in loading)
    answer = at.call(homes["modern"], goes_on, 1)
    at.note("heartbeat", [answer.error_code, answer.member_epoch, answer.assignment])
    asked = groups.DescribeGroupsRequest(groups=[f"{at.prefix}classic"])
    one = at.call(homes["classic"], asked, 5).groups[0]
    at.note("classic", [one.error_code, one.group_state, len(one.members)])
    asked = consumer_groups.ConsumerGroupDescribeRequest(group_ids=[f"{at.prefix}modern"])
    one = at.call(homes["modern"], asked, 1).groups[0]
    at.note("modern", [one.error_code, one.group_state, one.group_epoch, len(one.members)])


STOPPING = {
    "a node stops",
    "too few are in sync",
    "replicas are moved while a node is stopped",
    "a node is unregistered",
    "coordinators move",
    "members go on after a restart of all",
    "who is near",
}
"""Those that stop a node, which takes Apache Kafka its time."""

RACKED = frozenset({"who is near"})
"""Those whose nodes are in racks."""

SCENARIOS = {
    one.__name__.replace("_", " "): one
    for one in (
        who_is_there,
        who_is_asked_for_records,
        who_coordinates,
        a_node_stops,
        too_few_are_in_sync,
        replicas_are_moved,
        replicas_are_moved_while_a_node_is_stopped,
        a_node_is_unregistered,
        coordinators_move,
        members_go_on_after_a_restart_of_all,
        who_is_near,
    )
}


def play(at, name, prefix):
    cast = Cast(at, prefix)
    SCENARIOS[name](cast)
    return cast.said


class Servers:
    """The nodes of an Apache Kafka, which take a moment for all."""

    def __init__(self, nodes):
        self._nodes = nodes
        self.stopped = set()

    def call(self, node, message, version):
        with Asking("127.0.0.1", self._nodes[node].port) as asking:
            return asking.call(message, version)

    def are(self, found, name):
        """Whether those are where the nodes are."""
        return all(one.port == self._nodes[getattr(one, name)].port for one in found)

    def stop(self, node):
        self._nodes[node].stop()
        self.stopped.add(node)

    def start(self, node):
        self._nodes[node].start()
        self._nodes[node].wait()
        self.stopped.discard(node)

    def restart(self):
        """They need each other to begin."""
        for node in self._nodes.values():
            node.stop()
        for node in self._nodes.values():
            node.start()
        for node in self._nodes.values():
            node.wait()


def main():
    from ...benchmarks.kafka_apache import RACKS, apache_cluster

    names = sys.argv[1:] or [*SCENARIOS]
    said = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    for racked in (False, True):
        chosen = [name for name in names if (name in RACKED) is racked]
        if not chosen:
            continue
        with apache_cluster(more=RACKS if racked else "") as found:
            servers = Servers(found)
            for name in chosen:
                said[name] = play(servers, name, f"r{names.index(name)}.")
                print(name, flush=True)
    write_recorded(RECORDED, {name: said[name] for name in SCENARIOS})


if __name__ == "__main__":
    main()
