"""A queue whose arguments act: time to live, lengths, dead letters, priorities, one consumer.

The order of things on a publish is RabbitMQ's and shows: what is over at the head goes first, then
a rejecting queue looks whether there is room; the message is offered to consumers before its own
time to live and the length count, so that with a time of 0 it lives only if somebody takes it now;
what is then too much goes from the head.

Only the head expires: a message with a shorter time behind one with a longer waits for it, and so
does one of a lower priority, as in RabbitMQ's classic queues. So one timer (`_watch`) for the head
is enough, and whoever looks at the queue before calls `_expire`, since timers may be late. A great
many go in steps (`_age`): until the last of these nobody gets a message, and what is too long is
not shortened. A basic.get takes such steps itself (`expiring`), a publish takes a few out.

`x-expires` is a second timer, of the queue itself: it runs while nobody consumes, and each use
(`touch`) begins it anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from ....clock import Timer
from ....fairness import Stepped, Steps
from ..memory import COST, do_all
from ..message import Message
from .host import Host
from .policy import NO_POLICY, REJECTING, Policy
from .queue import AT_ONCE, Queue
from .store import Lanes

if TYPE_CHECKING:
    from ..consumer import Consumer
    from ..routing import Route

_A_FEW: Final = 2
"""Messages that are taken out for one that comes while very many are over."""
_by_position = attrgetter("position")
_by_priority = attrgetter("priority")


class GovernedMessage(Message, eq=False, gc=False):
    """`expires` is a time of the clock."""

    expires: float = inf
    priority: int = 0

    def failed_before(self, failures: int) -> None:
        """It failed so often where it died."""
        self.redelivered = True
        self.failures = failures


class GovernedQueue(Queue):
    """Does on the way of each message what its policy says; a plain queue is asked none of it.

    A plain queue becomes one (`govern`) when first a message with an expiration of its own comes,
    since from then on its head must be watched, or when a policy comes to hold for it.
    """

    __slots__ = ()
    plain: ClassVar[bool] = False
    message_type: ClassVar[type[GovernedMessage]] = GovernedMessage
    shortens_before_it_rejects: ClassVar[bool] = True
    """A policy may set a length and x-overflow: the one comes first, as in RabbitMQ."""

    def __init__(self, *args: Any, host: Host, policy: Policy, **flags: Any) -> None:
        super().__init__(*args, **flags)
        self.prepare(host, policy)

    def prepare(self, host: Host, policy: Policy) -> None:
        self.host = host
        self.policy = policy
        self.messages = cast("deque[Message]", Lanes(policy.max_priority))
        self.timer: Timer | None = None
        self.ageing = False
        """What is over is being taken out, and there may be more of it."""
        self.shortening = False
        """As above, for what is too much."""
        self.draining = False
        """Consumers are being given what waits, and there may be more of it."""
        self.due = inf
        self._reached = 0
        self.idle_timer: Timer | None = None
        self.active: Consumer | None = None
        self.expired = self.dropped = self.dead_lettered = self.dead_letters_lost = 0
        self.touch()

    def change(self, policy: Policy) -> None:
        """Another policy holds from now on; what is in the queue keeps the time that it has."""
        rejected, self.policy = self.policy.overflow in REJECTING, policy
        self._reached = 0
        self.touch()
        if self.shortens_before_it_rejects and not (rejected or self.shortening):
            self.memory.do(self._shortening(rejecting=True))
        self._shorten()
        if policy.max_bytes is not None:
            self.memory.do(self._weighing())
        self.memory.settle()

    @property
    def reach(self) -> int:
        """As many as one step may have, as long as nobody knows where its dead letters go."""
        return 1 if self.policy.dead_letter_exchange is None else self._reached or AT_ONCE

    @reach.setter
    def reach(self, queues: int) -> None:
        self._reached = queues

    @property
    def lanes(self) -> Lanes:
        return cast("Lanes", self.messages)

    # Messages in and out.

    def enqueue_failed(self, route: Route, content: bytes, size: int, failures: int) -> None:
        self.enqueue(route, content, size, failures)

    def enqueue(self, route: Route, content: bytes, size: int, failures: int = 0) -> None:
        self.published += 1
        policy, host = self.policy, self.host
        waiting = not self._rotation or bool(self.messages)
        rejecting = policy.overflow in REJECTING
        # Who takes it now and never acknowledges is the end of it: neither age nor length count.
        if not (waiting or rejecting or failures) and self._served(route, content, size):
            return
        if self.ageing:
            # More than what comes, or ageing would not end where that is soon over, too.
            self._bury_all(self.lanes.expired(host.clock.now(), _A_FEW))
        else:
            self._expire()
        if rejecting and self._refuses(size):
            self._reject(route, content, size)
            return
        ttl = host.contents.expiration(content) / 1000
        if policy.message_ttl is not None:
            ttl = policy.message_ttl if ttl < 0 else min(ttl, policy.message_ttl)
        expires = inf if ttl < 0 else host.clock.now() + ttl
        message = self._new(route, content, size, expires, self._priority_of(content))
        if failures:
            message.failed_before(failures)
        if waiting or rejecting or failures or self.stored:
            self._put(message)
        else:
            self._deliver_new(message)
        if self.messages:
            self.drain()
            self._shorten()
            self._watch()

    def _served(self, route: Route, content: bytes, size: int) -> bool:
        """Whether somebody takes it who never acknowledges: no rule will ever look at it."""
        consumer = self._rotation[0]
        if not consumer.no_ack:
            return False
        if len(self._rotation) > 1:
            self._next()
        consumer.delivered += 1
        consumer.sink.deliver(route, content, size, False, None)
        return True

    def _deliver_new(self, message: GovernedMessage) -> None:
        """To the consumer whose turn it is, without a place among what waits."""
        rotation = self._rotation
        self._deliver_unacked(rotation[0] if len(rotation) == 1 else self._next(), message)

    def _put(self, message: GovernedMessage) -> None:
        self.messages.append(message)
        # Not our own drain: a time to live of 0 is over unless somebody takes it right now.
        if not (self.ageing or self.draining):
            super().drain()

    def _new(
        self, route: Route, content: bytes, size: int, expires: float, priority: int
    ) -> GovernedMessage:
        self._position = position = self._position + 1
        self.memory.used += size + COST
        return self.message_type(
            self, route, content, size, position, expires=expires, priority=priority
        )

    def _priority_of(self, content: bytes) -> int:
        # To look into the properties costs a parse: only a queue with priorities asks.
        return self.host.contents.priority(content) if self.policy.max_priority else 0

    def restore(
        self, route: Route, content: bytes, size: int, redelivered: bool, failures: int = 0
    ) -> None:
        self._restore(
            self._new(route, content, size, inf, self._priority_of(content)), redelivered, failures
        )

    def restore_expiring(
        self,
        route: Route,
        content: bytes,
        size: int,
        redelivered: bool,
        expires: float,
        failures: int = 0,
    ) -> None:
        """As `restore`, for a message that has only until then."""
        self._restore(
            self._new(route, content, size, expires, self._priority_of(content)),
            redelivered,
            failures,
        )

    def _restore(self, message: GovernedMessage, redelivered: bool, failures: int) -> None:
        if failures:
            message.failed_before(failures)
        message.redelivered = redelivered
        self.messages.append(message)
        self._watch()

    def _refuses(self, size: int) -> bool:
        """As `_full`, but that what is over and still there is no reason."""
        now = self.host.clock.now()
        # No more of it than makes room: each may be published anew, to very many queues.
        while (full := self._full(size)) and (over := self.lanes.expired(now, 1)):
            self._bury_all(over)
        return full

    def _full(self, size: int) -> bool:
        """Whether a message of so many bytes has no room any more."""
        return self._over(1, size)

    def _over(self, more: int, bytes_more: int) -> bool:
        """Whether the queue would be too long with so many more ready messages in it."""
        policy, lanes = self.policy, self.lanes
        if policy.max_length is not None and len(lanes) + more > policy.max_length:
            return True
        return policy.max_bytes is not None and lanes.size + bytes_more > policy.max_bytes

    def _shorten(self) -> None:
        """What is too much goes from the head; of very much the rest follows in steps.

        Meanwhile it is there for whoever takes it.
        """
        if self._drop(_A_FEW if self.shortening else AT_ONCE) and not self.shortening:
            self.memory.do(self._shortening())

    def _shortening(self, *, rejecting: bool = False) -> Steps:
        """`rejecting`: a queue that rejects from now on, too."""
        self.shortening = True
        try:
            while self._drop(AT_ONCE, rejecting=rejecting):
                yield
        finally:
            self.shortening = False
        self._watch()
        self.memory.settle()

    def _drop(self, most: int, *, rejecting: bool = False) -> bool:
        """Drop of those that are too much, to so many queues; True where there are more."""
        drops = rejecting or self.policy.overflow not in REJECTING
        while drops and not (self.ageing or self.draining) and self._over(0, 0):
            if most <= 0:
                return True
            self.dropped += 1
            # Its head, also where that is the one of the highest priority, as in RabbitMQ.
            self._bury(self.lanes.popleft(), "maxlen")
            most -= self.reach
        return False

    def _weighing(self) -> Steps:
        """Count the bytes of what a plain queue held, then see whether they are too many."""
        while self.lanes.weigh(AT_ONCE):
            yield
        self._shorten()

    def _reject(self, route: Route, content: bytes, size: int) -> None:
        self.dropped += 1
        self.host.rejected = True
        if self.policy.overflow == "reject-publish-dlx":
            self._dead_letter(self.message_type(self, route, content, size, 0), "maxlen")

    def expiring(self) -> Steps:
        self.touch()
        while self._bury_over():
            yield

    def take(self, no_ack: bool) -> Message | None:
        # Whoever did those steps before finds next to nothing any more.
        do_all(self.expiring())
        message = super().take(no_ack)
        # What stood below it, of a lower priority, may be over for long, and be very much.
        self._expire()
        self._watch()
        return message

    def drain(self) -> None:
        """As a plain queue, but that what is over is gone before its turn comes, and in steps."""
        if not self.draining and self._hand_out():
            self.memory.do(self._draining())

    def _draining(self) -> Steps:
        self.draining = True
        try:
            while self._hand_out():
                yield
        finally:
            self.draining = False
        self._shorten()

    def _hand_out(self) -> bool:
        """One step of that; True where there is more."""
        rotation, left = self._rotation, AT_ONCE
        self._expire()
        while rotation and self.messages and not self.ageing and left:
            self._deliver_next(rotation[0] if len(rotation) == 1 else self._next())
            self._expire()
            left -= 1
        if left < AT_ONCE:
            # Who is the first now had no timer behind one whose time never comes.
            self._watch()
        return not left

    def discard(self, message: Message) -> None:
        super().discard(message)
        if not self.gone:
            self._dead_letter(message, "rejected")

    def put_back(self, back: Sequence[Message]) -> None:
        self.lanes.put_back(sorted(back, key=_by_position))

    def returning(self, back: list[Message], size: int) -> Stepped[Callable[[], object]]:
        lanes = self.lanes
        if lanes.has_former:
            return partial(self.put_back, back)
        returned = yield from lanes.returning(back)
        return partial(lanes.put_all_back, returned, len(back), size)

    def returned(self, put: Callable[[], object]) -> None:
        put()
        # Before anybody gets it: RabbitMQ's classic queues drop first, quorum queues last.
        self._shorten()
        self.drain()
        self._watch()

    def take_all(self) -> deque[Message]:
        messages = deque[Message](self.lanes)
        self.lanes.clear()
        return messages

    def purge(self) -> int:
        count = super().purge()
        self._watch()
        return count

    # Death.

    def _expire(self) -> None:
        """What is over at the head goes before anybody gets it; of very much, it begins to."""
        # Nothing here can be over: most queues have no time to live at all.
        if (self.messages or self.due != inf) and not self.ageing:
            over = self._bury_over()
            # Or its dead letter came back to this very queue, already over again.
            more = over and self.lanes.next_expiry <= self.host.clock.now()
            if more and not self.ageing:
                self.memory.do(self._age())

    def _bury_over(self) -> bool:
        """One step of what is over at the head; False where nothing is."""
        now, left = self.host.clock.now(), AT_ONCE
        while left > 0 and (over := self.lanes.expired(now, 1)):
            self._bury_all(over)
            # Each by what it reached itself: the next one may have another key.
            left -= self.reach
        return left < AT_ONCE

    def _bury_all(self, over: Sequence[Message]) -> None:
        self.expired += len(over)
        for message in over:
            self._bury(message, "expired")

    def _bury(self, message: Message, reason: str) -> None:
        self.memory.used -= message.size + COST
        self._dead_letter(message, reason)

    def _dead_letter(self, message: Message, reason: str) -> None:
        if self.policy.dead_letter_exchange is not None:
            self.dead_lettered += 1
            self.host.dead_letter(self, message, reason)

    def set_out(self, message: Message, reason: str) -> None:
        """Its dead letter is on its way, and will not be there within this turn of the loop."""

    def keeps_dead(self, message: Message) -> bool:
        """Whether a start tries again what has set out."""
        return False

    def arrived(self, message: Message) -> None:
        """Its dead letter is where it goes, if anywhere."""

    def unroutable(self, message: Message, reason: str) -> None:
        """No queue took its dead letter: the message is lost."""
        self.dead_letters_lost += 1

    def _watch(self) -> None:
        """Have a timer for the first head that will be over."""
        due = self.lanes.next_expiry
        # The timer that runs comes early enough, and looks again then.
        if due >= self.due or self.gone:
            return
        if self.timer is not None:
            self.timer.cancel()
        self.due = due
        clock = self.host.clock
        self.timer = clock.call_later(max(0.0, due - clock.now()), self._look)

    def _look(self) -> None:
        self.timer = None
        self.due = inf
        if not (self.gone or self.ageing):
            self.memory.do(self._age())

    def _age(self) -> Steps:
        self.ageing = True
        try:
            while self._bury_over():
                yield
        finally:
            self.ageing = False
        if not self.gone:
            self.drain()
            self._shorten()
            self._watch()
        self.memory.settle()

    # Consumers, and being used at all.

    def add(self, consumer: Consumer) -> None:
        super().add(consumer)
        if self.active is None:
            self.active = consumer
        self.touch()

    def remove(self, consumer: Consumer) -> None:
        super().remove(consumer)
        if consumer is self.active and not self.gone:
            self.activate(self.successor())
        self.touch()

    def successor(self) -> Consumer | None:
        """Who is next to be the single active consumer: of the highest priority the first one.

        A consumer that comes later does not take over, whatever its priority (asked of 3.10.8).
        """
        return max(self.consumers, key=_by_priority, default=None)

    def activate(self, consumer: Consumer | None) -> None:
        self.active = consumer
        if self.policy.single_active and consumer is not None:
            self.refresh(consumer)

    def refresh(self, consumer: Consumer) -> None:
        if consumer is self.active or not self.policy.single_active:
            super().refresh(consumer)

    @property
    def in_use(self) -> bool:
        """Whether x-expires does not count."""
        return bool(self.consumers)

    def touch(self) -> None:
        """Somebody used the queue: its x-expires begins anew, if nobody consumes from it."""
        if self.idle_timer is not None:
            self.idle_timer.cancel()
            self.idle_timer = None
        if self.policy.expires is not None and not (self.in_use or self.gone):
            self.idle_timer = self.host.clock.call_later(self.policy.expires, self._unused)

    def _unused(self) -> None:
        if not (self.in_use or self.gone):
            self.host.queue_expired(self)

    def end(self) -> None:
        for timer in (self.timer, self.idle_timer):
            if timer is not None:
                timer.cancel()


Queue.governed_class = GovernedQueue


def govern(queue: Queue, host: Host, policy: Policy = NO_POLICY) -> GovernedQueue:
    """Let a plain queue, in place, be one that does what `policy` says."""
    ready = queue.messages
    # Both classes have the same slots, and everyone who holds the queue keeps holding it.
    queue.__class__ = queue.governed_class
    governed = cast("GovernedQueue", queue)
    governed.prepare(host, policy)
    governed.lanes.take_over(ready)
    governed.active = queue.consumers[0] if queue.consumers else None
    return governed
