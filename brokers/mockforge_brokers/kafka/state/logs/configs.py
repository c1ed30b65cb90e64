"""Kafka's configuration keys with their types and defaults, for topics and for the broker."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from ....errors import RequestRefused
from ...codes import AlterConfigOp, ConfigType, ErrorCode

_LONG_MAX: Final = str(2**63 - 1)


class ConfigKey(Struct, frozen=True):
    """`allowed`: the only values; `least`: the least number; `served`: we act on it."""

    name: str
    type: ConfigType
    default: str | None
    allowed: tuple[str, ...] = ()
    least: float | None = None
    served: bool = False

    def check(self, value: str) -> None:
        """Raises RequestRefused for a value that is not of this key's type or range."""
        problem = self._problem(value)
        if problem:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG, f"invalid value {value} for {self.name}: {problem}"
            )

    def _problem(self, value: str) -> str:
        if self.type in _NUMBERS:
            return self._problem_of_number(value)
        if self.type is ConfigType.BOOLEAN:
            return "" if value.lower() in ("true", "false") else "it is true or false"
        words = split_list(value) if self.type is ConfigType.LIST else [value]
        if self.allowed and not all(word in self.allowed for word in words):
            return f"it is one of {', '.join(self.allowed)}"
        return ""

    def _problem_of_number(self, value: str) -> str:
        try:
            number = float(value) if self.type is ConfigType.DOUBLE else int(value)
        except ValueError:
            return "it is not a number"
        if self.least is not None and number < self.least:
            return f"it is {self.least:g} or more"
        bits = _NUMBERS[self.type]
        if bits and not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            return f"it does not fit {bits} bits"
        return ""


_NUMBERS: Final[Mapping[ConfigType, int]] = MappingProxyType(
    {ConfigType.SHORT: 16, ConfigType.INT: 32, ConfigType.LONG: 64, ConfigType.DOUBLE: 0}
)
_B, _S, _I, _L = ConfigType.BOOLEAN, ConfigType.STRING, ConfigType.INT, ConfigType.LONG
_D, _A = ConfigType.DOUBLE, ConfigType.LIST

_CODECS = ("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer")


def _table(*keys: ConfigKey) -> Mapping[str, ConfigKey]:
    return MappingProxyType({key.name: key for key in keys})


TOPIC_CONFIGS: Final = _table(
    ConfigKey("cleanup.policy", _A, "delete", ("delete", "compact")),
    ConfigKey("compression.gzip.level", _I, "-1", least=-1),
    ConfigKey("compression.lz4.level", _I, "9", least=1),
    ConfigKey("compression.type", _S, "producer", _CODECS),
    ConfigKey("compression.zstd.level", _I, "3"),
    ConfigKey("delete.retention.ms", _L, "86400000", least=0),
    ConfigKey("file.delete.delay.ms", _L, "60000", least=0),
    ConfigKey("flush.messages", _L, _LONG_MAX, least=1),
    ConfigKey("flush.ms", _L, _LONG_MAX, least=0),
    ConfigKey("follower.replication.throttled.replicas", _A, ""),
    ConfigKey("index.interval.bytes", _I, "4096", least=0),
    ConfigKey("leader.replication.throttled.replicas", _A, ""),
    ConfigKey("local.retention.bytes", _L, "-2", least=-2),
    ConfigKey("local.retention.ms", _L, "-2", least=-2),
    ConfigKey("max.compaction.lag.ms", _L, _LONG_MAX, least=1),
    ConfigKey("max.message.bytes", _I, "1048588", least=0, served=True),
    ConfigKey("message.timestamp.after.max.ms", _L, "3600000", least=0),
    ConfigKey("message.timestamp.before.max.ms", _L, _LONG_MAX, least=0),
    ConfigKey("message.timestamp.type", _S, "CreateTime", ("CreateTime", "LogAppendTime")),
    ConfigKey("min.cleanable.dirty.ratio", _D, "0.5", least=0),
    ConfigKey("min.compaction.lag.ms", _L, "0", least=0),
    ConfigKey("min.insync.replicas", _I, "1", least=1),
    ConfigKey("preallocate", _B, "false"),
    ConfigKey("remote.log.copy.disable", _B, "false"),
    ConfigKey("remote.log.delete.on.disable", _B, "false"),
    ConfigKey("remote.storage.enable", _B, "false"),
    ConfigKey("retention.bytes", _L, "-1", served=True),
    ConfigKey("retention.ms", _L, "604800000", least=-1, served=True),
    ConfigKey("segment.bytes", _I, "1073741824", least=14),
    ConfigKey("segment.index.bytes", _I, "10485760", least=4),
    ConfigKey("segment.jitter.ms", _L, "0", least=0),
    ConfigKey("segment.ms", _L, "604800000", least=1),
    ConfigKey("unclean.leader.election.enable", _B, "false"),
)

# The broker's keys are there to be read: what this broker itself was started with fills in the
# first group, and none can be altered.
BROKER_CONFIGS: Final = _table(
    ConfigKey("advertised.listeners", _S, None),
    ConfigKey("auto.create.topics.enable", _B, "true"),
    ConfigKey("broker.id", _I, "1"),
    ConfigKey("group.initial.rebalance.delay.ms", _I, "3000"),
    ConfigKey("group.max.session.timeout.ms", _I, "1800000"),
    ConfigKey("group.min.session.timeout.ms", _I, "6000"),
    ConfigKey("node.id", _I, "1"),
    ConfigKey("num.partitions", _I, "1"),
    ConfigKey("socket.request.max.bytes", _I, "104857600"),
    ConfigKey("auto.leader.rebalance.enable", _B, "true"),
    ConfigKey("background.threads", _I, "10"),
    ConfigKey("compression.type", _S, "producer"),
    ConfigKey("connections.max.idle.ms", _L, "600000"),
    ConfigKey("default.replication.factor", _I, "1"),
    ConfigKey("delete.topic.enable", _B, "true"),
    ConfigKey("fetch.max.bytes", _I, "57671680"),
    ConfigKey("group.max.size", _I, str(2**31 - 1)),
    ConfigKey("inter.broker.listener.name", _S, None),
    ConfigKey("listener.security.protocol.map", _S, "PLAINTEXT:PLAINTEXT"),
    ConfigKey("listeners", _S, "PLAINTEXT://:9092"),
    ConfigKey("log.cleaner.enable", _B, "true"),
    ConfigKey("log.cleanup.policy", _A, "delete"),
    ConfigKey("log.dirs", _S, None),
    ConfigKey("log.flush.interval.messages", _L, _LONG_MAX),
    ConfigKey("log.message.timestamp.type", _S, "CreateTime"),
    ConfigKey("log.retention.bytes", _L, "-1"),
    ConfigKey("log.retention.check.interval.ms", _L, "300000"),
    ConfigKey("log.retention.hours", _I, "168"),
    ConfigKey("log.retention.minutes", _I, None),
    ConfigKey("log.retention.ms", _L, None),
    ConfigKey("log.roll.hours", _I, "168"),
    ConfigKey("log.segment.bytes", _I, "1073741824"),
    ConfigKey("max.connections", _I, str(2**31 - 1)),
    ConfigKey("message.max.bytes", _I, "1048588"),
    ConfigKey("min.insync.replicas", _I, "1"),
    ConfigKey("num.io.threads", _I, "8"),
    ConfigKey("num.network.threads", _I, "3"),
    ConfigKey("offset.metadata.max.bytes", _I, "4096"),
    ConfigKey("offsets.retention.minutes", _I, "10080"),
    ConfigKey("offsets.topic.num.partitions", _I, "50"),
    ConfigKey("offsets.topic.replication.factor", _I, "1"),
    ConfigKey("process.roles", _A, "broker,controller"),
    ConfigKey("producer.id.expiration.ms", _I, "86400000"),
    ConfigKey("queued.max.requests", _I, "500"),
    ConfigKey("transactional.id.expiration.ms", _I, "604800000"),
    ConfigKey("transaction.max.timeout.ms", _I, "900000"),
    ConfigKey("transaction.state.log.min.isr", _I, "1"),
    ConfigKey("transaction.state.log.replication.factor", _I, "1"),
    ConfigKey("unclean.leader.election.enable", _B, "false"),
)


class TopicConfig:
    """A topic's own values; all other keys stand at their defaults."""

    __slots__ = ("own",)

    def __init__(self, own: Mapping[str, str | None] | None = None) -> None:
        self.own: dict[str, str] = {}
        self.replace(own or {})

    def value(self, name: str) -> str:
        return self.own.get(name) or TOPIC_CONFIGS[name].default or ""

    def number(self, name: str) -> int:
        return int(self.value(name))

    def replace(self, values: Mapping[str, str | None]) -> None:
        """Set these and reset all others (AlterConfigs); None resets too. All or nothing."""
        for name, value in values.items():
            _check(name, value)
        self.own = {name: value for name, value in values.items() if value is not None}

    def alter(self, changes: Iterable[tuple[str, AlterConfigOp, str | None]]) -> None:
        """Set, delete, append or subtract single values (KIP-339). All or nothing."""
        altered: dict[str, str | None] = dict(self.own)
        for name, operation, value in changes:
            altered[name] = self._altered(name, operation, value, altered.get(name))
        self.replace(altered)

    def _altered(
        self, name: str, operation: AlterConfigOp, value: str | None, current: str | None
    ) -> str | None:
        key = _key(name)
        match operation:
            case AlterConfigOp.DELETE:
                return None
            case AlterConfigOp.SET:
                return value
        if key.type is not ConfigType.LIST:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG,
                f"{name} is not a list: nothing can be appended or subtracted",
            )
        words = split_list(current if current is not None else key.default or "")
        change = split_list(value or "")
        if operation is AlterConfigOp.APPEND:
            words += [word for word in change if word not in words]
        else:
            words = [word for word in words if word not in change]
        return ",".join(words)


def split_list(value: str) -> list[str]:
    """The words of a LIST value."""
    return [word.strip() for word in value.split(",") if word.strip()]


def _key(name: str) -> ConfigKey:
    key = TOPIC_CONFIGS.get(name)
    if key is None:
        raise RequestRefused(ErrorCode.INVALID_CONFIG, f"unknown topic config name: {name}")
    return key


def _check(name: str, value: str | None) -> None:
    key = _key(name)
    if value is not None:
        key.check(value)
