"""The sessions of one connection: begun, served frame by frame, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...errors import RequestRefused
from ...fairness import Chores, Steps
from ..codes import ReplyCode
from ..events import ChannelClosed, ChannelOpened
from ..state.message import Message
from .failures import INTERNAL_ERROR, ConnectionFailed, SessionFailed, as_failure
from .session import Session
from .wire.performatives import Composite

if TYPE_CHECKING:
    from ...clock import Clock
    from .connection import Connection

PROTOCOL: Final = "amqp"


class Sessions:
    """`open`: by channel, which both sides number alike."""

    def __init__(self, connection: Connection, clock: Clock, chores: Chores) -> None:
        self.open: dict[int, Session] = {}
        self._connection = connection
        self._clock = clock
        self._chores = chores

    @property
    def incomplete(self) -> int:
        """Bytes of deliveries that came in part."""
        return sum(
            link.partial.size
            for session in self.open.values()
            for link in session.links.incoming.values()
            if link.partial is not None
        )

    def unacked(self) -> list[Message]:
        return [each for session in self.open.values() for each in session.unacked()]

    def receive(self, channel: int, found: Composite, payload: bytes) -> None:
        """Take one performative; raises ConnectionFailed."""
        session = self.open.get(channel)
        if session is None:
            # What comes for a session that we have ended is dropped, as RabbitMQ drops it.
            if found.name == "begin":
                self._begin(channel, found)
            return
        if found.name == "end":
            session.finish_burst()
            self._end(session, "ended by the client")
            session.reply("end")
            return
        try:
            session.receive(found, payload)
        except (SessionFailed, RequestRefused) as failed:
            self.fail(session, failed)

    def fail(self, session: Session, failed: SessionFailed | RequestRefused) -> None:
        """A session ends in error; the connection lives on."""
        failure = as_failure(SessionFailed, failed)
        self._connection.refused(failure.text)
        session.finish_burst()
        self._end(session, failure.text, code=failed.code or ReplyCode.CHANNEL_ERROR)
        session.reply("end", error=failure.error)

    def fail_soon(self, session: Session, failed: SessionFailed) -> None:
        """As `fail`, in a turn of its own."""

        def fail() -> None:
            if self.open.get(session.number) is session:
                self.fail(session, failed)

        self._clock.call_later(0, fail)

    def finish_burst(self) -> None:
        for session in tuple(self.open.values()):
            session.finish_burst()

    def refresh(self) -> None:
        """Let them send, or stop them, as the connection's flow wants it."""
        for session in tuple(self.open.values()):
            if self._connection.flowing:
                session.resume()
            else:
                session.pause()

    def stop(self) -> None:
        """Nothing goes out any more; `ending` does the rest."""
        for session in self.open.values():
            session.stop()

    def ending(self, reason: str) -> Steps:
        """All of them are forgotten with the first step, and end one by one."""
        # What was to come in a later turn finds none of them.
        ending = tuple(self.open.values())
        self.open.clear()
        for session in ending:
            yield from session.ending(reason)

    def let_go(self) -> None:
        """Know their connection no more, which is gone (`contract.Connection`)."""
        del self._connection

    def _begin(self, channel: int, found: Composite) -> None:
        if found.get("remote_channel") is not None:
            text = "begin answers none of ours: its remote-channel must not be set (2.7.2)"
            raise ConnectionFailed(INTERNAL_ERROR, text)
        connection = self._connection
        session = self.open[channel] = Session(connection, channel, found)
        session.begin()
        connection.spine.emit(ChannelOpened(PROTOCOL, connection.id, channel))

    def _end(self, session: Session, reason: str, code: int = ReplyCode.REPLY_SUCCESS) -> None:
        connection, number = self._connection, session.number
        del self.open[number]
        session.stop()
        self._chores.do(connection.vhost.memory.making_room(session.ending(reason)))
        connection.spine.emit(ChannelClosed(PROTOCOL, connection.id, number, code, reason))
