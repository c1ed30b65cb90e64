"""TxnOffsetCommit 0-6: offsets that count when a transaction commits (KIP-98, KIP-447, KIP-890)."""

from collections.abc import Iterator
from itertools import count

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.groups.coordinator import Committer, check_group_id
from ...state.groups.offsets import CommittedOffset
from ...state.transactions.transaction import ProducerIdAndEpoch
from ...wire.messages.transactions import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from ..caller import Caller
from ..handler import MessageHandler
from .refusing import code_of

_ADDS_SINCE = 5
_ABORTABLE_SINCE = 4

_API = ApiKey.TXN_OFFSET_COMMIT


def handle(caller: Caller, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse:
    codes: dict[int, int] = {}
    """By the partition's place in the request."""
    offsets: dict[tuple[str, int], CommittedOffset] = {}
    places: dict[tuple[str, int], int] = {}
    for place, (topic, partition) in enumerate(_partitions(request)):
        try:
            found = caller.topic(topic.name, topic.topic_id, "read")
            key = (found.log(partition.partition_index).topic, partition.partition_index)
        except RequestRefused as refusal:
            codes[place] = caller.denied(_API, refusal)
            continue
        places[key] = place
        offsets[key] = CommittedOffset(
            partition.committed_offset,
            partition.committed_leader_epoch,
            partition.committed_metadata or "",
        )
    try:
        refused = _commit(caller, request, offsets) if offsets else {}
    except RequestRefused as refusal:
        codes |= dict.fromkeys(places.values(), code_of(caller, _API, refusal))
    else:
        for key, reason in refused.items():
            codes[places[key]] = caller.denied(_API, reason)
    return _response(request, codes)


def _commit(
    caller: Caller, request: TxnOffsetCommitRequest, offsets: dict[tuple[str, int], CommittedOffset]
) -> dict[tuple[str, int], RequestRefused]:
    caller.permit("write", "transactional_id", request.transactional_id)
    caller.permit("read", "group", request.group_id)
    check_group_id(request.group_id)
    transactions = caller.cluster.transactions
    who = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    group_id = request.group_id
    if caller.version >= _ADDS_SINCE:
        transactions.add_group(request.transactional_id, who, group_id, bumps=True)
    elif not transactions.has_group(request.transactional_id, who, group_id):
        raise RequestRefused(
            ErrorCode.TRANSACTION_ABORTABLE
            if caller.version >= _ABORTABLE_SINCE
            else ErrorCode.INVALID_TXN_STATE,
            f"group {group_id} was not added to the transaction of {request.transactional_id}",
        )
    committer = Committer(request.member_id, request.generation_id, request.group_instance_id)
    return caller.cluster.groups.commit(
        group_id, committer, offsets, producer_id=request.producer_id
    )


def _partitions(
    request: TxnOffsetCommitRequest,
) -> Iterator[tuple[TxnOffsetCommitRequestTopic, TxnOffsetCommitRequestPartition]]:
    for topic in request.topics:
        for partition in topic.partitions:
            yield topic, partition


def _response(request: TxnOffsetCommitRequest, codes: dict[int, int]) -> TxnOffsetCommitResponse:
    numbers = count()
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    TxnOffsetCommitResponsePartition(
                        partition_index=one.partition_index, error_code=codes.get(next(numbers), 0)
                    )
                    for one in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


API = MessageHandler(TxnOffsetCommitRequest, handle)
