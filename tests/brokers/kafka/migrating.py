"""Groups that change over to the consumer protocol and back: the same requests for two brokers.

`python -m tests.brokers.kafka.migrating HOST:PORT` prints what Apache Kafka answers (started with
`group.consumer.assignment.interval.ms=0`), as `recorded/migrations.json` keeps it. Member ids that
a broker makes become `M0`, `M1` in the order in which they appear.
"""

from pathlib import Path

from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.consumer_protocol import assigned_partitions, assignment
from mockforge_brokers.kafka.wire.messages import cluster, consumer_groups, groups, offsets

from .transacting import Player, record

RECORDED = Path(__file__).parent / "recorded" / "migrations.json"
ALL = (0, 1, 2, 3)
MOST = 100
"""Topics and partitions of one assignment."""


class Mover(Player):
    """Topic `t` has 4 partitions; members speak for themselves in group `g`."""

    def __init__(self, call, prefix=""):
        super().__init__(call, prefix)
        self._members = {}
        self._ids = {}
        self.counts = False
        """Only how many partitions: Kafka's choice hangs on its members' made up ids."""

    def member(self, member_id):
        if not member_id or member_id in self._ids:
            return member_id
        return self._members.setdefault(member_id, f"M{len(self._members)}")

    def note(self, what, outcome):
        text = [one.replace(self.prefix, "") if isinstance(one, str) else one for one in outcome]
        return super().note(what, text)

    @property
    def topic_id(self):
        asked = cluster.MetadataRequest(topics=[cluster.MetadataRequestTopic(name=self.topic)])
        return self.call(asked, 12).topics[0].topic_id

    # The classic protocol.

    def subscription(self, owned=(), version=1):
        message = groups.ConsumerProtocolSubscription(
            topics=[self.topic],
            owned_partitions=[groups.TopicPartition(topic=self.topic, partitions=owned)]
            if owned
            else [],
        )
        return version.to_bytes(2, "big") + encode(message, version)

    def join(
        self, member_id="", *, owned=(), kind="consumer", instance=None, names=("range",), raw=None
    ):
        """Returns (member id, generation); asks again where the id was only given out."""
        metadata = self.subscription(owned) if raw is None else raw
        request = groups.JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=20_000,
            rebalance_timeout_ms=20_000,
            member_id=member_id,
            group_instance_id=instance,
            protocol_type=kind,
            protocols=[
                groups.JoinGroupRequestProtocol(name=name, metadata=metadata) for name in names
            ],
        )
        answer = self.call(request, 9)
        self.note(
            f"join {self.member(member_id)}",
            [
                answer.error_code,
                self.member(answer.member_id),
                answer.generation_id,
                answer.protocol_type,
                answer.protocol_name,
                self.member(answer.leader),
                sorted(self.member(one.member_id) for one in answer.members),
            ],
        )
        if answer.error_code == 79:
            return self.join(
                answer.member_id, owned=owned, kind=kind, instance=instance, names=names, raw=raw
            )
        return answer.member_id, answer.generation_id

    def sync(self, member, given=None, *, kind="consumer", name="range"):
        given = {} if given is None else given
        request = groups.SyncGroupRequest(
            group_id=self.group,
            generation_id=member[1],
            member_id=member[0],
            protocol_type=kind,
            protocol_name=name,
            assignments=[
                groups.SyncGroupRequestAssignment(
                    member_id=to, assignment=assignment(1, [(self.topic, numbers)])
                )
                for to, numbers in given.items()
            ],
        )
        answer = self.call(request, 5)
        read = [
            [topic.removeprefix(self.prefix), self._shown(numbers)]
            for topic, numbers in assigned_partitions(answer.assignment, MOST)
        ]
        version = int.from_bytes(answer.assignment[:2], "big")
        self.note(
            f"sync {self.member(member[0])}",
            [answer.error_code, answer.protocol_type, answer.protocol_name, version, read],
        )

    def beat(self, member, instance=None):
        request = groups.HeartbeatRequest(
            group_id=self.group,
            generation_id=member[1],
            member_id=member[0],
            group_instance_id=instance,
        )
        self.note(f"beat {self.member(member[0])}", [self.call(request, 4).error_code])

    def leave(self, member_id, instance=None):
        one = groups.MemberIdentity(member_id=member_id, group_instance_id=instance)
        request = groups.LeaveGroupRequest(group_id=self.group, members=[one])
        answer = self.call(request, 5)
        codes = [each.error_code for each in answer.members]
        self.note(f"leave {self.member(member_id)}", [answer.error_code, codes])

    # The consumer protocol.

    def heartbeat(self, member_id, epoch, owned=None, instance=None, **more):
        if owned is not None:
            more["topic_partitions"] = [
                consumer_groups.OwnedTopicPartitions(topic_id=self.topic_id, partitions=owned)
            ] * bool(owned)
        if not epoch:
            more = {
                "subscribed_topic_names": [self.topic],
                "rebalance_timeout_ms": 20_000,
            } | more
        request = consumer_groups.ConsumerGroupHeartbeatRequest(
            group_id=self.group,
            member_id=member_id,
            member_epoch=epoch,
            instance_id=instance,
            **more,
        )
        self._ids[member_id] = True
        answer = self.call(request, 1)
        given = None
        if answer.assignment is not None:
            given = self._numbers(answer.assignment)
        self.note(
            f"heartbeat {member_id} {epoch}",
            [answer.error_code, answer.error_message or "", answer.member_epoch, given],
        )
        return answer.member_epoch

    # What is seen.

    def describe(self):
        asked = consumer_groups.ConsumerGroupDescribeRequest(group_ids=[self.group])
        (modern,) = self.call(asked, 1).groups
        if not modern.error_code:
            members = sorted(
                [
                    self.member(one.member_id),
                    one.instance_id,
                    one.member_type,
                    one.member_epoch,
                    self._numbers(one.assignment),
                    self._numbers(one.target_assignment),
                    len(one.subscribed_topic_names),
                ]
                for one in modern.members
            )
            self.note(
                "describe",
                [modern.group_state, modern.group_epoch, modern.assignment_epoch, members],
            )
            return
        (classic,) = self.call(groups.DescribeGroupsRequest(groups=[self.group]), 5).groups
        members = sorted(
            [
                self.member(one.member_id),
                one.group_instance_id,
                [list(numbers) for _, numbers in assigned_partitions(one.member_assignment, MOST)],
            ]
            for one in classic.members
        )
        self.note(
            "describe",
            ["classic", classic.group_state, classic.protocol_type, classic.protocol_data, members],
        )

    def _numbers(self, given):
        return self._shown(number for one in given.topic_partitions for number in one.partitions)

    def _shown(self, numbers):
        found = sorted(numbers)
        return len(found) if self.counts else found

    def commit(self, member_id, epoch, version=9):
        part = offsets.OffsetCommitRequestPartition(
            partition_index=0, committed_offset=1, committed_metadata=""
        )
        request = offsets.OffsetCommitRequest(
            group_id=self.group,
            member_id=member_id,
            generation_id_or_member_epoch=epoch,
            topics=[offsets.OffsetCommitRequestTopic(name=self.topic, partitions=[part])],
        )
        (topic,) = self.call(request, version).topics
        self.note(f"commit v{version}", [topic.partitions[0].error_code])


def there_and_back(at):
    first = at.join()
    at.sync(first, {first[0]: ALL})
    at.beat(first)
    at.heartbeat("b", 0, [])
    at.describe()
    at.beat(first)
    at.sync(first)
    at.commit(first[0], first[1], 8)
    at.commit(first[0], first[1] + 1, 8)
    at.commit("b", 2, 8)
    at.commit("b", 2)
    first = at.join(first[0], owned=ALL)
    at.beat(first)
    at.sync(first)
    at.describe()
    first = at.join(first[0], owned=(0, 1))
    at.describe()
    epoch = at.heartbeat("b", 2, [])
    at.sync(first)
    at.beat(first)
    at.heartbeat("b", epoch, [2, 3])
    at.describe()
    at.beat((first[0], 77))
    at.beat(("nobody", first[1]))
    at.beat(("b", epoch))
    at.sync(("b", epoch))
    at.sync(first, name="roundrobin")
    at.sync(first, kind="connect", name=None)
    at.leave("b")
    at.heartbeat("b", -1)
    at.describe()
    at.beat(first)
    first = at.join(first[0])
    at.sync(first, {first[0]: ALL})
    at.beat(first)
    at.describe()


def classic_comes_to_consumer(at):
    at.heartbeat("a", 0, [])
    at.join(kind="connect")
    at.join(raw=b"")
    at.join(names=())
    one = at.join(names=("range", "roundrobin"))
    at.describe()
    at.sync(one)
    at.join(names=("sticky",))
    epoch = at.heartbeat("a", 2, [0, 1, 2, 3])
    at.beat(one)
    epoch = at.heartbeat("a", epoch, [0, 1])
    at.describe()
    at.beat(one)
    one = at.join(one[0], names=("range", "roundrobin"))
    at.sync(one)
    at.beat(one)
    at.join("made-up", names=("sticky",))
    at.join("made-up", names=("roundrobin",))
    at.leave(one[0])
    at.leave("made-up")
    at.heartbeat("a", 3, ALL[:2])
    at.describe()


def static_members(at):
    at.heartbeat("s", 0, [], instance="i")
    other = at.join(instance="i")
    at.describe()
    at.heartbeat("s", 2, instance="i")
    at.beat(other, instance="i")
    at.sync(other)
    at.describe()
    at.heartbeat("t", 0, [], instance="i")
    at.describe()
    at.beat(other, instance="i")
    at.join(other[0], instance="i")
    again = at.join(instance="i")
    at.describe()
    at.leave("", instance="i")
    at.beat(again, instance="i")
    at.describe()


def static_member_beside_another(at):
    at.heartbeat("s", 0, [], instance="i")
    one = at.join(instance="j")
    at.describe()
    at.heartbeat("s", 2, [0, 1, 2, 3], instance="i")
    at.heartbeat("s", 2, [0, 1], instance="i")
    one = at.join(one[0], instance="j")
    at.sync(one)
    again = at.join(instance="j")
    at.beat(one, instance="j")
    at.describe()
    at.sync(again)
    at.heartbeat("s", -2, instance="i")
    at.describe()
    new = at.join(instance="i")
    at.describe()
    at.beat(again, instance="j")
    at.beat(new, instance="i")


def groups_that_stay_what_they_are(at):
    one = at.join(kind="connect", names=("default",), raw=b"x")
    at.sync(one, kind="connect", name="default")
    at.heartbeat("a", 0, [])
    at.leave(one[0])
    at.heartbeat("a", 0, [])
    at.heartbeat("a", -1)
    bad = at.join(raw=b"")
    at.sync(bad)
    at.heartbeat("a", 0, [])
    at.describe()


def an_unfinished_rebalance(at):
    at.counts = True
    one = at.join()
    at.heartbeat("a", 0, [])
    at.sync(one, {one[0]: ALL})
    at.describe()
    at.beat(one)
    one = at.join(one[0])
    at.sync(one)
    at.describe()


SCENARIOS = {
    one.__name__.replace("_", " "): one
    for one in (
        there_and_back,
        classic_comes_to_consumer,
        static_members,
        static_member_beside_another,
        groups_that_stay_what_they_are,
        an_unfinished_rebalance,
    )
}


def play(call, name, prefix):
    mover = Mover(call, prefix)
    mover.create(4)
    SCENARIOS[name](mover)
    return mover.said


if __name__ == "__main__":
    record(RECORDED, SCENARIOS, play)
