"""Puts the screen on without a terminal, at a size, in front of brokers without sockets."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.keys import key_to_character
from textual.pilot import Pilot

from mockforge_tui.tui.app import ConsoleApp

from ..console.scene import Scene
from .shop import Shop

LARGE, SMALL = (120, 40), (80, 24)


def _still() -> float:
    """Time that no machine is too slow for: budgets are never used up, no notice grows old."""
    return 1000.0


class PromptPilot(Pilot[int | None]):
    """Goes on once nobody has anything left to do: Textual's waits until the process is idle for
    20 ms, several times for each key, and the app is so only between two frames."""

    async def settled(self) -> None:
        """Let everybody take in what waits, and all that comes of it."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        while ready:
            await asyncio.sleep(0)
        if self.app._exception is not None:
            raise self.app._exception

    async def pause(self, delay: float | None = None) -> None:
        """The same, and have what changed drawn; first wait for timers, if there is a delay."""
        if delay is not None:
            await asyncio.sleep(delay)
        await self.settled()
        self.app.screen._on_timer_update()
        await self.settled()

    async def _wait_for_screen(self, timeout: float = 30.0) -> bool:
        await self.settled()
        return True


class Stage:
    """The app with its pilot; `keys` presses, `tick` is one frame with all its work."""

    def __init__(self, runtime: Any, app: ConsoleApp) -> None:
        self.runtime = runtime
        self.app = app
        self.pilot = PromptPilot(app)
        self.screen = app.dashboard
        self.flow = app.dashboard.flow
        self._now = 1000.0

    async def keys(self, *keys: str) -> None:
        for key in keys:
            await self.press(key)
        await self.pilot.pause()

    async def press(self, key: str) -> None:
        """One key, until all have met what it led to; nothing need be drawn."""
        # Not before what the test did is taken in.
        await self.pilot.settled()
        event = events.Key(key, key_to_character(key))
        event.set_sender(self.app)
        self.app.post_message(event)
        await self.pilot.settled()

    async def type(self, text: str) -> None:
        named = {" ": "space", ":": "colon", "/": "slash", "*": "asterisk", ".": "full_stop"}
        await self.keys(*(named.get(each, each) for each in text))

    async def resize(self, width: int, height: int) -> None:
        """The terminal has another size, and all that is shown is laid out anew."""
        await self.pilot.resize_terminal(width, height)
        await self.until(lambda: self.app.screen.size == (width, height), "the size is known")
        await self.tick()

    async def tick(self) -> None:
        """Decode all that waits, take a snapshot, and let it be painted."""
        self.look()
        await self.pilot.pause()

    def look(self) -> None:
        """The same, with nothing painted yet."""
        while self.app.feed.tick(1.0):
            pass
        self.screen.tick()
        self._now += 1.0
        self.app._take_snapshot(self._now)

    async def until(self, fact: Callable[[], object], what: str = "") -> None:
        """Let the screen go on until something is so."""
        deadline = time.monotonic() + 50
        while not fact():
            assert time.monotonic() < deadline, f"never: {what}\n{self.text()}"
            await self.pilot.pause(0.01)

    async def shows(self, text: str) -> None:
        await self.until(lambda: text in self.text(), f"{text!r} is shown")

    async def hides(self, text: str) -> None:
        await self.until(lambda: text not in self.text(), f"{text!r} is not shown")

    def number_of(self, protocol: str, operation: str) -> int:
        """The number in the flow of the first row of this kind."""
        feed = self.app.feed
        rows = ((number, feed.row(number)) for number in range(1, feed.newest + 1))
        return next(
            number
            for number, row in rows
            if row is not None and (row.protocol, row.operation) == (protocol, operation)
        )

    def lines(self) -> list[str]:
        """The screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text for strip in strips]

    def text(self) -> str:
        return "\n".join(self.lines())


def play(
    act: Callable[[Stage], Awaitable[Any]],
    size: tuple[int, int] = LARGE,
    *,
    rounds: int = 12,
    real: Callable[[], Scene] | None = None,
    **options: Any,
) -> None:
    """Run a scene; the shop's traffic is on the screen when it begins, or what `real` made."""

    async def scene() -> None:
        runtime: Any = Shop(rounds) if real is None else real()
        app = ConsoleApp(runtime, timer=_still, now=_still, **options)
        async with app.run_test(size=size):
            stage = Stage(runtime, app)
            await stage.until(lambda: app._begun, "the app has begun")
            await stage.tick()
            await act(stage)

    asyncio.run(scene())
