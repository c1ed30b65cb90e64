"""All that is promised of a data folder, one after the other, and a table of it at the end."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from . import PROTOCOLS, WAYS, round_of
from .damage import damages


class Asked(NamedTuple):
    """How often: `times` of each protocol's kills and restarts, `fulls` of its full disks."""

    times: int
    messages: int
    fulls: int
    damages: int


@dataclass
class Line:
    """One of the table: what was done, of which protocol, how often it is to be and was."""

    what: str
    protocol: str
    wanted: int
    done: int = 0
    confirmed: int = 0
    lost: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def take(self, number: int, step: Callable[[], tuple[int, int]], ended: list[int]) -> None:
        """Do it once more: how many were confirmed, and how many of them may be lost and are.

        Not where somebody `ended` it all: a Ctrl-C is the program's too.
        """
        if ended:
            return
        begun = time.monotonic()
        try:
            confirmed, lost = step()
        except Exception as error:
            if ended:
                return
            # Whatever it is, the table says so, and what comes behind it is tried all the same.
            self.failures.append(f"round {number + 1}: {type(error).__name__}: {error}")
            said = f"FAILED: {error}"
        else:
            self.confirmed += confirmed
            self.lost += lost
            said = f"{confirmed:,} confirmed, {lost:,} lost"
        self.done += 1
        self.seconds += time.monotonic() - begun
        print(f"{self.what}, {self.protocol} {self.done} of {self.wanted}: {said}", flush=True)


def prove(asked: Asked) -> int:
    """Returns the status for the shell."""
    ends = {"kill": asked.times, "restart": asked.times, "full": asked.fulls}
    lines = {
        (way, protocol): Line(WAYS[way], protocol, times)
        for way, times in ends.items()
        for protocol in PROTOCOLS
    }
    damaged = Line("a damaged byte", "all three", asked.damages)
    ended: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: ended.append(number))
    for number in range(max(ends.values())):
        for (way, protocol), line in lines.items():
            if number < line.wanted:
                line.take(number, partial(_confirmed, protocol, asked.messages, number, way), ended)
    for number, step in enumerate(damages(0 if ended else asked.damages)):
        damaged.take(number, step, ended)
    all_lines = [line for line in (*lines.values(), damaged) if line.wanted]
    print("\n".join(_table(all_lines)))
    well = all(line.done == line.wanted and not line.failures for line in all_lines)
    return 0 if well else 1


def _confirmed(protocol: str, messages: int, number: int, way: str) -> tuple[int, int]:
    return round_of(protocol, messages, number, way).confirmed, 0


def _table(lines: list[Line]) -> Iterator[str]:
    form = "{:<34} {:<9} {:>7} {:>6} {:>11} {:>5} {:>8}"
    yield ""
    yield form.format("what", "of", "done", "failed", "confirmed", "lost", "a round")
    for line in lines:
        done = f"{line.done}/{line.wanted}"
        each = f"{line.seconds / line.done:.1f} s" if line.done else ""
        failed = len(line.failures)
        yield form.format(
            line.what, line.protocol, done, failed, f"{line.confirmed:,}", line.lost, each
        ).rstrip()
    for line in lines:
        for failure in line.failures:
            yield f"{line.what}, {line.protocol}, {failure}"
