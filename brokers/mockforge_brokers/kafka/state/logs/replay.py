"""A partition's log from its batches alone: producers and transactions are what they say."""

from collections.abc import Sequence

from msgspec import Struct

from ...records import read_batch_header, read_marker
from .log import KeptLog
from .producers import ProducerTable
from .transactions import LogTransactions, Marker


class LogBounds(Struct):
    """What cannot be seen from the batches of a log."""

    log_start_offset: int = 0
    high_watermark: int = 0
    leader_epoch: int = 0
    compacted_to: int = 0


def replay(number: int, batches: Sequence[bytes], bounds: LogBounds) -> KeptLog:
    """`batches` in the order of their offsets, as they are stored."""
    transactions = LogTransactions()
    producers = ProducerTable(transactions.is_open)
    end, epoch = bounds.high_watermark, bounds.leader_epoch
    for batch in batches:
        header = read_batch_header(batch)
        end = max(end, header.last_offset + 1)
        epoch = max(epoch, header.partition_leader_epoch)
        if header.producer_id < 0:
            continue
        if header.is_control:
            said = read_marker(batch)
            if said is None:
                continue
            committed, coordinator_epoch = said
            marker = Marker(header.producer_id, header.producer_epoch, committed, coordinator_epoch)
            transactions.end(header.producer_id, header.base_offset, committed=committed)
            producers.marked(marker, header.max_timestamp)
            continue
        if header.is_transactional:
            transactions.open.setdefault(header.producer_id, header.base_offset)
        producers.appended(header, header.base_offset)
    first = read_batch_header(batches[0]).base_offset if batches else end
    # A compacted log may begin with a gap.
    start = bounds.log_start_offset if bounds.compacted_to else max(bounds.log_start_offset, first)
    transactions.truncate_before(start)
    return KeptLog(
        start,
        max(end, start),
        epoch,
        list(batches),
        producers.dump(),
        transactions.open,
        transactions.aborted,
        number,
        bounds.compacted_to,
    )
