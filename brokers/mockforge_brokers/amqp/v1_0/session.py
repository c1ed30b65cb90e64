"""A session: its two windows, its links, and what of their deliveries is not settled yet.

Part 2.5 and 2.6 of the specification; where RabbitMQ 4 answers more, or less, it is done as there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ...errors import RequestRefused
from ...fairness import Steps, to_their_end
from ..state.message import Message
from . import publishing
from .attached import Attached
from .deliveries import RELEASED, Deliveries
from .failures import (
    INVALID_FIELD,
    MESSAGE_SIZE,
    TRANSFER_LIMIT,
    UNATTACHED_HANDLE,
    LinkFailed,
    SessionFailed,
    as_failure,
    too_large,
)
from .links import Incoming, Outgoing, link_credit, transfers
from .serial_numbers import SERIAL
from .windows import ENDLESS, INCOMING_WINDOW, Windows
from .wire.frames import performative
from .wire.performatives import Composite
from .wire.values import Symbol

if TYPE_CHECKING:
    from .connection import Connection

_ACCEPTED: Final = Composite("accepted", {})
SENDER, RECEIVER = False, True
"""The two roles, as `role` has them."""


class Session:
    """One session of one connection; its number is the channel of both sides."""

    def __init__(self, connection: Connection, number: int, begin: Composite) -> None:
        self.connection = connection
        self.number = number
        self.vhost = connection.vhost
        self.links = Attached(self, begin)
        self.deliveries = Deliveries()
        self.windows = Windows(begin)
        self.next_delivery = 0
        self._failing = False
        self._accepted: list[int] = []

    def begin(self) -> None:
        self.reply(
            "begin",
            remote_channel=self.number,
            next_outgoing_id=0,
            incoming_window=INCOMING_WINDOW,
            outgoing_window=ENDLESS,
            handle_max=self.links.handle_max,
        )

    @property
    def flowing(self) -> bool:
        """The client takes transfers, and enough of what it was sent is written."""
        return self.windows.free and not self._failing and self.connection.flowing

    def reply(self, name: str, /, **fields: Any) -> None:
        failure = fields.get("error")
        if failure is not None:
            scope = "session" if name == "end" else "link"
            self.connection.counts.closed(scope, failure.get("condition"))
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
                self.links.attach(fields)
            case "detach":
                self.links.detach(fields)
            case _:
                raise SessionFailed(INVALID_FIELD, f"a {found.name} came where none is due")

    # What the client sends.

    def skip(self, handle: int) -> None:
        """A transfer is answered already, without its effect: credit and windows count it."""
        self.windows.count()
        link = self.links.incoming.get(handle)
        if link is not None:
            self._took(link)
        self._open_window()

    def _open_window(self) -> None:
        if self.windows.widen():
            self.send_flow()

    def _took(self, link: Incoming) -> None:
        if link.took():
            self.send_flow(
                handle=link.handle,
                delivery_count=link.delivery_count,
                link_credit=link.credit,
            )

    def _transfer(self, fields: dict[str, Any], payload: bytes) -> None:
        self.windows.count()
        handle = fields["handle"]
        link = self.links.incoming.get(handle)
        if link is None:
            managing = self.links.management.get(handle)
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
            steps = publishing.publish(self, link, data, settled=settled)
        except (LinkFailed, RequestRefused) as refused:
            self.links.drop(link, as_failure(LinkFailed, refused))
            return
        except SessionFailed as failed:
            if failed.condition == MESSAGE_SIZE:
                self.connection.usage.count("amqp_message")
            raise
        self.connection.begin(self._publishing(link, delivery, steps, settled=settled))

    def _publishing(
        self, link: Incoming, delivery: int, steps: publishing.Outcomes, *, settled: bool
    ) -> Steps:
        """Say what became of a message, once it is where it goes."""
        outcome = yield from steps
        if self.links.incoming.get(link.handle) is not link:
            # It ended while many queues took the message: there is nobody to be told.
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
        self.connection.sessions.fail_soon(self, too_large(size, link.max_message))

    def answer(self, handle: int, payload: bytes) -> None:
        """A response of the management node, which is settled."""
        number = self._number()
        self.transmit(handle, number, b"", payload, settled=True)

    def transmit(
        self, handle: int, number: int, tag: bytes, payload: bytes, *, settled: bool
    ) -> None:
        most = self.connection.max_frame
        frames = transfers(self.number, handle, number, tag, payload, most, settled=settled)
        self._send_all(self.windows.pass_on(frames))
        if self.windows.shut:
            self.pause()

    def _send_all(self, frames: list[bytes]) -> None:
        if frames:
            self.connection.send_all(frames)

    def pause(self) -> None:
        """Its links send nothing until `resume`."""
        self.links.pause()

    def resume(self) -> None:
        """The client's window or the connection has room again."""
        self._send_all(self.windows.let_go())
        for managing in self.links.management.values():
            managing.renew(self)
        for link in tuple(self.links.outgoing.values()):
            if not self.flowing:
                self.pause()
                return
            link.go_on()
            self._finish_drain(link)

    def _flow(self, fields: dict[str, Any]) -> None:
        self.windows.note(fields)
        handle = fields.get("handle")
        if handle is not None:
            self._link_flow(handle, fields)
        elif fields.get("echo"):
            self.send_flow()
        self.resume()

    def _link_flow(self, handle: int, fields: dict[str, Any]) -> None:
        link = self.links.outgoing.get(handle)
        if link is not None:
            count, credit = fields.get("delivery_count"), fields.get("link_credit")
            drain = bool(fields.get("drain"))
            if credit is not None:
                link.grant(link_credit(count, credit, link.delivery_count), drain=drain)
            self._finish_drain(link)
            if fields.get("echo") and not drain:
                self._report(link)
            return
        managing = self.links.management.get(handle)
        if managing is not None:
            managing.flow(self, fields)
        elif handle not in self.links.incoming:
            raise SessionFailed(UNATTACHED_HANDLE, f"Unattached link handle: {handle}")

    def _finish_drain(self, link: Outgoing) -> None:
        gone = self.links.outgoing.get(link.handle) is not link
        if gone or not (link.draining and self.flowing):
            return
        if link.served_in_steps:
            if not link.asks_again:
                link.asks_again = True
                self.connection.chores.soon(partial(self._drain_further, link))
            return
        link.drained()
        self._report(link, drain=True)

    def _drain_further(self, link: Outgoing) -> None:
        link.asks_again = False
        self._finish_drain(link)

    def tell_active(self, link: Outgoing, *, active: bool) -> None:
        """Whether its quorum queue hands out to it from now on."""
        if self.vhost.profile.tells_who_is_active:
            self._report(link, properties={Symbol("rabbitmq:active"): active})

    def _report(self, link: Outgoing, *, drain: bool = False, **more: Any) -> None:
        consumer = link.consumer
        self.send_flow(
            handle=link.handle,
            delivery_count=link.delivery_count,
            link_credit=max(0, consumer.credit),
            available=len(consumer.queue.messages),
            drain=drain,
            **more,
        )

    def send_flow(self, **fields: Any) -> None:
        self.reply("flow", **self.windows.ours(), **fields)

    def _disposition(self, fields: dict[str, Any]) -> None:
        if fields["role"] != RECEIVER:
            # What we settle of the client's deliveries is settled at once: nothing is left to say.
            return
        first = fields["first"]
        last = fields.get("last")
        outcome = fields.get("state")
        if not self.deliveries.settle(first, first if last is None else last, outcome):
            return
        if not fields.get("settled"):
            self.reply(
                "disposition", role=SENDER, first=first, last=last, settled=True, state=outcome
            )

    def do(self, steps: Steps) -> None:
        """Settle deliveries, however many they are, before the client's next frames."""
        making_room = self.vhost.memory.making_room(steps)
        self.connection.begin(to_their_end(making_room, self.connection.chores))

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
        self.windows.forget()
        yield from self.links.ending(reason)

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
