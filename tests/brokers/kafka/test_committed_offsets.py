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


class Stage:
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
def stage():
    return Stage()


def test_the_first_commit_makes_the_group_and_is_kept(stage):
    assert stage.commit(5) == {}
    assert (stage.committed, stage.keeper.groups) == (5, ["g"])


def test_a_commit_in_a_transaction_counts_when_that_is_committed_and_nothing_came_later(stage):
    stage.commit(1)
    stage.commit(5, producer_id=1000)
    stage.commit(7, producer_id=1001)
    assert stage.committed == 1
    stage.offsets.settle("g", 1000, committed=True)
    assert stage.committed == 5
    stage.commit(6)
    stage.commit(9, producer_id=1002)
    stage.offsets.settle("g", 1001, committed=True)
    assert stage.committed == 6, "committed before the 6, though its transaction ended later"
    stage.offsets.settle("g", 1002, committed=False)
    assert stage.committed == 6
    stage.offsets.settle("unknown", 1000, committed=True)


def test_what_members_subscribe_to_is_not_deleted(stage):
    stage.commit(5)
    group = stage.offsets.for_deletion("g")
    with refused(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC):
        stage.offsets.delete(group, *PLACE, frozenset({"t"}))
    assert stage.committed == 5
    stage.offsets.delete(group, *PLACE, frozenset({"other"}))
    assert stage.committed == UNCOMMITTED.offset
    with refused(ErrorCode.GROUP_ID_NOT_FOUND):
        stage.offsets.for_deletion("unknown")
    with refused(ErrorCode.INVALID_GROUP_ID):
        stage.offsets.for_deletion("")


@pytest.mark.parametrize(
    "forget",
    [
        lambda offsets, group: offsets.expire(group, *PLACE),
        lambda offsets, group: offsets.forget_topic("t"),
    ],
    ids=["expired", "its topic was deleted"],
)
def test_what_goes_is_gone_from_what_is_kept_too(stage, forget):
    stage.commit(5)
    stage.keeper.groups.clear()
    forget(stage.offsets, stage.groups.by_id["g"])
    assert (stage.committed, stage.keeper.groups) == (UNCOMMITTED.offset, ["g"])
