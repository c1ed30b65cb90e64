"""Targets of groups that read thousands of partitions: made in steps, for all who wait for them."""

import pytest
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.state.groups.classic.group import Group
from mockforge_brokers.kafka.state.groups.consumer.group import ConsumerGroup
from mockforge_brokers.kafka.wire import consumer_protocol
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.frames import decode_response
from mockforge_brokers.kafka.wire.messages import groups
from mockforge_brokers.kafka.wire.messages.consumer_groups import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
)

from .scene import Scene, Turning

PARTITIONS = 2000


class Room:
    """In which each step takes a turn of the loop; every member has a connection of its own."""

    def __init__(self):
        self.scene = Scene(clock=Turning())
        self.scene.broker.create_topic("t", PARTITIONS)
        self.scene.environment.turn.length = -1.0
        self.topic_id = self.scene.broker.cluster.topics["t"].topic_id
        self.clients = {}

    @property
    def group(self):
        return self.scene.broker.cluster.groups.by_id["g"]

    def join(self, member, assignor="uniform"):
        client = self.clients[member] = self.scene.network.connect()
        request = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id=member,
            member_epoch=0,
            rebalance_timeout_ms=5000,
            subscribed_topic_names=["t"],
            server_assignor=assignor,
            topic_partitions=[],
        )
        self.scene.ask(client, request, 1)

    def join_classic(self, member, member_id=""):
        """By default it does not know its member id, and has none to ask for again."""
        client = self.clients.get(member) or self.scene.network.connect()
        self.clients[member] = client
        subscription = encode(groups.ConsumerProtocolSubscription(topics=["t"]), 0)
        range_ = groups.JoinGroupRequestProtocol(name="range", metadata=bytes(2) + subscription)
        request = groups.JoinGroupRequest(
            group_id="g",
            session_timeout_ms=20_000,
            rebalance_timeout_ms=20_000,
            member_id=member_id,
            protocol_type="consumer",
            protocols=[range_],
        )
        self.scene.ask(client, request, 3)

    def joined(self, member):
        """(error code, generation, member id, leader); None: nothing yet."""
        answer = self._answer(member, ApiKey.JOIN_GROUP, 3)
        if answer is None:
            return None
        return answer.error_code, answer.generation_id, answer.member_id, answer.leader

    def classic_group(self, count):
        """Of so many members, which share all partitions; returns their ids."""
        for number in range(count):
            self.join_classic(number)
            self.later()
        first = self.joined(0)[2]
        self.join_classic(0, first)
        self.later()
        answers = [self.joined(number) for number in range(count)]
        ids, (_, generation, _, leader) = [answer[2] for answer in answers], answers[0]
        given = [
            groups.SyncGroupRequestAssignment(
                member_id=member_id,
                assignment=consumer_protocol.assignment(
                    0, [("t", range(number, PARTITIONS, count))]
                ),
            )
            for number, member_id in enumerate(ids)
        ]
        for number, member_id in enumerate(ids):
            request = groups.SyncGroupRequest(
                group_id="g",
                generation_id=generation,
                member_id=member_id,
                assignments=given if member_id == leader else [],
            )
            self.scene.ask(self.clients[number], request, 2)
        self.later()
        for number in range(count):
            assert self._answer(number, ApiKey.SYNC_GROUP, 2).error_code == 0
        return ids

    def leave(self, member):
        """One of the consumer protocol goes for good."""
        request = ConsumerGroupHeartbeatRequest(group_id="g", member_id=member, member_epoch=-1)
        self.scene.ask(self.clients[member], request, 1)

    def turns(self, until):
        """The loop's turns until something is so."""
        count = 0
        while not until():
            self.scene.clock.turn()
            count += 1
        return count

    def later(self):
        self.scene.clock.advance(0)
        self.scene.network.settle()

    def heard(self, member):
        """(error_code, member_epoch, how many partitions); None: nothing yet."""
        answer = self._answer(member, ApiKey.CONSUMER_GROUP_HEARTBEAT, 1)
        if answer is None:
            return None
        given = answer.assignment.topic_partitions if answer.assignment else []
        return answer.error_code, answer.member_epoch, sum(len(one.partitions) for one in given)

    def _answer(self, member, api, version):
        client = self.clients[member]
        sent = client.take()
        if not sent:
            return None
        (frame,) = client.connection.splitter(OUT).feed(sent)
        return decode_response(frame, api, version)[1]


@pytest.fixture
def room():
    return Room()


@pytest.mark.parametrize("assignor", ["uniform", "range"])
def test_a_member_hears_of_its_target_when_all_of_it_is_made(room, assignor):
    room.join("a", assignor)
    assert room.heard("a") is None
    assert room.group.target.epoch < room.group.epoch
    room.later()
    assert room.heard("a") == (0, 2, PARTITIONS)


def test_who_comes_while_it_is_made_has_a_share_in_the_next_one(room):
    for member in "abc":
        room.join(member)
    room.later()
    assert [room.heard(member)[0] for member in "abc"] == [0, 0, 0]
    target = room.group.target
    assert target.epoch == room.group.epoch == 4
    assert sorted(len(target.of(member)) for member in "abc") == [666, 667, 667]


@pytest.mark.parametrize("leaves", ["kicked", "replaced"])
def test_who_is_no_member_any_more_hears_that(room, leaves):
    room.join("a")
    room.join("b")
    room.group.kick("b", "kicked")
    former = room.clients["b"]
    if leaves == "replaced":
        room.join("b")
        room.later()
        assert room.heard("b")[0] == 0
        room.clients["b"] = former
    room.later()
    assert room.heard("b")[0] == ErrorCode.UNKNOWN_MEMBER_ID
    assert "b" not in room.group.target.by_member or leaves == "replaced"
    assert room.heard("a")[0] == 0


def test_what_is_chosen_meanwhile_is_what_counts(room):
    room.join("a")
    room.scene.clock.turn()
    few = frozenset({(room.topic_id, 7), (room.topic_id, 8)})
    room.group.assign("a", few, "by hand")
    room.later()
    assert room.group.target.of("a") == few
    assert room.heard("a") == (0, 3, 2)


def test_who_goes_away_leaves_the_making_to_the_others(room):
    room.join("a")
    room.join("b")
    room.clients["a"].vanish()
    room.later()
    assert room.heard("b")[0] == 0
    assert room.group.target.epoch == room.group.epoch


def test_a_classic_member_hears_when_all_of_its_target_is_made(room):
    room.join("a")
    room.later()
    assert room.heard("a")[:2] == (0, 2)
    room.join_classic("b")
    assert (room.joined("b"), room.group.target.epoch) == (None, 2)
    room.later()
    code, epoch, member_id, _ = room.joined("b")
    assert (code, epoch, room.group.target.epoch) == (0, 3, 3)
    assert len(room.group.target.of(member_id)) == PARTITIONS // 2


def test_a_classic_member_is_in_the_classic_group_that_came_meanwhile(room):
    room.join("a")
    room.later()
    room.join_classic("b")
    former = room.group
    former.kick("a", "kicked")
    assert room.group is not former
    room.later()
    code, _, member_id, leader = room.joined("b")
    assert (code, leader) == (0, member_id)
    assert [member.member_id for member in room.group.members] == [member_id]
    # No timer of the group before puts it out, or puts another group in the place of this one.
    present = room.group
    room.scene.clock.advance(19)
    assert room.group is present
    assert len(present.members) == 1


def test_thousands_who_wait_for_one_generation_are_answered_in_several_turns(room):
    for number in range(20):
        room.join_classic(number)
    first = room.joined(0)[2]
    room.later()
    room.join_classic(0, first)
    at_once = sum(bool(client.peek()) for client in room.clients.values())
    assert at_once < 20
    room.later()
    assert {room.joined(number)[:2] for number in range(20)} == {(0, 2)}


def test_the_members_of_a_classic_group_are_read_in_steps_before_it_changes_over(room):
    ids = room.classic_group(40)
    former = room.group
    room.join("new")
    assert room.turns(lambda: room.group is not former) > 5
    held = [room.group.members[member_id].assigned for member_id in ids]
    assert sorted(map(len, held)) == [PARTITIONS // 40] * 40
    assert len(frozenset().union(*held)) == PARTITIONS
    room.later()
    assert room.heard("new")[:2] == (0, room.group.epoch)


@pytest.mark.parametrize("meanwhile", ["left", "topic", "converted", "dissolved"])
def test_a_group_that_is_another_one_by_then_changes_over_as_it_is_by_then(room, meanwhile):
    ids = room.classic_group(40)
    former = room.group
    room.join("new")
    room.scene.clock.turn()
    assert room.group is former
    match meanwhile:
        case "left":
            former.kick(ids[-1], "kicked")
        case "topic":
            room.scene.broker.cluster.delete_topic("t", source="test")
        case "converted":
            room.join("other")
        case "dissolved":
            for member_id in ids:
                former.kick(member_id, "kicked")
            room.scene.broker.cluster.groups.delete("g", source="test")
    room.later()
    assert room.heard("new")[0] == 0
    assert isinstance(room.group, ConsumerGroup)
    there = set(ids) & room.group.members.keys()
    assert len(there) == {"left": 39, "dissolved": 0}.get(meanwhile, 40)
    if meanwhile == "topic":
        assert not any(room.group.members[member_id].assigned for member_id in ids)
    assert "new" in room.group.members


def test_what_a_group_assigned_is_written_for_the_classic_protocol_when_it_is_asked_for(
    room, monkeypatch
):
    ids = room.classic_group(4)
    room.join("new")
    room.later()
    written = []
    usual = consumer_protocol.assignment
    monkeypatch.setattr(
        "mockforge_brokers.kafka.embedded.assignment",
        lambda *of: written.append(of) or usual(*of),
    )
    room.leave("new")
    assert isinstance(room.group, Group)
    assert not written
    member = room.group.members.by_id[ids[2]]
    ((_, numbers),) = consumer_protocol.assigned_partitions(member.assignment, PARTITIONS)
    assert len(numbers) in (PARTITIONS // 5, PARTITIONS // 4)
    assert member.assignment is member.assignment
    assert len(written) == 1


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_many_members_are_described_in_steps_as_they_are_at_one_moment(room, protocol):
    ids = room.classic_group(40)
    request, version = groups.DescribeGroupsRequest(groups=["g"]), 5
    if protocol == "consumer":
        room.join("new")
        room.later()
        room.heard("new")
        request, version = ConsumerGroupDescribeRequest(group_ids=["g"]), 1
    asking = room.clients["asking"] = room.scene.network.connect()
    room.scene.ask(asking, request, version)
    assert not asking.peek()
    # Before, it is looked who may know of the topics of all members.
    for _ in range(24 if protocol == "consumer" else 1):
        room.scene.clock.turn()
    room.group.kick(ids[-1], "kicked")
    room.later()
    (group,) = room._answer("asking", request.api_key, version).groups
    assert set(ids) <= {member.member_id for member in group.members}
