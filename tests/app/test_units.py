"""Quantities as people type and read them."""

import math

import pytest

from mockforge_tui import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("5s", 5),
        ("2m", 120),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("3", 3),
        ("7d", 604800),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5x", "1h30", "-5s", "5s x", "1e3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("200", 200), ("1k", 1024), ("2MB", 2 * 1024**2), ("1.5k", 1536), ("1GiB", 1024**3)],
)
def test_sizes(text: str, count: int) -> None:
    assert units.parse_size(text) == count


@pytest.mark.parametrize(
    ("text", "rate"), [("10/s", 10), ("600/m", 10), ("max", math.inf), ("2.5", 2.5), ("1/ms", 1000)]
)
def test_rates(text: str, rate: float) -> None:
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000], ids=["400", "5000"])
def test_what_has_more_digits_than_a_float_has_room_for(number: str) -> None:
    for parse in (units.parse_duration, units.parse_size, units.parse_rate, units.parse_share):
        with pytest.raises(ValueError, match=r"9{39}…'|more than all"):
            parse(number)
    with pytest.raises(ValueError, match="more than a hundred years"):
        units.parse_duration("36501d")
    with pytest.raises(ValueError, match="63 bits"):
        units.parse_size("9999999999g")


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.5", 0.5), ("100%", 1)])
def test_shares(text: str, share: float) -> None:
    assert units.parse_share(text) == share


@pytest.mark.parametrize("text", ["", "%", "101%", "2", "x"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a share|is more than all"):
        units.parse_share(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.25, "250ms"),
        (0.9999, "1s"),
        (5, "5s"),
        (5.25, "5.2s"),
        (59.97, "1m00s"),
        (125, "2m05s"),
        (3599.9, "1h00m"),
        (3720, "1h02m"),
        (273600, "3d04h"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (999.6, "1.0k"), (1200, "1.2k"), (12_000, "12k"), (4_100_000, "4.1M")],
)
def test_counts_for_people(count: float, text: str) -> None:
    assert units.format_count(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (212, "212B"), (1536, "1.5K"), (65536, "64K"), (2 * 1024**2, "2.0M")],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert units.format_size(count) == text


@pytest.mark.parametrize(("rate", "text"), [(20, "20/s"), (0.5, "0.5/s"), (math.inf, "max")])
def test_rates_for_people(rate: float, text: str) -> None:
    assert units.format_rate(rate) == text


def test_a_moment_is_shown_to_its_nearest_millisecond() -> None:
    shown = [units.clock_time(1795774493 + each / 1000) for each in (211, 999, 0)]
    assert [each[-4:] for each in shown] == [".211", ".999", ".000"]
    assert units.clock_time(1795774493.9996) == units.clock_time(1795774494.0)
