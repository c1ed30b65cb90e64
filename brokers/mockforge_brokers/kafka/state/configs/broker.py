"""The broker's configuration: what it was started with, and what was altered since (KIP-226)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from ....errors import RequestRefused
from ...codes import AlterConfigOp, ConfigSource, ConfigType, ErrorCode
from ...options import KafkaOptions
from ...releases import NEWEST
from .broker_checks import check_together
from .broker_keys import KEYS
from .keys import Change, ConfigKey, Shape, Sourced, altered, is_true
from .listener_keys import key_of, of_single_nodes, plain_name

ALL_NODES: Final = ""
"""The name of the resource whose values hold for every node."""

_OPTIONS: Final = MappingProxyType(
    {
        "auto.create.topics.enable": ("auto_create_topics", 0),
        "broker.id": ("broker_id", 1),
        "node.id": ("broker_id", 1),
        "num.partitions": ("default_partitions", 1),
        "group.initial.rebalance.delay.ms": ("initial_rebalance_delay", 1000),
        "group.min.session.timeout.ms": ("min_session_timeout", 1000),
        "group.max.session.timeout.ms": ("max_session_timeout", 1000),
        "group.consumer.heartbeat.interval.ms": ("consumer_heartbeat_interval", 1000),
        "group.consumer.session.timeout.ms": ("consumer_session_timeout", 1000),
        "transaction.max.timeout.ms": ("max_transaction_timeout", 1000),
        "transaction.partition.verification.enable": ("verify_transactions", 0),
        "connections.max.reauth.ms": ("max_reauth", 1000),
    }
)
"""Keys that are options of ours: the option, and how much more the key counts (0: a switch)."""

_IDS: Final = ("broker.id", "node.id")

BY_RACK: Final = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
"""The value of replica.selector.class by which consumers are sent to replicas in their rack."""

_ANY: Final = Shape(lambda _: True, "")
_LISTENERS: Final = "listeners"
_IN_SYNC: Final = "min.insync.replicas"

_AUTHORIZERS: Final = MappingProxyType({"allow.everyone.if.no.acl.found": "allow_everyone"})
"""Switches of Kafka's authorizer in server.properties, which are no keys of the broker."""

OF_A_LISTENER: Final = frozenset(
    (
        "ssl.key.password",
        *(f"ssl.keystore.{one}" for one in ("certificate.chain", "key", "location")),
        *(f"ssl.keystore.{one}" for one in ("password", "type")),
        *(f"ssl.truststore.{one}" for one in ("certificates", "location", "password", "type")),
    )
)
"""Kafka's SslConfigs.RECONFIGURABLE_CONFIGS."""

_STATIC: Final = MappingProxyType(
    {
        "offsets.topic.replication.factor": "1",
        "process.roles": "broker,controller",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.replication.factor": "1",
    }
)
"""As a broker that is alone is started."""

_IN_OTHER_UNITS: Final = MappingProxyType(
    {
        "log.retention.ms": (("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)),
        "log.roll.ms": (("log.roll.hours", 3_600_000),),
        "log.roll.jitter.ms": (("log.roll.jitter.hours", 3_600_000),),
        "log.flush.interval.ms": (("log.flush.scheduler.interval.ms", 1),),
    }
)

_SERVED: Final = frozenset(
    (
        *("compression.gzip.level", "compression.lz4.level", "compression.zstd.level"),
        *("compression.type", "message.max.bytes", "min.insync.replicas"),
        *("log.cleanup.policy", "log.cleaner.backoff.ms", "log.cleaner.delete.retention.ms"),
        *("log.cleaner.max.compaction.lag.ms", "log.cleaner.min.cleanable.ratio"),
        *("log.cleaner.min.compaction.lag.ms", "log.message.timestamp.after.max.ms"),
        *("log.message.timestamp.before.max.ms", "log.message.timestamp.type"),
        *("log.retention.bytes", "log.retention.check.interval.ms", "log.retention.hours"),
        *("log.retention.minutes", "log.retention.ms", "log.roll.hours", "log.roll.ms"),
        *("log.segment.bytes", "offsets.retention.minutes", "offsets.retention.check.interval.ms"),
        *("transactional.id.expiration.ms", "producer.id.expiration.ms"),
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        *("group.consumer.migration.policy", "telemetry.max.bytes", "broker.rack"),
        *("group.max.size", "group.consumer.max.size", "delete.topic.enable"),
        "offset.metadata.max.bytes",
        "connections.max.idle.ms",
        "fetch.max.bytes",
        "replica.selector.class",
        *_OPTIONS,
    )
)
"""Keys that something acts on."""

_ACTED_ON: Final = MappingProxyType({"replica.selector.class": ("", BY_RACK)})
"""The only values that do something, of keys that name a class of Java."""


@cache
def broker_keys() -> Mapping[str, ConfigKey]:
    """All keys by name; made when somebody looks."""
    found = {}
    for line in KEYS.strip().replace(" =\n   ", " =").splitlines():
        head, is_set, default = line.partition(" =")
        name, kind, _, *range_ = head.split()
        least, most, allowed = _range(range_)
        found[name] = ConfigKey(
            name,
            ConfigType[kind.upper()],
            default.strip() if is_set else None,
            allowed,
            least,
            most,
            # No level at all is zlib's own, which Kafka writes as a level beside the range.
            besides=-1 if name == "compression.gzip.level" else None,
            shape=_ANY if name == "config.providers" else None,
            distinct=kind == "list" and name != "config.providers",
            served=name in _SERVED,
            served_values=_ACTED_ON.get(name, ()),
        )
    return MappingProxyType(found)


def _range(words: Sequence[str]) -> tuple[float | None, float | None, tuple[str, ...]]:
    """Least, most and the only words, as the table writes them."""
    if not words:
        return None, None, ()
    least, dots, most = words[0].partition("..")
    if not dots:
        return None, None, tuple(words[0].split("|"))
    return _number(least), _number(most), ()


def _number(text: str) -> float | None:
    if not text:
        return None
    return float(text) if "." in text else int(text)


@cache
def _altered_while_running() -> Mapping[str, bool]:
    """By key that may be altered, whether only for a single node."""
    rows = (line.split() for line in KEYS.splitlines() if not line.startswith(" "))
    return {row[0]: row[2] == "node" for row in rows if row and row[2] != "fixed"}


def is_fixed(name: str) -> bool:
    return name not in _altered_while_running()


class BrokerConfig:
    """One node's values: its own altered ones, those of all nodes, those of its start, defaults."""

    def __init__(self, options: KafkaOptions) -> None:
        self.node = str(options.broker_id)
        """Whose values are in force: all nodes act alike, since they share all else."""
        self._first = options.broker_id
        self._racks: dict[int, str | None] = {
            options.broker_id + place: rack for place, rack in enumerate(options.racks)
        }
        self.static: dict[str, str] = {**_STATIC, **_of_options(options), **options.configs}
        self._given = options.configs
        self.dynamic: dict[str, dict[str, str]] = {ALL_NODES: {}, self.node: {}}
        self._watchers: list[Callable[[], object]] = []
        self._guards_in_sync = options.as_version == NEWEST
        self.clear()

    def clear(self) -> None:
        """As in a new cluster."""
        for values in self.dynamic.values():
            values.clear()
        if self._guards_in_sync:
            self.dynamic[ALL_NODES][_IN_SYNC] = self.static.get(_IN_SYNC, "1")

    @property
    def given_at_start(self) -> Mapping[str, str]:
        """Lines of server.properties."""
        return self._given

    def on_change(self, callback: Callable[[], object]) -> None:
        self._watchers.append(callback)

    def given(self, name: str) -> str | None:
        """A value that somebody gave, in the key's own unit; None: the default is in force."""
        return _given(name, (self.dynamic[self.node], self.dynamic[ALL_NODES], self.static))

    def value(self, name: str) -> str:
        given = self.given(name)
        return given if given is not None else broker_keys()[name].default or ""

    def number(self, name: str) -> int:
        return int(self.value(name))

    def switch(self, name: str) -> bool:
        return is_true(self.value(name))

    def rack(self, node: int) -> str | None:
        """None: it is in none."""
        return self._racks.get(node, self.static.get("broker.rack"))

    def move_to_rack(self, node: int, rack: str | None) -> None:
        """As if it had been started anew with another broker.rack."""
        self._racks[node] = rack

    @property
    def selects_by_rack(self) -> bool:
        return self.value("replica.selector.class") == BY_RACK

    def keys(self, node: str) -> Iterator[ConfigKey]:
        """All that a node has values of: Kafka's own keys, then others that were altered."""
        known = broker_keys()
        yield from known.values()
        others = {*self.dynamic.get(node, {}), *self.dynamic[ALL_NODES]} - known.keys()
        yield from (key_of(name, known) for name in sorted(others))

    def sources(self, name: str, node: str = "") -> list[Sourced]:
        """Where a node's value may come from, the one in force first; without one ours."""
        node = node or self.node
        keys = broker_keys()
        others = (plain_name(name), *(other for other, _ in _IN_OTHER_UNITS.get(name, ())))
        names = (name, *filter(None, others))
        layers: tuple[tuple[ConfigSource, Mapping[str, str | None]], ...] = (
            (ConfigSource.DYNAMIC_BROKER_CONFIG, dict(self.dynamic.get(node, {}))),
            (ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG, dict(self.dynamic[ALL_NODES])),
            (ConfigSource.STATIC_BROKER_CONFIG, {one: self._at_start(one, node) for one in names}),
            (
                ConfigSource.DEFAULT_CONFIG,
                {one: keys[one].default for one in names if one in keys},
            ),
        )
        found = [
            Sourced(one, value, source)
            for source, layer in layers
            for one in names
            if (value := layer.get(one)) is not None
        ]
        while found and found[0].name != name:
            del found[0]
        return found

    def _at_start(self, name: str, node: str) -> str | None:
        """What it was started with; an option of ours at Kafka's own default was not given."""
        place = int(node) - self._first
        if place and name in _IDS:
            return node
        if name == "broker.rack":
            return self.rack(int(node))
        value = self.static.get(name)
        is_default = name in _OPTIONS and value == broker_keys()[name].default
        return None if is_default and name not in self._given else value

    def alter(
        self,
        node: str,
        changes: Iterable[Change] | Mapping[str, str | None],
        *,
        validate_only: bool = False,
    ) -> dict[str, str | None]:
        """Alter single values of one node or of all; a mapping replaces them all.

        Returns what is other than before, None for what is back at its default. Raises
        RequestRefused.
        """
        before = self.dynamic.get(node, {})
        if isinstance(changes, Mapping):
            values = {name: value for name, value in changes.items() if value is not None}
        else:
            changes = list(changes)
            _check_edited(changes)
            _check_dynamic({name for name, _, _ in changes})
            values = altered(before, changes, broker_keys())
        named = values.keys() if isinstance(changes, Mapping) else {name for name, _, _ in changes}
        _check_dynamic(values.keys())
        _check_listeners(values.keys())
        for name, value in values.items():
            key = broker_keys().get(plain_name(name) or name)
            if key is not None:
                _check_value(key, value)
        if node == ALL_NODES:
            _check_for_all({*named, *values})
        if self._guards_in_sync:
            _check_in_sync(node, named, values)
        if node in (self.node, ALL_NODES):
            dynamic = {**self.dynamic, node: values}
            check_together(
                self._in_force(self.dynamic),
                self._in_force(dynamic),
                self._lines(self.dynamic).items() ^ self._lines(dynamic).items(),
            )
        if not validate_only:
            self.dynamic[node] = values
            for watcher in self._watchers:
                watcher()
        return {
            name: values.get(name)
            for name in sorted(before.keys() | values.keys())
            if before.get(name) != values.get(name)
        }

    def _in_force(self, dynamic: Mapping[str, Mapping[str, str]]) -> Callable[[str], str]:
        """What values this node has where these are the altered ones."""
        layers = (dynamic[self.node], dynamic[ALL_NODES], self.static, _defaults())

        def value(name: str) -> str:
            return _given(name, layers) or ""

        return value

    def _lines(self, dynamic: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """What this node's server.properties would say."""
        return {**self.static, **dynamic[ALL_NODES], **dynamic[self.node]}

    def dump(self) -> dict[str, dict[str, str]]:
        return {node: dict(values) for node, values in self.dynamic.items()}

    def restore(self, kept: Mapping[str, Mapping[str, str]]) -> None:
        for node, values in kept.items():
            self.dynamic[node] = dict(values)


def _given(name: str, layers: Iterable[Mapping[str, str]]) -> str | None:
    """The value of the first layer that has one, in the key's own unit."""
    for layer in layers:
        if name in layer:
            return layer[name].strip()
        for other, factor in _IN_OTHER_UNITS.get(name, ()):
            if other in layer:
                return str(int(layer[other]) * factor)
    return None


@cache
def _defaults() -> Mapping[str, str]:
    return {name: key.default for name, key in broker_keys().items() if key.default is not None}


def started_with(options: KafkaOptions, values: Mapping[str, str]) -> KafkaOptions:
    """Options with these values of a broker's server.properties. Raises RequestRefused."""
    ours: dict[str, object] = {}
    for name in values.keys() & _AUTHORIZERS.keys():
        ours[_AUTHORIZERS[name]] = is_true(values[name])
    values = {name: value for name, value in values.items() if name not in _AUTHORIZERS}
    for name, value in values.items():
        key = broker_keys().get(name)
        if key is None:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG, f"Kafka's brokers have no configuration {name}"
            )
        key.check(value)
        if name in _OPTIONS:
            option, factor = _OPTIONS[name]
            ours[option] = int(value) / factor if factor else is_true(value)
            if factor == 1:
                ours[option] = int(value)
    return replace(options, configs={**options.configs, **values}, **ours)


def _of_options(options: KafkaOptions) -> dict[str, str]:
    found = {}
    for name, (option, factor) in _OPTIONS.items():
        value = getattr(options, option)
        found[name] = str(round(value * factor)) if factor else str(value).lower()
    return found


def _check_edited(changes: Iterable[Change]) -> None:
    """Before all else, and in other words than of a topic: only lists are appended to."""
    for name, operation, _ in changes:
        if operation not in (AlterConfigOp.APPEND, AlterConfigOp.SUBTRACT):
            continue
        key = broker_keys().get(plain_name(name) or name)
        if key is None:
            raise RequestRefused(ErrorCode.INVALID_CONFIG, f"Unknown config name: {name}")
        if key.type is not ConfigType.LIST:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG,
                f"Config value {operation.name.lower()} is not allowed for config key: {name}",
            )


def _check_dynamic(names: Iterable[str]) -> None:
    """Kafka takes keys that it does not know, for plugins; they are kept, and nothing acts."""
    free = _altered_while_running()
    fixed = sorted(name for name in names if name in broker_keys() and name not in free)
    if fixed:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            f"Cannot update these configs dynamically: [{', '.join(fixed)}]",
        )


def _check_listeners(names: Iterable[str]) -> None:
    """As Kafka: what a listener is secured by is altered with its name (listener.name.x.) alone."""
    bare = sorted(OF_A_LISTENER & frozenset(names))
    if bare:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            "These security configs can be dynamically updated only per-listener using the"
            f" listener prefix: [{', '.join(bare)}]",
        )


def _check_for_all(names: Iterable[str]) -> None:
    free = _altered_while_running()
    single = sorted(name for name in names if free.get(name) or of_single_nodes(name))
    if single:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST,
            "Cannot update these configs at default cluster level, broker id must be specified:"
            f" [{', '.join(single)}]",
        )


def _check_in_sync(node: str, named: Collection[str], values: Mapping[str, str]) -> None:
    """KIP-966: which replicas may lead depends on one value for all nodes, which is always there.

    Raises RequestRefused.
    """
    text = ""
    if node == ALL_NODES and _IN_SYNC not in values:
        text = f"Cluster-level {_IN_SYNC} cannot be removed while ELR is enabled."
    elif node != ALL_NODES and _IN_SYNC in named:
        text = f"Broker-level {_IN_SYNC} cannot be altered while ELR is enabled."
    if text:
        raise RequestRefused(ErrorCode.INVALID_CONFIG, text)


def _check_value(key: ConfigKey, value: str) -> None:
    """Of a key that is altered: at the start a class that is not here is said not to act."""
    try:
        key.check(value)
        if key.name == _LISTENERS and not value.strip():
            text = f"Configuration '{key.name}' must not be empty."
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG, f"{text} Valid values include: any non-empty value"
            )
        if key.type is ConfigType.CLASS and value != key.default:
            text = f"Invalid value {value} for configuration {key.name}"
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG, f"{text}: Class {value} could not be found."
            )
    except RequestRefused as refusal:
        # Kafka has another code for the broker's values than for a topic's.
        raise RequestRefused(ErrorCode.INVALID_REQUEST, refusal.text) from None
