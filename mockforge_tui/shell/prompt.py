"""The prompt on a terminal, by prompt-toolkit."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.layout.processors import AfterInput
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError, Validator

from .. import text, units
from ..console.completing import Completion as Found
from ..console.history import append_history, history_file
from ..console.results import Notice, Result
from ..console.session import Session
from ..exit_codes import ExitCode
from ..listening import ports_text

PROMPT = "❯ "
_STYLE = Style.from_dict(
    {
        "command": "bold",
        "target": "ansicyan",
        "argument": "",
        "option": "ansiblue",
        "value": "",
        "payload": "ansigreen",
        "template": "ansimagenta",
        "filter": "ansicyan",
        "prefix": "ansiyellow",
        "operator": "ansiyellow",
        "file": "underline",
        "comment": "ansibrightblack",
        "error": "ansired underline",
        "hint": "ansibrightblack",
        "bottom-toolbar": "noreverse ansibrightblack",
        "bottom-toolbar.busy": "ansiyellow",
    }
)
_RED, _GRAY, _PLAIN = "\x1b[31m", "\x1b[90m", "\x1b[0m"


class Prompt:
    """Reads lines with history, completion, hints and colours; shows results above the prompt."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._coloured = "NO_COLOR" not in os.environ
        self._last = (session.runtime.clock.now(), 0)
        self._rate = 0.0
        session.interactive = True
        session.report = self.report
        self._prompt: PromptSession[str] = PromptSession(
            PROMPT,
            history=typed_before(),
            completer=LineCompleter(session),
            complete_while_typing=True,
            auto_suggest=AutoSuggestFromHistory(),
            lexer=LineLexer(session),
            validator=LineValidator(session),
            validate_while_typing=False,
            input_processors=[AfterInput(self._hint, style="class:hint")],
            bottom_toolbar=self.toolbar,
            rprompt=self.misbehaviour,
            refresh_interval=0.5,
            enable_open_in_editor=True,
            style=_STYLE,
        )

    async def run(self, stop: asyncio.Event) -> int:
        """Returns the exit status."""
        with patch_stdout(raw=True):
            lines = asyncio.ensure_future(self._read())
            ended = asyncio.ensure_future(stop.wait())
            await asyncio.wait({lines, ended}, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if lines.done():
                return lines.result()
            lines.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await lines
        return ExitCode.OK

    async def _read(self) -> int:
        while True:
            try:
                line = await self._prompt.prompt_async()
            except KeyboardInterrupt:
                self._interrupted()
                continue
            except EOFError:
                return ExitCode.OK
            result = await self._session.execute(line)
            if result.question:
                result = await self._asked(line, result)
            self.show(line, result)
            if result.ends is not None:
                return result.ends

    async def _asked(self, line: str, result: Result) -> Result:
        question: PromptSession[str] = PromptSession()
        try:
            answer = await question.prompt_async(f"{text.clean(result.question)} [y/N] ")
        except (KeyboardInterrupt, EOFError):
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            return Result(result.command, text="left as it is")
        return await self._session.execute(line, confirmed=True)

    def show(self, line: str, result: Result) -> None:
        """Print a result; an error points at its place in the line."""
        if not result.command and result.problem is None:
            return
        if result.in_json:
            _print(result.as_line())
            return
        shown = result.as_text(shutil.get_terminal_size().columns)
        if result.problem is not None:
            marks = "^" * max(1, result.problem.end - result.problem.start)
            if "\n" not in line:
                _print(self._in(_RED, " " * (len(PROMPT) + result.problem.start) + marks))
            shown = self._in(_RED, shown)
        if shown:
            _print(shown)

    def report(self, notice: Notice) -> None:
        """Print what comes between results, above the prompt."""
        match notice.kind:
            case "row":
                _print(notice.text)
            case "problem":
                _print(self._in(_RED, f"× {text.clean(notice.text)}"))
            case "note":
                _print(self._in(_GRAY, text.clean(notice.text)))

    def _interrupted(self) -> None:
        stopped = self._session.jobs.stop_all()
        if stopped:
            _print(self._in(_GRAY, f"{stopped} stopped"))
        else:
            _print(self._in(_GRAY, "quit or ctrl+d ends the console and its brokers"))

    def _hint(self) -> StyleAndTextTuples:
        buffer = self._prompt.default_buffer
        if self._prompt.app.is_done or (buffer.suggestion is not None and buffer.suggestion.text):
            return []
        if not buffer.document.is_cursor_at_the_end or not buffer.text.strip():
            return []
        room = shutil.get_terminal_size().columns - len(PROMPT) - text.width(buffer.text) - 3
        hint = self._session.hint(buffer.text)
        return [("class:hint", f"  {text.fit(hint, room).rstrip()}")] if hint and room > 8 else []

    def toolbar(self) -> StyleAndTextTuples:
        """Listeners with their connections, messages a second, jobs."""
        counters = self._session.counters()
        now = self._session.runtime.clock.now()
        before, count = self._last
        if now - before >= 0.4:
            self._rate = max(0, counters.messages - count) / (now - before) if count else 0.0
            self._last = (now, counters.messages)
        parts = [
            f"{name}{ports_text(self._session.runtime.listeners, name)} {number}"
            for name, number in counters.connections.items()
        ]
        parts.append(f"{units.format_count(self._rate)}/s")
        if counters.jobs:
            parts.append(f"{counters.jobs} jobs")
        return [("", "  ".join(parts))]

    def misbehaviour(self) -> StyleAndTextTuples:
        """How much is held, and how many faults are in force."""
        counters = self._session.counters()
        parts = []
        if counters.held:
            parts.append(f"‖{counters.held}")
        if counters.faults:
            parts.append(f"↯{counters.faults}")
        return [("class:bottom-toolbar.busy", " ".join(parts))]

    def _in(self, colour: str, line: str) -> str:
        return f"{colour}{line}{_PLAIN}" if self._coloured else line


def typed_before() -> History:
    """The lines that were typed before, in the file that the screen has, too, or for now only."""
    path = history_file()
    return InMemoryHistory() if path is None else _Kept(path)


class _Kept(FileHistory):
    """prompt-toolkit's, for lines with bytes that are no text too; passwords may be among them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path

    def store_string(self, string: str) -> None:
        append_history(self._path, text.encodable(string))


class Completes(Protocol):
    """A session, or what knows commands alone."""

    def complete(self, line: str, cursor: int | None = None) -> list[Found]: ...


class LineCompleter(Completer):
    """The registry's completion, as prompt-toolkit wants it."""

    def __init__(self, session: Completes) -> None:
        self._session = session

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        cursor = document.cursor_position
        for each in self._session.complete(document.text, cursor):
            yield Completion(
                each.text,
                start_position=each.start - cursor,
                display=text.clean(each.text, 60),
                display_meta=text.clean(each.note, 60),
            )


class LineLexer(Lexer):
    """A line's parts in their colours."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        line = document.text
        styles = [""] * len(line)
        for span in self._session.spans(line):
            for at in range(span.start, span.end):
                styles[at] = f"class:{span.role}"
        starts = [0]
        for part in document.lines:
            starts.append(starts[-1] + len(part) + 1)

        def row(number: int) -> StyleAndTextTuples:
            start, end = starts[number], starts[number + 1] - 1
            return _runs(line[start:end], styles[start:end])

        return row


class LineValidator(Validator):
    """On Enter: the first mistake that shows before a line runs, with the cursor put on it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def validate(self, document: Document) -> None:
        problem = self._session.check(document.text)
        if problem is not None:
            raise ValidationError(problem.start, text.clean(problem.text))


def _runs(line: str, styles: list[str]) -> StyleAndTextTuples:
    found: StyleAndTextTuples = []
    start = 0
    for at in range(1, len(line) + 1):
        if at == len(line) or styles[at] != styles[start]:
            found.append((styles[start], line[start:at]))
            start = at
    return found


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
