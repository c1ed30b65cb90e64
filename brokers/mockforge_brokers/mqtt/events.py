"""What happens in the MQTT broker, emitted after the fact."""

from ..events import Event


class ClientConnected(Event, frozen=True):
    """A CONNECT was accepted; `version` is 3.1, 3.1.1 or 5.0."""

    connection: int
    client: str
    version: str
    keep_alive: int
    clean_start: bool
    session_present: bool


class ConnectionRefused(Event, frozen=True):
    """A CONNECT was not accepted; `code` is MQTT 5's, whatever the client's version has for it."""

    connection: int
    client: str
    code: int
    reason: str
    code_name: str = ""


class SessionTakenOver(Event, frozen=True):
    """The same client connected again while its old connection was open."""

    client: str
    old_connection: int
    new_connection: int


class SessionEnded(Event, frozen=True):
    """A session and all it held is forgotten; `lost` messages waited in it."""

    client: str
    reason: str
    lost: int


class Subscribed(Event, frozen=True):
    client: str
    topic_filter: str
    qos: int


class Unsubscribed(Event, frozen=True):
    client: str
    topic_filter: str


class ServerChose(Event, frozen=True):
    """The client gets something else than it asked for, where the specification leaves that to us.

    `about` is the packet (with the filter), `choice` has the setting that decided; `preset` is the
    broker that we are like (`--mqtt-as`), or empty.
    """

    connection: int
    client: str
    about: str
    choice: str
    preset: str = ""


class WillPublished(Event, frozen=True):
    client: str
    topic_name: str
