"""`--watch`: fixture files that changed are loaded while the brokers run.

Files are looked at twice a second and not watched by the kernel: a stat of some dozen files costs
microseconds, needs no compiled package, and sees changes on the mounts of containers and networks,
of which the kernel says nothing.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from .fixtures.events import FixturesKept, FixturesReloaded
from .fixtures.loader import files_of
from .rehearsal import read_fixtures
from .runtime import Runtime

_EVERY = 0.5
"""Seconds between looks."""

Stamp = tuple[int, int, int]


class FixtureWatch:
    """Looks at files and folders, and hands what can be used to the runtime."""

    def __init__(self, paths: tuple[str, ...], runtime: Runtime) -> None:
        self._paths = [Path(path) for path in paths]
        self._runtime = runtime
        self._seen = self._stamps()
        self._task: asyncio.Task[None] | None = None
        self.looked: Callable[[], object] = lambda: None
        """Called after each look."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _stamps(self) -> dict[str, Stamp]:
        """Of each file: when it changed, its size, its number (editors write a new file)."""
        stamps: dict[str, Stamp] = {}
        for path in self._paths:
            for file in files_of(path):
                try:
                    found = file.stat()
                except OSError:
                    continue
                stamps[str(file)] = found.st_mtime_ns, found.st_size, found.st_ino
        return stamps

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            stamps = self._stamps()
            if stamps != self._seen:
                self._seen = stamps
                await self.reload()
            self.looked()

    async def reload(self) -> None:
        """Load them; if they are wrong, what ran goes on, and that is said in one line."""
        runtime = self._runtime
        # Beside the loop: clients are served meanwhile.
        report = await asyncio.to_thread(read_fixtures, self._paths, runtime.config)
        protocol = next(iter(runtime.brokers))
        if report.errors:
            more = len(report.errors) - 1
            text = f"{report.errors[0]}" + (f" (and {more} more)" if more else "")
            runtime.spine.emit(FixturesKept(protocol, f"{text}; the fixtures from before go on"))
            return
        runtime.reload(report.fixtures)
        count = len(report.fixtures.generators)
        runtime.spine.emit(FixturesReloaded(protocol, len(report.fixtures.files), count))
