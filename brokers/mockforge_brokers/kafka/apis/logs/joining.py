"""How a transactional batch finds its transaction when it is the first one in its partition.

Before Produce v12 the partition must have been added (AddPartitionsToTxn); from v12 on, which is
transactions V2, the batch itself adds it (KIP-890).
"""

from ....errors import RequestRefused
from ...codes import ErrorCode
from ...records import BatchHeader
from ...state.logs.log import Begin, PartitionLog
from ...state.transactions.transaction import ProducerIdAndEpoch
from ..caller import Caller

_ADDS_SINCE = 12
_ABORTABLE_SINCE = 11


def _check_first(log: PartitionLog, header: BatchHeader) -> None:
    """Raises RequestRefused for a first batch of which others went before.

    Of transactions V1 any sequence is a beginning: what was known may have left with its records.
    """
    if header.base_sequence and header.producer_id not in log.producers:
        raise RequestRefused(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"producer {header.producer_id} began with sequence {header.base_sequence}, not 0,"
            f" in {log.topic}/{log.partition}",
        )


def joining(caller: Caller, transactional_id: str | None) -> Begin | None:
    """What the log asks about such a batch; None for a request without a transactional id."""
    if transactional_id is None:
        return None
    version = caller.version
    transactions = caller.cluster.transactions
    config = caller.cluster.config

    def begin(log: PartitionLog, header: BatchHeader) -> None:
        who = ProducerIdAndEpoch(header.producer_id, header.producer_epoch)
        place = (log.topic, log.partition)
        try:
            if version >= _ADDS_SINCE:
                transactions.add_partitions(transactional_id, who, [place], bumps=True)
                _check_first(log, header)
                return
            if transactions.has_partition(transactional_id, who, place):
                return
            if not config.switch("transaction.partition.verification.enable"):
                return
        except RequestRefused as refusal:
            if refusal.code == ErrorCode.CONCURRENT_TRANSACTIONS and version < _ADDS_SINCE:
                # As Kafka: this one is what clients before transactions V2 try again.
                raise RequestRefused(ErrorCode.NOT_ENOUGH_REPLICAS, refusal.text) from None
            if refusal.code != ErrorCode.PRODUCER_FENCED:
                raise
            # The log's own word for it: a producer learns of its fencing from the coordinator.
            raise RequestRefused(ErrorCode.INVALID_PRODUCER_EPOCH, refusal.text) from None
        raise RequestRefused(
            ErrorCode.TRANSACTION_ABORTABLE
            if version >= _ABORTABLE_SINCE
            else ErrorCode.INVALID_TXN_STATE,
            f"{log.topic}/{log.partition} was not added to the transaction of {transactional_id}",
        )

    return begin
