"""What the gateway knows beside its connections, and how it announces itself (6.1)."""

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...environment import Environment
from ..handshake import message_of
from ..options import MqttOptions
from ..records import cost_of
from ..state.sessions import Sessions
from ..wire.packets import Will
from .codec import cut, encode, unwrap, wrap
from .messages import Advertise
from .topics import TopicIds

if TYPE_CHECKING:
    from .connection import SnConnection

Send = Callable[[bytes, tuple[str, int]], object]

_MOST_KEPT: Final = 10_000
"""Clients of which more is kept than their session."""


class Kept:
    """What a client without CleanSession finds again beside its session (6.3)."""

    __slots__ = ("topics", "will")

    def __init__(self, topics: TopicIds) -> None:
        self.topics = topics
        self.will: Will | None = None


class Gateway:
    """One for a broker; it is also how the transport cuts and wraps datagrams (`Framing`)."""

    def __init__(self, environment: Environment, options: MqttOptions, sessions: Sessions) -> None:
        self.options = options
        self.sleepers: dict[str, SnConnection] = {}
        """By client identifier: a sleeping client may wake up at another address (6.14)."""
        self._environment = environment
        self._sessions = sessions
        self._kept: dict[str, Kept] = {}
        sessions.on_end = self._forget
        self._announcing = False

    # What the transport asks.

    unwrap = staticmethod(unwrap)
    wrap = staticmethod(wrap)
    cut = staticmethod(cut)

    @property
    def group(self) -> tuple[str, int] | None:
        """Where ADVERTISE goes to, if anywhere."""
        host, _, port = self.options.sn_advertise.rpartition(":")
        return (host.strip("[]"), int(port)) if host else None

    def opened(self, send: Send) -> None:
        """A socket is there to send by; the first of them announces us."""
        if self.group is not None and not self._announcing:
            self._announcing = True
            self._advertise(send, self.group)

    def joins(self) -> str:
        """The multicast group in which clients look for gateways; empty where there is none."""
        group = self.group
        if group is None:
            return ""
        try:
            multicast = ipaddress.ip_address(group[0]).is_multicast
        except ValueError:
            return ""
        return group[0] if multicast else ""

    def _advertise(self, send: Send, group: tuple[str, int]) -> None:
        every = self.options.sn_advertise_interval
        message = Advertise(self.options.sn_gateway_id, min(round(every), 0xFFFF))
        send(encode(message), group)
        self._environment.clock.call_later(every, self._advertise, send, group)

    # What connections ask.

    def take_up(self, client: str, *, clean: bool) -> Kept:
        """Topic ids and will of a client that connects; with CleanSession it has none yet."""
        kept = None if clean else self._kept.get(client)
        if kept is None:
            most = self._environment.limits.mqtt_sn_topics
            kept = Kept(TopicIds(self.options.sn_topics, most))
        # A new connection is told each id again (6.10).
        kept.topics.known.clear()
        return kept

    def keep(self, client: str, kept: Kept, will: Will | None) -> None:
        """As long as its session, which it has without CleanSession."""
        if client not in self._sessions.by_client:
            return
        self._kept.pop(client, None)
        if len(self._kept) >= _MOST_KEPT:
            self._forget(next(iter(self._kept)))
        self._kept[client] = kept
        self.keep_will(client, will)

    def keep_will(self, client: str, will: Will | None) -> None:
        """Another will; nothing where the client's data goes with its connection."""
        kept = self._kept.get(client)
        if kept is not None:
            kept.will = will
            self._sessions.keep_will(client, 0 if will is None else cost_of(message_of(will)))

    def forget_others(self) -> None:
        """Keep nothing of those who have no session after a restart."""
        for client in self._kept.keys() - self._sessions.by_client.keys():
            self._forget(client)

    def _forget(self, client: str) -> None:
        if self._kept.pop(client, None) is not None:
            self._sessions.keep_will(client, 0)
