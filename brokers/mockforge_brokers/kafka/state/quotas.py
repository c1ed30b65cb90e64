"""How much users, clients and addresses may do: quotas, and what each has used (KIP-13, KIP-546).

Who is held to what: of all entities that a client belongs to the most special one counts, and
clients that are held to the same share what it allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from math import inf, isfinite
from typing import Final, NoReturn, TypeVar

from msgspec import Struct

from ...clock import Clock
from ...errors import RequestRefused
from ..codes import ErrorCode
from .java_maps import hash_of, in_hash_order, places_of_size
from .rates import WINDOW, WINDOWS, Rate, TokenBucket

PRODUCE: Final = "producer_byte_rate"
CONSUME: Final = "consumer_byte_rate"
REQUESTS: Final = "request_percentage"
MUTATIONS: Final = "controller_mutation_rate"
CONNECTIONS: Final = "connection_creation_rate"
CLIENT_KEYS: Final = (PRODUCE, CONSUME, REQUESTS, MUTATIONS)
_WHOLE: Final = {
    PRODUCE: (2.0**63, "a LONG"),
    CONSUME: (2.0**63, "a LONG"),
    CONNECTIONS: (2.0**31 - 1, "an INT"),
}
"""Keys whose values are whole numbers, the greatest one, and how Java calls them."""
_NEARLY_WHOLE: Final = 1e-6
USER, CLIENT_ID, IP = "user", "client-id", "ip"
TYPES: Final = (USER, CLIENT_ID, IP)
DEFAULT: Final = None
_MOST_MEASURED: Final = 10_000

K = TypeVar("K")
M = TypeVar("M")

Entity = tuple[tuple[str, str | None], ...]
"""(type, name) sorted by type; the name None is the default of its type."""
Changes = Sequence[tuple[str, float | None]]
"""Keys with their new values; None takes one back."""


class Component(Struct, frozen=True):
    """What a filter wants of one type: any name, or this one (None: the default)."""

    entity_type: str
    name: str | None = None
    any_name: bool = False


class Used(Struct, frozen=True):
    """What one quota holds somebody to: a rate by the second, of `most`."""

    key: str
    user: str
    client_id: str
    most: float
    rate: float


class Quotas:
    def __init__(self, clock: Clock) -> None:
        self.by_entity: dict[Entity, dict[str, float]] = {}
        self._clock = clock
        self._rates: dict[tuple[str, str, str], Rate] = {}
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._watchers: list[Callable[[], object]] = []

    @property
    def active(self) -> bool:
        return bool(self.by_entity)

    def on_change(self, callback: Callable[[], object]) -> None:
        self._watchers.append(callback)

    def alter(self, entity: Sequence[tuple[str, str | None]], changes: Changes) -> None:
        """Set values, None takes one back. Raises RequestRefused with the words of Kafka."""
        self.apply([(checked(entity, changes), changes)])

    def apply(self, altered: Iterable[tuple[Entity, Changes]]) -> None:
        """Set what was `checked`, all at once."""
        for entity, changes in altered:
            values = self.by_entity.setdefault(entity, {})
            for key, value in changes:
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value
            if not values:
                del self.by_entity[entity]
        for callback in self._watchers:
            callback()

    # What is held to it.

    def limit(self, key: str, user: str, client_id: str) -> tuple[float, str, str] | None:
        """The quota that counts, with the user and client id that share it (empty: all of them)."""
        for users, clients in (
            (user, client_id), (user, DEFAULT), (user, ""), (DEFAULT, client_id),
            (DEFAULT, DEFAULT), (DEFAULT, ""), ("", client_id), ("", DEFAULT),
        ):  # fmt: skip
            parts = []
            if clients != "":
                parts.append((CLIENT_ID, clients))
            if users != "":
                parts.append((USER, users))
            value = self.by_entity.get(tuple(parts), {}).get(key)
            if value is not None:
                return value, "" if users == "" else user, "" if clients == "" else client_id
        return None

    def charge(self, key: str, user: str, client_id: str, amount: float) -> float:
        """Record what was used; returns the seconds for which to wait."""
        found = self.limit(key, user, client_id)
        if found is None:
            return 0.0
        most, users, clients = found
        now = self._clock.now()
        rate = _measure(self._rates, (key, users, clients), Rate)
        rate.record(amount, now)
        seconds = rate.throttle(most, now)
        # Requests are throttled for one window at most (QuotaUtils.boundedThrottleTime).
        return min(seconds, 1.0) if key == REQUESTS else seconds

    def fetch(self, user: str, client_id: str, size: int, took: float) -> float:
        """An answer of so many bytes is about to go out, which took so many seconds to find;
        returns the seconds to wait.

        If there are any it must not go, and its bytes are not counted: its client asks again
        (KIP-219).
        """
        seconds = max(
            self.charge(CONSUME, user, client_id, size), self.request(user, client_id, took)
        )
        if seconds > 0:
            self.charge(CONSUME, user, client_id, -size)
        return seconds

    def request(self, user: str, client_id: str, took: float) -> float:
        """A request took so many seconds; returns those to wait."""
        return self.charge(REQUESTS, user, client_id, took * 100)

    def most_to_fetch(self, user: str, client_id: str) -> float:
        """So many bytes pass when nothing did before: more in one answer would never pass."""
        found = self.limit(CONSUME, user, client_id)
        return inf if found is None else found[0] * (WINDOWS - 1) * WINDOW

    def mutate(self, user: str, client_id: str, count: int, *, strict: bool) -> float:
        """Partitions that are made or deleted; returns the seconds to wait.

        With `strict` what comes too soon is refused (KIP-599): raises RequestRefused.
        """
        found = self.limit(MUTATIONS, user, client_id)
        if found is None:
            return 0.0
        most, *_ = found
        now = self._clock.now()
        bucket = _measure(self._buckets, found[1:], lambda: TokenBucket(most, now))
        if strict and bucket.tokens(most, now) < 0:
            raise RequestRefused(
                ErrorCode.THROTTLING_QUOTA_EXCEEDED, "The throttling quota has been exceeded."
            )
        bucket.take(count, most, now)
        return 0.0 if strict else bucket.throttle(most, now)

    def mutation_wait(self, user: str, client_id: str) -> float:
        """Seconds until the next partition may be made."""
        found = self.limit(MUTATIONS, user, client_id)
        bucket = self._buckets.get((found[1], found[2])) if found is not None else None
        if found is None or bucket is None:
            return 0.0
        return bucket.throttle(found[0], self._clock.now())

    def connected(self, address: str) -> float:
        """A connection came from there; returns the seconds after which it is closed, 0 for never.

        Kafka does not serve a connection that comes too soon, and hangs up when it would be time.
        """
        values = self.by_entity.get(((IP, address),)) or self.by_entity.get(((IP, DEFAULT),), {})
        most = values.get(CONNECTIONS)
        if most is None:
            return 0.0
        now = self._clock.now()
        rate = _measure(self._rates, (CONNECTIONS, address, ""), Rate)
        rate.record(1, now)
        return rate.throttle(most, now)

    def used(self) -> list[Used]:
        """What is measured now."""
        now = self._clock.now()
        found = []
        for (key, user, client_id), rate in self._rates.items():
            limit = self.limit(key, user, client_id)
            if limit is not None:
                found.append(Used(key, user, client_id, limit[0], rate.per_second(now)))
        return found

    def clear(self) -> None:
        self.by_entity.clear()
        self._rates.clear()
        self._buckets.clear()

    def dump(self) -> list[tuple[Entity, dict[str, float]]]:
        return [(entity, dict(values)) for entity, values in self.by_entity.items()]

    def restore(self, kept: Sequence[tuple[Entity, Mapping[str, float]]]) -> None:
        self.by_entity = {entity: dict(values) for entity, values in kept}


def fitting(components: Sequence[Component], *, strict: bool) -> Callable[[Entity], bool]:
    """Whether an entity has all of these; with `strict` it has nothing else."""

    def fits(entity: Entity) -> bool:
        parts = dict(entity)
        if strict and len(parts) != len(components):
            return False
        return all(
            each.entity_type in parts and (each.any_name or parts[each.entity_type] == each.name)
            for each in components
        )

    return fits


def _measure(measures: dict[K, M], key: K, new: Callable[[], M]) -> M:
    """What is measured of somebody; who was not seen for the longest time makes room.

    A quota of a default holds each client id apart, and clients choose those.
    """
    measure = measures.pop(key, None)
    if measure is None:
        measure = new()
        if len(measures) >= _MOST_MEASURED:
            del measures[next(iter(measures))]
    measures[key] = measure
    return measure


def _entity(parts: Sequence[tuple[str, str | None]]) -> Entity:
    """Raises RequestRefused for what is no entity."""
    found: dict[str, str | None] = {}
    for entity_type, name in parts:
        if entity_type not in TYPES:
            _refuse(f"Unhandled client quota entity type: {entity_type}")
        if name == "":
            _refuse(f"Empty {entity_type} not supported")
        found[entity_type] = name
    if not found:
        _refuse("Invalid empty client quota entity")
    if IP in found and len(found) > 1:
        _refuse(
            "Invalid quota entity combination, IP entity should"
            "not be combined with User or ClientId"
        )
    address = found.get(IP)
    if address is not None and not _is_address(address):
        _refuse(f"{address} is not a valid IP or resolvable host.")
    return tuple(sorted(found.items()))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def checked(parts: Sequence[tuple[str, str | None]], changes: Changes) -> Entity:
    """Whose quotas these are. Raises RequestRefused with the words of Kafka."""
    entity = _entity(parts)
    known = (CONNECTIONS,) if entity[0][0] == IP else CLIENT_KEYS
    values = dict(changes)
    # The first that is wrong is the first one of Java's map; any may be removed.
    for key in in_hash_order(values, hash_of, places_of_size(len(values))):
        value = values[key]
        if value is None:
            continue
        if key not in known:
            _refuse(f"Invalid configuration key {key}")
        if not isfinite(value):
            _refuse(f"Quota {key} must be a finite number")
        if value <= 0:
            _refuse(f"Quota {key} must be greater than 0")
        if key in _WHOLE:
            most, kind = _WHOLE[key]
            if value > most:
                _refuse(f"Proposed value for {key} is too large for {kind}.")
            if value - int(value) > _NEARLY_WHOLE:
                _refuse(f"{key} cannot be a fractional value.")
    return entity


def _refuse(text: str) -> NoReturn:
    raise RequestRefused(ErrorCode.INVALID_REQUEST, text)
