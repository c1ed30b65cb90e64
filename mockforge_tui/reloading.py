"""`--watch`: fixture files that changed are loaded while the brokers run.

Files are looked at twice a second and not watched by the kernel: a stat of some dozen files costs
microseconds, needs no compiled package, and sees changes on the mounts of containers and networks,
of which the kernel says nothing.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from .fixtures.events import FixturesKept, FixturesReloaded
from .fixtures.loader import stamps_of
from .fixtures.source.problems import FixtureError
from .rehearsal import read_fixtures
from .runtime import Runtime

_EVERY = 0.5
"""Seconds between looks."""


class FixtureWatch:
    """Looks at files and folders, and hands what can be used to the runtime."""

    def __init__(self, paths: tuple[str, ...], runtime: Runtime) -> None:
        self._paths = [Path(path) for path in paths]
        self._runtime = runtime
        loaded = runtime.fixtures
        self._assets: tuple[str, ...] = () if loaded is None else loaded.assets
        self._seen = stamps_of(self._paths, self._assets)
        self._task: asyncio.Task[None] | None = None
        self.looked: Callable[[], object] = lambda: None
        """Called after each look."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            # Beside the loop: there may be thousands of them.
            stamps = await asyncio.to_thread(stamps_of, self._paths, self._assets)
            if stamps != self._seen:
                self._seen = stamps
                await self.reload()
            self.looked()

    def _follow(self, assets: tuple[str, ...]) -> None:
        """Look at these data files from now on."""
        seen = {file: stamp for file, stamp in self._seen.items() if file not in self._assets}
        self._seen = stamps_of((), assets) | seen
        self._assets = assets

    async def reload(self) -> None:
        """Load them; if they are wrong, what ran goes on, and that is said in one line."""
        runtime = self._runtime
        # Beside the loop: clients are served meanwhile.
        report = await asyncio.to_thread(read_fixtures, self._paths, runtime.config)
        protocol = next(iter(runtime.brokers))
        stays = ""
        try:
            if report.errors:
                raise FixtureError(report.errors)
            stays = "what was declared before it stays, and "
            # They were rehearsed on empty brokers: here something may be in the way.
            runtime.reload(report.fixtures)
        except FixtureError as error:
            text = f"{error}; {stays}the fixtures from before go on"
            runtime.spine.emit(FixturesKept(protocol, text))
            return
        self._follow(report.fixtures.assets)
        count = len(report.fixtures.generators)
        runtime.spine.emit(FixturesReloaded(protocol, len(report.fixtures.files), count))
