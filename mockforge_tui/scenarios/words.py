"""Scenarios and their steps as lines for people."""

from collections import Counter
from collections.abc import Iterator, Sequence

from .. import text
from ..units import format_duration
from .outcome import ScenarioOutcome, Status, StepOutcome

_MARKS = {Status.PASSED: "✓", Status.STOPPED: "–"}


def step_line(step: StepOutcome) -> str:
    """`  ✓ expect {kafka: payments, within: 5s}  (212ms)`"""
    mark = _MARKS.get(step.status, "×")
    took = f"  ({format_duration(step.took)})" if step.took >= 0.0005 else ""
    return text.clean(f"{'  ' * (step.depth + 1)}{mark} {step.title}{took}")


def outcome_lines(outcome: ScenarioOutcome) -> Iterator[str]:
    """How a scenario ended, with all there is to say where it did not pass."""
    took = format_duration(outcome.took)
    mark = _MARKS.get(outcome.status, "×")
    yield text.clean(f"{mark} {outcome.name} {outcome.status.value} in {took}")
    if not outcome.ok:
        failed = [step for step in outcome.steps if step.text == outcome.text]
        place = failed[0].position if failed else outcome.position
        yield text.clean(f"  at {place}")
        for line in outcome.text.split("\n"):
            yield f"    {text.clean(line)}"


def summary(outcomes: Sequence[ScenarioOutcome]) -> str:
    """`2 scenarios: 1 passed, 1 failed in 3.2s`"""
    counts = Counter(each.status for each in outcomes)
    parts = ", ".join(f"{counts[each]} {each.value}" for each in Status if counts[each])
    total = "1 scenario" if len(outcomes) == 1 else f"{len(outcomes)} scenarios"
    return f"{total}: {parts} in {format_duration(sum(each.took for each in outcomes))}"
