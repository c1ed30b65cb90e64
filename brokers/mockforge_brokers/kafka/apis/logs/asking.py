"""What a Fetch asks for: the partitions that it names, and those of its session (KIP-227)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from ....fairness import Stepped
from ...state.fetch_sessions import (
    FINAL_EPOCH,
    INITIAL_EPOCH,
    FetchedPartition,
    FetchSession,
    TopicKey,
)
from ...wire.messages.logs import FetchPartition, FetchRequest
from ..caller import Caller
from ..stepping import LIGHT

BY_ID_SINCE: Final = 13
_STRETCH: Final = 256
"""Partitions that are only listed, of which so many are a step."""

Wanted = Iterable[tuple[TopicKey, Iterable[FetchPartition | FetchedPartition]]]
"""Partitions by their topic, in the order in which they are read."""


def is_follower(request: FetchRequest) -> bool:
    """Whether who asks says to be a broker; from version 15 on it says so at another place."""
    state = request.replica_state
    return request.replica_id >= 0 or (state is not None and state.replica_id >= 0)


class Asking(Struct):
    """A request and its session; with a session that is `new` the answer is whole.

    `named` is what the request itself names: it looks at that each time that something came.
    """

    caller: Caller
    request: FetchRequest
    named: Wanted
    session: FetchSession | None = None
    new: bool = False
    max_bytes: int = 0
    min_bytes: int = 0

    def __post_init__(self) -> None:
        caller, request = self.caller, self.request
        self.max_bytes = min(request.max_bytes, caller.cluster.most_fetched)
        quotas = caller.cluster.quotas
        if quotas.active and not self.follows:
            # As Kafka: what no wait would let through is not read.
            self.max_bytes = int(
                min(self.max_bytes, quotas.most_to_fetch(caller.user, caller.client_id))
            )
        self.min_bytes = min(request.min_bytes, self.max_bytes)

    @property
    def follows(self) -> bool:
        return is_follower(self.request)

    @property
    def wanted(self) -> Wanted:
        if self.session is not None and not self.new:
            return self.session.by_topic()
        return self.named


def _named(
    caller: Caller, request: FetchRequest
) -> Stepped[Sequence[tuple[TopicKey, Sequence[FetchPartition]]]]:
    by_id = caller.version >= BY_ID_SINCE
    topics: list[tuple[TopicKey, Sequence[FetchPartition]]] = [
        (topic.topic_id if by_id else topic.topic, topic.partitions) for topic in request.topics
    ]
    named: dict[tuple[TopicKey, int], FetchPartition] = {}
    met = 0
    for topic, partitions in topics:
        for one in partitions:
            named[topic, one.partition] = one
            met += 1
            if not met % _STRETCH:
                yield
    if len(named) == met:
        return topics
    # As Kafka: one that is named twice is read once, in its first place, as was said last.
    once: list[tuple[TopicKey, list[FetchPartition]]] = []
    for (topic, _), one in named.items():
        if not once or once[-1][0] != topic:
            once.append((topic, []))
        once[-1][1].append(one)
        yield
    return once


def ask(caller: Caller, request: FetchRequest) -> Stepped[Asking]:
    """Raises RequestRefused for a session that is not there, or not at this epoch."""
    sessions, by_id = caller.cluster.fetch_sessions, caller.version >= BY_ID_SINCE
    named = yield from _named(caller, request)
    caller.fetch_session = None
    if request.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
        # A whole request ends the session that it names.
        sessions.close(request.session_id)
        if request.session_epoch == FINAL_EPOCH:
            return Asking(caller, request, named)
        size = sum(len(topic.partitions) for topic in request.topics)
        session = sessions.open(caller.name, size, by_id=by_id)
    else:
        session = sessions.use(request.session_id, request.session_epoch, by_id=by_id)
    if session is None:
        return Asking(caller, request, named)
    left = LIGHT
    try:
        for name, partitions in named:
            for one in partitions:
                session.want(name, _kept(caller, name, one))
                left -= 1
                if not left:
                    yield
                    left = LIGHT
        for topic in request.forgotten_topics_data:
            session.forget(topic.topic_id if by_id else topic.topic, topic.partitions)
            yield
    except GeneratorExit:
        # Its client is gone, and what it has by now would never be counted.
        sessions.close(session.session_id)
        raise
    sessions.resized(session)
    if not session.partitions and request.session_epoch != INITIAL_EPOCH:
        sessions.close(session.session_id)
        return Asking(caller, request, named)
    caller.fetch_session = session
    return Asking(caller, request, named, session, request.session_epoch == INITIAL_EPOCH)


def _kept(caller: Caller, topic: TopicKey, one: FetchPartition) -> FetchedPartition:
    known = caller.cluster.topics.by_id.get(topic) if isinstance(topic, bytes) else None
    return FetchedPartition(
        one.partition,
        one.fetch_offset,
        one.partition_max_bytes,
        one.current_leader_epoch,
        one.last_fetched_epoch,
        topic_name=known.name if known is not None else "",
    )
