"""What groups committed: the first commit, transactions, and what is forgotten."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.coordinator import Groups
from mockforge_brokers.kafka.state.groups.offsets import UNCOMMITTED, CommittedOffset
from mockforge_brokers.kafka.state.keeper import Keeper

from .refusals import refused

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
    scene.offsets.settle("g", 1000, committed=True)
    assert scene.committed == 5
    scene.commit(6)
    scene.commit(9, producer_id=1002)
    scene.offsets.settle("g", 1001, committed=True)
    assert scene.committed == 6, "committed before the 6, though its transaction ended later"
    scene.offsets.settle("g", 1002, committed=False)
    assert scene.committed == 6
    scene.offsets.settle("unknown", 1000, committed=True)


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
        lambda offsets, group: offsets.expire(group, *PLACE),
        lambda offsets, group: offsets.forget_topic("t"),
    ],
    ids=["expired", "its topic was deleted"],
)
def test_what_goes_is_gone_from_what_is_kept_too(scene, forget):
    scene.commit(5)
    scene.keeper.groups.clear()
    forget(scene.offsets, scene.groups.by_id["g"])
    assert (scene.committed, scene.keeper.groups) == (UNCOMMITTED.offset, ["g"])
