"""Targets of groups that read thousands of partitions: made in steps, for all who wait for them."""

import pytest
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.frames import decode_response
from mockforge_brokers.kafka.wire.messages import groups
from mockforge_brokers.kafka.wire.messages.consumer_groups import ConsumerGroupHeartbeatRequest

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

    def join_classic(self, member):
        """It does not know its member id, and has none to ask for again."""
        client = self.clients[member] = self.scene.network.connect()
        subscription = encode(groups.ConsumerProtocolSubscription(topics=["t"]), 0)
        range_ = groups.JoinGroupRequestProtocol(name="range", metadata=bytes(2) + subscription)
        request = groups.JoinGroupRequest(
            group_id="g",
            session_timeout_ms=20_000,
            rebalance_timeout_ms=20_000,
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
