"""Configurations altered while all runs: of topics, of the broker, of groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ...environment import Environment
from ...errors import RequestRefused
from ...events import Event, Warned
from ...fairness import Steps
from ..codes import ErrorCode
from ..events import BrokerConfigured, TopicConfigured
from .configs.broker import ALL_NODES, BrokerConfig, broker_keys
from .configs.client_metrics import ClientMetricsConfigs
from .configs.group import GROUP_CONFIGS, GroupConfigs
from .configs.keys import Change, ConfigKey
from .configs.listener_keys import key_of
from .configs.topic import TOPIC_CONFIGS, TopicConfig
from .keeper import Keeper
from .logs.bounds import Bounds
from .logs.cleaner import Cleaner
from .logs.topic import Topic

Changes = Iterable[Change] | Mapping[str, str | None]
"""Single changes, or all values there are to be."""


class Configuring:
    """`broker`, `groups` and `client_metrics` hold the values; a topic has its own."""

    def __init__(
        self,
        environment: Environment,
        broker: BrokerConfig,
        keeper: Keeper,
        client_metrics: ClientMetricsConfigs,
    ) -> None:
        self.broker = broker
        self.client_metrics = client_metrics
        self.groups = GroupConfigs(broker)
        self._environment = environment
        self._keeper = keeper
        self.warn_of_unserved("the broker's start", broker.given_at_start, broker_keys())

    def bind(self, topics: Mapping[str, Topic], bounds: Bounds, cleaner: Cleaner) -> None:
        """What is to know of it: what topics inherit changes with the broker's values."""

        def in_force(*changed: Topic) -> Steps:
            for topic in changed:
                if topics.get(topic.name) is not topic:
                    continue
                yield from topic.configuring()
                for log in tuple(topic.logs):
                    bounds.keep(log)
                    yield
                cleaner.watch(topic)

        def bring(*changed: Topic) -> None:
            self._environment.chores.do(in_force(*changed))

        self._bring_into_force: Callable[[Topic], None] = bring
        self.broker.on_change(lambda: bring(*topics.values()))

    def topic(
        self, topic: Topic, changes: Changes, *, source: str, validate_only: bool = False
    ) -> None:
        """Alter a topic's values. Raises RequestRefused."""
        config = TopicConfig(self.broker, topic.config.own)
        config.change(changes)
        if validate_only:
            return
        before, topic.config = topic.config.own, config
        self._keeper.topic_changed(topic.name)
        chosen = {
            key: config.own.get(key)
            for key in sorted(before.keys() | config.own.keys())
            if before.get(key) != config.own.get(key)
        }
        self._report(TopicConfigured("kafka", topic.name, tuple(chosen.items()), source))
        self.warn_of_unserved(f"topic {topic.name}", chosen, TOPIC_CONFIGS)
        self._bring_into_force(topic)

    def node(
        self, node: str, changes: Changes, *, source: str, validate_only: bool = False
    ) -> None:
        """Alter one node's values, or with `ALL_NODES` those of all. Raises RequestRefused."""
        chosen = self.broker.alter(node, changes, validate_only=validate_only)
        if validate_only or not chosen:
            return
        self._keeper.cluster_changed()
        name = f"broker {node}" if node != ALL_NODES else "all brokers"
        shown = tuple(
            (key, None if value is None else _key(key, broker_keys()).shown(value))
            for key, value in chosen.items()
        )
        self._report(BrokerConfigured("kafka", name, shown, source))
        if node in (ALL_NODES, self.broker.node):
            self.warn_of_unserved(name, chosen, broker_keys())
            return
        # The nodes share logs, groups and clock: what bounds these is said for all, or the first.
        for key, value in shown:
            if value is not None:
                remedy = f"it counts when set for all brokers or for broker {self.broker.node}"
                self._report(Warned("kafka", name, f"{key}={value} is kept and shown: {remedy}"))

    def move_to_rack(self, node: int, rack: str | None, *, source: str) -> None:
        """As if the node had been started anew with another broker.rack."""
        self.broker.move_to_rack(node, rack)
        changes = (("broker.rack", rack),)
        self._report(BrokerConfigured("kafka", f"broker {node}", changes, source))

    def group(
        self, group: str, changes: Changes, *, source: str, validate_only: bool = False
    ) -> None:
        """Alter a group's values, be there such a group or not. Raises RequestRefused."""
        chosen = self.groups.alter(group, changes, validate_only=validate_only)
        if validate_only or not chosen:
            return
        self._keeper.cluster_changed()
        name = f"group {group}"
        self._report(BrokerConfigured("kafka", name, tuple(chosen.items()), source))
        self.warn_of_unserved(name, chosen, GROUP_CONFIGS)

    def subscription(
        self, name: str, changes: Changes, *, source: str, validate_only: bool = False
    ) -> None:
        """Alter which of their own metrics clients are asked for. Raises RequestRefused."""
        chosen = self.client_metrics.alter(name, changes, validate_only=validate_only)
        if validate_only or not chosen:
            return
        self._keeper.cluster_changed()
        name = f"client metrics {name}"
        self._report(BrokerConfigured("kafka", name, tuple(chosen.items()), source))

    def clear(self) -> None:
        """All that was altered since the start is as it was."""
        self.groups.own.clear()
        self.client_metrics.clear()
        self.broker.clear()
        self._keeper.cluster_changed()

    def warn_of_unserved(
        self, name: str, values: Mapping[str, str | None], keys: Mapping[str, ConfigKey]
    ) -> None:
        """Say which of these values nobody acts on."""
        for text in unserved(values, keys):
            self._report(Warned("kafka", name, text))

    def _report(self, event: Event) -> None:
        self._environment.spine.emit(event)


def unserved(values: Mapping[str, str | None], keys: Mapping[str, ConfigKey]) -> Iterator[str]:
    """A sentence for each value that nobody acts on."""
    for key, value in values.items():
        known = _key(key, keys)
        if value is not None and not known.acts_on(value):
            yield f"{key}={known.shown(value)} is kept and shown, but not acted on"


def _key(name: str, keys: Mapping[str, ConfigKey]) -> ConfigKey:
    return keys.get(name) or key_of(name, keys)


def check_node(node: int, name: str) -> str:
    """The name of the node that was asked, or `ALL_NODES`. Raises RequestRefused."""
    if name in (ALL_NODES, str(node)):
        return name
    if not name.isdecimal():
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}"
        )
    raise RequestRefused(
        ErrorCode.INVALID_REQUEST,
        f"Unexpected broker id, expected {node}, but received {name}",
    )
