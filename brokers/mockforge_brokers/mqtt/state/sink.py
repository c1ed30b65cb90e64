"""A connected client's end, as its session knows it."""

from collections.abc import Callable
from typing import Protocol

from ..codes import Reason
from ..records import Message


class Sink(Protocol):
    """A connected client's end; the connection implements it and hands it to its session.

    `out`, `bulky` and `messages_out` are for the hot path, which appends ready bytes itself; sinks
    of the same `dialect` take each other's plain packets verbatim, those of dialect 0 take none.
    """

    connection: int
    out: list[bytes]
    bulky: bool
    """A piece of it is large (`contract.Connection`)."""
    messages_out: int

    @property
    def dialect(self) -> int: ...

    @property
    def asleep(self) -> bool:
        """The client said that it takes nothing for a while (MQTT-SN)."""
        ...

    @property
    def backlog(self) -> int:
        """Bytes that the client has not read yet."""
        ...

    def deliver(self, packet_id: int, message: Message, dup: bool = False) -> bool:
        """Send a message (packet id 0: QoS 0); False when it is too large for this client."""
        ...

    def release(self, packet_id: int) -> None:
        """Send PUBREL."""
        ...

    def wake(self) -> None: ...

    def work(self, call: Callable[[], object]) -> None:
        """Do something for this client, whose output then waits for what it kept."""
        ...

    def close(self, code: Reason, reason: str) -> None:
        """Send this code and close; the session is taken from it before or by it."""
        ...
