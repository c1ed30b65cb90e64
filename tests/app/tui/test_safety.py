"""What would freeze or fool the brokers through their screen, each on a real terminal."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from textual.app import App
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from mockforge_tui.tui import driver
from mockforge_tui.tui.app import ConsoleApp, run_screen
from mockforge_tui.tui.widgets.flow import FlowPane

from .shop import Shop
from .stage import Stage, play

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal"),
    pytest.mark.timeout(1200),
]

_DEADLINE = 600.0
"""Seconds after which something never came; no machine is as slow as that."""
_SOON = 10
"""Milliseconds that one look waits for what there is to read."""


class Terminal:
    """A pseudo terminal with the screen on it, and a line to the loop behind the screen."""

    def __init__(self, folder: Path) -> None:
        self.output = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        ready = folder / "port"
        environment = {
            **os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor",
            "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        child = Path(__file__).with_name("on_a_terminal.py")
        self._process = subprocess.Popen(
            [sys.executable, str(child), str(ready)],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._painted = looking_at(self._master)
        self.until(lambda: ready.exists() and ready.read_text().endswith("\n"), "the screen is up")
        self._line = socket.create_connection(("127.0.0.1", int(ready.read_text())), _DEADLINE)
        self._answers = self._line.makefile("rb")
        self._answered = looking_at(self._line)

    def ask(self, question: str, *, reading: bool = False) -> str:
        """`reading`: take what is painted meanwhile, without which it may never answer."""
        self._line.sendall(f"{question}\n".encode())
        while reading and not self._answered.poll(_SOON):
            self.read()
        answer = self._answers.readline().decode()
        assert answer.startswith(f"{question}: "), f"no answer to {question}"
        return answer.removeprefix(f"{question}: ").strip()

    def read(self) -> None:
        """Take what the terminal has got, as a terminal does that is not stopped."""
        while self._painted.poll(_SOON):
            try:
                self.output += os.read(self._master, 65536)
            except OSError:
                return

    def until(self, fact: Callable[[], bool], what: str, *, reading: bool = True) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not fact():
            assert time.monotonic() < deadline, f"never: {what}"
            if reading:
                self.read()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def exit_status(self) -> int | None:
        return self._process.poll()

    def close(self) -> None:
        self._answers.close()
        self._line.close()
        self._process.kill()
        self._process.wait()
        os.close(self._master)


def looking_at(source: int | socket.socket) -> select.poll:
    """`select.select` would know no descriptor above 1,023, of which a run may have many."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return poll


@contextlib.contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    shown = Terminal(folder)
    try:
        yield shown
    finally:
        shown.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """One for all that leave the screen as it was; a start takes longer than each of them."""
    with terminal(tmp_path_factory.mktemp("shown")) as shown:
        yield shown


def test_echoes_go_on_while_nobody_reads_the_terminal(shown: Terminal) -> None:
    before = int(shown.ask("dropped"))

    def stalled() -> bool:
        # A whole screen each time: a few fill what the terminal and the writer hold.
        shown.ask("paint")
        assert shown.ask("echo") == "here"
        return int(shown.ask("dropped")) > before

    shown.until(stalled, "frames are dropped", reading=False)
    for _ in range(20):
        shown.ask("traffic")
        assert shown.ask("echo") == "here"
    shown.until(lambda: shown.ask("behind") == "False", "the screen catches up")


def test_echoes_go_on_while_an_editor_has_the_terminal(shown: Terminal, tmp_path: Path) -> None:
    waits = tmp_path / "editor.sh"
    go_on = tmp_path / "go-on"
    started = tmp_path / "started"
    waits.write_text(
        f"#!/bin/sh\ntouch {started}\nwhile [ ! -e {go_on} ]; do sleep 0.05; done\n"
        'echo "pub mqtt:a/b edited" > "$1"\n'
    )
    waits.chmod(0o755)
    shown.ask(f"edit {waits}")
    shown.until(started.exists, "the editor runs")
    for _ in range(20):
        shown.ask("traffic")
        assert shown.ask("echo") == "here"
    go_on.touch()
    shown.until(lambda: shown.ask("prompt") == "pub mqtt:a/b edited", "the line comes back")
    before = len(shown.output)
    shown.until(lambda: len(shown.output) > before, "the screen is painted again")


@pytest.mark.parametrize(
    ("editor", "said"),
    [("/nowhere/ed", "/nowhere/ed does not start"), ("false", "false ended with status 1")],
)
def test_an_editor_that_fails_is_named_and_the_line_is_as_it_was(
    shown: Terminal, editor: str, said: str
) -> None:
    shown.ask(f"edit {editor}")
    # An editor gets the terminal only once it has taken all that was painted before.
    shown.until(lambda: said in shown.ask("noted", reading=True), "the editor is named")
    shown.until(lambda: shown.ask("prompt", reading=True) == "pub mqtt:a/b x", "the line is back")


def test_a_signal_to_end_ends_the_screen_and_restores_the_terminal(tmp_path: Path) -> None:
    with terminal(tmp_path) as shown:
        shown.signal(signal.SIGTERM)
        shown.until(lambda: shown.exit_status() == 0, "the process ends")
        assert b"\x1b[?1049l" in shown.output


def test_what_start_up_made_is_frozen_out_of_garbage_collections(shown: Terminal) -> None:
    assert shown.ask("frozen") == "True"


def test_the_loop_has_its_own_task_factory_again(shown: Terminal) -> None:
    assert shown.ask("factory") == "None"


def test_escape_sequences_of_clients_never_reach_the_terminal(shown: Terminal) -> None:
    newest = int(shown.ask("newest"))
    shown.ask("hostile")
    shown.until(lambda: int(shown.ask("newest")) > newest, "the row is there")
    for _ in range(5):
        shown.ask("select")
        before = len(shown.output)
        shown.until(lambda b=before: len(shown.output) > b, "it is painted")  # type: ignore[misc]
    shown.until(lambda: b"pwned" in shown.output, "it is shown")
    # Textual sets the shape of the mouse pointer: an OSC of its own.
    text = re.sub("\x1b\\]22;\\w+\x07", "", shown.output.decode())
    assert "]0;pwned" in text
    assert "\x1b]0;pwned" not in text
    assert "\x07" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text
    assert not re.search(r"pwned[^\x1b]*\x1b\[2J", text)
    assert shown.ask("echo") == "here"


def test_markup_of_clients_is_shown_as_it_is_written() -> None:
    async def act(stage: Stage) -> None:
        markup = "[/b][@click=app.quit]bye[/][red]"
        stage.runtime.traffic.say(markup, op=markup, to=markup, payload=markup, kind="message")
        await stage.tick()
        await stage.keys("k", "enter")
        stage.app.note(markup)
        stage.app.ask(markup, lambda: None)
        await stage.pilot.pause()
        assert stage.text().count("[@click=app.quit]bye") >= 2
        await stage.keys("n", "colon")
        stage.screen.prompt.input.put(f"pub mqtt:{markup} ")
        await stage.pilot.pause()
        assert stage.app.is_running
        await stage.shows("[@click=app.quit]bye[/][red]")

    play(act)


def test_pasted_control_characters_do_not_stay_in_the_prompt() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        stage.screen.prompt.input.insert_text_at_cursor("a\x1b]0;x\x07\x9bb")
        await stage.until(lambda: stage.screen.prompt.input.value == "a·]0;x··b")

    play(act)


def test_textual_is_of_the_version_whose_inside_we_rely_on() -> None:
    pinned = [Requirement(line) for line in requires("mockforge-tui") or ()]
    (ours,) = [each for each in pinned if each.name == "textual" and each.marker is None]
    assert ours.specifier.contains(version("textual"))
    assert str(ours.specifier) in ("<8.3,>=8.2.8", ">=8.2.8,<8.3")
    assert driver._ROOM < driver._ROOM_AT_END < MAX_QUEUED_WRITES
    assert WriterThread(sys.stderr)._queue.maxsize == MAX_QUEUED_WRITES
    assert hasattr(Screen, "_compositor_refresh")
    assert hasattr(App, "_batch_count") or "_batch_count" in vars(App())
    for name in ("write", "close", "stop_application_mode"):
        assert name in vars(LinuxDriver)


def test_a_screen_that_fails_leaves_the_brokers_to_the_line_shell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def without_a_terminal(app: ConsoleApp) -> None:
        await App.run_async(app, headless=True, size=(80, 24))

    async def shell(runtime: object) -> int:
        seen.append(runtime)
        return 7

    def broken(pane: FlowPane, y: int) -> None:
        raise ZeroDivisionError

    seen: list[object] = []
    monkeypatch.setattr(ConsoleApp, "run_async", without_a_terminal)
    monkeypatch.setattr(FlowPane, "render_line", broken)
    runtime = Shop()
    assert asyncio.run(run_screen(runtime, fall_back=shell)) == 7  # type: ignore[arg-type]
    assert seen == [runtime]


def test_the_loop_of_a_test_is_left_as_it_was() -> None:
    async def act(stage: Stage) -> None:
        assert asyncio.get_running_loop().get_task_factory() is None

    play(act)
