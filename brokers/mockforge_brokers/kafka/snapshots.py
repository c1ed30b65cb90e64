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
    """`assigned` are topics with partitions where the group is one of consumers, else empty."""

    member: str
    client: str
    host: str
    instance: str | None
    leader: bool
    waits: bool
    assigned: tuple[tuple[str, tuple[int, ...]], ...] = ()


class OffsetView(Struct, frozen=True):
    """`lag` is None when the topic is gone."""

    topic: str
    partition: int
    committed: int
    lag: int | None
    metadata: str = ""


class RecordView(Struct, frozen=True):
    """One record of a log; `time` is its timestamp in seconds since 1970."""

    partition: int
    offset: int
    time: float
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
