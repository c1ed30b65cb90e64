"""What is legal for a client and risky all the same: lint's warnings, each once a connection."""

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from ..findings import WARNING
from .codes import V5
from .lint import report
from .records import Message
from .wire.packets import Connect, Publish, Request

if TYPE_CHECKING:
    from .connection import MqttConnection
    from .state.sessions import Sessions

KEEP_ALIVE_0: Final = "keep-alive-0"
WILL_WITHOUT_EXPIRY: Final = "will-without-expiry"
NEW_CLIENT_ID: Final = "new-client-id"
SESSION_NOT_KEPT: Final = "session-not-kept"
DOUBTFUL_TOPIC: Final = "doubtful-topic"
NOTHING_TO_CLEAR: Final = "nothing-to-clear"
QOS_2_THROUGHOUT: Final = "qos-2-throughout"

MANY: Final = 100
"""Messages of one topic from which on it is telemetry."""
LAST_OF_MANY: Final = MANY - 1
_MOST_SHAPES: Final = 1_000
_ALIKE: Final = 3
"""Client identifiers of one shape, each left for the next, that look made anew each time."""
_LONGEST: Final = 256
"""Characters of an identifier that is compared: one may have 64 KB, and many are remembered."""
_VARYING: Final = re.compile(r"[0-9A-Fa-f]{6,}|\d+")


class RecentClientIds:
    """The newest client identifiers by host, user and shape, of those that leave a session."""

    def __init__(self, sessions: "Sessions") -> None:
        self._sessions = sessions
        self._seen: dict[tuple[str, str, str], deque[str]] = {}

    def made_anew(self, host: str, user: str, client_id: str) -> tuple[str, ...]:
        """The identifiers before this one, if it looks as if the same client made them all."""
        if len(client_id) > _LONGEST:
            return ()
        shape = _VARYING.sub("*", client_id)
        if shape == client_id:
            return ()
        key = (host, user, shape)
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) >= _MOST_SHAPES:
                del self._seen[next(iter(self._seen))]
            seen = self._seen[key] = deque(maxlen=_ALIKE - 1)
        before = tuple(seen)
        if client_id not in seen:
            seen.append(client_id)
        if len(before) < _ALIKE - 1 or client_id in before:
            return ()
        sessions = [self._sessions.by_client.get(each) for each in before]
        left = all(session is not None and session.sink is None for session in sessions)
        return before if left else ()


def check_connect(connection: "MqttConnection", packet: Connect, present: bool) -> None:
    """Of a client that was let in."""
    if not connection.keep_alive:
        _warn(
            connection,
            KEEP_ALIVE_0,
            "CONNECT: keep alive 0: nobody notices when the client or its network is gone",
        )
    will = packet.will
    if (
        will is not None
        and packet.version == V5
        and (will.qos or will.retain)
        and "message_expiry_interval" not in will.properties
    ):
        _warn(
            connection,
            WILL_WITHOUT_EXPIRY,
            f"CONNECT: the will to {will.topic_name} has no Message Expiry Interval: "
            "who comes days later gets it as if it were news",
        )
    session = connection.session
    if session is not None and not present and session.expiry != 0:
        host = connection.peer.address.rpartition(":")[0]
        user = connection.peer.principal.name
        before = connection.broker.newcomers.made_anew(host, user, connection.client)
        if before:
            _warn(
                connection,
                NEW_CLIENT_ID,
                f"CONNECT: {connection.client} after {', '.join(before)}: each leaves a session "
                "that nobody comes back to; keep one client identifier, or start clean",
            )


def check_subscription(connection: "MqttConnection", request: Request) -> None:
    """Of a filter that was granted."""
    session = connection.session
    if request.qos and session is not None and session.expiry == 0:
        kept = "a Session Expiry Interval" if connection.version == V5 else "clean session 0"
        _warn(
            connection,
            SESSION_NOT_KEPT,
            f"SUBSCRIBE {request.topic_filter}: QoS {request.qos} in a session that ends with its "
            f"connection: what comes while the client is away is lost; {kept} keeps it",
        )


def check_publish(connection: "MqttConnection", packet: Publish, message: Message) -> None:
    """Of a message that is about to be published, once its topic alias is resolved."""
    router = connection.broker.router
    topic = message.topic_name
    if doubtful(topic):
        _warn_of_topic(connection, topic)
    if message.retain and not message.payload and router.retained.get(topic) is None:
        _warn(
            connection,
            NOTHING_TO_CLEAR,
            f"PUBLISH {topic}: retain with an empty payload clears what is retained, and nothing "
            "was; without retain it would be an empty message",
        )
    if packet.qos == 2:
        before = router.count(topic).published
        if before % MANY == LAST_OF_MANY and router.highest_qos(topic) == 2:
            _warn(
                connection,
                QOS_2_THROUGHOUT,
                f"PUBLISH {topic}: {before + 1} messages of QoS 2 to a subscriber of QoS 2, "
                "eight packets each; QoS 1 needs four",
            )


def doubtful(topic_name: str) -> str:
    """What is strange about a topic's name; empty if nothing is."""
    if topic_name.startswith("/"):
        return "a slash in front makes an empty first level"
    if topic_name.endswith("/"):
        return "a slash at the end makes an empty last level"
    if " " in topic_name:
        return "it has a space in it"
    return ""


def _warn_of_topic(connection: "MqttConnection", topic: str) -> None:
    if DOUBTFUL_TOPIC not in connection.linted:
        text = f"PUBLISH {topic!r}: {doubtful(topic)}: few who subscribe expect that"
        _warn(connection, DOUBTFUL_TOPIC, text)
        # From here on the fast path may take such topics too.
        connection.find_routes()


def _warn(connection: "MqttConnection", habit: str, text: str) -> None:
    report(connection, habit, text, WARNING)
