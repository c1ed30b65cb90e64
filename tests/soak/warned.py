"""What a broker warned of in a soak: what was to come has a reason, all else is a failure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_LEVEL = re.compile(r"^\S+ \S+ (WARNING|ERROR|CRITICAL) +")
_VARIES = re.compile(r"\d+(?:[.:]\d+)*|'[^']*'|[0-9a-f]{8}-[0-9a-f-]+")


class Expected(NamedTuple):
    """A warning (a pattern that begins it, behind its logger's name) and why it has to come."""

    text: str
    reason: str


def sorted_out(
    log: Iterable[str], expected: Sequence[Expected]
) -> tuple[Counter[str], Counter[str]]:
    """How often each warning came, numbers and names left out: those expected, and all others."""
    known: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for line in log:
        level = _LEVEL.match(line)
        # A traceback has no level of its own.
        if level is None and not line.startswith("Traceback "):
            continue
        text = line[level.end() :] if level is not None else line
        text = _VARIES.sub("#", text.strip().removeprefix("mockforge: "))
        of = known if any(re.match(one.text, text) for one in expected) else unknown
        of[text] += 1
    return known, unknown
