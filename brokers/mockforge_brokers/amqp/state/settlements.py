"""How clients settle what they were delivered, told to those who watch it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal

from .queues.settling import by_queue

if TYPE_CHECKING:
    from .message import Message

Settlement = Literal["acknowledged", "rejected", "requeued"]
SETTLEMENTS: Final[tuple[Settlement, ...]] = ("acknowledged", "rejected", "requeued")
Settled = Callable[[str, str, Settlement, str, int], object]
"""Called with a virtual host's name and a queue's in it, what became of the queue's messages, the
client, and how many there are."""


class Settlements:
    """A broker has one for all its virtual hosts; it costs nothing while nobody watches.

    A message is requeued by its client's word, or since its client is gone. One that needs no
    acknowledgement is never settled.
    """

    def __init__(self) -> None:
        self.watchers: tuple[Settled, ...] = ()

    def watch(self, callback: Settled) -> Callable[[], None]:
        """Returns how to stop."""
        self.watchers += (callback,)

        def stop() -> None:
            self.watchers = tuple(each for each in self.watchers if each is not callback)

        return stop

    def note(
        self, vhost: str, settlement: Settlement, client: str, messages: Iterable[Message]
    ) -> None:
        if not self.watchers:
            return
        for queue, group in by_queue(messages).items():
            for callback in self.watchers:
                callback(vhost, queue.name, settlement, client, len(group))
