"""What a broker shows of itself to people: plain values, made when somebody looks."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from .access import Principal


class ConnectionView(Struct, frozen=True, gc=False):
    """One connection; `state` is a word such as open, handshake, slow or rebalancing.

    `listener` is the name of the one that it came by (plain, tls, ws, wss). Thousands that ended
    are kept: the garbage collector need not look at what refers to plain values alone.
    """

    id: int
    protocol: str
    client: str
    address: str
    state: str
    since: float
    software: str = ""
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)
    listener: str = "plain"
    principal: Principal = Principal()


class DestinationView(Struct, frozen=True):
    """A topic, exchange or queue. `depth`: records, retained or ready messages it holds.

    `note` is a short mark for a narrow column (`3 partitions`, `retained`, `2 unacked`).
    """

    protocol: str
    kind: Literal["topic", "exchange", "queue"]
    name: str
    messages_in: int = 0
    messages_out: int = 0
    depth: int | None = None
    note: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class GroupView(Struct, frozen=True):
    """Who consumes together: a Kafka group, who shares a subscription of MQTT, or what an MQTT
    session or AMQP queue has of one.

    `lag` is what the members have not yet committed (None: unknown); `reason` tells in words why
    the group last changed.
    """

    protocol: str
    name: str
    state: str
    members: int
    lag: int | None = None
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class Metric(Struct, frozen=True):
    """One family of figures: `samples` are label values (in the order of `labels`) with value."""

    name: str
    help: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    samples: list[tuple[tuple[str, ...], float]]
