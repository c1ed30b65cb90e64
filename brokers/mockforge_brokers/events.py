"""Facts that all three brokers tell on the spine, after they happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in one broker (`protocol`: kafka, mqtt or amqp)."""

    protocol: str


@dataclass(frozen=True, slots=True)
class ListenerOpened(Event):
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ConnectionOpened(Event):
    connection: int
    address: str


@dataclass(frozen=True, slots=True)
class ClientIdentified(Event):
    """The client said who it is; `software` is its library with version, where it tells."""

    connection: int
    client: str
    software: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Event):
    """`reason` says in words who ended it and why."""

    connection: int
    client: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProtocolViolated(Event):
    """The peer broke the specification; `reason` names the rule and the place."""

    connection: int
    client: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestDenied(Event):
    """A legal request was refused with a code of the protocol."""

    connection: int
    client: str
    operation: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class LimitReached(Event):
    """A limit of limits.py or of the client was met; `effect` says what was done about it."""

    limit: str
    where: str
    effect: str


@dataclass(frozen=True, slots=True)
class PeerFellBehind(Event):
    """A peer does not read: `pending` bytes wait for it, and its own requests wait too."""

    connection: int
    client: str
    pending: int


@dataclass(frozen=True, slots=True)
class PeerCaughtUp(Event):
    connection: int
    client: str


@dataclass(frozen=True, slots=True)
class FaultFired(Event):
    rule: int
    kind: str
    connection: int
    client: str
    operation: str


@dataclass(frozen=True, slots=True)
class FrameHeld(Event):
    held: int
    connection: int
    client: str
    operation: str


@dataclass(frozen=True, slots=True)
class HeldFrameLeft(Event):
    """`outcome`: released, dropped, or gone with its connection."""

    held: int
    outcome: str


@dataclass(frozen=True, slots=True)
class BrokerFailed(Event):
    """A bug of ours ended one connection; `trace` is the traceback with the last frames."""

    connection: int
    client: str
    error: str
    trace: str


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Legal but doubtful, or accepted and not acted on; `about` names the thing."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageSeen(Event):
    """One message as it entered a broker; made only for those who watch messages.

    `destination` is the Kafka topic, the MQTT topic name or the AMQP exchange; `detail` has the
    protocol's own fields (partition, offset, qos, retain, routing_key, properties, ...).
    """

    time: float
    destination: str
    key: bytes | None
    payload: bytes | None
    headers: tuple[tuple[str, Any], ...]
    client: str
    detail: Mapping[str, Any]
