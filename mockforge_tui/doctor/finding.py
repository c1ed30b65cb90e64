"""What was looked at and how it is, for people and for programs."""

import json
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from mockforge_brokers import __version__

from ..exit_codes import ExitCode

Level = Literal["ok", "warning", "error"]
_MARKS: Final = {"ok": "✓", "warning": "!", "error": "×"}


class Finding(NamedTuple):
    """One thing; `text` says how it is and, where it is not well, what to do."""

    level: Level
    about: str
    text: str
    status: ExitCode = ExitCode.BAD_INPUT
    """What a start would end with, where it is an error."""


def status_of(findings: Iterable[Finding]) -> ExitCode:
    """As a start would end: files are looked at before a port is opened."""
    statuses = [each.status for each in findings if each.level == "error"]
    return min(statuses, default=ExitCode.OK)


def rendered(findings: Sequence[Finding], form: str) -> str:
    """`text`, a line each and one that counts them, or `json`."""
    if form == "json":
        checks = [{"level": e.level, "about": e.about, "text": e.text} for e in findings]
        answer = {"version": __version__, "status": status_of(findings).value, "checks": checks}
        return json.dumps(answer, indent=2, ensure_ascii=False)
    lines = [f"{_MARKS[each.level]} {each.about}: {each.text}" for each in findings]
    counts = [sum(each.level == level for each in findings) for level in ("warning", "error")]
    words = [
        f"{count} {what}" + ("" if count == 1 else "s")
        for count, what in zip((len(findings), *counts), ("check", "warning", "error"), strict=True)
    ]
    return "\n".join([*lines, ", ".join(words)])
