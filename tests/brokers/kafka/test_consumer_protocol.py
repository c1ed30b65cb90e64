"""The consumer protocol of KIP-848: every answer here is Apache Kafka 4.4's own.

It was asked with `group.consumer.assignment.interval.ms=0`, so that it assigns at once as we do.
"""

from itertools import count
from math import inf

import pytest
from mockforge_brokers.errors import InvalidInput, RequestRefused
from mockforge_brokers.kafka.events import GroupEmptied, GroupRebalanced, MemberJoined, MemberLeft
from mockforge_brokers.kafka.state import patterns
from mockforge_brokers.kafka.state.groups.consumer import matching
from mockforge_brokers.kafka.state.groups.consumer.member import (
    HeartbeatRequest as HeartbeatOfGroup,
)
from mockforge_brokers.kafka.wire.messages.consumer_groups import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
    OwnedTopicPartitions,
)
from mockforge_brokers.kafka.wire.messages.groups import (
    DeleteGroupsRequest,
    DescribeGroupsRequest,
    HeartbeatRequest,
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    ListGroupsRequest,
)
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
)

from ..calls import calls_of
from .scene import Scene

ALL = {"t": [0, 1, 2, 3]}


class Members(Scene):
    """Topics `t` with 4 partitions and `u` with 2, and members that speak for themselves."""

    def __init__(self, **options):
        super().__init__(**options)
        self.broker.create_topic("t", 4)
        self.broker.create_topic("u", 2)
        self.events = []
        self.environment.spine.watch(self.events.append)

    @property
    def topics(self):
        return self.broker.cluster.topics

    def emitted(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def owned(self, partitions):
        return [
            OwnedTopicPartitions(topic_id=self.topics[name].topic_id, partitions=numbers)
            for name, numbers in partitions.items()
        ]

    def heartbeat(self, member, epoch, owned=None, *, group="g", version=1, **more):
        """(error_code, member_epoch, assignment by topic or None), with the text of an error."""
        if owned is not None:
            more["topic_partitions"] = self.owned(owned)
        request = ConsumerGroupHeartbeatRequest(
            group_id=group, member_id=member, member_epoch=epoch, **more
        )
        answer = self.call(request, version)
        if answer.error_code:
            return answer.error_code, answer.error_message
        assert answer.heartbeat_interval_ms == (5000 if answer.member_epoch > 0 else 0)
        if answer.assignment is None:
            return answer.member_epoch, None
        by_id = {topic.topic_id: name for name, topic in self.topics.items()}
        parts = answer.assignment.topic_partitions
        return answer.member_epoch, {by_id[one.topic_id]: one.partitions for one in parts}

    def join(self, member, *, group="g", **more):
        wish = {"subscribed_topic_names": ["t"], "rebalance_timeout_ms": 5000} | more
        return self.heartbeat(member, 0, {}, group=group, **wish)

    def describe(self, group="g"):
        """State, group epoch, assignment epoch; by member its epoch, what it has, its target."""
        (one,) = self.call(ConsumerGroupDescribeRequest(group_ids=[group]), 1).groups
        if one.error_code:
            return one.error_code, one.error_message
        members = {
            m.member_id: (m.member_epoch, _named(m.assignment), _named(m.target_assignment))
            for m in one.members
        }
        return one.group_state, one.group_epoch, one.assignment_epoch, members

    def commit(self, member, epoch, version=9):
        part = OffsetCommitRequestPartition(
            partition_index=0, committed_offset=1, committed_metadata=""
        )
        request = OffsetCommitRequest(
            group_id="g",
            member_id=member,
            generation_id_or_member_epoch=epoch,
            topics=[OffsetCommitRequestTopic(name="t", partitions=[part])],
        )
        (topic,) = self.call(request, version).topics
        return topic.partitions[0].error_code

    def classic_join(self, group="g"):
        protocol = JoinGroupRequestProtocol(name="range", metadata=b"")
        request = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=10_000,
            rebalance_timeout_ms=10_000,
            member_id="",
            protocol_type="consumer",
            protocols=[protocol],
        )
        return self.call(request, 3).error_code


def _named(assignment):
    return {one.topic_name: one.partitions for one in assignment.topic_partitions}


@pytest.fixture
def scene():
    return Members()


WRONG = [
    ({"group_id": ""}, 42, "GroupId can't be empty."),
    ({"member_id": ""}, 42, "MemberId can't be empty."),
    ({"instance_id": ""}, 42, "InstanceId can't be empty."),
    ({"rack_id": ""}, 42, "RackId can't be empty."),
    ({"rebalance_timeout_ms": -1}, 42, "RebalanceTimeoutMs must be provided in first request."),
    (
        {"topic_partitions": [OwnedTopicPartitions(topic_id=bytes(16), partitions=[1])]},
        42,
        "TopicPartitions must be empty when (re-)joining.",
    ),
    ({"topic_partitions": None}, 42, "TopicPartitions must be empty when (re-)joining."),
    (
        {"subscribed_topic_names": None},
        42,
        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
    ),
    ({"member_epoch": -3}, 42, "MemberEpoch is invalid."),
    ({"member_epoch": -2}, 42, "InstanceId can't be null."),
    ({"member_epoch": -1, "member_id": ""}, 42, "MemberId can't be empty."),
    ({"member_epoch": 3}, 69, "Consumer group g not found."),
    ({"member_epoch": -1}, 69, "Group g not found."),
    (
        {"server_assignor": "sticky"},
        112,
        "ServerAssignor sticky is not supported. Supported assignors: uniform, range.",
    ),
]


@pytest.mark.parametrize(("change", "code", "text"), WRONG)
def test_what_no_member_says_is_refused_with_kafkas_words(scene, change, code, text):
    right = {
        "group_id": "g",
        "member_id": "a",
        "member_epoch": 0,
        "rebalance_timeout_ms": 5000,
        "subscribed_topic_names": ["t"],
        "topic_partitions": [],
    }
    answer = scene.call(ConsumerGroupHeartbeatRequest(**right | change), 1)
    assert (answer.error_code, answer.error_message) == (code, text)
    assert "g" not in scene.broker.cluster.groups.by_id


def test_a_member_of_the_first_version_gets_its_id_from_the_broker(scene):
    request = ConsumerGroupHeartbeatRequest(
        group_id="g",
        member_id="",
        member_epoch=0,
        rebalance_timeout_ms=5000,
        subscribed_topic_names=["t"],
        topic_partitions=[],
    )
    answer = scene.call(request, 0)
    assert (answer.error_code, len(answer.member_id), answer.member_epoch) == (0, 36, 2)


def test_a_member_alone_has_all_and_hears_of_it_once(scene):
    assert scene.join("a") == (2, ALL)
    assert scene.heartbeat("a", 2) == (2, None)
    assert scene.heartbeat("a", 2, ALL) == (2, None)
    assert scene.describe() == ("Stable", 2, 2, {"a": (2, ALL, ALL)})
    # One that says all that it knows is answered with all.
    wish = {"subscribed_topic_names": ["t"], "rebalance_timeout_ms": 5000}
    assert scene.heartbeat("a", 2, ALL, **wish) == (2, ALL)


def test_a_newcomer_waits_until_the_other_has_given_up_its_share(scene):
    scene.join("a")
    assert scene.join("b") == (3, {})
    first, second = {"t": [0, 1]}, {"t": [2, 3]}
    assert scene.describe() == (
        "Reconciling", 3, 3, {"a": (2, ALL, first), "b": (3, {}, second)}
    )  # fmt: skip
    assert scene.heartbeat("b", 3, {}) == (3, None)
    assert scene.heartbeat("a", 2, ALL) == (2, first)
    assert scene.describe()[3]["a"] == (2, ALL, first)
    assert scene.heartbeat("b", 3, {}) == (3, None)
    assert scene.heartbeat("a", 2, first) == (3, None)
    assert scene.heartbeat("b", 3, {}) == (3, second)
    assert scene.describe() == (
        "Stable", 3, 3, {"a": (3, first, first), "b": (3, second, second)}
    )  # fmt: skip
    (event,) = scene.emitted(GroupRebalanced)[1:]
    assert (event.generation, event.members, event.protocol_name) == (3, 2, "uniform")
    assert event.reason == "member shop joined"


def test_who_missed_an_answer_may_come_with_the_epoch_before(scene):
    scene.join("a")
    scene.join("b")
    scene.heartbeat("a", 2, ALL)
    assert scene.heartbeat("a", 2, {"t": [0, 1]}) == (3, None)
    assert scene.heartbeat("a", 2, {"t": [0, 1]}) == (3, None)
    code, text = scene.heartbeat("a", 2, {"t": [0, 3]})
    assert code == 110
    assert text == (
        "The consumer group member has a smaller member epoch (2) than the one known by the group"
        " coordinator (3). The member must abandon all its partitions and rejoin."
    )
    code, text = scene.heartbeat("a", 9)
    assert (code, "has a greater member epoch (9)" in text) == (110, True)
    assert scene.heartbeat("z", 1) == (25, "Member z is not a member of group g.")


def test_other_topics_are_another_epoch(scene):
    scene.join("a")
    scene.join("b")
    scene.heartbeat("a", 2, ALL)
    scene.heartbeat("a", 2, {"t": [0, 1]})
    scene.heartbeat("b", 3, {})
    more = {"subscribed_topic_names": ["t", "u"]}
    assert scene.heartbeat("b", 3, {"t": [2, 3]}, **more) == (3, {"t": [2]})
    assert scene.describe() == (
        "Reconciling", 4, 4,
        {
            "a": (3, {"t": [0, 1]}, {"t": [0, 1, 3]}),
            "b": (3, {"t": [2, 3]}, {"t": [2], "u": [0, 1]}),
        },
    )  # fmt: skip
    assert scene.heartbeat("b", 3, {"t": [2]}) == (4, {"t": [2], "u": [0, 1]})
    assert scene.heartbeat("a", 3, {"t": [0, 1]}) == (4, {"t": [0, 1, 3]})


def test_a_topic_that_comes_grows_or_goes_is_assigned_anew(scene):
    scene.join("a", subscribed_topic_names=["t", "new"])
    scene.broker.create_topic("new", 1)
    assert scene.heartbeat("a", 2, ALL) == (3, {**ALL, "new": [0]})
    scene.broker.grow_topic("new", 2)
    assert scene.heartbeat("a", 3, {**ALL, "new": [0]}) == (4, {**ALL, "new": [0, 1]})
    gone = scene.owned({"new": [0, 1]})
    scene.broker.delete_topic("new")
    assert scene.heartbeat("a", 4, topic_partitions=scene.owned(ALL) + gone) == (4, ALL)
    assert scene.heartbeat("a", 4, ALL) == (5, None)


def test_a_heartbeat_at_rest_costs_the_same_in_a_group_of_any_size():
    def calls(members):
        scene = Members()
        names = [f"m{number}" for number in range(members)]
        epochs = {name: scene.join(name)[0] for name in names}
        for _ in range(3):
            for name in names:
                epochs[name] = scene.heartbeat(name, epochs[name], {})[0]
        group = scene.broker.cluster.groups.by_id["g"]
        return calls_of(lambda: group.heartbeat(HeartbeatOfGroup("m0", epochs["m0"])))

    assert calls(40) == calls(4)


def test_who_leaves_leaves_its_partitions_to_the_others(scene):
    scene.join("a")
    scene.join("b")
    scene.heartbeat("a", 2, ALL)
    scene.heartbeat("a", 2, {"t": [0, 1]})
    scene.heartbeat("b", 3, {})
    assert scene.heartbeat("b", -1) == (-1, None)
    assert scene.describe()[:3] == ("Assigning", 4, 3)
    assert scene.heartbeat("a", 3, {"t": [0, 1]}) == (4, ALL)
    assert scene.heartbeat("a", -1) == (-1, None)
    assert scene.describe() == ("Empty", 5, 5, {})
    assert [event.reason for event in scene.emitted(MemberLeft)] == ["left", "left"]
    assert scene.emitted(GroupEmptied)[0].reason == "member shop left"


def test_silence_ends_a_member_and_so_does_what_it_keeps_too_long(scene):
    scene.join("a")
    scene.join("b")
    assert scene.heartbeat("a", 2, ALL) == (2, {"t": [0, 1]})
    scene.clock.advance(4.9)
    scene.heartbeat("b", 3, {})
    scene.heartbeat("a", 2, ALL)
    scene.clock.advance(0.2)
    assert scene.emitted(MemberLeft)[0].reason == "did not give up its partitions"
    assert scene.heartbeat("b", 3, {}) == (4, ALL)
    scene.clock.advance(45.1)
    assert scene.emitted(MemberLeft)[1].reason.startswith("was silent for its session timeout")
    assert scene.describe()[0] == "Empty"


def test_a_static_member_finds_what_it_had_when_it_comes_back(scene):
    static = {"instance_id": "i1"}
    assert scene.join("s1", **static) == (2, ALL)
    assert scene.join("s2", **static) == (
        111,
        "Static member s2 with instance id i1 cannot join the group because the instance id is"
        " owned by s1 member.",
    )
    assert scene.heartbeat("s1", -2, **static) == (-2, None)
    assert scene.describe() == ("Reconciling", 2, 2, {"s1": (-2, ALL, ALL)})
    assert scene.join("s2", **static) == (2, ALL)
    assert scene.heartbeat("s1", 2, **static) == (
        82,
        "Static member s1 with instance id i1 was fenced by member s2.",
    )
    assert scene.heartbeat("s2", 2, instance_id="i9") == (25, "Instance id i9 is unknown.")
    assert scene.heartbeat("s2", 2, **static) == (2, None)
    assert [event.member for event in scene.emitted(MemberJoined)] == ["s1"]


def test_a_static_member_that_stays_away_is_put_out(scene):
    scene.join("s1", instance_id="i1")
    scene.heartbeat("s1", -2, instance_id="i1")
    scene.clock.advance(45.1)
    assert scene.describe()[0] == "Empty"


def test_offsets_are_committed_and_fetched_at_the_members_own_epoch(scene):
    scene.join("a")
    assert scene.commit("a", 2) == 0
    assert scene.commit("a", 1) == 113
    assert scene.commit("a", 1, version=8) == 35
    assert scene.commit("z", 2) == 25
    assert scene.commit("", -1) == 25
    for member, epoch, code in (("a", 2, 0), ("a", 1, 113), ("z", 1, 25), (None, -1, 0)):
        group = OffsetFetchRequestGroup(
            group_id="g", member_id=member, member_epoch=epoch, topics=None
        )
        (answer,) = scene.call(OffsetFetchRequest(groups=[group]), 9).groups
        assert answer.error_code == code
    scene.heartbeat("a", -1)
    assert scene.commit("", -1) == 0


def test_lists_say_which_protocol_a_group_speaks(scene):
    scene.join("a")
    scene.classic_join("old")
    listed = {
        (one.group_id, one.protocol_type, one.group_state, one.group_type)
        for one in scene.call(ListGroupsRequest(), 5).groups
    }
    assert ("g", "consumer", "Stable", "consumer") in listed
    assert {one[0]: one[3] for one in listed} == {"g": "consumer", "old": "classic"}
    only = scene.call(ListGroupsRequest(types_filter=["Consumer"]), 5).groups
    assert [one.group_id for one in only] == ["g"]
    (old,) = scene.call(DescribeGroupsRequest(groups=["g"]), 6).groups
    assert (old.error_code, old.error_message, old.group_state) == (
        69, "Group g is not a classic group.", "Dead"
    )  # fmt: skip
    (older,) = scene.call(DescribeGroupsRequest(groups=["g"]), 5).groups
    assert (older.error_code, older.group_state) == (0, "Dead")
    assert scene.describe("old") == (69, "Group old is not a consumer group.")
    assert scene.describe("none") == (69, "Group none not found.")


def test_where_migration_is_off_members_of_the_other_protocol_wait_until_a_group_is_empty():
    scene = Members(configs={"group.consumer.migration.policy": "disabled"})
    scene.join("a")
    scene.commit("a", 2)
    assert scene.classic_join() == 23
    assert (
        scene.call(HeartbeatRequest(group_id="g", generation_id=1, member_id="a"), 4).error_code
        == 25
    )
    scene.heartbeat("a", -1)
    assert scene.classic_join() == 0
    assert scene.join("a") == (
        69, "Cannot upgrade classic group g to consumer group because online upgrade is disabled."
    )  # fmt: skip
    group = scene.broker.cluster.groups.by_id["g"]
    assert group.offsets.fetch("t", 0).offset == 1
    scene.broker.kick_member("g", "shop")
    assert scene.join("a") == (2, ALL)
    assert scene.broker.cluster.groups.by_id["g"].offsets.fetch("t", 0).offset == 1


def test_a_group_goes_only_without_members_and_its_offsets_only_of_topics_nobody_reads(scene):
    scene.join("a")
    delete = DeleteGroupsRequest(groups_names=["g"])
    assert scene.call(delete, 2).results[0].error_code == 68
    topics = [
        OffsetDeleteRequestTopic(
            name=name, partitions=[OffsetDeleteRequestPartition(partition_index=0)]
        )
        for name in ("t", "u")
    ]
    answer = scene.call(OffsetDeleteRequest(group_id="g", topics=topics), 0)
    assert [one.partitions[0].error_code for one in answer.topics] == [86, 0]
    scene.heartbeat("a", -1)
    assert scene.call(delete, 2).results[0].error_code == 0
    assert scene.describe() == (69, "Group g not found.")


@pytest.mark.parametrize("engine", ["re2", "python"])
def test_a_pattern_reads_all_topics_that_it_matches_whole(scene, engine, monkeypatch):
    _choose(engine, monkeypatch)
    pattern = {"subscribed_topic_names": None, "subscribed_topic_regex": "t|u.*"}
    scene.broker.create_topic("tt", 1)
    assert scene.join("a", **pattern) == (2, {**ALL, "u": [0, 1]})
    (one,) = scene.call(ConsumerGroupDescribeRequest(group_ids=["g"]), 1).groups
    assert one.members[0].subscribed_topic_regex == "t|u.*"
    scene.broker.create_topic("u2", 1)
    assert scene.heartbeat("a", 2, {**ALL, "u": [0, 1]}) == (3, {**ALL, "u": [0, 1], "u2": [0]})


@pytest.mark.parametrize("engine", ["re2", "python"])
def test_a_pattern_that_could_go_back_for_ever_does_not(scene, engine, monkeypatch):
    _choose(engine, monkeypatch)
    scene.broker.create_topic("t" * 60 + "-", 1)
    scene.broker.create_topic("t" * 60, 1)
    pattern = {"subscribed_topic_names": None, "subscribed_topic_regex": "(t+)+"}
    assert scene.join("a", **pattern) == (2, {"t": [0, 1, 2, 3], "t" * 60: [0]})


def _choose(engine, monkeypatch):
    patterns._read.cache_clear()
    if engine == "python":
        monkeypatch.setattr(patterns, "_read", patterns._python)
    else:
        pytest.importorskip("re2", reason="the extra re2 is not installed")


@pytest.mark.parametrize("engine", ["re2", "python"])
@pytest.mark.parametrize("pattern", ["(t", "(?=t)", "(?!t)", "(?<=t)u", r"(t)\1", "a**"])
def test_what_is_no_pattern_of_re2_is_refused(engine, pattern, monkeypatch):
    _choose(engine, monkeypatch)
    with pytest.raises(RequestRefused) as refusal:
        patterns.compiled(pattern)
    assert refusal.value.code == 128
    assert f"SubscribedTopicRegex `{pattern}` is not a valid regular expression" in str(
        refusal.value
    )


def test_a_bad_pattern_makes_no_group(scene):
    wish = {"subscribed_topic_names": None, "subscribed_topic_regex": "(t"}
    assert scene.join("a", **wish)[0] == 128
    assert scene.describe() == (69, "Group g not found.")


def test_the_assignor_is_the_one_that_most_ask_for(scene):
    both = {"subscribed_topic_names": ["t", "u"]}
    scene.join("a", **both)
    scene.join("b", server_assignor="range", **both)
    (one,) = scene.call(ConsumerGroupDescribeRequest(group_ids=["g"]), 1).groups
    assert one.assignor_name == "range"
    assert scene.describe()[3]["b"][2] == {"t": [2, 3], "u": [1]}


def test_a_person_sees_kicks_and_rebalances_a_group(scene):
    scene.join("a")
    (view,) = scene.broker.groups()
    assert (view.name, view.state, view.members) == ("g", "stable", 1)
    (member,) = view.detail["members"]
    assert (member.client, member.assigned, member.subscribed) == (
        "shop", (("t", (0, 1, 2, 3)),), ("t",)
    )  # fmt: skip
    scene.broker.rebalance("g")
    assert scene.heartbeat("a", 2, ALL) == (3, None)
    scene.broker.kick_member("g", "shop")
    assert scene.heartbeat("a", 3) == (25, "Member a is not a member of group g.")


def test_a_restart_keeps_members_what_they_have_and_what_they_committed(scene):
    scene.join("a")
    scene.heartbeat("a", 2, ALL)
    scene.join("b")
    scene.commit("a", 2)
    before = scene.describe()
    assert len(before[3]) == 2
    scene.broker.restart()
    assert scene.describe() == before
    assert scene.heartbeat("a", 2, ALL) == (2, {"t": [0, 1]})
    assert scene.broker.cluster.groups.by_id["g"].offsets.fetch("t", 0).offset == 1
    scene.clock.advance(60)
    assert scene.describe()[0] == "Empty", "their sessions go on, too"


def test_a_person_chooses_what_a_member_reads_until_it_is_left_to_the_assignor(scene):
    scene.join("a")
    scene.heartbeat("a", 2, ALL)
    scene.broker.assign_partitions("g", "a", {"t": [1, 3]})
    assert scene.heartbeat("a", 2, ALL) == (2, {"t": [1, 3]})
    assert scene.heartbeat("a", 2, {"t": [1, 3]}) == (3, None)
    scene.join("b")
    _, given = scene.heartbeat("b", 4, {})
    assert not given, "what was not chosen for anybody is nobody's"
    scene.broker.assign_partitions("g", "b", {"t": [0, 3]})
    held = scene.broker.cluster.groups.by_id["g"]
    scene.heartbeat("a", scene.broker.cluster.groups.by_id["g"].members["a"].epoch, {"t": [1, 3]})
    topic = scene.topics["t"].topic_id
    assert held.target.by_member == {
        "a": frozenset({(topic, 1)}),
        "b": frozenset({(topic, 0), (topic, 3)}),
    }
    scene.broker.assign_by_assignor("g")
    scene.heartbeat("a", held.members["a"].epoch, {"t": [1]})
    assert {len(keys) for keys in held.target.by_member.values()} == {2}


def test_only_a_group_whose_broker_assigns_is_assigned(scene):
    assert scene.classic_join() == 0
    with pytest.raises(InvalidInput, match="is a classic one"):
        scene.broker.assign_partitions("g", "shop", {"t": [0]})


def test_static_members_come_first_in_a_range_whatever_their_ids_are(scene):
    """As in Apache Kafka: who comes back under a new id has its partitions again."""
    for member, instance in (("zz", "a"), ("aa", None), ("mm", "b")):
        scene.join(member, instance_id=instance, server_assignor="range")
    targets = {member: one[2] for member, one in scene.describe()[3].items()}
    assert targets == {"zz": {"t": [0, 1]}, "mm": {"t": [2]}, "aa": {"t": [3]}}


def test_what_was_chosen_for_a_static_member_is_its_own_under_its_next_id(scene):
    static = {"instance_id": "i"}
    scene.join("s1", **static)
    scene.broker.assign_partitions("g", "s1", {"t": [2]})
    scene.heartbeat("s1", 2, ALL)
    assert scene.heartbeat("s1", 2, {"t": [2]}) == (3, None)
    scene.heartbeat("s1", -2, **static)
    assert scene.join("s2", **static)[1] == {"t": [2]}
    scene.broker.grow_topic("t", 5)
    assert scene.heartbeat("s2", 3, {"t": [2]})[1] is None
    assert scene.describe()[3]["s2"] == (4, {"t": [2]}, {"t": [2]})


def test_who_comes_back_as_a_static_member_is_no_longer_who_it_was_before(scene):
    static = {"instance_id": "i"}
    scene.join("s", **static)
    scene.heartbeat("s", -2, **static)
    scene.join("x")
    epoch, _ = scene.join("x", **static)
    # What it had as that one is somebody's again.
    assert scene.describe()[3]["x"][2] == ALL
    # The session of the member that had this id before is over, and ends nobody.
    for _ in range(5):
        scene.clock.advance(10)
        assert scene.heartbeat("x", epoch) == (epoch, None)


def test_a_pattern_is_matched_once_for_each_version_of_the_topics():
    def calls(topics):
        scene = Members()
        for number in range(topics):
            scene.broker.create_topic(f"other{number}", 1)
        pattern = {"subscribed_topic_names": None, "subscribed_topic_regex": "t|u"}
        epoch, _ = scene.join("m", **pattern)
        scene.heartbeat("m", epoch, {**ALL, "u": [0, 1]})
        group = scene.broker.cluster.groups.by_id["g"]
        return calls_of(lambda: group.heartbeat(HeartbeatOfGroup("m", epoch)))

    assert calls(40) == calls(4)


def _in_slices(scene):
    """A slice is up at once."""
    scene.environment.turn.length = -1.0


def _by(pattern):
    return {"subscribed_topic_names": None, "subscribed_topic_regex": pattern}


def test_a_pattern_is_matched_by_very_many_topics_bit_by_bit(scene):
    for number in range(50):
        scene.broker.create_topic(f"other{number}", 1)
    _in_slices(scene)
    epoch, assigned = scene.join("a", **_by("t|u"))
    assert assigned == {}
    scene.clock.advance(0)
    epoch, assigned = scene.heartbeat("a", epoch)
    assert assigned == {**ALL, "u": [0, 1]}
    assert scene.heartbeat("a", epoch, assigned) == (epoch, None)
    # What was known holds until more is.
    scene.broker.create_topic("other", 1)
    assert scene.heartbeat("a", epoch, assigned) == (epoch, None)
    scene.clock.advance(0)
    assert scene.heartbeat("a", epoch, assigned) == (epoch, None)


def test_a_member_whose_pattern_took_long_gets_of_what_others_read_already(scene):
    scene.join("a")
    _in_slices(scene)
    epoch, assigned = scene.join("b", **_by("t+"))
    assert assigned == {}
    scene.clock.advance(0)
    scene.heartbeat("b", epoch, {})
    scene.heartbeat("a", epoch, ALL)
    scene.heartbeat("a", epoch, {"t": [0, 1]})
    scene.environment.turn.length = inf
    scene.environment.turn.begin()
    assert scene.describe()[3]["b"][2] == {"t": [2, 3]}


def test_topics_that_come_while_a_pattern_is_matched_are_found_and_those_that_go_are_not(scene):
    topics, turn = scene.broker.cluster.topics, scene.environment.turn
    matched = matching.MatchedTopics(scene.environment, topics, lambda: {"t|u.*"})
    # The time is up after the first name.
    turn.now, turn.until = count().__next__, 0
    assert matched.of("t|u.*") == set()
    scene.broker.create_topic("u2", 1)
    scene.broker.delete_topic("t")
    assert matched.of("t|u.*") == set()
    scene.clock.advance(0)
    assert (matched.of("t|u.*"), matched.late, matched.round) == ({"u", "u2"}, True, 1)


def test_a_topic_that_comes_is_all_that_is_matched_anew(scene, monkeypatch):
    asked = []

    class Listening:
        def fullmatch(self, name):
            asked.append(name)
            return name in "tu"

    monkeypatch.setattr(matching, "compiled", lambda pattern: Listening())
    epoch, _ = scene.join("a", **_by("t|u"))
    assert sorted(asked) == ["t", "u"]
    scene.broker.create_topic("u2", 1)
    scene.broker.delete_topic("u")
    epoch, _ = scene.heartbeat("a", epoch, ALL)
    assert asked[2:] == ["u2"]
    scene.broker.create_topic("u", 1)
    assert scene.heartbeat("a", epoch, ALL)[1] == {**ALL, "u": [0]}
    assert asked[3:] == ["u"]


def test_of_very_many_patterns_those_of_members_are_remembered(scene):
    for number in range(250):
        scene.join("a", **_by(f"t|{number}"))
    matched = scene.broker.cluster.groups.by_id["g"].topics._matched
    assert len(matched._by_pattern) <= 101


def test_a_pattern_that_nobody_has_any_more_is_not_matched_to_its_end(scene, monkeypatch):
    _in_slices(scene)
    scene.join("a", **_by("u"))
    scene.heartbeat("a", -1)
    monkeypatch.setattr(scene.broker.cluster.topics, "newer_than", None)
    scene.clock.advance(0)
    assert scene.environment.chores.waiting == 0


def test_a_member_is_assigned_only_what_it_reads(scene):
    scene.join("a")
    with pytest.raises(InvalidInput, match="member a of group g does not read u, but t"):
        scene.broker.assign_partitions("g", "a", {"u": [0]})
    scene.broker.grow_topic("t", 5)
    assert scene.heartbeat("a", 2, ALL) == (3, {"t": [0, 1, 2, 3, 4]})
