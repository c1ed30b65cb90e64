"""The messages that entered the brokers, kept for who asks afterwards."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from mockforge_brokers.contract import Broker
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.spine import Spine

from .message import Message

MOST = 100_000
"""Messages that are kept where no setting says otherwise."""
MOST_BYTES = 64 * 1024 * 1024
_OVERHEAD = 700
"""Bytes that a message takes beside its payload."""


class Record:
    """Messages by number, newest `most` of them, at most `MOST_BYTES` in all.

    Nothing is kept, and nothing costs the brokers anything, before `start`.
    """

    def __init__(self, brokers: Mapping[str, Broker], spine: Spine, most: int = MOST) -> None:
        self.newest = 0
        """The number of the last message; also what `since` begins behind."""
        self.begin = 0
        """The number of the last message before `clear`."""
        self.emitted = spine.emitted
        """The events that the spine had emitted at `clear`."""
        self._spine = spine
        self._brokers = brokers
        self._most = most
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._stops: list[Callable[[], None]] = []
        self._watchers: list[Callable[[], object]] = []

    @property
    def on(self) -> bool:
        return bool(self._stops)

    def start(self) -> None:
        """Keep what comes from now on; without effect where it is kept already."""
        if not self.on:
            self._stops = [broker.watch(self._see) for broker in self._brokers.values()]

    def stop(self) -> None:
        for stop in self._stops:
            stop()
        self._stops.clear()

    def clear(self) -> None:
        """Forget all that came and happened; the next message keeps counting."""
        self.emitted = self._spine.emitted
        self._messages.clear()
        self._bytes = 0
        self.begin = self.newest

    def lost(self, number: int) -> int:
        """Of the messages after `number`, how many were too many to be kept."""
        return max(0, self.newest - max(number, self.begin) - len(self._messages))

    def since(self, number: int) -> Iterator[Message]:
        """Messages after `number` that are still here, oldest first."""
        first = max(0, len(self._messages) - (self.newest - number))
        yield from tuple(islice(self._messages, first, None))

    def last(self, count: int) -> list[Message]:
        """The newest ones, oldest first."""
        return list(self._messages)[-count:] if count else []

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call with each message that came; returns how to stop."""
        self._watchers.append(callback)

        def stop() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return stop

    def _see(self, seen: MessageSeen) -> None:
        self.newest += 1
        self._messages.append(Message(self.newest, seen))
        self._bytes += len(seen.payload or b"") + _OVERHEAD
        while len(self._messages) > self._most or self._bytes > MOST_BYTES:
            gone = self._messages.popleft()
            self._bytes -= len(gone.payload or b"") + _OVERHEAD
        for callback in tuple(self._watchers):
            callback()
