"""How much comes and goes: connections, channels and queues since the broker is there."""

from collections.abc import Iterable, Mapping
from typing import Final

from ..events import ClientIdentified, ConnectionClosed, Event
from ..spine import Spine
from .events import ChannelClosed, ChannelOpened, QueueDeclared, QueueDeleted
from .state.virtual_host import VirtualHost

_AMQP: Final = "amqp"
OF_CHURN: Final = (
    "connection_created",
    "connection_closed",
    "channel_created",
    "channel_closed",
    "queue_declared",
    "queue_created",
    "queue_deleted",
)
"""RabbitMQ's names, in the order of `Churn.counts`."""


class Churn:
    """Counts by events, all of which are rare; what only declares again is no event.

    A connection counts once it is open. Channels that end with their connection count as closed.
    """

    def __init__(self, spine: Spine, vhosts: Mapping[str, VirtualHost]) -> None:
        self._vhosts = vhosts
        self._counts = dict.fromkeys(OF_CHURN, 0)
        self._again = 0
        """Declares that made nothing, in virtual hosts that are gone."""
        self._channels: dict[int, int] = {}
        """Open channels of each open connection."""
        kinds = (ClientIdentified, ConnectionClosed)
        spine.watch(self._look, *kinds, ChannelOpened, ChannelClosed, QueueDeclared, QueueDeleted)

    @property
    def counts(self) -> tuple[int, ...]:
        again: Iterable[int] = (host.declared_again for host in self._vhosts.values())
        declared = self._counts["queue_created"] + self._again + sum(again)
        return tuple((self._counts | {"queue_declared": declared}).values())

    def keep(self, vhost: VirtualHost) -> None:
        """A virtual host goes; what was counted there stays."""
        self._again += vhost.declared_again

    def _look(self, event: Event) -> None:
        if event.protocol != _AMQP:
            return
        counts, channels = self._counts, self._channels
        match event:
            case ClientIdentified():
                counts["connection_created"] += 1
                channels[event.connection] = 0
            case ConnectionClosed() if event.connection in channels:
                counts["connection_closed"] += 1
                counts["channel_closed"] += channels.pop(event.connection)
            case ChannelOpened():
                counts["channel_created"] += 1
                channels[event.connection] += 1
            case ChannelClosed():
                counts["channel_closed"] += 1
                channels[event.connection] -= 1
            case QueueDeclared():
                counts["queue_created"] += 1
            case QueueDeleted():
                counts["queue_deleted"] += 1
