"""The line where commands and filters are typed."""

import logging
from collections.abc import Callable

from rich.cells import cell_len
from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input
from textual.widgets.input import Selection

from ...console.completing import Completion
from ...console.session import Session
from ...filters import FilterError, complete_filter
from ...text import clean, on_one_line
from ..drawing import strip
from ..history import History
from ..key_commands import LONGEST_LINE
from .dropdown import DropDown
from .pane import Drawn

_log = logging.getLogger(__name__)

COMMAND, FILTER, FIND = "command", "filter", "find"
PLACEHOLDER = ": command   / filter   ? help"


class _Colours(Highlighter):
    """Colours a line by the roles of its parts."""

    def __init__(self, line: "PromptInput") -> None:
        self._line = line

    def highlight(self, text: Text) -> None:
        line, roles = self._line, self._line.prompt.sign.palette.roles
        if line.prompt.mode == FIND:
            return
        if line.prompt.mode == COMMAND:
            for span in line.session.spans(line.value):
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
        if line.prompt.mode != COMMAND:
            return None
        older = line.history.suggestion(value)
        # What would not be drawn as it is could not be seen before it is taken.
        older = older if clean(older) == older else ""
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
        )
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        # What is pasted may hold anything.
        return on_one_line(value)

    @property
    def _value(self) -> Text:
        # Private to Textual 8.2; tests/app/tui/test_safety.py guards it for each version.
        assert self.highlighter is not None
        return self.highlighter(Text(clean(self.value), no_wrap=True, overflow="ignore", end=""))

    def _position_to_cell(self, position: int) -> int:
        return cell_len(clean(self.value[:position]))

    def _on_paste(self, event: events.Paste) -> None:
        """All of it on one line: Textual's own would take the first line of a JSON text alone."""
        event.prevent_default()
        event.stop()
        pasted = " ".join(event.text.splitlines())
        start, end = sorted(self.selection)
        if self.prompt.takes(self.value[:start] + pasted + self.value[end:]):
            self.replace(pasted, start, end)

    def action_cursor_right(self, select: bool = False) -> None:
        if self.cursor_at_end and not self.ghost_is_history:
            return
        super().action_cursor_right(select)

    def put(self, text: str, cursor: int | None = None) -> None:
        self.value = text
        self.cursor_position = len(text) if cursor is None else cursor

    async def take(self, event: events.Key) -> None:
        """Handle a key at once, in the app's turn, and not behind this widget's queue."""
        if self.prompt.takes_key(event.key):
            return
        with self._context():
            await self._on_key(event)
            if not event._no_default_action:
                await self.app._check_bindings(event.key)

    def render_line(self, y: int) -> Strip:
        if self.prompt.is_active:
            return super().render_line(y)
        palette = self.prompt.sign.palette
        return strip([(PLACEHOLDER, palette.faintest)], self.outer_size.width, palette.plain)


class Sign(Drawn):
    """`❯` before a command, `/` before a filter."""

    mode = COMMAND
    lit = False

    def render_line(self, y: int) -> Strip:
        palette, glyphs = self.palette, self.glyphs
        text = glyphs.prompt if self.mode == COMMAND else "/"
        return self.drawn([(f"{text} ", palette.key if self.lit else palette.faintest)])


class Prompt(Horizontal):
    """Three modes of one line.

    `enter_line` gets a command line, `try_filter` each valid filter that is typed, and with True
    the one that is entered; `find` likewise the text that is searched, and the one from before when
    nothing is entered. All are called at once, so that what is typed on finds them done.
    """

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

    def __init__(
        self,
        session: Session,
        history: History,
        drop_down: DropDown,
        enter_line: Callable[[str], object],
        try_filter: Callable[[str, bool], object],
        find: Callable[[str, bool], object],
    ) -> None:
        super().__init__()
        self.session = session
        self._enter_line = enter_line
        self._try_filter = try_filter
        self._find = find
        self.history = history
        self.drop_down = drop_down
        self.mode = COMMAND
        self.filter_problem: FilterError | None = None
        self.is_active = False
        self.begun_with = ""
        """The line as it was opened."""
        self.before: Widget | None = None
        """Where the keys go when the person is done here."""
        self.subject: Widget | None = None
        """Whose line it is: a click on another pane changes `before` alone."""
        self.sign = Sign()
        self.input = PromptInput(self, session, history)

    def compose(self) -> ComposeResult:
        yield self.sign
        yield self.input

    def open(self, mode: str, text: str = "", cursor: int | None = None) -> None:
        """Begin to type, perhaps from a line that is partly there."""
        self.mode = self.sign.mode = mode
        self.filter_problem = None
        self._activate()
        self.subject = self.before
        self.begun_with = text
        self.input.put(text, cursor)
        if mode == FIND:
            # Another text is typed in its place; enter takes it again.
            self.input.selection = Selection(0, len(text))
        if mode == FILTER or text:
            self._look()

    def _activate(self) -> None:
        """Take the keys, from the very next one on: `Widget.focus` would wait a turn."""
        if not self.is_active and self.screen.focused is not self.input:
            self.before = self.screen.focused
        self.is_active = self.sign.lit = True
        self.sign.refresh()
        self.screen.set_focus(self.input)

    def on_descendant_focus(self) -> None:
        # By a click; the news of a key's focus may come when it has gone again.
        if not self.is_active and self.screen.focused is self.input:
            self._activate()

    def leave(self, *, kept: bool) -> None:
        mode = self.mode
        if mode == FIND and not kept:
            self._find(self.begun_with, False)
        self.is_active = False
        self.drop_down.close()
        self.history.stop()
        self.mode = self.sign.mode = COMMAND
        self.sign.lit = False
        self.sign.refresh()
        self.input.put("")
        self.input.refresh()
        if self.before is not None and self.before.display:
            self.screen.set_focus(self.before)
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
            case "ctrl+c" if self.mode == FIND or self.input.selection.is_empty:
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
        self.input.put(await self.sign.console_app.edit(self.input.value, LONGEST_LINE))
        self._look()

    def takes(self, line: str) -> bool:
        """Whether a line is short enough to be edited here; if not that is said."""
        if len(line) <= LONGEST_LINE:
            return True
        most = f"{LONGEST_LINE:,} characters"
        self.sign.console_app.note(f"a line has {most} at most: write it to a file, then @FILE")
        return False

    def _enter(self) -> None:
        chosen = self.drop_down.chosen
        if chosen is not None:
            self.accept(chosen)
            return
        text = self.input.value.strip()
        if self.mode == FILTER:
            if self.filter_problem is None:
                self.leave(kept=True)
                self._try_filter(text, True)
            return
        if self.mode == FIND:
            self.leave(kept=True)
            self._find(text, True)
            return
        if not text:
            self.leave(kept=False)
            return
        self.history.add(text)
        self.leave(kept=True)
        self._enter_line(text)

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
            self.accept(self.drop_down.chosen)
        elif len(completions) == 1:
            self.accept(completions[0])
        elif completions:
            shared = _shared_beginning(completions)
            first = completions[0]
            typed = self.input.value[first.start : first.end]
            if len(shared) > len(typed) and shared.startswith(typed):
                self._replace(first.start, first.end, shared)
            else:
                self.drop_down.move(1)

    def accept(self, completion: Completion) -> None:
        """Put it into the line, in place of the word that it completes."""
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
            # What was typed meanwhile has an event of its own.
            if event.value == self.input.value:
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
        if self.mode == FIND:
            return []
        if self.mode == COMMAND:
            return self.session.complete(text, cursor) if text else []
        return [
            Completion(each.start, each.end, each.text, each.help)
            for each in complete_filter(text, cursor, values=self.session.seen)
        ]

    def _check(self) -> None:
        text = self.input.value
        if self.mode == FIND:
            self._find(text, False)
            return
        if self.mode == FILTER:
            self._check_filter(text)
            return
        problem = self.session.check(text) if text.strip() else None
        # While the end is still being typed only what is wrong before it is shown, and that more is
        # to come is not wrong yet.
        typed = text.rstrip() if problem is not None and problem.start == problem.end else text
        shown = problem is not None and problem.end < len(typed)
        self.post_message(self.Noticed(problem.text if problem is not None and shown else ""))

    def _check_filter(self, text: str) -> None:
        try:
            self.session.filter_of(text)
        except FilterError as error:
            self.filter_problem = error
            self.post_message(self.Noticed(error.text))
        else:
            self.filter_problem = None
            self.post_message(self.Noticed(""))
            self._try_filter(text.strip(), False)


def _shared_beginning(completions: list[Completion]) -> str:
    first = completions[0]
    same = [each.text for each in completions if each.start == first.start]
    low, high = min(same), max(same)
    size = 0
    while size < min(len(low), len(high)) and low[size] == high[size]:
        size += 1
    return low[:size]
