"""A session: its two windows, its links, and what of their deliveries is not settled yet.

Part 2.5 and 2.6 of the specification; where RabbitMQ 4 answers more, or less, it is done as there.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps
from ..state.message import Message
from ..state.queues.queue import by_queue, requeue_all
from . import attaching, publishing
from .deliveries import RELEASED, Deliveries
from .failures import (
    FRAMING_ERROR,
    HANDLE_IN_USE,
    INVALID_FIELD,
    RESOURCE_DELETED,
    TRANSFER_LIMIT,
    UNATTACHED_HANDLE,
    WINDOW_VIOLATION,
    ConnectionFailed,
    LinkFailed,
    SessionFailed,
    as_failure,
    error,
    too_large,
)
from .links import SERIAL, Incoming, Outgoing, link_credit, serial_distance, transfers
from .management import ManagementLink, Pairs
from .wire.frames import performative
from .wire.performatives import Composite

if TYPE_CHECKING:
    from .connection import Connection

INCOMING_WINDOW: Final = 400
"""Transfers that a client may send before it hears from us (RabbitMQ's max_incoming_window)."""
HANDLE_MAX: Final = 255
_ENDLESS: Final = SERIAL - 1
_ACCEPTED: Final = Composite("accepted", {})
SENDER, RECEIVER = False, True
"""The two roles, as `role` has them."""


class Session:
    """One session of one connection; its number is the channel of both sides."""

    def __init__(self, connection: Connection, number: int, begin: Composite) -> None:
        self.connection = connection
        self.number = number
        self.vhost = connection.vhost
        self.incoming: dict[int, Incoming] = {}
        self.outgoing: dict[int, Outgoing] = {}
        self.management: dict[int, ManagementLink] = {}
        self.pairs = Pairs()
        self.deliveries = Deliveries()
        self.handle_max = min(begin.get("handle_max", HANDLE_MAX), HANDLE_MAX)
        self._incoming_window = INCOMING_WINDOW
        self._next_incoming = begin.get("next_outgoing_id")
        self._remote_outgoing = begin.get("outgoing_window", 0)
        self._next_outgoing = 0
        self._room = begin.get("incoming_window")
        """Transfers that the client still takes."""
        self.next_delivery = 0
        self._failing = False
        self._waiting: deque[bytes] = deque()
        """Transfers that the client's window has no room for."""
        self._accepted: list[int] = []

    def begin(self) -> None:
        self.reply(
            "begin",
            remote_channel=self.number,
            next_outgoing_id=0,
            incoming_window=INCOMING_WINDOW,
            outgoing_window=_ENDLESS,
            handle_max=self.handle_max,
        )

    def windows(self) -> dict[str, int]:
        """Of both sides, by RabbitMQ's names."""
        return {
            "next_incoming_id": self._next_incoming,
            "incoming_window": max(0, self._incoming_window),
            "next_outgoing_id": self._next_outgoing,
            "remote_incoming_window": max(0, self._room),
            "remote_outgoing_window": self._remote_outgoing,
        }

    @property
    def flowing(self) -> bool:
        """The client takes transfers, and enough of what it was sent is written."""
        return self._room > 0 and not (self._waiting or self._failing) and self.connection.flowing

    def reply(self, name: str, /, **fields: Any) -> None:
        self.connection.send(performative(self.number, name, **fields))

    def receive(self, found: Composite, payload: bytes) -> None:
        """One performative on this session; raises SessionFailed or ConnectionFailed."""
        fields = found.fields
        match found.name:
            case "transfer":
                self._transfer(fields, payload)
            case "flow":
                self._flow(fields)
            case "disposition":
                self._disposition(fields)
            case "attach":
                self._attach(fields)
            case "detach":
                self._detach(fields)
            case _:
                raise SessionFailed(INVALID_FIELD, f"a {found.name} came where none is due")

    # Links.

    def _attach(self, fields: dict[str, Any]) -> None:
        handle = fields["handle"]
        if handle > self.handle_max:
            raise ConnectionFailed(
                FRAMING_ERROR,
                f"link handle value ({handle}) exceeds maximum link handle value "
                f"({self.handle_max})",
            )
        if handle in self.incoming or handle in self.outgoing or handle in self.management:
            raise SessionFailed(HANDLE_IN_USE, f"handle {handle} is already associated with a link")
        try:
            attaching.attach(self, fields)
        except (SessionFailed, ConnectionFailed):
            raise
        except (ProtocolError, RequestRefused) as refused:
            self.refuse_link(fields, as_failure(LinkFailed, refused))

    def refuse_link(self, fields: dict[str, Any], failed: LinkFailed) -> None:
        """Attach without the terminus that cannot be, then detach (figure 2.33)."""
        receives = fields["role"] == RECEIVER
        mine = "source" if receives else "target"
        answer = {
            name: fields.get(name)
            for name in ("name", "handle", "snd_settle_mode", "rcv_settle_mode", "source", "target")
            if name != mine
        }
        if receives:
            answer["initial_delivery_count"] = 0
        self.reply("attach", role=not receives, **answer)
        self.reply("detach", handle=fields["handle"], closed=True, error=failed.error)
        self.connection.refused(failed.text)

    def _detach(self, fields: dict[str, Any]) -> None:
        handle = fields["handle"]
        if self._forget(handle, "detached by the client"):
            self.reply("detach", handle=handle, closed=fields.get("closed"))

    def _forget(self, handle: int, reason: str) -> bool:
        """A link is over: False if it is none, such as one that we detached before."""
        receiving = self.incoming.pop(handle, None)
        if receiving is not None:
            self._drop_dynamic(receiving.dynamic)
            return True
        sending = self.outgoing.pop(handle, None)
        if sending is not None:
            for _ in self._ending_link(sending, reason):
                """All at once: a link has no more than its credit unsettled."""
            return True
        managing = self.management.pop(handle, None)
        if managing is not None:
            self.pairs.remove(managing)
        return managing is not None

    def _drop_dynamic(self, queue: str) -> None:
        if queue in self.vhost.queues:
            self.vhost.delete_queue(queue, connection=self.connection.id)

    def _ending_link(self, link: Outgoing, reason: str) -> Steps:
        messages = self.deliveries.take(link)
        if not link.consumer.queue.gone:
            self.vhost.cancel(link.consumer)
        yield
        for queue, group in by_queue(messages).items():
            yield from queue.requeuing(group, ended=True)
        self._drop_dynamic(link.dynamic)
        self.connection.consumer_ended(self, link.consumer, reason)

    def link_cancelled(self, link: Outgoing, reason: str) -> None:
        """Its queue was deleted, and has forgotten it."""
        if self.outgoing.pop(link.handle, None) is not None:
            # There is nowhere to go back to: this gives up what they take of the memory.
            requeue_all(self.deliveries.take(link))
            self.connection.consumer_ended(self, link.consumer, reason)
            self.reply(
                "detach", handle=link.handle, closed=True, error=error(RESOURCE_DELETED, reason)
            )

    # What the client sends.

    def skip(self, handle: int) -> None:
        """A transfer is answered already, without its effect: credit and windows count it."""
        self._count_transfer()
        link = self.incoming.get(handle)
        if link is not None:
            self._took(link)
        self._open_window()

    def _count_transfer(self) -> None:
        self._incoming_window -= 1
        if self._incoming_window < 0:
            raise SessionFailed(
                WINDOW_VIOLATION, "incoming window violation (tolerated excess tranfers: 0)"
            )
        self._next_incoming = (self._next_incoming + 1) % SERIAL

    def _open_window(self) -> None:
        """Wide again, once half of it is used."""
        if self._incoming_window <= INCOMING_WINDOW // 2:
            self._incoming_window = INCOMING_WINDOW
            self.send_flow()

    def _took(self, link: Incoming) -> None:
        if link.took():
            self.send_flow(
                handle=link.handle,
                delivery_count=link.delivery_count,
                link_credit=link.credit,
            )

    def _transfer(self, fields: dict[str, Any], payload: bytes) -> None:
        self._count_transfer()
        handle = fields["handle"]
        link = self.incoming.get(handle)
        if link is None:
            managing = self.management.get(handle)
            if managing is None:
                raise SessionFailed(UNATTACHED_HANDLE, f"Unknown link handle: {handle}")
            managing.request(self, fields, payload)
        else:
            self._publish(link, fields, payload)
        self._open_window()

    def _publish(self, link: Incoming, fields: dict[str, Any], payload: bytes) -> None:
        try:
            whole = publishing.collect(link, fields, payload)
            if whole is None:
                return
            delivery, settled, data = whole
            if link.credit <= 0:
                raise LinkFailed(TRANSFER_LIMIT, "")
            outcome = publishing.publish(self, link, data)
        except (LinkFailed, RequestRefused) as refused:
            failed = as_failure(LinkFailed, refused)
            self.connection.refused(failed.text)
            self._forget(link.handle, "detached by the broker")
            self.reply("detach", handle=link.handle, closed=True, error=failed.error)
            return
        if not settled:
            if outcome is None:
                self._accepted.append(delivery)
            else:
                self.settle(delivery, outcome)
        self._took(link)

    def settle(self, delivery: int, outcome: Composite) -> None:
        self.reply("disposition", role=RECEIVER, first=delivery, settled=True, state=outcome)

    def finish_burst(self) -> None:
        """Accept what came in one burst by as few dispositions as its numbers allow."""
        accepted, self._accepted = self._accepted, []
        for first, last in ranges(accepted):
            self.reply(
                "disposition",
                role=RECEIVER,
                first=first,
                last=last if last != first else None,
                settled=True,
                state=_ACCEPTED,
            )

    # What it takes, and what comes back.

    def send(self, link: Outgoing, payload: bytes, unacked: Message | None) -> None:
        """A message of a queue, as one transfer or several."""
        number = self._number()
        if unacked is not None:
            self.deliveries.add(number, link, unacked)
        link.tag += 1
        tag = b"" if link.settled else (link.tag % SERIAL).to_bytes(4, "big")
        self.transmit(link.handle, number, tag, payload, settled=link.settled)

    def _number(self) -> int:
        number, self.next_delivery = self.next_delivery, (self.next_delivery + 1) % SERIAL
        return number

    def too_large(self, size: int, link: Outgoing, unacked: Message | None) -> None:
        """More than the client takes: the session ends, as RabbitMQ ends it."""
        self._failing = True
        self.pause()
        if unacked is not None:
            self.deliveries.add(self._number(), link, unacked)
        # Its queue is in the midst of handing out: who ends now would change what it walks over.
        self.connection.fail_soon(self, too_large(size, link.max_message))

    def answer(self, handle: int, payload: bytes) -> None:
        """A response of the management node, which is settled."""
        number = self._number()
        self.transmit(handle, number, b"", payload, settled=True)

    def transmit(
        self, handle: int, number: int, tag: bytes, payload: bytes, *, settled: bool
    ) -> None:
        connection = self.connection
        frames = transfers(
            self.number, handle, number, tag, payload, connection.max_frame, settled=settled
        )
        if self._waiting or len(frames) > self._room:
            self._waiting.extend(frames)
            self._send_waiting()
        else:
            self._room -= len(frames)
            self._next_outgoing = (self._next_outgoing + len(frames)) % SERIAL
            connection.send_all(frames)
        if self._room <= 0:
            self.pause()

    def _send_waiting(self) -> None:
        waiting = self._waiting
        count = min(self._room, len(waiting))
        if count:
            self._room -= count
            self._next_outgoing = (self._next_outgoing + count) % SERIAL
            self.connection.send_all([waiting.popleft() for _ in range(count)])

    def pause(self) -> None:
        """Its links send nothing until `resume`."""
        for link in self.outgoing.values():
            link.consumer.queue.pause(link.consumer)

    def resume(self) -> None:
        """The client's window or the connection has room again."""
        self._send_waiting()
        for link in tuple(self.outgoing.values()):
            if not self.flowing:
                self.pause()
                return
            link.go_on()
            self._finish_drain(link)

    def _flow(self, fields: dict[str, Any]) -> None:
        seen = fields.get("next_incoming_id")
        if seen is not None and serial_distance(seen, self._next_outgoing) > 0:
            raise SessionFailed(
                WINDOW_VIOLATION,
                f"next-incoming-id from FLOW ({seen}) leads next-outgoing-id "
                f"({self._next_outgoing})",
            )
        room = serial_distance((seen or 0) + fields["incoming_window"], self._next_outgoing)
        # A window of 2^32 - 1 is no negative one.
        self._room = room if room >= 0 or fields["incoming_window"] < SERIAL // 2 else _ENDLESS
        self._next_incoming = fields["next_outgoing_id"]
        self._remote_outgoing = fields["outgoing_window"]
        handle = fields.get("handle")
        if handle is not None:
            self._link_flow(handle, fields)
        elif fields.get("echo"):
            self.send_flow()
        self.resume()

    def _link_flow(self, handle: int, fields: dict[str, Any]) -> None:
        link = self.outgoing.get(handle)
        if link is not None:
            count, credit = fields.get("delivery_count"), fields.get("link_credit")
            drain = bool(fields.get("drain"))
            if credit is not None:
                link.grant(link_credit(count, credit, link.delivery_count), drain=drain)
            self._finish_drain(link)
            if fields.get("echo") and not drain:
                self._report(link)
            return
        managing = self.management.get(handle)
        if managing is not None:
            managing.flow(self, fields)
        elif handle not in self.incoming:
            raise SessionFailed(UNATTACHED_HANDLE, f"Unattached link handle: {handle}")

    def _finish_drain(self, link: Outgoing) -> None:
        if link.draining and self.flowing:
            link.drained()
            self._report(link, drain=True)

    def _report(self, link: Outgoing, *, drain: bool = False) -> None:
        consumer = link.consumer
        self.send_flow(
            handle=link.handle,
            delivery_count=link.delivery_count,
            link_credit=max(0, consumer.credit),
            available=len(consumer.queue.messages),
            drain=drain,
        )

    def send_flow(self, **fields: Any) -> None:
        self.reply(
            "flow",
            next_incoming_id=self._next_incoming,
            incoming_window=max(0, self._incoming_window),
            next_outgoing_id=self._next_outgoing,
            outgoing_window=_ENDLESS,
            **fields,
        )

    def _disposition(self, fields: dict[str, Any]) -> None:
        if fields["role"] != RECEIVER:
            # What we settle of the client's deliveries is settled at once: nothing is left to say.
            return
        first = fields["first"]
        last = fields.get("last", first)
        outcome = fields.get("state", RELEASED)
        if not self.deliveries.settle(first, last, outcome):
            return
        if not fields.get("settled"):
            self.reply(
                "disposition", role=SENDER, first=first, last=last, settled=True, state=outcome
            )

    def release(self, numbers: list[int]) -> None:
        """The client let these wait for too long: others may have them (2.6.12)."""
        self.deliveries.release(numbers)
        for first, last in ranges(numbers):
            self.reply(
                "disposition", role=SENDER, first=first, last=last, settled=False, state=RELEASED
            )

    # The end.

    def stop(self) -> None:
        """Nothing goes out any more; `ending` does the rest."""
        self.pause()

    def ending(self, reason: str) -> Steps:
        """What its end brings about: its links end, what is unsettled is ready again."""
        self.stop()
        self._waiting.clear()
        while self.outgoing:
            _, link = self.outgoing.popitem()
            yield from self._ending_link(link, reason)
        for receiving in self.incoming.values():
            self._drop_dynamic(receiving.dynamic)
            yield
        self.incoming.clear()

    def unacked(self) -> list[Message]:
        return self.deliveries.messages()


def ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive numbers, in the order in which they came."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and (found[-1][1] + 1) % SERIAL == number:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
