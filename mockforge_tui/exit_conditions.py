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

    if when.kind == "messages":
        while _moved(brokers)[0] < when.amount:
            await asyncio.sleep(_LOOK)
        return
    loop = asyncio.get_running_loop()
    last, since = _moved(brokers), loop.time()
    while loop.time() - since < when.amount:
        await asyncio.sleep(max(_LOOK, when.amount / _IDLE_LOOKS))
        now = _moved(brokers)
        if now != last:
            last, since = now, loop.time()


def _moved(brokers: "Mapping[str, Broker]") -> tuple[int, int]:
    """Messages that came in and that went out so far."""
    views = [view for broker in brokers.values() for view in broker.destinations()]
    # A message is counted where it was published, not again in each queue that got it.
    came = sum(view.messages_in for view in views if view.kind != "queue")
    return came, sum(view.messages_out for view in views)
