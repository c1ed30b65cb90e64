"""All transactions of the broker.

A producer takes a transactional id by InitProducerId and gets a producer id with an epoch; whoever
comes with an older epoch is fenced. It adds partitions and groups to its transaction (or they are
added as it produces: transactions V2) and ends it. As in Kafka an end is first kept, then markers
go to all partitions, in steps, and meanwhile nothing else may begin under the id. But Kafka answers
before: here, when the answer goes out, the markers are in the logs and the offsets in the groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from ....environment import Environment
from ....errors import RequestRefused
from ....fairness import Stepped, Steps
from ...codes import ErrorCode
from ...events import TransactionAborted
from ...options import KafkaOptions
from ..groups.coordinator import Groups
from ..keeper import FORGETFUL, Keeper
from ..logs.log import PartitionLog
from ..logs.transactions import Marker
from .transaction import (
    NO_PRODUCER,
    KeptTransaction,
    ProducerIdAndEpoch,
    Transaction,
    TransactionState,
)

_A_STEP: Final = 16
"""Markers that are written at a time."""
_AGAIN: Final = 5.0
"""Seconds after an end that failed, when it is written anew."""
_BY_ITS_PRODUCER: Final = "by its producer"


class Logs(Protocol):
    """What the coordinator needs of the cluster."""

    def log_of(self, topic: str, partition: int) -> PartitionLog | None: ...

    def append_marker(self, log: PartitionLog, marker: Marker) -> object: ...

    def next_producer_id(self) -> int: ...


class Transactions:
    """The transaction coordinator. An id comes into being when a producer first takes it."""

    def __init__(
        self,
        environment: Environment,
        options: KafkaOptions,
        logs: Logs,
        groups: Groups,
        keeper: Keeper = FORGETFUL,
    ) -> None:
        self.by_id: dict[str, Transaction] = {}
        self._keeper = keeper
        self.committed = 0
        self.aborted = 0
        self._environment = environment
        self._options = options
        self._logs = logs
        self._groups = groups
        environment.usage.gauge("kafka_transactional_ids", lambda: len(self.by_id))

    # Taking an id.

    def take(
        self,
        transactional_id: str,
        timeout: float,
        claim: ProducerIdAndEpoch | None = None,
        *,
        client: str = "",
    ) -> ProducerIdAndEpoch:
        """A producer takes an id; `claim` is who it was before (KIP-360). Raises RequestRefused.

        While a transaction is open it is aborted, and the producer has to ask again.
        """
        check_transactional_id(transactional_id)
        most = self._options.max_transaction_timeout
        if not 0 < timeout <= most:
            raise RequestRefused(
                ErrorCode.INVALID_TRANSACTION_TIMEOUT,
                f"a transaction timeout is more than 0 and at most {most:g} s, not {timeout:g} s",
            )
        one = self._get_or_create(transactional_id)
        if claim is not None:
            one.check_claim(claim)
        if one.ending is not None:
            raise one.concurrent()
        if one.is_open:
            self._fence(one, f"a new producer took its transactional id: {client or 'unnamed'}")
            raise RequestRefused(
                ErrorCode.CONCURRENT_TRANSACTIONS,
                f"transactional id {transactional_id} had a transaction open, which is aborted now",
            )
        one.take(self._logs.next_producer_id() if one.is_exhausted else NO_PRODUCER, claim)
        one.state = TransactionState.EMPTY
        one.timeout = timeout
        one.client = client
        one.started, one.updated = -1.0, self._environment.clock.wall()
        self._keeper.transaction_changed(transactional_id)
        return ProducerIdAndEpoch(one.producer_id, one.producer_epoch)

    def known(self, transactional_id: str) -> Transaction:
        """Raises RequestRefused for one that no producer took."""
        one = self.by_id.get(transactional_id)
        if one is None:
            check_transactional_id(transactional_id)
            raise RequestRefused(
                ErrorCode.INVALID_PRODUCER_ID_MAPPING,
                f"no producer has taken transactional id {transactional_id}",
            )
        return one

    def _of(self, transactional_id: str, who: ProducerIdAndEpoch) -> Transaction:
        """That of a producer which wants to go on. Raises RequestRefused."""
        one = self.known(transactional_id)
        one.check(who)
        if one.ending is not None:
            raise one.concurrent()
        return one

    # What belongs to a transaction.

    def add_partitions(
        self,
        transactional_id: str,
        who: ProducerIdAndEpoch,
        partitions: Iterable[tuple[str, int]],
        *,
        bumps: bool = False,
    ) -> None:
        """Markers will go to these partitions. Raises RequestRefused."""
        one = self._of(transactional_id, who)
        self._begin(one, bumps)
        one.partitions.update(dict.fromkeys(partitions))

    def add_group(
        self, transactional_id: str, who: ProducerIdAndEpoch, group_id: str, *, bumps: bool = False
    ) -> None:
        """What is committed to this group in the transaction counts when it is committed."""
        one = self._of(transactional_id, who)
        # A group need not be there to be added, so that only this bounds how many are.
        most = self._environment.limits.kafka_groups
        if len(one.groups) >= most and group_id not in one.groups:
            raise self._groups.no_room(group_id)
        self._begin(one, bumps)
        one.groups[group_id] = None

    def has_partition(
        self, transactional_id: str, who: ProducerIdAndEpoch, partition: tuple[str, int]
    ) -> bool:
        """Whether a partition was added. Raises RequestRefused as adding it would."""
        one = self._of(transactional_id, who)
        return one.is_open and partition in one.partitions

    def has_group(self, transactional_id: str, who: ProducerIdAndEpoch, group_id: str) -> bool:
        """Whether a group was added. Raises RequestRefused as adding it would."""
        one = self._of(transactional_id, who)
        return one.is_open and group_id in one.groups

    def writes(self, who: ProducerIdAndEpoch, transactional_id: str | None) -> bool:
        """Whether this is a producer whose transaction is open, and not one that is to come.

        The id need not be its own. Raises RequestRefused for who was that producer before.
        """
        one = self.by_id.get(transactional_id) if transactional_id else None
        if one is None or one.producer_id != who.producer_id:
            # Hardly ever: to look through all is nothing for each request of a client.
            one = self.by_producer().get(who.producer_id)
        if one is None or not one.is_open or who.producer_epoch > one.producer_epoch:
            return False
        one.check(who)
        return True

    def abort_hanging(self, log: PartitionLog) -> int:
        """Abort in one partition what no transactional id here has open; returns how many."""
        owners = self.by_producer()
        hanging = [
            producer_id
            for producer_id in log.transactions.open
            if producer_id not in owners or not owners[producer_id].owns(log.topic, log.partition)
        ]
        for producer_id in hanging:
            marker = Marker(producer_id, log.producers.epoch_of(producer_id), False)
            self._logs.append_marker(log, marker)
        return len(hanging)

    def by_producer(self) -> dict[int, Transaction]:
        """All of them by their present producer ids: made when somebody looks.

        Where an end took the last epoch, what is left of it to be written is of the id before.
        """
        owners = {one.producer_id: one for one in self.by_id.values()}
        for one in self.by_id.values():
            if one.ending is not None:
                owners[one.ending.producer_id] = one
        return owners

    def _begin(self, one: Transaction, bumps: bool) -> None:
        self._keeper.transaction_changed(one.transactional_id)
        one.bumps = bumps
        if one.begin(self._environment.clock.wall()):
            self._arm(one, one.timeout)

    def _arm(self, one: Transaction, left: float) -> None:
        one.timer = self._environment.clock.call_later(left, self._time_out, one)

    def _time_out(self, one: Transaction) -> None:
        one.timer = None
        if one.is_open:
            self._fence(one, f"open for longer than its timeout of {one.timeout:g} s")

    # The end.

    def end(
        self, transactional_id: str, who: ProducerIdAndEpoch, *, committed: bool, bumps: bool
    ) -> Stepped[ProducerIdAndEpoch]:
        """Commit or abort; comes to who the producer is from now on. Raises RequestRefused.

        Whoever takes the first step has to take them all.

        `bumps`: the producer speaks transactions V2, and may abort what it never began, to get a
        new epoch.
        """
        one = self.known(transactional_id)
        repeated = bumps and one.is_repeated_end(who)
        if not repeated:
            one.check(who)
        if one.ending is not None and one.ending.committed == committed:
            raise one.concurrent()
        if one.is_open:
            marker = self._end(one, committed=committed, new_epoch=bumps)
            yield from self._complete(one, marker, _BY_ITS_PRODUCER)
        elif not one.is_ended_alike(committed=committed, repeated=repeated, bumps=bumps):
            if one.ending is not None or committed or not bumps or repeated:
                raise one.misplaced("commit" if committed else "abort")
            one.started = self._environment.clock.wall()
            one.bumps = True
            marker = self._end(one, committed=False, new_epoch=True)
            yield from self._complete(one, marker, "")
        return ProducerIdAndEpoch(one.producer_id, one.producer_epoch)

    def abort(self, transactional_id: str, *, source: str) -> None:
        """A person ends a transaction; its producer is fenced. Raises RequestRefused."""
        one = self.known(transactional_id)
        if not one.is_open:
            raise one.misplaced("abort")
        self._fence(one, f"aborted by {source}")

    def _fence(self, one: Transaction, why: str) -> None:
        """Abort, with a new epoch, so that the producer can do nothing more."""
        marker = self._end(one, committed=False, new_epoch=True)
        self._go_on(self._complete(one, marker, why))

    def _go_on(self, steps: Steps) -> None:
        """Nobody waits for these: as far as this turn goes, then in later ones."""
        if self._environment.turn.work(steps):
            self._environment.chores.later(steps)

    def _resume(self, one: Transaction, marker: Marker, why: str) -> None:
        """The broker went down before all was written, or a bug of ours was in the way."""
        one.timer = None
        self._go_on(self._complete(one, marker, why, resumed=True))

    def _end(self, one: Transaction, *, committed: bool, new_epoch: bool) -> Marker:
        """Its own state first: a marker wakes fetches, and who looks then must find it over."""
        rotates = new_epoch and one.bumps and one.is_exhausted
        self._keeper.transaction_changed(one.transactional_id)
        return one.end(
            committed=committed,
            new_epoch=new_epoch,
            next_producer_id=self._logs.next_producer_id() if rotates else NO_PRODUCER,
        )

    def _complete(
        self, one: Transaction, marker: Marker, why: str, *, resumed: bool = False
    ) -> Steps:
        """Write the end everywhere. Meanwhile all ids may be cleared, which `ending` tells.

        `resumed`: not where it is not open any more. As long as there is no end nothing begins
        under the id, so that one which fails is written anew.
        """
        try:
            yield from self._written(one, marker, why, resumed=resumed)
        except Exception:
            if one.ending is marker:
                clock = self._environment.clock
                one.timer = clock.call_later(_AGAIN, self._resume, one, marker, why)
            raise

    def _written(self, one: Transaction, marker: Marker, why: str, *, resumed: bool) -> Steps:
        begun: list[tuple[str, int, int]] = []
        left = _A_STEP
        for topic, partition in one.partitions:
            log = self._logs.log_of(topic, partition)
            # None: the topic was deleted, and the open transaction with it.
            if log is not None:
                first = log.transactions.open.get(marker.producer_id)
                if first is not None and not marker.committed:
                    begun.append((topic, partition, first))
                if first is not None or not resumed:
                    self._mark(log, marker)
            left -= 1
            if not left:
                yield
                if one.ending is not marker:
                    return
                left = _A_STEP
        for group_id in one.groups:
            yield from self._groups.offsets.settle(
                group_id, marker.producer_id, committed=marker.committed
            )
            if one.ending is not marker:
                return
        self._completed(one, marker, why, begun)

    def _completed(
        self, one: Transaction, marker: Marker, why: str, begun: list[tuple[str, int, int]]
    ) -> None:
        partitions, groups = len(one.partitions), len(one.groups)
        one.complete(committed=marker.committed, wall=self._environment.clock.wall())
        self._keeper.transaction_changed(one.transactional_id)
        if marker.committed:
            self.committed += 1
        elif partitions or groups:
            self.aborted += 1
            event = TransactionAborted(
                "kafka",
                one.transactional_id,
                marker.producer_id,
                partitions,
                one.client,
                why,
                tuple(begun),
            )
            self._environment.spine.emit(event)

    def _mark(self, log: PartitionLog, marker: Marker) -> None:
        try:
            self._logs.append_marker(log, marker)
        except RequestRefused:
            # Somebody wrote a later marker by hand (WriteTxnMarkers): there is nothing to end.
            return

    # All of them.

    def clear(self) -> None:
        for one in self.by_id.values():
            if one.timer is not None:
                one.timer.cancel()
            one.ending = None
            self._keeper.transaction_changed(one.transactional_id)
        self.by_id.clear()

    def dump(self) -> list[KeptTransaction]:
        return [one.dump() for one in self.by_id.values()]

    def restore(self, kept: Iterable[KeptTransaction]) -> None:
        for each in kept:
            one = self.by_id[each.transactional_id] = Transaction.restored(each)
            self._keeper.transaction_changed(each.transactional_id)
            if one.is_open:
                passed = self._environment.clock.wall() - one.started
                self._arm(one, max(0.0, one.timeout - passed))
            elif one.ending is not None:
                one.timer = self._environment.clock.call_later(
                    0, self._resume, one, one.ending, "ended before a restart"
                )

    def _get_or_create(self, transactional_id: str) -> Transaction:
        one = self.by_id.get(transactional_id)
        if one is None:
            self._make_room(transactional_id)
            one = Transaction(transactional_id, self._logs.next_producer_id())
            self.by_id[transactional_id] = one
        return one

    def expire(self, before: float) -> Steps:
        """Forget the ids that were not used since this wall time, but those with a transaction."""
        for one in tuple(self.by_id.values()):
            # Between two steps one goes, and another may come by its name.
            there = self.by_id.get(one.transactional_id) is one
            if there and not one.is_busy and one.updated <= before:
                del self.by_id[one.transactional_id]
                self._keeper.transaction_changed(one.transactional_id)
            yield

    def _make_room(self, transactional_id: str) -> None:
        """Past the limit the id that is idle for the longest time is forgotten."""
        if len(self.by_id) < self._environment.limits.kafka_transactional_ids:
            return
        idle = min(
            (one for one in self.by_id.values() if not one.is_busy),
            key=lambda one: one.updated,
            default=None,
        )
        self._environment.usage.met(
            "kafka",
            "kafka_transactional_ids",
            "transactional ids",
            "idle transactional ids forgotten or new ones refused: {lost:,}, the last {last}",
            last=transactional_id if idle is None else idle.transactional_id,
        )
        if idle is None:
            raise RequestRefused(
                ErrorCode.COORDINATOR_NOT_AVAILABLE,
                f"transactional id {transactional_id}: the limit kafka_transactional_ids is met",
            )
        del self.by_id[idle.transactional_id]
        self._keeper.transaction_changed(idle.transactional_id)


def check_transactional_id(transactional_id: str) -> None:
    if not transactional_id:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, "a transactional id has a character")
