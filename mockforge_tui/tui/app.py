"""The full screen as an application: its clockwork, its colours, and how a line is run."""

import asyncio
import contextlib
import gc
import logging
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any, ClassVar, Final, cast

from mockforge_brokers.journal import Row
from textual import events
from textual.app import App, SuspendNotSupported

from ..console.history import history_file
from ..console.paths import opened
from ..console.results import Notice, Result
from ..console.session import Session
from ..exit_codes import ExitCode
from ..feed import Feed
from ..filters import Filter
from ..runtime import Runtime
from ..state_folder import state_file
from .driver import SafeDriver, supported
from .history import History
from .pace import FASTEST, Pace
from .palette import ASCII, NIGHT, PALETTES, UNICODE, Palette, of_terminal
from .record import Record
from .screens.dashboard import Dashboard
from .screens.help import HelpScreen
from .screens.question import Question
from .snapshot import Snapshot

_log = logging.getLogger(__name__)

_SNAPSHOT_EVERY: Final = 0.5
_SNAPSHOT_SHARE: Final = 0.02
"""Of the loop: thousands of connections make snapshots rarer, not the brokers slower."""

_BURST: Final = 0.005
"""Seconds for which typed keys are handled before others have a turn."""


class ConsoleApp(App[int]):
    """Shows one runtime. The brokers live outside of it and go on when it ends."""

    CSS_PATH = "styles.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = []
    TITLE = "mockforge"

    def __init__(
        self,
        runtime: Runtime,
        *,
        ascii_only: bool = False,
        palette: Palette = NIGHT,
        fps: float = 1 / FASTEST,
        history: Path | None = None,
        copies: Path | None = None,
        driver: type[Any] | None = None,
        timer: Callable[[], float] = thread_time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self.now = now
        self.palette = palette
        self.glyphs = ASCII if ascii_only else UNICODE
        self.listeners = tuple(runtime.listeners)
        self.addresses = [
            (each, runtime.brokers[each.protocol].address(each)) for each in self.listeners
        ]
        self.feed = Feed(runtime.journal, runtime.spine, runtime.holds, timer=timer)
        self.session = Session(
            runtime, view=ScreenView(self), report=self.notice, interactive=True, files=True
        )
        self.session.seen = self.feed.seen
        self.snapshot = Snapshot(self.session, self.feed)
        self.record = Record()
        self.history = History(history)
        self.copies = copies
        self.pace = Pace(1 / fps)
        self._snapshot_due = 0.0
        self._log_offered = False
        self._begun = False
        self._yielded = 0.0
        super().__init__(driver_class=driver)
        for each in PALETTES.values():
            self.register_theme(each.as_theme())
        self.theme = palette.name
        self.dashboard = Dashboard(self)

    def get_default_screen(self) -> Dashboard:
        return self.dashboard

    async def _process_messages(self, *arguments: Any, **named: Any) -> None:
        # On Python 3.12 and later Textual has just set eager tasks: brokers' tasks would run in
        # another order with a screen than without one, and uvloop hands the factory of 3.12 and
        # 3.13 an argument that it does not take, so that no task could be made at all.
        asyncio.get_running_loop().set_task_factory(None)
        await super()._process_messages(*arguments, **named)

    async def on_mount(self) -> None:
        self.call_after_refresh(self._begin)

    async def on_event(self, event: events.Event) -> None:
        # Textual would queue the keys of a burst for whoever has the focus when they come, before
        # the first of them has been able to move it.
        prompt = self.dashboard.prompt
        typed = isinstance(event, events.Key) and not event.is_forwarded
        if typed and not self._begun:
            # The terminal may hand over keys before there is a pane that they could be for.
            return
        if typed and prompt.is_active and self.screen is self.dashboard:
            await prompt.input.take(cast(events.Key, event))
        else:
            await super().on_event(event)
        if typed:
            await self._let_others()

    async def _let_others(self) -> None:
        """Brokers go on between keys of a burst, as of a text that is pasted key by key."""
        if perf_counter() - self._yielded >= _BURST:
            await asyncio.sleep(0)
            self._yielded = perf_counter()

    def _begin(self) -> None:
        self._begun = True
        # A full collection would stop the loop for 20 to 40 ms to find nothing among what
        # start-up made for good.
        gc.collect()
        gc.freeze()
        for text in self._runtime.notices:
            self.note(text)
        self.set_interval(self.pace.fastest, self._tick)
        self._tick()

    # Each frame --------------------------------------------------------------------------

    def _tick(self) -> None:
        """Decode for at most 2 ms; what is dirty then is painted in another turn of the loop.

        Decoding keeps its own time, twelve times a second, so that fewer frames mean no fewer
        rows.
        """
        started = thread_time()
        self.feed.tick()
        now = self.now()
        # Within a batch update Textual paints nothing, and a frame would be lost.
        if not self._batch_count and self.pace.is_due(now):
            driver = self._driver
            if isinstance(driver, SafeDriver):
                driver.catch_up()
            if now >= self._snapshot_due:
                self._take_snapshot(now)
            self.dashboard.tick()
        self.pace.spent(thread_time() - started)

    def _take_snapshot(self, now: float) -> None:
        started = perf_counter()
        self.snapshot.take(now)
        self.dashboard.take_snapshot()
        cost = perf_counter() - started
        # With very many destinations a snapshot costs much, and is taken less often.
        self._snapshot_due = now + max(_SNAPSHOT_EVERY, cost / _SNAPSHOT_SHARE)

    # Lines -------------------------------------------------------------------------------

    def run_line(self, line: str, *, confirmed: bool = False, typed: bool = False) -> None:
        """Run a command line; it and its result are shown, a question is asked first."""
        self._log_offered = False
        try:
            result = self.session.run(line, confirmed=confirmed)
        except Exception as error:  # a command's bug must not take the screen with it
            _log.exception("a command failed: %s", line)
            result = Result(ok=False, text=f"a bug of ours: {type(error).__name__}: {error}")
        if result.question:
            self.ask(result.question, lambda: self.run_line(line, confirmed=True))
            return
        if result.ends is not None:
            self.exit(result.ends)
            return
        self._report(line, result, typed)
        self._snapshot_due = 0.0
        self.dashboard.show_keys()

    def _report(self, line: str, result: Result, typed: bool) -> None:
        now = time.time()
        brief = result.as_text(max(60, self.size.width - 8))
        kind = "result" if result.ok else "problem"
        dashboard = self.dashboard
        self.record.fit(dashboard.log_width)
        number = self.record.add("command", line, now)
        if brief:
            self.record.add_result(result, now)
        dashboard.result.show(kind, brief.removeprefix("× ") or "done", line)
        if "\n" in brief:
            # What one line has no room for is read in the log.
            dashboard.opened.add(dashboard.log_pane)
            dashboard.go_to(6)
            # Once it has its lines: it may not have been on the screen.
            self.call_after_refresh(dashboard.log_pane.show_from, number)
        elif typed and result.problem is not None:
            # What was wrong is put back, with the cursor where it is wrong.
            dashboard.prefill(line, result.problem.start)

    def note(self, text: str) -> None:
        """Say something that no command said."""
        self.record.add("note", text, time.time())
        self.dashboard.result.show("note", text)

    def notice(self, notice: Notice) -> None:
        """What jobs and tails report between results."""
        self.record.add(notice.kind, notice.text, time.time())
        if notice.kind != "row":
            self.dashboard.result.show(notice.kind, notice.text)
        elif not self._log_offered:
            # Once for each command: who closes the log again does not want it.
            self._log_offered = True
            self.dashboard.open_log()

    def ask(self, question: str, then: Callable[[], object]) -> None:
        """Do something if the person says yes."""

        def answered(yes: bool | None) -> None:
            if yes:
                then()

        self.push_screen(Question(question), answered)

    def show_help(self, pane: str) -> None:
        self.push_screen(HelpScreen(self.session.registry, pane), self.dashboard.take_up)

    def set_palette(self, name: str) -> None:
        self.palette = PALETTES[name]
        self.theme = name
        for widget in self.dashboard.query("*"):
            restyled = getattr(widget, "restyled", None)
            if restyled is not None:
                restyled()

    async def action_quit(self) -> None:
        self.dashboard.do_quit()

    async def edit(self, text: str, most: int) -> str:
        """Let the person edit a text in $EDITOR; the screen is theirs meanwhile.

        The editor is waited for without stopping the loop, and nothing is painted: the thread
        that writes has ended, and Textual would wait for it for ever. Where there is no editor,
        or it says that it failed (vi's `:cq`), the text is the old one. So it is where theirs has
        more than `most` characters: the file stays, and is named.
        """
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        with contextlib.ExitStack() as gone:
            folder = tempfile.mkdtemp(prefix="mockforge-")
            gone.callback(shutil.rmtree, folder, ignore_errors=True)
            path = Path(folder) / "line.txt"
            path.write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
            try:
                with self.suspend(), self.batch_update():
                    command = [*shlex.split(editor), str(path)]
                    status = await (await asyncio.create_subprocess_exec(*command)).wait()
            except (OSError, ValueError, SuspendNotSupported) as error:
                self.note(f"{editor} does not start ({error}): set EDITOR to one that is there")
                return text
            if status:
                self.note(f"{editor} ended with status {status}: the line is as it was")
                return text
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
            edited = " ".join(lines).strip()
            if len(edited) > most:
                gone.pop_all()
                self.note(f"a line has {most:,} characters at most: yours is kept in {path}")
                return text
            return edited


class ScreenView:
    """The screen as commands see it."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app

    def show_filter(self, shown: Filter | None) -> None:
        self._app.dashboard.show_filter(shown)

    def screenshot(self, path: str | None) -> str:
        if path is None:
            path = time.strftime("mockforge-%Y%m%d-%H%M%S.svg")
        with opened(path) as target:
            target.write_text(self._app.export_screenshot(title="mockforge"), encoding="utf-8")
            return str(target)

    def copy(self, text: str) -> str:
        self._app.copy_to_clipboard(text)
        path = self._app.copies
        if path is None:
            return ""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError:
            return ""
        return str(path)

    def places(self) -> Sequence[str]:
        return list(self._app.dashboard.places())

    def jump(self, name: str | None) -> None:
        if name is None:
            self._app.dashboard.do_jump()
        else:
            self._app.dashboard.jump_to(name)

    def themes(self) -> Sequence[str]:
        return list(PALETTES)

    def set_theme(self, name: str) -> None:
        self._app.set_palette(name)

    def numbered(self, first: int, last: int) -> Sequence[Row]:
        feed = self._app.feed
        numbers = range(max(first, feed.oldest), min(last, feed.newest) + 1)
        return [row for row in map(feed.row, numbers) if row is not None]

    def marked(self) -> Sequence[Row]:
        selected = self._app.dashboard.chosen().settled_row
        others = [row for row in self._app.feed.marked() if row is not selected]
        return [selected, *others] if selected is not None else others

    def before(self, row: Row) -> Sequence[Row]:
        return self._app.dashboard.stored.before(row)


async def run_screen(
    runtime: Runtime,
    *,
    fall_back: Callable[[Runtime], Awaitable[int]] | None = None,
    ascii_only: bool | None = None,
    theme: str | None = None,
) -> int:
    """Show the screen until the person quits; returns the exit status.

    When the screen itself fails, the brokers go on and `fall_back` (the line shell) takes over.
    `ascii_only` None goes by the terminal's encoding, `theme` None by the ground that it names.
    """
    if ascii_only is None:
        # The screen is written to standard error.
        ascii_only = "utf" not in (getattr(sys.__stderr__, "encoding", "") or "").lower()
    driver = supported(ascii_only=ascii_only)
    app = ConsoleApp(
        runtime,
        ascii_only=ascii_only,
        palette=PALETTES[theme] if theme is not None else of_terminal(os.environ),
        history=history_file(),
        copies=state_file("copied.txt"),
        driver=driver,
    )
    try:
        with ended_by_signals(app):
            ended = await app.run_async()
    finally:
        app.session.close()
        gc.unfreeze()
    if app.return_code:
        _log.error("the screen failed; the brokers go on")
        return await fall_back(runtime) if fall_back is not None else ExitCode.BUG
    return ended or 0


@contextlib.contextmanager
def ended_by_signals(app: ConsoleApp) -> Iterator[None]:
    """SIGTERM and a terminal that hangs up end the screen as a person would."""
    loop = asyncio.get_running_loop()
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    for number in numbers:
        with contextlib.suppress(NotImplementedError):  # Windows' loops have no signals
            loop.add_signal_handler(number, app.exit, 0)
    try:
        yield
    finally:
        for number in numbers:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
