"""A connection and its channels as RabbitMQ's management interface shows them."""

from collections.abc import Iterator
from typing import Any

from ..channel.channel import Channel
from ..state.consumer import Consumer
from .connection import Connection
from .ends import NODE, connection_name, ends, socket_figures


def of_connection(connection: Connection) -> dict[str, Any]:
    agreement = connection.agreement
    return {
        **socket_figures(connection.peer),
        "channel_max": agreement.channel_max,
        "channels": len(connection.channels.open),
        "client_properties": dict(agreement.properties),
        "frame_max": agreement.frame_max,
        "protocol": "AMQP 0-9-1",
        "state": "blocked" if connection.blocking.blocked else "running",
        "timeout": agreement.heartbeat,
        "user": agreement.user,
        "user_provided_name": agreement.client or None,
        "user_who_performed_action": agreement.user,
        "vhost": agreement.virtual_host,
    }


def of_channel(connection: Connection, channel: Channel) -> dict[str, Any]:
    transaction = channel.transaction
    return {
        "acks_uncommitted": len(transaction.settled) if transaction else 0,
        "confirm": channel.publishing.confirming,
        "connection_details": ends(connection.peer),
        "consumer_count": len(channel.consumers),
        "global_prefetch_count": channel.limit,
        "messages_unacknowledged": len(channel.unacked),
        "messages_uncommitted": len(transaction.publishes) if transaction else 0,
        "messages_unconfirmed": channel.publishing.unconfirmed,
        "name": f"{connection_name(connection.peer)} ({channel.number})",
        "node": NODE,
        "number": channel.number,
        "pending_raft_commands": 0,
        "prefetch_count": channel.prefetch,
        "state": "running",
        "transactional": transaction is not None,
        "user": connection.agreement.user,
        "user_who_performed_action": connection.agreement.user,
        "vhost": connection.agreement.virtual_host,
    }


def of_channel_of(connection: Connection, consumer: Consumer) -> dict[str, Any]:
    number = next(_numbers(connection, consumer), 0)
    return {
        "connection_name": connection_name(connection.peer),
        "name": f"{connection_name(connection.peer)} ({number})",
        "node": NODE,
        "number": number,
        **{name: end for name, end in ends(connection.peer).items() if name != "name"},
        "user": connection.agreement.user,
    }


def _numbers(connection: Connection, consumer: Consumer) -> Iterator[int]:
    for number, channel in connection.channels.open.items():
        if consumer in channel.consumers.values():
            yield number
