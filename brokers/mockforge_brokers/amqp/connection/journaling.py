"""What the journal's rows need of a connection, while it lives and after its end."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from ...journal import Past, Row, Splitter
from ..channel.unroutable import Unroutable
from ..rows import read_rows
from ..wire.units import UnitSplitter

_MOST_NAMES: Final = 1000
"""Consumers whose queues the journal's rows can name."""
_NO_NAMES: Final[dict[str, str]] = {}
_REMEMBERED: Final = 200
"""About the bytes of a queue's name, or of a unit that reached no queue, kept for rows."""


def name_queue(names: dict[str, str], consumer_tag: str, queue: str) -> None:
    if len(names) >= _MOST_NAMES:
        del names[next(iter(names))]
    names[consumer_tag] = queue


def past(client: str, names: dict[str, str], unroutable: Unroutable) -> Past:
    weight = _REMEMBERED * (len(names) + unroutable.remembered)
    if not weight:
        # As most: nothing of its own is kept.
        return Past(client, _splitter, _plain_rows)
    return Past(client, _splitter, partial(rows, names or _NO_NAMES, unroutable), weight)


def rows(
    names: Mapping[str, str], unroutable: Unroutable, direction: int, frame: bytes
) -> list[Row]:
    found = read_rows(direction, frame, names)
    for row in found:
        unroutable.mark(row)
    return found


def _plain_rows(direction: int, frame: bytes) -> list[Row]:
    return read_rows(direction, frame, _NO_NAMES)


def _splitter(direction: int) -> Splitter:
    return UnitSplitter()
