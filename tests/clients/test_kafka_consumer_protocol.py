"""librdkafka and Apache Kafka's own client in the consumer protocol of KIP-848."""

import os
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


class Scene:
    """A broker whose members report often, and what each consumer got and was assigned."""

    def __init__(self, mockforge: MockForge) -> None:
        self.mockforge = mockforge
        self.bootstrap = mockforge.kafka.bootstrap
        self.assigned: dict[str, set[int]] = {}
        self.seen: list[tuple[int, int]] = []
        self.lost: list[int] = []
        self.consumers: list[Consumer] = []
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic("orders", 6)])["orders"].result()
        self.admin = admin

    def produce(self, count: int) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for number in range(count):
            producer.produce("orders", str(number), str(number))
        assert producer.flush(20) == 0

    def consumer(self, name: str, topics: str = "orders", **more: str) -> Consumer:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "billing",
                "group.protocol": "consumer",
                "client.id": name,
                "auto.offset.reset": "earliest",
                **more,
            }
        )
        mine = self.assigned.setdefault(name, set())
        consumer.subscribe(
            [topics],
            on_assign=lambda _, parts: mine.update(part.partition for part in parts),
            on_revoke=lambda _, parts: mine.difference_update(part.partition for part in parts),
            on_lost=lambda _, parts: self.lost.extend(part.partition for part in parts),
        )
        self.consumers.append(consumer)
        return consumer

    def turn(self) -> None:
        """Every consumer looks once."""
        for consumer in self.consumers:
            message = consumer.poll(0.02)
            if message is None:
                continue
            error = message.error()
            assert error is None or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error
            if error is None:
                self.seen.append((message.partition(), message.offset()))

    def until(self, sizes: list[int], what: str) -> None:
        def reached() -> bool:
            self.turn()
            return sorted(len(parts) for parts in self.assigned.values()) == sizes

        wait_for(reached, what=what)

    def leave(self, name: str) -> None:
        consumer = self.consumers.pop([*self.assigned].index(name))
        consumer.close()
        del self.assigned[name]


@pytest.fixture
def scene():
    options = {"consumer_heartbeat_interval": 0.2}
    with MockForge(**options) as mockforge:
        made = Scene(mockforge)
        yield made
        for consumer in made.consumers:
            consumer.close()


def test_three_members_share_and_each_record_comes_once(scene):
    scene.produce(300)
    scene.consumer("one")
    scene.until([6], "one reads all")
    scene.consumer("two")
    scene.until([3, 3], "two share")
    scene.consumer("three")
    scene.until([2, 2, 2], "three share")
    scene.produce(300)

    def all_seen() -> bool:
        scene.turn()
        return len(set(scene.seen)) == 600

    wait_for(all_seen, what="600 records")
    assert len(scene.seen) == 600, "none came twice"
    scene.leave("two")
    scene.until([3, 3], "two share again")


def test_the_admin_client_sees_the_group_and_its_kind(scene):
    scene.consumer("one")
    scene.until([6], "one reads all")
    (listed,) = scene.admin.list_consumer_groups().result().valid
    assert (listed.group_id, listed.type.name) == ("billing", "CONSUMER")
    found = scene.admin.describe_consumer_groups(["billing"])["billing"].result()
    (member,) = found.members
    assert (found.state.name, member.client_id) == ("STABLE", "one")
    assert len(member.assignment.topic_partitions) == 6
    shown = scene.mockforge.run("group show billing").text
    assert "protocol_type  consumer" in shown
    assert "assignor       uniform" in shown


def test_a_pattern_follows_the_topics_that_come(scene):
    scene.consumer("one", "^ord.*")
    scene.until([6], "one reads all")
    scene.admin.create_topics([NewTopic("ordnance", 9)])["ordnance"].result()

    def reads_both() -> bool:
        scene.turn()
        return len(scene.consumers[0].assignment()) == 15

    wait_for(reads_both, what="both topics")


def test_a_member_that_is_kicked_comes_back(scene):
    scene.consumer("one")
    scene.until([6], "one reads all")
    scene.mockforge.run("group kick billing one")
    wait_for(lambda: scene.turn() or len(scene.lost) == 6, what="it lost all")
    scene.produce(1)
    wait_for(lambda: scene.turn() or scene.seen, what="it reads again")


CLASSIC = {
    "group.protocol": "classic",
    "heartbeat.interval.ms": "100",
    "session.timeout.ms": "10000",
    "topic.metadata.refresh.interval.ms": "1000",
}


@pytest.mark.parametrize("assignor", ["range", "cooperative-sticky"])
def test_members_roll_from_classic_to_consumer_and_back(scene, assignor):
    classic = {**CLASSIC, "partition.assignment.strategy": assignor}
    scene.produce(300)
    scene.consumer("old-1", **classic)
    scene.consumer("old-2", **classic)
    scene.until([3, 3], "classic members share")
    scene.consumer("new-1")
    scene.until([2, 2, 2], "both protocols share")
    shown = scene.mockforge.run("group show billing").text
    assert "assignor       uniform" in shown
    scene.leave("old-1")
    scene.until([3, 3], "one of each shares")
    scene.produce(300)
    scene.consumer("old-3", **classic)
    scene.until([2, 2, 2], "a classic member comes to them")
    scene.leave("new-1")
    scene.until([3, 3], "classic members share again")
    assert f"assignor       {assignor}" in scene.mockforge.run("group show billing").text

    def all_seen() -> bool:
        scene.turn()
        return len(set(scene.seen)) == 600

    wait_for(all_seen, what="600 records")


@pytest.mark.slow
def test_kafka_clients_in_java(scene):
    scene.produce(100)
    done = subprocess.run(
        ["bash", str(Path(__file__).with_name("java") / "run"), "Groups"],
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": scene.bootstrap},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout.removeprefix("skipped: ").strip())
    assert done.returncode == 0, done.stdout + done.stderr
