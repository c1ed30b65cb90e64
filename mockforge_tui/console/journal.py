"""What happened of late, as lines for a test's report."""

from mockforge_brokers.journal import Journal, Row
from mockforge_brokers.spine import Spine

from .. import text
from ..feed import Feed
from ..units import clock_time
from .rows import line_of

_BUDGET = 0.5
_LOOKED_AT = 2_000


def newest_lines(journal: Journal | None, spine: Spine, count: int, since: float) -> list[str]:
    """Up to `count` lines, oldest first, of frames and facts after wall time `since`."""
    feed = Feed(journal, spine, slots=_LOOKED_AT)
    feed.tick(_BUDGET)
    rows = [row for row in feed.since(0) if row.time > since and row.kind != "noise"]
    return [_line(row) for row in rows[-count:]]


def _line(row: Row) -> str:
    client = f" {row.client}" if row.client else f" c{row.connection}" if row.connection else ""
    if row.kind == "event":
        what = f"{row.protocol} {row.operation} {row.destination} {row.detail.get('text', '')}"
        line = f"{clock_time(row.time)} ·{client} {what}"
    else:
        time, _, rest = line_of(row).partition(" ")
        if row.kind != "message":
            rest = rest.removesuffix(" (no payload)")
        line = f"{time}{client} {rest}"
    return text.clean(line, 240)
