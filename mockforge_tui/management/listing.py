"""Lists as they are asked for: filtered, sorted, in pages, with some columns only."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mockforge_brokers.expressions import compiled
from msgspec import Struct

from .refusals import bad_request

Row = Mapping[str, Any]
_DIGITS = 9
_PLACE = ("", "name", "vhost")
"""Columns of rows that are not filled, and none."""


Filled = Callable[[Sequence[Row]], Iterable[Row]]


class Listing(Struct, frozen=True):
    """A list of rows of which each is made when it is asked for.

    None in place of a row is a step without one. `page` is what is said beside the rows, its
    `items`, and their number, where one page of them is meant.
    """

    rows: Iterator[Row | None]
    page: dict[str, Any] | None = None


def _as_they_are(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def listed(rows: Sequence[Row], query: Mapping[str, str], filled: Filled = _as_they_are) -> Listing:
    """A plain list, or one page with the sizes of the whole. Raises Refused.

    `filled` makes of rows that say where something is those that say all of it: of a page alone,
    where nothing else is looked at.
    """
    total, found = len(rows), list(rows)
    if query.get("name"):
        found = [row for row in found if _named(str(row.get("name", "")), query)]
    if "page" not in query:
        return Listing(_in_order(found, query, filled, 0, len(found)))
    page, size = _number(query, "page", 1), _number(query, "page_size", 100)
    if size > 500:
        raise bad_request(f"page_size: 500 is the most, not {size}")
    pages = max(1, -(-len(found) // size))
    if page > pages:
        raise bad_request(f"page {page} is out of range: there are {pages}")
    start, end = (page - 1) * size, min(page * size, len(found))
    beside = {
        "filtered_count": len(found),
        "page": page,
        "page_count": pages,
        "page_size": size,
        "total_count": total,
    }
    return Listing(_in_order(found, query, filled, start, end), beside)


def _in_order(
    found: list[Row], query: Mapping[str, str], filled: Filled, start: int, end: int
) -> Iterator[Row | None]:
    path = query.get("sort", "")
    if path not in _PLACE:
        # To sort by it, it has to be known of all.
        whole = []
        for row in filled(found):
            whole.append(row)
            yield None
        found, filled = whole, _as_they_are
    if path:
        backwards = query.get("sort_reverse") == "true"
        found.sort(key=lambda row: _order(_at(row, path)), reverse=backwards)
    for row in filled(found[start:end]):
        yield picked(row, query)


def picked(row: Row, query: Mapping[str, str]) -> Row:
    """The columns that are asked for (`name,message_stats.publish`), else all."""
    columns = query.get("columns")
    if not columns:
        return row
    made: dict[str, Any] = {}
    for column in columns.split(","):
        value = _at(row, column)
        if value is None:
            continue
        parts = column.split(".")
        inner = made
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
        inner[parts[-1]] = value
    return made


def _at(row: Row, path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _order(value: object) -> tuple[int, Any]:
    """Numbers, then texts, then what is not there."""
    if isinstance(value, (int, float)):
        return 0, value
    return (2, "") if value is None else (1, str(value))


def _named(name: str, query: Mapping[str, str]) -> bool:
    wanted = query["name"]
    if query.get("use_regex") != "true":
        return wanted.lower() in name.lower()
    try:
        return bool(compiled(wanted).search(name))
    except re.error as error:
        raise bad_request(f"name: {wanted!r} is no regular expression: {error}") from None


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS) or int(text) < 1:
        raise bad_request(f"{name}: 1 or more is wanted, not {text!r}")
    return int(text)
