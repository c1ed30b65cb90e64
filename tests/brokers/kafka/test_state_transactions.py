"""The transaction coordinator: timeouts, restarts, ids that run out, and what logs show of it."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.fairness import finished
from mockforge_brokers.journal import IN, OUT
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode, UpgradeType
from mockforge_brokers.kafka.events import TransactionAborted
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.cluster import Cluster
from mockforge_brokers.kafka.state.features import FeatureUpdate
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.kafka.state.logs.log import PartitionLog
from mockforge_brokers.kafka.state.logs.transactions import AbortedTransaction, LogTransactions
from mockforge_brokers.kafka.state.transactions.transaction import (
    LAST_EPOCH,
    ProducerIdAndEpoch,
    Transaction,
)
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest
from mockforge_brokers.kafka.wire.messages.features import FeatureUpdateKey, UpdateFeaturesRequest
from mockforge_brokers.kafka.wire.messages.groups import HeartbeatRequest
from mockforge_brokers.kafka.wire.messages.transactions import ListTransactionsRequest
from mockforge_brokers.limits import Limits

from .refusals import refused
from .scene import Scene, fetch, produce
from .transacting import Player


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def environment(clock):
    return Environment.create(clock, seed=1, limits=Limits(kafka_transactional_ids=3))


@pytest.fixture
def cluster(environment):
    made = Cluster(environment, KafkaOptions())
    made.create_topic("t", 2, source="test")
    return made


def begun(cluster, name="till", *, timeout=60.0):
    who = cluster.transactions.take(name, timeout, client="shop")
    cluster.transactions.add_partitions(name, who, [("t", 0)], bumps=True)
    return who


def watched(environment):
    events = []
    environment.spine.watch(events.append, TransactionAborted)
    return events


# Timeouts.


def test_a_transaction_open_for_longer_than_its_timeout_is_aborted(cluster, clock, environment):
    events = watched(environment)
    who = begun(cluster, timeout=10.0)
    clock.advance(9.9)
    assert cluster.transactions.known("till").is_open
    clock.advance(0.2)
    one = cluster.transactions.known("till")
    assert one.state.value == "CompleteAbort"
    assert cluster.topics["t"].logs[0].high_watermark == 1, "its marker is there"
    assert cluster.topics["t"].logs[1].high_watermark == 0
    assert [event.reason for event in events] == ["open for longer than its timeout of 10 s"]
    assert (events[0].client, events[0].partitions, events[0].begun) == ("shop", 1, ())
    with refused(ErrorCode.PRODUCER_FENCED):
        finished(cluster.transactions.end("till", who, committed=True, bumps=False))


def test_a_producer_goes_on_after_its_transaction_timed_out(cluster, clock):
    who = begun(cluster, timeout=10.0)
    clock.advance(11)
    newer = cluster.transactions.take("till", 10.0, who)
    assert newer == ProducerIdAndEpoch(who.producer_id, who.producer_epoch + 1)


def test_an_ended_transaction_is_not_timed_out(cluster, clock, environment):
    events = watched(environment)
    who = begun(cluster, timeout=10.0)
    finished(cluster.transactions.end("till", who, committed=True, bumps=True))
    clock.advance(20)
    assert cluster.transactions.known("till").state.value == "CompleteCommit"
    assert events == []
    assert (cluster.transactions.committed, cluster.transactions.aborted) == (1, 0)


def test_a_second_transaction_has_its_own_time(cluster, clock):
    who = begun(cluster, timeout=10.0)
    clock.advance(8)
    who = finished(cluster.transactions.end("till", who, committed=True, bumps=True))
    cluster.transactions.add_partitions("till", who, [("t", 0)], bumps=True)
    clock.advance(8)
    assert cluster.transactions.known("till").is_open


# Epochs and ids that run out.


def worn_out(cluster, *, bumps):
    who = begun(cluster)
    one = cluster.transactions.known("till")
    one.bumps = bumps
    one.producer_epoch = LAST_EPOCH
    return ProducerIdAndEpoch(who.producer_id, LAST_EPOCH)


def test_the_last_epoch_ends_in_a_new_producer_id(cluster):
    who = worn_out(cluster, bumps=True)
    newer = finished(cluster.transactions.end("till", who, committed=True, bumps=True))
    assert newer == ProducerIdAndEpoch(who.producer_id + 1, 0)
    assert finished(cluster.transactions.end("till", who, committed=True, bumps=True)) == newer
    with refused(ErrorCode.INVALID_TXN_STATE):
        finished(cluster.transactions.end("till", who, committed=False, bumps=True))
    [kept] = cluster.topics["t"].logs[0].producers.dump()
    assert (kept.producer_id, kept.epoch) == (who.producer_id, LAST_EPOCH + 1)


def test_taking_an_id_after_its_last_epoch_gives_a_new_producer_id(cluster):
    who = worn_out(cluster, bumps=False)
    finished(cluster.transactions.end("till", who, committed=True, bumps=False))
    newer = cluster.transactions.take("till", 60, who)
    assert newer == ProducerIdAndEpoch(who.producer_id + 1, 0)
    assert cluster.transactions.take("till", 60, who) == newer, "the answer was lost"
    with refused(ErrorCode.PRODUCER_FENCED):
        cluster.transactions.take("till", 60, ProducerIdAndEpoch(who.producer_id, 5))


def test_fencing_at_the_last_epoch_gives_a_new_producer_id(cluster):
    who = worn_out(cluster, bumps=True)
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        cluster.transactions.take("till", 60)
    assert cluster.transactions.take("till", 60).producer_id == who.producer_id + 1


def test_the_longest_idle_id_makes_room(cluster, clock):
    for name in ("a", "b", "c"):
        cluster.transactions.take(name, 60)
        clock.advance(1)
    begun(cluster, "a")
    cluster.transactions.take("d", 60)
    assert set(cluster.transactions.by_id) == {"a", "c", "d"}


def test_a_new_id_is_refused_while_all_are_in_use(cluster):
    for name in ("a", "b", "c"):
        begun(cluster, name)
    with refused(ErrorCode.COORDINATOR_NOT_AVAILABLE):
        cluster.transactions.take("d", 60)


# By hand.


def test_a_person_aborts_an_open_transaction_and_fences_its_producer(cluster, environment):
    events = watched(environment)
    who = begun(cluster)
    cluster.transactions.abort("till", source="prompt")
    assert events[0].reason == "aborted by prompt"
    with refused(ErrorCode.PRODUCER_FENCED):
        cluster.transactions.add_partitions("till", who, [("t", 0)])
    with refused(ErrorCode.INVALID_TXN_STATE):
        cluster.transactions.abort("till", source="prompt")


# Deleted topics and groups.


def test_a_transaction_ends_though_its_topic_and_group_are_gone(cluster):
    who = begun(cluster)
    cluster.transactions.add_group("till", who, "g", bumps=True)
    offsets = {("t", 0): CommittedOffset(5)}
    cluster.groups.offsets.commit("g", Committer(), offsets, producer_id=who.producer_id)
    cluster.delete_topic("t", source="test")
    cluster.groups.delete("g", source="test")
    finished(cluster.transactions.end("till", who, committed=True, bumps=True))
    assert not cluster.transactions.known("till").is_open


# What outlives a restart.


def test_a_restart_keeps_open_transactions_their_offsets_and_their_time():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init(timeout=10_000)
    player.produce(who, 0, b"a")
    player.commit_offset(who, 7, 5)
    scene.clock.advance(6)
    before = scene.broker.dump()
    scene.broker.restart()
    assert scene.broker.dump() == before
    [_, [ends, _, found]] = ["", player.fetch()]
    assert (ends, found) == ([1, 0, 0], []), "still open"
    assert player.committed() == [ErrorCode.UNSTABLE_OFFSET_COMMIT, -1, ""]
    scene.clock.advance(5)
    assert player.describe()[1] == "CompleteAbort"
    assert player.committed() == [0, -1, ""]


def test_a_committed_transaction_may_end_after_a_restart():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init()
    player.produce(who, 0, b"a")
    player.commit_offset(who, 7, 5)
    scene.broker.restart()
    player.produce(who, 1, b"b")
    player.end(who)
    assert player.committed() == [0, 7, "m"]
    assert [one[4] for one in player.fetch()[2]] == ["data", "data", "control 00000001"]


def test_a_reset_forgets_transactional_ids(cluster):
    begun(cluster)
    cluster.clear()
    assert cluster.transactions.by_id == {}


# Features.


def level(scene, name="transaction.version"):
    request = ApiVersionsRequest(client_software_name="x", client_software_version="1")
    answer = scene.call(request, 4)
    return {one.name: one.max_version_level for one in answer.finalized_features}.get(name)


def to_version(scene, wanted, kind=2):
    update = FeatureUpdateKey(
        feature="transaction.version", max_version_level=wanted, upgrade_type=kind
    )
    return scene.call(UpdateFeaturesRequest(feature_updates=[update]), 2).error_code


def test_the_transaction_version_is_downgraded_only_when_asked_so_and_outlives_a_restart():
    scene = Scene()
    assert level(scene) == 2
    assert to_version(scene, 1, kind=1) == ErrorCode.INVALID_UPDATE_VERSION
    assert level(scene) == 2
    assert to_version(scene, 1) == 0
    scene.broker.restart()
    assert level(scene) == 1
    assert to_version(scene, 0) == 0
    assert level(scene) is None


def test_a_client_of_another_node_is_sent_to_its_bootstrap_servers():
    scene = Scene()
    request = ApiVersionsRequest(
        client_software_name="x",
        client_software_version="1",
        cluster_id=scene.broker.cluster.cluster_id,
        node_id=1,
    )
    assert scene.call(request, 5).error_code == 0
    request.node_id = 2
    assert scene.call(request, 5).error_code == ErrorCode.REBOOTSTRAP_REQUIRED
    request.cluster_id = None
    assert scene.call(request, 5).error_code == ErrorCode.INVALID_REQUEST


# What consumers see.


def waiting(scene, *, isolation):
    client = scene.network.connect()
    request = fetch("t", 0, wait=60_000)
    request.isolation_level = isolation
    scene.ask(client, request, 11)
    return client


def test_a_waiting_read_committed_fetch_is_answered_by_the_marker():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init()
    committed, uncommitted = waiting(scene, isolation=1), waiting(scene, isolation=0)
    player.produce(who, 0, b"a")
    assert uncommitted.peek()
    assert not committed.peek()
    player.end(who)
    part = scene.answer(committed, ApiKey.FETCH, 11).responses[0].partitions[0]
    assert (part.last_stable_offset, part.aborted_transactions) == (2, [])


def test_a_waiting_read_committed_fetch_looks_through_no_more_than_it_misses(monkeypatch):
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init()
    client = scene.network.connect()
    request = fetch("t", 0, wait=60_000, size=500)
    request.isolation_level, request.min_bytes = 1, 300
    scene.ask(client, request, 11)
    for number in range(50):
        player.produce(who, number, b"a" * 100)
    sizes = []
    read = PartitionLog.read
    monkeypatch.setattr(
        PartitionLog,
        "read",
        lambda *some, **more: sizes.append((span := read(*some, **more)).size) or span,
    )
    player.end(who)
    part = scene.answer(client, ApiKey.FETCH, 11).responses[0].partitions[0]
    assert 300 < len(part.records) <= 500
    assert all(0 < size <= 500 for size in sizes)


def test_a_waiting_read_committed_fetch_is_answered_by_plain_records():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    committed = waiting(scene, isolation=1)
    scene.broker.publish("t", b"v")
    scene.network.settle()
    assert scene.answer(committed, ApiKey.FETCH, 11).responses[0].partitions[0].records


def test_records_behind_an_open_transaction_wait_for_it():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init()
    player.produce(who, 0, b"a")
    scene.broker.publish("t", b"plain", partition=0)
    assert player.fetch()[2] == []
    player.end(who, False)
    ends, aborted, found = player.fetch()
    assert ends == [3, 3, 0]
    assert aborted == [["P0", 0]]
    assert [one[0] for one in found] == [0, 1, 2]


def test_markers_are_not_shown_as_records():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    seen = []
    scene.broker.watch(seen.append)
    who = player.init()
    player.produce(who, 0, b"a")
    player.end(who)
    assert [one.value for one in scene.broker.read("t", 0, 0, 10)] == [b"a"]
    assert [one.payload for one in seen] == [b"a"]


def test_the_last_stable_offset_never_falls_behind_the_log_start():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init()
    player.produce(who, 0, b"a")
    player.produce(who, 1, b"b")
    log = scene.broker.cluster.topics["t"].logs[0]
    scene.broker.cluster.delete_records(log, 1, reason="test")
    assert log.last_stable_offset == 1
    player.end(who, False)
    assert log.last_stable_offset == 3
    assert log.transactions.aborted[0].first_offset == 0
    scene.broker.purge_topic("t")
    assert log.transactions.aborted == []


@pytest.mark.parametrize(
    "options",
    [
        {"verify_transactions": False},
        {"configs": {"transaction.partition.verification.enable": " FALSE "}},
    ],
    ids=["option", "config"],
)
def test_without_verification_a_transaction_can_hang_until_its_marker_is_written(options):
    scene = Scene(**options)
    player = Player(scene.call)
    player.create()
    who = player.init()
    assert player.produce(who, 0, version=11) == [0, 0]
    assert player.describe()[1] == "Empty"
    assert player.producers(0)[0][2][0][-1] == 0
    player.mark(who)
    assert scene.broker.cluster.topics["t"].logs[0].last_stable_offset == 2


# The list of aborted transactions (KIP-98's transaction index).


def test_aborted_transactions_are_found_by_the_batches_that_were_read():
    log = LogTransactions()
    log.open = {1: 0, 2: 10, 3: 20}
    log.end(2, 30, committed=False)
    log.end(1, 31, committed=False)
    log.end(3, 32, committed=True)
    second = AbortedTransaction(2, 10, 30, 0)
    first = AbortedTransaction(1, 0, 31, 20)
    assert log.aborted == [second, first]
    assert log.aborted_in(0, 5) == [first]
    assert log.aborted_in(0, 11) == [second, first]
    assert log.aborted_in(31, 33) == [first]
    assert log.aborted_in(32, 33) == []
    log.truncate_before(31)
    assert log.aborted == [first]


def test_the_rows_of_a_fetch_name_markers_and_whose_records_they_are():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init()
    player.produce(who, 0, b"a")
    player.end(who, False)
    client = scene.network.connect()
    scene.ask(client, fetch("t", 0), 11)
    record, marker = client.connection.rows(OUT, client.take())
    assert (record.kind, record.payload) == ("message", b"a")
    assert record.detail["producer_id"] == who[0]
    assert (marker.kind, marker.key, marker.detail["marker"]) == ("control", None, "abort")
    assert marker.detail["offset"] == 1


def test_the_rows_of_a_produce_have_the_transactional_id():
    scene = Scene()
    player = Player(scene.call)
    player.create()
    who = player.init()
    client = scene.network.connect()
    request = produce("t", b"v", producer_id=who[0], producer_epoch=who[1], base_sequence=0)
    request.transactional_id = "id"
    frame = encode_request(request, 12, 1, "till")
    [row] = client.connection.rows(IN, frame)
    assert (row.kind, row.detail["transactional_id"]) == ("message", "id")


def test_a_transaction_takes_no_more_groups_than_there_may_be():
    environment = Environment.create(ManualClock(), seed=1, limits=Limits(kafka_groups=2))
    cluster = Cluster(environment, KafkaOptions())
    who = cluster.transactions.take("till", 60.0)
    for group in ("a", "b", "a"):
        cluster.transactions.add_group("till", who, group)
    with refused(ErrorCode.COORDINATOR_NOT_AVAILABLE):
        cluster.transactions.add_group("till", who, "c")
    assert list(cluster.transactions.by_id["till"].groups) == ["a", "b"]


@pytest.mark.parametrize("pattern", ["(a", "(?=a)b", "a**", r"(a)\1"])
def test_ids_are_listed_by_patterns_of_re2_alone(pattern):
    """What Apache Kafka says: others can take for ever, and all clients would wait for them."""
    scene = Scene()
    answer = scene.call(ListTransactionsRequest(transactional_id_pattern=pattern), 2)
    assert answer.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION


def test_very_many_ids_are_looked_at_by_a_pattern_while_others_are_served():
    scene = Scene()
    for number in range(50):
        scene.broker.cluster.transactions.take(f"id{number}", 60.0)
    # A slice is up after one step.
    scene.environment.turn.length = -1.0
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, ListTransactionsRequest(transactional_id_pattern="id(1|2)."), 2)
    assert not client.peek()
    scene.ask(other, HeartbeatRequest(group_id="g", generation_id=1, member_id="m"), 0)
    assert scene.answer(other, HeartbeatRequest.api_key, 0).error_code
    scene.clock.advance(0)
    scene.network.settle()
    answer = scene.answer(client, ListTransactionsRequest.api_key, 2)
    assert len(answer.transaction_states) == 20


def test_who_is_gone_has_no_ids_looked_at(monkeypatch):
    scene = Scene()
    for number in range(50):
        scene.broker.cluster.transactions.take(f"id{number}", 60.0)
    scene.environment.turn.length = -1.0
    client = scene.network.connect()
    scene.ask(client, ListTransactionsRequest(transactional_id_pattern="id.*"), 2)
    asked = []
    monkeypatch.setattr(Transaction, "transactional_id", property(asked.append))
    client.vanish()
    scene.clock.advance(0)
    assert (scene.environment.chores.waiting, asked) == (0, [])


def test_a_reset_brings_back_the_levels_of_a_new_cluster(cluster):
    levels, epoch = dict(cluster.features.levels), cluster.features.epoch
    cluster.features.update([FeatureUpdate("transaction.version", 1, UpgradeType.SAFE_DOWNGRADE)])
    cluster.clear()
    assert cluster.features.levels == levels
    assert cluster.features.epoch == epoch + 2
    cluster.clear()
    assert cluster.features.epoch == epoch + 2
