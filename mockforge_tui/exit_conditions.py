"""`--exit-when`: what ends a run by itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from .units import parse_duration

if TYPE_CHECKING:
    from mockforge_brokers.contract import Broker

_LOOK: Final = 0.05
_IDLE_LOOKS: Final = 10
"""Looks within the time that has to be idle."""


class Occasion(NamedTuple):
    """`idle` for so many seconds, `messages` so many, or `scenarios` have run."""

    kind: Literal["idle", "messages", "scenarios"]
    amount: float = 0.0


def occasion(text: str) -> str:
    """The text as it was given, if it says when. Raises ValueError."""
    read(text)
    return text


def read(text: str) -> Occasion:
    """Raises ValueError."""
    kind, colon, amount = text.partition(":")
    match kind:
        case "scenarios" if not colon:
            return Occasion("scenarios")
        case "idle" if colon:
            return Occasion("idle", parse_duration(amount))
        case "messages" if amount.isdecimal() and int(amount) > 0:
            return Occasion("messages", int(amount))
    raise ValueError(f"idle:5s, scenarios or messages:N is wanted, not {text!r}")


async def wait_for(when: Occasion, brokers: "Mapping[str, Broker]") -> None:
    """Returns when it has come; `scenarios` is for others to wait for."""
    import asyncio  # every command line reads this file for its settings

    moved = _Moved(brokers)
    moved.look()
    if when.kind == "messages":
        while moved.came < when.amount:
            await asyncio.sleep(_LOOK)
            moved.look()
        return
    loop = asyncio.get_running_loop()
    since = loop.time()
    while loop.time() - since < when.amount:
        await asyncio.sleep(max(_LOOK, when.amount / _IDLE_LOOKS))
        if moved.look():
            since = loop.time()


class _Moved:
    """Messages that came in, by what destinations count.

    Those of a topic that was deleted since stay counted, as its name and number are known.
    """

    def __init__(self, brokers: "Mapping[str, Broker]") -> None:
        self.came = 0
        self._brokers = brokers
        self._counts: dict[tuple[str, str, str], tuple[int, int]] = {}

    def look(self) -> bool:
        """Whether any message came or went since the last look."""
        before, self._counts = self._counts, {}
        moved = False
        for broker in self._brokers.values():
            for view in broker.destinations():
                key = view.protocol, view.kind, view.name
                now = self._counts[key] = view.messages_in, view.messages_out
                came, went = before.get(key, (0, 0))
                moved = moved or now != (came, went)
                # A message is counted where it was published, not again in each queue that got it.
                if view.kind != "queue":
                    # Fewer than before: another of the same name.
                    self.came += now[0] - came if now[0] >= came else now[0]
        return moved
