"""What clients ask for and the broker does not act on: reported once each."""

from typing import Final

from ...events import Warned
from ...spine import Spine

_MOST_REMEMBERED: Final = 1000


class Doubts:
    """Remembers what was reported, within bounds: clients may make up names without end."""

    def __init__(self, spine: Spine) -> None:
        self._spine = spine
        self._told: dict[tuple[str, str], None] = {}

    def report(self, about: str, text: str) -> None:
        if (about, text) in self._told:
            return
        if len(self._told) >= _MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        self._told[about, text] = None
        self._spine.emit(Warned("amqp", about, text))

    def clear(self) -> None:
        self._told.clear()
