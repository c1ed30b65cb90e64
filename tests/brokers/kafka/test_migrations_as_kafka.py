"""Groups change their protocol as Apache Kafka 4.4 lets them (recorded/migrations.json)."""

import json

import pytest
from mockforge_brokers.kafka.events import GroupProtocolChanged, MemberLeft

from .migrating import RECORDED, SCENARIOS, Mover, play
from .stage import Stage

KAFKAS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_apache_kafkas(name):
    ours = play(Stage().call, name, "r.")
    assert json.loads(json.dumps(ours)) == KAFKAS[name]


class House(Stage):
    def __init__(self, **options):
        super().__init__(**options)
        self.at = Mover(self.call)
        self.at.create(4)
        self.events = []
        self.environment.spine.watch(self.events.append)

    def classic(self):
        """A classic member that has all partitions."""
        member = self.at.join()
        self.at.sync(member, {member[0]: (0, 1, 2, 3)})
        return member

    def gone(self):
        return [one.reason for one in self.events if isinstance(one, MemberLeft)]

    def changes(self):
        changed = [one for one in self.events if isinstance(one, GroupProtocolChanged)]
        return [(one.kind, one.members, one.reason) for one in changed]


def test_both_changes_are_reported_with_their_reason():
    house = House()
    house.classic()
    house.at.heartbeat("a", 0, [])
    house.at.heartbeat("a", -1)
    assert house.changes() == [
        ("consumer", 1, "member shop speaks it"),
        ("classic", 1, "member shop left"),
    ]
    (group,) = house.broker.groups()
    assert (group.detail["protocol_type"], group.reason) == ("consumer", "member shop left")


def test_people_see_which_protocol_each_member_speaks():
    house = House()
    house.classic()
    house.at.heartbeat("a", 0, [])
    (group,) = house.broker.groups()
    assert [one.protocol for one in group.detail["members"]] == ["classic", "consumer"]


@pytest.mark.parametrize(
    ("joins", "beats", "reason"),
    [
        (False, False, "was silent for its session timeout of 20 s"),
        (False, True, "did not rejoin within the rebalance timeout"),
        (True, True, "did not sync within the rebalance timeout"),
    ],
)
def test_a_classic_member_that_falls_behind_is_put_out(joins, beats, reason):
    house = House()
    one = house.classic()
    house.at.heartbeat("a", 0, [])
    if joins:
        house.at.join(one[0])
    for _ in range(3):
        if beats:
            house.at.beat((one[0], one[1] + joins))
        house.clock.advance(7)
        house.at.heartbeat("a", 2)
    assert house.gone() == [reason]


def test_offsets_stay_through_both_changes():
    house = House()
    one = house.classic()
    house.at.commit(one[0], one[1])
    house.at.heartbeat("a", 0, [])
    house.at.commit("a", 2)
    house.at.heartbeat("a", -1)
    assert house.broker.cluster.groups.by_id["g"].offsets.fetch("t", 0).offset == 1
    assert [said for what, said in house.at.said if what.startswith("commit")] == [[0], [0]]
