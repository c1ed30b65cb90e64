"""Topics of many partitions are made and grow by steps, and are there when all of it is."""

import pytest
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.codes import AlterConfigOp, ApiKey, ErrorCode
from mockforge_brokers.kafka.state.configs.broker import ALL_NODES
from mockforge_brokers.kafka.state.keeper import Keeper
from mockforge_brokers.kafka.state.logs.log import PartitionLog
from mockforge_brokers.kafka.wire.messages.topics import (
    CreatableTopic,
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
    CreateTopicsRequest,
)
from mockforge_brokers.limits import Limits

from .scene import Scene, Turning

OLD = "old"


def stepping(limits=None):
    """In which each step takes a turn of the loop."""
    scene = Scene(limits, clock=Turning())
    scene.broker.create_topic(OLD, 1)
    scene.environment.turn.length = -1.0
    return scene


@pytest.fixture
def scene():
    return stepping()


def later(scene):
    """The turns of the loop that are still to come."""
    scene.clock.advance(0)
    scene.network.settle()
    assert not scene.environment.chores.waiting


def created(name, count):
    topic = CreatableTopic(
        name=name, num_partitions=count, replication_factor=1, assignments=[], configs=[]
    )
    return CreateTopicsRequest(topics=[topic], timeout_ms=1000, validate_only=False)


def grown(name, count, assignments=None, *, validate_only=False):
    topic = CreatePartitionsTopic(name=name, count=count, assignments=assignments)
    return CreatePartitionsRequest(topics=[topic], timeout_ms=1000, validate_only=validate_only)


@pytest.mark.parametrize("grows", [False, True])
def test_many_partitions_are_made_by_steps_and_are_there_together(scene, monkeypatch, grows):
    made, usual = [], Keeper.make_log
    monkeypatch.setattr(Keeper, "make_log", lambda self, *of: made.append(of) or usual(self, *of))
    topics, client = scene.broker.cluster.topics, scene.network.connect()
    if grows:
        request, version, name, first = grown(OLD, 500), 3, OLD, 1
    else:
        request, version, name, first = created("new", 500), 7, "new", 0
    scene.ask(client, request, version)
    before = 0
    assert len(made) < 500 - first
    while len(made) < 500 - first:
        assert len(topics[name].logs if name in topics else ()) == first
        assert len(made) - before <= 64
        before = len(made)
        scene.clock.turn()
    later(scene)
    assert made == [(name, number) for number in range(first, 500)]
    assert [log.partition for log in topics[name].logs] == list(range(500))
    assert not any(log.policy is None for log in topics[name].logs)


@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("leaves", [False, True])
def test_partitions_in_the_making_count_in_the_limit(monkeypatch, grows, leaves):
    scene = stepping(Limits(kafka_partitions=1000))
    made, usual = [], Keeper.make_log
    monkeypatch.setattr(Keeper, "make_log", lambda self, *of: made.append(of) or usual(self, *of))
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, created("new", 600), 7)
    if leaves:
        client.vanish()
    request, version = (grown(OLD, 600), 3) if grows else (created("more", 600), 7)
    scene.ask(other, request, version)
    later(scene)
    answer = scene.answer(other, request.api_key, version)
    (result,) = answer.results if grows else answer.topics
    assert result.error_code == ErrorCode.POLICY_VIOLATION
    assert {name for name, _ in made} == {"new"}
    # What is there now is counted once.
    scene.broker.create_topic("others", 399)
    assert scene.broker.cluster.topics.partitions == 1000


@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("altered", [False, True])
def test_many_partitions_are_configured_as_they_are_made(scene, monkeypatch, grows, altered):
    """A value that changes before they are there holds in all of them."""
    configured, usual = [], PartitionLog.configure
    monkeypatch.setattr(
        PartitionLog, "configure", lambda log, policy: configured.append(log) or usual(log, policy)
    )
    cluster, client = scene.broker.cluster, scene.network.connect()
    name, first = (OLD, 1) if grows else ("new", 0)
    scene.ask(client, *((grown(OLD, 500), 3) if grows else (created("new", 500), 7)))
    if altered:
        change = ("message.max.bytes", AlterConfigOp.SET, "77777")
        cluster.configuring.node(ALL_NODES, [change], source="test")
    before = 0
    while not altered and len(configured) < 500 - first:
        assert len(configured) - before <= 64
        before = len(configured)
        scene.clock.turn()
    later(scene)
    logs = cluster.topics[name].logs
    assert len(logs) == 500
    assert {log.max_batch_bytes for log in logs} == {77777 if altered else 1048588}
    if not altered:
        assert configured == logs[first:]


def quota_used_up(scene):
    cluster = scene.broker.cluster
    cluster.quotas.alter([("client-id", "shop")], [("controller_mutation_rate", 1.0)])
    cluster.quotas.mutate("", "shop", 1000, strict=True)


@pytest.mark.parametrize(
    ("request_", "before", "code"),
    [
        (grown(OLD, 500, validate_only=True), None, 0),
        (
            grown(OLD, 500, [CreatePartitionsAssignment(broker_ids=[77])] * 499),
            None,
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        ),
        (
            grown(OLD, 500, [CreatePartitionsAssignment(broker_ids=[1])] * 3),
            None,
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        ),
        (grown(OLD, 500), quota_used_up, ErrorCode.THROTTLING_QUOTA_EXCEEDED),
    ],
    ids=["only asks", "unknown broker", "too few assignments", "quota"],
)
def test_a_growth_that_is_not_to_be_makes_nothing(scene, monkeypatch, request_, before, code):
    made, usual = [], Keeper.make_log
    monkeypatch.setattr(Keeper, "make_log", lambda self, *of: made.append(of) or usual(self, *of))
    if before is not None:
        before(scene)
    client = scene.network.connect()
    scene.ask(client, request_, 3)
    later(scene)
    (result,) = scene.answer(client, ApiKey.CREATE_PARTITIONS, 3).results
    assert (result.error_code, made) == (code, [])


def test_a_growth_whose_assignments_fit_no_more_is_refused(scene):
    client = scene.network.connect()
    assignments = [CreatePartitionsAssignment(broker_ids=[1])] * 499
    scene.ask(client, grown(OLD, 500, assignments), 3)
    scene.clock.turn()
    scene.broker.grow_topic(OLD, 70)
    later(scene)
    (result,) = scene.answer(client, ApiKey.CREATE_PARTITIONS, 3).results
    assert result.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert len(scene.broker.cluster.topics[OLD].logs) == 70


@pytest.mark.parametrize(
    ("meanwhile", "code", "there"),
    [
        (lambda broker: broker.grow_topic(OLD, 70), 0, 500),
        (lambda broker: broker.grow_topic(OLD, 600), ErrorCode.INVALID_PARTITIONS, 600),
        (
            lambda broker: broker.delete_topic(OLD),
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            None,
        ),
        (
            lambda broker: (broker.delete_topic(OLD), broker.create_topic(OLD, 3)),
            0,
            500,
        ),
    ],
    ids=["grew less", "grew more", "went", "is another"],
)
def test_a_topic_that_changes_while_it_is_to_grow(scene, meanwhile, code, there):
    client = scene.network.connect()
    scene.ask(client, grown(OLD, 500), 3)
    scene.clock.turn()
    meanwhile(scene.broker)
    later(scene)
    (result,) = scene.answer(client, ApiKey.CREATE_PARTITIONS, 3).results
    topic = scene.broker.cluster.topics.get(OLD)
    assert (result.error_code, topic and len(topic.logs)) == (code, there)
    if there:
        assert [log.partition for log in topic.logs] == list(range(there))


def test_a_topic_that_another_makes_meanwhile_is_made_once(scene):
    client = scene.network.connect()
    scene.ask(client, created("new", 500), 7)
    scene.clock.turn()
    scene.broker.create_topic("new", 2)
    later(scene)
    (result,) = scene.answer(client, ApiKey.CREATE_TOPICS, 7).topics
    assert result.error_code == ErrorCode.TOPIC_ALREADY_EXISTS
    assert len(scene.broker.cluster.topics["new"].logs) == 2


def in_turns(scene, done, most=64):
    """Turns of the loop until `done` says that 500 are; no more than `most` in each."""
    before = 0
    while done() < 500:
        assert done() - before <= most
        before = done()
        scene.clock.turn()
    later(scene)


def test_a_deleted_topic_of_many_partitions_lets_go_of_them_by_steps(scene, monkeypatch):
    gone = []
    monkeypatch.setattr(Keeper, "log_gone", lambda self, log: gone.append(log.partition))
    cluster = scene.broker.cluster
    scene.broker.create_topic("many", 500)
    for partition in range(500):
        scene.broker.publish("many", b"v", partition=partition)
    scene.broker.delete_topic("many")
    assert "many" not in cluster.topics
    # Another one may have the name, and is not touched by what is left of the first.
    scene.broker.create_topic("many", 1)
    scene.broker.publish("many", b"v", partition=0)
    in_turns(scene, lambda: len(gone))
    assert gone == list(range(500))
    (log,) = cluster.topics["many"].logs
    assert cluster.bounds.cost == log.cost > 0


def test_many_partitions_are_configured_by_steps_and_the_last_configuration_stands(scene):
    scene.broker.create_topic("many", 500)
    logs = scene.broker.cluster.topics["many"].logs

    def at(value):
        return sum(log.max_batch_bytes == value for log in logs)

    scene.broker.configure_topic("many", "max.message.bytes", "77")
    assert 0 < at(77) <= 64
    scene.clock.turn()
    scene.broker.configure_topic("many", "max.message.bytes", "88")
    in_turns(scene, lambda: at(88))
    scene.broker.cluster.configuring.node(
        "", [("message.max.bytes", AlterConfigOp.SET, "99")], source="test"
    )
    scene.broker.configure_topic("many", "max.message.bytes", None)
    in_turns(scene, lambda: at(99))


def test_a_topic_is_purged_partition_by_partition(scene):
    scene.broker.create_topic("many", 3)
    for partition in range(3):
        scene.broker.publish("many", b"v", partition=partition)
    steps = scene.broker.purging("many")
    left = scene.broker.cluster.topics["many"]
    for number in range(3):
        assert left.records == 3 - number
        next(steps)
    assert finished(steps) == 3
    assert scene.broker.purge_topic("many") == 0
