"""Requests that name much: handled in steps, between which others have their turn."""

from types import SimpleNamespace
from unittest.mock import ANY

import pytest
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.apis import handler
from mockforge_brokers.kafka.apis.cluster import metadata
from mockforge_brokers.kafka.apis.logs import produce as produce_api
from mockforge_brokers.kafka.apis.logs.asking import ask
from mockforge_brokers.kafka.apis.logs.fetched import Reading
from mockforge_brokers.kafka.apis.stepping import LIGHT
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.scattered import Scattered
from mockforge_brokers.kafka.state.quotas import Quotas
from mockforge_brokers.kafka.wire.frames import (
    decode_response,
    encode_request,
    response_by_steps,
    response_pieces,
)
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
)
from mockforge_brokers.kafka.wire.messages.logs import (
    DescribeLogDirsRequest,
    FetchPartition,
    FetchTopic,
    PartitionProduceData,
)
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
)
from mockforge_brokers.kafka.wire.messages.reassignments import ElectLeadersRequest
from mockforge_brokers.kafka.wire.messages.topics import (
    CreatableTopic,
    CreateTopicsRequest,
    DeleteTopicsRequest,
    DeleteTopicState,
    DescribeTopicPartitionsRequest,
)

from . import asked
from .asked import NOW, answers
from .scene import Scene, Turning, fetch, produce
from .slowing import Ticking

NAMES = [f"t{number}" for number in range(20)]
WIDE = 9 * LIGHT
"""Partitions that are looked at in nine steps."""


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


def described_whole(names):
    return DescribeTopicPartitionsRequest(topics=[])


def disks(names):
    return DescribeLogDirsRequest(topics=None)


def altered(names):
    change = IncrementalAlterableConfig(name="retention.ms", config_operation=0, value="1000000")
    wanted = [
        IncrementalAlterConfigsResource(resource_type=2, resource_name=name, configs=[change])
        for name in names
    ]
    return IncrementalAlterConfigsRequest(resources=wanted, validate_only=False)


@pytest.fixture
def scene():
    """In which each step takes a turn of the loop."""
    scene = Scene(clock=Turning())
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
        (described_whole, 0, NAMES, lambda answer: answer.topics),
        (disks, 4, NAMES, lambda answer: answer.results[0].topics),
        (altered, 1, NAMES, lambda answer: answer.responses),
    ],
)
def test_others_are_answered_while_much_is_done(scene, request_of, version, names, answered):
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, request_of(names), version)
    scene.ask(client, described(NAMES[:1]), 4)
    scene.ask(other, MetadataRequest(topics=[]), 12)
    assert not client.peek()
    assert scene.answer(other, ApiKey.METADATA, 12).topics == []
    later(scene)
    first, second = (frame for frame in client.connection.splitter(OUT).feed(client.take()))
    key = request_of(names).api_key
    assert len(answered(decode_response(first, key, version)[1])) == 20
    assert len(decode_response(second, ApiKey.DESCRIBE_CONFIGS, 4)[1].results) == 1


def test_a_large_answer_is_given_up_bit_by_bit_when_it_is_written():
    shown = DescribeConfigsResourceResult(
        name="a", value="b", read_only=False, is_sensitive=False, synonyms=[]
    )
    results = [
        DescribeConfigsResult(
            error_message=None, resource_type=2, resource_name=name, configs=[shown] * 30
        )
        for name in NAMES * 10
    ]
    answer = DescribeConfigsResponse(results=list(results))
    whole = b"".join(response_pieces(answer, 4, 1))
    left, steps = answer.results, response_by_steps(answer, 4, 1)
    sizes = []
    while True:
        try:
            next(steps)
        except StopIteration as end:
            pieces = end.value
            break
        sizes.append(len(left))
    assert b"".join(pieces) == whole
    assert sorted(set(sizes), reverse=True)[:3] == [200, 168, 136]
    assert sizes[-1] == 0


def test_for_who_is_gone_nothing_more_is_looked_at(scene, monkeypatch):
    seen = []

    def described(*of):
        seen.append(of)
        yield

    monkeypatch.setattr(metadata, "_described", described)
    client = scene.network.connect()
    scene.ask(client, shown(NAMES), 12)
    client.vanish()
    later(scene)
    assert seen == [(ANY, scene.broker.cluster.topics[NAMES[0]], False)]


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


def test_an_election_in_all_topics_names_none_that_went_meanwhile(scene):
    client = scene.network.connect()
    request = ElectLeadersRequest(election_type=0, topic_partitions=None, timeout_ms=1000)
    scene.ask(client, request, 2)
    scene.broker.cluster.delete_topic(NAMES[-1], source="test")
    later(scene)
    results = scene.answer(client, ApiKey.ELECT_LEADERS, 2).replica_election_results
    assert [each.partition_result for each in results if each.topic == NAMES[-1]] in ([], [[]])


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
    # Each step takes a millisecond of this clock: one for each topic, and three for the answer.
    assert took == pytest.approx([0.023])


def test_each_request_has_the_same_answer_in_steps(monkeypatch):
    def patiently(scene):
        def call(message, version):
            client = scene.network.connect()
            scene.ask(client, message, version)
            scene.clock.advance(0)
            scene.network.settle()
            return scene.answer(client, message.api_key, version)

        return call

    at_once = answers(patiently(Scene(wall=NOW / 1000)))
    monkeypatch.setattr(handler, "_LARGE", 0)
    scene = Scene(wall=NOW / 1000)
    scene.environment.turn.length = -1.0
    assert answers(patiently(scene)) == at_once


@pytest.fixture
def reading_by_steps(scene, monkeypatch):
    """The same scene, in which each request counts as a large one."""
    monkeypatch.setattr(handler, "_LARGE", 0)
    return scene


def test_bytes_that_end_too_early_are_complained_of_in_the_same_words(scene, monkeypatch):
    frame = encode_request(deleted(NAMES), 6, 1, "shop")
    short = (len(frame) - 9).to_bytes(4, "big") + frame[4:-5]
    reasons = []
    for large in (len(frame), 0):
        monkeypatch.setattr(handler, "_LARGE", large)
        client = scene.network.connect()
        scene.ask(client, described(NAMES[:1]), 4)
        client.send(short)
        later(scene)
        reasons.append(client.peer.reason)
        # What was asked before is answered.
        assert scene.answer(client, ApiKey.DESCRIBE_CONFIGS, 4).results
    assert reasons[0].startswith("DeleteTopicsRequest v6: timeout_ms at byte")
    assert reasons[0] == reasons[1]
    assert len(scene.broker.cluster.topics) == len(NAMES)


def test_more_than_is_taken_is_found_late_and_counted(reading_by_steps):
    scene = reading_by_steps
    limits = {limit.name: limit for limit in scene.environment.usage.views()}
    assert limits["kafka_request_items"].met == 0
    most = scene.environment.limits.kafka_request_items
    client = scene.network.connect()
    scene.ask(client, OffsetFetchRequest(groups=[]), 8)
    later(scene)
    client.take()
    names = [MetadataRequestTopic(name="t")] * (most + 1)
    client.send(encode_request(MetadataRequest(topics=names), 12, 1, "shop"))
    later(scene)
    assert f" names more than {most:,} things at once" in client.peer.reason
    limits = {limit.name: limit for limit in scene.environment.usage.views()}
    assert limits["kafka_request_items"].met == 1


@pytest.mark.parametrize("large", [0, 1 << 20])
@pytest.mark.parametrize(
    ("create", "left"), [(True, 40), (False, 20)], ids=["may be made", "may not be made"]
)
def test_topics_that_metadata_makes_are_made_also_for_who_is_gone(
    scene, monkeypatch, large, create, left
):
    monkeypatch.setattr(handler, "_LARGE", large)
    names = [MetadataRequestTopic(name=f"new{number}") for number in range(20)]
    client = scene.network.connect()
    scene.ask(client, MetadataRequest(topics=names, allow_auto_topic_creation=create), 12)
    client.vanish()
    later(scene)
    assert len(scene.broker.cluster.topics) == left


def test_a_large_metadata_that_makes_nothing_is_given_up_when_its_client_goes(
    reading_by_steps, monkeypatch
):
    scene, seen, usual = reading_by_steps, [], metadata._topic

    def looked(*of):
        seen.append(of)
        return usual(*of)

    monkeypatch.setattr(metadata, "_topic", looked)
    client = scene.network.connect()
    names = [MetadataRequestTopic(name=name) for name in NAMES]
    scene.ask(client, MetadataRequest(topics=names, allow_auto_topic_creation=False), 12)
    while not seen:
        scene.clock.turn()
    client.vanish()
    later(scene)
    assert len(seen) == 1


def test_what_was_asked_by_who_left_before_it_was_read_is_carried_out(reading_by_steps):
    scene = reading_by_steps
    client = scene.network.connect()
    scene.ask(client, deleted(NAMES), 6)
    client.vanish()
    assert len(scene.broker.cluster.topics) == 20
    later(scene)
    assert len(scene.broker.cluster.topics) == 0


def wide(offset, *, committed=False, **session):
    """A fetch of some partitions, of the first one from an offset on, which waits for long."""
    request = fetch("wide", 0, wait=60_000)
    request.isolation_level = int(committed)
    request.topics[0].partitions = [
        FetchPartition(
            partition=number, fetch_offset=0 if number else offset, partition_max_bytes=1 << 20
        )
        for number in range(WIDE)
    ]
    for name, value in session.items():
        setattr(request, name, value)
    return request


@pytest.mark.parametrize("committed", [False, True])
def test_what_comes_behind_the_look_at_its_partition_ends_the_wait_of_a_fetch(scene, committed):
    scene.broker.create_topic("wide", WIDE)
    client, other = scene.network.connect(), scene.network.connect()
    for at in range(30):
        scene.ask(client, wide(at, committed=committed), 12)
        # One turn later each time: from before the look at the first partition to the wait itself.
        for _ in range(at):
            scene.clock.turn()
        scene.ask(other, produce("wide", b"%d" % at), 8)
        later(scene)
        found = scene.answer(client, ApiKey.FETCH, 12).responses[0].partitions
        assert [bool(one.records) for one in found] == [True] + [False] * (WIDE - 1)
        assert scene.answer(other, ApiKey.PRODUCE, 8).responses


def test_what_comes_while_a_waiting_fetch_looks_is_looked_at_too(scene):
    client, other = scene.network.connect(), scene.network.connect()
    for at in range(12):
        topic = f"wide{at}"
        scene.broker.create_topic(topic, WIDE)
        request = wide(0, committed=True, min_bytes=300)
        request.topics[0].topic = topic
        request.topics[0].partitions[-1].partition_max_bytes = 1
        scene.ask(client, request, 12)
        later(scene)
        # Together enough, of which no more than the first one is read.
        for _ in range(3):
            few = produce(topic, bytes(100))
            few.topic_data[0].partition_data[0].index = WIDE - 1
            scene.ask(other, few, 8)
        for _ in range(at):
            scene.clock.turn()
        scene.ask(other, produce(topic, bytes(1000)), 8)
        later(scene)
        found = scene.answer(client, ApiKey.FETCH, 12).responses[0].partitions
        assert found[0].records


class Counted(list):
    """Partitions that are counted as they are looked at."""

    seen = 0

    def __iter__(self):
        for one in super().__iter__():
            self.seen += 1
            yield one


def produced(client, partitions, *, acks=1, version=9):
    [topic] = (request := produce("wide", b"x")).topic_data
    batch = topic.partition_data[0].records
    topic.partition_data = [
        PartitionProduceData(index=index, records=batch) for index in range(partitions)
    ]
    request.acks = acks
    client.send(encode_request(request, version, 1, "shop"))


def test_what_a_produce_of_very_many_partitions_says_is_read_and_answered_by_steps(monkeypatch):
    seen = []

    def counted(owner, name):
        usual = getattr(owner, name)

        def counting(*arguments):
            made = yield from usual(*arguments)
            seen.append(name)
            return made

        monkeypatch.setattr(owner, name, counting)

    counted(produce_api, "read_by_steps")
    counted(produce_api, "response_by_steps")
    scene, count = Scene(nodes=3), 1_100
    scene.broker.create_topic("wide", count)
    elsewhere = [log.partition for log in logs(scene) if led_by(scene, log) != 1]
    client = scene.network.connect()
    for version in (3, 9, 12):
        produced(client, count, version=version)
        later(scene)
        [topic] = scene.answer(client, ApiKey.PRODUCE, version).responses
        refused = [each.index for each in topic.partition_responses if each.error_code]
        assert refused == elsewhere
        leaders = [each.current_leader for each in topic.partition_responses]
        assert any(leaders) == (version > 9)
    assert seen == ["read_by_steps", "response_by_steps"] * 3


def logs(scene):
    return scene.broker.cluster.topics["wide"].logs


def led_by(scene, log):
    return scene.broker.cluster.replication.leader(log)


def ends(scene):
    return [log.high_watermark for log in scene.broker.cluster.topics["wide"].logs]


@pytest.mark.parametrize("stays", [True, False], ids=["who waits", "who is gone"])
def test_what_is_produced_to_many_partitions_is_appended_by_steps(scene, stays):
    scene.broker.create_topic("wide", WIDE)
    client, other = scene.network.connect(), scene.network.connect()
    produced(client, WIDE)
    assert ends(scene) == [1] * LIGHT + [0] * (WIDE - LIGHT)
    scene.ask(client, MetadataRequest(topics=[]), 12)
    scene.ask(other, MetadataRequest(topics=[]), 12)
    assert scene.answer(other, ApiKey.METADATA, 12).topics == []
    if not stays:
        client.vanish()
    later(scene)
    assert ends(scene) == [1] * WIDE
    if stays:
        first, second = client.connection.splitter(OUT).feed(client.take())
        [topic] = decode_response(first, ApiKey.PRODUCE, 9)[1].responses
        assert [each.index for each in topic.partition_responses] == [*range(WIDE)]
        assert {each.error_code for each in topic.partition_responses} == {0}
        assert decode_response(second, ApiKey.METADATA, 12)[1].topics == []


def test_a_topic_that_goes_while_it_is_produced_to_has_no_more_records(scene):
    scene.broker.create_topic("wide", WIDE)
    client = scene.network.connect()
    produced(client, WIDE)
    scene.broker.delete_topic("wide")
    later(scene)
    [topic] = scene.answer(client, ApiKey.PRODUCE, 9).responses
    codes = [each.error_code for each in topic.partition_responses]
    assert codes == [0] * LIGHT + [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION] * (WIDE - LIGHT)


@pytest.mark.parametrize(("missing", "ended"), [(0, False), (1, True)])
def test_without_acks_many_partitions_have_no_answer_and_an_error_ends_the_connection(
    scene, missing, ended
):
    scene.broker.create_topic("wide", WIDE)
    client = scene.network.connect()
    produced(client, WIDE + missing, acks=0)
    later(scene)
    assert ends(scene) == [1] * WIDE
    assert not client.take()
    assert bool(client.peer.ended) == ended


def many(number):
    return [
        FetchPartition(partition=at, fetch_offset=0, partition_max_bytes=1) for at in range(number)
    ]


@pytest.mark.parametrize("twice", [False, True])
def test_what_a_fetch_names_of_one_topic_is_listed_by_steps(scene, twice):
    request, partitions = wide(0, session_epoch=-1), Counted(many(2_000))
    request.topics[0].partitions = partitions
    request.topics *= 1 + twice
    caller = SimpleNamespace(
        cluster=scene.broker.cluster, version=12, fetch_session=None, user="", client_id=""
    )
    named = []

    def asked():
        named.extend((yield from ask(caller, request)).named)

    before = 0
    for _ in asked():
        assert partitions.seen - before <= 300
        before = partitions.seen
    assert partitions.seen - before <= 300
    assert [len(partitions) for _, partitions in named] == [2_000]


def test_what_a_quota_measures_of_very_many_topics_is_answered_then(scene):
    names = [f"many{at}" for at in range(50)]
    client = scene.network.connect()
    for name in names:
        scene.broker.create_topic(name, 1)
        scene.broker.publish(name, b"v")
    scene.broker.alter_quota([("client-id", "shop")], {"consumer_byte_rate": 1e9})
    request = fetch(names[0], 0)
    [partition] = request.topics[0].partitions
    request.topics = [FetchTopic(topic=name, partitions=[partition]) for name in names]
    scene.ask(client, request, 12)
    later(scene)
    found = scene.answer(client, ApiKey.FETCH, 12).responses
    assert [(one.topic, bool(one.partitions[0].records)) for one in found] == [
        (name, True) for name in names
    ]


def test_what_is_new_of_one_topic_is_found_by_steps(scene, monkeypatch):
    scene.broker.create_topic("wide", 2_000)
    client = scene.network.connect()
    request = wide(0, max_wait_ms=0, session_epoch=0)
    request.topics[0].partitions = many(2_000)
    scene.ask(client, request, 12)
    later(scene)
    session_id = scene.answer(client, ApiKey.FETCH, 12).session_id
    looked, usual = 0, Reading._is_news

    def is_news(*of):
        nonlocal looked
        looked += 1
        return usual(*of)

    monkeypatch.setattr(Reading, "_is_news", staticmethod(is_news))

    request.topics, request.session_id, request.session_epoch = [], session_id, 1
    scene.ask(client, request, 12)
    for _ in range(10_000):
        before = looked
        scene.clock.turn()
        assert looked - before <= 300
    assert looked == 2_000
    later(scene)
    assert scene.answer(client, ApiKey.FETCH, 12).responses == []


def test_what_is_read_of_large_batches_for_the_first_time_is_copied_by_steps(scene, monkeypatch):
    client, copied, usual = scene.network.connect(), 0, Scattered.sent
    values = [bytes([number]) * 200_000 for number in range(20)]
    for value in values:
        scene.ask(client, produce(NAMES[0], value), 8)
        later(scene)
    client.take()

    def sent(batch):
        nonlocal copied
        copied += len(batch)
        return usual(batch)

    monkeypatch.setattr(Scattered, "sent", sent)
    before = 0
    scene.ask(client, fetch(NAMES[0], 0, size=1 << 26), 12)
    for _ in range(100):
        assert copied - before < 1_300_000
        before = copied
        scene.clock.turn()
    later(scene)
    # The first one is not yet what the connection repeats.
    assert copied > 19 * 200_000
    (found,) = scene.answer(client, ApiKey.FETCH, 12).responses[0].partitions
    records = bytes(found.records)
    assert len(records) > 20 * 200_000
    assert all(value in records for value in values)


def named_little():
    """Requests of fewer things than make a step."""
    request = wide(0)
    request.max_wait_ms = 0
    request.topics[0].partitions = request.topics[0].partitions[: LIGHT - 1]
    yield request, 12
    yield asked.committed("wide", 1), 8
    yield asked.listed("wide", -1), 5
    yield asked.found_coordinator("shop"), 4


@pytest.mark.parametrize(
    ("request_", "version"),
    list(named_little()),
    ids=lambda of: f"v{of}" if isinstance(of, int) else type(of).__name__,
)
def test_what_names_little_is_answered_without_a_step(scene, request_, version):
    scene.broker.create_topic("wide", WIDE)
    client = scene.network.connect()
    scene.ask(client, request_, version)
    assert scene.answer(client, request_.api_key, version)


def test_a_woken_fetch_of_few_partitions_is_answered_without_a_step(scene):
    scene.broker.create_topic("wide", LIGHT - 1)
    client, other = scene.network.connect(), scene.network.connect()
    request = wide(0)
    del request.topics[0].partitions[LIGHT - 1 :]
    scene.ask(client, request, 12)
    assert all(watched(scene))
    scene.ask(other, produce("wide", b"1"), 8)
    assert scene.answer(client, ApiKey.FETCH, 12).responses[0].partitions[0].records


def watched(scene):
    return [bool(log.watchlist.waiting) for log in scene.broker.cluster.topics["wide"].logs]


@pytest.mark.parametrize("turns", range(0, 24, 3))
def test_a_fetch_whose_client_goes_leaves_nothing_that_is_watched(scene, turns):
    scene.broker.create_topic("wide", WIDE)
    client = scene.network.connect()
    scene.ask(client, wide(0), 12)
    for _ in range(turns):
        scene.clock.turn()
    client.vanish()
    later(scene)
    assert not any(watched(scene))


def test_a_fetch_that_was_woken_watches_nothing_while_it_reads(scene):
    scene.broker.create_topic("wide", WIDE)
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, wide(0), 12)
    later(scene)
    assert all(watched(scene))
    scene.ask(other, produce("wide", b"1"), 8)
    assert not any(watched(scene))
    scene.ask(other, produce("wide", b"2"), 8)
    later(scene)
    assert len(scene.answer(client, ApiKey.FETCH, 12).responses[0].partitions) == WIDE


def test_a_fetch_session_that_made_room_while_its_partitions_came_is_refused(scene):
    scene.broker.create_topic("wide", WIDE)
    sessions = scene.broker.cluster.fetch_sessions
    client = scene.network.connect()
    scene.ask(client, wide(0, max_wait_ms=0, session_epoch=0), 12)
    later(scene)
    session_id = scene.answer(client, ApiKey.FETCH, 12).session_id
    assert sessions.cost
    scene.ask(client, wide(1, session_id=session_id, session_epoch=1), 12)
    sessions.close(session_id)
    later(scene)
    assert scene.answer(client, ApiKey.FETCH, 12).error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert sessions.cost == 0


@pytest.mark.parametrize("grows", [False, True])
def test_a_fetch_session_whose_client_goes_while_its_partitions_come_is_over(scene, grows):
    scene.broker.create_topic("wide", 9)
    sessions = scene.broker.cluster.fetch_sessions
    client, session_id = scene.network.connect(), 0
    if grows:
        few = wide(0, max_wait_ms=0, session_epoch=0)
        del few.topics[0].partitions[1:]
        scene.ask(client, few, 12)
        later(scene)
        session_id = scene.answer(client, ApiKey.FETCH, 12).session_id
    scene.ask(client, wide(0, session_id=session_id, session_epoch=int(grows)), 12)
    for _ in range(4):
        scene.clock.turn()
    client.vanish()
    later(scene)
    assert (sessions.by_id, sessions.cost) == ({}, 0)
