"""What Apache Kafka says to requests that name something twice, or in two ways, and to odd values.

`python -m tests.brokers.kafka.repeating HOST:PORT` keeps what an Apache Kafka answers that has no
topics of these names in `recorded/repeated.json`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.records import read_batch_header, with_timestamps
from mockforge_brokers.kafka.wire.messages import cluster, logs, offsets, topics
from mockforge_brokers.kafka.wire.schema import ZERO_UUID, Message

from .asked import FOREVER, altered, created, listed, produced, until
from .batching import BODY, batch

RECORDED = Path(__file__).parent / "recorded" / "repeated.json"
NAMES = A, B, GONE = ("twice.a", "twice.b", "twice.gone")
"""Each of two partitions, with one record in each."""
NUMBERS = {
    "retention.ms": ("1_000", "+5", " 5 ", "٣", "5.0", "0x10", ""),
    "min.cleanable.dirty.ratio": (".5", "1e-1", "nan", "NaN", "inf", "1_0", "", "0.5d", "0x0.8p0"),
    "cleanup.policy": ("",),
    "preallocate": (" TRUE ",),
}

_GOOD = batch(BODY)
_DAY = 86_400_000
Call = Callable[[Message, int], Any]


def _produced(*parts: tuple[str, int, bytes]) -> Message:
    return logs.ProduceRequest(
        acks=-1,
        timeout_ms=1000,
        topic_data=[
            logs.TopicProduceData(
                name=name, partition_data=[logs.PartitionProduceData(index=index, records=records)]
            )
            for name, index, records in parts
        ],
    )


def _fetched(*parts: tuple[str, int, int]) -> Message:
    return logs.FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        topics=[
            logs.FetchTopic(
                topic=name,
                partitions=[
                    logs.FetchPartition(
                        partition=index, fetch_offset=offset, partition_max_bytes=1 << 20
                    )
                ],
            )
            for name, index, offset in parts
        ],
    )


def _listed(name: str, *parts: tuple[int, int]) -> Message:
    partitions = [
        offsets.ListOffsetsPartition(partition_index=index, timestamp=time) for index, time in parts
    ]
    topic = offsets.ListOffsetsTopic(name=name, partitions=partitions)
    return offsets.ListOffsetsRequest(replica_id=-1, topics=[topic])


def _shown(*names: str | bytes) -> Message:
    wanted = [
        cluster.MetadataRequestTopic(name=one)
        if isinstance(one, str)
        else cluster.MetadataRequestTopic(name=None, topic_id=one)
        for one in names
    ]
    return cluster.MetadataRequest(topics=wanted, allow_auto_topic_creation=False)


def _deleted(*names: str | bytes | None) -> Message:
    states = [
        topics.DeleteTopicState(name=None, topic_id=one)
        if isinstance(one, bytes)
        else topics.DeleteTopicState(name=one, topic_id=ZERO_UUID)
        for one in names
    ]
    names = tuple(one for one in names if isinstance(one, str))
    return topics.DeleteTopicsRequest(topics=states, topic_names=names, timeout_ms=5000)


def _emptied(*parts: tuple[str, int, int]) -> Message:
    return logs.DeleteRecordsRequest(
        topics=[
            logs.DeleteRecordsTopic(
                name=name,
                partitions=[logs.DeleteRecordsPartition(partition_index=index, offset=offset)],
            )
            for name, index, offset in parts
        ],
        timeout_ms=1000,
    )


# What is told of an answer: a row for each part, in any order.


def _appended(answer: Any) -> list[Any]:
    return [
        [topic.name, one.index, one.error_code, one.base_offset]
        for topic in answer.responses
        for one in topic.partition_responses
    ]


def _read(answer: Any) -> list[Any]:
    return [
        [topic.topic, one.partition_index, one.error_code, len(bytes(one.records or b""))]
        for topic in answer.responses
        for one in topic.partitions
    ]


def _found(answer: Any) -> list[Any]:
    return [
        [topic.name, one.partition_index, one.error_code, one.offset, one.timestamp]
        for topic in answer.topics
        for one in topic.partitions
    ]


def _described(answer: Any) -> list[Any]:
    return [[one.error_code, one.name or "", len(one.partitions)] for one in answer.topics]


def _gone(answer: Any) -> list[Any]:
    return [
        [one.error_code, one.name or "", one.topic_id != ZERO_UUID, one.error_message or ""]
        for one in answer.responses
    ]


def _truncated(answer: Any) -> list[Any]:
    return [
        [topic.name, one.partition_index, one.error_code, one.low_watermark]
        for topic in answer.topics
        for one in topic.partitions
    ]


def _sized(answer: Any) -> list[Any]:
    return [
        [topic.name, one.partition_index] for topic in answer.results[0].topics
        for one in topic.partitions
    ]  # fmt: skip


def _configured(answer: Any) -> list[Any]:
    return [[one.error_code, one.error_message or ""] for one in answer.responses]


def furnish(call: Call) -> None:
    for name in NAMES:
        call(created(name, partitions=2, dry=False, configs=FOREVER), 5)
        for index in (0, 1):
            until(lambda name=name, index=index: not _appended(
                call(produced(name, _GOOD, partition=index), 9)
            )[0][2])  # fmt: skip


def play(call: Call) -> dict[str, list[Any]]:
    """What a broker says, by what was asked."""
    furnish(call)
    said: dict[str, list[Any]] = {}

    def ask(what: str, message: Message, version: int, told: Callable[[Any], list[Any]]) -> None:
        said[what] = sorted(told(call(message, version)))

    header = read_batch_header(_GOOD)
    placed = (5).to_bytes(8, "big") + _GOOD[8:]
    later = with_timestamps(_GOOD, header.attributes, header.max_timestamp + 9000 * _DAY)
    ask("a batch with an offset", produced(A, placed), 9, _appended)
    ask("a header that is ahead of its records", produced(A, later), 9, _appended)
    ask("the newest record", listed(A, -3), 7, _found)
    ask("batches for one partition", _produced((A, 0, _GOOD), (A, 1, _GOOD), (A, 0, later)), 9,
        _appended)  # fmt: skip
    ask("reads of one partition", _fetched((B, 0, 0), (A, 1, 0), (B, 0, 3)), 12, _read)
    for version in (1, 7, 10):
        ask(f"times of one partition v{version}", _listed(A, (0, -1), (0, -2), (1, -1)), version,
            _found)  # fmt: skip
    ask("times of a topic that is not there", _listed("twice.none", (0, -3), (0, -1)), 6, _found)
    ask("times that stand for nothing", _listed(A, (0, -9), (9, -3)), 6, _found)
    for version in (1, 4, 12):
        ask(f"a topic shown twice v{version}", _shown(A, A), version,
            _described)  # fmt: skip
    ids = {one.name: one.topic_id for one in call(_shown(*NAMES), 12).topics}
    ask("one shown by id, one by name", _shown(ids[A], B), 12, _described)
    ask("an id shown twice", _shown(ids[A], ids[A], b"1" * 16, b"1" * 16), 12, _described)
    ask("a topic deleted twice", _deleted(GONE, GONE), 6, _gone)
    ask("a topic deleted twice v4", _deleted(GONE, GONE), 4, _gone)
    ask("an id deleted twice", _deleted(ids[GONE], ids[GONE]), 6, _gone)
    ask("deleted by name and by id", _deleted(ids[GONE], GONE), 6, _gone)
    ask("deleted by name and twice by id", _deleted(ids[GONE], ids[GONE], GONE), 6, _gone)
    ask("deleted by nothing", _deleted(None), 6, _gone)
    ask("it is there", _shown(GONE), 12, _described)
    ask("records deleted twice", _emptied((B, 0, 1), (B, 1, 1), (B, 0, 2)), 2, _truncated)
    wanted = logs.DescribableLogDirTopic(topic=B, partitions=[0, 0, 1])
    ask("sizes", logs.DescribeLogDirsRequest(topics=[wanted]), 4, _sized)
    ask("deleted twice by name and by id", _deleted(GONE, ids[GONE], GONE), 6, _gone)
    for key, values in NUMBERS.items():
        for value in values:
            ask(f"{key}={value!r}", altered(A, {key: value}), 1, _configured)
    return said


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
