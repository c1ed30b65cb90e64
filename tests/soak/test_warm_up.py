"""When a soak's memory counts as filled."""

import pytest

from .kafka import WARM_UP_NUMBERS, _is_warm


@pytest.mark.parametrize(
    ("elapsed", "acknowledged", "minutes", "warm"),
    [
        (1.9, WARM_UP_NUMBERS, 30, False),
        (2.0, WARM_UP_NUMBERS - 1, 30, False),
        (2.0, WARM_UP_NUMBERS, 30, True),
        (15.0, 0, 30, True),
        (1.0, 0, 2, True),
    ],
)
def test_memory_is_warm_by_time_and_amount_or_at_half_time(elapsed, acknowledged, minutes, warm):
    assert _is_warm(elapsed, acknowledged, minutes) is warm
