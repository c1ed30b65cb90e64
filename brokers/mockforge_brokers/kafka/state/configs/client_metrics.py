"""Which metrics of which clients are wanted: resources of type CLIENT_METRICS (KIP-714)."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from ....errors import RequestRefused
from ....expressions import Expression, compiled
from ...codes import ConfigSource, ConfigType, ErrorCode
from .keys import Change, ConfigKey, Sourced, altered, split_list, table

CLIENT_METRICS_CONFIGS: Final = table(
    ConfigKey(
        "interval.ms",
        ConfigType.INT,
        "300000",
        served=True,
        meaning="How often clients push.",
    ),
    ConfigKey(
        "match",
        ConfigType.LIST,
        "",
        served=True,
        meaning="Of which clients: ATTRIBUTE=PATTERN, of all.",
    ),
    ConfigKey(
        "metrics",
        ConfigType.LIST,
        "",
        served=True,
        meaning="Prefixes of the metrics' names; * for all.",
    ),
)
ATTRIBUTES: Final = (
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)
ALL: Final = "*"
DEFAULT_INTERVAL_MS: Final = 300_000
_LISTS: Final = ("match", "metrics")
_INTERVALS: Final = range(100, 3_600_001)


class Wanted(Struct, frozen=True):
    """One subscription: metrics by prefix, and whose: patterns by attribute."""

    metrics: tuple[str, ...]
    interval_ms: int
    match: Mapping[str, Expression]

    def matches(self, client: Mapping[str, str]) -> bool:
        return all(one.fullmatch(client.get(name, "")) for name, one in self.match.items())


class ClientMetricsConfigs:
    """The values of all subscriptions by name; one without values is not there."""

    def __init__(self, at_start: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._at_start = at_start or {}
        self.own: dict[str, dict[str, str]] = {}
        self.wanted: dict[str, Wanted] = {}
        self._watchers: list[Callable[[], object]] = []
        self.clear()

    def on_change(self, callback: Callable[[], object]) -> None:
        self._watchers.append(callback)

    def restore(self, kept: Mapping[str, Mapping[str, str]]) -> None:
        self.own = {name: dict(values) for name, values in kept.items()}
        self.wanted = {name: _read(values) for name, values in self.own.items()}
        for watcher in self._watchers:
            watcher()

    def clear(self) -> None:
        """As at the start."""
        self.restore(self._at_start)

    def value(self, name: str, key: str) -> str:
        return self.own.get(name, {}).get(key, CLIENT_METRICS_CONFIGS[key].default or "")

    def sources(self, name: str, key: str) -> list[Sourced]:
        """Kafka does not name the default here."""
        own = self.own.get(name, {}).get(key)
        return [] if own is None else [Sourced(key, own, ConfigSource.CLIENT_METRICS_CONFIG)]

    def alter(
        self,
        name: str,
        changes: Iterable[Change] | Mapping[str, str | None],
        *,
        validate_only: bool = False,
    ) -> dict[str, str | None]:
        """As `BrokerConfig.alter`. Raises RequestRefused."""
        if not name:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, "Subscription name can't be empty")
        before = self.own.get(name, {})
        if isinstance(changes, Mapping):
            values = {key: value for key, value in changes.items() if value is not None}
        else:
            # As in Kafka, whose controller does not know which of these are lists.
            values = altered(before, changes, {})
        for key, value in values.items():
            if key not in CLIENT_METRICS_CONFIGS:
                raise RequestRefused(
                    ErrorCode.INVALID_REQUEST, f"Unknown client metrics configuration: {key}"
                )
            CLIENT_METRICS_CONFIGS[key].check(value)
        values = {
            key: ",".join(split_list(value)) if key in _LISTS else value
            for key, value in values.items()
        }
        wanted = _read(values)
        if not validate_only:
            self.own.pop(name, None)
            self.wanted.pop(name, None)
            if values:
                self.own[name], self.wanted[name] = values, wanted
            for watcher in self._watchers:
                watcher()
        return {
            key: values.get(key)
            for key in sorted(before.keys() | values.keys())
            if before.get(key) != values.get(key)
        }


def _read(values: Mapping[str, str]) -> Wanted:
    """Raises RequestRefused."""
    interval = int(values.get("interval.ms", DEFAULT_INTERVAL_MS))
    if interval not in _INTERVALS:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"Invalid value {interval} for interval.ms, interval must be between 100 and 3600000"
            " (1 hour)",
        )
    match = dict(_pattern(one) for one in split_list(values.get("match", "")))
    return Wanted(tuple(split_list(values.get("metrics", ""))), interval, match)


def _pattern(text: str) -> tuple[str, Expression]:
    parts = text.split("=")
    name = parts[0].strip()
    if len(parts) == 2 and name in ATTRIBUTES:
        try:
            return name, compiled(parts[1].strip())
        except re.error:
            pass
    raise RequestRefused(ErrorCode.INVALID_CONFIG, f"Illegal client matching pattern: {text}")
