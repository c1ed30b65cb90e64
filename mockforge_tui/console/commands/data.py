"""`data`: what is kept on disk, and how far the disk is behind."""

from typing import TYPE_CHECKING

from ... import units
from ...units import clock_time
from ..registry import command
from ..results import Result, done, facts_table

if TYPE_CHECKING:
    from ..session import Session

_CONFIRMED = {
    True: "is what the system has, which a kill leaves (--data-sync os)",
    False: "is what is on disk (--data-sync commit)",
}
_NOWHERE = "nothing is kept on disk: start with --data-dir DIR"


@command("data", group="control", examples=("data",))
def data(session: "Session") -> Result:
    """Show the data folder: its size, the last commit, and how far the disk is behind.

    With `--data-dir DIR` what was confirmed is kept over a kill; `help data` says what that is.
    """
    store = session.runtime.store
    if store is None:
        return done(_NOWHERE, {"folder": None})
    figures = store.figures()
    shown = {
        "folder": store.place,
        "state": store.failing or "all well",
        "confirmed": _CONFIRMED[store.prompt],
        "on disk": _sizes(store.disk.sizes()),
        "commits": f"{store.commits:,}",
        "written": f"{store.rows_written:,} rows, {units.format_size(store.bytes_written)}",
        "last commit": "none yet" if store.last_commit is None else clock_time(store.last_commit),
        "behind": units.format_duration(store.lag) if store.lag else "nothing waits",
        "longest wait": units.format_duration(store.longest),
    }
    return Result(text=facts_table(shown).text, data=figures)


def _sizes(sizes: dict[str, int]) -> str:
    """What is gone stays in the files until others take its place."""
    text = units.format_size(sizes["segments"])
    return f"{text}, {units.format_size(sizes['live'])} of it in use"


COMMANDS = (data,)
