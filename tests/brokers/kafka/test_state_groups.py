"""Classic consumer groups on a manual clock: who waits for whom, and until when."""

from contextlib import suppress

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.events import GroupRebalanced, MemberLeft
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.groups.classic.member import JoinRequest, SyncRequest
from mockforge_brokers.kafka.state.groups.classic.state import GroupState
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.consumer.member import HeartbeatRequest
from mockforge_brokers.kafka.state.groups.coordinator import Groups
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.limits import Limits

from .refusals import refused
from .scene import Answer, Noting

SESSION, REBALANCE = 10.0, 60.0


class Coordinator:
    """One broker's groups, time in hand, and every answer that came."""

    def __init__(self, clock=None, limits=None, **options):
        self.clock = clock or ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=limits, journal=False)
        self.groups = Groups(self.environment, KafkaOptions(**options))
        self.events = []
        self.environment.spine.watch(self.events.append)

    @property
    def group(self):
        return self.groups.by_id["g"]

    def join(
        self,
        member_id="",
        *,
        group="g",
        client="c",
        instance=None,
        protocols=("range",),
        **wishes,
    ):
        wishes.setdefault("must_know_id", False)
        request = JoinRequest(
            member_id=member_id,
            group_instance_id=instance,
            client_id=client,
            client_host="/127.0.0.1",
            session_timeout=wishes.pop("session_timeout", SESSION),
            rebalance_timeout=wishes.pop("rebalance_timeout", REBALANCE),
            protocol_type=wishes.pop("protocol_type", "consumer"),
            protocols=tuple((name, wishes.get("metadata", b"topics")) for name in protocols),
            **{name: value for name, value in wishes.items() if name != "metadata"},
        )
        return Answer(finished(self.groups.join(group, request)))

    def sync(self, member_id, generation, assignments=(), **more):
        request = SyncRequest(member_id, generation, assignments=tuple(assignments), **more)
        return Answer(self.groups.sync("g", request))

    def stable(self, *clients):
        """A group of these members, all synced; returns their ids."""
        joins = []
        for client in clients:
            joins.append(self.join(client=client))
            for earlier in joins[:-1]:
                if earlier.result is not None:
                    rejoined = self.join(earlier.result.member_id, client=client)
                    joins[joins.index(earlier)] = rejoined
        ids = [answer.result.member_id for answer in joins]
        generation = self.group.generation_id
        leader = self.group.members.leader
        for member_id in sorted(ids, key=lambda one: one == leader):
            parts = [(one, one.encode()) for one in ids] if member_id == leader else ()
            self.sync(member_id, generation, parts)
        assert self.group.state is GroupState.STABLE
        return ids

    def heartbeat(self, member_id):
        self.group.heartbeat(member_id, self.group.generation_id)


def test_first_member_joins_at_once_and_leads():
    coordinator = Coordinator()
    joined = coordinator.join().result
    assert (joined.error_code, joined.generation_id, joined.leader) == (0, 1, joined.member_id)
    assert [member.metadata for member in joined.members] == [b"topics"]
    assert coordinator.group.state is GroupState.COMPLETING_REBALANCE


def test_new_dynamic_member_is_first_told_its_id():
    coordinator = Coordinator()
    told = coordinator.join(must_know_id=True).result
    assert told.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert coordinator.join(told.member_id, must_know_id=True).result.error_code == 0


def test_an_id_that_is_never_used_is_forgotten_with_its_session():
    coordinator = Coordinator()
    told = coordinator.join(must_know_id=True).result
    coordinator.clock.advance(SESSION)
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        coordinator.join(told.member_id)


def test_initial_delay_gathers_members_into_one_generation():
    coordinator = Coordinator(initial_rebalance_delay=3.0)
    first = coordinator.join(client="a")
    coordinator.clock.advance(2)
    second = coordinator.join(client="b")
    coordinator.clock.advance(1)
    assert (first.result, second.result) == (None, None), "somebody came: the delay begins anew"
    coordinator.clock.advance(3)
    assert (first.result.generation_id, second.result.generation_id) == (1, 1)
    assert len(first.result.members) == 2
    assert second.result.members == ()


def test_sync_waits_for_the_leader_and_hands_out_its_assignments():
    coordinator = Coordinator()
    leader = coordinator.join(client="a").result.member_id
    second = coordinator.join(client="b")
    assert second.result is None, "the leader has to join again first"
    coordinator.join(leader, client="a")
    follower = second.result.member_id
    waiting = coordinator.sync(follower, 2)
    assert waiting.result is None
    coordinator.sync(leader, 2, [(leader, b"p0"), (follower, b"p1")])
    assert waiting.result.assignment == b"p1"
    assert coordinator.sync(leader, 2).result.assignment == b"p0"
    assert coordinator.group.state is GroupState.STABLE


def test_heartbeat_tells_the_others_to_rejoin_when_one_leaves():
    coordinator = Coordinator()
    first, second, third = coordinator.stable("a", "b", "c")
    coordinator.group.leave(second, reason="closed")
    with refused(ErrorCode.REBALANCE_IN_PROGRESS):
        coordinator.heartbeat(first)
    answers = [coordinator.join(first), coordinator.join(third)]
    assert {answer.result.generation_id for answer in answers} == {4}
    assert "member b left (closed)" in coordinator.group.reason


def test_silent_member_leaves_when_its_session_ends():
    coordinator = Coordinator()
    silent, alive = coordinator.stable("a", "b")
    for _ in range(4):
        coordinator.clock.advance(SESSION / 3)
        with suppress(RequestRefused):  # it is told to rejoin, once the other one is gone
            coordinator.heartbeat(alive)
    assert list(coordinator.group.members.by_id) == [alive]
    left = next(event for event in coordinator.events if isinstance(event, MemberLeft))
    assert left.reason == "was silent for its session timeout of 10 s"
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        coordinator.heartbeat(silent)


def test_a_session_that_a_member_wishes_shorter_is_shorter_at_once():
    """A process comes back as its instance with another session.timeout.ms, and dies."""
    coordinator = Coordinator()
    joined = coordinator.join(instance="i", session_timeout=1800.0).result
    coordinator.sync(joined.member_id, 1)
    coordinator.clock.advance(60)
    back = coordinator.join(instance="i", session_timeout=6.0).result
    assert (back.error_code, back.generation_id) == (0, 1)
    coordinator.clock.advance(5.9)
    assert len(coordinator.group.members) == 1
    coordinator.clock.advance(0.2)
    assert len(coordinator.group.members) == 0


def test_member_that_waits_to_join_needs_no_heartbeat():
    coordinator = Coordinator()
    coordinator.stable("a")
    newcomer = coordinator.join(client="b")
    coordinator.clock.advance(SESSION * 0.9)
    assert newcomer.result is None
    coordinator.clock.advance(SESSION)
    assert newcomer.result.error_code == 0, "the silent first member is gone by now"
    assert len(newcomer.result.members) == 1


def test_who_does_not_rejoin_within_the_rebalance_timeout_is_dropped():
    coordinator = Coordinator()
    slow, fast = coordinator.stable("a", "b")
    coordinator.group.rebalance("asked for")
    answer = coordinator.join(fast)
    for _ in range(int(REBALANCE / 5)):
        assert answer.result is None
        with refused(ErrorCode.REBALANCE_IN_PROGRESS):
            coordinator.heartbeat(slow)  # it does so, but never joins
        coordinator.clock.advance(5)
    assert answer.result.generation_id == 3
    assert [member.member_id for member in answer.result.members] == [fast]


def test_who_does_not_sync_within_the_rebalance_timeout_is_dropped():
    coordinator = Coordinator()
    leader = coordinator.join().result.member_id
    for _ in range(int(REBALANCE / 5)):
        coordinator.heartbeat(leader)
        coordinator.clock.advance(5)
    assert coordinator.group.state is GroupState.EMPTY


def test_leader_that_leaves_in_sync_makes_the_others_join_again():
    coordinator = Coordinator()
    leader = coordinator.join(client="a").result.member_id
    second = coordinator.join(client="b")
    coordinator.join(leader, client="a")
    waiting = coordinator.sync(second.result.member_id, 2)
    coordinator.group.leave(leader)
    assert waiting.result.error_code == ErrorCode.REBALANCE_IN_PROGRESS


def test_follower_that_repeats_its_join_gets_the_same_generation():
    coordinator = Coordinator()
    coordinator.stable("a", "b")
    follower = next(
        m.member_id
        for m in coordinator.group.members
        if m.member_id != coordinator.group.members.leader
    )
    again = coordinator.join(follower).result
    assert (again.generation_id, again.members) == (2, ())
    assert coordinator.group.state is GroupState.STABLE


def test_other_subscriptions_make_a_new_generation():
    coordinator = Coordinator()
    coordinator.stable("a", "b")
    follower = next(
        m.member_id
        for m in coordinator.group.members
        if m.member_id != coordinator.group.members.leader
    )
    assert coordinator.join(follower, metadata=b"more topics").result is None
    assert coordinator.group.state is GroupState.PREPARING_REBALANCE


def test_static_member_comes_back_in_its_place_and_its_old_id_is_fenced():
    coordinator = Coordinator()
    old = coordinator.join(instance="desk").result.member_id
    coordinator.sync(old, 1, [(old, b"p0")])
    back = coordinator.join(instance="desk", may_skip_assignment=True).result
    assert back.member_id != old
    assert (back.generation_id, back.skip_assignment) == (1, True)
    assert coordinator.sync(back.member_id, 1).result.assignment == b"p0"
    with refused(ErrorCode.FENCED_INSTANCE_ID):
        coordinator.group.heartbeat(old, 1, "desk")


def test_static_leader_of_an_old_client_is_not_told_to_assign_again():
    coordinator = Coordinator()
    old = coordinator.join(instance="desk").result.member_id
    coordinator.sync(old, 1, [(old, b"p0")])
    back = coordinator.join(instance="desk").result
    assert (back.leader, back.skip_assignment, back.members) == (old, False, ())


def test_static_member_is_removed_by_its_instance_id():
    coordinator = Coordinator()
    member = coordinator.join(instance="desk").result.member_id
    assert coordinator.group.leave("", "desk") == member
    assert coordinator.group.state is GroupState.EMPTY


def test_members_without_a_common_protocol_are_refused():
    coordinator = Coordinator()
    coordinator.join(protocols=("range", "sticky"))
    with refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL):
        coordinator.join(protocols=("roundrobin",))
    with refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL):
        coordinator.join(protocol_type="connect")


def test_the_protocol_is_the_one_that_most_members_prefer():
    coordinator = Coordinator(initial_rebalance_delay=1.0)
    coordinator.join(protocols=("range", "sticky"))
    coordinator.join(protocols=("sticky", "range"))
    last = coordinator.join(protocols=("sticky", "range"))
    coordinator.clock.advance(2)
    assert last.result.protocol_name == "sticky"


def test_other_protocol_types_are_opaque():
    coordinator = Coordinator()
    joined = coordinator.join(protocol_type="connect", protocols=("sessioned",), metadata=b"\xff")
    assert joined.result.members[0].metadata == b"\xff"


@pytest.mark.parametrize("seconds", [0.001, 1801.0])
def test_session_timeout_out_of_bounds_is_refused(seconds):
    groups = Coordinator().groups
    request = JoinRequest("", None, "c", "/", seconds, 1.0, "consumer", (("range", b""),))
    with refused(ErrorCode.INVALID_SESSION_TIMEOUT):
        finished(groups.join("g", request))


def test_old_generation_is_refused():
    coordinator = Coordinator()
    (member,) = coordinator.stable("a")
    with refused(ErrorCode.ILLEGAL_GENERATION):
        coordinator.group.heartbeat(member, 7)
    with refused(ErrorCode.ILLEGAL_GENERATION):
        coordinator.groups.offsets.commit("g", Committer(member, 7), {})


def test_commits_need_membership_while_the_group_has_members():
    coordinator = Coordinator()
    (member,) = coordinator.stable("a")
    offsets = {("t", 0): CommittedOffset(5)}
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        coordinator.groups.offsets.commit("g", Committer(), offsets)
    assert not coordinator.group.offsets
    assert coordinator.groups.offsets.commit("g", Committer(member, 1), offsets) == {}
    assert coordinator.groups.offsets.commit("elsewhere", Committer(), offsets) == {}
    for group in coordinator.groups.by_id.values():
        assert group.offsets.fetch("t", 0).offset == 5


def test_a_commit_is_refused_partition_by_partition():
    coordinator = Coordinator()
    wanted = {("t", 0): CommittedOffset(5, metadata="m" * 5_000), ("t", 1): CommittedOffset(6)}
    refused_ones = coordinator.groups.offsets.commit("g", Committer(), wanted)
    assert {key: error.code for key, error in refused_ones.items()} == {
        ("t", 0): ErrorCode.OFFSET_METADATA_TOO_LARGE
    }
    assert list(coordinator.group.offsets.topics["t"]) == [1]


def test_offsets_are_reset_only_while_nobody_consumes():
    coordinator = Coordinator()
    (member,) = coordinator.stable("a")
    coordinator.group.offsets.commit("t", 0, CommittedOffset(5))
    with refused(ErrorCode.NON_EMPTY_GROUP):
        coordinator.groups.offsets.reset("g", "t", {0: 1}, source="prompt")
    coordinator.group.kick(member, "was kicked by prompt")
    coordinator.groups.offsets.reset("g", "t", {0: 1}, source="prompt")
    assert coordinator.group.offsets.fetch("t", 0).offset == 1


def test_each_generation_is_told_once_with_its_reason():
    coordinator = Coordinator()
    coordinator.stable("a", "b")
    told = [event for event in coordinator.events if isinstance(event, GroupRebalanced)]
    assert [(event.generation, event.members, event.reason) for event in told] == [
        (2, 2, "member b joined")
    ]


def test_a_restart_while_only_somebody_on_the_way_is_waited_for_begins_with_an_empty_group():
    at = Coordinator()
    [alone] = at.stable("a")
    asked = at.join(client="b", must_know_id=True)
    assert asked.result.error_code == ErrorCode.MEMBER_ID_REQUIRED
    at.groups.leave("g", alone, None, "")
    assert (at.group.state, len(at.group.members)) == (GroupState.PREPARING_REBALANCE, 0)
    kept = at.groups.dump()
    at.groups.retire()
    at.groups.restore(kept)
    assert at.group.state is GroupState.EMPTY
    assert at.join(client="b").result.generation_id == 2


def test_absent_static_members_without_a_rebalance_timeout_leave_the_broker_its_time():
    at = Coordinator()
    member_id = at.join(instance="i", rebalance_timeout=0.0).result.member_id
    at.sync(member_id, 1, [(member_id, b"all")])
    looked = []
    at.group.rebalance("asked for by a test")
    elect = at.group.members.elect
    at.group.members.elect = lambda: looked.append(at.clock.now()) or elect()
    at.clock.advance(SESSION - 0.5)
    assert at.group.state is GroupState.PREPARING_REBALANCE
    assert len(looked) <= SESSION
    at.clock.advance(1)
    assert at.group.state is GroupState.EMPTY


def test_an_id_that_was_given_out_is_not_for_an_instance():
    at = Coordinator()
    at.join(client="a", instance="i")
    given_out = at.join(client="b", must_know_id=True).result.member_id
    with refused(ErrorCode.UNKNOWN_SERVER_ERROR):
        at.join(given_out, client="b", instance="i")
    assert list(at.group.members.static) == ["i"]
    assert at.group.members.static["i"] != given_out


def test_ids_that_were_given_out_are_no_more_than_so_many_and_the_oldest_go():
    coordinator = Coordinator()
    first = coordinator.join(must_know_id=True).result.member_id
    second = coordinator.join(must_know_id=True).result.member_id
    for _ in range(998):
        coordinator.join(must_know_id=True)
    assert len(coordinator.group.pending) == 1_000
    coordinator.join(must_know_id=True)
    assert len(coordinator.group.pending) == 1_000
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        coordinator.join(first)
    coordinator.join(second)
    assert second in coordinator.group.members.by_id


def test_of_a_group_that_made_room_nobody_is_waited_for():
    clock = Noting()
    coordinator = Coordinator(clock, Limits(kafka_groups=2))
    before = clock.waiting
    for number in range(10):
        coordinator.join(group=f"g{number}", must_know_id=True)
    assert list(coordinator.groups.by_id) == ["g8", "g9"]
    assert clock.waiting == before + 2


def test_of_a_group_that_changed_its_protocol_nobody_is_waited_for():
    clock = Noting()
    coordinator = Coordinator(clock)
    before = clock.waiting
    coordinator.join(must_know_id=True)
    assert clock.waiting == before + 1
    heartbeat = HeartbeatRequest("m", 0, topic_names=frozenset("t"))
    finished(coordinator.groups.heartbeat("g", heartbeat))
    finished(coordinator.groups.heartbeat("g", HeartbeatRequest("m", -1)))
    assert clock.waiting == before
