"""`filter`, `shot`, `theme`, `jump`: what is looked at, and how."""

from typing import TYPE_CHECKING, Annotated

from ...filters import Filter
from ..lookup import BadArgument, known, view
from ..registry import Arg, command
from ..results import Column, Result, done, table
from ..types import FILE, FILTER, text

if TYPE_CHECKING:
    from ..session import Session

_NAME = text("name")


@command(
    "filter",
    group="view",
    examples=("filter proto:kafka not op:Heartbeat", "filter"),
)
def filter_(
    session: "Session",
    shown: Annotated[
        Filter | None, Arg(FILTER, "a filter, or @NAME of a saved one", tail=True)
    ] = None,
) -> Result:
    """Show only rows that a filter matches; without one, tell which is in force.

    Fields are written field:value, next to each other for and; `help filters` has all.
    """
    if shown is None:
        text = session.filter.text
        return done(f"filter: {text}" if text else "no filter", {"filter": text})
    screen = view(session, "filter")
    session.filter = shown
    screen.show_filter(shown)
    notes = "".join(f"; {note}" for note in shown.notes)
    return done(f"filter: {shown.text}{notes}", {"filter": shown.text})


@command("filter clear", group="view", aliases=("filter off",), examples=("filter clear",))
def filter_clear(session: "Session") -> Result:
    """Show all rows again."""
    screen = view(session, "filter")
    session.filter = session.filter_of("")
    screen.show_filter(None)
    return done("no filter", {"filter": ""})


@command("filter save", group="view", examples=("filter save errors has:error", "filter save mine"))
def filter_save(
    session: "Session",
    name: Annotated[str, Arg(_NAME, "a name; @NAME uses it")],
    kept: Annotated[
        Filter | None, Arg(FILTER, "a filter (else the one in force)", tail=True)
    ] = None,
) -> Result:
    """Keep a filter under a name."""
    if not name.isidentifier():
        raise BadArgument("name", f"{name!r} is not a name (letters, digits and _)")
    chosen = kept or session.filter
    session.saved_filters[name] = chosen
    return done(f"@{name} is: {chosen.text or 'everything'}", {"name": name, "filter": chosen.text})


@command("filter ls", group="view", aliases=("filters",), examples=("filter ls",))
def filter_ls(session: "Session") -> Result:
    """List saved filters."""
    rows = [
        {"name": f"@{name}", "filter": each.text} for name, each in session.saved_filters.items()
    ]
    columns = (Column("name", "name"), Column("filter", "filter"))
    return table(rows, *columns, empty="no saved filters")


@command("shot", group="view", aliases=("screenshot",), examples=("shot demo.svg",))
def shot(
    session: "Session", path: Annotated[str | None, Arg(FILE, "an SVG file")] = None
) -> Result:
    """Write the screen to an SVG file."""
    written = view(session, "shot").screenshot(path)
    return done(f"wrote {written}", {"path": written})


@command("theme", group="view", examples=("theme", "theme day"))
def theme(
    session: "Session", name: Annotated[str | None, Arg(text("name", "themes"), "a theme")] = None
) -> Result:
    """Change the screen's colours; without a name, list the themes."""
    screen = view(session, "theme")
    names = list(screen.themes())
    if name is None:
        return done(", ".join(names), {"themes": names})
    screen.set_theme(known("name", name, names, "theme"))
    return done(f"theme {name}", {"theme": name})


@command("jump", group="view", examples=("jump", "jump connections"))
def jump(
    session: "Session",
    name: Annotated[
        str | None, Arg(text("name", "panes"), "a pane: flow, groups, topology")
    ] = None,
) -> Result:
    """Go to a pane of the screen; without a name, show letters that go to panes and lines."""
    screen = view(session, "jump")
    if name is not None:
        known("name", name, screen.places(), "pane")
    screen.jump(name)
    return done(f"in {name}" if name is not None else "a letter goes there, esc leaves")


COMMANDS = (filter_, filter_clear, filter_save, filter_ls, shot, theme, jump)
