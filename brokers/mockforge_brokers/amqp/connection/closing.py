"""How a connection ends: who says it, what is given up at once, and how long the other may wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...errors import ProtocolError
from ...events import ProtocolViolated
from ...fairness import Steps
from ..codes import ReplyCode, reply_text
from ..events import AMQP
from ..options import AmqpOptions
from .failures import FramingLost, ReaderCrashed, at_fault
from .phase import Phase

if TYPE_CHECKING:
    from ...clock import Clock
    from .connection import Connection

_SAID_IN_HANDSHAKE: Final = (ReplyCode.ACCESS_REFUSED, ReplyCode.NOT_ALLOWED)
"""What a client is told before it is trusted: its login or its virtual host is none."""
_ENDED: Final = Phase.ENDED
_CRASH: Final = (ReplyCode.INTERNAL_ERROR, (0, 0))


class Closing:
    """The end of one connection, and the one timer that bounds what it waits for.

    `deaf`: where the next frame begins is not known, so that nothing more is read.
    `forget` is called once, when it is over.
    """

    __slots__ = ("_clock", "_connection", "_forget", "_options", "_peer", "_timer", "deaf")

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        options: AmqpOptions,
        forget: Callable[[int], object],
    ) -> None:
        self.deaf = False
        self._connection = connection
        self._peer = connection.peer
        self._clock = clock
        self._options = options
        self._forget = forget
        self._timer = clock.call_later(options.handshake_timeout, self._too_slow)

    def stop_waiting(self) -> None:
        """What was waited for is there."""
        self._timer.cancel()

    def fail(self, error: ProtocolError) -> None:
        """The peer broke the rules: say so and end, or just end where RabbitMQ does."""
        connection = self._connection
        if connection.phase in (Phase.CLOSING, Phase.CLOSED):
            # We have had our last word on it, and wait for no more than its hanging up.
            self.deaf = isinstance(error, FramingLost)
            return
        cause = error.__cause__.__cause__ if error.__cause__ else None
        if not connection.denied:
            self._violated(
                f"{error.text} ({cause})" if isinstance(cause, ProtocolError) else error.text
            )
        if connection.phase is Phase.HEADER:
            self.leave(error.text)
        elif isinstance(error, ReaderCrashed):
            self._peer.abort(error.text)
        elif connection.phase is Phase.HANDSHAKE and error.code not in _SAID_IN_HANDSHAKE:
            # RabbitMQ keeps silent for a while, against those who try passwords.
            connection.phase = Phase.ENDED
            self._arm(self._options.close_timeout, lambda: self._peer.abort(error.text))
        else:
            self.close(error.code or ReplyCode.FRAME_ERROR, error.text, at_fault(error))
            self.deaf = isinstance(error, FramingLost)
            if self.deaf or error.code == ReplyCode.ACCESS_REFUSED:
                self._arm(self._options.close_timeout, lambda: self._peer.close(error.text))

    def close(self, code: int, text: str, ids: tuple[int, int]) -> None:
        """Send connection.close, wait for its answer; `ids` name the method at fault.

        Asked a second time it does not wait.
        """
        connection = self._connection
        if connection.phase is Phase.ENDED:
            return
        if connection.phase in (Phase.HEADER, Phase.CLOSING, Phase.CLOSED):
            self._peer.close(text)
            return
        self._say(code, text, ids)
        self._give_up(text)
        connection.phase = Phase.CLOSING
        self._arm(self._patience, lambda: self._peer.close(text))

    def closed_by_client(self, code: int, text: str) -> None:
        """It said so and hangs up itself; who hung up first would cut the answer's way to it."""
        reason = f"closed by the client: {code} {text}"
        self._give_up(reason)
        self._connection.phase = Phase.CLOSED
        self._peer.leaving(reason)
        self._arm(self._patience, lambda: self._peer.close(reason))

    def shutdown(self) -> None:
        """The broker ends."""
        if self._connection.phase is Phase.OPEN:
            text = "broker forced connection closure with reason 'shutdown'"
            self._say(ReplyCode.CONNECTION_FORCED, text, (0, 0))
        self.leave("the broker ended")

    def leave(self, reason: str) -> None:
        """Nothing more is to be said: write what is left, then hang up."""
        self.end(reason)
        self._peer.close(reason)

    def end(self, reason: str) -> None:
        """It is over."""
        self._connection.phase = _ENDED
        # First: of what is left of its work nobody is to go on who is gone.
        self._connection.blocking.end()
        # What is not done yet ends here, and lets dead letters go that waited for it.
        self._connection.reader.work = None
        self.stop_waiting()
        self._give_up(reason)
        self._forget(self._connection.id)

    @property
    def _patience(self) -> float:
        """Seconds that the client has to answer our close, or to hang up after its own."""
        return min(self._connection.agreement.heartbeat or math.inf, self._options.closing_time)

    def _say(self, code: int, text: str, ids: tuple[int, int]) -> None:
        connection = self._connection
        if not connection.out:
            self._peer.wake()
        connection.counts.sent["connection.close"] += 1
        connection.counts.closed("connection", code)
        connection.out.append(
            connection.method_frame(
                0,
                "connection.close",
                reply_code=code,
                # RabbitMQ keeps the reason of an internal error to its log, if no method is named.
                reply_text=reply_text(code, "" if (code, ids) == _CRASH else text),
                class_id=ids[0],
                method_id=ids[1],
            )
        )

    def _give_up(self, reason: str) -> None:
        """Requeue, end consumers, delete exclusive queues: at once, before the next client."""
        connection = self._connection
        self._peer.ending()
        if connection.heartbeat is not None:
            connection.heartbeat.stop()
        connection.blocking.end()
        connection.chores.do(connection.vhost.memory.making_room(self._giving_up(reason)))

    def _giving_up(self, reason: str) -> Steps:
        connection = self._connection
        yield from connection.channels.ending(reason)
        yield from connection.vhost.ending_exclusive(connection.id)

    def _arm(self, delay: float, callback: Callable[[], object]) -> None:
        self._timer.cancel()
        self._timer = self._clock.call_later(delay, callback)

    def _too_slow(self) -> None:
        expected = self._connection.handshake.expected
        self.abort(f"no {expected} within {self._options.handshake_timeout:g} s")

    def abort(self, text: str) -> None:
        """It broke the rules by its silence: a reset."""
        self._violated(text)
        self._peer.abort(text)

    def _violated(self, text: str) -> None:
        connection = self._connection
        connection.spine.emit(ProtocolViolated(AMQP, connection.id, connection.client, text))
