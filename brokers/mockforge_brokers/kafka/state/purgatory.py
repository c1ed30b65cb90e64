"""Answers that come later: a request is parked until somebody completes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from ...errors import ProtocolError

T = TypeVar("T")
U = TypeVar("U")


class Parked(Generic[T]):
    """The answer to one request, now or later; whoever completes it first decides it."""

    __slots__ = ("_on_abandon", "_on_done", "_on_failed", "_result", "done")

    def __init__(self) -> None:
        self.done = False
        self._result: T | None = None
        self._on_done: Callable[[T], object] | None = None
        self._on_failed: Callable[[ProtocolError], object] | None = None
        self._on_abandon: Callable[[], object] | None = None

    @classmethod
    def of(cls, result: T) -> Parked[T]:
        """An answer that is there already."""
        parked = cls()
        parked.complete(result)
        return parked

    def complete(self, result: T) -> None:
        """Answer; what comes after the first answer, or after `abandon`, is ignored."""
        if self.done:
            return
        self.done = True
        self._on_abandon = None
        if self._on_done is None:
            self._result = result
        else:
            self._on_done(result)

    def fail(self, error: ProtocolError) -> None:
        """There is no answer: it was found late that the request is not what it should be."""
        if self.done:
            return
        self.done = True
        self._on_abandon = None
        if self._on_failed is not None:
            self._on_failed(error)

    def follow(self, other: Parked[T]) -> None:
        """Be answered as that one is; abandoning this one abandons that one."""
        if self.done:
            other.abandon()
            return
        other.then(self.complete, self.fail)
        if not other.done:
            self._on_abandon = other.abandon

    def settle(self, made: T | Parked[T]) -> None:
        """With what was made: the answer, or one that is still to come."""
        if isinstance(made, Parked):
            self.follow(made)
        else:
            self.complete(made)

    def then(
        self,
        callback: Callable[[T], object],
        failed: Callable[[ProtocolError], object] | None = None,
    ) -> None:
        """Call with the answer once, at once if it is there. There is one listener."""
        if self.done:
            result, self._result = self._result, None
            callback(result)  # type: ignore[arg-type]
        else:
            self._on_done, self._on_failed = callback, failed

    def map(self, function: Callable[[T], U | Parked[U]]) -> Parked[U]:
        """The answer in another form, now or later; abandoning that one abandons this one."""
        mapped: Parked[U] = Parked()
        self.then(lambda result: mapped.settle(function(result)), mapped.fail)
        if not self.done:
            mapped._on_abandon = self.abandon
        return mapped

    def on_abandon(self, callback: Callable[[], object]) -> None:
        self._on_abandon = callback

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        if self.done:
            return
        self.done = True
        self._on_done = self._on_failed = None
        if self._on_abandon is not None:
            self._on_abandon()
            self._on_abandon = None


class Watchlist:
    """The parked fetches of one partition, notified of bytes as they come."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[int, Callable[[int], object]] = {}

    def add(self, waiter: object, callback: Callable[[int], object]) -> None:
        self.waiting[id(waiter)] = callback

    def discard(self, waiter: object) -> None:
        self.waiting.pop(id(waiter), None)

    def notify(self, size: int) -> None:
        """`size` bytes were appended; a negative size says that the log itself changed."""
        for callback in tuple(self.waiting.values()):
            callback(size)
