"""One person at the console: a line in, a result out, whatever front end the line came from."""

import asyncio
import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from mockforge_brokers.errors import BrokerError, InvalidInput
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ..filters import Filter, FilterError, compile_filter, records
from . import completing
from .arguments import Call, Parsed, parse
from .candidates import Candidates
from .commands import REGISTRY
from .completing import Completion
from .jobs import Jobs
from .language import Line, Problem, Token
from .lookup import BadArgument
from .paths import opened
from .ports import Runtime, View
from .registry import Registry
from .results import Notice, Result, failed, selected
from .rowfile import RowFile, says_json
from .spans import Span, spans
from .types import duration

if TYPE_CHECKING:
    from ..fixtures.templates import Scope
    from .chaos.run import Run

_log = logging.getLogger(__name__)
_LOGGED = 400
"""Characters of a line that a log gets to see."""


@dataclass(frozen=True, slots=True)
class Counters:
    """The figures of a header or toolbar; the mappings are by protocol."""

    connections: Mapping[str, int]
    messages: int
    held: int
    faults: int
    jobs: int


class Session:
    """What the screen, the line shell, HTTP and `do` each have one of.

    `report` gets notices. An `interactive` front end can be asked for a yes: it calls `execute`
    again with `confirmed`. `files` False keeps lines from reading and writing files.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        registry: Registry = REGISTRY,
        view: View | None = None,
        report: Callable[[Notice], object] | None = None,
        interactive: bool = False,
        files: bool = False,
    ) -> None:
        self.runtime = runtime
        self.registry = registry
        self.view = view
        self.report: Callable[[Notice], object] = report or _unheard
        self.interactive = interactive
        self.files = files
        self.confirms = True
        self.tail_lines: int | None = 20
        self.has_room: Callable[[], bool] = lambda: True
        """Whether who gets the reports takes more right now; an export waits for it."""
        self.jobs = Jobs(runtime.clock)
        self.began: list[Run] = []
        """The run of presets that this session began last."""
        self.filter = compile_filter("")
        self.saved_filters: dict[str, Filter] = {}
        self.seen: Callable[[str], list[tuple[str, str]]] | None = None
        """Values of a filter's field in the traffic with a note (`Feed.seen`)."""
        self.candidates = Candidates(self)
        self._readers = {"filter": self._read_filter}
        self._scope: Scope | None = None

    # Lines -------------------------------------------------------------------------------

    async def execute(self, line: str, *, confirmed: bool = False) -> Result:
        """Run one line; nothing is raised for a mistake of the line or of the brokers' state."""
        return self.run(line, confirmed=confirmed)

    async def settled(self, result: Result) -> Result:
        """What a line comes to: of an awaited job that it began the outcome, once there is one."""
        job = self.jobs.of(result)
        if job is None or not job.awaited:
            return result
        ended = asyncio.Event()
        job.on_stop.append(ended.set)
        await ended.wait()
        return job.result(result)

    def run(self, line: str, *, confirmed: bool = False) -> Result:
        """The same at once: no command waits, what takes long goes on as a job."""
        parsed = parse(self.registry, line, self._readers)
        if parsed.problem is not None:
            name = parsed.command.name if parsed.command else ""
            return Result(name, ok=False, problem=parsed.problem)
        if parsed.call is None:
            return Result()
        if parsed.line.prefix is not None:
            return self._repeated(parsed.line, parsed.call, confirmed)
        return self._run_call(parsed, confirmed)

    def complete(self, line: str, cursor: int | None = None) -> list[Completion]:
        """What may replace the word at the cursor, best first."""
        cursor = len(line) if cursor is None else cursor
        return completing.complete(self.registry, line, cursor, self.candidates)

    def hint(self, line: str) -> str:
        """What the command of this line still takes."""
        return completing.hint(self.registry, line)

    def check(self, line: str) -> Problem | None:
        """What is wrong with a line, as far as that shows before it runs."""
        return parse(self.registry, line, self._readers).problem

    def spans(self, line: str) -> list[Span]:
        """The line's parts with their roles, for colours."""
        return spans(parse(self.registry, line, self._readers))

    def streams(self, line: str) -> bool:
        """Whether a line's data come as rows, not with its result."""
        parsed = parse(self.registry, line, self._readers)
        return parsed.call is not None and parsed.call.command.streams and not parsed.line.prefix

    def heard_by(
        self, report: Callable[[Notice], object], has_room: Callable[[], bool] | None = None
    ) -> "Session":
        """This session, its jobs and filters, for another listener that takes all rows."""
        other = copy.copy(self)
        other.report, other.tail_lines = report, None
        other.has_room = has_room or self.has_room
        return other

    def close(self) -> None:
        """End all jobs, and the run of presets that it began."""
        self.jobs.stop_all()
        for run in self.began:
            run.end()

    # What is there -----------------------------------------------------------------------

    def connections(self) -> list[ConnectionView]:
        return [each for broker in self.runtime.brokers.values() for each in broker.connections()]

    @property
    def refusals(self) -> dict[str, Mapping[str, int]]:
        """The codes with which each running broker can refuse a request."""
        return {name: broker.refusals for name, broker in self.runtime.brokers.items()}

    def destinations(self) -> list[DestinationView]:
        return [each for broker in self.runtime.brokers.values() for each in broker.destinations()]

    def groups(self) -> list[GroupView]:
        return [each for broker in self.runtime.brokers.values() for each in broker.groups()]

    def counters(self) -> Counters:
        runtime = self.runtime
        return Counters(
            connections={name: len(each.connections()) for name, each in runtime.brokers.items()},
            # A message is counted where it was published, not again in each queue that got it.
            messages=sum(each.messages_in for each in self.destinations() if each.kind != "queue"),
            held=len(runtime.holds.held),
            faults=sum(rule.enabled for rule in runtime.faults.rules.values()),
            jobs=len(self.jobs),
        )

    @property
    def is_heard(self) -> bool:
        """Whether anybody gets this session's notices."""
        return self.report is not _unheard

    @property
    def scope(self) -> "Scope":
        """What the templates of typed lines see; sequences go on from line to line."""
        if self._scope is None:
            from ..fixtures.templates import Scope

            self._scope = Scope(Random(), self.runtime.clock.wall)
        return self._scope

    def filter_of(self, text: str) -> Filter:
        """A filter of this text, where `@name` alone stands for a saved one; raises FilterError."""
        saved = self.saved_filters.get(text.strip().removeprefix("@")) if "@" in text else None
        return saved or compile_filter(text, wall=self.runtime.clock.wall)

    def _read_filter(self, token: Token) -> Filter:
        return self.filter_of(token.text)

    # How a line runs ---------------------------------------------------------------------

    def _run_call(self, parsed: Parsed, confirmed: bool) -> Result:
        call, line = parsed.call, parsed.line
        assert call is not None
        question = self._question(line, call, confirmed)
        if question is not None:
            return question
        try:
            if call.command.streams and line.where is not None:
                raise InvalidInput("a filter of rows stands before the |: tail TARGET FILTER")
            if call.command.streams and line.into is not None:
                result = self._streamed(call, line)
            else:
                result = call.command.run(self, **call.values)
                result = self._narrowed(result, line)
                result = self._written(replace(result, command=call.command.name), line)
        except BadArgument as error:
            start, end = call.places.get(error.name, (line.words[0].start, line.words[-1].end))
            if error.place is not None:
                start, end = start + error.place[0], start + error.place[1]
            result = failed(str(error), start, end)
        except BrokerError as error:
            result = failed(str(error), line.words[0].start, line.words[-1].end)
        except Exception as error:
            # A bug of ours costs the line that met it, not the front end.
            _log.exception("the line %r met a bug", line.text[:_LOGGED])
            result = failed(f"this is a bug of mockforge-tui, not of yours: {error!r}")
        return replace(result, command=call.command.name, in_json=call.json)

    def _question(self, line: Line, call: Call, confirmed: bool) -> Result | None:
        command = call.command
        if not command.asks or call.yes or confirmed or not self.confirms:
            return None
        shown = {name: line.text[start:end] for name, (start, end) in call.places.items()}
        question = command.asks.format_map(shown)
        return Result(command.name, ok=False, question=question, in_json=call.json)

    def _narrowed(self, result: Result, line: Line) -> Result:
        if line.where is None:
            return result
        if not result.columns:
            raise InvalidInput("only a table can go through a filter behind a |")
        where = line.where
        try:
            keep = compile_filter(where.text, records("these records", sorted(result.fields)))
        except FilterError as error:
            return failed(error.text, where.start + error.start, where.start + error.end)
        return selected(result, [record for record in result.records if keep(record)])

    def _written(self, result: Result, line: Line) -> Result:
        if line.into is None or not result.ok:
            return result
        path = self._file(line.into)
        shown = result.as_line() if says_json(path) else result.as_text(None)
        with opened(path) as place:
            place.write_text(f"{shown}\n", encoding="utf-8")
        return Result(text=f"wrote {path}")

    def _streamed(self, call: Call, line: Line) -> Result:
        """Rows go to a file as they come, until the job that brings them ends."""
        assert line.into is not None
        path = self._file(line.into)
        rows = RowFile(path, self.report)
        running = {each.id for each in self.jobs}
        try:
            result = call.command.run(self.heard_by(rows.report), **call.values)
        except BaseException:
            for each in self.jobs:
                if each.id not in running:
                    self.jobs.stop(each)
            raise
        job = self.jobs.of(result)
        rows.later = job is not None
        if job is None:
            rows.close()
            return Result(text=f"wrote {rows.count} messages to {path}", data={"rows": rows.count})
        job.on_stop.append(rows.close)
        text = f"job {job.id} writes to {path} (job stop {job.id} ends it)"
        return Result(text=text, data={"job": job.id, "file": path})

    def _file(self, token: Token) -> str:
        if not self.files:
            raise InvalidInput(
                f"{token.value}: files are not written for commands of the network; "
                "`mockforge-tui do` writes them where you are"
            )
        return token.value

    def _repeated(self, line: Line, call: Call, confirmed: bool) -> Result:
        prefix = line.prefix
        assert prefix is not None
        inner = line.text[prefix.value.end :].strip()
        try:
            if prefix.word.text == "every":
                seconds = duration(prefix.text)
                if seconds < 0.001:
                    raise ValueError(f"every {prefix.text}: too often (1ms is the least)")
                count, per_second = None, 1 / seconds
            else:
                count, per_second = _count(prefix.text), float("inf")
        except ValueError as error:
            return failed(str(error), prefix.value.start, prefix.value.end)
        question = self._question(line, call, confirmed)
        if question is not None:
            return question
        last: list[Result] = []

        def step() -> bool:
            result = self.run(inner, confirmed=True)
            last[:] = [result]
            if not result.ok and result.problem is not None:
                self.report(Notice("problem", f"{inner}: {result.problem.text}"))
            elif result.text and count is None:
                self.report(Notice("note", result.text))
            return result.ok

        job = self.jobs.run(prefix.word.text, inner, step, count=count, per_second=per_second)
        if not last[0].ok:
            return last[0]
        if job.stopped:
            return Result(call.command.name, text=f"{job.steps} times; the last: {last[0].text}")
        return Result(call.command.name, text=f"job {job.id} runs: {inner}", data={"job": job.id})


def _unheard(notice: Notice) -> None:
    pass


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is not a count (write repeat 3: ...)")
    return int(text)
