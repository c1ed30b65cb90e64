"""`copy`: messages into the terminal's clipboard."""

from typing import TYPE_CHECKING, Annotated, Final

from mockforge_brokers.journal import Row

from ... import text as screen_text
from ...units import counted, format_size
from ..again.spelling import typed_text
from ..exports import OF_FRAMES, Ending, form_of
from ..lookup import BadArgument, view
from ..paths import at_home
from ..registry import Arg, Opt, command
from ..results import Result, done
from ..types import choice
from .republish import WHICH

if TYPE_CHECKING:
    from ..ports import View
    from ..session import Session

CLIPBOARD: Final = 74_994
"""Bytes that xterm's OSC 52 takes; many terminals follow it."""
_MOST_ROWS: Final = 1_000
_MOST_BYTES: Final = 8 << 20
_TEXT, _JSON = "text", "json"
_FORMS: Final = (_TEXT, _JSON, "hex", "cli", "pytest", "fixture")


@command(
    "copy",
    group="messages",
    aliases=("yank",),
    examples=("copy", "copy #1 --as cli", "copy @marked --as fixture"),
)
def copy(
    session: "Session",
    which: Annotated[
        range | str,
        Arg(WHICH, "@focus: the one under the cursor, @marked, or rows: #7, #7..9"),
    ] = "@focus",
    *,
    form: Annotated[
        str,
        Opt(("--as",), choice("form", *_FORMS), "text, json, hex, cli, pytest, fixture", "FORM"),
    ] = _TEXT,
) -> Result:
    """Copy messages: the payload as text, the whole record as JSON, the payload in hex, a line of
    kcat, mosquitto_pub or rabbitmqadmin, a test, or a fixture.

    The terminal's clipboard is asked (OSC 52). Not every terminal has that: what was copied is in
    a file, too, which the answer names.
    """
    screen = view(session, "copy")
    rows = _chosen(screen, which, form)
    copied = _copied(session, rows, form)
    place = screen.copy(copied)
    size = len(copied.encode("utf-8", "surrogateescape"))
    too_large = size > CLIPBOARD
    form = "hex" if form == _TEXT and copied != _as_it_is(rows) else form
    said = (
        format_size(size) if len(rows) == 1 else f"{counted(len(rows), 'row')}, {format_size(size)}"
    )
    data = {"rows": len(rows), "size": size, "path": place}
    if too_large:
        # It is asked all the same: some take more.
        where = f"; {at_home(place)} has it" if place else ""
        return done(f"{said} as {form}, more than many terminals take{where}", data)
    if place:
        # Short enough for the line below the prompt of a narrow terminal.
        return done(f"{said} as {form}; no clipboard? {at_home(place)}", data)
    return done(f"{said} copied as {form}, if the terminal has a clipboard", data)


def _chosen(screen: "View", which: range | str, form: str) -> list[Row]:
    if isinstance(which, range):
        if len(which) > _MOST_ROWS:
            raise BadArgument("which", f"{len(which):,} rows are too many: export them to a file")
        rows = list(screen.numbered(which[0], which[-1]) if which else ())
        missing = f"row #{which.start} is not there (any more)"
    else:
        rows = list(screen.marked())
        rows = [row for row in rows if row.marked] if which == "@marked" else rows[:1]
        rows.sort(key=lambda row: row.seq)
        missing = f"nothing is {'marked' if which == '@marked' else 'selected'}"
    if not rows:
        raise BadArgument("which", missing)
    if form in OF_FRAMES:
        return rows
    messages = [row for row in rows if row.payload is not None or row.kind == "message"]
    if not messages:
        raise BadArgument("which", f"#{rows[0].seq} {rows[0].operation} has no payload")
    return messages


def _copied(session: "Session", rows: list[Row], form: str) -> str:
    if sum(len(row.payload or b"") for row in rows) > _MOST_BYTES:
        remedy = "export them to a file"
        raise BadArgument("which", f"more than {format_size(_MOST_BYTES)}: {remedy}")
    if form == _TEXT:
        return "\n".join(copied_text(row.payload or b"") for row in rows)
    writer = form_of(session, "jsonl" if form == _JSON else form)
    written = b"".join(writer(row) for row in rows)
    written += writer.rest() if isinstance(writer, Ending) else b""
    if not written:
        raise BadArgument("which", f"nothing of it can be written as {form}")
    return screen_text.encodable(written.decode("utf-8", "replace")).removesuffix("\n")


def _as_it_is(rows: list[Row]) -> str:
    return "\n".join((row.payload or b"").decode("utf-8", "replace") for row in rows)


def copied_text(payload: bytes) -> str:
    """What the clipboard gets: the text, or `hex:` and bytes as `pub` takes them.

    Control characters go as hex: a terminal that it is pasted to would obey them.
    """
    text = typed_text(payload)
    return f"hex:{payload.hex()}" if text is None else text


COMMANDS = (copy,)
