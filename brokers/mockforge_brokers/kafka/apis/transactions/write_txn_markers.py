"""WriteTxnMarkers 1-2: end a transaction in single partitions by hand (KIP-98, KIP-664).

Between brokers it is the coordinator's; here it is who aborts a hanging transaction that sends it.
"""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.logs.transactions import Marker
from ...wire.messages.transactions import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import each

_BUMPS_SINCE = 2
"""The transaction version in which a marker's epoch is newer than its transaction's."""


def handle(caller: Caller, request: WriteTxnMarkersRequest) -> Stepped[WriteTxnMarkersResponse]:
    markers: list[WritableTxnMarkerResult] = []
    for one in request.markers:
        markers += [(yield from _marker(caller, one))]
    return WriteTxnMarkersResponse(markers=markers)


def _marker(caller: Caller, wanted: WritableTxnMarker) -> Stepped[WritableTxnMarkerResult]:
    marker = Marker(
        wanted.producer_id,
        wanted.producer_epoch,
        wanted.transaction_result,
        wanted.coordinator_epoch,
        wanted.transaction_version >= _BUMPS_SINCE,
    )
    topics = []
    for topic in wanted.topics:
        write = partial(_write, caller, marker, topic.name)
        written = yield from each(write, topic.partition_indexes)
        topics.append(WritableTxnMarkerTopicResult(name=topic.name, partitions=written))
    return WritableTxnMarkerResult(producer_id=wanted.producer_id, topics=topics)


def _write(
    caller: Caller, marker: Marker, topic: str, partition: int
) -> WritableTxnMarkerPartitionResult:
    code = 0
    try:
        if not caller.may("alter", "cluster"):
            caller.permit("cluster_action", "cluster")
        log = caller.cluster.topics.named(topic).log(partition)
        caller.cluster.append_marker(log, marker)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.WRITE_TXN_MARKERS, refusal)
    return WritableTxnMarkerPartitionResult(partition_index=partition, error_code=code)


API = MessageHandler(WriteTxnMarkersRequest, handle)
