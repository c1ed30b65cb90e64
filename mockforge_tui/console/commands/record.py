"""`record`: write messages down as they come, to be replayed."""

from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import InvalidInput

from ...filters import Filter
from ...recordings import Recording
from ...units import counted, format_duration
from ..lookup import known
from ..registry import Arg, Opt, command
from ..results import Column, Notice, Result, count, done, size, table
from ..types import FILTER, text

if TYPE_CHECKING:
    from ..session import Session

_NAME = text("name", "recordings")


@command(
    "record start",
    group="messages",
    examples=("record start checkout", "record start sensors proto:mqtt topic:sensors/#"),
)
def record_start(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the recording's name")] = "",
    where: Annotated[Filter | None, Arg(FILTER, "only what matches", tail=True)] = None,
    *,
    to: Annotated[
        str | None, Opt(("--to",), text("file"), "a file that grows meanwhile", "FILE")
    ] = None,
) -> Result:
    """Record the messages that enter the brokers from now on.

    In memory, or with --to in a file of this machine. `record show NAME > FILE` writes it where
    you are, `replay NAME` publishes it again.
    """
    if to is not None and not session.files:
        raise InvalidInput(
            f"--to {to}: files are not written for commands of the network; "
            "record show NAME > FILE writes one where you are"
        )
    recording = session.runtime.recordings.start(name, path=to or "", where=where)
    data = described(recording)
    return done(f"{recording.name} records (record stop {recording.name} ends it)", data)


@command("record stop", group="messages", examples=("record stop orders", "record stop"))
def record_stop(
    session: "Session",
    name: Annotated[str | None, Arg(_NAME, "a recording; else all that run")] = None,
) -> Result:
    """End a recording; what came stays until `record rm`."""
    every = session.runtime.recordings
    if name is None:
        running = [each for each in every.values() if each.running]
        if not running:
            raise InvalidInput("nothing records: record start NAME")
    else:
        running = [_named(session, name)]
    for recording in running:
        every.stop(recording)
    text = ", ".join(f"{each.name} has {counted(each.messages, 'message')}" for each in running)
    return done(text, [described(each) for each in running])


@command("record ls", group="messages", aliases=("recordings",), examples=("record ls",))
def record_ls(session: "Session") -> Result:
    """List recordings, those that run and those that ended."""
    return table(
        [described(each) for each in session.runtime.recordings.values()],
        Column("name", "recording"),
        Column("running", "state", lambda running: "records" if running else "ended"),
        Column("messages", "messages", count, right=True),
        Column("seconds", "length", format_duration, right=True),
        Column("size", "size", size, right=True),
        Column("file", "file"),
        Column("filter", "filter"),
        Column("problem", "problem"),
        empty="nothing was recorded: record start NAME",
        fields=("started",),
    )


@command(
    "record show",
    group="messages",
    streams=True,
    examples=("record show orders > orders.mfrec",),
)
def record_show(session: "Session", name: Annotated[str, Arg(_NAME, "a recording")]) -> Result:
    """Write a recording's lines to standard output, or to the file behind >."""
    recording = _named(session, name)
    content = recording.content()
    if not session.is_heard:
        raise InvalidInput("record show needs somebody who reads what it writes")
    for line in content.splitlines(keepends=True):
        shown = line.decode("utf-8", "replace").rstrip("\n")
        session.report(Notice("row", shown, {"line": shown}, content=line))
    events = f"{counted(recording.messages, 'message')} of {recording.name}"
    return Result(text=events, data={"messages": recording.messages}, narrates=True)


@command("record rm", group="messages", examples=("record rm orders",))
def record_rm(session: "Session", name: Annotated[str, Arg(_NAME, "a recording")]) -> Result:
    """End and forget a recording; its file stays."""
    recording = _named(session, name)
    session.runtime.recordings.remove(recording)
    return done(f"{recording.name} is gone", described(recording))


def _named(session: "Session", name: str) -> Recording:
    """Raises InvalidInput for a name that is none, with the nearest one."""
    every = session.runtime.recordings
    return every[known("name", name, every, "recording")]


def described(recording: Recording) -> dict[str, Any]:
    """What programs get of it."""
    return {
        "name": recording.name,
        "running": recording.running,
        "messages": recording.messages,
        "seconds": round(recording.seconds, 4),
        "size": recording.size,
        "file": recording.path,
        "filter": recording.where.text if recording.where is not None else "",
        "problem": recording.problem,
        "started": round(recording.started, 3),
    }


COMMANDS = (record_start, record_stop, record_ls, record_show, record_rm)
