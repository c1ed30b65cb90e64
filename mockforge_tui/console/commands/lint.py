"""`lint`: what clients did against their protocol, and what is risky or outdated."""

from typing import TYPE_CHECKING, Annotated

from ...units import clock_time
from ..lookup import matching
from ..registry import Arg, command
from ..results import Column, Result, count, done, table
from ..types import text

if TYPE_CHECKING:
    from ..session import Session

_WHICH = text("pattern", "lint-clients")


@command("lint ls", group="connections", aliases=("lint",), examples=("lint ls", "lint ls dev-*"))
def lint_ls(
    session: "Session", pattern: Annotated[str | None, Arg(_WHICH, "a glob of clients")] = None
) -> Result:
    """List what lint found, by client and statement; errors first.

    MQTT: an error broke the specification; it was served all the same, or ended its connection as
    often as is shown (--mqtt-lint says which). A warning is legal and risky. AMQP: an error is what
    the release of RabbitMQ that we are like (--amqp-as-version) does not take, a warning what a
    newer one will not, or what is risky.
    """
    found = [
        (protocol, each)
        for protocol, findings in session.runtime.brokers.findings()
        for each in findings.views()
    ]
    found.sort(key=lambda one: one[1].severity)
    shown = set(matching(dict.fromkeys(each.client for _, each in found), pattern))
    rows = [
        {
            "protocol": protocol,
            "client": each.client,
            "severity": each.severity,
            "statement": each.statement,
            "times": each.times,
            "ended": each.ended,
            "last": each.last,
            "text": each.text,
        }
        for protocol, each in found
        if each.client in shown
    ]
    return table(
        rows,
        Column("protocol", "protocol"),
        Column("client", "client"),
        Column("severity", "severity"),
        Column("statement", "statement"),
        Column("times", "times", count, right=True),
        Column("ended", "ended", count, right=True),
        Column("last", "last", clock_time),
        Column("text", "the last one"),
        empty="lint found nothing",
    )


@command("lint clear", group="connections", examples=("lint clear",))
def lint_clear(session: "Session") -> Result:
    """Count from here on, also for `expect lint`: what was found so far is forgotten."""
    forgotten = 0
    for _, findings in session.runtime.brokers.findings():
        forgotten += len(findings.views())
        findings.clear()
    session.runtime.violations.clear()
    return done(f"{forgotten} findings forgotten", {"forgotten": forgotten})


COMMANDS = (lint_ls, lint_clear)
