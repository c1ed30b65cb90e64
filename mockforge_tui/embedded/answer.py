"""What a console command gave, for programs in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mockforge_brokers.errors import InvalidInput, LocalError

from .verbs import ExpectationFailed

if TYPE_CHECKING:
    from ..console.results import Notice, Result

WITHIN: Final = 30.0
"""Seconds that a command may take where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one line, the same from brokers in this process and in another.

    `text` is what a person at the prompt reads, rows and tables included, and what `str` gives;
    `data` what programs get. `rows` are the records that came one by one (`tail`, `export`),
    `content` what an export would have written to its file.
    """

    command: str
    text: str
    data: Any = None
    rows: Sequence[Mapping[str, Any]] = ()
    content: bytes = b""

    def __str__(self) -> str:
        return self.text

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The rows of a table, or those that came one by one."""
        return self.data if isinstance(self.data, list) else self.rows


@dataclass(slots=True)
class Heard:
    """What a command reported until it ended."""

    rows: list[Mapping[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    content: list[bytes] = field(default_factory=list)

    def report(self, notice: Notice) -> None:
        if notice.kind == "row":
            self.rows.append(notice.data)
        if notice.content is None:
            self.lines.append(notice.text)
        else:
            self.content.append(notice.content)

    def answer(self, result: Result) -> Answer:
        """Raises ExpectationFailed, and InvalidInput with the console's own words."""
        __tracebackhide__ = True
        text = result.as_text(None)
        if result.failure is not None:
            raise ExpectationFailed(text.removeprefix("× "))
        if not result.ok:
            raise InvalidInput(text)
        lines = "\n".join([*self.lines, text])
        content = b"".join(self.content)
        return Answer(result.command, lines, result.data, tuple(self.rows), content)


def unended(line: str, within: float) -> LocalError:
    """The error for a command that goes on."""
    return LocalError(
        f"{line}: not at its end within {within:g} s: -n ends a tail, within= waits longer"
    )
