"""Outcomes in the Common Test Report Format (ctrf.io), a JSON that many tools read."""

import json
from collections.abc import Sequence
from typing import Any

from .outcome import ScenarioOutcome, Status, StepOutcome

_STATUS = {Status.PASSED: "passed", Status.STOPPED: "skipped"}


def ctrf(outcomes: Sequence[ScenarioOutcome], version: str) -> str:
    """One report; a test for each scenario, times in milliseconds."""
    start = min((each.started for each in outcomes), default=0.0)
    stop = max((each.started + each.took for each in outcomes), default=0.0)
    statuses = [_status(each.status) for each in outcomes]
    report = {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "results": {
            "tool": {"name": "mockforge-tui", "version": version},
            "summary": {
                "tests": len(outcomes),
                **{
                    name: statuses.count(name)
                    for name in ("passed", "failed", "pending", "skipped", "other")
                },
                "start": round(start * 1000),
                "stop": round(stop * 1000),
            },
            "tests": [_test(each) for each in outcomes],
        },
    }
    return json.dumps(report, ensure_ascii=False, indent=2) + "\n"


def _test(outcome: ScenarioOutcome) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": outcome.name,
        "status": _status(outcome.status),
        "duration": round(outcome.took * 1000),
        "start": round(outcome.started * 1000),
        "stop": round((outcome.started + outcome.took) * 1000),
        "rawStatus": outcome.status.value,
        "filePath": outcome.position.file,
        "line": outcome.position.line,
        "steps": [_step(each) for each in outcome.steps],
    }
    if not outcome.ok:
        message, _, trace = outcome.text.partition("\n")
        test |= {"message": message, "trace": trace}
    return test


def _step(step: StepOutcome) -> dict[str, Any]:
    return {"name": step.title, "status": _status(step.status)}


def _status(status: Status) -> str:
    return _STATUS.get(status, "failed")
