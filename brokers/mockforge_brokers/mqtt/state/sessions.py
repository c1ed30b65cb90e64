"""All sessions by client identifier: taken up, left, expired, and the wills they leave."""

from collections.abc import Callable
from typing import Final

from ...environment import Environment
from ..codes import Reason
from ..events import SessionEnded, SessionTakenOver, WillPublished
from ..records import Message, cost_of, detailed
from .left_behind import left_behind
from .router import Router
from .session import LAST_ID, Session
from .sink import Sink

EXPIRED: Final = "it expired"
WITH_CONNECTION: Final = "its connection ended"


class Sessions:
    """The sessions that exist, connected or not."""

    def __init__(self, environment: Environment, router: Router) -> None:
        self.by_client: dict[str, Session] = {}
        self.dropped = 0
        """Messages that sessions lost which have ended since."""
        self.expired = 0
        """Sessions that ended since nobody came back to them in time."""
        self.most = 0
        """That there were at a time."""
        self.will_bytes = 0
        """What the wills of all of them cost, and those that are kept beside them."""
        self.on_end: Callable[[str], object] | None = None
        """Hears of which client there is no session any more."""
        self._kept_wills: dict[str, int] = {}
        """By client, what wills cost that are kept beside its session, which mostly has it, too."""
        self._environment = environment
        self._router = router
        sessions = self.by_client
        environment.usage.gauge("mqtt_sessions", lambda: len(sessions))
        environment.usage.gauge("mqtt_wills", lambda: self.will_bytes)
        environment.usage.gauge(
            "mqtt_session_subscriptions",
            lambda: max((one.subscribed for one in sessions.values()), default=0),
        )
        environment.usage.gauge(
            "mqtt_session_queue",
            lambda: max((len(one.queue) for one in sessions.values()), default=0),
        )
        environment.usage.gauge(
            "mqtt_session_bytes",
            lambda: max(
                (max(one.queued_bytes, one.inflight_bytes) for one in sessions.values()), default=0
            ),
        )

    def open(
        self, client_id: str, sink: Sink, *, clean_start: bool, window: int = LAST_ID
    ) -> tuple[Session, bool]:
        """Take up a client's session or begin a new one; returns it and whether it was there.

        A connection that has the session is told to go first [MQTT-3.1.4-3].
        """
        session = self.by_client.get(client_id)
        if session is not None and session.sink is not None:
            old = session.sink
            self._environment.spine.emit(
                SessionTakenOver("mqtt", client_id, old.connection, sink.connection)
            )
            old.close(Reason.SESSION_TAKEN_OVER, "another connection took over the session")
            # It is gone by now if it was to end with its connection.
            session = self.by_client.get(client_id)
        if session is not None and clean_start:
            self.end(session, "the client began anew")
            session = None
        present = session is not None
        if session is None:
            session = self.create(client_id)
        else:
            self._stop_timers(session)
            self.leave_will(session, None)
        session.attach(sink, window)
        return session, present

    def close(self, session: Session, *, publish_will: bool) -> None:
        """The connection of a session is gone; the session stays as long as its expiry says."""
        session.detach()
        if session.subscriptions:
            # Who subscribed to nothing is on no route.
            self._router.forget_routes()
        if not publish_will:
            self.leave_will(session, None)
        if session.expiry == 0 and session.will is None:
            # As most who come and go: nothing of it is waited for.
            self.end(session, WITH_CONNECTION)
            return
        now = self._environment.clock.now()
        ends = None if session.expiry is None else now + session.expiry
        self.leave(session, ends, now + session.will_delay)

    def leave(self, session: Session, ends: float | None, will_due: float) -> None:
        """A session without a connection: its end and its will come at these clock times."""
        clock = self._environment.clock
        now = clock.now()
        session.ends, session.will_due = ends, will_due
        session.changed()
        if session.will is not None:
            # The will waits for its delay or the session's end, whichever comes first
            # [MQTT-3.1.3-9].
            if will_due <= now:
                self._publish_will(session)
            elif ends is None or will_due < ends:
                session.will_timer = clock.call_later(will_due - now, self._publish_will, session)
        if ends is not None:
            if ends <= now:
                self.end(session, WITH_CONNECTION if session.expiry == 0 else EXPIRED)
            else:
                session.expiry_timer = clock.call_later(ends - now, self.end, session, EXPIRED)

    def create(self, client_id: str) -> Session:
        """A new session, which belongs to nobody yet."""
        make = self._router.keeper.make_session
        session = make(client_id, self._environment, self._router.overflowed)
        self.by_client[client_id] = session
        if len(self.by_client) > self.most:
            self.most = len(self.by_client)
        return session

    def clear(self) -> None:
        """Forget all sessions without a word: the broker stops."""
        for session in self.by_client.values():
            session.ended = True
            self._stop_timers(session)
        self.by_client.clear()
        self.dropped = 0
        self.will_bytes = sum(self._kept_wills.values())

    def end(self, session: Session, reason: str) -> None:
        """Forget a session and what it holds; a connected client is sent away."""
        if session.ended:
            return
        session.ended = True
        if self.by_client.get(session.client_id) is session:
            del self.by_client[session.client_id]
        session.changed()
        if session.will_due is not None:
            # It was without a connection.
            self._stop_timers(session)
        router = self._router
        lost = len(session.queue) + len(session.inflight)
        left: list[tuple[str, Message]] = []
        if lost and router.redelivers_shares:
            left = left_behind(session, router.subscriptions)
        if session.subscriptions:
            router.forget(session)
        sink = session.sink
        if sink is not None:
            session.detach()
            sink.close(Reason.ADMINISTRATIVE_ACTION, reason)
        if left:
            lost -= router.redeliver(left)
        if session.will is not None:
            self._publish_will(session)
        if self.on_end is not None:
            self.on_end(session.client_id)
        self.dropped += session.dropped
        self.expired += reason == EXPIRED
        self._environment.spine.emit(SessionEnded("mqtt", session.client_id, reason, lost))

    def has_room_for(self, will: Message, client_id: str) -> bool:
        """Whether a client may leave a will, in place of what its session has; else it counts."""
        session = self.by_client.get(client_id)
        before = self._will_size(client_id, None if session is None else session.will)
        size = self.will_bytes + cost_of(will) - before
        if size <= self._environment.limits.mqtt_wills:
            return True
        self._environment.usage.count("mqtt_wills")
        return False

    def leave_will(self, session: Session, will: Message | None, delay: float = 0.0) -> None:
        """What is published `delay` seconds after its client is lost, in place of what was.

        What it has as `expires` is a span, which begins then.
        """
        before = session.will
        if will is not before:
            name = session.client_id
            self.will_bytes += self._will_size(name, will) - self._will_size(name, before)
        session.will, session.will_delay = will, delay

    def keep_will(self, client_id: str, size: int) -> None:
        """A client's will of so many bytes is kept beside its session, or none, where it is 0."""
        session = self.by_client.get(client_id)
        will = None if session is None else session.will
        before = self._will_size(client_id, will)
        if size:
            self._kept_wills[client_id] = size
        else:
            self._kept_wills.pop(client_id, None)
        self.will_bytes += self._will_size(client_id, will) - before

    def _will_size(self, client_id: str, will: Message | None) -> int:
        """What a client's wills cost, if this is its session's."""
        size = 0 if will is None else cost_of(will)
        return max(size, self._kept_wills.get(client_id, 0))

    def publish_will(self, session: Session) -> bool:
        """Before its time; it is not published again. False where there is none."""
        there = session.will is not None
        self._publish_will(session)
        return there

    def _publish_will(self, session: Session) -> None:
        will = session.will
        if will is None:
            return
        self.leave_will(session, None)
        session.changed()
        if will.expires is not None:
            # Its life begins when it is published (MQTT 5, 3.1.3.2.4); until then it is a span.
            expires = self._environment.clock.now() + will.expires
            will = detailed(
                will.topic_name, will.payload, will.qos, will.retain, will.properties, expires
            )
        self._router.publish(will, session, session.client_id)
        self._environment.spine.emit(WillPublished("mqtt", session.client_id, will.topic_name))

    @staticmethod
    def _stop_timers(session: Session) -> None:
        for timer in (session.expiry_timer, session.will_timer):
            if timer is not None:
                timer.cancel()
        session.expiry_timer = session.will_timer = None
        session.ends = session.will_due = None
