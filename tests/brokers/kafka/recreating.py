"""What Apache Kafka says to those who know a topic by an id that it no longer has.

`python -m tests.brokers.kafka.recreating HOST:PORT` keeps what Apache Kafka answers in
`recorded/recreated.json`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.wire.messages import logs, offsets
from mockforge_brokers.kafka.wire.schema import ZERO_UUID, Message

from .asked import created, produced, until
from .batching import CASES
from .internal_topics import deleted, shown

RECORDED = Path(__file__).parent / "recorded" / "recreated.json"
NAME = "recreated"
BY_ID, BY_NAME = 16, 12
_BATCH, _ = CASES["good"]
Call = Callable[[Message, int], Any]


class Fetching:
    """A fetch session: whole at first, then only that it goes on."""

    def __init__(self, call: Call, version: int) -> None:
        self.call = call
        self.version = version
        self.session_id = 0
        self.epoch = 0

    def whole(self, topic_id: bytes, *, session: bool = True) -> dict[str, Any]:
        return self._fetch([_fetched(topic_id)], 0 if session else -1)

    def next(self, *topic_ids: bytes) -> dict[str, Any]:
        return self._fetch([_fetched(one) for one in topic_ids], self.epoch)

    def _fetch(self, topics: list[logs.FetchTopic], epoch: int) -> dict[str, Any]:
        request = logs.FetchRequest(
            max_wait_ms=100,
            min_bytes=1,
            session_id=self.session_id,
            session_epoch=epoch,
            topics=topics,
        )
        answer = self.call(request, self.version)
        self.session_id, self.epoch = answer.session_id, epoch + 1
        found = [
            [one.error_code, one.high_watermark, bool(one.records)]
            for topic in answer.responses
            for one in topic.partitions
        ]
        return {"error_code": answer.error_code, "partitions": found}


def _fetched(topic_id: bytes) -> logs.FetchTopic:
    part = logs.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    return logs.FetchTopic(topic=NAME, topic_id=topic_id, partitions=[part])


def _id(call: Call) -> bytes:
    topic_id = call(shown(NAME), 12).topics[0].topic_id
    return bytes(topic_id)


def _make(call: Call) -> bytes:
    assert call(created(NAME, dry=False), 5).topics[0].error_code == 0
    until(lambda: call(shown(NAME), 12).topics[0].error_code == 0)
    until(
        lambda: call(produced(NAME, _BATCH), 9).responses[0].partition_responses[0].error_code == 0
    )
    return _id(call)


def _remove(call: Call) -> None:
    call(deleted(NAME), 6)
    until(lambda: bool(call(shown(NAME), 12).topics[0].error_code))


def _produced_by_id(topic_id: bytes) -> Message:
    request = produced(NAME, _BATCH)
    (topic,) = request.topic_data
    topic.topic_id = topic_id
    return request


def _committed_by_id(topic_id: bytes) -> Message:
    part = offsets.OffsetCommitRequestPartition(
        partition_index=0, committed_offset=1, committed_metadata=""
    )
    one = offsets.OffsetCommitRequestTopic(name=NAME, topic_id=topic_id, partitions=[part])
    return offsets.OffsetCommitRequest(
        group_id="recreated", generation_id_or_member_epoch=-1, member_id="", topics=[one]
    )


def play(call: Call) -> dict[str, Any]:
    """What is answered while the topic is there, gone, and there again under another id."""
    _remove(call)
    old = _make(call)
    by_id, by_name = Fetching(call, BY_ID), Fetching(call, BY_NAME)
    said = {"session by id": by_id.whole(old), "session by name": by_name.whole(ZERO_UUID)}
    _remove(call)
    said["session by id: the topic is gone"] = by_id.next()
    said["session by name: the topic is gone"] = by_name.next()
    new = _make(call)
    assert new != old
    said["session by id: the topic is another one"] = by_id.next()
    said["session by id: the same once more"] = by_id.next()
    said["session by name: the topic is another one"] = by_name.next()
    said["session by id: the new one too"] = by_id.next(new)
    said["session by id: after that"] = by_id.next()
    said["a whole fetch by the old id"] = Fetching(call, BY_ID).whole(old, session=False)
    said["a whole fetch with a session by the old id"] = Fetching(call, BY_ID).whole(old)
    produce = call(_produced_by_id(old), 13).responses[0].partition_responses[0]
    said["produce by the old id"] = produce.error_code
    commit = call(_committed_by_id(old), 10).topics[0].partitions[0]
    said["commit by the old id"] = commit.error_code
    return said


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
