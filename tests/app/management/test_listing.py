"""Lists of very much: what is not shown is not made."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from brokers.amqp.client import Scene
from mockforge_brokers.amqp import figures

from mockforge_tui.management.listing import listed
from mockforge_tui.management.rendering import rendering

PLACES = [{"vhost": "/", "name": f"q{number}"} for number in range(6)]


@pytest.mark.parametrize(
    ("query", "shown", "made"),
    [
        ({}, [0, 1, 2, 3, 4, 5], 6),
        ({"page": "2", "page_size": "2"}, [2, 3], 2),
        ({"page": "1", "page_size": "2", "sort": "name", "sort_reverse": "true"}, [5, 4], 2),
        ({"page": "1", "page_size": "2", "sort": ""}, [0, 1], 2),
        ({"page": "1", "name": "q4"}, [4], 1),
        ({"name": "q4"}, [4], 1),
        # To sort by it, it has to be known of all.
        ({"page": "1", "page_size": "2", "sort": "messages"}, [5, 4], 6),
        ({"page": "1", "page_size": "2", "sort": "message_stats.publish"}, [0, 1], 6),
    ],
)
def test_all_that_is_to_be_said_is_said_of_what_is_shown(
    query: dict[str, str], shown: list[int], made: int
) -> None:
    filled = []

    def fill(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            filled.append(row)
            yield {**row, "messages": 9 - int(row["name"][1:])}

    found = listed(PLACES, query, fill)
    items = [row for row in found.rows if row is not None]
    assert [(row["name"], row["messages"]) for row in items] == [(f"q{n}", 9 - n) for n in shown]
    assert len(filled) == made
    assert (found.page is not None) == ("page" in query)
    if found.page is not None:
        assert found.page["total_count"] == 6


def test_a_page_counts_its_items_without_those_that_are_gone_by_then() -> None:
    def fill(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        yield from rows[1:]

    pieces: list[str] = []
    for _ in rendering(listed(PLACES, {"page": "1", "page_size": "3"}, fill), pieces):
        pass
    page = json.loads("".join(pieces))
    assert (len(page["items"]), page["item_count"]) == (2, 2)


def test_of_bindings_those_are_described_that_are_asked_for(monkeypatch) -> None:
    scene = Scene()
    host = scene.broker.vhost()
    for name in ("q", "r", "x"):
        scene.broker.declare_queue(name)
    scene.broker.declare_exchange("x", "topic")
    for source, name, key in product(("amq.topic", "x"), ("q", "r", "x"), ("a", "b")):
        host.bind_queue(name, source, key, {})
    scene.broker.bind("amq.topic", "x", "e", {}, kind="exchange")
    management = scene.broker.management
    everything = management.bindings()
    described = []
    real = figures._described

    def describe(*given: Any) -> dict[str, Any]:
        described.append(given)
        return real(*given)

    monkeypatch.setattr(figures, "_described", describe)
    for source, destination, kind in product(
        (None, "", "amq.topic", "x", "none"), (None, "q", "x", "none"), (None, "queue", "exchange")
    ):
        wanted = {"source": source, "destination": destination, "destination_type": kind}
        described.clear()
        found = management.bindings("/", source=source, destination=destination, kind=kind)
        assert found == [
            row for row in everything if all(v is None or row[n] == v for n, v in wanted.items())
        ]
        assert len(described) == len(found)
    assert management.bindings("none") == []
