"""A channel: its consumers, what they have unacked, and what comes back of it."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from math import inf
from operator import attrgetter, itemgetter
from typing import Any, Final

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps, to_their_end
from ..codes import ReplyCode
from ..events import AMQP, ConsumerEnded, MessagesRequeued
from ..state.consumer import UNLIMITED, Consumer
from ..state.message import Message
from ..state.queues.queue import Queue
from ..state.queues.settling import by_queue, discarding, requeuing
from ..state.queues.stream import StreamQueue
from ..state.queues.timed_out import TimedOut
from ..state.settlements import Settlement
from ..wire.frames import method
from .cancelled import Cancelled
from .line import Line
from .publishing import Publishing
from .transaction import SettledDelivery, Transaction
from .unknown_tags import unknown_tag

_AT_ONCE: Final = 1024
"""Messages that are acknowledged in one step."""
_LOOKED_UP: Final = 32 * _AT_ONCE
"""Of so many the tags are asked for at once."""
_queue_of = attrgetter("queue")
_consumer_of = attrgetter("consumer")
_size_of = attrgetter("size")
_whose = attrgetter("queue", "consumer")


def _check_requeuing(messages: Iterable[Message]) -> None:
    """Raise ProtocolError where one is a stream's, which takes nothing back."""
    for queue in dict.fromkeys(map(_queue_of, messages)):
        if isinstance(queue, StreamQueue):
            raise queue.unsupported("basic.nack and basic.reject")


def _gather(found: dict[Queue, list[Message]], messages: Iterable[Message]) -> None:
    """To those of each queue."""
    for queue, group in by_queue(messages).items():
        found.setdefault(queue, []).extend(group)


def _taken(unacked: dict[int, Message], tags: list[int]) -> dict[int, Message]:
    """These, which are no longer there."""
    return dict(zip(tags, map(unacked.pop, tags), strict=True))


def _in_parts(unacked: dict[int, Message], last: int) -> Iterator[dict[int, Message]]:
    """Those up to this tag, oldest first, some at a time, which are no longer there."""
    # A dict looks at the places of all that it had before it comes to its oldest: not for each
    # part, or it were the square of a million.
    while tags := list(islice(unacked, _LOOKED_UP)):
        del tags[bisect_right(tags, last) :]
        if not tags:
            return
        for at in range(0, len(tags), _AT_ONCE):
            yield _taken(unacked, tags[at : at + _AT_ONCE])


def _still_of_clients(messages: list[Message]) -> list[Message]:
    """What timed out is its queue's again."""
    return [each for each in messages if not isinstance(each.queue, TimedOut)]


def _by_queue_and_consumer(
    messages: list[Message],
) -> Iterable[tuple[tuple[Queue, Consumer | None], list[Message]]]:
    if len(whose := set(map(_whose, messages))) == 1:
        # As it mostly is, of however many.
        return ((whose.pop(), messages),)
    groups: dict[tuple[Queue, Consumer | None], list[Message]] = {}
    for message in messages:
        groups.setdefault((message.queue, message.consumer), []).append(message)
    return groups.items()


class Channel:
    """One channel of one connection. Method handlers (methods.py) and deliveries act on it.

    `closing`: our channel.close is sent, all but its answer is ignored (AMQP 1.5.2.5).
    `assembling`: a publish came without all of its content.
    `limit` is the common prefetch of all consumers, `prefetch` that of consumers to come; `unacked`
    counts the unacknowledged deliveries to consumers (not basic.get's), while there is a limit.
    `shortest_timeout`: in seconds, of those that its consumers asked for, gone ones too.
    `gets` counts what basic.get took to acknowledge it; `without_ack`: some delivery needed none.
    `streaming`: some consumer was a stream's. `settling`: up to this tag all of `unacked` is
    settled, and is taken out of it in steps.
    """

    __slots__ = (
        "assembling",
        "cancelled",
        "closing",
        "consumers",
        "gets",
        "last_queue",
        "last_served",
        "last_tag",
        "limit",
        "line",
        "number",
        "out",
        "outstanding",
        "prefetch",
        "publishing",
        "replies",
        "settling",
        "shortest_timeout",
        "streaming",
        "transaction",
        "unacked",
        "vhost",
        "without_ack",
    )

    def __init__(self, number: int, line: Line) -> None:
        self.number = number
        self.line = line
        self.out = line.out
        self.vhost = line.vhost
        self.closing = False
        self.assembling = False
        self.consumers: dict[str, Consumer] = {}
        self.cancelled = Cancelled()
        self.unacked: dict[int, Message] = {}
        self.last_tag = 0
        self.gets = 0
        self.without_ack = False
        self.streaming = False
        self.settling = 0
        self.shortest_timeout = inf
        self.last_queue = ""
        self.prefetch = 0
        self.limit = 0
        self.outstanding = 0
        self.last_served: Consumer | None = None
        self.transaction: Transaction | None = None
        self.replies: Consumer | None = None
        self.publishing = Publishing(self)

    @property
    def ready(self) -> bool:
        """It may take a method."""
        return not (self.closing or self.assembling)

    @property
    def reply_to(self) -> str:
        """What direct reply-to stands for on this channel, while it consumes its replies."""
        replies = self.replies
        return replies.queue.name if replies is not None and not replies.queue.gone else ""

    def send(self, name: str, **values: Any) -> None:
        """Append a method's frame to the connection's output."""
        self.out.append(method(self.number, name, **values))
        self.line.counts.sent[name] += 1

    def lint(self, name: str, what: str) -> None:
        """Report what some release of RabbitMQ does not take, or what is risky (lint.py)."""
        self.line.lint.report(self.line.id, self.line.client, name, what)

    # Deliveries and what comes back.

    def await_ack(self, tag: int, message: Message) -> None:
        """A message goes out under this delivery tag and must be acknowledged."""
        self.unacked[tag] = message
        if self.limit and message.consumer is not None:
            self.outstanding += 1
            self.last_served = message.consumer
            if self.outstanding >= self.limit:
                self.refresh()

    def holds(self, consumer: Consumer) -> bool:
        """Whether this consumer has deliveries that are not settled, or only until tx.commit.

        Each of them took one of its credit, and gives it back before its queue hears of it.
        """
        return consumer.credit < (consumer.prefetch or UNLIMITED)

    def settle(
        self, tag: int, multiple: bool, settlement: Settlement, *, failed: bool = False
    ) -> None:
        """basic.ack, nack and reject; `failed`: the client could not process what comes back.

        Raises RequestRefused (406) for a tag under which nothing is unacked; 0 means all.
        """
        unacked = self.unacked
        if (tag or not multiple) and tag not in unacked:
            raise unknown_tag(self, tag)
        if multiple and len(unacked) > _AT_ONCE:
            self._settle_very_many(tag or self.last_tag, settlement, failed)
            return
        if not multiple:
            back = {tag: unacked.pop(tag)}
        # Tags only grow, so the newest one means all of them: no search.
        elif not tag or next(reversed(unacked)) == tag:
            back = dict(unacked)
            unacked.clear()
        else:
            # Without a look at those behind it, and at none of them in Python: they may be many.
            back = _taken(unacked, list(takewhile(tag.__ge__, unacked)))
        if settlement != "acknowledged":
            try:
                _check_requeuing(back.values())
            except ProtocolError:
                # The connection ends by it, and gives back what it has: all of this among it.
                self.unsettle(back.items())
                raise
        if self.transaction is not None:
            self._settle_later(self.transaction, back, settlement, failed)
            return
        messages = list(back.values())
        self.note(settlement, messages)
        if settlement == "acknowledged":
            self._done_with(messages)
        else:
            self._give_back(messages, settlement, failed)

    def _settle_later(
        self,
        transaction: Transaction,
        back: dict[int, Message],
        settlement: Settlement,
        failed: bool,
    ) -> None:
        # Out of the unacked from here on, and back among them by tx.rollback: who rolls back
        # may acknowledge them once more, as with RabbitMQ.
        for key, message in back.items():
            transaction.settled.append(SettledDelivery(key, message, settlement, failed))

    def _give_back(self, messages: list[Message], settlement: Settlement, failed: bool) -> None:
        self.refill(messages)
        back_again = settlement == "requeued"
        back = requeuing if back_again else discarding
        self.do(back(messages, failed=failed))

    def _settle_very_many(self, last: int, settlement: Settlement, failed: bool) -> None:
        """All up to `last`, where there are so many that others must come between."""
        if settlement != "acknowledged" and self.streaming:
            # What is behind the tag stays with the client, a stream's messages too.
            up_to_it = takewhile(last.__ge__, self.unacked)
            _check_requeuing(map(self.unacked.__getitem__, up_to_it))
        if self.transaction is None:
            # One that ends before has its settled deliveries back, too.
            self.settling = last
        self.do(self._settling_very_many(last, settlement, failed))

    def _settling_very_many(self, last: int, settlement: Settlement, failed: bool) -> Steps:
        unacked, transaction = self.unacked, self.transaction
        requeued: dict[Queue, list[Message]] = {}
        for back in _in_parts(unacked, last):
            messages = list(back.values())
            if transaction is not None:
                self._settle_later(transaction, back, settlement, failed)
                yield
                continue
            self.note(settlement, messages)
            if settlement == "acknowledged":
                self._done_with(messages)
            else:
                self.refill(messages)
            if settlement == "requeued":
                _gather(requeued, messages)
            elif settlement == "rejected":
                yield from discarding(messages, failed=failed)
            yield
        self.settling = 0
        for queue, group in requeued.items():
            yield from queue.requeuing(group, ended=False, failed=failed)

    def note(self, settlement: Settlement, messages: Iterable[Message]) -> None:
        """Let those know who watch what becomes of messages."""
        vhost = self.vhost
        if not vhost.settlements.watchers:
            return
        # What timed out is its queue's again, whatever its client says of it now.
        settled = [each for each in messages if not isinstance(each.queue, TimedOut)]
        vhost.settlements.note(vhost.name, settlement, self.line.client, settled)

    def _done_with(self, messages: list[Message]) -> None:
        """These are acknowledged: counted by queue and consumer, of which there are few."""
        for (queue, consumer), group in _by_queue_and_consumer(messages):
            number = len(group)
            if consumer is not None:
                consumer.credit += number
                if self.limit:
                    self.outstanding -= number
                if consumer.credit <= number:
                    self.line.refilled.append(consumer)
            queue.acknowledge_all(group, sum(map(_size_of, group)))
        if self.limit:
            self.line.relieved.append(self)

    def acknowledge(self, tags: list[int]) -> None:
        """basic.ack of single deliveries, the frequent case."""
        if self.transaction is not None:
            for tag in tags:
                self.settle(tag, False, "acknowledged")
            return
        if len(tags) > 1:
            self._acknowledge_many(tags)
            return
        (tag,) = tags
        message = self.unacked.pop(tag, None)
        if message is None:
            raise unknown_tag(self, tag)
        consumer = message.consumer
        if consumer is not None:
            consumer.credit = credit = consumer.credit + 1
            # It was out of the rotation. It goes back at the end of the burst, when all its
            # acknowledgements are counted.
            if credit == 1:
                self.line.refilled.append(consumer)
        message.queue.acknowledge(message)
        if self.vhost.settlements.watchers:
            self.note("acknowledged", (message,))
        if self.limit:
            # Not a count of before: an acknowledgement may let another consumer begin (quorum.py).
            if consumer is not None:
                self.outstanding -= 1
            self.line.relieved.append(self)

    def _acknowledge_many(self, tags: list[int]) -> None:
        take = self.unacked.pop
        done: list[Message] = []
        for tag in tags:
            message = take(tag, None)
            if message is None:
                break
            done.append(message)
        self._done_with(done)
        self.note("acknowledged", done)
        if len(done) < len(tags):
            raise unknown_tag(self, tags[len(done)])

    def check_recovery(self) -> None:
        """Raise ProtocolError where some of it cannot be put back."""
        if self.streaming:
            _check_requeuing(self.unacked.values())

    def recover(self) -> None:
        """Put all that is unacknowledged back into its queue."""
        if len(self.unacked) > _AT_ONCE and self.transaction is None:
            self._settle_very_many(self.last_tag, "requeued", failed=False)
            return
        messages = list(self.unacked.values())
        self.unacked.clear()
        self.note("requeued", messages)
        self.refill(messages)
        self.do(requeuing(messages))

    def do(self, steps: Steps) -> None:
        """Do with very many messages what a method asks for, before the client's next frames."""
        self.line.begin(to_their_end(self.vhost.memory.making_room(steps), self.line.chores))

    def unsettle(self, back: Iterable[tuple[int, Message]]) -> None:
        """These are unacked again, among the others in the order of delivery tags."""
        again = sorted((*self.unacked.items(), *back), key=itemgetter(0))
        self.unacked.clear()
        self.unacked.update(again)

    def refill(self, messages: list[Message]) -> None:
        """The consumers of these messages have credit again, from the end of this burst on."""
        outstanding = self.outstanding
        consumer: Consumer | None
        for consumer, number in Counter(map(_consumer_of, messages)).items():
            if consumer is not None:
                outstanding -= number
                consumer.credit += number
                if consumer.credit <= number:
                    self.line.refilled.append(consumer)
        if self.limit:
            self.outstanding = outstanding
            self.line.relieved.append(self)

    def refresh(self) -> None:
        """Let the consumers go on, or stop them, as connection and common prefetch want it."""
        for consumer in self._in_turn():
            if self.line.flowing and not (self.limit and self.outstanding >= self.limit):
                consumer.queue.resume(consumer)
            else:
                consumer.queue.pause(consumer)

    def set_limit(self, limit: int) -> None:
        """Change the common prefetch; 0 lifts it.

        What basic.get took and is unacked when it begins counts for good, as at RabbitMQ, whose
        source calls that "pretty obscure though"; what it takes later does not.
        """
        if not self.limit:
            self.outstanding = len(self.unacked)
        self.limit = limit
        self.refresh()

    def _in_turn(self) -> list[Consumer]:
        """The consumers, so that room under the common limit goes round: after the last served."""
        consumers = list(self.consumers.values())
        if self.limit and self.last_served in consumers:
            after = consumers.index(self.last_served) + 1
            return consumers[after:] + consumers[:after]
        return consumers

    # Names and ends.

    def queue_name(self, name: str) -> str:
        """A queue's name as the client gave it; empty means the one it declared last."""
        if name:
            return name
        if not self.last_queue:
            raise RequestRefused(ReplyCode.NOT_FOUND, "no previously declared queue")
        return self.last_queue

    def queue(self, name: str) -> Queue:
        return self.vhost.queue(self.queue_name(name), self.line.id)

    def new_name(self, prefix: str) -> str:
        """`amq.gen-` or `amq.ctag-` with 22 random characters, as RabbitMQ makes them."""
        return self.vhost.new_name(prefix)

    def consumer_cancelled(self, tag: str, reason: str) -> None:
        """The broker ended a consumer: tell the client if it wants to know."""
        consumer = self.consumers.pop(tag)
        if self.line.cancel_notify and not self.closing:
            if not self.out:
                self.line.peer.wake()
            self.send("basic.cancel", consumer_tag=tag, no_wait=True)
        self.ended(consumer, reason)

    def ended(self, consumer: Consumer, reason: str) -> None:
        queue = consumer.queue.name
        self.line.spine.emit(
            ConsumerEnded(AMQP, self.line.id, self.number, queue, consumer.tag, reason)
        )

    def outstanding_messages(self) -> list[Message]:
        """What it has unacked, also what it settled in a transaction that is not committed.

        What timed out is its queue's again.
        """
        return _still_of_clients(self._held())

    def _held(self) -> list[Message]:
        messages = list(self.unacked.values())
        if self.settling:
            messages = [each for tag, each in self.unacked.items() if tag > self.settling]
        if self.transaction is not None:
            messages += [each.message for each in self.transaction.settled]
        return messages

    def stop(self) -> None:
        """Its consumers get nothing any more; `ending` does the rest."""
        self.closing = True
        for consumer in self.consumers.values():
            consumer.queue.pause(consumer)

    def end(self, reason: str) -> None:
        """The channel is over: its consumers end, what it has unacked is ready again."""
        self.stop()
        self.line.chores.do(self.vhost.memory.making_room(self.ending(reason)))

    def ending(self, reason: str) -> Steps:
        """The steps of `end`: there may be thousands of consumers and of messages."""
        messages, outstanding = self._held(), dict[Queue, list[Message]]()
        # Not cleared: who settles very many may still be at it.
        self.unacked = {}
        for at in range(0, len(messages), _AT_ONCE):
            some = _still_of_clients(messages[at : at + _AT_ONCE])
            self.note("requeued", some)
            _gather(outstanding, some)
            if at:
                yield
        if self.transaction is not None:
            self.transaction.forget(self.vhost.memory)
            self.transaction = None
        while self.consumers:
            # A queue that ends with its last consumer takes others of this channel along.
            consumer = self.consumers.pop(next(iter(self.consumers)))
            self.vhost.cancel(consumer)
            self.ended(consumer, reason)
            yield
        for queue, group in outstanding.items():
            yield from queue.requeuing(group, ended=True, failed=True)
            self.line.spine.emit(MessagesRequeued(AMQP, queue.name, len(group), reason))
