"""Where rules and holds meet a connection: one lane for each direction that is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import assert_never

from msgspec import Struct

from ..clock import Clock, Timer
from ..contract import Connection, Peer
from ..errors import InvalidInput, ProtocolError
from ..journal import IN, Row
from ..limits import Limits
from .actions import Changes, Delay, Disconnect, Drop, Refuse
from .holds import Holds
from .rules import Exchanges, Faults, Fired, Rule


class Misbehaviour(Struct, frozen=True):
    """What every lane of a process shares."""

    clock: Clock
    faults: Faults
    holds: Holds
    limits: Limits


class Lane:
    """One direction of one connection, frame by frame and in order.

    Each frame is asked about when it arrives. One that waits makes all behind it wait, as a slow
    network would: nothing overtakes. `forward` takes whole frames that may go on. Both lanes of a
    connection share its `exchanges`.
    """

    def __init__(
        self,
        direction: int,
        connection: Connection,
        peer: Peer,
        forward: Callable[[bytes], object],
        misbehaviour: Misbehaviour,
        exchanges: Exchanges,
    ) -> None:
        self.direction = direction
        self.connection = connection
        self.forward = forward
        self._peer = peer
        self._clock = misbehaviour.clock
        self._faults = misbehaviour.faults
        self._holds = misbehaviour.holds
        self._limits = misbehaviour.limits
        self._exchanges = exchanges
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
                self._in_turn(partial(self.forward, self._splitter.take() or data), len(data))
                return
            for frame in frames:
                if self._ended:
                    return
                self._admit(frame)
            if not (frames and self._splitter.pending):
                return
            # A splitter may report bytes that make no frame by the next call only.
            data = b""

    def end(self) -> None:
        """The connection is gone: what waits goes with it."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        for waiting in self._queue:
            if waiting.held:
                self._holds.forget(waiting.held)
        self._queue.clear()

    def rows(self, frame: bytes) -> list[Row]:
        """What a frame says, with who sent it and when."""
        rows = self.connection.rows(self.direction, frame)
        wall = self._clock.wall()
        for row in rows:
            row.connection = self._peer.id
            row.client = self.connection.client
            row.time = wall
            row.frame = frame
        return rows

    # One frame comes.

    def _admit(self, frame: bytes) -> None:
        rows = self.rows(frame)
        parts = self.connection.parts(rows)
        exchange = self._exchanges.of(rows[0])
        if self._faults.active:
            fired = self._faults.ask(parts, exchange)
            if fired is not None:
                self._holds.pass_by(parts, exchange)
                self._misbehave(fired, frame)
                return
        hold = self._holds.ask(parts, exchange) if self._holds.active else None
        if hold is None:
            self._in_turn(partial(self.forward, frame), len(frame))
        else:
            waiting = _Held(self, frame)
            self._enqueue(waiting)
            held = self._holds.hold(hold, rows, waiting)
            waiting.held = held.id
            self._holds.settle(held)

    def _misbehave(self, fired: Fired, frame: bytes) -> None:
        rule, size = fired.rule, len(frame)
        match rule.action:
            case Delay() as action:
                self._in_turn(partial(self.forward, frame), size, self._faults.seconds(action))
            case Disconnect() as action:
                self._in_turn(partial(self._disconnect, rule, action, frame), size)
            case Refuse() as action:
                code = action.codes[fired.parts[0].protocol]
                text = action.text or f"fault {rule.id}"
                self._in_turn(partial(self.refuse, frame, fired.parts, code, text), size)
            case Drop():
                pass
            case other:
                assert_never(other)

    def _disconnect(self, rule: Rule, action: Disconnect, frame: bytes) -> None:
        if action.after:
            self.forward(frame)
        reason = f"fault {rule.id} disconnects {rule.scope}"
        self._ended = True
        if action.reset:
            self._peer.abort(reason)
        else:
            self._peer.close(reason)

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        self.connection.refuse(frame, parts, code, text)
        if self.connection.out:
            self._peer.wake()

    # What waits, and in which order it goes on.

    def _in_turn(self, action: Callable[[], object], size: int, delay: float = 0.0) -> None:
        if delay <= 0 and not self._queue:
            action()
        else:
            self._enqueue(_Waiting(action, size, self._clock.now() + delay))

    def _enqueue(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        self._queued += waiting.size
        if self._queued > self._limits.delayed_bytes and not self._stalled:
            self._stall(True)
        if len(self._queue) == 1:
            self._arm()

    def run(self) -> None:
        """Let go what no longer waits, up to the first that does."""
        now = self._clock.now()
        queue = self._queue
        while queue and queue[0].due <= now and not self._ended:
            waiting = queue.popleft()
            self._queued -= waiting.size
            waiting.action()
        if self._stalled and self._queued <= self._limits.delayed_bytes // 2:
            self._stall(False)
        self._arm()
        if not queue and not self._ended:
            self._when_idle()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and self._queue[0].due != inf and not self._ended:
            due = self._queue[0].due
            self._timer = self._clock.call_later(due - self._clock.now(), self.run)

    def _stall(self, stalled: bool) -> None:
        self._stalled = stalled
        peer = self._peer
        if self.direction == IN:
            (peer.pause_reading if stalled else peer.resume_reading)()
        else:
            (peer.pause_sending if stalled else peer.resume_sending)()


class _Waiting:
    """What must wait its turn: until `due` (monotonic s; inf while a person holds it)."""

    __slots__ = ("action", "due", "held", "size")

    def __init__(self, action: Callable[[], object], size: int, due: float) -> None:
        self.action = action
        self.size = size
        self.due = due
        self.held = 0


class _Held(_Waiting):
    """A frame that a person holds: the `Waiting` of holds.py."""

    __slots__ = ("_frame", "_lane")

    def __init__(self, lane: Lane, frame: bytes) -> None:
        super().__init__(partial(lane.forward, frame), len(frame), inf)
        self._lane = lane
        self._frame = frame

    def release(self) -> None:
        self._settle(partial(self._lane.forward, self._frame))

    def drop(self) -> None:
        self._settle(_nothing)

    def refuse(self, code: int, text: str, match: Callable[[Row], bool] | None = None) -> None:
        lane, frame = self._lane, self._frame
        parts = lane.connection.parts(lane.rows(frame))
        if match is not None:
            # After an edit perhaps none of them does any more.
            parts = [part for part in parts if match(part)] or parts
        self._settle(partial(lane.refuse, frame, parts, code, text))

    def edit(self, changes: Mapping[int, Changes]) -> list[Row]:
        if all(each.empty for each in changes.values()):
            raise InvalidInput("nothing to change: give a payload, key, header or property")
        lane = self._lane
        # Counted at its first size in the lane: what it grows by is little.
        self._frame = lane.connection.edit(lane.direction, self._frame, changes)
        return lane.rows(self._frame)

    def _settle(self, action: Callable[[], object]) -> None:
        self.held = 0
        self.due = 0.0
        self.action = action
        self._lane.run()


def _nothing() -> None:
    """What is left of a frame that was dropped."""
