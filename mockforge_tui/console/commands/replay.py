"""`replay`: the messages of a recording again, at their times or as fast as may be."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import BrokerError

from ...fixtures.recordings import Recorded, parse_recording
from ..asking import BadArgument
from ..jobs import Job
from ..payloads import Payload, as_it_is
from ..registry import Arg, Opt, command
from ..results import Notice, Result, done
from ..types import PAYLOAD, text

if TYPE_CHECKING:
    from ..session import Session

_TURN = 200
"""Messages that are published before others get their turn."""


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
    recording: Annotated[Payload, Arg(PAYLOAD, "@FILE of a recording or of kcat -J, or its text")],
    *,
    speed: Annotated[
        str, Opt(("--speed",), text("speed"), "1 is as it was, 10 ten times as fast, or max")
    ] = "1",
) -> Result:
    """Publish the messages of a recording again, in their order.

    replay @orders.mfrec reads a file. `jobs` shows how far it is, `stop` ends it.
    """
    factor = _factor(speed)
    raw = as_it_is(recording, files=session.files)
    found = parse_recording(raw.decode("utf-8", "surrogateescape"), "recording")
    player = _Player(session, found, factor)
    player.turn()
    count = len(found)
    where = {"messages": count, "published": player.job.steps}
    if player.job.stopped:
        return done(f"{player.job.steps} of {count} messages replayed", where)
    return done(f"job {player.job.id} replays {count} messages", {**where, "job": player.job.id})


def _factor(text: str) -> float:
    if text == "max":
        return float("inf")
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not factor > 0:
        raise BadArgument("speed", f"a number above 0, or max, is wanted, not {text}")
    return factor


class _Player:
    """Publishes what is due, then waits for the next."""

    def __init__(self, session: "Session", messages: tuple[Recorded, ...], speed: float) -> None:
        self.job: Job = session.jobs.open("replay", f"{len(messages)} messages")
        self.job.limit = len(messages)
        self._session = session
        self._messages = messages
        self._speed = speed
        self._began = session.runtime.clock.now()

    def turn(self) -> None:
        job, clock = self.job, self._session.runtime.clock
        job.timer = None
        for _ in range(_TURN):
            if job.steps == len(self._messages):
                self._session.jobs.stop(job)
                return
            recorded = self._messages[job.steps]
            wait = recorded.after / self._speed - (clock.now() - self._began)
            if wait > 1e-9:
                job.timer = clock.call_later(wait, self.turn)
                return
            try:
                self._session.runtime.publish(recorded.message)
            except BrokerError as error:
                self._session.report(Notice("problem", f"replay stopped: {error}"))
                self._session.jobs.stop(job)
                return
            job.steps += 1
        job.timer = clock.call_later(0.0, self.turn)


COMMANDS = (replay,)
