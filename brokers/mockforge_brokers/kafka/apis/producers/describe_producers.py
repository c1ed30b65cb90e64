"""DescribeProducers 0: who produces into a partition, and in which transaction (KIP-664)."""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.logs.topic import check_topic_name
from ...wire.messages.producers import (
    DescribeProducersPartitionResponse,
    DescribeProducersRequest,
    DescribeProducersResponse,
    DescribeProducersTopicResponse,
    ProducerState,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import each

_NO_TRANSACTION = -1


def handle(caller: Caller, request: DescribeProducersRequest) -> Stepped[DescribeProducersResponse]:
    topics = []
    for topic in request.topics:
        described = yield from each(partial(_describe, caller, topic.name), topic.partition_indexes)
        topics.append(DescribeProducersTopicResponse(name=topic.name, partitions=described))
    return DescribeProducersResponse(topics=topics)


def _describe(caller: Caller, topic: str, index: int) -> DescribeProducersPartitionResponse:
    try:
        check_topic_name(topic)
        log = caller.topic(topic, b"", "read").log(index)
        caller.cluster.replication.check_replica(log, caller.node)
    except RequestRefused as refusal:
        return DescribeProducersPartitionResponse(
            partition_index=index,
            error_code=caller.denied(ApiKey.DESCRIBE_PRODUCERS, refusal),
            error_message=refusal.text,
            active_producers=[],
        )
    return DescribeProducersPartitionResponse(
        partition_index=index,
        active_producers=[
            ProducerState(
                producer_id=one.producer_id,
                producer_epoch=one.epoch,
                last_sequence=one.last_sequence,
                last_timestamp=one.last_timestamp,
                coordinator_epoch=one.coordinator_epoch,
                current_txn_start_offset=log.transactions.open.get(
                    one.producer_id, _NO_TRANSACTION
                ),
            )
            for one in log.producers.dump()
        ],
    )


API = MessageHandler(DescribeProducersRequest, handle, changes=nothing)
