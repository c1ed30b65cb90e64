"""What the runners of suites print or write, as the outcome of each test by its name."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path

Outcomes = dict[str, str]
"""By a test's name: passed, failed or skipped."""

WORST = ("failed", "passed", "skipped")


def merged(each: Iterable[tuple[str, str]]) -> Outcomes:
    """Several of one name (cases of a table, a test and its end) are one: it failed if one did."""
    outcomes: Outcomes = {}
    for name, outcome in each:
        before = outcomes.get(name, outcome)
        outcomes[name] = min(before, outcome, key=WORST.index)
    return outcomes


def numbered(each: Iterable[tuple[str, str]]) -> Outcomes:
    """Several of one name are told apart by their order."""
    outcomes: Outcomes = {}
    for name, outcome in each:
        number, fresh = 1, name
        while fresh in outcomes:
            number += 1
            fresh = f"{name} ({number})"
        outcomes[fresh] = outcome
    return outcomes


def junit(paths: Iterable[Path], shorten: str = "") -> Outcomes:
    """JUnit's XML, as pytest, CTest and Maven write it; `shorten` is cut off class names."""
    found = []
    for path in paths:
        for case in ET.parse(path).getroot().iter("testcase"):
            owner = case.get("classname", "").removeprefix(shorten)
            name = " ".join(case.get("name", "").split())
            found.append(
                (f"{owner}.{name}" if owner not in ("", "test", name) else name, _of(case))
            )
    return merged(found)


def _of(case: ET.Element) -> str:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"} or case.get("status") == "fail":
        return "failed"
    return "skipped" if "skipped" in kinds or case.get("status") == "disabled" else "passed"


def node(path: Path) -> Outcomes:
    """JUnit's XML as `node --test` writes it: suites within suites."""

    def walk(element: ET.Element, outer: str) -> Iterator[tuple[str, str]]:
        for child in element:
            name = " ".join([outer, child.get("name", "")]).strip()
            if child.tag == "testcase":
                yield name, _of(child)
            elif child.tag == "testsuite":
                yield from walk(child, name)

    return numbered(walk(ET.parse(path).getroot(), ""))


_UNITTEST = re.compile(
    r"^(\w+) \([\w.]+\)(?:\n[^\n]*?)? \.\.\. (?:.*?)\b(ok|FAIL|ERROR|skipped[^\n]*)$", re.M | re.S
)


def unittest(text: str) -> Outcomes:
    """What unittest prints at verbosity 2. A test's name may be followed by a line of its
    docstring, and its own words may stand before its outcome."""
    words = {"ok": "passed", "FAIL": "failed", "ERROR": "failed", "skipped": "skipped"}
    return merged((name, words[outcome.split()[0]]) for name, outcome in _UNITTEST.findall(text))


def go(text: str) -> Outcomes:
    """`go test -json`: tests, without the parts of one. A package that ends in the middle of one
    (a panic, the time limit) has that test failed."""
    words = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    found, begun = [], set()
    for line in text.splitlines():
        fact = json.loads(line) if line.startswith("{") else {}
        name = fact.get("Test", "")
        if "/" in name or not name:
            continue
        begun.add(name)
        if fact["Action"] in words:
            found.append((name, words[fact["Action"]]))
    outcomes = merged(found)
    return outcomes | dict.fromkeys(begun - outcomes.keys(), "failed")


def cargo(text: str) -> Outcomes:
    words = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
    found = re.findall(r"^test (.+?) \.\.\. (?:.*?)(ok|FAILED|ignored)\b", text, re.M | re.S)
    return merged((name, words[outcome]) for name, outcome in found)


def rspec(text: str) -> Outcomes:
    """`rspec --format json`; an error outside of the examples is one that failed."""
    words = {"passed": "passed", "failed": "failed", "pending": "skipped"}
    report = json.loads(text[text.index('{"version"') :])
    outside = report["summary"].get("errors_outside_of_examples_count", 0)
    found = [
        (" ".join(e["full_description"].split()), words[e["status"]]) for e in report["examples"]
    ]
    return numbered([*found, *[("outside of the examples", "failed")] * bool(outside)])
