"""`$SYS`: what the broker says of itself in topics, named as Mosquitto 2.0 names them.

Nothing is stored: a new subscriber gets the values as they are now, as retained messages, and as
long as there are subscribers those that changed are sent at each interval and loads are measured,
from the first interval on. `heap`, where Mosquitto has what it allocated, is the resident memory of
the process, where the system says it. `$SYS/mockforge` is ours.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Final

from .. import __version__
from ..environment import Environment
from ..fairness import Steps
from ..memory import Memory, resident
from .records import Message
from .state.router import Router
from .state.session import Session, may_read
from .state.subscriptions import Subscription
from .state.topics import matches

ROOT: Final = "$SYS"
Figures = Mapping[str, int]

_RATES: Final = {
    "messages/received": "packets_in",
    "messages/sent": "packets_out",
    "publish/received": "messages_in",
    "publish/sent": "messages_out",
    "publish/dropped": "dropped",
    "bytes/received": "bytes_in",
    "bytes/sent": "bytes_out",
    "sockets": "sockets",
    "connections": "connections",
}
_FRESH: Final = 1.0
"""Seconds for which who subscribes gets what was counted last."""
_SPANS: Final = {"1min": 1, "5min": 5, "15min": 15}


class SystemTopics:
    """`figures` are the steps that count since the start by name, as `views.figures` has them.

    To count walks all clients and sessions: it is done in steps, and as seldom as may be.
    """

    def __init__(
        self,
        environment: Environment,
        router: Router,
        figures: Callable[[], Generator[None, None, Figures]],
        interval: float,
        memory: Callable[[], Memory | None] = resident,
    ) -> None:
        self.interval = interval
        self._environment = environment
        self._router = router
        self._figures = figures
        self._memory = memory
        self._started = environment.clock.now()
        self._last: Figures = {}
        """What was counted last."""
        self._before: Figures = {}
        """The same at the last tick."""
        self._loads: dict[str, float] = {}
        self._told: dict[str, str] = {}
        """What the last tick sent: of what differs at the next one, every subscriber is told."""
        self._latest: dict[str, str] = {}
        """The same as topics, for who subscribes."""
        self._counted = 0.0
        """When that was, by the clock."""
        self._ticking = False
        self._telling_all = False
        """It is counted for all subscribers."""

    def retained(self, topic_filter: str) -> Iterator[Message | None]:
        """What a new subscriber of this filter gets; None is a step without a message."""
        if not self.interval or topic_filter.partition("/")[0] != ROOT:
            return
        # Whoever subscribes often asks for it often, and who does so while it is counted for all
        # gets what the last tick sent.
        if not self._telling_all and not self._is_fresh():
            yield from self._count()
            self._latest = self._values()
        if not self._ticking:
            self._ticking = True
            self._told = self._latest
            self._before, self._loads = self._last, {}
            self._environment.clock.call_later(self.interval, self._tick)
        for name, value in self._latest.items():
            if matches(topic_filter, name):
                yield _message(name, value)

    def _is_fresh(self) -> bool:
        return bool(self._latest) and self._environment.clock.now() - self._counted < _FRESH

    def _count(self) -> Steps:
        """Those who wait for it may be gone before its end: until then nothing was counted."""
        self._last = yield from self._figures()
        self._counted = self._environment.clock.now()

    def _tick(self) -> None:
        if not self._router.subscriptions.begins_with(ROOT):
            self._ticking = False
            return
        self._environment.clock.call_later(self.interval, self._tick)
        self._environment.chores.do(self._telling())

    def _telling(self) -> Steps:
        """Count, and tell all subscribers what changed."""
        self._telling_all = True
        yield from self._count()
        self._telling_all = False
        self._measure()
        before = self._told
        self._told = self._latest = self._values()
        for name, value in self._told.items():
            if before.get(name) != value:
                self._send(name, value)
                yield

    def _measure(self) -> None:
        """Moving averages a minute over 1, 5 and 15 minutes, as a load average is made."""
        now, before = self._last, self._before
        self._before = now
        for name, figure in _RATES.items():
            rate = max(0, now[figure] - before.get(figure, 0)) * 60 / self.interval
            for span, minutes in _SPANS.items():
                key = f"{name}/{span}"
                share = min(1.0, self.interval / (60 * minutes))
                load = self._loads.get(key, 0.0)
                self._loads[key] = load + share * (rate - load)

    def _send(self, name: str, value: str) -> None:
        plain, shares = self._router.subscriptions.match(name)
        takers: dict[Session, Subscription] = {}
        moment = self._router.moment
        chosen = [one for share in shares if (one := share.choose(name, moment)) is not None]
        for session, subscription in plain + chosen:
            best = takers.get(session)
            if best is None or best.qos < subscription.qos:
                takers[session] = subscription
        message = _message(name, value)
        for session, subscription in takers.items():
            if not may_read(session, name):
                continue
            identifiers = (subscription.identifier,) if subscription.identifier else ()
            retain = subscription.retain_as_published
            session.deliver(message.variant(subscription.qos, retain, identifiers))

    def _values(self) -> dict[str, str]:
        figures, environment = self._last, self._environment
        uptime = int(environment.clock.now() - self._started)
        values: dict[str, object] = {
            "broker/version": f"mockforge-tui version {__version__}",
            "broker/uptime": f"{uptime} seconds",
            "broker/clients/connected": figures["connected"],
            "broker/clients/active": figures["connected"],
            "broker/clients/disconnected": figures["away"],
            "broker/clients/inactive": figures["away"],
            "broker/clients/total": figures["connected"] + figures["away"],
            "broker/clients/maximum": figures["most"],
            "broker/clients/expired": figures["expired"],
            "broker/messages/received": figures["packets_in"],
            "broker/messages/sent": figures["packets_out"],
            "broker/messages/stored": figures["stored"],
            "broker/store/messages/count": figures["stored"],
            "broker/store/messages/bytes": figures["stored_bytes"],
            "broker/publish/messages/received": figures["messages_in"],
            "broker/publish/messages/sent": figures["messages_out"],
            "broker/publish/messages/dropped": figures["dropped"],
            "broker/publish/bytes/received": figures["payload_in"],
            "broker/publish/bytes/sent": figures["payload_out"],
            "broker/bytes/received": figures["bytes_in"],
            "broker/bytes/sent": figures["bytes_out"],
            "broker/subscriptions/count": figures["subscriptions"],
            "broker/shared_subscriptions/count": figures["shared"],
            "broker/retained messages/count": figures["retained"],
            "broker/connections/socket/count": figures["open"],
            **self._heap(),
            **{f"broker/load/{name}": f"{load:.2f}" for name, load in self._loads.items()},
            "mockforge/faults/active": sum(
                rule.enabled for rule in environment.faults.rules.values()
            ),
            "mockforge/faults/fired": sum(rule.hits for rule in environment.faults.rules.values()),
            "mockforge/holds/waiting": len(environment.holds.held),
        }
        return {f"{ROOT}/{name}": str(value) for name, value in values.items()}

    def _heap(self) -> dict[str, int]:
        memory = self._memory()
        if memory is None:
            return {}
        return {
            "broker/heap/current": memory.current,
            "broker/heap/maximum": memory.maximum,
        }


def _message(name: str, value: str) -> Message:
    """QoS 2, as Mosquitto publishes them: everybody gets the QoS that it subscribed with."""
    return Message(name, value.encode(), 2, True)
