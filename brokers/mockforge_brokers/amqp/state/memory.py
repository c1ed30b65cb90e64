"""How many bytes of messages all queues hold, and when publishers must wait."""

from collections.abc import Callable


class Memory:
    """`used` is counted by the queues; who publishes past `mark` waits here until half is gone.

    RabbitMQ's memory alarm. A plain counter, so that a message costs an addition.
    """

    __slots__ = ("_waiting", "mark", "met", "used")

    def __init__(self, mark: int, met: Callable[[], object] = lambda: None) -> None:
        self.mark = mark
        self.met = met
        """To be called when publishers begin to wait."""
        self.used = 0
        self._waiting: dict[int, Callable[[], None]] = {}

    @property
    def waiting(self) -> int:
        """How many connections wait."""
        return len(self._waiting)

    def wait(self, connection: int, resume: Callable[[], None]) -> None:
        """Call `resume` once, when there is room again."""
        self._waiting[connection] = resume

    def forget(self, connection: int) -> None:
        self._waiting.pop(connection, None)

    def settle(self) -> None:
        """Let those go on who wait, if there is room."""
        if self._waiting and self.used <= self.mark // 2:
            waiting, self._waiting = self._waiting, {}
            for resume in waiting.values():
                resume()
