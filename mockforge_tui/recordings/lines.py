"""The recording format's writer: JSON lines, a header and then one event a line.

`fixtures/recordings.py` is its reader: what one writes, the other publishes byte for byte.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mockforge_brokers import __version__
from mockforge_brokers.journal import Row

from ..fixtures.recorded import payload_written
from ..text import encodable_json


class Lines:
    """Writes rows as events. Times are in seconds since `started`, or since the first row.

    What has no time (a message in a queue) stands at 0.
    """

    def __init__(self, started: float | None = None, seed: int | None = None) -> None:
        self._started = started
        self._seed = seed
        self._headed = False

    def __call__(self, row: Row) -> bytes:
        started = self._started = row.time if self._started is None else self._started
        head = b"" if self._headed else self.header()
        return head + _as_line(_event(row, max(0.0, row.time - started)))

    def header(self) -> bytes:
        """The first line."""
        self._headed = True
        moment = datetime.fromtimestamp(self._started or 0.0, UTC).isoformat(
            timespec="milliseconds"
        )
        header: dict[str, Any] = {
            "v": 1,
            "type": "header",
            "tool": f"mockforge-tui/{__version__}",
            "started": moment.replace("+00:00", "Z"),
        }
        if self._seed is not None:
            header["seed"] = self._seed
        return _as_line(header)


def _event(row: Row, after: float) -> dict[str, Any]:
    from ..fixtures.protocols import FIXTURE_PROTOCOLS  # brings templates: only for who records

    event: dict[str, Any] = {"t": round(after, 4), "p": row.protocol, "op": "publish"}
    event |= FIXTURE_PROTOCOLS[row.protocol].write(row)
    event |= payload_written(row.payload)
    if row.client:
        event["client"] = row.client
    return event


def _as_line(value: Mapping[str, Any]) -> bytes:
    line = encodable_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return line.encode() + b"\n"
