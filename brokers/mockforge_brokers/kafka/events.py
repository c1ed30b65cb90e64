"""Facts of the Kafka broker: topics, logs, producers and groups."""

from dataclasses import dataclass

from ..events import Event


@dataclass(frozen=True, slots=True)
class TopicCreated(Event):
    """`source` says who asked: a client by its request, `auto-create`, the prompt, a fixture."""

    topic: str
    partitions: int
    source: str


@dataclass(frozen=True, slots=True)
class TopicDeleted(Event):
    topic: str
    source: str


@dataclass(frozen=True, slots=True)
class TopicGrown(Event):
    """Partitions were added; `partitions` is how many there are now."""

    topic: str
    partitions: int
    source: str


@dataclass(frozen=True, slots=True)
class TopicConfigured(Event):
    """`changes` are the values now in force, with None for those back at their default."""

    topic: str
    changes: tuple[tuple[str, str | None], ...]
    source: str


@dataclass(frozen=True, slots=True)
class LogTruncated(Event):
    """The oldest records of a partition left; `records` counts them since the last such event."""

    topic: str
    partition: int
    log_start_offset: int
    records: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProducerFenced(Event):
    """A producer came with an older epoch than the one known of its id."""

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    current_epoch: int


@dataclass(frozen=True, slots=True)
class MemberJoined(Event):
    group: str
    member: str
    client: str
    instance: str | None


@dataclass(frozen=True, slots=True)
class MemberLeft(Event):
    """`reason` in words: it left by itself, its session timed out, it was kicked."""

    group: str
    member: str
    client: str
    reason: str


@dataclass(frozen=True, slots=True)
class RebalanceStarted(Event):
    group: str
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class GroupRebalanced(Event):
    """A new generation stands; `protocol_name` is the assignor (`range`) that the members chose."""

    group: str
    generation: int
    members: int
    protocol_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class GroupEmptied(Event):
    group: str
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class OffsetsReset(Event):
    """A person moved a group's committed offsets."""

    group: str
    topic: str
    offsets: tuple[tuple[int, int], ...]
    source: str
