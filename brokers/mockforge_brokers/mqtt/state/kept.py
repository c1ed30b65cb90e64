"""What outlives a restart (4.1), as plain values: retained messages, and sessions that last."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, convert, to_builtins

from ...clock import Clock
from ...environment import Environment
from ..records import Message, detailed
from .router import Router
from .session import Session
from .sessions import Sessions
from .stored import KeptMessage, StoredSession, kept_message
from .subscriptions import Subscription

FORMAT = 1


class KeptWill(Struct):
    """`due` is when it is published, or None while its client was connected.

    What its message has as `expires` is a span in seconds, which begins at its publication.
    """

    message: KeptMessage
    delay: float
    due: float | None


class KeptSession(Struct):
    """Messages are places in `KeptState.messages`; None in flight is one of which PUBREC came.

    `ends` is the wall time at which the session ends. It is None for a session without an end,
    and while its client was connected: then its `expiry` begins when it is restored.
    """

    client_id: str
    expiry: float | None
    ends: float | None
    last_id: int
    inflight: list[tuple[int, int | None]]
    queue: list[int]
    inbound: list[int]
    subscriptions: list[Subscription]
    will: KeptWill | None
    withheld: list[tuple[int, int]] = []
    number: int = 0
    """Of its log on disk; 0 where nothing is kept there."""
    rows: list[int] = []
    """Of what is in flight and then of what waits, there."""


class KeptState(Struct):
    """`messages` holds each once, however many sessions wait for it."""

    format: int
    messages: list[KeptMessage]
    retained: list[int]
    sessions: list[KeptSession]


def dump(router: Router, registry: Sessions, clock: Clock) -> dict[str, object]:
    """All of it as builtin types (bytes stay bytes)."""
    writer = _Writer(clock)
    retained = [writer.place(message) for message in router.retained.all()]
    sessions = [
        writer.session(session) for session in registry.by_client.values() if session.expiry != 0
    ]
    state = KeptState(FORMAT, writer.messages, retained, sessions)
    values: dict[str, object] = to_builtins(state, builtin_types=(bytes,))
    return values


def restore(
    values: Mapping[str, Any], environment: Environment, router: Router, registry: Sessions
) -> None:
    """Put `dump`'s values into an empty broker; raises msgspec.ValidationError for others."""
    put_up(convert(values, KeptState, builtin_types=(bytes,)), environment, router, registry)


def put_up(state: KeptState, environment: Environment, router: Router, registry: Sessions) -> None:
    """As `restore`, with the values as what they are."""
    clock = environment.clock
    messages = [_message(kept, clock) for kept in state.messages]
    for place in state.retained:
        router.retain(messages[place])
    for kept in state.sessions:
        session = registry.create(kept.client_id)
        _fill(session, kept, messages)
        if kept.will is not None:
            registry.leave_will(session, _message(kept.will.message, None), kept.will.delay)
        for subscription in kept.subscriptions:
            router.readmit(session, subscription)
    # All sessions are there before the first will or expiry is due, since wills go to sessions.
    for kept in state.sessions:
        _leave(registry, kept, clock)


class _Writer:
    """Gives each message its place, the same object always the same."""

    def __init__(self, clock: Clock) -> None:
        self.messages: list[KeptMessage] = []
        self._to_wall = clock.wall() - clock.now()
        self._places: dict[int, int] = {}

    def place(self, message: Message) -> int:
        place = self._places.get(id(message))
        if place is None:
            place = self._places[id(message)] = len(self.messages)
            self.messages.append(kept_message(message, self._to_wall))
        return place

    def session(self, session: Session) -> KeptSession:
        made = self.session_itself(session)
        made.inflight = [
            (packet_id, None if message is None else self.place(message))
            for packet_id, message in session.inflight.items()
        ]
        made.queue = [self.place(message) for message in session.queue]
        made.inbound = sorted(session.inbound)
        made.withheld = [(each, self.place(it)) for each, it in (session.withheld or {}).items()]
        if isinstance(session, StoredSession):
            made.number, made.rows = session.number, session.rows
        return made

    def session_itself(self, session: Session) -> KeptSession:
        """Without messages."""
        return KeptSession(
            client_id=session.client_id,
            expiry=session.expiry,
            ends=None if session.ends is None else session.ends + self._to_wall,
            last_id=session.last_id,
            inflight=[],
            queue=[],
            inbound=[],
            subscriptions=list(session.subscriptions.values()),
            will=self._will(session),
        )

    def _will(self, session: Session) -> KeptWill | None:
        if session.will is None:
            return None
        due = None if session.will_due is None else session.will_due + self._to_wall
        return KeptWill(kept_message(session.will, 0.0), session.will_delay, due)


def session_alone(session: Session, number: int, clock: Clock) -> KeptSession:
    """Without its messages, which are rows of the log of this number."""
    alone = _Writer(clock).session_itself(session)
    alone.number = number
    return alone


def _message(kept: KeptMessage, clock: Clock | None) -> Message:
    """`clock` turns wall time into its own; None for a will, whose expiry is a span."""
    expires = kept.expires
    if expires is not None and clock is not None:
        expires += clock.now() - clock.wall()
    properties = kept.properties
    if "user_property" in properties:
        properties["user_property"] = [tuple(pair) for pair in properties["user_property"]]
    return detailed(
        kept.topic_name,
        kept.payload,
        kept.qos,
        kept.retain,
        properties,
        expires,
        kept.identifiers,
    )


def _fill(session: Session, kept: KeptSession, messages: list[Message]) -> None:
    session.expiry = kept.expiry
    session.last_id = kept.last_id
    sent = [
        (packet_id, None if place is None else messages[place])
        for packet_id, place in kept.inflight
    ]
    session.keep(sent, (messages[place] for place in kept.queue))
    session.inbound = set(kept.inbound)
    if kept.withheld:
        session.keep_withheld({packet_id: messages[place] for packet_id, place in kept.withheld})
    if kept.number and isinstance(session, StoredSession):
        session.stand_on(kept.number, kept.rows)


def _leave(registry: Sessions, kept: KeptSession, clock: Clock) -> None:
    now, from_wall = clock.now(), clock.now() - clock.wall()
    ends = None if kept.expiry is None else now + kept.expiry
    if kept.ends is not None:
        ends = kept.ends + from_wall
    will_due = now
    if kept.will is not None:
        due = kept.will.due
        will_due = now + kept.will.delay if due is None else due + from_wall
    registry.leave(registry.by_client[kept.client_id], ends, will_due)
