"""`replay`: the messages of a recording again, at their times or as fast as may be."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput

from ...fixtures.recordings import parse_recording
from ...units import counted
from ..lookup import BadArgument
from ..payloads import Payload, as_it_is
from ..registry import Arg, Opt, command
from ..replaying import factor
from ..replaying import replay as begin
from ..results import Result, done
from ..types import PAYLOAD, text

if TYPE_CHECKING:
    from ..session import Session


@command(
    "replay",
    group="messages",
    examples=(
        'replay {"t":0,"p":"kafka","op":"publish","topic":"orders","enc":"text","value":"hi"}',
        'replay {"topic":"orders","partition":0,"ts":1,"payload":"hi"} --speed max',
    ),
)
def replay(
    session: "Session",
    recording: Annotated[
        Payload,
        Arg(PAYLOAD, "a recording of `record ls`, @FILE of one or of kcat -J, or its text"),
    ],
    *,
    speed: Annotated[
        str, Opt(("--speed",), text("speed"), "1 is as it was, 10 ten times as fast, or max")
    ] = "1",
) -> Result:
    """Publish the messages of a recording again, in their order.

    replay @orders.mfrec reads a file. Kafka topics that are not there are made with the partitions
    that the recording knows. `jobs` shows how far it is, `stop` ends it.
    """
    try:
        pace = factor(speed)
    except InvalidInput as error:
        raise BadArgument("speed", str(error)) from None
    name, raw = content_of(session, recording)
    found = parse_recording(raw.decode("utf-8", "surrogateescape"), name)
    job = begin(session, found, pace)
    if job.outcome is not None:
        return job.outcome
    count = len(found)
    where = {"messages": count, "published": job.steps}
    return done(f"job {job.id} replays {counted(count, 'message')}", {**where, "job": job.id})


def content_of(session: "Session", recording: Payload) -> tuple[str, bytes]:
    """The recording's name for errors, and its lines. Raises InvalidInput."""
    kept = session.runtime.recordings.get(recording.text) if recording.kind == "text" else None
    if kept is not None:
        return kept.name, kept.content()
    return "recording", as_it_is(recording, files=session.files)


COMMANDS = (replay,)
