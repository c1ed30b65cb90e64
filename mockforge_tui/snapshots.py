"""Snapshots: what the brokers keep at one moment, under a name, to go back to between tests.

A snapshot has what each protocol keeps over a restart, and nothing else: no connection, no MQTT
session that ends with its connection, nothing transient or exclusive of AMQP.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from mockforge_brokers.clock import Clock
from mockforge_brokers.contract import Broker
from mockforge_brokers.errors import InvalidInput

from .nearest import get_close_matches
from .units import format_size

if TYPE_CHECKING:
    from .fixtures.model import FixtureSet

MOST_BYTES: Final = 256 * 1024 * 1024
"""Of all snapshots."""
_NAME: Final = re.compile(r"[\w.-]{1,100}")


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """`taken` is wall time; `values` are by protocol, encoded: what they were cannot change.

    `fixtures` were loaded, and `producing` are the ids of those that produced by themselves.
    """

    name: str
    taken: float
    values: Mapping[str, bytes]
    fixtures: "FixtureSet | None"
    producing: frozenset[str]
    seed: int

    @property
    def size(self) -> int:
        return sum(map(len, self.values.values()))


class Snapshots(Mapping[str, Snapshot]):
    """Those of one run, oldest first; a reset of the brokers leaves them as they are."""

    def __init__(self, brokers: Mapping[str, Broker], clock: Clock) -> None:
        self._brokers = brokers
        self._clock = clock
        self._found: dict[str, Snapshot] = {}

    def __getitem__(self, name: str) -> Snapshot:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def take(
        self, name: str, fixtures: "FixtureSet | None", producing: Collection[str], seed: int
    ) -> Snapshot:
        """One of that name that is there already is replaced. Raises InvalidInput."""
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"snapshot {name!r}: a name has letters, digits, _, . and - only")
        values = {
            protocol: msgspec.msgpack.encode(broker.dump())
            for protocol, broker in self._brokers.items()
        }
        made = Snapshot(name, self._clock.wall(), values, fixtures, frozenset(producing), seed)
        others = sum(each.size for each in self._found.values() if each.name != name)
        if others + made.size > MOST_BYTES:
            raise InvalidInput(
                f"snapshots have {format_size(MOST_BYTES)} at most: snapshot rm NAME makes room"
            )
        self._found.pop(name, None)
        self._found[name] = made
        return made

    def named(self, name: str) -> Snapshot:
        """Raises InvalidInput."""
        if name not in self._found:
            near = get_close_matches(name, self._found, 1)
            hint = f"did you mean {near[0]}?" if near else "snapshot take NAME takes one"
            raise InvalidInput(f"there is no snapshot {name}: {hint}")
        return self._found[name]

    def remove(self, name: str) -> Snapshot:
        """Raises InvalidInput."""
        found = self.named(name)
        del self._found[name]
        return found

    def restore(self, snapshot: Snapshot) -> None:
        """Let the brokers have what they had; they must be empty."""
        for protocol, data in snapshot.values.items():
            self._brokers[protocol].restore(msgspec.msgpack.decode(data))
