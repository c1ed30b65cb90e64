"""What a session sent and its client has still to settle, and what becomes of it (3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from ...fairness import Steps
from ..state.consumer import Consumer
from ..state.message import Message
from ..state.queues.queue import AT_ONCE
from ..state.queues.quorum import QuorumMessage, QuorumQueue
from ..state.queues.settling import discarding, requeuing
from ..state.queues.stream import StreamQueue
from ..state.settlements import Settlement
from .failures import INVALID_FIELD, SessionFailed
from .links import Outgoing
from .mapping import to_table
from .serial_numbers import SERIAL, serial_distance
from .terms import term
from .wire.performatives import Composite
from .wire.values import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .session import Session

RELEASED: Final = Composite("released", {})


class Unsettled:
    """A delivery that the client has still to settle."""

    __slots__ = ("link", "message")

    def __init__(self, link: Outgoing, message: Message) -> None:
        self.link = link
        self.message = message


class Deliveries:
    """By delivery id, oldest first.

    `_late` are those that were released since they waited for too long: the client has still to
    confirm them, and its link gets nothing more before.
    """

    def __init__(self) -> None:
        self._unsettled: dict[int, Unsettled] = {}
        self._late: dict[int, Outgoing] = {}

    def __len__(self) -> int:
        return len(self._unsettled)

    def add(self, number: int, link: Outgoing, message: Message) -> None:
        self._unsettled[number] = Unsettled(link, message)
        link.unsettled += 1

    @property
    def oldest(self) -> int:
        """Of those there are."""
        return next(iter(self._unsettled))

    def by_link(self) -> dict[Outgoing, tuple[int, int]]:
        """How many each link has, and its oldest one."""
        found: dict[Outgoing, tuple[int, int]] = {}
        for number, one in self._unsettled.items():
            count, oldest = found.get(one.link, (0, number))
            found[one.link] = count + 1, oldest
        return found

    def messages(self) -> list[Message]:
        return [each.message for each in self._unsettled.values()]

    def of_quorum_queues(self, old: Callable[[int], bool]) -> Iterator[tuple[int, Consumer]]:
        """The only ones that time out, each with who has it, up to the first that is not `old`."""
        for number, one in self._unsettled.items():
            if not old(number):
                return
            if isinstance(one.message.queue, QuorumQueue):
                yield number, one.link.consumer

    def take(self, link: Outgoing) -> list[Message]:
        """A link ends: those of it, which go back to where they came from."""
        if link.late:
            self._late = {number: each for number, each in self._late.items() if each is not link}
        # A session may have thousands of links, and others of them very much.
        if not link.unsettled:
            return []
        found = [number for number, one in self._unsettled.items() if one.link is link]
        return [self._pop(number).message for number in found]

    def _pop(self, number: int) -> Unsettled:
        one = self._unsettled.pop(number)
        one.link.unsettled -= 1
        return one

    def settle(self, first: int, last: int, outcome: Any) -> bool:
        """False where none of them is left to settle. Raises SessionFailed."""
        if not (self._unsettled or self._late):
            return False
        if not isinstance(outcome, Composite) or outcome.name not in _SETTLERS:
            raise SessionFailed(
                INVALID_FIELD, f"Unrecognised state: {_named(outcome)} in DISPOSITION"
            )
        found = [self._pop(number) for number in _within(self._unsettled, first, last)]
        messages = [each.message for each in found]
        if found:
            session = found[0].link.session
            note(session, _settlement(outcome), messages)
            session.do(_settling(outcome, messages))
        if self._late:
            self._confirm(first, last)
        return True

    def release(self, numbers: Iterable[int]) -> None:
        """Messages of quorum queues go back, and do not count as delivered."""
        found = [(number, self._pop(number)) for number in numbers]
        links: dict[Outgoing, list[Message]] = {}
        for number, one in found:
            self._late[number] = one.link
            one.link.late.add(number)
            links.setdefault(one.link, []).append(one.message)
        for link, messages in links.items():
            queue = link.consumer.queue
            assert isinstance(queue, QuorumQueue), "others do not time out"
            queue.time_out(link.consumer, messages)

    def _confirm(self, first: int, last: int) -> None:
        for number in _within(self._late, first, last):
            link = self._late.pop(number)
            link.late.discard(number)
            cast("QuorumQueue", link.consumer.queue).forgive(link.consumer, 1)
            link.go_on()


def _named(state: Any) -> str:
    return state.name if isinstance(state, Composite) else term(state)


def _within(numbers: dict[int, Any], first: int, last: int) -> list[int]:
    """Which of these are in a range, in its order."""
    span = serial_distance(last, first) + 1
    if span <= len(numbers):
        wanted = ((first + at) % SERIAL for at in range(span))
        return [number for number in wanted if number in numbers]
    return [number for number in numbers if 0 <= serial_distance(number, first) < span]


def _settling(outcome: Composite, messages: list[Message]) -> Steps:
    # A stream keeps what it has, whatever becomes of it.
    yield from _accept(outcome, [each for each in messages if isinstance(each.queue, StreamQueue)])
    others = [each for each in messages if not isinstance(each.queue, StreamQueue)]
    yield from _SETTLERS[outcome.name](outcome, others)


def _accept(outcome: Composite, messages: list[Message]) -> Steps:
    for number, message in enumerate(messages, 1):
        message.queue.acknowledge(message)
        if not number % AT_ONCE:
            yield


def _discard(outcome: Composite, messages: list[Message]) -> Steps:
    return discarding(messages, failed=True)


def _requeue(outcome: Composite, messages: list[Message]) -> Steps:
    return requeuing(messages)


def _modify(outcome: Composite, messages: list[Message]) -> Steps:
    yield from _annotate(messages, outcome.get("message_annotations", {}))
    settling = discarding if outcome.get("undeliverable_here") else requeuing
    yield from settling(messages, failed=outcome.get("delivery_failed", False))


def _annotate(messages: list[Message], annotations: Mapping[Any, Any]) -> Steps:
    """A modified outcome says more of a message for whoever gets it next (3.4.5).

    Classic queues keep what they have; names that do not begin with x- are reserved (3.2.10).
    """
    more = to_table(
        (name, value)
        for name, value in annotations.items()
        if isinstance(name, Symbol) and name.startswith("x-")
    )
    for message in messages if more else ():
        if isinstance(message, QuorumMessage):
            # All its headers are written anew, which may be very many.
            message.annotate(more)
            yield


def _settlement(outcome: Composite) -> Settlement:
    if outcome.name == "accepted":
        return "acknowledged"
    dropped = outcome.name == "rejected" or outcome.get("undeliverable_here")
    return "rejected" if dropped else "requeued"


def note(session: Session, settlement: Settlement, messages: Iterable[Message]) -> None:
    """Let those know who watch what becomes of messages."""
    vhost = session.vhost
    vhost.settlements.note(vhost.name, settlement, session.connection.client, messages)


_SETTLERS: Final[dict[str, Callable[[Composite, list[Message]], Steps]]] = {
    "accepted": _accept,
    "rejected": _discard,
    "released": _requeue,
    "modified": _modify,
}
