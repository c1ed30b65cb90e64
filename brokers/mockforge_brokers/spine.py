"""The one place where rare facts are emitted to whoever watches."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from .clock import Clock
from .events import Event

E = TypeVar("E", bound=Event)
_log = logging.getLogger(__name__)


class Spine:
    """Synchronous, ordered, after the fact; watchers change nothing and stop nobody.

    `history` keeps the newest events with their wall time, for people who come late.
    """

    def __init__(self, clock: Clock, keep: int = 2000) -> None:
        self.history: deque[tuple[float, Event]] = deque(maxlen=keep)
        self.emitted = 0
        self._wall = clock.wall
        # Made anew by each change: watchers may come and go while an event is emitted.
        self._watchers: tuple[tuple[tuple[type[Event], ...], Callable[[Any], object]], ...] = ()

    def emit(self, event: Event) -> None:
        self.emitted += 1
        self.history.append((self._wall(), event))
        for kinds, callback in self._watchers:
            if not kinds or isinstance(event, kinds):
                try:
                    callback(event)
                except Exception:
                    _log.exception("a watcher failed on %r; the broker goes on", event)

    def watch(self, callback: Callable[[Any], object], *kinds: type[Event]) -> Callable[[], None]:
        """Call `callback` with each event of these kinds (none: of all); returns how to stop."""
        watcher = (kinds, callback)
        self._watchers += (watcher,)

        def stop() -> None:
            self._watchers = tuple(each for each in self._watchers if each is not watcher)

        return stop
