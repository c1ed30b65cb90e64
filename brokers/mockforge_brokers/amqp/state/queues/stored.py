"""Durable queues that are on disk as well: each persistent message is a row, at its position.

A queue of each type has a class here that does the same and names to the store what came and what
went. `store_in` lets a queue, in place, be one of them, as `govern` does with plain ones; both have
the same slots. Where messages of a classic queue are delivered or requeued nothing is written: what
was not acknowledged is there again after a start, and says that it may have been delivered. A
quorum queue notes, as in RabbitMQ, behind which position nothing was delivered, and of each message
that came back how often it did and where it stands since.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from ..memory import COST
from ..message import Message
from .governed import GovernedMessage, GovernedQueue
from .host import Host
from .message_rows import OWNER, Keeping, Mark, dead_row, live_row, returned_row, stream_row
from .queue import Queue
from .quorum import QuorumMessage, QuorumQueue
from .stream import StreamQueue

if TYPE_CHECKING:
    from ...records import Alike
    from ..consumer import Consumer
    from ..routing import Route

_AHEAD: Final = 1000
"""Positions that are said to be delivered before they are, at most: a thirty-second part."""
_position_of = attrgetter("position")


class StoredQueue(Queue):
    """A classic queue without rules."""

    __slots__ = ()
    stored = True

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        keeping = self.keeping
        if not content.startswith(keeping.head):
            if not keeping.is_persistent(content):
                Queue.enqueue(self, route, content, size)
                return
            keeping.head = keeping.head_of(content)
        store = keeping.store
        if store.failing:
            self.host.rejected = True
            return
        rotation = self._rotation
        consumer = None
        if rotation:
            consumer = rotation[0] if len(rotation) == 1 else self._next()
            if consumer.no_ack:
                # It is never acknowledged, and so nobody's after a kill.
                self.published += 1
                consumer.delivered += 1
                consumer.sink.deliver(route, content, size, False, None)
                return
        # As Queue.enqueue, written out: this is on the way of each message.
        self.published += 1
        self._position = position = self._position + 1
        self.memory.used += size + COST
        message = Message(self, route, content, size, position)
        # Its row is written when it was delivered already: an acknowledgement comes later still.
        keeping.fresh[position] = message
        # A consumer that reads no more for a moment gets it soon, too.
        if keeping not in store.sources:
            store.touch(keeping, passing=bool(self.consumers))
        else:
            store.facts += 1
            if self.consumers:
                store.patience.sent(1)
        if consumer is None:
            self.messages.append(message)
        else:
            keeping.delivered = position
            Queue._deliver_unacked(self, consumer, message)

    @property
    def takes_all(self) -> bool:
        return self.plain and not self.keeping.store.failing

    @property
    def takes_parts(self) -> bool:
        """What comes one by one may be written, and stay until then."""
        return False

    def enqueue_all(self, route: Route, alike: Alike, size: int) -> None:
        keeping, rotation = self.keeping, self._rotation
        if rotation and (len(rotation) > 1 or rotation[0].no_ack):
            # What a consumer has for good is never on disk; the others come one by one.
            super().enqueue_all(route, alike, size)
            return
        # Where one is persistent all are.
        contents = alike.contents
        if not contents[0].startswith(keeping.head):
            for content in contents:
                self.enqueue(route, content, size)
            return
        messages = self._keep_all(route, contents, size)
        if self.consumers:
            keeping.fresh.update(zip(map(_position_of, messages), messages, strict=True))
        else:
            keeping.add_burst(messages, alike)
        keeping.store.touch(keeping, len(messages), passing=bool(self.consumers))
        self.drain()

    def add(self, consumer: Consumer) -> None:
        self.keeping.spread()
        super().add(consumer)

    def take(self, no_ack: bool) -> Message | None:
        self.keeping.spread()
        message = super().take(no_ack)
        if message is not None:
            self._took(message, no_ack)
        return message

    def _took(self, message: Message, no_ack: bool) -> None:
        if no_ack:
            self._settled(message)
        else:
            self.keeping.delivered = max(self.keeping.delivered, message.position)

    def _deliver_no_ack(self, consumer: Consumer, message: Message) -> None:
        self._settled(message)
        super()._deliver_no_ack(consumer, message)

    def _deliver_unacked(self, consumer: Consumer, message: Message) -> None:
        keeping = self.keeping
        if message.position > keeping.delivered:
            keeping.delivered = message.position
        super()._deliver_unacked(consumer, message)

    def _delivered_some(self, consumer: Consumer, messages: Sequence[Message]) -> None:
        super()._delivered_some(consumer, messages)
        if consumer.no_ack:
            for message in messages:
                self._settled(message)
        else:
            keeping = self.keeping
            keeping.delivered = max(keeping.delivered, messages[-1].position)

    def acknowledge(self, message: Message) -> None:
        # As Queue.acknowledge, written out.
        self.unacked -= 1
        self.acknowledged += 1
        self.memory.used -= message.size + COST
        keeping = self.keeping
        if keeping.fresh.pop(message.position, None) is None:
            keeping.store.remove(keeping.number, message.position)
        else:
            keeping.store.patience.done(1)

    def acknowledge_all(self, messages: Sequence[Message], size: int) -> None:
        super().acknowledge_all(messages, size)
        keeping = self.keeping
        pop = keeping.fresh.pop
        written = [row for row in self._rows_of(messages) if pop(row, None) is None]
        if written:
            keeping.store.remove_all(keeping.number, written)
        if len(written) < len(messages):
            keeping.store.patience.done(len(messages) - len(written))

    def _rows_of(self, messages: Sequence[Message]) -> Iterable[int]:
        """`row_of` each."""
        return map(_position_of, messages)

    def discard(self, message: Message) -> None:
        self._settled(message)
        super().discard(message)

    def take_all(self) -> deque[Message]:
        messages = super().take_all()
        keeping = self.keeping
        if not self._has_others():
            # Nobody holds one: the whole queue goes by one note, however long it was.
            keeping.forget_fresh()
            keeping.store.trim(keeping.number, self._position + 1)
        else:
            for message in messages:
                self._settled(message)
        return messages

    def _has_others(self) -> bool:
        """Whether rows of it are of what is not among its ready messages."""
        return self.unacked > 0

    def end(self) -> None:
        super().end()
        self.keeping.forget_fresh()
        self.keeping.store.drop(self.keeping.number)

    def _settled(self, message: Message) -> None:
        """It is done with."""
        keeping, row = self.keeping, self.row_of(message)
        if keeping.bursts:
            keeping.spread()
        if keeping.fresh.pop(row, None) is None:
            keeping.store.remove(keeping.number, row)
        else:
            keeping.store.patience.done(1)


class StoredGovernedQueue(StoredQueue, GovernedQueue):
    """A classic queue with rules; what they drop or expire goes from disk, too."""

    __slots__ = ()

    def enqueue(self, route: Route, content: bytes, size: int, failures: int = 0) -> None:
        if self.keeping.store.failing and self.keeping.is_persistent(content):
            self.host.rejected = True
            return
        GovernedQueue.enqueue(self, route, content, size, failures)

    def acknowledge(self, message: Message) -> None:
        # That of the queue's own type, which what is written out above knows nothing of.
        super(StoredQueue, self).acknowledge(message)
        self._settled(message)

    def _put(self, message: GovernedMessage) -> None:
        keeping, content, expires = self.keeping, message.stored, message.expires
        if keeping.is_persistent(content):
            clock = self.host.clock
            until = None if expires == inf else clock.wall() + expires - clock.now()
            row = live_row, (message.route, content, message.size, until, message.failures)
            # Before it is there: it may be gone again when this returns.
            keeping.store.append_late(keeping.number, message.position, row)
        super()._put(message)

    def _bury(self, message: Message, reason: str) -> None:
        self._settled(message)
        super()._bury(message, reason)


class StoredQuorumQueue(StoredGovernedQueue, QuorumQueue):
    """A message keeps the row that it had at first, wherever it comes back to.

    How often it came back, and where it stands since, is in a log of its own (`Keeping.returns`).
    Nobody waits for that: a kill in the next moment leaves a count that is one less.
    """

    __slots__ = ()

    def come_back(
        self, unacked: Sequence[Message], *, ended: bool, failed: bool
    ) -> Sequence[Message]:
        first = {id(message) for message in unacked if not cast("QuorumMessage", message).row}
        back = super().come_back(unacked, ended=ended, failed=failed)
        self._note_returns(cast("Sequence[QuorumMessage]", back), first)
        return back

    def _note_returns(self, back: Sequence[QuorumMessage], first: Container[int]) -> None:
        """Those whose id is among `first` have no note yet."""
        keeping = self.keeping
        if back and not keeping.returns:
            keeping.returns = keeping.store.new_log(OWNER)
            keeping.changed()
        for message in back:
            put = keeping.store.append_late if id(message) in first else keeping.store.replace
            put(keeping.returns, message.row, (returned_row, (message,)), awaited=False)

    def _put(self, message: GovernedMessage) -> None:
        if message.failures and isinstance(message, QuorumMessage):
            # As one that came back: that it failed where it died is known by its note.
            message.row = message.position
            self._note_returns([message], [id(message)])
        super()._put(message)

    def _settled(self, message: Message) -> None:
        super()._settled(message)
        self._forget_return(message)

    def acknowledge_all(self, messages: Sequence[Message], size: int) -> None:
        super().acknowledge_all(messages, size)
        for message in messages:
            self._forget_return(message)

    def _forget_return(self, message: Message) -> None:
        row = cast("QuorumMessage", message).row
        if row and self.keeping.returns:
            self.keeping.store.remove(self.keeping.returns, row)

    def take_all(self) -> deque[Message]:
        messages, keeping = super().take_all(), self.keeping
        if keeping.returns and not self._has_others():
            keeping.store.trim(keeping.returns, self._position + 1)
        return messages

    def end(self) -> None:
        super().end()
        self.keeping.under_way.clear()
        if self.keeping.returns:
            self.keeping.store.drop(self.keeping.returns)

    def row_of(self, message: Message) -> int:
        return cast("QuorumMessage", message).row or message.position

    def _deliver_unacked(self, consumer: Consumer, message: Message) -> None:
        self._deliver_by(super(StoredQueue, self)._deliver_unacked, consumer, message)

    def _deliver_no_ack(self, consumer: Consumer, message: Message) -> None:
        self._deliver_by(super()._deliver_no_ack, consumer, message)

    def _deliver_by(
        self,
        deliver: Callable[[Consumer, Message], None],
        consumer: Consumer,
        message: Message,
    ) -> None:
        """What was never delivered must not say so once it was: its consumer waits for that."""
        row, keeping, mark = self.row_of(message), self.keeping, self._mark_of(message)
        if row <= mark.bound and (
            mark.noted <= keeping.store.committed
            or row <= mark.sure
            or keeping.waiting.get(consumer, 0) >= mark.noted
        ):
            mark.delivered = max(mark.delivered, row)
            keeping.delivered = max(keeping.delivered, row)
            deliver(consumer, message)
            return

        def noted() -> None:
            self._note(row, mark)
            keeping.waiting[consumer] = keeping.store.group
            deliver(consumer, message)

        consumer.sink.work(noted)

    def _took(self, message: Message, no_ack: bool) -> None:
        self._note(self.row_of(message), self._mark_of(message))
        if no_ack:
            self._settled(message)

    def _note(self, row: int, mark: Keeping | Mark) -> None:
        keeping, store = self.keeping, self.keeping.store
        mark.delivered = max(mark.delivered, row)
        keeping.delivered = max(keeping.delivered, row)
        if row > mark.bound:
            if mark.noted <= store.committed:
                mark.sure = mark.bound
            mark.bound, mark.noted = row + min(row >> 5, _AHEAD), store.group
            keeping.bound = max(keeping.bound, mark.bound)
            keeping.changed()
        elif mark.noted > store.committed and row > mark.sure:
            # It is noted for another one, and not on disk yet: who gets this waits as well.
            keeping.changed()

    def remove(self, consumer: Consumer) -> None:
        super().remove(consumer)
        self.keeping.waiting.pop(consumer, None)

    def _mark_of(self, message: Message) -> Keeping | Mark:
        marks = self.keeping.marks
        if marks is None:
            return self.keeping
        # What came back is in another lane.
        came_back = cast("QuorumMessage", message).row
        rank = self.rank_of(message.stored) if came_back else message.priority
        return marks.setdefault(rank, Mark())

    def _rows_of(self, messages: Sequence[Message]) -> Iterable[int]:
        return map(self.row_of, messages)

    # Dead letters that are on their way, or found no queue yet.

    def set_out(self, message: Message, reason: str) -> None:
        keeping = self.keeping
        if self.at_least_once and not self.gone and message not in keeping.under_way:
            keeping.under_way.add(message)
            late = dead_row, (message, reason)
            keeping.store.append_late(keeping.number, self.row_of(message), late)

    def keeps_dead(self, message: Message) -> bool:
        return message in self.keeping.under_way

    def arrived(self, message: Message) -> None:
        if message in self.keeping.under_way:
            self.keeping.under_way.remove(message)
            self._settled(message)

    def hold_back(self, message: Message, reason: str, seconds: float) -> None:
        keeping, late = self.keeping, (dead_row, (message, reason))
        keeping.store.append_late(keeping.number, self.row_of(message), late)
        super().hold_back(message, reason, seconds)

    def _tried(self, message: Message) -> None:
        # In the group that has it in its next queue, and no sooner: many are tried in many steps.
        self._settled(message)

    def _has_others(self) -> bool:
        return bool(self.undelivered or self.keeping.under_way) or super()._has_others()


class StoredStreamQueue(StreamQueue):
    """A stream; it loses rows by its retention only."""

    __slots__ = ()
    stored = True

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        if self.keeping.store.failing:
            self.host.rejected = True
            return
        super().enqueue(route, content, size)

    def _append(self, route: Route, content: bytes, size: int, moment: float) -> None:
        offset = self.log.end
        super()._append(route, content, size, moment)
        keeping = self.keeping
        row = stream_row(route, content, size, moment)
        keeping.store.append(keeping.number, offset, row)

    def _retain(self) -> None:
        before = self.log.start
        super()._retain()
        if self.log.start != before:
            self.keeping.store.trim(self.keeping.number, self.log.start)

    def end(self) -> None:
        super().end()
        self.keeping.store.drop(self.keeping.number)


_STORED: Final[dict[type[Queue], type[Queue]]] = {
    Queue: StoredQueue,
    GovernedQueue: StoredGovernedQueue,
    QuorumQueue: StoredQuorumQueue,
    StreamQueue: StoredStreamQueue,
}


def store_in(queue: Queue, host: Host, keeping: Keeping) -> None:
    """Let a queue, in place, keep its messages on disk."""
    queue.__class__ = _STORED[type(queue)]
    queue.host = host
    queue.keeping = keeping
    if isinstance(queue, StoredQuorumQueue):
        keeping.bound = 0
        if host.profile.quorum_queues_rank:
            keeping.marks = {}


StoredQueue.governed_class = StoredGovernedQueue
