"""When one socket is read and written to: what it sends, or is sent, may have to wait.

Reading and sending are paused by several at once (a slow peer, a turn that is up, a lane, the
protocol's own limits), so both are counted: the first to pause and the last to resume act.
"""

from abc import abstractmethod

from .accepting import Accepting
from .events import PeerCaughtUp, PeerFellBehind
from .fairness import FULL
from .later import Later
from .outgoing import Outgoing


class Flow(Outgoing):
    """The half of an endpoint that knows when to go on."""

    __slots__ = ("_later", "_lost", "_stopped", "paused", "slow")

    id: int

    def __init__(self, server: Accepting) -> None:
        Outgoing.__init__(self, server)
        self._later: Later | None = None
        """What the peer sent and is not handled yet, while there is such."""
        self._lost = False
        """The connection is over, and is told of nothing more."""
        self.slow = False
        """The peer does not take what it is sent."""
        self.paused = 0
        self._stopped = 0

    @abstractmethod
    def handle(self, data: bytes) -> None:
        """Bytes of the peer whose turn it is."""

    @abstractmethod
    def _has_left(self) -> bool:
        """All that the client sent is handled."""

    @abstractmethod
    def abort(self, reason: str) -> None: ...

    def pause_writing(self) -> None:
        self.slow = True
        # Who does not read answers gets no more to answer, so that its output has an end.
        self.pause_reading()
        self.pause_sending()
        pending = self.transport.get_write_buffer_size()
        self.environment.usage.count("write_mark", 0)
        self._emit(PeerFellBehind(self.protocol, self.id, self.connection.client, pending))

    def resume_writing(self) -> None:
        self.slow = False
        self._emit(PeerCaughtUp(self.protocol, self.id, self.connection.client))
        self.resume_sending()
        self.resume_reading()
        self.flush_now()

    def flush_now(self) -> None:
        """Write all output, behind the answers of this turn that are yet to be written."""
        self.server.turns.answers.write()
        self.flush()

    def pause_reading(self) -> None:
        self.paused += 1
        if self.paused == 1 and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.paused -= 1
        # If any pause is left it is that of the bytes that wait: they may have their turn again.
        if self._later is not None and self._later.parked and self.paused == self._later.pauses:
            self._later.parked = False
            self.server.backlog.wait(self._later)
        if self.paused == 0 and not self.transport.is_closing():
            self.transport.resume_reading()

    def pause_sending(self) -> None:
        self._stopped += 1
        if self._stopped == 1 and not self._lost:
            self._set_writable(False)

    def resume_sending(self) -> None:
        self._stopped -= 1
        if self._stopped == 0 and not self._lost:
            self._set_writable(True)

    def _set_writable(self, writable: bool) -> None:
        try:
            self.connection.set_writable(writable)
        except Exception as error:
            self.fail(error, b"")
        self._go_on_later()

    def _go_on_later(self) -> None:
        """What the connection has not finished goes on in a later turn."""
        if self.connection.unfinished and self._later is None and not self.closing:
            self._wait(b"")

    def handle_of_many(self, data: bytes) -> None:
        """As `handle`, where a crowd's answers are gathered."""
        environment, turns = self.environment, self.server.turns
        if self.lanes is not None or environment.in_force.active:
            turns.answers.write()
            self.handle(data)
            return
        turn = environment.turn
        turn.until = turn.now() + turn.length
        try:
            tail = self.connection.receive(data)
        except Exception as error:
            self.fail(error, data)
            return
        # It may be another one than before (`become`).
        connection = self.connection
        pieces, answer = connection.out, b""
        if pieces and not self._awake:
            if len(pieces) == 1:
                answer = pieces.pop()
            else:
                self._awake = True
                turns.waiting.append(self)
        turns.answers.gathered.append((self, self._tape, data, answer, tail))
        if connection.unfinished:
            self._go_on_later()

    # What waits for another turn.

    def _wait(self, data: bytes) -> None:
        """Leave these bytes for a later turn of the loop, and the peer's next ones unread.

        But behind a read that is all that came nothing is to be expected of who waits for an
        answer to it: to pause and to resume is four system calls, which are spared him.
        """
        later = self._later
        if later is None:
            later = self._later = Later(self)
            self.server.backlog.wait(later)
            if not 0 < len(data) < FULL:
                later.pause()
        elif not later.pauses:
            later.pause()
        later.add(data)

    def handle_waiting(self, data: bytes) -> None:
        # Others may have been handled before it in this turn, and are kept before it.
        self.server.turns.answers.write()
        self.handle(data)

    def caught_up(self) -> None:
        later, self._later = self._later, None
        assert later is not None
        if later.pauses:
            self.resume_reading()
        elif later.ended:
            self._has_left()
