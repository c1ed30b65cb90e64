"""Kafka's own parts of the views that people see."""

from msgspec import Struct


class PartitionView(Struct, frozen=True):
    partition: int
    log_start_offset: int
    high_watermark: int
    bytes: int
    leader_epoch: int = 0

    @property
    def records(self) -> int:
        return self.high_watermark - self.log_start_offset


class MemberView(Struct, frozen=True):
    """`subscribed` and `assigned` are known where the group is one of consumers, else empty."""

    member: str
    client: str
    host: str
    instance: str | None
    leader: bool
    waits: bool
    assigned: tuple[tuple[str, tuple[int, ...]], ...] = ()
    subscribed: tuple[str, ...] = ()


class OffsetView(Struct, frozen=True):
    """`lag` is None when the topic is gone; `time` is when it was committed."""

    topic: str
    partition: int
    committed: int
    lag: int | None
    metadata: str = ""
    time: float = 0.0


class FetchView(Struct, frozen=True):
    """What one connection reads of a partition: its first position and its present one.

    `end_then` was the high watermark at the first: a consumer that began at the end has both alike.
    """

    topic: str
    partition: int
    first: int
    end_then: int
    position: int


class RecordView(Struct, frozen=True):
    """One record of a log; `time` is its timestamp in seconds since 1970."""

    partition: int
    offset: int
    time: float
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
