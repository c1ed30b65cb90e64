"""Transactions as scenarios: the same requests for our broker and for Apache Kafka.

`Player` asks one broker and writes down what came, in words that two brokers can share: producer
ids become `P0`, `P1` in the order in which they appear, times only say whether they are set.
`python -m tests.brokers.kafka.transacting HOST:PORT` prints what Apache Kafka answers, as
`recorded/transactions.json` keeps it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mockforge_brokers.kafka.records import Record, build_batch, read_records, split_batches
from mockforge_brokers.kafka.wire.messages import (
    groups,
    logs,
    offsets,
    producers,
    topics,
    transactions,
)

from .asked import FOREVER
from .asking import Asking

RECORDED = Path(__file__).parent / "recorded" / "transactions.json"
SETTLING = ("PrepareCommit", "PrepareAbort")


class Player:
    """`call(message, version)` asks the broker; `prefix` keeps names of one run apart."""

    def __init__(self, call, prefix=""):
        self.call = call
        self.prefix = prefix
        self.said = []
        self._producers = {}
        self.topic = f"{prefix}t"
        self.id = f"{prefix}id"
        self.group = f"{prefix}g"

    def forget(self):
        """Begin anew: the next producer is the first one."""
        self.said, self._producers = [], {}

    def note(self, what, outcome):
        self.said.append([what, outcome])
        return outcome

    def named(self, producer_id):
        if producer_id < 0:
            return "none"
        return self._producers.setdefault(producer_id, f"P{len(self._producers)}")

    def create(self, partitions=2):
        topic = topics.CreatableTopic(
            name=self.topic,
            num_partitions=partitions,
            replication_factor=1,
            assignments=[],
            configs=[
                topics.CreatableTopicConfig(name=key, value=value) for key, value in FOREVER.items()
            ],
        )
        request = topics.CreateTopicsRequest(topics=[topic], timeout_ms=5000, validate_only=False)
        assert self.call(request, 5).topics[0].error_code in (0, 36)
        for key, kind in ((self.id, 1), (self.group, 0)):
            self.until(lambda key=key, kind=kind: self._coordinator(key, kind) == 0)
        self.until(lambda: self._claimable())
        for partition in range(partitions):
            self.until(lambda at=partition: self._fetch(0, 0, at).error_code == 0)

    def _coordinator(self, key, kind):
        request = groups.FindCoordinatorRequest(key_type=kind, coordinator_keys=[key])
        return self.call(request, 4).coordinators[0].error_code

    def _claimable(self):
        request = producers.InitProducerIdRequest(
            transactional_id=f"{self.prefix}probe", transaction_timeout_ms=60000
        )
        return self.call(request, 4).error_code not in (14, 15, 16)

    def until(self, true):
        for _ in range(600):
            if true():
                return
            time.sleep(0.05)
        raise AssertionError("it did not settle")

    def settle(self):
        """Apache Kafka writes its markers in the background."""
        request = transactions.DescribeTransactionsRequest(transactional_ids=[self.id])
        self.until(
            lambda: self.call(request, 0).transaction_states[0].transaction_state not in SETTLING
        )

    # What producers ask.

    def init(self, version=5, *, producer=(-1, -1), name=None, timeout=60_000, null=False):
        answer = self.call(
            producers.InitProducerIdRequest(
                transactional_id=None if null else self.id if name is None else name,
                transaction_timeout_ms=timeout,
                producer_id=producer[0],
                producer_epoch=producer[1],
            ),
            version,
        )
        self.note(
            f"init v{version}",
            [answer.error_code, self.named(answer.producer_id), answer.producer_epoch],
        )
        self.settle()
        return answer.producer_id, answer.producer_epoch

    def add(self, producer, *partitions, version=3, name=None, topic=None, verify=False):
        name = self.id if name is None else name
        wanted = [
            transactions.AddPartitionsToTxnTopic(
                name=topic or self.topic, partitions=partitions or (0,)
            )
        ]
        if version < 4:
            request = transactions.AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=name,
                v3_and_below_producer_id=producer[0],
                v3_and_below_producer_epoch=producer[1],
                v3_and_below_topics=wanted,
            )
            results = self.call(request, version).results_by_topic_v3_and_below
        else:
            one = transactions.AddPartitionsToTxnTransaction(
                transactional_id=name,
                producer_id=producer[0],
                producer_epoch=producer[1],
                verify_only=verify,
                topics=wanted,
            )
            request = transactions.AddPartitionsToTxnRequest(transactions=[one])
            results = self.call(request, version).results_by_transaction[0].topic_results
        codes = {
            part.partition_index: part.partition_error_code
            for each in results
            for part in each.results_by_partition
        }
        what = f"{'verify' if verify else 'add'} v{version}"
        return self.note(what, [[index, code] for index, code in sorted(codes.items())])

    def produce(
        self,
        producer,
        sequence,
        *values,
        version=12,
        name=None,
        partition=0,
        transactional=True,
        control=False,
        null=False,
    ):
        batch = build_batch(
            [Record(0, 1000, None, value) for value in values or (b"v",)],
            producer_id=producer[0],
            producer_epoch=producer[1],
            base_sequence=sequence,
            transactional=transactional,
            control=control,
        )
        data = logs.PartitionProduceData(index=partition, records=batch)
        request = logs.ProduceRequest(
            transactional_id=None if null else self.id if name is None else name,
            acks=-1,
            timeout_ms=1000,
            topic_data=[logs.TopicProduceData(name=self.topic, partition_data=[data])],
        )
        [topic] = self.call(request, version).responses
        [part] = topic.partition_responses
        return self.note(f"produce v{version}", [part.error_code, part.base_offset])

    def end(self, producer, committed=True, version=5, *, name=None):
        answer = self.call(
            transactions.EndTxnRequest(
                transactional_id=self.id if name is None else name,
                producer_id=producer[0],
                producer_epoch=producer[1],
                committed=committed,
            ),
            version,
        )
        outcome = [answer.error_code]
        if version >= 5:
            outcome += [self.named(answer.producer_id), answer.producer_epoch]
        self.note(f"{'commit' if committed else 'abort'} v{version}", outcome)
        self.settle()
        return answer.producer_id, answer.producer_epoch

    def add_group(self, producer, version=3, *, name=None, group=None):
        request = transactions.AddOffsetsToTxnRequest(
            transactional_id=self.id if name is None else name,
            producer_id=producer[0],
            producer_epoch=producer[1],
            group_id=self.group if group is None else group,
        )
        return self.note(f"add group v{version}", self.call(request, version).error_code)

    def commit_offset(
        self,
        producer,
        offset,
        version=3,
        *,
        name=None,
        group=None,
        topic=None,
        partition=0,
        generation=-1,
        member="",
        topic_id=bytes(16),
        metadata="m",
    ):
        part = transactions.TxnOffsetCommitRequestPartition(
            partition_index=partition, committed_offset=offset, committed_metadata=metadata
        )
        request = transactions.TxnOffsetCommitRequest(
            transactional_id=self.id if name is None else name,
            group_id=self.group if group is None else group,
            producer_id=producer[0],
            producer_epoch=producer[1],
            generation_id=generation,
            member_id=member,
            topics=[
                transactions.TxnOffsetCommitRequestTopic(
                    name=topic or self.topic, topic_id=topic_id, partitions=[part]
                )
            ],
        )
        [found] = self.call(request, version).topics
        return self.note(f"commit offset v{version}", found.partitions[0].error_code)

    def plain_commit(self, offset):
        part = offsets.OffsetCommitRequestPartition(
            partition_index=0, committed_offset=offset, committed_metadata="plain"
        )
        topic = offsets.OffsetCommitRequestTopic(name=self.topic, partitions=[part])
        request = offsets.OffsetCommitRequest(group_id=self.group, member_id="", topics=[topic])
        [found] = self.call(request, 7).topics
        return self.note("plain commit", found.partitions[0].error_code)

    # What others see.

    def committed(self, *, stable=True, group=None):
        wanted = offsets.OffsetFetchRequestTopics(name=self.topic, partition_indexes=[0])
        request = offsets.OffsetFetchRequest(
            groups=[offsets.OffsetFetchRequestGroup(group_id=group or self.group, topics=[wanted])],
            require_stable=stable,
        )
        [found] = self.call(request, 8).groups
        part = found.topics[0].partitions[0]
        what = f"offsets {'stable' if stable else 'any'}"
        return self.note(what, [part.error_code, part.committed_offset, part.metadata])

    def fetch(self, offset=0, *, isolation=1, partition=0):
        """From `offset` to the end, as a consumer does it: in as many requests as it takes."""
        found = []
        aborted = []
        while True:
            data = self._fetch(offset, isolation, partition)
            if data.error_code:
                return self.note("fetch", [data.error_code])
            for one in data.aborted_transactions or ():
                pair = [self.named(one.producer_id), one.first_offset]
                if pair not in aborted:
                    aborted.append(pair)
            batches = split_batches(data.records or b"")
            if not batches:
                break
            for header, batch in batches:
                offset = header.last_offset + 1
                for record in read_records(batch):
                    kind = "control " + (record.key or b"").hex() if header.is_control else "data"
                    value = (record.value or b"").hex()
                    who = self.named(header.producer_id)
                    place = [record.offset, who, header.producer_epoch, header.base_sequence]
                    found.append([*place, kind, value])
        ends = [data.high_watermark, data.last_stable_offset, data.log_start_offset]
        return self.note(f"fetch isolation {isolation}", [ends, aborted, found])

    def _fetch(self, offset, isolation, partition):
        part = logs.FetchPartition(
            partition=partition, fetch_offset=offset, partition_max_bytes=1 << 20
        )
        request = logs.FetchRequest(
            max_wait_ms=0,
            min_bytes=1,
            isolation_level=isolation,
            topics=[logs.FetchTopic(topic=self.topic, partitions=[part])],
        )
        return self.call(request, 11).responses[0].partitions[0]

    def position(self, timestamp=-1, *, isolation=1):
        part = offsets.ListOffsetsPartition(partition_index=0, timestamp=timestamp)
        topic = offsets.ListOffsetsTopic(name=self.topic, partitions=[part])
        request = offsets.ListOffsetsRequest(
            replica_id=-1, isolation_level=isolation, topics=[topic]
        )
        part = self.call(request, 7).topics[0].partitions[0]
        return self.note(
            f"position of {timestamp} isolation {isolation}", [part.error_code, part.offset]
        )

    def describe(self, name=None):
        request = transactions.DescribeTransactionsRequest(
            transactional_ids=[self.id if name is None else name]
        )
        [one] = self.call(request, 0).transaction_states
        places = [
            [topic.topic.removeprefix(self.prefix), list(topic.partitions)]
            for topic in one.topics
            if not topic.topic.startswith("__")
        ]
        groups = [len(topic.partitions) for topic in one.topics if topic.topic.startswith("__")]
        who = "none" if one.error_code else self.named(one.producer_id)
        return self.note(
            "describe",
            [
                one.error_code,
                one.transaction_state,
                one.transaction_timeout_ms,
                one.transaction_start_time_ms > 0,
                who,
                one.producer_epoch,
                sorted(places),
                groups,
            ],
        )

    def list(self, version=2, **wanted):
        answer = self.call(transactions.ListTransactionsRequest(**wanted), version)
        states = [one.transaction_state for one in answer.transaction_states]
        ids = [one.transactional_id for one in answer.transaction_states]
        mine = [state for name, state in zip(ids, states, strict=True) if name == self.id]
        return self.note(
            f"list v{version}", [answer.error_code, list(answer.unknown_state_filters), mine]
        )

    def producers(self, *partitions):
        topic = producers.DescribeProducersTopic(name=self.topic, partition_indexes=partitions)
        request = producers.DescribeProducersRequest(topics=[topic])
        return self.note(
            "producers",
            [
                [
                    part.partition_index,
                    part.error_code,
                    [
                        [
                            self.named(one.producer_id),
                            one.producer_epoch,
                            one.last_sequence,
                            one.last_timestamp > 0,
                            one.coordinator_epoch,
                            one.current_txn_start_offset,
                        ]
                        for one in part.active_producers
                    ],
                ]
                for part in self.call(request, 0).topics[0].partitions
            ],
        )

    def mark(
        self,
        producer,
        committed=False,
        version=1,
        *,
        partition=0,
        topic=None,
        coordinator=0,
        transaction_version=0,
    ):
        marker = transactions.WritableTxnMarker(
            producer_id=producer[0],
            producer_epoch=producer[1],
            transaction_result=committed,
            topics=[
                transactions.WritableTxnMarkerTopic(
                    name=topic or self.topic, partition_indexes=[partition]
                )
            ],
            coordinator_epoch=coordinator,
            transaction_version=transaction_version,
        )
        answer = self.call(transactions.WriteTxnMarkersRequest(markers=[marker]), version)
        return self.note(f"mark v{version}", answer.markers[0].topics[0].partitions[0].error_code)


# The scenarios.


def taking_an_id(p: Player) -> None:
    p.init(name="")
    for timeout in (0, -1, 900_001):
        p.init(timeout=timeout)
    p.init(null=True, timeout=-5)
    p.init(null=True, producer=(7, 3))
    for version in (0, 1, 3, 4):
        who = p.init(version)
    p.init(producer=who)
    p.init(producer=who)
    for version in (3, 4):
        p.init(version, producer=(who[0], 0))
    p.init(producer=(who[0] + 77, who[1] + 1))
    p.init(producer=(who[0], -1))
    p.init(producer=(-1, 3))
    p.describe()
    p.describe(f"{p.prefix}nobody")
    p.describe("")


def adding_partitions(p: Player) -> None:
    who = p.init()
    old, newer, other = (who[0], who[1] - 1), (who[0], who[1] + 1), (who[0] + 77, who[1])
    p.add(who, name=f"{p.prefix}nobody")
    p.add(who, name="")
    p.add(other)
    for version in (0, 1, 2, 3, 4, 5):
        p.add(old, version=version)
        p.add(newer, version=version)
    p.add(who, topic=f"{p.prefix}none")
    p.add(who, 0, 9)
    for version in (4, 5):
        p.add(who, version=version, verify=True)
        p.add(old, version=version, verify=True)
        p.add(who, version=version, verify=True, name=f"{p.prefix}nobody")
    p.describe()
    p.add(who, 0, 1)
    p.add(who, 0)
    p.add(who, version=4, verify=True)
    p.describe()
    p.end(who, version=3)
    p.describe()


def producing_without_having_added(p: Player) -> None:
    p.init()
    who = p.init()
    for version in (7, 9, 10, 11):
        p.produce(who, 0, version=version)
    p.produce(who, 0, version=11, null=True)
    p.produce(who, 0, version=12, null=True)
    p.produce(who, 0, version=11, name=f"{p.prefix}nobody")
    p.produce((who[0], who[1] - 1), 0, version=11)
    p.produce((who[0] + 77, 0), 0, version=11)
    p.produce((who[0] + 77, 0), 0, version=12)
    p.produce((who[0], who[1] + 1), 0, version=12)
    p.fetch(isolation=0)


def a_transaction_of_version_1(p: Player) -> None:
    who = p.init()
    p.end(who, version=3)
    p.end(who, False, version=3)
    p.add(who, 0, 1)
    p.produce(who, 0, version=11)
    p.produce(who, 0, version=11)
    p.produce(who, 5, version=11)
    p.produce(who, 1, version=11, transactional=False)
    p.produce(who, 1, version=11, control=True)
    p.produce(who, 1, b"a", b"b", version=11)
    for isolation in (0, 1):
        p.fetch(isolation=isolation)
        p.fetch(9, isolation=isolation)
        for timestamp in (-1, -2, -3, 1):
            p.position(timestamp, isolation=isolation)
    p.producers(0, 1, 9)
    p.list()
    p.list(state_filters=["Ongoing", "Foo"])
    p.list(state_filters=["Empty"])
    p.list(producer_id_filters=[who[0]])
    p.list(producer_id_filters=[who[0] + 77])
    p.list(duration_filter=10_000_000)
    p.list(duration_filter=-1)
    p.list(transactional_id_pattern=f"{p.prefix}.*")
    p.list(transactional_id_pattern="i")
    p.list(transactional_id_pattern="(")
    p.list(1)
    p.list(0)
    p.end(who, version=3)
    p.end(who, version=3)
    p.end(who, False, version=3)
    p.fetch()
    p.fetch(partition=1)
    p.producers(0, 1)
    p.describe()
    p.produce(who, 3, version=11)
    p.add(who)
    p.produce(who, 3, version=11)
    p.end(who, False, version=3)
    p.fetch()
    p.fetch(5)
    p.fetch(6)
    p.position()
    p.end(who, False, version=3)
    p.end(who, version=3)


def a_transaction_of_version_2(p: Player) -> None:
    who = p.init()
    p.produce(who, 0)
    p.describe()
    p.fetch()
    now = p.end(who)
    p.end(who)
    p.end(who, False)
    p.describe()
    p.produce(who, 1)
    p.produce(now, 1)
    p.produce(now, 0)
    after = p.end(now, False)
    p.end(now, False)
    p.end(now)
    last = p.end(after, False)
    p.describe()
    p.end(last)
    p.end(last, version=3)
    p.end(last, False, version=3)
    p.fetch()
    p.producers(0)
    fresh = p.init()
    p.end(fresh)
    p.end(fresh, False)
    p.end(fresh, False)


def fencing(p: Player) -> None:
    who = p.init()
    p.add(who)
    p.produce(who, 0, version=11)
    p.init()
    p.describe()
    newer = p.init()
    p.produce(who, 1, version=11)
    p.produce(who, 1, version=12)
    for version in (0, 1, 2, 3):
        p.end(who, version=version)
    p.end(who)
    p.fetch()
    p.producers(0)
    p.produce(newer, 0)
    p.init()
    p.describe()
    p.init(producer=newer)
    p.init(producer=newer)
    p.init(producer=(newer[0], newer[1] - 1))
    p.init()
    p.fetch(2)


def offsets_in_a_transaction(p: Player) -> None:
    who = p.init()
    old, newer = (who[0], who[1] - 1), (who[0], who[1] + 1)
    p.add_group(who, name=f"{p.prefix}nobody")
    p.add_group(who, name="")
    p.add_group((who[0] + 77, who[1]))
    for version in (0, 1, 2, 3, 4):
        p.add_group(newer, version)
    for version in (0, 1, 2, 3, 4):
        p.commit_offset(who, 5, version)
    p.commit_offset(newer, 5)
    p.commit_offset(who, 5, name=f"{p.prefix}nobody")
    p.commit_offset(who, 5, name="")
    p.commit_offset(who, 5, group="")
    p.commit_offset(who, 5, topic=f"{p.prefix}none")
    p.commit_offset(who, 5, partition=9)
    p.add_group(who)
    p.add_group(who)
    p.describe()
    p.commit_offset(who, 5)
    p.commit_offset(who, 5, generation=3)
    p.commit_offset(who, 5, member="m")
    p.commit_offset(old, 5)
    p.commit_offset((who[0] + 77, who[1]), 5)
    p.commit_offset(who, 5, metadata="x" * 5000)
    p.committed()
    p.committed(stable=False)
    p.end(who, version=3)
    p.committed()
    p.add_group(who)
    p.commit_offset(who, 9)
    p.end(who, False, version=3)
    p.committed()
    p.add_group(who)
    p.commit_offset(who, 11)
    p.plain_commit(20)
    p.committed()
    p.committed(stable=False)
    p.end(who, version=3)
    p.committed()


def offsets_in_a_transaction_of_version_2(p: Player) -> None:
    who = p.init()
    p.commit_offset(who, 30, 5)
    p.describe()
    p.committed()
    now = p.end(who)
    p.committed()
    p.commit_offset(who, 31, 5)
    p.commit_offset(who, 31, 4)
    p.describe()
    p.commit_offset(now, 31, 6, topic_id=b"1" * 16)
    p.commit_offset(now, 1, 5, group=f"{p.group}new", generation=2, member="x")
    p.commit_offset(now, 1, 5, group=f"{p.group}new", member="x")
    p.end(now)
    p.committed(group=f"{p.group}new")


def markers_by_hand(p: Player) -> None:
    p.init()
    who = p.init()
    newer = (who[0], who[1] + 1)
    p.produce(who, 0)
    p.mark(who, topic=f"{p.prefix}none")
    p.mark(who, partition=9)
    p.mark((who[0], who[1] - 1))
    p.mark(who, version=2, transaction_version=2)
    p.mark(who)
    p.mark(who)
    p.mark(newer, True, version=2, transaction_version=2)
    p.mark(newer, True, coordinator=-1)
    p.producers(0)
    p.fetch()
    p.describe()
    p.produce(newer, 0)
    p.end(who)
    p.fetch()
    p.producers(0)
    p.mark(newer, True, coordinator=5)
    p.mark(newer, True, coordinator=0)
    p.producers(0)


SCENARIOS: dict[str, Callable[[Player], None]] = {
    scenario.__name__: scenario
    for scenario in (
        taking_an_id,
        adding_partitions,
        producing_without_having_added,
        a_transaction_of_version_1,
        a_transaction_of_version_2,
        fencing,
        offsets_in_a_transaction,
        offsets_in_a_transaction_of_version_2,
        markers_by_hand,
    )
}


def play(call, name, prefix):
    player = Player(call, prefix)
    player.create()
    SCENARIOS[name](player)
    return player.said


def record(path, scenarios, play) -> None:
    """Keep in a file what the broker at the first argument's HOST:PORT answers."""
    host, port = sys.argv[1].rsplit(":", 1)
    run = f"r{int(time.time())}."
    with Asking(host, int(port)) as asking:
        said = {
            name: play(asking.call, name, f"{run}{number}.")
            for number, name in enumerate(scenarios)
        }
    write_recorded(path, said)


def write_recorded(path, said) -> None:
    """Steps by scenario as JSON, a line for each step."""
    lines = [
        f"  {json.dumps(name)}: [\n"
        + ",\n".join(f"    {json.dumps(one)}" for one in steps)
        + "\n  ]"
        for name, steps in said.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record(RECORDED, SCENARIOS, play)
