"""`lint`: what MQTT clients did against the specification, and what is legal and risky."""

from typing import TYPE_CHECKING, Annotated

from ..asking import matching, mqtt
from ..registry import Arg, command
from ..results import Column, Result, count, done, table
from ..rows import clock_time
from ..types import text

if TYPE_CHECKING:
    from ..session import Session

_WHICH = text("pattern", "lint-clients")


@command("lint ls", group="mqtt", aliases=("lint",), examples=("lint ls", "lint ls dev-*"))
def lint_ls(
    session: "Session", pattern: Annotated[str | None, Arg(_WHICH, "a glob of client ids")] = None
) -> Result:
    """List what lint found, by MQTT client and statement of the specification; errors first.

    An error broke the specification; it was served all the same, or ended its connection as often
    as is shown. A warning is legal and risky. --mqtt-lint says what becomes of errors.
    """
    found = mqtt(session).lint()
    shown = set(matching(dict.fromkeys(each.client for each in found), pattern))
    rows = [
        {
            "client": each.client,
            "severity": each.severity,
            "statement": each.statement,
            "times": each.times,
            "ended": each.ended,
            "last": each.last,
            "text": each.text,
        }
        for each in found
        if each.client in shown
    ]
    return table(
        rows,
        Column("client", "client"),
        Column("severity", "severity"),
        Column("statement", "statement"),
        Column("times", "times", count, right=True),
        Column("ended", "ended", count, right=True),
        Column("last", "last", clock_time),
        Column("text", "the last one"),
        empty="lint found nothing",
    )


@command("lint clear", group="mqtt", examples=("lint clear",))
def lint_clear(session: "Session") -> Result:
    """Count from here on: what lint found so far is forgotten."""
    broker = mqtt(session)
    found = len(broker.lint())
    broker.findings.clear()
    return done(f"{found} findings forgotten", {"forgotten": found})


COMMANDS = (lint_ls, lint_clear)
