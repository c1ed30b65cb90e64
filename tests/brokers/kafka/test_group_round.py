"""How long a rebalance of a classic group waits, and for what."""

from time import thread_time

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.kafka.state.groups.classic.member import JoinRequest, Member, Members
from mockforge_brokers.kafka.state.groups.classic.round import Round

TIMEOUT = 10.0


class Scene:
    def __init__(self, delay=0.0):
        self.clock, self.members, self.calls = ManualClock(), Members(), []
        self.round = Round(self.clock, self.members, delay, self.joined, self.late)
        self.come("first")

    def come(self, member_id, timeout=TIMEOUT, protocols=()):
        request = JoinRequest(member_id, None, "", "", 30.0, timeout, "consumer", protocols)
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
    scene = Scene()
    scene.round.begin(first=True)
    assert scene.advance(0) == ["joined"]
    assert scene.advance(100) == ["joined"], "nothing rings later"


def test_a_delay_collects_and_begins_again_after_each_newcomer():
    scene = Scene(delay=3)
    scene.round.begin(first=True)
    assert scene.round.collects
    scene.advance(2)
    scene.come("second")
    assert scene.advance(2) == [], "somebody came: another 3 seconds from the third on"
    assert scene.advance(1.9) == []
    assert scene.advance(0.2) == ["joined"]
    assert not scene.round.collects


def test_newcomers_cannot_hold_a_group_for_longer_than_its_rebalance_timeout():
    scene = Scene(delay=3)
    scene.round.begin(first=True)
    for number in range(9):
        scene.come(f"m{number}")
        assert scene.advance(1) == []
    scene.come("last")
    assert scene.advance(1) == ["joined"]


@pytest.mark.parametrize("delay", [0, 3])
def test_a_group_with_members_waits_for_the_longest_rebalance_timeout(delay):
    scene = Scene(delay=delay)
    scene.come("patient", timeout=40)
    scene.round.begin(first=False)
    assert not scene.round.collects, "the delay is an empty group's"
    assert scene.advance(39) == []
    assert scene.advance(1) == ["joined"]


def test_syncs_are_waited_for_after_joins_and_nothing_once_it_is_over():
    scene = Scene()
    scene.round.begin(first=False)
    scene.round.wait_for_syncs()
    assert scene.advance(TIMEOUT) == ["late"], "the alarm for joins is gone"
    scene.round.wait_for_joins()
    scene.round.over()
    assert scene.advance(TIMEOUT) == ["late"]


@pytest.mark.parametrize(
    ("of_first", "of_second"), [("a", "a"), ("ab", "ab"), ("ab", "ba"), ("abs", "bas")]
)
def test_names_of_millions_of_characters_hold_nobody_up(of_first, of_second):
    scene = Scene()
    scene.members.remove(scene.members.by_id["first"])
    names = {"a": "a" * 20_000_000, "b": "b" * 20_000_000, "s": "short"}
    for member, letters in (("one", of_first), ("two", of_second)):
        scene.come(member, protocols=tuple((names[letter], b"") for letter in letters))
    before = thread_time()
    chosen = scene.members.vote()
    assert thread_time() - before < 1
    assert chosen[:2] == "aa"


def test_of_as_many_votes_a_name_that_can_be_compared_wins():
    scene = Scene()
    scene.members.remove(scene.members.by_id["first"])
    scene.come("one", protocols=(("a" * 5_000, b""), ("range", b"")))
    scene.come("two", protocols=(("range", b""), ("a" * 5_000, b"")))
    assert scene.members.vote() == "range"
