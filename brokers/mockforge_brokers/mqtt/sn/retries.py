"""What a client has to answer, and is sent again until it does (6.13, for a gateway's side)."""

from collections.abc import Callable, Hashable

from ...clock import Clock, Timer


class Retries:
    """One client's unanswered messages by a key of the caller's.

    Each is given to `send` again every `every` seconds, `most` times; then `lost` hears which.
    """

    __slots__ = ("_clock", "_every", "_lost", "_most", "_send", "_waiting", "count")

    def __init__(
        self,
        clock: Clock,
        every: float,
        most: int,
        send: Callable[[bytes], object],
        lost: Callable[[str, int], object],
    ) -> None:
        self.count = 0
        """How often something was sent again."""
        self._clock = clock
        self._every = every
        self._most = most
        self._send = send
        self._lost = lost
        self._waiting: dict[Hashable, Timer] = {}

    def expect(self, key: Hashable, what: str, again: bytes) -> None:
        """An answer is due; `again` is what is sent meanwhile, `what` its name for people."""
        self.settle(key)
        self._wait(key, what, again, 0)

    def settle(self, key: Hashable) -> bool:
        """It was answered, or is no longer asked for; False when nothing of this key waited."""
        timer = self._waiting.pop(key, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def expects(self, key: Hashable) -> bool:
        return key in self._waiting

    def settle_all(self) -> None:
        for key in tuple(self._waiting):
            self.settle(key)

    def _wait(self, key: Hashable, what: str, again: bytes, tries: int) -> None:
        call = self._clock.call_later
        self._waiting[key] = call(self._every, self._due, key, what, again, tries)

    def _due(self, key: Hashable, what: str, again: bytes, tries: int) -> None:
        del self._waiting[key]
        if tries >= self._most:
            self._lost(what, tries)
            return
        self.count += 1
        self._wait(key, what, again, tries + 1)
        self._send(again)
