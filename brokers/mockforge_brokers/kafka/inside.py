"""Producers inside the process (prompt, fixtures, HTTP), journaled as if they were connected."""

from collections.abc import Callable
from typing import Final

from ..environment import Environment
from ..events import INSIDE
from ..journal import IN, Row, Tape
from .rows import Reading, RowReader
from .wire.frames import encode_request
from .wire.messages.logs import PartitionProduceData, ProduceRequest, TopicProduceData
from .wire.splitter import Splitter

_VERSION: Final = 12
"""Produce's last version that names its topics."""


class _Source:
    """One inside producer: the `Owner` of a tape that no socket feeds."""

    def __init__(self, name: str, name_of: Callable[[bytes], str]) -> None:
        self.client = f"{INSIDE}{name}"
        self._rows = RowReader(Reading(name_of, placed=True))

    def splitter(self, direction: int) -> Splitter:
        return self._rows.reading.splitter(direction)

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return self._rows.rows(direction, frame)


class Inside:
    """A tape for each source, opened when it first produces."""

    def __init__(self, environment: Environment, name_of: Callable[[bytes], str]) -> None:
        self._environment = environment
        self._name_of = name_of
        self._tapes: dict[str, Tape] = {}
        self._correlation_id = 0

    def produced(self, source: str, topic: str, partition: int, batch: bytes) -> None:
        """Journal a batch with its offsets, as the request that a client would have sent."""
        journal = self._environment.journal
        if journal is None:
            return
        tape = self._tapes.get(source)
        if tape is None:
            number = self._environment.next_connection()
            owner = _Source(source, self._name_of)
            tape = self._tapes[source] = journal.open("kafka", number, owner)
        data = PartitionProduceData(index=partition, records=batch)
        request = ProduceRequest(
            acks=-1,
            timeout_ms=0,
            topic_data=[TopicProduceData(name=topic, partition_data=[data])],
        )
        self._correlation_id = self._correlation_id + 1 & 0x7FFFFFFF
        tape.add(IN, encode_request(request, _VERSION, self._correlation_id, source))
