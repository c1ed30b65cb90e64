"""What the actions of rules do to the frames of a lane, and to its connection."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

from ..contract import origin_of
from ..errors import BrokerError, InvalidInput
from ..journal import IN, OUT, Row
from ..protocols import title_of
from .actions import (
    Blackhole,
    Block,
    Corrupt,
    Delay,
    Disconnect,
    Drop,
    Duplicate,
    Inject,
    Join,
    Partition,
    Refuse,
    Reorder,
    SetFields,
    Slice,
    Throttle,
    Truncate,
    Watch,
)
from .damage import damaged
from .possible import AT_AN_END, CLOSE, OPEN
from .rules import Fired, Rule
from .waiting import nothing

if TYPE_CHECKING:
    from .lane import Lane


_MOST_REPEATED: Final = 16 * 1024 * 1024
"""Bytes of all repetitions of a frame: they are handled, or written, in one turn of the loop."""
_MOST_PIECES: Final = 1_000
"""Of a frame that is sliced: each waits in the lane's queue by itself."""


class Effects:
    """The actions in one lane; what lasts longer than a frame is kept here or with its rule."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._free_at: dict[int, float] = {}
        self._slowing: set[Rule] = set()

    def end(self) -> None:
        """The connection is gone: its rules have no more to do with it."""
        for rule in self._slowing:
            rule.effects.pop(self, None)
        self._slowing.clear()

    def open(self) -> None:
        """Ask the rules that name `op:open` about this connection, which was just accepted.

        What it sends waits for a while, or it is ended or muted; for others there is no frame.
        """
        lane = self._lane
        peer = lane.peer
        row = self._row(OPEN, peer.opened)
        rule = lane.faults.ask_at_an_end(row, AT_AN_END[OPEN])
        match rule.action if rule is not None else None:
            case Delay() as action:
                assert rule is not None
                # Not by leaving the socket unread: uvloop begins to read once we return from here.
                lane.queue.in_turn(nothing, 0, self._wait(rule, action, 0), rule.id)
            case Disconnect() as action:
                assert rule is not None
                self._disconnect(rule, action, b"")
            case Blackhole() as action:
                assert rule is not None
                self._darken(rule, action)
            case Partition() as action:
                assert rule is not None
                self._part(rule, action)

    def close(self) -> None:
        """Ask the rules that name `op:close` about the end, which comes through this lane.

        Whose end it is has it behind itself; the other side finds out later.
        """
        lane = self._lane
        rule = lane.faults.ask_at_an_end(self._row(CLOSE, lane.clock.wall()), AT_AN_END[CLOSE])
        if rule is not None:
            assert isinstance(rule.action, Delay)
            lane.queue.in_turn(nothing, 0, self._wait(rule, rule.action, 0), rule.id)

    def _row(self, operation: str, time: float) -> Row:
        """What a connection's beginning or end is to a filter: no frame says it."""
        lane = self._lane
        peer = lane.peer
        way = IN if operation == OPEN else lane.direction
        row = Row(peer.listener.protocol, way, operation, peer.id, lane.connection.client)
        row.time = time
        row.origin = origin_of(peer)
        row.detail = {"address": peer.address, "listener": peer.listener.name}
        return row

    def act(self, fired: Fired, frame: bytes, rows: list[Row]) -> None:
        """Do to a frame, which has these rows, what the rule says that fired for it."""
        lane = self._lane
        rule = fired.rule
        match rule.action:
            case Delay() | Throttle() as action:
                lane.queue.pass_on(frame, self._wait(rule, action, len(frame)), rule.id)
            case Slice() | Join() as action:
                self._regroup(rule, action, frame)
            case Disconnect() as action:
                lane.queue.in_turn(partial(self._disconnect, rule, action, frame), len(frame))
            case Blackhole() | Block() | Partition() as action:
                self._silence(rule, action, frame)
            case Refuse() as action:
                code = action.codes[fired.parts[0].protocol]
                text = action.text or f"fault {rule.id}"
                lane.queue.in_turn(partial(lane.refuse, frame, fired.parts, code, text), len(frame))
            case Duplicate() | Inject() as action:
                self._add(rule, action, frame, rows[0])
            case Reorder() as action:
                self._slow(rule)
                lane.queue.put_aside(frame, action, rule.id)
            case Corrupt() | Truncate() | SetFields() | Watch() as action:
                lane.queue.pass_on(self._altered(rule, action, frame, rows))
            case Drop():
                pass
            case other:
                assert_never(other)

    def _altered(
        self,
        rule: Rule,
        action: Corrupt | Truncate | SetFields | Watch,
        frame: bytes,
        rows: list[Row],
    ) -> bytes:
        lane = self._lane
        if isinstance(action, Watch):
            return frame
        if isinstance(action, SetFields):
            try:
                altered = lane.connection.set_fields(lane.direction, frame, action.fields)
            except BrokerError as error:
                # Also one that makes no sense: its connection is to say so, when it gets there.
                text = f"{rows[0].operation} goes on unchanged: {error}"
                lane.faults.warn(rule, rows[0].protocol, text)
                return frame
        else:
            body = lane.connection.body(frame)
            altered = damaged(frame, rows, body, action, lane.faults.random)
        # What is cut off is made up for by what comes behind it.
        lane.changed(rows, None if isinstance(action, Truncate) else altered)
        return altered

    def _add(self, rule: Rule, action: Duplicate | Inject, frame: bytes, row: Row) -> None:
        """More goes on than the frame."""
        if isinstance(action, Inject):
            self._inject(rule, action, frame, row)
            return
        queue = self._lane.queue
        queue.pass_on(frame)
        copies = min(action.copies, max(1, _MOST_REPEATED // len(frame)))
        if copies < action.copies:
            text = f"{row.operation} of {len(frame):,} bytes is repeated {copies:,} times only"
            self._lane.faults.warn(rule, row.protocol, text)
        # In turn, and not at once: the frame itself may wait behind others.
        repeat = partial(self._repeat, frame, row, copies, dup=action.dup)
        queue.in_turn(repeat, len(frame) * copies)

    def _inject(self, rule: Rule, action: Inject, frame: bytes, row: Row) -> None:
        """Past the lane's splitter, which would wait for the end of a packet that has none."""
        lane = self._lane
        try:
            data = self._packet(row.protocol, action.packet)
        except InvalidInput as error:
            lane.faults.warn(rule, row.protocol, f"nothing is sent behind {row.operation}: {error}")
            lane.queue.pass_on(frame)
            return
        if not action.instead:
            lane.queue.pass_on(frame)
        lane.queue.in_turn(partial(lane.forward, data), len(data))

    def _packet(self, protocol: str, name: str) -> bytes:
        """By its name, or the bytes themselves; raises InvalidInput."""
        if name.startswith("0x"):
            return bytes.fromhex(name[2:])
        make = self._lane.connection.malformed
        if make is None:
            title = title_of(protocol)
            raise InvalidInput(f"{title} has no malformed packet {name}: give the bytes (0x...)")
        return make(name)

    def _silence(self, rule: Rule, action: Blackhole | Block | Partition, frame: bytes) -> None:
        match action:
            case Blackhole():
                self._darken(rule, action)
            case Partition():
                self._part(rule, action)
                self._lane.queue.pass_on(frame)
            case _:
                self._lane.exchanges.block(self._lane, rule, action)
                self._lane.queue.pass_on(frame)

    def _wait(self, rule: Rule, action: Delay | Throttle, size: int) -> float:
        """How long a frame waits; throttled, so that those before and it keep to the rate."""
        self._slow(rule)
        if isinstance(action, Delay):
            return self._lane.faults.seconds(action)
        cost = 0.0
        if action.bytes is not None:
            cost = size / action.bytes
        if action.messages is not None:
            cost = max(cost, 1 / action.messages)
        return self._occupy(rule, cost)

    def _regroup(self, rule: Rule, action: Slice | Join, frame: bytes) -> None:
        """The same bytes, in smaller or larger pieces."""
        self._slow(rule)
        queue = self._lane.queue
        if isinstance(action, Join):
            queue.join(frame, action, rule.id)
            return
        size = max(action.size, -(-len(frame) // _MOST_PIECES))
        pieces = [frame[at : at + size] for at in range(0, len(frame), size)]
        # The first goes at once where the line is free, and the next frame as if it were one more.
        waits = [self._occupy(rule, action.wait) - action.wait for _ in pieces]
        for piece, wait in zip(pieces[:-1], waits, strict=False):
            queue.in_turn(partial(self._lane.forward, piece), len(piece), wait, rule.id)
        queue.pass_on(pieces[-1], waits[-1], rule.id)

    def _slow(self, rule: Rule) -> None:
        """What it makes wait goes on when it ends."""
        if rule not in self._slowing:
            self._slowing.add(rule)
            rule.effects[self] = partial(self._hurry, rule)

    def _occupy(self, rule: Rule, cost: float) -> float:
        """Seconds until the line has carried what takes it so long.

        It is busy until what it carries is through; idle time does not save up, so that no burst
        goes faster than the rate.
        """
        now = self._lane.clock.now()
        free = max(now, self._free_at.get(rule.id, now)) + cost
        self._free_at[rule.id] = free
        return free - now

    def _hurry(self, rule: Rule) -> None:
        """The rule ended: what waits for it goes on, or a thin line would outlast it."""
        self._slowing.discard(rule)
        self._free_at.pop(rule.id, None)
        self._lane.queue.hurry(rule.id)

    def _disconnect(self, rule: Rule, action: Disconnect, frame: bytes) -> None:
        lane = self._lane
        if action.after:
            lane.forward(frame)
            # It had its effect and its client is not to know: the answer would be written before
            # the end, and those to what came just before it go the same way.
            lane.connection.out.clear()
        elif action.mid and frame:
            # One byte at least, or the end would not be within the frame.
            lane.forward(frame[: max(1, len(frame) // 2)])
        reason = f"fault {rule.id} disconnects {rule.scope}"
        lane.queue.ended = True
        if action.reset:
            lane.peer.abort(reason)
        else:
            lane.peer.close(reason)

    def _repeat(self, frame: bytes, row: Row, copies: int, *, dup: bool) -> None:
        lane = self._lane
        connection = lane.connection
        if lane.direction == OUT:
            again = connection.repeated(frame, dup=dup)
            for _ in range(copies):
                lane.forward(again)
            return
        lane.exchanges.repeated(row, copies)
        for _ in range(copies):
            if not lane.queue.ended:
                connection.repeat(frame, dup=dup)
        if connection.out:
            lane.peer.wake()

    def _darken(self, rule: Rule, action: Blackhole) -> None:
        """Nothing passes any more, this way or both, until the rule's end resets the connection."""
        lane = self._lane
        way = rule.match.direction
        reason = f"the black hole of fault {rule.id} ended"
        end = partial(lane.peer.abort, reason)
        timer = None
        if action.duration is not None:
            timer = lane.clock.call_later(action.duration, end)
        lane.exchanges.darken({IN, OUT} if way is None else {way}, rule, end, timer)

    def _part(self, rule: Rule, action: Partition) -> None:
        """What either side sends from here on waits for the rule's or the partition's end.

        Nothing is reset at its end, unlike a black hole's: what a network loses TCP sends again.
        """
        way = rule.match.direction
        lane = self._lane
        lane.exchanges.part({IN, OUT} if way is None else {way}, rule, action, lane.clock)
        cut = lane.exchanges.cut
        if lane.direction in cut.ways:
            cut.stop(lane)  # The frame that it fired for is the first that waits.
