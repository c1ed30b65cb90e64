"""One client's session: what is on its way to it, what waits, what it subscribed to.

A message of QoS 1 or 2 to the client is in one of three places, and moves only forward:

  queue     it waits: the client is away or slow, the window (Receive Maximum) is full, as many
            bytes as may are in flight, or older ones wait, which it must not overtake.
  inflight  it has a packet id, until PUBACK (QoS 1) or PUBREC; then RELEASED stands in its place,
            since a QoS 2 message is the client's from PUBREC on, until PUBCOMP frees the id.
            The dict keeps the order of sending, which is the order of sending again.
  unsent    ids of `inflight` that a new connection has not been sent yet. While there are any,
            nothing new goes out, and they do not count against the window that lets them out.

QoS 0 is never kept: it goes into the socket's buffer, or is counted as dropped or missed.
`pump` moves on whatever may move; it is called by each acknowledgement and stops when its turn is
up, to go on in a later one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from math import inf
from types import MappingProxyType
from typing import Final

from ...clock import Clock, Timer
from ...fairness import Turn
from ...limits import Limits
from ..codes import PacketType
from ..records import Message, cost_of
from .sink import Sink
from .subscriptions import Subscription

LAST_ID: Final = 65_535
LARGE: Final = 32 * 1024
"""Bytes of a packet from which on its pieces are written as they are, and not joined."""
_AT_ONCE: Final = 64
"""Messages that are sent between two looks at the time."""
_BETWEEN_SEARCHES: Final = 1.0
"""Seconds from one search of a full queue for what is over to the next."""

_NOTHING: Final[deque[Message]] = deque(maxlen=0)
"""The queue of a session where nothing waits yet. Most never have one of their own: an empty one
takes 600 bytes, and a good part of the time of a connect."""

_NONE_LEFT_OUT: Final[Mapping[str, int]] = MappingProxyType({})
EXPIRED, OVERSIZED, OWN = "expired", "oversized", "own"
"""Why a message was rightly not sent: its expiry was over, it was larger than the client's Maximum
Packet Size, or the client published it itself and asked for No Local."""

RELEASED: Final = None
"""In place of a QoS 2 message whose PUBREC came: only PUBREL and PUBCOMP are left."""


Reads = Callable[[str], bool]
"""Whether a topic's messages may be delivered."""


class Session:
    """State that may outlive connections (4.1); connected while it has a sink."""

    __slots__ = (
        "_clock",
        "_most",
        "_most_backlog",
        "_most_bytes",
        "_overflowed",
        "_pumping",
        "_search_at",
        "_turn",
        "_withheld_bytes",
        "client_id",
        "dropped",
        "ended",
        "ends",
        "expiry",
        "expiry_timer",
        "inbound",
        "inflight",
        "inflight_bytes",
        "inflight_payload",
        "last_id",
        "left_out",
        "missed",
        "queue",
        "queued_bytes",
        "queued_payload",
        "reads",
        "ready",
        "separate",
        "sink",
        "slow",
        "subscribed",
        "subscriptions",
        "unsent",
        "will",
        "will_delay",
        "will_due",
        "will_timer",
        "window",
        "withheld",
    )

    def __init__(
        self,
        client_id: str,
        clock: Clock,
        limits: Limits,
        overflowed: Callable[["Session", str], None],
        turn: Turn,
    ) -> None:
        self.client_id = client_id
        self.sink: Sink | None = None
        self.ready = False
        """Connected, and its peer takes what it is sent."""
        self.reads: Reads | None = None
        """Asked for each topic before its messages are delivered; None: it may read them all."""
        self.separate = False
        """Each of its subscriptions that matches brings a message of its own."""
        self.slow = False
        """Connected, and its peer reads less than it is sent."""
        self.window = LAST_ID
        """How many QoS 1 and 2 messages may be unacknowledged (Receive Maximum)."""
        self.inflight: dict[int, Message | None] = {}
        """By packet id, in the order of sending, until PUBACK or PUBCOMP."""
        self.inflight_bytes = 0
        """What those in flight cost (`cost_of`)."""
        self.inflight_payload = 0
        self.queue = _NOTHING
        self.queued_bytes = 0
        self.queued_payload = 0
        self._search_at = 0.0
        """Before this clock time none behind the oldest of the queue is looked for that is over."""
        self.inbound: set[int] = set()
        """Packet ids of QoS 2 publishes whose PUBREL is awaited."""
        self.withheld: dict[int, Message] | None = None
        """Those of them that are handed on at their PUBREL."""
        self._withheld_bytes = 0
        self.left_out = _NONE_LEFT_OUT
        """How many messages, by why they were."""
        self.subscriptions: dict[str, Subscription] = {}
        self.subscribed = 0
        """What its filters count for together (`weight_of`)."""
        self.last_id = 0
        self.dropped = 0
        self.missed = 0
        """QoS 0 messages that came while the client was away, which nobody keeps."""
        self.expiry: float | None = 0.0
        """Seconds that the session outlives its connection; None is for ever."""
        self.ends: float | None = None
        """When a session without a connection ends, by the clock; None is never."""
        self.expiry_timer: Timer | None = None
        self.will: Message | None = None
        self.will_delay = 0.0
        self.will_due: float | None = None
        """When the will is published, by the clock; None while there is a connection."""
        self.will_timer: Timer | None = None
        self.ended = False
        self._clock = clock
        self._most = limits.mqtt_session_queue
        self._most_bytes = limits.mqtt_session_bytes
        self._most_backlog = limits.mqtt_backlog
        self._overflowed = overflowed
        self._turn = turn
        self._pumping: Timer | None = None
        self.unsent: list[int] = []
        """Packet ids that were in flight before this connection and are yet to be sent again, the
        next one last."""

    def deliver(self, message: Message) -> bool:
        """Send, or keep for later; False when the message is lost to this client."""
        if message.qos == 0:
            return self._deliver_at_once(message)
        if not self.ready:
            return self._enqueue(message)
        # `cost_of`, written out.
        cost = len(message.payload) + len(message.topic_name) + message.weight
        packet_id = self.begin(message, cost)
        if packet_id > 0:
            self._send(packet_id, message)
        return packet_id >= 0

    def _deliver_at_once(self, message: Message) -> bool:
        """QoS 0 waits in the socket's buffer or nowhere."""
        sink = self.sink
        if sink is None:
            self.missed += 1
            return False
        if self.ready or (self.slow and sink.backlog < self._most_backlog):
            if not sink.deliver(0, message):
                self.leave_out(OVERSIZED)
            return True
        self._lose("mqtt_backlog")
        return False

    def awaits(self, packet_id: int) -> PacketType | None:
        """The acknowledgement that is due next for a packet id; None when nothing has it."""
        if packet_id not in self.inflight:
            return None
        message = self.inflight[packet_id]
        if message is RELEASED:
            return PacketType.PUBCOMP
        return PacketType.PUBACK if message.qos == 1 else PacketType.PUBREC

    def begin(self, message: Message, cost: int) -> int:
        """Put a QoS 1 or 2 message in flight: its packet id, 0 when it waits, -1 when it is lost.

        `cost` is its `cost_of`, the same for all who get it. The caller sends it, and says
        `begun`; the session must be ready.
        """
        inflight = self.inflight
        if (
            self.queue
            or self.unsent
            or len(inflight) >= self.window
            or self.inflight_bytes >= self._most_bytes
        ):
            return 0 if self._enqueue(message) else -1
        # As begin_waiting, written out: this is on the way of each message.
        packet_id = self.last_id + 1
        if packet_id > LAST_ID:
            packet_id = 1
        while packet_id in inflight:
            packet_id = packet_id % LAST_ID + 1
        self.last_id = packet_id
        inflight[packet_id] = message
        self.inflight_bytes += cost
        self.inflight_payload += len(message.payload)
        return packet_id

    def begin_all(self, messages: Sequence[Message], cost: int, payload: int) -> int:
        """As `begin` of each of these, of which all cost and have so much together: the packet id
        of the first, from which on theirs follow each other. 0, and nothing is done, where they
        would not, or some would wait."""
        inflight, first = self.inflight, self.last_id + 1
        ids = range(first, first + len(messages))
        if (
            self.queue
            or self.unsent
            or len(inflight) + len(messages) > self.window
            or self.inflight_bytes + cost > self._most_bytes
            or ids[-1] > LAST_ID
            or not inflight.keys().isdisjoint(ids)
        ):
            return 0
        self.last_id = ids[-1]
        inflight.update(zip(ids, messages, strict=True))
        self.inflight_bytes += cost
        self.inflight_payload += payload
        return first

    def begin_waiting(self, message: Message, cost: int) -> int:
        """Put in flight what waited long enough: its packet id."""
        inflight = self.inflight
        packet_id = self.last_id + 1
        if packet_id > LAST_ID:
            packet_id = 1
        # After 65,535 messages a slow client may still have the early ones in flight.
        while packet_id in inflight:
            packet_id = packet_id % LAST_ID + 1
        self.last_id = packet_id
        inflight[packet_id] = message
        self.inflight_bytes += cost
        self.inflight_payload += len(message.payload)
        return packet_id

    @property
    def keeps_identifiers(self) -> bool:
        """A QoS 2 message goes out only once its packet identifier is kept."""
        return False

    def acknowledge(self, packet_id: int) -> bool:
        """PUBACK or PUBCOMP, or a PUBREC that says no; False when there was nothing of that id."""
        if packet_id not in self.inflight:
            return False
        self._forget_sent(self.inflight.pop(packet_id))
        self.freed((packet_id,))
        self.pump()
        return True

    def _forget_sent(self, message: Message | None) -> None:
        if message is not RELEASED:
            self.inflight_bytes -= cost_of(message)
            self.inflight_payload -= len(message.payload)

    def received(self, packet_id: int) -> bool:
        """PUBREC: the message is the client's now, its id is kept until PUBCOMP."""
        if packet_id not in self.inflight:
            return False
        self._forget_sent(self.inflight[packet_id])
        self.inflight[packet_id] = RELEASED
        return True

    def pump(self) -> None:
        """Send what waits, as far as the window lets us."""
        if not self.ready:
            return
        sent, turn = 0, self._turn
        # First what the last connection left unacknowledged, in its order [MQTT-4.4.0-1]; only
        # then what has waited meanwhile, or messages would overtake each other [MQTT-4.6.0-5].
        while self.unsent and len(self.inflight) - len(self.unsent) < self.window:
            self._resend(self.unsent.pop())
            sent += 1
            if not sent % _AT_ONCE and turn.now() > turn.until:
                self._pump_later()
                return
        queue = self.queue
        now = self._clock.now()
        while queue and self._has_room() and self.ready and not self.unsent:
            message = queue.popleft()
            cost = cost_of(message)
            self.queued_bytes -= cost
            self.queued_payload -= len(message.payload)
            if message.expires is not None and message.expires <= now:
                self.leave_out(EXPIRED)
                self.expired()
                continue
            if not may_read(self, message.topic_name):
                # It came while the client was away, when nobody knew as whom it would come back.
                self.expired()
                continue
            self._send(self.begin_waiting(message, cost), message)
            sent += 1
            if not sent % _AT_ONCE and turn.now() > turn.until:
                self._pump_later()
                return

    def _has_room(self) -> bool:
        """Whether one more may be in flight."""
        return len(self.inflight) < self.window and self.inflight_bytes < self._most_bytes

    def _pump_later(self) -> None:
        if self._pumping is None:
            self._pumping = self._clock.call_later(0, self._pump_on)

    def _pump_on(self) -> None:
        self._pumping = None
        self._turn.begin()
        self.pump()

    def attach(self, sink: Sink, window: int) -> None:
        """A connection took this session up; nothing is sent before `resume`."""
        self.sink = sink
        self.window = window

    def resume(self) -> None:
        """Resend in order what was not acknowledged [MQTT-4.6.0-1], then what waited."""
        self.ready = True
        if self.inflight or self.queue:
            self.unsent = list(reversed(self.inflight))
            self.pump()

    def detach(self) -> None:
        self.sink = self.reads = None
        self.ready = self.slow = False
        if self.unsent:
            self.unsent.clear()

    def begun(self, count: int) -> None:
        """So many messages came to it, and went out or wait; where it is kept that matters."""

    def freed(self, packet_ids: Iterable[int]) -> None:
        """These are no longer in flight; the same."""

    def freed_by(self, packets: bytes) -> None:
        """Those of these acknowledgements of four bytes each."""

    def changed(self) -> None:
        """Something of it, beside messages, is other than before; where it is kept that matters."""

    def inbound_changed(self) -> None:
        """The same for what its client published and has not finished."""

    def expired(self) -> None:
        """The oldest message that waited is over."""

    def _resend(self, packet_id: int) -> None:
        sink = self.sink
        assert sink is not None
        if packet_id not in self.inflight:
            return
        message = self.inflight[packet_id]
        if message is RELEASED:
            sink.release(packet_id)
        elif not sink.deliver(packet_id, message, dup=True):
            self._give_up(packet_id)

    def _send(self, packet_id: int, message: Message) -> None:
        assert self.sink is not None
        if not self.sink.deliver(packet_id, message):
            self._give_up(packet_id)

    def _give_up(self, packet_id: int) -> None:
        # What is too large for this client counts as delivered [MQTT-3.1.2-25].
        self.leave_out(OVERSIZED)
        self._forget_sent(self.inflight.pop(packet_id))
        self.freed((packet_id,))

    def leave_out(self, why: str, count: int = 1) -> None:
        self.left_out = {**self.left_out, why: self.left_out.get(why, 0) + count}

    def _enqueue(self, message: Message) -> bool:
        size = cost_of(message)
        limit = self._limit_met(size)
        while limit and self._leave_out_expired():
            limit = self._limit_met(size)
        if limit:
            self._lose(limit)
            return False
        if self.queue is _NOTHING:
            self.queue = deque()
        self.queue.append(message)
        self.queued_bytes += size
        self.queued_payload += len(message.payload)
        if message.expires is not None and message.expires < self._search_at:
            soonest = self._clock.now() + _BETWEEN_SEARCHES
            self._search_at = min(self._search_at, max(message.expires, soonest))
        return True

    def _limit_met(self, size: int) -> str:
        """The limit that lets no message of this size wait as well, or ""."""
        if len(self.queue) >= self._most:
            return "mqtt_session_queue"
        full = self.queue and self.queued_bytes + size > self._most_bytes
        return "mqtt_session_bytes" if full else ""

    def _leave_out_expired(self) -> bool:
        """Give the room back of the oldest that wait and are over, else of any; whether some were.

        Else they would keep out what comes until the client is back, who gets neither.
        """
        queue, before = self.queue, len(self.queue)
        now = self._clock.now()
        while queue and queue[0].expires is not None and queue[0].expires <= now:
            message = queue.popleft()
            self.queued_bytes -= cost_of(message)
            self.queued_payload -= len(message.payload)
            self.leave_out(EXPIRED)
            self.expired()
        if len(queue) == before and now >= self._search_at:
            self._leave_out_any(now)
        return len(queue) < before

    def _leave_out_any(self, now: float) -> list[bool]:
        """The same, wherever they stand; which of those that waited stay."""
        queue = self.queue
        stay = [message.expires is None or message.expires > now for message in queue]
        left = list(compress(queue, stay))
        ends = (message.expires for message in left if message.expires is not None)
        self._search_at = max(min(ends, default=inf), now + _BETWEEN_SEARCHES)
        if len(left) < len(queue):
            self.leave_out(EXPIRED, len(queue) - len(left))
            queue.clear()
            queue.extend(left)
            self.queued_bytes = sum(map(cost_of, left))
            self.queued_payload = sum(len(message.payload) for message in left)
        return stay

    def withhold(self, packet_id: int, message: Message) -> bool:
        """Keep a QoS 2 publish of its client until its PUBREL; False when as much waits as may.

        A client may leave 65,535 of them, of any size.
        """
        size = cost_of(message)
        if self.withheld and self._withheld_bytes + size > self._most_bytes:
            return False
        if self.withheld is None:
            self.withheld = {}
        self.withheld[packet_id] = message
        self._withheld_bytes += size
        return True

    def hand_over(self, packet_id: int) -> Message | None:
        """What was withheld under this identifier, and is no longer."""
        message = self.withheld.pop(packet_id, None) if self.withheld else None
        if message is not None:
            self._withheld_bytes -= cost_of(message)
        return message

    def keep_withheld(self, messages: Mapping[int, Message]) -> None:
        """As `keep`, of what its client has not released."""
        self.withheld = dict(messages)
        self._withheld_bytes = sum(map(cost_of, messages.values()))

    def keep(self, sent: Iterable[tuple[int, Message | None]], waiting: Iterable[Message]) -> None:
        """What was in flight and what waited before a restart is and does so again."""
        self.inflight.update(sent)
        messages = [each for each in self.inflight.values() if each is not RELEASED]
        self.inflight_bytes = sum(map(cost_of, messages))
        self.inflight_payload = sum(len(each.payload) for each in messages)
        self.queue = deque(waiting)
        self.queued_bytes = sum(map(cost_of, self.queue))
        self.queued_payload = sum(len(each.payload) for each in self.queue)

    def _lose(self, limit: str) -> None:
        self.dropped += 1
        self._overflowed(self, limit)


def may_read(session: Session, topic_name: str) -> bool:
    return session.reads is None or session.reads(topic_name)
