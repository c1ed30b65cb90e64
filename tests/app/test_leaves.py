"""Payloads as values by path, and numbers as charts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockforge_tui import leaves
from mockforge_tui.charts import ASCII_BARS, BARS, chart, condensed, label, lines_with_axis
from mockforge_tui.text import width


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b'{"t": 21.5, "at": [1, {"x": true}], "e": {}}', {"t": 21.5, "at[0]": 1, "at[1].x": True}),
        (b"21.5", {"": 21.5}),
        (b"on", {"": "on"}),
        (b"\xff\x00", {"": leaves.leaves(b"\xff\x00")[""]}),
        (b"[" * 100_000, {"": leaves.leaves(b"[" * 100_000)[""]}),
        (b"[" * 500 + b"1" + b"]" * 500, {"[0]" * 500: 1}),
        (b"", {"": ""}),
    ],
)
def test_a_payload_is_its_leaves_by_path(payload: bytes, found: dict[str, leaves.Leaf]) -> None:
    assert leaves.leaves(payload) == found


def test_only_so_many_leaves_of_a_large_payload_are_looked_at() -> None:
    assert len(leaves.leaves(b"[" + b"1," * 5_000 + b"1]")) == leaves.MOST


def test_numbers_are_numbers_and_texts_that_are_one() -> None:
    payload = b'{"a": 1, "b": "2.5", "c": "x", "d": true, "e": "nan", "f": null, "g": "-"}'
    assert leaves.numbers(payload) == {"a": 1.0, "b": 2.5}


def test_numbers_that_no_chart_can_have_are_none() -> None:
    """JSON's integers have any number of digits, and two of the largest floats add up to no end."""
    digits = b"9" * 400
    payload = b'{"a": %b, "b": "%b", "c": 1e308, "d": -1e308, "e": 1e299}' % (digits, digits)
    assert leaves.numbers(payload) == {"e": 1e299}
    found = leaves.changes(b'{"a": 1}', payload)
    assert leaves.describe(found).startswith("a 1 → 999")


def test_changes_name_what_is_other_new_and_gone() -> None:
    found = leaves.changes(b'{"t": 21, "on": 1, "a": 0}', b'{"t": 22, "on": true, "mode": "eco"}')
    assert leaves.describe(found) == "t 21 → 22, on 1 → true, a gone, mode new: eco"
    assert leaves.describe([]) == "same"
    many = leaves.changes(b"[1,1,1,1,1,1,1,1]", b"[2,2,2,2,2,2,2,2]")
    assert leaves.describe(many).endswith("[5] 1 → 2 and 2 more")


def test_a_chart_has_its_lowest_value_at_the_bottom_and_its_highest_at_the_top() -> None:
    lines, high, low = chart([0, 5, 10], 10, 2, BARS)
    assert (lines, high, low) == (["  █", "▁██"], "10", "0")
    assert chart([3, 3], 10, 2, ASCII_BARS) == (["  ", "##"], "3", "3")
    assert chart([], 10, 2) == (["", ""], "", "")


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300),
    st.integers(12, 90),
    st.integers(1, 9),
)
def test_a_chart_fits_its_room_whatever_the_numbers_are(
    values: list[float], cells: int, height: int
) -> None:
    lines = lines_with_axis(values, cells, height)
    assert len(lines) == height
    assert all(width(line) <= max(cells, 4 + 2 + len(label(max(values))) + 12) for line in lines)
    assert len(condensed(values, cells)) <= cells
