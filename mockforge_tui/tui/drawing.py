"""Pieces of styled text to lines of exact width."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ..text import fit

Piece = tuple[str, Style]
"""Clean text in one style. Whatever comes from a client goes through `text.clean` first."""


def cells(pieces: Sequence[Piece]) -> int:
    return sum(len(text) if text.isascii() else cell_len(text) for text, _ in pieces)


def strip(pieces: Sequence[Piece], width: int, ground: Style) -> Strip:
    """One line of exactly `width` cells: padded in `ground`, or cut."""
    # Padded to the cell: Textual composes lines without asking what lies below.
    used = cells(pieces)
    segments = [Segment(text, style) for text, style in pieces if text]
    if used < width:
        segments.append(Segment(" " * (width - used), ground))
    line = Strip(segments, max(used, width))
    return line.crop(0, width) if used > width else line


def spread(left: Sequence[Piece], right: Sequence[Piece], width: int, ground: Style) -> list[Piece]:
    """Left and right parts with room between; the right part yields where both do not fit."""
    room = width - cells(left)
    needed = cells(right)
    if room < needed + 1:
        return cut(left, width)
    return [*left, (" " * (room - needed), ground), *right]


def cut(pieces: Sequence[Piece], width: int) -> list[Piece]:
    """As many pieces as fit, the last one cut with an ellipsis."""
    kept: list[Piece] = []
    left = width
    for text, style in pieces:
        size = cells([(text, style)])
        if size > left:
            if left > 0:
                kept.append((fit(text, left), style))
            return kept
        kept.append((text, style))
        left -= size
    return kept


def sparkline(values: Sequence[float], bars: str) -> str:
    """One bar for each value, the largest one full; nothing at all shows as the lowest bar."""
    top = max(values, default=0.0)
    if top <= 0:
        return bars[0] * len(values)
    steps = len(bars) - 1
    return "".join(bars[min(steps, round(value / top * steps))] for value in values)
