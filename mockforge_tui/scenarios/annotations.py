"""Outcomes as annotations of a GitHub workflow, at the step of the file that failed."""

from collections.abc import Iterator, Sequence

from .outcome import ScenarioOutcome


def annotations(outcomes: Sequence[ScenarioOutcome]) -> Iterator[str]:
    for outcome in outcomes:
        if outcome.ok:
            continue
        failed = [step for step in outcome.steps if step.text and step.failure is outcome.failure]
        position = failed[0].position if failed else outcome.position
        title = f"{outcome.name}: {outcome.status.value}"
        yield (
            f"::error file={_property(position.file)},line={position.line},"
            f"col={position.column},title={_property(title)}::{_data(outcome.text)}"
        )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
