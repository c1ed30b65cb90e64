"""Which backoff a client has, by the pauses after which it was back."""

from collections.abc import Sequence
from math import log2
from statistics import fmean, median
from typing import Final

_FEWEST: Final = 3
"""Two pauses are one ratio: that may be anything."""
_AT_ONCE: Final = 0.05
"""Seconds in which a client connects that does not wait; pauses are as inexact as that."""
_INEXACT: Final = 0.15
"""Of log2: pauses that differ by less than a tenth are the same."""
_CEILING: Final = 0.75
"""Of the longest: from there on they grow no more."""
_AGAIN: Final = 3.0
"""A pause this many times shorter than the one before begins anew: that is another outage."""
_GROWING: Final = 0.2
_DOUBLING: Final = (0.6, 1.4)
"""log2 of the factor from one pause to the next; jitter of a half to both sides is within."""


def backoff_of(pauses: Sequence[float]) -> str:
    """In words, of pauses in seconds; nothing where they are too few to say.

    none, constant, growing or doubling, the latter up to a ceiling too; ` with jitter` behind it
    where pauses scatter about that.
    """
    if len(pauses) >= _FEWEST and 2 * sum(each < _AT_ONCE for each in pauses) > len(pauses):
        # Those between are outages in which nobody could see it try.
        return "none"
    run = _longest_run(pauses)
    if len(run) < _FEWEST:
        return ""
    logs = [log2(max(each, 0.001)) for each in run]
    top = next(place for place, each in enumerate(run) if each >= _CEILING * max(run)) + 1
    step = _slope(logs[:top]) if top >= _FEWEST else 0.0
    if step < _GROWING:
        return "constant" + _jitter(run, [median(logs)] * len(logs))
    jitter = _jitter(run, _fitted(logs, top))
    if jitter and top > _FEWEST:
        # The last step may be a short one: the ceiling cut it.
        jitter = _jitter(run, _fitted(logs, top - 1))
        step = step if jitter else _slope(logs[: top - 1])
    low, high = _DOUBLING
    return ("doubling" if low <= step <= high else "growing") + jitter


def _fitted(logs: Sequence[float], top: int) -> list[float]:
    """What `logs` would be without jitter: `top` of them on a line, the rest at the ceiling."""
    rising, level = logs[:top], logs[top:]
    step, middle = _slope(rising), fmean(rising)
    fitted = [middle + step * (place - (top - 1) / 2) for place in range(top)]
    return [*fitted, *([median(level)] * len(level) if level else ())]


def _longest_run(pauses: Sequence[float]) -> Sequence[float]:
    """The longest stretch within one outage."""
    starts = [0, *(n for n in range(1, len(pauses)) if pauses[n] * _AGAIN < pauses[n - 1])]
    ends = [*starts[1:], len(pauses)]
    return max((pauses[a:b] for a, b in zip(starts, ends, strict=True)), key=len)


def _slope(values: Sequence[float]) -> float:
    """Least squares over the places 0, 1, 2 and so on."""
    middle, mean = (len(values) - 1) / 2, fmean(values)
    above = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return above / sum((place - middle) ** 2 for place in range(len(values)))


def _jitter(run: Sequence[float], fitted: Sequence[float]) -> str:
    scattered = any(
        abs(log2(max(each, 0.001)) - fit) > _INEXACT and abs(each - 2.0**fit) > _AT_ONCE
        for each, fit in zip(run, fitted, strict=True)
    )
    return " with jitter" if scattered else ""
