"""Where faults and holds meet a connection: one lane for each direction that is looked at."""

from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf

from .clock import Timer
from .contract import Connection, Peer
from .environment import Environment
from .errors import ProtocolError
from .faults import Rule
from .journal import IN, Row


class _Waiting:
    """A frame that must wait: until `due` (monotonic s; inf while a person holds it)."""

    __slots__ = ("action", "due", "held", "size")

    def __init__(self, action: Callable[[], object], size: int, due: float) -> None:
        self.action = action
        self.size = size
        self.due = due
        self.held = 0


class Lane:
    """One direction of one connection, frame by frame and in order.

    Each frame is asked about when it arrives. One that waits makes all behind it wait, as a slow
    network would: nothing overtakes. `forward` takes whole frames that may go on.
    """

    def __init__(
        self,
        direction: int,
        connection: Connection,
        peer: Peer,
        environment: Environment,
        forward: Callable[[bytes], object],
    ) -> None:
        self._direction = direction
        self._connection = connection
        self._peer = peer
        self._environment = environment
        self._forward = forward
        self._splitter = connection.splitter(direction)
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._stalled = False
        self._timer: Timer | None = None
        self._ended = False
        self._when_idle: Callable[[], object] = _nothing

    @property
    def idle(self) -> bool:
        """Nothing waits in here, but perhaps the bytes of an incomplete frame."""
        return not self._queue or self._ended

    def when_idle(self, callback: Callable[[], object]) -> None:
        """Call once all that waits has gone its way; never if the lane ends before."""
        self._when_idle = callback

    @property
    def pending(self) -> int:
        return self._splitter.pending

    def take_rest(self) -> bytes:
        return self._splitter.take()

    def feed(self, data: bytes) -> None:
        """Let the frames that are whole now pass, wait or vanish."""
        while not self._ended:
            try:
                frames = self._splitter.feed(data)
            except ProtocolError:
                # The connection knows best what to say to bytes that make no frame.
                self._send_on(self._splitter.take() or data, 0.0)
                return
            for frame in frames:
                if self._ended:
                    return
                self._admit(frame)
            if not (frames and self._splitter.pending):
                return
            # A splitter may tell of bytes that make no frame by the next call only.
            data = b""

    def end(self) -> None:
        """The connection is gone: what waits goes with it."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        for waiting in self._queue:
            if waiting.held:
                self._environment.holds.forget(waiting.held)
        self._queue.clear()

    def _admit(self, frame: bytes) -> None:
        environment = self._environment
        rows = self._rows(frame)
        rule = environment.faults.ask(rows) if environment.faults.active else None
        if rule is not None:
            self._misbehave(rule, frame)
            return
        hold = environment.holds.ask(rows) if environment.holds.active else None
        if hold is None:
            self._send_on(frame, 0.0)
            return
        waiting = self._wait(partial(self._forward, frame), len(frame), inf)

        def settle(forward: bool) -> None:
            waiting.held = 0
            waiting.due = 0.0
            if not forward:
                waiting.action = _nothing
            self._run()

        waiting.held = environment.holds.hold(hold, rows, settle).id

    def _misbehave(self, rule: Rule, frame: bytes) -> None:
        if rule.kind == "delay":
            self._send_on(frame, self._environment.faults.seconds(rule))
        elif rule.kind == "disconnect":
            self._in_turn(partial(self._disconnect, rule, frame), len(frame), 0.0)

    def _disconnect(self, rule: Rule, frame: bytes) -> None:
        if rule.after:
            self._forward(frame)
        reason = f"fault {rule.id} disconnects {rule.scope}"
        self._ended = True
        if rule.reset:
            self._peer.abort(reason)
        else:
            self._peer.close(reason)

    def _send_on(self, frame: bytes, delay: float) -> None:
        self._in_turn(partial(self._forward, frame), len(frame), delay)

    def _in_turn(self, action: Callable[[], object], size: int, delay: float) -> None:
        if delay <= 0 and not self._queue:
            action()
        else:
            self._wait(action, size, self._environment.clock.now() + delay)

    def _rows(self, frame: bytes) -> list[Row]:
        rows = self._connection.rows(self._direction, frame)
        wall = self._environment.clock.wall()
        for row in rows:
            row.connection = self._peer.id
            row.client = self._connection.client
            row.time = wall
            row.frame = frame
        return rows

    def _wait(self, action: Callable[[], object], size: int, due: float) -> _Waiting:
        waiting = _Waiting(action, size, due)
        self._queue.append(waiting)
        self._queued += size
        if self._queued > self._environment.limits.delayed_bytes and not self._stalled:
            self._stall(True)
        if len(self._queue) == 1:
            self._arm()
        return waiting

    def _run(self) -> None:
        now = self._environment.clock.now()
        queue = self._queue
        while queue and queue[0].due <= now and not self._ended:
            waiting = queue.popleft()
            self._queued -= waiting.size
            waiting.action()
        if self._stalled and self._queued <= self._environment.limits.delayed_bytes // 2:
            self._stall(False)
        self._arm()
        if not queue and not self._ended:
            self._when_idle()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and self._queue[0].due != inf and not self._ended:
            clock = self._environment.clock
            self._timer = clock.call_later(self._queue[0].due - clock.now(), self._run)

    def _stall(self, stalled: bool) -> None:
        self._stalled = stalled
        peer = self._peer
        if self._direction == IN:
            (peer.pause_reading if stalled else peer.resume_reading)()
        else:
            (peer.pause_sending if stalled else peer.resume_sending)()


def _nothing() -> None:
    """What is left of a frame that was dropped."""
