"""WriteTxnMarkers 1-2: end a transaction in single partitions by hand (KIP-98, KIP-664).

Between brokers it is the coordinator's; here it is who aborts a hanging transaction that sends it.
"""

from ....errors import RequestRefused
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

_BUMPS_SINCE = 2
"""The transaction version in which a marker's epoch is newer than its transaction's."""


def handle(caller: Caller, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse:
    return WriteTxnMarkersResponse(markers=[_marker(caller, one) for one in request.markers])


def _marker(caller: Caller, wanted: WritableTxnMarker) -> WritableTxnMarkerResult:
    marker = Marker(
        wanted.producer_id,
        wanted.producer_epoch,
        wanted.transaction_result,
        wanted.coordinator_epoch,
        wanted.transaction_version >= _BUMPS_SINCE,
    )
    return WritableTxnMarkerResult(
        producer_id=wanted.producer_id,
        topics=[
            WritableTxnMarkerTopicResult(
                name=topic.name,
                partitions=[
                    WritableTxnMarkerPartitionResult(
                        partition_index=index,
                        error_code=_write(caller, topic.name, index, marker),
                    )
                    for index in topic.partition_indexes
                ],
            )
            for topic in wanted.topics
        ],
    )


def _write(caller: Caller, topic: str, partition: int, marker: Marker) -> int:
    try:
        if not caller.may("alter", "cluster"):
            caller.permit("cluster_action", "cluster")
        log = caller.cluster.topics.named(topic).log(partition)
        caller.cluster.append_marker(log, marker)
    except RequestRefused as refusal:
        return caller.denied(ApiKey.WRITE_TXN_MARKERS, refusal)
    return 0


API = MessageHandler(WriteTxnMarkersRequest, handle)
