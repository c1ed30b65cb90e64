"""Dead letters: where a message goes that was rejected, expired, or too much (RabbitMQ's DLX)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ...fairness import Steps
from ..profiles import CLIENTS_DEATHS
from ..records import Field
from .memory import COST, do_all
from .queues.queue import Queue
from .routing import Route, resolve

if TYPE_CHECKING:
    from .message import Message
    from .queues.governed import GovernedQueue
    from .queues.policy import Policy
    from .virtual_host import VirtualHost

REJECTED: Final = "rejected"


class Death(NamedTuple):
    """What x-death says of one end: `time` is in seconds since 1970."""

    queue: str
    reason: str
    time: int
    exchange: str
    routing_key: str


class Rewritten(NamedTuple):
    """A message as it goes on after a death: without its expiration, with x-death.

    `more_keys` are those of its CC header, `deaths` (queue, reason) of each death, newest first,
    `clients`: it came with an x-death that a client wrote.
    """

    content: bytes
    headers: Mapping[str, Field]
    more_keys: tuple[str, ...]
    deaths: tuple[tuple[str, str], ...]
    clients: bool = False


class Rewriter(Protocol):
    """Changes a message's headers, which state does not look into (channel/contents.py)."""

    def bury(self, content: bytes, death: Death, *, keep_cc: bool) -> Rewritten: ...


Dead = deque[tuple["GovernedQueue", "Message", str, "Policy"]]
"""Messages of a queue, the reason for which each one died there, and the queue's policy then."""
VERY_WIDE: Final = 256
"""Queues of a message that may take several turns of the loop."""


class DeadLetters:
    """Publishes them one after the other: a death may cause the next, in this queue or another.

    One that goes to very many queues does so in steps. Those of the same queue wait behind it, and
    take memory as they did before they died; others go on. Of each that is not there within this
    turn of the loop its queue hears when it sets out and when it has arrived.
    """

    def __init__(self, vhost: VirtualHost, rewriter: Rewriter) -> None:
        self._vhost = vhost
        self._rewriter = rewriter
        self._waiting: Dead = deque()
        self._busy = False
        self._late = False
        """Those that come now wait for longer than this turn of the loop."""
        self._going: dict[GovernedQueue, Steps] = {}
        self._behind: dict[GovernedQueue, deque[tuple[Message, str, Policy]]] = {}

    def add(self, queue: GovernedQueue, message: Message, reason: str) -> None:
        self._waiting.append((queue, message, reason, queue.policy))
        if self._late:
            queue.set_out(message, reason)
        if self.hold():
            self.go_on()

    def hold(self) -> bool:
        """Have them wait for `go_on`; False if they wait already.

        At RabbitMQ a dead letter has one way more to go than the message that caused it, which is
        in all of its queues by then.
        """
        busy, self._busy = self._busy, True
        return not busy

    def go_on(self) -> None:
        try:
            while self._waiting:
                self._take(*self._waiting.popleft())
        finally:
            self._busy = False

    @contextmanager
    def kept_in(self, kept: Dead) -> Iterator[None]:
        """Have those that come meanwhile wait there for `let_go`, while others go on."""
        before = self._waiting, self._busy, self._late
        self._waiting, self._busy, self._late = kept, True, True
        try:
            yield
        finally:
            self._waiting, self._busy, self._late = before

    def let_go(self, kept: Dead) -> None:
        self._waiting += kept
        if self.hold():
            self.go_on()

    def _take(self, queue: GovernedQueue, message: Message, reason: str, policy: Policy) -> None:
        memory = self._vhost.memory
        if (behind := self._behind.get(queue)) is not None:
            memory.used += message.size + COST
            queue.set_out(message, reason)
            behind.append((message, reason, policy))
        elif (wide := self._publish(queue, message, reason, policy)) is not None:
            self._behind[queue] = deque()
            steps = self._going[queue] = self._going_on(queue, wide)
            memory.do(memory.making_room(steps))

    def finish(self) -> None:
        """Let those that are in some of very many queues reach the others, and then all behind
        them but those that a start tries again.

        Of the former one that a start tried again would be twice in the first queues.
        """
        for queue, behind in self._behind.items():
            left = [each for each in behind if not queue.keeps_dead(each[0])]
            behind.clear()
            behind.extend(left)
        while self._going:
            do_all(next(iter(self._going.values())))

    def _going_on(self, queue: GovernedQueue, wide: Steps | None) -> Steps:
        """The steps of one that goes to very many queues, and of all that are behind it then."""
        behind, memory = self._behind[queue], self._vhost.memory
        try:
            while True:
                if wide is not None:
                    yield from wide
                if not behind:
                    return
                message, reason, policy = behind.popleft()
                memory.used -= message.size + COST
                first = self.hold()
                try:
                    wide = self._publish(queue, message, reason, policy)
                finally:
                    if first:
                        self.go_on()
                yield
        finally:
            del self._going[queue], self._behind[queue]

    def _publish(
        self, queue: GovernedQueue, message: Message, reason: str, policy: Policy
    ) -> Steps | None:
        """Returns the steps that it takes to do so, where it goes to very many queues."""
        vhost, name, old = self._vhost, policy.dead_letter_exchange, message.route
        # One that waited for a queue may be tried again after its queue's policy went.
        exchange = None if name is None else vhost.exchanges.get(name)
        if exchange is None:
            queue.reach = 1
            if name is not None:
                what = f"queue '{queue.name}' in vhost '{vhost.name}'"
                text = f"its dead letters are lost: there is no exchange '{name}'"
                vhost.warned.report(what, text)
            queue.arrived(message)
            queue.unroutable(message, reason)
            return None
        time = int(vhost.clock.wall())
        death = Death(queue.name, reason, time, old.exchange.name, old.routing_key)
        key = policy.dead_letter_routing_key
        written = self._rewriter.bury(message.stored, death, keep_cc=key is None)
        if written.clients:
            what = f"a message of queue '{queue.name}' in vhost '{vhost.name}'"
            vhost.lint(CLIENTS_DEATHS, f"{what} came with an x-death of its own")
        routing_key = old.routing_key if key is None else key
        route = resolve(exchange, routing_key, written.headers, vhost.exchanges, written.more_keys)
        route.queues = tuple(
            found
            for found in route.queues
            if reason == REJECTED or not _is_cycle(found, written.deaths)
        )
        queue.reach = len(route.queues) or 1
        vhost.show(route)
        if len(route.queues) > VERY_WIDE:
            queue.set_out(message, reason)
            return self._spreading(queue, message, reason, route, written.content)
        failures = self._failures(message)
        # A dead letter that is refused somewhere is lost; its publisher was answered long ago.
        rejected, vhost.rejected = vhost.rejected, False
        try:
            reached = vhost.deliver(route, written.content, message.size, "", failures)
            taken = reached > 0 and not vhost.rejected
        finally:
            vhost.rejected = rejected
        queue.arrived(message)
        if not taken:
            queue.unroutable(message, reason)
        return None

    def _failures(self, message: Message) -> int:
        """How often clients could not process it, where that shows after its death."""
        return message.failures if self._vhost.profile.counts_failures else 0

    def _spreading(
        self, queue: GovernedQueue, message: Message, reason: str, route: Route, content: bytes
    ) -> Steps:
        reached = yield from self._vhost.publishing(
            route,
            content,
            message.size,
            "",
            expiring=False,
            failures=self._failures(message),
        )
        queue.arrived(message)
        if reached <= 0:
            queue.unroutable(message, reason)


def _is_cycle(queue: Queue, deaths: tuple[tuple[str, str], ...]) -> bool:
    """Whether the message died in this queue before, and was rejected by nobody since."""
    for name, reason in deaths:
        if reason == REJECTED:
            return False
        if name == queue.name:
            return True
    return False
