"""The settings of how a run ends, on what it fails and what it reports."""

from ..exit_conditions import occasion
from ..units import parse_duration
from ..verdict import CAUSES, causes
from .setting import Setting, between

ENDING: tuple[Setting, ...] = (
    Setting(
        "exit_after", "--exit-after", ("exit_after",), parse_duration, "end after a time", "10m"
    ),
    Setting(
        "exit_when",
        "--exit-when",
        ("exit_when",),
        occasion,
        "end when nothing came for a time, scenarios ran, or so many messages came"
        " (--exit-after first: status 5)",
        "idle:5s|scenarios|messages:N",
    ),
    Setting("junit", "--junit", ("junit",), str, "write how scenarios went to F as JUnit XML", "F"),
    Setting("ctrf", "--ctrf", ("ctrf",), str, "write how scenarios went to F as CTRF JSON", "F"),
    Setting(
        "record", "--record", ("record",), str, "record all messages to F, to be replayed", "F"
    ),
    Setting(
        "fail_on",
        "--fail-on",
        ("fail_on",),
        causes,
        f"exit with status 1 if this happened: {', '.join(CAUSES)}; several times",
        "WHAT",
        many=True,
        separator=",",
    ),
    Setting(
        "keep_messages",
        "--keep-messages",
        ("keep_messages",),
        between(1, 10_000_000),
        "keep so many messages for expectations from the start (else from the first one on)",
        "N",
    ),
)
