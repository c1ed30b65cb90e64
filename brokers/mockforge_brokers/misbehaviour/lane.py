"""Where rules and holds meet a connection: one lane for each direction that is looked at.

A lane exists only while a rule or hold may concern its connection: without one, bytes go from
socket to connection as they came. When it comes, it takes over the bytes of the frame that is not
yet whole, and hands them back when it goes; it goes only when it is idle, or what waits in it would
be overtaken.

It stands between the bytes and the protocol, not in the protocol: an incoming frame that waits has
had no effect yet, an outgoing one has had its effect but was not seen. What is delayed first is
queued first, and one that waits holds up all behind it; only what a rule sets aside (a copy, a
frame to be overtaken) leaves the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ..clock import Clock
from ..contract import Connection, Peer, origin_of
from ..errors import ProtocolError
from ..journal import IN, OUT, Row
from ..limits import Limits
from ..usage import Usage
from .effects import Effects
from .exchanges import Exchanges
from .holds import Holds
from .in_force import InForce
from .queue import Queue
from .rules import Faults, Rule
from .skimming import UNSETTLED, Look
from .waiting import Held, nothing

_MOST_LOOKS: Final = 1_000
"""Looks of frames of which a lane remembers which rules can be about them."""


class Misbehaviour(Struct, frozen=True):
    """What every lane of a process shares."""

    clock: Clock
    faults: Faults
    holds: Holds
    in_force: InForce
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
        self.peer = peer
        self.clock = misbehaviour.clock
        self.faults = misbehaviour.faults
        self._holds = misbehaviour.holds
        self._limits = misbehaviour.limits
        self._usage = misbehaviour.usage
        self.exchanges = exchanges
        exchanges.lanes[direction] = self
        self._splitter = connection.splitter(direction)
        self._in_force = misbehaviour.in_force
        self._version = UNSETTLED
        """Of the rules that were asked about looks."""
        self._candidates: dict[Look, tuple[tuple[Rule, ...], bool]] = {}
        """By look: the faults that can be about such frames, and whether a hold can."""
        self._skim_with(connection)
        self._left = b""
        """Bytes of another version's frames, until its splitter cuts them."""
        self.queue = Queue(self.clock, self)
        self._stalled = False
        self._cut = False
        """The bytes so far end within a frame."""
        self._effects = Effects(self)
        self._when_drained: Callable[[], object] = nothing

    @property
    def drained(self) -> bool:
        """Nothing waits in here, but perhaps the bytes of an incomplete frame."""
        exchanges = self.exchanges
        return self.queue.ended or not (
            self.queue or self.direction in exchanges.dark | exchanges.cut.ways
        )

    @property
    def idle(self) -> bool:
        """Nor has it anything to do with what comes, as long as no rule is about that."""
        exchanges = self.exchanges
        return self.queue.ended or (self.drained and not exchanges.surplus and not exchanges.blocks)

    def when_drained(self, callback: Callable[[], object]) -> None:
        """Call once all that waits has gone its way; never if the lane ends before.

        Surplus answers are not waited for: some never come, and none does behind an end.
        """
        self._when_drained = callback

    @property
    def pending(self) -> int:
        return self._splitter.pending

    def take_rest(self) -> bytes:
        return self._splitter.take()

    def adopt(self, connection: Connection) -> None:
        """Another connection took over: it reads and cuts what comes from here on."""
        self.connection = connection
        self._left = self._splitter.take()
        self._splitter = connection.splitter(self.direction)
        self._skim_with(connection)

    def _skim_with(self, connection: Connection) -> None:
        self.skimmer = connection.skimmer(self.direction)
        # A look says something of one protocol's frames only.
        self._version = UNSETTLED

    def open(self) -> None:
        """Ask the rules that name `op:open` about this connection, which was just accepted."""
        self._effects.open()

    def close(self) -> None:
        """Ask the rules that name `op:close`: the end that comes through here may be late."""
        if not self.queue.ended:
            self._effects.close()

    def feed(self, data: bytes) -> None:
        """Let the frames that are whole now pass, wait or vanish."""
        self._feed(data)
        self._cut = bool(self._splitter.pending)
        self._settle()

    def _settle(self) -> None:
        """Let whole frames that no rule is about go past, as long as nothing is overtaken so.

        Most bursts beside rules for other destinations are such, and cost one look a frame.
        """
        exchanges = self.exchanges
        waits = self._cut or self.queue or self.queue.ended
        loud = exchanges.surplus or exchanges.dark or exchanges.cut.ways or exchanges.blocks
        self.skimmer.version = UNSETTLED if waits or loud else self._version

    def _feed(self, data: bytes) -> None:
        dark = self.exchanges.dark
        if self.exchanges.stopped(self.direction) and not self.queue.ended:
            self.exchanges.stop(self)
        while not self.queue.ended:
            try:
                frames = self._splitter.feed(data)
            except ProtocolError:
                # The connection knows best what to say to bytes that make no frame.
                self.queue.in_turn(partial(self.forward, self._splitter.take() or data), len(data))
                return
            # In the dark frames vanish, but they are cut all the same: it may end between two.
            if self.direction not in dark:
                self._admit_all(frames)
            else:
                self._keep_all_back(frames)
            data, self._left = self._left, b""
            if not (data or (frames and self._splitter.pending)):
                return
            # A splitter may report bytes that make no frame by the next call only.

    def end(self) -> None:
        """The connection is gone: what waits goes with it."""
        self.skimmer.version = UNSETTLED
        self._effects.end()
        if self.direction == IN:
            self.exchanges.blocks.end()
        held = [waiting.held for waiting in self.queue if waiting.held]
        self.queue.end()
        for number in held:
            self._holds.forget(number)

    def rows(self, frame: bytes) -> list[Row]:
        """What a frame says, with who sent it and when."""
        rows = self.connection.rows(self.direction, frame)
        client = self.connection.client
        wall = self.clock.wall()
        origin = origin_of(self.peer)
        # A CONNECT is matched before its user is known to be right.
        if not origin.user and (user := rows[0].detail.get("user_name")):
            origin = replace(origin, user=str(user))
        # Nor is a virtual host, when connection.open asks for it.
        if not origin.vhost and (vhost := rows[0].detail.get("virtual_host")):
            origin = replace(origin, vhost=str(vhost))
        for part, row in enumerate(rows):
            row.part = part
            row.origin = origin
            row.connection = self.peer.id
            row.client = row.client or client or str(row.detail.get("client_id") or "")
            row.time = wall
            row.frame = frame
        return rows

    # Frames come.

    def _admit_all(self, frames: list[bytes]) -> None:
        """One after the other; what no rule can be about goes on in one piece."""
        # What was learned of looks holds for the rules that were asked.
        version = self._in_force.version
        if version != self._version:
            self._version = version
            self._candidates.clear()
            self.skimmer.forget()
        glance, direction, indifferent = self.connection.glance, self.direction, self.skimmer.looks
        run: list[bytes] = []
        for frame in frames:
            seen = glance(direction, frame)
            if seen in indifferent and not self.exchanges.surplus:
                run.append(frame)
                continue
            # Frames of indifferent looks go on together, in front of the first that is asked about.
            self._pass_run(run)
            run = []
            if self.queue.ended:
                return
            if direction not in self.exchanges.dark:
                self._admit(frame, seen)
        self._pass_run(run)

    def _pass_run(self, run: list[bytes]) -> None:
        if self.queue:
            self._keep_all_back(run)
        if self.queue or len(run) == 1:
            for frame in run:
                self.queue.pass_on(frame)
        elif run:
            self.forward(b"".join(run))

    def _admit(self, frame: bytes, seen: Look | None) -> None:
        rows = self.rows(frame)
        parts = self.connection.parts(rows)
        exchange = self.exchanges.of(rows[0])
        if self.direction == OUT and self.exchanges.is_surplus(rows[0].correlation):
            return
        faults, may_hold = self._concerned(seen, parts)
        if faults:
            fired = self.faults.ask(parts, exchange, faults)
            if fired is not None:
                self._keep_back(rows)
                self._holds.pass_by(parts, exchange)
                self._effects.act(fired, frame, rows)
                return
        hold = self._holds.ask(parts, exchange) if may_hold else None
        if self.queue or hold is not None:
            self._keep_back(rows)
        if hold is None:
            self.queue.pass_on(frame)
        else:
            waiting = Held(self, frame)
            self.queue.add(waiting)
            held = self._holds.hold(hold, rows, waiting)
            waiting.held = held.id
            self._holds.settle(held)

    def _keep_back(self, rows: list[Row]) -> None:
        """What a client sent does not go in at once: somebody may want to know of it."""
        told = self.faults.kept_back
        if told is not None and self.direction == IN:
            told(rows, self.queue)

    def changed(self, rows: list[Row], frame: bytes | None) -> None:
        """Of what a client sent something else goes in: None where it cannot be read by itself."""
        told = self.faults.changed
        if told is not None and self.direction == IN:
            told(rows, [] if frame is None else self.rows(frame))

    def _keep_all_back(self, frames: list[bytes]) -> None:
        if self.faults.kept_back is not None:
            for frame in frames:
                self._keep_back(self.rows(frame))

    def _concerned(self, seen: Look | None, parts: list[Row]) -> tuple[tuple[Rule, ...], bool]:
        """The faults that can be about a frame, and whether a hold can; remembered by its look."""
        if seen is None:
            return self.faults.candidates(parts, placed=True), self._holds.active
        known = self._candidates.get(seen)
        if known is None:
            if len(self._candidates) >= _MOST_LOOKS:
                self._candidates.clear()
                self.skimmer.looks.clear()
            faults = self.faults.candidates(parts, placed=seen[1])
            known = faults, self._holds.may_match(parts, placed=seen[1])
            self._candidates[seen] = known
            if known == ((), False):
                self.skimmer.looks.add(seen)
        return known

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        self.connection.refuse(frame, parts, code, text)
        if self.connection.out:
            self.peer.wake()

    # What the queue reports.

    def work(self, call: Callable[[], object]) -> None:
        # Not in the midst of its bytes: what is kept because of it is waited for all the same.
        self.peer.work(call)

    def waits_more(self, size: int) -> None:
        self.skimmer.version = UNSETTLED
        if size > self._limits.delayed_bytes and not self._stalled:
            self._usage.count("delayed_bytes", 0)
            self._stall(True)

    def waits_less(self, size: int) -> None:
        # At half of it, or each frame that leaves would start and stop the socket.
        if self._stalled and size <= self._limits.delayed_bytes // 2:
            self._stall(False)
        self._settle()
        if not self.queue.ended and self.drained:
            self._when_drained()

    def _stall(self, stalled: bool) -> None:
        self._stalled = stalled
        peer = self.peer
        if self.direction == IN:
            (peer.pause_reading if stalled else peer.resume_reading)()
        else:
            (peer.pause_sending if stalled else peer.resume_sending)()
