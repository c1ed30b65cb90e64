"""`--fail-on`: what of a run's events makes its exit status 1."""

from collections.abc import Callable
from typing import Final

from mockforge_brokers.events import Event, LintFound, ProtocolViolated
from mockforge_brokers.spine import Spine

from . import text

_SHOWN: Final = 5


def _lint(*severities: str) -> Callable[[Event], str]:
    def look(event: Event) -> str:
        if isinstance(event, LintFound) and event.severity in severities:
            return f"{event.client}: {event.statement}: {event.text}"
        return _violated(event) if event.protocol == "mqtt" else ""

    return look


def _violated(event: Event) -> str:
    return f"{event.client}: {event.reason}" if isinstance(event, ProtocolViolated) else ""


CAUSES: Final[dict[str, Callable[[Event], str]]] = {
    "lint:error": _lint("error"),
    "lint:warning": _lint("error", "warning"),
    "protocol-error": _violated,
}
"""By their names; each says what an event is to it in words, empty if nothing."""


def causes(words: str) -> str:
    """Names of `CAUSES` with commas between them, as they were given. Raises ValueError."""
    for word in words.split(","):
        if word.strip() not in CAUSES:
            raise ValueError(f"one of {', '.join(CAUSES)} is wanted, not {word.strip()!r}")
    return words


class Verdict:
    """Counts what a run is to fail on, from now on."""

    def __init__(self, spine: Spine, wanted: tuple[str, ...]) -> None:
        names = dict.fromkeys(name.strip() for words in wanted for name in words.split(","))
        self._found: dict[str, list[str]] = {name: [] for name in names}
        self._counts = dict.fromkeys(names, 0)
        if names:
            spine.watch(self._look)

    @property
    def failed(self) -> bool:
        return any(self._counts.values())

    def lines(self) -> list[str]:
        """For people: what was found, the first few of each."""
        lines = []
        for name, count in self._counts.items():
            lines += [f"failed on {name}: {text.clean(each)}" for each in self._found[name]]
            if count > _SHOWN:
                lines.append(f"failed on {name}: {count - _SHOWN} more")
        return lines

    def _look(self, event: Event) -> None:
        for name, found in self._found.items():
            what = CAUSES[name](event)
            if what:
                self._counts[name] += 1
                if len(found) < _SHOWN:
                    found.append(what)
