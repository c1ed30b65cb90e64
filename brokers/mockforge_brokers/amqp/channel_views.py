"""What people see of channels and sessions: their mode, and what is on its way in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from .channel.channel import Channel
from .channel.transaction import Transaction
from .connection.connection import Connection
from .connection.overdue import Channels
from .consumers import age_of

if TYPE_CHECKING:
    from .v1_0.connection import Connection as LaterConnection

Mode = Literal["", "confirm", "tx", "session"]
_MOST_LINES: Final = 20
_MOST_LOOKED_AT: Final = 100


class ChannelView(Struct, frozen=True):
    """A channel, or a session of AMQP 1.0 (its `mode` says so).

    `prefetch` is that of consumers to come and `limit` the one that all share (0: none). `oldest`:
    seconds since it got the oldest message that it has not acknowledged, to about a second (None:
    it has none). `published` counts in confirm mode, and is None where nobody numbers messages.
    `uncommitted` are publishes and acknowledgements that wait for tx.commit, `uncommitted_for` the
    queues that the first of these publishes would reach.
    """

    vhost: str
    connection: int
    client: str
    number: int
    mode: Mode
    prefetch: int
    limit: int
    consumers: int
    unacked: int
    oldest: float | None
    unconfirmed: int
    uncommitted: int
    uncommitted_for: tuple[str, ...]
    published: int | None
    delivered: int


def views(
    now: float,
    connections: Mapping[int, Connection],
    channels: Channels,
    later_connections: Mapping[int, LaterConnection],
) -> Iterator[ChannelView]:
    for connection in connections.values():
        for channel in connection.channels.open.values():
            tag = next(iter(channel.unacked), None)
            oldest = None if tag is None else age_of(now, channels.since(channel, tag))
            yield _view(connection, channel, oldest)
    for other in later_connections.values():
        for session in other.sessions.open.values():
            links = session.links.outgoing.values()
            yield ChannelView(
                other.vhost.name,
                other.id,
                other.client,
                session.number,
                "session",
                prefetch=0,
                limit=0,
                consumers=len(links),
                unacked=len(session.deliveries),
                oldest=None,
                unconfirmed=0,
                uncommitted=0,
                uncommitted_for=(),
                published=None,
                delivered=sum(link.consumer.delivered for link in links),
            )


def _view(connection: Connection, channel: Channel, oldest: float | None) -> ChannelView:
    publishing, transaction = channel.publishing, channel.transaction
    numbered = publishing.confirming
    waiting = 0
    if transaction is not None:
        waiting = len(transaction.publishes) + len(transaction.settled)
    return ChannelView(
        connection.vhost.name,
        connection.id,
        connection.client,
        channel.number,
        _mode(channel),
        prefetch=channel.prefetch,
        limit=channel.limit,
        consumers=len(channel.consumers),
        unacked=len(channel.unacked),
        oldest=oldest,
        unconfirmed=publishing.unconfirmed,
        uncommitted=waiting,
        uncommitted_for=() if transaction is None else _meant(transaction),
        published=publishing.confirms + publishing.unconfirmed if numbered else None,
        delivered=channel.last_tag,
    )


def _meant(transaction: Transaction) -> tuple[str, ...]:
    waiting = islice(transaction.publishes, _MOST_LOOKED_AT)
    return tuple(dict.fromkeys(queue.name for each in waiting for queue in each.route.queues))


def _mode(channel: Channel) -> Mode:
    if channel.publishing.confirming:
        return "confirm"
    return "tx" if channel.transaction is not None else ""


def in_words(connection: Connection) -> list[str]:
    """The first of its channels, each as a line: `1: confirm, prefetch 10, 3 unacked`."""
    channels = list(connection.channels.open.values())[:_MOST_LINES]
    return [_line(_view(connection, channel, None)) for channel in channels]


def _line(view: ChannelView) -> str:
    parts = [
        view.mode,
        f"prefetch {view.prefetch}" if view.prefetch else "",
        f"prefetch {view.limit} for all" if view.limit else "",
        f"{view.consumers} consumer{'' if view.consumers == 1 else 's'}" if view.consumers else "",
        f"{view.unacked} unacked" if view.unacked else "",
        f"{view.unconfirmed} unconfirmed" if view.unconfirmed else "",
        f"{view.uncommitted} uncommitted" if view.uncommitted else "",
    ]
    return f"{view.number}: {', '.join(filter(None, parts)) or 'idle'}"
