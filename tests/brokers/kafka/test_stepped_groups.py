"""Targets of groups that read thousands of partitions: made in steps, for all who wait for them."""

import pytest
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.wire.frames import decode_response
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

    def later(self):
        self.scene.clock.advance(0)
        self.scene.network.settle()

    def heard(self, member):
        """(error_code, member_epoch, how many partitions); None: nothing yet."""
        client = self.clients[member]
        sent = client.take()
        if not sent:
            return None
        (frame,) = client.connection.splitter(OUT).feed(sent)
        answer = decode_response(frame, ApiKey.CONSUMER_GROUP_HEARTBEAT, 1)[1]
        given = answer.assignment.topic_partitions if answer.assignment else []
        return answer.error_code, answer.member_epoch, sum(len(one.partitions) for one in given)


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
