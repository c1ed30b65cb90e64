"""What the brokers have stored; looking at it takes nothing away."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockforge_brokers.journal import Row

from ..expectations.message import row_of
from .kafka_records import StoredTopic
from .lookup import BadArgument, amqp, matching, mqtt, resolved
from .stores import CHUNK, Store
from .targets import KafkaTarget, MqttTarget, QueueTarget, SessionTarget, Target

if TYPE_CHECKING:
    from .session import Session


def open_store(session: "Session", target: Target | SessionTarget) -> Store:
    """What a target has stored. Raises BadArgument, InvalidInput."""
    match target:
        case KafkaTarget():
            return StoredTopic(session, target)
        case QueueTarget():
            return _queued(session, target)
        case MqttTarget(topic):
            return _retained(session, topic)
        case SessionTarget(client):
            return _waiting(session, client)
    raise BadArgument("target", "an exchange stores nothing: peek at a queue (queue:NAME)")


@dataclass(slots=True)
class _Listed(Store):
    """What is read by its number: a queue, retained messages, what waits for a client.

    None is one that went since the store was opened, and keeps its number.
    """

    read: Callable[[int, int], Sequence[Row | None]]
    total: int
    _next: int = 0

    def forward(self, start: str | None) -> Iterator[Row]:
        self._next = _number(start)
        return self._from_next()

    def _from_next(self) -> Iterator[Row]:
        while rows := self.read(self._next, CHUNK):
            for row in rows:
                self._next += 1
                if row is not None:
                    yield row

    def backward(self, end: str | None = None) -> Iterator[Row]:
        self._next = self.total if end is None else _number(end)
        return self._before_next()

    def _before_next(self) -> Iterator[Row]:
        while (before := self._next) > 0:
            first = max(0, before - CHUNK)
            for row in reversed(self.read(first, before - first)):
                self._next -= 1
                if row is not None:
                    yield row
            # Some may have been taken since.
            self._next = first

    def reached(self) -> str:
        return str(self._next) if self._next > 0 else ""

    @property
    def is_first(self) -> bool:
        return self._next == 0

    def place(self) -> str:
        return str(self._next) if self._next < self.total else ""


def _queued(session: "Session", target: QueueTarget) -> Store:
    admin, found = amqp(session), resolved(session, target)
    assert isinstance(found, QueueTarget)
    name, vhost = found.name, found.vhost or "/"

    def read(start: int, count: int) -> Sequence[Row]:
        seen = admin.peek(name, count, start=start, vhost=vhost)
        return [_queued_row(row_of(each), name) for each in seen]

    # Where there is no such queue, the first look says so.
    read(0, 1)
    return _Listed(read, len(admin.vhosts[vhost].queues[name].messages))


def _queued_row(row: Row, queue: str) -> Row:
    # A message in a queue does not say when it came.
    row.time = 0.0
    row.detail["queue"] = queue
    return row


def _mqtt_row(message: Any) -> Row:
    properties = dict(message.properties)
    return Row(
        protocol="mqtt",
        direction=0,
        operation="publish",
        kind="message",
        destination=message.topic_name,
        payload=bytes(message.payload),
        size=len(message.payload),
        headers=tuple(properties.pop("user_property", ())),
        detail={"qos": message.qos, "retain": message.retain, **properties},
    )


def _retained(session: "Session", pattern: str) -> Store:
    admin = mqtt(session)
    topics = sorted(matching((topic for topic, _, _ in admin.retained()), pattern))

    def read(start: int, count: int) -> Sequence[Row | None]:
        found = map(admin.retained_message, topics[start : start + count])
        return [None if message is None else _mqtt_row(message) for message in found]

    return _Listed(read, len(topics))


def _waiting(session: "Session", client: str) -> Store:
    admin = mqtt(session)
    found = next((each for each in admin.sessions() if each["client"] == client), None)
    if found is None:
        raise BadArgument("target", f"no session {client}; session ls lists them")
    return _Listed(
        lambda start, count: [_mqtt_row(each) for each in admin.queued(client, count, start=start)],
        int(found["queued"]) + int(found.get("inflight", 0)),
    )


def _number(start: str | None) -> int:
    match start:
        case None | "begin":
            return 0
    if not start.isdecimal():
        raise BadArgument("start", f"{start!r} is no number of messages to pass over (100, begin)")
    return int(start)
