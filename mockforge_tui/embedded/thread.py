"""A loop in a thread of its own, for callers that have none to give."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Final, ParamSpec, TypeVar

from mockforge_brokers.errors import LocalError

P = ParamSpec("P")
T = TypeVar("T")

NOT_RUNNING: Final = "this MockForge does not run: start it, or use it in a with block"
_STOPPED: Final = "this MockForge was stopped meanwhile"
_ITS_OWN: Final = "the brokers' own thread would wait for itself: call this from another thread"


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
        self._ending = asyncio.Event()
        self._unwanted = False
        """Whoever started it waits for it no more."""
        self._asked: set[Future[Any]] = set()
        """What callers wait for."""
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def start(self, within: float) -> None:
        """Returns when it serves. Raises what `serve` raised, or LocalError after `within` s.

        Nobody stops what did not begin in time, or was interrupted: it ends by itself.
        """
        if self._thread is not None and not (self._unwanted and not self._thread.is_alive()):
            raise LocalError("this MockForge runs already")
        self._failure = None
        self._unwanted = False
        self._ending = asyncio.Event()
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name="mockforge", daemon=True)
        self._thread.start()
        try:
            if not self._ready.wait(within):
                raise LocalError(f"the brokers were not ready within {within:g} s")
        except BaseException:
            self._unwanted = True
            self._end()
            raise
        if self._failure is not None:
            self._thread.join()
            self._thread = None
            raise self._failure

    def stop(self) -> None:
        """Wait for its end; without effect where it does not run. Raises what `serve` raised."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._end()
        thread.join()
        if self._failure is not None:
            raise self._failure

    def _end(self) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(self._ending.set)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on the loop and hand back what it returns or raises."""

        async def run() -> T:
            return function(*args, **kwargs)

        return self.wait(run())

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The same for what takes its time.

        Raises LocalError where nothing runs, or is stopped meanwhile.
        """
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            coroutine.close()
            raise LocalError(NOT_RUNNING if loop is None else _ITS_OWN)
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # it has ended just now
            coroutine.close()
            raise LocalError(_STOPPED) from None
        self._asked.add(future)
        if self._loop is not loop:
            # It ended before it could begin with this, or when nobody knew of it yet.
            future.cancel()
        try:
            return future.result()
        except CancelledError:
            coroutine.close()
            raise LocalError(_STOPPED) from None
        finally:
            self._asked.discard(future)

    def _run(self) -> None:
        from ..loops import loop_factory

        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._main())
        except BaseException as error:
            self._failure = error
        finally:
            self._loop = None
            for future in tuple(self._asked):
                future.cancel()
            self._over()
            # Whoever still waits in `start` finds the failure.
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self._unwanted:
            await self._serve(self._ready.set, self._ending)
