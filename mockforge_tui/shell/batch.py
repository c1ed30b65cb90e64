"""Commands from a pipe or a file: results to standard output, all else to standard error."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import TextIO

from mockforge_brokers.errors import InvalidInput

from .. import text
from ..console.results import Notice, Result
from ..console.session import Session
from ..exit_codes import ExitCode

_LOOK = 0.02
_LONGEST = 2**24


class Batch:
    """Runs line after line and ends at the first that fails.

    As text or, with `as_json`, one JSON object a line. After the last line the jobs that it left
    are waited for; those that never end (a tail without -n) go on until a signal.
    """

    def __init__(self, session: Session, out: TextIO, err: TextIO, *, as_json: bool) -> None:
        self._session = session
        self._out = out
        self._err = err
        self._as_json = as_json
        session.report = self.report
        session.tail_lines = None

    async def run(self, lines: AsyncIterator[str], stop: asyncio.Event) -> int:
        """Returns the exit status."""
        number = 0
        # A generator that is left in the middle closes what it reads from only when it is told.
        async with aclosing(_until(lines, stop)) as until:
            async for line in until:
                number += 1
                result = await self._outcome(await self._session.execute(line), stop)
                self.show(result)
                if not result.ok:
                    self._blame(number, line, result)
                    unmet = result.failure is not None
                    return ExitCode.EXPECTATION_FAILED if unmet else ExitCode.USAGE
                if result.ends is not None:
                    return result.ends
        while len(self._session.jobs) and not stop.is_set():
            await _pause(stop)
        return ExitCode.OK

    async def _outcome(self, result: Result, stop: asyncio.Event) -> Result:
        """What an expectation or scenario came to: the next line is for after it."""
        job = self._session.jobs.find(result.data["job"]) if _waits(result) else None
        if job is None or not job.awaited:
            return result
        while not job.stopped and not stop.is_set():
            await _pause(stop)
        return replace(job.outcome or result, command=result.command, in_json=result.in_json)

    def show(self, result: Result) -> None:
        if not result.command and result.problem is None:
            return
        if result.narrates and result.ok:
            self._write(self._err, text.clean(result.text))
        elif self._as_json or result.in_json:
            self._write(self._out, result.as_line())
        elif result.ok:
            shown = result.as_text(None)
            if shown:
                self._write(self._out, shown)

    def report(self, notice: Notice) -> None:
        if notice.kind != "row":
            self._write(self._err, text.clean(notice.text))
        elif notice.content is not None:
            self._write_content(notice.content)
        elif self._as_json and not notice.formed:
            self._write(self._out, notice.as_line())
        else:
            self._write(self._out, notice.text)

    def _blame(self, number: int, line: str, result: Result) -> None:
        if result.failure is not None:
            self._write(self._err, f"line {number}: {result.as_text(None)}")
            return
        if result.problem is None:
            question = f"{result.question} Confirm with -y, or: set confirm off"
            self._write(self._err, f"line {number}: {text.clean(question)}")
            return
        problem = result.problem
        self._write(self._err, f"line {number}: {text.clean(problem.text)}")
        shown = text.clean(line.rstrip("\n"))
        marks = "^" * max(1, problem.end - problem.start)
        self._write(self._err, f"  {shown}\n  {' ' * problem.start}{marks}")

    def _write_content(self, content: bytes) -> None:
        """Bytes as they are, where the stream has a place for them."""
        raw = getattr(self._out, "buffer", None)
        if raw is None:
            self._out.write(content.decode("utf-8", "replace"))
        else:
            raw.write(content)
        self._out.flush()

    def _write(self, stream: TextIO, line: str) -> None:
        stream.write(line + "\n")
        stream.flush()


async def standard_input() -> AsyncIterator[str]:
    """Lines of standard input, without holding up the loop."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        # A file never waits; a terminal of which only the output is piped reads in a thread.
        reads_at_once = stat.S_ISREG(mode)
        while True:
            line = (
                sys.stdin.readline()
                if reads_at_once
                else await asyncio.to_thread(sys.stdin.readline)
            )
            if not line:
                return
            yield line.rstrip("\n")
    reader = asyncio.StreamReader(limit=_LONGEST)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while data := await reader.readline():
            yield data.decode("utf-8", "surrogateescape").rstrip("\n")
    except ValueError:
        raise InvalidInput(f"standard input: a line has {_LONGEST:,} bytes at most") from None
    finally:
        transport.close()


async def _until(lines: AsyncIterator[str], stop: asyncio.Event) -> AsyncGenerator[str, None]:
    """The lines, as long as nobody says stop."""
    ended = asyncio.ensure_future(stop.wait())
    try:
        while not stop.is_set():
            following = asyncio.ensure_future(_following(lines))
            await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
                return
            line = following.result()
            if line is None:
                return
            yield line
    finally:
        ended.cancel()
        if isinstance(lines, AsyncGenerator):
            await lines.aclose()


async def _following(lines: AsyncIterator[str]) -> str | None:
    return await anext(lines, None)


def _waits(result: Result) -> bool:
    return isinstance(result.data, dict) and "job" in result.data


async def _pause(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), _LOOK)
    except TimeoutError:
        pass
