"""Reads and writes the quantities people type: durations, sizes, rates, shares."""

import math
import re
import time
from collections.abc import Sequence

_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_DURATION = re.compile(rf"{_NUMBER}\s*(us|ms|s|m|h|d)?")
_SIZE = re.compile(rf"{_NUMBER}\s*([kmg]?)(i?b)?", re.IGNORECASE)
_RATE = re.compile(rf"{_NUMBER}\s*/\s*(ms|s|m|h|d)")

_LONGEST = 100 * 365 * 86400.0
"""Seconds of a duration; timers, and Kafka's milliseconds, have room for it."""
_LARGEST = 2**63 - 1

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_duration(text: str) -> float:
    """Returns seconds of `250ms`, `5s`, `1m30s`; a bare number is seconds. Raises ValueError."""
    text = text.strip()
    seconds, at = 0.0, 0
    while at < len(text):
        match = _DURATION.match(text, at)
        if match is None or (match[2] is None and match[0] != text):
            break
        seconds += float(match[1]) * _SECONDS[match[2] or "s"]
        at = match.end()
    if not text or at != len(text):
        raise ValueError(f"{_cut(text)!r} is not a duration (write 250ms, 5s, 2m, 1h30m)")
    if seconds > _LONGEST:
        raise ValueError(f"{_cut(text)!r} is more than a hundred years")
    return seconds


def parse_size(text: str) -> int:
    """Returns bytes of `200`, `1k`, `2MB`; k, m and g count in 1024s. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_cut(text)!r} is not a size (write 200, 64k, 2m)")
    size = float(match[1]) * _BYTES[match[2].lower()]
    if size > _LARGEST:
        raise ValueError(f"{_cut(text)!r} is more bytes than 63 bits count")
    return int(size)


def parse_rate(text: str) -> float:
    """Returns events a second of `10/s`, `600/m`, a bare `10`, or infinity for `max`.

    Raises ValueError.
    """
    text = text.strip()
    if text == "max":
        return math.inf
    match = _RATE.fullmatch(text)
    rate = math.inf
    if match is not None:
        rate = float(match[1]) / _SECONDS[match[2]]
    elif re.fullmatch(_NUMBER, text):
        rate = float(text)
    if math.isinf(rate):
        raise ValueError(f"{_cut(text)!r} is not a rate (write 10/s, 600/m or max)")
    return rate


def parse_share(text: str) -> float:
    """Returns 0.1 of `10%` or `0.1`. Raises ValueError."""
    text = text.strip()
    number = text.removesuffix("%")
    if not re.fullmatch(_NUMBER, number):
        raise ValueError(f"{text!r} is not a share (write 10% or 0.1)")
    share = float(number) / 100 if text.endswith("%") else float(number)
    if share > 1:
        raise ValueError(f"{text!r} is more than all (write 10% or 0.1)")
    return share


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def format_duration(seconds: float) -> str:
    """Returns the shortest usual form: `250ms`, `5s`, `2m05s`, `1h02m`, `3d04h`."""
    if seconds < 0.0005:
        return "0ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    whole = round(seconds)
    minutes = round(seconds / 60) if whole >= 3600 else 0
    if minutes >= 24 * 60:
        return f"{minutes // 1440}d{minutes % 1440 // 60:02d}h"
    if minutes:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    return f"{whole // 60}m{whole % 60:02d}s"


def format_size(count: float) -> str:
    """Returns `212B`, `1.5K`, `64K`, `2.0M`: at most four cells below 1000 terabytes."""
    return _scaled(count, "BKMGT", 1024)


def format_count(count: float) -> str:
    """Returns `412`, `1.2k`, `12k`, `4.1M`: at most four cells below 1000 billions."""
    return _scaled(count, ("", "k", "M", "G"), 1000)


def _scaled(count: float, units: Sequence[str], step: int) -> str:
    rank = 0
    while count >= 999.5 and rank < len(units) - 1:
        count /= step
        rank += 1
    digits = 1 if rank and count < 9.95 else 0
    return f"{count:.{digits}f}{units[rank]}"


def format_rate(per_second: float) -> str:
    """Returns `20/s`, `0.5/s`, `max`."""
    if math.isinf(per_second):
        return "max"
    if per_second >= 10 or per_second == int(per_second):
        return f"{format_count(per_second)}/s"
    return f"{per_second:.2g}/s"


def clock_time(wall: float) -> str:
    """`12:04:31.204`, local time; to the nearest millisecond, which a float may miss by a hair."""
    seconds, thousandth = divmod(round(wall * 1000), 1000)
    at = time.localtime(seconds)
    return f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}.{thousandth:03d}"


def counted(number: int, what: str) -> str:
    """`1 record`, `7 records`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
