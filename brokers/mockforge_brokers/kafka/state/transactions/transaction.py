"""One transactional id: its producer, and the transaction that this one has open or had last."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct

from ....clock import Timer
from ....errors import RequestRefused
from ...codes import ErrorCode
from ..logs.transactions import Marker

NO_PRODUCER: Final = -1
NO_EPOCH: Final = -1
LAST_EPOCH: Final = 2**15 - 2
"""The last epoch that a producer may have: the one after it is for the marker that ends it."""


class TransactionState(Enum):
    """As DescribeTransactions and ListTransactions name them.

    Between the end and its last marker it is PREPARE_COMMIT or PREPARE_ABORT. No id here is ever in
    one of the last two states; they may be asked for by name.
    """

    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"
    DEAD = "Dead"
    PREPARE_EPOCH_FENCE = "PrepareEpochFence"


_PREPARE: Final = TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT
_COMPLETE: Final = TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT


class ProducerIdAndEpoch(NamedTuple):
    """Who a producer says that it is."""

    producer_id: int
    producer_epoch: int


class KeptTransaction(Struct):
    """A transactional id as a restart keeps it."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    previous_producer_id: int
    last_epoch: int
    timeout: float
    state: str
    partitions: list[tuple[str, int]]
    groups: list[str]
    started: float
    updated: float
    client: str
    bumps: bool
    ending: Marker | None = None


class Transaction:
    """What the coordinator keeps of a transactional id; `started`, `updated` are wall time.

    `bumps`: its producer speaks transactions V2, in which each end is a new epoch (KIP-890).
    `last_epoch` is the epoch before, if the producer may still come with it: its answer was lost.
    `ending`: what goes to all of its partitions, as long as that is not done.
    """

    __slots__ = (
        "bumps",
        "client",
        "ending",
        "groups",
        "last_epoch",
        "partitions",
        "previous_producer_id",
        "producer_epoch",
        "producer_id",
        "started",
        "state",
        "timeout",
        "timer",
        "transactional_id",
        "updated",
    )

    def __init__(self, transactional_id: str, producer_id: int) -> None:
        self.transactional_id = transactional_id
        self.producer_id = producer_id
        self.producer_epoch = NO_EPOCH
        self.previous_producer_id = NO_PRODUCER
        self.last_epoch = NO_EPOCH
        self.timeout = 0.0
        self.state = TransactionState.EMPTY
        self.partitions: dict[tuple[str, int], None] = {}
        self.groups: dict[str, None] = {}
        self.started = -1.0
        self.updated = -1.0
        self.client = ""
        self.bumps = False
        self.ending: Marker | None = None
        self.timer: Timer | None = None

    @property
    def is_open(self) -> bool:
        return self.state is TransactionState.ONGOING

    def owns(self, topic: str, partition: int) -> bool:
        """Whether the transaction has this partition and is not over: its end will come there."""
        return self.is_busy and (topic, partition) in self.partitions

    @property
    def is_busy(self) -> bool:
        """A transaction is open, or its end is not everywhere yet: nothing else may begin."""
        return self.is_open or self.ending is not None

    @property
    def is_exhausted(self) -> bool:
        """There is no epoch left for its producer id."""
        return self.producer_epoch >= LAST_EPOCH

    def check(self, who: ProducerIdAndEpoch) -> None:
        """Raises RequestRefused for another producer id, and for an older or newer epoch."""
        if who.producer_id != self.producer_id:
            raise self.unmapped(who.producer_id)
        if who.producer_epoch != self.producer_epoch:
            raise self.fenced(who.producer_epoch)

    # A new producer.

    def check_claim(self, who: ProducerIdAndEpoch) -> None:
        """Raises RequestRefused for a producer that may not go on under this id (KIP-360).

        It may with the present producer id, and with the one before, if that had no epoch left
        and the answer with the new one was lost.
        """
        if self.producer_epoch == NO_EPOCH or who.producer_id == self.producer_id:
            return
        lost = who.producer_id == self.previous_producer_id and who.producer_epoch >= LAST_EPOCH
        if not lost:
            raise self.fenced(who.producer_epoch)

    def take(self, new_producer_id: int, claim: ProducerIdAndEpoch | None) -> None:
        """A producer begins anew: a new epoch, or a new id. `claim` is who it was before."""
        if claim is not None and NO_EPOCH != self.producer_epoch != claim.producer_epoch:
            if claim.producer_epoch != self.last_epoch:
                raise self.fenced(claim.producer_epoch)
            return  # It asks again, since it got no answer.
        self.last_epoch = NO_EPOCH if claim is None else self.producer_epoch
        if self.is_exhausted:
            self.previous_producer_id, self.producer_id = self.producer_id, new_producer_id
            self.producer_epoch = 0
        else:
            self.producer_epoch += 1

    # A transaction.

    def begin(self, wall: float) -> bool:
        """It is open from now on; returns whether it was not before."""
        self.updated = wall
        if self.is_open:
            return False
        self.state = TransactionState.ONGOING
        self.started = wall
        return True

    def is_repeated_end(self, who: ProducerIdAndEpoch) -> bool:
        """Whether the transaction that a V2 producer ends was ended by the same request before."""
        if self.state not in (*_PREPARE, *_COMPLETE):
            return False
        return who == (self.producer_id, self.producer_epoch - 1) or (
            self.producer_epoch == 0
            and who == (self.previous_producer_id, LAST_EPOCH)
            and self.last_epoch == LAST_EPOCH
        )

    def end(self, *, committed: bool, new_epoch: bool, next_producer_id: int) -> Marker:
        """It is over; returns what is to be written to all that was in it, until `complete`."""
        # With a new epoch the marker carries it already (KIP-890): a batch of this transaction that
        # arrives behind its marker is of an older epoch then, and the log refuses it.
        marker = Marker(self.producer_id, self.producer_epoch + new_epoch, committed)
        self.state, self.ending = _PREPARE[not committed], marker
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if new_epoch:
            self.last_epoch = self.producer_epoch
            if next_producer_id != NO_PRODUCER:
                self.previous_producer_id, self.producer_id = self.producer_id, next_producer_id
                self.producer_epoch = 0
            else:
                self.producer_epoch += 1
        return marker

    def complete(self, *, committed: bool, wall: float) -> None:
        """Its end is everywhere; what was in it is forgotten."""
        self.state, self.ending = _COMPLETE[not committed], None
        self.partitions, self.groups = {}, {}
        self.updated = wall

    def is_ended_alike(self, *, committed: bool, repeated: bool, bumps: bool) -> bool:
        """Whether this end is there already: V1 says so by the state alone, V2 by the epoch."""
        return self.state is _COMPLETE[not committed] and (repeated or not bumps)

    # What is refused.

    def unmapped(self, producer_id: int) -> RequestRefused:
        return RequestRefused(
            ErrorCode.INVALID_PRODUCER_ID_MAPPING,
            f"transactional id {self.transactional_id} belongs to producer {self.producer_id},"
            f" not to {producer_id}",
        )

    def fenced(self, producer_epoch: int) -> RequestRefused:
        return RequestRefused(
            ErrorCode.PRODUCER_FENCED,
            f"a newer producer has transactional id {self.transactional_id}: its epoch is"
            f" {self.producer_epoch}, not {producer_epoch}",
        )

    def misplaced(self, what: str) -> RequestRefused:
        return RequestRefused(
            ErrorCode.INVALID_TXN_STATE,
            f"transactional id {self.transactional_id} is {self.state.value}: there is nothing"
            f" to {what}",
        )

    def concurrent(self) -> RequestRefused:
        return RequestRefused(
            ErrorCode.CONCURRENT_TRANSACTIONS,
            f"transactional id {self.transactional_id} is {self.state.value}: the end of its"
            " transaction is not in all partitions yet",
        )

    # What outlives a restart.

    def dump(self) -> KeptTransaction:
        return KeptTransaction(
            self.transactional_id,
            self.producer_id,
            self.producer_epoch,
            self.previous_producer_id,
            self.last_epoch,
            self.timeout,
            self.state.value,
            list(self.partitions),
            list(self.groups),
            self.started,
            self.updated,
            self.client,
            self.bumps,
            self.ending,
        )

    @classmethod
    def restored(cls, kept: KeptTransaction) -> Transaction:
        made = cls(kept.transactional_id, kept.producer_id)
        made.producer_epoch = kept.producer_epoch
        made.previous_producer_id = kept.previous_producer_id
        made.last_epoch = kept.last_epoch
        made.timeout = kept.timeout
        made.state = TransactionState(kept.state)
        made.partitions = dict.fromkeys(kept.partitions)
        made.groups = dict.fromkeys(kept.groups)
        made.started, made.updated = kept.started, kept.updated
        made.client = kept.client
        made.bumps = kept.bumps
        made.ending = kept.ending
        return made
