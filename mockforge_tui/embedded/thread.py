"""A loop in a thread of its own, for callers that have none to give."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar

from mockforge_brokers.errors import LocalError

P = ParamSpec("P")
T = TypeVar("T")

NOT_RUNNING: Final = "this MockForge does not run: start it, or use it in a with block"


class LoopThread:
    """Runs `serve(ready, ending)`, which calls `ready` once and returns when `ending` is set.

    `over` is called in the thread when `serve` has returned or failed, before `stop` returns.
    """

    def __init__(
        self,
        serve: Callable[[Callable[[], None], asyncio.Event], Coroutine[Any, Any, None]],
        over: Callable[[], None],
    ) -> None:
        self._serve = serve
        self._over = over
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def start(self, within: float) -> None:
        """Returns when it serves. Raises what `serve` raised, or LocalError after `within` s."""
        if self._thread is not None:
            raise LocalError("this MockForge runs already")
        self._failure = None
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name="mockforge", daemon=True)
        self._thread.start()
        if not self._ready.wait(within):
            raise LocalError(f"the brokers were not ready within {within:g} s")
        if self._failure is not None:
            self._thread.join()
            self._thread = None
            raise self._failure

    def stop(self) -> None:
        """Wait for its end; without effect where it does not run. Raises what `serve` raised."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        loop, ending = self._loop, self._ending
        if loop is not None and ending is not None:
            loop.call_soon_threadsafe(ending.set)
        thread.join()
        if self._failure is not None:
            raise self._failure

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on the loop and hand back what it returns or raises."""

        async def run() -> T:
            return function(*args, **kwargs)

        return self.wait(run())

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The same for what takes its time. Raises LocalError where nothing runs."""
        loop = self._loop
        if loop is None:
            coroutine.close()
            raise LocalError(NOT_RUNNING)
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def _run(self) -> None:
        from ..loops import loop_factory

        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._main())
        except BaseException as error:
            self._failure = error
        finally:
            self._loop = None
            self._over()
            # Whoever still waits in `start` finds the failure.
            self._ready.set()

    async def _main(self) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self._serve(self._ready.set, self._ending)
