"""Numbers as a chart of characters, for a terminal of any kind.

Of its own rather than by a chart library: the same lines go to the screen, to a pipe and over HTTP,
where plotext and what is built on it want a terminal of their own to measure.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

BARS: Final = " ▁▂▃▄▅▆▇█"
ASCII_BARS: Final = " .:=#"
_WIDEST: Final = 3
"""Cells of one value."""


def chart(
    values: Sequence[float], width: int, height: int, bars: str = BARS
) -> tuple[list[str], str, str]:
    """`height` lines of at most `width` cells, with the labels of the highest and lowest value.

    A column is a value, or the mean of several where there are more than columns. The lowest
    value has one step, so that it is seen; a line of equal values stands at half height.
    """
    columns = condensed(values, width)
    if not columns:
        return [""] * height, "", ""
    low, high = min(columns), max(columns)
    steps = len(bars) - 1
    levels = height * steps
    span = high - low
    heights = [
        round(1 + (value - low) / span * (levels - 1)) if span > 0 else (levels + 1) // 2
        for value in columns
    ]
    lines = []
    for line in range(height):
        below = (height - 1 - line) * steps
        lines.append("".join(bars[min(steps, max(0, each - below))] for each in heights))
    return lines, label(max(values)), label(min(values))


def condensed(values: Sequence[float], count: int) -> list[float]:
    """At most `count` values: means of runs of equal length, as near as can be."""
    if len(values) <= count:
        return list(values)
    edges = [at * len(values) // count for at in range(count + 1)]
    return [sum(values[first:end]) / (end - first) for first, end in pairwise(edges)]


def label(value: float) -> str:
    """Few digits that tell values apart: 21.5, 1.02e+06, 3."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def lines_with_axis(
    values: Sequence[float], width: int, height: int, bars: str = BARS
) -> list[str]:
    """The chart with its two labels at the left, at most `width` cells in all.

    Where there is room, a value takes several cells.
    """
    labels = (label(max(values, default=0.0)), label(min(values, default=0.0)))
    room = max(map(len, labels))
    cells = max(4, width - room - 2)
    each = max(1, min(_WIDEST, cells // max(1, len(values))))
    stretched = [value for value in values for _ in range(each)] if each > 1 else values
    lines, high, low = chart(stretched, cells, height, bars)
    marks = [high, *[""] * (height - 2), low] if height > 1 else [high]
    return [f"{mark:>{room}} {'┤' if mark else '│'}{line}".rstrip()
            for mark, line in zip(marks, lines, strict=True)]  # fmt: skip
