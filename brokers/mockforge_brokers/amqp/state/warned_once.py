"""What clients ask for and the broker does not act on: reported once each."""

from typing import Final

from ...events import Warned
from ...spine import Spine

_MOST_REMEMBERED: Final = 1000


class WarnedOnce:
    """Remembers what was reported, within bounds: clients may make up names without end."""

    def __init__(self, spine: Spine) -> None:
        self._spine = spine
        self._reported: dict[tuple[str, str], None] = {}

    def report(self, about: str, text: str) -> None:
        if (about, text) in self._reported:
            return
        if len(self._reported) >= _MOST_REMEMBERED:
            del self._reported[next(iter(self._reported))]
        self._reported[about, text] = None
        self._spine.emit(Warned("amqp", about, text))

    def clear(self) -> None:
        self._reported.clear()
