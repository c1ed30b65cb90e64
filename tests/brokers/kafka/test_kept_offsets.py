"""What groups committed is on disk as a row for each partition."""

import random
from functools import partial

import pytest
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from msgspec import msgpack

from ..storage.memory_disk import MemoryDisk
from .scene import Scene, Turning
from .test_keeping import begun, reopened

KIND = "kafka.group"


def kept(scene):
    groups = [each for each in scene.broker.dump()["groups"] if each["offsets"] or each["pending"]]
    return sorted(groups, key=lambda each: each["group_id"])


def committed(offset, group="g", **by_topic):
    """A step that commits one offset in these partitions."""
    places = {
        (topic, at): CommittedOffset(offset) for topic, some in by_topic.items() for at in some
    }

    def step(scene):
        scene.broker.cluster.groups.offsets.commit(group, Committer(), places)

    return step


def with_topics(disk, **partitions):
    scene = begun(disk)
    for topic, count in partitions.items():
        scene.broker.create_topic(topic, count)
    return scene


def test_a_commit_writes_what_it_changes_and_no_more():
    disk = MemoryDisk()
    scene = with_topics(disk, many=300)
    committed(1, many=range(300))(scene)
    scene.clock.advance(1)
    rows, row = len(disk.rows), disk.entities[KIND][b"g"]
    assert (rows, len(row) < 200) == (300, True)
    disk.store.prompt = True
    for offset in range(2, 5):
        committed(offset, many=[7])(scene)
        disk.store.commit()
    assert [msgpack.decode(value)[0] for value in disk.rows_alone] == [2, 3, 4]
    assert max(map(len, disk.rows_alone)) < 40
    assert (len(disk.rows), disk.entities[KIND][b"g"]) == (rows, row)
    assert kept(reopened(disk)) == kept(scene)


def test_a_group_of_an_older_folder_is_read_and_written_in_rows_when_it_changes():
    disk = MemoryDisk()
    scene = with_topics(disk, a=3, b=2)
    committed(1, a=range(3), b=[0])(scene)
    groups = scene.broker.cluster.groups
    pending = {("b", 1): CommittedOffset(9)}
    groups.offsets.commit("g", Committer(), pending, producer_id=5)
    scene.clock.advance(1)
    before = [each | {"log": None} for each in kept(scene)]
    # As its row was: with all of it.
    disk.entities[KIND][b"g"] = msgpack.encode(before[0])
    disk.rows.clear()
    again = begun(disk)
    again.clock.advance(1)
    assert (kept(again), disk.rows) == (before, {})
    again.broker.restart()
    committed(2, a=[1])(again)
    again.clock.advance(1)
    assert len(disk.rows) == 5
    assert len(disk.entities[KIND][b"g"]) < 200
    assert kept(reopened(disk)) == kept(again)
    found = reopened(disk).broker.cluster.groups.by_id["g"].offsets
    assert [found.fetch("a", at).offset for at in range(3)] == [1, 2, 1]
    assert found.is_unstable("b", 1)


class Changes:
    """By chance: what changes the offsets of groups, and goes on after restarts and kills."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.disk = MemoryDisk()
        self.scene = with_topics(self.disk, a=3, b=3)
        self.offset = 0

    @property
    def offsets(self):
        return self.scene.broker.cluster.groups.offsets

    def some(self):
        places = [(topic, at) for topic in "ab" for at in range(3)]
        self.offset += 1
        chosen = self.random.sample(places, self.random.randint(1, 4))
        return {place: CommittedOffset(self.offset) for place in chosen}

    def group(self):
        return self.random.choice("gh")

    def commit(self):
        self.offsets.commit(self.group(), Committer(), self.some())

    def hold(self):
        who = self.random.choice((5, 6))
        self.offsets.commit(self.group(), Committer(), self.some(), producer_id=who)

    def settle(self):
        who, commits = self.random.choice((5, 6)), self.random.random() < 0.7
        finished(self.offsets.settle(self.group(), who, committed=commits))

    def forget(self):
        group = self.scene.broker.cluster.groups.by_id.get(self.group())
        for topic, at in self.some() if group is not None else ():
            self.offsets.delete(group, topic, at, frozenset())

    def topic(self):
        topic = self.random.choice("ab")
        self.scene.broker.delete_topic(topic)
        self.scene.broker.create_topic(topic, 3)

    def delete(self):
        name = self.group()
        if name in self.scene.broker.cluster.groups.by_id:
            self.scene.broker.cluster.groups.delete(name, source="test")

    def restart(self):
        self.scene.broker.restart()

    def kill(self):
        self.scene.clock.advance(0.1)
        self.scene.broker.restart(hard=True)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_on_disk_is_what_groups_committed_whatever_happened(seed):
    changes = Changes(seed)
    often = ["commit"] * 6 + ["hold"] * 4 + ["settle"] * 3
    rare = ["forget", "forget", "topic", "delete", "restart", "kill"]
    for _ in range(12):
        done = changes.random.choices(often + rare, k=changes.random.randint(1, 6))
        for each in done:
            getattr(changes, each)()
        changes.scene.clock.advance(0.1)
        assert kept(reopened(changes.disk)) == kept(changes.scene), done
    wanted = sum(
        len(each["pending"]) and sum(map(len, each["pending"].values()))
        for each in kept(changes.scene)
    ) + sum(len(some) for each in kept(changes.scene) for some in each["offsets"].values())
    assert len(changes.disk.rows) == wanted


def commit_of(count, offset):
    parts = [
        OffsetCommitRequestPartition(partition_index=at, committed_offset=offset)
        for at in range(count)
    ]
    topic = OffsetCommitRequestTopic(name="many", partitions=parts)
    return OffsetCommitRequest(group_id="g", member_id="", topics=[topic])


def test_a_kill_amid_a_commit_of_thousands_leaves_each_offset_whole():
    disk = MemoryDisk()
    disk.store_for = partial(disk.store_for, prompt=True)
    scene = Scene(disk=disk, clock=Turning())
    scene.broker.take_up(disk.kept())
    scene.broker.create_topic("many", 1200)
    scene.environment.turn.length = -1.0
    client = scene.network.connect()
    met = []
    for offset in (1, 2):
        scene.ask(client, commit_of(1200, offset), 8)
        written = None
        while not (answered := client.take()):
            scene.clock.turn()
            scene.network.settle()
            disk.store.commit()
            if written != disk.store.rows_written:
                written = disk.store.rows_written
                met.append([msgpack.decode(row)[0] for row in disk.rows.values()])
        assert answered
    counts = [{one: offsets.count(one) for one in offsets} for offsets in met]
    assert {1: 700, 2: 500} in counts, "a start after a kill would find these"
    assert counts[-1] == {2: 1200}
    assert kept(reopened(disk)) == kept(scene)


def test_a_kill_amid_the_end_of_a_transaction_goes_on_with_it():
    disk = MemoryDisk()
    scene = with_topics(disk, many=300)
    cluster = scene.broker.cluster
    who = cluster.transactions.take("id", 60)
    cluster.transactions.add_group("id", who, "g")
    held = {("many", at): CommittedOffset(at) for at in range(300)}
    cluster.groups.offsets.commit("g", Committer(), held, producer_id=who.producer_id)
    committed(1000, many=[5])(scene)
    scene.clock.advance(1)
    steps = cluster.transactions.end("id", who, committed=True, bumps=False)
    next(steps)
    next(steps)
    scene.clock.advance(0.1)
    counts = {number: len(each["offsets"]["many"]) for number, each in enumerate(kept(scene))}
    assert 1 < counts[0] < 300
    again = reopened(disk)
    again.clock.advance(1)
    found = again.broker.cluster.groups.by_id["g"].offsets
    assert not found.pending
    assert [found.fetch("many", at).offset for at in range(7)] == [0, 1, 2, 3, 4, 1000, 6]
    assert len(found.topics["many"]) == 300
