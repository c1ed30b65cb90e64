"""How much memory the process has."""

import sys
from pathlib import Path
from typing import NamedTuple

_STATUS = Path("/proc/self/status")


class Memory(NamedTuple):
    """Bytes that are resident now, and the most that ever were."""

    current: int
    maximum: int


def resident() -> Memory | None:
    """None where the system does not say; only Linux says what is resident now."""
    if sys.platform != "linux":
        return None
    try:
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
        return Memory(_bytes(lines["VmRSS"]), _bytes(lines["VmHWM"]))
    except (OSError, KeyError, ValueError):
        return None


def _bytes(text: str) -> int:
    """Of a line such as `    4212 kB`."""
    return int(text.split()[0]) << 10
