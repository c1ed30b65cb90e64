"""Quorum queues as one node shows them: deliveries are counted, and what comes back goes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from msgspec import Struct

from ....errors import RequestRefused
from ....fairness import Stepped, Steps
from ...codes import ReplyCode
from ...records import Field
from ..memory import COST, do_all
from ..message import Message
from .governed import GovernedMessage, GovernedQueue
from .queue import AT_ONCE
from .store import Lanes

if TYPE_CHECKING:
    from ....clock import Timer
    from ..consumer import Consumer
    from ..routing import Route

_USUAL: Final = 4
RANKS: Final = 32
"""Priorities, and the lane of what came back, the last one: what was published stands below it by
its priority, or in lane 0 of a release without them."""
_LOW_MARK: Final = 0.8
"""A queue that rejects takes messages again below so much of its length."""
_RETRY: Final = 180.0
"""Seconds until a dead letter that found no queue is tried again, as in RabbitMQ."""
_MOST_HEADERS: Final = 128 * 1024
"""Bytes of a message beside its body, with what clients add: the largest frame by default."""


_consumer_of = attrgetter("consumer")
_by_priority_and_credit = attrgetter("priority", "credit")

_stored: Final[Callable[[Message], bytes]] = vars(Message)["content"].__get__
"""A message's field, which a quorum queue's messages show with their count in it."""
_store: Final[Callable[[Message, bytes], None]] = vars(Message)["content"].__set__
_DELIVERY_COUNT: Final = "x-delivery-count"
_ACQUIRED_COUNT: Final = "x-acquired-count"


class Returned(Struct, array_like=True, frozen=True):
    """What is to be known after a start of a message that came back: its counts and its place.

    `position` and `priority` are those that it has since then; the priority as in a release that
    knows them, since another one may be started.
    """

    position: int
    priority: int
    deliveries: int
    failures: int


class QuorumMessage(GovernedMessage, eq=False, gc=False):
    """Its content says how often it was delivered before: the header x-delivery-count.

    RabbitMQ writes it from the second delivery on, before 4.0 for basic.get always. From 4.3 on it
    counts the deliveries that failed, and x-acquired-count all of them.
    """

    deliveries: int = 0
    """How often it came back."""
    got: bool = False
    """basic.get has it."""
    row: int = 0
    """The position that it had at first, once it has another one."""

    def failed_before(self, failures: int) -> None:
        super().failed_before(failures)
        self.deliveries = failures

    @property  # type: ignore[misc]
    def content(self) -> bytes:  # type: ignore[override]
        if not (self.deliveries or self.got):
            return self.stored
        host = cast("QuorumQueue", self.queue).host
        counts = {_DELIVERY_COUNT: self.deliveries}
        if host.profile.counts_failures:
            counts = {_ACQUIRED_COUNT: self.deliveries, _DELIVERY_COUNT: self.failures}
        if host.profile.shows_no_zeros:
            counts = {name: count for name, count in counts.items() if count}
        if not counts:
            return self.stored
        headers = {name: Field("l", count) for name, count in counts.items()}
        return host.contents.with_headers(self.stored, headers)

    def annotate(self, more: Mapping[str, Field]) -> None:
        """Whoever gets it next sees these headers as well; on disk it stays as it came.

        It gets no more of them than a publisher could have sent: who adds some may do so for ever.
        """
        queue = cast("QuorumQueue", self.queue)
        host = queue.host
        made = host.contents.with_headers(self.stored, more)
        if len(made) - self.size <= _MOST_HEADERS:
            _store(self, made)
            return
        what = f"queue '{queue.name}' in vhost '{host.name}'"
        text = f"annotations are left out: a message's headers have at most {_MOST_HEADERS} bytes"
        host.warned.report(what, text)

    @property
    def stored(self) -> bytes:
        return _stored(self)

    def returned(self, *, away: bool = False) -> Returned | None:
        """None: it never came back. One that is `away` comes back as its client's end has it."""
        deliveries, failures = self.deliveries + away, self.failures + away
        if not deliveries:
            return None
        lane = RANKS if away else self.priority
        if not cast("QuorumQueue", self.queue).host.profile.quorum_queues_rank:
            lane = max(lane, _USUAL)
        return Returned(self.position, lane, deliveries, failures)


class QuorumQueue(GovernedQueue):
    """What is asked of a quorum queue beside what any governed queue does.

    A message that comes back is next, in the order of deliveries; where there is no delivery limit
    and its consumer asked for it, it goes to the end instead (both asked of RabbitMQ 3.10.8).
    """

    __slots__ = ("away", "quiescing", "rejecting", "retry_timer", "timed_out", "undelivered")
    kind: ClassVar[str] = "quorum"
    message_type = QuorumMessage
    shortens_before_it_rejects = False

    def prepare(self, *given: Any) -> None:
        self.undelivered: deque[tuple[Message, str]] = deque()
        """Dead letters that no queue took, with their reasons."""
        self.retry_timer: Timer | None = None
        self.rejecting = False
        self.timed_out: dict[Consumer, int] = {}
        """Consumers that get no more before they settled so many late deliveries (4.3)."""
        self.away: dict[Consumer | None, int] = {}
        """Who was cancelled and has not settled all it has; under None how many basic.get has."""
        self.quiescing = False
        """The single active consumer is to give way to another, and gets no more."""
        super().prepare(*given)
        ranked = self.host.profile.quorum_queues_rank
        lanes = Lanes(RANKS, each_expires=True) if ranked else Lanes(1)
        self.messages = cast("deque[Message]", lanes)

    def _priority_of(self, content: bytes) -> int:
        return self.rank_of(content) if self.host.profile.quorum_queues_rank else 0

    def rank_of(self, content: bytes) -> int:
        """Who gives none has the usual one, as a message of AMQP 1.0."""
        return min(self.host.contents.priority(content, _USUAL), RANKS - 1)

    def expiring(self) -> Steps:
        if self.policy.single_active:
            raise RequestRefused(
                ReplyCode.RESOURCE_LOCKED,
                f"cannot obtain access to locked queue '{self.name}' in vhost '{self.host.name}'. "
                "basic.get operations are not supported by quorum queues with single active "
                "consumer",
            )
        return super().expiring()

    def take(self, no_ack: bool) -> Message | None:
        message = super().take(no_ack)
        if isinstance(message, QuorumMessage):
            message.got = True
            if not no_ack:
                self.away[None] = self.away.get(None, 0) + 1
        return message

    def _restore(self, message: GovernedMessage, redelivered: bool, failures: int) -> None:
        # It did not come back before its client was gone.
        super()._restore(message, redelivered, failures or int(redelivered))

    def restore_returned(
        self,
        route: Route,
        content: bytes,
        size: int,
        returned: Returned,
        expires: float,
        row: int,
    ) -> None:
        """As `restore_expiring`, of one that came back before and is on disk at `row`."""
        ranked = self.host.profile.quorum_queues_rank
        lane = returned.priority if ranked or returned.priority == RANKS else 0
        message = cast("QuorumMessage", self._new(route, content, size, expires, lane))
        message.redelivered, message.row = True, row
        message.deliveries, message.failures = returned.deliveries, returned.failures
        self.messages.append(message)
        self._watch()

    def _refuses(self, size: int) -> bool:
        self.rejecting = super()._refuses(size)
        return self.rejecting

    def _full(self, size: int) -> bool:
        """A message is counted before publishers hear of the limit, so one more has room."""
        return not self._below_mark() if self.rejecting else self._over(0, 0)

    def _below_mark(self) -> bool:
        policy, lanes = self.policy, self.lanes
        if policy.max_length is not None and len(lanes) >= policy.max_length * _LOW_MARK:
            return False
        return policy.max_bytes is None or lanes.size < policy.max_bytes * _LOW_MARK

    # What comes back.

    @property
    def delivery_limit(self) -> int | None:
        """How often a message may come back; None and a negative number are no limit."""
        limit = self.policy.delivery_limit
        return self.host.profile.delivery_limit if limit is None else limit

    @property
    def _limited(self) -> bool:
        limit = self.delivery_limit
        return limit is not None and limit >= 0

    @property
    def back_at_once(self) -> int:  # type: ignore[override]
        # How many queues one that dies goes to is known behind it.
        mortal = self._limited and self.policy.dead_letter_exchange is not None
        return 1 if mortal else AT_ONCE

    def come_back(
        self, unacked: Sequence[Message], *, ended: bool, failed: bool
    ) -> Sequence[Message]:
        if self.away:
            self._settled_away(unacked, ended=ended)
        limit, limited = self.delivery_limit, self._limited
        # 4.3 takes basic.reject for an outcome of AMQP 1.0, which never sends to the end.
        next_one = ended or limited or (failed and self.host.profile.counts_failures)
        lane = RANKS if next_one else _USUAL * self.host.profile.quorum_queues_rank
        back: list[Message] = []
        for message in cast("Sequence[QuorumMessage]", unacked):
            message.got = False
            # Counted as it comes back, not as it goes out: an acknowledged one never counts.
            message.deliveries += 1
            message.failures += failed
            if limited and self._counted(message) > cast("int", limit):
                self._bury(message, "delivery_limit")
            else:
                message.row = message.row or message.position
                self._position = message.position = self._position + 1
                message.priority = lane
                back.append(message)
        return back

    def put_back(self, back: Sequence[Message]) -> None:
        self.lanes.extend(back)

    def returning(self, back: list[Message], size: int) -> Stepped[Callable[[], object]]:
        lanes = self.lanes
        parted = yield from lanes.parting(back)
        return partial(lanes.append_all, parted, len(back), size)

    def returned(self, put: Callable[[], object]) -> None:
        put()
        if self.quiescing:
            self._give_way()
        self.drain()
        self._shorten()
        self._watch()

    def _counted(self, message: QuorumMessage) -> int:
        """What the delivery limit looks at."""
        return message.failures if self.host.profile.counts_failures else message.deliveries

    # Deliveries that time out (RabbitMQ 4.3).

    def time_out(self, consumer: Consumer, unacked: Sequence[Message]) -> None:
        """These are ready again, for others: the consumer gets no more before `forgive`."""
        self.timed_out[consumer] = self.timed_out.get(consumer, 0) + len(unacked)
        self._take_off(consumer)
        # They did not fail, and are next.
        do_all(self.requeuing(unacked, ended=True, failed=False))
        if self.policy.single_active and consumer is self.active:
            self.quiescing = False
            self.activate(self.successor())

    def forgive(self, consumer: Consumer, settled: int) -> None:
        """So many of a consumer's late deliveries are settled; with the last one it goes on."""
        left = self.timed_out.get(consumer)
        if left is None:
            return
        if left > settled:
            self.timed_out[consumer] = left - settled
            return
        del self.timed_out[consumer]
        if self.active is None:
            self.activate(self.successor())
        self.refresh(consumer)

    # The single active consumer.

    def add(self, consumer: Consumer) -> None:
        super().add(consumer)
        self._give_way()

    def activate(self, consumer: Consumer | None) -> None:
        before = self.active
        if self.policy.single_active and before is not consumer:
            if before in self.consumers:
                before.sink.activated(active=False)
            if consumer is not None:
                consumer.sink.activated(active=True)
        super().activate(consumer)

    def remove(self, consumer: Consumer) -> None:
        if consumer is self.active:
            self.quiescing = False
        self.timed_out.pop(consumer, None)
        if consumer.sink.holds(consumer):
            self.away[consumer] = 1
        super().remove(consumer)

    def replace(self, before: Consumer, consumer: Consumer, unacked: int) -> None:
        """It is the same consumer, with another prefetch."""
        self.away.pop(before, None)
        if consumer.prefetch:
            consumer.credit = max(consumer.prefetch - unacked, 0)

    def refresh(self, consumer: Consumer) -> None:
        giving_way = self.quiescing and consumer is self.active
        if not giving_way and consumer not in self.timed_out:
            super().refresh(consumer)

    def successor(self) -> Consumer | None:
        """Up to 3.13 whoever came first; later by priority, and of the same one by credit."""
        if not self.host.profile.priority_takes_over:
            return self.consumers[0] if self.consumers else None
        candidates = (each for each in self.consumers if each not in self.timed_out)
        return max(candidates, key=_by_priority_and_credit, default=None)

    @property
    def counted(self) -> int:
        """Who waits to be the single active one does not count (`query_stat` of rabbit_fifo), who
        has still to settle something does: each basic.get is a consumer of its own there.
        """
        single = self.policy.single_active
        consuming = int(self.active is not None) if single else super().counted
        return consuming + sum(self.away.values())

    @property
    def consumers_in_all(self) -> int:
        return super().consumers_in_all + sum(self.away.values())

    @property
    def in_use(self) -> bool:
        return bool(self.away) or super().in_use

    def _settled_away(self, messages: Sequence[Message], *, ended: bool = False) -> None:
        """These are settled, or come back; `ended`: with all others of their channel."""
        away = self.away
        for consumer in map(_consumer_of, messages):
            left = away.get(consumer)
            if left is None:
                continue
            if left > 1:
                away[consumer] = left - 1
            elif ended or consumer is None or not consumer.sink.holds(consumer):
                del away[consumer]
        if not away:
            self.touch()

    def _give_way(self) -> None:
        """Let a consumer of a higher priority be active, once the one that is settled all it has.

        Without its word nobody could say in which order two consumers work on what they have.
        """
        active, best = self.active, self.successor()
        if active is None or best is None or not self.policy.single_active:
            return
        if not self.quiescing:
            if not self.host.profile.priority_takes_over or best.priority <= active.priority:
                return
            self.quiescing = True
            self._take_off(active)
        if not active.sink.holds(active):
            self.quiescing = False
            self.activate(best)

    def _take_off(self, consumer: Consumer) -> None:
        """Out of the rotation, though its channel does not pause it."""
        if consumer.ready:
            consumer.ready = False
            self._rotation.remove(consumer)

    def acknowledge(self, message: Message) -> None:
        super().acknowledge(message)
        if self.away:
            self._settled_away((message,))
        if self.quiescing:
            self._give_way()

    def acknowledge_all(self, messages: Sequence[Message], size: int) -> None:
        super().acknowledge_all(messages, size)
        if self.away:
            self._settled_away(messages)
        if self.quiescing:
            self._give_way()

    def discard(self, message: Message) -> None:
        super().discard(message)
        if self.away:
            self._settled_away((message,))
        if self.quiescing:
            self._give_way()

    # Dead letters, at least once.

    @property
    def at_least_once(self) -> bool:
        """RabbitMQ asks for reject-publish with it, or falls back to at most once."""
        policy = self.policy
        return policy.dead_letter_strategy == "at-least-once" and (
            policy.overflow == "reject-publish"
        )

    def unroutable(self, message: Message, reason: str) -> None:
        if self.at_least_once and not self.gone:
            self.hold_back(message, reason, _RETRY)
        else:
            super().unroutable(message, reason)

    def hold_back(self, message: Message, reason: str, seconds: float) -> None:
        """Try a dead letter again, with all others that wait, after so long at most."""
        self.memory.used += message.size + COST
        self.undelivered.append((message, reason))
        if self.retry_timer is None:
            self.retry_timer = self.host.clock.call_later(seconds, self.retry)

    def restore_undelivered(
        self, route: Route, content: bytes, size: int, reason: str, failures: int = 0
    ) -> None:
        """What died before a restart, and had found no queue by then: RabbitMQ tries it at once."""
        self._position = position = self._position + 1
        message = self.message_type(self, route, content, size, position)
        message.failures = failures
        self.hold_back(message, reason, 0)

    def retry(self) -> None:
        self.retry_timer = None
        self.memory.do(self._retrying())

    def _retrying(self) -> Steps:
        """Those that no queue takes this time either wait behind the others."""
        left = AT_ONCE
        for _ in range(len(self.undelivered)):
            # The queue may have ended meanwhile, and they with it.
            if not self.undelivered:
                return
            message, reason = self.undelivered.popleft()
            self.memory.used -= message.size + COST
            self._tried(message)
            self.host.dead_letter(self, message, reason)
            left -= self.reach
            if left <= 0:
                left = AT_ONCE
                yield
        self.memory.settle()

    def _tried(self, message: Message) -> None:
        """It waits here no more, and is on its way again."""

    def end(self) -> None:
        super().end()
        if self.retry_timer is not None:
            self.retry_timer.cancel()
        self.memory.release(deque(message for message, _ in self.undelivered))
        self.undelivered.clear()
