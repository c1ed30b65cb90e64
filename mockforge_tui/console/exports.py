"""The forms of exported messages: JSON lines, CSV, payloads as they are or in hex, a recording,
frames as a capture, a test that does it again, and command lines."""

import base64
import csv
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from mockforge_brokers.journal import Row

from ..recordings import Lines
from .again.forms import CommandLines, FixtureFile
from .again.mqtt import command_lines
from .captured.pytest_file import PytestFile
from .pcapng import Capture
from .results import for_json, to_json
from .rows import record_of

if TYPE_CHECKING:
    from .session import Session

CAPTURE: Final = "pcapng"
OF_FRAMES: Final = (CAPTURE, "pytest")
"""Forms that tell more than messages: what was asked and answered around them, too."""

_COLUMNS: Final = (
    "time", "protocol", "destination", "partition", "offset", "routing_key", "qos", "retain",
    "key", "headers", "encoding", "payload",
)  # fmt: skip


class Form(Protocol):
    """One export's writer: bytes for each row; the first brings what stands before it."""

    def __call__(self, row: Row) -> bytes: ...


@runtime_checkable
class Ending(Protocol):
    """A writer that has something to write behind the last row, too."""

    def rest(self) -> bytes: ...


def json_lines() -> Form:
    """A record a line; a payload that is no UTF-8 is `payload_b64` too."""

    def line(row: Row) -> bytes:
        return to_json(record_of(row)).encode() + b"\n"

    return line


def comma_separated() -> Form:
    """RFC 4180 with a heading; `encoding` says whether the payload is text, b64 or null."""
    first = True

    def line(row: Row) -> bytes:
        nonlocal first
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        if first:
            writer.writerow(_COLUMNS)
        first = False
        record = record_of(row)
        encoding, payload = encoded(row.payload)
        record |= {"encoding": encoding, "payload": payload}
        record["headers"] = to_json(record["headers"]) if row.headers else ""
        writer.writerow(
            ["" if (v := record.get(name)) is None else for_json(v) for name in _COLUMNS]
        )
        return out.getvalue().encode()

    return line


def raw() -> Form:
    """Payloads as they are, with a line break between them: of one message exactly its bytes."""
    first = True

    def line(row: Row) -> bytes:
        nonlocal first
        before = b"" if first else b"\n"
        first = False
        return before + (row.payload or b"")

    return line


def hexadecimal() -> Form:
    """A payload a line in hex; `pub TARGET hex:...` takes it back."""
    return lambda row: (row.payload or b"").hex().encode() + b"\n"


Addresses = Mapping[str, str]
"""Where each protocol's clients connect without TLS."""

FORMS: Final[Mapping[str, Callable[[Addresses], Form]]] = {
    "jsonl": lambda _: json_lines(),
    "csv": lambda _: comma_separated(),
    "raw": lambda _: raw(),
    "hex": lambda _: hexadecimal(),
    "recording": lambda _: Lines(),
    CAPTURE: lambda _: Capture(),
    "pytest": lambda _: PytestFile(),
    "cli": CommandLines,
    "fixture": lambda _: FixtureFile(),
    "mosquitto_pub": lambda _: command_lines,
}
"""By name: what makes the writer of one export."""


def form_of(session: "Session", name: str) -> Form:
    """The writer of one export."""
    found = session.runtime.listeners
    plain = {each.protocol: each.reachable for each in reversed(found) if each.name == "plain"}
    return FORMS[name](plain)


def encoded(payload: bytes | None) -> tuple[str, str]:
    """How a payload is spelled in text (text, b64 or null), and its spelling."""
    if payload is None:
        return "null", ""
    try:
        return "text", payload.decode()
    except UnicodeDecodeError:
        return "b64", base64.b64encode(payload).decode()
