"""The cluster: topics, their configuration, and the bounds of all logs."""

import gc
from random import Random

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import LimitReached, Warned
from mockforge_brokers.kafka.codes import AlterConfigOp, ErrorCode
from mockforge_brokers.kafka.events import LogTruncated, ProducerFenced, TopicCreated, TopicDeleted
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.records import Record, build_batch, read_batch_header
from mockforge_brokers.kafka.state.cluster import Cluster
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.kafka.state.logs.largest import LargestLogs
from mockforge_brokers.kafka.state.logs.log import PartitionLog
from mockforge_brokers.kafka.state.logs.partitioner import murmur2
from mockforge_brokers.limits import Limits
from mockforge_brokers.usage import REPORT_EVERY

from ..calls import calls_of
from .refusals import refused


class Scene:
    """A cluster with its clock and everything that it emitted."""

    def __init__(self, limits=None, **options):
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=limits, journal=False)
        self.cluster = Cluster(self.environment, KafkaOptions(**options))
        self.events = []
        self.environment.spine.watch(self.events.append)

    def emitted(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def fill(self, log, batches, size=1000, **more):
        now = int(self.clock.wall() * 1000)
        for _ in range(batches):
            self.cluster.append(log, build_batch([Record(0, now, None, bytes(size))], **more))


def test_cluster_id_is_22_characters_and_topic_ids_are_new_on_re_creation():
    scene = Scene()
    assert len(scene.cluster.cluster_id) == 22
    first = scene.cluster.create_topic("t", source="a").topic_id
    scene.cluster.delete_topic("t", source="b")
    second = scene.cluster.create_topic("t", source="c").topic_id
    assert first != second
    assert bytes(16) not in (first, second)
    assert scene.cluster.topics.name_of(first) == "t", "rows of old frames can still name it"
    assert [e.source for e in scene.emitted(TopicCreated)] == ["a", "c"]
    assert [e.source for e in scene.emitted(TopicDeleted)] == ["b"]


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "ü", "x" * 250, "a/b"])
def test_illegal_names_are_refused(name):
    with refused(ErrorCode.INVALID_TOPIC_EXCEPTION):
        Scene().cluster.create_topic(name, source="")


def test_existing_topics_and_bad_partition_counts_are_refused():
    cluster = Scene().cluster
    cluster.create_topic("t", 2, source="")
    with refused(ErrorCode.TOPIC_ALREADY_EXISTS):
        cluster.create_topic("t", source="")
    with refused(ErrorCode.INVALID_PARTITIONS):
        cluster.create_topic("u", 0, source="")
    with refused(ErrorCode.INVALID_PARTITIONS):
        cluster.grow_topic("t", 2, source="")


def test_the_limit_of_partitions_is_told():
    scene = Scene(Limits(kafka_partitions=10))
    with refused(ErrorCode.POLICY_VIOLATION):
        scene.cluster.create_topic("t", 11, source="")
    assert scene.emitted(LimitReached)[0].limit == "kafka_partitions"


def test_full_broker_takes_from_the_largest_log():
    scene = Scene(Limits(kafka_total=150_000))
    small, large = scene.cluster.create_topic("t", 2, source="").logs
    scene.fill(small, 30)
    scene.fill(large, 80)
    scene.fill(small, 55)
    assert scene.cluster.bounds.cost <= 150_000
    assert scene.cluster.bounds.cost == small.cost + large.cost
    assert large.log_start_offset > 0


def test_all_logs_are_bounded_together_and_what_is_lost_is_counted():
    scene = Scene(Limits(kafka_total=100_000))
    log = scene.cluster.create_topic("t", 1, source="").logs[0]
    scene.fill(log, 50)
    assert log.log_start_offset == 0
    scene.fill(log, 150)
    scene.clock.advance(REPORT_EVERY)
    assert log.cost <= 100_000
    assert log.high_watermark == 200
    lost = scene.cluster.bounds.truncated
    assert lost == log.log_start_offset > 0
    first, rest = scene.emitted(LimitReached)
    assert (first.limit, first.where) == ("kafka_total", "t/0")
    assert first.lost + rest.lost == lost
    assert rest.effect == f"oldest records deleted: {rest.lost:,}, up to offset {lost - 1}"


def test_many_small_partitions_are_bounded_too():
    """No partition has more than one segment, so each gives the older half of it."""
    scene = Scene(Limits(kafka_total=400_000))
    logs = scene.cluster.create_topic("t", 50, source="").logs
    for _ in range(20):
        for log in logs:
            scene.fill(log, 1)
    assert scene.cluster.bounds.cost <= 400_000
    assert scene.cluster.bounds.cost == sum(log.cost for log in logs)
    for log in logs:
        (last,) = log.batches(log.high_watermark - 1, log.high_watermark - 1)
        assert read_batch_header(last).base_offset == 19


def test_one_large_batch_keeps_nobody_else_from_making_room():
    scene = Scene(Limits(kafka_total=200_000))
    large, *others = scene.cluster.create_topic("t", 5, source="").logs
    scene.cluster.append(large, build_batch([Record(0, 0, None, bytes(100_000))]))
    for log in others * 60:
        scene.fill(log, 1)
    assert scene.cluster.bounds.cost <= 200_000
    assert large.records == 1


def test_a_topic_is_configured_without_a_look_at_the_others():
    scene = Scene()
    one, other = (scene.cluster.create_topic(name, 1, source="").logs[0] for name in "ab")
    terms = one.terms, other.terms
    scene.cluster.configure_topic("a", [("retention.ms", AlterConfigOp.SET, "5")], source="")
    assert one.terms is not terms[0]
    assert other.terms is terms[1]
    scene.cluster.configuring.node("", [("log.retention.ms", AlterConfigOp.SET, "9")], source="")
    assert other.terms is not terms[1]


def test_retention_by_time_drops_what_is_older():
    scene = Scene()
    log = scene.cluster.create_topic("t", 1, configs={"retention.ms": "1000"}, source="").logs[0]
    scene.fill(log, 3)
    scene.clock.advance(299)
    assert log.log_start_offset == 0
    scene.clock.advance(1)
    assert (log.log_start_offset, log.high_watermark) == (3, 3)


def test_retention_by_bytes_bounds_one_topic():
    scene = Scene()
    configs = {"retention.bytes": "20000"}
    log = scene.cluster.create_topic("t", 1, configs=configs, source="").logs[0]
    scene.fill(log, 100)
    assert log.cost <= 20_000
    (event,) = scene.emitted(LogTruncated)
    assert event.reason == "larger than retention.bytes=20000"
    assert not scene.emitted(LimitReached), "somebody asked for it"


def test_smaller_message_limit_holds_at_once():
    scene = Scene()
    log = scene.cluster.create_topic("t", 1, source="").logs[0]
    scene.cluster.configure_topic("t", [("max.message.bytes", AlterConfigOp.SET, "100")], source="")
    with refused(ErrorCode.MESSAGE_TOO_LARGE):
        scene.fill(log, 1)


def test_configuration_is_altered_value_by_value_or_not_at_all():
    scene = Scene()
    topic = scene.cluster.create_topic("t", source="")
    change = scene.cluster.configure_topic
    change("t", [("cleanup.policy", AlterConfigOp.APPEND, "compact")], source="")
    assert topic.config.value("cleanup.policy") == "delete,compact"
    change("t", [("cleanup.policy", AlterConfigOp.SUBTRACT, "delete")], source="")
    assert topic.config.value("cleanup.policy") == "compact"
    change("t", [("flush.messages", AlterConfigOp.SET, "1")], source="")
    assert "not acted on" in scene.emitted(Warned)[-1].text
    change("t", [("flush.messages", AlterConfigOp.DELETE, None)], source="")
    with refused(ErrorCode.INVALID_CONFIG):
        change(
            "t",
            [
                ("retention.ms", AlterConfigOp.SET, "5"),
                ("retention.bytes", AlterConfigOp.SET, "many"),
            ],
            source="",
        )
    assert topic.config.own == {"cleanup.policy": "compact"}
    change("t", [("cleanup.policy", AlterConfigOp.DELETE, None)], source="")
    assert topic.config.own == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [("retention.ms", "-2"), ("nonsense", "1"), ("cleanup.policy", "burn"), ("preallocate", "1")],
)
def test_bad_configuration_is_refused(key, value):
    with refused(ErrorCode.INVALID_CONFIG):
        Scene().cluster.create_topic("t", configs={key: value}, source="")


def test_deleting_a_topic_forgets_what_groups_committed_of_it():
    scene = Scene()
    scene.cluster.create_topic("t", source="")
    scene.cluster.groups.offsets.commit("g", Committer(), {("t", 0): CommittedOffset(5)})
    group = scene.cluster.groups.by_id["g"]
    scene.cluster.delete_topic("t", source="")
    assert group.offsets.fetch("t", 0).offset == -1
    assert scene.cluster.bounds.cost == 0


def test_fenced_producer_is_told():
    scene = Scene()
    log = scene.cluster.create_topic("t", 1, source="").logs[0]
    scene.fill(log, 1, producer_id=5, producer_epoch=1, base_sequence=0)
    with refused(ErrorCode.INVALID_PRODUCER_EPOCH):
        scene.fill(log, 1, producer_id=5, producer_epoch=0, base_sequence=1)
    (event,) = scene.emitted(ProducerFenced)
    assert (event.producer_id, event.producer_epoch, event.current_epoch) == (5, 0, 1)


def test_watchers_see_records_of_their_topic_and_no_others():
    scene = Scene()
    seen, all_seen = [], []
    stop = scene.cluster.watchers.watch(seen.append, "t")
    scene.cluster.watchers.watch(all_seen.append)
    for name in ("t", "u"):
        scene.fill(scene.cluster.create_topic(name, 1, source="").logs[0], 2)
    assert [(event.destination, event.detail["offset"]) for event in seen] == [("t", 0), ("t", 1)]
    stop()
    scene.fill(scene.cluster.topics["t"].logs[0], 1)
    assert (len(seen), len(all_seen)) == (2, 5)


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_murmur2_is_javas(key, value):
    # The figures are those of Kafka's own UtilsTest.
    assert murmur2(key) == value & 0xFFFFFFFF


def test_room_is_made_without_a_look_at_all_of_very_many_logs_each_time():
    def calls(partitions):
        """Of 200 records at the limit, which each let an old one go."""
        scene = Scene(Limits(kafka_total=partitions * 2_000))
        cluster = scene.cluster
        logs = cluster.create_topic("t", partitions, source="test").logs
        batch = build_batch([Record(0, 1000, None, bytes(400))])
        for number in range(4 * partitions):
            cluster.append(logs[number % partitions], batch)
        assert cluster.bounds.cost > partitions * 1_000
        counted = calls_of(lambda: [cluster.append(log, batch) for log in logs[:200]])
        assert cluster.bounds.cost <= partitions * 2_000
        return counted

    assert calls(2_000) < 1.5 * calls(200)


def test_where_nothing_can_leave_it_is_not_looked_for_each_time():
    def calls(partitions):
        """Of the first records of the last 200 partitions, where there is no room for any."""
        cluster = Scene(Limits(kafka_total=5_000_000)).cluster
        logs = cluster.create_topic("t", partitions, source="test").logs
        batch = build_batch([Record(0, 1000, None, b"")])
        for log in logs[200:]:
            cluster.append(log, batch)
        for log in logs[:20]:
            cluster.append(log, build_batch([Record(0, 1000, None, bytes(300_000))]))
        assert cluster.bounds.cost > 5_000_000
        counted = calls_of(lambda: [cluster.append(log, batch) for log in logs[20:200]])
        assert cluster.bounds.truncated == 0
        return counted

    assert calls(2_000) < 1.5 * calls(300)


def test_what_grew_while_there_was_room_gives_some_where_those_known_have_none():
    scene = Scene(Limits(kafka_total=2_000_000))
    logs = scene.cluster.create_topic("t", 6, source="test").logs
    *large, small, first, second, last = logs
    for log in large:
        scene.fill(log, 1, size=990_000)
    scene.fill(small, 1, size=3_000)
    while not scene.cluster.bounds.truncated:
        scene.fill(first, 1, size=400)
    scene.cluster.delete_records(small, 1, reason="test")
    scene.fill(second, 4, size=400)
    scene.fill(last, 1, size=18_000)
    assert len(list(first.batches(0, 99))) == 1
    assert scene.cluster.bounds.cost <= 2_000_000


def test_of_records_that_were_deleted_before_the_space_leaves_until_there_is_room():
    scene = Scene(Limits(kafka_total=50_000))
    first, second = scene.cluster.create_topic("t", 2, source="test").logs
    scene.fill(first, 10)
    scene.cluster.delete_records(first, 9, reason="test")
    scene.fill(second, 1, size=45_000)
    assert first.cost + second.cost == scene.cluster.bounds.cost <= 50_000
    assert first.records == 1


def test_logs_that_made_room_are_not_kept_when_they_are_deleted():
    scene = Scene(Limits(kafka_total=200_000))
    cluster = scene.cluster
    # Names of its own: what other tests left behind is in this process, too.
    for name in ("room.gone", "room.stays"):
        for log in cluster.create_topic(name, 50, source="test").logs:
            scene.fill(log, 3)
    assert cluster.bounds.truncated
    del log
    cluster.delete_topic("room.gone", source="test")
    scene.clock.advance(0)
    gc.collect()
    kept = [one.topic for one in gc.get_objects() if isinstance(one, PartitionLog)]
    assert ("room.gone" in kept, kept.count("room.stays")) == (False, 50)


def test_the_largest_logs_make_room_however_they_came_to_be_so():
    """By chance: logs that grow, shrink and go, as a look at all of them says."""
    random = Random(1)
    logs = [PartitionLog("t", number) for number in range(30)]
    largest, came = LargestLogs(lambda: (one for one in logs if not one.deleted), 20_000), 0
    for _ in range(2_000):
        log = random.choice([one for one in logs if not one.deleted])
        if random.random() < 0.002:
            log.delete()
            continue
        if random.random() < 0.1:
            log.truncate_before(random.randrange(log.high_watermark + 1))
            continue
        batch = build_batch([Record(0, 1000, None, bytes(random.randrange(2_000)))])
        before = log.cost
        log.append(batch)
        came += log.cost - before
        if random.random() < 0.3:
            # There was room for it.
            continue
        largest.look(log, came, log.cost - before)
        taken = largest.take()
        able = [one for one in logs if not one.deleted and one.can_shrink]
        if taken is None:
            assert not able
            continue
        # Others may have grown since the last look at all of them, by so much.
        assert taken in able
        assert taken.cost >= max(one.cost for one in able) - 20_000
        taken.drop_oldest_segment()
        largest.put(taken)
