"""Where AMQP messages come to, by the bindings that their virtual host has right now."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mockforge_brokers.amqp.records import table as field_table
from mockforge_brokers.amqp.state.message_paths import (
    DEFAULT_EXCHANGE,
    QUEUE,
    Way,
    from_exchange,
)
from mockforge_brokers.amqp.state.virtual_host import VirtualHost

from .results import Column

_BY_HEADERS: Final = "headers"
WAYS: Final = (
    Column("shown", "exchange or queue"),
    Column("by", "by"),
    Column("note", "note"),
)
"""Of what `drawn` gives."""


def queues(
    host: VirtualHost, exchange: str, key: str, headers: Mapping[str, object] | None = None
) -> Iterator[Way]:
    """Those that the message itself comes to; behind them are ways of dead letters.

    Without its `headers` all that an exchange which compares them is bound to.
    """
    name = "" if exchange == DEFAULT_EXCHANGE else exchange
    found = host.exchanges.get(name)
    anything = headers is None and found is not None and found.type == _BY_HEADERS
    way = from_exchange(host, name, None if anything else key, field_table(dict(headers or {})))
    return _queues(way)


def _queues(way: Way) -> Iterator[Way]:
    if way.kind == QUEUE:
        yield way
        return
    for each in way.ahead:
        yield from _queues(each)


def drawn(ways: Iterable[Way]) -> list[dict[str, Any]]:
    """Each way as a tree of rows, with its branches in front of the names."""
    return [row for way in ways for row in _rows(way, 0, "", "")]


def _rows(way: Way, depth: int, before: str, branch: str) -> Iterator[dict[str, Any]]:
    """`before` is drawn in front of what comes below, `branch` in front of itself."""
    name = way.name if way.kind in ("exchange", "queue") else f"({way.kind}) {way.name}"
    yield {
        "shown": branch + (name if way.kind != "nowhere" else "nowhere"),
        "by": way.by,
        "note": way.note,
        "kind": way.kind,
        "name": way.name,
        "depth": depth,
    }
    for number, each in enumerate(way.ahead):
        last = number == len(way.ahead) - 1
        mark, below = ("└ ", "  ") if last else ("├ ", "│ ")
        yield from _rows(each, depth + 1, before + below, before + mark)
