"""What the rules find, and how they compare names."""

from collections.abc import Iterable
from dataclasses import dataclass

from ... import units
from ...nearest import get_close_matches


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause: `about` is who or what it is about, `text` one sentence with fact and remedy.

    `cause` is a word for programs. `harmless`: all is well there, and this is why nothing comes.
    """

    about: str
    cause: str
    text: str
    harmless: bool = False


def lookalike(name: str, others: Iterable[str]) -> str | None:
    """The name that was probably meant: the same in another case first, else a near one."""
    known = [each for each in others if each != name]
    folded = [each for each in known if each.casefold() == name.casefold()]
    return folded[0] if folded else next(iter(get_close_matches(name, known, 1, 0.8)), None)


def how_they_differ(name: str, other: str) -> str:
    if name.casefold() == other.casefold():
        return "names are case-sensitive"
    return "the names differ"


def named(client: str) -> str:
    """A client's name in a sentence; some have none."""
    return client or "a client without a name"


def ago(seconds: float) -> str:
    if seconds < 0.5:
        return "just now"
    return f"{units.format_duration(max(0.0, round(seconds, 3)))} ago"
