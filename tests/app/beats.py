"""What falls due each second of running brokers, and how much of it in one turn of their loop."""

import asyncio

from mockforge_tui import MockForge


class Beats:
    """`count` are all so far, `most` those of one turn."""

    def __init__(self, mockforge: MockForge) -> None:
        self.count = self.most = self._together = 0
        self._clock = mockforge.runtime.clock
        mockforge.call(self._beat)

    def _beat(self) -> None:
        if not self._together:
            asyncio.get_running_loop().call_soon(self._turn)
        self.count += 1
        self._together += 1
        self.most = max(self.most, self._together)
        self._clock.call_later(1, self._beat)

    def _turn(self) -> None:
        self._together = 0
