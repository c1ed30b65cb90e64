"""Configurations as they are in force, with where each value comes from, and single values set."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from ...errors import PlainRefusals
from ..codes import AlterConfigOp, ConfigSource
from ..state.cluster import Cluster
from ..state.configs.broker import ALL_NODES, broker_keys, is_fixed
from ..state.configs.group import GROUP_CONFIGS
from ..state.configs.keys import Change, ConfigKey, Sourced
from ..state.configs.topic import TOPIC_CONFIGS
from .source import PROMPT

_SOURCES = {
    ConfigSource.DYNAMIC_TOPIC_CONFIG: "topic",
    ConfigSource.GROUP_CONFIG: "group",
    ConfigSource.DYNAMIC_BROKER_CONFIG: "node",
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG: "all nodes",
    ConfigSource.STATIC_BROKER_CONFIG: "start",
    ConfigSource.DEFAULT_CONFIG: "default",
}


class ConfigView(Struct, frozen=True):
    """One key: its value, in whose configuration that stands, and what it would be without."""

    key: str
    value: str
    source: str
    otherwise: str
    """The value that comes next with its own key; empty where there is none."""


class ConfigVerbs:
    cluster: Cluster

    def topic_configuration(self, name: str) -> list[ConfigView]:
        with PlainRefusals():
            config = self.cluster.topics.named(name).config
        return _views(TOPIC_CONFIGS.values(), config.sources)

    def group_configuration(self, name: str) -> list[ConfigView]:
        """A group need not be there: its values wait for it."""
        groups = self.cluster.configuring.groups
        return _views(GROUP_CONFIGS.values(), lambda key: groups.sources(name, key))

    def node_configuration(self, node: int | None) -> list[ConfigView]:
        """Of one node, or with None what holds for all."""
        config = self.cluster.config
        place = ALL_NODES if node is None else str(node)
        own = ConfigSource.DYNAMIC_BROKER_CONFIG if node is None else None
        return _views(
            config.keys(place),
            lambda key: [one for one in config.sources(key, place) if one.source != own],
        )

    def configure_group(
        self, name: str, key: str, value: str | None, *, source: str = PROMPT
    ) -> None:
        """Set one value of a group; None puts it back to its default."""
        with PlainRefusals():
            self.cluster.configuring.group(name, [_change(key, value)], source=source)

    def configure_node(
        self, node: int | None, key: str, value: str | None, *, source: str = PROMPT
    ) -> None:
        """The same of a node, or with None of all nodes."""
        place = ALL_NODES if node is None else str(node)
        with PlainRefusals():
            self.cluster.configuring.node(place, [_change(key, value)], source=source)

    def served_keys(self, kind: str) -> list[ConfigKey]:
        """Keys of a `topic`, `group` or `broker` that act, and that may be set while it runs."""
        known = {"topic": TOPIC_CONFIGS, "group": GROUP_CONFIGS, "broker": broker_keys()}[kind]
        return [
            key
            for key in known.values()
            if key.served and not (kind == "broker" and is_fixed(key.name))
        ]


def _change(key: str, value: str | None) -> Change:
    return key, AlterConfigOp.SET if value is not None else AlterConfigOp.DELETE, value


def _views(keys: Iterable[ConfigKey], sources: Callable[[str], list[Sourced]]) -> list[ConfigView]:
    return [_view(key, sources(key.name)) for key in keys]


def _view(key: ConfigKey, values: list[Sourced]) -> ConfigView:
    given = [(one, key.shown(one.value)) for one in values if one.value not in (None, "")]
    if not given:
        return ConfigView(key.name, key.default or "", "default", "")
    first, *rest = given
    otherwise = ""
    if rest:
        # A topic's key has another name among the broker's.
        otherwise = f"{rest[0][0].name}={rest[0][1]}"
    elif first[0].source != ConfigSource.DEFAULT_CONFIG and key.default is not None:
        otherwise = f"{key.name}={key.default}"
    return ConfigView(key.name, first[1] or "", _SOURCES.get(first[0].source, "default"), otherwise)
