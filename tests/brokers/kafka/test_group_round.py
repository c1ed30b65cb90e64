"""How long a rebalance of a classic group waits, and for what."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.kafka.state.groups.classic.member import JoinRequest, Member, Members
from mockforge_brokers.kafka.state.groups.classic.round import Round

TIMEOUT = 10.0


class Stage:
    def __init__(self, delay=0.0):
        self.clock, self.members, self.calls = ManualClock(), Members(), []
        self.round = Round(self.clock, self.members, delay, self.joined, self.late)
        self.come("first")

    def come(self, member_id, timeout=TIMEOUT):
        request = JoinRequest(member_id, None, "", "", 30.0, timeout, "consumer", ())
        self.members.add(Member(member_id, request))
        self.round.newcomer = True

    def joined(self):
        self.calls.append(("joined", self.clock.now()))
        self.round.over()

    def late(self):
        self.calls.append(("late", self.clock.now()))

    def advance(self, seconds):
        self.clock.advance(seconds)
        return [name for name, _ in self.calls]


def test_without_a_delay_the_first_member_is_answered_at_once():
    stage = Stage()
    stage.round.begin(first=True)
    assert stage.advance(0) == ["joined"]
    assert stage.advance(100) == ["joined"], "nothing rings later"


def test_a_delay_collects_and_begins_again_after_each_newcomer():
    stage = Stage(delay=3)
    stage.round.begin(first=True)
    assert stage.round.collects
    stage.advance(2)
    stage.come("second")
    assert stage.advance(2) == [], "somebody came: another 3 seconds from the third on"
    assert stage.advance(1.9) == []
    assert stage.advance(0.2) == ["joined"]
    assert not stage.round.collects


def test_newcomers_cannot_hold_a_group_for_longer_than_its_rebalance_timeout():
    stage = Stage(delay=3)
    stage.round.begin(first=True)
    for number in range(9):
        stage.come(f"m{number}")
        assert stage.advance(1) == []
    stage.come("last")
    assert stage.advance(1) == ["joined"]


@pytest.mark.parametrize("delay", [0, 3])
def test_a_group_with_members_waits_for_the_longest_rebalance_timeout(delay):
    stage = Stage(delay=delay)
    stage.come("patient", timeout=40)
    stage.round.begin(first=False)
    assert not stage.round.collects, "the delay is an empty group's"
    assert stage.advance(39) == []
    assert stage.advance(1) == ["joined"]


def test_syncs_are_waited_for_after_joins_and_nothing_once_it_is_over():
    stage = Stage()
    stage.round.begin(first=False)
    stage.round.wait_for_syncs()
    assert stage.advance(TIMEOUT) == ["late"], "the alarm for joins is gone"
    stage.round.wait_for_joins()
    stage.round.over()
    assert stage.advance(TIMEOUT) == ["late"]
