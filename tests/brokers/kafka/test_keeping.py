"""What Kafka has on disk is what it would keep over a restart."""

from functools import partial
from itertools import pairwise

import pytest
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.codes import AlterConfigOp, ErrorCode
from mockforge_brokers.kafka.records import Record, build_batch, read_batch_header
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.kafka.state.logs.transactions import Marker
from mockforge_brokers.kafka.state.transactions.transaction import ProducerIdAndEpoch
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.storage.facts import row_number

from ..storage.memory_disk import MemoryDisk
from .scene import Scene, produce


def begun(disk):
    """A broker that begins with what is on this disk and keeps things there."""
    scene = Scene(disk=disk)
    scene.broker.take_up(disk.kept())
    return scene


def reopened(disk):
    """Another broker that begins with what is on this disk, with a disk of its own."""
    scene = Scene(disk=MemoryDisk())
    scene.broker.take_up(disk.kept())
    return scene


def kept(scene):
    """Without what nobody would miss: groups that committed nothing."""
    values = scene.broker.dump()
    values["groups"] = [group for group in values["groups"] if group["offsets"]]
    for key in ("topics", "groups", "transactions"):
        values[key] = sorted(values[key], key=str)
    return values


def furnished(disk):
    scene = begun(disk)
    broker = scene.broker
    broker.create_topic("orders", 3, {"retention.ms": "-1"})
    broker.create_topic("empty", 1)
    broker.create_topic("gone", 2)
    for number in range(9):
        broker.publish("orders", b"%d" % number, key=b"k%d" % number, headers=[("h", None)])
    broker.publish("gone", b"x", partition=1)
    broker.grow_topic("orders", 4)
    broker.configure_topic("empty", "cleanup.policy", "delete")
    broker.cluster.configure_topic(
        "orders", [("retention.bytes", AlterConfigOp.SET, "1000000")], source="test"
    )
    broker.delete_topic("gone")
    broker.cluster.delete_records(broker.cluster.topics["orders"].logs[0], 1, reason="")
    broker.publish("empty", b"purged")
    broker.purge_topic("empty")
    for sequence in range(3):
        scene.call(
            produce("empty", b"v", producer_id=77, producer_epoch=2, base_sequence=sequence), 9
        )
    broker.reset_offsets("billing", "orders", {0: 1, 2: 0})
    broker.cluster.groups.offsets.commit("left", Committer(), {("orders", 1): CommittedOffset(3)})
    broker.cluster.groups.delete("left", source="test")
    return scene


def test_what_is_on_disk_is_what_a_restart_keeps():
    disk = MemoryDisk()
    scene = furnished(disk)
    scene.clock.advance(1)
    assert kept(reopened(disk)) == kept(scene)


@pytest.mark.parametrize("size", [100_000, 300_000])
@pytest.mark.parametrize("cuts", [(), (50,), (65_536, 131_072), (99_000, 99_001)])
@pytest.mark.parametrize("prompt", [False, True])
def test_a_large_batch_is_on_disk_however_it_came(size, cuts, prompt):
    disk = MemoryDisk()
    disk.store_for = partial(disk.store_for, prompt=prompt)
    scene = begun(disk)
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    values = [b"a", b"b" * size, b"c" * size]
    for number, value in enumerate(values):
        frame = encode_request(produce("t", value), 9, number, "shop")
        for start, end in pairwise((0, *(cut for cut in cuts if cut < len(frame)), len(frame))):
            client.send(frame[start:end])
            disk.store.commit()
    scene.clock.advance(1)
    (log,) = scene.broker.cluster.topics["t"].logs
    # A header that came in two pieces is joined with all that is behind it.
    assert disk.in_parts == (2 if size > 256 * 1024 and cuts != (50,) else 0)
    rows = [value for number, value in disk.rows.items() if number >> 40 == log.number]
    batches = [bytes(batch) for segment in log.segments for batch in segment.batches]
    assert rows == batches
    found = reopened(disk).broker.read("t", 0, 0, 10)
    assert [record.value for record in found] == values


def test_what_compaction_took_is_gone_from_disk():
    disk = MemoryDisk()
    scene = begun(disk)
    scene.broker.create_topic("accounts", 1, {"cleanup.policy": "compact"})
    for number in range(6):
        scene.broker.publish("accounts", b"%d" % number, key=b"k%d" % (number % 2))
    scene.clock.advance(1)
    assert scene.broker.compact_topic("accounts") == 4
    scene.clock.advance(1)
    assert kept(reopened(disk)) == kept(scene)
    (log,) = reopened(disk).broker.cluster.topics["accounts"].logs
    assert (log.log_start_offset, log.records) == (0, 2)


def test_a_batch_that_two_compactions_in_a_moment_took_is_gone_from_disk():
    """The first one leaves a part of it, which the second one takes before that is written."""
    disk = MemoryDisk()
    scene = begun(disk)
    scene.broker.create_topic("accounts", 1, {"cleanup.policy": "compact"})
    (log,) = scene.broker.cluster.topics["accounts"].logs
    now = int(scene.clock.wall() * 1000)
    records = [Record(0, now, key, b"old") for key in (b"a", b"b")]
    scene.broker.cluster.append(log, build_batch(records))
    scene.clock.advance(1)
    for key in (b"a", b"b"):
        scene.broker.publish("accounts", b"new", key=key)
        assert scene.broker.compact_topic("accounts") == 1
    assert [offset for offset, _ in disk.kept().log(log.number)] == [0], "not written yet"
    scene.clock.advance(1)
    assert [offset for offset, _ in disk.kept().log(log.number)] == [2, 3]
    assert kept(reopened(disk)) == kept(scene)


def test_altered_configurations_of_brokers_and_groups_are_kept():
    disk = MemoryDisk()
    scene = begun(disk)
    configuring = scene.broker.cluster.configuring
    set_to = AlterConfigOp.SET
    configuring.node("", [("log.retention.ms", set_to, "5")], source="test")
    configuring.group("g", [("consumer.session.timeout.ms", set_to, "50000")], source="test")
    scene.clock.advance(1)
    other = reopened(disk).broker.cluster
    assert other.config.value("log.retention.ms") == "5"
    assert other.configuring.groups.value("g", "consumer.session.timeout.ms") == "50000"


def test_transactions_are_read_from_the_logs_again():
    disk = MemoryDisk()
    scene = begun(disk)
    cluster = scene.broker.cluster
    scene.broker.create_topic("t", 2)
    who = cluster.transactions.take("id", 60)
    for committed in (True, False):
        cluster.transactions.add_partitions("id", who, [("t", 0), ("t", 1)], bumps=False)
        for partition in (0, 1):
            batch = produce(
                "t",
                b"v",
                producer_id=who.producer_id,
                producer_epoch=who.producer_epoch,
                base_sequence=not committed,
                transactional=True,
            )
            records = batch.topic_data[0].partition_data[0].records
            log = cluster.topics["t"].logs[partition]
            cluster.append(log, records, begin=lambda log, header: None)
        cluster.transactions.add_group("id", who, "billing")
        cluster.groups.offsets.commit(
            "billing",
            Committer(),
            {("t", 0): CommittedOffset(5)},
            producer_id=who.producer_id,
        )
        who = finished(cluster.transactions.end("id", who, committed=committed, bumps=False))
    cluster.transactions.add_partitions("id", who, [("t", 0)], bumps=True)
    scene.clock.advance(1)
    again = reopened(disk)
    assert kept(again) == kept(scene)
    assert again.broker.cluster.transactions.by_id["id"].is_open
    assert finished(
        again.broker.cluster.transactions.end(
            "id", ProducerIdAndEpoch(*who), committed=True, bumps=False
        )
    )


def test_a_restart_writes_nothing_and_goes_on_with_the_same_rows():
    disk = MemoryDisk()
    scene = furnished(disk)
    scene.clock.advance(1)
    before = dict(disk.rows), disk.store.facts
    for hard in (False, True):
        scene.broker.restart(hard=hard)
    scene.clock.advance(1)
    assert (disk.rows, disk.store.facts) == before
    scene.broker.publish("orders", b"after", partition=1)
    scene.clock.advance(1)
    assert kept(reopened(disk)) == kept(scene)


def test_a_reset_leaves_an_empty_disk():
    disk = MemoryDisk()
    scene = furnished(disk)
    scene.clock.advance(1)
    scene.broker.reset()
    scene.clock.advance(1)
    assert disk.rows == {}
    left = {kind for kind, names in disk.entities.items() if names}
    assert left == {"kafka.cluster"}


def test_what_a_kill_amid_a_deletion_left_of_a_log_is_not_taken_for_a_new_ones():
    disk = MemoryDisk()
    scene = begun(disk)
    scene.broker.create_topic("gone", 1)
    for value in (b"0", b"1", b"2"):
        scene.broker.publish("gone", value)
    (log,) = scene.broker.cluster.topics["gone"].logs
    scene.broker.cluster.delete_records(log, 3, reason="")
    scene.clock.advance(0.01)
    # A topic goes first, its logs in steps behind that.
    del disk.entities["kafka.topic"][b"gone"]
    assert list(disk.entities["kafka.log"]) == [b"%d" % log.number]
    scene = begun(disk)
    scene.broker.create_topic("new", 1)
    scene.broker.publish("new", b"0")
    scene.clock.advance(0.01)
    assert disk.entities["kafka.log"] == {}
    assert kept(reopened(disk)) == kept(scene)


def test_a_cluster_id_and_producer_ids_go_on():
    disk = MemoryDisk()
    scene = begun(disk)
    first = scene.broker.cluster.next_producer_id()
    scene.clock.advance(1)
    again = reopened(disk).broker.cluster
    assert again.cluster_id == scene.broker.cluster.cluster_id
    assert again.next_producer_id() == first + 1


def test_while_nothing_can_be_written_records_are_refused():
    disk = MemoryDisk(at_once=False)
    scene = Scene(disk=disk)
    scene.broker.create_topic("t", 1)
    scene.clock.advance(1)
    disk.store.failed("the disk is full")
    part = scene.call(produce("t", b"v"), 9).responses[0].partition_responses[0]
    assert part.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    disk.commit()
    part = scene.call(produce("t", b"v"), 9).responses[0].partition_responses[0]
    assert part.error_code == 0


def test_a_restart_in_the_group_in_which_records_came_keeps_each_once():
    disk = MemoryDisk()
    scene = begun(disk)
    scene.broker.create_topic("orders", 1)
    scene.broker.publish("orders", b"0")
    scene.broker.restart()
    scene.broker.publish("orders", b"1")
    assert scene.broker.cluster.topics["orders"].records == 2
    scene.clock.advance(1)
    assert kept(reopened(disk)) == kept(scene)


def test_a_kill_in_the_group_in_which_something_came_loses_that_alone():
    disk = MemoryDisk()
    scene = begun(disk)
    broker = scene.broker
    broker.create_topic("orders", 2, {"cleanup.policy": "compact"})
    broker.create_topic("stays", 1)
    for number in range(6):
        broker.publish("orders", b"%d" % number, key=b"k%d" % (number % 2), partition=0)
    broker.reset_offsets("billing", "orders", {0: 1})
    scene.call(produce("stays", b"v", producer_id=77, producer_epoch=2, base_sequence=0), 9)
    scene.clock.advance(1)
    confirmed = kept(scene)
    # All of it is in one group, which nobody was told of.
    broker.compact_topic("orders")
    broker.publish("orders", b"lost", key=b"k0", partition=0)
    broker.publish("orders", b"lost", key=b"k1", partition=1)
    broker.reset_offsets("billing", "orders", {0: 6})
    broker.create_topic("lost", 1)
    broker.publish("lost", b"lost")
    broker.delete_topic("stays")
    scene.broker.restart(hard=True)
    assert kept(scene) == confirmed
    scene.clock.advance(1)
    assert kept(reopened(disk)) == confirmed
    # Its producer, who heard nothing, sends the next one again: with the sequence that is due.
    again = produce("stays", b"w", producer_id=77, producer_epoch=2, base_sequence=1)
    part = scene.call(again, 9).responses[0].partition_responses[0]
    assert (part.error_code, part.base_offset) == (0, 1)
    scene.clock.advance(1)
    assert kept(reopened(disk)) == kept(scene)


def test_a_kill_before_anything_was_on_disk_leaves_an_empty_broker():
    disk = MemoryDisk()
    scene = begun(disk)
    scene.broker.create_topic("orders", 1)
    scene.broker.restart(hard=True)
    assert not scene.broker.cluster.topics
    scene.clock.advance(1)
    assert kept(reopened(disk)) == kept(scene)


def test_what_other_protocols_have_left_to_do_is_kept_over_a_kill():
    disk = MemoryDisk()
    scene = furnished(disk)
    scene.clock.advance(1)
    store = disk.store
    log = store.new_log("amqp")

    def dead_lettering():
        yield
        store.append(log, 1, b"dead letter")

    scene.environment.chores.later(dead_lettering())
    # Else all that Kafka knows is on disk, and nothing is to be read again.
    scene.broker.publish("orders", b"lost", partition=1)
    scene.broker.restart(hard=True)
    scene.clock.advance(1)
    assert disk.rows[row_number(log, 1)] == b"dead letter"


def test_while_nothing_can_be_written_a_kill_keeps_what_is_there():
    disk = MemoryDisk(at_once=False)
    scene = begun(disk)
    scene.broker.create_topic("orders", 1)
    scene.clock.advance(1)
    disk.full = True
    disk.store.failed("the disk is full")
    scene.broker.restart(hard=True)
    assert list(scene.broker.cluster.topics) == ["orders"]


def test_a_marker_of_which_nothing_is_left_is_no_hindrance_to_a_start():
    disk = MemoryDisk()
    scene = begun(disk)
    scene.broker.create_topic("t", 1, {"cleanup.policy": "compact", "delete.retention.ms": "0"})
    (log,) = scene.broker.cluster.topics["t"].logs
    # Its transaction wrote nothing here, and the log's last batch stays for its offset.
    scene.broker.cluster.append_marker(log, Marker(7, 0, committed=True))
    for _ in range(2):
        scene.broker.compact_topic("t")
    (last,) = log.batches(0, 0)
    assert read_batch_header(last).record_count == 0
    scene.clock.advance(1)
    (again,) = reopened(disk).broker.cluster.topics["t"].logs
    assert again.high_watermark == 1


def test_a_consumer_goes_on_behind_records_that_a_disk_lost():
    disk = MemoryDisk()
    scene = begun(disk)
    scene.broker.create_topic("t", 1)
    for number in range(6):
        scene.broker.publish("t", b"%d" % number)
    scene.clock.advance(1)
    for number in sorted(disk.rows)[2:4]:
        del disk.rows[number]
    (log,) = reopened(disk).broker.cluster.topics["t"].logs
    for offset, first in ((1, 1), (2, 4), (3, 4), (4, 4)):
        batches = log.read(offset, 1).batches
        assert [read_batch_header(one).base_offset for one in batches] == [first]
    assert log.records == 4
