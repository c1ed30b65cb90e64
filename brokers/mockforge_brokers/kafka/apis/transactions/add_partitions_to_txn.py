"""AddPartitionsToTxn 0-5: where a transaction's markers will go (KIP-98, KIP-890)."""

from collections.abc import Mapping, Sequence
from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.logs.internal import is_internal
from ...state.logs.topic import Topic
from ...state.transactions.transaction import ProducerIdAndEpoch
from ...wire.messages.transactions import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..offsets.committing import gone, no_more
from ..stepping import LIGHT, each
from .refusing import code_of

_SEVERAL_SINCE = 4

Codes = Mapping[tuple[str, int], int]


def handle(
    caller: Caller, request: AddPartitionsToTxnRequest
) -> Stepped[AddPartitionsToTxnResponse]:
    if caller.version < _SEVERAL_SINCE:
        only = AddPartitionsToTxnTransaction(
            transactional_id=request.v3_and_below_transactional_id,
            producer_id=request.v3_and_below_producer_id,
            producer_epoch=request.v3_and_below_producer_epoch,
            topics=request.v3_and_below_topics,
        )
        codes = yield from _codes(caller, only)
        return AddPartitionsToTxnResponse(
            results_by_topic_v3_and_below=(yield from _results(only.topics, codes))
        )
    results: list[AddPartitionsToTxnResult] = []
    for one in request.transactions:
        codes = yield from _codes(caller, one)
        result = AddPartitionsToTxnResult(
            transactional_id=one.transactional_id,
            topic_results=(yield from _results(one.topics, codes)),
        )
        results.append(result)
    return AddPartitionsToTxnResponse(results_by_transaction=results)


def _codes(caller: Caller, wanted: AddPartitionsToTxnTransaction) -> Stepped[Codes]:
    """The code of each partition: all are added, in one step, or none."""
    met: dict[str, Topic] = {}
    version = caller.cluster.topics.version
    places = [(topic.name, index) for topic in wanted.topics for index in topic.partitions]
    unknown: dict[tuple[str, int], int] = {}
    try:
        if caller.version >= _SEVERAL_SINCE:
            caller.permit("cluster_action", "cluster")
        else:
            caller.permit("write", "transactional_id", wanted.transactional_id)
        for name, index in places:
            try:
                met.setdefault(name, _writable(caller, name, index))
            except RequestRefused as refusal:
                unknown[name, index] = caller.denied(ApiKey.ADD_PARTITIONS_TO_TXN, refusal)
            yield
        if version != caller.cluster.topics.version:
            for place in gone(caller, met, places):
                reason = no_more(place[0])
                unknown[place] = caller.denied(ApiKey.ADD_PARTITIONS_TO_TXN, reason)
        if unknown:
            return dict.fromkeys(places, int(ErrorCode.OPERATION_NOT_ATTEMPTED)) | unknown
        if wanted.verify_only:
            verified = {}
            for place in places:
                verified[place] = _verify(caller, wanted, place)
                yield
            return verified
        who = ProducerIdAndEpoch(wanted.producer_id, wanted.producer_epoch)
        caller.cluster.transactions.add_partitions(wanted.transactional_id, who, places)
    except RequestRefused as refusal:
        return dict.fromkeys(places, code_of(caller, ApiKey.ADD_PARTITIONS_TO_TXN, refusal))
    return {}


def _writable(caller: Caller, name: str, index: int) -> Topic:
    """Raises RequestRefused. As Kafka: no client has the right to an internal topic."""
    if caller.version < _SEVERAL_SINCE and is_internal(name):
        raise RequestRefused(
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            f"{name} is internal: its records are the broker's",
        )
    topic = caller.topic(name, b"", "write")
    topic.log(index)
    return topic


def _verify(caller: Caller, wanted: AddPartitionsToTxnTransaction, place: tuple[str, int]) -> int:
    """What a leader asks of the coordinator before it takes a transaction's first batch."""
    who = ProducerIdAndEpoch(wanted.producer_id, wanted.producer_epoch)
    try:
        if caller.cluster.transactions.has_partition(wanted.transactional_id, who, place):
            return 0
        raise RequestRefused(
            ErrorCode.TRANSACTION_ABORTABLE,
            f"{place[0]}/{place[1]} was not added to the transaction",
        )
    except RequestRefused as refusal:
        return code_of(caller, ApiKey.ADD_PARTITIONS_TO_TXN, refusal)


def _results(
    topics: Sequence[AddPartitionsToTxnTopic], codes: Codes
) -> Stepped[list[AddPartitionsToTxnTopicResult]]:
    results = []
    for topic in topics:
        result = partial(_result, codes, topic.name)
        partitions = yield from each(result, topic.partitions, at_a_time=LIGHT)
        results.append(
            AddPartitionsToTxnTopicResult(name=topic.name, results_by_partition=partitions)
        )
    return results


def _result(codes: Codes, name: str, index: int) -> AddPartitionsToTxnPartitionResult:
    return AddPartitionsToTxnPartitionResult(
        partition_index=index, partition_error_code=codes.get((name, index), 0)
    )


API = MessageHandler(AddPartitionsToTxnRequest, handle)
