"""What groups are configured to: Kafka's keys, and the values that single groups were given."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ....errors import RequestRefused
from ...codes import ConfigSource, ConfigType, ErrorCode
from .broker import BrokerConfig, broker_keys
from .keys import Change, ConfigKey, Sourced, altered, split_list, table

_CONSUMER: Final = "consumer"
_OFFSET_RESET: Final = re.compile(
    r"earliest|latest"
    r"|by_duration:(?i:P(?=\d|T\d)(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{0,9})?S)?)?)",
    re.ASCII,
)
"""A duration as Java reads it (ISO 8601), which is not negative."""
_B, _S, _I, _A = ConfigType.BOOLEAN, ConfigType.STRING, ConfigType.INT, ConfigType.LIST

GROUP_CONFIGS: Final = table(
    ConfigKey(
        "consumer.assignment.interval.ms",
        _I,
        "1000",
        least=0,
        broker="group.consumer.assignment.interval.ms",
    ),
    ConfigKey(
        "consumer.heartbeat.interval.ms",
        _I,
        "5000",
        broker="group.consumer.heartbeat.interval.ms",
        served=True,
        least=1,
        meaning="How often members of the consumer protocol report.",
    ),
    ConfigKey(
        "consumer.session.timeout.ms",
        _I,
        "45000",
        broker="group.consumer.session.timeout.ms",
        served=True,
        least=1,
        meaning="Silence after which a member of the consumer protocol is put out.",
    ),
    ConfigKey("errors.deadletterqueue.copy.record.enable", _B, "false"),
    ConfigKey("errors.deadletterqueue.topic.name", _S, ""),
    ConfigKey(
        "share.assignment.interval.ms",
        _I,
        "1000",
        least=0,
        broker="group.share.assignment.interval.ms",
    ),
    ConfigKey("share.auto.offset.reset", _S, "latest"),
    ConfigKey(
        "share.delivery.count.limit",
        _I,
        "5",
        least=2,
        broker="group.share.delivery.count.limit",
    ),
    ConfigKey(
        "share.heartbeat.interval.ms",
        _I,
        "5000",
        least=1,
        broker="group.share.heartbeat.interval.ms",
    ),
    ConfigKey(
        "share.isolation.level", _S, "read_uncommitted", ("read_committed", "read_uncommitted")
    ),
    ConfigKey(
        "share.partition.max.record.locks",
        _I,
        "2000",
        least=100,
        broker="group.share.partition.max.record.locks",
    ),
    ConfigKey(
        "share.record.lock.duration.ms",
        _I,
        "30000",
        least=1000,
        broker="group.share.record.lock.duration.ms",
    ),
    ConfigKey("share.renew.acknowledge.enable", _B, "true"),
    ConfigKey(
        "share.session.timeout.ms",
        _I,
        "45000",
        least=1,
        broker="group.share.session.timeout.ms",
    ),
    ConfigKey(
        "streams.assignment.interval.ms",
        _I,
        "1000",
        least=0,
        broker="group.streams.assignment.interval.ms",
    ),
    ConfigKey("streams.assignor.name", _S, "sticky", broker="group.streams.assignors"),
    ConfigKey(
        "streams.heartbeat.interval.ms",
        _I,
        "5000",
        least=1,
        broker="group.streams.heartbeat.interval.ms",
    ),
    ConfigKey(
        "streams.initial.rebalance.delay.ms",
        _I,
        "3000",
        least=0,
        broker="group.streams.initial.rebalance.delay.ms",
    ),
    ConfigKey(
        "streams.num.standby.replicas",
        _I,
        "0",
        least=0,
        broker="group.streams.num.standby.replicas",
    ),
    ConfigKey(
        "streams.rack.aware.assignment.tags",
        _A,
        "",
        broker="group.streams.rack.aware.assignment.tags",
    ),
    ConfigKey(
        "streams.session.timeout.ms",
        _I,
        "45000",
        least=1,
        broker="group.streams.session.timeout.ms",
    ),
)


class GroupConfigs:
    """The values of all groups that were given some; a group need not be there for it."""

    def __init__(self, broker: BrokerConfig) -> None:
        self.broker = broker
        self.own: dict[str, dict[str, str]] = {}
        self._watchers: list[Callable[[str], object]] = []

    def on_change(self, callback: Callable[[str], object]) -> None:
        """Call with the name of a group whose values changed."""
        self._watchers.append(callback)

    def value(self, group: str, name: str) -> str:
        own = self.own.get(group, {}).get(name)
        if own is not None:
            return own.strip()
        key = GROUP_CONFIGS[name]
        given = self.broker.given(key.broker) if key.broker else None
        return given if given is not None else key.default or ""

    def seconds(self, group: str, name: str) -> float:
        """A value of milliseconds."""
        return int(self.value(group, name)) / 1000

    def sources(self, group: str, name: str) -> list[Sourced]:
        own = self.own.get(group, {}).get(name)
        key = GROUP_CONFIGS[name]
        first = [] if own is None else [Sourced(name, own, ConfigSource.GROUP_CONFIG)]
        if key.broker:
            return first + self.broker.sources(key.broker)
        return [*first, Sourced(name, key.default or "", ConfigSource.DEFAULT_CONFIG)]

    def _check_limits(self, name: str, value: str) -> None:
        """Raises RequestRefused for what the broker's keys for all groups do not allow.

        A consumer's least value counts only where somebody gave it: Kafka's own, of 45 s for a
        session and 5 s between heartbeats, would let no test see a member fall out.
        """
        kind, _, what = name.partition(".")
        least, most = f"group.{kind}.min.{what}", f"group.{kind}.max.{what}"
        if most not in broker_keys():
            return
        given = self.broker.given(least)
        low = int(given or 0 if kind == _CONSUMER else self.broker.value(least))
        high = int(self.broker.value(most))
        if not low <= int(value) <= high:
            shown = self.broker.value(least)
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG,
                f"{name} must be in the range {shown} to {high} inclusive.",
            )

    def _check_words(self, name: str, value: str) -> None:
        """The same for what is no range of numbers, nor a choice that is always the same."""
        text, value = "", value.strip()
        if name == "share.auto.offset.reset" and not _OFFSET_RESET.fullmatch(value):
            text = (
                f"Invalid value {value} for configuration {name}: Invalid value `{value}` for"
                f" configuration {name}. The value must be either 'earliest', 'latest' or of the"
                " format 'by_duration:<PnDTnHnMn.nS>'."
            )
        elif name == "streams.assignor.name":
            known = split_list(self.broker.value("group.streams.assignors"))
            if value not in known:
                text = (
                    f"{name} '{value}' is not a registered task assignor. Registered assignors are:"
                    f" [{', '.join(known)}]."
                )
        elif name == "streams.num.standby.replicas":
            most = self.broker.number("group.streams.max.standby.replicas")
            if int(value) > most:
                text = f"{name} must be less than or equal to {most}"
        elif name == "streams.rack.aware.assignment.tags":
            tags = split_list(value)
            if len(set(tags)) < len(tags):
                text = f"{name} must not contain duplicate tag keys."
        if text:
            raise RequestRefused(ErrorCode.INVALID_CONFIG, text)

    def alter(
        self,
        group: str,
        changes: Iterable[Change] | Mapping[str, str | None],
        *,
        validate_only: bool = False,
    ) -> dict[str, str | None]:
        """As `BrokerConfig.alter`. Raises RequestRefused."""
        if not group:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, "Default group resources are not allowed."
            )
        before = self.own.get(group, {})
        if isinstance(changes, Mapping):
            values = {name: value for name, value in changes.items() if value is not None}
        else:
            # Kafka takes none of a group's keys for a list.
            values = altered(before, changes, {})
        for name, value in values.items():
            key = GROUP_CONFIGS.get(name)
            if key is None:
                raise RequestRefused(ErrorCode.INVALID_CONFIG, f"Unknown group config name: {name}")
            key.check(value)
            self._check_limits(name, value)
            self._check_words(name, value)
        if not validate_only:
            self.own[group] = values
            if not values:
                del self.own[group]
            for watcher in self._watchers:
                watcher(group)
        return {
            name: values.get(name)
            for name in sorted(before.keys() | values.keys())
            if before.get(name) != values.get(name)
        }
