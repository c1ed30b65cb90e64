"""An answer as JSON, in steps: between the rows of a long list others have their turn."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mockforge_brokers.fairness import Stepped, Steps

from ..console.results import to_json
from .listing import Listing


def rendering(value: Any, pieces: list[str]) -> Steps:
    """The steps after which the pieces are the JSON of an answer.

    Names that are no UTF-8 are escaped, as everywhere.
    """
    match value:
        case Listing(rows, None):
            yield from _rows(rows, pieces)
        case Listing(rows, page):
            pieces.append(f'{to_json(page)[:-1]}, "items": ')
            count = yield from _rows(rows, pieces)
            # Behind them: what went since the page was begun is none of them.
            pieces.append(f', "item_count": {count}}}')
        case Mapping():
            yield from _object(value, pieces)
        case list():
            yield from _rows(value, pieces)
        case _:
            pieces.append(to_json(value))


def _object(value: Mapping[Any, Any], pieces: list[str]) -> Steps:
    before = "{"
    for name, each in value.items():
        pieces.append(f"{before}{to_json(str(name))}: ")
        before = ", "
        if isinstance(each, (list, Iterator)):
            yield from _rows(each, pieces)
        else:
            pieces.append(to_json(each))
    pieces.append("}" if value else "{}")


def _rows(rows: Iterable[Any], pieces: list[str]) -> Stepped[int]:
    """Comes to how many they are."""
    count, before = 0, "["
    for row in rows:
        if row is not None:
            pieces.append(before + to_json(row))
            count, before = count + 1, ", "
        yield
    pieces.append("]" if count else "[]")
    return count
