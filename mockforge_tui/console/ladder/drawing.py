"""Arrows between two lifelines, in a given number of cells."""

from dataclasses import dataclass
from typing import Final

from mockforge_brokers.journal import IN

from ...text import fit, width


@dataclass(frozen=True, slots=True)
class Signs:
    """What a diagram is drawn with, each one cell."""

    lifeline: str = "│"
    shaft: str = "─"
    to_broker: str = "▶"
    to_client: str = "◀"
    fact: str = "┄"
    lost: str = "×"


LINES: Final = Signs()
LETTERS: Final = Signs("|", "-", ">", "<", ".", "x")
"""For terminals that have no other signs."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """One line of a diagram in three parts, together exactly as wide as was asked for."""

    begin: str
    label: str
    end: str

    def __str__(self) -> str:
        return self.begin + self.label + self.end


def arrow(
    label: str, direction: int, cells: int, signs: Signs = LINES, *, lost: bool = False
) -> Arrow:
    """A frame on its way to the broker or to the client; a lost one does not get there."""
    label, room = _fitted(label, cells)
    shaft = signs.shaft
    if direction != IN:
        head = signs.lost if lost else signs.to_client
        return Arrow(signs.lifeline + head + shaft, label, shaft * room + shaft + signs.lifeline)
    begin = signs.lifeline + shaft * 2
    if lost:
        on, off = room // 2, room - room // 2
        return Arrow(begin, label, shaft * on + signs.lost + " " * off + signs.lifeline)
    return Arrow(begin, label, shaft * room + signs.to_broker + signs.lifeline)


def fact(label: str, cells: int, signs: Signs = LINES) -> Arrow:
    """What is no frame, between the lifelines."""
    label, room = _fitted(label, cells)
    return Arrow(signs.lifeline + signs.fact * 2, label, signs.fact * (room + 1) + signs.lifeline)


def _fitted(label: str, cells: int) -> tuple[str, int]:
    """The label with a space around it, and how many cells stay free beside it."""
    most = max(0, cells - 7)
    shown = f" {fit(label, most).rstrip() if width(label) > most else label} "
    return shown, max(0, cells - 5 - width(shown))


def lifelines(left: str, right: str, cells: int) -> str:
    """Whose lifelines they are, above them."""
    room = max(0, cells - width(right) - 1)
    return f"{fit(left, room)} {right}"
