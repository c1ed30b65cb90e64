"""Topics: the id, configuration and partitions of each, and how they are found."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from random import Random
from typing import Final, Self

from msgspec import Struct

from ....errors import RequestRefused
from ....fairness import Steps
from ...codes import ErrorCode
from ..configs.topic import TopicConfig
from .log import KeptLog, PartitionLog
from .policy import Policy
from .segments import UNBOUNDED, segment_size

_A_STEP: Final = 64
"""Partitions that are configured at a time."""
_LONGEST_NAME: Final = 249
_REMEMBERED_IDS: Final = 1000
_LEGAL_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class LogSettings(Struct, frozen=True):
    """What a topic's configuration is for each of its partitions."""

    max_bytes: int
    max_batch_bytes: int
    segment_bytes: int
    policy: Policy

    @classmethod
    def of(cls, config: TopicConfig, total_bytes: int, wall: Callable[[], float]) -> Self:
        retention = config.number("retention.bytes") if config.deletes else -1
        max_bytes = UNBOUNDED if retention < 0 else retention
        segment_bytes = segment_size(min(max_bytes, total_bytes))
        return cls(
            max_bytes,
            config.number("max.message.bytes"),
            min(segment_bytes, config.number("segment.bytes")),
            Policy.of(config, wall),
        )

    def bring_into_force(self, logs: Iterable[PartitionLog]) -> None:
        for log in logs:
            log.max_bytes = self.max_bytes
            log.max_batch_bytes = self.max_batch_bytes
            log.segment_bytes = self.segment_bytes
            log.configure(self.policy)


class NewLogs(Struct):
    """Partitions that a topic is to get, with what is in force in them."""

    settings: LogSettings
    logs: list[PartitionLog]


class KeptTopic(Struct):
    """A topic as a restart keeps it."""

    name: str
    topic_id: bytes
    config: dict[str, str]
    logs: list[KeptLog]


class Topic:
    """A named list of partition logs, all of one configuration."""

    __slots__ = (
        *("_configured", "_make_log", "added", "config", "logs", "name", "topic_id"),
        *("total_bytes", "wall"),
    )

    def __init__(
        self,
        name: str,
        topic_id: bytes,
        config: TopicConfig,
        total_bytes: int,
        wall: Callable[[], float],
        make_log: Callable[[str, int], PartitionLog] = PartitionLog,
    ) -> None:
        """`wall` is the broker's clock, in seconds since 1970."""
        self.name = name
        self.topic_id = topic_id
        self.config = config
        self.wall = wall
        self.total_bytes = total_bytes
        """What all logs of the broker may take together."""
        self.logs: list[PartitionLog] = []
        self.added = 0
        """The version of the topics since which it is there."""
        self._make_log = make_log
        self._configured = 0
        """How often its configuration was brought into force."""

    def grow(self, partitions: int, made: NewLogs | None = None) -> None:
        """Add empty partitions until there are `partitions`, as far as they fit those `made`."""
        settings = self._settings()
        before = len(self.logs)
        for log in () if made is None else made.logs:
            if log.partition == len(self.logs) < partitions:
                self.logs.append(log)
        if made is not None and made.settings == settings:
            before = len(self.logs)
        for partition in range(len(self.logs), partitions):
            self.logs.append(self._make_log(self.name, partition))
        settings.bring_into_force(self.logs[before:])

    def configuring(self) -> Steps:
        """Bring the configuration into force in all partitions, unless another one comes."""
        self._configured = this = self._configured + 1
        settings, logs = self._settings(), self.logs
        for at in range(0, len(logs), _A_STEP):
            settings.bring_into_force(logs[at : at + _A_STEP])
            yield
            if self._configured != this:
                return

    def _settings(self) -> LogSettings:
        return LogSettings.of(self.config, self.total_bytes, self.wall)

    def log(self, partition: int) -> PartitionLog:
        """Raises RequestRefused for a partition that is not there."""
        if 0 <= partition < len(self.logs):
            return self.logs[partition]
        raise RequestRefused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            f"topic {self.name} has {len(self.logs)} partitions, no partition {partition}",
        )

    def dump(self) -> KeptTopic:
        return KeptTopic(
            self.name, self.topic_id, dict(self.config.own), [log.dump() for log in self.logs]
        )

    @property
    def records(self) -> int:
        """How many records its partitions hold now."""
        return sum(log.records for log in self.logs)


def check_topic_name(name: str) -> None:
    """Raises RequestRefused, in Kafka's words, for a name that it does not allow."""
    if _LEGAL_NAME.fullmatch(name) and name not in (".", ".."):
        return
    if not name:
        problem = "the empty string is not allowed"
    elif name in (".", ".."):
        problem = f"'{name}' is not allowed"
    elif len(name) > _LONGEST_NAME:
        problem = f"the length of '{name}' is longer than the max allowed length {_LONGEST_NAME}"
    else:
        problem = (
            f"'{name}' contains one or more characters other than ASCII alphanumerics,"
            " '.', '_' and '-'"
        )
    raise RequestRefused(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {problem}")


def _metric_name(name: str) -> str:
    """What two topics may not have in common: in Kafka's metrics a dot is an underscore."""
    return name.replace(".", "_")


def new_topic_id(random: Random) -> bytes:
    """A version 4 UUID, which is never one of Kafka's reserved ids 0 and 1."""
    raw = bytearray(random.randbytes(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


class Topics(dict[str, Topic]):
    """All topics by name; `version` is another one after each that came, went or grew.

    Only `add`, `grow` and `remove` change what is in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.partitions = 0
        """Of all topics: a sum for each new one would cost more with each that is there."""
        self.by_id: dict[bytes, Topic] = {}
        self._metric_names: dict[str, str] = {}
        self._former_names: dict[bytes, str] = {}
        """Of topics that were deleted: frames in the journal still carry their ids."""

    def add(self, topic: Topic) -> None:
        self[topic.name] = self.by_id[topic.topic_id] = topic
        self._metric_names[_metric_name(topic.name)] = topic.name
        self.partitions += len(topic.logs)
        self.version += 1
        topic.added = self.version

    def grow(self, topic: Topic, partitions: int, made: NewLogs | None = None) -> None:
        """Add partitions to one of them until there are so many."""
        before = len(topic.logs)
        topic.grow(partitions, made)
        self.partitions += len(topic.logs) - before
        self.version += 1

    def remove(self, topic: Topic) -> None:
        name = topic.name
        self.partitions -= len(topic.logs)
        del self[name], self.by_id[topic.topic_id], self._metric_names[_metric_name(name)]
        self._former_names[topic.topic_id] = name
        if len(self._former_names) > _REMEMBERED_IDS:
            del self._former_names[next(iter(self._former_names))]
        self.version += 1

    def clear(self) -> None:
        super().clear()
        self.by_id.clear()
        self._metric_names.clear()
        self.partitions = 0
        self.version += 1

    def newer_than(self, version: int) -> list[str]:
        """Names of those that came after it."""
        # The newest ones are the last.
        return list(takewhile(lambda name: self[name].added > version, reversed(self)))

    def logs(self) -> Iterator[PartitionLog]:
        """Of all partitions."""
        for topic in self.values():
            yield from topic.logs

    def colliding(self, name: str) -> str | None:
        """The topic whose metrics would have the same name."""
        return self._metric_names.get(_metric_name(name))

    def named(self, name: str) -> Topic:
        """Raises RequestRefused for an unknown one."""
        topic = self.get(name)
        if topic is None:
            raise RequestRefused(
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name!r}"
            )
        return topic

    def with_id(self, topic_id: bytes) -> Topic:
        """Raises RequestRefused for an unknown one."""
        topic = self.by_id.get(topic_id)
        if topic is None:
            raise RequestRefused(
                ErrorCode.UNKNOWN_TOPIC_ID, f"there is no topic with id {topic_id.hex()}"
            )
        return topic

    def name_of(self, topic_id: bytes) -> str:
        """The name that an id stands or stood for, for display; empty if it is not known."""
        topic = self.by_id.get(topic_id)
        return topic.name if topic is not None else self._former_names.get(topic_id, "")
