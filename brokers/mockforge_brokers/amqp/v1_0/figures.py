"""What RabbitMQ 4's management interface says of connections, sessions and links of AMQP 1.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..connection.ends import NODE, connection_name, ends, socket_figures
from ..connection.phase import Phase
from ..records import plain
from ..state.consumer import Consumer
from ..state.message import Message
from . import mapping
from .addresses import MANAGEMENT
from .connection import Connection
from .links import Incoming, Outgoing
from .management_links import ManagementLink
from .session import Session
from .wire.values import Described

Figures = dict[str, Any]
_MODES: Final = ("unsettled", "settled", "mixed")
_UNLIMITED: Final = "unlimited"
_ANY_SIZE: Final = 2**32 - 1
"""What RabbitMQ shows as frame_max where the client set none: some readers want a number."""


def open_connections(
    connections: Mapping[int, Connection], vhost: str | None
) -> Iterator[Connection]:
    for connection in connections.values():
        if connection.phase is Phase.OPEN and vhost in (None, connection.vhost.name):
            yield connection


def unsettled(connections: Mapping[int, Connection]) -> Iterator[Message]:
    """What the clients of open connections have still to settle."""
    for connection in open_connections(connections, None):
        for session in connection.sessions.open.values():
            yield from session.deliveries.messages()


def connection_figures(connection: Connection) -> Figures:
    handshake = connection.handshake
    return {
        **socket_figures(connection.peer),
        "channel_max": handshake.channel_max,
        "channels": len(connection.sessions.open),
        "client_properties": _plain(handshake.properties),
        "container_id": handshake.container,
        "frame_max": connection.max_frame or _ANY_SIZE,
        "protocol": "AMQP 1-0",
        "state": "blocked" if connection.blocking.blocked else "running",
        "timeout": handshake.idle,
        "user": connection.user,
        "user_provided_name": None,
        "user_who_performed_action": connection.user,
        "vhost": handshake.vhost,
    }


def session_figures(session: Session) -> Figures:
    management = list(session.links.management.values())
    incoming = [_management_in(link) for link in management if link.sends]
    outgoing = [_management_out(link) for link in management if not link.sends]
    windows = session.windows.figures()
    return {
        "channel_number": session.number,
        "handle_max": session.links.handle_max,
        **windows,
        "outgoing_unsettled_deliveries": len(session.deliveries),
        "incoming_links": incoming + [_incoming(link) for link in session.links.incoming.values()],
        "outgoing_links": outgoing + [_outgoing(link) for link in session.links.outgoing.values()],
    }


def session_of(connection: Connection, consumer: Consumer) -> Figures:
    """Where a consumer is, as those of 0-9-1 have their channel."""
    numbers = (
        session.number
        for session in connection.sessions.open.values()
        if any(link.consumer is consumer for link in session.links.outgoing.values())
    )
    number, name = next(numbers, 0), connection_name(connection.peer)
    return {
        **ends(connection.peer),
        "connection_name": name,
        "name": f"{name} ({number})",
        "node": NODE,
        "number": number,
        "user": connection.user,
    }


def _incoming(link: Incoming) -> Figures:
    return {
        "handle": link.handle,
        "link_name": link.name,
        "snd_settle_mode": _MODES[link.settles],
        "target_address": link.address,
        "max_message_size": link.max_message,
        "delivery_count": link.delivery_count,
        "credit": link.credit,
        "unconfirmed_messages": 0,
    }


def _outgoing(link: Outgoing) -> Figures:
    return {
        "handle": link.handle,
        "link_name": link.name,
        "source_address": link.address,
        "queue_name": link.consumer.queue.name,
        "send_settled": link.settled,
        "max_message_size": link.max_message or _UNLIMITED,
        "filter": [
            {"name": str(name), "descriptor": str(each.descriptor), "value": _plain(each.value)}
            for name, each in (link.filters or {}).items()
            if isinstance(each, Described)
        ],
        "delivery_count": link.delivery_count,
        "credit": max(0, link.consumer.credit),
        "consumer_timeout": bool(link.late),
    }


def _management_in(link: ManagementLink) -> Figures:
    return {
        "handle": link.handle,
        "link_name": link.name,
        "snd_settle_mode": "settled",
        "target_address": MANAGEMENT,
        "max_message_size": link.most,
        "delivery_count": link.delivery_count,
        "credit": link.credit,
        "unconfirmed_messages": 0,
    }


def _management_out(link: ManagementLink) -> Figures:
    return {
        "handle": link.handle,
        "link_name": link.name,
        "source_address": MANAGEMENT,
        "queue_name": "",
        "send_settled": True,
        "max_message_size": link.most or _UNLIMITED,
        "filter": [],
        "delivery_count": link.delivery_count,
        "credit": link.credit,
        "consumer_timeout": False,
    }


def _plain(value: Any) -> Any:
    """A value of 1.0 as JSON may have it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    field = mapping.to_field(value)
    return str(value) if field is None else plain({"": field})[""]
