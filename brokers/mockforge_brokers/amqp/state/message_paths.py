"""The ways of messages as people look at them: bindings followed to their end, dead letters too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ..records import Field
from .exchanges import Binding, DefaultExchange, Exchange
from .queues.governed import GovernedQueue
from .queues.queue import Queue
from .routing import NO_HEADERS

if TYPE_CHECKING:
    from .virtual_host import VirtualHost

EXCHANGE: Final = "exchange"
QUEUE: Final = "queue"
MISSING: Final = "missing"
NOWHERE: Final = "nowhere"
DEFAULT_EXCHANGE: Final = "(default)"


class Way(Struct, frozen=True):
    """One exchange or queue on the way, and what comes next.

    `by` says what leads there: a binding key, or in words. `note` says what a person should know
    of it. `kind` is exchange, queue, missing (no such exchange), or nowhere.
    """

    kind: str
    name: str
    by: str = ""
    note: str = ""
    ahead: tuple[Way, ...] = ()


Seen = frozenset[str]
_MOST: Final = 2_000
"""Exchanges and queues of one answer: where each of ten exchanges leads to both of the next pair,
and so on, there are as many ways as no table has lines."""
_DEEPEST: Final = 50
"""Exchanges and queues one behind the other: a client may make a chain of any length."""


class Room:
    """How many ways all branches of one answer may still have, and how deep it is right now.

    `tries`: how many bindings may still be asked one by one whether they take the message.
    """

    __slots__ = ("depth", "left", "tries")

    def __init__(self, most: int = _MOST, tries: float = inf) -> None:
        self.left = most
        self.tries = tries
        self.depth = 0

    @property
    def full(self) -> bool:
        return self.left <= 0 or self.tries <= 0


def from_exchange(
    host: VirtualHost,
    name: str,
    key: str | None,
    headers: Mapping[str, Field] = NO_HEADERS,
    by: str = "",
    seen: Seen = frozenset(),
    room: Room | None = None,
) -> Way:
    """Where a message of this key goes; `key` None: where any message can go."""
    exchange = host.exchanges.get(name)
    shown = name or DEFAULT_EXCHANGE
    room = room or Room()
    room.left -= 1
    if exchange is None:
        return Way(MISSING, shown, by, "no such exchange: lost")
    if f"x:{name}" in seen:
        return Way(EXCHANGE, shown, by, f"{exchange.type}, as above")
    if room.full:
        return Way(EXCHANGE, shown, by, f"{exchange.type}: too many ways for one answer")
    if room.depth >= _DEEPEST:
        return Way(EXCHANGE, shown, by, f"{exchange.type}: too long a way for one answer")
    room.depth += 1
    seen |= {f"x:{name}"}
    ahead: list[Way] = []
    note = exchange.type
    for binding in _taking(exchange, key, headers, room):
        if binding is None:
            room.depth -= 1
            note = f"{exchange.type}: too many ways for one answer"
            return Way(EXCHANGE, shown, by, note, tuple(ahead))
        to, its_key = binding.destination, _key(binding.routing_key)
        ahead.append(_to(host, to, key, headers, its_key, seen, room))
    if isinstance(exchange, DefaultExchange) and key is not None and key in host.queues:
        ahead.append(_to_queue(host, host.queues[key], key, "the queue's name", seen, room))
    if exchange.alternate and (key is None or not ahead):
        way = from_exchange(host, exchange.alternate, key, headers, "else (alternate)", seen, room)
        ahead.append(way)
    room.depth -= 1
    if not ahead and not (key is None and isinstance(exchange, DefaultExchange)):
        ahead.append(Way(NOWHERE, NOWHERE, "", _nowhere(exchange, key)))
    return Way(EXCHANGE, shown, by, note, tuple(ahead))


def _taking(
    exchange: Exchange, key: str | None, headers: Mapping[str, Field], room: Room
) -> Iterator[Binding | None]:
    """None, and no more, where there was no room to go on."""
    matched = None if key is None else set(exchange.match(key, headers))
    for binding in exchange.bindings.values():
        if matched is not None and binding.destination not in matched:
            continue
        if room.full:
            yield None
            return
        if key is not None:
            room.tries -= 1
        if key is None or _takes(exchange, binding, key, headers):
            yield binding


def _takes(exchange: Exchange, binding: Binding, key: str, headers: Mapping[str, Field]) -> bool:
    """Whether this one binding does, of those that lead to the same place."""
    alone = type(exchange)(exchange.name, arguments=exchange.arguments)
    alone.definition = exchange.definition
    alone.add(binding)
    return bool(list(alone.match(key, headers)))


def _to(
    host: VirtualHost,
    destination: Queue | Exchange,
    key: str | None,
    headers: Mapping[str, Field],
    by: str,
    seen: Seen,
    room: Room,
) -> Way:
    if isinstance(destination, Queue):
        return _to_queue(host, destination, key, by, seen, room)
    return from_exchange(host, destination.name, key, headers, by, seen, room)


def _to_queue(
    host: VirtualHost, queue: Queue, key: str | None, by: str, seen: Seen, room: Room
) -> Way:
    room.left -= 1
    note = _described(queue)
    if not isinstance(queue, GovernedQueue) or queue.policy.dead_letter_exchange is None:
        return Way(QUEUE, queue.name, by, note)
    if f"q:{queue.name}" in seen:
        return Way(QUEUE, queue.name, by, "a circle: back to where it died")
    # Another exchange may be met twice on the way of a dead letter, a queue that died there not.
    seen = frozenset(each for each in seen if each.startswith("q:")) | {f"q:{queue.name}"}
    policy = queue.policy
    dead_key = key if policy.dead_letter_routing_key is None else policy.dead_letter_routing_key
    reasons = ["rejected"]
    reasons += ["expired"] if policy.message_ttl is not None else []
    reasons += ["too many"] if policy.bounded else []
    how = f"dead letters ({', '.join(reasons)})"
    if policy.dead_letter_routing_key is not None:
        how += f" by {_key(policy.dead_letter_routing_key)}"
    name = policy.dead_letter_exchange or ""
    way = from_exchange(host, name, dead_key, by=how, seen=seen, room=room)
    return Way(QUEUE, queue.name, by, note, (way,))


def _described(queue: Queue) -> str:
    ready, consumers = len(queue.messages), len(queue.consumers)
    parts = [] if queue.kind == "classic" else [queue.kind]
    parts.append(f"{ready:,} ready")
    parts += [f"{queue.unacked:,} unacked"] if queue.unacked else []
    parts.append(
        f"{consumers} consumer{'' if consumers == 1 else 's'}" if consumers else "no consumer"
    )
    if isinstance(queue, GovernedQueue):
        policy = queue.policy
        parts += [f"ttl {policy.message_ttl:g} s"] if policy.message_ttl is not None else []
        parts += [f"max {policy.max_length:,}"] if policy.max_length is not None else []
        parts += [f"max {policy.max_bytes:,} bytes"] if policy.max_bytes is not None else []
        parts += [policy.overflow] if policy.bounded and policy.overflow != "drop-head" else []
    return ", ".join(parts)


def _nowhere(exchange: Exchange, key: str | None) -> str:
    if not exchange.bindings:
        return "nothing is bound there: lost, or returned if mandatory"
    shown = "no binding takes it" if key is None else f"no binding takes {_key(key)}"
    return f"{shown}: lost, or returned if mandatory"


def _key(key: str) -> str:
    return key or "an empty key"
