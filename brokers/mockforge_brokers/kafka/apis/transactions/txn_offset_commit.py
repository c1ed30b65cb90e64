"""TxnOffsetCommit 0-6: offsets that count when a transaction commits (KIP-98, KIP-447, KIP-890)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.groups.committed import Committer, Offsets, check_group_id
from ...state.transactions.transaction import ProducerIdAndEpoch
from ...wire.messages.transactions import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..offsets.committing import Refused, commit_each
from ..stepping import LIGHT, each
from .refusing import code_of

_ADDS_SINCE = 5
_ABORTABLE_SINCE = 4
_EPOCHS_SINCE = 6
_BY_ID_SINCE = 6

_API = ApiKey.TXN_OFFSET_COMMIT


def handle(caller: Caller, request: TxnOffsetCommitRequest) -> Stepped[TxnOffsetCommitResponse]:
    committer = Committer(request.member_id, request.generation_id, request.group_instance_id)

    def commit(offsets: Offsets) -> Refused:
        return _commit(caller, request, committer, offsets)

    def permit() -> None:
        caller.permit("write", "transactional_id", request.transactional_id)
        caller.permit("read", "group", request.group_id)

    def refuse(refusal: RequestRefused) -> int:
        if refusal.code == ErrorCode.STALE_MEMBER_EPOCH and caller.version < _EPOCHS_SINCE:
            # Older clients know nothing of member epochs.
            refusal = RequestRefused(ErrorCode.ILLEGAL_GENERATION, refusal.text)
        return code_of(caller, _API, refusal)

    by_id = caller.version >= _BY_ID_SINCE
    codes = yield from commit_each(
        caller, _API, request.topics, committer, permit, commit, refuse, by_id=by_id
    )
    code_of_next = iter(codes).__next__

    def answered(one: TxnOffsetCommitRequestPartition) -> TxnOffsetCommitResponsePartition:
        return TxnOffsetCommitResponsePartition(
            partition_index=one.partition_index, error_code=code_of_next()
        )

    topics = []
    for topic in request.topics:
        partitions = yield from each(answered, topic.partitions, at_a_time=LIGHT)
        topics.append(
            TxnOffsetCommitResponseTopic(
                name=topic.name, topic_id=topic.topic_id, partitions=partitions
            )
        )
        yield
    return TxnOffsetCommitResponse(topics=topics)


def _commit(
    caller: Caller, request: TxnOffsetCommitRequest, committer: Committer, offsets: Offsets
) -> Refused:
    check_group_id(request.group_id)
    transactions = caller.cluster.transactions
    who = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    group_id = request.group_id
    holds = caller.cluster.groups.offsets.holds(group_id, who.producer_id)
    if holds and transactions.writes(who, request.transactional_id):
        # Kafka asks the coordinator, which goes by the name, only for the first ones: then its log
        # knows the producer, and takes more of them under whatever name, or none.
        pass
    elif caller.version >= _ADDS_SINCE:
        transactions.add_group(request.transactional_id, who, group_id, bumps=True)
    elif not transactions.has_group(request.transactional_id, who, group_id):
        raise RequestRefused(
            ErrorCode.TRANSACTION_ABORTABLE
            if caller.version >= _ABORTABLE_SINCE
            else ErrorCode.INVALID_TXN_STATE,
            f"group {group_id} was not added to the transaction of {request.transactional_id}",
        )
    return caller.cluster.groups.offsets.keep(
        group_id, committer, offsets, producer_id=request.producer_id
    )


API = MessageHandler(TxnOffsetCommitRequest, handle)
