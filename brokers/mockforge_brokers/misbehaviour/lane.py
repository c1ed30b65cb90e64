"""Where rules and holds meet a connection: one lane for each direction that is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from math import inf
from typing import Final, assert_never

from msgspec import Struct

from ..clock import Clock, Timer
from ..contract import Connection, Peer
from ..errors import InvalidInput, ProtocolError
from ..journal import IN, OUT, Row
from ..limits import Limits
from ..usage import Usage
from .actions import (
    Blackhole,
    Block,
    Corrupt,
    Delay,
    Disconnect,
    Drop,
    Duplicate,
    Refuse,
    Reorder,
    SetFields,
    Throttle,
    Truncate,
)
from .damage import spoilt
from .holds import Holds
from .rules import OPEN, Exchanges, Faults, Fired, Rule
from .waiting import Aside, Held, Waiting, nothing

_MOST_LOOKS: Final = 1_000
"""Looks of frames that a lane remembers as no rule's concern."""


class Misbehaviour(Struct, frozen=True):
    """What every lane of a process shares."""

    clock: Clock
    faults: Faults
    holds: Holds
    limits: Limits
    usage: Usage


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
        self._usage = misbehaviour.usage
        self._exchanges = exchanges
        self._splitter = connection.splitter(direction)
        self._queue: deque[Waiting] = deque()
        self._queued = 0
        self._stalled = False
        self._timer: Timer | None = None
        self._ended = False
        self._version = (-1, -1)
        self._indifferent: set[tuple[Hashable, bool] | None] = set()
        self._aside: list[Aside] = []
        self._free_at: dict[int, float] = {}
        self._when_idle: Callable[[], object] = nothing

    @property
    def idle(self) -> bool:
        """Nothing waits in here, but perhaps the bytes of an incomplete frame."""
        exchanges = self._exchanges
        waits = self._queue or self._aside or exchanges.awaits_surplus
        return self._ended or not (waits or self.direction in exchanges.dark)

    def when_idle(self, callback: Callable[[], object]) -> None:
        """Call once all that waits has gone its way; never if the lane ends before."""
        self._when_idle = callback

    @property
    def pending(self) -> int:
        return self._splitter.pending

    def take_rest(self) -> bytes:
        return self._splitter.take()

    def open(self) -> None:
        """Ask the rules that name `op:open` about this connection, which was just accepted.

        It is left unread for a while, ended or muted; for other actions there is no frame.
        """
        peer = self._peer
        row = Row(peer.listener.protocol, IN, OPEN, peer.id, time=peer.opened)
        row.detail = {"address": peer.address, "listener": peer.listener.name}
        rule = self._faults.ask_opening(row)
        match rule.action if rule is not None else None:
            case Delay() as action:
                peer.pause_reading()
                self._clock.call_later(self._faults.seconds(action), peer.resume_reading)
            case Disconnect() as action:
                assert rule is not None
                self._disconnect(rule, action, b"")
            case Blackhole() as action:
                assert rule is not None
                self._darken(rule, action)

    def feed(self, data: bytes) -> None:
        """Let the frames that are whole now pass, wait or vanish."""
        dark = self._exchanges.dark
        while not self._ended:
            try:
                frames = self._splitter.feed(data)
            except ProtocolError:
                # The connection knows best what to say to bytes that make no frame.
                self._in_turn(partial(self.forward, self._splitter.take() or data), len(data))
                return
            if self.direction not in dark:
                self._admit_all(frames)
            if not (frames and self._splitter.pending):
                return
            # A splitter may report bytes that make no frame by the next call only.
            data = b""

    def end(self) -> None:
        """The connection is gone: what waits goes with it."""
        self._ended = True
        timers = [self._timer, *(aside.timer for aside in self._aside)]
        for timer in timers:
            if timer is not None:
                timer.cancel()
        self._aside.clear()
        for waiting in self._queue:
            if waiting.held:
                self._holds.forget(waiting.held)
        self._queue.clear()

    def rows(self, frame: bytes) -> list[Row]:
        """What a frame says, with who sent it and when."""
        rows = self.connection.rows(self.direction, frame)
        client = self.connection.client
        wall = self._clock.wall()
        for row in rows:
            row.connection = self._peer.id
            row.client = row.client or client or str(row.detail.get("client_id") or "")
            row.time = wall
            row.frame = frame
        return rows

    # Frames come.

    def _admit_all(self, frames: list[bytes]) -> None:
        """One after the other; what no rule can be about goes on in one piece."""
        version = (self._faults.version, self._holds.version)
        if version != self._version:
            self._version = version
            self._indifferent.clear()
        glance, direction, indifferent = self.connection.glance, self.direction, self._indifferent
        run: list[bytes] = []
        for frame in frames:
            seen = glance(direction, frame)
            if seen in indifferent and not self._exchanges.awaits_surplus:
                run.append(frame)
                continue
            self._pass_on(run)
            run = []
            if self._ended:
                return
            if direction not in self._exchanges.dark:
                self._admit(frame, seen)
        self._pass_on(run)

    def _pass_on(self, run: list[bytes]) -> None:
        if self._queue or self._aside or len(run) == 1:
            for frame in run:
                self._pass(frame)
        elif run:
            self.forward(b"".join(run))

    def _admit(self, frame: bytes, seen: tuple[Hashable, bool] | None) -> None:
        rows = self.rows(frame)
        parts = self.connection.parts(rows)
        exchange = self._exchanges.of(rows[0])
        if self.direction == OUT and self._exchanges.is_surplus(rows[0].correlation):
            return
        if self._faults.active:
            fired = self._faults.ask(parts, exchange)
            if fired is not None:
                self._holds.pass_by(parts, exchange)
                self._misbehave(fired, frame, rows)
                return
        hold = self._holds.ask(parts, exchange) if self._holds.active else None
        if hold is None:
            if seen is not None:
                self._look_for_less(seen, parts)
            self._pass(frame)
        else:
            waiting = Held(self, frame)
            self._enqueue(waiting)
            held = self._holds.hold(hold, rows, waiting)
            waiting.held = held.id
            self._holds.settle(held)

    def _look_for_less(self, seen: tuple[Hashable, bool], parts: list[Row]) -> None:
        """Where no rule can be about frames that look like this one, the next is not read."""
        placed = seen[1]
        if self._faults.may_match(parts, placed=placed):
            return
        if self._holds.may_match(parts, placed=placed):
            return
        if len(self._indifferent) >= _MOST_LOOKS:
            self._indifferent.clear()
        self._indifferent.add(seen)

    def _pass(self, frame: bytes, delay: float = 0.0) -> None:
        """The frame goes on in its turn, and those after it that were put behind it."""
        self._in_turn(partial(self.forward, frame), len(frame), delay)
        if self._aside:
            for aside in tuple(self._aside):
                aside.behind -= 1
                if aside.behind <= 0:
                    self._return(aside)

    def _misbehave(self, fired: Fired, frame: bytes, rows: list[Row]) -> None:
        rule = fired.rule
        match rule.action:
            case Delay() | Throttle() as action:
                self._pass(frame, self._wait(rule, action, len(frame)))
            case Disconnect() as action:
                self._in_turn(partial(self._disconnect, rule, action, frame), len(frame))
            case Blackhole() | Block() as action:
                self._silence(rule, action, frame)
            case Refuse() as action:
                code = action.codes[fired.parts[0].protocol]
                text = action.text or f"fault {rule.id}"
                self._in_turn(partial(self.refuse, frame, fired.parts, code, text), len(frame))
            case Duplicate() as action:
                self._pass(frame)
                again = partial(self._repeat, frame, rows[0], action)
                self._in_turn(again, len(frame) * action.copies)
            case Reorder() as action:
                self._put_aside(frame, action)
            case Corrupt() | Truncate() | SetFields() as action:
                self._pass(self._altered(rule, action, frame, rows))
            case Drop():
                pass
            case other:
                assert_never(other)

    def _altered(
        self, rule: Rule, action: Corrupt | Truncate | SetFields, frame: bytes, rows: list[Row]
    ) -> bytes:
        if not isinstance(action, SetFields):
            body = self.connection.body(frame)
            return spoilt(frame, rows, body, action, self._faults.random)
        try:
            return self.connection.set_fields(self.direction, frame, action.fields)
        except InvalidInput as error:
            text = f"{rows[0].operation} goes on unchanged: {error}"
            self._faults.warn(rule, rows[0].protocol, text)
            return frame

    def _silence(self, rule: Rule, action: Blackhole | Block, frame: bytes) -> None:
        if isinstance(action, Blackhole):
            self._darken(rule, action)
        else:
            self._block(rule, action, frame)

    def _block(self, rule: Rule, action: Block, frame: bytes) -> None:
        """The frame and all behind it wait, and no more is read, until the rule or time ends."""
        waiting = Waiting(partial(self.forward, frame), len(frame), inf)
        self._enqueue(waiting)
        self._peer.pause_reading()
        self._notify(action.reason)
        timers: list[Timer] = []

        def end() -> None:
            rule.effects.pop(waiting, None)
            for timer in timers:
                timer.cancel()
            if not self._ended:
                self._notify(None)
                waiting.due = 0.0
                self._peer.resume_reading()
                self.run()

        rule.effects[waiting] = end
        if action.duration is not None:
            timers.append(self._clock.call_later(action.duration, end))

    def _notify(self, reason: str | None) -> None:
        self.connection.notify_blocked(reason)
        if self.connection.out:
            self._peer.wake()

    def _wait(self, rule: Rule, action: Delay | Throttle, size: int) -> float:
        """How long a frame waits; throttled, so that those before and it keep to the rate."""
        if isinstance(action, Delay):
            return self._faults.seconds(action)
        cost = 0.0
        if action.bytes is not None:
            cost = size / action.bytes
        if action.messages is not None:
            cost = max(cost, 1 / action.messages)
        now = self._clock.now()
        free = max(now, self._free_at.get(rule.id, now)) + cost
        self._free_at[rule.id] = free
        return free - now

    def _disconnect(self, rule: Rule, action: Disconnect, frame: bytes) -> None:
        if action.after:
            self.forward(frame)
        elif action.mid and frame:
            self.forward(frame[: max(1, len(frame) // 2)])
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

    def _repeat(self, frame: bytes, row: Row, action: Duplicate) -> None:
        connection = self.connection
        if self.direction == OUT:
            again = connection.repeated(frame, dup=action.dup)
            for _ in range(action.copies):
                self.forward(again)
            return
        self._exchanges.repeated(row.correlation, action.copies)
        for _ in range(action.copies):
            if not self._ended:
                connection.repeat(frame, dup=action.dup)
        if connection.out:
            self._peer.wake()

    def _darken(self, rule: Rule, action: Blackhole) -> None:
        """Nothing passes any more, this way or both, until the rule's end resets the connection."""
        way = rule.match.direction
        reason = f"the black hole of fault {rule.id} ended"
        end = partial(self._peer.abort, reason)
        timer = None
        if action.duration is not None:
            timer = self._clock.call_later(action.duration, end)
        self._exchanges.darken({IN, OUT} if way is None else {way}, rule, end, timer)

    def _put_aside(self, frame: bytes, action: Reorder) -> None:
        aside = Aside(frame, action.behind)
        self._aside.append(aside)
        aside.timer = self._clock.call_later(action.wait, self._return, aside)

    def _return(self, aside: Aside) -> None:
        """What was put aside goes on."""
        self._aside.remove(aside)
        if aside.timer is not None:
            aside.timer.cancel()
        self._in_turn(partial(self.forward, aside.frame), len(aside.frame))
        self._look_if_idle()

    # What waits, and in which order it goes on.

    @property
    def queued(self) -> int:
        """Bytes of the frames that wait."""
        return self._queued

    def _in_turn(self, action: Callable[[], object], size: int, delay: float = 0.0) -> None:
        if delay <= 0 and not self._queue:
            action()
        else:
            self._enqueue(Waiting(action, size, self._clock.now() + delay))

    def _enqueue(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        self._queued += waiting.size
        if self._queued > self._limits.delayed_bytes and not self._stalled:
            self._usage.count("delayed_bytes", 0)
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
        self._look_if_idle()

    def _look_if_idle(self) -> None:
        if not self._ended and self.idle:
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
