"""A terminal driver that drops frames rather than wait for a terminal that does not read."""

import contextlib
import queue
import re
import sys
from dataclasses import astuple
from typing import Final

from textual.drivers.linux_driver import LinuxDriver

from ..text import width
from .palette import ASCII, UNICODE

_ROOM = 12
"""Writes that may wait, of Textual's 30: the rest is for a frame's own control sequences."""
_ROOM_AT_END = 28
_LAST_WRITES = 0.5
"""Seconds that a terminal that does not read is given when the screen ends."""


class SafeDriver(LinuxDriver):
    """`put` on Textual's full queue of writes would stop the event loop, and the brokers in it.

    Stopped terminals are ordinary: Ctrl-S, a frozen ssh, a slow multiplexer. The frames that
    were dropped meanwhile are made up for by one full repaint.
    """

    dropped = 0
    _stale = False
    _ending = False

    def write(self, data: str) -> None:
        thread = self._writer_thread
        if thread is None:
            return
        # Private to Textual 8.2; tests/app/tui/test_safety.py guards it for each version.
        room = _ROOM_AT_END if self._ending else _ROOM
        if thread._queue.qsize() >= room:
            self._stale = True
            self.dropped += 1
            return
        thread.write(data)

    def catch_up(self) -> None:
        """Repaint all once the terminal reads again, if frames were dropped."""
        thread = self._writer_thread
        if self._stale and thread is not None and thread._queue.empty():
            self._stale = False
            self._app.screen.refresh(layout=True)

    def stop_application_mode(self) -> None:
        self._ending = True
        super().stop_application_mode()
        self._ending = False

    def close(self) -> None:
        thread = self._writer_thread
        if thread is None or not self._stale:
            super().close()
            return
        # Nobody reads: to join the thread would wait for somebody who does.
        with contextlib.suppress(queue.Full):
            thread._queue.put_nowait(None)
        thread.join(_LAST_WRITES)


_STAND_INS: Final = {
    **{
        sign: plain
        for signs, others in zip(astuple(UNICODE), astuple(ASCII), strict=True)
        for sign, plain in zip(signs, others, strict=True)
    },
    **dict(zip("–−“”‘’┤├└┌", "--\"\"''||`.", strict=True)),
}
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]")


def in_ascii(text: str) -> str:
    """The same text cell by cell: `…` becomes `~`, what has no stand-in a `?` for each cell."""
    return text if text.isascii() else _NOT_ASCII.sub(_stand_in, text)


def _stand_in(found: re.Match[str]) -> str:
    sign = found[0]
    return _STAND_INS.get(sign) or "?" * width(sign)


class AsciiDriver(SafeDriver):
    """For terminals that have nothing else: what clients send has all of Unicode in it."""

    def write(self, data: str) -> None:
        super().write(in_ascii(data))


def supported(*, ascii_only: bool = False) -> type[SafeDriver] | None:
    """The driver where it can run; None leaves the choice to Textual."""
    if sys.platform == "win32":
        return None
    return AsciiDriver if ascii_only else SafeDriver
