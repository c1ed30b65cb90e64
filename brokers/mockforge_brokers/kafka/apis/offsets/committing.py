"""What OffsetCommit and TxnOffsetCommit have in common: each partition gets its own answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.groups.committed import Committer, Offsets
from ...state.groups.offsets import CommittedOffset
from ...state.logs.topic import Topic
from ..caller import Caller
from ..stepping import LIGHT


class CommittedPartition(Protocol):
    """One partition of a request."""

    partition_index: int
    committed_offset: int
    committed_leader_epoch: int
    committed_metadata: str | None


class CommittedTopic(Protocol):
    """One topic of a request, by name or by id."""

    name: str
    topic_id: bytes

    @property
    def partitions(self) -> Sequence[CommittedPartition]: ...


_PIECE: Final = 500
"""Offsets that are kept at a time."""
Refused = Mapping[tuple[str, int], RequestRefused]
"""By topic and partition."""


def commit_each(
    caller: Caller,
    api: ApiKey,
    topics: Sequence[CommittedTopic],
    committer: Committer,
    permit: Callable[[], None],
    commit: Callable[[Offsets], Refused],
    code_of: Callable[[RequestRefused], int],
    *,
    by_id: bool,
) -> Stepped[list[int]]:
    """Returns an error code for each partition, in the order of the request.

    `commit` keeps the offsets of the partitions that are there, if any, some hundreds at a time,
    and says which it refuses; where it refuses all, or `permit`, which is asked first, `code_of`
    has the code.
    """
    try:
        permit()
    except RequestRefused as refusal:
        return [code_of(refusal)] * sum(len(topic.partitions) for topic in topics)
    codes: list[int] = []
    offsets: dict[tuple[str, int], CommittedOffset] = {}
    places: dict[tuple[str, int], int] = {}
    met: dict[str, Topic] = {}
    version = caller.cluster.topics.version
    stamp = caller.cluster.groups.offsets.stamp(committer)
    left = LIGHT
    for topic in topics:
        for partition in topic.partitions:
            index = partition.partition_index
            left -= 1
            if not left:
                yield
                left = LIGHT
            try:
                found = caller.topic(None if by_id else topic.name, topic.topic_id, "read")
                key = (found.log(index).topic, index)
                met.setdefault(found.name, found)
            except RequestRefused as refusal:
                codes.append(caller.denied(api, refusal))
                continue
            places[key] = len(codes)
            codes.append(0)
            offsets[key] = stamp(
                partition.committed_offset,
                partition.committed_leader_epoch,
                partition.committed_metadata or "",
            )
    for number, piece in enumerate(_pieces(offsets)):
        if number:
            yield
        if version != caller.cluster.topics.version:
            for key in gone(caller, met, piece):
                del piece[key]
                codes[places[key]] = caller.denied(api, no_more(key[0], by_id=by_id))
        _commit(caller, api, commit, code_of, piece, codes, places)
    return codes


def _pieces(offsets: Offsets) -> Iterator[dict[tuple[str, int], CommittedOffset]]:
    waiting = iter(offsets.items())
    while piece := dict(islice(waiting, _PIECE)):
        yield piece


def gone(
    caller: Caller, met: Mapping[str, Topic], places: Iterable[tuple[str, int]]
) -> list[tuple[str, int]]:
    """Partitions of topics that were deleted since they were met, whatever has their names now."""
    left = {name for name, topic in met.items() if caller.cluster.topics.get(name) is not topic}
    return [place for place in places if place[0] in left]


def no_more(topic: str, *, by_id: bool = False) -> RequestRefused:
    code = ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return RequestRefused(code, f"topic {topic} was deleted meanwhile")


def _commit(
    caller: Caller,
    api: ApiKey,
    commit: Callable[[Offsets], Refused],
    code_of: Callable[[RequestRefused], int],
    offsets: Offsets,
    codes: list[int],
    places: dict[tuple[str, int], int],
) -> None:
    """What is refused gets its code at its place."""
    if not offsets:
        # Kafka asks no coordinator: no group comes into being by it.
        return
    try:
        refused = commit(offsets)
    except RequestRefused as refusal:
        code = code_of(refusal)
        for key in offsets:
            codes[places[key]] = code
    else:
        for key, reason in refused.items():
            codes[places[key]] = caller.denied(api, reason)
