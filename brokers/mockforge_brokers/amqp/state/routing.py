"""Where a message goes: exchanges walked once, the answer kept until bindings change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..records import Field
from .exchanges import Exchange, Watcher
from .queues.queue import Queue

NO_HEADERS: Final[Mapping[str, Field]] = {}


class Route:
    """All that is known about one (exchange, routing key).

    `valid` says whether it holds for the next message too: it falls when bindings change, and is
    never set where an exchange on the way looks at each message. `held` says that one of them
    keeps the message for later. `more_keys` are those of CC and BCC. `rendered` belongs to the
    sinks: what they write of exchange and key, rendered once. `alone` is its only queue, of a valid
    route that nobody watches.
    """

    __slots__ = (
        "alone",
        "exchange",
        "held",
        "more_keys",
        "queues",
        "rendered",
        "routing_key",
        "valid",
        "watchers",
    )

    def __init__(self, exchange: Exchange, routing_key: str) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.queues: tuple[Queue, ...] = ()
        self.valid = True
        self.held = False
        self.more_keys: tuple[str, ...] = ()
        self.rendered = b""
        self.watchers: tuple[Watcher, ...] = ()
        self.alone: Queue | None = None

    def to(self, present: Mapping[str, Queue]) -> Route:
        """The same way, for one message, to those of its queues that are there by their names."""
        route = Route(self.exchange, self.routing_key)
        route.valid, route.held, route.watchers = False, self.held, self.watchers
        route.more_keys = self.more_keys
        names = (queue.name for queue in self.queues)
        route.queues = tuple(present[name] for name in names if name in present)
        return route


def resolve(
    exchange: Exchange,
    routing_key: str,
    headers: Mapping[str, Field],
    exchanges: Mapping[str, Exchange],
    more_keys: tuple[str, ...] = (),
) -> Route:
    """Walk the bindings from `exchange`; each queue is reached once, in binding order.

    Every exchange on the way is asked for each of `more_keys` (CC and BCC) too.
    """
    keys = dict.fromkeys((routing_key, *more_keys))
    route = Route(exchange, routing_key)
    route.more_keys = more_keys
    queues: dict[Queue, None] = {}
    seen = {exchange.name}
    ahead = [exchange]
    # Breadth first, and `ahead` grows while it is walked.
    for current in ahead:
        if current.per_message:
            route.valid = False
        observer = current.observer(headers)
        if observer is not None:
            route.watchers += (observer,)
        if current.holds(headers):
            route.held = True
        matched = [found for key in keys for found in current.match(key, headers)]
        if not matched and current.alternate in exchanges and current.alternate:
            matched.append(exchanges[current.alternate])
        for destination in matched:
            if isinstance(destination, Queue):
                queues[destination] = None
            elif destination.name not in seen:
                seen.add(destination.name)
                ahead.append(destination)
    route.queues = tuple(queues)
    return route
