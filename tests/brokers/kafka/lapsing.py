"""What expires of what groups committed, and when: the same story told to two brokers.

`python -m tests.brokers.kafka.lapsing HOST:PORT` keeps what Apache Kafka shows at four moments in
`recorded/lapsing.json`. It takes a minute and a half, since `offsets.retention.minutes` is 1 at the
least; start Apache Kafka with that and with `offsets.retention.check.interval.ms=2000`.
"""

import time
from pathlib import Path

from mockforge_brokers.kafka.wire.messages import groups, offsets

from .asking import record
from .committing import Committing
from .member_grid import ALL

RECORDED = Path(__file__).parent / "recorded" / "lapsing.json"
CONFIGS = {"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "2000"}
STEP = 6
LOOKS = (12, 54, 72, 90)
"""Seconds; at 42 a person commits once more, at 78 the member of the consumer protocol leaves."""
NAMES = ("consumers", "classic", "emptied", "never committed", "chosen", "longer", "in transaction")


class Lapsing(Committing):
    def __init__(self, call, prefix):
        super().__init__(call, prefix)
        self.other = f"{prefix}u"

    def at(self, group):
        self.group = self.prefix + group.replace(" ", "-")

    def keep(self, group, *partitions, member=("", -1), topic=None, retention=None):
        self.at(group)
        parts = [
            offsets.OffsetCommitRequestPartition(partition_index=one, committed_offset=1)
            for one in partitions
        ]
        request = offsets.OffsetCommitRequest(
            group_id=self.group,
            member_id=member[0],
            generation_id_or_member_epoch=member[1],
            retention_time_ms=-1 if retention is None else retention,
            topics=[offsets.OffsetCommitRequestTopic(name=topic or self.topic, partitions=parts)],
        )
        version = 9 if retention is None else 4
        codes = [one.error_code for one in self.call(request, version).topics[0].partitions]
        assert not any(codes), codes

    def leave(self, member):
        gone = groups.MemberIdentity(member_id=member)
        self.call(groups.LeaveGroupRequest(group_id=self.group, members=[gone]), 4)

    def look(self):
        """By group what is left, by topic and partition; a group that is gone is not there."""
        listed = {one.group_id for one in self.call(groups.ListGroupsRequest(), 5).groups}
        found = {}
        for name in NAMES:
            self.at(name)
            if self.group in listed:
                found[name] = [
                    f"{topic.name.removeprefix(self.prefix)}/{part.partition_index}"
                    for topic in sorted(self._kept(), key=lambda topic: topic.name)
                    for part in sorted(topic.partitions, key=lambda part: part.partition_index)
                ]
        return found

    def _kept(self):
        wanted = offsets.OffsetFetchRequestGroup(group_id=self.group, topics=None)
        return self.call(offsets.OffsetFetchRequest(groups=[wanted]), 8).groups[0].topics


def play(call, prefix, sleep=time.sleep):
    """By moment what is left of each group."""
    player = Lapsing(call, prefix)
    player.create(4)
    player.topic_uuid = player.topic_id
    topic, player.topic = player.topic, player.other
    player.create(4)
    player.topic = topic
    player.at("consumers")
    epoch = player.settle_in("m")["m"]
    player.keep("consumers", 0, member=("m", epoch))
    player.at("classic")
    member = player.join()
    player.sync(member, {member[0]: ALL})
    player.keep("classic", 0, member=member)
    player.keep("classic", 0, member=member, topic=player.other)
    for name in ("emptied", "never committed"):
        player.at(name)
        gone = player.join()
        player.sync(gone, {gone[0]: ()})
        if name == "emptied":
            player.keep(name, 0, member=gone)
        player.leave(gone[0])
    player.keep("chosen", 0, retention=5_000)
    player.keep("longer", 0, retention=200_000)
    player.keep("in transaction", 0, 1)
    who = player.init(timeout=300_000)
    player.commit_offset(who, 9, 5)
    said = {}
    for moment in range(STEP, LOOKS[-1] + 1, STEP):
        sleep(STEP)
        if moment == 42:
            player.keep("emptied", 1)
        player.at("consumers")
        if moment <= 78:
            player.beat_as("m", -1 if moment == 78 else epoch)
        player.at("classic")
        player.call(
            groups.HeartbeatRequest(
                group_id=player.group, member_id=member[0], generation_id=member[1]
            ),
            3,
        )
        if moment in LOOKS:
            said[f"after {moment} s"] = player.look()
    return said


if __name__ == "__main__":
    record(lambda call: play(call, f"x{int(time.time())}."), RECORDED)
