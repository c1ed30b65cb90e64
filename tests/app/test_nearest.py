"""Names that are like a word, however long and many they are."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from mockforge_tui.nearest import get_close_matches


@given(st.text("abc", max_size=6), st.lists(st.text("abc", max_size=6), max_size=6))
def test_short_names_are_compared_as_difflib_does(word: str, known: list[str]) -> None:
    from difflib import get_close_matches as close

    assert get_close_matches(word, known) == close(word, known, 1)


def test_what_is_long_or_the_rest_of_very_many_is_not_compared() -> None:
    long = "a" * 65_535
    with patch("difflib.SequenceMatcher", side_effect=AssertionError("compared")):
        assert get_close_matches(long, [long]) == []
    assert get_close_matches("orders", [long, "order"]) == ["order"]
    assert get_close_matches("orders", ["x"] * 5_000 + ["orders"]) == []
