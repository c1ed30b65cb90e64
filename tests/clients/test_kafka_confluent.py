"""confluent-kafka (librdkafka) against our broker."""

import threading
from collections import Counter

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from mockforge_brokers.kafka.events import GroupRebalanced, MemberLeft

from mockforge_tui import MockForge

from .conftest import Servers, stored_codecs, wait_for

pytestmark = pytest.mark.client

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.fixture
def bootstrap(servers: Servers) -> str:
    return f"127.0.0.1:{servers.ports['kafka']}"


def produce(bootstrap, topic, count, **settings):
    """`count` keyed records, all confirmed; returns (partition, offset) of each."""
    producer = Producer({"bootstrap.servers": bootstrap, "client.id": "shop", **settings})
    places = []

    def delivered(error, message):
        assert error is None, error
        places.append((message.partition(), message.offset()))

    for number in range(count):
        producer.produce(
            topic,
            key=f"order-{number}",
            value=f'{{"id": {number}}}',
            headers=[("trace", f"t-{number}".encode()), ("empty", None)],
            on_delivery=delivered,
        )
    assert producer.flush(20) == 0
    return places


def consume(bootstrap, topic, count, group, **settings):
    """The first `count` records that a group of its own gets."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **settings,
        }
    )
    consumer.subscribe([topic])
    got = []

    def poll():
        message = consumer.poll(0.2)
        if message is not None:
            assert message.error() is None, message.error()
            got.append(message)
        return len(got) >= count

    try:
        wait_for(poll, what=f"{count} records of {topic}")
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    return got


def test_large_records_come_back_as_they_were_sent():
    values = [bytes([65 + number]) * (90_000 * (number + 1)) for number in range(10)]
    with MockForge(mqtt=False, amqp=False) as forge:
        bootstrap = forge.facts["kafka"]["bootstrap"]
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        for value in values * 3:
            producer.produce("large", value, partition=0)
        assert producer.flush(40) == 0
        assert [one.value() for one in consume(bootstrap, "large", 30, "large")] == values * 3


def test_producer_to_an_unknown_topic_makes_it_with_three_partitions(servers, bootstrap):
    places = produce(bootstrap, "confluent.orders", 300)
    assert len(places) == len(set(places)) == 300
    assert {partition for partition, _ in places} == {0, 1, 2}
    got = consume(bootstrap, "confluent.orders", 300, "confluent.orders.readers")
    assert {message.key() for message in got} == {f"order-{n}".encode() for n in range(300)}
    assert all(message.headers()[1] == ("empty", None) for message in got)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_every_codec_passes_unchanged(servers, bootstrap, codec, idempotent):
    topic = f"confluent.{codec}.{idempotent}".lower()
    # A batch of few records may be longer compressed, and is then sent as it is: the producer waits
    # for all of them, until it is flushed.
    lingers = {"linger.ms": 60_000, "batch.num.messages": 10_000}
    settings = {"compression.type": codec, "enable.idempotence": idempotent, **lingers}
    produce(bootstrap, topic, 200, **settings)
    got = consume(bootstrap, topic, 200, f"readers.of.{topic}")
    assert sorted(int(m.value().split()[1][:-1]) for m in got) == list(range(200))
    assert sum(view.messages_in for view in topics(servers, topic)) == 200
    assert stored_codecs(servers, topic) == {codec}


def topics(servers, name):
    broker = servers.brokers["kafka"]
    return [view for view in servers.call(broker.destinations) if view.name == name]


class Member(threading.Thread):
    """One consumer of a group, polling in a thread of its own until told to leave."""

    def __init__(self, bootstrap, group, topic, name):
        super().__init__(daemon=True)
        self.assigned: set[int] = set()
        self.seen: Counter[bytes] = Counter()
        self.leaving = threading.Event()
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": name,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "heartbeat.interval.ms": 100,
            }
        )
        self.consumer.subscribe([topic], on_assign=self.on_assign, on_revoke=self.on_revoke)

    def on_assign(self, consumer, partitions):
        self.assigned = {one.partition for one in partitions}

    def on_revoke(self, consumer, partitions):
        self.assigned = set()

    def run(self):
        while not self.leaving.is_set():
            message = self.consumer.poll(0.05)
            if message is not None and message.error() is None:
                self.seen[message.key()] += 1
        self.consumer.close()

    def leave(self):
        self.leaving.set()
        self.join(50)
        assert not self.is_alive()


def test_a_group_of_three_rebalances_when_one_leaves(servers, bootstrap):
    events = []
    environment = servers.environment
    stop = environment.spine.watch(events.append, GroupRebalanced, MemberLeft)
    produce(bootstrap, "confluent.work", 60)
    members = [Member(bootstrap, "workers", "confluent.work", f"worker-{n}") for n in range(3)]
    for member in members:
        member.start()
    wait_for(lambda: all(len(m.assigned) == 1 for m in members), what="one partition for each")
    wait_for(lambda: sum(sum(m.seen.values()) for m in members) >= 60, what="all records")
    members[0].leave()
    wait_for(lambda: sum(len(m.assigned) for m in members[1:]) == 3, what="three for two")
    produce(bootstrap, "confluent.work", 60)
    wait_for(lambda: sum(sum(m.seen.values()) for m in members) >= 120, what="records after it")
    view = next(v for v in servers.call(servers.brokers["kafka"].groups) if v.name == "workers")
    assert (view.state, view.members) == ("stable", 2)
    assert "worker-0 left" in view.reason
    ended = [one for one in view.detail["rebalances"] if one.took is not None]
    assert (ended[-1].members, ended[-1].reason) == (2, view.reason)
    assert "worker-" in ended[0].reason, "the first joined"
    for member in members[1:]:
        member.leave()
    stop()
    left = [one for one in events if isinstance(one, MemberLeft) and one.group == "workers"]
    assert left[0].client == "worker-0"


def test_committed_offsets_are_where_the_next_consumer_goes_on(servers, bootstrap):
    produce(bootstrap, "confluent.resume", 50)
    consume(bootstrap, "confluent.resume", 50, "resumers")
    produce(bootstrap, "confluent.resume", 7)
    assert len(consume(bootstrap, "confluent.resume", 7, "resumers")) == 7
    view = next(v for v in servers.call(servers.brokers["kafka"].groups) if v.name == "resumers")
    assert view.lag == 0


def test_static_member_comes_back_without_a_rebalance(servers, bootstrap):
    produce(bootstrap, "confluent.static", 5)
    static = {"group.instance.id": "desk-1", "session.timeout.ms": 30000}
    consume(bootstrap, "confluent.static", 5, "statics", **static)
    groups = servers.brokers["kafka"].cluster.groups
    generation = groups.by_id["statics"].generation_id
    produce(bootstrap, "confluent.static", 5)
    consume(bootstrap, "confluent.static", 5, "statics", **static)
    assert groups.by_id["statics"].generation_id == generation


def test_positions_by_time_and_watermarks(servers, bootstrap):
    broker = servers.brokers["kafka"]
    for second in range(10):
        servers.call(
            lambda s=second: broker.publish("confluent.time", b"x", partition=0, timestamp=1000 + s)
        )
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "confluent.time"})
    assert consumer.get_watermark_offsets(TopicPartition("confluent.time", 0), 10) == (0, 10)
    found = consumer.offsets_for_times([TopicPartition("confluent.time", 0, 1004_500)], 10)
    assert found[0].offset == 5
    consumer.close()


def test_admin_creates_grows_configures_describes_and_deletes(servers, bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic("confluent.admin", 2, 1, config={"retention.ms": "60000"})
    admin.create_topics([new])["confluent.admin"].result(30)
    with pytest.raises(KafkaException, match="already exists"):
        admin.create_topics([new])["confluent.admin"].result(30)
    admin.create_partitions([NewPartitions("confluent.admin", 5)])["confluent.admin"].result(30)
    metadata = admin.list_topics(timeout=30).topics["confluent.admin"]
    assert len(metadata.partitions) == 5
    resource = ConfigResource(ConfigResource.Type.TOPIC, "confluent.admin")
    configs = admin.describe_configs([resource])[resource].result(30)
    assert configs["retention.ms"].value == "60000"
    assert configs["cleanup.policy"].value == "delete"
    described = admin.describe_cluster().result(30)
    assert [node.id for node in described.nodes] == [1]
    assert len(described.cluster_id) == 22
    admin.delete_topics(["confluent.admin"])["confluent.admin"].result(30)
    assert "confluent.admin" not in admin.list_topics(timeout=30).topics


def test_admin_lists_and_describes_groups(servers, bootstrap):
    produce(bootstrap, "confluent.described", 3)
    member = Member(bootstrap, "described", "confluent.described", "desk")
    member.start()
    wait_for(lambda: len(member.assigned) == 3, what="an assignment")
    admin = AdminClient({"bootstrap.servers": bootstrap})
    listed = admin.list_consumer_groups().result(30)
    assert "described" in {group.group_id for group in listed.valid}
    group = admin.describe_consumer_groups(["described"])["described"].result(30)
    assert group.state.name == "STABLE"
    assert [one.client_id for one in group.members] == ["desk"]
    assert len(group.members[0].assignment.topic_partitions) == 3
    member.leave()


def test_groups_and_records_are_deleted(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic("deleting", 1, 1)])["deleting"].result()
    produce(bootstrap, "deleting", 5)
    consume(bootstrap, "deleting", 5, "deleting-group")
    (result,) = admin.delete_records([TopicPartition("deleting", 0, 3)]).values()
    assert result.result().low_watermark == 3

    def deleted():
        (future,) = admin.delete_consumer_groups(["deleting-group"]).values()
        refusal = future.exception()
        return refusal is None or "NON_EMPTY_GROUP" not in str(refusal)

    wait_for(deleted, what="the consumer's leave")
    listed = admin.list_consumer_groups().result().valid
    assert "deleting-group" not in [group.group_id for group in listed]
    every = (ResourceType.ANY, None, ResourcePatternType.ANY, None, None)
    acls = AclBindingFilter(*every, AclOperation.ANY, AclPermissionType.ANY)
    # librdkafka makes no error of SECURITY_DISABLED, with Apache Kafka neither.
    assert admin.describe_acls(acls).result() == []


def test_a_consumer_that_a_quota_throttles_gets_each_record_once():
    sent = [b"%03d" % number + b"x" * 3000 for number in range(69)]
    throttled = []
    with MockForge(mqtt=False, amqp=False) as servers:
        address = servers.facts["kafka"]["bootstrap"]
        # In batches that are small against what 10 seconds allow.
        producer = Producer({"bootstrap.servers": address, "batch.num.messages": 1})
        for value in sent:
            producer.produce("confluent.throttled", value, partition=0)
        assert producer.flush(20) == 0
        servers.run("quota set client-id:greedy --consumer 20000")
        got = consume(
            address,
            "confluent.throttled",
            len(sent),
            "greedy",
            **{"client.id": "greedy", "throttle_cb": throttled.append},
        )
    assert [message.value() for message in got] == sent
    # On a slow machine there may be none; a wait never lasts longer for the ones before it.
    assert all(event.throttle_time < 11 for event in throttled)
