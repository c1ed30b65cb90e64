"""DescribeTransactions 0: what the coordinator knows of transactional ids (KIP-664)."""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.java_maps import hash_of
from ...state.logs.internal import OFFSETS_TOPIC
from ...state.transactions.coordinator import check_transactional_id
from ...state.transactions.transaction import Transaction
from ...wire.messages.transactions import (
    DescribedTransactionState,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionTopicData,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import each

_OFFSETS_PARTITIONS = 50
"""Kafka's offsets.topic.num.partitions: groups in a transaction show as partitions of this topic,
though what they commit is not kept in a topic here."""


def handle(
    caller: Caller, request: DescribeTransactionsRequest
) -> Stepped[DescribeTransactionsResponse]:
    described = yield from each(partial(_describe, caller), request.transactional_ids)
    return DescribeTransactionsResponse(transaction_states=described)


def _describe(caller: Caller, transactional_id: str) -> DescribedTransactionState:
    try:
        caller.permit("describe", "transactional_id", transactional_id)
        check_transactional_id(transactional_id)
        found = caller.cluster.transactions.by_id.get(transactional_id)
        if found is None:
            raise RequestRefused(
                ErrorCode.TRANSACTIONAL_ID_NOT_FOUND,
                f"there is no transactional id {transactional_id}",
            )
    except RequestRefused as refusal:
        return DescribedTransactionState(
            error_code=caller.denied(ApiKey.DESCRIBE_TRANSACTIONS, refusal),
            transactional_id=transactional_id,
            transaction_state="",
            transaction_timeout_ms=0,
            transaction_start_time_ms=0,
            producer_id=0,
            producer_epoch=0,
            topics=[],
        )
    return DescribedTransactionState(
        transactional_id=transactional_id,
        transaction_state=found.state.value,
        transaction_timeout_ms=round(found.timeout * 1000),
        transaction_start_time_ms=-1 if found.started < 0 else int(found.started * 1000),
        producer_id=found.producer_id,
        producer_epoch=found.producer_epoch,
        topics=_topics(caller, found),
    )


def _topics(caller: Caller, found: Transaction) -> list[TransactionTopicData]:
    topics: dict[str, list[int]] = {}
    for name, partition in found.partitions:
        if caller.may_know("topic", name):
            topics.setdefault(name, []).append(partition)
    for group in found.groups if caller.may_know("topic", OFFSETS_TOPIC) else ():
        partition = offsets_partition(group)
        partitions = topics.setdefault(OFFSETS_TOPIC, [])
        if partition not in partitions:
            partitions.append(partition)
    return [
        TransactionTopicData(topic=name, partitions=partitions)
        for name, partitions in topics.items()
    ]


def offsets_partition(group_id: str) -> int:
    """Where Kafka would keep what a group commits: by Java's hash of its name."""
    value = hash_of(group_id)
    # Utils.abs: the sign is cut off, and the least integer is 0.
    signed = value - 2**32 if value >= 2**31 else value
    return (0 if signed == -(2**31) else abs(signed)) % _OFFSETS_PARTITIONS


API = MessageHandler(DescribeTransactionsRequest, handle, changes=nothing)
