"""The exchange types that RabbitMQ has as plugins: hashed, random, delayed, with a history."""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from hashlib import blake2b
from itertools import accumulate, islice
from typing import Any, Final, NamedTuple

from msgspec import Struct

from ...clock import Timer
from ...errors import RequestRefused
from ...fairness import Steps
from ..codes import ReplyCode
from ..records import INTEGER_TYPES, Field, Headers, Table, text_of
from .exchanges import (
    Binding,
    Destination,
    DirectExchange,
    Exchange,
    FanoutExchange,
    HeadersExchange,
    TopicExchange,
    Watcher,
)
from .memory import COST
from .routing import Route

_PROPERTIES: Final = ("correlation_id", "message_id", "timestamp")
_HISTORY: Final = 20
_AT_ONCE: Final = 64
"""Messages of a history that a new binding gets in one step: each is routed anew."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
"""What Erlang reads as one."""


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(errors="surrogateescape"), digest_size=8).digest())


def jump_hash(key: int, buckets: int) -> int:
    """Lamping and Veach's consistent hash: of one more bucket few keys move, all to that one."""
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) & 0xFFFFFFFFFFFFFFFF
        following = int((bucket + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return bucket


class _Buckets(NamedTuple):
    """Each destination has those from the end of the one before up to its own end.

    They are not listed: a binding key of nine digits would be a thousand million of them.
    """

    destinations: tuple[Destination, ...]
    ends: tuple[int, ...]

    def of(self, key: int) -> Destination:
        return self.destinations[bisect_right(self.ends, jump_hash(key, self.ends[-1]))]


class ConsistentHashExchange(Exchange):
    """One queue gets all messages of one key, a header or a property; binding keys are weights.

    RabbitMQ hashes with Erlang's phash2: which queue a key gets may differ, its share does not.
    """

    type = "x-consistent-hash"

    def __init__(self, name: str, **flags: Any) -> None:
        super().__init__(name, **flags)
        self._header = self._argument("hash-header")
        self._property = self._argument("hash-property")
        self.per_message = bool(self._header or self._property)
        self._buckets: _Buckets | None = None

    def _argument(self, name: str) -> str:
        field = self.arguments.get(name)
        return text_of(field) if field else ""

    @classmethod
    def check_arguments(cls, arguments: Table) -> None:
        if "hash-header" in arguments and "hash-property" in arguments:
            raise _refused("hash-header and hash-property are mutually exclusive")
        field = arguments.get("hash-property")
        if field is not None and field.value not in _PROPERTIES:
            raise _refused(f"Unsupported property: {field.value}")

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        if self._buckets is None:
            self._buckets = self._fill()
        if not self._buckets.destinations:
            return ()
        return (self._buckets.of(_hash(self._key(routing_key, headers))),)

    def _key(self, routing_key: str, headers: Mapping[str, Field]) -> str:
        """What is hashed; messages without the header or property are all of one key."""
        if self._header:
            field = headers.get(self._header)
            return repr(field.value) if field else ""
        if self._property:
            found = headers.properties if isinstance(headers, Headers) else {}
            return repr(found.get(self._property))
        return routing_key

    def _fill(self) -> _Buckets:
        """A bucket for each unit of weight; of several bindings to one place the first counts."""
        first: dict[Destination, int] = {}
        for binding in self.bindings.values():
            first.setdefault(binding.destination, int(binding.routing_key))
        return _Buckets(tuple(first), tuple(accumulate(first.values())))

    def _index(self, binding: Binding) -> None:
        key = binding.routing_key
        if not _INTEGER.fullmatch(key):
            raise _refused(f"The binding key must be an integer: {_binary(key)}")
        if int(key) < 1:
            raise _refused("The binding key must be greater than 0")
        self._buckets = None

    def _forget(self, binding: Binding) -> None:
        self._buckets = None


class ModulusHashExchange(Exchange):
    """The hash of the routing key picks one of the queues (rabbitmq_sharding)."""

    type = "x-modulus-hash"

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        found = list(dict.fromkeys(each.destination for each in self.bindings.values()))
        return (found[_hash(routing_key) % len(found)],) if found else ()


class RandomExchange(Exchange):
    """Each message goes by one of the bindings, whatever its key."""

    type = "x-random"
    per_message = True

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        count = len(self.bindings)
        if not count:
            return ()
        chosen = self.host.random.randrange(count)
        return (next(islice(self.bindings.values(), chosen, None)).destination,)


class LocalRandomExchange(RandomExchange):
    """RabbitMQ 4's own: as x-random, among the queues of this node; binding keys are empty."""

    type = "x-local-random"

    def _index(self, binding: Binding) -> None:
        if binding.routing_key:
            raise _refused(f"Non empty binding '{binding.routing_key}' key not permitted")


class RecentHistoryExchange(FanoutExchange):
    """A fanout that gives a new binding the last messages that came."""

    type = "x-recent-history"

    def __init__(self, name: str, **flags: Any) -> None:
        super().__init__(name, **flags)
        field = self.arguments.get("x-recent-history-length")
        self.history: deque[tuple[Route, bytes]] = deque()
        self._most: int = field.value if field else _HISTORY

    @classmethod
    def check_arguments(cls, arguments: Table) -> None:
        field = arguments.get("x-recent-history-length")
        if field is not None and (field.type not in INTEGER_TYPES or field.value < 1):
            value = field.value if field.type in INTEGER_TYPES else _binary(field.value)
            raise _refused(
                f"Invalid argument {value}, 'x-recent-history-length' must be a positive integer"
            )

    def observer(self, headers: Mapping[str, Field]) -> Watcher | None:
        return self._remember

    def _remember(self, route: Route, content: bytes, source: str) -> None:
        if self.gone:
            return
        field = self.host.contents.header(content, "x-recent-history-no-store")
        if field is None or field.value is not True:
            self.history.append((route, content))
            self.host.memory.used += _weight(content)
            if len(self.history) > self._most:
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, content = self.history.popleft()
        self.host.memory.used -= _weight(content)

    def end(self) -> None:
        super().end()
        while self.history:
            self._forget_oldest()

    def bound(self, binding: Binding) -> Steps:
        history = tuple(self.history)
        for number, (route, content) in enumerate(history, 1):
            if binding.destination.gone:
                return
            self.host.pass_on(route, binding.destination, content, route.more_keys)
            if not number % _AT_ONCE:
                yield


class Held(Struct, eq=False):
    """A message that waits: `delay` is what its header asked for, `due` a time of the clock.

    `more_keys` are those of CC and BCC, by which it goes, too.
    """

    route: Route
    content: bytes
    delay: int
    due: float
    more_keys: tuple[str, ...]


class Shelf:
    """Where a delayed exchange keeps what it holds beside its memory: nowhere."""

    @property
    def number(self) -> int:
        """Of its log on disk; 0 where nothing is kept there."""
        return 0

    def stand_on(self, number: int) -> None:
        """Its rows are on disk already, in this log."""

    def put(self, number: int, held: Held) -> None: ...

    def take(self, number: int) -> None: ...

    def end(self) -> None: ...


_NO_SHELF: Final = Shelf()


class DelayedExchange(Exchange):
    """Holds a message for the milliseconds of its header x-delay, then routes it as another type.

    As with RabbitMQ's plugin a held message counts as unroutable for its publisher: a mandatory
    one is returned at once, and an alternate exchange gets it. What it holds outlives a restart.
    """

    type = "x-delayed-message"
    per_message = True

    def __init__(self, name: str, **flags: Any) -> None:
        super().__init__(name, **flags)
        self._routed = _INNER[text_of(self.arguments["x-delayed-type"])](name)
        self._held: dict[int, tuple[Timer, Held]] = {}
        """What is to be routed later, by number."""
        self._overdue: deque[int] = deque()
        """What fell due while the queues on disk took nothing."""
        self._last = 0
        self.shelf = _NO_SHELF

    @property
    def held(self) -> int:
        """How many messages wait."""
        return len(self._held)

    def waiting(self) -> Iterable[tuple[int, Held]]:
        """What it holds, by number."""
        return ((number, held) for number, (_, held) in self._held.items())

    @classmethod
    def check_arguments(cls, arguments: Table) -> None:
        field = arguments.get("x-delayed-type")
        if field is None or text_of(field) not in _INNER:
            raise _refused("Invalid argument, 'x-delayed-type' must be an existing exchange type")

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        return () if _delay(headers) else self._routed.match(routing_key, headers)

    def observer(self, headers: Mapping[str, Field]) -> Watcher | None:
        delay = _delay(headers)
        return partial(self._hold, delay) if delay else None

    def holds(self, headers: Mapping[str, Field]) -> bool:
        return _delay(headers) > 0

    def _hold(self, delay: int, route: Route, content: bytes, source: str) -> None:
        if self.gone:
            return
        if self.shelf.number and self.host.keeper.failing:
            self.host.rejected = True
            return
        due = self.host.clock.now() + delay / 1000
        held = Held(route, content, delay, due, route.more_keys)
        self.hold(self._last + 1, held)
        self.shelf.put(self._last, held)

    def hold(self, number: int, held: Held) -> None:
        """Until it is due; again, where it was held before a restart."""
        self._last = max(self._last, number)
        clock = self.host.clock
        timer = clock.call_later(max(0.0, held.due - clock.now()), self._release, number)
        self._held[number] = timer, held
        # In no queue yet, and in memory all the same: who publishes nothing else waits for it, too.
        self.host.memory.used += _weight(held.content)

    def _release(self, number: int) -> None:
        """The header says how long it was held, by a minus sign; nothing holds it again."""
        if self.host.keeper.failing:
            self._overdue.append(number)
            return
        memory = self.host.memory
        _, held = self._held.pop(number)
        memory.used -= _weight(held.content)
        self.shelf.take(number)
        changed = self.host.contents.with_headers(
            held.content, {"x-delay": Field("l", -held.delay)}
        )
        self.host.pass_on(held.route, self, changed, held.more_keys)
        memory.settle()

    def release_overdue(self) -> None:
        """The disk takes something again."""
        if self._overdue:
            self.host.memory.do(self._releasing())

    def _releasing(self) -> Steps:
        overdue = self._overdue
        while overdue and not self.host.keeper.failing:
            self._release(overdue.popleft())
            yield

    def end(self) -> None:
        super().end()
        self._overdue.clear()
        for timer, held in self._held.values():
            timer.cancel()
            self.host.memory.used -= _weight(held.content)
        self._held.clear()
        self.shelf.end()

    def _index(self, binding: Binding) -> None:
        self._routed.add(binding)

    def _forget(self, binding: Binding) -> None:
        self._routed.remove(binding.id)


def _weight(content: bytes) -> int:
    """Bytes of memory that an exchange keeps with a message."""
    return len(content) + COST


def _delay(headers: Mapping[str, Field]) -> int:
    field = headers.get("x-delay")
    if field is None or field.type not in INTEGER_TYPES:
        return 0
    return max(0, int(field.value))


def _binary(text: object) -> str:
    """As Erlang prints it."""
    return f'<<"{text}">>' if text else "<<>>"


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)


_INNER: Final[dict[str, type[Exchange]]] = {
    kind.type: kind for kind in (DirectExchange, FanoutExchange, TopicExchange, HeadersExchange)
}
EXCHANGE_TYPES: Final[dict[str, type[Exchange]]] = {
    **_INNER,
    **{
        kind.type: kind
        for kind in (
            ConsistentHashExchange,
            ModulusHashExchange,
            RandomExchange,
            LocalRandomExchange,
            RecentHistoryExchange,
            DelayedExchange,
        )
    },
}
"""All that can be declared."""
