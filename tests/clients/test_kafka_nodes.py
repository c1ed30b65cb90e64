"""Several Kafka nodes: clients follow leaders and coordinators that move, stop and come back."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from mockforge_brokers.errors import InvalidInput

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def mockforge() -> Iterator[MockForge]:
    with MockForge(kafka_nodes=3) as running:
        running.run("topic add orders -p 3")
        yield running


class Sent:
    """An idempotent producer that numbers what it sends."""

    def __init__(self, mockforge: MockForge) -> None:
        self.count = 0
        self.errors: list[str] = []
        self.producer = Producer(
            {
                "bootstrap.servers": mockforge.kafka.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 0,
                "retry.backoff.ms": 10,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
                "topic.metadata.refresh.fast.interval.ms": 20,
            }
        )

    def more(self, count: int) -> None:
        for _ in range(count):
            self.producer.produce("orders", b"%d" % self.count, on_delivery=self._done)
            self.count += 1
        assert self.producer.flush(60) == 0

    def _done(self, error: object, _: object) -> None:
        if error is not None:
            self.errors.append(str(error))


def consumer_of(mockforge: MockForge) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": "billing",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "topic.metadata.refresh.fast.interval.ms": 20,
            "heartbeat.interval.ms": 200,
        }
    )
    consumer.subscribe(["orders"])
    return consumer


def test_nothing_is_lost_or_doubled_while_leaders_move_and_nodes_stop(mockforge: MockForge) -> None:
    assert len(mockforge.kafka.bootstrap.split(",")) == 3
    found = AdminClient({"bootstrap.servers": mockforge.kafka.bootstrap}).list_topics(timeout=20)
    assert sorted(found.brokers) == [1, 2, 3]
    assert [found.topics["orders"].partitions[index].leader for index in range(3)] == [1, 2, 3]

    sent, consumer, got = Sent(mockforge), consumer_of(mockforge), []

    def read() -> bool:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            got.append(int(message.value()))
        return len(got) >= sent.count

    sent.more(12)
    wait_for(read)
    home = next(each["node"] for each in mockforge.run("node ls").records if each["coordinates"])
    for line in (
        "leader move orders",
        "broker stop kafka/2 --hard -y",
        "leader move orders:0 3",
        "broker start kafka/2",
        f"coordinator move billing {home % 3 + 1}",
        f"broker stop kafka/{home} -y",
        f"broker start kafka/{home}",
        "broker restart kafka/3 -y",
        "leader elect orders",
    ):
        mockforge.run(line)
        sent.more(6)
        wait_for(read)
    assert sent.errors == []
    assert sorted(got) == list(range(sent.count))
    consumer.close()


def test_a_node_stays_away_for_a_while_and_comes_back_by_itself(mockforge: MockForge) -> None:
    mockforge.run("broker stop kafka/1 --for 1h -y")
    sent = Sent(mockforge)
    sent.more(3)
    assert sent.errors == []
    assert mockforge.run("node ls").records[0]["state"] == "stopped"
    mockforge.run("clock advance 1h")
    states = [each["state"] for each in mockforge.run("node ls").records]
    assert states == ["running", "running", "running"]


def test_a_client_sees_the_cluster_that_a_fixture_file_declares(tmp_path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(
        "mockforge: 1\nkafka: {cluster: {id: shop-cluster, brokers: 3},"
        " topics: {all: {partitions: 3}, pair: {partitions: 3, replication_factor: 2}}}\n"
    )
    with MockForge(file, mqtt=False, amqp=False) as running:
        seen = AdminClient({"bootstrap.servers": running.kafka.bootstrap}).list_topics(timeout=30)
    assert (seen.cluster_id, sorted(seen.brokers)) == ("shop-cluster", [1, 2, 3])
    placed = {
        topic: [sorted(each.replicas) for each in seen.topics[topic].partitions.values()]
        for topic in ("all", "pair")
    }
    assert placed["all"] == [[1, 2, 3]] * 3
    assert sorted(placed["pair"]) == [[1, 2], [1, 3], [2, 3]]
    leaders = {each.leader for each in seen.topics["pair"].partitions.values()}
    assert leaders == {1, 2, 3}


def test_a_consumer_that_names_its_rack_reads_from_the_replica_there() -> None:
    chooser = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
    with MockForge(
        kafka_nodes=3,
        kafka_racks=("a", "b", "c"),
        kafka_configs=(f"replica.selector.class={chooser}",),
    ) as running:
        running.run("topic add orders -p 1")
        running.kafka.publish("orders", "first")
        consumer = Consumer(
            {
                "bootstrap.servers": running.kafka.bootstrap,
                "group.id": "near",
                "client.rack": "c",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
        consumer.subscribe(["orders"])
        got = []

        def read() -> bool:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                got.append(message.value())
            return got == [b"first"]

        wait_for(read)
        kafka = running.runtime.brokers.kafka
        sent = running.call(
            lambda: {
                one.caller.node: one.caller.messages_out
                for one in kafka._connections.values()
                if one.caller.messages_out
            }
        )
        consumer.close()
        # The leader is node 1, which sent the consumer away.
        assert sent == {3: 1}


def test_clients_follow_nodes_that_are_added_and_removed() -> None:
    with MockForge(kafka_nodes=3, mqtt=False, amqp=False) as running:
        running.run("topic add orders -p 3")
        sent, consumer, got = Sent(running), consumer_of(running), []

        def read() -> bool:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                got.append(int(message.value()))
            return len(got) >= sent.count

        sent.more(6)
        added = running.run("broker add kafka/4").data
        admin = AdminClient({"bootstrap.servers": added["listeners"]["plain"]})
        assert sorted(admin.list_topics(timeout=20).brokers) == [1, 2, 3, 4]
        # Where people put it, it leads; where its replicas were, others do when it is gone.
        for line in ("leader move orders:1 4", "broker rm kafka/2 -y", "broker rm kafka/4 -y"):
            running.run(line)
            sent.more(6)
            wait_for(read)
        assert sent.errors == []
        assert sorted(got) == list(range(sent.count))
        seen = AdminClient({"bootstrap.servers": running.kafka.bootstrap}).list_topics(timeout=20)
        assert sorted(seen.brokers) == [1, 3]
        for partition in seen.topics["orders"].partitions.values():
            assert partition.leader in (1, 3)
            assert {*partition.replicas} == {*partition.isrs} == {1, 3}
        consumer.close()


def test_a_single_node_becomes_a_cluster_and_a_removed_one_can_come_again() -> None:
    with MockForge() as running:
        for line in ("broker add kafka", "broker rm kafka/2 -y", "broker add kafka/2"):
            answer = running.run(line)
        for bootstrap in (running.kafka.bootstrap, answer.data["listeners"]["plain"]):
            found = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20)
            assert sorted(found.brokers) == [1, 2]
        with pytest.raises(InvalidInput, match="is in the cluster already"):
            running.run("broker add kafka/2")
        with pytest.raises(InvalidInput, match="mqtt has no nodes"):
            running.run("broker add mqtt")
        with pytest.raises(InvalidInput, match="name the node: kafka/2"):
            running.run("broker rm kafka -y")
        running.run("broker stop kafka -y")
        with pytest.raises(InvalidInput, match="kafka is stopped: broker start kafka"):
            running.run("broker start kafka/2")
