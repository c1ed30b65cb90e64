"""`export`: messages out of the brokers, to a file or to whoever reads our output."""

from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import Row

from ... import text
from ...feed import Decoder, may_match
from ...filters import Filter, compile_filter
from ...units import counted
from ..exports import CAPTURE, FORMS, OF_FRAMES, Ending, Form, form_of
from ..jobs import Job
from ..language import Kind, Token
from ..lookup import BadArgument, numbers_of, view
from ..registry import Arg, Opt, Type, command
from ..results import Notice, Result, done
from ..rows import line_of, record_of
from ..stored import open_store
from ..targets import SessionTarget, Target
from ..types import COUNT, FILTER, OFFSET, choice
from .stored import STORED, stored_target

if TYPE_CHECKING:
    from ..session import Session

_SLICE = 200
"""Messages written in one turn of the loop."""
_PAUSE = 0.02
_DECODING = 0.02
"""Seconds of decoding in one turn of the loop."""

Source = Target | SessionTarget | range | Filter | str


def _source(token: Token) -> Source:
    """A stored target, `#7`, `#7..9`, @focus, @marked, or a (filter) over the traffic."""
    if token.kind is Kind.GROUP:
        return compile_filter(token.text)
    if token.value in ("@focus", "@marked"):
        return token.value
    numbers = numbers_of(token.value)
    if numbers is not None:
        return numbers
    found: Target | SessionTarget = STORED.parse(token)
    return found


_SOURCE = Type("source", _source, "stored")


@command(
    "export",
    group="messages",
    streams=True,
    examples=(
        "export kafka:orders > orders.jsonl",
        "export kafka:orders key:o-1 --as csv > orders.csv",
        "export queue:q.inv -n 1 --as raw > payload.bin",
        "export mqtt:sensors/# --as recording > sensors.mfrec",
        "export (proto:amqp) --as hex",
        "export (client:dev-7) --as pcapng > dev-7.pcapng",
        "export (proto:mqtt) --as pytest > test_captured.py",
        "export kafka:orders -n 1 --as cli",
    ),
)
def export(
    session: "Session",
    source: Annotated[
        Source,
        Arg(
            _SOURCE,
            "kafka:TOPIC, queue:Q, mqtt:FILTER, session:CLIENT, #7..9, @focus, @marked, (filter)",
        ),
    ],
    where: Annotated[Filter | None, Arg(FILTER, "only what matches", tail=True)] = None,
    *,
    form: Annotated[
        str,
        Opt(
            ("--as",),
            choice("form", *FORMS),
            "jsonl, csv, raw, hex, recording, pcapng, pytest, cli, fixture or mosquitto_pub",
            "FORM",
        ),
    ] = "jsonl",
    start: Annotated[str | None, Opt(("--from",), OFFSET, "as in peek")] = None,
    most: Annotated[int | None, Opt(("-n", "--count"), COUNT, "so many at most")] = None,
) -> Result:
    """Write messages out: all that is stored somewhere, rows of the flow, or traffic by a filter.

    The file behind > is written where you are, with `do` too; without one the messages go to
    standard output. `raw` gives of one message exactly its bytes, `pcapng` frames for Wireshark.
    """
    if not session.is_heard:
        raise InvalidInput("export needs somebody who reads what it writes")
    writer = _Export(
        session, _rows(session, source, start, form), where, form_of(session, form), most
    )
    job = writer.begin()
    if job.stopped:
        return _narrated(done(f"{counted(job.steps, 'message')} exported", {"exported": job.steps}))
    return _narrated(done(f"job {job.id} exports (job stop {job.id} ends it)", {"job": job.id}))


def _narrated(result: Result) -> Result:
    return Result(text=result.text, data=result.data, narrates=True)


class _Export:
    """One export as a job that goes on in slices, and waits while its reader is slow."""

    def __init__(
        self,
        session: "Session",
        rows: Iterator[Row | None],
        where: Filter | None,
        form: Form,
        most: int | None,
    ) -> None:
        self._session = session
        self._rows = rows
        self._where = where
        self._form = form
        self._most = most
        self._job = session.jobs.open("export", "messages")

    def begin(self) -> Job:
        self._turn()
        return self._job

    def _turn(self) -> None:
        job = self._job
        job.timer = None
        if self._ended_with_slice():
            self._write_rest()
            self._session.jobs.stop(job)
        if not job.stopped:
            pause = 0.0 if self._session.has_room() else _PAUSE
            job.timer = self._session.runtime.clock.call_later(pause, self._turn)

    def _write_rest(self) -> None:
        rest = self._form.rest() if isinstance(self._form, Ending) else b""
        if rest:
            self._session.report(Notice("row", text.decode(rest), content=rest))

    def _ended_with_slice(self) -> bool:
        """Write some; True when that was all."""
        job, session = self._job, self._session
        for _ in range(_SLICE):
            if not session.has_room():
                return False
            try:
                row = next(self._rows)
            except StopIteration:
                return True
            if row is None:
                # Decoding takes its time: the loop gets a turn.
                return False
            if self._where is None or self._where(row):
                job.steps += 1
                content = self._form(row)
                session.report(Notice("row", line_of(row), record_of(row), content=content))
                if self._most is not None and job.steps >= self._most:
                    return True
        return False


def _rows(session: "Session", source: Source, start: str | None, form: str) -> Iterator[Row | None]:
    """Rows of a source; None where the loop should get a turn."""
    if form == CAPTURE and not isinstance(source, Filter | range | str):
        remedy = "export (FILTER), #N or @marked"
        raise BadArgument("source", f"what is stored has no frames: {remedy} --as pcapng")
    if start is not None and isinstance(source, Filter | range | str):
        raise BadArgument("start", "--from is for what is stored (kafka:, queue:, mqtt:)")
    match source:
        case Filter():
            return _traffic(session, source)
        case range():
            rows = view(session, "export #N").numbered(source[0], source[-1])
            if not rows:
                raise BadArgument("source", f"row #{source[0]} is not there (any more)")
        case str():
            rows = view(session, f"export {source}").marked()
            rows = [row for row in rows if row.marked] if source == "@marked" else rows[:1]
            if not rows:
                raise BadArgument("source", f"nothing is {source.removeprefix('@')}")
        case _:
            return open_store(session, stored_target(session, source, "source")).forward(start)
    # Of chosen rows the messages, but a capture shows what went to and fro around them.
    messages = [] if form in OF_FRAMES else [row for row in rows if row.kind == "message"]
    return iter(messages or rows)


def _traffic(session: "Session", where: Filter) -> Iterator[Row | None]:
    """What the journal still has, every frame of it."""
    journal = session.runtime.journal
    if journal is None:
        raise InvalidInput("there is no journal here: start without --no-journal")
    decoder = Decoder(journal, perf_counter)

    def rows() -> Iterator[Row | None]:
        for portion in decoder.decode_all(_DECODING, may_match(where)):
            yield from filter(where, portion)
            yield None

    return rows()


COMMANDS = (export,)
