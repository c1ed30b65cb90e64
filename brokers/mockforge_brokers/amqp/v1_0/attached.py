"""The links of one session, by handle: attached, detached, and what ends with them (2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps
from ..state.queues.settling import by_queue, requeue_all
from . import attaching
from .deliveries import note
from .failures import (
    FRAMING_ERROR,
    HANDLE_IN_USE,
    RESOURCE_DELETED,
    ConnectionFailed,
    LinkFailed,
    SessionFailed,
    as_failure,
    error,
)
from .links import Incoming, Outgoing
from .management_links import ManagementLink, Pairs
from .wire.performatives import Composite

if TYPE_CHECKING:
    from .session import Session

HANDLE_MAX: Final = 255


class Attached:
    """What the client sends on, receives from, and manages by; no handle is of two kinds.

    `pairs` are the links to the management node that belong together.
    """

    def __init__(self, session: Session, begin: Composite) -> None:
        self.incoming: dict[int, Incoming] = {}
        self.outgoing: dict[int, Outgoing] = {}
        self.management: dict[int, ManagementLink] = {}
        self.pairs = Pairs()
        self.handle_max = min(begin.get("handle_max", HANDLE_MAX), HANDLE_MAX)
        self._session = session

    def __contains__(self, handle: int) -> bool:
        return handle in self.incoming or handle in self.outgoing or handle in self.management

    def attach(self, fields: dict[str, Any]) -> None:
        """Raises SessionFailed or ConnectionFailed; a link that cannot be is detached at once."""
        handle = fields["handle"]
        if handle > self.handle_max:
            raise SessionFailed(
                FRAMING_ERROR,
                f"link handle value ({handle}) exceeds maximum link handle value "
                f"({self.handle_max})",
            )
        if handle in self:
            raise SessionFailed(HANDLE_IN_USE, f"handle {handle} is already associated with a link")
        try:
            connection = self._session.connection
            with self._session.vhost.acting.in_name_of(connection.user):
                attaching.attach(self._session, fields)
        except (SessionFailed, ConnectionFailed):
            raise
        except (ProtocolError, RequestRefused) as refused:
            self.refuse(fields, as_failure(LinkFailed, refused))

    def refuse(self, fields: dict[str, Any], failed: LinkFailed) -> None:
        """Attach without the terminus that cannot be, then detach (figure 2.33)."""
        # `role` is the client's: True where it receives, so that the source is ours.
        receives = fields["role"]
        mine = "source" if receives else "target"
        answer = {
            name: fields.get(name)
            for name in ("name", "handle", "snd_settle_mode", "rcv_settle_mode", "source", "target")
            if name != mine
        }
        if receives:
            answer["initial_delivery_count"] = 0
        session = self._session
        session.reply("attach", role=not receives, **answer)
        session.reply("detach", handle=fields["handle"], closed=True, error=failed.error)
        session.connection.refused(failed.text)

    def detach(self, fields: dict[str, Any]) -> None:
        """The client asks for it; one that we detached before is none any more."""
        handle = fields["handle"]
        if handle in self:
            # Before others are handed what it had: its client knows that it is over then.
            self._session.reply("detach", handle=handle, closed=fields.get("closed"))
            self._forget(handle, "detached by the client")

    def drop(self, link: Incoming, failed: LinkFailed) -> None:
        """What came on it cannot be: we detach it."""
        session = self._session
        session.connection.refused(failed.text)
        self._forget(link.handle, "detached by the broker")
        session.reply("detach", handle=link.handle, closed=True, error=failed.error)

    def cancelled(self, link: Outgoing, reason: str) -> None:
        """Its queue was deleted, and has forgotten it."""
        if self.outgoing.pop(link.handle, None) is not None:
            session = self._session
            # There is nowhere to go back to: this gives up what they take of the memory.
            requeue_all(session.deliveries.take(link))
            session.connection.consumer_ended(session, link.consumer, reason)
            link.let_go()
            deleted = error(RESOURCE_DELETED, reason)
            session.reply("detach", handle=link.handle, closed=True, error=deleted)

    def pause(self) -> None:
        """Nothing goes out on them until their session lets them go on."""
        for link in self.outgoing.values():
            link.consumer.queue.pause(link.consumer)

    def ending(self, reason: str) -> Steps:
        """Their session is over, or its connection."""
        while self.outgoing:
            _, link = self.outgoing.popitem()
            yield from self._ending(link, reason, failed=True)
        for receiving in self.incoming.values():
            _drop_dynamic(self._session, receiving.dynamic)
            yield
        self.incoming.clear()
        for managing in self.management.values():
            self.pairs.remove(managing)
        self.management.clear()
        # The two know each other: see `contract.Connection.let_go`.
        del self._session

    def _forget(self, handle: int, reason: str) -> None:
        """A link is over."""
        receiving = self.incoming.pop(handle, None)
        if receiving is not None:
            _drop_dynamic(self._session, receiving.dynamic)
            return
        sending = self.outgoing.pop(handle, None)
        if sending is not None:
            self._session.do(self._ending(sending, reason, failed=False))
            return
        managing = self.management.pop(handle, None)
        if managing is not None:
            self.pairs.remove(managing)

    def _ending(self, link: Outgoing, reason: str, *, failed: bool) -> Steps:
        session = self._session
        messages = session.deliveries.take(link)
        note(session, "requeued", messages)
        if not link.consumer.queue.gone:
            session.vhost.cancel(link.consumer)
        yield
        for queue, group in by_queue(messages).items():
            yield from queue.requeuing(group, ended=True, failed=failed)
        # Not `self._session`: the client may have gone meanwhile, and `ending` with it.
        _drop_dynamic(session, link.dynamic)
        session.connection.consumer_ended(session, link.consumer, reason)
        link.let_go()


def _drop_dynamic(session: Session, queue: str) -> None:
    """A queue that was made for its link ends with it."""
    if queue in session.vhost.queues:
        session.vhost.delete_queue(queue, connection=session.connection.id)
