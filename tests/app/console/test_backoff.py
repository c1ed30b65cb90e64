"""Which backoff a client has is named by the pauses after which it was back."""

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockforge_tui.console.chaos.backoff import backoff_of

PLANTED = [
    ([], ""),
    ([1.0], ""),
    ([1.0, 2.0], ""),
    ([0.004, 0.011, 0.002, 0.008], "none"),
    # Between them an outage in which nobody could see it try.
    ([0.006, 0.003, 0.003, 4.0, 0.004, 0.002], "none"),
    ([0.01, 0.02, 0.04, 0.08, 0.16, 0.32], "doubling"),
    ([1.0, 1.01, 1.02, 0.99], "constant"),
    # As inexact as a loop is: 30 ms more or less are no jitter.
    ([0.1, 0.13, 0.1, 0.12], "constant"),
    ([1.0, 0.7, 1.3, 0.8, 1.2, 1.0], "constant with jitter"),
    # paho's reconnect_delay_set(1, 8).
    ([1.0, 2.0, 4.0, 8.0, 8.0, 8.0], "doubling"),
    ([1.003, 2.01, 4.006], "doubling"),
    # Two outages, each with pauses from the least on.
    ([1.0, 2.0, 4.0, 8.0, 1.0, 2.0, 4.0], "doubling"),
    # librdkafka: reconnect.backoff.ms=100, by a quarter less to a half more.
    ([0.12, 0.17, 0.52, 0.7, 2.1, 2.9, 5.9], "doubling with jitter"),
    ([1.0, 1.4, 1.9, 2.7, 3.8, 5.3], "growing"),
]


@pytest.mark.parametrize(("pauses", "name"), PLANTED)
def test_pauses_name_their_backoff(pauses: list[float], name: str) -> None:
    assert backoff_of(pauses) == name


@given(st.floats(0.1, 60), st.integers(3, 9), st.floats(1, 3600))
def test_a_pause_that_doubles_up_to_a_ceiling_is_named_so(
    first: float, count: int, ceiling: float
) -> None:
    pauses = [min(first * 2**place, max(ceiling, first * 4)) for place in range(count)]
    assert backoff_of(pauses) == "doubling"


@given(st.floats(0.1, 60), st.integers(3, 40))
def test_the_same_pause_again_and_again_is_constant(pause: float, count: int) -> None:
    assert backoff_of([pause] * count) == "constant"


@pytest.mark.parametrize(("factor", "name"), [(1, "constant"), (2, "doubling")])
def test_jitter_hides_seldom_what_it_is_added_to(factor: int, name: str) -> None:
    found = []
    for seed in range(200):
        scatter = iter(Random(seed).random, None)
        pauses = [factor**n * (0.75 + 0.5 * each) for n, each in enumerate(islice(scatter, 8))]
        found.append(backoff_of(pauses))
    assert sum(each == f"{name} with jitter" for each in found) > 180, found


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_whatever_they_are_they_have_a_name_or_none(pauses: list[float]) -> None:
    names = {f"{name}{more}" for name in ("constant", "doubling", "growing")
             for more in ("", " with jitter")}  # fmt: skip
    assert backoff_of(pauses) in {"", "none", *names}
