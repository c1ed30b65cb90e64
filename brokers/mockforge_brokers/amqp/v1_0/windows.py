"""The two windows of a session (2.5.6): how many transfers either side still takes."""

from collections import deque
from typing import Any, Final

from .failures import WINDOW_VIOLATION, SessionFailed
from .serial_numbers import SERIAL, serial_distance
from .wire.performatives import Composite

INCOMING_WINDOW: Final = 400
"""Transfers that a client may send before it hears from us (RabbitMQ's max_incoming_window)."""
ENDLESS: Final = SERIAL - 1
"""Our outgoing window: nobody has to wait for it."""


class Windows:
    """Counts transfers both ways, and keeps those back that the client has no room for."""

    def __init__(self, begin: Composite) -> None:
        self._incoming_window = INCOMING_WINDOW
        self._next_incoming = begin.get("next_outgoing_id")
        self._remote_outgoing = begin.get("outgoing_window", 0)
        self._next_outgoing = 0
        self._room = begin.get("incoming_window")
        self._waiting: deque[bytes] = deque()

    @property
    def shut(self) -> bool:
        """The client takes no transfer, until its next flow."""
        return bool(self._room <= 0)

    @property
    def free(self) -> bool:
        """A transfer would go out at once."""
        return not (self._waiting or self.shut)

    def figures(self) -> dict[str, int]:
        """Of both sides, by RabbitMQ's names."""
        return {
            "next_incoming_id": self._next_incoming,
            "incoming_window": max(0, self._incoming_window),
            "next_outgoing_id": self._next_outgoing,
            "remote_incoming_window": max(0, self._room),
            "remote_outgoing_window": self._remote_outgoing,
        }

    def ours(self) -> dict[str, Any]:
        """The fields of a flow that say where we are."""
        return {
            "next_incoming_id": self._next_incoming,
            "incoming_window": max(0, self._incoming_window),
            "next_outgoing_id": self._next_outgoing,
            "outgoing_window": ENDLESS,
        }

    def count(self) -> None:
        """A transfer came; raises SessionFailed where there was no room for it."""
        self._incoming_window -= 1
        if self._incoming_window < 0:
            raise SessionFailed(
                WINDOW_VIOLATION, "incoming window violation (tolerated excess tranfers: 0)"
            )
        self._next_incoming = (self._next_incoming + 1) % SERIAL

    def widen(self) -> bool:
        """Wide again, once half of it is used; True when the client is to hear of it."""
        if self._incoming_window > INCOMING_WINDOW // 2:
            return False
        self._incoming_window = INCOMING_WINDOW
        return True

    def note(self, flow: dict[str, Any]) -> None:
        """The client's newest word on both windows; raises SessionFailed."""
        seen = flow.get("next_incoming_id")
        if seen is not None and serial_distance(seen, self._next_outgoing) > 0:
            raise SessionFailed(
                WINDOW_VIOLATION,
                f"next-incoming-id from FLOW ({seen}) leads next-outgoing-id "
                f"({self._next_outgoing})",
            )
        window = flow["incoming_window"]
        room = serial_distance((seen or 0) + window, self._next_outgoing)
        # A window of 2^32 - 1 is no negative one.
        self._room = room if room >= 0 or window < SERIAL // 2 else ENDLESS
        self._next_incoming = flow["next_outgoing_id"]
        self._remote_outgoing = flow["outgoing_window"]

    def pass_on(self, transfers: list[bytes]) -> list[bytes]:
        """Those that may go out now, behind what waits; the others wait with it."""
        if self._waiting or len(transfers) > self._room:
            self._waiting.extend(transfers)
            return self.let_go()
        self._sent(len(transfers))
        return transfers

    def let_go(self) -> list[bytes]:
        """Of what waits as much as there is room for now."""
        count = max(0, min(self._room, len(self._waiting)))
        self._sent(count)
        return [self._waiting.popleft() for _ in range(count)]

    def forget(self) -> None:
        """The session ends: what waits is not sent any more."""
        self._waiting.clear()

    def _sent(self, count: int) -> None:
        self._room -= count
        self._next_outgoing = (self._next_outgoing + count) % SERIAL
