"""Messages of any queues, which their clients settle or lose: what becomes of them, in steps."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from ....fairness import Steps
from ..memory import do_all

if TYPE_CHECKING:
    from ..message import Message
    from .queue import Queue

_queue_of = attrgetter("queue")
DISCARDED_AT_ONCE: Final = 16
"""Messages that are rejected for good in one step: each may be published anew."""


def by_queue(messages: Iterable[Message]) -> dict[Queue, list[Message]]:
    """Messages of any queues, those of each one together and in their order."""
    each = list(messages)
    if len(queues := set(map(_queue_of, each))) == 1:
        # As it mostly is, of however many.
        return {queues.pop(): each}
    found: dict[Queue, list[Message]] = {}
    for message in each:
        found.setdefault(message.queue, []).append(message)
    return found


def requeuing(messages: Iterable[Message], *, ended: bool = False, failed: bool = False) -> Steps:
    """The steps of putting messages of any queues back."""
    for queue, group in by_queue(messages).items():
        yield from queue.requeuing(group, ended=ended, failed=failed)


def requeue_all(messages: Iterable[Message]) -> None:
    """Put messages of any queues back, at once."""
    do_all(requeuing(messages))


def discarding(messages: Iterable[Message], *, failed: bool = False) -> Steps:
    """The steps of rejecting messages of any queues for good: each may become a dead letter."""
    left = DISCARDED_AT_ONCE
    for message in messages:
        message.failures += failed
        message.queue.discard(message)
        left -= message.queue.reach
        if left <= 0:
            left = DISCARDED_AT_ONCE
            yield
