"""The line console of an instance that runs elsewhere: its admin port is asked line by line."""

import sys
from collections.abc import Callable, Iterable, Iterator

from ..console.arguments import parse
from ..console.commands import REGISTRY
from ..console.completing import Completion, complete
from ..exit_codes import ExitCode
from ..remote import look_whether_ready, run
from ..text import clean


def run_attached(url: str, token: str | None) -> int:
    """Read lines until the input ends or `quit`, which ends nothing there; the exit status."""
    status = look_whether_ready(url, token)
    if status != ExitCode.OK:
        return status
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def ask(line: str) -> int:
        return run(line, url, token, as_json=not on_terminal)

    if not on_terminal:
        return converse((line.rstrip("\n") for line in sys.stdin), ask)
    return converse(typed(), ask, patient=True)


def converse(lines: Iterable[str], ask: Callable[[str], int], *, patient: bool = False) -> int:
    """Have each line run; the first that fails is the last, unless `patient`."""
    for number, line in enumerate(lines, 1):
        parsed = parse(REGISTRY, line)
        if parsed.command is None and parsed.problem is None:
            # Nothing, or a comment.
            continue
        if parsed.call is not None and parsed.call.command.name == "quit":
            return int(parsed.call.values.get("code", 0))
        status = ask(line)
        if status != ExitCode.OK and not patient:
            sys.stderr.write(f"line {number}: {clean(line)}\n")
            return status
    return ExitCode.OK


class Commands:
    """Completion of commands and options; names of topics and queues are known there only."""

    def complete(self, line: str, cursor: int | None = None) -> list[Completion]:
        return complete(REGISTRY, line, len(line) if cursor is None else cursor, lambda kind: ())


def typed() -> Iterator[str]:
    """Lines of a person, with history; ^C leaves the line, ^D ends it."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory

    from .prompt import PROMPT, LineCompleter, typed_before

    prompt: PromptSession[str] = PromptSession(
        PROMPT,
        history=typed_before(),
        completer=LineCompleter(Commands()),
        complete_while_typing=True,
        auto_suggest=AutoSuggestFromHistory(),
    )
    while True:
        try:
            yield prompt.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
