"""`limits`: what is bounded, how far each bound is used, and how often it was met."""

from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.usage import LimitView

from ... import units
from ...units import clock_time
from ..lookup import matching
from ..registry import Arg, command
from ..results import Column, Result, count, table
from ..types import GLOB

if TYPE_CHECKING:
    from ..session import Session


@command("limits", group="control", examples=("limits", "limits kafka*"))
def limits(
    session: "Session", pattern: Annotated[str | None, Arg(GLOB, "a glob of names")] = None
) -> Result:
    """Show each limit: its value, how much is in use, how often it was met and what was lost.

    A limit is set when the program starts: `--limit kafka_total=2g`, MOCKFORGE_LIMIT_KAFKA_TOTAL,
    or `limits: {kafka_total: 2g}` in the config file. In use is what there is in all, or what the
    largest connection has where a limit is one connection's.
    """
    views = session.runtime.usage.views()
    shown = set(matching((view.name for view in views), pattern))
    return table(
        [_record(view) for view in views if view.name in shown],
        Column("limit", "limit"),
        Column("shown", "value", right=True),
        Column("used_shown", "in use", right=True),
        Column("met", "met", count, right=True),
        Column("lost", "lost", count, right=True),
        Column("last", "last", _time),
        Column("bounds", "bounds"),
        empty="no limit of this name",
        fields=("value", "used", "effect"),
    )


def _time(wall: float | None) -> str:
    return "" if wall is None else clock_time(wall)


def _record(view: LimitView) -> dict[str, Any]:
    show = units.format_size if view.unit == "bytes" else units.format_count
    return {
        "limit": view.name,
        "value": view.value,
        "shown": show(view.value),
        "used": view.used,
        "used_shown": "" if view.used is None else show(view.used),
        "met": view.met,
        "lost": view.lost,
        "last": view.last,
        "bounds": view.what,
        "effect": view.effect,
    }


COMMANDS = (limits,)
