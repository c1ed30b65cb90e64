"""The messages that entered the brokers, kept for who asks afterwards."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple, Self

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import Journal

from ..brokers import Brokers
from .message import Message
from .settled import SettlementRecord

MOST = 100_000
"""Messages that are kept where no setting says otherwise."""
MOST_BYTES = 64 * 1024 * 1024
_OVERHEAD = 700
"""Bytes that a message takes beside its payload, its key and its headers."""
_HEADER = 100
"""Bytes that a header takes beside its value."""
_MARK = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})(?:\.([0-9]{1,18}))?")


class Mark(int):
    """A point in the flow: the last message's number, with those of the journal's last chunk, and
    of the last settlement.

    A frame that is no message moves only the second.
    """

    journaled: int
    settled: int

    def __new__(cls, newest: int, journaled: int, settled: int = 0) -> Self:
        mark = super().__new__(cls, newest)
        mark.journaled, mark.settled = journaled, settled
        return mark

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `7.1234`. Raises InvalidInput."""
        found = _MARK.fullmatch(text)
        if found is None:
            raise InvalidInput(f"{text!r} is no mark: GET messages answers with one")
        return cls(*(int(each or 0) for each in found.groups()))

    @property
    def text(self) -> str:
        return f"{int(self)}.{self.journaled}.{self.settled}"


class _Kept(NamedTuple):
    message: Message
    size: int
    journaled: int
    """The number of the journal's last chunk when it came."""
    settled: int
    """That of the last settlement."""


class Record:
    """Messages by number, newest `most` of them, and at most `MOST_BYTES` for each `MOST` of those.

    Nothing is kept, and nothing costs the brokers anything, before `start`.
    """

    def __init__(
        self,
        brokers: Brokers,
        most: int = MOST,
        journal: Journal | None = None,
    ) -> None:
        self.newest = 0
        """The number of the last message; also what `since` begins behind."""
        self.begin = Mark(0, 0)
        """Where the last `clear` was."""
        self._journal = journal
        self._brokers = brokers
        self.settlements = SettlementRecord(brokers)
        self._most = most
        self._times_more = max(1.0, most / MOST)
        self._messages: deque[_Kept] = deque()
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
            self._stops.append(self.settlements.start())

    def stop(self) -> None:
        for stop in self._stops:
            stop()
        self._stops.clear()

    def clear(self) -> None:
        """Forget all that came; the next message keeps counting."""
        self._messages.clear()
        self._bytes = 0
        self.begin = self.mark()

    def mark(self) -> Mark:
        """A point in the flow, for who asks later what came after it."""
        return Mark(self.newest, self._journaled(), self.settlements.newest)

    def journaled(self, since: int) -> int:
        """The number of the journal's last chunk at a mark, or when the message of that number
        came."""
        return self._place(since).journaled

    def settled(self, since: int) -> int:
        """The same of the last settlement."""
        return self._place(since).settled

    def _place(self, since: int) -> "Mark | _Kept":
        begin = self.begin
        if isinstance(since, Mark):
            journaled, settled = since.journaled, since.settled
            return Mark(since, max(journaled, begin.journaled), max(settled, begin.settled))
        if since <= begin or not self._messages:
            return begin
        at = since - self._messages[0].message.number
        # What is not kept any more came before all that is.
        return self._messages[min(at, len(self._messages) - 1)] if at >= 0 else begin

    def _journaled(self) -> int:
        return 0 if self._journal is None else self._journal.seq

    def lost(self, number: int) -> int:
        """Of the messages after `number`, how many were too many to be kept."""
        return max(0, self.newest - max(number, self.begin) - len(self._messages))

    def since(self, number: int) -> Iterator[Message]:
        """Messages after `number` that are still here, oldest first."""
        yield from self.last(self.newest - number)

    def last(self, count: int) -> list[Message]:
        """The newest ones, oldest first."""
        # From the newer end: there may be a hundred thousand, and who waits looks at each burst.
        found = [kept.message for kept in islice(reversed(self._messages), max(0, count))]
        found.reverse()
        return found

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call with each message that came; returns how to stop."""
        self._watchers.append(callback)

        def stop() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return stop

    def _see(self, seen: MessageSeen) -> None:
        self.newest += 1
        size = _size(seen)
        message = Message(self.newest, seen)
        self._messages.append(_Kept(message, size, self._journaled(), self.settlements.newest))
        self._bytes += size
        # The newest stays, whatever its size: somebody is about to look at it.
        while len(self._messages) > 1 and (
            len(self._messages) > self._most or self._bytes > MOST_BYTES * self._times_more
        ):
            self._bytes -= self._messages.popleft().size
        for callback in tuple(self._watchers):
            callback()


def _size(seen: MessageSeen) -> int:
    headers = sum(len(name) + _HEADER + _length(value) for name, value in seen.headers)
    return len(seen.payload or b"") + len(seen.key or b"") + headers + _OVERHEAD


def _length(value: object) -> int:
    return len(value) if isinstance(value, bytes | str) else 0
