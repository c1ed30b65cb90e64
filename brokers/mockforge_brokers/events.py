"""Facts that all three brokers emit on the spine, after they happened."""

from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

from msgspec import Struct

INSIDE: Final = "∗"
"""How the names begin of those who publish without a connection: prompt, fixtures, HTTP."""


_MARKED: Final = 128
"""Bytes of a frame, from each end, that its mark is of."""


def mark_of(frame: bytes) -> int:
    """What tells a frame from the others of its connection, in few bytes; 0: of no bytes."""
    return crc32(frame[:_MARKED] + frame[-_MARKED:], len(frame)) if frame else 0


class Event(Struct, frozen=True, gc=False):
    """Something that happened in one broker (`protocol`: kafka, mqtt or amqp).

    Made of plain values: the garbage collector need not look at the thousands that are kept.
    """

    protocol: str


class ListenerOpened(Event, frozen=True):
    """`name` tells a protocol's listeners apart: plain, tls, ws, wss, unix (with a `path`)."""

    host: str
    port: int
    name: str = "plain"
    path: str = ""


class ConnectionOpened(Event, frozen=True):
    connection: int
    address: str


class ClientBehindProxy(Event, frozen=True):
    """The connection comes from `proxy`, which says that `address` is the client's."""

    connection: int
    address: str
    proxy: str


class ClientIdentified(Event, frozen=True):
    """The client said who it is; `software` is its library with version, where it tells."""

    connection: int
    client: str
    software: str = ""


class ConnectionClosed(Event, frozen=True):
    """`reason` says in words who ended it and why."""

    connection: int
    client: str
    reason: str


class ProtocolViolated(Event, frozen=True):
    """The peer broke the specification; `reason` names the rule and the place."""

    connection: int
    client: str
    reason: str


class LintFound(Event, frozen=True):
    """A client did what it should not, and was served all the same.

    `severity` is `error` where it broke `statement` of the specification, `warning` where
    `statement` is our name for what is legal and risky. Once a connection and statement; what
    ends its connection is ProtocolViolated instead.
    """

    connection: int
    client: str
    statement: str
    text: str
    severity: str = "error"


class RequestDenied(Event, frozen=True):
    """A legal request was refused with a code of the protocol; `code_name` where people have one.

    MQTT's 135 is `Not authorized`.
    """

    connection: int
    client: str
    operation: str
    code: int
    reason: str
    code_name: str = ""


class FeatureNotServed(Event, frozen=True):
    """A client asked for what is not served here; once a client and feature.

    `reason` says what was answered, or what to do without it.
    """

    connection: int
    client: str
    feature: str
    reason: str


class AccessDenied(Event, frozen=True):
    """A login or an operation was refused for want of a right.

    `reason` names the password, user or rule that is missing, or the rule that denies.
    """

    connection: int
    client: str
    user: str
    operation: str
    reason: str


class LimitReached(Event, frozen=True):
    """A limit of limits.py was met; `effect` says in words what was done about it.

    `times` and `lost` count since the last such event of this place (`usage.REPORT_EVERY`).
    """

    limit: str
    where: str
    effect: str
    times: int = 1
    lost: int = 1


class PeerFellBehind(Event, frozen=True):
    """A peer does not read: `pending` bytes wait for it, and its own requests wait too."""

    connection: int
    client: str
    pending: int


class PeerCaughtUp(Event, frozen=True):
    connection: int
    client: str


class FaultFired(Event, frozen=True):
    """`frame` is its `mark_of`; 0: there is none, as when a connection begins or ends, or
    none that its client gets. `direction` is the journal's.
    """

    rule: int
    kind: str
    connection: int
    client: str
    operation: str
    frame: int = 0
    direction: int = 0


class FrameHeld(Event, frozen=True):
    held: int
    connection: int
    client: str
    operation: str


class HeldFrameEdited(Event, frozen=True):
    """A held message was changed, by a person or by its hold."""

    held: int
    connection: int
    client: str
    operation: str


class HeldFrameLeft(Event, frozen=True):
    """`outcome`: released, dropped, refused with a code, or gone with its connection."""

    held: int
    outcome: str


class BrokerFailed(Event, frozen=True):
    """A bug of ours ended one connection; `trace` is the traceback with the last frames."""

    connection: int
    client: str
    error: str
    trace: str


class BrokerRestarted(Event, frozen=True):
    """A broker was restarted on request; `kept` says in words what is there again."""

    connections: int
    kept: str


class BrokerStopped(Event, frozen=True):
    """A broker accepts no connections any more; `hard`: it was killed."""

    hard: bool


class BrokerStarted(Event, frozen=True):
    """A broker that was stopped accepts connections again."""


class Warned(Event, frozen=True):
    """Legal but doubtful, or accepted and not acted on; `about` names the thing."""

    about: str
    text: str


class MessageSeen(Event, frozen=True):
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


class DataWriteFailed(Event, frozen=True):
    """What is to be kept cannot be written: confirms wait, and new durable messages are refused."""

    reason: str


class DataWritable(Event, frozen=True):
    """What waited is on disk now; all goes on."""
