"""Keys that are typed before the screen is there: the terminal hands them over at once."""

import asyncio
from typing import Any

import pytest
from textual import events

from mockforge_tui.tui.app import ConsoleApp

from .shop import Shop
from .stage import LARGE


def test_keys_before_the_first_frame_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def early(app: ConsoleApp) -> None:
        for key in ("3", "z", "4", "f6"):
            app.post_message(events.Key(key, key))

    async def scene() -> None:
        runtime: Any = Shop(1)
        # With its very first message.
        monkeypatch.setattr(ConsoleApp, "on_load", early, raising=False)
        app = ConsoleApp(runtime)
        async with app.run_test(size=LARGE) as pilot:
            await pilot.pause()
            await pilot.press("3")
            await pilot.pause()
            assert app.dashboard.focused is app.dashboard.destinations

    asyncio.run(scene())
