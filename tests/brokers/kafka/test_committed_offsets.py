"""What groups committed: the first commit, transactions, and what is forgotten."""

from random import Random

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.consumer.member import HeartbeatRequest
from mockforge_brokers.kafka.state.groups.coordinator import Groups
from mockforge_brokers.kafka.state.groups.offsets import (
    UNCOMMITTED,
    CommittedOffset,
    GroupOffsets,
)
from mockforge_brokers.kafka.state.keeper import Keeper
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)

from .refusals import refused
from .scene import Scene as KafkaScene

PLACE = ("t", 0)


class Noting(Keeper):
    """A keeper that notes which groups changed."""

    def __init__(self):
        self.groups = []

    def group_changed(self, group_id):
        self.groups.append(group_id)


class Scene:
    def __init__(self):
        self.keeper = Noting()
        environment = Environment.create(ManualClock(), seed=1, journal=False)
        self.groups = Groups(environment, KafkaOptions(), keeper=self.keeper)
        self.offsets = self.groups.offsets

    def commit(self, offset, **more):
        return self.offsets.commit("g", Committer(), {PLACE: CommittedOffset(offset)}, **more)

    @property
    def committed(self):
        return self.groups.by_id["g"].offsets.fetch(*PLACE).offset


@pytest.fixture
def scene():
    return Scene()


def test_the_first_commit_makes_the_group_and_is_kept(scene):
    assert scene.commit(5) == {}
    assert (scene.committed, scene.keeper.groups) == (5, ["g"])


def test_a_commit_in_a_transaction_counts_when_that_is_committed_and_nothing_came_later(scene):
    scene.commit(1)
    scene.commit(5, producer_id=1000)
    scene.commit(7, producer_id=1001)
    assert scene.committed == 1
    finished(scene.offsets.settle("g", 1000, committed=True))
    assert scene.committed == 5
    scene.commit(6)
    scene.commit(9, producer_id=1002)
    finished(scene.offsets.settle("g", 1001, committed=True))
    assert scene.committed == 6, "committed before the 6, though its transaction ended later"
    finished(scene.offsets.settle("g", 1002, committed=False))
    assert scene.committed == 6
    finished(scene.offsets.settle("unknown", 1000, committed=True))


def test_what_members_subscribe_to_is_not_deleted(scene):
    scene.commit(5)
    group = scene.offsets.for_deletion("g")
    with refused(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC):
        scene.offsets.delete(group, *PLACE, frozenset({"t"}))
    assert scene.committed == 5
    scene.offsets.delete(group, *PLACE, frozenset({"other"}))
    assert scene.committed == UNCOMMITTED.offset
    with refused(ErrorCode.GROUP_ID_NOT_FOUND):
        scene.offsets.for_deletion("unknown")
    with refused(ErrorCode.INVALID_GROUP_ID):
        scene.offsets.for_deletion("")


@pytest.mark.parametrize(
    "forget",
    [
        lambda offsets, group: offsets.expire(group, [PLACE]),
        lambda offsets, group: offsets.forget_topic("t"),
    ],
    ids=["expired", "its topic was deleted"],
)
def test_what_goes_is_gone_from_what_is_kept_too(scene, forget):
    scene.commit(5)
    scene.keeper.groups.clear()
    forget(scene.offsets, scene.groups.by_id["g"])
    assert (scene.committed, scene.keeper.groups) == (UNCOMMITTED.offset, ["g"])


@pytest.mark.parametrize(("text", "fits"), [("é" * 10, True), ("é" * 11, False)])
def test_metadata_is_counted_in_characters_as_kafka_counts_it(text, fits):
    scene = KafkaScene(configs={"offset.metadata.max.bytes": "10"})
    scene.broker.create_topic("t", 1)
    part = OffsetCommitRequestPartition(
        partition_index=0, committed_offset=1, committed_metadata=text
    )
    request = OffsetCommitRequest(
        group_id="g", member_id="", topics=[OffsetCommitRequestTopic(name="t", partitions=[part])]
    )
    (topic,) = scene.call(request, 7).topics
    assert topic.partitions[0].error_code == (0 if fits else ErrorCode.OFFSET_METADATA_TOO_LARGE)


def test_a_commit_to_nothing_that_is_there_makes_no_group():
    scene = KafkaScene()
    part = OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
    topic = OffsetCommitRequestTopic(name="nothing", partitions=[part])
    request = OffsetCommitRequest(group_id="g", member_id="", topics=[topic])
    (answer,) = scene.call(request, 7).topics
    assert answer.partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert scene.broker.groups() == []


def test_a_deleted_topic_changes_only_the_groups_that_committed_of_it(scene):
    scene.commit(1)
    scene.offsets.commit("other", Committer(), {("u", 0): CommittedOffset(1)})
    scene.keeper.groups.clear()
    scene.offsets.forget_topic("t")
    assert scene.keeper.groups == ["g"]


def test_what_is_kept_of_a_group_says_which_protocol_it_speaks_now(scene):
    scene.commit(1)
    scene.keeper.groups.clear()
    wish = HeartbeatRequest("m", 0, topic_names=frozenset(), owned=frozenset())
    finished(scene.groups.heartbeat("g", wish))
    assert scene.keeper.groups == ["g"]


def test_an_offset_is_unstable_as_long_as_an_open_transaction_would_move_it():
    random = Random(7)
    for _ in range(50):
        offsets = GroupOffsets()
        for _ in range(60):
            producer, place = random.randrange(3), (random.choice("tu"), random.randrange(2))
            match random.randrange(6):
                case 0:
                    finished(offsets.settle(producer, committed=random.random() < 0.5))
                case 1:
                    offsets.forget(place[0])
                case _:
                    offsets.hold(producer, {place: CommittedOffset(1)})
            for topic in "tu":
                for number in range(2):
                    held = any((topic, number) in each for each in offsets.pending.values())
                    assert offsets.is_unstable(topic, number) == held


def test_a_deleted_topic_asks_no_group_that_never_met_it(scene, monkeypatch):
    asked, usual = [], GroupOffsets.forget
    monkeypatch.setattr(
        GroupOffsets, "forget", lambda self, topic: asked.append(self) or usual(self, topic)
    )
    scene.commit(1)
    for number in range(50):
        scene.offsets.commit(f"g{number}", Committer(), {("u", 0): CommittedOffset(1)})
    scene.offsets.forget_topic("t")
    assert asked == [scene.groups.by_id["g"].offsets]


@pytest.mark.parametrize("seed", range(20))
def test_the_groups_of_a_topic_are_all_that_have_something_of_it(seed):
    random, scene = Random(seed), Scene()
    groups, offsets = scene.groups, scene.offsets
    for _ in range(200):
        group, topic, producer = random.choice("abcd"), random.choice("tuv"), random.randrange(2)
        there = groups.by_id.get(group)
        match random.randrange(9):
            case 0 if there is not None:
                groups.delete(group, source="test")
            case 1:
                offsets.forget_topic(topic)
            case 2:
                finished(offsets.settle(group, producer, committed=random.random() < 0.5))
            case 3 if there is not None:
                offsets.expire(there, [(topic, 0)])
            case 4 if there is not None:
                # It becomes one of the other protocol.
                wish = HeartbeatRequest("m", 0, topic_names=frozenset(), owned=frozenset())
                finished(groups.heartbeat(group, wish))
                groups.by_id[group].kick("m", "test")
            case 5 if random.random() < 0.1:
                groups.clear("test")
            case 6 if random.random() < 0.1:
                kept = groups.dump()
                groups.retire()
                groups.restore(kept)
            case _:
                held = producer if random.random() < 0.5 else None
                places = {(topic, 0): CommittedOffset(1)}
                offsets.commit(group, Committer(), places, producer_id=held)
        for topic in "tuv":
            found = {
                name
                for name, one in groups.by_id.items()
                if topic in one.offsets.topics
                or any(place[0] == topic for held in one.offsets.pending.values() for place in held)
            }
            assert found <= offsets._groups_of.get(topic, set()) <= groups.by_id.keys()
