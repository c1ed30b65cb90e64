"""The line where commands and filters are typed."""

import logging

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widgets import Input

from ...console.completing import Completion
from ...console.session import Session
from ...filters import FilterError, compile_filter, complete_filter
from ...text import clean
from ..history import History
from .dropdown import DropDown
from .pane import Drawn

_log = logging.getLogger(__name__)

COMMAND, FILTER = "command", "filter"
PLACEHOLDER = ": command   / filter   ? help"


class _Colours(Highlighter):
    """Colours a line by the roles of its parts."""

    def __init__(self, line: "PromptInput") -> None:
        self._line = line

    def highlight(self, text: Text) -> None:
        line, roles = self._line, self._line.prompt.sign.palette.roles
        if line.prompt.mode == COMMAND:
            for span in line.session.spans(text.plain):
                style = roles.get(span.role)
                if style is not None:
                    text.stylize(style, span.start, span.end)
            return
        place = line.prompt.filter_problem
        text.stylize(line.prompt.sign.palette.ok if place is None else roles["argument"])
        if place is not None:
            text.stylize(roles["error"], place.start, max(place.end, place.start + 1))


class _Ghost(Suggester):
    """An older line that goes on from what is typed, else what the command still takes."""

    def __init__(self, line: "PromptInput") -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._line = line

    async def get_suggestion(self, value: str) -> str | None:
        line = self._line
        if line.prompt.mode == FILTER:
            return None
        older = line.history.suggestion(value)
        line.ghost_is_history = bool(older)
        if older:
            return older
        hint = line.session.hint(value)
        return f"{value}{'' if value.endswith(' ') else ' '}{clean(hint)}" if hint else None


class PromptInput(Input):
    """Textual's input with history, completion and our colours."""

    def __init__(self, prompt: "Prompt", session: Session, history: History) -> None:
        self.prompt = prompt
        self.session = session
        self.history = history
        self.ghost_is_history = False
        super().__init__(
            highlighter=_Colours(self),
            suggester=_Ghost(self),
            compact=True,
            select_on_focus=False,
            placeholder=PLACEHOLDER,
        )
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        # What is pasted may hold anything.
        return clean(value)

    def action_cursor_right(self, select: bool = False) -> None:
        if self.cursor_at_end and not self.ghost_is_history:
            return
        super().action_cursor_right(select)

    def put(self, text: str, cursor: int | None = None) -> None:
        self.value = text
        self.cursor_position = len(text) if cursor is None else cursor

    async def _on_key(self, event: events.Key) -> None:
        if self.prompt.takes_key(event.key):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)


class Sign(Drawn):
    """`❯` before a command, `/` before a filter."""

    mode = COMMAND
    lit = False

    def render_line(self, y: int) -> Strip:
        palette, glyphs = self.palette, self.glyphs
        text = glyphs.prompt if self.mode == COMMAND else "/"
        return self.drawn([(f"{text} ", palette.key if self.lit else palette.faintest)])


class Prompt(Horizontal):
    """Two modes of one line. Results, filters and being left are told as messages."""

    class Entered(Message):
        """A command line is to run."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Filtered(Message):
        """The filter being typed, each time it is valid; `final` once it is entered."""

        def __init__(self, text: str, *, final: bool) -> None:
            super().__init__()
            self.text = text
            self.final = final

    class Noticed(Message):
        """What is wrong with the line so far, or empty."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The person is done here; `kept` False restores the filter from before."""

        def __init__(self, *, mode: str, kept: bool) -> None:
            super().__init__()
            self.mode = mode
            self.kept = kept

    def __init__(self, session: Session, history: History, drop_down: DropDown) -> None:
        super().__init__()
        self.session = session
        self.history = history
        self.drop_down = drop_down
        self.mode = COMMAND
        self.filter_problem: FilterError | None = None
        self.sign = Sign()
        self.input = PromptInput(self, session, history)

    def compose(self) -> ComposeResult:
        yield self.sign
        yield self.input

    @property
    def is_active(self) -> bool:
        return self.input.has_focus

    def open(self, mode: str, text: str = "", cursor: int | None = None) -> None:
        """Begin to type, perhaps from a line that is partly there."""
        self.mode = self.sign.mode = mode
        self.sign.lit = True
        self.sign.refresh()
        self.filter_problem = None
        self.input.placeholder = ""
        self.input.put(text, cursor)
        self.input.focus()
        if mode == FILTER or text:
            self._look()

    def leave(self, *, kept: bool) -> None:
        mode = self.mode
        self.drop_down.close()
        self.history.stop()
        self.mode = self.sign.mode = COMMAND
        self.sign.lit = False
        self.sign.refresh()
        self.input.put("")
        self.input.placeholder = PLACEHOLDER
        self.post_message(self.Left(mode=mode, kept=kept))

    # Keys --------------------------------------------------------------------------------

    def takes_key(self, key: str) -> bool:
        """Keys that mean something else here than in a plain input."""
        match key:
            case "escape":
                if self.drop_down.is_open and self.drop_down.chosen is not None:
                    self.drop_down.close()
                else:
                    self.leave(kept=False)
            case "tab":
                self._complete()
            case "enter":
                self._enter()
            case "up" | "ctrl+p":
                self._up()
            case "down" | "ctrl+n":
                self._down()
            case "ctrl+o":
                self.run_worker(self._edit(), exclusive=True, exit_on_error=False)
            case _:
                return False
        return True

    async def _edit(self) -> None:
        """The line in $EDITOR, for what is too long to be typed here."""
        text = await self.sign.console_app.edit(self.input.value)
        self.input.put(text)
        self._look()

    def _enter(self) -> None:
        chosen = self.drop_down.chosen
        if chosen is not None:
            self._accept(chosen)
            return
        text = self.input.value.strip()
        if self.mode == FILTER:
            if self.filter_problem is None:
                self.post_message(self.Filtered(text, final=True))
                self.leave(kept=True)
            return
        if not text:
            self.leave(kept=False)
            return
        self.history.add(text)
        self.leave(kept=True)
        self.post_message(self.Entered(text))

    def _up(self) -> None:
        if self.drop_down.is_open and self.drop_down.chosen is not None:
            self.drop_down.move(-1)
        elif self.mode == COMMAND:
            self._recall(self.history.older(self.input.value))

    def _down(self) -> None:
        if self.drop_down.is_open:
            self.drop_down.move(1)
        elif self.mode == COMMAND:
            self._recall(self.history.newer())

    def _recall(self, line: str | None) -> None:
        if line is not None:
            with self.input.prevent(Input.Changed):
                self.input.put(line)
            self.drop_down.close()
            self._check()

    def _complete(self) -> None:
        if not self.drop_down.is_open:
            self._look()
        completions = self.drop_down.completions
        if self.drop_down.chosen is not None:
            self._accept(self.drop_down.chosen)
        elif len(completions) == 1:
            self._accept(completions[0])
        elif completions:
            shared = _shared_beginning(completions)
            first = completions[0]
            typed = self.input.value[first.start : first.end]
            if len(shared) > len(typed) and shared.startswith(typed):
                self._replace(first.start, first.end, shared)
            else:
                self.drop_down.move(1)

    def _accept(self, completion: Completion) -> None:
        text = completion.text
        if text and not text.endswith((":", "/", ".", " ", "=")):
            text += " "
        self._replace(completion.start, completion.end, text)

    def _replace(self, start: int, end: int, text: str) -> None:
        value = self.input.value
        self.input.put(value[:start] + text + value[end:], start + len(text))
        self._look()

    # While typing ------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_active:
            self.history.stop()
            self._look()

    def _look(self) -> None:
        """Completions and the verdict on what stands here now."""
        text, cursor = self.input.value, self.input.cursor_position
        try:
            found = self._completions(text, cursor)
        except Exception:  # a bug of ours in what is offered must not end the screen
            _log.exception("no completions for %r", text)
            found = []
        found = [each for each in found if each.text != text[each.start : each.end]]
        self.drop_down.show(found, self.sign.outer_size.width)
        self._check()

    def _completions(self, text: str, cursor: int) -> list[Completion]:
        if self.mode == COMMAND:
            return self.session.complete(text, cursor) if text else []
        return [
            Completion(each.start, each.end, each.text, each.help)
            for each in complete_filter(text, cursor, values=self.session.seen)
        ]

    def _check(self) -> None:
        text = self.input.value
        if self.mode == FILTER:
            self._check_filter(text)
            return
        problem = self.session.check(text) if text.strip() else None
        # While the end is still being typed only what is wrong before it is told.
        told = problem is not None and problem.end < len(text)
        self.post_message(self.Noticed(problem.text if problem is not None and told else ""))

    def _check_filter(self, text: str) -> None:
        try:
            compile_filter(text)
        except FilterError as error:
            self.filter_problem = error
            self.post_message(self.Noticed(error.text))
        else:
            self.filter_problem = None
            self.post_message(self.Noticed(""))
            self.post_message(self.Filtered(text.strip(), final=False))


def _shared_beginning(completions: list[Completion]) -> str:
    first = completions[0]
    same = [each.text for each in completions if each.start == first.start]
    low, high = min(same), max(same)
    size = 0
    while size < min(len(low), len(high)) and low[size] == high[size]:
        size += 1
    return low[:size]
