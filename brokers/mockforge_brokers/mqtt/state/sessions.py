"""All sessions by client identifier: taken up, left, expired, and the wills they leave."""

from ...environment import Environment
from ..codes import Reason
from ..events import SessionEnded, SessionTakenOver, WillPublished
from ..records import detailed
from .router import Router
from .session import LAST_ID, Session, Sink


class Sessions:
    """The sessions that exist, connected or not."""

    def __init__(self, environment: Environment, router: Router) -> None:
        self.by_client: dict[str, Session] = {}
        self.dropped = 0
        """Messages that sessions lost which have ended since."""
        self._environment = environment
        self._router = router

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
            environment = self._environment
            session = Session(
                client_id,
                environment.clock,
                environment.limits.mqtt_session_queue,
                self._router.overflowed,
            )
            self.by_client[client_id] = session
        self._stop_timers(session)
        session.will = None
        session.attach(sink, window)
        return session, present

    def close(self, session: Session, *, publish_will: bool) -> None:
        """The connection of a session is gone; the session stays as long as its expiry says."""
        session.detach()
        self._router.forget_routes()
        if not publish_will:
            session.will = None
        expiry = session.expiry
        if session.will is not None:
            # The will waits for its delay or the session's end, whichever comes first
            # [MQTT-3.1.3-9].
            if session.will_delay <= 0:
                self._publish_will(session)
            elif expiry is None or session.will_delay < expiry:
                session.will_timer = self._environment.clock.call_later(
                    session.will_delay, self._publish_will, session
                )
        if expiry is not None:
            if expiry <= 0:
                self.end(session, "its connection ended")
            else:
                session.expiry_timer = self._environment.clock.call_later(
                    expiry, self.end, session, "it expired"
                )

    def end(self, session: Session, reason: str) -> None:
        """Forget a session and what it holds; a connected client is sent away."""
        if session.ended:
            return
        session.ended = True
        if self.by_client.get(session.client_id) is session:
            del self.by_client[session.client_id]
        self._stop_timers(session)
        self._router.forget(session)
        sink = session.sink
        if sink is not None:
            session.detach()
            sink.close(Reason.ADMINISTRATIVE_ACTION, reason)
        self._publish_will(session)
        self.dropped += session.dropped
        lost = len(session.queue) + len(session.inflight)
        self._environment.spine.emit(SessionEnded("mqtt", session.client_id, reason, lost))

    def _publish_will(self, session: Session) -> None:
        will = session.will
        session.will = None
        if will is None:
            return
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
