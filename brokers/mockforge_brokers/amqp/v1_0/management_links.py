"""The links to the node `/management`: pairs of one name, each half with a credit of its own.

On one half a client asks, on the other one it is answered by management.py (Link Pair 1.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from .failures import (
    INVALID_FIELD,
    PRECONDITION_FAILED,
    TRANSFER_LIMIT,
    LinkFailed,
    SessionFailed,
    too_large,
)
from .links import link_credit
from .management import respond
from .serial_numbers import SERIAL
from .wire.values import Symbol

if TYPE_CHECKING:
    from .session import Session

_CREDIT: Final = 8


class ManagementLink(Struct, eq=False):
    """One half of a pair: `sends` is the client's half. `most`: bytes of a response, or of a
    request; 0: any."""

    name: str
    handle: int
    sends: bool
    delivery_count: int
    credit: int
    most: int = 0
    peer: ManagementLink | None = None

    def flow(self, session: Session, fields: Mapping[str, Any]) -> None:
        if self.sends:
            return
        credit = fields.get("link_credit")
        if credit is not None:
            count = fields.get("delivery_count")
            self.credit = link_credit(count, credit, self.delivery_count)
        drain = bool(fields.get("drain"))
        if drain:
            self.delivery_count = (self.delivery_count + self.credit) % SERIAL
            self.credit = 0
        if drain or fields.get("echo"):
            session.send_flow(
                handle=self.handle,
                delivery_count=self.delivery_count,
                link_credit=self.credit,
                available=0,
                drain=drain,
            )

    def request(self, session: Session, fields: Mapping[str, Any], payload: bytes) -> None:
        """Answer one request; raises SessionFailed."""
        answers = self.peer
        if answers is None:
            raise SessionFailed(
                PRECONDITION_FAILED, "received transfer on half open management link pair"
            )
        if self.credit <= 0:
            raise SessionFailed(
                TRANSFER_LIMIT,
                f"insufficient credit ({self.credit}) for management link from client to RabbitMQ",
            )
        if answers.credit <= 0:
            raise SessionFailed(
                PRECONDITION_FAILED,
                f"insufficient credit ({answers.credit}) for management link from RabbitMQ to "
                "client",
            )
        if not fields.get("settled") or fields.get("more"):
            raise SessionFailed(INVALID_FIELD, "a management request is one settled transfer")
        if len(payload) > self.most:
            raise too_large(len(payload), self.most)
        response = respond(session, payload)
        if answers.most and len(response) > answers.most:
            raise too_large(len(response), answers.most)
        answers.credit -= 1
        answers.delivery_count = (answers.delivery_count + 1) % SERIAL
        session.answer(answers.handle, response)
        self.delivery_count = (self.delivery_count + 1) % SERIAL
        self.credit -= 1
        self.renew(session)

    def renew(self, session: Session) -> None:
        """Grant the client more requests, but not while answers wait for it to make room.

        Whoever asks on and takes no answer would have us keep them all.
        """
        if self.sends and self.credit <= _CREDIT // 2 and session.windows.free:
            self.credit = _CREDIT
            session.send_flow(
                handle=self.handle, delivery_count=self.delivery_count, link_credit=_CREDIT
            )


class Pairs:
    """The halves that wait for one of the same name and the other direction."""

    def __init__(self) -> None:
        self._halves: dict[tuple[str, bool], ManagementLink] = {}

    def add(self, link: ManagementLink) -> None:
        """Raises LinkFailed for a second half of the same kind."""
        if (link.name, link.sends) in self._halves:
            raise LinkFailed(
                PRECONDITION_FAILED,
                f"received invalid attach for management link pair {link.name}: this half is "
                "attached already",
            )
        self._halves[link.name, link.sends] = link
        other = self._halves.get((link.name, not link.sends))
        if other is not None:
            link.peer, other.peer = other, link

    def remove(self, link: ManagementLink) -> None:
        del self._halves[link.name, link.sends]
        if link.peer is not None:
            link.peer.peer = None


def attach(session: Session, fields: dict[str, Any]) -> None:
    """One half of a management link pair; raises LinkFailed."""
    if (fields.get("properties") or {}).get(Symbol("paired")) is not True:
        raise LinkFailed(INVALID_FIELD, "Link property 'paired' is not set to boolean value 'true'")
    sends = not fields["role"]
    link = ManagementLink(
        fields["name"],
        fields["handle"],
        sends,
        fields.get("initial_delivery_count", 0) if sends else 0,
        _CREDIT if sends else 0,
        session.connection.max_message if sends else fields.get("max_message_size", 0),
    )
    session.links.pairs.add(link)
    session.links.management[link.handle] = link
    session.reply(
        "attach",
        name=link.name,
        handle=link.handle,
        role=sends,
        snd_settle_mode=1,
        rcv_settle_mode=0 if sends else fields.get("rcv_settle_mode"),
        source=fields.get("source"),
        target=fields.get("target"),
        initial_delivery_count=None if sends else 0,
        max_message_size=session.connection.max_message
        if sends
        else fields.get("max_message_size"),
        properties=fields.get("properties"),
    )
    if sends:
        session.send_flow(
            handle=link.handle, delivery_count=link.delivery_count, link_credit=_CREDIT
        )
