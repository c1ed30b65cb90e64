"""`record`: write messages down as they come, to be replayed."""

from typing import TYPE_CHECKING, Annotated, Any, Final

from mockforge_brokers.errors import InvalidInput

from ...differences import Difference, compare, conversations
from ...filters import Filter
from ...recordings import Recording
from ...units import counted, format_duration
from ..lookup import known
from ..payloads import Payload
from ..registry import Arg, Opt, command
from ..results import Column, Notice, Result, count, done, size, table
from ..types import FILTER, PAYLOAD, text
from .replay import content_of

if TYPE_CHECKING:
    from ..session import Session

_NAME = text("name", "recordings")

DIFFERENCE_COLUMNS: Final = (
    Column("client", "client"),
    Column("sign", ""),
    Column("packet", "packet"),
    Column("times", "times", count, right=True),
    Column("what", "what changed"),
)


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


@command(
    "record diff",
    group="messages",
    examples=('record diff {"p":"mqtt","op":"publish","topic":"t"} {"p":"mqtt","op":"publish"}',),
)
def record_diff(
    session: "Session",
    old: Annotated[Payload, Arg(PAYLOAD, "a recording, @FILE of one, or of export --as jsonl")],
    new: Annotated[Payload, Arg(PAYLOAD, "what it is compared with")],
    *,
    both_ways: Annotated[bool, Opt(("--both-ways",), None, "what the broker sent, too")] = False,
) -> Result:
    """Show what clients did differently: connection by connection, packet by packet.

    record diff good @bad.mfrec compares messages; exports of traffic (export (proto:mqtt) > a)
    have every packet. Times and packet identifiers are no differences.
    """
    sides = [content_of(session, each) for each in (old, new)]
    before, after = (conversations(content, name, both_ways=both_ways) for name, content in sides)
    return table(
        [each.as_record() for each in compare(before, after)],
        *DIFFERENCE_COLUMNS,
        empty="no differences",
        fields=Difference._fields,
    )


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


COMMANDS = (record_start, record_stop, record_ls, record_show, record_diff, record_rm)
