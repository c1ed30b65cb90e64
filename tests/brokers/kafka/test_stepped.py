"""Requests about many topics: answered in steps, between which others have their turn."""

import pytest
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.apis.cluster import metadata
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.state.quotas import Quotas
from mockforge_brokers.kafka.wire.frames import decode_response
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
)
from mockforge_brokers.kafka.wire.messages.topics import (
    CreatableTopic,
    CreateTopicsRequest,
    DeleteTopicsRequest,
    DeleteTopicState,
)

from .scene import Scene
from .slowing import Ticking

NAMES = [f"t{number}" for number in range(20)]


def created(names):
    topics = [
        CreatableTopic(
            name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
        )
        for name in names
    ]
    return CreateTopicsRequest(topics=topics, timeout_ms=1000, validate_only=False)


def deleted(names):
    topics = [DeleteTopicState(name=name) for name in names]
    return DeleteTopicsRequest(topics=topics, timeout_ms=1000)


def described(names):
    wanted = [
        DescribeConfigsResource(resource_type=2, resource_name=name, configuration_keys=[])
        for name in names
    ]
    return DescribeConfigsRequest(resources=wanted)


def shown(names):
    return MetadataRequest(topics=None)


def committed(names):
    return OffsetFetchRequest(
        groups=[OffsetFetchRequestGroup(group_id=name, topics=None) for name in names]
    )


@pytest.fixture
def scene():
    """In which each step takes a turn of the loop."""
    scene = Scene()
    for name in NAMES:
        scene.broker.create_topic(name, 1)
    scene.environment.turn.length = -1.0
    return scene


def later(scene):
    """The turns of the loop that are still to come."""
    scene.clock.advance(0)
    scene.network.settle()
    assert not scene.environment.chores.waiting


@pytest.mark.parametrize(
    ("request_of", "version", "names", "answered"),
    [
        (created, 7, [f"new{number}" for number in range(20)], lambda answer: answer.topics),
        (deleted, 6, NAMES, lambda answer: answer.responses),
        (described, 4, NAMES, lambda answer: answer.results),
        (shown, 12, NAMES, lambda answer: answer.topics),
        (committed, 8, NAMES, lambda answer: answer.groups),
    ],
)
def test_others_are_answered_while_much_is_done(scene, request_of, version, names, answered):
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, request_of(names), version)
    scene.ask(client, described(NAMES[:1]), 4)
    scene.ask(other, MetadataRequest(topics=[]), 12)
    assert not client.peek()
    scene.network.settle()
    assert scene.answer(other, ApiKey.METADATA, 12).topics == []
    later(scene)
    first, second = (frame for frame in client.connection.splitter(OUT).feed(client.take()))
    key = request_of(names).api_key
    assert len(answered(decode_response(first, key, version)[1])) == 20
    assert len(decode_response(second, ApiKey.DESCRIBE_CONFIGS, 4)[1].results) == 1


def test_for_who_is_gone_nothing_more_is_looked_at(scene, monkeypatch):
    seen = []
    monkeypatch.setattr(metadata, "_described", lambda *of: seen.append(of))
    client = scene.network.connect()
    scene.ask(client, shown(NAMES), 12)
    client.vanish()
    later(scene)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("request_of", "version", "names", "left"),
    [(created, 7, [f"new{number}" for number in range(20)], 40), (deleted, 6, NAMES, 0)],
)
def test_what_is_changed_is_changed_to_the_end_also_for_who_is_gone(
    scene, request_of, version, names, left
):
    client = scene.network.connect()
    scene.ask(client, request_of(names), version)
    client.vanish()
    later(scene)
    assert len(scene.broker.cluster.topics) == left


@pytest.mark.parametrize("end", ["reset", "hard", "soft"])
def test_no_change_that_was_asked_for_before_comes_after_the_brokers_end(scene, end):
    client = scene.network.connect()
    scene.ask(client, created([f"new{number}" for number in range(20)]), 7)
    if end == "reset":
        scene.broker.reset()
    else:
        scene.broker.restart(hard=end == "hard")
    left = len(scene.broker.cluster.topics)
    later(scene)
    assert len(scene.broker.cluster.topics) == left
    # A kill keeps what was done until then; a stop waits for all of it.
    assert left in {"reset": [0], "hard": range(21, 40), "soft": [40]}[end]


def test_a_topic_that_went_meanwhile_is_not_shown(scene):
    client = scene.network.connect()
    scene.ask(client, shown(NAMES), 12)
    scene.broker.cluster.delete_topic(NAMES[-1], source="test")
    later(scene)
    answer = scene.answer(client, ApiKey.METADATA, 12)
    assert [topic.name for topic in answer.topics] == NAMES[:-1]


def test_a_topic_that_took_anothers_place_meanwhile_is_shown(scene):
    client = scene.network.connect()
    scene.ask(client, shown(NAMES), 12)
    scene.broker.cluster.delete_topic(NAMES[-1], source="test")
    new = scene.broker.cluster.create_topic(NAMES[-1], 3, source="test")
    later(scene)
    answer = scene.answer(client, ApiKey.METADATA, 12)
    (topic,) = (topic for topic in answer.topics if topic.name == NAMES[-1])
    assert (topic.topic_id, len(topic.partitions)) == (new.topic_id, 3)


def test_a_quota_is_charged_the_time_of_all_steps_and_not_that_between_them(monkeypatch):
    took = []
    monkeypatch.setattr(
        Quotas, "request", lambda self, user, client_id, time: took.append(time) or 0.0
    )
    scene = Scene(clock=Ticking(1_700_000_000.0))
    for name in NAMES:
        scene.broker.create_topic(name, 1)
    scene.broker.alter_quota([("client-id", "shop")], {"request_percentage": 1.0})
    scene.environment.turn.length = -1.0
    client = scene.network.connect()
    scene.ask(client, shown(NAMES), 12)
    scene.clock.advance(30)
    # Each step takes a millisecond of this clock, and the last one finds that there are no more.
    assert took == pytest.approx([0.021])
