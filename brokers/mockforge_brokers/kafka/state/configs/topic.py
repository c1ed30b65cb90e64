"""A topic's configuration: Kafka's keys with their types and defaults, and one topic's values."""

from collections.abc import Iterable, Mapping
from re import fullmatch
from typing import Final

from ....errors import RequestRefused
from ...codes import ConfigSource, ConfigType, ErrorCode
from ..java_maps import hash_of, in_hash_order
from .broker import BrokerConfig
from .keys import (
    Change,
    ConfigKey,
    Shape,
    Sourced,
    altered,
    is_true,
    null_refused,
    split_list,
    table,
)

_LONG_MAX: Final = str(2**63 - 1)
_B, _S, _I, _L = ConfigType.BOOLEAN, ConfigType.STRING, ConfigType.INT, ConfigType.LONG
_D, _A = ConfigType.DOUBLE, ConfigType.LIST

_REPLICAS = Shape(
    lambda words: words == ["*"] or all(fullmatch(r"([0-9]+:[0-9]+)?", word) for word in words),
    "must be the literal '*' or a list of replicas in the following format:"
    " [partitionId]:[brokerId],[partitionId]:[brokerId],...",
)

_CODECS = ("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer")

TOPIC_CONFIGS: Final = table(
    ConfigKey(
        "cleanup.policy",
        _A,
        "delete",
        ("compact", "delete"),
        served=True,
        broker="log.cleanup.policy",
        meaning="Old records: delete by age and size, compact to the newest of each key, or both.",
    ),
    ConfigKey(
        "compression.gzip.level",
        _I,
        "-1",
        least=1,
        most=9,
        besides=-1,
        served=True,
        meaning="How hard the broker compresses by gzip (compression.type)",
        broker="compression.gzip.level",
    ),
    ConfigKey(
        "compression.lz4.level",
        _I,
        "9",
        least=1,
        most=17,
        served=True,
        meaning="How hard the broker compresses by lz4 (compression.type)",
        broker="compression.lz4.level",
    ),
    ConfigKey(
        "compression.type",
        _S,
        "producer",
        _CODECS,
        served=True,
        broker="compression.type",
        meaning="The codec in which batches are kept; producer keeps them as they came.",
    ),
    ConfigKey(
        "compression.zstd.level",
        _I,
        "3",
        least=-131072,
        most=22,
        served=True,
        meaning="How hard the broker compresses by zstd (compression.type)",
        broker="compression.zstd.level",
    ),
    ConfigKey(
        "delete.retention.ms",
        _L,
        "86400000",
        least=0,
        served=True,
        broker="log.cleaner.delete.retention.ms",
        meaning="How long a tombstone stays after the compaction that first met it.",
    ),
    ConfigKey("errors.deadletterqueue.group.enable", _B, "false"),
    ConfigKey("file.delete.delay.ms", _L, "60000", least=0, broker="log.segment.delete.delay.ms"),
    ConfigKey("flush.messages", _L, _LONG_MAX, least=1, broker="log.flush.interval.messages"),
    ConfigKey("flush.ms", _L, _LONG_MAX, least=0, broker="log.flush.interval.ms"),
    ConfigKey("follower.replication.throttled.replicas", _A, "", shape=_REPLICAS),
    ConfigKey("index.interval.bytes", _I, "4096", least=0, broker="log.index.interval.bytes"),
    ConfigKey("leader.replication.throttled.replicas", _A, "", shape=_REPLICAS),
    ConfigKey("local.retention.bytes", _L, "-2", least=-2, broker="log.local.retention.bytes"),
    ConfigKey("local.retention.ms", _L, "-2", least=-2, broker="log.local.retention.ms"),
    ConfigKey(
        "max.compaction.lag.ms",
        _L,
        _LONG_MAX,
        least=1,
        served=True,
        broker="log.cleaner.max.compaction.lag.ms",
        meaning="After this time a record is compacted whatever the dirty ratio.",
    ),
    ConfigKey(
        "max.decompressed.message.bytes",
        _I,
        "2147483639",
        least=1,
        most=2147483639,
        broker="max.decompressed.message.bytes",
    ),
    ConfigKey(
        "max.message.bytes",
        _I,
        "1048588",
        least=0,
        served=True,
        broker="message.max.bytes",
        meaning="The largest record batch, compressed as it comes.",
    ),
    ConfigKey(
        "message.timestamp.after.max.ms",
        _L,
        "3600000",
        least=0,
        served=True,
        broker="log.message.timestamp.after.max.ms",
        meaning="How far ahead of the broker's clock a record's timestamp may be.",
    ),
    ConfigKey(
        "message.timestamp.before.max.ms",
        _L,
        _LONG_MAX,
        least=0,
        served=True,
        broker="log.message.timestamp.before.max.ms",
        meaning="How far behind the broker's clock a record's timestamp may be.",
    ),
    ConfigKey(
        "message.timestamp.type",
        _S,
        "CreateTime",
        ("CreateTime", "LogAppendTime"),
        served=True,
        broker="log.message.timestamp.type",
        meaning="CreateTime: the producer's clock gives timestamps; LogAppendTime: the broker's.",
    ),
    ConfigKey(
        "min.cleanable.dirty.ratio",
        _D,
        "0.5",
        least=0,
        most=1,
        served=True,
        broker="log.cleaner.min.cleanable.ratio",
        meaning="Which part of a log must be uncompacted before the cleaner compacts it.",
    ),
    ConfigKey(
        "min.compaction.lag.ms",
        _L,
        "0",
        least=0,
        served=True,
        broker="log.cleaner.min.compaction.lag.ms",
        meaning="Younger records are not compacted.",
    ),
    ConfigKey(
        "min.insync.replicas",
        _I,
        "1",
        least=1,
        served=True,
        broker="min.insync.replicas",
        meaning="With fewer in sync acks=all is refused; counts no further than all replicas.",
    ),
    ConfigKey("preallocate", _B, "false", broker="log.preallocate"),
    ConfigKey("remote.copy.lag.bytes", _L, "-1", least=-1, broker="log.remote.copy.lag.bytes"),
    ConfigKey("remote.copy.lag.ms", _L, "0", least=-1, broker="log.remote.copy.lag.ms"),
    ConfigKey("remote.log.copy.disable", _B, "false"),
    ConfigKey("remote.log.delete.on.disable", _B, "false"),
    ConfigKey("remote.storage.enable", _B, "false"),
    ConfigKey(
        "retention.bytes",
        _L,
        "-1",
        served=True,
        broker="log.retention.bytes",
        meaning="The oldest records leave a partition that is larger; -1: no bound of its own.",
    ),
    ConfigKey(
        "retention.ms",
        _L,
        "604800000",
        least=-1,
        served=True,
        broker="log.retention.ms",
        meaning="Records older than this leave; -1: none for their age.",
    ),
    ConfigKey(
        "segment.bytes",
        _I,
        "1073741824",
        least=1048576,
        served=True,
        broker="log.segment.bytes",
        meaning="Records leave by whole segments of at most this size (and of at most 1 MiB).",
    ),
    ConfigKey("segment.index.bytes", _I, "10485760", least=4, broker="log.index.size.max.bytes"),
    ConfigKey("segment.jitter.ms", _L, "0", least=0, broker="log.roll.jitter.ms"),
    ConfigKey(
        "segment.ms",
        _L,
        "604800000",
        least=1,
        served=True,
        broker="log.roll.ms",
        meaning="Records younger than a segment that this closes are not compacted.",
    ),
    ConfigKey(
        "unclean.leader.election.enable", _B, "false", broker="unclean.leader.election.enable"
    ),
)


class TopicConfig:
    """A topic's own values; all other keys stand at the broker's, or at their defaults."""

    __slots__ = ("broker", "own")

    def __init__(self, broker: BrokerConfig, own: Mapping[str, str] | None = None) -> None:
        self.broker = broker
        self.own: dict[str, str] = {}
        self.replace(own or {})

    def value(self, name: str) -> str:
        own = self.own.get(name)
        if own is not None:
            return own.strip()
        key = TOPIC_CONFIGS[name]
        given = self.broker.given(key.broker) if key.broker else None
        return given if given is not None else key.default or ""

    def number(self, name: str) -> int:
        return int(self.value(name))

    def sources(self, name: str) -> list[Sourced]:
        """Where a key's value may come from, the one in force first."""
        own = self.own.get(name)
        key = TOPIC_CONFIGS[name]
        first = [] if own is None else [Sourced(name, own, ConfigSource.DYNAMIC_TOPIC_CONFIG)]
        return first + (self.broker.sources(key.broker) if key.broker else [])

    @property
    def compacts(self) -> bool:
        return "compact" in split_list(self.value("cleanup.policy"))

    @property
    def deletes(self) -> bool:
        """An empty policy keeps all, and `retention.bytes` still holds (KIP-1149)."""
        return "delete" in split_list(self.value("cleanup.policy"))

    def replace(self, values: Mapping[str, str | None]) -> None:
        """Set these and reset all others (AlterConfigs). All or nothing. Raises RequestRefused."""
        own = {}
        for name, value in values.items():
            if value is None:
                raise null_refused(name)
            own[name] = value
        _check(own)
        self.own = own

    def change(self, changes: Iterable[Change] | Mapping[str, str | None]) -> None:
        """`replace` by a mapping, else `alter`."""
        if isinstance(changes, Mapping):
            self.replace(changes)
        else:
            self.alter(changes)

    def alter(self, changes: Iterable[Change]) -> None:
        """Set, delete, append or subtract single values. All or nothing."""
        self.replace(altered(self.own, changes, TOPIC_CONFIGS))


def new_topic_config(broker: BrokerConfig, values: Mapping[str, str | None]) -> TopicConfig:
    """What a new topic is given; Kafka refuses a null here with a code of its own."""
    nulls = [name for name, value in values.items() if value is None]
    if nulls:
        raise null_refused(",".join(nulls), "topic configs")
    return TopicConfig(broker, {name: value for name, value in values.items() if value is not None})


_IN_KAFKAS_ORDER: Final = """
segment.bytes segment.ms segment.jitter.ms segment.index.bytes flush.messages flush.ms
retention.bytes retention.ms max.message.bytes max.decompressed.message.bytes index.interval.bytes
delete.retention.ms min.compaction.lag.ms max.compaction.lag.ms file.delete.delay.ms
min.cleanable.dirty.ratio cleanup.policy unclean.leader.election.enable min.insync.replicas
compression.type compression.gzip.level compression.lz4.level compression.zstd.level preallocate
message.timestamp.type message.timestamp.before.max.ms message.timestamp.after.max.ms
leader.replication.throttled.replicas follower.replication.throttled.replicas
remote.storage.enable local.retention.ms local.retention.bytes remote.log.copy.disable
remote.copy.lag.ms remote.copy.lag.bytes remote.log.delete.on.disable
errors.deadletterqueue.group.enable
"""
"""Of several values that are wrong it says the first one."""


def _check(values: Mapping[str, str]) -> None:
    for name in in_hash_order(values.keys() - TOPIC_CONFIGS.keys(), hash_of):
        raise RequestRefused(ErrorCode.INVALID_CONFIG, f"Unknown topic config name: {name}")
    for name in filter(values.__contains__, _IN_KAFKAS_ORDER.split()):
        TOPIC_CONFIGS[name].check(values[name])
    least, most = (
        int(values.get(name) or TOPIC_CONFIGS[name].default or 0)
        for name in ("min.compaction.lag.ms", "max.compaction.lag.ms")
    )
    if least > most:
        raise RequestRefused(
            ErrorCode.INVALID_CONFIG,
            f"conflict topic config setting min.compaction.lag.ms ({least})"
            f" > max.compaction.lag.ms ({most})",
        )
    if is_true(values.get("remote.storage.enable", "")):
        raise RequestRefused(
            ErrorCode.INVALID_CONFIG,
            "Tiered Storage functionality is disabled in the broker."
            " Topic cannot be configured with remote log storage.",
        )
