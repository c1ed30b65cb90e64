"""Commits of a member of the consumer protocol at each epoch (KIP-1251), for two brokers.

`python -m tests.brokers.kafka.committing HOST:PORT` keeps what Apache Kafka answers in
`recorded/committing.json` (started with `group.consumer.assignment.interval.ms=0`).
"""

import time
from pathlib import Path

from mockforge_brokers.kafka.wire.messages import offsets, transactions

from .asking import record
from .member_grid import ALL, Beating

RECORDED = Path(__file__).parent / "recorded" / "committing.json"
OFFSET_VERSIONS = (7, 8, 9)
TRANSACTION_VERSIONS = (3, 4, 5, 6)


class Committing(Beating):
    def note(self, what, outcome):
        """Each answer has a name here, and is kept by that."""
        return outcome

    def commit(self, member, epoch, partitions, version):
        parts = [
            offsets.OffsetCommitRequestPartition(partition_index=one, committed_offset=1)
            for one in partitions
        ]
        request = offsets.OffsetCommitRequest(
            group_id=self.group,
            member_id=member,
            generation_id_or_member_epoch=epoch,
            topics=[offsets.OffsetCommitRequestTopic(name=self.topic, partitions=parts)],
        )
        (topic,) = self.call(request, version).topics
        return [one.error_code for one in topic.partitions]

    def commit_in_transaction(self, who, member, epoch, partitions, version):
        parts = [
            transactions.TxnOffsetCommitRequestPartition(
                partition_index=one, committed_offset=1, committed_metadata=""
            )
            for one in partitions
        ]
        # By id in the newest version.
        topic_id = self.topic_uuid if version >= 6 else bytes(16)
        topic = transactions.TxnOffsetCommitRequestTopic(
            name=self.topic, topic_id=topic_id, partitions=parts
        )
        request = transactions.TxnOffsetCommitRequest(
            transactional_id=self.id,
            group_id=self.group,
            producer_id=who[0],
            producer_epoch=who[1],
            generation_id=epoch,
            member_id=member,
            topics=[topic],
        )
        (found,) = self.call(request, version).topics
        return [one.error_code for one in found.partitions]


def play(call, prefix):
    """By who commits, how, at which epoch and what: the codes."""
    player = Committing(call, prefix)
    player.create(4)
    player.topic_uuid = player.topic_id
    first = player.settle_in("m")["m"]
    said = {}
    # `m` has all, and is to give up half to `n`.
    newcomer = player.beat_as("n", 0).member_epoch
    kept = tuple(player.beat_as("m", first, owned=ALL).assignment.topic_partitions[0].partitions)
    given_up = tuple(one for one in ALL if one not in kept)
    said |= _commits(player, "asked to give up", "m", first, kept, given_up)
    now = player.beat_as("m", first, owned=kept).member_epoch
    said |= _commits(player, "gave up", "m", now, kept, given_up)
    player.beat_as("n", newcomer, owned=())
    said |= _commits(player, "newcomer", "n", newcomer, given_up, kept)
    player.beat_as("n", -1)
    player.beat_as("m", now, owned=kept)
    last = player.beat_as("m", now, owned=ALL).member_epoch
    said |= _commits(player, "has all again", "m", last, kept, given_up)
    player.group = f"{prefix}static"
    epoch = player.settle_in("m", instance="i")["m"]
    player.beat_as("m", -2, instance_id="i")
    said |= _commits(player, "away", "m", epoch, ALL, ())
    epoch = player.beat_as("x", 0, instance_id="i").member_epoch
    said |= _commits(player, "back", "x", epoch, ALL, ())
    return said


def _commits(player, state, member, now, first, second):
    said = {}
    who = player.init()
    player.add_group(who)

    def commit(at, name, epoch, parts):
        for version in OFFSET_VERSIONS:
            said[f"{state} / {at} v{version}"] = player.commit(name, epoch, parts, version)
        for version in TRANSACTION_VERSIONS:
            codes = player.commit_in_transaction(who, name, epoch, parts, version)
            said[f"{state} / {at} in a transaction v{version}"] = codes

    for name, epoch in (("now", now), ("before", now - 1), ("long ago", 0), ("later", now + 1)):
        for what, parts in (("its own", first), ("others", second), ("both", first + second)):
            if parts:
                commit(f"{what} at {name}", member, epoch, parts)
    for other, epoch in ((member, -1), ("", -1), ("stranger", now)):
        commit(f"{other or 'nobody'} at {'none' if epoch < 0 else 'now'}", other, epoch, first)
    player.end(who, committed=False, version=3)
    return said


if __name__ == "__main__":
    record(lambda call: play(call, f"c{int(time.time())}."), RECORDED)
