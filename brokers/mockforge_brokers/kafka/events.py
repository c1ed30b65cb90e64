"""Facts of the Kafka broker: topics, logs, producers and groups."""

from ..events import Event


class TopicCreated(Event, frozen=True):
    """`source` says who asked: a client by its request, `auto-create`, the prompt, a fixture."""

    topic: str
    partitions: int
    source: str


class TopicDeleted(Event, frozen=True):
    topic: str
    source: str


class TopicGrown(Event, frozen=True):
    """Partitions were added; `partitions` is how many there are now."""

    topic: str
    partitions: int
    source: str


class TopicConfigured(Event, frozen=True):
    """`changes` are the values now in force, with None for those back at their default."""

    topic: str
    changes: tuple[tuple[str, str | None], ...]
    source: str


class LogTruncated(Event, frozen=True):
    """The oldest records of a partition left; `records` counts them since the last such event."""

    topic: str
    partition: int
    log_start_offset: int
    records: int
    reason: str


class LogCompacted(Event, frozen=True):
    """Of each key only the newest record stayed; `left` is how many records there are now."""

    topic: str
    partition: int
    removed: int
    left: int


class LeaderMoved(Event, frozen=True):
    """Another node leads a partition, or the same one in another epoch; -1 is nobody."""

    topic: str
    partition: int
    before: int
    leader: int
    reason: str


class CoordinatorMoved(Event, frozen=True):
    """Another node answers for a group or transactional id."""

    key: str
    node: int
    reason: str


class NodeStopped(Event, frozen=True):
    """A node of the cluster is gone, with the partitions that it led."""

    node: int
    led: int


class NodeStarted(Event, frozen=True):
    node: int


class BrokerConfigured(Event, frozen=True):
    """`changes` as in TopicConfigured; `resource` is a node, all nodes, a group or a logger."""

    resource: str
    changes: tuple[tuple[str, str | None], ...]
    source: str


class ProducerFenced(Event, frozen=True):
    """A producer came with an older epoch than the one known of its id."""

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    current_epoch: int


class TransactionAborted(Event, frozen=True):
    """`partitions` got a marker; `reason` says who or what ended the transaction, and why.

    `begun` are those that have records of it: topic, partition, and its first offset there.
    """

    transactional_id: str
    producer_id: int
    partitions: int
    client: str
    reason: str
    begun: tuple[tuple[str, int, int], ...] = ()


class MemberJoined(Event, frozen=True):
    group: str
    member: str
    client: str
    instance: str | None


class MemberLeft(Event, frozen=True):
    """`reason` in words: it left by itself, its session timed out, it was kicked."""

    group: str
    member: str
    client: str
    reason: str


class RebalanceStarted(Event, frozen=True):
    group: str
    generation: int
    reason: str


class GroupRebalanced(Event, frozen=True):
    """A new generation stands; `protocol_name` is the assignor (`range`) that the members chose."""

    group: str
    generation: int
    members: int
    protocol_name: str
    reason: str


class GroupProtocolChanged(Event, frozen=True):
    """A group with members became a consumer group, or a classic one again (KIP-848)."""

    group: str
    kind: str
    members: int
    reason: str


class GroupEmptied(Event, frozen=True):
    group: str
    generation: int
    reason: str


class GroupDeleted(Event, frozen=True):
    """A group went with what it had committed; `source` says who asked."""

    group: str
    source: str


class OffsetsExpired(Event, frozen=True):
    """A group was silent for long, and what it had committed of so many partitions is gone."""

    group: str
    partitions: int


class OffsetsReset(Event, frozen=True):
    """A person moved a group's committed offsets."""

    group: str
    topic: str
    offsets: tuple[tuple[int, int], ...]
    source: str


class ClientThrottled(Event, frozen=True):
    """A quota is used up: the client's next requests wait so many seconds (KIP-219)."""

    connection: int
    client: str
    user: str
    seconds: float
