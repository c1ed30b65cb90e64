"""A bug of ours, met while a connection was handled: it is logged, and only that one ends."""

import logging
import traceback

from .events import BrokerFailed
from .journal import Tape

_log = logging.getLogger(__name__)


def logged(
    error: Exception, protocol: str, connection: int, client: str, tape: Tape | None
) -> BrokerFailed:
    """Log it with the connection's last frames; returns the event to emit."""
    trace = "".join(traceback.format_exception(error))
    if tape is not None:
        trace += tape.last()
    _log.error("bug: %s connection %d (%s)\n%s", protocol, connection, client, trace)
    return BrokerFailed(protocol, connection, client, f"{type(error).__name__}: {error}", trace)
