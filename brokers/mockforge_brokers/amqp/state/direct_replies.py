"""Direct reply-to: the queues of no declared name that replies go to (RabbitMQ's page of that)."""

from typing import Final

from .memory import Memory
from .queues.queue import Queue

REPLY_TO: Final = "amq.rabbitmq.reply-to"
"""Stands for the replies of the channel that uses it."""


class DirectReplies(dict[str, Queue]):
    """One for each channel that consumes its replies, by its name, as long as it does."""

    def open(self, name: str, memory: Memory, connection: int) -> Queue:
        queue = self[name] = Queue(name, memory, owner=connection)
        return queue

    def close(self, queue: Queue) -> None:
        """Its consumer went: what is on its way to it is dropped."""
        del self[queue.name]
        queue.purge()
        queue.gone = True
