"""Where in Kafka's logs a person wants to begin."""

import re
import time
from typing import TYPE_CHECKING

from .. import units
from .lookup import BadArgument, kafka

if TYPE_CHECKING:
    from .session import Session

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")


def starting_offsets(session: "Session", topic: str, start: str, argument: str) -> list[int]:
    """Of each partition the offset that `118`, `begin`, `end`, `@-5m` or `@12:00:05` means."""
    admin = kafka(session)
    start = start.removeprefix("@")
    offsets = admin.offsets(topic)
    if start in ("begin", "earliest"):
        return [first for first, _ in offsets]
    if start in ("end", "latest"):
        return [end for _, end in offsets]
    if start.isdecimal():
        return [int(start)] * len(offsets)
    return admin.offsets_at(topic, _moment(session, start, argument))


def _moment(session: "Session", text: str, argument: str) -> float:
    """`-5m` or `12:00:05` (today or the day before) as seconds since 1970."""
    now = session.runtime.clock.wall()
    at = _CLOCK.fullmatch(text)
    if at is not None:
        day = time.localtime(now)
        midnight = now - (day.tm_hour * 3600 + day.tm_min * 60 + day.tm_sec) - now % 1
        moment = midnight + int(at[1]) * 3600 + int(at[2]) * 60 + float(at[3] or 0)
        return moment if moment <= now else moment - 86_400
    try:
        if text.startswith("-"):
            return now - units.parse_duration(text[1:])
    except ValueError:
        pass
    raise BadArgument(argument, f"{text!r} is not an offset (118, begin, end, @-5m, @12:00:05)")
