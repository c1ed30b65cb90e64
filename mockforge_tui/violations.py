"""How clients broke their protocols, kept from the start on for who asks afterwards."""

from typing import Final

from mockforge_brokers.events import ProtocolViolated
from mockforge_brokers.spine import Spine

MOST: Final = 1_000
"""Events that are kept: the first ones."""


class Violations:
    """Those that ended a connection or a datagram, since the start or `clear`.

    What was served all the same is in a broker's `findings`.
    """

    def __init__(self, spine: Spine) -> None:
        self.events: list[ProtocolViolated] = []
        spine.watch(self._note, ProtocolViolated)

    def clear(self) -> None:
        self.events.clear()

    def _note(self, event: ProtocolViolated) -> None:
        if len(self.events) < MOST:
            self.events.append(event)
