"""Groups change their protocol as Apache Kafka 4.4 lets them (recorded/migrations.json)."""

import json

import pytest
from mockforge_brokers.kafka.events import GroupProtocolChanged, MemberLeft

from .migrating import RECORDED, SCENARIOS, Mover, play
from .scene import Scene

KAFKAS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_apache_kafkas(name):
    ours = play(Scene().call, name, "r.")
    assert json.loads(json.dumps(ours)) == KAFKAS[name]


class Migrating(Scene):
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
    scene = Migrating()
    scene.classic()
    scene.at.heartbeat("a", 0, [])
    scene.at.heartbeat("a", -1)
    assert scene.changes() == [
        ("consumer", 1, "member shop speaks it"),
        ("classic", 1, "member shop left"),
    ]
    (group,) = scene.broker.groups()
    assert (group.detail["protocol_type"], group.reason) == ("consumer", "member shop left")


def test_people_see_which_protocol_each_member_speaks():
    scene = Migrating()
    scene.classic()
    scene.at.heartbeat("a", 0, [])
    (group,) = scene.broker.groups()
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
    scene = Migrating()
    one = scene.classic()
    scene.at.heartbeat("a", 0, [])
    if joins:
        scene.at.join(one[0])
    for _ in range(3):
        if beats:
            scene.at.beat((one[0], one[1] + joins))
        scene.clock.advance(7)
        scene.at.heartbeat("a", 2)
    assert scene.gone() == [reason]


def test_offsets_stay_through_both_changes():
    scene = Migrating()
    one = scene.classic()
    scene.at.commit(one[0], one[1])
    scene.at.heartbeat("a", 0, [])
    scene.at.commit("a", 2)
    scene.at.heartbeat("a", -1)
    assert scene.broker.cluster.groups.by_id["g"].offsets.fetch("t", 0).offset == 1
    assert [said for what, said in scene.at.said if what.startswith("commit")] == [[0], [0]]
