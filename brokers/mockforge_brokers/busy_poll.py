"""Busy polling: to look for what comes next for a moment before the loop sleeps.

Where a client waits for each answer, its next message is some ten microseconds away. To sleep for
so short a time and be woken costs more than all that is done for the message, and a part of it is
paid by the client, whose write has to wake us: without it a round trip takes half as long again.

It is looked for only after many bursts of the same one or two clients that followed each other
closely, and until nothing came for a while. Of many clients several speak while the loop sleeps,
and are served together for less than one by one. Where it is in vain it takes twice as many bursts
the next time, so that it costs no more than a fixed share of the work: if nothing comes at all, if
there is always something and the loop would not have slept, or if other programs want the
processor.
"""

import os
from collections.abc import Callable
from typing import Any, Final

LOOKING: Final = 100e-6
"""Seconds without a burst until the loop may sleep."""
_CLOSE: Final = 250e-6
"""Seconds between two bursts that follow each other closely, the time to be woken among them."""
_LATE: Final = 50e-6
"""Seconds after the end: so long nothing of ours takes but that another program runs."""
_NEVER_IDLE: Final = 64
"""Looks one after another that find something."""
_FEWEST: Final = 16
_MOST: Final = 4096


class BusyPoll:
    """One server's; a loop never sleeps while something is to be called soon."""

    __slots__ = (
        "_after",
        "_before",
        "_busy",
        "_call_soon",
        "_close",
        "_count",
        "_found",
        "_last",
        "_length",
        "_near",
        "_now",
        "_seen",
        "_until",
        "looking",
    )

    def __init__(
        self, now: Callable[[], float], call_soon: Callable[..., Any], length: float = LOOKING
    ) -> None:
        """`length` of 0: never."""
        # With one processor whoever would send waits for us to sleep.
        self._close = _CLOSE if length and (os.cpu_count() or 1) > 1 else 0.0
        self._near = 0.0
        """A burst that begins before this follows closely on the last one."""
        self._last = self._before = 0
        """The connections that spoke last."""
        self.looking = False
        self._now = now
        self._call_soon = call_soon
        self._length = length
        self._count = 0
        """Bursts of few clients that followed closely, one after the other."""
        self._after = _FEWEST
        self._seen = self._until = 0.0
        self._found = False
        self._busy = 0

    def burst(self, begun: float, connection: int) -> None:
        """A connection's bytes are handled from `begun` on."""
        last = self._last
        if begun < self._near and (connection == last or connection == self._before):
            self._count += 1
            if self._count >= self._after and not self.looking:
                self._busy = 0
                self._found = False
                self.looking = True
                # From when this burst is handled.
                self._call_soon(self._begin)
        else:
            self._count = 0
        self._near = begun + self._close
        if connection != last:
            self._before, self._last = last, connection

    def _begin(self) -> None:
        self._seen, self._until = self._near, self._now() + self._length
        self._call_soon(self._look)

    def _look(self) -> None:
        now, near = self._now(), self._near
        if not self._count:
            # Others spoke, or the last one did after a while.
            self.looking = False
            return
        if near == self._seen:
            self._busy = 0
            if now > self._until:
                self._end(useful=self._found and now < self._until + _LATE)
                return
        else:
            self._found = True
            self._busy += 1
            if self._busy > _NEVER_IDLE:
                self._end(useful=False)
                return
            self._seen, self._until = near, now + self._length
        self._call_soon(self._look)

    def _end(self, *, useful: bool) -> None:
        self.looking = False
        self._count = 0
        self._after = _FEWEST if useful else min(2 * self._after, _MOST)
