"""Fetch sessions (KIP-227): what a consumer reads is remembered, and only what changed is said.

A session has an id, and an epoch that each of its requests carries: it grows by one with each, so
that a request that was lost or came twice is noticed. They are the broker's, not a connection's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from msgspec import Struct

from ...environment import Environment
from ...errors import RequestRefused
from ..codes import ErrorCode

NO_SESSION: Final = 0
INITIAL_EPOCH: Final = 0
"""The request is whole, and asks for a session."""
FINAL_EPOCH: Final = -1
"""The request is whole, and wants none."""
_LAST_EPOCH: Final = 2**31 - 1

IDLE: Final = 120.0
"""Seconds without a request, or since it was made, after which a session may make room."""

PARTITION_COST: Final = 300
"""Bytes that a session takes for each of its partitions, about."""

TopicKey = str | bytes
"""A topic's name, or its id where the client names topics by ids."""


class FetchedPartition(Struct):
    """What a session wants of a partition, and what it was told last; -1: nothing yet.

    `topic_name` is what a topic that is named by its id was called when the session took it up.
    """

    partition: int
    fetch_offset: int
    partition_max_bytes: int
    current_leader_epoch: int = -1
    last_fetched_epoch: int = -1
    high_watermark: int = -1
    log_start_offset: int = -1
    topic_name: str = ""

    def ask(self, other: FetchedPartition) -> None:
        """From now on it wants this."""
        self.fetch_offset = other.fetch_offset
        self.partition_max_bytes = other.partition_max_bytes
        self.current_leader_epoch = other.current_leader_epoch
        self.last_fetched_epoch = other.last_fetched_epoch

    def is_news(self, high_watermark: int, log_start_offset: int) -> bool:
        """Whether it is not what was told last."""
        return (high_watermark, log_start_offset) != (self.high_watermark, self.log_start_offset)

    def told(self, high_watermark: int, log_start_offset: int, *, failed: bool) -> None:
        """It was answered. After an error all of the partition is said again."""
        self.high_watermark = -1 if failed else high_watermark
        self.log_start_offset = log_start_offset


class FetchSession:
    """One session; `used` and `made` are seconds of the clock."""

    __slots__ = ("by_id", "client", "cost", "epoch", "made", "partitions", "session_id", "used")

    def __init__(self, session_id: int, client: str, now: float, *, by_id: bool) -> None:
        self.session_id = session_id
        self.client = client
        self.by_id = by_id
        self.epoch = 1
        """Of the next request."""
        self.made = self.used = now
        self.partitions: dict[tuple[TopicKey, int], FetchedPartition] = {}
        self.cost = 0
        """Bytes of them, as far as `FetchSessions` was told."""

    def want(self, topic: TopicKey, partition: FetchedPartition) -> None:
        known = self.partitions.get((topic, partition.partition))
        if known is None:
            self.partitions[topic, partition.partition] = partition
        else:
            known.ask(partition)

    def forget(self, topic: TopicKey, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self.partitions.pop((topic, partition), None)

    def by_topic(self) -> Iterator[tuple[TopicKey, Iterator[FetchedPartition]]]:
        """In the order in which they are read: partitions of one topic that stand together.

        They are those of now, also where others come while they are read.
        """
        # Two copies are soon made; pairs of all would not be.
        now = zip(tuple(self.partitions), tuple(self.partitions.values()), strict=True)
        return (
            (topic, (partition for _, partition in together))
            for topic, together in groupby(now, key=lambda one: one[0][0])
        )

    def move_last(self, topic: TopicKey, partition: int) -> None:
        """It had its turn: the others are read before it next time."""
        key = topic, partition
        self.partitions[key] = self.partitions.pop(key)


class FetchSessions:
    """By id, no more than the limits allow, of sessions and of bytes for their partitions.

    For a new one room is made by one that was not used for `IDLE` seconds, or else by the
    smallest that is as old and smaller than the new one: as in Kafka, large ones are worth more.
    """

    def __init__(self, environment: Environment) -> None:
        self.by_id: dict[int, FetchSession] = {}
        self.evicted = 0
        self.cost = 0
        """Bytes of the partitions of all."""
        self._usage = usage = environment.usage
        self._limits = environment.limits
        self._now = environment.clock.now
        self._random = environment.random
        usage.gauge("kafka_fetch_sessions", lambda: len(self.by_id))
        usage.gauge("kafka_fetch_session_bytes", lambda: self.cost)

    def open(self, client: str, size: int, *, by_id: bool) -> FetchSession | None:
        """A session for so many partitions; None where there is no room for it."""
        cost = size * PARTITION_COST
        if not self._make_room(size, cost, sessions=1):
            if self._too_many_bytes(cost) > 0:
                self._report(client)
            return None
        session_id = NO_SESSION
        while session_id == NO_SESSION or session_id in self.by_id:
            session_id = self._random.randrange(1, 2**31)
        session = FetchSession(session_id, client, self._now(), by_id=by_id)
        self.by_id[session_id] = session
        return session

    def resized(self, session: FetchSession) -> None:
        """Partitions came to it or went. Raises RequestRefused where they are too many now.

        Then it is over: its client begins anew, with a request that names all that it wants. So it
        is where it had to make room for another one while they came.
        """
        if self.by_id.get(session.session_id) is not session:
            raise RequestRefused(
                ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
                f"fetch session {session.session_id} made room for another one",
            )
        size = len(session.partitions)
        more = size * PARTITION_COST - session.cost
        if more > 0 and not self._make_room(size, more, besides=session):
            self.close(session.session_id)
            self._report(session.client)
            raise RequestRefused(
                ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
                f"fetch session {session.session_id} would have {size:,} partitions: the limit"
                " kafka_fetch_session_bytes is met",
            )
        session.cost += more
        self.cost += more

    def close(self, session_id: int) -> None:
        session = self.by_id.pop(session_id, None)
        if session is not None:
            self.cost -= session.cost

    def use(self, session_id: int, epoch: int, *, by_id: bool) -> FetchSession:
        """The session of an incremental request. Raises RequestRefused."""
        session = self.by_id.get(session_id)
        if session is None:
            raise RequestRefused(
                ErrorCode.FETCH_SESSION_ID_NOT_FOUND, f"there is no fetch session {session_id}"
            )
        if session.epoch != epoch:
            raise RequestRefused(
                ErrorCode.INVALID_FETCH_SESSION_EPOCH,
                f"fetch session {session_id} expects epoch {session.epoch}, not {epoch}",
            )
        if session.by_id != by_id:
            raise RequestRefused(
                ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
                f"fetch session {session_id} names its topics in another way",
            )
        session.epoch = epoch + 1 if epoch < _LAST_EPOCH else 1
        session.used = self._now()
        # The longest unused one is first.
        self.by_id[session_id] = self.by_id.pop(session_id)
        return session

    def clear(self) -> None:
        self.by_id.clear()
        self.cost = 0

    def _report(self, client: str) -> None:
        text = "fetch sessions that were too large: {lost:,}, the last of {last}"
        self._usage.met("kafka", "kafka_fetch_session_bytes", "fetch sessions", text, last=client)

    def _make_room(
        self, size: int, more: int, sessions: int = 0, besides: FetchSession | None = None
    ) -> bool:
        """Whether one of this size may take so many bytes more, and may be one more.

        Others may have to go for it; none goes where that is not enough.
        """
        if size * PARTITION_COST > self._limits.kafka_fetch_session_bytes:
            return False
        sessions += len(self.by_id) - self._limits.kafka_fetch_sessions
        more = self._too_many_bytes(more)
        victims: list[FetchSession] = []
        candidates = self._candidates(size, besides)
        while sessions > 0 or more > 0:
            victim = next(candidates, None)
            if victim is None:
                return False
            victims.append(victim)
            sessions -= 1
            more -= victim.cost
        for victim in victims:
            self.close(victim.session_id)
        self.evicted += len(victims)
        return True

    def _too_many_bytes(self, more: int) -> int:
        return self.cost + more - self._limits.kafka_fetch_session_bytes

    def _candidates(self, size: int, besides: FetchSession | None) -> Iterator[FetchSession]:
        """Who may have to go for one of this size, and who first."""
        now = self._now()
        used: list[FetchSession] = []
        for one in self.by_id.values():
            if one is besides:
                continue
            if now - one.used > IDLE:
                yield one
            elif now - one.made > IDLE and len(one.partitions) < size:
                used.append(one)
        yield from sorted(used, key=lambda one: len(one.partitions))
