"""What the brokers report, as log lines, for those who have no screen."""

import logging

from mockforge_brokers.events import (
    ClientBehindProxy,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    MessageSeen,
)
from mockforge_brokers.spine import Spine

from . import text

_log = logging.getLogger("mockforge")
_LONGEST = 4_000

# By name: to import the fixtures' events is to import the fixtures.
_WRONG = frozenset(
    {
        "AccessDenied",
        "DataWriteFailed",
        "FeatureNotServed",
        "FixtureFailed",
        "FixturesKept",
        "LimitReached",
        "PeerFellBehind",
        "ProtocolViolated",
        "ReactionStopped",
        "Warned",
    }
)
# The transport logs it with its last frames.
_LOGGED = frozenset({"BrokerFailed"})


def log_events(spine: Spine) -> None:
    """Log what is emitted from now on: a warning for what went wrong, else an info.

    A client that has not said its name is called by its address.
    """
    addresses: dict[int, str] = {}

    def opened(event: Event) -> None:
        if isinstance(event, ConnectionOpened | ClientBehindProxy):
            addresses[event.connection] = event.address

    def closed(event: Event) -> None:
        if isinstance(event, ConnectionClosed):
            addresses.pop(event.connection, None)

    def report(event: Event) -> None:
        name = type(event).__name__
        wrong = name in _WRONG or getattr(event, "severity", "") == "error"
        level = logging.WARNING if wrong else logging.INFO
        if name in _LOGGED or isinstance(event, MessageSeen) or not _log.isEnabledFor(level):
            return
        # Nothing is emitted in many a run: what words it is imported when something is.
        from .feed.facts import event_row

        row = event_row(0.0, event)
        if row is not None:
            client = row.client or (addresses.get(row.connection, "") if wrong else "")
            who = [row.protocol, row.operation, row.destination, client]
            # Names are the clients': one line break would forge a line of ours.
            line = f"{' '.join(filter(None, who))}: {row.detail['text']}"
            _log.log(level, "%s", text.clean(line, _LONGEST))

    spine.watch(report)
    spine.watch(opened, ConnectionOpened, ClientBehindProxy)
    spine.watch(closed, ConnectionClosed)
