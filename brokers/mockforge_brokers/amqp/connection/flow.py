"""Whether a connection's deliveries may go out."""

from collections.abc import Callable

from ...clock import Clock


class Flow:
    """Shut while the peer's socket takes nothing, and while enough waits for the loop to write it.

    `changed` is called whenever it opens or shuts.
    """

    __slots__ = ("_changed", "_clock", "_held_back", "writable")

    def __init__(self, clock: Clock, changed: Callable[[], object]) -> None:
        self.writable = True
        self._held_back = False
        self._clock = clock
        self._changed = changed

    @property
    def open(self) -> bool:
        return self.writable and not self._held_back

    def set_writable(self, writable: bool) -> None:
        """The socket takes bytes again, or it does not any more."""
        self.writable = writable
        self._changed()

    def hold_back(self) -> None:
        """Enough waits to be written: deliveries go on in a later turn of the loop."""
        if not self._held_back:
            self._held_back = True
            self._changed()
            # The loop writes what waits before it comes to this.
            self._clock.call_later(0, self._go_on)

    def _go_on(self) -> None:
        self._held_back = False
        self._changed()
