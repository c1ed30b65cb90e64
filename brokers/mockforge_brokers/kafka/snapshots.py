"""Kafka's own parts of the views that people see."""

from collections.abc import Sequence

from msgspec import Struct


def host_of(address: str) -> str:
    """The host of a peer's address, as Kafka's descriptions of groups show it: `/10.0.0.1`."""
    return "/" + address.rpartition(":")[0].strip("[]")


class OpenTransactionView(Struct, frozen=True):
    """A transaction that is open in a partition, from its first batch on.

    Without a transactional id it hangs: its coordinator does not know it, and nobody will end it.
    """

    producer_id: int
    first_offset: int
    transactional_id: str = ""

    @property
    def hangs(self) -> bool:
        return not self.transactional_id


class TransactionView(Struct, frozen=True):
    """What the coordinator knows of a transactional id; `state` as Kafka writes it.

    `open_for` and `timeout` are seconds; the former is None while no transaction is open.
    """

    transactional_id: str
    state: str
    producer_id: int
    producer_epoch: int
    client: str
    timeout: float
    open_for: float | None
    partitions: tuple[tuple[str, int], ...]
    groups: tuple[str, ...]


class ProducerView(Struct, frozen=True):
    """A producer in one partition; `first_offset` is where its open transaction begins."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    time: float
    first_offset: int | None
    transactional_id: str


class PartitionView(Struct, frozen=True):
    """`last_stable_offset` is where read_committed consumers stop: at the oldest of `open`.

    `leader` is -1 where nobody leads. `held` is the high watermark that consumers see, where it
    stands still since too few replicas are in sync; `high_watermark` is the log's end.
    """

    partition: int
    log_start_offset: int
    high_watermark: int
    bytes: int
    leader_epoch: int = 0
    last_stable_offset: int = -1
    open: tuple[OpenTransactionView, ...] = ()
    records: int = 0
    """How many there are: fewer than offsets, where it was compacted."""
    leader: int = 0
    replicas: tuple[int, ...] = ()
    in_sync: tuple[int, ...] = ()
    held: int | None = None


class MemberView(Struct, frozen=True):
    """`subscribed` and `assigned` are known where the group is one of consumers, else empty.

    `pattern` is the regular expression by which it subscribes, if it does so.
    """

    member: str
    client: str
    host: str
    instance: str | None
    leader: bool
    waits: bool
    assigned: tuple[tuple[str, tuple[int, ...]], ...] = ()
    subscribed: tuple[str, ...] = ()
    protocol: str = "classic"
    pattern: str = ""


class PendingOffsetView(Struct, frozen=True):
    """An offset that an open transaction would commit; without an id no transaction has it."""

    topic: str
    partition: int
    offset: int
    producer_id: int
    transactional_id: str


class TelemetryView(Struct, frozen=True):
    """A client that was asked for its own metrics (KIP-714), and what it sent.

    `metrics` are the prefixes that it is asked for. `ago` is seconds since its last push, None
    where none came; `open`: its connection is still there.
    """

    instance_id: str
    client: str
    software: str
    address: str
    connection: int
    open: bool
    metrics: tuple[str, ...]
    interval: float
    pushes: int
    bytes: int
    compression: str
    ago: float | None


class OffsetView(Struct, frozen=True):
    """`lag` is None when the topic is gone; `time` is when it was committed."""

    topic: str
    partition: int
    committed: int
    lag: int | None
    metadata: str = ""
    time: float = 0.0


class RebalanceView(Struct, frozen=True):
    """`time` is the wall time of its begin, `members` how many were in the group last.

    `took` is seconds until all members had what this generation assigned, or all were gone. None:
    that never was, since the next one began before, or (of the newest) it goes on.
    """

    time: float
    generation: int
    members: int
    reason: str
    took: float | None = None


class FetchSessionView(Struct, frozen=True):
    """A fetch session (KIP-227); `epoch` is that of the next request."""

    session_id: int
    epoch: int
    partitions: int

    def __str__(self) -> str:
        return f"{self.session_id}: {self.partitions} partitions, next epoch {self.epoch}"


class FetchView(Struct, frozen=True):
    """What one connection reads of a partition: its first position and its present one.

    `end_then` was the high watermark at the first: a consumer that began at the end has both alike.
    """

    topic: str
    partition: int
    first: int
    end_then: int
    position: int
    read_committed: bool = False


class FetchWait(Struct, frozen=True):
    """A fetch that is not answered yet: the bytes it wants at least and has, and for how long."""

    min_bytes: int
    found: int
    max_wait: float


class RecordView(Struct, frozen=True):
    """One record of a log; `time` is its timestamp in seconds since 1970."""

    partition: int
    offset: int
    time: float
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class NodeView(Struct, frozen=True):
    """A node of the cluster: what it leads and coordinates, and who is connected to it."""

    node: int
    running: bool
    controller: bool
    leads: int
    coordinates: int
    connections: int
    rack: str = ""


class LeaderView(Struct, frozen=True):
    """Who leads a partition (-1: nobody), since when, and where its replicas are."""

    topic: str
    partition: int
    leader: int
    epoch: int
    replicas: Sequence[int]
    in_sync: Sequence[int]
