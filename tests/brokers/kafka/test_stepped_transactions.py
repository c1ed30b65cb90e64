"""Ends of transactions and commits that are about much: in steps, between which much may happen."""

import pytest
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.events import TransactionAborted
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.kafka.state.transactions.transaction import LAST_EPOCH, ProducerIdAndEpoch
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from mockforge_brokers.kafka.wire.messages.producers import InitProducerIdRequest
from mockforge_brokers.kafka.wire.messages.transactions import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    EndTxnRequest,
)

from ..storage.memory_disk import MemoryDisk
from .scene import Scene, Turning, produce

WIDE = 200
"""Partitions of a transaction."""
GROUP = "g"


class Transacting:
    """A producer of transactions V2 with a transaction open in all partitions of a topic.

    Each step takes a turn of the loop.
    """

    def __init__(self, **more):
        self.scene = Scene(clock=Turning(), **more)
        self.cluster = self.scene.broker.cluster
        self.scene.broker.create_topic("wide", WIDE)
        transactions = self.cluster.transactions
        self.who = who = transactions.take("till", 60.0, client="shop")
        places = [("wide", number) for number in range(WIDE)]
        transactions.add_partitions("till", who, places, bumps=True)
        transactions.add_group("till", who, GROUP, bumps=True)
        batch = produce(
            "wide",
            b"1",
            producer_id=who.producer_id,
            producer_epoch=who.producer_epoch,
            base_sequence=0,
            transactional=True,
        )
        records = batch.topic_data[0].partition_data[0].records
        for log in self.logs:
            self.cluster.append(log, records, begin=lambda log, header: None)
        offsets = {place: CommittedOffset(1) for place in places}
        self.cluster.groups.offsets.commit(GROUP, Committer(), offsets, producer_id=who.producer_id)
        self.aborted = []
        self.scene.environment.spine.watch(self.aborted.append, TransactionAborted)
        self.scene.environment.turn.length = -1.0
        self.scene.environment.turn.begin()
        self.client = self.scene.network.connect()

    @property
    def logs(self):
        return self.scene.broker.cluster.topics["wide"].logs

    @property
    def markers(self):
        return sum(log.high_watermark - 1 for log in self.logs)

    @property
    def committed(self):
        group = self.scene.broker.cluster.groups.by_id[GROUP]
        return len(group.offsets.topics.get("wide", {}))

    @property
    def state(self):
        return self.scene.broker.cluster.transactions.by_id["till"].state.value

    def ending(self, *, committed=True):
        return EndTxnRequest(
            transactional_id="till",
            producer_id=self.who.producer_id,
            producer_epoch=self.who.producer_epoch,
            committed=committed,
        )

    def end(self):
        self.scene.ask(self.client, self.ending(), 5)

    def begin_end(self):
        """As far as some turns go."""
        self.end()
        for _ in range(3):
            self.scene.clock.turn()
        assert 0 < self.markers < WIDE

    def later(self):
        self.scene.clock.advance(0)
        self.scene.network.settle()
        assert not self.scene.environment.chores.waiting

    def ask(self, message, version):
        client = self.scene.network.connect()
        self.scene.ask(client, message, version)
        return self.scene.answer(client, message.api_key, version)


@pytest.fixture
def wide():
    return Transacting()


def test_an_end_is_written_by_steps_and_answered_when_it_is_everywhere(wide):
    wide.end()
    before = wide.markers
    while wide.markers < WIDE:
        assert not wide.client.peek()
        assert wide.state == "PrepareCommit"
        assert wide.ask(MetadataRequest(topics=[]), 12).topics == []
        before = wide.markers
        wide.scene.clock.turn()
        assert wide.markers - before <= 16
    assert wide.committed < WIDE
    wide.later()
    answer = wide.scene.answer(wide.client, ApiKey.END_TXN, 5)
    assert (answer.error_code, answer.producer_epoch) == (0, wide.who.producer_epoch + 1)
    assert (wide.state, wide.markers, wide.committed) == ("CompleteCommit", WIDE, WIDE)


def test_offsets_of_a_transaction_are_settled_by_steps(wide):
    wide.end()
    assert wide.committed == 0
    group, before = wide.cluster.groups.by_id[GROUP], 0
    while wide.committed < WIDE:
        wide.scene.clock.turn()
        assert wide.committed - before <= 64
        before = wide.committed
        settled = group.offsets.topics.get("wide", {})
        assert all(
            group.offsets.is_unstable("wide", number) != (number in settled)
            for number in range(WIDE)
        )
    wide.later()
    assert group.offsets.pending == {}


def adding(wide):
    return AddPartitionsToTxnRequest(
        v3_and_below_transactional_id="till",
        v3_and_below_producer_id=wide.who.producer_id,
        v3_and_below_producer_epoch=wide.who.producer_epoch + 1,
        v3_and_below_topics=[AddPartitionsToTxnTopic(name="wide", partitions=[0])],
    )


def added_code(answer):
    return answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code


def taking(wide):
    return InitProducerIdRequest(transactional_id="till", transaction_timeout_ms=1000)


def producing(wide):
    request = produce(
        "wide",
        b"2",
        producer_id=wide.who.producer_id,
        producer_epoch=wide.who.producer_epoch + 1,
        base_sequence=0,
        transactional=True,
    )
    request.transactional_id = "till"
    return request


def produced_code(answer):
    return answer.responses[0].partition_responses[0].error_code


def code(answer):
    return answer.error_code


@pytest.mark.parametrize(
    ("request_of", "version", "code_of", "expected"),
    [
        (adding, 3, added_code, ErrorCode.CONCURRENT_TRANSACTIONS),
        (producing, 11, produced_code, ErrorCode.NOT_ENOUGH_REPLICAS),
        (producing, 12, produced_code, ErrorCode.CONCURRENT_TRANSACTIONS),
        (taking, 5, code, ErrorCode.CONCURRENT_TRANSACTIONS),
        (Transacting.ending, 5, code, ErrorCode.CONCURRENT_TRANSACTIONS),
        (lambda wide: wide.ending(committed=False), 5, code, ErrorCode.INVALID_TXN_STATE),
    ],
    ids=["add", "produce of V1", "produce of V2", "take", "the same end", "another end"],
)
def test_nothing_begins_under_an_id_before_its_end_is_everywhere(
    wide, request_of, version, code_of, expected
):
    wide.begin_end()
    asked = wide.scene.network.connect()
    wide.scene.ask(asked, request_of(wide), version)
    # Its own steps and those of the end take turns.
    answer = None
    while wide.markers < WIDE and answer is None:
        wide.scene.clock.turn()
        wide.scene.network.settle()
        if asked.peek():
            answer = wide.scene.answer(asked, request_of(wide).api_key, version)
    assert code_of(answer) == expected
    wide.later()
    assert (wide.state, wide.markers, wide.committed) == ("CompleteCommit", WIDE, WIDE)
    again = wide.ask(taking(wide), 5)
    assert (again.error_code, again.producer_epoch) == (0, wide.who.producer_epoch + 2)


def test_an_end_that_takes_the_last_epoch_is_that_of_its_old_producer_id(wide):
    one = wide.cluster.transactions.by_id["till"]
    one.producer_epoch = LAST_EPOCH
    wide.who = ProducerIdAndEpoch(one.producer_id, LAST_EPOCH)
    wide.begin_end()
    assert one.producer_id != wide.who.producer_id
    (topic,) = wide.scene.broker.destinations()
    (opened,) = topic.detail["partitions"][-1].open
    assert (opened.producer_id, opened.transactional_id) == (wide.who.producer_id, "till")
    assert wide.scene.broker.abort_hanging("wide", WIDE - 1) == 0
    wide.later()
    assert (wide.state, wide.markers, wide.committed) == ("CompleteCommit", WIDE, WIDE)
    assert wide.who.producer_id not in wide.cluster.transactions.by_producer()


def test_an_end_is_written_also_for_who_is_gone(wide):
    wide.begin_end()
    wide.client.vanish()
    wide.later()
    assert (wide.state, wide.markers, wide.committed) == ("CompleteCommit", WIDE, WIDE)


@pytest.mark.parametrize("place", [0, 150])
@pytest.mark.parametrize("committed", [False, True])
def test_an_end_that_a_bug_stopped_is_written_anew(wide, monkeypatch, place, committed):
    cluster, failing = wide.cluster, wide.logs[place]
    usual = cluster.append_marker

    def append_marker(log, marker):
        if log is failing:
            raise RuntimeError("a bug")
        usual(log, marker)

    monkeypatch.setattr(cluster, "append_marker", append_marker)
    # In the first step, or in a later turn.
    with pytest.raises(RuntimeError):
        wide.scene.ask(wide.client, wide.ending(committed=committed), 5)
        wide.later()
    wide.later()
    assert wide.markers == place
    assert wide.ask(taking(wide), 5).error_code == ErrorCode.CONCURRENT_TRANSACTIONS
    with pytest.raises(RuntimeError):
        wide.scene.clock.advance(5)
    monkeypatch.undo()
    wide.scene.clock.advance(5)
    wide.later()
    state = "CompleteCommit" if committed else "CompleteAbort"
    assert (wide.state, wide.markers) == (state, WIDE)
    assert wide.committed == (WIDE if committed else 0)
    assert wide.ask(taking(wide), 5).error_code == 0


def timed_out(wide):
    wide.scene.clock.pass_time(61)
    wide.scene.clock.turn()


def fenced(wide):
    assert wide.ask(taking(wide), 5).error_code == ErrorCode.CONCURRENT_TRANSACTIONS


def aborted(wide):
    wide.scene.broker.abort_transaction("till")


@pytest.mark.parametrize("abort", [timed_out, fenced, aborted])
def test_who_aborts_for_others_does_it_by_steps(wide, abort):
    abort(wide)
    assert wide.state == "PrepareAbort"
    assert 0 < wide.markers <= 16
    before = wide.markers
    while wide.markers < WIDE:
        assert wide.aborted == []
        wide.scene.clock.turn()
        assert wide.markers - before <= 16
        before = wide.markers
    wide.later()
    assert (wide.state, wide.markers, wide.committed) == ("CompleteAbort", WIDE, 0)
    (event,) = wide.aborted
    assert (event.partitions, len(event.begun)) == (WIDE, WIDE)
    assert not any(log.transactions.open for log in wide.logs)


@pytest.mark.parametrize("hard", [False, True])
def test_an_end_goes_on_after_a_restart(hard):
    wide = Transacting()
    wide.begin_end()
    wide.scene.broker.restart(hard=hard)
    wide.later()
    assert (wide.state, wide.markers, wide.committed) == ("CompleteCommit", WIDE, WIDE)


def test_an_end_goes_on_from_what_is_on_disk():
    disk = MemoryDisk()
    wide = Transacting(disk=disk)
    wide.begin_end()
    wide.scene.clock.pass_time(disk.store.interval)
    while not disk.entities:
        wide.scene.clock.turn()
    again = Scene(disk=MemoryDisk())
    again.broker.take_up(disk.kept())
    cluster = again.broker.cluster
    assert cluster.transactions.by_id["till"].state.value == "PrepareCommit"
    assert 0 < sum(bool(log.transactions.open) for log in cluster.topics["wide"].logs) < WIDE
    again.clock.advance(0)
    assert cluster.transactions.by_id["till"].state.value == "CompleteCommit"
    assert [log.high_watermark for log in cluster.topics["wide"].logs] == [2] * WIDE
    assert len(cluster.groups.by_id[GROUP].offsets.topics["wide"]) == WIDE


def test_a_reset_ends_what_was_being_written(wide):
    wide.begin_end()
    wide.scene.broker.reset()
    wide.later()
    assert wide.cluster.transactions.by_id == {}
    assert wide.cluster.topics == {}


def committed_by(version):
    def request(cluster):
        topics = []
        for name in ("wide", "other"):
            partitions = [
                OffsetCommitRequestPartition(partition_index=at, committed_offset=7)
                for at in range(50)
            ]
            topics.append(
                OffsetCommitRequestTopic(
                    name=name, topic_id=cluster.topics[name].topic_id, partitions=partitions
                )
            )
        return OffsetCommitRequest(group_id="outside", topics=topics)

    return request, ApiKey.OFFSET_COMMIT, version


@pytest.mark.parametrize("turns", [2, 4])
@pytest.mark.parametrize("again", [False, True], ids=["gone", "made again"])
@pytest.mark.parametrize(
    ("version", "code"),
    [(9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), (10, ErrorCode.UNKNOWN_TOPIC_ID)],
)
def test_what_was_committed_of_a_topic_that_goes_meanwhile_goes_too(
    wide, again, version, code, turns
):
    scene, cluster = wide.scene, wide.cluster
    scene.broker.create_topic("other", 50)
    request, api, version = committed_by(version)
    scene.ask(wide.client, request(cluster), version)
    # Some or all partitions of the first topic have been looked at.
    for _ in range(turns):
        scene.clock.turn()
    cluster.delete_topic("wide", source="test")
    if again:
        scene.broker.create_topic("wide", 50)
    wide.later()
    codes = [
        {one.error_code for one in topic.partitions}
        for topic in scene.answer(wide.client, api, version).topics
    ]
    assert codes == [{code}, {0}]
    assert list(cluster.groups.by_id["outside"].offsets.topics) == ["other"]


def test_partitions_of_a_topic_that_goes_meanwhile_are_in_no_transaction(wide):
    scene, cluster = wide.scene, wide.cluster
    scene.broker.create_topic("other", 50)
    who = cluster.transactions.take("second", 60.0)
    request = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id="second",
        v3_and_below_producer_id=who.producer_id,
        v3_and_below_producer_epoch=who.producer_epoch,
        v3_and_below_topics=[
            AddPartitionsToTxnTopic(name=name, partitions=list(range(50)))
            for name in ("wide", "other")
        ],
    )
    scene.ask(wide.client, request, 3)
    for _ in range(60):
        scene.clock.turn()
    cluster.delete_topic("wide", source="test")
    wide.later()
    answer = scene.answer(wide.client, ApiKey.ADD_PARTITIONS_TO_TXN, 3)
    codes = [
        {one.partition_error_code for one in topic.results_by_partition}
        for topic in answer.results_by_topic_v3_and_below
    ]
    assert codes == [
        {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION},
        {ErrorCode.OPERATION_NOT_ATTEMPTED},
    ]
    assert not cluster.transactions.by_id["second"].is_open
