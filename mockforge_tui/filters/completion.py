"""What could stand at the cursor of a filter that is being typed."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .fields import MESSAGES, Subject

_WORD = re.compile(r'(?:^|[\s(])[-!]*([^\s("]*)$')
_OPERATOR = re.compile(r"(!=|>=|<=|\^=|[:~=<>])")
_VALUES = 50


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`text` in place of `start` to `end`."""

    start: int
    end: int
    text: str
    help: str = ""


def complete_filter(
    text: str,
    cursor: int | None = None,
    subject: Subject = MESSAGES,
    values: Callable[[str], Iterable[tuple[str, str]]] | None = None,
) -> list[Suggestion]:
    """Returns what may replace the word at the cursor, best first.

    `values` gives, for a field's name, values seen in the traffic with a note (their count).
    """
    cursor = len(text) if cursor is None else cursor
    found = _WORD.search(text[:cursor])
    if found is None:
        return []
    word, start = found[1], found.start(1)
    operator = _OPERATOR.search(word)
    if operator is None:
        return [Suggestion(start, cursor, name, note) for name, note in _names(word, subject)]
    field, typed = word[: operator.start()], word[operator.end() :]
    return [
        Suggestion(start + operator.end(), cursor, _quoted(value), note)
        for value, note in _values(field, subject, values)
        if value.startswith(typed)
    ][:_VALUES]


def _names(word: str, subject: Subject) -> list[tuple[str, str]]:
    if word.startswith("@"):
        flags = (f"@{name}" for name in subject.flags)
        return [(flag, "flag") for flag in flags if flag.startswith(word)]
    lowered = word.lower()
    names = [
        (name + ("." if field.path else ":"), field.help)
        for name, field in subject.fields.items()
        if name.startswith(lowered) and name == field.name.lower()
    ]
    if subject.has and "has".startswith(lowered):
        names.append(("has:", "what a row has: has:error"))
    if word:
        names += [(each, "") for each in ("not ", "or ") if each.startswith(lowered)]
    return names


def _values(
    name: str, subject: Subject, seen: Callable[[str], Iterable[tuple[str, str]]] | None
) -> list[tuple[str, str]]:
    if name.lower() == "has":
        return [(each, "") for each in subject.has]
    found = subject.find(name)
    if found is None:
        return []
    known = [(value, "") for value in found[0].values]
    return known + list(seen(found[0].name) if seen is not None and not known else ())


def _quoted(value: str) -> str:
    if re.search(r'[\s()"]', value) is None:
        return value
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'
