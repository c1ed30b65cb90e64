"""How a connection of AMQP 1.0 ends (2.4.3): close, its answer, and what is given up at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...errors import ProtocolError
from ...fairness import Chores, Steps
from ..codes import ReplyCode
from ..connection.phase import Phase
from ..options import AmqpOptions
from .failures import (
    DECODE_ERROR,
    INTERNAL_ERROR,
    ConnectionFailed,
    Failed,
    Unreadable,
    condition_of,
)
from .wire.frames import performative
from .wire.performatives import Composite

if TYPE_CHECKING:
    from ...clock import Clock
    from .connection import Connection

CLOSES: Final = (Phase.CLOSING, Phase.CLOSED)
"""One of the two has said close."""


class Closing:
    """The end of one connection, and the one timer that bounds what it waits for.

    `gone` hears once that it is over.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        chores: Chores,
        options: AmqpOptions,
        gone: Callable[[int], object],
    ) -> None:
        self._connection = connection
        self._peer = connection.peer
        self._clock = clock
        self._chores = chores
        self._options = options
        self._gone = gone
        self._timer = clock.call_later(options.handshake_timeout, self._too_slow)

    def stop_waiting(self) -> None:
        """What was waited for is there."""
        self._timer.cancel()

    def fail(self, failure: ProtocolError) -> None:
        """The peer broke the rules: say so once it can understand it, else just end."""
        connection = self._connection
        phase = connection.phase
        if phase in CLOSES:
            return
        if not connection.denied:
            connection.refused(failure.text)
        if phase is Phase.OPEN or (phase is Phase.HANDSHAKE and not connection.handshake.sasl):
            if isinstance(failure, Failed):
                self.close_failed(failure)
                return
            if not isinstance(failure, Unreadable):
                self.close_failed(ConnectionFailed(DECODE_ERROR, failure.text))
                return
        self._leave(failure.text)

    def close(self, code: int, text: str) -> None:
        """End it in the name of a person; the client has its time to answer."""
        phase = self._connection.phase
        if phase is Phase.OPEN:
            forced = code == ReplyCode.CONNECTION_FORCED
            self.close_failed(
                _forced(text) if forced else ConnectionFailed(condition_of(code), text)
            )
        elif phase is not Phase.ENDED:
            self._peer.close(text)

    def close_failed(self, failed: Failed) -> None:
        """Send close and wait for its answer."""
        self._say(failed)
        self._give_up(failed.text)
        self._connection.phase = Phase.CLOSING
        self._await_hanging_up(failed.text)

    def closed_by_client(self, found: Composite) -> None:
        """Its close, or its answer to ours."""
        connection = self._connection
        if connection.phase is Phase.CLOSING:
            self._leave("closed")
            return
        given = found.get("error")
        text = f": {given.get('condition')} {given.get('description', '')}" if given else ""
        reason = f"closed by the client{text}"
        self._give_up(reason)
        connection.send(performative(0, "close"))
        connection.phase = Phase.CLOSED
        self._peer.leaving(reason)
        self._await_hanging_up(reason)

    def shutdown(self) -> None:
        """The broker ends."""
        if self._connection.phase is Phase.OPEN:
            self._say(_forced("shutdown"))
        self._leave("the broker ended")

    def end(self, reason: str) -> None:
        """It is over."""
        connection = self._connection
        connection.phase = Phase.ENDED
        # First: of what is left of its work nobody is to go on who is gone.
        connection.blocking.end()
        connection.stop_working()
        self.stop_waiting()
        self._give_up(reason)
        self._gone(self._connection.id)

    def _leave(self, reason: str) -> None:
        """Nothing more is to be said: write what is left, then hang up."""
        self.end(reason)
        self._peer.close(reason)

    def _say(self, failed: Failed) -> None:
        self._connection.counts.closed("connection", failed.condition)
        self._connection.send(performative(0, "close", error=failed.error))

    def _give_up(self, reason: str) -> None:
        """Requeue, end consumers, delete exclusive queues: at once, before the next client."""
        connection = self._connection
        self._peer.ending()
        connection.stop_beating()
        connection.blocking.end()
        connection.sessions.stop()
        self._chores.do(connection.vhost.memory.making_room(self._giving_up(reason)))

    def _giving_up(self, reason: str) -> Steps:
        connection = self._connection
        yield from connection.sessions.ending(reason)
        yield from connection.vhost.ending_exclusive(connection.id)

    def _await_hanging_up(self, reason: str) -> None:
        self._timer.cancel()
        self._timer = self._clock.call_later(
            self._options.closing_time, lambda: self._peer.close(reason)
        )

    def _too_slow(self) -> None:
        text = f"AMQP 1.0 was not open within {self._options.handshake_timeout:g} s"
        self._connection.refused(text)
        self._peer.abort(text)


def _forced(reason: str) -> ConnectionFailed:
    """RabbitMQ's words for a connection that an operator or its own end closes."""
    return ConnectionFailed(INTERNAL_ERROR, f'Connection forced: "{reason}"')
