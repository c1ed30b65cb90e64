"""The last rebalances of a group: when, which generation, with how many, for what reason."""

from mockforge_brokers.kafka.state.groups.rebalances import MOST

from .test_consumer_protocol import Members
from .test_migrations_as_kafka import Migrating
from .test_state_groups import Coordinator


def kept(group):
    return [(one.generation, one.members, one.reason, one.took) for one in group.rebalances]


def test_a_classic_group_keeps_each_rebalance_with_its_reason():
    coordinator = Coordinator()
    first, second = coordinator.stable("a", "b")
    coordinator.clock.advance(1)
    coordinator.group.leave(second, reason="closed")
    coordinator.clock.advance(2)
    leaving = coordinator.join(first, client="a")
    coordinator.sync(first, leaving.result.generation_id, [(first, b"all")])
    coordinator.group.leave(first)
    assert kept(coordinator.group) == [
        (1, 1, "member a joined", None),
        (2, 2, "member b joined", 0.0),
        (3, 1, "member b left (closed)", 2.0),
        (4, 0, "member a left", 0.0),
    ]
    times = [one.time - coordinator.clock.wall() for one in coordinator.group.rebalances]
    assert [round(time) for time in times] == [-3, -3, -2, 0]


def test_a_rebalance_that_the_next_one_overtook_has_no_end():
    coordinator = Coordinator()
    (first,) = coordinator.stable("a")
    second = coordinator.join(client="b")
    assert kept(coordinator.group)[1:] == [(2, 2, "member b joined", None)]
    coordinator.join(first, client="a")
    coordinator.group.leave(second.result.member_id)
    assert kept(coordinator.group)[1:] == [
        (2, 2, "member b joined", None),
        (3, 1, "member b left", None),
    ]


def test_a_consumer_group_keeps_each_epoch():
    scene = Members()
    scene.join("a")
    scene.join("b")
    scene.clock.advance(1)
    scene.heartbeat("a", 3, {"t": [0, 1]})
    scene.heartbeat("b", 3, {})
    scene.heartbeat("a", -1)
    group = scene.broker.cluster.groups.by_id["g"]
    assert [(one[0], one[1], one[2].split()[-1]) for one in kept(group)] == [
        (2, 1, "joined"),
        (3, 2, "joined"),
        (4, 1, "left"),
    ]
    assert next(one.took for one in group.rebalances) == 0.0


def test_only_the_last_ones_are_kept():
    coordinator = Coordinator()
    (member,) = coordinator.stable("a")
    for _ in range(MOST):
        coordinator.group.rebalance("by hand")
        joined = coordinator.join(member, client="a").result
        coordinator.sync(member, joined.generation_id, [(member, b"")])
    found = kept(coordinator.group)
    assert len(found) == MOST
    assert {one[2] for one in found} == {"by hand"}
    assert found[-1][0] == coordinator.group.generation_id


def test_they_stay_when_the_group_changes_its_protocol():
    scene = Migrating()
    scene.classic()
    scene.at.heartbeat("a", 0, [])
    scene.at.heartbeat("a", -1)
    (group,) = scene.broker.groups()
    reasons = [one.reason for one in group.detail["rebalances"]]
    assert (reasons[0], reasons[-1]) == ("member shop joined", "member shop left")
    assert len(reasons) == 3
