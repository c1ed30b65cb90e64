"""Sessions and retained messages that are on disk as well.

A message of QoS 1 or 2 for a session that lasts is a row of the session's log, at a position that
only grows, from its publication until its PUBACK or PUBCOMP. A row has a packet identifier where
QoS 2 needs it again: it is written before the PUBLISH goes out, since its receiver knows a message
by it (4.3.3), and the row is replaced when PUBREC came, before PUBREL goes out. Of QoS 1 nothing
more is written: after a kill those that may have been sent are sent again, with DUP.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable
from itertools import compress
from operator import not_
from typing import Any, Final

from msgspec import Struct, msgpack

from ...limits import Limits
from ...storage.facts import Late, row_number
from ...storage.store import Store
from ..records import Message
from .retained import RetainedMessages
from .session import RELEASED, Session

_OWNER: Final = "mqtt"


class KeptMessage(Struct, omit_defaults=True):
    """`expires` is a wall time; None is never."""

    topic_name: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: dict[str, Any] = {}
    expires: float | None = None
    identifiers: tuple[int, ...] = ()


def kept_message(message: Message, to_wall: float) -> KeptMessage:
    """`to_wall` is the wall time at the clock's 0."""
    return KeptMessage(
        message.topic_name,
        bytes(message.payload),
        message.qos,
        message.retain,
        dict(message.properties),
        None if message.expires is None else message.expires + to_wall,
        message.identifiers,
    )


class MessageRow(Struct, array_like=True):
    """A message on its way to a client; without a message it was released (PUBREC came)."""

    packet_id: int
    message: KeptMessage | None


_encode = msgpack.Encoder().encode
_acknowledged: Final = struct.Struct(">2xH")


class StoredSession(Session):
    """A session whose messages are rows as long as it lasts longer than its connection."""

    __slots__ = (
        "_changed",
        "_inbound_changed",
        "_rows",
        "_store",
        "_waiting",
        "last_row",
        "number",
    )

    def __init__(
        self,
        *args: Any,
        store: Store,
        changed: Callable[[Session], object],
        inbound_changed: Callable[[Session], object],
    ) -> None:
        super().__init__(*args)
        self._store = store
        self._changed = changed
        self._inbound_changed = inbound_changed
        self.number = 0
        """Of its log; 0 while it has none."""
        self.last_row = 0
        self._rows: dict[int, int] = {}
        """The row of each packet identifier in flight."""
        self._waiting: deque[int] = deque()
        """The rows of what is in the queue, in its order."""

    @property
    def lasting(self) -> bool:
        return self.expiry != 0 and not self.ended

    # What is asked of it anyway.

    @property
    def keeps_identifiers(self) -> bool:
        return self.number > 0

    def changed(self) -> None:
        if self.lasting and not self.number:
            self.number = self._store.new_log(_OWNER)
        if self.number:
            self._changed(self)
        if not self.lasting:
            self._forget()

    def inbound_changed(self) -> None:
        if self.number:
            self._inbound_changed(self)

    def deliver(self, message: Message) -> bool:
        sink = self.sink
        if not message.qos or not self.number:
            return super().deliver(message)
        if message.qos == 1 or sink is None:
            delivered = super().deliver(message)
            self.begun(1)
            return delivered
        delivered = False

        def deliver() -> None:
            nonlocal delivered
            delivered = Session.deliver(self, message)
            self.begun(1)

        sink.work(deliver)
        return delivered

    def pump(self) -> None:
        sink = self.sink
        if sink is None or not (self.number and self.queue):
            super().pump()
        else:
            sink.work(super().pump)

    def begun(self, count: int) -> None:
        if self.number:
            self._store.touch(self, count, passing=self.sink is not None)

    def begin_waiting(self, message: Message, cost: int) -> int:
        packet_id = super().begin_waiting(message, cost)
        if self.number:
            self._rows[packet_id] = row = self._waiting.popleft()
            if message.qos == 2:
                self._replace(row, packet_id, message)
        return packet_id

    def received(self, packet_id: int) -> bool:
        if self.number and packet_id not in self._rows:
            self.catch_up()
        known = super().received(packet_id)
        if known and self.number:
            self._replace(self._rows[packet_id], packet_id, RELEASED)
        return known

    def freed(self, packet_ids: Iterable[int]) -> None:
        if not self.number:
            return
        take = self._rows.pop
        rows = [take(packet_id, 0) for packet_id in packet_ids]
        # Most have none: they were acknowledged in the group in which they came.
        gone = [row for row in rows if row]
        if len(gone) < len(rows):
            self._store.patience.done(len(rows) - len(gone))
        if gone:
            self._store.remove_all(self.number, gone)

    def freed_by(self, packets: bytes) -> None:
        if self._rows:
            self.freed(packet_id for (packet_id,) in _acknowledged.iter_unpack(packets))
        elif self.number:
            self._store.patience.done(len(packets) // _acknowledged.size)

    def expired(self) -> None:
        if self.number:
            self._remove(self._waiting.popleft())

    def _leave_out_any(self, now: float) -> list[bool]:
        stay = super()._leave_out_any(now)
        if self.number and not all(stay):
            rows = list(self._waiting)
            self._waiting = deque(compress(rows, stay))
            self._store.remove_all(self.number, list(compress(rows, map(not_, stay))))
        return stay

    def _enqueue(self, message: Message) -> bool:
        kept = super()._enqueue(message)
        if kept and self.number:
            # What went out before it has its row before it.
            self.catch_up()
            self._waiting.append(self._append(message, 0))
        return kept

    # Rows.

    def catch_up(self) -> None:
        """A row for each message in flight that has none: those that went out last.

        What was acknowledged meanwhile never had one.
        """
        if not self.number:
            return
        inflight, rows = self.inflight, self._rows
        new: list[int] = []
        for packet_id in reversed(inflight):
            if packet_id in rows:
                break
            new.append(packet_id)
        if not new:
            return
        first, last = self.last_row + 1, self.last_row + len(new)
        self.last_row = last
        new.reverse()
        rows.update(zip(new, range(first, last + 1), strict=True))
        late: dict[int, Late] = {}
        for number, packet_id in enumerate(new, row_number(self.number, first)):
            message = inflight[packet_id]
            known = packet_id if message is RELEASED or message.qos == 2 else 0
            late[number] = self._row, (known, message)
        self._store.fill(late, late=True)

    def _append(self, message: Message, packet_id: int) -> int:
        self.last_row += 1
        # Most are acknowledged in the group in which they came, and never encoded.
        late = self._row, (packet_id, message)
        self._store.append_late(self.number, self.last_row, late)
        return self.last_row

    def _replace(self, row: int, packet_id: int, message: Message | None) -> None:
        self._store.replace(self.number, row, (self._row, (packet_id, message)))

    def _row(self, packet_id: int, message: Message | None) -> bytes:
        if message is None:
            return _encode(MessageRow(packet_id, None))
        if (
            message.properties
            or message.retain
            or message.identifiers
            or message.expires is not None
        ):
            clock = self._clock
            kept = kept_message(message, clock.wall() - clock.now())
            return _encode(MessageRow(packet_id, kept))
        # The same, without the objects.
        plain = {"topic_name": message.topic_name, "payload": message.payload, "qos": message.qos}
        return _encode((packet_id, plain))

    def _remove(self, row: int) -> None:
        self._store.remove(self.number, row)

    def _forget(self) -> None:
        """It lasts no longer: nothing of it is on disk from here on."""
        if self.number:
            self._store.drop(self.number)
            self.number = 0
            self._rows.clear()
            self._waiting.clear()

    def mark_sent(self) -> None:
        """The program ends: say of QoS 1, too, what was sent."""
        self.catch_up()
        for packet_id, message in self.inflight.items():
            if message is not None and message.qos == 1 and self.number:
                self._replace(self._rows[packet_id], packet_id, message)

    # A restart.

    @property
    def rows(self) -> list[int]:
        """Of what is in flight, then of what waits."""
        if not self.number:
            return []
        self.catch_up()
        return [*(self._rows[packet_id] for packet_id in self.inflight), *self._waiting]

    def stand_on(self, number: int, rows: list[int]) -> None:
        """It was restored: its messages have these rows of this log."""
        self._store.known_log(number, _OWNER)
        self.number = number
        self.last_row = max(rows, default=0)
        self._rows = dict(zip(self.inflight, rows, strict=False))
        self._waiting = deque(rows[len(self.inflight) :])


class StoredRetained(RetainedMessages):
    """Retained messages; each topic is an entity."""

    def __init__(self, limits: Limits, changed: Callable[[str], object]) -> None:
        super().__init__(limits.mqtt_retained, limits.mqtt_retained_bytes)
        self._changed = changed
        self.only_on_disk: set[str] = set()
        """Topics whose message found no room at the start: it comes back when there is some.

        What clears or replaces it reaches the disk, or an outdated one would come back. Topics that
        got another one since may still be among them.
        """

    def store(self, message: Message) -> str:
        met = super().store(message)
        if not met:
            self._changed(message.topic_name)
        elif message.topic_name in self.only_on_disk:
            # What is not stored leaves no message for its topic, on disk neither.
            self.remove(message.topic_name)
        return met

    def remove(self, topic_name: str) -> bool:
        removed = super().remove(topic_name)
        if removed or topic_name in self.only_on_disk:
            self.only_on_disk.discard(topic_name)
            self._changed(topic_name)
        return removed

    def clear(self) -> None:
        topic_names = [message.topic_name for message in self.all()]
        topic_names += self.only_on_disk
        self.only_on_disk.clear()
        super().clear()
        for topic_name in topic_names:
            self._changed(topic_name)
