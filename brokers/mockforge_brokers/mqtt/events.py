"""What happens in the MQTT broker, told after the fact."""

from dataclasses import dataclass

from ..events import Event


@dataclass(frozen=True, slots=True)
class ClientConnected(Event):
    """A CONNECT was accepted; `version` is 3.1, 3.1.1 or 5.0."""

    connection: int
    client: str
    version: str
    keep_alive: int
    clean_start: bool
    session_present: bool


@dataclass(frozen=True, slots=True)
class ConnectionRefused(Event):
    connection: int
    client: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionTakenOver(Event):
    """The same client connected again while its old connection was open."""

    client: str
    old_connection: int
    new_connection: int


@dataclass(frozen=True, slots=True)
class SessionEnded(Event):
    """A session and all it held is forgotten; `lost` messages waited in it."""

    client: str
    reason: str
    lost: int


@dataclass(frozen=True, slots=True)
class Subscribed(Event):
    client: str
    topic_filter: str
    qos: int


@dataclass(frozen=True, slots=True)
class Unsubscribed(Event):
    client: str
    topic_filter: str


@dataclass(frozen=True, slots=True)
class WillPublished(Event):
    client: str
    topic_name: str
