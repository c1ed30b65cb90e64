"""What a terminal is given of a client's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockforge_tui.text import clean, decode, fit, width

HARMFUL = [
    "\x1b]0;owned\x07",
    "\x1b[2J",
    "\x9b31m",
    "a\rb\nc\td",
    "\x7f",
    "\x85",
    "left\u202eright",
    "\u2066\u2069",
    "zero\u200bwidth",
    "\u2028\u2029",
    "\ufeff",
    "\u200d",
    "\U000e0041",
    "\ud800",
    "\xad",
]


@pytest.mark.parametrize("text", HARMFUL)
def test_what_a_terminal_obeys_or_hides_is_a_dot(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    assert "·" in cleaned
    assert not any(character in cleaned for character in "\x1b\x07\x9b\x7f\r\n\t\u202e\u200b\ufeff")


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("plain ~ text", "Zürich 東京 Ω €", '{"a": [1]}', "🎉", "é"):
        assert clean(text) == text


def test_no_more_is_looked_at_than_can_be_shown() -> None:
    assert clean("x" * 100, 5) == "xxxxx"
    assert clean("x" * 100, 0) == ""
    assert decode(b"\xff" + b"x" * 1000, 3) == "�xx"
    assert decode("é".encode() * 10, 4) == "éééé"


def test_fit_fills_exactly_so_many_cells() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit("abcdef", 4) == "abc…"
    assert fit("東京都", 5) == "東京…"
    assert fit("東京都", 4) == "東… "
    assert fit("abc", 0) == ""


@given(st.text(max_size=30), st.integers(0, 20))
def test_any_text_fits(text: str, cells: int) -> None:
    assert width(fit(clean(text), cells)) == cells


@given(st.text(max_size=50))
def test_nothing_harmful_is_left(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in cleaned)
