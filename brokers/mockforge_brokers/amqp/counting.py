"""Which methods and error codes passed, of all connections since the start."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from .codes import ReplyCode
from .wire import methods
from .wire.frames import HEAD_SIZE

_DELIVER: Final = "basic.deliver"
_GET_OK: Final = "basic.get-ok"
_PUBLISH: Final = "basic.publish"
_ACK: Final = "basic.ack"
_NAMES: Final = {int(code): code.name for code in ReplyCode}


class MethodCounts:
    """`received` and `sent` are by the method's name; the fast paths add many at once.

    `published` is what the fast path took of basic.publish, `confirmed` the basic.acks that
    confirm: a client that waits for each confirm adds to both with each message, and to add to a
    number costs a third of an entry.

    Deliveries are not added one by one: each takes a delivery tag, so that a channel's last one
    says how many it was sent by basic.deliver and basic.get-ok.
    """

    __slots__ = (
        "_closes",
        "_tags",
        "confirmed",
        "performatives",
        "published",
        "received",
        "sent",
        "sent_by_code",
    )

    def __init__(self) -> None:
        self.performatives: Counter[str] = Counter()
        """What came from clients of AMQP 1.0."""
        self.sent_by_code = [0] * 256
        """What they were sent, by the descriptor's last byte."""
        self.received: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.published = 0
        self.confirmed = 0
        self._closes: Counter[tuple[str, int | str]] = Counter()
        self._tags = 0

    def wrote(self, frame: bytes) -> None:
        """A method frame that somebody else made is sent."""
        found = methods.find(frame[HEAD_SIZE:-1])
        if found is not None:
            self.sent[found.name] += 1

    def closed(self, scope: str, code: int | str) -> None:
        """We close a channel or connection with this code, what AMQP 1.0 has by a condition."""
        self._closes[scope, code] += 1

    def delivered(self, tags: int) -> None:
        """A channel is over that had so many delivery tags."""
        self._tags += tags

    def methods(self, open_tags: Iterable[int]) -> Mapping[tuple[str, str], int]:
        """How many by direction and method; `open_tags` are the last ones of open channels."""
        tags = self._tags + sum(open_tags)
        sent = self.sent | Counter({_DELIVER: tags - self.sent[_GET_OK]})
        sent += Counter({_ACK: self.confirmed})
        received = self.received + Counter({_PUBLISH: self.published})
        found = {("in", name): count for name, count in sorted(received.items())}
        return found | {("out", name): count for name, count in sorted(sent.items()) if count}

    def closes(self) -> Mapping[tuple[str, str], int]:
        """How many by scope (channel, connection, session, link) and the code's name."""
        return {
            (scope, code if isinstance(code, str) else _NAMES.get(code, str(code))): count
            for (scope, code), count in self._closes.items()
        }
