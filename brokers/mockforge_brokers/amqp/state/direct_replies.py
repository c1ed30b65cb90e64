"""Direct reply-to: the queues of no declared name that replies go to (RabbitMQ's page of that)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .memory import Memory
from .queues.queue import Queue

if TYPE_CHECKING:
    from .routing import Route

REPLY_TO: Final = "amq.rabbitmq.reply-to"
"""Stands for the replies of the channel that uses it."""


class Replies(Queue):
    """Keeps nothing for whoever takes no more: a link without credit has its replies dropped.

    A consumer of 0-9-1 takes any number.
    """

    __slots__ = ()

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        if sum(consumer.credit for consumer in self.consumers) > len(self.messages):
            super().enqueue(route, content, size)
        else:
            self.published += 1


class DirectReplies(dict[str, Queue]):
    """One for each channel that consumes its replies, by its name, as long as it does."""

    def open(self, name: str, memory: Memory, connection: int) -> Queue:
        queue = self[name] = Replies(name, memory, owner=connection)
        return queue

    def close(self, queue: Queue) -> None:
        """Its consumer went: what is on its way to it is dropped."""
        del self[queue.name]
        queue.purge()
        queue.gone = True
