"""Outcomes as JUnit XML, as Jenkins, GitLab and GitHub's reporters read it."""

import re
import time
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from .outcome import ScenarioOutcome, Status

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(outcomes: Sequence[ScenarioOutcome]) -> str:
    """One testsuite with a testcase for each scenario; its steps are its output."""
    failed = sum(each.status is Status.FAILED for each in outcomes)
    broken = sum(not each.ok for each in outcomes) - failed
    took = sum(each.took for each in outcomes)
    began = min((each.started for each in outcomes), default=0.0)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
    counts = f'tests="{len(outcomes)}" failures="{failed}" errors="{broken}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="mockforge-tui" {counts} time="{took:.3f}">',
        f'  <testsuite name="scenarios" {counts} skipped="0" time="{took:.3f}"'
        f' timestamp="{stamp}">',
    ]
    for each in outcomes:
        lines += _case(each)
    return "\n".join([*lines, "  </testsuite>", "</testsuites>", ""])


def _case(outcome: ScenarioOutcome) -> list[str]:
    name, file = _attribute(outcome.name), _attribute(outcome.position.file)
    lines = [
        f"    <testcase name={name} classname={file} file={file}"
        f' line="{outcome.position.line}" time="{outcome.took:.3f}">'
    ]
    if not outcome.ok:
        kind = "failure" if outcome.status is Status.FAILED else "error"
        first = outcome.text.split("\n", 1)[0]
        lines.append(
            f"      <{kind} message={_attribute(first)} type={_attribute(outcome.status.value)}>"
            f"{escape(_clean(outcome.text))}</{kind}>"
        )
    steps = "\n".join(
        f"{'  ' * step.depth}{step.status.value:<9} {step.took:7.3f}s  {step.title}"
        for step in outcome.steps
    )
    if outcome.left_out:
        steps += f"\nand {outcome.left_out:,} more that passed"
    lines.append(f"      <system-out>{escape(_clean(steps))}</system-out>")
    return [*lines, "    </testcase>"]


def _clean(text: str) -> str:
    """XML 1.0 has no control characters, not even escaped."""
    return _NOT_XML.sub("�", text)


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))
