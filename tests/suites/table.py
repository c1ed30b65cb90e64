"""What is known of each suite: numbers of ours and of the original, and why a test fails.

A file a suite, `known/NAME.txt`:

    version 9d7bb80
    ours 38 passed, 0 failed, 0 skipped
    Mosquitto 2.0.11 36 passed, 2 failed, 0 skipped
    fails on both: testA | the reason
    fails here: testB | the reason
    fails beside: testC | the reason (the original fails alone)
    varies: testD | why it fails at times
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .readers import Outcomes

KNOWN = Path(__file__).parent / "known"
KINDS = ("fails on both", "fails here", "fails beside", "varies")


@dataclass(frozen=True, slots=True)
class Known:
    version: str = ""
    ours: str = ""
    beside: str = ""
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)
    """By kind and name of the test."""

    def expected(self, beside: bool) -> dict[str, str]:
        """The tests that fail, with their reasons, here or on the original."""
        kinds = ("fails on both", "fails beside" if beside else "fails here")
        return {name: why for kind in kinds for name, why in self.reasons.get(kind, {}).items()}

    @property
    def varies(self) -> dict[str, str]:
        return self.reasons.get("varies", {})


def read(name: str, folder: Path = KNOWN) -> Known:
    """Raises ValueError for a line that is none of those above."""
    path = folder / f"{name}.txt"
    if not path.exists():
        return Known()
    version, ours, beside, *rows = path.read_text().splitlines()
    reasons: dict[str, dict[str, str]] = {}
    for row in rows:
        kind, _, more = row.partition(": ")
        test, _, why = more.partition(" | ")
        if kind not in KINDS or not (test and why):
            raise ValueError(f"{path.name}: {row!r} is not KIND: TEST | REASON")
        reasons.setdefault(kind, {})[test] = why
    return Known(version.removeprefix("version "), ours.removeprefix("ours "), beside, reasons)


def counted(outcomes: Outcomes) -> str:
    number = Counter(outcomes.values())
    return ", ".join(f"{number[word]} {word}" for word in ("passed", "failed", "skipped"))


def judged(outcomes: Outcomes, known: Known, beside: bool = False) -> tuple[list[str], list[str]]:
    """What is to be looked at, in lines: what is not as it was, and what is known."""
    expected, wrong, fine = known.expected(beside), [], []
    for test, outcome in sorted(outcomes.items()):
        if outcome == "failed" and test in expected:
            fine.append(f"failed as known: {test}: {expected[test]}")
        elif outcome == "failed" and test in known.varies:
            fine.append(f"failed, which varies: {test}: {known.varies[test]}")
        elif outcome == "failed":
            wrong.append(f"FAILED: {test}")
        elif outcome == "passed" and test in expected:
            fine.append(f"passes now: {test} (was: {expected[test]})")
    recorded = known.beside if beside else known.ours
    before, now = sum(_numbers(recorded)), len(outcomes)
    if not outcomes or now < before:
        wrong.append(f"FAILED: {now} tests came to an end, {before} did before")
    return wrong, fine


def _numbers(text: str) -> Iterator[int]:
    """Of "Mosquitto 2.0.11 36 passed, 2 failed, 0 skipped": 36, 2, 0."""
    for part in text.split(", "):
        words = part.split()
        if len(words) > 1 and words[-1] in ("passed", "failed", "skipped"):
            yield int(words[-2])
